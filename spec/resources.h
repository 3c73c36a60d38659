/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.resources as plain structs: the only part of spec/ that cgroups/ sees.  Same rules as spec/spec.h.
 *
 * A limit is struct spec_number or spec_unsigned: present says that the JSON had it (zero is a value).  -1 means
 * unlimited where the OCI allows it.
 */
#ifndef HOLM_SPEC_RESOURCES_H
#define HOLM_SPEC_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spec_number {
	bool present;
	int64_t value;
};

struct spec_unsigned {
	bool present;
	uint64_t value;
};

struct spec_bool {
	bool present, value;
};

struct spec_device_rule {
	bool allow;
	char type;	      /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: every one */
	unsigned access;      /* SPEC_DEVICE_... */
};

enum { SPEC_DEVICE_MKNOD = 1, SPEC_DEVICE_READ = 2, SPEC_DEVICE_WRITE = 4 }; /* BPF_DEVCG_ACC_... */

struct spec_blkio_device { /* weightDevice and throttles */
	int64_t major, minor;
	struct spec_unsigned weight, leaf_weight;
	uint64_t rate; /* bytes or operations per second */
};

enum spec_throttle {
	SPEC_THROTTLE_READ_BPS,
	SPEC_THROTTLE_WRITE_BPS,
	SPEC_THROTTLE_READ_IOPS,
	SPEC_THROTTLE_WRITE_IOPS,
	_SPEC_THROTTLE_N
};

struct spec_hugepage_limit {
	const char *page_size; /* "2MB" */
	uint64_t limit;
};

struct spec_rdma {
	const char *device;
	struct spec_unsigned hca_handles, hca_objects;
};

struct spec_priority {
	const char *name;
	uint32_t priority;
};

struct spec_unified {
	const char *file, *value;
};

struct spec_resources {
	struct spec_device_rule *devices;
	size_t n_devices;
	struct {
		struct spec_number limit, reservation, swap, kernel, kernel_tcp;
		struct spec_unsigned swappiness;
		struct spec_bool disable_oom_killer, use_hierarchy, check_before_update;
	} memory;
	struct {
		struct spec_unsigned shares, burst, period, realtime_period;
		struct spec_number quota, realtime_runtime, idle;
		const char *cpus, *mems; /* NULL: absent */
	} cpu;
	struct {
		struct spec_number limit;
	} pids;
	struct {
		struct spec_unsigned weight, leaf_weight;
		struct spec_blkio_device *weight_devices;
		size_t n_weight_devices;
		struct {
			struct spec_blkio_device *devices;
			size_t n;
		} throttles[_SPEC_THROTTLE_N];
	} block_io;
	struct spec_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	struct {
		struct spec_unsigned class_id;
		struct spec_priority *priorities;
		size_t n_priorities;
	} network;
	struct spec_rdma *rdma;
	size_t n_rdma;
	struct spec_unified *unified;
	size_t n_unified;
};

#endif
