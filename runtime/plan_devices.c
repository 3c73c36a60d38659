/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in /dev: nodes and links. */
#include "runtime/plan_compile.h"

#include <sys/stat.h>

#include "base/str.h"

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

/*
 * Neither in a user namespace of the container nor in one that we are in ourselves (rootless Podman's) can nodes be made: the
 * host's are bound.  That takes a /dev that is attached: before Linux 6.15 nothing can be mounted on a detached tree.
 */
bool compile_binds_devices(const struct compiler *c)
{
	return c->user || !c->in->privileged;
}

void compile_device(struct compiler *c, const char *cause, const struct spec_device *d)
{
	struct plan_device device = {
	    .path = block_string(c->block, compile_clean_path(c, d->path)),
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

	if (compile_binds_devices(c) && d->type != 'p') {
		device.source = device.path;
		device.from = PLAN_SOURCE_PATH;
		if (c->in->privileged) {
			device.from = PLAN_SOURCE_HOST;
			*compile_tree(c) = (struct plan_tree){
			    .path = compile_clean_path(c, d->path), .cause = cause, .use = PLAN_TREE_DEVICE};
		}
	}
	compile_op(c, PLAN_DEVICE, cause)->device = device;
}

/* Is path one of linux.devices? */
static bool is_listed(const struct compiler *c, const char *path)
{
	for (size_t i = 0; i < c->spec->linux_.n_devices; i++)
		if (str_equal(c->spec->linux_.devices[i].path, path))
			return true;
	return false;
}

void compile_devices(struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct spec_device d = {.type = 'c',
					.path = default_devices[i].path,
					.major = default_devices[i].major,
					.minor = default_devices[i].minor};

		if (!is_listed(c, d.path))
			compile_device(c, NULL, &d);
	}
	for (size_t i = 0; i < c->spec->linux_.n_devices; i++)
		/* Engines list the host's whole /dev for privileged containers; ptmx is always the container's own. */
		if (!str_equal(c->spec->linux_.devices[i].path, "/dev/ptmx"))
			compile_device(c, compile_cause(c, "linux.devices", i), &c->spec->linux_.devices[i]);
}

void compile_dev_links(struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_symlinks); i++)
		compile_strings(c, PLAN_SYMLINK, NULL, default_symlinks[i].path, default_symlinks[i].target);
}

enum dev_kind compile_find_dev(struct compiler *c)
{
	enum dev_kind kind = DEV_IMAGE;

	for (size_t i = 0; i < c->spec->n_mounts; i++) {
		const struct spec_mount *m = &c->spec->mounts[i];

		if (m->remount || !str_equal(compile_clean_path(c, m->destination), "/dev"))
			continue;
		kind = m->bind ? DEV_BOUND : str_equal(m->type, "tmpfs") && !m->copy_up ? DEV_HELD : DEV_IMAGE;
	}
	return kind;
}
