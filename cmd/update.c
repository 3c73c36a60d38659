/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/each.h"
#include "instances/config.h"
#include "instances/status.h"
#include "spec/json.h"
#include "cmd/cgroup2.h"
#include "cmd/device_rule.h"
#include "spec/resources.h"

struct update_options {
	const char *file;
	const char *l3_cache_schema, *mem_bw_schema;
	struct cgroup2_options cgroup2;
	const char **allowed, **denied; /* device rules */
	size_t n_allowed, n_denied;
	struct spec_resources resources;
	const char *cpus;
	struct spec_unsigned cpu_weight;
	struct spec_number ignored;
	bool this_run;
	struct each_options each;
};

/* A row for the limit that is written into resources at member. */
#define LIMIT(member, name, type, metavar, help)                                                                       \
	OPTION(struct update_options, resources.member, name, 0, type, metavar, help)

static const struct option rows[] = {
    OPTION(struct update_options, file, "resources", 'r', STRING, "FILE",
	   "take linux.resources from FILE, or - for standard input"),
    OPTION(struct update_options, resources.memory.limit, "memory", 'm', SIZE, "BYTES", "memory limit"),
    LIMIT(memory.reservation, "memory-reservation", SIZE, "BYTES", "memory that is kept when the host runs short"),
    LIMIT(memory.swap, "memory-swap", SIZE, "BYTES", "memory and swap together; -1: no limit"),
    OPTION(struct update_options, cpus, "cpus", 'c', STRING, "N", "processors it can use at most: 2, 0.5"),
    OPTION(struct update_options, cpu_weight, "cpu-weight", 0, UNSIGNED, "N",
	   "its share when processors are scarce, 1 to 10000 (100)"),
    LIMIT(cpu.shares, "cpu-share", UNSIGNED, "N", "weight against other containers"),
    LIMIT(cpu.quota, "cpu-quota", NUMBER, "US", "CPU time per period, in microseconds; -1: no limit"),
    LIMIT(cpu.period, "cpu-period", UNSIGNED, "US", "length of the period, in microseconds"),
    LIMIT(cpu.burst, "cpu-burst", UNSIGNED, "US", "unused quota that may be saved up, in microseconds"),
    LIMIT(cpu.idle, "cpu-idle", NUMBER, "0|1", "1: run only when nothing else wants to"),
    LIMIT(cpu.realtime_period, "cpu-rt-period", UNSIGNED, "US", "period of realtime scheduling"),
    LIMIT(cpu.realtime_runtime, "cpu-rt-runtime", NUMBER, "US", "realtime CPU time per period"),
    LIMIT(cpu.cpus, "cpuset", STRING, "LIST", "CPUs it may use, such as 0-3,7"),
    LIMIT(cpu.cpus, "cpuset-cpus", STRING, "LIST", "the same"),
    LIMIT(cpu.mems, "cpuset-mems", STRING, "LIST", "memory nodes it may use"),
    LIMIT(block_io.weight, "blkio-weight", UNSIGNED, "N", "block I/O weight, 10 to 1000"),
    LIMIT(pids.limit, "pids", NUMBER, "N", "number of processes; -1: no limit"),
    LIMIT(pids.limit, "pids-limit", NUMBER, "N", "the same"),
    OPTION(struct update_options, l3_cache_schema, "l3-cache-schema", 0, STRING, "SCHEMA", "Intel RDT cache schema"),
    OPTION(struct update_options, mem_bw_schema, "mem-bw-schema", 0, STRING, "SCHEMA",
	   "Intel RDT memory bandwidth schema"),
    CGROUP2_OPTIONS(struct update_options, cgroup2),
    OPTION_LISTED(struct update_options, allowed, "device-allow", 0, LIST, "DEVICE",
		  "add a device: its path on the host, or a rule such as 'c 195:* rw'; repeatable"),
    OPTION_LISTED(struct update_options, denied, "device-deny", 0, LIST, "DEVICE", "take one away; repeatable"),
    OPTION(struct update_options, this_run, "this-run", 0, FLAG, NULL, "an instance's next start does not know of it"),
    OPTION(struct update_options, each.all, "all", 'a', FLAG, NULL, "all instances"),
    EACH_LABEL(struct update_options),
    OPTION(struct update_options, ignored, "kernel-memory", 0, SIZE, "BYTES", NULL),
    OPTION(struct update_options, ignored, "kernel-memory-tcp", 0, SIZE, "BYTES", NULL),
};

enum { RESOURCES_MAX = 16 << 20 };

static int read_resources(const char *path, struct arena *arena, struct spec_resources **ret, struct error *e)
{
	bool standard = str_equal(path, "-");
	auto_free char *text = NULL;
	auto_fd fd = -1;
	size_t size;
	int r;

	if (!standard) {
		r = fd_open(AT_FDCWD, path, O_RDONLY, NULL, &fd, e);
		if (r)
			return r;
	}
	r = fd_read_all(standard ? STDIN_FILENO : fd, RESOURCES_MAX, &text, &size);
	if (r)
		return error_system(e, -r, "read '%s'", standard ? "standard input" : path);
	return spec_parse_resources(text, size, standard ? "standard input" : path, arena, ret, e);
}

static int parse_devices(const struct update_options *o, struct arena *arena, struct container_update *update,
			 struct error *e)
{
	struct spec_device_rule *rules = arena_array(arena, struct spec_device_rule, o->n_allowed + o->n_denied);
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; !r && i < o->n_allowed; i++)
		r = device_rule_parse(o->allowed[i], true, "device-allow", arena, &rules[n++], e);
	for (size_t i = 0; !r && i < o->n_denied; i++)
		r = device_rule_parse(o->denied[i], false, "device-deny", arena, &rules[n++], e);
	update->devices = rules;
	update->n_devices = n;
	return r;
}

/* ---- instances: config.json, too ---- */

/* linux.resources of config.json with the update laid over it, and its rules for devices after the others. */
static int keep(struct instance *i, const struct container_update *update, struct arena *arena, struct error *e)
{
	auto_free char *old = NULL, *resources = NULL, *merged = NULL, *text = NULL;
	struct spec_resources limits = *update->resources, *whole;
	auto_json *base = NULL, *patch = NULL;
	struct spec_device_rule *rules;
	size_t size = 0;
	struct spec spec;
	int r = file_read(i->folder, INSTANCE_CONFIG, RESOURCES_MAX, &old, &size);

	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i->path);
	limits.devices = NULL;
	limits.n_devices = 0;
	resources = spec_encode_resources(&limits, JSON_INDENT_NONE);
	r = json_read(old, size, INSTANCE_CONFIG, &base, e);
	if (!r) {
		const char *wrapped = arena_format(arena, "{\"linux\":{\"resources\":%s}}", resources);

		r = json_read(wrapped, strlen(wrapped), "the update", &patch, e);
	}
	if (r)
		return r;
	merged = json_merge(base, patch, JSON_INDENT_TAB);
	r = spec_parse(merged, strlen(merged), INSTANCE_CONFIG, &spec, e);
	if (r)
		return r;
	whole = spec.linux_.resources;
	if (update->n_devices && whole) {
		rules = arena_array(&spec.arena, struct spec_device_rule, whole->n_devices + update->n_devices);
		if (whole->n_devices)
			memcpy(rules, whole->devices, whole->n_devices * sizeof(*rules));
		memcpy(rules + whole->n_devices, update->devices, update->n_devices * sizeof(*rules));
		whole->devices = rules;
		whole->n_devices += update->n_devices;
	}
	text = spec_encode(&spec, JSON_INDENT_TAB);
	spec_release(&spec);
	return instance_save_config(i, text, e);
}

struct change_limits {
	const struct container_update *update;
	bool this_run;
};

static int update_instance(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	const struct change_limits *change = data;
	struct instance_state state;
	int r = instance_lock(i, e);

	if (!r)
		r = instance_look(&call->runtime, i, call->arena, &state, e);
	if (r)
		return r;
	if (!instance_is_active(&state) && change->this_run)
		return error_refuse(e, ERROR_STATE, "instance '%s' is %s: --this-run needs one that runs", i->name,
				    instance_status_name(state.status));
	if (state.has_container && instance_is_active(&state))
		r = container_update(&call->runtime, i->name, change->update, e);
	return r || change->this_run ? r : keep(i, change->update, call->arena, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct update_options *o = options;
	struct container_update update = {
	    .resources = &o->resources, .l3_cache_schema = o->l3_cache_schema, .mem_bw_schema = o->mem_bw_schema};
	const struct change_limits change = {.update = &update, .this_run = o->this_run};
	struct spec_resources *resources = NULL;
	int r = 0;

	if (!n && !o->each.all && !o->each.n_labels)
		return verb_refuse_none(call->verb, "exactly", e);
	if (o->ignored.present)
		log_warning("limits of kernel memory are ignored: kernels have none any more");
	if (!o->resources.pids.limit.value) /* callers of runc write 0 for no change */
		o->resources.pids.limit.present = false;
	if (o->cpus)
		r = config_set_cpus(&o->resources, o->cpus, e);
	if (!r && o->cpu_weight.present)
		r = config_set_cpu_weight(&o->resources, o->cpu_weight.value, e);
	if (!r)
		r = cgroup2_add(&o->cgroup2, call->arena, &o->resources, e);
	if (!r)
		r = parse_devices(o, call->arena, &update, e);
	if (!r && o->file) {
		r = read_resources(o->file, call->arena, &resources, e);
		update.resources = resources;
	}
	if (r)
		return r;
	if (n == 1 && each_is_container(call, operands[0]))
		return container_update(&call->runtime, operands[0], &update, e);
	return each_instance(call, &o->each, operands, n, EACH_ANY_ORDER, update_instance, &change, e);
}

const struct verb verb_update = {
    .name = "update",
    .summary = "change the limits of a running container, or of instances",
    .operands = "ID|NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct update_options, rows),
    .text = "NAME may be a pattern; what is changed of an instance is kept in its config.json, unless --this-run is "
	    "given.\n"
	    "What is not named keeps its value.  Either every change is made or none.  With --resources the other\n"
	    "options do not count, but for those of devices: what FILE says of them is left aside, as engines send it "
	    "along.",
    .run = run,
};
