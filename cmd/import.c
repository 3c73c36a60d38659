/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/import.h"

#include "base/str.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/status.h"

struct import_options {
	bool start;
};

static const struct option rows[] = {
    OPTION(struct import_options, start, "start", 0, FLAG, NULL, "start it"),
};

static int import(struct invocation *call, const struct import_request *request, struct instance *ret, struct error *e)
{
	auto_store store = STORE_INIT;
	int r = store_open(call->runtime.data, true, &store, e);

	if (r)
		return r;
	store.rootless = call->runtime.rootless;
	return import_make(&call->runtime, &store, request, ret, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct import_options *o = options;
	const struct import_request request = {.file = operands[0], .name = n > 1 ? operands[1] : NULL};
	auto_instance i = INSTANCE_INIT;
	auto_str out = STR_INIT;
	int r = import(call, &request, &i, e);

	if (r) {
		error_context(e, "import '%s'", operands[0]);
		return r;
	}
	instance_unlock(&i);
	if (o->start)
		r = instance_start(&call->runtime, &i, e);
	str_addf(&out, "%s\n", i.name);
	return r ?: output_write(str_peek(&out), e);
}

const struct verb verb_import = {
    .name = "import",
    .summary = "make an instance from a file that 'holm export' wrote",
    .operands = "FILE [NAME]",
    .min = 1,
    .max = 2,
    VERB_OPTIONS(struct import_options, rows),
    .text =
	"Prints its name; '-' is standard input.  Its image has to be here, unless the file has it.  Under its old\n"
	"name it keeps MACs and addresses; ids are given anew.  A damaged file is refused as a whole.",
    .run = run,
};
