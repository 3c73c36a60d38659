/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/output.h"
#include "cmd/verbs.h"

#include <string.h>

#include "spec/json.h"

struct check_options {
	bool json;
};

static const struct option rows[] = {
    OPTION(struct check_options, json, "json", 0, FLAG, NULL, "an array of objects instead of a table"),
};

static char *print_json(const struct cgroup_check *checks, size_t n)
{
	struct json_writer json = json_writer_init(2);

	json_open_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(&json, NULL);
		json_put_string(&json, "what", checks[i].what);
		json_put_bool(&json, "can", checks[i].can);
		json_put_string(&json, "detail", checks[i].detail);
		json_close(&json);
	}
	json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

static char *print_table(const struct cgroup_check *checks, size_t n)
{
	size_t width = strlen("LIMIT");
	struct str out = STR_INIT;

	for (size_t i = 0; i < n; i++)
		if (strlen(checks[i].what) > width)
			width = strlen(checks[i].what);
	str_addf(&out, "%-*s  CAN  HOW, OR WHY NOT\n", (int)width, "LIMIT");
	for (size_t i = 0; i < n; i++)
		str_addf(&out, "%-*s  %-3s  %s\n", (int)width, checks[i].what, checks[i].can ? "yes" : "no",
			 checks[i].detail ? checks[i].detail : "");
	return str_steal(&out);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct check_options *o = options;
	struct cgroup_check *checks;
	auto_free char *text = NULL;
	size_t n_checks;
	int r;

	(void)operands, (void)n;
	r = container_check(&call->runtime, call->arena, &checks, &n_checks, e);
	if (r)
		return r;
	text = o->json ? print_json(checks, n_checks) : print_table(checks, n_checks);
	return output_write(text, e);
}

const struct verb verb_check = {
    .name = "check",
    .summary = "print which limits this host can enforce, and why not the rest",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct check_options, rows),
    .run = run,
};
