/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages about the classifier of a link (the qdiscs clsact and ingress, which have the same numbers) and the BPF filters on it:
 * guard, counters and rates have theirs there, told apart by link, direction and priority.
 */
#ifndef HOLM_NETNS_CLASSIFIER_H
#define HOLM_NETNS_CLASSIFIER_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "netns/netlink.h"

/* Adds RTM_NEWQDISC, RTM_DELQDISC or RTM_GETQDISC; a new one's kind is for the caller to add. */
struct nlmsghdr *classifier_message(struct netlink *netlink, uint16_t type, uint16_t flags, int index,
				    const char *what);

/*
 * Adds RTM_NEWTFILTER, ...: the one filter (kind bpf) of a direction (TC_H_MIN_INGRESS, TC_H_MIN_EGRESS) and priority, of which the lowest
 * comes first; a new one's options are for the caller to add.
 */
struct nlmsghdr *classifier_filter(struct netlink *netlink, uint16_t type, uint16_t flags, int index,
				   uint32_t direction, uint16_t priority, const char *what);

#endif
