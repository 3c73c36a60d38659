/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is decided before anything is touched: what `explain` shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "cgroups/host.h"
#include "runtime/attach.h"
#include "runtime/creation.h"
#include "runtime/limits.h"
#include "runtime/notify.h"
#include "runtime/rdt.h"
#include "runtime/socket.h"
#include "spec/resources.h"

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

bool creation_joins_networks(const struct creation *c)
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

const char *creation_root_of(struct creation *c)
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
	    .root = c->rootfs.used ? creation_root_of(c) : NULL,
	};

	if (creation_joins_networks(c)) {
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

/* Known as soon as config.json is read: the program loads while all else is planned, unless somebody has started it already. */
static int begin_network(struct creation *c, bool real, struct error *e)
{
	struct container_monitored *monitored = c->request->monitored;
	int r = find_joined_network(c, e);

	if (!r && c->spec.holm && !monitored)
		r = refuse_unmonitored(c->spec.holm, e);
	if (r || !creation_joins_networks(c))
		return r;
	r = plan_networks(c, e);
	if (r || !real)
		return r;
	if (monitored)
		c->network.socket = take_fd(&monitored->network);
	return c->network.socket < 0 ? net_open(&c->network, e) : 0;
}

int creation_prepare(struct creation *c, bool make_root, struct error *e)
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
	if (!r)
		r = begin_network(c, make_root, e);
	if (!r && make_root)
		r = record_open_root(c->runtime->root, true, &c->root_fd, e);
	if (!r)
		r = plan_cgroup(c, e);
	if (!r)
		r = plan_process(c, e);
	c->notify = c->request->monitored ? c->spec.holm && c->spec.holm->notify : notify_host() != NULL;
	if (!r)
		r = rootfs_plan(&c->rootfs, c->runtime, &c->spec, c->request->id, c->bundle_fd, root_path(c), e);
	if (!r && !creation_root_of(c))
		r = error_refuse(e, ERROR_INVALID, "config.json: root: missing");
	if (!r)
		r = guard_projects(c, e);
	if (!r)
		r = compile(c, e);
	return r;
}
