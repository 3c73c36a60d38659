/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start of a container that was created, and what a record tells others: hooks and the seccomp agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "cgroups/stats.h"
#include "runtime/internal.h"
#include "runtime/launch.h"
#include "runtime/notify.h"
#include "runtime/socket.h"

struct hooks_state record_hooks_state(const struct record *record, const char *status, pid_t pid)
{
	return (struct hooks_state){.id = record->id,
				    .status = status,
				    .bundle = record->bundle,
				    .pid = pid,
				    .annotations = record->annotations,
				    .n_annotations = record->n_annotations};
}

int record_run_hooks(const struct record *record, enum spec_hook_kind kind, const char *status, pid_t pid, bool strict,
		     struct error *e)
{
	const struct hooks_state state = record_hooks_state(record, status, pid);
	auto_arena arena = ARENA_INIT;
	struct spec_hooks hooks;
	auto_fd bundle = -1;
	const char *json;
	int r = 0;

	if (!record->hooks)
		return 0;
	r = spec_parse_hooks(record->hooks, strlen(record->hooks), "record.json", &arena, &hooks, e);
	if (r || !hooks.kinds[kind].n)
		return r;
	json = hooks_state_json(&state, &arena);
	bundle = open(record->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (strict)
		return hooks_run(&hooks, kind, json, bundle, e);
	hooks_run_all(&hooks, kind, json, bundle);
	return 0;
}

int container_on_listener(void *data, pid_t pid, int listener, struct error *e)
{
	const struct record *record = data;
	const struct hooks_state state = record_hooks_state(record, "running", record->pid);

	return socket_send_listener(record->listener_path, record->listener_metadata, pid, &state, listener, e);
}

/* An init that is not our child can't tell what it died of, its cgroup can. */
static void explain_death(const struct record *record, struct error *e)
{
	struct cgroup_end end;
	char text[256];

	cgroup_end_read(&record->cgroup, &end);
	if (end.oom_kills)
		error_context(e, "%s", cgroup_end_format(&end, text, sizeof(text)));
}

int container_start(const struct runtime *runtime, const char *id, struct error *e)
{
	static const char *const refusals[_CONTAINER_STATUS_N] = {
	    [CONTAINER_CREATING] = "cannot start a container that is being created",
	    [CONTAINER_RUNNING] = "cannot start an already running container",
	    [CONTAINER_PAUSED] = "cannot start a container in the paused state",
	    [CONTAINER_STOPPED] = "cannot start a container that has stopped",
	};
	auto_handle h = HANDLE_INIT;
	auto_fd notify = -1;
	struct launch callbacks = {.on_listener = container_on_listener, .data = &h.record};
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (refusals[h.status])
		return error_refuse(e, ERROR_STATE, "container '%s': %s", id, refusals[h.status]);
	if (!h.record.has_process)
		return error_refuse(e, ERROR_INVALID, "container '%s': its config.json has no process to start", id);
	if (notify_host() && !faccessat(h.folder, NOTIFY_DIRECTORY, F_OK, 0))
		r = notify_open(h.folder, &notify, e);
	callbacks.pidfd = h.pidfd;
	if (!r)
		r = launch_start(h.folder, id, h.record.pid, &callbacks, e);
	if (r)
		explain_death(&h.record, e);
	if (!r) {
		r = record_run_hooks(&h.record, SPEC_HOOK_POSTSTART, "running", h.record.pid, true, e);
		if (r) { /* the OCI: the container is to be stopped */
			sys_pidfd_send_signal(h.pidfd, SIGKILL);
			return r;
		}
	}
	if (!r && notify >= 0)
		r = notify_wait(notify, notify_host(), h.pidfd, h.record.pid, e);
	return r;
}
