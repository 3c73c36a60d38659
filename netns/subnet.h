/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which subnets and gateways a new network gets: those that were asked for, if they can be, else some that clash with nothing
 * the host knows: its addresses, routes, name servers and other networks.
 */
#ifndef HOLM_NETNS_SUBNET_H
#define HOLM_NETNS_SUBNET_H

#include <stdbool.h>

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/store.h"
#include "netns/types.h"

/* Fills in subnets and gateways.  own: members are behind a bridge of the host, not on an uplink's network. */
int subnet_choose(const struct store *store, struct netlink *netlink, struct net_network *network, bool own,
		  struct error *e) must_check;

#endif
