/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks: their facts, and the host's links that they stand for.
 *
 * A network's links are made when somebody joins it, not when it is created: after a reboot nothing has to be
 * restored.  Making them is idempotent; STATE/networks/NAME/ready holds the bridge's index and the number of its
 * counters (counters.h) when all of it was done.
 *
 *   bridge      a bridge with the gateway's addresses; members are routed and masqueraded by the host.  With an
 *               uplink the bridge has that as a port instead: members are on the uplink's own network
 *   host-only   the same without a way out
 *   macvlan     children of the uplink
 *   ipvlan
 */
#ifndef HOLM_NETNS_NETWORK_H
#define HOLM_NETNS_NETWORK_H

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/nft.h"
#include "netns/store.h"
#include "netns/types.h"

#define NETWORK_DEFAULT "default"

/* Creates a network from what wanted says, choosing the rest; ret gets all facts. */
int network_create(const struct store *store, struct netlink *netlink, const struct net_network *wanted,
		   struct net_network *ret, struct error *e) must_check;

/* Like store_load_network(); the one called "default" is created when it is missing. */
int network_load(const struct store *store, struct netlink *netlink, const char *name, struct net_network *ret,
		 struct error *e) must_check;

/* Refused while somebody is a member (ERROR_STATE, named by whom). */
int network_remove(const struct store *store, struct netlink *netlink, struct nft *nft, const char *name,
		   struct error *e) must_check;

struct network_links {
	int bridge; /* index, 0: none */
	uint8_t bridge_mac[6];
	uint32_t counters; /* the number of its map, 0: none */
	int parent;	   /* index of the link whose children members are; 0: none */
	uint32_t mtu;
};

/* Makes the network's links where they are missing. */
int network_ensure(const struct store *store, struct netlink *netlink, struct nft *nft,
		   const struct net_network *network, struct network_links *ret, struct error *e) must_check;

/*
 * The counters of the network whose folder that is (store_open_network()), as a descriptor which the caller closes; -1 if it has
 * none.
 */
int network_open_counters(int folder);

/* Whether the host routes for its members, so that ports can be published. */
static inline bool network_is_routed(const struct net_network *network)
{
	return *network->bridge && !*network->uplink;
}

/* Looks anew at the host's uplinks and lays the nftables table from the records. */
int network_repair(const struct store *store, struct netlink *netlink, struct nft *nft, struct error *e) must_check;

/* "holm-NAME", or a shorter one made from it, for links of ours. */
void network_link_name(const char *prefix, const char *name, char ret[NET_INTERFACE_SIZE]);

#endif
