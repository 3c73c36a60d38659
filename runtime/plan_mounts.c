/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root, the mounts in it, and what covers paths. */
#include "runtime/plan_compile.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/str.h"
#include "cgroups/cgroup.h"
#include "cgroups/host.h"
#include "runtime/notify.h"

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

static bool in_proc(const char *target)
{
	return str_after(target, "/proc/") != NULL;
}

int compile_check_target(struct compiler *c, const struct spec_mount *m, const char *target, const char *cause)
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
struct plan_mount compile_mount(struct compiler *c, const struct spec_mount *m, const char *target)
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
	compile_op(c, PLAN_MOUNT, cause)->mount = *mount;
}

/* A bind of a path of the host, opened by the host side or, without root, by init. */
void compile_bind(struct compiler *c, const char *cause, struct plan_mount mount, const char *source, bool recursive,
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
		struct plan_tree *tree = compile_tree(c);

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
		compile_bind(c, cause, mount, own, false, NULL);
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
	compile_strings(c, PLAN_MKDIR, cause, path, NULL);
	c->block->ops[c->block->n_ops - 1].number = 0755;
}

/* v1: a tmpfs with a folder for each hierarchy, and a symlink for each controller that shares one. */
static void add_cgroup1(struct compiler *c, const struct spec_mount *m, const char *cause, const char *target)
{
	const struct cgroup *cgroup = c->in->cgroup;
	const char **folders = arena_array(c->arena, const char *, cgroup->n_paths + 1), *data[] = {"mode=755"};
	struct plan_mount mount = compile_mount(c, m, target);

	mount.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	mount.flags |= PLAN_MOUNT_HOLD;
	mount.type = mount.source = block_string(c->block, "tmpfs");
	mount.data = block_strings(c->block, data, 1);
	mount.n_data = 1;
	put_mount(c, cause, &mount);
	for (size_t i = 0; i < cgroup->n_paths; i++) {
		const char *controllers = cgroup->paths[i].controllers, *name = str_after(controllers, "name=");

		folders[i] = arena_join(c->arena, target, "/",
					!*controllers ? "unified"
					: name	      ? name
						      : controllers,
					NULL);
		add_folder(c, cause, folders[i]);
		if (!name && strchr(controllers, ','))
			for (char *rest = arena_strdup(c->arena, controllers), *one; (one = strsep(&rest, ","));)
				compile_strings(c, PLAN_SYMLINK, cause, arena_format(c->arena, "%s/%s", target, one),
						controllers);
	}
	compile_strings(c, PLAN_ATTACH, cause, target, NULL);
	c->block->ops[c->block->n_ops - 1].number = m->attr_set & MOUNT_ATTR_RDONLY;
	for (size_t i = 0; i < cgroup->n_paths; i++)
		compile_bind(c, cause, compile_mount(c, m, folders[i]), cgroup->paths[i].path, false, NULL);
}

/* The mounts that will lie directly below /dev: their folders are made while it is detached. */
static void add_dev_folders(struct compiler *c, size_t after)
{
	for (size_t i = after + 1; i < c->spec->n_mounts; i++) {
		const struct spec_mount *m = &c->spec->mounts[i];
		const char *target = compile_clean_path(c, m->destination), *name = str_after(target, "/dev/");

		if (name && !strchr(name, '/') && !m->bind && !m->remount && !str_equal(name, ".."))
			add_folder(c, compile_cause(c, "mounts", i), target);
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

/*
 * mount(2) takes a page of options, fsconfig(2) 255 bytes for one.  So a longer list of overlay's lower folders is given one by one
 * (Linux 6.5), those after "::", which have data only, by another name (Documentation/filesystems/overlayfs.rst).  How many?
 */
static size_t split_folders(struct compiler *c, const struct spec_mount *m, const char *option, const char **ret)
{
	const char *list = str_after(option, "lowerdir="), *name = "lowerdir+=";
	char *rest, *folder;
	size_t n = 0;

	if (!list || !str_equal(m->type, "overlay") || strlen(list) <= 255 || *list == ':' || strchr(list, '\\')) {
		*ret = option;
		return 1;
	}
	rest = arena_strdup(c->arena, list);
	while ((folder = strsep(&rest, ":")))
		if (*folder)
			ret[n++] = arena_join(c->arena, name, folder, NULL);
		else
			name = "datadir+=";
	return n;
}

static void add_options(struct compiler *c, const struct spec_mount *m, struct plan_mount *mount)
{
	size_t most = ARRAY_SIZE(superblock_options) + 1, n = 0;
	const char **data;

	for (size_t i = 0; i < m->n_data; i++)
		most += 1 + strlen(m->data[i]) / 2; /* of a list, each has a byte and a colon */
	data = arena_array(c->arena, const char *, most);
	for (size_t i = 0; i < m->n_data; i++)
		n += split_folders(c, m, m->data[i], data + n);
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
	compile_dev_links(c);
	if (!compile_binds_devices(c))
		compile_devices(c);
	compile_strings(c, PLAN_ATTACH, cause, "/dev", NULL);
	c->block->ops[c->block->n_ops - 1].number = read_only;
}

static int add_mount(struct compiler *c, size_t i)
{
	const struct spec_mount *m = &c->spec->mounts[i];
	const char *cause = compile_cause(c, "mounts", i), *target = compile_clean_path(c, m->destination);
	struct plan_mount mount;
	int r = compile_check_target(c, m, target, cause);

	if (r)
		return r;
	if (!m->bind && !m->remount && (str_equal(m->type, "cgroup") || str_equal(m->type, "cgroup2"))) {
		if (c->in->cgroup_host->n_v1 && str_equal(m->type, "cgroup"))
			add_cgroup1(c, m, cause, target);
		else
			add_cgroup2(c, cause, compile_mount(c, m, target));
		return 0;
	}
	mount = compile_mount(c, m, target);
	if (m->bind && !m->remount) {
		if (!m->source)
			return error_refuse(c->e, ERROR_INVALID, "%s.source: a bind mount needs one", cause);
		if (c->in->symlinks && c->in->symlinks[i]) {
			compile_strings(c, PLAN_SYMLINK, cause, target, c->in->symlinks[i]);
			return 0;
		}
		if (m->idmap != SPEC_IDMAP_NONE && !c->in->privileged)
			return error_refuse(c->e, ERROR_PERMISSION, "%s: idmapped mounts need root on the host", cause);
		compile_bind(c, cause, mount, compile_host_path(c, m->source), m->recursive, m);
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

static void add_root(struct compiler *c)
{
	const char *cause = !c->in->root			    ? "root.path"
			    : c->spec->holm && c->spec->holm->image ? "holm.image"
								    : "holm.storage";
	const char *path = c->in->root ? c->in->root : compile_host_path(c, c->spec->root_path);
	plan_ref source = block_string(c->block, path);
	struct plan_op *o = compile_op(c, PLAN_ROOT, cause);
	unsigned propagation = c->spec->linux_.rootfs_propagation;

	o->root.source = source;
	o->root.from = c->in->privileged || c->in->root ? PLAN_SOURCE_HOST : PLAN_SOURCE_PATH;
	o->root.propagation = propagation ? propagation & ~(unsigned)MS_UNBINDABLE : MS_SLAVE | MS_REC;
	if (!(o->root.propagation & (MS_SHARED | MS_SLAVE | MS_PRIVATE)))
		o->root.propagation = MS_PRIVATE | MS_REC;
	if (o->root.from == PLAN_SOURCE_HOST)
		*compile_tree(c) = (struct plan_tree){.path = path,
						      .cause = cause,
						      .recursive = true,
						      .use = c->in->root ? PLAN_TREE_MADE_ROOT : PLAN_TREE_ROOT};
}

/* Without a mount namespace nothing can be mounted, and nothing is: it would happen on the host. */
int compile_refuse_mounts(const struct compiler *c)
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
		if (str_equal(compile_clean_path(c, c->spec->mounts[i].destination), target))
			return;
	if (!source)
		return;
	compile_bind(c, "holm.networks", compile_mount(c, &read_only, target), source, false, NULL);
	c->out->trees[c->out->n_trees - 1].of_network = true;
}

int compile_file_system(struct compiler *c)
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

		compile_bind(c, NULL, compile_mount(c, &none, NOTIFY_TARGET), c->in->notify_folder, false, NULL);
	}
	add_network_file(c, "/etc/hosts", c->in->hosts);
	add_network_file(c, "/etc/resolv.conf", c->in->resolv);
	dev = compile_find_dev(c);
	if (dev == DEV_IMAGE)
		compile_dev_links(c);
	if (dev == DEV_IMAGE || (dev == DEV_HELD && compile_binds_devices(c)))
		compile_devices(c);
	else if (dev == DEV_BOUND)
		for (size_t i = 0; i < l->n_devices; i++)
			if (!str_after(l->devices[i].path, "/dev/"))
				compile_device(c, compile_cause(c, "linux.devices", i), &l->devices[i]);
	if (!c->has_proc && compile_needs_proc(c->spec, c->spec->process))
		compile_op(c, PLAN_PROC, NULL);
	if (c->spec->process)
		compile_console(c, c->spec->process, c->in->rows, c->in->columns, c->in->plain_output, false);
	return 0;
}

void compile_covers(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;

	for (size_t i = 0; i < l->n_readonly_paths; i++)
		compile_strings(c, PLAN_READONLY_PATH, compile_cause(c, "linux.readonlyPaths", i), l->readonly_paths[i],
				NULL);
	for (size_t i = 0; i < l->n_masked_paths; i++)
		compile_strings(c, PLAN_MASK, compile_cause(c, "linux.maskedPaths", i), l->masked_paths[i], NULL);
}
