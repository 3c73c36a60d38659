/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/overcommit.h"

#include <stdio.h>
#include <string.h>

#include "cmd/output.h"
#include "cmd/usage.h"
#include "cmd/verbs.h"

struct overcommit_options {
	const char **allow;
	size_t n_allow;
	bool allow_any, json;
};

static const struct option rows[] = {
    OPTION_LISTED(struct overcommit_options, allow, "allow", 0, LIST, "RESOURCE=PERCENT",
		  "refuse starts that would promise more of it: memory, cpus, disk; repeatable"),
    OPTION(struct overcommit_options, allow_any, "allow-any", 0, FLAG, NULL, "refuse no start"),
    OPTION(struct overcommit_options, json, "json", 0, FLAG, NULL, "print JSON"),
};

static int parse_allowance(const char *text, unsigned percent[_OVERCOMMIT_N], struct error *e)
{
	for (int k = 0; k < _OVERCOMMIT_N; k++) {
		size_t n = strlen(overcommit_names[k]), digits;
		char number[16];
		uint64_t value;

		if (strncmp(text, overcommit_names[k], n) || text[n] != '=')
			continue;
		digits = strcspn(text + n + 1, "%");
		if (digits >= sizeof(number) || !str_equal(text + n + 1 + digits, text[n + 1 + digits] ? "%" : ""))
			break;
		memcpy(number, text + n + 1, digits);
		number[digits] = 0;
		if (parse_u64(number, 1, 100000, &value))
			break;
		percent[k] = (unsigned)value;
		return 0;
	}
	return error_refuse(e, ERROR_USAGE,
			    "--allow '%s': not memory=, cpus= or disk= and a percentage, as in memory=100%%", text);
}

static int save(const struct runtime *runtime, const struct overcommit_options *asked, struct overcommit *o,
		struct error *e)
{
	int r = 0;

	if (asked->allow_any)
		memset(o->percent, 0, sizeof(o->percent));
	for (size_t i = 0; i < asked->n_allow && !r; i++)
		r = parse_allowance(asked->allow[i], o->percent, e);
	return r ?: overcommit_save(runtime, o->percent, e);
}

static void put_amount(int resource, double amount, struct str *out)
{
	auto_str text = STR_INIT;

	if (resource == OVERCOMMIT_CPUS)
		str_addf(&text, "%.2f", amount);
	else
		usage_format_bytes(amount, &text);
	str_addf(out, " %10s", str_peek(&text));
}

static void put_table(const struct overcommit *o, struct str *out)
{
	str_addf(out, "%-9s %10s %10s %7s %8s %8s %9s\n", "RESOURCE", "HOST", "PROMISED", "SHARE", "ALLOWED", "LIMITED",
		 "UNLIMITED");
	for (int k = 0; k < _OVERCOMMIT_N; k++) {
		char allowed[16] = "any";

		if (o->percent[k])
			snprintf(allowed, sizeof(allowed), "%u%%", o->percent[k]);
		str_addf(out, "%-9s", overcommit_names[k]);
		put_amount(k, o->host[k], out);
		put_amount(k, o->promised[k], out);
		str_addf(out, " %6.0f%% %8s %8zu %9zu\n", o->host[k] > 0 ? 100 * o->promised[k] / o->host[k] : 0,
			 allowed, o->limited[k], o->unlimited[k]);
	}
}

static void put_json(const struct overcommit *o, struct str *out)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	auto_free char *text = NULL;

	json_open_object(&w, NULL);
	for (int k = 0; k < _OVERCOMMIT_N; k++) {
		json_open_object(&w, overcommit_names[k]);
		json_put_double(&w, "host", o->host[k]);
		json_put_double(&w, "promised", o->promised[k]);
		if (o->percent[k])
			json_put_uint(&w, "allowedPercent", o->percent[k]);
		json_put_uint(&w, "limited", o->limited[k]);
		json_put_uint(&w, "unlimited", o->unlimited[k]);
		json_close(&w);
	}
	json_close(&w);
	text = json_finish(&w);
	str_addf(out, "%s\n", text);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct overcommit_options *asked = options;
	struct overcommit o;
	auto_str out = STR_INIT;
	int r = overcommit_read(&call->runtime, NULL, &o, e);

	(void)operands, (void)n;
	if (!r && (asked->n_allow || asked->allow_any))
		r = save(&call->runtime, asked, &o, e);
	if (r)
		return r;
	if (asked->json)
		put_json(&o, &out);
	else
		put_table(&o, &out);
	return output_write(str_peek(&out), e);
}

const struct verb verb_overcommit = {
    .name = "overcommit",
    .summary = "show what instances were promised against what the host has",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct overcommit_options, rows),
    .text = "Promised are the limits of instances that are to run, and the sizes of all roots.  Who has no limit was\n"
	    "promised nothing and can take everything.  Nothing is refused before --allow says so.",
    .run = run,
};
