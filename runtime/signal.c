/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill, pause, resume.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "base/sys.h"
#include "runtime/internal.h"

int container_kill(const struct runtime *runtime, const char *id, int signal, bool all, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	struct error ignored;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status == CONTAINER_STOPPED || h.status == CONTAINER_CREATING) {
		bool populated = false;

		/* A payload in a shared pid namespace can outlive its init. */
		if (h.status == CONTAINER_STOPPED && (all || !h.record.new_pid_namespace) &&
		    !cgroup_is_populated(&h.record.cgroup, &populated, &ignored) && populated)
			return signal == SIGKILL ? cgroup_kill(&h.record.cgroup, e)
						 : cgroup_signal(&h.record.cgroup, signal, e);
		if (all && h.status == CONTAINER_STOPPED)
			return 0;
		return error_refuse(e, ERROR_STATE, "container '%s': container not running", id);
	}
	if (all || (signal == SIGKILL && !h.record.new_pid_namespace)) {
		if (signal == SIGKILL && h.record.cgroup.n_paths)
			return cgroup_kill(&h.record.cgroup, e);
		if (h.record.cgroup.n_paths)
			return cgroup_signal(&h.record.cgroup, signal, e);
	}
	if (sys_pidfd_send_signal(h.pidfd, signal) < 0) {
		if (errno == ESRCH)
			return error_refuse(e, ERROR_STATE, "container '%s': os: process already finished", id);
		return error_system(e, errno, "container '%s': send signal %d", id, signal);
	}
	/* A frozen v1 cgroup would not even die.  One that has gone has died. */
	if (signal == SIGKILL && h.status == CONTAINER_PAUSED)
		r = cgroup_freeze(&h.record.cgroup, false, e);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
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
