/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

#include <string.h>

#include "cmd/output.h"
#include "spec/json.h"

enum whois_format { WHOIS_TABLE, WHOIS_JSON };

struct whois_options {
	int format; /* enum whois_format */
	bool quiet;
};

static const char *const formats[] = {[WHOIS_TABLE] = "table", [WHOIS_JSON] = "json"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct whois_options, format, "format", 'f', formats, "form (table)"),
    OPTION(struct whois_options, quiet, "quiet", 'q', FLAG, NULL, "print the id only"),
};

struct answer {
	pid_t pid, inner;
	struct container_state container;
};

static char *print_json(const struct answer *answers, size_t n)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);

	json_open_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(&json, NULL);
		json_put_int(&json, "pid", answers[i].pid);
		json_put_int(&json, "innerPid", answers[i].inner);
		json_put_string(&json, "id", answers[i].container.id);
		json_put_string(&json, "status", container_status_name(answers[i].container.status));
		json_close(&json);
	}
	json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

static char *print_table(const struct answer *answers, size_t n, bool quiet)
{
	struct str out = STR_INIT;

	if (n && !quiet)
		str_addf(&out, "%-10s %-10s %s\n", "PID", "INSIDE", "ID");
	for (size_t i = 0; i < n; i++)
		if (quiet)
			str_addf(&out, "%s\n", answers[i].container.id);
		else
			str_addf(&out, "%-10d %-10d %s\n", (int)answers[i].pid, (int)answers[i].inner,
				 answers[i].container.id);
	return str_steal(&out);
}

/* The first process without a container is the error; the others are answered all the same. */
static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct whois_options *o = options;
	struct answer *answers = arena_array(call->arena, struct answer, n);
	struct error first = ERROR_INIT, ignored;
	auto_free char *text = NULL;
	size_t found = 0;
	int r, failed = 0;

	for (size_t i = 0; i < n; i++) {
		struct answer *a = &answers[found];
		uint64_t pid;

		if (parse_u64(operands[i], 1, INT32_MAX, &pid))
			return error_refuse(e, ERROR_USAGE, "invalid process id '%s' (1 to %d)", operands[i],
					    INT32_MAX);
		a->pid = (pid_t)pid;
		r = container_of_process(&call->runtime, a->pid, call->arena, &a->container, &a->inner,
					 failed ? &ignored : &first);
		if (!r)
			found++;
		else if (!failed)
			failed = r;
	}
	text = o->format == WHOIS_JSON ? print_json(answers, found) : print_table(answers, found, o->quiet);
	r = text ? output_write(text, e) : 0;
	if (!r && failed) {
		*e = first;
		return failed;
	}
	return r;
}

const struct verb verb_whois = {
    .name = "whois",
    .summary = "tell which container a process of the host belongs to",
    .operands = "PID...",
    .min = 1,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct whois_options, rows),
    .run = run,
};
