/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host side of a start: clones init, serves it what it waits for, and learns how it went.  init/message.h is the
 * protocol, init/main.c draws both sides.
 *
 *   launch_begin()   clone; id maps, namespaces, cgroups, mount sources are handed over as init asks for them
 *   launch_ready()   up to MESSAGE_READY: the container is created
 *   launch_finish()  up to execve(2): the end of file says that it happened
 *
 * When init fails, its error is the caller's; when it dies without a word, its wait status is put into words.
 */
#ifndef HOLM_RUNTIME_LAUNCH_H
#define HOLM_RUNTIME_LAUNCH_H

#include <sys/types.h>

#include "base/error.h"
#include "cgroups/cgroup.h"
#include "runtime/plan.h"

struct launch {
	const struct plan_result *plan;
	const struct cgroup_entry *entry;
	int join_pidfd;	  /* exec: the container's init, by which its namespaces are joined; -1: by the plan's paths */
	int start_socket; /* create: the listening socket for PLAN_START; -1: none */
	/* Calls back with init's pid: when it is known for good, when the host's hooks are due, with a seccomp listener. */
	int (*on_pid)(void *data, pid_t pid, int pidfd, struct error *e);
	/* init has its ids and works on its other namespaces: makes of the cgroups what it does not need before; NULL: nothing. */
	int (*on_mapped)(void *data, struct error *e);
	/*
	 * The network namespace is there: the first sends the work off, the last waits for it.  The second waits for the files that
	 * are to be bound.
	 */
	int (*on_network)(void *data, int netns_fd, struct error *e);
	int (*on_network_files)(void *data, struct error *e);
	int (*on_networked)(void *data, struct error *e);
	/* Makes the root: a detached mount.  user_namespace: the container's own, with its mappings; -1: none. */
	int (*on_root)(void *data, int user_namespace, int *ret_tree, struct error *e);
	int (*on_mounted)(void *data, pid_t pid, struct error *e);
	int (*on_listener)(void *data, pid_t pid, int listener, struct error *e);
	void *data;
	/* results, the caller's to release with launch_release() */
	int socket, pidfd, console, root;
	pid_t pid;
};

int launch_begin(struct launch *launch, struct error *e) must_check;
int launch_ready(struct launch *launch, struct error *e) must_check;
int launch_finish(struct launch *launch, struct error *e) must_check;

/* Kills init if it is there and reaps it (undo). */
void launch_kill(struct launch *launch);
void launch_release(struct launch *launch);

/* `holm start`: says go to an init that waits on the socket in folder, and learns how it went.  callbacks: the three, their
   data and init's pidfd, which stays the caller's. */
int launch_start(int folder, const char *id, pid_t pid, const struct launch *callbacks, struct error *e) must_check;

/* Does an init wait on the socket in folder? */
int launch_is_waiting(int folder, struct error *e);

#endif
