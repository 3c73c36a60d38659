/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats: what containers use, as a table that refreshes, or as JSON or CSV for programs.
 */
#include "cmd/verbs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/match.h"
#include "cmd/output.h"
#include "cmd/screen.h"
#include "cmd/usage.h"

enum stats_format { STATS_TABLE, STATS_JSON, STATS_CSV };

struct stats_options {
	bool once;
	int format;		    /* enum stats_format */
	int64_t interval, duration; /* ns */
	const char *reports, *columns, *sort;
	struct each_options each;
};

static const char *const formats[] = {[STATS_TABLE] = "table", [STATS_JSON] = "json", [STATS_CSV] = "csv"};

static const struct option rows[] = {
    OPTION(struct stats_options, once, "once", '1', FLAG, NULL, "print one interval and end"),
    OPTION_CHOSEN(struct stats_options, format, "format", 'f', formats, "form (table)"),
    OPTION(struct stats_options, interval, "interval", 'i', DURATION, "TIME", "time between two looks (1s)"),
    OPTION(struct stats_options, duration, "duration", 'd', DURATION, "TIME", "end after that time"),
    OPTION(struct stats_options, reports, "report", 'r', STRING, "LIST",
	   "at the end print average, high or total, and nothing before"),
    OPTION(struct stats_options, sort, "sort", 's', STRING, "COLUMN", "highest first; id is the usual order"),
    OPTION(struct stats_options, columns, "columns", 'c', STRING, "LIST", "these columns, in this order"),
    EACH_LABEL(struct stats_options),
};

/* The rows that are printed together. */
struct row {
	const char *id;
	double values[_USAGE_COLUMN_N];
};

struct grid {
	const char *key, *label; /* "time": when; "report": which */
	enum usage_report report;
	bool is_report;
	int64_t elapsed;
	struct row *rows;
	size_t n;
};

/* One container over the whole time. */
struct history {
	const char *id;
	struct usage_sum sums[_USAGE_COLUMN_N];
};

struct stats {
	const struct invocation *call;
	const struct stats_options *options;
	int64_t interval;
	enum usage_column columns[_USAGE_COLUMN_N];
	size_t n_columns;
	bool reports[_USAGE_REPORT_N], any_report;
	int sort; /* enum usage_column or USAGE_SORT_ID */
	unsigned cpus;
	bool headed; /* CSV's first line was printed */
	struct history *histories;
	size_t n_histories, next; /* next: where a search is likely to succeed */
	int64_t elapsed;	  /* of all looks */
};

/* ---- the command line's lists ---- */

/* Calls add for each word of "a,b"; it gets the index in names. */
static int parse_list(const char *list, const char *option, const char *const *names, size_t n_names,
		      void (*add)(struct stats *stats, size_t index), struct stats *stats, struct error *e)
{
	while (list && *list) {
		size_t size = strcspn(list, ","), i = 0;

		while (i < n_names && (strlen(names[i]) != size || memcmp(names[i], list, size)))
			i++;
		if (i == n_names)
			return usage_refuse_name(option, list, size, names, n_names, e);
		add(stats, i);
		list += size + (list[size] == ',');
	}
	return 0;
}

static void add_column(struct stats *stats, size_t index)
{
	if (stats->n_columns < ARRAY_SIZE(stats->columns))
		stats->columns[stats->n_columns++] = (enum usage_column)index;
}

static void add_report(struct stats *stats, size_t index)
{
	stats->reports[index] = stats->any_report = true;
}

static void set_sort(struct stats *stats, size_t index)
{
	stats->sort = (int)index;
}

static int parse_options(struct stats *stats, struct error *e)
{
	const struct stats_options *o = stats->options;
	int r = parse_list(o->columns, "columns", usage_names, _USAGE_COLUMN_N, add_column, stats, e);

	if (!r)
		r = parse_list(o->reports, "report", usage_reports, _USAGE_REPORT_N, add_report, stats, e);
	stats->sort = USAGE_SORT_ID;
	if (!r)
		r = parse_list(o->sort, "sort", usage_names, _USAGE_SORT_N, set_sort, stats, e);
	for (size_t i = 0; !o->columns && i < _USAGE_COLUMN_N; i++)
		add_column(stats, i);
	return r;
}

/* ---- sorting ---- */

/* Highest first, what is not known last; then by id. */
static int by_value(const void *a, const void *b, void *data)
{
	const struct row *x = a, *y = b;
	int column = *(const int *)data;
	double v, w;

	if (column < _USAGE_COLUMN_N) {
		v = isnan(x->values[column]) ? -1 : x->values[column];
		w = isnan(y->values[column]) ? -1 : y->values[column];
		if (v > w || v < w)
			return v > w ? -1 : 1;
	}
	return strcmp(x->id, y->id);
}

/* ---- printing ---- */

static void print_value(const struct grid *grid, enum usage_column column, double value, struct str *out)
{
	if (grid->is_report && grid->report == USAGE_TOTAL)
		usage_format_total(column, value, out);
	else
		usage_format(column, value, out);
}

static const char *find_title(const struct grid *grid, enum usage_column column, struct arena *arena)
{
	const char *title = usage_title(column);
	bool total = grid->is_report && grid->report == USAGE_TOTAL; /* no longer per second, nor a share */

	return total ? arena_format(arena, "%.*s", (int)strcspn(title, "/%"), title) : title;
}

static void print_table(const struct stats *stats, const struct grid *grid, struct str *out)
{
	enum { GAP = 2 };
	auto_arena arena = ARENA_INIT;
	size_t n = stats->n_columns, widths[_USAGE_COLUMN_N], id_width = strlen("ID");
	const char **cells = arena_array(&arena, const char *, n *(grid->n + 1));

	for (size_t c = 0; c < n; c++) {
		cells[c] = find_title(grid, stats->columns[c], &arena);
		widths[c] = strlen(cells[c]);
	}
	for (size_t row = 0; row < grid->n; row++) {
		if (strlen(grid->rows[row].id) > id_width)
			id_width = strlen(grid->rows[row].id);
		for (size_t c = 0; c < n; c++) {
			auto_str cell = STR_INIT;

			print_value(grid, stats->columns[c], grid->rows[row].values[stats->columns[c]], &cell);
			cells[(row + 1) * n + c] = arena_strdup(&arena, str_peek(&cell));
			if (cell.size > widths[c])
				widths[c] = cell.size;
		}
	}
	for (size_t row = 0; row <= grid->n; row++) {
		str_addf(out, "%-*s", (int)id_width, row ? grid->rows[row - 1].id : "ID");
		for (size_t c = 0; c < n; c++)
			str_addf(out, "%*s", (int)widths[c] + GAP, cells[row * n + c]);
		str_add(out, "\n");
	}
}

static void print_json(const struct stats *stats, const struct grid *grid, struct str *out)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;

	json_open_object(&json, NULL);
	json_put_string(&json, grid->key, grid->label);
	json_put_double(&json, "seconds", round((double)grid->elapsed / 1e6) / 1e3);
	json_open_array(&json, "containers");
	for (size_t row = 0; row < grid->n; row++) {
		json_open_object(&json, NULL);
		json_put_string(&json, "id", grid->rows[row].id);
		for (size_t c = 0; c < stats->n_columns; c++)
			usage_put(&json, stats->columns[c], grid->rows[row].values[stats->columns[c]]);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
	text = json_finish(&json);
	str_addf(out, "%s\n", text);
}

/* Numbers as in JSON; what is not known is empty.  No value needs quotes: ids have no commas. */
static void print_csv(struct stats *stats, const struct grid *grid, struct str *out)
{
	if (!stats->headed) {
		str_addf(out, "%s,seconds,id", grid->key);
		for (size_t c = 0; c < stats->n_columns; c++)
			str_addf(out, ",%s", usage_names[stats->columns[c]]);
		str_add(out, "\n");
		stats->headed = true;
	}
	for (size_t row = 0; row < grid->n; row++) {
		str_addf(out, "%s,%.3f,%s", grid->label, (double)grid->elapsed / 1e9, grid->rows[row].id);
		for (size_t c = 0; c < stats->n_columns; c++) {
			double value = grid->rows[row].values[stats->columns[c]];

			if (isnan(value))
				str_add(out, ",");
			else
				str_addf(out, value < 1e6 && value > floor(value) ? ",%.3f" : ",%.0f", value);
		}
		str_add(out, "\n");
	}
}

static void print_grid(struct stats *stats, struct grid *grid, struct str *out)
{
	if (grid->n)
		qsort_r(grid->rows, grid->n, sizeof(*grid->rows), by_value, &stats->sort);
	if (stats->options->format == STATS_JSON) {
		print_json(stats, grid, out);
	} else if (stats->options->format == STATS_CSV) {
		print_csv(stats, grid, out);
	} else {
		if (grid->is_report) {
			str_addf(out, "%s of ", grid->label);
			usage_format_time((double)grid->elapsed, out);
			str_add(out, ":\n");
		}
		print_table(stats, grid, out);
	}
}

/* ---- looks ---- */

/* "2026-11-21T06:45:00.123Z" */
static const char *format_now(struct arena *arena)
{
	struct timespec now = {0};
	struct tm parts;
	char text[32] = "";

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &parts))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	return arena_format(arena, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static int show_look(struct stats *stats, const struct screen *screen, const struct usage_look *before,
		     const struct usage_look *now, bool more, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	auto_str text = STR_INIT;
	struct grid grid = {
	    .key = "time",
	    .label = format_now(&arena),
	    .elapsed = before ? now->when - before->when : 0,
	    .rows = arena_array(&arena, struct row, now->n),
	    .n = now->n,
	};

	for (size_t i = 0; i < now->n; i++) {
		const struct usage *past = before ? usage_find(before, &now->rows[i]) : NULL;

		grid.rows[i].id = now->rows[i].id;
		for (size_t c = 0; c < _USAGE_COLUMN_N; c++)
			grid.rows[i].values[c] = usage_value(c, past, &now->rows[i], grid.elapsed, stats->cpus);
	}
	print_grid(stats, &grid, &text);
	if (stats->options->format != STATS_TABLE)
		return output_write(str_peek(&text), e);
	if (!screen->terminal && more) /* between two blocks */
		str_add(&text, "\n");
	return screen_draw(screen, str_peek(&text), e);
}

/* ---- reports ---- */

static struct history *find_history(struct stats *stats, const char *id)
{
	struct arena *arena = stats->call->arena;
	size_t n = stats->n_histories;

	for (size_t i = 0; i < n; i++) { /* looks have one order: the next is nearly always the one */
		size_t at = (stats->next + i) % n;

		if (str_equal(stats->histories[at].id, id)) {
			stats->next = at + 1;
			return &stats->histories[at];
		}
	}
	if (!(n & (n - 1))) { /* room doubles at every power of two */
		struct history *more = arena_array(arena, struct history, n ? 2 * n : 1);

		if (n)
			memcpy(more, stats->histories, n * sizeof(*more));
		stats->histories = more;
	}
	stats->histories[n].id = arena_strdup(arena, id);
	stats->n_histories++;
	return &stats->histories[n];
}

static void add_to_histories(struct stats *stats, const struct usage_look *before, const struct usage_look *now)
{
	stats->elapsed += now->when - before->when;
	for (size_t i = 0; i < now->n; i++) {
		struct history *history = find_history(stats, now->rows[i].id);
		const struct usage *past = usage_find(before, &now->rows[i]);

		for (size_t c = 0; c < _USAGE_COLUMN_N; c++)
			usage_sum_add(&history->sums[c], c, past, &now->rows[i], now->when - before->when, stats->cpus);
	}
}

static int show_reports(struct stats *stats, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	auto_str text = STR_INIT;
	struct grid grid = {
	    .key = "report",
	    .is_report = true,
	    .elapsed = stats->elapsed,
	    .rows = arena_array(&arena, struct row, stats->n_histories),
	    .n = stats->n_histories,
	};

	for (size_t report = 0; report < _USAGE_REPORT_N; report++) {
		if (!stats->reports[report])
			continue;
		grid.report = (enum usage_report)report;
		grid.label = usage_reports[report];
		for (size_t i = 0; i < grid.n; i++) {
			grid.rows[i].id = stats->histories[i].id;
			for (size_t c = 0; c < _USAGE_COLUMN_N; c++)
				grid.rows[i].values[c] = usage_sum_value(&stats->histories[i].sums[c], report);
		}
		if (text.size && stats->options->format == STATS_TABLE)
			str_add(&text, "\n");
		print_grid(stats, &grid, &text);
	}
	return output_write(str_peek(&text), e);
}

/* ---- all of it ---- */

static int64_t find_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int follow(struct stats *stats, struct screen *screen, char **ids, size_t n_ids, struct usage_look *before,
		  struct usage_look *now, struct error *e)
{
	const struct stats_options *o = stats->options;
	enum screen_event event = SCREEN_TIME;
	bool quiet = stats->any_report, alone = o->once || quiet;
	int64_t end, next;
	int key, r = usage_read(&stats->call->runtime, ids, n_ids, true, before, e);

	if (!r && screen->terminal && o->format == STATS_TABLE && !alone)
		r = show_look(stats, screen, NULL, before, true, e);
	end = o->duration ? before->when + o->duration : INT64_MAX;
	next = before->when;
	while (!r && event != SCREEN_END && next < end) {
		struct usage_look last;

		next = find_min(next + stats->interval, end);
		do
			r = screen_wait(screen, next, &event, &key, e);
		while (!r && event != SCREEN_TIME && event != SCREEN_END);
		if (r || (event == SCREEN_END && !quiet))
			break;
		r = usage_read(&stats->call->runtime, ids, n_ids, false, now, e);
		if (r)
			break;
		if (n_ids && !now->n) /* all have ended */
			event = SCREEN_END;
		add_to_histories(stats, before, now);
		if (o->once)
			next = end;
		if (!quiet && (now->n || !n_ids))
			r = show_look(stats, screen, before, now, next < end, e);
		last = *before;
		*before = *now;
		*now = last;
	}
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct stats_options *o = options;
	struct stats stats = {.call = call, .options = o, .interval = o->interval, .cpus = usage_cpus()};
	struct usage_look before = USAGE_LOOK_INIT, now = USAGE_LOOK_INIT;
	auto_screen screen = SCREEN_INIT;
	int r = parse_options(&stats, e);

	if (!r)
		r = usage_check_interval(&stats.interval, e);
	if (!r && o->once && o->duration)
		r = error_refuse(e, ERROR_USAGE, "--once and --duration exclude each other");
	if (!r)
		r = match_running(call, &o->each, operands, n, &operands, &n, e);
	screen.plain = o->once || stats.any_report || o->format != STATS_TABLE;
	if (!r)
		r = screen_open(&screen, false, e);
	if (!r)
		r = follow(&stats, &screen, operands, n, &before, &now, e);
	for (size_t i = 0; r && i < n; i++)
		r = each_explain(call, operands[i], r, e);
	if (!r && stats.any_report)
		r = show_reports(&stats, e);
	usage_release(&before);
	usage_release(&now);
	return r;
}

const struct verb verb_stats = {
    .name = "stats",
    .summary = "show what containers use, again and again",
    .operands = "[ID|PATTERN...]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct stats_options, rows),
    .text = "Without an ID: all containers that run; patterns and labels stand for those that run now.\n"
	    "CPU% is of all CPUs of the host, CAP% of the container's own quota; THROTTLED is the time per second for\n"
	    "which the quota held it back; CPU-P, MEM-P and IO-P are the share of the time in which some process\n"
	    "waited, FULL in which all did.",
    .run = run,
};
