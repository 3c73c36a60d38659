/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events: runc's stream of statistics, one JSON object per line, with its keys and its omissions.
 */
#include "cmd/verbs.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "cmd/output.h"
#include "spec/json.h"

struct events_options {
	int64_t interval; /* ns */
	bool stats, all;
};

static const struct option rows[] = {
    OPTION(struct events_options, interval, "interval", 0, DURATION, "TIME", "time between statistics (5s)"),
    OPTION(struct events_options, stats, "stats", 0, FLAG, NULL, "print the statistics once"),
    OPTION(struct events_options, all, "all", 0, FLAG, NULL, "tell of limits that were hit and of pressure, too"),
};

#define SECOND INT64_C(1000000000)

enum { PRESSURE_US = 100000 }; /* a tenth of the time waiting is worth telling */

static const int64_t default_interval = 5 * SECOND;

/* Go's omitempty. */
static void put_filled(struct json_writer *json, const char *key, uint64_t value)
{
	if (value)
		json_put_uint(json, key, value);
}

static void put_array(struct json_writer *json, const char *key, const uint64_t *values, size_t n)
{
	if (!n)
		return;
	json_open_array(json, key);
	for (size_t i = 0; i < n; i++)
		json_put_uint(json, NULL, values[i]);
	json_close(json);
}

/* "0-2,7" as [0,1,2,7]. */
static void put_list(struct json_writer *json, const char *key, const char *list)
{
	const struct json_mark mark = json_mark(json);
	char *end;

	json_open_array(json, key);
	while (list && *list >= '0' && *list <= '9') {
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first <= UINT16_MAX; first++)
			json_put_uint(json, NULL, first);
		list = *end == ',' ? end + 1 : NULL;
	}
	json_close_or_drop(json, mark);
}

static void put_pressure_line(struct json_writer *json, const char *key, const struct cgroup_pressure_line *line)
{
	json_open_object(json, key);
	json_put_double(json, "avg10", line->avg10);
	json_put_double(json, "avg60", line->avg60);
	json_put_double(json, "avg300", line->avg300);
	json_put_uint(json, "total", line->total);
	json_close(json);
}

static void put_pressure(struct json_writer *json, const struct cgroup_pressure *pressure)
{
	if (!pressure->present)
		return;
	json_open_object(json, "psi");
	put_pressure_line(json, "some", &pressure->some);
	put_pressure_line(json, "full", &pressure->full);
	json_close(json);
}

static void put_cpu(struct json_writer *json, const struct cgroup_stats *stats)
{
	json_open_object(json, "cpu");
	json_open_object(json, "usage");
	put_filled(json, "total", stats->cpu.total);
	put_array(json, "percpu", stats->cpu.percpu, stats->cpu.n_percpu);
	put_array(json, "percpu_kernel", stats->cpu.percpu_kernel, stats->cpu.n_percpu_user);
	put_array(json, "percpu_user", stats->cpu.percpu_user, stats->cpu.n_percpu_user);
	json_put_uint(json, "kernel", stats->cpu.kernel);
	json_put_uint(json, "user", stats->cpu.user);
	json_close(json);
	json_open_object(json, "throttling");
	put_filled(json, "periods", stats->cpu.periods);
	put_filled(json, "throttledPeriods", stats->cpu.throttled_periods);
	put_filled(json, "throttledTime", stats->cpu.throttled_time);
	json_close(json);
	put_pressure(json, &stats->cpu.pressure);
	json_close(json);
}

static void put_cpuset(struct json_writer *json, const struct cgroup_stats *stats)
{
	json_open_object(json, "cpuset");
	put_list(json, "cpus", stats->cpuset.cpus);
	json_put_uint(json, "cpu_exclusive", stats->cpuset.cpu_exclusive);
	put_list(json, "mems", stats->cpuset.mems);
	json_put_uint(json, "mem_hardwall", stats->cpuset.mem_hardwall);
	json_put_uint(json, "mem_exclusive", stats->cpuset.mem_exclusive);
	json_put_uint(json, "memory_migrate", stats->cpuset.memory_migrate);
	json_put_uint(json, "memory_spread_page", stats->cpuset.memory_spread_page);
	json_put_uint(json, "memory_spread_slab", stats->cpuset.memory_spread_slab);
	json_put_uint(json, "memory_pressure", stats->cpuset.memory_pressure);
	json_put_uint(json, "sched_load_balance", stats->cpuset.sched_load_balance);
	json_put_int(json, "sched_relax_domain_level", stats->cpuset.sched_relax_domain_level);
	json_close(json);
}

static void put_usage(struct json_writer *json, const char *key, const struct cgroup_usage *usage)
{
	json_open_object(json, key);
	json_put_uint(json, "limit", usage->limit);
	put_filled(json, "usage", usage->usage);
	put_filled(json, "max", usage->max);
	json_put_uint(json, "failcnt", usage->failures);
	json_close(json);
}

static void put_memory(struct json_writer *json, const struct cgroup_stats *stats)
{
	json_open_object(json, "memory");
	put_filled(json, "cache", stats->memory.cache);
	put_usage(json, "usage", &stats->memory.usage);
	put_usage(json, "swap", &stats->memory.swap);
	put_usage(json, "kernel", &stats->memory.kernel);
	put_usage(json, "kernelTCP", &stats->memory.kernel_tcp);
	if (stats->memory.n_raw) {
		json_open_object(json, "raw");
		for (size_t i = 0; i < stats->memory.n_raw; i++)
			json_put_uint(json, stats->memory.raw[i].name, stats->memory.raw[i].value);
		json_close(json);
	}
	put_pressure(json, &stats->memory.pressure);
	json_close(json);
}

static void put_io_list(struct json_writer *json, const char *key, const struct cgroup_io_list *list)
{
	if (!list->n)
		return;
	json_open_array(json, key);
	for (size_t i = 0; i < list->n; i++) {
		json_open_object(json, NULL);
		put_filled(json, "major", list->items[i].major);
		put_filled(json, "minor", list->items[i].minor);
		if (list->items[i].operation)
			json_put_string(json, "op", list->items[i].operation);
		put_filled(json, "value", list->items[i].value);
		json_close(json);
	}
	json_close(json);
}

static void put_io(struct json_writer *json, const struct cgroup_stats *stats)
{
	json_open_object(json, "blkio");
	put_io_list(json, "ioServiceBytesRecursive", &stats->io.bytes);
	put_io_list(json, "ioServicedRecursive", &stats->io.operations);
	put_io_list(json, "ioQueueRecursive", &stats->io.queued);
	put_io_list(json, "ioServiceTimeRecursive", &stats->io.service_time);
	put_io_list(json, "ioWaitTimeRecursive", &stats->io.wait_time);
	put_io_list(json, "ioMergedRecursive", &stats->io.merged);
	put_io_list(json, "ioTimeRecursive", &stats->io.time);
	put_io_list(json, "sectorsRecursive", &stats->io.sectors);
	put_pressure(json, &stats->io.pressure);
	json_close(json);
}

static void put_hugetlb(struct json_writer *json, const struct cgroup_stats *stats)
{
	json_open_object(json, "hugetlb");
	for (size_t i = 0; i < stats->n_hugetlb; i++) {
		json_open_object(json, stats->hugetlb[i].page_size);
		put_filled(json, "usage", stats->hugetlb[i].usage.usage);
		put_filled(json, "max", stats->hugetlb[i].usage.max);
		json_put_uint(json, "failcnt", stats->hugetlb[i].usage.failures);
		json_close(json);
	}
	json_close(json);
}

static void put_data(struct json_writer *json, const struct cgroup_stats *stats)
{
	json_open_object(json, "data");
	put_cpu(json, stats);
	put_cpuset(json, stats);
	put_memory(json, stats);
	json_open_object(json, "pids");
	put_filled(json, "current", stats->pids.current);
	if (stats->pids.limit != CGROUP_UNLIMITED)
		put_filled(json, "limit", stats->pids.limit);
	json_close(json);
	put_io(json, stats);
	put_hugetlb(json, stats);
	json_open_object(json, "intel_rdt");
	json_close(json);
	json_put_null(json, "network_interfaces");
	json_close(json);
}

/* One line: statistics, how often something happened, or (stats NULL, count 0) an event without data. */
static int print_event(const char *type, const char *id, const struct cgroup_stats *stats, uint64_t count,
		       struct error *e)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;

	json_open_object(&json, NULL);
	json_put_string(&json, "type", type);
	json_put_string(&json, "id", id);
	if (stats)
		put_data(&json, stats);
	if (count) {
		json_open_object(&json, "data");
		json_put_uint(&json, "count", count);
		json_close(&json);
	}
	json_close(&json);
	str_add(&json.text, "\n");
	text = json_finish(&json);
	return output_write(text, e);
}

static int print_stats(const struct invocation *call, const char *id, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_stats stats;
	int r = container_stats(&call->runtime, id, CGROUP_STATS_ALL, &arena, &stats, e);

	return r ? r : print_event("stats", id, &stats, 0, e);
}

static void close_watch(struct cgroup_watch **watch)
{
	*watch = cgroup_watch_close(*watch);
}

/* runc's "oom" for each process that was killed, with no data; the others by the names of cgroups/events.h. */
static int print_seen_event(const struct cgroup_event *event, const char *id, struct error *e)
{
	int r = 0;

	if (event->kind == CGROUP_EVENT_EMPTY || event->kind == CGROUP_EVENT_GONE || event->kind == CGROUP_EVENT_OOM)
		return 0;
	if (event->kind != CGROUP_EVENT_OOM_KILL)
		return print_event(cgroup_event_name(event->kind), id, NULL, event->count, e);
	for (uint64_t i = 0; !r && i < event->count; i++)
		r = print_event("oom", id, NULL, 0, e);
	return r;
}

/* Prints what the watch has seen.  *ret_end: the container's last process or its cgroup is gone. */
static int print_seen(struct cgroup_watch *watch, const char *id, bool *ret_end, struct error *e)
{
	struct cgroup_event event;
	bool some;
	int r;

	for (;;) {
		r = cgroup_watch_read(watch, &event, &some, e);
		if (r || !some)
			return r;
		*ret_end |= event.kind == CGROUP_EVENT_EMPTY || event.kind == CGROUP_EVENT_GONE;
		r = print_seen_event(&event, id, e);
		if (r)
			return r;
	}
}

static int64_t find_now(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* Until the container has stopped or is gone. */
static int follow(const struct invocation *call, const char *id, int64_t interval, bool all, struct error *e)
{
	const unsigned kinds =
	    all ? CGROUP_WATCH_ALL : 1 << CGROUP_EVENT_OOM_KILL | 1 << CGROUP_EVENT_EMPTY | 1 << CGROUP_EVENT_GONE;
	__attribute__((cleanup(close_watch))) struct cgroup_watch *watch = NULL;
	int64_t next = find_now() + interval;
	bool end = false;
	int r = container_watch(&call->runtime, id, kinds, all ? PRESSURE_US : 0, &watch, e);

	while (!r && !end) {
		struct pollfd poll_fd = {.fd = cgroup_watch_fd(watch), .events = POLLIN};
		int64_t rest = next - find_now();
		int silent = cgroup_watch_timeout(watch);
		struct timespec wait;

		if (silent >= 0 && rest > silent * (SECOND / 1000))
			rest = silent * (SECOND / 1000);
		wait = (struct timespec){.tv_sec = rest / SECOND, .tv_nsec = rest % SECOND};
		if (rest > 0 && ppoll(&poll_fd, 1, &wait, NULL) < 0 && errno != EINTR)
			return error_system(e, errno, "wait for events of container '%s'", id);
		r = print_seen(watch, id, &end, e);
		if (r || end || find_now() < next)
			continue;
		next += interval;
		r = print_stats(call, id, e);
		if (r && (e->kind == ERROR_NOT_FOUND || e->kind == ERROR_STATE))
			return 0;
	}
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct events_options *o = options;

	(void)n;
	if (o->stats)
		return print_stats(call, operands[0], e);
	return follow(call, operands[0], o->interval ? o->interval : default_interval, o->all, e);
}

const struct verb verb_events = {
    .name = "events",
    .summary = "print what a container uses, again and again, and when memory ran out",
    .operands = "ID",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct events_options, rows),
    .text =
	"One JSON object per line, of type stats or oom, until the container has stopped.  With --all also\n"
	"memory-max, memory-high, pids-max, pressure-cpu, pressure-memory and pressure-io, as far as this host tells.",
    .run = run,
};
