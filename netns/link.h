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

struct link_facts {
	int index, master;
	unsigned flags; /* IFF_... */
	uint32_t mtu;
	uint8_t mac[6];
	char name[IFNAMSIZ];
	char kind[16];	 /* "veth", "bridge", ...; "" for hardware */
	char alias[256]; /* "" if none */
};

/* The link called name, or -ENODEV (ERROR_NOT_FOUND, "interface 'x' does not exist"). */
int link_find(struct netlink *netlink, const char *name, struct link_facts *ret, struct error *e) must_check;

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

void link_add_address(struct netlink *netlink, int index, const struct link_address *address, const char *link_name);
void link_set_up(struct netlink *netlink, int index, const char *name);

/* Into namespace netns_fd under a name (a template with %d is the kernel's to fill in) and an index (-EBUSY if taken).
 */
void link_move(struct netlink *netlink, int index, const char *name, int netns_fd, const char *new_name, int new_index);

/* 0 for IPv4 and IPv6 addresses' length in bytes. */
static inline size_t address_size(uint8_t family)
{
	return family == 2 /* AF_INET */ ? 4 : 16;
}

#endif
