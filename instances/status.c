/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/status.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/config.h"

static const char *const status_names[_INSTANCE_STATUS_N] = {
    [INSTANCE_STOPPED] = "stopped", [INSTANCE_FAILED] = "failed", [INSTANCE_STARTING] = "starting",
    [INSTANCE_RUNNING] = "running", [INSTANCE_PAUSED] = "paused", [INSTANCE_RESTARTING] = "restarting",
};

const char *instance_status_name(enum instance_status status)
{
	return status_names[status];
}

static int find_container(const struct runtime *runtime, const struct instance *i, struct arena *arena,
			  struct instance_state *state, struct error *e)
{
	struct error broken;
	int r = container_state(runtime, i->name, arena, &state->container, &broken);

	if (!r)
		state->has_container = str_equal(state->container.bundle, i->path);
	else if (broken.kind != ERROR_NOT_FOUND && broken.kind != ERROR_STATE && broken.kind != ERROR_INVALID) {
		*e = broken;
		return r;
	} else if (broken.kind != ERROR_NOT_FOUND) { /* its creator is at work, or died */
		state->status = INSTANCE_STARTING;
	}
	return 0;
}

static enum instance_status derive(const struct instance_state *state)
{
	enum container_status status = state->has_container ? state->container.status : CONTAINER_STOPPED;

	if (status == CONTAINER_RUNNING)
		return state->monitor.ready || state->monitor.phase == MONITOR_NONE ? INSTANCE_RUNNING
										    : INSTANCE_STARTING;
	if (status == CONTAINER_PAUSED)
		return INSTANCE_PAUSED;
	if (status != CONTAINER_STOPPED || state->status == INSTANCE_STARTING)
		return INSTANCE_STARTING;
	if (state->monitor.phase != MONITOR_NONE)
		return INSTANCE_RESTARTING;
	return state->has_end && !state->end.asked && state->end.status ? INSTANCE_FAILED : INSTANCE_STOPPED;
}

int instance_look(const struct runtime *runtime, const struct instance *i, struct arena *arena,
		  struct instance_state *ret, struct error *e)
{
	struct instance_state state = {0};
	const char *mended = NULL;
	int r = monitor_mend(runtime, i, &mended, e);

	if (r)
		return r;
	if (mended)
		log_warning("instance '%s': %s", i->name, mended);
	monitor_look(i, &state.monitor);
	r = find_container(runtime, i, arena, &state, e);
	if (r)
		return r;
	r = instance_load_end(i, arena, &state.end, e);
	if (r < 0)
		return r;
	state.has_end = !r;
	state.status = derive(&state);
	*ret = state;
	return 0;
}

bool instance_is_active(const struct instance_state *state)
{
	return state->status >= INSTANCE_STARTING;
}

/* ---- start ---- */

static int refuse_foreign(const struct runtime *runtime, const struct instance *i, struct arena *arena, struct error *e)
{
	struct container_state container;
	struct error ignored;

	if (container_state(runtime, i->name, arena, &container, &ignored) || str_equal(container.bundle, i->path))
		return 0;
	return error_refuse(e, ERROR_EXISTS,
			    "a container of that name runs from the bundle '%s': delete it, or rename the instance",
			    container.bundle);
}

int instance_start(const struct runtime *runtime, struct instance *i, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct instance_state state;
	struct instance_record before;
	int r = instance_lock(i, e);

	if (r)
		return r;
	r = instance_look(runtime, i, &arena, &state, e);
	if (!r && state.status == INSTANCE_PAUSED)
		r = error_refuse(e, ERROR_STATE, "instance '%s' is paused: 'holm resume %s' lets it go on", i->name,
				 i->name);
	else if (!r && instance_is_active(&state) && state.status != INSTANCE_RESTARTING)
		r = error_refuse(e, ERROR_STATE, "instance '%s' is %s already", i->name,
				 instance_status_name(state.status));
	if (!r)
		r = refuse_foreign(runtime, i, &arena, e);
	before = i->record;
	if (!r)
		r = instance_set_up(i, true, e);
	if (!r) {
		r = monitor_start(runtime, i, NULL, e);
		if (r) {
			struct error ignored;

			error_context(e, "instance '%s'", i->name);
			i->record.up = before.up;
			i->record.held = before.held;
			if (instance_save(i, &ignored))
				log_warning("%s", ignored.text);
		}
	}
	instance_unlock(i);
	return r;
}

/* ---- stop ---- */

enum { KILL_SECONDS = 30 };

/* Is it in sigwaitinfo(2)?  Then its mask shows nothing blocked, and all that it waits for is understood. */
static bool waits_for_signals(pid_t pid)
{
	auto_free char *text = NULL;
	char path[32];
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	return file_read(AT_FDCWD, path, 4096, &text, &size) || strtol(text, NULL, 10) == SYS_rt_sigtimedwait;
}

/*
 * Does a process do something about a signal: has it a handler, or does it wait for it (blocked)?  The first process of a pid
 * namespace is spared what it does not handle, so that the signal would be lost and the grace be waited for in vain.
 */
static bool understands(pid_t pid, int signal)
{
	static const char *const masks[] = {"\nSigCgt:\t", "\nSigBlk:\t"};
	auto_free char *text = NULL;
	char path[32];
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read(AT_FDCWD, path, 65536, &text, &size))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		const char *at = strstr(text, masks[i]);

		if (at && strtoull(at + strlen(masks[i]), NULL, 16) >> (signal - 1) & 1)
			return true;
	}
	return waits_for_signals(pid);
}

int instance_find_signal(const struct spec *spec, pid_t pid, int signal)
{
	const int signals[] = {signal, SIGTERM, SIGINT, SIGQUIT};
	const struct spec_namespace *n = &spec->linux_.namespaces[SPEC_NS_PID];

	if (!n->present || n->path)
		return signal;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (understands(pid, signals[i]))
			return signals[i];
	return 0;
}

static int ask(const struct runtime *runtime, const struct instance *i, const struct instance_state *state, int signal,
	       struct error *e)
{
	int r = 0;

	if (state->container.status == CONTAINER_PAUSED) /* what is frozen hears nothing */
		r = container_resume(runtime, i->name, e);
	if (!r)
		r = container_kill(runtime, i->name, signal, false, e);
	/* It has ended meanwhile, or is not there yet: the wait or the kill that follow see to it. */
	return r && (e->kind == ERROR_NOT_FOUND || e->kind == ERROR_STATE) ? 0 : r;
}

static int kill_all(const struct runtime *runtime, const struct instance *i, struct error *e)
{
	int r = container_kill(runtime, i->name, SIGKILL, true, e);

	return r && (e->kind == ERROR_NOT_FOUND || e->kind == ERROR_STATE) ? 0 : r;
}

static int find_how(const struct instance *i, const struct instance_stop *stop, pid_t pid, int *ret_signal,
		    int64_t *ret_timeout, struct error *e)
{
	struct spec spec;
	int r;

	*ret_signal = stop->signal;
	*ret_timeout = stop->timeout;
	if (stop->signal && stop->timeout >= 0)
		return 0;
	r = instance_load_spec(i, &spec, e);
	if (r)
		return r;
	if (stop->timeout < 0)
		*ret_timeout = config_stop_timeout(&spec);
	if (!stop->signal)
		*ret_signal = pid ? instance_find_signal(&spec, pid, config_stop_signal(&spec)) : SIGTERM;
	if (!*ret_signal)
		*ret_timeout = 0;
	spec_release(&spec);
	return 0;
}

int instance_stop(const struct runtime *runtime, struct instance *i, const struct instance_stop *stop, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct instance_state state;
	int64_t timeout = 0;
	int signal = 0, r;

	r = instance_lock(i, e);
	if (!r)
		r = stop->hold ? instance_hold(i, e) : instance_set_up(i, false, e);
	if (!r)
		r = instance_look(runtime, i, &arena, &state, e);
	instance_unlock(i);
	if (r)
		return r;
	if (!instance_is_active(&state)) {
		if (state.has_container) /* ended while nobody stayed */
			return container_delete(runtime, i->name, true, e);
		return 0;
	}
	r = find_how(i, stop, state.has_container ? state.container.pid : 0, &signal, &timeout, e);
	if (!r && timeout)
		r = ask(runtime, i, &state, signal, e);
	if (!r && timeout) {
		r = monitor_wait(runtime, i, timeout, e);
		if (!r || e->kind != ERROR_LIMIT)
			return r;
		*e = ERROR_INIT;
		r = 0;
	}
	if (!r)
		r = kill_all(runtime, i, e);
	return r ? r : monitor_wait(runtime, i, (int64_t)KILL_SECONDS * 1000000000, e);
}
