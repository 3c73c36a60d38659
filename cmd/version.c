/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/version.h"

#include "cmd/output.h"
#include "cmd/verbs.h"
#include "spec/spec.h"

/* The build gives HOLM_COMMIT, and HOLM_LIBSECCOMP where it knows it: libseccomp is linked statically, so it stays true. */
void version_print(struct str *out)
{
	str_addf(out, "holm version %s\ncommit: %s\nspec: %s\n", HOLM_VERSION, HOLM_COMMIT, SPEC_VERSION);
#ifdef HOLM_LIBSECCOMP
	str_addf(out, "libseccomp: %s\n", HOLM_LIBSECCOMP);
#endif
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_str text = STR_INIT;

	(void)call, (void)options, (void)operands, (void)n;
	version_print(&text);
	return output_write(str_peek(&text), e);
}

const struct verb verb_version = {
    .name = "version",
    .summary = "print the version",
    .operands = "",
    .min = 0,
    .max = 0,
    .run = run,
};
