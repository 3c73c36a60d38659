/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members: instances joining and leaving networks, what they publish, their rates and counters.
 *
 * Joining, in this order: the record; the lease; the network's links; the instance's link, which is born with its peer
 * inside; its guard; inside: addresses, routes; counters and ports in one transaction; names.  Leaving goes back,
 * the record last.  A join that fails undoes itself; one that is killed leaves a record that member_leave() follows.
 */
#ifndef HOLM_NETNS_MEMBER_H
#define HOLM_NETNS_MEMBER_H

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/nft.h"
#include "netns/store.h"
#include "netns/types.h"

/* What all of it needs. */
struct host {
	struct store store;
	struct netlink netlink;
	struct nft nft;
};

#define HOST_INIT ((struct host){.store = STORE_INIT, .netlink = NETLINK_INIT, .nft = NFT_INIT})

int host_open(struct host *host, const char *state, const char *config, struct error *e) must_check;
void host_close(struct host *host);
#define auto_host __attribute__((cleanup(host_close))) struct host

struct member_instance {
	const char *id;
	const char *path;     /* of its state folder; "": none */
	const char *hostname; /* "": none */
	int netns_fd;
};

/*
 * One interface; position is its place in the instance's list (its default name, its default route's preference).
 * ports: those of it.  ret gets the record.
 */
int member_join(struct host *host, const struct member_instance *instance, const struct net_interface *wanted,
		unsigned position, const struct net_port *ports, size_t n, struct net_member *ret,
		struct error *e) must_check;

/*
 * Takes the instance off one interface (name), or one network (network), or all (both NULL).  netns_fd: the instance's
 * namespace if it goes on running, else -1.  Nothing to leave is no error.
 */
int member_leave(struct host *host, const char *id, const char *network, const char *name, int netns_fd,
		 struct error *e) must_check;

/* Ports whose interface is "" belong to the first one that can have them. */
int member_publish(struct host *host, const char *id, const struct net_port *ports, size_t n,
		   struct error *e) must_check;
int member_unpublish(struct host *host, const char *id, const struct net_port *ports, size_t n,
		     struct error *e) must_check;

/* NULL: as it was. */
int member_limit(struct host *host, const char *id, const char *name, const struct net_rate *egress,
		 const struct net_rate *ingress, struct error *e) must_check;

int member_count(struct host *host, const struct net_member *member, struct net_counters *ret,
		 struct error *e) must_check;

#endif
