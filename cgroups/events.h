/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to a container, as it happens: out of memory, limits hit, pressure, the last process gone.
 *
 * A watch is one descriptor to poll for reading beside others.  Where it comes from differs: counters in *.events files that
 * inotify tells of (v2, and pids on v1), an eventfd for OOM (v1), a pressure trigger (cgroup2, also on a hybrid host).
 * Counters are compared with what they were, so nothing is told twice and nothing lost that happened between two looks.
 */
#ifndef HOLM_CGROUPS_EVENTS_H
#define HOLM_CGROUPS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cgroups/cgroup.h"

enum cgroup_event_kind {
	CGROUP_EVENT_OOM,	   /* an allocation could not be had within the limit */
	CGROUP_EVENT_OOM_KILL,	   /* a process was killed for it */
	CGROUP_EVENT_MEMORY_MAX,   /* the limit was hit, and memory reclaimed (v2) */
	CGROUP_EVENT_MEMORY_HIGH,  /* memory.high was exceeded, the container slowed down (v2) */
	CGROUP_EVENT_PIDS_MAX,	   /* a fork was refused */
	CGROUP_EVENT_PRESSURE_CPU, /* processes waited for longer than the threshold */
	CGROUP_EVENT_PRESSURE_MEMORY,
	CGROUP_EVENT_PRESSURE_IO,
	CGROUP_EVENT_EMPTY, /* the last process is gone */
	CGROUP_EVENT_GONE,  /* the cgroup is gone: the last event */
	_CGROUP_EVENT_N
};

struct cgroup_event {
	enum cgroup_event_kind kind;
	uint64_t count; /* how many since the last one of the kind; 1 where that isn't counted */
};

struct cgroup_watch;

enum { CGROUP_WATCH_ALL = (1 << _CGROUP_EVENT_N) - 1 };

/*
 * kinds: set of 1 << enum cgroup_event_kind.  pressure_us: how long of a second (50000 to 1000000) processes have to have
 * waited for a pressure event; 0: no pressure events.  What this host can't tell is left out silently: a watch is no limit.
 * GONE is always told.
 */
int cgroup_watch_open(const struct cgroup *cgroup, unsigned kinds, unsigned pressure_us, struct cgroup_watch **ret,
		      struct error *e) must_check;
struct cgroup_watch *cgroup_watch_close(struct cgroup_watch *watch); /* returns NULL */

/* Readable when something may have happened. */
int cgroup_watch_fd(const struct cgroup_watch *watch);

/*
 * After how many milliseconds to read again although the descriptor is silent; -1: never.  (Kernels count refused forks on v1
 * without telling anybody.)
 */
int cgroup_watch_timeout(const struct cgroup_watch *watch);

/* The next event; *ret_some false: none yet. */
int cgroup_watch_read(struct cgroup_watch *watch, struct cgroup_event *ret, bool *ret_some, struct error *e) must_check;

const char *cgroup_event_name(enum cgroup_event_kind kind); /* "oom", "oom-kill", "memory-max", ... */

#endif
