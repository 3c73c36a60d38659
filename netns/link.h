/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of rtnetlink: links, addresses, routes.  Each link_... function adds one message to a batch; nothing happens
 * before netlink_commit().
 */
#ifndef HOLM_NETNS_LINK_H
#define HOLM_NETNS_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "netns/netlink.h"
#include "netns/types.h"

struct link_facts {
	int index, master;
	unsigned flags; /* IFF_... */
	uint32_t mtu;
	uint8_t mac[6];
	char name[IFNAMSIZ];
	char kind[16];	 /* "veth", "bridge", ...; "" for hardware */
	char alias[256]; /* "" if none */
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};

/* The link called name, or -ENODEV (ERROR_NOT_FOUND, "interface 'x' does not exist"). */
int link_find(struct netlink *netlink, const char *name, struct link_facts *ret, struct error *e) must_check;

/* Its index alone, without a message; the same error. */
int link_index(struct netlink *netlink, const char *name, int *ret, struct error *e) must_check;

/* Whether there is a link called name. */
int link_exists(struct netlink *netlink, const char *name, bool *ret, struct error *e) must_check;

struct link_address {
	uint8_t family, prefix, scope;
	uint32_t flags; /* IFA_F_... */
	uint8_t bytes[16], broadcast[16], peer[16];
	bool has_broadcast, has_peer;
};

/* Every address of link index, in the kernel's order; malloc'd, the caller frees it. */
int link_addresses(struct netlink *netlink, int index, struct link_address **ret, size_t *ret_n,
		   struct error *e) must_check;

/* Calls each() for the addresses of all links / the unicast routes of all tables. */
struct link_route {
	struct net_address to; /* prefix 0: the default route */
	int index;	       /* 0: none, or several */
};

int link_each_address(struct netlink *netlink,
		      int (*each)(int index, const struct link_address *address, void *data, struct error *e),
		      void *data, struct error *e) must_check;
int link_each_route(struct netlink *netlink, int (*each)(const struct link_route *route, void *data, struct error *e),
		    void *data, struct error *e) must_check;

/* ---- making links; each fails with EEXIST when the name is taken ---- */

/*
 * A bridge without spanning tree and without multicast snooping; it takes neither its MAC nor its MTU from its ports.  The MTU counts
 * as set by hand only when it was another one before: link_set_mtu() completes it.
 */
void link_create_bridge(struct netlink *netlink, const char *name, const uint8_t mac[6], uint32_t mtu);

struct link_inside {
	int netns_fd;
	const char *name;   /* there */
	const uint8_t *mac; /* NULL: the parent's (ipvlan) */
	uint32_t mtu;
};

/*
 * A veth pair: name here, as a port of master; its peer is born in the namespace.  mac: of the end here.  The master's own is one that
 * the bridge knows already: else it keeps an entry for each port, and goes through them all whenever one is added.
 */
void link_create_veth(struct netlink *netlink, const char *name, const uint8_t mac[6], int master,
		      const struct link_inside *inside);

/* A macvlan (bridge or private mode) or ipvlan (layer 2) of link parent, born in the namespace. */
void link_create_child(struct netlink *netlink, bool macvlan, bool isolated, int parent,
		       const struct link_inside *inside);
/* netns_fd: the namespace it is born in; -1: here. */
void link_create_vlan(struct netlink *netlink, const char *name, int parent, uint16_t id, int netns_fd);
void link_create_ifb(struct netlink *netlink, const char *name);

/* ---- changing ---- */

/* What a bridge does with a port. */
enum {
	LINK_ISOLATED = 1 << 0, /* no traffic to other such ports */
	LINK_HAIRPIN = 1 << 1,	/* frames may leave by the port they came from */
	LINK_FIXED = 1 << 2,	/* it learns nothing and gets no frames of unknown receivers: see link_fix_address() */
};

/* A link on the host's side: alias, no addresses of its own, up. */
void link_configure_port(struct netlink *netlink, int index, const char *name, const char *alias, unsigned port_flags);
/*
 * The bridge sends what is for mac to this port, until the port is gone.  is_sticky: also if it came from another port, which matters
 * where one learns (bridge(8): static, sticky); else the entry is none of those that the bridge goes through for each new port
 * (extern_learn).
 */
void link_fix_address(struct netlink *netlink, int index, const uint8_t mac[6], bool is_sticky);
void link_set_hairpin(struct netlink *netlink, int index, const char *name);
void link_set_master(struct netlink *netlink, int index, const char *name, int master);
void link_set_mtu(struct netlink *netlink, int index, const char *name, uint32_t mtu);
void link_delete(struct netlink *netlink, const char *name); /* a missing one is no error */

void link_add_address(struct netlink *netlink, int index, const struct link_address *address, const char *link_name);
void link_add_route(struct netlink *netlink, int index, const struct net_address *to, const struct net_address *via,
		    uint32_t metric);

/* A neighbour whose MAC is known and does not change. */
void link_set_neighbour(struct netlink *netlink, int index, const struct net_address *address, const uint8_t mac[6]);
void link_delete_neighbour(struct netlink *netlink, int index, const struct net_address *address);
void link_set_up(struct netlink *netlink, int index, const char *name);
void link_set_down(struct netlink *netlink, int index, const char *name);

/* Into namespace netns_fd under a name (a template with %d is the kernel's to fill in) and an index (-EBUSY if taken).
 */
void link_move(struct netlink *netlink, int index, const char *name, int netns_fd, const char *new_name, int new_index);

/* 0 for IPv4 and IPv6 addresses' length in bytes. */
static inline size_t address_size(uint8_t family)
{
	return family == 2 /* AF_INET */ ? 4 : 16;
}

#endif
