/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)options, (void)n;
	return container_pause(&call->runtime, operands[0], e);
}

const struct verb verb_pause = {
    .name = "pause",
    .summary = "stop every process of a container where it is",
    .operands = "ID",
    .min = 1,
    .max = 1,
    .run = run,
};
