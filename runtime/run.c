/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run: create and start at once, and stay until it has ended.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "cgroups/stats.h"
#include "runtime/attach.h"
#include "runtime/creation.h"
#include "runtime/hooks.h"
#include "runtime/notify.h"
#include "runtime/rdt.h"

/* The end of a container that only we know of: no need to look at its record. */
static int tear_down(struct creation *c, struct error *e)
{
	struct error first = ERROR_INIT, next;
	int more, r = 0;

	if (!record_relock(c->folder, &c->lock)) /* deleted by somebody else */
		return 0;
	if (!c->record.new_pid_namespace)
		r = cgroup_kill(&c->cgroup.cgroup, &first);
	more = cgroup_destroy(&c->cgroup.cgroup, &next);
	/* Somebody is in it: an exec on its way into the pid namespace that has ended. */
	if (more && !r && !cgroup_kill(&c->cgroup.cgroup, &next))
		more = cgroup_destroy(&c->cgroup.cgroup, &next);
	if (more && !r) {
		r = more;
		first = next;
	}
	if (!r)
		r = rdt_remove(&c->record.rdt, &first);
	if (!r)
		r = creation_joins_networks(c) ? net_leave(NULL, c->request->id, NULL, NULL, -1, &first)
					       : net_leave_connected(NULL, c->request->id, c->folder, &first);
	if (!r && c->record.data)
		r = rootfs_remove(c->record.data, c->runtime->rootless, c->request->id, &first);
	creation_run_poststop(c);
	if (r) { /* the record stays: delete tries again */
		*e = first;
		return r;
	}
	return record_remove(c->root_fd, c->request->id, c->folder, e);
}

static int finish_start(struct creation *c, struct error *e)
{
	int r = launch_finish(&c->launch, e);

	if (r)
		creation_explain_limit(c, e);
	else /* it is there: whatever comes now, others may enter it and end it */
		record_unlock(c->lock);
	if (!r && c->spec.hooks.kinds[SPEC_HOOK_POSTSTART].n)
		r = hooks_run(&c->spec.hooks, SPEC_HOOK_POSTSTART, creation_state_json(c, "running", c->launch.pid),
			      c->bundle_fd, e);
	if (!r && c->notify && c->request->monitored)
		c->request->monitored->notify = take_fd(&c->notify_socket);
	else if (!r && c->notify)
		r = notify_wait(c->notify_socket, notify_host(), c->launch.pidfd, c->launch.pid, e);
	return r;
}

/* A payload that was killed: was it a limit of its own? */
static void tell_end(struct creation *c)
{
	struct cgroup_end end;
	char text[256];

	cgroup_end_read(&c->cgroup.cgroup, &end);
	if (end.oom_kills)
		log_warning("container '%s': %s", c->request->id, cgroup_end_format(&end, text, sizeof(text)));
}

static int run_to_end(struct creation *c, int *ret_status, struct error *e)
{
	const struct attach attach = {
	    .pidfd = c->launch.pidfd,
	    .signals = c->signals,
	    .master = c->launch.console,
	    .reap = !c->request->no_subreaper,
	};
	int r;

	r = attach_wait(&attach, ret_status, e);
	if (!r && *ret_status == 128 + SIGKILL)
		tell_end(c);
	if (!r && c->request->keep)
		r = record_save_exit(c->folder, *ret_status, e);
	if (r) { /* what nobody waits for would go on, and stay, unseen */
		struct error ignored;

		launch_kill(&c->launch);
		if (tear_down(c, &ignored))
			log_warning("%s", ignored.text);
		return r;
	}
	return c->request->keep ? 0 : tear_down(c, e);
}

int container_run(const struct runtime *runtime, const struct container_create *request, int *ret_status,
		  struct error *e)
{
	struct creation c = creation_init(runtime, request, true);
	int r = creation_prepare(&c, true, e);

	if (!r && !c.spec.process)
		r = error_refuse(e, ERROR_INVALID, "config.json: process: missing, and run needs one");
	if (!r && !request->detach) {
		r = attach_signals(&c.signals, e);
		if (!r && !request->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
			r = error_system(e, errno, "become a subreaper");
	}
	if (!r)
		r = creation_apply(&c, e);
	if (!r) {
		r = finish_start(&c, e);
		if (r && record_relock(c.folder, &c.lock))
			creation_undo(&c);
	}
	*ret_status = 0;
	if (!r && request->monitored) {
		request->monitored->pid = c.launch.pid;
		request->monitored->pidfd = take_fd(&c.launch.pidfd);
		request->monitored->console = take_fd(&c.launch.console);
	}
	if (!r && !request->detach)
		r = run_to_end(&c, ret_status, e);
	creation_release(&c);
	return r;
}
