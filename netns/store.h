/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known about networks, on disk.
 *
 *   CONFIG/NAME                            a network's facts; survives a reboot
 *   STATE/networks/NAME/leases/ADDRESS     whose address it is: id, then the path of the instance's state (lease.h)
 *   STATE/networks/NAME/hosts              names of its members (hosts.h)
 *   STATE/networks/NAME/mirrors/ID         an instance's own hosts file (hosts.h)
 *   STATE/networks/NAME/ready              the index of the bridge when it was set up, and the number of its counters
 *   STATE/members/ID/if-NAME               one interface of one instance (struct net_member)
 *   STATE/members/ID/ports-NAME            what it publishes, one port per line
 *   STATE/members/ID/hosts                 names of its neighbours, where it is on several networks
 *   STATE/members/ID/instance              the path of the instance's state folder
 *   STATE/resolv.conf                      the host's, without loopback servers
 *   STATE/opened                           what was opened to forwarding: "4 eth0", "6 eth0", "6 *" (network.h)
 *   STATE/lock, networks.lock              see nft.h; store_lock_networks()
 *
 * STATE is on a tmpfs, so a reboot frees everything that the kernel lost too.  A record is written before what it
 * speaks of is made, and removed after that is gone: whatever dies, the record leads to what is left.
 *
 * Files are lines of "key value".  Unknown keys are ignored, so that an older holm can read a newer one's.
 */
#ifndef HOLM_NETNS_STORE_H
#define HOLM_NETNS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "netns/types.h"

struct store {
	int state, config; /* folders */
	char state_path[NET_PATH_SIZE];
	char config_path[NET_PATH_SIZE];
};

#define STORE_INIT ((struct store){.state = -1, .config = -1})

/* Makes the folders where they are missing (0700, parents 0755). */
int net_store_open(struct store *store, const char *state, const char *config, struct error *e) must_check;
void net_store_close(struct store *store);
#define auto_store __attribute__((cleanup(net_store_close))) struct store

/* Replaces a small file of ours in one step.  0 or -errno. */
int store_write(int dirfd, const char *path, mode_t mode, const void *data, size_t size) must_check;

/* ---- networks ---- */

int store_load_network(const struct store *store, const char *name, struct net_network *ret,
		       struct error *e) must_check;
/* create: refuses a name that is taken, with -EEXIST. */
int store_save_network(const struct store *store, const struct net_network *network, bool create,
		       struct error *e) must_check;
int store_remove_network(const struct store *store, const char *name, struct error *e) must_check;
int store_each_network(const struct store *store,
		       int (*each)(const struct net_network *network, void *data, struct error *e), void *data,
		       struct error *e) must_check;

/* The folder STATE/networks/NAME, made with its leases; the caller closes it. */
int store_open_network(const struct store *store, const char *name, int *ret_fd, struct error *e) must_check;

/* An exclusive lock on the list of networks; held until the descriptor is closed. */
int store_lock_networks(const struct store *store, int *ret_fd, struct error *e) must_check;

/* ---- members ---- */

/*
 * An exclusive lock on what instance id has; held until the descriptor is closed.  make: its folder is made where it is
 * missing, and store_drop_instance() is due; else -ENOENT.
 */
int store_lock_instance(const struct store *store, const char *id, bool make, int *ret_fd, struct error *e) must_check;

/* Makes STATE/members/ID; instance is the path of its state folder ("": it has none). */
int store_add_instance(const struct store *store, const char *id, const char *instance, struct error *e) must_check;
/* The path that store_add_instance() was given, "" if there is none or no such member. */
void store_instance_path(const struct store *store, const char *id, char ret[NET_PATH_SIZE]);
/* Removes the folder if no interface is left in it. */
void store_drop_instance(const struct store *store, const char *id);

int store_load_member(const struct store *store, const char *id, const char *name, struct net_member *ret,
		      struct error *e) must_check;
int store_save_member(const struct store *store, const struct net_member *member, struct error *e) must_check;
int store_remove_member(const struct store *store, const struct net_member *member, struct error *e) must_check;

/* Every interface of instance id, or of all (id NULL).  each() may remove what it is given. */
int store_each_member(const struct store *store, const char *id,
		      int (*each)(const struct net_member *member, void *data, struct error *e), void *data,
		      struct error *e) must_check;

/* The ports of one interface: malloc'd, the caller frees them; none is no error. */
int store_load_ports(const struct store *store, const char *id, const char *name, struct net_port **ret, size_t *ret_n,
		     struct error *e) must_check;
int store_save_ports(const struct store *store, const char *id, const char *name, const struct net_port *ports,
		     size_t n, struct error *e) must_check;

#endif
