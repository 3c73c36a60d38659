/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delete: everything that a start may have made, found by its record.
 */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "netns/client.h"
#include "runtime/internal.h"
#include "runtime/rdt.h"
#include "runtime/rootfs.h"

enum { DEATH_MS = 10000 };

static void wait_for_end(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd >= 0)
		poll(&p, 1, DEATH_MS);
}

/*
 * The cgroup of a container whose creator died before it recorded init.  If init was born it ends by itself (nobody answers
 * it); what else is in there was there before and was about to be refused, so nothing is killed.
 */
static int leave_cgroup(const struct cgroup *cgroup, struct error *e)
{
	bool populated = true;

	for (int i = 0; i < DEATH_MS / 10; i++) {
		int r = cgroup_is_populated(cgroup, &populated, e);

		if (r)
			return r;
		if (!populated)
			return cgroup_destroy(cgroup, e);
		usleep(10000);
	}
	log_warning("the cgroup '%s' is used by others and stays", cgroup->paths[0].path);
	return 0;
}

/* A new pid namespace dies with its init; but an exec may just be on its way into it, and frozen there for ever. */
static int kill_rest(const struct handle *h, struct error *e)
{
	bool populated = true;
	int r = 0;

	if (h->status == CONTAINER_STOPPED && h->record.new_pid_namespace)
		r = cgroup_is_populated(&h->record.cgroup, &populated, e);
	return r || !populated ? r : cgroup_kill(&h->record.cgroup, e);
}

/*
 * Everything that create may have made, found by the record: each part may be gone, half made, or never made.
 * The record itself goes last, so that a delete that is killed can be repeated.
 */
static int destroy(struct handle *h, struct error *e)
{
	struct error first;
	int r = 0;

	if (h->pidfd >= 0)
		sys_pidfd_send_signal(h->pidfd, SIGKILL);
	if (!h->record.pid) {
		r = leave_cgroup(&h->record.cgroup, &first);
	} else {
		r = kill_rest(h, &first);
		wait_for_end(h->pidfd);
		if (!r)
			r = cgroup_destroy(&h->record.cgroup, &first);
	}
	if (!r)
		r = rdt_remove(&h->record.rdt, &first);
	if (!r)
		r = h->record.networks ? net_leave(NULL, h->record.id, NULL, NULL, -1, &first)
				       : net_leave_connected(NULL, h->record.id, h->folder, &first);
	if (!r && h->record.data)
		r = rootfs_remove(h->record.data, h->record.rootless, h->record.id, &first);
	if (h->record.pid && record_run_hooks(&h->record, SPEC_HOOK_POSTSTOP, "stopped", 0, false, e))
		log_warning("%s", e->text);
	if (r) {
		*e = first;
		return r;
	}
	return record_remove(h->root_fd, h->record.id, h->folder, e);
}

/*
 * --force takes the lock from whoever has it: a creator whose init is killed gives up, undoes what it did and goes; another
 * delete ends by itself.
 */
static int lock_by_force(struct handle *h, const char *id, struct error *e)
{
	useconds_t pause = 500;
	int64_t waited = 0;
	int r;

	while ((r = record_lock(h->folder, id, &h->lock, e)) && e->kind == ERROR_STATE && waited < DEATH_MS * 1000) {
		struct error ignored;

		if (!record_load(h->folder, id, &h->arena, &h->record, &ignored) &&
		    !handle_derive_status(h, &ignored) && h->pidfd >= 0)
			sys_pidfd_send_signal(h->pidfd, SIGKILL);
		h->pidfd = fd_close(h->pidfd);
		usleep(pause);
		waited += pause;
		pause = pause < 100000 ? 2 * pause : pause;
	}
	return r;
}

static int delete (struct handle *h, const struct runtime *runtime, const char *id, bool force, bool *ret_again,
		   struct error *e)
{
	int r = handle_open_folder(h, runtime, id, e);

	*ret_again = false;
	if (!r)
		r = force ? lock_by_force(h, id, e) : record_lock(h->folder, id, &h->lock, e);
	if (r)
		return force && e->kind == ERROR_NOT_FOUND ? 0 : r;
	/* Only now: what was there before we had the lock may be half of it. */
	r = record_load(h->folder, id, &h->arena, &h->record, e);
	/* Without a record, or with half of one: its creator died before it made anything else.  One that could not be read this
	   time is not broken: all that it leads to would stay behind. */
	if (r && force && e->kind == ERROR_INVALID)
		return record_remove_broken(h->root_fd, id, h->folder, h->lock, ret_again, e);
	if (!r)
		r = handle_derive_status(h, e);
	if (r)
		return force && e->kind == ERROR_NOT_FOUND ? 0 : r;
	/* The OCI's words, where runc also deletes a container that was never started. */
	if (!force && h->status != CONTAINER_STOPPED)
		return error_refuse(e, ERROR_STATE, "cannot delete container '%s' that is not stopped: %s", id,
				    container_status_name(h->status));
	return destroy(h, e);
}

int container_delete(const struct runtime *runtime, const char *id, bool force, struct error *e)
{
	bool again;
	int r;

	do {
		auto_handle h = HANDLE_INIT;

		r = delete (&h, runtime, id, force, &again, e);
	} while (!r && again);
	return r;
}
