/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/clone.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/quiet.h"
#include "instances/status.h"

struct clone_options {
	const char *snapshot;
	bool no_publish, start;
};

static const struct option rows[] = {
    OPTION(struct clone_options, snapshot, "snapshot", 0, STRING, "SNAPSHOT",
	   "the state to begin from (the present one)"),
    OPTION(struct clone_options, no_publish, "no-publish", 0, FLAG, NULL, "without the ports that NAME publishes"),
    OPTION(struct clone_options, start, "start", 0, FLAG, NULL, "start it"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct clone_options *o = options;
	const struct clone_request request = {.name = operands[1], .snapshot = o->snapshot, .no_ports = o->no_publish};
	auto_instance source = INSTANCE_INIT, clone = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	const char *name;
	int r = each_one(call, operands[0], &name, e);

	(void)n;
	if (!r)
		r = quiet_open(&call->runtime, name, &source, &store, e);
	if (!r)
		r = clone_make(&call->runtime, &source, &store, &request, &clone, e);
	if (r) {
		error_context(e, "clone '%s'", operands[0]);
		return r;
	}
	instance_unlock(&source);
	instance_unlock(&clone);
	return o->start ? instance_start(&call->runtime, &clone, e) : 0;
}

const struct verb verb_clone = {
    .name = "clone",
    .summary = "make a second instance that begins where another one is",
    .operands = "NAME NEW",
    .min = 2,
    .max = 2,
    VERB_OPTIONS(struct clone_options, rows),
    .text = "Both share what NAME wrote until now; a running one is frozen for a moment.  NEW has its own ids,\n"
	    "host name, MAC and address; volumes are shared, and so are ports, which only one of both can\n"
	    "publish.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
