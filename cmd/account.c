/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `holm usage`: what instances have used, from their ledgers.
 */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/usage.h"
#include "cmd/verbs.h"
#include "instances/ledger.h"
#include "instances/log_read.h"
#include "instances/select.h"
#include "instances/supervise.h"

enum account_format { ACCOUNT_TABLE, ACCOUNT_JSON, ACCOUNT_CSV };

static const char *const formats[] = {[ACCOUNT_TABLE] = "table", [ACCOUNT_JSON] = "json", [ACCOUNT_CSV] = "csv"};

struct account_options {
	struct each_options each;
	const char *from, *to;
	int format;
};

static const struct option rows[] = {
    EACH_LABEL(struct account_options),
    OPTION(struct account_options, from, "from", 0, STRING, "TIME", "not what was before: 30d, 2026-11-01"),
    OPTION(struct account_options, to, "to", 0, STRING, "TIME", "not what was after"),
    OPTION_CHOSEN(struct account_options, format, "format", 'f', formats, "form (table)"),
};

static int parse_point(const char *option, const char *text, int64_t *ret, struct error *e)
{
	struct timespec now;
	uint64_t value;

	if (!text)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (log_time_parse(text, (uint64_t)now.tv_sec * 1000000000, &value))
		return error_refuse(e, ERROR_USAGE,
				    "--%s '%s': not a time such as 24h (ago), 2026-11-21, 2026-11-21T08:20:13Z or "
				    "@1795251049",
				    option, text);
	*ret = (int64_t)value;
	return 0;
}

static void put_json(struct json_writer *w, const char *name, const struct ledger_use *use)
{
	char time[LOG_TIME_SIZE];

	json_open_object(w, NULL);
	json_put_string(w, "name", name);
	if (use->end) {
		json_put_string(w, "from", log_time_format((uint64_t)use->begin, time));
		json_put_string(w, "to", log_time_format((uint64_t)use->end, time));
	}
	for (int i = 0; i < _LEDGER_N; i++)
		json_put_double(w, ledger_keys[i], ledger_value(use, i));
	json_close(w);
}

static void put_csv(struct str *out, const char *name, const struct ledger_use *use)
{
	char time[LOG_TIME_SIZE];

	str_addf(out, "%s", name);
	str_addf(out, ",%s", use->end ? log_time_format((uint64_t)use->begin, time) : "");
	str_addf(out, ",%s", use->end ? log_time_format((uint64_t)use->end, time) : "");
	for (int i = 0; i < _LEDGER_N; i++) {
		double value = ledger_value(use, i);

		str_addf(out, value == floor(value) ? ",%.0f" : ",%.3f", value);
	}
	str_add(out, "\n");
}

/* The table's columns: the account in the units in which people think. */
static const struct {
	const char *title;
	enum ledger_column first, second; /* _LEDGER_N: none; else the sum of both */
	enum { AS_TIME, AS_BYTES, AS_AVERAGE } as;
} columns[] = {
    {"RAN", LEDGER_RUN, _LEDGER_N, AS_TIME},
    {"CPU", LEDGER_CPU, _LEDGER_N, AS_TIME},
    {"MEMORY", LEDGER_MEMORY, _LEDGER_N, AS_AVERAGE},
    {"DISK", LEDGER_DISK, _LEDGER_N, AS_AVERAGE},
    {"READ", LEDGER_READ, _LEDGER_N, AS_BYTES},
    {"WRITTEN", LEDGER_WRITTEN, _LEDGER_N, AS_BYTES},
    {"LAN IN", LEDGER_NET_IN, LEDGER_LAN_IN, AS_BYTES},
    {"LAN OUT", LEDGER_NET_OUT, LEDGER_LAN_OUT, AS_BYTES},
    {"WAN IN", LEDGER_WAN_IN, _LEDGER_N, AS_BYTES},
    {"WAN OUT", LEDGER_WAN_OUT, _LEDGER_N, AS_BYTES},
};

static void put_row(struct str *out, const char *name, const struct ledger_use *use)
{
	str_addf(out, "%-20s", name);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		double value = use->values[columns[i].first];
		auto_str text = STR_INIT;

		if (columns[i].second != _LEDGER_N)
			value += use->values[columns[i].second];
		if (columns[i].as == AS_AVERAGE)
			value = use->values[LEDGER_RUN] > 0 ? value / (use->values[LEDGER_RUN] / 1e9) : 0;
		if (columns[i].as == AS_TIME)
			usage_format_time(value, &text);
		else
			usage_format_bytes(value, &text);
		str_addf(out, " %8s", str_peek(&text));
	}
	str_add(out, "\n");
}

static void begin_output(int format, struct str *out, struct json_writer *w)
{
	if (format == ACCOUNT_JSON) {
		json_open_array(w, NULL);
	} else if (format == ACCOUNT_CSV) {
		str_add(out, "name,from,to");
		for (int i = 0; i < _LEDGER_N; i++)
			str_addf(out, ",%s", ledger_keys[i]);
		str_add(out, "\n");
	} else {
		str_addf(out, "%-20s", "NAME");
		for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
			str_addf(out, " %8s", columns[i].title);
		str_add(out, "\n");
	}
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct account_options *asked = options;
	const struct select_request request = {.patterns = (const char *const *)operands,
					       .n_patterns = n,
					       .labels = asked->each.labels,
					       .n_labels = asked->each.n_labels,
					       .all = !n};
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	struct ledger_use sum = {0};
	struct selection selection;
	auto_str out = STR_INIT;
	int64_t from = 0, to = 0;
	struct timespec now;
	int r = parse_point("from", asked->from, &from, e);

	if (!r)
		r = parse_point("to", asked->to, &to, e);
	if (!r && from && to && to < from)
		r = error_refuse(e, ERROR_USAGE, "--to '%s' is before --from '%s'", asked->to, asked->from);
	clock_gettime(CLOCK_REALTIME, &now);
	if (to > (int64_t)now.tv_sec * 1000000000) /* the end of today: what runs is counted until now */
		to = 0;
	if (!r)
		r = select_instances(&call->runtime, &request, call->arena, &selection, e);
	if (r)
		return r;
	begin_output(asked->format, &out, &w);
	for (size_t i = 0; i < selection.n && !r; i++) {
		auto_instance instance = INSTANCE_INIT;
		struct ledger_use use;

		r = instance_open(&call->runtime, selection.names[i], &instance, e);
		if (!r)
			r = supervise_account(&call->runtime, &instance, from, to, &use, e);
		if (r)
			break;
		ledger_add_use(&sum, &use);
		if (asked->format == ACCOUNT_JSON)
			put_json(&w, instance.name, &use);
		else if (asked->format == ACCOUNT_CSV)
			put_csv(&out, instance.name, &use);
		else
			put_row(&out, instance.name, &use);
	}
	if (asked->format == ACCOUNT_TABLE && selection.n > 1)
		put_row(&out, "all", &sum);
	if (asked->format == ACCOUNT_JSON) {
		auto_free char *text = NULL;

		json_close(&w);
		text = json_finish(&w);
		str_addf(&out, "%s\n", text);
	}
	return r ?: output_write(str_peek(&out), e);
}

const struct verb verb_usage = {
    .name = "usage",
    .summary = "print what instances have used since they were made",
    .operands = "[NAME|PATTERN...]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct account_options, rows),
    .text =
	"The account is kept on disk, a line per minute and one at each end, and goes on across restarts and crashes;\n"
	"without a --to that is over what runs is counted until now.\n"
	"MEMORY and DISK are averages over the time that it ran; JSON and CSV have byte-seconds, seconds and bytes.",
    .run = run,
};
