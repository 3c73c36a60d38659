/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm's side of the network: what runtime and the verbs call.
 *
 * Nothing here speaks netlink.  The work is done by holm-net, a program beside holm's own executable, which is started
 * for the call and gone after it (netns/request.h).  Networking costs nothing where none is asked for: the program is
 * started only when there is something to do.
 */
#ifndef HOLM_NETNS_CLIENT_H
#define HOLM_NETNS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "netns/parse.h"
#include "netns/types.h"

struct spec_holm_network;
struct spec_net_device;

/*
 * linux.netDevices: moves interfaces of the caller's network namespace into the one that netns_fd (/proc/PID/ns/net)
 * stands for, all or none: names and clashes are checked before the first one moves.  Keeps permanent global addresses,
 * MTU and hardware address, renames (a name with %d gets the first free number), and sets them up.  Routes are not
 * kept. Nothing is ever moved back; the kernel returns physical interfaces when the namespace ends.
 *
 * ERROR_NOT_FOUND: no such interface; ERROR_EXISTS: the name is taken inside; ERROR_INVALID: not a name;
 * ERROR_STATE: netns_fd is the caller's own namespace.
 */
int net_move_devices(const struct spec_net_device *devices, size_t n, int netns_fd, struct error *e) must_check;

/* Where networks are kept; NULL for a member, or for the whole: the default. */
struct net_paths {
	const char *state;  /* NET_STATE_PATH */
	const char *config; /* NET_CONFIG_PATH */
};

#define NET_STATE_PATH "/run/holm-net"
#define NET_CONFIG_PATH "/var/lib/holm/networks"

/* ---- networks ---- */

/* wanted: name, and what is not to be chosen.  ret may be NULL.  ERROR_UNSUPPORTED names what the kernel lacks. */
int net_create(const struct net_paths *paths, const struct net_network *wanted, struct net_network *ret,
	       struct error *e) must_check;
/* Refused (ERROR_STATE) while it has members, naming them. */
int net_remove(const struct net_paths *paths, const char *network, struct error *e) must_check;
/* Every network, or the one named (ERROR_NOT_FOUND).  "default" is listed once it has been used. */
int net_each(const struct net_paths *paths, const char *network,
	     void (*each)(const struct net_network *network, void *data), void *data, struct error *e) must_check;
/* Every interface of every instance, or those of instance id, of network; NULL: all. */
int net_each_member(const struct net_paths *paths, const char *id, const char *network,
		    void (*each)(const struct net_member *member, void *data), void *data, struct error *e) must_check;
int net_each_port(const struct net_paths *paths, const char *id,
		  void (*each)(const struct net_published *published, void *data), void *data,
		  struct error *e) must_check;
int net_each_counters(const struct net_paths *paths, const char *id,
		      void (*each)(const struct net_counters *counters, void *data), void *data,
		      struct error *e) must_check;

/* ---- an instance's life ---- */

/* Of an instance that runs already: names of its new neighbours have to get into it (netns/inside.h). */
struct net_inside {
	int mount_fd; /* its mount namespace */
	int root_fd;  /* its root, O_PATH */
};

struct net_join {
	const char *id;
	const char *instance; /* the path of its state folder: when that is gone, its leases are free.  NULL: none */
	const char *hostname; /* NULL: none beside id */
	int netns_fd;	      /* net_start() takes -1, see there */
	const struct net_interface *interfaces;
	size_t n;
	const struct net_port *ports; /* interface says whose; "" is the first that can have it */
	size_t n_ports;
	const struct net_inside *inside; /* NULL: it does not run yet */
};

/*
 * Joins networks: all or none.  ret (room for n, may be NULL) gets what each interface became.  Run on the host's side
 * once the namespace is there.  Afterwards net_hosts_path() and net_resolv_path() can be bound into the instance.
 */
int net_join(const struct net_paths *paths, const struct net_join *join, struct net_member *ret,
	     struct error *e) must_check;

/*
 * The same in steps, so that it runs beside other work: net_start() sends it off, net_wait() takes the outcome.  With
 * join->netns_fd -1 everything that can be done without the namespace is begun with at once, and net_enter() sends the
 * namespace later; join->instance must be there already, it says whose the leases are.  Between the two net_wait_prepared()
 * waits until that first part is done: the files of net_hosts_path() and net_resolv_path() are there.
 *
 * A net_start() or net_wait_prepared() that fails ends the call; every other is followed by one net_wait() or net_abandon().  The
 * latter undoes the joining however far it has come.
 *
 * Starting the program costs more than what it does first.  So net_open() can start it before there is something to send; where
 * nothing comes of that, net_close() ends it.  Or another process, which is idle meanwhile, starts it (net_run_program()) on the
 * other end of net_make_pair(); call->socket is this end then, which net_start() takes, and call->pid is 0.
 * Who makes the pair has to close both ends where they are not needed: an end of file is how the program learns that
 * nothing will come.
 */
struct net_call {
	int socket; /* -1: net_start() starts the program */
	int pid;    /* 0: it is not our child */
	bool has_ended;
};
#define NET_CALL_INIT ((struct net_call){.socket = -1})
int net_make_pair(int *ret_ours, int *ret_programs, struct error *e) must_check;
int net_run_program(int socket, int *ret_pid, struct error *e) must_check;
int net_open(struct net_call *call, struct error *e) must_check;
void net_close(struct net_call *call);
int net_start(const struct net_paths *paths, const struct net_join *join, struct net_call *call,
	      struct error *e) must_check;
int net_wait_prepared(struct net_call *call, struct error *e) must_check;
int net_enter(struct net_call *call, int netns_fd, struct error *e) must_check;
int net_wait(struct net_call *call, struct net_member *ret, size_t n, struct error *e) must_check;
void net_abandon(const struct net_paths *paths, struct net_call *call, const char *id);

/*
 * From the configuration: the "holm".networks of a bundle as interfaces and ports, checked; malloc'd, the caller frees
 * both.  Errors name the JSON path.
 */
int net_interfaces_of(const struct spec_holm_network *networks, size_t n, struct net_interface **ret,
		      struct net_port **ret_ports, size_t *ret_n_ports, struct error *e) must_check;

/*
 * The instance leaves: everything (network and interface NULL), or one network or interface.  netns_fd: its namespace
 * when it goes on running, else -1.  Nothing to leave is no error, and costs one look at a folder.
 */
int net_leave(const struct net_paths *paths, const char *id, const char *network, const char *interface, int netns_fd,
	      struct error *e) must_check;

/*
 * The whole instance leaves, which started without networks: it may have connected since.  folder: its state folder, open; what
 * another instance of this id has, under another root, stays.
 */
int net_leave_connected(const struct net_paths *paths, const char *id, int folder, struct error *e) must_check;

/*
 * Writes the path of the hosts file of network / of an instance that joined several at once / of the filtered
 * resolv.conf; returns buffer.
 */
const char *net_hosts_path(const struct net_paths *paths, const char *network, char buffer[NET_PATH_SIZE]);
const char *net_own_hosts_path(const struct net_paths *paths, const char *id, char buffer[NET_PATH_SIZE]);
const char *net_resolv_path(const struct net_paths *paths, char buffer[NET_PATH_SIZE]);

/* ---- while running ---- */

int net_publish(const struct net_paths *paths, const char *id, const struct net_port *ports, size_t n,
		struct error *e) must_check;
int net_unpublish(const struct net_paths *paths, const char *id, const struct net_port *ports, size_t n,
		  struct error *e) must_check;
/* A rate of 0 takes the limit away; NULL leaves it. */
int net_limit(const struct net_paths *paths, const char *id, const char *interface, const struct net_rate *egress,
	      const struct net_rate *ingress, struct error *e) must_check;

/* ---- the host ---- */

/* Lays holm's nftables table anew and looks at the uplinks again. */
int net_repair(const struct net_paths *paths, struct error *e) must_check;
/* Whoever's state folder is gone leaves; each names what was removed (may be NULL). */
int net_collect(const struct net_paths *paths, void (*each)(const struct net_member *member, void *data), void *data,
		struct error *e) must_check;

#endif
