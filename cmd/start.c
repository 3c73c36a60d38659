/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)options, (void)n;
	return container_start(&call->runtime, operands[0], e);
}

const struct verb verb_start = {
    .name = "start",
    .summary = "begin the process of a created container",
    .operands = "ID",
    .min = 1,
    .max = 1,
    .run = run,
};
