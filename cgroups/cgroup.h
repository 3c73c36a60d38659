/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One container's control group: where it is on this host, its limits, its life.
 *
 * Life: cgroup_plan() decides, without side effect, every folder and every write (holm explain prints them);
 * cgroup_create() does them and hands back the descriptors through which init enters; cgroup_destroy() removes the
 * folders again, also from a record alone.  A cgroup is named by struct cgroup: one path per hierarchy, as strings that
 * go into the container's record.
 *
 * The fast way in: on v2 the caller clones with CLONE_INTO_CGROUP; on v1 init itself, single-threaded, writes "0" to
 * each `tasks` file.  Writing somebody else's pid to cgroup.procs takes the kernel's threadgroup lock for writing,
 * which waits for an RCU grace period: 7 to 15 ms on an idle host (6.18), against 20 us.
 */
#ifndef HOLM_CGROUPS_CGROUP_H
#define HOLM_CGROUPS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"

struct device_rules;
struct spec_resources;
struct systemd_unit;
struct cgroup_host; /* cgroups/host.h */

/* A folder in one hierarchy. */
struct cgroup_path {
	const char *controllers; /* v1: "memory" or "cpu,cpuacct" or "name=systemd"; "" for v2 */
	const char *path;	 /* absolute on the host: "/sys/fs/cgroup/memory/a/b" */
};

struct cgroup {
	struct cgroup_path *paths;
	size_t n_paths;
	const char *scope; /* systemd's unit that holds it, NULL: none */
};

enum cgroup_driver { CGROUP_DIRECT, CGROUP_SYSTEMD, CGROUP_DISABLED };

struct cgroup_request {
	const char *id;
	const char *cgroups_path; /* linux.cgroupsPath, NULL: chosen */
	enum cgroup_driver driver;
	const struct spec_resources *resources; /* NULL: none */
	bool rootless;				/* what can't be made is left out if nothing in resources needs it */
	bool oom_group; /* out of memory, all of it is killed or nothing: where the host has that; unified may say no */
	bool delegate;	/* v2: give the folder to delegate_uid (private cgroup ns, rw cgroup mount) */
	uid_t delegate_uid;
	bool
	    all_hierarchies; /* a folder in each, also where nothing needs one (the container may write to cgroup v1) */
};

enum cgroup_step_kind {
	CGROUP_MKDIR,	/* path: a folder (parents that are missing too) */
	CGROUP_ENABLE,	/* path: a parent's cgroup.subtree_control; value: "+cpu +memory" */
	CGROUP_WRITE,	/* path: a file; value: what is written */
	CGROUP_INHERIT, /* path: a v1 cpuset folder; what it and its parents lack is copied from above */
	CGROUP_DEVICES, /* path: the folder that gets the BPF device program */
	CGROUP_CHOWN,	/* path: given to value's uid */
	CGROUP_SCOPE,	/* value: systemd's unit */
	CGROUP_JOIN,	/* path: v1 tasks file that init writes itself to */
};

/* One thing that cgroup_create() will do, in order. */
struct cgroup_step {
	enum cgroup_step_kind kind;
	const char *path;
	const char *value; /* NULL: none */
	const char *cause; /* the spec path that asked for it ("linux.resources.memory.limit"), NULL: holm's own */
	bool optional;	   /* a failure is a warning */
	/* CGROUP_WRITE: */
	const char *other_path, *other_value; /* written where path doesn't exist, NULL: none */
	const char *controller;		      /* whose file it is, for the error's text */
	bool initial;	/* every new folder has this value: written only where the folder was there before */
	bool harmless;	/* nothing is lost where the file doesn't exist */
	bool read_back; /* the kernel may take it and not do it */
	size_t folder;	/* of cgroup.paths */
};

struct cgroup_plan {
	struct cgroup cgroup;
	struct cgroup_step *steps;
	size_t n_steps;
	const struct cgroup_request *request;
	const struct device_rules *devices; /* for CGROUP_DEVICES, else NULL */
	const struct systemd_unit *unit;    /* for CGROUP_SCOPE, else NULL */
	struct arena *arena;
};

/*
 * Decides.  Pure but for looking at the host (cgroup_host).  A limit that this host can't enforce is refused, naming
 * controller and reason.  All of *ret lives in arena; request must live as long.
 */
int cgroup_plan(const struct cgroup_host *host, const struct cgroup_request *request, struct arena *arena,
		struct cgroup_plan *ret, struct error *e) must_check;

/*
 * Two plans in place of one: what must be there before the clone (v2, CLONE_INTO_CGROUP), and what may be made while init
 * already works on its namespaces (v1, entered later, and v2's device program).  Each goes through cgroup_create(); either
 * may be empty.  init has to wait for the second where there is one, before anything that is not holm's runs.
 */
void cgroup_plan_split(const struct cgroup_plan *plan, struct arena *arena, struct cgroup_plan *ret_first,
		       struct cgroup_plan *ret_later);

enum { CGROUP_MAX_JOINS = 16 };

/*
 * How a process gets in: the v2 folder for CLONE_INTO_CGROUP (-1: none) and open v1 `tasks` files.  From cgroup_create() the
 * descriptors hold a lock, so that nobody else takes the folder for free: release them once the process is in.
 */
struct cgroup_entry {
	int into_fd;
	int join_fds[CGROUP_MAX_JOINS];
	size_t n_joins;
};

#define CGROUP_ENTRY_INIT ((struct cgroup_entry){.into_fd = -1})

/*
 * Does the plan.  An existing, populated cgroup is refused, untouched.  On failure everything made is undone.
 * (systemd's scope needs a process: then this does nothing, and cgroup_adopt() does it all once init exists.  It must wait
 * in the handshake until that is done.  Without systemd adopting is nothing.)
 */
int cgroup_create(const struct cgroup_host *host, const struct cgroup_plan *plan, struct cgroup_entry *ret,
		  struct error *e) must_check;
int cgroup_adopt(const struct cgroup_host *host, const struct cgroup_plan *plan, pid_t pid, struct error *e) must_check;
void cgroup_entry_release(struct cgroup_entry *entry);

/* Opens the way into a cgroup that exists (exec).  sub: a path below it ("" or NULL: itself). */
int cgroup_enter(const struct cgroup *cgroup, const char *sub, struct cgroup_entry *ret, struct error *e) must_check;

/*
 * The same with several places below it (exec --cgroup): "path" is meant for v2 (or the only hierarchy),
 * "cpu,memory:path" for these v1 controllers.  A path that leads out of the container's cgroup and an unknown
 * controller are refused.
 */
int cgroup_enter_subs(const struct cgroup *cgroup, const char *const *subs, size_t n, struct cgroup_entry *ret,
		      struct error *e) must_check;

/* Kills every process in it and below (cgroup.kill, or freeze, kill, thaw) and waits until it is empty. */
int cgroup_kill(const struct cgroup *cgroup, struct error *e) must_check;

/* Sends a signal to every process in it and below; freezing around it where that is needed to be sure. */
int cgroup_signal(const struct cgroup *cgroup, int signal, struct error *e) must_check;

/* Removes it and what the payload made below it.  What is gone already is fine.  Retries while the kernel is busy. */
int cgroup_destroy(const struct cgroup *cgroup, struct error *e) must_check;

/* Is any process in it or below? */
int cgroup_is_populated(const struct cgroup *cgroup, bool *ret, struct error *e) must_check;

/* Every pid in it and below, malloc'd for the caller. */
int cgroup_pids(const struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_n, struct error *e) must_check;

int cgroup_freeze(const struct cgroup *cgroup, bool freeze, struct error *e) must_check;
int cgroup_is_frozen(const struct cgroup *cgroup, bool *ret, struct error *e) must_check;

/*
 * The cgroup with the folders that these limits need in v1 hierarchies where it has none yet (they are only made where
 * something needs them).  Decides, does nothing: record *ret (in arena), then hand it to cgroup_update(), which makes
 * them and moves the processes there.
 */
int cgroup_extend(const struct cgroup_host *host, const struct cgroup *cgroup, const struct spec_resources *resources,
		  struct arena *arena, struct cgroup *ret, struct error *e) must_check;

/*
 * Who is killed in the middle leaves a journal: save() is called with a text, a line for each value that is about to be
 * replaced, before anything is written.  Keep it until the update is done; whoever finds one hands it to cgroup_revert().
 */
struct cgroup_journal {
	int (*save)(void *data, const char *text, struct error *e);
	void *data;
};

/*
 * A patch: sets what resources names, nothing else; reads back; on failure the old values are written again.  Devices
 * are left alone (engines send their rules along with every patch).  journal may be NULL.
 */
int cgroup_update(const struct cgroup_host *host, const struct cgroup *cgroup, const struct spec_resources *resources,
		  const struct cgroup_journal *journal, struct error *e) must_check;

/* Writes the values of a journal again; what can't be written is warned of. */
void cgroup_revert(const char *text);

/* Other device rules, all of them, for a running container: v2 exchanges the program in place. */
int cgroup_update_devices(const struct cgroup_host *host, const struct cgroup *cgroup,
			  const struct spec_resources *resources, struct error *e) must_check;

#endif
