/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/export.h"

#include <unistd.h>

#include "base/str.h"
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/quiet.h"

struct export_options {
	bool all;
};

static const struct option rows[] = {
    OPTION(struct export_options, all, "all", 'a', FLAG, NULL, "with its image, for a host that does not have it"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct export_options *o = options;
	const struct export_request request = {.file = operands[1], .all = o->all};
	auto_instance i = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	const char *name;
	int r;

	(void)n;
	if (str_equal(request.file, "-") && isatty(STDOUT_FILENO))
		return error_refuse(e, ERROR_USAGE, "standard output is a terminal: name a file, or a pipe");
	r = each_one(call, operands[0], &name, e)
		?: quiet_open(&call->runtime, name, &i, &store, e)
		?: export_make(&call->runtime, &i, &store, &request, e);
	if (r)
		error_context(e, "export '%s'", operands[0]);
	return r;
}

const struct verb verb_export = {
    .name = "export",
    .summary = "write a whole instance to a file: config.json, snapshots, what it wrote",
    .operands = "NAME FILE",
    .min = 2,
    .max = 2,
    VERB_OPTIONS(struct export_options, rows),
    .text = "One tar with sums for 'holm import'; '-' is standard output.  A running one is frozen for a\n"
	    "moment.  Volumes and folders of the host are not in it.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
