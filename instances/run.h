/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run of an instance: its folders run/ and log/ open, and what all who are part of it share (instances/shared.h).
 *
 * run/state carries two things: the shared page, and a lock (the place) that says that somebody stays.  The place is one of an
 * open file's, so it goes on with the descriptor across fork and execve; who has it is the keeper, or is about to be.
 *
 * Life: run_open(); auto_run releases.  Who wants to begin a run, or to put one right, takes the place first.  In run_begin.h is how
 * a run begins, in run_end.h how it ends.
 */
#ifndef HOLM_INSTANCES_RUN_H
#define HOLM_INSTANCES_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "instances/instance.h"
#include "instances/phase.h"
#include "instances/shared.h"

#define RUN_FOLDER "run"
#define LOG_FOLDER "log"

struct run {
	const struct runtime *runtime; /* borrowed, like the next */
	const struct instance *instance;
	struct spec spec; /* config.json */
	bool has_spec;
	int folder, log, state;
	struct shared *shared;
};

#define RUN_INIT ((struct run){.folder = -1, .log = -1, .state = -1})
void run_release(struct run *run);
#define auto_run __attribute__((cleanup(run_release))) struct run

/* create: missing parts are made; else -ENOENT without an error when it never ran. */
int run_open(struct run *run, const struct runtime *runtime, const struct instance *instance, bool create,
	     struct error *e) must_check;

/* config.json as it is now; a failure leaves none. */
int run_load_spec(struct run *run, struct error *e) must_check;

/* ---- the place ---- */

bool run_take_place(const struct run *run); /* false: somebody stays.  Ours: nobody else begins to */
bool run_is_taken(const struct run *run);   /* by another open file than ours */
void run_leave_place(const struct run *run);

/* Is what the shared page says of this boot? */
bool run_is_of_this_boot(const struct shared *shared);

/* ---- the log, by who has the place ---- */

/*
 * The place of the writer, of which a new instance has none, and the limits of config.json.  What a crash of the host left of run/state
 * may be older than the files are: these say which is the last.
 */
void run_prepare_log(struct run *run);

/* A line of holm's own. */
void run_say(struct run *run, const char *format, ...) printf_like(2, 3);

/* What is in the pipes when everybody who could write to them is gone; ours: the descriptors in shared are this process's. */
void run_take_rest(struct run *run, bool ours);

/* No descriptor is in shared any more; ours: they are closed. */
void run_forget_descriptors(struct run *run, bool ours);

/* ns of a clock. */
static inline int64_t run_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
