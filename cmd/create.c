/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/create.h"
#include "cmd/verbs.h"

static const struct option rows[] = {CREATE_OPTIONS};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct container_create *request = options;

	(void)n;
	request->id = operands[0];
	return container_create(&call->runtime, request, e);
}

const struct verb verb_create = {
    .name = "create",
    .summary = "create a container from a bundle; start begins its process",
    .operands = "ID",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct container_create, rows),
    .makes_root = true,
    .prefix = "create failed",
    .text = "A bundle is a folder with a config.json (see holm-config(5) and 'holm spec') and a root file system.",
    .run = run,
};
