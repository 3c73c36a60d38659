/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cgroups/cgroup.h"
#include "cgroups/dbus.h"
#include "cgroups/file.h"
#include "cgroups/limits.h"

#define MANAGER "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE MANAGER ".Manager"

enum { DEADLINE = 30000, CPUS_MAX = 8192 };

/* ---- names ---- */

/* "a-b.slice" is inside "a.slice": /a.slice/a-b.slice */
static int expand_slice(const char *slice, struct arena *arena, const char **ret, struct error *e)
{
	size_t length = strlen(slice), stem = length - strlen(".slice");
	auto_str path = STR_INIT;

	if (str_equal(slice, "-.slice")) {
		*ret = "";
		return 0;
	}
	if (length <= strlen(".slice") || !str_equal(slice + stem, ".slice") || strchr(slice, '/') || *slice == '-' ||
	    slice[stem - 1] == '-' || strstr(slice, "--"))
		return error_refuse(e, ERROR_INVALID, "linux.cgroupsPath: '%s' is no name of a slice", slice);
	for (size_t i = 1; i <= stem; i++)
		if (i == stem || slice[i] == '-')
			str_addf(&path, "/%.*s.slice", (int)i, slice);
	*ret = arena_strdup(arena, str_peek(&path));
	return 0;
}

static bool is_unit_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";

	return *name && strlen(name) < 256 && name[strspn(name, good)] == 0;
}

int systemd_unit_parse(const char *cgroups_path, const char *id, bool user, struct arena *arena,
		       struct systemd_unit *ret, struct error *e)
{
	char *text =
	    arena_strdup(arena, cgroups_path && *cgroups_path ? cgroups_path : arena_format(arena, ":holm:%s", id));
	char *prefix = strchr(text, ':'), *name = prefix ? strchr(prefix + 1, ':') : NULL;
	const char *path = "";
	int r;

	if (!name || strchr(name + 1, ':'))
		return error_refuse(e, ERROR_INVALID,
				    "linux.cgroupsPath: '%s' is not SLICE:PREFIX:NAME, as the systemd driver needs it",
				    cgroups_path);
	*prefix++ = 0;
	*name++ = 0;
	ret->slice = *text ? text : user ? "user.slice" : "system.slice";
	ret->is_slice = strlen(name) > 6 && str_equal(name + strlen(name) - 6, ".slice");
	if (ret->is_slice)
		ret->name = name;
	else
		ret->name = arena_format(arena, "%s%s%s.scope", prefix, *prefix ? "-" : "", name);
	if (!*name || !is_unit_name(ret->name))
		return error_refuse(e, ERROR_INVALID, "linux.cgroupsPath: '%s' is no name of a unit", ret->name);
	r = expand_slice(ret->is_slice ? ret->name : ret->slice, arena, &path, e);
	if (r < 0)
		return r;
	ret->path = ret->is_slice ? path : arena_format(arena, "%s/%s", path, ret->name);
	return 0;
}

int systemd_find_base(bool user, struct arena *arena, const char **ret, struct error *e)
{
	auto_dbus d = DBUS_INIT;
	auto_str body = STR_INIT, base = STR_INIT;
	int r;

	*ret = "";
	if (!user)
		return 0;
	r = dbus_open(&d, user, cgroup_clock() + DEADLINE, e);
	if (r < 0)
		return r;
	dbus_add_string(&body, MANAGER_INTERFACE);
	dbus_add_string(&body, "ControlGroup");
	r = dbus_call(&d, MANAGER, MANAGER_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", &body, &base, NULL, e);
	if (!r)
		*ret = arena_strdup(arena, str_equal(str_peek(&base), "/") ? "" : str_peek(&base));
	return r;
}

const char *systemd_obstacle(bool user)
{
	static _Thread_local char text[ERROR_TEXT_SIZE];
	auto_dbus d = DBUS_INIT;
	struct error e = ERROR_INIT;

	if (access("/run/systemd/system", F_OK) < 0)
		return "systemd does not run here";
	if (dbus_open(&d, user, cgroup_clock() + DEADLINE, &e) < 0)
		return error_format(&e, text, sizeof(text));
	return NULL;
}

/* ---- properties ---- */

struct properties {
	struct str *body;
	bool v1; /* cpu and memory are on v1: other names */
};

/* One (sv): the value follows. */
static void begin_property(struct properties *p, const char *name, const char *signature)
{
	dbus_align(p->body, 8);
	dbus_add_string(p->body, name);
	dbus_add_signature(p->body, signature);
}

static void add_string(struct properties *p, const char *name, const char *value)
{
	begin_property(p, name, "s");
	dbus_add_string(p->body, value);
}

static void add_bool(struct properties *p, const char *name, bool value)
{
	begin_property(p, name, "b");
	dbus_add_bool(p->body, value);
}

static void add_u64(struct properties *p, const char *name, uint64_t value)
{
	begin_property(p, name, "t");
	dbus_add_u64(p->body, value);
}

/* -1 is systemd's "infinity", 0 says nothing (limits.h). */
static void add_limit(struct properties *p, const char *name, const struct spec_number *n)
{
	if (n->present && n->value)
		add_u64(p, name, n->value < 0 ? UINT64_MAX : (uint64_t)n->value);
}

/* "0-3,8" as a bit mask, the least significant byte first. */
static void add_set(struct properties *p, const char *name, const char *list)
{
	unsigned char mask[CPUS_MAX / 8] = {0};
	size_t size = 0;

	for (const char *s = list; *s;) {
		char *end;
		unsigned long first = strtoul(s, &end, 10), last = first;

		if (end == s)
			return; /* the kernel will say what it thinks of it */
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long i = first; i <= last && i < CPUS_MAX; i++) {
			mask[i / 8] |= 1 << i % 8;
			size = i / 8 + 1 > size ? i / 8 + 1 : size;
		}
		s = end + strspn(end, ",");
		if (s == end && *s)
			return;
	}
	begin_property(p, name, "ay");
	dbus_add_bytes(p->body, mask, size);
}

static void add_cpu(struct properties *p, const struct spec_resources *r)
{
	uint64_t period = r->cpu.period.present && r->cpu.period.value ? r->cpu.period.value : 100000;

	if (r->cpu.idle.present && r->cpu.idle.value == 1 && !p->v1)
		add_u64(p, "CPUWeight", 0); /* systemd 252 and newer: idle */
	else if (r->cpu.shares.present && r->cpu.shares.value)
		add_u64(p, p->v1 ? "CPUShares" : "CPUWeight",
			p->v1 ? r->cpu.shares.value : limits_weight_of_shares(r->cpu.shares.value));
	if (r->cpu.period.present && r->cpu.period.value)
		add_u64(p, "CPUQuotaPeriodUSec", period);
	if (r->cpu.quota.present && r->cpu.quota.value < 0)
		add_u64(p, "CPUQuotaPerSecUSec", UINT64_MAX);
	else if (r->cpu.quota.present && r->cpu.quota.value) /* rounded up to systemd's 10 ms per second */
		add_u64(p, "CPUQuotaPerSecUSec",
			((uint64_t)r->cpu.quota.value * 1000000 / period + 9999) / 10000 * 10000);
	if (r->cpu.cpus && *r->cpu.cpus && !p->v1)
		add_set(p, "AllowedCPUs", r->cpu.cpus);
	if (r->cpu.mems && *r->cpu.mems && !p->v1)
		add_set(p, "AllowedMemoryNodes", r->cpu.mems);
}

static void add_memory(struct properties *p, const struct spec_resources *r)
{
	const struct spec_number *limit = &r->memory.limit, *swap = &r->memory.swap;

	add_limit(p, p->v1 ? "MemoryLimit" : "MemoryMax", limit);
	if (p->v1)
		return;
	if (r->memory.reservation.present && r->memory.reservation.value > 0)
		add_u64(p, "MemoryLow", r->memory.reservation.value);
	if (swap->present && swap->value < 0)
		add_u64(p, "MemorySwapMax", UINT64_MAX);
	else if (swap->present && swap->value && limit->present && limit->value > 0 && swap->value >= limit->value)
		add_u64(p, "MemorySwapMax", swap->value - limit->value);
}

static void add_limits(struct properties *p, const struct spec_resources *r)
{
	if (!r)
		return;
	add_memory(p, r);
	add_cpu(p, r);
	if (r->pids.limit.present)
		add_u64(p, "TasksMax",
			r->pids.limit.value < 0 ? UINT64_MAX
			: r->pids.limit.value	? (uint64_t)r->pids.limit.value
						: 1);
	if (r->block_io.weight.present && r->block_io.weight.value >= 10)
		add_u64(p, p->v1 ? "BlockIOWeight" : "IOWeight",
			p->v1 ? r->block_io.weight.value : limits_io_weight(r->block_io.weight.value));
}

static struct properties init_properties(struct str *body, const struct cgroup_host *host)
{
	return (struct properties){.body = body, .v1 = host->v1_of[CGROUP_MEMORY] != NULL};
}

/* ---- units ---- */

static int call_manager(struct dbus *d, const char *member, const char *signature, const struct str *body,
			struct str *ret, char *ret_name, struct error *e)
{
	return dbus_call(d, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, member, signature, body, ret, ret_name, e);
}

static int wait_job(struct dbus *d, const char *job, const char *unit, struct error *e)
{
	auto_str result = STR_INIT;
	int r = dbus_wait_job(d, job, &result, e);

	if (r < 0)
		error_context(e, "unit '%s'", unit);
	else if (!str_equal(str_peek(&result), "done"))
		r = error_refuse(e, ERROR_SYSTEM, "systemd: the job for unit '%s' ended as '%s'", unit,
				 str_peek(&result));
	return r;
}

static void add_unit(struct properties *p, const struct systemd_unit *unit, pid_t pid, const char *description)
{
	add_string(p, "Description", description);
	add_bool(p, "DefaultDependencies", false);
	add_string(p, "CollectMode", "inactive-or-failed"); /* a failed scope leaves nothing behind */
	add_bool(p, "MemoryAccounting", true);
	add_bool(p, "CPUAccounting", true);
	add_bool(p, "TasksAccounting", true);
	add_bool(p, p->v1 ? "BlockIOAccounting" : "IOAccounting", true);
	if (unit->is_slice)
		return;
	add_string(p, "Slice", unit->slice);
	add_bool(p, "Delegate", true);
	begin_property(p, "PIDs", "au");
	dbus_add_u32(p->body, sizeof(uint32_t));
	dbus_add_u32(p->body, pid);
}

static int start(struct dbus *d, const struct systemd_unit *unit, const struct str *body, struct error *e)
{
	auto_str job = STR_INIT;
	char name[128] = "";
	int r = call_manager(d, "StartTransientUnit", "ssa(sv)a(sa(sv))", body, &job, name, e);

	if (r < 0 && str_equal(name, MANAGER ".UnitExists"))
		return error_refuse(e, ERROR_EXISTS, "systemd has a unit '%s' already", unit->name);
	return r < 0 ? r : wait_job(d, str_peek(&job), unit->name, e);
}

int systemd_unit_start(const struct systemd_unit *unit, bool user, pid_t pid, const char *description,
		       const struct cgroup_host *host, const struct spec_resources *resources, struct error *e)
{
	auto_dbus d = DBUS_INIT;
	auto_str body = STR_INIT;
	struct properties p = init_properties(&body, host);
	struct error ignored = ERROR_INIT;
	size_t array;
	int r = dbus_open(&d, user, cgroup_clock() + DEADLINE, e);

	if (r < 0)
		return r;
	dbus_add_string(&body, unit->name);
	dbus_add_string(&body, "fail");
	array = dbus_begin_array(&body, 8);
	add_unit(&p, unit, pid, description);
	add_limits(&p, resources);
	dbus_end_array(&body, array, 8);
	array = dbus_begin_array(&body, 8); /* no further units */
	dbus_end_array(&body, array, 8);
	r = start(&d, unit, &body, e);
	/* A scope that did not come up in time may still: it is not left to itself. */
	if (r < 0 && e && e->kind != ERROR_EXISTS && !unit->is_slice &&
	    systemd_unit_stop(unit->name, user, &ignored) < 0)
		error_context(e, "and unit '%s' may be left", unit->name);
	return r;
}

bool systemd_is_users(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->n_paths; i++)
		if (strstr(cgroup->paths[i].path, "/user@"))
			return true;
	return geteuid() != 0;
}

int systemd_unit_set(const char *name, bool user, const struct cgroup_host *host,
		     const struct spec_resources *resources, struct error *e)
{
	auto_dbus d = DBUS_INIT;
	auto_str body = STR_INIT;
	struct properties p = init_properties(&body, host);
	size_t array, before;
	int r;

	dbus_add_string(&body, name);
	dbus_add_bool(&body, true); /* until the unit ends */
	array = dbus_begin_array(&body, 8);
	before = body.size;
	add_limits(&p, resources);
	dbus_end_array(&body, array, 8);
	if (body.size == before)
		return 0;
	r = dbus_open(&d, user, cgroup_clock() + DEADLINE, e);
	return r < 0 ? r : call_manager(&d, "SetUnitProperties", "sba(sv)", &body, NULL, NULL, e);
}

int systemd_unit_stop(const char *name, bool user, struct error *e)
{
	auto_dbus d = DBUS_INIT;
	auto_str body = STR_INIT, job = STR_INIT;
	char error[128] = "";
	int r = dbus_open(&d, user, cgroup_clock() + DEADLINE, e);

	if (r < 0)
		return r;
	dbus_add_string(&body, name);
	dbus_add_string(&body, "replace");
	r = call_manager(&d, "StopUnit", "ss", &body, &job, error, e);
	if (r < 0)
		return str_equal(error, MANAGER ".NoSuchUnit") ? 0 : r;
	return wait_job(&d, str_peek(&job), name, e);
}
