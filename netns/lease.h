/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases: who has which address of a network.  A lease is a file named by the address that holds the instance's id and
 * the path of its state folder; it appears whole or not at all (link(2) of a finished file), so two hundred joins
 * at once need no lock.  A lease whose instance's state folder is gone is free: it is taken over when no other address
 * is left, or when it is asked for by number.
 *
 * An instance's first try is a number made from its id, so it tends to get the address it had before.
 */
#ifndef HOLM_NETNS_LEASE_H
#define HOLM_NETNS_LEASE_H

#include "base/error.h"
#include "netns/types.h"

/*
 * Leases addresses for member (id, network, name) in the network's folder: those that member asks for (family set),
 * else free ones; IPv6 follows the number of IPv4.  instance: the path of its state folder or "".  On success
 * address4 and address6 are set with the subnet's prefix, where the network has such a subnet.
 *
 * ERROR_EXISTS: a fixed address is taken (named by whom); ERROR_LIMIT: the subnet is full; ERROR_INVALID: outside of
 * the subnet.
 */
int lease_take(int network_fd, const struct net_network *network, struct net_member *member, const char *instance,
	       struct error *e) must_check;

/* Frees the member's addresses, as far as they are its own; without addresses in the record, all that are of its id. */
void lease_drop(int network_fd, const struct net_member *member);

/* A number from 0 on that depends on text alone (FNV-1a). */
uint64_t lease_hash(const char *text, uint64_t seed);

#endif
