/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates.  What an instance receives is queued by a token bucket on the host's end of its link; what it sends goes by
 * way of an ifb link of its own, which has one too: so both directions are shaped, not policed, and on the host's side.
 */
#ifndef HOLM_NETNS_SHAPE_H
#define HOLM_NETNS_SHAPE_H

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/types.h"

/* The name of the ifb that belongs to a link of ours. */
void shape_ifb_name(const char *link, char ret[NET_INTERFACE_SIZE]);

/* Sets both rates of link (index, name): rate 0 takes a limit away.  Commits what the batch holds. */
int shape_apply(struct netlink *netlink, int index, const char *link, const struct net_rate *egress,
		const struct net_rate *ingress, struct error *e) must_check;

#endif
