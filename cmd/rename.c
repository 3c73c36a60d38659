/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/config.h"
#include "instances/ids.h"
#include "instances/status.h"
#include "spec/json.h"

#include <string.h>

/* The host name goes along, where it was the instance's. */
static int change_config(struct instance *i, const char *name, uint32_t *ret_first, struct error *e)
{
	auto_free char *text = NULL;
	struct spec spec;
	int r = instance_load_spec(i, &spec, e);

	if (r)
		return r;
	*ret_first = config_first_id(&spec);
	if (str_equal(spec.hostname, i->name)) {
		spec.hostname = name;
		for (size_t k = 0; spec.process && k < spec.process->n_env; k++)
			if (str_equal(str_after(spec.process->env[k], "HOSTNAME="), i->name))
				spec.process->env[k] = arena_format(&spec.arena, "HOSTNAME=%s", name);
		text = spec_encode(&spec, JSON_INDENT_TAB);
	}
	spec_release(&spec);
	return text ? instance_save_config(i, text, e) : 0;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	struct instance_state state;
	const char *old;
	uint32_t first;
	int r;

	(void)options, (void)n;
	r = each_one(call, operands[0], &old, e);
	if (!r)
		r = instance_open(&call->runtime, old, &i, e);
	if (!r)
		r = instance_lock(&i, e);
	if (!r)
		r = instance_look(&call->runtime, &i, call->arena, &state, e);
	if (r)
		return r;
	if (instance_is_active(&state))
		return error_refuse(e, ERROR_STATE, "instance '%s' is %s: stop it first", i.name,
				    instance_status_name(state.status));
	old = i.name;
	r = instance_rename(&call->runtime, &i, operands[1], e);
	if (r)
		return r;
	i.name = old;
	r = change_config(&i, operands[1], &first, e);
	return r || !first ? r : ids_rename(&call->runtime, old, first, operands[1], e);
}

const struct verb verb_rename = {
    .name = "rename",
    .summary = "give a stopped instance another name",
    .operands = "NAME NEW",
    .min = 2,
    .max = 2,
    .text = "Its host name changes with it where it was the same.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
