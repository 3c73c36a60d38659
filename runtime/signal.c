/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill, pause, resume.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "base/sys.h"
#include "runtime/internal.h"

enum { KILLED_MS = 1000 };

/* What is left of one that has no init (any more): a payload in a shared pid namespace can outlive it. */
static int signal_rest(const struct handle *h, int signal, bool all, struct error *e)
{
	bool stopped = h->status == CONTAINER_STOPPED, populated = false;
	struct error ignored;

	if (stopped && (all || !h->record.new_pid_namespace) &&
	    !cgroup_is_populated(&h->record.cgroup, &populated, &ignored) && populated)
		return signal == SIGKILL ? cgroup_kill(&h->record.cgroup, e)
					 : cgroup_signal(&h->record.cgroup, signal, e);
	if (all && stopped)
		return 0;
	return error_refuse(e, ERROR_STATE, "container '%s': container not running", h->record.id);
}

static int signal_init(const struct handle *h, int signal, struct error *e)
{
	int r = 0;

	if (sys_pidfd_send_signal(h->pidfd, signal) < 0) {
		if (errno == ESRCH)
			return error_refuse(e, ERROR_STATE, "container '%s': os: process already finished",
					    h->record.id);
		return error_system(e, errno, "container '%s': send signal %d", h->record.id, signal);
	}
	/* A frozen v1 cgroup would not even die.  One that has gone has died. */
	if (signal == SIGKILL && h->status == CONTAINER_PAUSED)
		r = cgroup_freeze(&h->record.cgroup, false, e);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int container_kill(const struct runtime *runtime, const char *id, int signal, bool all, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status == CONTAINER_STOPPED || h.status == CONTAINER_CREATING)
		return signal_rest(&h, signal, all, e);
	if (h.record.cgroup.n_paths && (all || (signal == SIGKILL && !h.record.new_pid_namespace)))
		r = signal == SIGKILL ? cgroup_kill(&h.record.cgroup, e) : cgroup_signal(&h.record.cgroup, signal, e);
	else
		r = signal_init(&h, signal, e);
	/* Nothing can refuse this one: who deletes next finds it dead, unless the kernel holds it. */
	if (!r && signal == SIGKILL)
		poll(&(struct pollfd){.fd = h.pidfd, .events = POLLIN}, 1, KILLED_MS);
	return r;
}

/* The cgroup can go at any time: with the end of the container. */
static int freeze(const struct handle *h, bool frozen, struct error *e)
{
	int r = cgroup_freeze(&h->record.cgroup, frozen, e);

	if (r == -ENOENT || r == -ENODEV)
		r = error_refuse(e, ERROR_STATE, "container '%s': container not running", h->record.id);
	return r;
}

int container_pause(const struct runtime *runtime, const char *id, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open_alive(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status == CONTAINER_PAUSED)
		return error_refuse(e, ERROR_STATE, "container '%s': container not running: it is paused already", id);
	r = freeze(&h, true, e);
	/* If it ended meanwhile, the folder may already be that of another container with this id: never left frozen. */
	if (!r && poll(&(struct pollfd){.fd = h.pidfd, .events = POLLIN}, 1, 0) > 0) {
		r = freeze(&h, false, e);
		if (!r)
			r = error_refuse(e, ERROR_STATE, "container '%s': container not running", id);
	}
	return r;
}

int container_resume(const struct runtime *runtime, const char *id, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open_alive(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status != CONTAINER_PAUSED)
		return error_refuse(e, ERROR_STATE, "container '%s': container not paused", id);
	return freeze(&h, false, e);
}
