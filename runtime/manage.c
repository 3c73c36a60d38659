/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done with a container that exists: its state, start, kill, delete, pause and resume.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "cgroups/host.h"
#include "cgroups/stats.h"
#include "netns/client.h"
#include "runtime/hooks.h"
#include "runtime/internal.h"
#include "runtime/launch.h"
#include "runtime/notify.h"
#include "runtime/rdt.h"
#include "runtime/rootfs.h"
#include "spec/json.h"
#include "spec/resources.h"

static const char *const status_names[_CONTAINER_STATUS_N] = {
    [CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created", [CONTAINER_RUNNING] = "running",
    [CONTAINER_PAUSED] = "paused",     [CONTAINER_STOPPED] = "stopped",
};

const char *container_status_name(enum container_status status)
{
	return status_names[status];
}

/* ---- status ---- */

/*
 * Derived, never stored: is init alive (pid, start time, boot), does it wait on its start socket, is the cgroup frozen?
 */
static int derive_status(struct handle *h, struct error *e)
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

static int open_folder(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
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
	return r ? r : derive_status(h, e);
}

int handle_open(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	int r = open_folder(h, runtime, id, e);

	return r ? r : load_handle(h, id, e);
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

static void recover_update(struct handle *h);

int container_state(const struct runtime *runtime, const char *id, struct arena *arena, struct container_state *ret,
		    struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status != CONTAINER_STOPPED && record_has_undo(h.folder))
		recover_update(&h);
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

/* ---- hooks of a record ---- */

/* Those of one kind.  strict: the first failure ends it. */
static int run_hooks(const struct record *record, enum spec_hook_kind kind, const char *status, pid_t pid, bool strict,
		     struct error *e)
{
	const struct hooks_state state = {.id = record->id,
					  .status = status,
					  .bundle = record->bundle,
					  .pid = pid,
					  .annotations = record->annotations,
					  .n_annotations = record->n_annotations};
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

/* ---- start ---- */

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
		r = run_hooks(&h.record, SPEC_HOOK_POSTSTART, "running", h.record.pid, true, e);
		if (r) { /* the OCI: the container is to be stopped */
			sys_pidfd_send_signal(h.pidfd, SIGKILL);
			return r;
		}
	}
	if (!r && notify >= 0)
		r = notify_wait(notify, notify_host(), h.pidfd, h.record.pid, e);
	return r;
}

/* ---- kill ---- */

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

/* ---- delete ---- */

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
	if (h->record.pid && run_hooks(&h->record, SPEC_HOOK_POSTSTOP, "stopped", 0, false, e))
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

		if (!record_load(h->folder, id, &h->arena, &h->record, &ignored) && !derive_status(h, &ignored) &&
		    h->pidfd >= 0)
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
	int r = open_folder(h, runtime, id, e);

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
		r = derive_status(h, e);
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

/* ---- cgroup verbs ---- */

static int open_alive(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	int r = handle_open(h, runtime, id, e);

	if (!r && (h->status == CONTAINER_STOPPED || h->status == CONTAINER_CREATING))
		r = error_refuse(e, ERROR_STATE, "container '%s': container not running", id);
	return r;
}

int container_pids(const struct runtime *runtime, const char *id, pid_t **ret_pids, size_t *ret_n, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (!h.record.cgroup.n_paths)
		return error_refuse(e, ERROR_UNSUPPORTED, "container '%s': it has no cgroup to list processes of", id);
	return cgroup_pids(&h.record.cgroup, ret_pids, ret_n, e);
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
	int r = open_alive(&h, runtime, id, e);

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
	int r = open_alive(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status != CONTAINER_PAUSED)
		return error_refuse(e, ERROR_STATE, "container '%s': container not paused", id);
	return freeze(&h, false, e);
}

/* A limit may need a v1 hierarchy without a cgroup of this container: recorded before it is made, so that delete finds it. */
static int extend_cgroup(struct handle *h, const struct cgroup_host *host, const struct spec_resources *resources,
			 struct error *e)
{
	struct cgroup more;
	int r = cgroup_extend(host, &h->record.cgroup, resources, &h->arena, &more, e);

	if (r || more.n_paths == h->record.cgroup.n_paths)
		return r;
	h->record.cgroup = more;
	return record_replace(h->folder, &h->record, e);
}

/* {"resources": ..., "intelRdt": ...}, as config.json's linux has them; devices: all that are in force, NULL: as before. */
static char *encode_update(const struct container_update *update, const struct spec_resources *devices)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	struct spec_resources named = *update->resources;
	auto_free char *resources = NULL;

	named.devices = devices ? devices->devices : NULL;
	named.n_devices = devices ? devices->n_devices : 0;
	resources = spec_encode_resources(&named, JSON_INDENT_NONE);
	json_open_object(&w, NULL);
	json_put_raw(&w, "resources", resources);
	if (update->l3_cache_schema || update->mem_bw_schema) {
		json_open_object(&w, "intelRdt");
		if (update->l3_cache_schema)
			json_put_string(&w, "l3CacheSchema", update->l3_cache_schema);
		if (update->mem_bw_schema)
			json_put_string(&w, "memBwSchema", update->mem_bw_schema);
		json_close(&w);
	}
	json_close(&w);
	return json_finish(&w);
}

/* *ret_old: the way back, NULL where nothing was changed. */
static int update_rdt(struct handle *h, const struct container_update *update, char **ret_old, struct error *e)
{
	int r;

	if (!update->l3_cache_schema && !update->mem_bw_schema)
		return 0;
	r = rdt_check_host(e);
	if (r)
		return r;
	/* A group made now would not get all that runs already: resctrl takes threads one by one. */
	if (!h->record.rdt.group)
		return error_refuse(e, ERROR_STATE,
				    "container '%s' has no resctrl group: its config.json has no linux.intelRdt",
				    h->record.id);
	return rdt_update(&h->record.rdt, update->l3_cache_schema, update->mem_bw_schema, ret_old, e);
}

/* The rules of the record, and the same with those of the update after them. */
static int append_devices(struct handle *h, const struct container_update *update, struct spec_resources **ret_old,
			  struct spec_resources **ret_new, struct error *e)
{
	struct spec_resources *old = arena_new(&h->arena, struct spec_resources), *new;
	int r = 0;

	if (h->record.devices)
		r = spec_parse_resources(h->record.devices, strlen(h->record.devices), "record.json", &h->arena, &old,
					 e);
	if (r)
		return r;
	new = arena_new(&h->arena, struct spec_resources);
	new->devices = arena_array(&h->arena, struct spec_device_rule, old->n_devices + update->n_devices);
	for (size_t i = 0; i < old->n_devices; i++)
		new->devices[new->n_devices++] = old->devices[i];
	for (size_t i = 0; i < update->n_devices; i++)
		new->devices[new->n_devices++] = update->devices[i];
	*ret_old = old;
	*ret_new = new;
	return 0;
}

/* The record comes first: whatever interrupts this, the next update starts from what it says. */
static int set_devices(struct handle *h, const struct cgroup_host *host, const struct spec_resources *rules,
		       struct error *e)
{
	auto_free char *text = spec_encode_resources(rules, JSON_INDENT_NONE);
	int r;

	h->record.devices = arena_strdup(&h->arena, text);
	r = record_replace(h->folder, &h->record, e);
	return r ? r : cgroup_update_devices(host, &h->record.cgroup, rules, e);
}

/*
 * What an update replaces, for whoever comes after one that was killed: two lines with what is not the kernel's, then the
 * control files (cgroup_revert).
 */
struct undo {
	struct handle *handle;
	const char *updates; /* NULL: there were none */
	const char *devices; /* NULL: they do not change */
	const char *text;    /* all of it, once it is saved */
};

static int save_undo(void *data, const char *control_files, struct error *e)
{
	struct undo *undo = data;
	struct handle *h = undo->handle;

	undo->text = arena_format(&h->arena, "%s\n%s\n%s", undo->updates ? undo->updates : "",
				  undo->devices ? undo->devices : "", control_files);
	return record_save_undo(h->folder, undo->text, e);
}

static int set_rules(struct handle *h, const struct cgroup_host *host, const char *json, struct error *e)
{
	struct spec_resources *rules;
	int r = spec_parse_resources(json, strlen(json), "undo", &h->arena, &rules, e);

	return r ? r : set_devices(h, host, rules, e);
}

/* Puts back what text, of save_undo(), says. */
static int revert(struct handle *h, const struct cgroup_host *host, const char *text, struct error *e)
{
	const char *devices = strchr(text, '\n'), *files = devices ? strchr(devices + 1, '\n') : NULL;
	const char *updates;
	int r = 0;

	if (!files) /* half written it never is: the file appears whole */
		return error_bug(e, "container '%s': broken record of what an update replaces", h->record.id);
	updates = arena_format(&h->arena, "%.*s", (int)(devices - text), text);
	cgroup_revert(files + 1);
	if (files > devices + 1)
		r = set_rules(h, host, arena_format(&h->arena, "%.*s", (int)(files - devices - 1), devices + 1), e);
	if (!r)
		r = record_restore_updates(h->folder, *updates ? updates : NULL, e);
	if (!r)
		record_drop_undo(h->folder);
	return r;
}

/* An update that was killed in the middle did nothing. */
static int recover(struct handle *h, const struct cgroup_host *host, struct error *e)
{
	const char *text = record_load_undo(h->folder, &h->arena);

	return text ? revert(h, host, text, e) : 0;
}

/* Who looks at a container whose update was killed puts it right; one that still goes on is let be. */
static void recover_update(struct handle *h)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_host *host;
	auto_fd lock = -1;
	struct error e;
	int r = record_lock_updates(h->folder, h->record.id, false, &lock, &e);

	if (!r && lock < 0)
		return;
	if (!r)
		r = cgroup_host_find(&arena, &host, &e);
	if (!r)
		r = recover(h, host, &e);
	if (r)
		log_warning("%s", e.text);
}

static int update_locked(struct handle *h, const struct container_update *update, struct error *e)
{
	struct undo undo = {.handle = h};
	const struct cgroup_journal journal = {save_undo, &undo};
	struct spec_resources *old_devices = NULL, *devices = NULL;
	auto_free char *old_schemata = NULL, *patch = NULL, *old_rules = NULL;
	auto_arena arena = ARENA_INIT;
	struct cgroup_host *host;
	struct error ignored;
	int r = cgroup_host_find(&arena, &host, e);

	if (!r)
		r = recover(h, host, e);
	if (!r)
		r = extend_cgroup(h, host, update->resources, e);
	if (!r && update->n_devices)
		r = append_devices(h, update, &old_devices, &devices, e);
	if (!r)
		r = update_rdt(h, update, &old_schemata, e);
	if (r)
		return r;
	undo.updates = record_load_updates(h->folder, &h->arena);
	undo.devices = old_rules = devices ? spec_encode_resources(old_devices, 0) : NULL;
	patch = encode_update(update, devices);
	r = cgroup_update(host, &h->record.cgroup, update->resources, &journal, e);
	if (!r && devices)
		r = set_devices(h, host, devices, e);
	if (!r)
		r = record_add_update(h->folder, h->record.id, patch, e);
	if (!r) {
		record_drop_undo(h->folder);
		return 0;
	}
	if (undo.text && revert(h, host, undo.text, &ignored))
		log_warning("%s", ignored.text);
	if (old_schemata)
		rdt_restore(&h->record.rdt, old_schemata);
	return r;
}

int container_update(const struct runtime *runtime, const char *id, const struct container_update *update,
		     struct error *e)
{
	auto_handle h = HANDLE_INIT;
	auto_fd lock = -1;
	int r = open_alive(&h, runtime, id, e);

	if (!r)
		r = record_lock_updates(h.folder, id, true, &lock, e);
	if (!r) /* another update may have changed it */
		r = record_load(h.folder, id, &h.arena, &h.record, e);
	return r ? r : update_locked(&h, update, e);
}

/* ---- pid file ---- */

int container_write_pid_file(const char *path, pid_t pid, struct error *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	int r = file_publish(AT_FDCWD, path, 0644, text, n);

	return r ? error_system(e, -r, "write the pid file '%s'", path) : 0;
}
