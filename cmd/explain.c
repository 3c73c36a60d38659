/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/explain.h"

#include "cmd/create.h"
#include "cmd/output.h"
#include "cmd/verbs.h"

#include <string.h>

#include "spec/json.h"

struct explain_options {
	struct container_create create; /* first: the shared rows are offsets into it */
	bool json;
};

static const struct option rows[] = {
    CREATE_BUNDLE_OPTIONS,
    OPTION(struct explain_options, json, "json", 0, FLAG, NULL, "an array of objects instead of a table"),
};

static char *print_json(const struct container_operation *operations, size_t n)
{
	struct json_writer json = json_writer_init(2);

	json_open_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(&json, NULL);
		json_put_string(&json, "side", operations[i].side);
		json_put_string(&json, "operation", operations[i].what);
		if (operations[i].cause)
			json_put_string(&json, "cause", operations[i].cause);
		json_close(&json);
	}
	json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

/* side, cause, operation: the operation is last because its length has no bound. */
static void print_table(const struct container_operation *operations, size_t n, struct str *out)
{
	size_t width = strlen("CAUSE");

	for (size_t i = 0; i < n; i++)
		if (operations[i].cause && strlen(operations[i].cause) > width)
			width = strlen(operations[i].cause);
	str_addf(out, "SIDE  %-*s  OPERATION\n", (int)width, "CAUSE");
	for (size_t i = 0; i < n; i++)
		str_addf(out, "%-4s  %-*s  %s\n", operations[i].side, (int)width,
			 operations[i].cause ? operations[i].cause : "-", operations[i].what);
}

int explain_print(const struct runtime *runtime, const struct container_create *request, struct arena *arena,
		  struct str *out, struct error *e)
{
	struct container_operation *operations;
	size_t n;
	int r = container_explain(runtime, request, arena, &operations, &n, e);

	if (!r)
		print_table(operations, n, out);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct explain_options *o = options;
	struct container_operation *operations;
	auto_free char *text = NULL;
	auto_str table = STR_INIT;
	size_t n_operations;
	int r;

	o->create.id = n ? operands[0] : "ID";
	if (!o->json) {
		r = explain_print(&call->runtime, &o->create, call->arena, &table, e);
		return r ? r : output_write(str_peek(&table), e);
	}
	r = container_explain(&call->runtime, &o->create, call->arena, &operations, &n_operations, e);
	if (r)
		return r;
	text = print_json(operations, n_operations);
	return output_write(text, e);
}

const struct verb verb_explain = {
    .name = "explain",
    .summary = "print what create would do, and which part of config.json asks for it",
    .operands = "[ID]",
    .min = 0,
    .max = 1,
    VERB_OPTIONS(struct explain_options, rows),
    .text = "Nothing is made or changed.  Operations happen in the order printed, on the host's side or in init.  A\n"
	    "cause of '-' is holm's own doing.",
    .run = run,
};
