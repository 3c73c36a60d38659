/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `holm why`: why an instance is slow, or dead, in a few lines, the likeliest cause first.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "cmd/inspect.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/usage.h"
#include "cmd/verbs.h"
#include "instances/history.h"
#include "instances/log_read.h"
#include "instances/status.h"
#include "spec/json.h"

enum { LAST_LINES = 8, RIVALS = 3 };

struct why {
	struct invocation *call;
	const struct instance *instance;
	struct instance_state state;
	struct str out;
};

struct why_options {
	struct each_options each;
};

static const struct option rows[] = {
    OPTION(struct why_options, each.all, "all", 'a', FLAG, NULL, "all instances"),
    EACH_LABEL(struct why_options),
};

static void say(struct why *w, const char *format, ...) printf_like(2, 3);

static void say(struct why *w, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	str_addf(&w->out, "%s\n", text);
}

/* ---- its state and last end ---- */

static void tell_state(struct why *w)
{
	const struct instance_state *s = &w->state;
	const char *health = monitor_health_name(s->monitor.health);

	say(w, "%s is %s%s%s%s", w->instance->name, instance_status_name(s->status), health ? ", " : "",
	    health ? health : "", s->monitor.ready ? "" : ", and has not said that it is ready");
	if (s->status == INSTANCE_STOPPED && !w->instance->record.up)
		say(w, "  nobody wants it to run: 'holm start %s'", w->instance->name);
	if (s->monitor.phase == MONITOR_WAITING) {
		char time[INSPECT_TIME_SIZE];

		say(w, "  it is started again at %s, after %u restarts", inspect_time(s->monitor.next_restart, time),
		    s->monitor.restarts);
	}
	if (s->monitor.replaced)
		say(w, "  its monitor was killed %u times and replaced", s->monitor.replaced);
	if (s->monitor.dropped)
		say(w, "  %" PRIu64 " bytes of its output were lost: the disk with its log was full",
		    s->monitor.dropped);
}

/* A number of the history's last line that says something, in words. */
static const struct {
	const char *key, *text;
	double unit;
} facts[] = {
    {"oomKills", "processes killed for memory: %.0f", 1},
    {"pidsRefused", "forks refused at the pids limit: %.0f", 1},
    {"throttledTime", "held up by its CPU limit for %.1f s", 1e9},
    {"memoryFullPressure", "all of it waited for memory for %.1f s", 1e6},
    {"ioFullPressure", "all of it waited for disks for %.1f s", 1e6},
    {"cpuPressure", "some of it waited for a CPU for %.1f s", 1e6},
};

static void tell_end(struct why *w)
{
	auto_free char *line = history_last(w->instance);
	auto_json *json = NULL;
	char time[INSPECT_TIME_SIZE];
	struct error ignored;
	uint64_t peak, limit;
	auto_str text = STR_INIT;

	if (!w->state.has_end) {
		say(w, "last end: it has never ended");
		return;
	}
	say(w, "last end: %s at %s%s", w->state.end.why ? w->state.end.why : "nothing is known",
	    inspect_time(w->state.end.ended, time), w->state.end.asked ? ", as somebody asked for" : "");
	if (!line || json_read(line, strlen(line), "history", &json, &ignored))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		double value = (double)json_find_uint(json, facts[i].key, 0) / facts[i].unit;

		if (value < (facts[i].unit > 1 ? 0.1 : 1))
			continue;
		str_add(&w->out, "  ");
		str_addf(&w->out, facts[i].text, value);
		str_add(&w->out, "\n");
	}
	peak = json_find_uint(json, "memoryPeak", 0);
	limit = json_find_uint(json, "memoryLimit", 0);
	if (!peak)
		return;
	usage_format_bytes((double)peak, &text);
	if (limit)
		str_add(&text, " of ");
	if (limit)
		usage_format_bytes((double)limit, &text);
	say(w, "  memory at most %s", str_peek(&text));
}

/* ---- what it runs into now ---- */

static void tell_limits(struct why *w, const struct cgroup_stats *s)
{
	if (s->memory.oom_kills)
		say(w, "limit: %" PRIu64 " processes were killed at its memory limit; 'holm update -m' raises it",
		    s->memory.oom_kills);
	if (s->memory.usage.limit && s->memory.usage.limit < CGROUP_UNLIMITED &&
	    s->memory.usage.usage > s->memory.usage.limit / 10 * 9)
		say(w, "limit: memory is nearly used up (%.0f%%)",
		    100.0 * (double)s->memory.usage.usage / (double)s->memory.usage.limit);
	if (s->cpu.periods && s->cpu.throttled_periods * 20 > s->cpu.periods)
		say(w, "limit: its CPU limit held it up in %.0f%% of the periods, %.1f s in all",
		    100.0 * (double)s->cpu.throttled_periods / (double)s->cpu.periods,
		    (double)s->cpu.throttled_time / 1e9);
	if (s->pids.limit && s->pids.limit < CGROUP_UNLIMITED && s->pids.current > s->pids.limit / 10 * 9)
		say(w, "limit: %" PRIu64 " of %" PRIu64 " processes", s->pids.current, s->pids.limit);
}

static const struct {
	const char *what;
	enum usage_column rank; /* who presses: by this column */
	enum usage_column some;
} pressures[] = {
    {"a CPU", USAGE_CPU, USAGE_CPU_SOME},
    {"memory", USAGE_MEMORY, USAGE_MEMORY_SOME},
    {"disks", USAGE_WRITE, USAGE_IO_SOME},
};

static const struct cgroup_pressure *pressure_of(const struct cgroup_stats *s, enum usage_column column)
{
	return column == USAGE_CPU_SOME	     ? &s->cpu.pressure
	       : column == USAGE_MEMORY_SOME ? &s->memory.pressure
					     : &s->io.pressure;
}

/* The others that use most of it. */
static void tell_rivals(struct why *w, const struct usage_look *before, const struct usage_look *now,
			enum usage_column column)
{
	bool told[64] = {0};

	for (int k = 0; k < RIVALS; k++) {
		double most = 0;
		size_t best = now->n;
		auto_str text = STR_INIT;

		for (size_t i = 0; i < now->n && i < ARRAY_SIZE(told); i++) {
			double value = usage_value(column, usage_find(before, &now->rows[i]), &now->rows[i],
						   now->when - before->when, usage_cpus());

			if (!told[i] && !str_equal(now->rows[i].id, w->instance->name) && !isnan(value) &&
			    value > most) {
				most = value;
				best = i;
			}
		}
		if (best == now->n)
			return;
		told[best] = true;
		usage_format(column, most, &text);
		say(w, "    %s uses %s%s", now->rows[best].id, str_peek(&text),
		    column == USAGE_CPU	    ? "% of all CPUs"
		    : column == USAGE_WRITE ? " per second"
					    : "");
	}
}

static void tell_pressure(struct why *w, const struct usage_look *before, const struct usage_look *now)
{
	for (size_t i = 0; i < now->n; i++) {
		const struct usage *row = &now->rows[i];

		if (!str_equal(row->id, w->instance->name))
			continue;
		tell_limits(w, &row->stats);
		for (size_t k = 0; k < ARRAY_SIZE(pressures); k++) {
			const struct cgroup_pressure *p = pressure_of(&row->stats, pressures[k].some);

			if (!p->present || (p->some.avg10 < 5 && p->some.avg60 < 5))
				continue;
			say(w, "pressure: it waits for %s %.0f%% of the time (last 10 s), %.0f%% (last minute)",
			    pressures[k].what, p->some.avg10, p->some.avg60);
			tell_rivals(w, before, now, pressures[k].rank);
		}
		return;
	}
}

static int tell_now(struct why *w, struct error *e)
{
	const struct timespec pause = {.tv_nsec = 200000000};
	struct usage_look before = USAGE_LOOK_INIT, now = USAGE_LOOK_INIT;
	int r;

	if (!w->state.has_container || w->state.container.status == CONTAINER_STOPPED)
		return 0;
	if (w->state.container.status == CONTAINER_PAUSED)
		say(w, "it is paused: 'holm resume %s' lets it go on", w->instance->name);
	r = usage_read(&w->call->runtime, NULL, 0, false, &before, e);
	nanosleep(&pause, NULL);
	if (!r)
		r = usage_read(&w->call->runtime, NULL, 0, false, &now, e);
	if (!r)
		tell_pressure(w, &before, &now);
	usage_release(&before);
	usage_release(&now);
	return r;
}

/* ---- its last words ---- */

static int tell_log(struct why *w, struct error *e)
{
	struct log_printer printer = {.streams = 1 << LOG_OUT | 1 << LOG_ERR | 1 << LOG_HOLM,
				      .times = true,
				      .fds = {STDOUT_FILENO, STDOUT_FILENO, STDOUT_FILENO}};
	auto_log_reader reader = LOG_READER_INIT;
	struct log_position from;
	struct log_entry entry;
	auto_fd folder = -1;
	bool said = false;
	uint64_t offset;
	int r;

	folder = openat(w->instance->folder, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return 0;
	r = log_find_tail(folder, printer.streams, LAST_LINES, &from, &printer.skip, e);
	if (!r)
		r = log_reader_open(&reader, folder, &from, e);
	while (!r && (r = log_reader_next(&reader, &entry, &offset, e)) > 0) {
		r = said ? 0 : output_write("last words:\n", e);
		said = true;
		if (!r)
			r = log_printer_put(&printer, &reader, &entry, offset, e);
	}
	if (!r)
		r = log_printer_finish(&printer, e);
	log_printer_release(&printer);
	return r == -EPIPE ? 0 : r;
}

static int tell_why(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	struct why w = {.call = call, .instance = i};
	int r = instance_look(&call->runtime, i, call->arena, &w.state, e);

	(void)data;
	if (!r) {
		tell_state(&w);
		r = tell_now(&w, e);
	}
	if (!r) {
		tell_end(&w);
		r = output_write(str_peek(&w.out), e);
	}
	if (!r)
		r = tell_log(&w, e);
	str_release(&w.out);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct why_options *o = options;

	return each_instance(call, &o->each, operands, n, EACH_ALONE, tell_why, NULL, e);
}

const struct verb verb_why = {
    .name = "why",
    .summary = "tell why an instance is slow or dead",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct why_options, rows),
    .text = "Its state, the limits that it runs into, what it waits for and who else uses that, how it ended the\n"
	    "last time, and its last words.  NAME may be a pattern.",
    .run = run,
};
