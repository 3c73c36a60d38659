/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/features.h"

#include "cmd/output.h"
#include "cmd/verbs.h"

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const struct spec_features features = {.version = HOLM_VERSION, .systemd = true, .systemd_user = true};
	auto_free char *text = spec_features(&features);

	(void)call, (void)options, (void)operands, (void)n;
	return output_write(text, e);
}

const struct verb verb_features = {
    .name = "features",
    .summary = "print what this build understands, as the OCI's features document",
    .operands = "",
    .min = 0,
    .max = 0,
    .run = run,
};
