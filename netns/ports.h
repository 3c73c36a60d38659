/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published ports of members: which may be, and the nftables elements that lead to them.
 *
 * The record of a member's ports is written before the elements are added: an element always has a record that leads to
 * it, and a record may name ports whose elements are missing, or are somebody else's.  So only what leads to the member
 * itself is ever removed.
 */
#ifndef HOLM_NETNS_PORTS_H
#define HOLM_NETNS_PORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "netns/host.h"
#include "netns/types.h"

/* Before anything is made: the member can publish them, and no process of the host has them.  Writes the record. */
int ports_prepare(struct host *host, const struct net_network *network, const struct net_member *member,
		  const struct net_port *ports, size_t n, struct error *e) must_check;

/* The elements of a member that is about to join: what ports_prepare() recorded. */
int ports_lead(struct host *host, const struct net_member *member, const struct net_port *ports, size_t n,
	       struct error *e) must_check;

/*
 * Whether a member that publishes needs its own frames back from its port of the bridge: where the host's firewall is asked
 * about bridged packets (br_netfilter), the answer to one that calls itself by a published port does not go by way of
 * the host.
 */
bool ports_need_hairpin(void);

/* What leads to a member that leaves. */
void ports_remove(struct host *host, const struct net_member *member);

/* br_netfilter may have come after the members that publish. */
int ports_repair(struct host *host, struct error *e) must_check;

/* While running: all or none.  Ports whose interface is "" belong to the first one that can have them. */
int ports_publish(struct host *host, const char *id, const struct net_port *ports, size_t n,
		  struct error *e) must_check;
int ports_unpublish(struct host *host, const char *id, const struct net_port *ports, size_t n,
		    struct error *e) must_check;

#endif
