/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of an instance's link: a classic BPF program on the host's end that looks at every frame the instance
 * sends.
 *
 * It lets pass only: its own hardware address; ARP that speaks of its own addresses; IPv4 from its own address, not to
 * 127.0.0.0/8 and no redirects; IPv6 from its own address or the link-local one of its hardware address, no router
 * advertisements, no redirects, no neighbour advertisements of others' addresses, no extension headers that could
 * hide these.  All else is dropped: VLAN tags, other protocols, other senders.  So an instance with CAP_NET_RAW or
 * CAP_NET_ADMIN can neither take a neighbour's address nor the gateway's.
 *
 * The program is part of the link: it can't outlive it, and no flush of firewall rules takes it away.
 */
#ifndef HOLM_NETNS_GUARD_H
#define HOLM_NETNS_GUARD_H

#include <linux/filter.h>
#include <stddef.h>

#include "netns/netlink.h"
#include "netns/types.h"

enum { GUARD_SIZE = 160 };

/* Writes the program for a link with that hardware address and these addresses (family 0: none); returns its length. */
size_t guard_build(struct sock_filter code[GUARD_SIZE], const uint8_t mac[6], const struct net_address *address4,
		   const struct net_address *address6);

/* The same for a link whose addresses others give: only the hardware address, in the frame and in ARP. */
size_t guard_build_mac(struct sock_filter code[GUARD_SIZE], const uint8_t mac[6]);

/* Adds the messages that put it on link index: a clsact qdisc and the filter, the first of the link's. */
void guard_attach(struct netlink *netlink, int index, const struct sock_filter *code, size_t n);

/*
 * On a port in hairpin mode the bridge sends an instance's own broadcasts back to it; this adds the filter on the way
 * to the instance that drops them.  It may be there already.
 */
void guard_attach_echo(struct netlink *netlink, int index, const uint8_t mac[6]);

#endif
