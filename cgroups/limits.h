/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.resources (all but the devices) as writes to control files: one table, two dialects.
 *
 * Compiling is pure but for reading what a folder that exists already holds (update): validation, conversion, order.
 * What this host can't do is refused here, naming the controller and the reason; a control file that turns out to be
 * missing is the same refusal, later, by the one who writes.
 *
 * Decisions where the OCI's text or the kernels leave room:
 *   0 as memory.limit, .reservation, .swap, cpu.shares, .quota, .period, .realtimePeriod, blockIO.weight is "not set":
 *     every engine writes it so (a literal zero could not hold one process)
 *   pids.limit 0 is written as 1: init is that one, nothing more can be forked, which is what 0 does on v1
 *   memory.swap counts memory and swap together; v2 gets the difference.  memory.limit -1 without swap lifts swap's too
 *   memory.kernel and .kernelTCP are ignored with a warning (the OCI deprecates them, kernels took them out)
 *   cpu.idle 1 wins over cpu.shares (the kernel refuses a weight for an idle group)
 *   swappiness, disableOOMKiller and realtime have no v2 counterpart: refused there, unless they ask for the default
 *   unified comes last, so it wins over what was converted
 */
#ifndef HOLM_CGROUPS_LIMITS_H
#define HOLM_CGROUPS_LIMITS_H

#include "base/arena.h"
#include "cgroups/cgroup.h"
#include "cgroups/host.h"
#include "spec/resources.h"

struct limit_write {
	enum cgroup_controller controller; /* _CGROUP_CONTROLLER_N: a file of cgroup2 itself */
	enum cgroup_dialect dialect;
	const char *file, *value;
	const char *other_file, *other_value; /* written instead where file isn't there; NULL: none */
	const char *cause;		      /* "linux.resources.memory.limit" */
	bool initial;	/* what every new folder has: only of interest where the folder was there before */
	bool harmless;	/* nothing is lost where the file isn't there */
	bool read_back; /* the kernel may take it and yet not do it: look afterwards */
	bool optional;	/* a refusal by the kernel is no failure */
};

struct limits {
	const struct cgroup_host *host;
	unsigned v2_controllers;       /* set of those that the v2 folder has or can get */
	const struct cgroup *existing; /* the cgroup that is updated; NULL: a new one */
	bool oom_group;		       /* memory.oom.group is 1 where it exists, unless unified says something else */
	struct arena *arena;
	struct limit_write *writes; /* result, in the order to write them in */
	size_t n_writes, room;
};

/* Fills writes.  resources may be NULL. */
int limits_compile(struct limits *l, const struct spec_resources *resources, struct error *e) must_check;

/* Appends one more; returns its place, good until the next. */
struct limit_write *limits_add(struct limits *l, struct limit_write w);

/* Where a controller is for this host and this v2 set. */
enum cgroup_dialect limits_dialect(const struct limits *l, enum cgroup_controller controller);

/* A row of the table, for those who tell what is possible: where the limit is in this dialect. */
struct limit_place {
	const char *what; /* "memory.limit" */
	enum cgroup_controller controller;
	const char *file,
	    *other; /* NULL: not in this dialect, reason says why.  "hugetlb.": some file that begins so */
	const char *reason;
	size_t next; /* the next row */
};

/* Row i or the first after it; false: no more. */
bool limits_place(size_t i, enum cgroup_dialect dialect, struct limit_place *ret);

/* Conversions, exposed for their tests. */
uint64_t limits_weight_of_shares(uint64_t shares); /* 2..262144 (default 1024) -> 1..10000 (default 100) */
uint64_t limits_io_weight(uint64_t blkio_weight);  /* 10..1000 -> 1..10000 */

#endif
