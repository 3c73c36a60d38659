/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container as it is now: its record, and what the kernel says.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cgroups/stats.h"
#include "runtime/internal.h"
#include "runtime/launch.h"

static const char *const status_names[_CONTAINER_STATUS_N] = {
    [CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created", [CONTAINER_RUNNING] = "running",
    [CONTAINER_PAUSED] = "paused",     [CONTAINER_STOPPED] = "stopped",
};

const char *container_status_name(enum container_status status)
{
	return status_names[status];
}

/*
 * Derived, never stored: is init alive (pid, start time, boot), does it wait on its start socket, is the cgroup frozen?
 */
int handle_derive_status(struct handle *h, struct error *e)
{
	bool creating = h->lock < 0 && h->record.locked, frozen = false;
	struct error ignored;
	int r;

	h->status = CONTAINER_STOPPED;
	if (!h->record.pid) {
		if (creating)
			h->status = CONTAINER_CREATING;
		return 0;
	}
	if ((!*h->boot_id && proc_boot_id(h->boot_id)) || !str_equal(h->boot_id, h->record.boot_id))
		return 0;
	r = h->glance ? proc_check(h->record.pid, h->record.start)
		      : proc_open(h->record.pid, h->record.start, &h->pidfd);
	if (r == -ESRCH)
		return 0;
	if (r)
		return error_system(e, -r, "container '%s': look at process %d", h->record.id, (int)h->record.pid);
	/* init may still have the host's root: nobody may enter now, whatever else is there already. */
	if (creating) {
		h->status = CONTAINER_CREATING;
		return 0;
	}
	h->status = CONTAINER_RUNNING;
	if (!cgroup_is_frozen(&h->record.cgroup, &frozen, &ignored) && frozen)
		h->status = CONTAINER_PAUSED;
	else if ((!faccessat(h->folder, RECORD_START, F_OK, AT_SYMLINK_NOFOLLOW) || errno != ENOENT) &&
		 !launch_is_waiting(h->folder, &ignored))
		h->status = CONTAINER_CREATED;
	return 0;
}

int handle_open_folder(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	int r = record_open_root(runtime->root, false, &h->root_fd, e);

	if (r && r != -ENOENT)
		return r;
	return record_open(h->root_fd, id, &h->folder, e);
}

/* With the folder open: its record, and what the kernel says. */
static int load_handle(struct handle *h, const char *id, struct error *e)
{
	int r = record_load(h->folder, id, &h->arena, &h->record, e);
	if (r && e->kind == ERROR_INVALID && h->record.locked) /* half written */
		return error_refuse(e, ERROR_STATE, "container '%s': it is being created", id);
	return r ? r : handle_derive_status(h, e);
}

int handle_open(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	int r = handle_open_folder(h, runtime, id, e);

	return r ? r : load_handle(h, id, e);
}

int handle_open_alive(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	int r = handle_open(h, runtime, id, e);

	if (!r && (h->status == CONTAINER_STOPPED || h->status == CONTAINER_CREATING))
		r = error_refuse(e, ERROR_STATE, "container '%s': container not running", id);
	return r;
}

void handle_release(struct handle *h)
{
	h->root_fd = fd_close(h->root_fd);
	h->folder = fd_close(h->folder);
	h->pidfd = fd_close(h->pidfd);
	h->lock = fd_close(h->lock);
	arena_release(&h->arena);
}

static void fill_state(const struct handle *h, struct arena *arena, struct container_state *ret)
{
	const struct record *r = &h->record;
	struct stat st = {0};

	fstat(h->folder, &st);
	*ret = (struct container_state){
	    .id = arena_strdup(arena, r->id),
	    .bundle = arena_strdup(arena, r->bundle),
	    .rootfs = arena_strdup(arena, r->rootfs),
	    .status = h->status,
	    .pid = h->status == CONTAINER_STOPPED ? 0 : r->pid,
	    .created = arena_strdup(arena, r->created),
	    .owner_uid = st.st_uid,
	    .annotations = arena_array(arena, struct spec_pair, r->n_annotations),
	    .n_annotations = r->n_annotations,
	    .cgroup.paths = arena_array(arena, struct cgroup_path, r->cgroup.n_paths),
	    .cgroup.n_paths = r->cgroup.n_paths,
	    .cgroup.scope = arena_strdup(arena, r->cgroup.scope),
	    .exit = h->status == CONTAINER_STOPPED ? record_load_exit(h->folder) : -1,
	};
	for (size_t i = 0; i < r->n_annotations; i++)
		ret->annotations[i] = (struct spec_pair){arena_strdup(arena, r->annotations[i].key),
							 arena_strdup(arena, r->annotations[i].value)};
	for (size_t i = 0; i < r->cgroup.n_paths; i++)
		ret->cgroup.paths[i] = (struct cgroup_path){arena_strdup(arena, r->cgroup.paths[i].controllers),
							    arena_strdup(arena, r->cgroup.paths[i].path)};
}

int container_state(const struct runtime *runtime, const char *id, struct arena *arena, struct container_state *ret,
		    struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status != CONTAINER_STOPPED && record_has_undo(h.folder))
		handle_recover_update(&h);
	fill_state(&h, arena, ret);
	ret->updates = record_load_updates(h.folder, arena);
	return 0;
}

int container_end(const struct runtime *runtime, const char *id, struct cgroup_end *ret, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status != CONTAINER_STOPPED)
		return error_refuse(e, ERROR_STATE, "container '%s' has not ended: %s", id,
				    container_status_name(h.status));
	cgroup_end_read(&h.record.cgroup, ret);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The ids in the state folder, sorted. */
static int read_ids(int root_fd, struct arena *arena, const char ***ret, size_t *ret_n, struct error *e)
{
	int copy = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	size_t n = 0, room = 0;
	const char **ids = NULL;

	if (!dir) {
		fd_close(copy);
		return error_system(e, errno, "read the state folder");
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!str_is_id(entry->d_name) || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		ids = arena_grow(arena, ids, n, &room, sizeof(*ids));
		ids[n++] = arena_strdup(arena, entry->d_name);
	}
	closedir(dir);
	if (n)
		qsort(ids, n, sizeof(*ids), by_name);
	*ret = ids;
	*ret_n = n;
	return 0;
}

int container_each(const struct runtime *runtime, struct arena *arena,
		   void (*each)(const struct container_state *state, const char *id, const struct error *broken,
				void *data),
		   void *data, struct error *e)
{
	auto_fd root_fd = -1;
	char boot_id[BOOT_ID_SIZE] = "";
	const char **ids = NULL;
	size_t n = 0;
	int r = record_open_root(runtime->root, false, &root_fd, e);

	if (r == -ENOENT)
		return 0;
	if (!r)
		r = read_ids(root_fd, arena, &ids, &n, e);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		auto_handle h = HANDLE_INIT;
		struct container_state state;
		struct error broken;

		h.glance = true;
		memcpy(h.boot_id, boot_id, sizeof(boot_id));
		r = record_open(root_fd, ids[i], &h.folder, &broken);
		if (!r)
			r = load_handle(&h, ids[i], &broken);
		memcpy(boot_id, h.boot_id, sizeof(boot_id));
		if (r &&
		    (broken.kind == ERROR_NOT_FOUND || broken.kind == ERROR_STATE)) /* gone already, or not there yet */
			continue;
		if (!r)
			fill_state(&h, arena, &state);
		each(r ? NULL : &state, ids[i], r ? &broken : NULL, data);
	}
	return 0;
}
