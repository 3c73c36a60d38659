/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

enum { NET_DEV_MAX = 1 << 20, SECOND = 1000000000 };

enum { SHORTEST_MS = 10 };

int usage_check_interval(int64_t *interval, struct error *e)
{
	if (!*interval)
		*interval = INT64_C(1000000000);
	return *interval < SHORTEST_MS * INT64_C(1000000)
		   ? error_refuse(e, ERROR_USAGE, "invalid value in --interval: it takes %d ms or more", SHORTEST_MS)
		   : 0;
}

int usage_refuse_name(const char *option, const char *word, size_t size, const char *const *names, size_t n,
		      struct error *e)
{
	auto_str list = STR_INIT;

	for (size_t i = 0; i < n; i++)
		str_addf(&list, "%s%s", i ? "|" : "", names[i]);
	return error_refuse(e, ERROR_USAGE, "invalid value '%.*s' for --%s: it takes %s", (int)size, word, option,
			    str_peek(&list));
}

/* Nanoseconds of the monotonic clock. */
static int64_t now(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)SECOND + now.tv_nsec;
}

unsigned usage_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

/* ---- looking ---- */

struct reading {
	const struct runtime *runtime;
	struct usage_look *look;
	size_t room;
	char own_network[64]; /* "net:[4026531840]" */
};

static bool read_namespace(const char *process, char *ret, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", process);
	n = readlink(path, ret, size - 1);
	ret[n > 0 ? n : 0] = 0;
	return n > 0;
}

/*
 * What went over the interfaces of its network namespace, loopback aside.  /proc/PID/net tells it from outside: entering
 * the namespace would cost more than all the rest of a row.
 */
static void read_network(const struct reading *reading, struct usage *row)
{
	char process[16], path[64], network[64];
	auto_free char *text = NULL;

	snprintf(process, sizeof(process), "%d", (int)row->pid);
	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)row->pid);
	if (!read_namespace(process, network, sizeof(network)) || str_equal(network, reading->own_network) ||
	    file_read(AT_FDCWD, path, NET_DEV_MAX, &text, NULL))
		return;
	row->has_network = true;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		uint64_t received, sent;
		char name[32];

		if (sscanf(line, " %31[^: \n]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name, &received,
			   &sent) != 3 ||
		    str_equal(name, "lo"))
			continue;
		row->received += received;
		row->sent += sent;
	}
}

static void add_row(struct reading *reading, const struct container_state *state)
{
	struct usage_look *look = reading->look;
	struct usage row = {
	    .id = state->id, .pid = state->pid, .status = state->status, .has_cgroup = state->cgroup.n_paths > 0};
	struct error ignored;

	if (cgroup_stats_read(&state->cgroup, CGROUP_STATS_TABLE, &look->arena, &row.stats, &ignored))
		return;
	read_network(reading, &row);
	look->rows = arena_grow(&look->arena, look->rows, look->n, &reading->room, sizeof(*look->rows));
	look->rows[look->n++] = row;
}

static bool is_running(enum container_status status)
{
	return status == CONTAINER_RUNNING || status == CONTAINER_PAUSED || status == CONTAINER_CREATED;
}

static void add_running(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	(void)id;
	if (!broken && is_running(state->status))
		add_row(data, state);
}

static int add_named(struct reading *reading, const char *id, struct error *e)
{
	struct container_state state;
	int r = container_state(reading->runtime, id, &reading->look->arena, &state, e);

	if (r)
		return r;
	if (!is_running(state.status))
		return error_refuse(e, ERROR_STATE, "container '%s' is not running", id);
	add_row(reading, &state);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct usage *)a)->id, ((const struct usage *)b)->id);
}

int usage_read(const struct runtime *runtime, char **ids, size_t n_ids, bool strict, struct usage_look *look,
	       struct error *e)
{
	struct reading reading = {.runtime = runtime, .look = look};
	int r = 0;

	usage_release(look);
	read_namespace("self", reading.own_network, sizeof(reading.own_network));
	if (!n_ids)
		r = container_each(runtime, &look->arena, add_running, &reading, e);
	for (size_t i = 0; !r && i < n_ids; i++) {
		r = add_named(&reading, ids[i], e);
		if (!strict && r && (e->kind == ERROR_NOT_FOUND || e->kind == ERROR_STATE))
			r = 0;
	}
	if (look->n)
		qsort(look->rows, look->n, sizeof(*look->rows), by_id);
	look->when = now();
	return r;
}

void usage_release(struct usage_look *look)
{
	arena_release(&look->arena);
	*look = USAGE_LOOK_INIT;
}

const struct usage *usage_find(const struct usage_look *look, const struct usage *row)
{
	const struct usage *found = look->n ? bsearch(row, look->rows, look->n, sizeof(*row), by_id) : NULL;

	return found && found->pid == row->pid ? found : NULL;
}

/* ---- columns ---- */

enum unit { UNIT_PERCENT, UNIT_TIME, UNIT_BYTES, UNIT_COUNT };

static double find_cpu(const struct usage *u)
{
	return u->has_cgroup ? (double)u->stats.cpu.total : NAN;
}

static double find_throttled(const struct usage *u)
{
	return u->has_cgroup ? (double)u->stats.cpu.throttled_time : NAN;
}

static double find_memory(const struct usage *u)
{
	return u->stats.memory.usage.present ? (double)u->stats.memory.usage.usage : NAN;
}

static double find_peak(const struct usage *u)
{
	return u->stats.memory.usage.present && u->stats.memory.usage.max ? (double)u->stats.memory.usage.max : NAN;
}

static double find_limit(const struct usage *u)
{
	return u->stats.memory.usage.limit == CGROUP_UNLIMITED ? NAN : (double)u->stats.memory.usage.limit;
}

static double find_swap(const struct usage *u)
{
	return u->stats.memory.swap.present ? (double)u->stats.memory.swap_only : NAN;
}

static double find_pids(const struct usage *u)
{
	return u->has_cgroup ? (double)u->stats.pids.current : NAN;
}

static double find_read(const struct usage *u)
{
	return u->has_cgroup ? (double)u->stats.io.read_bytes : NAN;
}

static double find_write(const struct usage *u)
{
	return u->has_cgroup ? (double)u->stats.io.write_bytes : NAN;
}

static double find_in(const struct usage *u)
{
	return u->has_network ? (double)u->received : NAN;
}

static double find_out(const struct usage *u)
{
	return u->has_network ? (double)u->sent : NAN;
}

static double find_pressure(const struct cgroup_pressure *pressure, bool full)
{
	return pressure->present ? (double)(full ? pressure->full.total : pressure->some.total) : NAN;
}

static double find_cpu_some(const struct usage *u)
{
	return find_pressure(&u->stats.cpu.pressure, false);
}

static double find_cpu_full(const struct usage *u)
{
	return find_pressure(&u->stats.cpu.pressure, true);
}

static double find_memory_some(const struct usage *u)
{
	return find_pressure(&u->stats.memory.pressure, false);
}

static double find_memory_full(const struct usage *u)
{
	return find_pressure(&u->stats.memory.pressure, true);
}

static double find_io_some(const struct usage *u)
{
	return find_pressure(&u->stats.io.pressure, false);
}

static double find_io_full(const struct usage *u)
{
	return find_pressure(&u->stats.io.pressure, true);
}

/* What 100 percent are: counts of a counter per second. */
static double share_of_host(const struct usage *u, unsigned cpus)
{
	(void)u;
	return (double)SECOND * cpus;
}

static double share_of_cap(const struct usage *u, unsigned cpus)
{
	uint64_t quota = u->stats.cpu.quota, period = u->stats.cpu.period;

	(void)cpus;
	return quota == CGROUP_UNLIMITED || !period ? NAN : (double)SECOND * (double)quota / (double)period;
}

static double share_of_time(const struct usage *u, unsigned cpus) /* microseconds */
{
	(void)u, (void)cpus;
	return SECOND / 1e3;
}

static const struct {
	const char *title;
	enum unit unit, total; /* total: what a report of totals calls the counter's increase */
	double (*find)(const struct usage *u);
	bool counter;					       /* what counts is the increase, per second */
	double (*share)(const struct usage *u, unsigned cpus); /* UNIT_PERCENT: of what */
} columns[_USAGE_COLUMN_N] = {
    [USAGE_CPU] = {"CPU%", UNIT_PERCENT, UNIT_TIME, find_cpu, true, share_of_host},
    [USAGE_CAP] = {"CAP%", UNIT_PERCENT, UNIT_PERCENT, find_cpu, true, share_of_cap},
    [USAGE_THROTTLED] = {"THROTTLED", UNIT_TIME, UNIT_TIME, find_throttled, true, NULL},
    [USAGE_MEMORY] = {"MEMORY", UNIT_BYTES, UNIT_PERCENT, find_memory, false, NULL},
    [USAGE_PEAK] = {"PEAK", UNIT_BYTES, UNIT_PERCENT, find_peak, false, NULL},
    [USAGE_LIMIT] = {"LIMIT", UNIT_BYTES, UNIT_PERCENT, find_limit, false, NULL},
    [USAGE_SWAP] = {"SWAP", UNIT_BYTES, UNIT_PERCENT, find_swap, false, NULL},
    [USAGE_PIDS] = {"PIDS", UNIT_COUNT, UNIT_PERCENT, find_pids, false, NULL},
    [USAGE_READ] = {"READ/S", UNIT_BYTES, UNIT_BYTES, find_read, true, NULL},
    [USAGE_WRITE] = {"WRITE/S", UNIT_BYTES, UNIT_BYTES, find_write, true, NULL},
    [USAGE_IN] = {"IN/S", UNIT_BYTES, UNIT_BYTES, find_in, true, NULL},
    [USAGE_OUT] = {"OUT/S", UNIT_BYTES, UNIT_BYTES, find_out, true, NULL},
    [USAGE_CPU_SOME] = {"CPU-P", UNIT_PERCENT, UNIT_PERCENT, find_cpu_some, true, share_of_time},
    [USAGE_CPU_FULL] = {"FULL", UNIT_PERCENT, UNIT_PERCENT, find_cpu_full, true, share_of_time},
    [USAGE_MEMORY_SOME] = {"MEM-P", UNIT_PERCENT, UNIT_PERCENT, find_memory_some, true, share_of_time},
    [USAGE_MEMORY_FULL] = {"FULL", UNIT_PERCENT, UNIT_PERCENT, find_memory_full, true, share_of_time},
    [USAGE_IO_SOME] = {"IO-P", UNIT_PERCENT, UNIT_PERCENT, find_io_some, true, share_of_time},
    [USAGE_IO_FULL] = {"FULL", UNIT_PERCENT, UNIT_PERCENT, find_io_full, true, share_of_time},
};

const char *const usage_names[_USAGE_SORT_N] = {
    [USAGE_CPU] = "cpu",
    [USAGE_CAP] = "cap",
    [USAGE_THROTTLED] = "throttled",
    [USAGE_MEMORY] = "memory",
    [USAGE_PEAK] = "peak",
    [USAGE_LIMIT] = "limit",
    [USAGE_SWAP] = "swap",
    [USAGE_PIDS] = "pids",
    [USAGE_READ] = "read",
    [USAGE_WRITE] = "write",
    [USAGE_IN] = "in",
    [USAGE_OUT] = "out",
    [USAGE_CPU_SOME] = "cpuSome",
    [USAGE_CPU_FULL] = "cpuFull",
    [USAGE_MEMORY_SOME] = "memorySome",
    [USAGE_MEMORY_FULL] = "memoryFull",
    [USAGE_IO_SOME] = "ioSome",
    [USAGE_IO_FULL] = "ioFull",
    [USAGE_SORT_ID] = "id",
};

const char *usage_title(enum usage_column column)
{
	return columns[column].title;
}

double usage_value(enum usage_column column, const struct usage *before, const struct usage *now, int64_t elapsed,
		   unsigned cpus)
{
	double rate, past;

	if (!columns[column].counter)
		return columns[column].find(now);
	if (!before || elapsed <= 0)
		return NAN;
	past = columns[column].find(before);
	rate = columns[column].find(now) - past; /* NAN stays NAN */
	if (rate < 0)				 /* a counter that began anew */
		rate = 0;
	rate *= (double)SECOND / (double)elapsed;
	return columns[column].share ? rate / columns[column].share(now, cpus) * 100 : rate;
}

/* ---- texts ---- */

void usage_format_bytes(double bytes, struct str *out)
{
	static const char units[] = "BKMGTPE";
	size_t i = 0;

	for (; bytes >= 1000 && units[i + 1]; i++) /* not 1024: "1000K" is a character too wide */
		bytes /= 1024;
	if (!i)
		str_addf(out, "%.0f", bytes);
	else
		str_addf(out, bytes < 99.95 ? "%.1f%c" : "%.0f%c", bytes, units[i]);
}

void usage_format_time(double ns, struct str *out)
{
	static const struct {
		double below, unit;
		const char *name;
	} units[] = {{1e3, 1, "ns"},   {1e6, 1e3, "us"},    {1e9, 1e6, "ms"},
		     {60e9, 1e9, "s"}, {3600e9, 60e9, "m"}, {INFINITY, 3600e9, "h"}};
	size_t i = 0;

	if (ns < 0.5) {
		str_add(out, "0");
		return;
	}
	while (ns >= units[i].below)
		i++;
	ns /= units[i].unit;
	str_addf(out, ns < 99.95 && i ? "%.1f%s" : "%.0f%s", ns, units[i].name);
}

static void format(enum unit unit, double value, struct str *out)
{
	if (isnan(value)) {
		str_add(out, "-");
		return;
	}
	switch (unit) {
	case UNIT_PERCENT:
		str_addf(out, "%.1f", value);
		break;
	case UNIT_TIME:
		usage_format_time(value, out);
		break;
	case UNIT_BYTES:
		usage_format_bytes(value, out);
		break;
	case UNIT_COUNT:
		str_addf(out, "%.0f", value);
		break;
	}
}

void usage_format(enum usage_column column, double value, struct str *out)
{
	format(columns[column].unit, value, out);
}

void usage_format_total(enum usage_column column, double value, struct str *out)
{
	format(columns[column].total, value, out);
}

void usage_put(struct json_writer *json, enum usage_column column, double value)
{
	const char *name = usage_names[column];

	if (isnan(value))
		json_put_null(json, name);
	else if (columns[column].unit == UNIT_PERCENT)
		json_put_double(json, name, round(value * 1000) / 1000);
	else
		json_put_uint(json, name, (uint64_t)(value + 0.5));
}

/* ---- over a longer time ---- */

const char *const usage_reports[_USAGE_REPORT_N] = {
    [USAGE_AVERAGE] = "average", [USAGE_HIGH] = "high", [USAGE_TOTAL] = "total"};

void usage_sum_add(struct usage_sum *sum, enum usage_column column, const struct usage *before, const struct usage *now,
		   int64_t elapsed, unsigned cpus)
{
	double value = usage_value(column, before, now, elapsed, cpus);

	if (!columns[column].counter || columns[column].total == UNIT_PERCENT)
		sum->total = NAN;
	else if (before && columns[column].find(now) >= columns[column].find(before))
		sum->total += columns[column].find(now) - columns[column].find(before);
	if (isnan(value))
		return;
	sum->weighted += value * (double)elapsed;
	sum->high = !(sum->time > 0) || value > sum->high ? value : sum->high;
	sum->time += (double)elapsed;
}

double usage_sum_value(const struct usage_sum *sum, enum usage_report report)
{
	if (!(sum->time > 0))
		return NAN;
	switch (report) {
	case USAGE_AVERAGE:
		return sum->weighted / sum->time;
	case USAGE_HIGH:
		return sum->high;
	default:
		return sum->total;
	}
}
