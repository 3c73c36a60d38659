/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/manifest.h"
#include "cmd/verbs.h"

static const struct option rows[] = {
    MANIFEST_OPTIONS,
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct manifest_apply *how = options;
	struct manifest manifest;
	int r = manifest_load(&call->runtime, operands[0], call->arena, &manifest, e);

	(void)n;
	how->start = true;
	return r ? r : manifest_apply(call, &manifest, how, e);
}

const struct verb verb_up = {
    .name = "up",
    .summary = "apply a file, and start all of its instances in order",
    .operands = "FILE",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct manifest_apply, rows),
    .makes_root = true,
    .text = "Like 'holm apply', and what is stopped is started: those that others come after first.",
    .run = run,
};
