/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top: the containers that run, on the whole terminal, with the recent past of each.
 */
#include "cmd/verbs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/match.h"
#include "cmd/screen.h"
#include "cmd/sparkline.h"
#include "cmd/usage.h"

struct top_options {
	int64_t interval; /* ns */
	const char *sort;
	struct each_options each;
};

static const struct option rows[] = {
    OPTION(struct top_options, interval, "interval", 'i', DURATION, "TIME", "time between two looks (1s)"),
    OPTION(struct top_options, sort, "sort", 's', STRING, "COLUMN", "column to sort by at first (cpu)"),
    EACH_LABEL(struct top_options),
};

#define SECOND INT64_C(1000000000)

enum { HEAD_ROWS = 3, ID_WIDTH = 16, ID_MAX = 32, SHORTEST_MS = 100, LONGEST_S = 60 };

/* The recent past of one container. */
struct trace {
	const char *id;
	pid_t pid;
	struct sparkline cpu, memory;
	bool seen; /* in the last look */
};

struct line {
	const struct usage *usage;
	const struct trace *trace;
	double values[_USAGE_COLUMN_N];
};

struct top {
	const struct invocation *call;
	struct screen screen;
	char **ids;
	size_t n_ids;
	struct usage_look before, now;
	struct trace *traces;
	size_t n_traces;
	struct arena lines_arena;
	struct line *lines;
	size_t n_lines, first; /* first: the one on top */
	int64_t interval;
	int sort; /* enum usage_column or USAGE_SORT_ID */
	unsigned cpus;
	bool reverse, paused, colour, wide_characters;
};

/* What is shown after the id, from left to right, and the key that sorts by it. */
static const struct {
	enum usage_column column;
	int width;
	int key;
	enum { NO_SPARKLINE, SPARKLINE_CPU, SPARKLINE_MEMORY } sparkline; /* after it */
} shown[] = {
    {USAGE_CPU, 6, 'c', SPARKLINE_CPU},	      {USAGE_CAP, 6, 'a', NO_SPARKLINE},
    {USAGE_MEMORY, 7, 'm', SPARKLINE_MEMORY}, {USAGE_LIMIT, 7, 'l', NO_SPARKLINE},
    {USAGE_PIDS, 6, 'p', NO_SPARKLINE},	      {USAGE_READ, 7, 'r', NO_SPARKLINE},
    {USAGE_WRITE, 8, 'w', NO_SPARKLINE},      {USAGE_IN, 7, 'i', NO_SPARKLINE},
    {USAGE_OUT, 7, 'o', NO_SPARKLINE},	      {USAGE_THROTTLED, 10, 't', NO_SPARKLINE},
    {USAGE_CPU_SOME, 6, '1', NO_SPARKLINE},   {USAGE_MEMORY_SOME, 6, '2', NO_SPARKLINE},
    {USAGE_IO_SOME, 6, '3', NO_SPARKLINE},    {USAGE_SWAP, 7, 's', NO_SPARKLINE},
};

/* ---- the past ---- */

static struct trace *find_trace(struct top *top, const struct usage *usage)
{
	for (size_t i = 0; i < top->n_traces; i++)
		if (top->traces[i].pid == usage->pid && str_equal(top->traces[i].id, usage->id))
			return &top->traces[i];
	return NULL;
}

/* The traces of the containers of this look, in a new array: those of others go. */
static void add_samples(struct top *top, struct arena *arena)
{
	struct trace *traces = arena_array(arena, struct trace, top->now.n);

	for (size_t i = 0; i < top->now.n; i++) {
		const struct usage *usage = &top->now.rows[i];
		const struct usage *past = usage_find(&top->before, usage);
		const struct trace *old = find_trace(top, usage);
		int64_t elapsed = top->now.when - top->before.when;

		if (old)
			traces[i] = *old;
		traces[i].id = usage->id;
		traces[i].pid = usage->pid;
		sparkline_add(&traces[i].cpu, usage_value(USAGE_CPU, past, usage, elapsed, top->cpus));
		sparkline_add(&traces[i].memory, usage_value(USAGE_MEMORY, past, usage, elapsed, top->cpus));
		for (size_t c = 0; c < _USAGE_COLUMN_N; c++)
			top->lines[i].values[c] = usage_value(c, past, usage, elapsed, top->cpus);
		top->lines[i].usage = usage;
		top->lines[i].trace = &traces[i];
	}
	top->traces = traces;
	top->n_traces = top->now.n;
}

static int look(struct top *top, bool strict, struct error *e)
{
	struct usage_look last = top->before;
	struct arena arena = ARENA_INIT;
	int r;

	top->before = top->now;
	top->now = last;
	r = usage_read(&top->call->runtime, top->ids, top->n_ids, strict, &top->now, e);
	if (r)
		return r;
	top->lines = arena_array(&arena, struct line, top->now.n);
	top->n_lines = top->now.n;
	add_samples(top, &arena);
	arena_release(&top->lines_arena);
	top->lines_arena = arena;
	return 0;
}

/* ---- drawing ---- */

static int by_value(const void *a, const void *b, void *data)
{
	const struct line *x = a, *y = b;
	const struct top *top = data;
	double v = 0, w = 0;
	int r;

	if (top->sort < _USAGE_COLUMN_N) {
		v = isnan(x->values[top->sort]) ? -1 : x->values[top->sort];
		w = isnan(y->values[top->sort]) ? -1 : y->values[top->sort];
	}
	r = v > w ? -1 : v < w ? 1 : strcmp(x->usage->id, y->usage->id);
	return top->reverse ? -r : r;
}

#define PLAIN "\033[0m"
#define BOLD "\033[1m"
#define REVERSED "\033[7m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"

/* How near a value is to what it may be at most; NULL: nothing to worry about. */
static const char *find_colour(const struct line *line, enum usage_column column)
{
	double value = line->values[column], share = value;

	if (column == USAGE_MEMORY)
		share = value / line->values[USAGE_LIMIT] * 100;
	else if (column == USAGE_PIDS)
		share = line->usage->stats.pids.limit == CGROUP_UNLIMITED
			    ? 0
			    : value / (double)line->usage->stats.pids.limit * 100;
	else if (column == USAGE_THROTTLED)
		share = value > 0 ? 80 : 0;
	else if (column == USAGE_CPU_SOME || column == USAGE_MEMORY_SOME || column == USAGE_IO_SOME)
		share = value * 2;
	else if (column != USAGE_CPU && column != USAGE_CAP)
		return NULL;
	if (!(share >= 75)) /* NAN too */
		return NULL;
	return share >= 95 ? RED : YELLOW;
}

static void put_cell(const struct top *top, const struct line *line, size_t i, struct str *out)
{
	const char *colour = top->colour ? find_colour(line, shown[i].column) : NULL;
	auto_str cell = STR_INIT;

	usage_format(shown[i].column, line->values[shown[i].column], &cell);
	str_addf(out, " %s%*s%s", colour ? colour : "", shown[i].width, str_peek(&cell), colour ? PLAIN : "");
}

static void put_sparkline(const struct top *top, const struct line *line, size_t i, struct str *out)
{
	double full;

	if (shown[i].sparkline == NO_SPARKLINE)
		return;
	str_add(out, " ");
	if (shown[i].sparkline == SPARKLINE_MEMORY) {
		sparkline_print(&line->trace->memory, line->values[USAGE_LIMIT], top->wide_characters, out);
		return;
	}
	full = line->values[USAGE_CPU] / line->values[USAGE_CAP] * 100; /* the cap, as a share of the host */
	sparkline_print(&line->trace->cpu, full, top->wide_characters, out);
}

static size_t find_id_width(const struct top *top)
{
	size_t width = ID_WIDTH;

	for (size_t i = 0; i < top->n_lines; i++)
		if (strlen(top->lines[i].usage->id) > width)
			width = strlen(top->lines[i].usage->id);
	return width < ID_MAX ? width : ID_MAX;
}

static void put_head(const struct top *top, struct str *out)
{
	double cpu = 0, memory = 0;
	time_t now = time(NULL);
	struct tm parts;
	char text[16] = "";

	for (size_t i = 0; i < top->n_lines; i++) {
		cpu += isnan(top->lines[i].values[USAGE_CPU]) ? 0 : top->lines[i].values[USAGE_CPU];
		memory += isnan(top->lines[i].values[USAGE_MEMORY]) ? 0 : top->lines[i].values[USAGE_MEMORY];
	}
	if (localtime_r(&now, &parts))
		strftime(text, sizeof(text), "%H:%M:%S", &parts);
	str_addf(out, "%sholm top%s  %s  %zu %s  CPU %.1f%% of %u  memory ", top->colour ? BOLD : "",
		 top->colour ? PLAIN : "", text, top->n_lines, top->n_lines == 1 ? "container" : "containers", cpu,
		 top->cpus);
	usage_format_bytes(memory, out);
	str_add(out, "  every ");
	usage_format_time((double)top->interval, out);
	str_addf(out, "%s\n", top->paused ? "  (stopped: space goes on)" : "");
	str_add(out, "q quit  space stop  up down scroll  left right sort  n by id  v reverse  + - interval\n");
}

/* The column that is sorted by stands out, and names its key. */
static void put_titles(const struct top *top, size_t id_width, struct str *out)
{
	const char *on = top->colour ? REVERSED : "", *off = top->colour ? PLAIN : "";

	str_addf(out, "%s%-*s", top->sort == USAGE_SORT_ID ? on : "", (int)id_width, "ID");
	str_add(out, top->sort == USAGE_SORT_ID ? off : "");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		bool chosen = (int)shown[i].column == top->sort;
		auto_str title = STR_INIT;

		str_addf(&title, "%s%s", !top->colour && chosen ? "*" : "", usage_title(shown[i].column));
		str_addf(out, " %s%*s%s", chosen ? on : "", shown[i].width, str_peek(&title), chosen ? off : "");
		if (shown[i].sparkline != NO_SPARKLINE)
			str_addf(out, " %*s", SPARKLINE_WIDTH, "");
	}
	str_add(out, "\n");
}

static void put_line(const struct top *top, const struct line *line, size_t id_width, struct str *out)
{
	bool dim = top->colour && line->usage->status != CONTAINER_RUNNING;

	str_addf(out, "%s%-*.*s%s", dim ? DIM : "", (int)id_width, (int)id_width, line->usage->id, dim ? PLAIN : "");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		put_cell(top, line, i, out);
		put_sparkline(top, line, i, out);
	}
	str_add(out, "\n");
}

static size_t find_page(const struct top *top)
{
	return top->screen.rows > HEAD_ROWS + 1 ? top->screen.rows - HEAD_ROWS : 1;
}

static int draw(struct top *top, struct error *e)
{
	size_t page = find_page(top), id_width = find_id_width(top);
	auto_str out = STR_INIT;

	if (top->n_lines)
		qsort_r(top->lines, top->n_lines, sizeof(*top->lines), by_value, top);
	if (top->first + page > top->n_lines)
		top->first = top->n_lines > page ? top->n_lines - page : 0;
	put_head(top, &out);
	put_titles(top, id_width, &out);
	for (size_t i = top->first; i < top->n_lines && i < top->first + page; i++)
		put_line(top, &top->lines[i], id_width, &out);
	return screen_draw(&top->screen, str_peek(&out), e);
}

/* ---- keys ---- */

/* Sorts by the next column to the left or the right; the id is left of all. */
static void move_sort(struct top *top, int step)
{
	int n = ARRAY_SIZE(shown) + 1, at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if ((int)shown[i].column == top->sort)
			at = (int)i + 1;
	at = (at + step + n) % n;
	top->sort = at ? (int)shown[at - 1].column : USAGE_SORT_ID;
}

static void scroll(struct top *top, long by)
{
	long first = (long)top->first + by;

	top->first = first < 0 ? 0 : (size_t)first; /* drawing keeps it from running past the end */
}

static void change_interval(struct top *top, bool longer)
{
	int64_t interval = longer ? top->interval * 2 : top->interval / 2;

	if (interval >= SHORTEST_MS * INT64_C(1000000) && interval <= LONGEST_S * SECOND)
		top->interval = interval;
}

/* Returns whether to go on. */
static bool take_key(struct top *top, int key)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (shown[i].key == key)
			top->sort = (int)shown[i].column;
	switch (key) {
	case 'q':
		return false;
	case 'n':
		top->sort = USAGE_SORT_ID;
		break;
	case 'v':
		top->reverse = !top->reverse;
		break;
	case ' ':
		top->paused = !top->paused;
		break;
	case '+':
	case '-':
		change_interval(top, key == '+');
		break;
	case '<':
	case SCREEN_LEFT:
		move_sort(top, -1);
		break;
	case '>':
	case SCREEN_RIGHT:
		move_sort(top, 1);
		break;
	case SCREEN_UP:
	case SCREEN_DOWN:
		scroll(top, key == SCREEN_UP ? -1 : 1);
		break;
	case SCREEN_PAGE_UP:
	case SCREEN_PAGE_DOWN:
		scroll(top, key == SCREEN_PAGE_UP ? -(long)find_page(top) : (long)find_page(top));
		break;
	}
	return true;
}

/* ---- all of it ---- */

static int follow(struct top *top, struct error *e)
{
	int64_t next = top->now.when;
	enum screen_event event;
	int key, r = draw(top, e);

	while (!r) {
		r = screen_wait(&top->screen, top->paused ? INT64_MAX : next + top->interval, &event, &key, e);
		if (r || event == SCREEN_END)
			return r;
		if (event == SCREEN_KEY && !take_key(top, key))
			return 0;
		if (event == SCREEN_TIME) {
			r = look(top, false, e);
			next = top->now.when;
		}
		if (!r)
			r = draw(top, e);
		if (top->n_ids && !top->n_lines) /* all that were named have ended */
			return r;
	}
	return r;
}

static int find_sort(const char *name, int *ret, struct error *e)
{
	*ret = USAGE_CPU;
	for (int i = 0; name && i < _USAGE_SORT_N; i++) {
		*ret = i;
		if (str_equal(usage_names[i], name))
			return 0;
	}
	return name ? usage_refuse_name("sort", name, strlen(name), usage_names, _USAGE_SORT_N, e) : 0;
}

static void release(struct top *top)
{
	screen_close(&top->screen);
	usage_release(&top->before);
	usage_release(&top->now);
	arena_release(&top->lines_arena);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct top_options *o = options;
	const char *no_colour = getenv("NO_COLOR");
	__attribute__((cleanup(release))) struct top top = {
	    .call = call,
	    .screen = SCREEN_INIT,
	    .interval = o->interval,
	    .cpus = usage_cpus(),
	    .colour = !no_colour || !*no_colour,
	    .wide_characters = sparkline_has_blocks(),
	};
	int r = find_sort(o->sort, &top.sort, e);

	if (!r)
		r = usage_check_interval(&top.interval, e);
	if (!r)
		r = match_running(call, &o->each, operands, n, &top.ids, &top.n_ids, e);
	if (!r)
		r = look(&top, true, e);
	if (!r)
		r = screen_open(&top.screen, true, e);
	return r ? r : follow(&top, e);
}

const struct verb verb_top = {
    .name = "top",
    .summary = "show what containers use, on the whole terminal",
    .operands = "[ID|PATTERN...]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct top_options, rows),
    .text =
	"Keys: c a m l p r w i o t 1 2 3 s sort by CPU, cap, memory, limit, processes, reads, writes, network in and\n"
	"out, throttled time, pressure of CPU, memory and I/O, swap; n sorts by id, the arrows left and right by the "
	"next\n"
	"column, v turns the order round; up and down scroll; + and - change the interval, space stops it; q ends.",
    .run = run,
};
