/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/lint.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "spec/json.h"

struct lint_options {
	bool json;
};

static const struct option rows[] = {
    OPTION(struct lint_options, json, "json", 0, FLAG, NULL, "an array of objects instead of lines"),
};

enum { CONFIG_MAX = 64 << 20 };

/* What the host says: whatever keeps the plan from being made here is an error of this host. */
struct host {
	const struct invocation *call;
	const char *file;
};

static void check_host(const struct spec *spec, struct lint *lint, void *data)
{
	const struct host *host = data;
	const char *slash = strrchr(host->file, '/');
	struct arena *arena = host->call->arena;
	struct container_create request = {.id = "lint", .config = host->file};
	struct container_operation *operations;
	struct error e = ERROR_INIT;
	char text[ERROR_TEXT_SIZE + 128];
	size_t n;

	(void)spec;
	if (slash)
		request.bundle =
		    slash == host->file ? "/" : arena_format(arena, "%.*s", (int)(slash - host->file), host->file);
	if (container_explain(&host->call->runtime, &request, arena, &operations, &n, &e) &&
	    e.kind == ERROR_UNSUPPORTED)
		lint_add(lint, LINT_ERROR, "", error_format(&e, text, sizeof(text)), NULL);
}

static void print_finding(struct str *out, const struct lint_finding *finding)
{
	str_addf(out, "%s: ", lint_severity_name(finding->severity));
	if (*finding->path)
		str_addf(out, "%s: ", finding->path);
	str_addf(out, "%s\n", finding->reason);
	if (finding->suggestion)
		str_addf(out, "  %s\n", finding->suggestion);
}

static char *print_text(const struct lint *lint)
{
	struct str out = STR_INIT;
	size_t counts[_LINT_SEVERITY_N] = {0};

	for (size_t i = 0; i < lint->n; i++) {
		print_finding(&out, &lint->findings[i]);
		counts[lint->findings[i].severity]++;
	}
	for (int i = 0; i < _LINT_SEVERITY_N; i++)
		str_addf(&out, "%s%zu %s%s", i ? ", " : "", counts[i], lint_severity_name(i),
			 counts[i] == 1 ? "" : "s");
	str_add(&out, "\n");
	return str_steal(&out);
}

static char *print_json(const struct lint *lint)
{
	struct json_writer json = json_writer_init(2);

	json_open_array(&json, NULL);
	for (size_t i = 0; i < lint->n; i++) {
		const struct lint_finding *finding = &lint->findings[i];

		json_open_object(&json, NULL);
		json_put_string(&json, "severity", lint_severity_name(finding->severity));
		json_put_string(&json, "path", finding->path);
		json_put_string(&json, "reason", finding->reason);
		if (finding->suggestion)
			json_put_string(&json, "suggestion", finding->suggestion);
		json_close(&json);
	}
	json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct lint_options *o = options;
	struct host data = {.call = call, .file = n ? operands[0] : "config.json"};
	const struct lint_host host = {.check = check_host, .data = &data};
	auto_free char *document = NULL;
	auto_free char *text = NULL;
	struct lint lint;
	size_t size;
	int r;

	r = file_read(AT_FDCWD, data.file, CONFIG_MAX, &document, &size);
	if (r)
		return error_system(e, -r, "read '%s'", data.file);
	if (!spec_lint(document, size, data.file, &host, call->arena, &lint))
		call->status = 1;
	text = o->json ? print_json(&lint) : print_text(&lint);
	return output_write(text, e);
}

const struct verb verb_lint = {
    .name = "lint",
    .summary = "judge a config.json: what is wrong, unknown, or not possible on this host",
    .operands = "[FILE]",
    .min = 0,
    .max = 1,
    VERB_OPTIONS(struct lint_options, rows),
    .text = "FILE is config.json where none is given.  The exit status is 1 if anything is an error.",
    .run = run,
};
