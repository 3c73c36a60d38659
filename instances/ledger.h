/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instance has used, kept for good: the file `ledger` in its folder, to which one line is added per interval
 * (LEDGER_INTERVAL) and one at every end.  A line is what was used since the line before, so sums over any time are sums of
 * lines; a line that a crash cut off is ignored.  What a crash of the host can lose is one interval.
 *
 * Lines: numbers with a blank between, in the order of struct ledger_use after begin and end (ns since 1970).
 */
#ifndef HOLM_INSTANCES_LEDGER_H
#define HOLM_INSTANCES_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "instances/instance.h"
#include "instances/ledger_place.h"

#define LEDGER_FILE "ledger"
#define LEDGER_INTERVAL INT64_C(60000000000)

extern const char *const ledger_keys[_LEDGER_N]; /* "runSeconds", "cpuSeconds", ...: JSON and CSV */

struct ledger_use {
	int64_t begin, end;
	double values[_LEDGER_N]; /* ns where the column says so */
};

/*
 * What was used since place, which is moved: the line that would be added now.  ended: with what its cgroup says at the end, which is
 * gone soon; else the container runs.  since: ns of CLOCK_BOOTTIME when the run began.
 */
void ledger_look(const struct runtime *runtime, const struct instance *instance, uint64_t since,
		 const struct cgroup_end *ended, struct ledger_place *place, struct ledger_use *ret);

/* The same, and adds the line; place is moved when it is there. */
int ledger_add(const struct runtime *runtime, const struct instance *instance, uint64_t since,
	       const struct cgroup_end *ended, struct ledger_place *place, struct error *e) must_check;

/* The sum of the lines that end in (from, to]; to 0: all. */
int ledger_sum(const struct instance *instance, int64_t from, int64_t to, struct ledger_use *ret,
	       struct error *e) must_check;

/* As if the line of the one stood beside those of the other. */
void ledger_add_use(struct ledger_use *sum, const struct ledger_use *use);

/* In the unit of its key: seconds instead of ns. */
double ledger_value(const struct ledger_use *use, enum ledger_column column);

#endif
