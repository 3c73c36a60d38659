/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/create.h"
#include "cmd/verbs.h"

static const struct option rows[] = {
    CREATE_OPTIONS,
    OPTION(struct container_create, detach, "detach", 'd', FLAG, NULL, "do not wait for the process"),
    OPTION(struct container_create, keep, "keep", 0, FLAG, NULL, "do not delete the container when it has ended"),
    OPTION(struct container_create, no_subreaper, "no-subreaper", 0, FLAG, NULL,
	   "leave orphans of the container to the host's init"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct container_create *request = options;

	(void)n;
	request->id = operands[0];
	return container_run(&call->runtime, request, &call->status, e);
}

const struct verb verb_run = {
    .name = "run",
    .summary = "create and start a container, wait for its end, delete it",
    .operands = "ID",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct container_create, rows),
    .makes_root = true,
    .prefix = "run failed",
    .text = "The exit status is that of the container's process, or 128 and the number of the signal that ended it.",
    .run = run,
};
