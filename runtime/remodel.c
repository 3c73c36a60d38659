/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts of a container that runs: init's program enters its mount namespace (and its user namespace), does what it does at a
 * start, by the same resolver, and ends.  It stays out of the pid namespace, where nobody can see or stop it, and out of the
 * cgroup, so that a paused container is no obstacle.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "runtime/internal.h"
#include "runtime/launch.h"
#include "runtime/plan.h"
#include "spec/json.h"

static int check_status(const struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	if (h->status == CONTAINER_STOPPED || h->status == CONTAINER_CREATING)
		return error_refuse(e, ERROR_STATE, "container '%s': container not running", id);
	if (h->status == CONTAINER_CREATED)
		return error_refuse(e, ERROR_STATE, "container '%s': it has not been started", id);
	if (runtime->rootless)
		return error_refuse(e, ERROR_PERMISSION,
				    "container '%s': changing the mounts of a running container needs root", id);
	if (!(h->record.namespaces & CLONE_NEWNS))
		return error_refuse(e, ERROR_UNSUPPORTED, "container '%s' has no mount namespace of its own", id);
	return 0;
}

static int execute(const struct handle *h, const struct plan_result *plan, struct error *e)
{
	struct cgroup_entry entry = CGROUP_ENTRY_INIT;
	struct launch launch = {
	    .plan = plan,
	    .entry = &entry,
	    .join_pidfd = h->pidfd,
	    .start_socket = -1,
	    .socket = -1,
	    .pidfd = -1,
	    .console = -1,
	    .root = -1,
	};
	siginfo_t info;
	int r = launch_begin(&launch, e);

	if (!r)
		r = launch_ready(&launch, e);
	if (r)
		launch_kill(&launch);
	else
		waitid(P_PIDFD, (id_t)launch.pidfd, &info, WEXITED);
	launch_release(&launch);
	return r;
}

/* So that others can see what the container has beside its config.json. */
static int record(const struct handle *h, const char *target, const char *source, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *patch = NULL;

	json_open_object(&w, NULL);
	json_open_object(&w, "mounts");
	json_put_string(&w, target, source);
	json_close(&w);
	json_close(&w);
	patch = json_finish(&w);
	return record_add_update(h->folder, h->record.id, patch, e);
}

static int remodel(const struct runtime *runtime, const char *id, const struct spec_mount *mount, const char *target,
		   struct error *e)
{
	auto_handle h = HANDLE_INIT;
	auto_fd lock = -1;
	struct plan_result plan;
	char user[64];
	int r = handle_open(&h, runtime, id, e);
	struct plan_remodel_input input = {.mount = mount, .target = target, .bundle = "/"};

	if (!r)
		r = check_status(&h, runtime, id, e);
	if (!r)
		r = record_lock_updates(h.folder, id, true, &lock, e);
	if (r)
		return r;
	input.namespaces = h.record.namespaces;
	if (h.record.user_namespace) {
		snprintf(user, sizeof(user), "/proc/%d/ns/user", (int)h.record.pid);
		input.user_path = user;
	}
	r = plan_remodel(&input, &h.arena, &plan, e);
	if (!r)
		r = execute(&h, &plan, e);
	if (!r)
		r = record(&h, mount ? mount->destination : target, mount ? mount->source : NULL, e);
	if (r)
		error_context(e, "container '%s'", id);
	return r;
}

int container_mount(const struct runtime *runtime, const char *id, const struct spec_mount *mount, struct error *e)
{
	return remodel(runtime, id, mount, NULL, e);
}

int container_unmount(const struct runtime *runtime, const char *id, const char *target, struct error *e)
{
	return remodel(runtime, id, NULL, target, e);
}
