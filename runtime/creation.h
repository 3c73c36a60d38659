/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container in the making: parse, plan, then a list of steps, each with its undo.
 *
 *   record   ROOT/ID and record.json, before anything else is made
 *   network  the joining begins, in a program of its own
 *   root     DATA/instances/ID, where holm makes the root
 *   cgroup   its folders and limits
 *   init     the clone, and all that init is served up to MESSAGE_READY; host hooks on the way
 *   announce pid file, console, pidfd
 *
 * A failing step leaves nothing of its own and those before it are undone; what a killed holm leaves is found by the record
 * (runtime/delete.c).  prepare.c plans, create.c has the steps; run.c goes on from there, explain.c tells the plan.
 */
#ifndef HOLM_RUNTIME_CREATION_H
#define HOLM_RUNTIME_CREATION_H

#include <sys/resource.h>

#include "netns/client.h"
#include "runtime/caps.h"
#include "runtime/container.h"
#include "runtime/launch.h"
#include "runtime/plan.h"
#include "runtime/record.h"
#include "runtime/rootfs.h"
#include "runtime/seccomp.h"

struct creation {
	const struct runtime *runtime;
	const struct container_create *request;
	bool run; /* start at once */
	struct arena arena;
	struct spec spec;
	const char *bundle;
	struct cgroup_host *host;
	struct cgroup_request cgroup_request;
	struct cgroup_plan cgroup, cgroup_first, cgroup_later; /* all of it, and its two parts */
	struct cgroup_entry entry;
	struct caps_sets capabilities;
	struct seccomp_program seccomp;
	struct rlimit limits[RLIM_NLIMITS];
	struct plan_result plan;
	struct record record;
	struct launch launch;
	int bundle_fd, root_fd, folder, lock, signals, start_socket, notify_socket;
	unsigned listen_fds, inherited;
	bool notify, later_made, adopted, launched;
	struct rootfs rootfs;		  /* holm.image, holm.storage */
	struct net_interface *interfaces; /* holm.networks; malloc'd */
	struct net_port *ports;
	size_t n_ports;
	struct net_call network; /* the joining, while it goes on */
};

struct creation creation_init(const struct runtime *runtime, const struct container_create *request, bool run);
void creation_release(struct creation *c);

/* Everything that looks but does not touch; make_root: but for the state folder itself. */
int creation_prepare(struct creation *c, bool make_root, struct error *e) must_check;

/* All steps, up to an init that is ready; after a failure nothing is left. */
int creation_apply(struct creation *c, struct error *e) must_check;
void creation_undo(struct creation *c); /* of all steps */

bool creation_joins_networks(const struct creation *c);

/* What the root is, for people: its path, or the image that holm makes it of; NULL: config.json has none. */
const char *creation_root_of(struct creation *c);

/* The OCI's state for hooks, as JSON in the arena; only once the record is made. */
const char *creation_state_json(struct creation *c, const char *status, pid_t pid);
void creation_run_poststop(struct creation *c);

/* When a start failed because memory ran out, says whose limit it was, and what was needed. */
void creation_explain_limit(const struct creation *c, struct error *e);

#endif
