/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <time.h>

#include "cmd/match.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/status.h"

enum wait_for { WAIT_STOPPED, WAIT_RUNNING, WAIT_HEALTHY };

struct wait_options {
	int64_t timeout;
	int until; /* enum wait_for */
	struct each_options each;
};

static const char *const states[] = {
    [WAIT_STOPPED] = "stopped", [WAIT_RUNNING] = "running", [WAIT_HEALTHY] = "healthy"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct wait_options, until, "for", 0, states, "what to wait for (stopped)"),
    OPTION(struct wait_options, timeout, "timeout", 't', DURATION, "TIME", "give up after this time"),
    OPTION(struct wait_options, each.all, "all", 'a', FLAG, NULL, "all instances"),
    EACH_LABEL(struct wait_options),
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_there(const struct instance_state *state, int until)
{
	switch (until) {
	case WAIT_RUNNING:
		return state->status == INSTANCE_RUNNING;
	case WAIT_HEALTHY:
		return state->status == INSTANCE_RUNNING &&
		       (state->monitor.health == MONITOR_HEALTH_GOOD || state->monitor.health == MONITOR_HEALTH_NONE);
	default:
		return !instance_is_active(state);
	}
}

static int wait_one(struct invocation *call, const char *name, const struct wait_options *o, int64_t end,
		    int *ret_status, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	int r = instance_open(&call->runtime, name, &i, e);

	*ret_status = 0;
	while (!r) {
		auto_arena arena = ARENA_INIT;
		struct instance_state state;
		int64_t left = end ? end - now() : -1;

		r = instance_look(&call->runtime, &i, &arena, &state, e);
		if (r)
			return r;
		if (is_there(&state, o->until)) {
			*ret_status = o->until != WAIT_STOPPED ? 0 : state.has_end ? state.end.status : 0;
			return 0;
		}
		if (o->until != WAIT_STOPPED && !instance_is_active(&state))
			return error_refuse(e, ERROR_STATE, "instance '%s' is %s", name,
					    instance_status_name(state.status));
		if (end && left <= 0)
			return error_refuse(e, ERROR_LIMIT, "instance '%s' is %s: the time is over", name,
					    instance_status_name(state.status));
		if (o->until == WAIT_STOPPED) {
			r = monitor_wait(&call->runtime, &i, left, e);
			if (r && e->kind == ERROR_LIMIT)
				r = 0;
		} else {
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		}
	}
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct wait_options *o = options;
	int64_t end = o->timeout ? now() + o->timeout : 0;
	bool asked = match_is_asked(&o->each, operands, n);
	const char *const *names = (const char *const *)operands;
	int r = 0;

	if (!n && !asked)
		return verb_refuse_none(call->verb, "a minimum of", e);
	if (asked)
		r = each_select(call, &o->each, operands, n, &names, &n, e);
	for (size_t k = 0; !r && k < n; k++) {
		int status = 0;

		r = wait_one(call, names[k], o, end, &status, e);
		if (!r && o->until == WAIT_STOPPED)
			r = output_write(asked ? arena_format(call->arena, "%s %d\n", names[k], status)
					       : arena_format(call->arena, "%d\n", status),
					 e);
		if (r)
			return r;
		if (status)
			call->status = status > 0 && status < 256 ? status : 255;
	}
	return r;
}

const struct verb verb_wait = {
    .name = "wait",
    .summary = "wait until instances have stopped, run, or are healthy",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct wait_options, rows),
    .failure = 255,
    .text = "Prints the exit status of each that has stopped, with its name where a pattern or a label is given;\n"
	    "holm's own is the last one that is not 0, or 255 when holm itself failed or the time was over.",
    .run = run,
};
