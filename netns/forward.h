/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forwarding, switched on per interface: for the bridge, and for the host's uplinks as far as they do not forward yet; those
 * are noted in STATE/opened, and the table keeps them from forwarding for others (nft.h).  Before Linux 6.17 IPv6 forwards
 * only as a whole; then the family is noted, and interfaces that listen to router advertisements are told to go on doing so.
 */
#ifndef HOLM_NETNS_FORWARD_H
#define HOLM_NETNS_FORWARD_H

#include <stdbool.h>

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/nft.h"
#include "netns/store.h"
#include "netns/types.h"

/*
 * A link of ours that is for members alone, before it is up: the host has no IPv6 of its own on it.  It takes no part in their
 * network, and each link with it has routes that the kernel goes through whenever any link changes.
 */
int forward_close_link(const char *link, struct error *e) must_check;

/* What the bridge of a routed network needs: forwarding, published ports on 127.0.0.1, no redirects or advertisements. */
int forward_set_bridge(const char *bridge, struct error *e) must_check;

/* Opens the host's uplinks for the network's families; under the networks' lock. */
int forward_open_uplinks(const struct store *store, struct netlink *netlink, struct nft *nft,
			 const struct net_network *network, struct error *e) must_check;

/* Closes what was opened; *ret_closed: there was something, and the table is to be laid without it. */
int forward_close_uplinks(const struct store *store, bool *ret_closed, struct error *e) must_check;

/* Somebody else may have made the host a router since: then nothing of IPv4 is ours to hold back. */
void forward_forget(const struct store *store);

#endif
