/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "instances/select.h"

enum { PARALLEL_DEFAULT = 8, PARALLEL_MAX = 256 };

typedef int work_fn(struct invocation *call, struct instance *instance, const void *data, struct error *e);

struct job {
	enum { JOB_WAITS, JOB_RUNS, JOB_DONE, JOB_FAILED } state;
	pid_t pid;
	int result;	  /* a pipe: struct error, or nothing */
	int64_t ready_at; /* monotonic ns: not before, because of delays */
};

struct schedule {
	struct invocation *call;
	const struct selection *selection;
	struct select_order *order; /* who waits for whom, turned around for EACH_BACKWARD */
	struct job *jobs;
	bool strict; /* who waits for one that failed fails, too */
	work_fn *work;
	const void *data;
	size_t n_running, n_failed;
	bool delayed; /* somebody waits for nothing but the time */
	struct error last;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int work_on(struct invocation *call, const char *name, work_fn *work, const void *data, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	int r = instance_open(&call->runtime, name, &i, e);

	return r ? r : work(call, &i, data, e);
}

/* Several failures are lines of their own; main prints the sum. */
static void fail(struct schedule *s, size_t index, const struct error *e)
{
	char text[ERROR_TEXT_SIZE + 128];

	s->jobs[index].state = JOB_FAILED;
	s->n_failed++;
	s->last = *e;
	if (s->selection->n > 1)
		fprintf(stderr, "%s: %s\n", s->selection->names[index], error_format(e, text, sizeof(text)));
}

static void run_child(struct schedule *s, size_t index, int result)
{
	struct error e = ERROR_INIT;

	int r = work_on(s->call, s->selection->names[index], s->work, s->data, &e);

	if (r && write(result, &e, sizeof(e)) != sizeof(e))
		_exit(2);
	fflush(stdout);
	_exit(r != 0);
}

static void begin(struct schedule *s, size_t index)
{
	struct job *job = &s->jobs[index];
	struct error e = ERROR_INIT;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC)) {
		(void)!error_system(&e, errno, "make a pipe");
		fail(s, index, &e);
		return;
	}
	fflush(stdout);
	job->pid = fork();
	if (!job->pid)
		run_child(s, index, ends[1]);
	fd_close(ends[1]);
	if (job->pid < 0) {
		(void)!error_system(&e, errno, "fork");
		fd_close(ends[0]);
		fail(s, index, &e);
		return;
	}
	job->result = ends[0];
	job->state = JOB_RUNS;
	s->n_running++;
}

static void finish(struct schedule *s, size_t index, int status)
{
	struct job *job = &s->jobs[index];
	struct error e = ERROR_INIT;

	s->n_running--;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		job->state = JOB_DONE;
	} else {
		if (read(job->result, &e, sizeof(e)) != sizeof(e))
			(void)!error_bug(&e, "the process that worked on it ended with wait status %d", status);
		fail(s, index, &e);
	}
	job->result = fd_close(job->result);
	for (size_t i = 0; i < s->selection->n; i++)
		for (size_t k = 0; k < s->order[i].n_after; k++)
			if (s->order[i].after[k] == index && s->order[index].delay)
				s->jobs[i].ready_at = now() + s->order[index].delay;
}

/* Can it begin?  It may find out that it never will. */
static bool is_ready(struct schedule *s, size_t index)
{
	for (size_t k = 0; k < s->order[index].n_after; k++) {
		size_t other = s->order[index].after[k];
		struct error e = ERROR_INIT;

		if (s->jobs[other].state == JOB_FAILED && s->strict) {
			(void)!error_refuse(&e, ERROR_STATE, "left out, because it comes after '%s', which failed",
					    s->selection->names[other]);
			fail(s, index, &e);
			return false;
		}
		if (s->jobs[other].state < JOB_DONE)
			return false;
	}
	if (s->jobs[index].ready_at <= now())
		return true;
	s->delayed = true;
	return false;
}

/* flags: WNOHANG or 0.  -1: there is nobody to wait for. */
static int reap(struct schedule *s, int flags)
{
	int status;
	pid_t pid = waitpid(-1, &status, flags);

	if (pid < 0)
		return errno == EINTR ? 0 : -1;
	for (size_t i = 0; i < s->selection->n; i++)
		if (s->jobs[i].state == JOB_RUNS && s->jobs[i].pid == pid)
			finish(s, i, status);
	return 0;
}

static void run_all(struct schedule *s, unsigned parallel)
{
	for (;;) {
		size_t waiting = 0;

		s->delayed = false;
		for (size_t i = 0; i < s->selection->n; i++) {
			if (s->jobs[i].state != JOB_WAITS)
				continue;
			if (s->n_running < parallel && is_ready(s, i))
				begin(s, i);
			waiting += s->jobs[i].state == JOB_WAITS;
		}
		if (!s->n_running && !waiting)
			return;
		if (s->delayed || !s->n_running)
			nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		if (s->n_running && reap(s, s->delayed ? WNOHANG : 0))
			return;
	}
}

/* Who was waited for waits. */
static struct select_order *turn_around(const struct select_order *order, size_t n, struct arena *arena)
{
	struct select_order *turned = arena_array(arena, struct select_order, n + 1);
	size_t *counts = arena_array(arena, size_t, n + 1);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < order[i].n_after; k++)
			counts[order[i].after[k]]++;
	for (size_t i = 0; i < n; i++)
		turned[i].after = arena_array(arena, size_t, counts[i]);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < order[i].n_after; k++) {
			struct select_order *other = &turned[order[i].after[k]];

			other->after[other->n_after++] = i;
		}
	return turned;
}

static int sum_up(const struct schedule *s, struct error *e)
{
	if (!s->n_failed)
		return 0;
	if (s->selection->n == 1) {
		*e = s->last;
		return error_return(e);
	}
	return error_refuse(e, s->last.kind, "%zu of %zu instances failed", s->n_failed, s->selection->n);
}

static int select_asked(struct invocation *call, const struct each_options *options, char **patterns, size_t n_patterns,
			struct selection *ret, struct error *e)
{
	const struct select_request request = {
	    .patterns = (const char *const *)patterns,
	    .n_patterns = n_patterns,
	    .labels = options->labels,
	    .n_labels = options->n_labels,
	    .all = options->all,
	};

	return select_instances(&call->runtime, &request, call->arena, ret, e);
}

int each_select(struct invocation *call, const struct each_options *options, char **patterns, size_t n_patterns,
		const char *const **ret, size_t *ret_n, struct error *e)
{
	struct selection selection;
	int r = select_asked(call, options, patterns, n_patterns, &selection, e);

	if (r)
		return r;
	*ret = selection.names;
	*ret_n = selection.n;
	return 0;
}

int each_refuse_many(const char *operand, const char *const *names, size_t n, struct error *e)
{
	auto_str list = STR_INIT;

	for (size_t i = 0; i < n && i < 8; i++)
		str_addf(&list, "%s'%s'", i ? ", " : "", names[i]);
	return error_refuse(e, ERROR_USAGE, "'%s' stands for %s%s: this verb takes one of them", operand,
			    str_peek(&list), n > 8 ? " ..." : "");
}

int each_one(struct invocation *call, const char *operand, const char **ret, struct error *e)
{
	char *pattern = (char *)operand;
	const char *const *names;
	size_t n;
	int r;

	*ret = operand;
	if (!select_is_pattern(operand))
		return 0;
	r = each_select(call, &(const struct each_options){0}, &pattern, 1, &names, &n, e);
	if (r)
		return r;
	*ret = names[0];
	return n == 1 ? 0 : each_refuse_many(operand, names, n, e);
}

int each_instance(struct invocation *call, const struct each_options *options, char **patterns, size_t n_patterns,
		  enum each_order order, work_fn *work, const void *data, struct error *e)
{
	unsigned parallel = options->parallel ? options->parallel : PARALLEL_DEFAULT;
	struct selection selection;
	struct schedule s = {.call = call,
			     .selection = &selection,
			     .work = work,
			     .data = data,
			     .strict = order == EACH_FORWARD,
			     .last = ERROR_INIT};
	int r = select_asked(call, options, patterns, n_patterns, &selection, e);

	if (r)
		return r;
	if (selection.n == 1)
		return work_on(call, selection.names[0], work, data, e);
	s.jobs = arena_array(call->arena, struct job, selection.n + 1);
	if (order != EACH_ALONE && order != EACH_ANY_ORDER)
		r = select_sort(&call->runtime, &selection, call->arena, &s.order, e);
	/* Who waits for each other in a circle can't begin, but has to end. */
	if (r && order == EACH_BACKWARD && e->kind == ERROR_INVALID) {
		*e = ERROR_INIT;
		order = EACH_ANY_ORDER;
		r = 0;
	}
	if (order == EACH_ALONE || order == EACH_ANY_ORDER)
		s.order = arena_array(call->arena, struct select_order, selection.n + 1);
	if (r)
		return r;
	if (order == EACH_BACKWARD)
		s.order = turn_around(s.order, selection.n, call->arena);
	if (order == EACH_ALONE) {
		for (size_t i = 0; i < selection.n; i++) {
			struct error one = ERROR_INIT;

			if (work_on(call, selection.names[i], work, data, &one))
				fail(&s, i, &one);
		}
		return sum_up(&s, e);
	}
	run_all(&s, parallel < PARALLEL_MAX ? parallel : PARALLEL_MAX);
	return sum_up(&s, e);
}

bool each_is_container(struct invocation *call, const char *name)
{
	auto_instance i = INSTANCE_INIT;
	struct error ignored;

	if (!invocation_has_instances(call))
		return true;
	return !select_is_pattern(name) && instance_find(&call->runtime, name, &i, &ignored) == 1;
}

/* What is called alike; NULL: nothing. */
static const char *find_alike(struct invocation *call, const char *name)
{
	const char *const *names;
	struct error ignored;
	size_t n;

	if (instances_names(&call->runtime, call->arena, &names, &n, &ignored))
		return NULL;
	return str_closest(name, names, n);
}

int each_explain(struct invocation *call, const char *name, int r, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	struct error ignored;
	const char *alike;
	int found;

	if (!r || e->kind != ERROR_NOT_FOUND || !invocation_has_instances(call))
		return r;
	if (!container_state(&call->runtime, name, call->arena, &(struct container_state){0}, &ignored) ||
	    ignored.kind != ERROR_NOT_FOUND)
		return r;
	found = instance_find(&call->runtime, name, &i, &ignored);
	if (!found)
		return error_refuse(e, ERROR_STATE, "instance '%s' is not running: 'holm start %s'", name, name);
	alike = found > 0 ? find_alike(call, name) : NULL;
	return alike ? error_refuse(e, ERROR_NOT_FOUND, "container '%s': container does not exist; did you mean '%s'?",
				    name, alike)
		     : r;
}
