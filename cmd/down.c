/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/manifest.h"
#include "cmd/verbs.h"
#include "instances/launch.h"
#include "instances/status.h"

struct down_options {
	bool remove;
	const char *timeout;
};

static const struct option rows[] = {
    OPTION(struct down_options, remove, "remove", 0, FLAG, NULL, "remove them, too, with all that they wrote"),
    OPTION(struct down_options, timeout, "timeout", 't', STRING, "TIME", "how long until they are killed (10s)"),
};

struct down {
	struct instance_stop stop;
	bool remove;
};

static int bring_down(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	const struct down *down = data;
	int r = instance_stop(&call->runtime, i, &down->stop, e);

	if (r || !down->remove)
		return r;
	r = instance_lock(i, e);
	return r ? r : launch_remove(&call->runtime, i, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct down_options *o = options;
	const struct each_options each = {0};
	struct down down = {.stop.timeout = -1, .remove = o->remove};
	struct manifest manifest;
	size_t n_names = 0;
	char **names;
	int r;

	(void)n;
	if (o->timeout && parse_duration(o->timeout, &down.stop.timeout))
		return error_refuse(e, ERROR_USAGE, "--timeout '%s': it takes a time such as 500ms, 5s or 2m",
				    o->timeout);
	r = manifest_load(&call->runtime, operands[0], call->arena, &manifest, e);
	if (r)
		return r;
	names = arena_array(call->arena, char *, manifest.n + 1);
	for (size_t k = 0; k < manifest.n; k++) {
		auto_instance i = INSTANCE_INIT;

		r = instance_find(&call->runtime, manifest.instances[k].name, &i, e);
		if (r < 0)
			return r;
		if (!r)
			names[n_names++] = arena_strdup(call->arena, manifest.instances[k].name);
	}
	return n_names ? each_instance(call, &each, names, n_names, EACH_BACKWARD, bring_down, &down, e) : 0;
}

const struct verb verb_down = {
    .name = "down",
    .summary = "stop the instances of a file, in reverse order",
    .operands = "FILE",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct down_options, rows),
    .run = run,
};
