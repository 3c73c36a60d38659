/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/launch.h"
#include "instances/status.h"

struct remove_options {
	struct each_options each;
	bool force;
};

static const struct option rows[] = {
    EACH_OPTIONS(struct remove_options),
    OPTION(struct remove_options, force, "force", 'f', FLAG, NULL, "kill it first if it runs"),
};

/* Locked it is looked at, as it may just be being started; it is stopped unlocked, as its monitor takes the lock at its end. */
static int stop_first(struct invocation *call, struct instance *i, bool force, struct error *e)
{
	const struct instance_stop now = {.timeout = 0};

	for (;;) {
		struct instance_state state;
		int r = instance_lock(i, e);

		if (!r)
			r = instance_look(&call->runtime, i, call->arena, &state, e);
		if (r || (!instance_is_active(&state) && !state.has_container))
			return r;
		if (instance_is_active(&state) && !force)
			return error_refuse(e, ERROR_STATE, "instance '%s' is %s: stop it first, or --force", i->name,
					    instance_status_name(state.status));
		instance_unlock(i);
		r = instance_stop(&call->runtime, i, &now, e);
		if (r)
			return r;
	}
}

static int remove_one(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	const struct remove_options *o = data;
	bool removes_itself = i->record.remove;
	int r = stop_first(call, i, o->force, e);

	/* --rm: its end took it away. */
	if (r && removes_itself && e->kind == ERROR_NOT_FOUND)
		return 0;
	return r ? r : launch_remove(&call->runtime, i, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct remove_options *o = options;

	return each_instance(call, &o->each, operands, n, EACH_BACKWARD, remove_one, o, e);
}

const struct verb verb_remove = {
    .name = "remove",
    .summary = "remove instances, and all that they wrote",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct remove_options, rows),
    .text = "NAME may be a pattern.  Volumes and images stay.",
    .run = run,
};
