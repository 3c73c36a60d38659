/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "storage/root.h"

enum { THAW_TRIES = 100 };

int quiet_open(const struct runtime *runtime, const char *name, struct instance *ret, struct store *ret_store,
	       struct error *e)
{
	int r = instance_open(runtime, name, ret, e);

	if (!r)
		r = instance_lock(ret, e);
	if (!r)
		r = store_open(runtime->data, false, ret_store, e);
	if (r)
		return r;
	ret_store->rootless = runtime->rootless;
	if (!root_exists(ret->folder))
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "instance '%s' writes to a root file system that holm does not keep (no image, and "
				    "no holm.storage, in its config.json)",
				    name);
	return 0;
}

int quiet_look(const struct runtime *runtime, const struct instance *instance, struct quiet *ret, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct container_state state;
	int r = container_state(runtime, instance->name, &arena, &state, e);

	*ret = QUIET_INIT;
	ret->runtime = runtime;
	ret->name = instance->name;
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	/* Somebody else's container of that name is none of ours. */
	if (state.status == CONTAINER_STOPPED || !str_equal(state.bundle, instance->path))
		return 0;
	if (state.status == CONTAINER_CREATING)
		return error_refuse(e, ERROR_STATE, "instance '%s' is being started", instance->name);
	ret->runs = true;
	ret->pid = state.pid;
	return 0;
}

_Noreturn static void guard(const struct quiet *q, int pipe)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	struct error e;
	sigset_t all;
	char done;
	ssize_t n;

	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	do
		n = read(pipe, &done, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	/* Freezing takes its time: who was killed in the midst of it has left something that is frozen only a moment later. */
	for (int i = 0; i < THAW_TRIES; i++) {
		if (!container_resume(q->runtime, q->name, &e))
			_exit(EXIT_SUCCESS);
		if (e.kind != ERROR_STATE)
			break;
		nanosleep(&pause, NULL);
	}
	_exit(EXIT_FAILURE);
}

static int start_guard(struct quiet *q, struct error *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_system(e, errno, "make a pipe");
	q->guard = fork();
	if (!q->guard) {
		fd_close(ends[1]);
		guard(q, ends[0]);
	}
	fd_close(ends[0]);
	q->alive = ends[1];
	if (q->guard > 0)
		return 0;
	q->guard = 0;
	q->alive = fd_close(q->alive);
	return error_system(e, errno, "fork");
}

/* thawed: nothing is left to do for it. */
static int end_guard(struct quiet *q, bool thawed)
{
	int status = 0;

	if (!q->guard)
		return 0;
	if (thawed && write(q->alive, "d", 1) < 0)
		log_debug("the guard of '%s' is gone", q->name);
	q->alive = fd_close(q->alive);
	while (waitpid(q->guard, &status, 0) < 0 && errno == EINTR)
		;
	q->guard = 0;
	return status;
}

/* Nothing to do where it ended since it was looked at, or is paused by somebody else. */
static int freeze(struct quiet *q, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct container_state state;
	int r = container_state(q->runtime, q->name, &arena, &state, e);

	if (r || state.status != CONTAINER_RUNNING)
		return r;
	r = start_guard(q, e);
	if (r)
		return r;
	r = container_pause(q->runtime, q->name, e);
	if (r)
		end_guard(q, false);
	return r;
}

int quiet_end(struct quiet *q, struct error *e)
{
	int r;

	if (!q->guard)
		return 0;
	r = container_resume(q->runtime, q->name, e);
	if (end_guard(q, !r) && r)
		return r;
	return 0;
}

static int stop(void *data, struct error *e)
{
	return freeze(data, e);
}

static int go(void *data, struct error *e)
{
	return quiet_end(data, e);
}

struct copy_pause quiet_pause(struct quiet *quiet)
{
	return (struct copy_pause){.stop = stop, .go = go, .data = quiet};
}
