/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec: one more process in a container that runs.  No lock, nothing written: the record says which namespaces and which
 * cgroup, the pidfd of the container's init is what they are entered by.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "cgroups/stats.h"
#include "runtime/attach.h"
#include "runtime/internal.h"
#include "runtime/launch.h"
#include "runtime/limits.h"
#include "runtime/plan.h"
#include "runtime/process.h"
#include "runtime/socket.h"

struct execution {
	const struct runtime *runtime;
	const struct container_exec *request;
	struct handle handle;
	struct spec_process *process;
	struct caps_sets capabilities;
	struct seccomp_program seccomp;
	bool has_seccomp;
	struct cgroup_entry entry;
	struct plan_result plan;
	struct launch launch;
	int signals;
	unsigned inherited;
};

static void execution_release(struct execution *x)
{
	launch_release(&x->launch);
	cgroup_entry_release(&x->entry);
	x->signals = fd_close(x->signals);
	handle_release(&x->handle);
}

static int check_status(const struct execution *x, struct error *e)
{
	const char *id = x->request->id;

	switch (x->handle.status) {
	case CONTAINER_STOPPED:
		return error_refuse(e, ERROR_STATE, "container '%s': cannot exec in a stopped container", id);
	case CONTAINER_CREATING:
		return error_refuse(e, ERROR_STATE, "container '%s': container not running", id);
	case CONTAINER_PAUSED:
		if (!x->request->ignore_paused)
			return error_refuse(
			    e, ERROR_STATE,
			    "container '%s': cannot exec in a paused container (use --ignore-paused to override)", id);
		return 0;
	default:
		return 0;
	}
}

static int load_process(struct execution *x, struct error *e)
{
	struct record *record = &x->handle.record;
	struct spec_process *own = NULL;
	struct rlimit limits[RLIM_NLIMITS];
	int r = 0;

	if (record->process && !x->request->process_file)
		r = spec_parse_process(record->process, strlen(record->process), "record.json", &x->handle.arena, &own,
				       e);
	if (!r)
		r = process_resolve(own, x->request, &x->handle.arena, &x->process, e);
	if (r)
		return r;
	r = limits_fit(x->process, limits, e);
	if (!r)
		r = caps_resolve(x->process->capabilities, record->user_namespace, &x->capabilities, e);
	if (r)
		return r;
	/* Only where there is none it is done without. */
	x->has_seccomp = !faccessat(x->handle.folder, RECORD_SECCOMP, F_OK, 0) || errno != ENOENT;
	return x->has_seccomp ? record_load_seccomp(x->handle.folder, record, &x->handle.arena, &x->seccomp, e) : 0;
}

static int check_terminal(const struct execution *x, struct error *e)
{
	if (x->request->detach && x->process->terminal && !x->request->console_socket)
		return error_refuse(e, ERROR_INVALID,
				    "cannot allocate tty if holm will detach without setting console socket");
	if ((!x->request->detach || !x->process->terminal) && x->request->console_socket)
		return error_refuse(e, ERROR_INVALID,
				    "cannot use console socket if holm will not detach or allocate tty");
	return 0;
}

static int compile(struct execution *x, struct error *e)
{
	const struct record *record = &x->handle.record;
	struct winsize size = {0};
	struct plan_exec_input input = {
	    .process = x->process,
	    .capabilities = &x->capabilities,
	    .seccomp = x->has_seccomp ? &x->seccomp : NULL,
	    .namespaces = record->namespaces,
	    .rootfs = record->rootfs,
	    .user_namespace = record->user_namespace,
	    .enters_cgroups = x->entry.n_joins > 0,
	    .privileged = !x->runtime->rootless,
	    .no_new_keyring = record->no_new_keyring,
	    .personality = record->personality,
	    .preserve = x->inherited,
	};

	if (!x->request->detach && x->process->terminal) {
		if (attach_window_size(&size)) {
			input.rows = size.ws_row;
			input.columns = size.ws_col;
		}
		input.plain_output = !isatty(STDOUT_FILENO);
	}
	return plan_exec(&input, &x->handle.arena, &x->plan, e);
}

static int enter_cgroup(struct execution *x, struct error *e)
{
	const struct container_exec *q = x->request;

	if (!x->handle.record.cgroup.n_paths)
		return q->n_cgroups ? error_refuse(e, ERROR_UNSUPPORTED,
						   "container '%s' has no cgroup: --cgroup can't be used", q->id)
				    : 0;
	if (q->n_cgroups)
		return cgroup_enter_subs(&x->handle.record.cgroup, q->cgroups, q->n_cgroups, &x->entry, e);
	return cgroup_enter(&x->handle.record.cgroup, NULL, &x->entry, e);
}

static int on_listener(void *data, pid_t pid, int listener, struct error *e)
{
	return container_on_listener(&((struct execution *)data)->handle.record, pid, listener, e);
}

/* A fork that was refused: at the container's own limit? */
static void explain_limit(struct execution *x, struct error *e)
{
	struct error ignored;
	struct cgroup_stats s;

	if (e->code != EAGAIN ||
	    cgroup_stats_read(&x->handle.record.cgroup, CGROUP_STATS_PIDS, &x->handle.arena, &s, &ignored) ||
	    s.pids.limit == CGROUP_UNLIMITED || s.pids.current < s.pids.limit)
		return;
	error_context(e, "linux.resources.pids.limit: all %llu are in use, and one more was needed",
		      (unsigned long long)s.pids.limit);
	e->kind = ERROR_LIMIT;
	e->code = 0;
}

static int start(struct execution *x, struct error *e)
{
	const struct container_exec *q = x->request;
	int r;

	x->launch = (struct launch){
	    .plan = &x->plan,
	    .entry = &x->entry,
	    .join_pidfd = x->handle.pidfd,
	    .start_socket = -1,
	    .on_listener = on_listener,
	    .data = x,
	    .socket = -1,
	    .pidfd = -1,
	    .console = -1,
	    .root = -1,
	};
	r = launch_begin(&x->launch, e);
	if (!r)
		r = launch_ready(&x->launch, e);
	if (r)
		explain_limit(x, e);
	if (!r && q->pidfd_socket)
		r = socket_send_pidfd(AT_FDCWD, q->pidfd_socket, "setns", x->launch.pidfd, e);
	if (!r && q->console_socket)
		r = socket_send_console(AT_FDCWD, q->console_socket, "/dev/ptmx", x->launch.console, e);
	if (!r)
		r = launch_finish(&x->launch, e);
	if (!r && q->pid_file)
		r = container_write_pid_file(q->pid_file, x->launch.pid, e);
	if (r)
		launch_kill(&x->launch);
	return r;
}

static int execute(struct execution *x, int *ret_status, struct error *e)
{
	const struct container_exec *q = x->request;
	struct attach attach;
	unsigned listen_fds;
	/* Before we open anything ourselves, which would look like the caller's. */
	int r = socket_inherited(q->preserve_fds, &listen_fds, &x->inherited, e);

	if (!r)
		r = handle_open(&x->handle, x->runtime, q->id, e);
	if (!r)
		r = check_status(x, e);
	if (!r)
		r = load_process(x, e);
	if (!r)
		r = check_terminal(x, e);
	if (!r)
		r = enter_cgroup(x, e);
	if (!r)
		r = compile(x, e);
	if (!r && !q->detach)
		r = attach_signals(&x->signals, e);
	if (!r)
		r = start(x, e);
	*ret_status = 0;
	if (r || q->detach)
		return r;
	attach = (struct attach){.pidfd = x->launch.pidfd, .signals = x->signals, .master = x->launch.console};
	r = attach_wait(&attach, ret_status, e);
	if (r)
		launch_kill(&x->launch);
	return r;
}

int container_exec(const struct runtime *runtime, const struct container_exec *request, int *ret_status,
		   struct error *e)
{
	struct execution x = {
	    .runtime = runtime,
	    .request = request,
	    .handle = HANDLE_INIT,
	    .entry = CGROUP_ENTRY_INIT,
	    .launch = {.join_pidfd = -1, .socket = -1, .pidfd = -1, .console = -1, .start_socket = -1, .root = -1},
	    .signals = -1,
	};
	int r = execute(&x, ret_status, e);

	execution_release(&x);
	return r;
}
