/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/manifest.h"
#include "cmd/verbs.h"

static const struct option rows[] = {
    MANIFEST_OPTIONS,
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct manifest manifest;
	int r = manifest_load(&call->runtime, operands[0], call->arena, &manifest, e);

	(void)n;
	return r ? r : manifest_apply(call, &manifest, options, e);
}

const struct verb verb_apply = {
    .name = "apply",
    .summary = "make and change instances as a file says",
    .operands = "FILE",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct manifest_apply, rows),
    .makes_root = true,
    .text =
	"FILE (- for standard input) is JSON: {\"instances\": {NAME: {...}}} with launch's options as keys, or one\n"
	"instance with a \"name\".  What is not there is made and started; of the others, what differs is changed at "
	"once\n"
	"where it can be, and what needs a restart is named.",
    .run = run,
};
