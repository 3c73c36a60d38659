/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "netns/hosts.h"

enum { OURS_MAX = 32 };

/* Hosts files of ours that may be mounted there. */
struct ours {
	const struct store *store;
	struct {
		dev_t device;
		ino_t inode;
	} files[OURS_MAX];
	size_t n;
};

static int add_network(const struct net_member *member, void *data, struct error *e)
{
	struct ours *ours = data;
	auto_fd folder = -1;
	struct stat st;
	int r = store_open_network(ours->store, member->network, &folder, e);

	if (!r && ours->n < OURS_MAX && !fstatat(folder, "hosts", &st, AT_SYMLINK_NOFOLLOW)) {
		ours->files[ours->n].device = st.st_dev;
		ours->files[ours->n++].inode = st.st_ino;
	}
	return r;
}

/* Whether a mount may go there: on a file of the instance's own, or over a hosts file of a network. */
static bool may_cover(int target, const struct ours *ours)
{
	struct statx sx;
	struct stat st;

	if (statx(target, "", AT_EMPTY_PATH, STATX_TYPE, &sx) < 0 || fstat(target, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT && !(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return true;
	for (size_t i = 0; i < ours->n; i++)
		if (ours->files[i].device == st.st_dev && ours->files[i].inode == st.st_ino)
			return true;
	return false;
}

static int open_tree(const struct store *store, const char *path, int *ret, struct error *e)
{
	struct mount_attr attr = {.attr_set =
				      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	auto_fd fd = syscall(SYS_open_tree, store->state, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_system(e, errno, "prepare a mount of '%s/%s'", store->state_path, path);
	*ret = take_fd(&fd);
	return 0;
}

static int cover(int root_fd, const char *name, int tree, const struct ours *ours, struct error *e)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	auto_fd target = sys_openat2(root_fd, name, &how);

	if (target < 0)
		return errno == ENOENT ? 0 : error_system(e, errno, "look up '/%s' of the instance", name);
	if (!may_cover(target, ours))
		return 0;
	if (syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_system(e, errno, "mount on '/%s' of the instance", name);
	return 0;
}

int inside_show_names(const struct store *store, const char *id, int mount_fd, int root_fd, struct error *e)
{
	static const struct ours none;
	struct ours ours = {.store = store};
	char path[NET_ID_SIZE + 32];
	auto_fd hosts = -1;
	auto_fd resolv = -1;
	int r;

	snprintf(path, sizeof(path), "members/%s/" HOSTS_OWN, id);
	r = open_tree(store, path, &hosts, e) ?: open_tree(store, "resolv.conf", &resolv, e)
			?: store_each_member(store, id, add_network, &ours, e);
	if (r)
		return r;
	if (setns(mount_fd, CLONE_NEWNS) < 0)
		return error_system(e, errno, "enter the instance's mount namespace");
	return cover(root_fd, "etc/hosts", hosts, &ours, e) ?: cover(root_fd, "etc/resolv.conf", resolv, &none, e);
}
