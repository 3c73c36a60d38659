/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What containers use, as rows and columns: what stats and top show.
 *
 * A look is one reading of all containers; a column's value comes from two looks (a rate per second, a share of the
 * time between them) or from the later one alone.  A value that is not known, or has no meaning for a container (the
 * share of a cap that it does not have), is NAN and shown as "-".
 *
 * Columns are one table, from which come the titles, the names that --sort and --columns take, the keys of JSON and CSV,
 * the units, and what a report makes of them.
 */
#ifndef HOLM_CMD_USAGE_H
#define HOLM_CMD_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "runtime/container.h"
#include "spec/json.h"

/* One container at one look. */
struct usage {
	const char *id;
	pid_t pid;
	enum container_status status;
	struct cgroup_stats stats;
	bool has_cgroup;
	bool has_network; /* one of its own */
	uint64_t received, sent;
};

/* All containers, by id. */
struct usage_look {
	struct arena arena;
	struct usage *rows;
	size_t n;
	int64_t when; /* ns of the monotonic clock */
};

#define USAGE_LOOK_INIT ((struct usage_look){0})

/*
 * Reads the containers named, or all that run.  One that is named and has stopped or is not there fails if strict, else it
 * is left out, as is one whose record can't be read.  The old contents of *look are released.
 */
int usage_read(const struct runtime *runtime, char **ids, size_t n_ids, bool strict, struct usage_look *look,
	       struct error *e) must_check;
void usage_release(struct usage_look *look);

/* The row of a container in another look, NULL: it isn't in there, or is another process now. */
const struct usage *usage_find(const struct usage_look *look, const struct usage *row);

enum usage_column {
	USAGE_CPU, /* percent of all CPUs of the host */
	USAGE_CAP, /* percent of cpu.quota */
	USAGE_THROTTLED,
	USAGE_MEMORY,
	USAGE_PEAK,
	USAGE_LIMIT,
	USAGE_SWAP,
	USAGE_PIDS,
	USAGE_READ,
	USAGE_WRITE,
	USAGE_IN,
	USAGE_OUT,
	USAGE_CPU_SOME,
	USAGE_CPU_FULL,
	USAGE_MEMORY_SOME,
	USAGE_MEMORY_FULL,
	USAGE_IO_SOME,
	USAGE_IO_FULL,
	_USAGE_COLUMN_N
};

/* The columns' names, and after them "id". */
enum { USAGE_SORT_ID = _USAGE_COLUMN_N, _USAGE_SORT_N };
extern const char *const usage_names[_USAGE_SORT_N];

const char *usage_title(enum usage_column column);

/* before NULL: no earlier look.  elapsed: ns between the two. */
double usage_value(enum usage_column column, const struct usage *before, const struct usage *now, int64_t elapsed,
		   unsigned cpus);

/* As people read it: "12.3", "1.5M", "250ms", "-"; in at most 8 characters. */
void usage_format(enum usage_column column, double value, struct str *out);

/* As programs read it; NAN is null. */
void usage_put(struct json_writer *json, enum usage_column column, double value);

/* ---- over a longer time ---- */

/* One column of one container, over many looks. */
struct usage_sum {
	double weighted, time, high, total; /* total NAN: has no meaning */
};

enum usage_report { USAGE_AVERAGE, USAGE_HIGH, USAGE_TOTAL, _USAGE_REPORT_N };

extern const char *const usage_reports[_USAGE_REPORT_N];

/* Adds what lies between two looks. */
void usage_sum_add(struct usage_sum *sum, enum usage_column column, const struct usage *before, const struct usage *now,
		   int64_t elapsed, unsigned cpus);
double usage_sum_value(const struct usage_sum *sum, enum usage_report report);

/* Of a total: CPU and throttled time, and bytes rather than bytes per second. */
void usage_format_total(enum usage_column column, double value, struct str *out);

/* ---- numbers ---- */

/* "0", "999", "1.5K", "12.3M", "512G": bytes, powers of 1024; "none" for CGROUP_UNLIMITED. */
void usage_format_bytes(double bytes, struct str *out);

/* 0 becomes the usual second.  A look costs a few system calls for each container: no more than 100 in a second. */
int usage_check_interval(int64_t *interval, struct error *e) must_check;

/* The refusal of a word of --option that is none of names. */
int usage_refuse_name(const char *option, const char *word, size_t size, const char *const *names, size_t n,
		      struct error *e);

/* "0", "15us", "250ms", "1.5s", "12m", "3.5h" of nanoseconds. */
void usage_format_time(double ns, struct str *out);

/* CPUs of the host that are on. */
unsigned usage_cpus(void);

#endif
