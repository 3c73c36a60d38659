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
#include <stdbool.h>
#include <stddef.h>

#include "netns/netlink.h"
#include "netns/types.h"

enum { GUARD_SIZE = 192 };

/*
 * Writes the program for a link with that hardware address and these addresses (family 0: none); returns its length.
 *
 * is_routed: the host is the router and nobody listens for groups.  Then what a new interface sends to all by itself goes
 * nowhere: router solicitations, listener reports, the look for duplicates of addresses that have one owner by lease.
 * The bridge would hand each of them to every other port: with a thousand, a thousandfold of the work of a start.  And what a
 * DHCP server says is dropped: it would give a neighbour that asks another gateway.
 */
size_t guard_build(struct sock_filter code[GUARD_SIZE], const uint8_t mac[6], const struct net_address *address4,
		   const struct net_address *address6, bool is_routed);

/*
 * The same for a link whose addresses others give: only the hardware address, in the frame and in ARP, and nothing to
 * 127.0.0.0/8.
 */
size_t guard_build_mac(struct sock_filter code[GUARD_SIZE], const uint8_t mac[6]);

/*
 * Adds the messages that put the member's program on link index: a qdisc and the filter, the first of the link's.
 *
 * has_hairpin: a bridge sends an instance's own broadcasts back to it by a port in hairpin mode; a second filter, on the way
 * to the instance, drops them.  That takes a qdisc for both directions (clsact), which costs something at every frame;
 * else it is one for a single direction (ingress).
 */
void guard_attach(struct netlink *netlink, int index, const struct net_member *member, bool is_routed,
		  bool has_hairpin);

/*
 * Adds the messages that close a bridge to the host whose members are on an uplink's network: whatever the bridge would hand to the
 * host is dropped.  Without an address there the host would all the same answer for its others, and forward if it is a router.
 * What is there already is no error.
 */
void guard_close_bridge(struct netlink *netlink, int index);

/* Adds the message that takes a member's program off again, with every filter after it; a missing one is no error. */
void guard_detach(struct netlink *netlink, int index);

/* Whether the link's is one with hairpin. */
int guard_has_hairpin(struct netlink *netlink, int index, bool *ret, struct error *e) must_check;

#endif
