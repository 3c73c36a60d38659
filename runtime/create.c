/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create, run, start: parse, plan, then a list of steps, each with its undo.
 *
 *   record   ROOT/ID and record.json, before anything else is made
 *   root     DATA/instances/ID, where holm makes the root
 *   cgroup   its folders and limits
 *   init     the clone, and all that init is served up to MESSAGE_READY; host hooks on the way
 *   announce pid file, console, pidfd
 *
 * A failing step leaves nothing of its own and those before it are undone; what a killed holm leaves is found by the record (runtime/delete.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "cgroups/host.h"
#include "cgroups/stats.h"
#include "netns/client.h"
#include "runtime/attach.h"
#include "runtime/container.h"
#include "runtime/hooks.h"
#include "runtime/internal.h"
#include "runtime/launch.h"
#include "runtime/limits.h"
#include "runtime/notify.h"
#include "runtime/plan.h"
#include "runtime/rdt.h"
#include "runtime/record.h"
#include "runtime/rootfs.h"
#include "runtime/socket.h"
#include "spec/resources.h"

enum { START_MEMORY = 192 * 1024 }; /* of init until it executes the program, page tables and all (6.1 and 6.18) */

struct creation {
	const struct runtime *runtime;
	const struct container_create *request;
	bool run; /* start at once */
	struct arena arena;
	struct spec spec;
	const char *bundle;
	struct cgroup_host *host;
	struct cgroup_request cgroup_request;
	struct cgroup_plan cgroup, cgroup_first, cgroup_later; /* all of it, and its two parts */
	struct cgroup_entry entry;
	struct caps_sets capabilities;
	struct seccomp_program seccomp;
	struct rlimit limits[RLIM_NLIMITS];
	struct plan_result plan;
	struct record record;
	struct launch launch;
	int bundle_fd, root_fd, folder, lock, signals, start_socket, notify_socket;
	unsigned listen_fds, inherited;
	bool notify, later_made, adopted, launched;
	struct rootfs rootfs;		  /* holm.image, holm.storage */
	struct net_interface *interfaces; /* holm.networks; malloc'd */
	struct net_port *ports;
	size_t n_ports;
	struct net_call network; /* the joining, while it goes on */
};

static void creation_release(struct creation *c)
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
	free(c->interfaces);
	free(c->ports);
	if (!c->request->spec)
		spec_release(&c->spec);
	arena_release(&c->arena);
}

/* ---- what is decided before anything is touched ---- */

static int open_bundle(struct creation *c, struct error *e)
{
	const char *path = c->request->bundle && *c->request->bundle ? c->request->bundle : ".";
	char cwd[4096];
	int r;

	r = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, path, &c->bundle_fd, e);
	if (r) {
		error_context(e, "bundle");
		return r;
	}
	if (*path == '/') {
		c->bundle = path;
		return 0;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		return error_system(e, errno, "read the current folder's path");
	c->bundle = str_equal(path, ".") ? arena_strdup(&c->arena, cwd) : arena_format(&c->arena, "%s/%s", cwd, path);
	return 0;
}

/* A copy, as deep as what is changed while the plan is made. */
static void copy_spec(struct creation *c)
{
	c->spec = *c->request->spec;
	if (c->spec.holm)
		c->spec.holm = arena_memdup(&c->arena, c->spec.holm, sizeof(*c->spec.holm));
}

static int load_spec(struct creation *c, struct error *e)
{
	int r = open_bundle(c, e);

	if (r)
		return r;
	if (c->request->spec) {
		copy_spec(c);
		return 0;
	}
	if (c->request->config)
		r = spec_load(AT_FDCWD, c->request->config, &c->spec, e);
	else
		r = spec_load(c->bundle_fd, "config.json", &c->spec, e);
	if (r && e->code && !c->request->config) /* not what is in it, but that it can't be read */
		error_context(e, "bundle '%s'", c->bundle);
	return r;
}

/* The process of process.user as the host sees it; -1 where it isn't mapped. */
static int64_t host_uid(const struct spec *spec)
{
	uint32_t uid = spec->process ? spec->process->user.uid : 0;

	if (!spec->linux_.n_uid_mappings)
		return uid;
	for (size_t i = 0; i < spec->linux_.n_uid_mappings; i++) {
		const struct spec_id_map *m = &spec->linux_.uid_mappings[i];

		if (uid - m->container < m->size)
			return (int64_t)m->host + (uid - m->container);
	}
	return -1;
}

/* The container's cgroup mount; NULL: none. */
static const struct spec_mount *cgroup_mount(const struct spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (spec->mounts[i].type && str_after(spec->mounts[i].type, "cgroup"))
			return &spec->mounts[i];
	return NULL;
}

/* May the container write to its cgroup: a cgroup namespace of its own and a cgroup mount that is not read-only? */
static bool writes_cgroup(const struct spec *spec)
{
	const struct spec_namespace *n = &spec->linux_.namespaces[SPEC_NS_CGROUP];
	const struct spec_mount *mount = cgroup_mount(spec);

	return n->present && !n->path && mount && !(mount->attr_set & MOUNT_ATTR_RDONLY);
}

static int plan_cgroup(struct creation *c, struct error *e)
{
	int64_t uid = host_uid(&c->spec);
	bool writes = writes_cgroup(&c->spec);
	int r = cgroup_host_find(&c->arena, &c->host, e);

	if (r)
		return r;
	c->cgroup_request = (struct cgroup_request){
	    .id = c->request->id,
	    .cgroups_path = c->spec.linux_.cgroups_path,
	    .driver = c->runtime->cgroup_driver,
	    .resources = c->spec.linux_.resources,
	    .rootless = c->runtime->rootless,
	    .oom_group =
		c->spec.holm != NULL, /* a service of which one part was killed is worse than one that is gone */
	    .delegate = writes && uid >= 0,
	    .delegate_uid = (uid_t)uid,
	    /* On v1 programs look for every controller before they believe any (Java), so engines' containers get all. */
	    .all_hierarchies = writes || (cgroup_mount(&c->spec) && c->spec.linux_.cgroups_path),
	};
	r = cgroup_plan(c->host, &c->cgroup_request, &c->arena, &c->cgroup, e);
	if (!r)
		cgroup_plan_split(&c->cgroup, &c->arena, &c->cgroup_first, &c->cgroup_later);
	return r;
}

static int plan_process(struct creation *c, struct error *e)
{
	bool new_user = c->spec.linux_.namespaces[SPEC_NS_USER].present;
	int r = 0;

	if (c->spec.process) {
		r = limits_fit(c->spec.process, c->limits, e);
		if (!r)
			r = caps_resolve(c->spec.process->capabilities, new_user, &c->capabilities, e);
	}
	if (!r && c->spec.linux_.intel_rdt) {
		r = rdt_check_host(e);
		if (!r)
			r = rdt_plan(c->spec.linux_.intel_rdt, c->request->id, RDT_ROOT, &c->arena, &c->record.rdt, e);
	}
	if (!r && c->spec.linux_.seccomp)
		r = seccomp_prepare(c->spec.linux_.seccomp, c->root_fd, &c->arena, &c->seccomp, e);
	return r;
}

/* CAP_SYS_ADMIN of the host's may set quotas as it likes. */
static int guard_projects(struct creation *c, struct error *e)
{
	bool is_host_admin =
	    !c->spec.linux_.namespaces[SPEC_NS_USER].present && c->capabilities.bounding & 1ULL << CAP_SYS_ADMIN;

	return c->spec.process && c->rootfs.used && c->rootfs.counted && !is_host_admin
		   ? seccomp_guard_projects(&c->seccomp, &c->arena, e)
		   : 0;
}

static int check_terminal(const struct creation *c, struct error *e)
{
	bool terminal = c->spec.process && c->spec.process->terminal;
	bool detached = !c->run || c->request->detach;

	if (c->request->monitored)
		return 0;
	if (detached && terminal && !c->request->console_socket)
		return error_refuse(e, ERROR_INVALID,
				    "cannot allocate tty if holm will detach without setting console socket");
	if ((!detached || !terminal) && c->request->console_socket)
		return error_refuse(e, ERROR_INVALID,
				    "cannot use console socket if holm will not detach or allocate tty");
	return 0;
}

/* Does init enter v1 folders by itself, or wait for its device program, or until systemd has put it into its scope? */
static bool waits_for_cgroups(const struct cgroup_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == CGROUP_JOIN || plan->steps[i].kind == CGROUP_DEVICES)
			return true;
	return plan->unit != NULL;
}

static bool joins_networks(const struct creation *c)
{
	return c->spec.holm && c->spec.holm->n_networks;
}

/* crun's copy-symlink: what the sources that are symlinks point to; NULL where no mount asks. */
static const char *const *read_symlinks(struct creation *c)
{
	const char **links = NULL;

	for (size_t i = 0; i < c->spec.n_mounts; i++) {
		const struct spec_mount *m = &c->spec.mounts[i];
		char target[4096];
		ssize_t n =
		    m->copy_symlink && m->source ? readlinkat(c->bundle_fd, m->source, target, sizeof(target) - 1) : -1;

		if (n < 0)
			continue;
		if (!links)
			links = arena_array(&c->arena, const char *, c->spec.n_mounts);
		target[n] = 0;
		links[i] = arena_strdup(&c->arena, target);
	}
	return links;
}

/* root.path as a path of the host; NULL: there is none. */
static const char *root_path(struct creation *c)
{
	const char *path = c->spec.root_path;

	return !path || *path == '/' ? path : arena_format(&c->arena, "%s/%s", c->bundle, path);
}

/* What the root is, for people: its path, or the image that holm makes it of. */
static const char *root_of(struct creation *c)
{
	return c->rootfs.used && c->rootfs.request.image ? c->rootfs.request.image : root_path(c);
}

static int compile(struct creation *c, struct error *e)
{
	struct winsize size = {0};
	struct plan_input input = {
	    .id = c->request->id,
	    .bundle = c->bundle,
	    .spec = &c->spec,
	    .capabilities = &c->capabilities,
	    .seccomp = c->seccomp.n ? &c->seccomp : NULL,
	    .cgroup_host = c->host,
	    .cgroup = &c->cgroup.cgroup,
	    .enters_cgroups = waits_for_cgroups(&c->cgroup),
	    .privileged = !c->runtime->rootless,
	    .no_pivot = c->request->no_pivot,
	    .no_new_keyring = c->request->no_new_keyring,
	    .wait_for_start = !c->run,
	    .preserve = c->inherited,
	    .listen_fds = c->listen_fds,
	    .limits = c->limits,
	    .symlinks = read_symlinks(c),
	    .root = c->rootfs.used ? root_of(c) : NULL,
	};

	if (joins_networks(c)) {
		char path[NET_PATH_SIZE];

		if (c->spec.holm->n_networks > 1)
			net_own_hosts_path(NULL, c->request->id, path);
		else
			net_hosts_path(NULL, c->spec.holm->networks[0].network, path);
		input.hosts = arena_strdup(&c->arena, path);
		input.resolv = arena_strdup(&c->arena, net_resolv_path(NULL, path));
	}
	if (c->notify)
		input.notify_folder =
		    arena_format(&c->arena, "%s/%s/%s", c->runtime->root, c->request->id, NOTIFY_DIRECTORY);
	if (c->run && !c->request->detach && c->spec.process && c->spec.process->terminal) {
		if (attach_window_size(&size)) {
			input.rows = size.ws_row;
			input.columns = size.ws_col;
		}
		input.plain_output = !isatty(STDOUT_FILENO);
	}
	return plan_create(&input, &c->arena, &c->plan, e);
}

/*
 * "instance:NAME" instead of a network: the network namespace of another instance, which has to run.  By its process, held by
 * nothing: if that ends meanwhile, the joining fails or finds the namespace that goes with it.
 */
static int find_network_of(struct creation *c, const char *name, struct error *e)
{
	struct spec_namespace *n = &c->spec.linux_.namespaces[SPEC_NS_NETWORK];
	struct container_state other;
	int r;

	if (c->spec.holm->n_networks > 1)
		return error_refuse(e, ERROR_INVALID, "holm.networks: 'instance:%s' stands alone", name);
	r = container_state(c->runtime, name, &c->arena, &other, e);
	if (!r && !other.pid)
		r = error_refuse(e, ERROR_STATE, "'%s' is not running", name);
	if (r) {
		error_context(e, "holm.networks[0].network: 'instance:%s'", name);
		return r;
	}
	n->present = true;
	n->path = arena_format(&c->arena, "/proc/%d/ns/net", (int)other.pid);
	/* A network namespace is joined with the rights of the user namespace that it belongs to. */
	if (c->spec.linux_.namespaces[SPEC_NS_USER].present && !c->spec.linux_.namespaces[SPEC_NS_USER].path)
		c->spec.linux_.namespaces[SPEC_NS_USER].path =
		    arena_format(&c->arena, "/proc/%d/ns/user", (int)other.pid);
	c->spec.holm->n_networks = 0;
	return 0;
}

static int find_joined_network(struct creation *c, struct error *e)
{
	const struct spec_holm *holm = c->spec.holm;
	const char *name = holm && holm->n_networks ? str_after(holm->networks[0].network, "instance:") : NULL;

	return name ? find_network_of(c, name, e) : 0;
}

/* What only somebody who stays can do. */
static int refuse_unmonitored(const struct spec_holm *holm, struct error *e)
{
	const char *member = holm->restart.policy && !str_equal(holm->restart.policy, "no") ? "restart"
			     : holm->stop.signal || holm->stop.timeout			    ? "stop"
			     : holm->log.size || holm->log.files			    ? "log"
			     : holm->health.n_command					    ? "health"
			     : holm->input						    ? "input"
			     : holm->notify						    ? "notify"
			     : holm->n_after						    ? "after"
											    : NULL;

	if (!member)
		return 0;
	return error_refuse(e, ERROR_UNSUPPORTED,
			    "holm.%s: nobody stays to do that with create and run; 'holm launch' makes an instance",
			    member);
}

static int plan_networks(struct creation *c, struct error *e)
{
	const struct spec_namespace *n = &c->spec.linux_.namespaces[SPEC_NS_NETWORK];

	if (!n->present || n->path)
		return error_refuse(e, ERROR_INVALID,
				    "holm.networks: needs a network namespace of its own in linux.namespaces");
	if (c->runtime->rootless)
		return error_refuse(e, ERROR_PERMISSION, "holm.networks: joining networks needs root");
	return net_interfaces_of(c->spec.holm->networks, c->spec.holm->n_networks, &c->interfaces, &c->ports,
				 &c->n_ports, e);
}

/* Everything that looks but does not touch.  explain stops here. */
static int prepare(struct creation *c, bool make_root, struct error *e)
{
	int r;

	if (!str_is_id(c->request->id))
		return error_refuse(e, ERROR_USAGE,
				    "invalid container id '%s' (letters, digits, '_', '+', '-' and '.', at most 255)",
				    c->request->id);
	/* Before we open anything ourselves, which would look like the caller's. */
	r = socket_inherited(c->request->preserve_fds, &c->listen_fds, &c->inherited, e);
	if (!r)
		r = load_spec(c, e);
	if (!r)
		r = check_terminal(c, e);
	if (!r && make_root)
		r = record_open_root(c->runtime->root, true, &c->root_fd, e);
	if (!r)
		r = plan_cgroup(c, e);
	if (!r)
		r = plan_process(c, e);
	c->notify = c->request->monitored ? c->spec.holm && c->spec.holm->notify : notify_host() != NULL;
	if (!r)
		r = find_joined_network(c, e);
	if (!r && c->spec.holm && !c->request->monitored)
		r = refuse_unmonitored(c->spec.holm, e);
	if (!r && joins_networks(c))
		r = plan_networks(c, e);
	if (!r)
		r = rootfs_plan(&c->rootfs, c->runtime, &c->spec, c->request->id, c->bundle_fd, root_path(c), e);
	if (!r && !root_of(c))
		r = error_refuse(e, ERROR_INVALID, "config.json: root: missing");
	if (!r)
		r = guard_projects(c, e);
	if (!r)
		r = compile(c, e);
	return r;
}

/* ---- the steps ---- */

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
	    .rootfs = root_of(c),
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
	    .networks = joins_networks(c),
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

static int make_cgroup_later(struct creation *c, struct error *e)
{
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

static const char *state_json(struct creation *c, const char *status, pid_t pid)
{
	const struct hooks_state state = {.id = c->request->id,
					  .status = status,
					  .bundle = c->bundle,
					  .pid = pid,
					  .annotations = c->spec.annotations,
					  .n_annotations = c->spec.n_annotations};

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

	if (!joins_networks(c))
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

	return r || !joins_networks(c) ? r : net_enter(&c->network, netns_fd, e);
}

static int on_networked(void *data, struct error *e)
{
	struct creation *c = data;
	int r;

	if (c->network.socket < 0)
		return 0;
	r = net_wait(&c->network, NULL, joins_networks(c) ? c->spec.holm->n_networks : 0, e);
	c->network = NET_CALL_INIT;
	return r;
}

static void leave_networks(struct creation *c)
{
	struct error ignored;

	if (c->network.socket >= 0)
		net_abandon(NULL, &c->network, c->request->id);
	else if (joins_networks(c) && net_leave(NULL, c->request->id, NULL, NULL, -1, &ignored))
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
	const char *state = state_json(c, "creating", pid);
	int r = hooks_run(&c->spec.hooks, SPEC_HOOK_PRESTART, state, c->bundle_fd, e);

	if (!r)
		r = hooks_run(&c->spec.hooks, SPEC_HOOK_CREATE_RUNTIME, state, c->bundle_fd, e);
	return r;
}

static int send_listener(const struct record *record, pid_t pid, int listener, struct error *e)
{
	const struct hooks_state state = {.id = record->id,
					  .status = "running",
					  .bundle = record->bundle,
					  .pid = record->pid,
					  .annotations = record->annotations,
					  .n_annotations = record->n_annotations};

	return socket_send_listener(record->listener_path, record->listener_metadata, pid, &state, listener, e);
}

int container_on_listener(void *data, pid_t pid, int listener, struct error *e)
{
	return send_listener(data, pid, listener, e);
}

static int on_listener(void *data, pid_t pid, int listener, struct error *e)
{
	return send_listener(&((struct creation *)data)->record, pid, listener, e);
}

static void unmake_init(struct creation *c)
{
	struct error ignored;

	launch_kill(&c->launch);
	if (rdt_remove(&c->record.rdt, &ignored))
		log_warning("%s", ignored.text);
}

/*
 * When a start failed because memory ran out, say whose limit it was, and what was needed.  The kernel kills init, or lets
 * a call fail: execve of a process that gets no page for its arguments ends with E2BIG.
 */
static void explain_limit(struct creation *c, struct error *e)
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
	    .on_network = on_network,
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
		r = make_cgroup_later(c, e);
	if (!r)
		r = launch_ready(&c->launch, e);
	if (r) {
		explain_limit(c, e);
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

static void run_poststop(struct creation *c)
{
	if (c->spec.hooks.kinds[SPEC_HOOK_POSTSTOP].n)
		hooks_run_all(&c->spec.hooks, SPEC_HOOK_POSTSTOP, state_json(c, "stopped", 0), c->bundle_fd);
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
		run_poststop(c);
}

static int apply(struct creation *c, struct error *e)
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

static struct creation creation_init(const struct runtime *runtime, const struct container_create *request, bool run)
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

int container_create(const struct runtime *runtime, const struct container_create *request, struct error *e)
{
	struct creation c = creation_init(runtime, request, false);
	int r = prepare(&c, true, e);

	if (!r)
		r = apply(&c, e);
	creation_release(&c);
	return r;
}

/* ---- run ---- */

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
		r = joins_networks(c) ? net_leave(NULL, c->request->id, NULL, NULL, -1, &first)
				      : net_leave_connected(NULL, c->request->id, c->folder, &first);
	if (!r && c->record.data)
		r = rootfs_remove(c->record.data, c->runtime->rootless, c->request->id, &first);
	run_poststop(c);
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
		explain_limit(c, e);
	else /* it is there: whatever comes now, others may enter it and end it */
		record_unlock(c->lock);
	if (!r && c->spec.hooks.kinds[SPEC_HOOK_POSTSTART].n)
		r = hooks_run(&c->spec.hooks, SPEC_HOOK_POSTSTART, state_json(c, "running", c->launch.pid),
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
	int r = prepare(&c, true, e);

	if (!r && !c.spec.process)
		r = error_refuse(e, ERROR_INVALID, "config.json: process: missing, and run needs one");
	if (!r && !request->detach) {
		r = attach_signals(&c.signals, e);
		if (!r && !request->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
			r = error_system(e, errno, "become a subreaper");
	}
	if (!r)
		r = apply(&c, e);
	if (!r) {
		r = finish_start(&c, e);
		if (r && record_relock(c.folder, &c.lock))
			undo(&c, ARRAY_SIZE(steps));
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

/* ---- explain ---- */

static const char *describe_step(const struct cgroup_step *s, struct arena *arena)
{
	switch (s->kind) {
	case CGROUP_MKDIR:
		return arena_format(arena, "make the cgroup '%s'", s->path);
	case CGROUP_ENABLE:
		return arena_format(arena, "enable controllers: write '%s' to '%s'", s->value, s->path);
	case CGROUP_WRITE:
		return arena_format(arena, "write '%s' to '%s'", s->value, s->path);
	case CGROUP_INHERIT:
		return arena_format(arena, "copy the parent's cpus and mems to '%s'", s->path);
	case CGROUP_DEVICES:
		return arena_format(arena, "attach a device filter (BPF) to '%s'", s->path);
	case CGROUP_CHOWN:
		return arena_format(arena, "give '%s' to user %s", s->path, s->value);
	case CGROUP_SCOPE:
		return arena_format(arena, "ask systemd for the unit '%s'", s->value);
	case CGROUP_JOIN:
		return arena_format(arena, "init enters '%s'", s->path);
	}
	return "";
}

static const char *describe_tree(const struct plan_tree *t, struct arena *arena)
{
	return arena_format(arena, "open '%s'%s%s for init", t->path, t->recursive ? " with its submounts" : "",
			    t->map || t->map_namespace ? ", idmapped," : "");
}

int container_explain(const struct runtime *runtime, const struct container_create *request, struct arena *arena,
		      struct container_operation **ret, size_t *ret_n, struct error *e)
{
	struct creation c = creation_init(runtime, request, true);
	struct container_operation *list;
	size_t n = 0;
	int r = prepare(&c, false, e);

	if (!r) {
		const struct block *b = &c.plan.block;
		const struct plan_op *ops = b->ops;

		list = arena_array(arena, struct container_operation, c.cgroup.n_steps + c.plan.n_trees + b->n_ops + 1);
		for (size_t i = 0; i < c.cgroup.n_steps; i++)
			list[n++] = (struct container_operation){"host", describe_step(&c.cgroup.steps[i], arena),
								 arena_strdup(arena, c.cgroup.steps[i].cause)};
		list[n++] = (struct container_operation){
		    "host", c.plan.clone_flags ? "clone init into a new pid namespace" : "clone init", NULL};
		for (size_t i = 0; i < c.plan.n_trees; i++)
			list[n++] = (struct container_operation){"host", describe_tree(&c.plan.trees[i], arena),
								 arena_strdup(arena, c.plan.trees[i].cause)};
		for (size_t i = 0; i < b->n_ops; i++)
			list[n++] = (struct container_operation){"init", plan_describe(b, &ops[i], arena),
								 arena_strdup(arena, block_at(b, ops[i].cause))};
		*ret = list;
		*ret_n = n;
	}
	creation_release(&c);
	return r;
}
