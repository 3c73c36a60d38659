/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

struct delete_options {
	bool force;
};

static const struct option rows[] = {
    OPTION(struct delete_options, force, "force", 'f', FLAG, NULL,
	   "kill it first if it runs; a container that does not exist is no error"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct delete_options *o = options;

	(void)n;
	return container_delete(&call->runtime, operands[0], o->force, e);
}

const struct verb verb_delete = {
    .name = "delete",
    .summary = "remove a stopped container and everything held for it",
    .operands = "ID",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct delete_options, rows),
    .run = run,
};
