/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container uses, in one shape for both dialects, wide enough for runc's `events --stats` and for holm's tables;
 * and the short record of its end, read before the cgroup goes.
 *
 * Times are nanoseconds unless they say otherwise, sizes bytes.  A limit that isn't there is CGROUP_UNLIMITED.  What a
 * host can't tell is zero, or has present unset.  A container that vanishes while it is read gives zeros, not an error.
 */
#ifndef HOLM_CGROUPS_STATS_H
#define HOLM_CGROUPS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "cgroups/cgroup.h"

#define CGROUP_UNLIMITED UINT64_MAX

struct cgroup_pressure_line {
	double avg10, avg60, avg300; /* percent of the time */
	uint64_t total;		     /* microseconds */
};

struct cgroup_pressure {
	bool present;
	struct cgroup_pressure_line some, full;
};

struct cgroup_usage {
	bool present;
	uint64_t usage, max, limit; /* max: the highest so far */
	uint64_t failures;	    /* how often the limit was hit */
};

struct cgroup_value {
	const char *name;
	uint64_t value;
};

/* A row of runc's blkio lists. */
struct cgroup_io_entry {
	uint64_t major, minor;
	const char *operation; /* "Read", "Write", ... */
	uint64_t value;
};

struct cgroup_io_list {
	struct cgroup_io_entry *items;
	size_t n;
};

struct cgroup_hugetlb {
	const char *page_size; /* "2MB" */
	struct cgroup_usage usage;
};

struct cgroup_rdma {
	const char *device;
	uint64_t handles, objects, handles_limit, objects_limit;
};

struct cgroup_stats {
	struct {
		uint64_t total, user, kernel;
		uint64_t *percpu, *percpu_user, *percpu_kernel; /* v1 only */
		size_t n_percpu, n_percpu_user;
		uint64_t periods, throttled_periods, throttled_time;
		uint64_t quota, period; /* microseconds; quota CGROUP_UNLIMITED: none */
		struct cgroup_pressure pressure;
	} cpu;
	struct {
		bool present;		 /* v1 with a folder for it, or v2 with the controller */
		const char *cpus, *mems; /* lists */
		uint64_t cpu_exclusive, mem_exclusive, mem_hardwall, memory_migrate, memory_spread_page,
		    memory_spread_slab, memory_pressure, sched_load_balance;
		int64_t sched_relax_domain_level;
	} cpuset;
	struct {
		uint64_t cache;
		struct cgroup_usage usage, swap, kernel,
		    kernel_tcp; /* swap: memory and swap together, as runc has it */
		uint64_t swap_only;
		bool use_hierarchy;
		struct cgroup_value *raw; /* memory.stat */
		size_t n_raw;
		uint64_t oom_kills;
		struct cgroup_pressure pressure;
	} memory;
	struct {
		uint64_t current, limit;
	} pids;
	struct {
		struct cgroup_io_list bytes, operations, queued, service_time, wait_time, merged, time, sectors;
		uint64_t read_bytes, write_bytes, reads, writes; /* sums */
		struct cgroup_pressure pressure;
	} io;
	struct cgroup_hugetlb *hugetlb;
	size_t n_hugetlb;
	struct cgroup_rdma *rdma;
	size_t n_rdma;
};

/* What to read: each costs a few system calls. */
enum {
	CGROUP_STATS_CPU = 1 << 0,
	CGROUP_STATS_MEMORY = 1 << 1,
	CGROUP_STATS_PIDS = 1 << 2,
	CGROUP_STATS_IO = 1 << 3,
	CGROUP_STATS_PRESSURE = 1 << 4, /* of those above that are asked for */
	CGROUP_STATS_DETAILS = 1 << 5,	/* per CPU, memory.stat, cpuset, the rarer lists of io, hugetlb, rdma */
	CGROUP_STATS_HITS = 1 << 6, /* of memory: how often limits were hit, the peak and limit of swap, OOM kills */
	CGROUP_STATS_TABLE =
	    CGROUP_STATS_CPU | CGROUP_STATS_MEMORY | CGROUP_STATS_PIDS | CGROUP_STATS_IO | CGROUP_STATS_PRESSURE,
	CGROUP_STATS_ALL = CGROUP_STATS_TABLE | CGROUP_STATS_HITS | CGROUP_STATS_DETAILS,
};

/* Lists and strings live in arena. */
int cgroup_stats_read(const struct cgroup *cgroup, unsigned what, struct arena *arena, struct cgroup_stats *ret,
		      struct error *e) must_check;

/* How a container's resources looked at its end. */
struct cgroup_end {
	uint64_t oom_kills;
	bool oom_own_limit;    /* its own memory.limit did it; else one above it, or the host had no memory left */
	uint64_t memory_hits;  /* how often its own limit was in the way */
	uint64_t memory_peak;  /* 0: not known */
	uint64_t memory_limit; /* CGROUP_UNLIMITED: none */
	uint64_t cpu_total, cpu_user, cpu_kernel;
	uint64_t periods, throttled_periods, throttled_time;
	uint64_t read_bytes, write_bytes;
	uint64_t pids_refused;				     /* forks that pids.limit refused */
	uint64_t cpu_pressure, memory_pressure, io_pressure; /* microseconds in which some process waited */
	uint64_t memory_full_pressure, io_full_pressure;     /* in which all did */
};

/* Its plain numbers by the names that `holm state` and an instance's history give them. */
struct cgroup_end_name {
	const char *key;
	size_t offset;
};

extern const struct cgroup_end_name cgroup_end_fields[];
extern const size_t cgroup_end_fields_count;

static inline uint64_t cgroup_end_field(const struct cgroup_end *end, size_t i)
{
	return *(const uint64_t *)((const char *)end + cgroup_end_fields[i].offset);
}

/* Can't fail: what isn't there any more is zero.  About ten small files. */
void cgroup_end_read(const struct cgroup *cgroup, struct cgroup_end *ret);

/* "killed by its memory limit of 64.0 MiB (3 processes)" and the like; "" when there is nothing to tell.  Returns
 * buffer. */
const char *cgroup_end_format(const struct cgroup_end *end, char *buffer, size_t size);

#endif
