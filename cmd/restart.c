/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/status.h"

struct restart_options {
	struct each_options each;
	const char *timeout;
};

static const struct option rows[] = {
    EACH_OPTIONS(struct restart_options),
    OPTION(struct restart_options, timeout, "timeout", 't', STRING, "TIME", "how long until it is killed (10s)"),
};

static int restart(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	int r = instance_stop(&call->runtime, i, data, e);

	return r ? r : instance_start(&call->runtime, i, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct restart_options *o = options;
	struct instance_stop how = {.timeout = -1};

	if (o->timeout && parse_duration(o->timeout, &how.timeout))
		return error_refuse(e, ERROR_USAGE, "--timeout '%s': it takes a time such as 500ms, 5s or 2m",
				    o->timeout);
	if (!o->each.parallel)
		o->each.parallel = 1;
	return each_instance(call, &o->each, operands, n, EACH_FORWARD, restart, &how, e);
}

const struct verb verb_restart = {
    .name = "restart",
    .summary = "stop instances and start them, one after the other",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct restart_options, rows),
    .text = "NAME may be a pattern.  One is restarted when the one before runs again (--parallel: so many at a time), "
	    "and with\n"
	    "--notify when that is ready; when one fails, those that come after it are left as they are.",
    .run = run,
};
