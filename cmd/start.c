/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/status.h"
#include "runtime/notify.h"

struct start_options {
	struct each_options each;
};

static const struct option rows[] = {EACH_OPTIONS(struct start_options)};

static int start(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	struct monitor_state state;
	int r = instance_start(&call->runtime, i, e);

	(void)data;
	if (r || !notify_host())
		return r;
	/* As a unit: it has started, and its keeper stays under one pid as long as it runs. */
	monitor_look(i, &state);
	return notify_tell_ready(state.keeper, e);
}

/* At a boot: those that are wanted and don't run. */
static int start_wanted(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	struct instance_state state;
	int r;

	(void)data;
	r = instance_look(&call->runtime, i, call->arena, &state, e);
	return r || instance_is_active(&state) || !i->record.up ? r : instance_start(&call->runtime, i, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct start_options *o = options;
	int r;

	if (!n && !o->each.all && !o->each.n_labels)
		return verb_refuse_none(call->verb, "exactly", e);
	if (n == 1 && !o->each.all && !o->each.n_labels && each_is_container(call, operands[0])) {
		struct container_state state;
		auto_instance i = INSTANCE_INIT;

		r = container_start(&call->runtime, operands[0], e);
		/* Neither: who speaks of instances hears of those. */
		if (r && e->kind == ERROR_NOT_FOUND && invocation_has_instances(call) && !call->root_given &&
		    container_state(&call->runtime, operands[0], call->arena, &state, &(struct error){0}))
			return instance_open(&call->runtime, operands[0], &i, e);
		return r;
	}
	return each_instance(call, &o->each, operands, n, EACH_FORWARD, o->each.all && !n ? start_wanted : start, NULL,
			     e);
}

const struct verb verb_start = {
    .name = "start",
    .summary = "start instances, or begin the process of a created container",
    .operands = "ID|NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct start_options, rows),
    .text = "NAME may be a pattern.  Instances start in the order of their --after, and wait for --delay; one whose\n"
	    "predecessor fails is left out.  --all means those that ran when the host went down, or\n"
	    "at 'holm stop --all': what was stopped by name stays so.",
    .run = run,
};
