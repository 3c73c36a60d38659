/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's whole life: what the command line calls.
 *
 * Every function returns 0 or a negative errno with *e filled; names in errors are the user's.  None prints.
 */
#ifndef HOLM_RUNTIME_CONTAINER_H
#define HOLM_RUNTIME_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "cgroups/cgroup.h"
#include "cgroups/check.h"
#include "cgroups/events.h"
#include "cgroups/stats.h"
#include "spec/spec.h"

/* What holds for the whole invocation. */
struct runtime {
	const char *root; /* the state folder: /run/holm, or $XDG_RUNTIME_DIR/holm */
	const char *data; /* the data folder: /var/lib/holm, or $XDG_DATA_HOME/holm; not made yet, NULL: has no path */
	enum cgroup_driver cgroup_driver;
	bool rootless; /* not real root: no cgroups unless delegated, mappings through newuidmap */
};

enum container_status {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED,
	_CONTAINER_STATUS_N
};

const char *container_status_name(enum container_status status); /* "creating", ... as the OCI writes them */

/* What state and list show.  Strings live in the arena given. */
struct container_state {
	const char *id, *bundle, *rootfs;
	enum container_status status;
	pid_t pid;	     /* 0 when stopped */
	const char *created; /* RFC 3339 with nanoseconds, UTC */
	uid_t owner_uid;     /* of the state folder */
	struct spec_pair *annotations;
	size_t n_annotations;
	struct cgroup cgroup;
	const char *updates; /* container_state() only: what updates asked for, as JSON; NULL: nothing */
	int exit;	     /* exit status of a stopped one where it is known (run --keep), else -1 */
};

struct container_create {
	const char *id;
	const char *bundle;	    /* "" or NULL: the current folder */
	const char *config;	    /* another file than BUNDLE/config.json; NULL: none */
	const char *console_socket; /* NULL: none; likewise the next two */
	const char *pidfd_socket;
	const char *pid_file;
	bool no_pivot, no_new_keyring;
	unsigned preserve_fds;
	/* run only */
	bool detach, keep, no_subreaper;
	struct container_monitored *monitored; /* with detach: somebody stays beside it; NULL: nobody does */
	const struct spec *spec;	       /* config.json, by who has read it already; borrowed; NULL: it is read */
};

/*
 * What container_run() hands to who stays (instances/monitor.h).  holm.restart, log, health and the like are no reason to
 * refuse then; NOTIFY_SOCKET doesn't count, holm.notify does.  The descriptors are the caller's, -1 where there are none.
 */
struct container_monitored {
	pid_t pid; /* init, a child of the caller */
	int pidfd;
	int console; /* the terminal's master */
	int notify;  /* the socket on which the payload says that it is ready */
	/* For container_run(): a call of holm-net that somebody else starts (netns/client.h), taken when networks are joined; -1: none. */
	int network;
};
#define CONTAINER_MONITORED_INIT ((struct container_monitored){.pidfd = -1, .console = -1, .notify = -1, .network = -1})

int container_create(const struct runtime *runtime, const struct container_create *request, struct error *e) must_check;

/* create and start.  Unless detached: relays the terminal and signals, waits, deletes (unless keep); *ret_status is the
   payload's exit status (128+n when a signal ended it), 0 when detached. */
int container_run(const struct runtime *runtime, const struct container_create *request, int *ret_status,
		  struct error *e) must_check;

int container_start(const struct runtime *runtime, const char *id, struct error *e) must_check;

/* signal: number.  all: every process (with it, a stopped container is no error).  SIGKILL: waits for the end, 1 s at most. */
int container_kill(const struct runtime *runtime, const char *id, int signal, bool all, struct error *e) must_check;
int container_delete(const struct runtime *runtime, const char *id, bool force, struct error *e) must_check;
int container_state(const struct runtime *runtime, const char *id, struct arena *arena, struct container_state *ret,
		    struct error *e) must_check;

/* How a stopped container's resources looked at its end, from its cgroup, which stays until delete. */
int container_end(const struct runtime *runtime, const char *id, struct cgroup_end *ret, struct error *e) must_check;

/* Calls each for every container, by name; one whose record can't be read is given with broken set instead of a
   state.  A missing root folder is an empty list. */
int container_each(const struct runtime *runtime, struct arena *arena,
		   void (*each)(const struct container_state *state, const char *id, const struct error *broken,
				void *data),
		   void *data, struct error *e) must_check;

struct container_exec {
	const char *id;
	const char *process_file; /* -p; NULL: the container's process with the following laid over it */
	const char **args;	  /* NULL: those of process_file */
	size_t n_args;
	const char *cwd;  /* NULL: the container's */
	const char **env; /* added */
	size_t n_env;
	const char *user; /* "uid[:gid]", NULL: the container's */
	uint32_t *additional_gids;
	size_t n_additional_gids;
	const char **capabilities; /* added */
	size_t n_capabilities;
	const char *selinux_label, *apparmor; /* NULL: the container's */
	bool tty, detach, no_new_privileges, ignore_paused;
	unsigned preserve_fds;
	const char *console_socket, *pidfd_socket, *pid_file; /* NULL: none */
	const char **cgroups; /* --cgroup: "path" on v2, "controller[,controller]:path" on v1 */
	size_t n_cgroups;
};

int container_exec(const struct runtime *runtime, const struct container_exec *request, int *ret_status,
		   struct error *e) must_check;

/* Every pid of the container, malloc'd. */
int container_pids(const struct runtime *runtime, const char *id, pid_t **ret_pids, size_t *ret_n,
		   struct error *e) must_check;
/* What a container uses; what: CGROUP_STATS_...  One that has stopped is ERROR_STATE. */
int container_stats(const struct runtime *runtime, const char *id, unsigned what, struct arena *arena,
		    struct cgroup_stats *ret, struct error *e) must_check;
/* Watches a container that runs: kinds and the rest as in cgroups/events.h, whose functions read and close it. */
int container_watch(const struct runtime *runtime, const char *id, unsigned kinds, unsigned pressure_us,
		    struct cgroup_watch **ret, struct error *e) must_check;

/* The container that a process of the host is in, by its cgroup: the innermost where containers run in containers.
   ret_inner_pid: its pid in there.  ERROR_NOT_FOUND: in none, or no such process. */
int container_of_process(const struct runtime *runtime, pid_t pid, struct arena *arena, struct container_state *ret,
			 pid_t *ret_inner_pid, struct error *e) must_check;

/* What this host can enforce (cgroups/check.h). */
int container_check(const struct runtime *runtime, struct arena *arena, struct cgroup_check **ret, size_t *ret_n,
		    struct error *e) must_check;
int container_pause(const struct runtime *runtime, const char *id, struct error *e) must_check;
int container_resume(const struct runtime *runtime, const char *id, struct error *e) must_check;
struct container_update {
	const struct spec_resources *resources;
	const char *l3_cache_schema, *mem_bw_schema; /* NULL: as they are */
	/* Rules after those that are in force.  resources->devices is left aside: engines send it along with every patch. */
	const struct spec_device_rule *devices;
	size_t n_devices;
};

/*
 * One mount more, or the one on target less, in a container that runs.  mount is a bind with an absolute source on the host; both
 * ends are found by the resolver that placed the container's own mounts.  Needs root.
 */
int container_mount(const struct runtime *runtime, const char *id, const struct spec_mount *mount,
		    struct error *e) must_check;
int container_unmount(const struct runtime *runtime, const char *id, const char *target, struct error *e) must_check;

/* A patch: what it names is set, or nothing is; then it is recorded (container_state.updates). */
int container_update(const struct runtime *runtime, const char *id, const struct container_update *update,
		     struct error *e) must_check;

/* What `holm explain` prints: the plan, without any side effect.  One element per operation, in order. */
struct container_operation {
	const char *side;  /* "host" or "init" */
	const char *what;  /* one line: "mount proc on /proc (nosuid,nodev,noexec)" */
	const char *cause; /* the spec path; NULL: holm's own doing */
};

int container_explain(const struct runtime *runtime, const struct container_create *request, struct arena *arena,
		      struct container_operation **ret, size_t *ret_n, struct error *e) must_check;

#endif
