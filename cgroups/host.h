/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's hierarchies: per controller, where it lives and which dialect (v1 or v2) it speaks.  Found once per
 * process from /proc/self/cgroup and statfs(2) of /sys/fs/cgroup; mountinfo is not read.
 *
 * Three kinds of host: pure v2 (cgroup2 at /sys/fs/cgroup), hybrid (controllers bound to v1, each list of them at
 * /sys/fs/cgroup/LIST, and cgroup2 at /sys/fs/cgroup/unified), legacy (v1 only).  A controller speaks v1 where a v1
 * hierarchy has it, else v2.
 *
 * The caller's own cgroup may be anywhere: paths are those of its cgroup namespace, "/" being the root of what it sees,
 * which on v2 need not be the real root.
 */
#ifndef HOLM_CGROUPS_HOST_H
#define HOLM_CGROUPS_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

enum cgroup_mode { CGROUP_MODE_NONE, CGROUP_MODE_V2, CGROUP_MODE_HYBRID, CGROUP_MODE_LEGACY };

enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_CPUACCT, /* v1 only: on v2 part of cpu */
	CGROUP_CPUSET,
	CGROUP_MEMORY,
	CGROUP_IO, /* v1: blkio */
	CGROUP_PIDS,
	CGROUP_DEVICES_CONTROLLER, /* v1 only: on v2 a BPF program */
	CGROUP_FREEZER,		   /* v1 only: on v2 part of every cgroup */
	CGROUP_HUGETLB,
	CGROUP_RDMA,
	CGROUP_MISC,
	CGROUP_NET_CLS,	 /* v1 only */
	CGROUP_NET_PRIO, /* v1 only */
	CGROUP_PERF_EVENT,
	_CGROUP_CONTROLLER_N
};

enum cgroup_dialect { CGROUP_ABSENT, CGROUP_V1, CGROUP_V2 };

struct cgroup_hierarchy {
	const char *controllers; /* v1: "cpu,cpuacct" or "name=systemd"; "" for v2 */
	const char *mount;	 /* "/sys/fs/cgroup/memory" */
	const char *own;	 /* the caller's cgroup in it, "/" for the root that it sees */
};

struct cgroup_host {
	enum cgroup_mode mode;
	struct cgroup_hierarchy *v1;
	size_t n_v1;
	struct cgroup_hierarchy *v2;				    /* NULL: none mounted */
	const struct cgroup_hierarchy *v1_of[_CGROUP_CONTROLLER_N]; /* the v1 hierarchy that has it; NULL: none */
};

/* Lives in arena.  A host without any cgroup file system is CGROUP_MODE_NONE and no error. */
int cgroup_host_find(struct arena *arena, struct cgroup_host **ret, struct error *e) must_check;

/* The same from given facts (tests): the text of /proc/self/cgroup, and where cgroup2 is mounted (NULL: nowhere). */
int cgroup_host_parse(struct arena *arena, const char *proc_self_cgroup, const char *v2_mount, struct cgroup_host **ret,
		      struct error *e) must_check;

/* "cpu", "io", ... as the dialect calls it ("blkio" on v1); NULL where the dialect doesn't have it. */
const char *cgroup_controller_name(enum cgroup_controller controller, enum cgroup_dialect dialect);

/* The controller called so in that dialect, _CGROUP_CONTROLLER_N: none that holm knows. */
enum cgroup_controller cgroup_controller_find(const char *name, size_t length, enum cgroup_dialect dialect);

/* The set (1 << enum cgroup_controller) in a list such as "cpu,cpuacct" or "cpuset cpu io\n". */
unsigned cgroup_controllers_parse(const char *list, enum cgroup_dialect dialect);

/* "pure v2", "hybrid", "legacy (v1)", "none" */
const char *cgroup_mode_name(enum cgroup_mode mode);

#endif
