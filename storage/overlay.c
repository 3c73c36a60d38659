/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* linux/mount.h and sys/mount.h can't be included together. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);

enum { DESCRIPTORS_BESIDE = 64 }; /* that holm may need beside one for each layer */

int overlay_reserve(struct overlay *o, size_t room, struct error *e)
{
	struct rlimit limit;

	if (room > OVERLAY_MAX_LOWERS)
		return error_refuse(e, ERROR_UNSUPPORTED, "%zu layers: overlayfs takes at most %d", room,
				    OVERLAY_MAX_LOWERS);
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 2 * room + DESCRIPTORS_BESIDE &&
	    limit.rlim_max > limit.rlim_cur) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			return error_system(e, errno, "raise the limit of open files for %zu layers", room);
	}
	o->lowers = calloc(room + 1, sizeof(*o->lowers));
	o->mounts = calloc(room + 3, sizeof(*o->mounts));
	return o->lowers && o->mounts ? 0 : error_system(e, ENOMEM, "make room for %zu layers", room);
}

void overlay_release(struct overlay *o)
{
	for (size_t i = 0; o->lowers && i < o->n_lowers; i++)
		fd_close(o->lowers[i]);
	for (size_t i = 0; o->mounts && i < o->n_mounts; i++)
		if (o->mounts[i].owns_on)
			fd_close(o->mounts[i].on);
	fd_close(o->upper);
	fd_close(o->work);
	fd_close(o->top);
	free(o->lowers);
	free(o->mounts);
	*o = OVERLAY_INIT;
}

static int idmap(int fd, int user_namespace, struct error *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};

	if (!syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return 0;
	return error_system(e, errno, "map the ids of a folder of the root for its user namespace%s",
			    errno == EINVAL
				? " (the file system that it is on can't be idmapped on this kernel; in the "
				  "host's user namespace it can be used)"
				: "");
}

/* The part's descriptor, mapped; and where its mount may be attached. */
static int take_part(struct overlay *o, const struct overlay_part *part, int *ret_fd, struct error *e)
{
	auto_fd clone = -1;
	int r = 0;

	if (part->is_mount) {
		if (part->user_namespace >= 0)
			r = idmap(*part->fd, part->user_namespace, e);
		if (r)
			return r;
		o->mounts[o->n_mounts++] = (struct overlay_mount){*part->fd, part->on, false};
	} else if (part->user_namespace >= 0) {
		clone = syscall(SYS_open_tree, *part->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		r = clone < 0 ? error_system(e, errno, "clone its mount") : idmap(clone, part->user_namespace, e);
		if (r)
			return r;
		o->mounts[o->n_mounts++] = (struct overlay_mount){clone, take_fd(part->fd), true};
		*ret_fd = take_fd(&clone);
		return 0;
	}
	*ret_fd = take_fd(part->fd);
	return 0;
}

int overlay_add_lower(struct overlay *o, const struct overlay_part *part, struct error *e)
{
	int r = take_part(o, part, &o->lowers[o->n_lowers], e);

	if (!r)
		o->n_lowers++;
	return r;
}

int overlay_set_top(struct overlay *o, const struct overlay_part *part, const char *upper, const char *work,
		    struct error *e)
{
	int r = take_part(o, part, &o->top, e);

	o->is_mapped = part->user_namespace >= 0;
	if (!r)
		r = fd_open(o->top, upper, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL, &o->upper, e);
	if (!r)
		r = fd_open(o->top, work, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL, &o->work, e);
	return r;
}

int overlay_new_mount(const char *type, const struct overlay_option *options, size_t n, unsigned attributes,
		      int *ret_fd, struct error *e)
{
	auto_fd fs = syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	char said[256];
	ssize_t size;
	long r = fs;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = syscall(SYS_fsconfig, fs, options[i].value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			    options[i].key, options[i].value, 0);
	if (r >= 0)
		r = syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	if (r >= 0) {
		*ret_fd = (int)r;
		return 0;
	}
	r = errno;
	size = fs >= 0 ? read(fs, said, sizeof(said) - 1) : -1;
	said[size > 0 ? size : 0] = 0;
	said[strcspn(said, "\n")] = 0;
	return error_system(e, (int)r, "mount %s%s%s%s", type, size > 2 ? " (" : "", size > 2 ? said + 2 : "",
			    size > 2 ? ")" : "");
}

/* ---- whose overlay it is ---- */

static void become_self(int securebits)
{
	if (securebits < 0)
		return;
	setfsuid(geteuid());
	setfsgid(getegid());
	if (prctl(PR_SET_SECUREBITS, securebits, 0, 0, 0) < 0)
		log_debug("the secure bits stay as they are: %s", strerror(errno));
}

/*
 * An overlay makes files as whoever made the overlay.  On an idmapped upper that must be an id of the mapping, so it is made as
 * the container's root (which work/ belongs to), with all capabilities kept.
 */
static int become_maker(const struct overlay *o, int *ret_securebits, struct error *e)
{
	struct stat st;

	*ret_securebits = -1;
	if (!o->is_mapped)
		return 0;
	if (fstat(o->work, &st) < 0)
		return error_system(e, errno, "stat the overlay's work folder");
	*ret_securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	if (*ret_securebits < 0 || prctl(PR_SET_SECUREBITS, *ret_securebits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return error_system(e, errno, "keep capabilities for another user");
	setfsgid(st.st_gid);
	setfsuid(st.st_uid);
	if (setfsuid((uid_t)-1) == (int)st.st_uid)
		return 0;
	become_self(*ret_securebits);
	return error_refuse(e, ERROR_INVALID, "the container's user namespace has no root: nobody could write");
}

/* ---- by descriptors ---- */

static const struct overlay_option common_options[] = {
    /* Nothing in a layer may lead anywhere: what an image says in overlay.redirect and overlay.metacopy counts for nothing. */
    {"redirect_dir", "nofollow"},
    {"metacopy", "off"},
    {"index", "off"},
};

static int give_fd(int fs, const char *key, int fd)
{
	return syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, key, NULL, fd) < 0 ? -errno : 0;
}

static int give_option(int fs, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0 ? -errno
													     : 0;
}

static int configure(int fs, const struct overlay *o)
{
	int r = 0;

	for (size_t i = 0; i < o->n_lowers && !r; i++)
		r = give_fd(fs, "lowerdir+", o->lowers[i]);
	if (!r && o->upper >= 0)
		r = give_fd(fs, "upperdir", o->upper);
	if (!r && o->upper >= 0)
		r = give_fd(fs, "workdir", o->work);
	for (size_t i = 0; i < ARRAY_SIZE(common_options) && !r; i++)
		if (i || !o->user_xattrs) /* userxattr implies it, and refuses to hear it */
			r = give_option(fs, common_options[i].key, common_options[i].value);
	if (!r && o->is_volatile && o->upper >= 0)
		r = give_option(fs, "volatile", NULL);
	if (!r && o->user_xattrs)
		r = give_option(fs, "userxattr", NULL);
	return r;
}

/* What the kernel said, "overlay: ..." without its level; "" for nothing. */
static const char *kernel_says(int fs, char *buffer, size_t size)
{
	ssize_t n = read(fs, buffer, size - 1);

	if (n <= 2)
		return "";
	buffer[n] = 0;
	buffer[strcspn(buffer, "\n")] = 0;
	return buffer + 2;
}

static int refuse(int code, const char *said, struct error *e)
{
	return error_system(e, code, "mount the overlay%s%s%s", *said ? " (" : "", said, *said ? ")" : "");
}

int overlay_mount(const struct overlay *o, int *ret_tree, bool *ret_old, struct error *e)
{
	auto_fd fs = syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	char said[256];
	long tree;
	int r;

	*ret_old = false;
	if (fs < 0)
		return error_system(e, errno, "open overlayfs%s", errno == ENODEV ? " (the kernel has none)" : "");
	r = give_option(fs, "source", "overlay");
	if (!r)
		r = configure(fs, o);
	if (!r) {
		int securebits;

		r = become_maker(o, &securebits, e);
		if (r)
			return r;
		r = syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
		become_self(securebits);
	}
	/*
	 * Old kernels know no descriptors (-EINVAL; -EOPNOTSUPP before Linux 6.5, where overlayfs still takes its options by
	 * mount(2)'s rules), or none of mounts that are attached nowhere.
	 */
	*ret_old = r == -EINVAL || r == -EOPNOTSUPP;
	if (*ret_old)
		return 0;
	if (r)
		return refuse(-r, kernel_says(fs, said, sizeof(said)), e);
	tree = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (tree < 0)
		return error_system(e, errno, "mount the overlay");
	*ret_tree = (int)tree;
	return 0;
}

/* ---- by names ---- */

static int attach_all(const struct overlay *o, struct error *e)
{
	for (size_t i = 0; i < o->n_mounts; i++)
		if (syscall(SYS_move_mount, o->mounts[i].fd, "", o->mounts[i].on, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
			return error_system(e, errno, "attach a layer of the overlay");
	return 0;
}

int overlay_mount_attached(const struct overlay *o, int *ret_tree, struct error *e)
{
	auto_str data = STR_INIT;
	long tree;
	int securebits, r = attach_all(o, e);

	if (r)
		return r;
	for (size_t i = 0; i < o->n_lowers; i++)
		str_addf(&data, "%s%d", i ? ":" : "lowerdir=", o->lowers[i]);
	if (o->upper >= 0)
		str_addf(&data, ",upperdir=%d,workdir=%d", o->upper, o->work);
	for (size_t i = 0; i < ARRAY_SIZE(common_options); i++)
		if (i || !o->user_xattrs)
			str_addf(&data, ",%s=%s", common_options[i].key, common_options[i].value);
	if (o->is_volatile && o->upper >= 0)
		str_add(&data, ",volatile");
	if (o->user_xattrs)
		str_add(&data, ",userxattr");
	if (chdir("/proc/self/fd") < 0)
		return error_system(e, errno, "enter '/proc/self/fd'");
	r = become_maker(o, &securebits, e);
	if (r)
		return r;
	if (mount("overlay", "/proc", "overlay", 0, str_peek(&data)) < 0)
		return error_system(e, errno, "mount the overlay of %zu layers", o->n_lowers);
	tree = syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return error_system(e, errno, "clone the overlay's mount");
	*ret_tree = (int)tree;
	return 0;
}
