/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts: those that everybody has, volumes, folders of the host, memory. */
#include "instances/config_builder.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "storage/volume.h"

#define STRINGS(...) .options = (const char *[]){__VA_ARGS__}, .n_options = ARRAY_SIZE(((const char *[]){__VA_ARGS__}))
/* clang-format off */
#define MOUNT(TARGET, TYPE, SOURCE, ...) {.destination = TARGET, .type = TYPE, .source = SOURCE, STRINGS(__VA_ARGS__)}
/* clang-format on */

static const struct spec_mount mounts[] = {
    MOUNT("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
    MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
};
/* gid 5, tty, is none of the single id that an ordinary user maps. */
static const struct spec_mount rootless_pts =
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620");
static const struct spec_mount cgroup_mounts[] = {
    MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
    MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime"),
};
static const struct spec_mount host_sys = MOUNT("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro");

/* Those without which systemd does not start: it would mount them itself, and may not. */
static const char *const systemd_tmpfs[] = {"/run:mode=755", "/run/lock:mode=1777,noexec,size=5m", "/tmp:mode=1777"};

static const char *const masked_paths[] = {"/proc/acpi",
					   "/proc/asound",
					   "/proc/interrupts",
					   "/proc/kcore",
					   "/proc/keys",
					   "/proc/latency_stats",
					   "/proc/sched_debug",
					   "/proc/scsi",
					   "/proc/timer_list",
					   "/proc/timer_stats",
					   "/sys/dev/block",
					   "/sys/devices/virtual/powercap",
					   "/sys/devices/virtual/tpm",
					   "/sys/firmware",
					   "/sys/fs/selinux"};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

static void add_mount(struct config_builder *b, const struct spec_mount *mount)
{
	/* A later one for the same place takes the earlier one's. */
	for (size_t i = 0; i < b->spec.n_mounts; i++)
		if (str_equal(b->spec.mounts[i].destination, mount->destination)) {
			b->spec.mounts[i] = *mount;
			return;
		}
	CONFIG_ADD(b, b->spec.mounts, b->spec.n_mounts) = *mount;
}

/* "PATH[:OPTION,...]" */
static int add_tmpfs(struct config_builder *b, const char *text)
{
	char *path = arena_strdup(b->arena, text), *rest = strchr(path, ':'), *option;
	struct spec_mount mount = {.type = "tmpfs", .source = "tmpfs"};

	if (rest)
		*rest++ = 0;
	if (*path != '/')
		return error_refuse(
		    b->e, ERROR_USAGE,
		    "--tmpfs '%s': it takes an absolute path, and may have options: /run:size=64m,mode=755", text);
	mount.destination = path;
	CONFIG_ADD(b, mount.options, mount.n_options) = "nosuid";
	CONFIG_ADD(b, mount.options, mount.n_options) = "nodev";
	while ((option = strsep(&rest, ",")))
		if (*option)
			CONFIG_ADD(b, mount.options, mount.n_options) = option;
	add_mount(b, &mount);
	return 0;
}

static void add_file(struct config_builder *b, const char *path)
{
	struct spec_mount mount = {
	    .destination = path, .type = "bind", .source = path, STRINGS("bind", "ro", "nosuid", "nodev")};

	mount.options = arena_memdup(b->arena, mount.options, mount.n_options * sizeof(*mount.options));
	if (!access(path, R_OK))
		add_mount(b, &mount);
}

/* Is it one of our own mounts, or below one? */
static bool is_ours(const struct config_builder *b, const char *path)
{
	for (size_t i = 0; i < b->spec.n_mounts; i++) {
		const char *rest = str_after(path, b->spec.mounts[i].destination);

		if (rest && (!*rest || *rest == '/'))
			return true;
	}
	return strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//");
}

/*
 * What the image calls volumes lies in the instance's own root, which stays as long as the instance; where that can't be written to, a
 * volume of its own takes its place.  -v for the same path comes later and wins.
 */
static int build_image_volumes(struct config_builder *b, unsigned flags)
{
	const struct image_config *image = b->base->image;
	int r = 0;

	for (size_t i = 0; !r && image && b->o->read_only && i < image->n_volumes; i++) {
		char *name = arena_format(b->arena, "%s%s", b->o->name, image->volumes[i]);
		struct spec_mount mount;

		/* The image's word: a path, and nothing that a mount's syntax would take for something else. */
		if (*image->volumes[i] != '/' || strpbrk(image->volumes[i], ":,\n") || is_ours(b, image->volumes[i]))
			continue;
		for (char *c = name; *c; c++)
			if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *c))
				*c = '-';
		r = volume_mount(b->base->store, arena_format(b->arena, "%s:%s", name, image->volumes[i]), flags,
				 b->arena, &mount, b->e);
		if (!r)
			add_mount(b, &mount);
		else
			error_context(b->e, "the image's volume '%s'", image->volumes[i]);
	}
	return r;
}

int config_build_mounts(struct config_builder *b)
{
	const struct config_options *o = b->o;
	bool host_network = o->n_networks && str_equal(o->networks[0], "host");
	struct spec_mount shm = MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", NULL);
	/* What a volume holds has the container's ids; mapping it for them needs root. */
	bool maps = b->spec.linux_.namespaces[SPEC_NS_USER].present && !b->runtime->rootless;
	unsigned flags = (b->base->make_volumes ? VOLUME_MAKE : 0) | (maps ? VOLUME_MAPPED : 0);
	int r = 0;

	b->spec.linux_.masked_paths = (const char **)masked_paths;
	b->spec.linux_.n_masked_paths = ARRAY_SIZE(masked_paths);
	b->spec.linux_.readonly_paths = (const char **)readonly_paths;
	b->spec.linux_.n_readonly_paths = ARRAY_SIZE(readonly_paths);
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		add_mount(b, &mounts[i]);
	if (b->runtime->rootless)
		add_mount(b, &rootless_pts);
	/* sysfs belongs to a network namespace: nobody may mount one in another's. */
	if (!b->own_network && b->spec.linux_.namespaces[SPEC_NS_USER].present)
		add_mount(b, &host_sys);
	add_mount(b, &cgroup_mounts[b->systemd]);
	shm.options = arena_memdup(b->arena, shm.options, shm.n_options * sizeof(*shm.options));
	shm.options[shm.n_options - 1] =
	    o->shm_size.present ? arena_format(b->arena, "size=%" PRId64, o->shm_size.value) : "size=65536k";
	add_mount(b, &shm);
	for (size_t i = 0; i < b->n_device_mounts; i++)
		add_mount(b, &b->device_mounts[i]);
	if (host_network) {
		add_file(b, "/etc/resolv.conf");
		add_file(b, "/etc/hosts");
	}
	for (size_t i = 0; b->systemd && !r && i < ARRAY_SIZE(systemd_tmpfs); i++)
		r = add_tmpfs(b, systemd_tmpfs[i]);
	for (size_t i = 0; !r && i < o->n_tmpfs; i++)
		r = add_tmpfs(b, o->tmpfs[i]);
	if (!r)
		r = build_image_volumes(b, flags);
	for (size_t i = 0; !r && i < o->n_volumes; i++) {
		struct spec_mount mount;

		r = volume_mount(b->base->store, o->volumes[i], flags, b->arena, &mount, b->e);
		if (!r)
			add_mount(b, &mount);
		else
			error_context(b->e, "--volume");
	}
	return r;
}
