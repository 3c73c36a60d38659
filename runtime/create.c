/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create: the steps of a start (runtime/creation.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "cgroups/stats.h"
#include "runtime/creation.h"
#include "runtime/internal.h"
#include "runtime/notify.h"
#include "runtime/rdt.h"
#include "runtime/socket.h"
#include "spec/resources.h"

enum { START_MEMORY = 192 * 1024 }; /* of init until it executes the program, page tables and all (6.1 and 6.18) */

struct creation creation_init(const struct runtime *runtime, const struct container_create *request, bool run)
{
	return (struct creation){
	    .runtime = runtime,
	    .request = request,
	    .run = run,
	    .entry = CGROUP_ENTRY_INIT,
	    .launch = {.join_pidfd = -1, .socket = -1, .pidfd = -1, .console = -1, .start_socket = -1, .root = -1},
	    .bundle_fd = -1,
	    .rootfs = ROOTFS_INIT,
	    .root_fd = -1,
	    .folder = -1,
	    .lock = -1,
	    .signals = -1,
	    .start_socket = -1,
	    .notify_socket = -1,
	    .network = NET_CALL_INIT,
	};
}

void creation_release(struct creation *c)
{
	launch_release(&c->launch);
	cgroup_entry_release(&c->entry);
	c->bundle_fd = fd_close(c->bundle_fd);
	c->root_fd = fd_close(c->root_fd);
	c->folder = fd_close(c->folder);
	c->lock = fd_close(c->lock);
	c->signals = fd_close(c->signals);
	c->start_socket = fd_close(c->start_socket);
	c->notify_socket = fd_close(c->notify_socket);
	rootfs_release(&c->rootfs);
	net_close(&c->network);
	free(c->interfaces);
	free(c->ports);
	if (!c->request->spec)
		spec_release(&c->spec);
	arena_release(&c->arena);
}

/*
 * RFC 3339, UTC, nanoseconds.  By hand: gmtime(3) looks for /etc/localtime first.  Days to a date after Howard Hinnant's
 * civil_from_days: years begin in March, so that the leap day is a year's last.
 */
static const char *now_text(struct arena *arena)
{
	struct timespec t;
	int64_t days, era, year;
	int day_of_era, day_of_year, seconds, month;

	clock_gettime(CLOCK_REALTIME, &t);
	days = t.tv_sec / 86400 + 719468;
	seconds = (int)(t.tv_sec % 86400);
	era = days / 146097;
	day_of_era = (int)(days % 146097);
	year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (int)(365 * year + year / 4 - year / 100);
	month = (5 * day_of_year + 2) / 153;
	return arena_format(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", (int)(year + era * 400 + (month >= 10)),
			    month < 10 ? month + 3 : month - 9, day_of_year - (153 * month + 2) / 5 + 1, seconds / 3600,
			    seconds / 60 % 60, seconds % 60, t.tv_nsec);
}

static bool has_hooks(const struct spec *spec)
{
	for (int kind = 0; kind < _SPEC_HOOK_N; kind++)
		if (spec->hooks.kinds[kind].n)
			return true;
	return false;
}

static void unmake_record(struct creation *c)
{
	struct error ignored;

	if (record_remove(c->root_fd, c->request->id, c->folder, &ignored))
		log_warning("%s", ignored.text);
}

static int make_record(struct creation *c, struct error *e)
{
	auto_free char *process = NULL, *hooks = NULL, *devices = NULL;
	const struct spec *s = &c->spec;
	const struct spec_resources *resources = s->linux_.resources;
	int r;

	r = record_claim(c->root_fd, c->request->id, &c->folder, &c->lock, e);
	if (r)
		return r;
	process = s->process ? spec_encode_process(s->process, 0) : NULL;
	hooks = has_hooks(s) ? spec_encode_hooks(&s->hooks, 0) : NULL;
	if (resources && resources->n_devices)
		devices = spec_encode_resources(
		    &(struct spec_resources){.devices = resources->devices, .n_devices = resources->n_devices}, 0);
	c->record = (struct record){
	    .id = c->request->id,
	    .bundle = c->bundle,
	    .rootfs = creation_root_of(c),
	    .created = now_text(&c->arena),
	    .cgroup = c->cgroup.cgroup,
	    .user_namespace = s->linux_.namespaces[SPEC_NS_USER].present,
	    .rootless = c->runtime->rootless,
	    .has_process = s->process != NULL,
	    .personality = s->linux_.personality,
	    .process = process,
	    .hooks = hooks,
	    .devices = devices,
	    .annotations = s->annotations,
	    .n_annotations = s->n_annotations,
	    .no_new_keyring = c->request->no_new_keyring,
	    .new_pid_namespace = s->linux_.namespaces[SPEC_NS_PID].present && !s->linux_.namespaces[SPEC_NS_PID].path,
	    .rdt = c->record.rdt,
	    .networks = creation_joins_networks(c),
	    .data = c->rootfs.owned && c->rootfs.used ? c->runtime->data : NULL,
	};
	for (int type = 0; type < _SPEC_NS_N; type++)
		if (s->linux_.namespaces[type].present)
			c->record.namespaces |= plan_namespace_flags[type];
	c->record.seccomp_flags = c->seccomp.flags;
	c->record.seccomp_listener = c->seccomp.listener;
	if (s->linux_.seccomp) {
		c->record.listener_path = s->linux_.seccomp->listener_path;
		c->record.listener_metadata = s->linux_.seccomp->listener_metadata;
	}
	r = record_save(c->lock, &c->record, e);
	if (!r && c->seccomp.n)
		r = record_save_seccomp(c->folder, &c->seccomp, e);
	if (!r && c->notify)
		r = notify_create(c->folder, e);
	if (!r && c->notify && c->run) /* before the payload can look for it; else `start` does this */
		r = notify_open(c->folder, &c->notify_socket, e);
	c->record.process = c->record.hooks = c->record.devices = NULL;
	if (r)
		unmake_record(c);
	return r;
}

/* What is not the container's own was there before it and stays. */
static int make_rootfs(struct creation *c, struct error *e)
{
	return c->rootfs.used ? rootfs_make(&c->rootfs, c->runtime->data, c->request->id, e) : 0;
}

static void unmake_rootfs(struct creation *c)
{
	struct error ignored;

	if (c->record.data && rootfs_remove(c->record.data, c->runtime->rootless, c->request->id, &ignored))
		log_warning("%s", ignored.text);
}

/* What the clone needs; the rest is made while init works on its namespaces. */
static int make_cgroup(struct creation *c, struct error *e)
{
	return cgroup_create(c->host, &c->cgroup_first, &c->entry, e);
}

static int on_mapped(void *data, struct error *e)
{
	struct creation *c = data;
	struct cgroup_entry later = CGROUP_ENTRY_INIT;
	int r;

	if (!c->cgroup_later.n_steps || c->cgroup.unit) /* what systemd makes is adopted, all of it */
		return 0;
	r = cgroup_create(c->host, &c->cgroup_later, &later, e);
	if (r)
		return r;
	c->later_made = true;
	later.into_fd = c->entry.into_fd;
	c->entry = later;
	return 0;
}

static void unmake_cgroup(struct creation *c)
{
	struct error ignored;

	/* Only what we made: a v1 folder that was refused because others are in it stays as it is, and so does their scope. */
	const struct cgroup *made = c->later_made || c->adopted ? &c->cgroup.cgroup : &c->cgroup_first.cgroup;

	if (c->cgroup.unit && !c->adopted)
		return;

	if (cgroup_kill(made, &ignored) || cgroup_destroy(made, &ignored))
		log_warning("%s", ignored.text);
}

const char *creation_state_json(struct creation *c, const char *status, pid_t pid)
{
	const struct hooks_state state = record_hooks_state(&c->record, status, pid);

	return hooks_state_json(&state, &c->arena);
}

static int on_pid(void *data, pid_t pid, int pidfd, struct error *e)
{
	struct creation *c = data;
	char boot_id[BOOT_ID_SIZE];
	uint64_t start;
	int r = 0;

	(void)pidfd;
	if (c->cgroup.unit) {
		r = cgroup_adopt(c->host, &c->cgroup, pid, e);
		if (r)
			return r;
		c->adopted = true;
	}
	r = proc_start_time(pid, &start, NULL);
	if (r)
		return error_system(e, -r, "read the start time of process %d", (int)pid);
	if (c->record.rdt.group)
		r = rdt_apply(&c->record.rdt, pid, e);
	if (r)
		return r;
	r = proc_boot_id(boot_id);
	if (r)
		return error_system(e, -r, "read the boot id");
	c->record.pid = pid;
	c->record.start = start;
	return record_save_init(c->folder, pid, start, boot_id, e);
}

/* Everything of the network happens in a program of its own, beside the making of cgroups, init and mounts. */
static int start_network(struct creation *c, struct error *e)
{
	struct net_join join;

	if (!creation_joins_networks(c))
		return 0;
	join = (struct net_join){
	    .id = c->request->id,
	    .instance = arena_join(&c->arena, c->runtime->root, "/", c->request->id, NULL),
	    .hostname = c->spec.hostname,
	    .netns_fd = -1, /* follows */
	    .interfaces = c->interfaces,
	    .n = c->spec.holm->n_networks,
	    .ports = c->ports,
	    .n_ports = c->n_ports,
	};
	return net_start(NULL, &join, &c->network, e);
}

static int on_network(void *data, int netns_fd, struct error *e)
{
	struct creation *c = data;
	const struct spec_linux *l = &c->spec.linux_;
	int r = l->n_net_devices ? net_move_devices(l->net_devices, l->n_net_devices, netns_fd, e) : 0;

	return r || !creation_joins_networks(c) ? r : net_enter(&c->network, netns_fd, e);
}

static int on_network_files(void *data, struct error *e)
{
	return net_wait_prepared(&((struct creation *)data)->network, e);
}

static int on_networked(void *data, struct error *e)
{
	struct creation *c = data;
	int r;

	if (c->network.socket < 0)
		return 0;
	r = net_wait(&c->network, NULL, creation_joins_networks(c) ? c->spec.holm->n_networks : 0, e);
	c->network = NET_CALL_INIT;
	return r;
}

static void leave_networks(struct creation *c)
{
	struct error ignored;

	if (c->network.socket >= 0)
		net_abandon(NULL, &c->network, c->request->id);
	else if (creation_joins_networks(c) && net_leave(NULL, c->request->id, NULL, NULL, -1, &ignored))
		log_warning("%s", ignored.text);
	c->network = NET_CALL_INIT;
}

static int on_root(void *data, int user_namespace, int *ret_tree, struct error *e)
{
	return rootfs_open(&((struct creation *)data)->rootfs, user_namespace, ret_tree, e);
}

static int on_mounted(void *data, pid_t pid, struct error *e)
{
	struct creation *c = data;
	const char *state = creation_state_json(c, "creating", pid);
	int r = hooks_run(&c->spec.hooks, SPEC_HOOK_PRESTART, state, c->bundle_fd, e);

	if (!r)
		r = hooks_run(&c->spec.hooks, SPEC_HOOK_CREATE_RUNTIME, state, c->bundle_fd, e);
	return r;
}

static int on_listener(void *data, pid_t pid, int listener, struct error *e)
{
	return container_on_listener(&((struct creation *)data)->record, pid, listener, e);
}

static void unmake_init(struct creation *c)
{
	struct error ignored;

	launch_kill(&c->launch);
	if (rdt_remove(&c->record.rdt, &ignored))
		log_warning("%s", ignored.text);
}

/* The kernel kills init, or lets a call fail: execve of a process that gets no page for its arguments ends with E2BIG. */
void creation_explain_limit(const struct creation *c, struct error *e)
{
	struct cgroup_end end;
	char text[256];

	if (e->kind != ERROR_LIMIT && e->code != ENOMEM && e->code != E2BIG && e->code != EFAULT)
		return;
	cgroup_end_read(&c->cgroup.cgroup, &end);
	if (end.memory_limit != CGROUP_UNLIMITED && (end.oom_kills ? end.oom_own_limit : end.memory_hits))
		error_context(e,
			      "linux.resources.memory.limit: %llu bytes are too few to start in (%llu were in use when "
			      "the kernel refused more; a start takes about %d, and the program comes on top)",
			      (unsigned long long)end.memory_limit, (unsigned long long)end.memory_peak, START_MEMORY);
	else if (end.oom_kills)
		error_context(e, "%s", cgroup_end_format(&end, text, sizeof(text)));
	else
		return;
	e->kind = ERROR_LIMIT;
	e->code = 0;
}

static int make_init(struct creation *c, struct error *e)
{
	int r = 0;

	c->launch = (struct launch){
	    .plan = &c->plan,
	    .entry = &c->entry,
	    .on_mapped = on_mapped,
	    .on_network = on_network,
	    .on_network_files = on_network_files,
	    .on_networked = on_networked,
	    .join_pidfd = -1,
	    .start_socket = -1,
	    .on_pid = on_pid,
	    .on_root = on_root,
	    .on_mounted = on_mounted,
	    .on_listener = on_listener,
	    .data = c,
	    .socket = -1,
	    .pidfd = -1,
	    .console = -1,
	    .root = -1,
	};
	if (!c->run) {
		r = socket_bind(c->folder, RECORD_START, SOCK_SEQPACKET, 0600, &c->start_socket, e);
		if (!r && listen(c->start_socket, 16) < 0)
			r = error_system(e, errno, "listen on the start socket");
		c->launch.start_socket = c->start_socket;
	}
	if (!r)
		r = launch_begin(&c->launch, e);
	c->launched = !r;
	if (!r)
		r = launch_ready(&c->launch, e);
	if (r) {
		creation_explain_limit(c, e);
		unmake_init(c);
	}
	return r;
}

static int announce(struct creation *c, struct error *e)
{
	const struct container_create *q = c->request;
	int r = 0;

	if (q->pidfd_socket)
		r = socket_send_pidfd(AT_FDCWD, q->pidfd_socket, "standard", c->launch.pidfd, e);
	if (!r && q->console_socket)
		r = socket_send_console(AT_FDCWD, q->console_socket, "/dev/ptmx", c->launch.console, e);
	if (!r && q->pid_file)
		r = container_write_pid_file(q->pid_file, c->launch.pid, e);
	return r;
}

/* The pid file is the last thing that announce() makes. */
static void unannounce(struct creation *c)
{
	if (c->request->pid_file)
		unlink(c->request->pid_file);
}

static const struct step {
	const char *name;
	int (*apply)(struct creation *, struct error *);
	void (*undo)(struct creation *);
} steps[] = {
    {"record", make_record, unmake_record}, {"network", start_network, leave_networks},
    {"root", make_rootfs, unmake_rootfs},   {"cgroup", make_cgroup, unmake_cgroup},
    {"init", make_init, unmake_init},	    {"announce", announce, unannounce},
};

void creation_run_poststop(struct creation *c)
{
	if (c->spec.hooks.kinds[SPEC_HOOK_POSTSTOP].n)
		hooks_run_all(&c->spec.hooks, SPEC_HOOK_POSTSTOP, creation_state_json(c, "stopped", 0), c->bundle_fd);
}

/*
 * Undoes steps n-1..0.  The OCI (runtime.md, Lifecycle): after a hook that failed goes on with the deletion, and the poststop
 * hooks end that.  holm can't tell which of init's hooks ran, so they follow every init.
 */
static void undo(struct creation *c, size_t n)
{
	while (n--)
		if (steps[n].undo)
			steps[n].undo(c);
	if (c->launched)
		creation_run_poststop(c);
}

int creation_apply(struct creation *c, struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i].apply(c, e);

		if (!r)
			continue;
		undo(c, i);
		return r;
	}
	return 0;
}

void creation_undo(struct creation *c)
{
	undo(c, ARRAY_SIZE(steps));
}

int container_create(const struct runtime *runtime, const struct container_create *request, struct error *e)
{
	struct creation c = creation_init(runtime, request, false);
	int r = creation_prepare(&c, true, e);

	if (!r)
		r = creation_apply(&c, e);
	creation_release(&c);
	return r;
}

int container_write_pid_file(const char *path, pid_t pid, struct error *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	int r = file_publish(AT_FDCWD, path, 0644, text, n);

	return r ? error_system(e, -r, "write the pid file '%s'", path) : 0;
}
