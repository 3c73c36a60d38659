/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/limits.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/file.h"
#include "cgroups/path.h"

#define R "linux.resources."

enum limit_type { LIMIT_NUMBER, LIMIT_UNSIGNED, LIMIT_BOOL, LIMIT_STRING };

struct limit;

/* Fills w->value, and changes w->file where it must; w->file NULL: nothing to write. */
typedef int convert_fn(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
		       struct error *e);
/* Adds any number of writes. */
typedef int list_fn(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e);

enum { ZERO_UNSET = 1 }; /* flag: 0 says nothing */

struct limit_file {
	const char *name;    /* NULL: this dialect can't, reason says why */
	const char *initial; /* of a new folder, NULL: depends */
	convert_fn *convert; /* NULL: the number */
	const char *other;   /* the file where name isn't there */
	const char *reason;
};

struct limit {
	const char *cause;
	enum cgroup_controller controller;
	size_t offset; /* in struct spec_resources */
	enum limit_type type;
	int64_t min, max;
	unsigned flags;
	struct limit_file v1, v2;
	int64_t harmless; /* this value needs nobody to enforce it (what there is without any limit) */
	list_fn *list;	  /* instead of all but cause and controller */
};

static convert_fn convert_minus_one, convert_max, convert_weight, convert_shares_v1, convert_quota, convert_swap_v1,
    convert_swap_v2, convert_pids, convert_io_weight, convert_burst;
static list_fn add_cpu_period, add_memory_swap_lifted, add_block_devices, add_throttles, add_hugepages,
    add_network_class, add_network_priorities, add_rdma, add_oom_group, add_unified;

#define FIELD(f) offsetof(struct spec_resources, f)
#define NOT_HARMLESS INT64_MIN

/*
 * In the order of writing.  The kernel ties some of them together (memory <= memory+swap, quota over period within the
 * parent's, burst <= quota): whoever writes tries those refused with EINVAL once more after the rest, which finds the
 * right order both for growing and for shrinking.
 */
/* clang-format off */
static const struct limit limits[] = {
	{R "memory.limit", CGROUP_MEMORY, FIELD(memory.limit), LIMIT_NUMBER, -1, INT64_MAX, ZERO_UNSET,
	 {"memory.limit_in_bytes", "-1"}, {"memory.max", "max", convert_max}, -1},
	{.cause = NULL, .controller = CGROUP_MEMORY, .list = add_memory_swap_lifted},
	{R "memory.swap", CGROUP_MEMORY, FIELD(memory.swap), LIMIT_NUMBER, -1, INT64_MAX, ZERO_UNSET,
	 {"memory.memsw.limit_in_bytes", "-1", convert_swap_v1}, {"memory.swap.max", "max", convert_swap_v2}, -1},
	{R "memory.reservation", CGROUP_MEMORY, FIELD(memory.reservation), LIMIT_NUMBER, -1, INT64_MAX, ZERO_UNSET,
	 {"memory.soft_limit_in_bytes", "-1"}, {"memory.low", "0", convert_minus_one}, -1},
	{R "memory.swappiness", CGROUP_MEMORY, FIELD(memory.swappiness), LIMIT_UNSIGNED, 0, 100, 0,
	 {"memory.swappiness", NULL}, {.reason = "cgroup v2 has no swappiness of a single cgroup"}, NOT_HARMLESS},
	{R "memory.disableOOMKiller", CGROUP_MEMORY, FIELD(memory.disable_oom_killer), LIMIT_BOOL, 0, 1, 0,
	 {"memory.oom_control", "0"}, {.reason = "cgroup v2 can't switch the OOM killer off"}, 0},

	{R "cpu.idle", CGROUP_CPU, FIELD(cpu.idle), LIMIT_NUMBER, 0, 1, 0, {"cpu.idle", "0"}, {"cpu.idle", "0"}, 0},
	{R "cpu.shares", CGROUP_CPU, FIELD(cpu.shares), LIMIT_UNSIGNED, 0, INT64_MAX, ZERO_UNSET,
	 {"cpu.shares", "1024", convert_shares_v1}, {"cpu.weight", "100", convert_weight}, 1024},
	{R "cpu.realtimePeriod", CGROUP_CPU, FIELD(cpu.realtime_period), LIMIT_UNSIGNED, 0, INT_MAX, ZERO_UNSET,
	 {"cpu.rt_period_us", "1000000"}, {.reason = "cgroup v2 has no realtime limits"}, NOT_HARMLESS},
	{R "cpu.realtimeRuntime", CGROUP_CPU, FIELD(cpu.realtime_runtime), LIMIT_NUMBER, -1, INT_MAX, 0,
	 {"cpu.rt_runtime_us", "0"}, {.reason = "cgroup v2 has no realtime limits"}, 0},
	{.cause = R "cpu.period", .controller = CGROUP_CPU, .list = add_cpu_period, .v1 = {"cpu.cfs_period_us"},
	 .v2 = {"cpu.max"}},
	{R "cpu.quota", CGROUP_CPU, FIELD(cpu.quota), LIMIT_NUMBER, -1, INT64_MAX / 1000, ZERO_UNSET,
	 {"cpu.cfs_quota_us", "-1"}, {"cpu.max", NULL, convert_quota}, -1},
	{R "cpu.burst", CGROUP_CPU, FIELD(cpu.burst), LIMIT_UNSIGNED, 0, INT64_MAX / 1000, 0,
	 {"cpu.cfs_burst_us", "0", convert_burst}, {"cpu.max.burst", "0", convert_burst}, 0},

	{R "cpu.cpus", CGROUP_CPUSET, FIELD(cpu.cpus), LIMIT_STRING, .v1 = {"cpuset.cpus"}, .v2 = {"cpuset.cpus"}},
	{R "cpu.mems", CGROUP_CPUSET, FIELD(cpu.mems), LIMIT_STRING, .v1 = {"cpuset.mems"}, .v2 = {"cpuset.mems"}},

	{R "pids.limit", CGROUP_PIDS, FIELD(pids.limit), LIMIT_NUMBER, -1, INT64_MAX, 0,
	 {"pids.max", "max", convert_pids}, {"pids.max", "max", convert_pids}, -1},

	{R "blockIO.weight", CGROUP_IO, FIELD(block_io.weight), LIMIT_UNSIGNED, 0, 1000, ZERO_UNSET,
	 {"blkio.weight", NULL, NULL, "blkio.bfq.weight"}, {"io.bfq.weight", NULL, convert_io_weight, "io.weight"},
	 NOT_HARMLESS},
	{R "blockIO.leafWeight", CGROUP_IO, FIELD(block_io.leaf_weight), LIMIT_UNSIGNED, 0, 1000, ZERO_UNSET,
	 {"blkio.leaf_weight"}, {.reason = "cgroup v2 has no leaf weights"}, NOT_HARMLESS},
	{.cause = R "blockIO.weightDevice", .controller = CGROUP_IO, .list = add_block_devices,
	 .v1 = {"blkio.weight_device", .other = "blkio.bfq.weight_device"}, .v2 = {"io.bfq.weight", .other = "io.weight"}},
	{.cause = R "blockIO.throttle*Device", .controller = CGROUP_IO, .list = add_throttles,
	 .v1 = {"blkio.throttle.read_bps_device"}, .v2 = {"io.max"}},
	{.cause = R "hugepageLimits", .controller = CGROUP_HUGETLB, .list = add_hugepages, .v1 = {"hugetlb."},
	 .v2 = {"hugetlb."}},
	{.cause = R "network.classID", .controller = CGROUP_NET_CLS, .list = add_network_class, .v1 = {"net_cls.classid"},
	 .v2 = {.reason = "cgroup v2 has no network classes"}},
	{.cause = R "network.priorities", .controller = CGROUP_NET_PRIO, .list = add_network_priorities,
	 .v1 = {"net_prio.ifpriomap"}, .v2 = {.reason = "cgroup v2 has no network priorities"}},
	{.cause = R "rdma", .controller = CGROUP_RDMA, .list = add_rdma, .v1 = {"rdma.max"}, .v2 = {"rdma.max"}},
	{.cause = NULL, .controller = CGROUP_MEMORY, .list = add_oom_group},
	{.cause = R "unified", .controller = _CGROUP_CONTROLLER_N, .list = add_unified,
	 .v1 = {.reason = "needs cgroup v2"}, .v2 = {"cgroup."}},
};
/* clang-format on */

enum cgroup_dialect limits_dialect(const struct limits *l, enum cgroup_controller controller)
{
	if (controller == _CGROUP_CONTROLLER_N)
		return l->host->v2 ? CGROUP_V2 : CGROUP_ABSENT;
	if (l->host->v1_of[controller])
		return CGROUP_V1;
	return l->v2_controllers & (1u << controller) ? CGROUP_V2 : CGROUP_ABSENT;
}

/* ---- helpers of the rows ---- */

static const char *number(struct limits *l, int64_t value)
{
	return arena_format(l->arena, "%" PRId64, value);
}

struct limit_write *limits_add(struct limits *l, struct limit_write w)
{
	l->writes = arena_grow(l->arena, l->writes, l->n_writes, &l->room, sizeof(w));
	l->writes[l->n_writes] = w;
	return &l->writes[l->n_writes++];
}

/* Why nobody here can enforce a limit of this controller. */
static int refuse_absent(const struct limits *l, const char *cause, enum cgroup_controller controller, struct error *e)
{
	const char *v1 = cgroup_controller_name(controller, CGROUP_V1),
		   *v2 = cgroup_controller_name(controller, CGROUP_V2);

	if (l->host->mode == CGROUP_MODE_NONE)
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: no control groups are mounted at '" CGROUP_MOUNT "'",
				    cause);
	if (!v2)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "%s: needs the cgroup v1 controller '%s', which this host has not mounted", cause,
				    v1);
	if (l->host->mode == CGROUP_MODE_V2)
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "%s: controller '%s' is not available (not in 'cgroup.controllers' of the folder above)", cause,
		    v2);
	return error_refuse(e, ERROR_UNSUPPORTED, "%s: no hierarchy of this host has the controller '%s'", cause, v2);
}

/* The folder that the update is about, NULL for a new cgroup. */
static const char *find_folder(const struct limits *l, enum cgroup_controller controller)
{
	return l->existing ? cgroup_find_path(l->existing, controller) : NULL;
}

/* What a v2 limit is now; UINT64_MAX for none, also in a new folder. */
static uint64_t read_current(const struct limits *l, enum cgroup_controller controller, const char *file)
{
	const char *folder = find_folder(l, controller);
	uint64_t value;

	if (!folder || cgroup_file_read_number(folder, file, &value) < 0)
		return UINT64_MAX;
	return value;
}

/* ---- conversions ---- */

static int convert_max(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
		       struct error *e)
{
	(void)r, (void)e;
	w->value = value < 0 ? "max" : number(l, value);
	return 0;
}

/* A guarantee: "unlimited" guarantees nothing on v1, where the soft limit only starts reclaim, so neither here. */
static int convert_minus_one(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			     struct error *e)
{
	(void)r, (void)e;
	w->value = value < 0 ? "0" : number(l, value);
	return 0;
}

static int convert_pids(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			struct error *e)
{
	return convert_max(l, r, value ? value : 1, w, e);
}

uint64_t limits_weight_of_shares(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	/* A parabola in the exponent through (2, 1), (1024, 100) and (262144, 10000): the two defaults meet. */
	l = log2(shares);
	return ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

static int convert_shares_v1(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			     struct error *e)
{
	(void)e;
	if (r->cpu.idle.present && r->cpu.idle.value == 1)
		w->file = NULL;
	/* The kernel clamps to this range by itself; said here so that reading back agrees. */
	w->value = number(l, value < 2 ? 2 : value > 262144 ? 262144 : value);
	return 0;
}

static int convert_weight(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			  struct error *e)
{
	(void)e;
	if (r->cpu.idle.present && r->cpu.idle.value == 1)
		w->file = NULL;
	w->value = number(l, limits_weight_of_shares(value));
	return 0;
}

/* cpu.max takes "QUOTA [PERIOD]" and keeps the period that isn't named. */
static int convert_quota(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			 struct error *e)
{
	char quota[24] = "max";

	(void)e;
	if (value >= 0)
		snprintf(quota, sizeof(quota), "%" PRId64, value);
	if (r->cpu.period.present && r->cpu.period.value) {
		w->value = arena_format(l->arena, "%s %" PRIu64, quota, r->cpu.period.value);
	} else {
		w->value = arena_strdup(l->arena, quota);
		w->initial = value < 0;
	}
	return 0;
}

static int convert_burst(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			 struct error *e)
{
	if (r->cpu.quota.present && r->cpu.quota.value > 0 && value > r->cpu.quota.value)
		return error_refuse(e, ERROR_INVALID, R "cpu.burst: %" PRId64 " is more than the quota %" PRId64, value,
				    r->cpu.quota.value);
	w->value = number(l, value);
	return 0;
}

static int check_swap(const struct spec_resources *r, int64_t swap, int64_t limit, struct error *e)
{
	if (swap >= 0 && limit > 0 && swap < limit)
		return error_refuse(e, ERROR_INVALID,
				    R "memory.swap: %" PRId64 " is less than the memory limit %" PRId64
				      ", which it includes",
				    swap, limit);
	(void)r;
	return 0;
}

static int convert_swap_v1(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			   struct error *e)
{
	if (value > 0 && !l->existing && (!r->memory.limit.present || r->memory.limit.value <= 0))
		return error_refuse(e, ERROR_INVALID, R "memory.swap: needs memory.limit, which it includes");
	w->value = number(l, value);
	return check_swap(r, value, r->memory.limit.present ? r->memory.limit.value : -1, e);
}

static int convert_swap_v2(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			   struct error *e)
{
	int64_t limit = r->memory.limit.present ? r->memory.limit.value : 0;
	int ret;

	if (value < 0)
		return convert_max(l, r, value, w, e);
	if (!limit) { /* not named: what it is now */
		uint64_t now = read_current(l, CGROUP_MEMORY, "memory.max");

		if (now == UINT64_MAX && !l->existing)
			return error_refuse(e, ERROR_INVALID, R "memory.swap: needs memory.limit, which it includes");
		limit = now > INT64_MAX ? -1 : (int64_t)now;
	}
	if (limit < 0) /* memory is unlimited: there is nothing to take off */
		return convert_max(l, r, value, w, e);
	ret = check_swap(r, value, limit, e);
	if (ret < 0)
		return ret;
	w->value = number(l, value - limit);
	w->harmless = value == limit; /* a kernel without swap gives none */
	return 0;
}

uint64_t limits_io_weight(uint64_t w)
{
	return 1 + (w - 10) * 9999 / 990;
}

/* BFQ takes the OCI's scale as it is. */
static int convert_io_weight(struct limits *l, const struct spec_resources *r, int64_t value, struct limit_write *w,
			     struct error *e)
{
	(void)r, (void)e;
	w->value = number(l, value);
	w->other_value = arena_format(l->arena, "default %" PRIu64, limits_io_weight(value));
	return 0;
}

/* ---- lists ---- */

/* memory.limit -1 alone lifts the limit of memory and swap together, which would be left in the way. */
static int add_memory_swap_lifted(struct limits *l, const struct spec_resources *r, const struct limit *row,
				  struct error *e)
{
	enum cgroup_dialect dialect = limits_dialect(l, row->controller);

	(void)e;
	if (!r->memory.limit.present || r->memory.limit.value != -1 ||
	    (r->memory.swap.present && r->memory.swap.value) || dialect == CGROUP_ABSENT)
		return 0;
	limits_add(l, (struct limit_write){
			  .controller = row->controller,
			  .dialect = dialect,
			  .file = dialect == CGROUP_V1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max",
			  .value = dialect == CGROUP_V1 ? "-1" : "max",
			  .cause = R "memory.limit",
			  .initial = true,
			  .harmless = true,
		      });
	return 0;
}

/* v1: a file of its own, before the quota.  v2: with the quota in one file; alone it must repeat the quota there is. */
static int add_cpu_period(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	enum cgroup_dialect dialect = limits_dialect(l, row->controller);
	struct limit_write w = {
	    .controller = row->controller,
	    .dialect = dialect,
	    .cause = row->cause,
	    .file = "cpu.cfs_period_us",
	    .initial = r->cpu.period.value == 100000,
	};
	char current[64] = "max";
	const char *folder;

	if (!r->cpu.period.present || !r->cpu.period.value)
		return 0;
	if (r->cpu.period.value > INT64_MAX)
		return error_refuse(e, ERROR_INVALID, "%s: %" PRIu64 " is too large", row->cause, r->cpu.period.value);
	if (dialect == CGROUP_ABSENT)
		return w.initial ? 0 : refuse_absent(l, row->cause, row->controller, e);
	w.value = number(l, r->cpu.period.value);
	if (dialect == CGROUP_V2) {
		if (r->cpu.quota.present && r->cpu.quota.value)
			return 0; /* goes with the quota */
		folder = find_folder(l, CGROUP_CPU);
		if (folder && cgroup_file_read(folder, "cpu.max", current, sizeof(current)) < 0)
			memcpy(current, "max", 4);
		current[strcspn(current, " ")] = 0;
		w.file = "cpu.max";
		w.value = arena_format(l->arena, "%s %" PRIu64, current, r->cpu.period.value);
	}
	limits_add(l, w);
	return 0;
}

/* A line for one block device, both dialects of a file each with a fall-back. */
static int add_block_device(struct limits *l, const struct limit_write *w, const char *cause, int64_t major,
			    int64_t minor, struct error *e)
{
	struct limit_write *added;

	if (major < 0 || major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
		return error_refuse(e, ERROR_INVALID, "%s: %" PRId64 ":%" PRId64 " is no device number", cause, major,
				    minor);
	added = limits_add(l, *w);
	added->value = arena_format(l->arena, "%" PRId64 ":%" PRId64 " %s", major, minor, w->value);
	if (w->other_value)
		added->other_value = arena_format(l->arena, "%" PRId64 ":%" PRId64 " %s", major, minor, w->other_value);
	return 0;
}

static int check_weight(const char *cause, uint64_t weight, struct error *e)
{
	if (weight >= 10 && weight <= 1000)
		return 0;
	return error_refuse(e, ERROR_INVALID, "%s: %" PRIu64 " is not in 10 to 1000", cause, weight);
}

static int add_block_devices(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	enum cgroup_dialect dialect = limits_dialect(l, row->controller);
	int ret = 0;

	for (size_t i = 0; !ret && i < r->block_io.n_weight_devices; i++) {
		const struct spec_blkio_device *d = &r->block_io.weight_devices[i];
		const char *cause = arena_format(l->arena, "%s[%zu]", row->cause, i);
		struct limit_write w = {.controller = row->controller, .dialect = dialect, .cause = cause};

		if (!d->weight.present && !d->leaf_weight.present)
			return error_refuse(e, ERROR_INVALID, "%s: needs weight or leafWeight", cause);
		if (dialect == CGROUP_ABSENT)
			return refuse_absent(l, cause, row->controller, e);
		if (d->leaf_weight.present && d->leaf_weight.value && dialect == CGROUP_V2)
			return error_refuse(e, ERROR_UNSUPPORTED, "%s.leafWeight: cgroup v2 has no leaf weights",
					    cause);
		if (d->leaf_weight.present && d->leaf_weight.value) {
			ret = check_weight(cause, d->leaf_weight.value, e);
			w.file = "blkio.leaf_weight_device";
			w.value = number(l, d->leaf_weight.value);
			if (!ret)
				ret = add_block_device(l, &w, cause, d->major, d->minor, e);
		}
		if (ret || !d->weight.present || !d->weight.value)
			continue;
		ret = check_weight(cause, d->weight.value, e);
		w.file = dialect == CGROUP_V1 ? "blkio.weight_device" : "io.bfq.weight";
		w.value = number(l, d->weight.value);
		w.other_file = dialect == CGROUP_V1 ? "blkio.bfq.weight_device" : "io.weight";
		w.other_value = dialect == CGROUP_V1 ? w.value : number(l, limits_io_weight(d->weight.value));
		if (!ret)
			ret = add_block_device(l, &w, cause, d->major, d->minor, e);
	}
	return ret;
}

static const struct {
	const char *cause, *v1_file, *v2_key;
} throttles[_SPEC_THROTTLE_N] = {
    [SPEC_THROTTLE_READ_BPS] = {R "blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"},
    [SPEC_THROTTLE_WRITE_BPS] = {R "blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"},
    [SPEC_THROTTLE_READ_IOPS] = {R "blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"},
    [SPEC_THROTTLE_WRITE_IOPS] = {R "blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"},
};

static int add_throttles(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	enum cgroup_dialect dialect = limits_dialect(l, row->controller);

	for (size_t t = 0; t < _SPEC_THROTTLE_N; t++) {
		for (size_t i = 0; i < r->block_io.throttles[t].n; i++) {
			const struct spec_blkio_device *d = &r->block_io.throttles[t].devices[i];
			const char *cause = arena_format(l->arena, "%s[%zu]", throttles[t].cause, i);
			struct limit_write w = {.controller = row->controller, .dialect = dialect, .cause = cause};
			int ret;

			if (dialect == CGROUP_ABSENT)
				return refuse_absent(l, cause, row->controller, e);
			if (dialect == CGROUP_V1) {
				w.file = throttles[t].v1_file;
				w.value = arena_format(l->arena, "%" PRIu64, d->rate); /* 0 lifts it */
			} else {
				w.file = "io.max";
				w.value = d->rate ? arena_format(l->arena, "%s=%" PRIu64, throttles[t].v2_key, d->rate)
						  : arena_format(l->arena, "%s=max", throttles[t].v2_key);
			}
			ret = add_block_device(l, &w, cause, d->major, d->minor, e);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static bool is_page_size(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits && digits < 6 && strchr("KMG", s[digits]) && s[digits] && str_equal(s + digits + 1, "B");
}

static int add_hugepages(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	enum cgroup_dialect dialect = limits_dialect(l, row->controller);

	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		const struct spec_hugepage_limit *h = &r->hugepage_limits[i];
		const char *cause = arena_format(l->arena, "%s[%zu]", row->cause, i);
		const char *end = dialect == CGROUP_V1 ? "limit_in_bytes" : "max";
		struct limit_write w = {.controller = row->controller, .dialect = dialect, .cause = cause};

		if (!is_page_size(h->page_size))
			return error_refuse(e, ERROR_INVALID, "%s.pageSize: '%s' is no page size such as '2MB'", cause,
					    h->page_size);
		if (dialect == CGROUP_ABSENT)
			return refuse_absent(l, cause, row->controller, e);
		w.value = h->limit <= INT64_MAX ? number(l, h->limit) : dialect == CGROUP_V1 ? "-1" : "max";
		w.file = arena_format(l->arena, "hugetlb.%s.%s", h->page_size, end);
		limits_add(l, w);
		/* Reservations (mmap) count when they are made, not at the page fault that would kill with SIGBUS. */
		w.file = arena_format(l->arena, "hugetlb.%s.rsvd.%s", h->page_size, end);
		w.harmless = true;
		limits_add(l, w);
	}
	return 0;
}

static int add_network_class(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	const struct spec_unsigned *class = &r->network.class_id;

	if (!class->present || !class->value)
		return 0;
	if (!l->host->v1_of[CGROUP_NET_CLS])
		return refuse_absent(l, row->cause, CGROUP_NET_CLS, e);
	if (class->value > UINT32_MAX)
		return error_refuse(e, ERROR_INVALID, "%s: more than 32 bits", row->cause);
	limits_add(l, (struct limit_write){
			  .controller = CGROUP_NET_CLS,
			  .dialect = CGROUP_V1,
			  .file = row->v1.name,
			  .value = number(l, class->value),
			  .cause = row->cause,
		      });
	return 0;
}

static int add_network_priorities(struct limits *l, const struct spec_resources *r, const struct limit *row,
				  struct error *e)
{
	for (size_t i = 0; i < r->network.n_priorities; i++) {
		const struct spec_priority *p = &r->network.priorities[i];
		const char *cause = arena_format(l->arena, "%s[%zu]", row->cause, i);

		if (!l->host->v1_of[CGROUP_NET_PRIO])
			return refuse_absent(l, cause, CGROUP_NET_PRIO, e);
		if (!*p->name || strpbrk(p->name, " \t\n/"))
			return error_refuse(e, ERROR_INVALID, "%s.name: '%s' is no interface's name", cause, p->name);
		limits_add(l, (struct limit_write){
				  .controller = CGROUP_NET_PRIO,
				  .dialect = CGROUP_V1,
				  .file = row->v1.name,
				  .value = arena_format(l->arena, "%s %" PRIu32, p->name, p->priority),
				  .cause = cause,
			      });
	}
	return 0;
}

static int add_rdma(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct spec_rdma *d = &r->rdma[i];
		const char *cause = arena_format(l->arena, "%s['%s']", row->cause, d->device);
		char value[64] = "";
		size_t n = 0;

		if (!d->hca_handles.present && !d->hca_objects.present)
			return error_refuse(e, ERROR_INVALID, "%s: needs hcaHandles or hcaObjects", cause);
		if (!*d->device || strpbrk(d->device, " \t\n"))
			return error_refuse(e, ERROR_INVALID, "%s: no device's name", cause);
		if (limits_dialect(l, row->controller) == CGROUP_ABSENT)
			return refuse_absent(l, cause, row->controller, e);
		if (d->hca_handles.present)
			n = snprintf(value, sizeof(value), " hca_handle=%" PRIu64, d->hca_handles.value);
		if (d->hca_objects.present)
			snprintf(value + n, sizeof(value) - n, " hca_object=%" PRIu64, d->hca_objects.value);
		limits_add(l, (struct limit_write){
				  .controller = row->controller,
				  .dialect = limits_dialect(l, row->controller),
				  .file = "rdma.max",
				  .value = arena_format(l->arena, "%s%s", d->device, value),
				  .cause = cause,
			      });
	}
	return 0;
}

/* A default of holm's, so v1, which has nothing like it, is no reason to refuse. */
static int add_oom_group(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	(void)r, (void)e;
	if (l->oom_group && limits_dialect(l, row->controller) == CGROUP_V2)
		limits_add(l, (struct limit_write){
				  .controller = row->controller,
				  .dialect = CGROUP_V2,
				  .file = "memory.oom.group",
				  .value = "1",
				  .cause = "holm",
				  .harmless = true,
			      });
	return 0;
}

/* Files of cgroup2 that are the container's life, which is holm's to decide, and not its limits. */
static const char *const not_limits[] = {"cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze",
					 "cgroup.type"};

static int add_unified(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	for (size_t i = 0; i < r->n_unified; i++) {
		const struct spec_unified *u = &r->unified[i];
		const char *cause = arena_format(l->arena, "%s['%s']", row->cause, u->file), *line = u->value;
		size_t prefix = strcspn(u->file, ".");
		enum cgroup_controller c = cgroup_controller_find(u->file, prefix, CGROUP_V2);

		if (!prefix || strchr(u->file, '/'))
			return error_refuse(e, ERROR_INVALID, "%s: no name of a control file", cause);
		for (size_t k = 0; k < ARRAY_SIZE(not_limits); k++)
			if (str_equal(u->file, not_limits[k]))
				return error_refuse(e, ERROR_INVALID, "%s: no limit", cause);
		if (!l->host->v2)
			return error_refuse(e, ERROR_UNSUPPORTED, "%s: this host has no cgroup v2", cause);
		if (c < _CGROUP_CONTROLLER_N && limits_dialect(l, c) == CGROUP_V1)
			return error_refuse(e, ERROR_UNSUPPORTED,
					    "%s: controller '%s' is bound to cgroup v1 on this host", cause,
					    cgroup_controller_name(c, CGROUP_V2));
		if (c < _CGROUP_CONTROLLER_N && limits_dialect(l, c) == CGROUP_ABSENT)
			return refuse_absent(l, cause, c, e);
		do { /* the kernel takes one line with one write */
			size_t length = strcspn(line, "\n");
			char *value = arena_memdup(l->arena, line, length + 1);

			value[length] = 0;
			limits_add(l, (struct limit_write){.controller = c,
							   .dialect = CGROUP_V2,
							   .file = u->file,
							   .value = value,
							   .cause = cause,
							   .read_back = true});
			line += length + (line[length] == '\n');
		} while (*line);
	}
	return 0;
}

/* ---- the walker ---- */

static bool read_field(const struct limit *row, const struct spec_resources *r, int64_t *ret, const char **ret_text)
{
	const void *field = (const char *)r + row->offset;

	switch (row->type) {
	case LIMIT_NUMBER:
		*ret = ((const struct spec_number *)field)->value;
		return ((const struct spec_number *)field)->present;
	case LIMIT_UNSIGNED: {
		const struct spec_unsigned *u = field;

		*ret = u->value > INT64_MAX ? INT64_MAX : (int64_t)u->value;
		return u->present;
	}
	case LIMIT_BOOL:
		*ret = ((const struct spec_bool *)field)->value;
		return ((const struct spec_bool *)field)->present;
	case LIMIT_STRING:
		*ret_text = *(const char *const *)field;
		return *ret_text && **ret_text;
	}
	return false;
}

static int compile_row(struct limits *l, const struct spec_resources *r, const struct limit *row, struct error *e)
{
	enum cgroup_dialect dialect = limits_dialect(l, row->controller);
	const struct limit_file *file = dialect == CGROUP_V1 ? &row->v1 : &row->v2;
	struct limit_write w = {.controller = row->controller, .dialect = dialect, .cause = row->cause};
	const char *text = NULL;
	int64_t value = 0;
	bool harmless;
	int ret = 0;

	if (!read_field(row, r, &value, &text) || (!value && (row->flags & ZERO_UNSET)))
		return 0;
	if (!text && (value < row->min || value > row->max))
		return error_refuse(e, ERROR_INVALID, "%s: %" PRId64 " is not in %" PRId64 " to %" PRId64, row->cause,
				    value, row->min, row->max);
	harmless = !text && value == row->harmless;
	if (dialect == CGROUP_ABSENT)
		return harmless ? 0 : refuse_absent(l, row->cause, row->controller, e);
	if (!file->name)
		return harmless ? 0 : error_refuse(e, ERROR_UNSUPPORTED, "%s: %s", row->cause, file->reason);
	w.file = file->name;
	w.other_file = file->other;
	w.harmless = harmless;
	w.value = text ? text : number(l, value);
	if (file->convert)
		ret = file->convert(l, r, value, &w, e);
	if (ret < 0 || !w.file)
		return ret;
	if (w.other_file && !w.other_value)
		w.other_value = w.value;
	if (file->initial && str_equal(w.value, file->initial))
		w.initial = true;
	limits_add(l, w);
	return 0;
}

static int check_weights(const struct spec_resources *r, struct error *e)
{
	if (r->block_io.weight.present && r->block_io.weight.value && r->block_io.weight.value < 10)
		return check_weight(R "blockIO.weight", r->block_io.weight.value, e);
	return 0;
}

static void warn_ignored(const char *cause, const struct spec_number *n)
{
	if (n->present && n->value > 0)
		log_warning("%s: ignored: kernels have no such limit any more", cause);
}

bool limits_place(size_t i, enum cgroup_dialect dialect, struct limit_place *ret)
{
	const struct limit *row;
	const struct limit_file *file;

	while (i < ARRAY_SIZE(limits) && !limits[i].cause)
		i++;
	if (i >= ARRAY_SIZE(limits))
		return false;
	row = &limits[i];
	file = dialect == CGROUP_V1 ? &row->v1 : &row->v2;
	*ret = (struct limit_place){
	    .what = row->cause + strlen(R),
	    .controller = row->controller,
	    .file = file->name,
	    .other = file->other,
	    .reason = file->reason,
	    .next = i + 1,
	};
	return true;
}

int limits_compile(struct limits *l, const struct spec_resources *resources, struct error *e)
{
	static const struct spec_resources none;
	int r;

	l->n_writes = 0;
	if (!resources && !l->oom_group)
		return 0;
	if (!resources)
		resources = &none;
	r = check_weights(resources, e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(limits); i++)
		r = limits[i].list ? limits[i].list(l, resources, &limits[i], e)
				   : compile_row(l, resources, &limits[i], e);
	if (r < 0)
		return r;
	warn_ignored(R "memory.kernel", &resources->memory.kernel);
	warn_ignored(R "memory.kernelTCP", &resources->memory.kernel_tcp);
	return 0;
}
