/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/plan.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/str.h"
#include "cgroups/cgroup.h"
#include "cgroups/host.h"
#include "init/message.h"
#include "runtime/hooks.h"
#include "runtime/notify.h"
#include "spec/validate.h"
#include "spec/names.h"

struct compiler {
	const struct plan_input *in;
	const struct spec *spec;
	struct arena *arena;
	struct plan_result *out;
	struct block *block;
	size_t room_trees;
	bool new_user, user; /* a user namespace is made; made or joined */
	bool has_proc;	     /* a PLAN_MOUNT keeps a procfs that can be written through */
	struct error *e;
};

static const uint32_t namespace_flags[_SPEC_NS_N] = {
    [SPEC_NS_USER] = CLONE_NEWUSER,	[SPEC_NS_PID] = CLONE_NEWPID,  [SPEC_NS_TIME] = CLONE_NEWTIME,
    [SPEC_NS_NETWORK] = CLONE_NEWNET,	[SPEC_NS_IPC] = CLONE_NEWIPC,  [SPEC_NS_UTS] = CLONE_NEWUTS,
    [SPEC_NS_CGROUP] = CLONE_NEWCGROUP, [SPEC_NS_MOUNT] = CLONE_NEWNS,
};

/* The default devices of the OCI (config-linux.md, Default Devices) that are nodes. */
static const struct {
	const char *path;
	uint32_t major, minor;
} default_devices[] = {
    {"/dev/null", 1, 3}, {"/dev/zero", 1, 5},	{"/dev/full", 1, 7},
    {"/dev/tty", 5, 0},	 {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9},
};

static const struct {
	const char *path, *target;
} default_symlinks[] = {
    {"/dev/fd", "/proc/self/fd"},	{"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/core", "/proc/kcore"},	   {"/dev/ptmx", "pts/ptmx"},
};

/* What may be mounted below /proc: single files that lxcfs and its like provide, as runc allows them. */
static const char *const proc_files[] = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
};

static struct plan_op *op(struct compiler *c, enum plan_kind kind, const char *cause)
{
	return block_op(c->block, kind, cause);
}

static void op_string(struct compiler *c, enum plan_kind kind, const char *cause, const char *string,
		      const char *string2)
{
	plan_ref first = block_string(c->block, string), second = block_string(c->block, string2);
	struct plan_op *o = op(c, kind, cause);

	o->string = first;
	o->string2 = second;
}

static void op_number(struct compiler *c, enum plan_kind kind, const char *cause, uint64_t number, uint64_t number2)
{
	struct plan_op *o = op(c, kind, cause);

	o->number = number;
	o->number2 = number2;
}

static const char *cause_at(struct compiler *c, const char *list, size_t i)
{
	return arena_format(c->arena, "%s[%zu]", list, i);
}

static struct plan_tree *add_tree(struct compiler *c)
{
	if (c->out->n_trees == c->room_trees) {
		struct plan_tree *grown;

		c->room_trees = c->room_trees ? c->room_trees * 2 : 16;
		grown = arena_array(c->arena, struct plan_tree, c->room_trees);
		if (c->out->n_trees)
			memcpy(grown, c->out->trees, c->out->n_trees * sizeof(*grown));
		c->out->trees = grown;
	}
	return &c->out->trees[c->out->n_trees++];
}

/* "/a//b/." as "/a/b"; ".." is left to the resolver, which keeps it inside the root. */
static const char *clean_path(struct compiler *c, const char *path)
{
	char *out = arena_alloc(c->arena, strlen(path) + 2), *p = out;

	for (const char *s = path; *s;) {
		size_t n = strcspn(s, "/");

		if (n && !(n == 1 && *s == '.')) {
			*p++ = '/';
			memcpy(p, s, n);
			p += n;
		}
		s += n + strspn(s + n, "/");
	}
	if (p == out)
		*p++ = '/';
	return out;
}

static const char *host_path(struct compiler *c, const char *path)
{
	return *path == '/' ? path : arena_format(c->arena, "%s/%s", c->in->bundle, path);
}

/* ---- namespaces ---- */

static bool is_new(const struct compiler *c, enum spec_namespace_type type)
{
	const struct spec_namespace *n = &c->spec->linux_.namespaces[type];

	return n->present && !n->path;
}

/* What of the spec changes a namespace of that type: joined by path it could be the host's. */
static const char *find_changer(struct compiler *c, enum spec_namespace_type type)
{
	const struct spec_linux *l = &c->spec->linux_;
	unsigned owner;

	if (type == SPEC_NS_MOUNT)
		return "root.path";
	if (type == SPEC_NS_UTS && c->spec->hostname)
		return "hostname";
	if (type == SPEC_NS_UTS && c->spec->domainname)
		return "domainname";
	for (size_t i = 0; i < l->n_sysctl; i++)
		if (!sysctl_namespace(l->sysctl[i].key, &owner) && owner == type)
			return arena_format(c->arena, "linux.sysctl.%s", l->sysctl[i].key);
	return NULL;
}

static void join(struct compiler *c, enum spec_namespace_type type)
{
	const struct spec_namespace *n = &c->spec->linux_.namespaces[type];

	if (!n->path)
		return;
	c->out->joins[c->out->n_joins++] = (struct plan_namespace){.path = n->path,
								   .cause = "linux.namespaces",
								   .type = namespace_flags[type],
								   .changer = find_changer(c, type)};
	op(c, PLAN_JOIN, "linux.namespaces")->namespace = namespace_flags[type];
}

static void add_time_offsets(struct compiler *c)
{
	const struct spec_time_offset *m = &c->spec->linux_.time_offsets.monotonic,
				      *b = &c->spec->linux_.time_offsets.boottime;
	auto_str lines = STR_INIT;

	if (m->present)
		str_addf(&lines, "monotonic %lld %u\n", (long long)m->secs, m->nanosecs);
	if (b->present)
		str_addf(&lines, "boottime %lld %u\n", (long long)b->secs, b->nanosecs);
	if (lines.size)
		op_string(c, PLAN_TIME_OFFSETS, "linux.timeOffsets", str_peek(&lines), NULL);
}

/* The mappings of a joined user namespace may be told again; others would be a mistake. */
static void add_map_check(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;
	plan_ref uids = block_bytes(c->block, l->uid_mappings, l->n_uid_mappings * sizeof(*l->uid_mappings));
	plan_ref gids = block_bytes(c->block, l->gid_mappings, l->n_gid_mappings * sizeof(*l->gid_mappings));
	struct plan_op *o = op(c, PLAN_CHECK_MAPS, "linux.namespaces");

	o->maps.uids = uids;
	o->maps.gids = gids;
	o->maps.n_uids = (uint32_t)l->n_uid_mappings;
	o->maps.n_gids = (uint32_t)l->n_gid_mappings;
}

static bool has_networks(const struct compiler *c)
{
	return c->spec->holm && c->spec->holm->n_networks;
}

static const char *network_cause(const struct compiler *c)
{
	return has_networks(c) ? "holm.networks" : "linux.netDevices";
}

static void add_namespaces(struct compiler *c)
{
	static const enum spec_namespace_type joined[] = {SPEC_NS_PID, SPEC_NS_TIME, SPEC_NS_NETWORK,
							  SPEC_NS_IPC, SPEC_NS_UTS,  SPEC_NS_CGROUP};
	static const enum spec_namespace_type unshared[] = {SPEC_NS_NETWORK, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_MOUNT};
	const struct spec_linux *l = &c->spec->linux_;
	bool time = l->namespaces[SPEC_NS_TIME].present;
	uint64_t flags = 0;

	if (l->time_offsets.monotonic.present || l->time_offsets.boottime.present)
		op_number(c, PLAN_OPEN_CLOCKS, "linux.timeOffsets", !c->in->privileged, 0);
	join(c, SPEC_NS_USER);
	if (c->user && !c->new_user && l->n_uid_mappings)
		add_map_check(c);
	if (c->new_user) {
		struct idmap *map = arena_new(c->arena, struct idmap);

		*map = (struct idmap){l->uid_mappings, l->gid_mappings, l->n_uid_mappings, l->n_gid_mappings};
		c->out->map = map;
		op_number(c, PLAN_UNSHARE, "linux.namespaces", CLONE_NEWUSER, 0);
		op_number(c, PLAN_TELL, "linux.uidMappings", MESSAGE_NAMESPACES, !c->in->privileged);
		op_number(c, PLAN_WAIT, "linux.uidMappings", MESSAGE_GO, 0);
	}
	if (c->user)
		op(c, PLAN_BECOME_ROOT, "linux.namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(joined); i++)
		join(c, joined[i]);
	for (size_t i = 0; i < ARRAY_SIZE(unshared); i++)
		if (is_new(c, unshared[i]))
			flags |= namespace_flags[unshared[i]];
	/*
	 * A new pid namespace comes with the clone, unless it must belong to a user namespace entered only later, or init has
	 * to fork to enter a time namespace: process 1 can't be left behind, nor make a sibling.
	 */
	if (is_new(c, SPEC_NS_PID)) {
		if (c->user || time)
			flags |= CLONE_NEWPID;
		else
			c->out->clone_flags |= CLONE_NEWPID;
	}
	if (is_new(c, SPEC_NS_TIME)) {
		op_number(c, PLAN_UNSHARE, "linux.namespaces", CLONE_NEWTIME, 0);
		add_time_offsets(c);
	}
	if (flags)
		op_number(c, PLAN_UNSHARE, "linux.namespaces", flags, 0);
	join(c, SPEC_NS_MOUNT);
	if (c->in->enters_cgroups) {
		c->out->enters_cgroups = true;
		op(c, PLAN_CGROUPS, "linux.cgroupsPath");
	}
	if (is_new(c, SPEC_NS_CGROUP)) /* after the cgroup is entered: it becomes the namespace's root */
		op_number(c, PLAN_UNSHARE, "linux.namespaces", CLONE_NEWCGROUP, 0);
	if (l->namespaces[SPEC_NS_PID].path || flags & CLONE_NEWPID || time) {
		c->out->forks = true;
		op(c, PLAN_FORK, "linux.namespaces");
	}
	if (l->n_net_devices || has_networks(c)) {
		c->out->network = true;
		op_number(c, PLAN_TELL, network_cause(c), MESSAGE_NAMESPACES, 0);
	}
	if (is_new(c, SPEC_NS_NETWORK))
		op(c, PLAN_LOOPBACK, "linux.namespaces");
}

/* ---- mounts ---- */

static bool in_proc(const char *target)
{
	return str_after(target, "/proc/") != NULL;
}

static int check_target(struct compiler *c, const struct spec_mount *m, const char *target, const char *cause)
{
	if (in_proc(target)) {
		for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
			if (str_equal(target, proc_files[i]))
				return 0;
		return error_refuse(c->e, ERROR_INVALID, "%s.destination: nothing can be mounted on '%s', inside /proc",
				    cause, target);
	}
	if (str_equal(target, "/proc") && !m->bind && !m->remount && !str_equal(m->type, "proc"))
		return error_refuse(c->e, ERROR_INVALID, "%s.type: only a procfs can be mounted on /proc, not '%s'",
				    cause, m->type ? m->type : "");
	if (str_equal(target, "/"))
		return error_refuse(c->e, ERROR_INVALID, "%s.destination: the root itself can't be mounted over",
				    cause);
	return 0;
}

static uint32_t tree_propagation(const struct compiler *c)
{
	/* As the root's: with nothing asked for, what is mounted on the host later still arrives, and nothing goes back. */
	unsigned p = c->spec->linux_.rootfs_propagation;

	if (p & MS_SHARED)
		return 0;
	if (p & MS_UNBINDABLE) /* what is to be mounted can't be unbindable yet */
		return MS_PRIVATE | MS_REC;
	return p ? p | MS_REC : MS_SLAVE | MS_REC;
}

/* The fields that all kinds of mounts share. */
static struct plan_mount mount_of(struct compiler *c, const struct spec_mount *m, const char *target)
{
	uint32_t *propagation = arena_array(c->arena, uint32_t, m->n_propagation + 1);
	struct plan_mount out = {
	    .target = block_string(c->block, target),
	    .set = m->attr_set,
	    .clear = m->attr_clear,
	    .recursive_set = m->recursive_set,
	    .recursive_clear = m->recursive_clear,
	    .n_propagation = (uint32_t)m->n_propagation,
	};

	for (size_t i = 0; i < m->n_propagation; i++)
		propagation[i] = m->propagation[i];
	if (m->n_propagation)
		out.propagation = block_bytes(c->block, propagation, m->n_propagation * sizeof(*propagation));
	if (in_proc(target))
		out.flags |= PLAN_MOUNT_IN_PROC;
	if (m->destination_nofollow)
		out.flags |= PLAN_MOUNT_TARGET_NOFOLLOW;
	if (str_equal(target, "/proc") || str_equal(target, "/sys"))
		out.flags |= PLAN_MOUNT_NO_SYMLINK;
	return out;
}

static void put_mount(struct compiler *c, const char *cause, const struct plan_mount *mount)
{
	op(c, PLAN_MOUNT, cause)->mount = *mount;
}

/* A bind of a path of the host, opened by the host side or, without root, by init. */
static void add_bind(struct compiler *c, const char *cause, struct plan_mount mount, const char *source, bool recursive,
		     const struct spec_mount *m)
{
	mount.source = block_string(c->block, source);
	mount.tree_propagation = tree_propagation(c);
	if (recursive)
		mount.flags |= PLAN_MOUNT_RECURSIVE;
	if (m && m->source_nofollow)
		mount.flags |= PLAN_MOUNT_SOURCE_NOFOLLOW;
	mount.from = PLAN_SOURCE_PATH;
	if (c->in->privileged) {
		struct plan_tree *tree = add_tree(c);

		mount.from = PLAN_SOURCE_HOST;
		*tree = (struct plan_tree){.path = source,
					   .cause = cause,
					   .recursive = recursive,
					   .nofollow = m && m->source_nofollow,
					   .use = PLAN_TREE_BIND};
		if (m && m->idmap != SPEC_IDMAP_NONE) {
			const struct spec_linux *l = &c->spec->linux_;
			struct idmap *map = arena_new(c->arena, struct idmap);

			tree->map_recursive = m->idmap == SPEC_RIDMAP;
			if (m->n_uid_mappings)
				*map = (struct idmap){m->uid_mappings, m->gid_mappings, m->n_uid_mappings,
						      m->n_gid_mappings};
			else
				*map = (struct idmap){l->uid_mappings, l->gid_mappings, l->n_uid_mappings,
						      l->n_gid_mappings};
			if (!m->n_uid_mappings && l->namespaces[SPEC_NS_USER].path)
				tree->map_namespace = l->namespaces[SPEC_NS_USER].path;
			else
				tree->map = map;
		}
	}
	put_mount(c, cause, &mount);
}

/* The container's folder in a hierarchy ("" is v2); NULL where it has none of its own. */
static const char *own_folder(const struct compiler *c, const char *controllers)
{
	for (size_t i = 0; i < c->in->cgroup->n_paths; i++)
		if (str_equal(c->in->cgroup->paths[i].controllers, controllers))
			return c->in->cgroup->paths[i].path;
	return NULL;
}

/*
 * Cgroup mounts are binds of the container's own folders.  In a cgroup namespace they look as a new mount would (the folder is
 * "/"), without one they show no more; and no superblock is made and torn down for each.  A hierarchy in which the container
 * has no folder would show the caller's: it is left out.
 */
static void add_cgroup2(struct compiler *c, const char *cause, struct plan_mount mount)
{
	const char *own = own_folder(c, "");

	if (own) {
		add_bind(c, cause, mount, own, false, NULL);
		return;
	}
	/* No cgroup of its own (rootless): the caller's, as far as the namespace shows it. */
	mount.type = block_string(c->block, "cgroup2");
	mount.source = block_string(c->block, CGROUP_MOUNT);
	mount.flags |= PLAN_MOUNT_FALLBACK;
	put_mount(c, cause, &mount);
}

static void add_folder(struct compiler *c, const char *cause, const char *path)
{
	op_string(c, PLAN_MKDIR, cause, path, NULL);
	c->block->ops[c->block->n_ops - 1].number = 0755;
}

/* v1: a tmpfs with a folder for each hierarchy, and a symlink for each controller that shares one. */
static void add_cgroup1(struct compiler *c, const struct spec_mount *m, const char *cause, const char *target)
{
	const struct cgroup *cgroup = c->in->cgroup;
	const char **folders = arena_array(c->arena, const char *, cgroup->n_paths + 1), *data[] = {"mode=755"};
	struct plan_mount mount = mount_of(c, m, target);

	mount.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	mount.flags |= PLAN_MOUNT_HOLD;
	mount.type = mount.source = block_string(c->block, "tmpfs");
	mount.data = block_strings(c->block, data, 1);
	mount.n_data = 1;
	put_mount(c, cause, &mount);
	for (size_t i = 0; i < cgroup->n_paths; i++) {
		const char *controllers = cgroup->paths[i].controllers, *name = str_after(controllers, "name=");

		folders[i] = arena_format(c->arena, "%s/%s", target,
					  !*controllers ? "unified"
					  : name	? name
							: controllers);
		add_folder(c, cause, folders[i]);
		if (!name && strchr(controllers, ','))
			for (char *rest = arena_strdup(c->arena, controllers), *one; (one = strsep(&rest, ","));)
				op_string(c, PLAN_SYMLINK, cause, arena_format(c->arena, "%s/%s", target, one),
					  controllers);
	}
	op_string(c, PLAN_ATTACH, cause, target, NULL);
	c->block->ops[c->block->n_ops - 1].number = m->attr_set & MOUNT_ATTR_RDONLY;
	for (size_t i = 0; i < cgroup->n_paths; i++)
		add_bind(c, cause, mount_of(c, m, folders[i]), cgroup->paths[i].path, false, NULL);
}

/*
 * Neither in a user namespace of the container nor in one that we are in ourselves (rootless Podman's) can nodes be made: the
 * host's are bound.  That takes a /dev that is attached: before Linux 6.15 nothing can be mounted on a detached tree.
 */
static bool binds_devices(const struct compiler *c)
{
	return c->user || !c->in->privileged;
}

static void add_device(struct compiler *c, const char *cause, const struct spec_device *d)
{
	struct plan_device device = {
	    .path = block_string(c->block, clean_path(c, d->path)),
	    .type = d->type == 'p'   ? S_IFIFO
		    : d->type == 'b' ? S_IFBLK
				     : S_IFCHR,
	    .major = (uint32_t)d->major,
	    .minor = (uint32_t)d->minor,
	    .mode = d->has_file_mode ? d->file_mode & 07777 : 0666,
	    .uid = d->uid,
	    .gid = d->gid,
	    .from = PLAN_SOURCE_NEW,
	};

	if (binds_devices(c) && d->type != 'p') {
		device.source = device.path;
		device.from = PLAN_SOURCE_PATH;
		if (c->in->privileged) {
			device.from = PLAN_SOURCE_HOST;
			*add_tree(c) =
			    (struct plan_tree){.path = clean_path(c, d->path), .cause = cause, .use = PLAN_TREE_DEVICE};
		}
	}
	op(c, PLAN_DEVICE, cause)->device = device;
}

/* Is path one of linux.devices? */
static bool is_listed(const struct compiler *c, const char *path)
{
	for (size_t i = 0; i < c->spec->linux_.n_devices; i++)
		if (str_equal(c->spec->linux_.devices[i].path, path))
			return true;
	return false;
}

static void add_devices(struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct spec_device d = {.type = 'c',
					.path = default_devices[i].path,
					.major = default_devices[i].major,
					.minor = default_devices[i].minor};

		if (!is_listed(c, d.path))
			add_device(c, NULL, &d);
	}
	for (size_t i = 0; i < c->spec->linux_.n_devices; i++)
		/* Engines list the host's whole /dev for privileged containers; ptmx is always the container's own. */
		if (!str_equal(c->spec->linux_.devices[i].path, "/dev/ptmx"))
			add_device(c, cause_at(c, "linux.devices", i), &c->spec->linux_.devices[i]);
}

static void add_symlinks(struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_symlinks); i++)
		op_string(c, PLAN_SYMLINK, NULL, default_symlinks[i].path, default_symlinks[i].target);
}

/* The mounts that will lie directly below /dev: their folders are made while it is detached. */
static void add_dev_folders(struct compiler *c, size_t after)
{
	for (size_t i = after + 1; i < c->spec->n_mounts; i++) {
		const struct spec_mount *m = &c->spec->mounts[i];
		const char *target = clean_path(c, m->destination), *name = str_after(target, "/dev/");

		if (name && !strchr(name, '/') && !m->bind && !m->remount && !str_equal(name, ".."))
			add_folder(c, cause_at(c, "mounts", i), target);
	}
}

static const struct {
	uint64_t flag;
	const char *option;
} superblock_options[] = {
    {MS_SYNCHRONOUS, "sync"}, {MS_DIRSYNC, "dirsync"}, {MS_LAZYTIME, "lazytime"}, {MS_MANDLOCK, "mand"}};

/* File systems whose superblock is not read-only because one mount of it is. */
static bool is_virtual(const char *type)
{
	static const char *const types[] = {"tmpfs",  "proc",	 "sysfs",      "devpts",    "mqueue",
					    "cgroup", "cgroup2", "securityfs", "debugfs",   "tracefs",
					    "bpf",    "ramfs",	 "devtmpfs",   "hugetlbfs", "binfmt_misc"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_equal(type, types[i]))
			return true;
	return false;
}

static void add_options(struct compiler *c, const struct spec_mount *m, struct plan_mount *mount)
{
	const char **data = arena_array(c->arena, const char *, m->n_data + ARRAY_SIZE(superblock_options) + 1);
	size_t n = 0;

	for (size_t i = 0; i < m->n_data; i++)
		data[n++] = m->data[i];
	for (size_t i = 0; i < ARRAY_SIZE(superblock_options); i++)
		if (m->superblock_set & superblock_options[i].flag)
			data[n++] = superblock_options[i].option;
	if (c->spec->linux_.mount_label && !m->remount && !str_equal(m->type, "proc") && !str_equal(m->type, "sysfs") &&
	    !str_equal(m->type, "mqueue"))
		data[n++] = arena_format(c->arena, "context=%s", c->spec->linux_.mount_label);
	mount->data = block_strings(c->block, data, n);
	mount->n_data = (uint32_t)n;
	if (m->attr_set & MOUNT_ATTR_RDONLY && !m->remount && !is_virtual(m->type))
		mount->flags |= PLAN_MOUNT_SUPERBLOCK_RO;
}

static bool has_data(const struct spec_mount *m, const char *key)
{
	for (size_t i = 0; i < m->n_data; i++)
		if (str_after(m->data[i], key))
			return true;
	return false;
}

/* /dev as a tmpfs: filled while nobody but init can reach it. */
static void add_dev(struct compiler *c, size_t i, const char *cause, struct plan_mount mount)
{
	uint64_t read_only = mount.set & MOUNT_ATTR_RDONLY;

	mount.set &= ~read_only;
	mount.flags |= PLAN_MOUNT_HOLD;
	put_mount(c, cause, &mount);
	add_dev_folders(c, i);
	add_symlinks(c);
	if (!binds_devices(c))
		add_devices(c);
	op_string(c, PLAN_ATTACH, cause, "/dev", NULL);
	c->block->ops[c->block->n_ops - 1].number = read_only;
}

static int add_mount(struct compiler *c, size_t i)
{
	const struct spec_mount *m = &c->spec->mounts[i];
	const char *cause = cause_at(c, "mounts", i), *target = clean_path(c, m->destination);
	struct plan_mount mount;
	int r = check_target(c, m, target, cause);

	if (r)
		return r;
	if (!m->bind && !m->remount && (str_equal(m->type, "cgroup") || str_equal(m->type, "cgroup2"))) {
		if (c->in->cgroup_host->n_v1 && str_equal(m->type, "cgroup"))
			add_cgroup1(c, m, cause, target);
		else
			add_cgroup2(c, cause, mount_of(c, m, target));
		return 0;
	}
	mount = mount_of(c, m, target);
	if (m->bind && !m->remount) {
		if (!m->source)
			return error_refuse(c->e, ERROR_INVALID, "%s.source: a bind mount needs one", cause);
		if (c->in->symlinks && c->in->symlinks[i]) {
			op_string(c, PLAN_SYMLINK, cause, target, c->in->symlinks[i]);
			return 0;
		}
		if (m->idmap != SPEC_IDMAP_NONE && !c->in->privileged)
			return error_refuse(c->e, ERROR_PERMISSION, "%s: idmapped mounts need root on the host", cause);
		add_bind(c, cause, mount, host_path(c, m->source), m->recursive, m);
		return 0;
	}
	if (!m->bind)
		add_options(c, m, &mount);
	if (m->remount) {
		mount.flags |= PLAN_MOUNT_REMOUNT;
		put_mount(c, cause, &mount);
		return 0;
	}
	if (!m->type)
		return error_refuse(c->e, ERROR_INVALID,
				    "%s.type: missing (and the options hold neither bind nor rbind)", cause);
	if (m->idmap != SPEC_IDMAP_NONE)
		return error_refuse(c->e, ERROR_UNSUPPORTED, "%s: only bind mounts can be idmapped", cause);
	mount.type = block_string(c->block, m->type);
	mount.source = block_string(c->block, m->source);
	mount.from = PLAN_SOURCE_NEW;
	if (m->copy_up)
		mount.flags |= PLAN_MOUNT_COPY_UP;
	if (str_equal(m->type, "tmpfs") && !has_data(m, "mode="))
		mount.flags |= PLAN_MOUNT_TARGET_MODE;
	if (str_equal(m->type, "devpts") && str_equal(target, "/dev/pts"))
		mount.flags |= PLAN_MOUNT_DEVPTS;
	if (str_equal(m->type, "proc") && str_equal(target, "/proc") && !m->n_data &&
	    !(m->attr_set & MOUNT_ATTR_RDONLY)) {
		mount.flags |= PLAN_MOUNT_PROC;
		c->has_proc = true;
	}
	if (str_equal(target, "/dev") && str_equal(m->type, "tmpfs") && !m->copy_up)
		add_dev(c, i, cause, mount);
	else
		put_mount(c, cause, &mount);
	return 0;
}

/* Is /dev the image's own folder or a tmpfs that is filled (held or not), or a bind that is left alone? */
enum dev_kind { DEV_IMAGE, DEV_HELD, DEV_BOUND };

static enum dev_kind find_dev(struct compiler *c)
{
	enum dev_kind kind = DEV_IMAGE;

	for (size_t i = 0; i < c->spec->n_mounts; i++) {
		const struct spec_mount *m = &c->spec->mounts[i];

		if (m->remount || !str_equal(clean_path(c, m->destination), "/dev"))
			continue;
		kind = m->bind ? DEV_BOUND : str_equal(m->type, "tmpfs") && !m->copy_up ? DEV_HELD : DEV_IMAGE;
	}
	return kind;
}

static void add_root(struct compiler *c)
{
	const char *cause = !c->in->root			    ? "root.path"
			    : c->spec->holm && c->spec->holm->image ? "holm.image"
								    : "holm.storage";
	const char *path = c->in->root ? c->in->root : host_path(c, c->spec->root_path);
	plan_ref source = block_string(c->block, path);
	struct plan_op *o = op(c, PLAN_ROOT, cause);
	unsigned propagation = c->spec->linux_.rootfs_propagation;

	o->root.source = source;
	o->root.from = c->in->privileged || c->in->root ? PLAN_SOURCE_HOST : PLAN_SOURCE_PATH;
	o->root.propagation = propagation ? propagation & ~(unsigned)MS_UNBINDABLE : MS_SLAVE | MS_REC;
	if (!(o->root.propagation & (MS_SHARED | MS_SLAVE | MS_PRIVATE)))
		o->root.propagation = MS_PRIVATE | MS_REC;
	if (o->root.from == PLAN_SOURCE_HOST)
		*add_tree(c) = (struct plan_tree){.path = path,
						  .cause = cause,
						  .recursive = true,
						  .use = c->in->root ? PLAN_TREE_MADE_ROOT : PLAN_TREE_ROOT};
}

/* ---- hooks that init runs ---- */

static void add_hooks(struct compiler *c, enum spec_hook_kind kind, const char *status, bool in_container)
{
	const struct hooks_state state = {.id = c->in->id,
					  .status = status,
					  .bundle = c->in->bundle,
					  .pid = 1,
					  .annotations = c->spec->annotations,
					  .n_annotations = c->spec->n_annotations};
	const char *json, *pid, *list = arena_format(c->arena, "hooks.%s", names_peek(&names_hooks, kind));
	char *head;

	if (!c->spec->hooks.kinds[kind].n)
		return;
	json = hooks_state_json(&state, c->arena);
	pid = strstr(json, "\"pid\":1");
	head = arena_strdup(c->arena, json);
	head[pid - json + 6] = 0;
	for (size_t i = 0; i < c->spec->hooks.kinds[kind].n; i++) {
		const struct spec_hook *h = &c->spec->hooks.kinds[kind].hooks[i];
		const char *own_args[] = {h->path};
		struct plan_hook hook = {
		    .path = block_string(c->block, h->path),
		    .args = block_strings(c->block, h->n_args ? h->args : own_args, h->n_args ? h->n_args : 1),
		    .n_args = (uint32_t)(h->n_args ? h->n_args : 1),
		    .env = block_strings(c->block, h->env, h->n_env),
		    .n_env = (uint32_t)h->n_env,
		    .state_head = block_string(c->block, head),
		    .state_tail = block_string(c->block, pid + 7),
		    .timeout = h->timeout,
		    .in_container = in_container,
		};

		op(c, PLAN_HOOK, cause_at(c, list, i))->hook = hook;
	}
}

/* ---- the process: shared by create and exec ---- */

struct process_input {
	const struct spec_process *process;
	const struct caps_sets *capabilities;
	const struct seccomp_program *seccomp;
	bool keep_groups, create_cwd;
	bool stay; /* init stays as process 1 */
};

/* A list such as "0-3,7" or "0-31:1/2" (checked: is_list()) as a mask of 64-bit words. */
static const uint64_t *list_to_mask(struct compiler *c, const char *list, size_t *ret_words)
{
	uint64_t *mask = arena_array(c->arena, uint64_t, 128);
	size_t words = 1;

	for (const char *p = list; *p;) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first, used = 1, group = 1;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (*end == ':') {
			used = strtoul(end + 1, &end, 10);
			group = strtoul(end + 1, &end, 10);
		}
		for (unsigned long bit = first; bit <= last && bit < 128 * 64; bit++) {
			if ((bit - first) % group >= used)
				continue;
			mask[bit / 64] |= 1ULL << bit % 64;
			if (bit / 64 + 1 > words)
				words = bit / 64 + 1;
		}
		p = *end ? end + 1 : end;
	}
	*ret_words = words;
	return mask;
}

static void add_affinity(struct compiler *c, const char *list, const char *cause)
{
	uint64_t all[16];
	const uint64_t *mask = all;
	size_t words = ARRAY_SIZE(all);
	plan_ref ref;
	struct plan_op *o;

	memset(all, 0xff, sizeof(all));
	if (list)
		mask = list_to_mask(c, list, &words);
	ref = block_bytes(c->block, mask, words * sizeof(*mask));
	o = op(c, PLAN_AFFINITY, cause);
	o->affinity.mask = ref;
	o->affinity.n = (uint32_t)(words * sizeof(*mask));
}

static void add_scheduler(struct compiler *c, const struct spec_scheduler *s)
{
	struct plan_op *o = op(c, PLAN_SCHEDULER, "process.scheduler");

	o->scheduler.policy = s->policy;
	o->scheduler.priority = (uint32_t)s->priority;
	o->scheduler.nice = s->nice;
	o->scheduler.flags = s->flags;
	o->scheduler.runtime = s->runtime;
	o->scheduler.deadline = s->deadline;
	o->scheduler.period = s->period;
}

static void add_memory_policy(struct compiler *c, const struct spec_memory_policy *m)
{
	size_t words = 0;
	const uint64_t *mask = m->nodes && *m->nodes ? list_to_mask(c, m->nodes, &words) : NULL;
	plan_ref nodes = mask ? block_bytes(c->block, mask, words * sizeof(*mask)) : 0;
	struct plan_op *o = op(c, PLAN_MEMORY_POLICY, "linux.memoryPolicy");

	o->memory_policy.mode = (uint32_t)m->mode | m->flags;
	o->memory_policy.nodes = nodes;
	o->memory_policy.n_bits = (uint32_t)(words * 64 + (words ? 1 : 0)); /* set_mempolicy(2) counts one too many */
}

static void add_rlimits(struct compiler *c, const struct spec_process *p)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		struct plan_op *o = op(c, PLAN_RLIMIT, cause_at(c, "process.rlimits", i));

		o->rlimit.resource = (uint32_t)p->rlimits[i].resource;
		o->rlimit.soft = p->rlimits[i].soft;
		o->rlimit.hard = p->rlimits[i].hard;
	}
}

static void add_personality(struct compiler *c, enum spec_personality personality)
{
	if (personality != SPEC_PERSONALITY_NONE)
		op_number(c, PLAN_PERSONALITY, "linux.personality",
			  personality == SPEC_PERSONALITY_LINUX32 ? 0x0008 : 0, 0);
}

static void add_identity(struct compiler *c, const struct process_input *in)
{
	const struct spec_process *p = in->process;
	plan_ref groups = block_bytes(c->block, p->user.additional_gids, p->user.n_additional_gids * sizeof(uint32_t));
	plan_ref cwd = block_string(c->block, p->cwd), cwd_cause = block_string(c->block, "process.cwd");
	struct plan_op *o = op(c, PLAN_USER, "process.user");

	o->user = (struct plan_user){
	    .uid = p->user.uid,
	    .gid = p->user.gid,
	    .groups = groups,
	    .n_groups = (uint32_t)p->user.n_additional_gids,
	    .keep_groups = in->keep_groups,
	    .cwd = cwd,
	    .cwd_cause = cwd_cause,
	    .create_cwd = in->create_cwd,
	    .bounding = in->capabilities->bounding,
	};
}

/* The first of all: see init/process.c. */
static void add_oom_score(struct compiler *c, const struct spec_process *p, bool privileged)
{
	if (!p || !p->has_oom_score_adj)
		return;
	op_string(c, PLAN_OOM_SCORE, "process.oomScoreAdj", arena_format(c->arena, "%d", p->oom_score_adj), NULL);
	c->block->ops[c->block->n_ops - 1].number = !privileged;
}

/* What comes before the container may be seen as created. */
static void add_process(struct compiler *c, const struct process_input *in)
{
	const struct spec_process *p = in->process;

	add_rlimits(c, p);
	if (p->scheduler)
		add_scheduler(c, p->scheduler);
	if (p->has_io_priority)
		op_number(c, PLAN_IO_PRIORITY, "process.ioPriority", (uint64_t)p->io_priority, 0);
	op_number(c, PLAN_UMASK, "process.user.umask", p->user.has_umask ? p->user.umask : 0022, 0);
	if (p->apparmor_profile && *p->apparmor_profile)
		op_string(c, PLAN_LABEL, "process.apparmorProfile", "self/attr/apparmor/exec",
			  arena_format(c->arena, "exec %s", p->apparmor_profile));
	if (p->selinux_label && *p->selinux_label)
		op_string(c, PLAN_LABEL, "process.selinuxLabel", "self/attr/exec", p->selinux_label);
	if (p->no_new_privileges)
		op(c, PLAN_NO_NEW_PRIVILEGES, "process.noNewPrivileges");
	add_identity(c, in);
	op_number(c, PLAN_FIND_PROGRAM, "process.args", p->user.uid, 0);
}

static void add_capabilities(struct compiler *c, const struct caps_sets *sets)
{
	op(c, PLAN_CAPABILITIES, "process.capabilities")->capabilities = (struct plan_capabilities){
	    .effective = sets->effective,
	    .permitted = sets->permitted,
	    .inheritable = sets->inheritable,
	    .ambient = sets->ambient,
	};
}

static void add_seccomp(struct compiler *c, const struct seccomp_program *s)
{
	plan_ref filter = block_bytes(c->block, s->filter, s->n * sizeof(*s->filter));
	struct plan_op *o = op(c, PLAN_SECCOMP, "linux.seccomp");

	o->seccomp.filter = filter;
	o->seccomp.n = s->n;
	o->seccomp.flags = s->flags;
	o->seccomp.listener = s->listener;
	c->out->listener = s->listener;
}

/* The filter as late as possible: after it only what the payload may do can be done. */
static void add_end(struct compiler *c, const struct process_input *in)
{
	bool early = in->seccomp && !in->process->no_new_privileges;

	if (early)
		add_seccomp(c, in->seccomp);
	add_capabilities(c, in->capabilities);
	if (in->seccomp && !early)
		add_seccomp(c, in->seccomp);
	op_number(c, PLAN_EXEC, "process.args", in->stay, 0);
}

static void add_console(struct compiler *c, const struct spec_process *p, uint32_t rows, uint32_t columns, bool plain,
			bool exec)
{
	struct plan_op *o;

	if (!p->terminal)
		return;
	o = op(c, PLAN_CONSOLE, "process.terminal");
	o->console.rows = p->has_console_size ? p->console_height : rows;
	o->console.columns = p->has_console_size ? p->console_width : columns;
	o->console.uid = p->user.uid;
	o->console.plain = plain;
	o->console.exec = exec;
	c->out->console = true;
}

static bool needs_proc(const struct spec *spec, const struct spec_process *p)
{
	return (spec && spec->linux_.n_sysctl) ||
	       (p && ((p->apparmor_profile && *p->apparmor_profile) || (p->selinux_label && *p->selinux_label)));
}

static void finish(struct compiler *c, const struct spec_process *p, const char *const *more_env, size_t n_more,
		   unsigned preserve)
{
	struct plan head = {.preserve = preserve};

	if (p) {
		const char **env = arena_array(c->arena, const char *, p->n_env + n_more + 1);
		size_t n = 0;

		for (size_t i = 0; i < p->n_env; i++)
			env[n++] = p->env[i];
		for (size_t i = 0; i < n_more; i++)
			env[n++] = more_env[i];
		head.args = block_strings(c->block, p->args, p->n_args);
		head.n_args = (uint32_t)p->n_args;
		head.env = block_strings(c->block, env, n);
		head.n_env = (uint32_t)n;
	}
	block_finish(c->block, &head);
}

static struct compiler begin(struct arena *arena, struct plan_result *ret, struct error *e)
{
	*ret = (struct plan_result){0};
	block_init(&ret->block, arena);
	return (struct compiler){.arena = arena, .out = ret, .block = &ret->block, .e = e};
}

/* Without a mount namespace nothing can be mounted, and nothing is: it would happen on the host. */
static int refuse_host_mounts(const struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;
	const char *what = c->spec->n_mounts				    ? "mounts"
			   : l->n_masked_paths				    ? "linux.maskedPaths"
			   : l->n_readonly_paths			    ? "linux.readonlyPaths"
			   : l->rootfs_propagation			    ? "linux.rootfsPropagation"
			   : c->spec->root_readonly			    ? "root.readonly"
			   : l->n_devices				    ? "linux.devices"
			   : c->spec->process && c->spec->process->terminal ? "process.terminal"
									    : NULL;

	if (!what)
		return 0;
	return error_refuse(c->e, ERROR_INVALID,
			    "%s: needs a mount namespace in linux.namespaces: holm mounts nothing on the host", what);
}

/* hosts and resolv.conf of the networks, unless the spec mounts its own. */
static void add_network_file(struct compiler *c, const char *target, const char *source)
{
	const struct spec_mount read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
							 MOUNT_ATTR_NOEXEC};

	for (size_t i = 0; i < c->spec->n_mounts; i++)
		if (str_equal(clean_path(c, c->spec->mounts[i].destination), target))
			return;
	if (!source)
		return;
	add_bind(c, "holm.networks", mount_of(c, &read_only, target), source, false, NULL);
	c->out->trees[c->out->n_trees - 1].after_network = true;
}

static int add_file_system(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;
	enum dev_kind dev;
	int r;

	add_root(c);
	for (size_t i = 0; i < c->spec->n_mounts; i++) {
		r = add_mount(c, i);
		if (r)
			return r;
	}
	if (c->in->notify_folder) {
		const struct spec_mount none = {.attr_set = MOUNT_ATTR_RDONLY};

		add_bind(c, NULL, mount_of(c, &none, NOTIFY_TARGET), c->in->notify_folder, false, NULL);
	}
	add_network_file(c, "/etc/hosts", c->in->hosts);
	add_network_file(c, "/etc/resolv.conf", c->in->resolv);
	dev = find_dev(c);
	if (dev == DEV_IMAGE)
		add_symlinks(c);
	if (dev == DEV_IMAGE || (dev == DEV_HELD && binds_devices(c)))
		add_devices(c);
	else if (dev == DEV_BOUND)
		for (size_t i = 0; i < l->n_devices; i++)
			if (!str_after(l->devices[i].path, "/dev/"))
				add_device(c, cause_at(c, "linux.devices", i), &l->devices[i]);
	if (!c->has_proc && needs_proc(c->spec, c->spec->process))
		op(c, PLAN_PROC, NULL);
	if (c->spec->process)
		add_console(c, c->spec->process, c->in->rows, c->in->columns, c->in->plain_output, false);
	return 0;
}

static void cover_paths(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;

	for (size_t i = 0; i < l->n_readonly_paths; i++)
		op_string(c, PLAN_READONLY_PATH, cause_at(c, "linux.readonlyPaths", i), l->readonly_paths[i], NULL);
	for (size_t i = 0; i < l->n_masked_paths; i++)
		op_string(c, PLAN_MASK, cause_at(c, "linux.maskedPaths", i), l->masked_paths[i], NULL);
}

static void add_sysctls(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;

	for (size_t i = 0; i < l->n_sysctl; i++) {
		char *path = arena_strdup(c->arena, l->sysctl[i].key);

		for (char *p = path; *p; p++)
			if (*p == '.')
				*p = '/';
		op_string(c, PLAN_SYSCTL, arena_format(c->arena, "linux.sysctl.%s", l->sysctl[i].key), path,
			  l->sysctl[i].value);
	}
}

/* A hard limit that is to rise is raised while init still has the host's privileges: in a user namespace it could not. */
static void raise_rlimits(struct compiler *c)
{
	const struct spec_process *p = c->spec->process;

	for (size_t i = 0; p && c->user && i < p->n_rlimits; i++) {
		const struct rlimit *now = &c->in->limits[p->rlimits[i].resource];
		struct plan_op *o;

		if (p->rlimits[i].hard <= now->rlim_max)
			continue;
		o = op(c, PLAN_RLIMIT, cause_at(c, "process.rlimits", i));
		o->rlimit.resource = (uint32_t)p->rlimits[i].resource;
		o->rlimit.soft = now->rlim_cur;
		o->rlimit.hard = p->rlimits[i].hard;
	}
}

/* The caller's own session keyring, with all that root keeps there, is not for the payload. */
static void add_keyring(struct compiler *c, const char *id, const char *label)
{
	bool labelled = label && *label;

	op_string(c, PLAN_KEYRING, labelled ? "process.selinuxLabel" : NULL, arena_format(c->arena, "_ses.%s", id),
		  labelled ? label : NULL);
}

int plan_create(const struct plan_input *input, struct arena *arena, struct plan_result *ret, struct error *e)
{
	struct compiler c = begin(arena, ret, e);
	const struct spec *spec = c.spec = input->spec;
	const struct spec_linux *l = &spec->linux_;
	const struct spec_process *p = spec->process;
	bool mounts = l->namespaces[SPEC_NS_MOUNT].present;
	struct process_input process = {.process = p,
					.capabilities = input->capabilities,
					.seccomp = input->seccomp,
					.create_cwd = true,
					.stay = spec->holm && spec->holm->init};
	const char *more_env[3];
	size_t n_more = 0;
	int r;

	c.in = input;
	c.new_user = is_new(&c, SPEC_NS_USER);
	c.user = l->namespaces[SPEC_NS_USER].present;
	ret->user_path = l->namespaces[SPEC_NS_USER].path;
	process.keep_groups =
	    c.new_user && !input->privileged && l->n_gid_mappings == 1 && l->gid_mappings[0].size == 1;
	raise_rlimits(&c);
	add_oom_score(&c, p, input->privileged);
	add_namespaces(&c);
	op(&c, PLAN_SESSION, NULL);
	if (!input->no_new_keyring)
		add_keyring(&c, input->id, p ? p->selinux_label : NULL);
	r = mounts ? add_file_system(&c) : refuse_host_mounts(&c);
	if (r)
		return r;
	if (ret->network)
		op_number(&c, PLAN_WAIT, network_cause(&c), MESSAGE_GO, 0);
	if (spec->hooks.kinds[SPEC_HOOK_PRESTART].n || spec->hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].n) {
		ret->host_hooks = true;
		op_number(&c, PLAN_TELL, "hooks", MESSAGE_MOUNTED, 0);
		op_number(&c, PLAN_WAIT, "hooks", MESSAGE_GO, 0);
	}
	add_hooks(&c, SPEC_HOOK_CREATE_CONTAINER, "creating", false);
	add_sysctls(&c);
	if (mounts) {
		cover_paths(&c);
		if (input->no_pivot)
			op(&c, PLAN_MOVE_ROOT, NULL);
		else
			op_number(&c, PLAN_PIVOT, "root.path", l->rootfs_propagation & MS_SHARED, 0);
		if (spec->root_readonly || l->rootfs_propagation)
			op_number(&c, PLAN_ROOT_ATTR, spec->root_readonly ? "root.readonly" : "linux.rootfsPropagation",
				  spec->root_readonly ? MOUNT_ATTR_RDONLY : 0, l->rootfs_propagation);
	} else {
		op_string(&c, PLAN_CHROOT, "root.path", host_path(&c, spec->root_path), NULL);
	}
	if (spec->hostname && *spec->hostname)
		op_string(&c, PLAN_HOSTNAME, "hostname", spec->hostname, NULL);
	if (spec->domainname && *spec->domainname)
		op_string(&c, PLAN_DOMAINNAME, "domainname", spec->domainname, NULL);
	add_personality(&c, l->personality);
	if (l->memory_policy)
		add_memory_policy(&c, l->memory_policy);
	add_affinity(&c, NULL, NULL);
	if (p)
		add_process(&c, &process);
	op_number(&c, PLAN_START, NULL, input->wait_for_start, 0);
	if (p) {
		add_hooks(&c, SPEC_HOOK_START_CONTAINER, "created", true);
		add_end(&c, &process);
	}
	if (input->notify_folder)
		more_env[n_more++] = NOTIFY_ENV;
	if (input->listen_fds) {
		more_env[n_more++] = arena_format(arena, "LISTEN_FDS=%u", input->listen_fds);
		more_env[n_more++] = "LISTEN_PID=1";
	}
	finish(&c, p, more_env, n_more, input->preserve);
	return 0;
}

int plan_exec(const struct plan_exec_input *input, struct arena *arena, struct plan_result *ret, struct error *e)
{
	struct compiler c = begin(arena, ret, e);
	const struct spec_process *p = input->process;
	struct process_input process = {.process = p, .capabilities = input->capabilities, .seccomp = input->seccomp};
	const struct spec_cpu_affinity *affinity = p->exec_cpu_affinity;

	process.keep_groups = input->user_namespace && !input->privileged;
	add_oom_score(&c, p, input->privileged);
	if (affinity && affinity->initial)
		add_affinity(&c, affinity->initial, "process.execCPUAffinity.initial");
	if (input->enters_cgroups) {
		ret->enters_cgroups = true;
		op(&c, PLAN_CGROUPS, NULL);
	}
	/* A new time namespace can't be joined by setns(2) with the rest before Linux 5.8; holm asks for 5.14. */
	if (input->namespaces)
		op(&c, PLAN_JOIN, NULL)->namespace = (uint32_t)input->namespaces;
	if (input->user_namespace)
		op(&c, PLAN_BECOME_ROOT, NULL);
	if (input->namespaces & (CLONE_NEWPID | CLONE_NEWTIME)) {
		ret->forks = true;
		op(&c, PLAN_FORK, NULL);
	}
	if (input->namespaces & CLONE_NEWNS)
		op(&c, PLAN_ENTER_ROOT, NULL);
	else /* a chroot: no namespace leads there */
		op_string(&c, PLAN_CHROOT, "root.path", input->rootfs, NULL);
	op(&c, PLAN_SESSION, NULL);
	if (!input->no_new_keyring)
		add_keyring(&c, input->id, p->selinux_label);
	if (needs_proc(NULL, p))
		op(&c, PLAN_PROC, NULL);
	add_console(&c, p, input->rows, input->columns, input->plain_output, true);
	add_personality(&c, input->personality);
	add_affinity(&c, affinity ? affinity->final : NULL,
		     affinity && affinity->final ? "process.execCPUAffinity.final" : NULL);
	add_process(&c, &process);
	op_number(&c, PLAN_START, NULL, 0, 0);
	add_end(&c, &process);
	finish(&c, p, NULL, 0, input->preserve);
	return 0;
}

/* What holm mounted at the start belongs to the container. */
static int check_removable(const char *target, struct error *e)
{
	static const char *const own[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		const char *rest = str_after(target, own[i]);

		if ((rest && (!*rest || *rest == '/')) || !target[1])
			return error_refuse(e, ERROR_INVALID, "'%s' can't be unmounted: the container needs it",
					    target);
	}
	return 0;
}

int plan_remodel(const struct plan_remodel_input *input, struct arena *arena, struct plan_result *ret, struct error *e)
{
	struct compiler c = begin(arena, ret, e);
	const struct plan_input in = {.bundle = input->bundle, .privileged = true};
	struct spec spec = {0};
	const char *target;
	int r;

	c.in = &in;
	c.spec = &spec;
	spec.linux_.namespaces[SPEC_NS_USER] = (struct spec_namespace){input->user_path, input->user_path};
	target = clean_path(&c, input->mount ? input->mount->destination : input->target);
	r = input->mount ? check_target(&c, input->mount, target, "mount") : check_removable(target, e);
	if (r)
		return r;
	op(&c, PLAN_JOIN, NULL)->namespace = (uint32_t)(input->namespaces & (CLONE_NEWNS | CLONE_NEWUSER));
	if (input->namespaces & CLONE_NEWUSER)
		op(&c, PLAN_BECOME_ROOT, NULL);
	op(&c, PLAN_ENTER_ROOT, NULL);
	if (input->mount) {
		add_bind(&c, "mount", mount_of(&c, input->mount, target), host_path(&c, input->mount->source),
			 input->mount->recursive, input->mount);
	} else {
		const char *name = strrchr(target, '/') + 1;

		op_string(&c, PLAN_UNMOUNT, NULL,
			  name == target + 1 ? "/" : arena_format(arena, "%.*s", (int)(name - target - 1), target),
			  name);
	}
	op_number(&c, PLAN_START, NULL, 0, 0);
	op(&c, PLAN_QUIT, NULL);
	finish(&c, NULL, NULL, 0, 0);
	return 0;
}
