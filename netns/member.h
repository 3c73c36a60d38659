/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members: instances joining and leaving networks, their rates and counters; ports.h has what they publish.
 *
 * Joining, in this order: the network's links; the record; the lease; the ports' record; counters; ports; names; the
 * instance's link, which is born with its peer inside; its guard; inside: addresses, routes.
 * Leaving goes back, the record last.  A join that fails undoes itself; one that is killed leaves a record that
 * member_leave() follows.
 */
#ifndef HOLM_NETNS_MEMBER_H
#define HOLM_NETNS_MEMBER_H

#include "base/error.h"
#include "netns/host.h"
#include "netns/network.h"
#include "netns/types.h"

struct member_instance {
	const char *id;
	const char *path;     /* of its state folder; "": none */
	const char *hostname; /* "": none */
	int netns_fd;	      /* not needed by member_prepare() */
};

/* One interface on its way in.  The first four are the caller's. */
struct member_joining {
	const struct net_interface *wanted;
	bool is_first; /* of the instance's: its default route is preferred */
	const struct net_port *ports;
	size_t n_ports;
	struct net_network network;
	struct network_links links;
	struct net_member member; /* what it becomes */
	bool needs_hairpin;	  /* ports.h */
	bool is_prepared;
};

/*
 * In two halves, so that the first runs while the instance's namespace is still being made.
 *
 * member_prepare(): network (loaded by the caller), links of the host, record, lease; what leads to the address: counters,
 * ports, names.
 * member_enter(): all that needs the namespace.
 *
 * Each undoes itself when it fails; a prepared one that is not to enter leaves by member_leave().
 */
int member_prepare(struct host *host, const struct member_instance *instance, struct member_joining *joining,
		   struct error *e) must_check;
int member_enter(struct host *host, const struct member_instance *instance, const struct member_joining *joining,
		 struct error *e) must_check;

/*
 * Takes the instance off one interface (name), or one network (network), or all (both NULL).  netns_fd: the instance's
 * namespace if it goes on running, else -1.  Nothing to leave is no error.
 */
int member_leave(struct host *host, const char *id, const char *network, const char *name, int netns_fd,
		 struct error *e) must_check;

/* NULL: as it was. */
int member_limit(struct host *host, const char *id, const char *name, const struct net_rate *egress,
		 const struct net_rate *ingress, struct error *e) must_check;

int member_count(struct host *host, const struct net_member *member, struct net_counters *ret,
		 struct error *e) must_check;

/* Tells the bridges again where members are, whoever made them forget it. */
int member_repair(struct host *host, struct error *e) must_check;

#endif
