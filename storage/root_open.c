/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A root as a detached overlay.
 *
 *	by root, Linux 6.15		here and now: nothing but descriptors
 *	by root, older			in a child with a mount namespace of its own, where layers can be attached
 *	by an ordinary user		in a child that enters the container's user namespace, which is where it may mount
 *
 * The child opens everything anew: only what lies in its own mount namespace may be a layer there.  It hands the mount over
 * and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/tree.h"
#include "storage/fuse.h"
#include "storage/layer.h"
#include "storage/merged.h"
#include "storage/overlay.h"
#include "storage/root.h"
#include "storage/root_parts.h"

/* MS_PRIVATE: linux/mount.h and sys/mount.h can't be included together. */
enum { PROPAGATION_PRIVATE = 1 << 18 };

struct opening {
	const struct store *store;
	int folder;
	const struct root *root;
	const struct root_view *view;
	int map; /* the user namespace that layers are idmapped for; -1: none */
	struct overlay overlay;
};

/* ---- the parts ---- */

static int add_lower(int *fd, const char *name, void *data, struct error *e)
{
	struct opening *o = data;
	const struct overlay_part part = {
	    .fd = fd, .is_mount = name == o->root->file, .user_namespace = o->map, .on = o->folder};
	int r = overlay_add_lower(&o->overlay, &part, e);

	if (r)
		error_context(e, "layer '%s'", name);
	return r;
}

/*
 * Read-only: what init makes for mounts that the image has no folder for goes into memory, and with the mount.  A tmpfs is not
 * mapped (Linux 6.3 can): its folders get the owner that the root below shows.
 */
static int add_memory(struct opening *o, struct error *e)
{
	static const struct overlay_option options[] = {{"size", "1m"}, {"nr_inodes", "1000"}, {"mode", "755"}};
	auto_fd memory = -1, upper = -1;
	const struct overlay_part part = {.fd = &memory, .is_mount = true, .user_namespace = -1, .on = o->folder};
	struct stat st;
	int r = overlay_new_mount("tmpfs", options, ARRAY_SIZE(options), 0, &memory, e);

	if (!r && fstat(o->overlay.lowers[0], &st) < 0)
		r = error_system(e, errno, "stat the root");
	if (!r && (mkdirat(memory, ROOT_UPPER, 0755) < 0 || mkdirat(memory, ROOT_WORK, 0700) < 0))
		r = error_system(e, errno, "make '" ROOT_UPPER "' in memory");
	if (!r)
		r = fd_open(memory, ROOT_UPPER, O_RDONLY | O_DIRECTORY, NULL, &upper, e);
	if (!r && (fchown(upper, st.st_uid, st.st_gid) < 0 || fchmod(upper, st.st_mode & 07777) < 0))
		r = error_system(e, errno, "give '" ROOT_UPPER "' its owner and mode");
	return r ? r : overlay_set_top(&o->overlay, &part, ROOT_UPPER, ROOT_WORK, e);
}

static int add_top(struct opening *o, struct error *e)
{
	auto_fd top = -1;
	const struct overlay_part part = {
	    .fd = &top, .is_mount = o->root->quota == QUOTA_DISK, .user_namespace = o->map, .on = o->folder};
	int r = root_open_top(o->folder, o->root, &top, e);

	if (!r)
		r = overlay_set_top(&o->overlay, &part, ROOT_UPPER, ROOT_WORK, e);
	if (r)
		return r;
	/* What a volatile overlay leaves behind, so that nobody takes its upper for whole: root.json knows better. */
	return tree_remove(o->overlay.work, "work/incompat", e);
}

/* Runs of small layers in the place of their layers. */
static int add_merged(struct opening *o, const struct merged *merged, struct error *e)
{
	const struct root *root = o->root;
	size_t above = root->n_layers; /* what is added lies from this one on */
	struct root pushes = *root;
	int r;

	pushes.n_layers = pushes.first = 0;
	r = overlay_reserve(&o->overlay, root->n_pushes + root->n_layers - merged->n_saved, e)
		?: root_each_lower(o->store, &pushes, add_lower, o, e);
	while (above > root->first && !r) {
		size_t layer = above - 1;
		auto_fd fd = -1;
		const struct merged_run *run = merged_find_run(merged, layer);

		above = run ? run->first : layer;
		r = run ? merged_open_tree(merged, run, &fd, e)
			: layer_open_tree(o->store, root->layers[layer], &fd, e);
		if (r && run)
			error_context(e, "its layers merged ('holm image check' says more)");
		r = r ?: add_lower(&fd, root->layers[layer], o, e);
	}
	return r;
}

static int gather(struct opening *o, struct error *e)
{
	auto_merged merged = MERGED_INIT;
	bool is_merged = !merged_open(o->store, o->root->layers, o->root->n_layers, &merged);
	int r = is_merged ? add_merged(o, &merged, e) : overlay_reserve(&o->overlay, root_count_lowers(o->root), e);

	o->overlay.is_volatile = o->view->is_volatile || o->view->read_only;
	o->overlay.user_xattrs = o->store->rootless;
	if (!r && !is_merged)
		r = root_each_lower(o->store, o->root, add_lower, o, e);
	if (!r && !o->view->is_bare)
		r = o->view->read_only ? add_memory(o, e) : add_top(o, e);
	return r;
}

/* The kernel says EINVAL to a file system that can't be an upper; then there may still be fuse-overlayfs. */
static int resort(const struct opening *o, int r, int *ret_tree, struct error *e)
{
	if (r != -EINVAL || o->map >= 0 || o->overlay.upper < 0 || !fuse_is_possible())
		return r;
	log_warning("overlayfs can't write to the file system of '%s': fuse-overlayfs is used, which is slower",
		    o->store->path);
	return fuse_mount(&o->overlay, ret_tree, e);
}

/* ---- the child ---- */

/* The same folder by its path: in a new mount namespace an old descriptor still leads to the old one's mounts. */
static int reopen_folder(int folder, int *ret_fd, struct error *e)
{
	char link[64], path[4096];
	struct stat was, is;
	ssize_t n;
	int r;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
	n = readlinkat(AT_FDCWD, link, path, sizeof(path) - 1);
	if (n < 0)
		return error_system(e, errno, "find the instance's folder");
	path[n] = 0;
	r = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, ret_fd, e);
	if (!r &&
	    (fstat(folder, &was) < 0 || fstat(*ret_fd, &is) < 0 || was.st_dev != is.st_dev || was.st_ino != is.st_ino))
		r = error_refuse(e, ERROR_STATE, "'%s' is not what it was a moment ago", path);
	return r;
}

/* Somebody who only looks has no user namespace yet in which an ordinary user may mount: one of its own id. */
static int enter_own(struct error *e)
{
	const struct {
		const char *path;
		unsigned id;
	} maps[] = {{"/proc/self/uid_map", geteuid()}, {"/proc/self/gid_map", getegid()}};
	char line[32];
	int r;

	if (unshare(CLONE_NEWUSER) < 0)
		return error_system(e, errno, "make a user namespace to mount in");
	r = file_write(AT_FDCWD, "/proc/self/setgroups", "deny", 4);
	for (size_t i = 0; i < ARRAY_SIZE(maps) && !r; i++) {
		snprintf(line, sizeof(line), "0 %u 1", maps[i].id);
		r = file_write(AT_FDCWD, maps[i].path, line, strlen(line));
	}
	return r ? error_system(e, -r, "map the user's own id") : 0;
}

static int enter(const struct opening *o, struct error *e)
{
	struct mount_attr attr = {.propagation = PROPAGATION_PRIVATE};
	int r = o->store->rootless && o->view->user_namespace < 0 && geteuid() ? enter_own(e) : 0;

	if (r)
		return r;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (o->store->rootless && o->view->user_namespace >= 0) {
		if (setns(o->view->user_namespace, CLONE_NEWUSER) < 0)
			return error_system(e, errno, "enter the container's user namespace");
		/* Where it has no root of its own the ids stay as they are. */
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			log_debug("the container's user namespace has no root");
	}
	if (unshare(CLONE_NEWNS) < 0)
		return error_system(e, errno, "make a mount namespace");
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return error_system(e, errno, "make '/' private");
	return 0;
}

static int mount_inside(const struct opening *outside, int *ret_tree, struct error *e)
{
	struct opening o = *outside;
	auto_store store = STORE_INIT;
	auto_fd folder = -1;
	bool old = false;
	int r = enter(&o, e);

	if (!r)
		r = reopen_folder(outside->folder, &folder, e);
	if (!r)
		r = store_open(outside->store->path, false, &store, e);
	if (r)
		return r;
	store.rootless = outside->store->rootless;
	o.store = &store;
	o.folder = folder;
	o.overlay = OVERLAY_INIT;
	r = gather(&o, e);
	if (!r)
		r = overlay_mount(&o.overlay, ret_tree, &old, e);
	if (!r && old) {
		r = overlay_mount_attached(&o.overlay, ret_tree, e);
		r = r ? resort(&o, r, ret_tree, e) : 0;
	}
	return r;
}

_Noreturn static void run_child(const struct opening *o, int socket)
{
	struct error e = ERROR_INIT;
	int tree = -1, r = mount_inside(o, &tree, &e);

	r = fd_send(socket, &e, sizeof(e), &tree, r ? 0 : 1);
	_exit(r ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int receive_tree(int socket, int *ret_tree, struct error *e)
{
	struct error said;
	size_t size = 0, n = 0;
	int r = fd_receive(socket, &said, sizeof(said), &size, ret_tree, 1, &n);

	if (r)
		return error_system(e, -r, "hear of the overlay");
	if (size != sizeof(said))
		return error_refuse(e, ERROR_SYSTEM, "the child that mounts the overlay ended without a word");
	if (n)
		return 0;
	*e = said;
	e->text[sizeof(e->text) - 1] = 0;
	return error_return(e);
}

static int mount_by_child(const struct opening *o, int *ret_tree, struct error *e)
{
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_system(e, errno, "make a socket pair");
	pid = fork();
	if (!pid)
		run_child(o, pair[1]);
	fd_close(pair[1]);
	r = pid < 0 ? error_system(e, errno, "fork to mount the overlay") : receive_tree(pair[0], ret_tree, e);
	fd_close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* ---- open ---- */

static int take_lower(int *fd, const char *name, void *data, struct error *e)
{
	(void)name, (void)e;
	*(int *)data = take_fd(fd);
	return 0;
}

/* What was written without being flushed is believed as long as the host that wrote it is up. */
static int settle(const struct store *store, int folder, struct root *root, bool is_volatile, struct arena *arena,
		  struct error *e)
{
	char *boot = arena_alloc(arena, BOOT_ID_SIZE);
	int r = 0;

	if (!is_volatile && !root->boot)
		return 0;
	r = proc_boot_id(boot);
	if (r)
		return error_system(e, -r, "read the boot id");
	if (root->boot && !str_equal(root->boot, boot)) {
		auto_fd top = -1;

		r = root_open_top(folder, root, &top, e);
		if (!r)
			r = tree_remove(top, ROOT_UPPER, e);
		if (!r)
			r = tree_remove(top, ROOT_WORK, e);
		if (!r)
			r = root_renew_upper(store, folder, root, e);
	} else if (!is_volatile && syncfs(folder) < 0) {
		r = error_system(e, errno, "flush what was written");
	}
	if (r || (is_volatile && str_equal(root->boot, boot)))
		return r;
	root->boot = is_volatile ? boot : NULL;
	return root_save(folder, root, e);
}

int root_open(const struct store *store, int folder, const struct root_view *view, int *ret_tree, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct root root;
	struct opening o = {.store = store,
			    .folder = folder,
			    .root = &root,
			    .view = view,
			    .map = store->rootless ? -1 : view->user_namespace,
			    .overlay = OVERLAY_INIT};
	bool old = false;
	int r = root_load(folder, &arena, &root, e);

	if (!r && view->limits)
		r = root_set_limits(store, folder, &root, view->limits->size, view->limits->inodes, e);
	if (!r && !view->read_only)
		r = settle(store, folder, &root, view->is_volatile, &arena, e);
	if (r)
		return r;
	if (view->is_bare && root_count_lowers(&root) == 1)
		return root_each_lower(store, &root, take_lower, ret_tree, e);
	if (store->rootless && (view->user_namespace >= 0 || geteuid()))
		return mount_by_child(&o, ret_tree, e);
	r = gather(&o, e);
	if (!r)
		r = overlay_mount(&o.overlay, ret_tree, &old, e);
	overlay_release(&o.overlay);
	return r || !old ? r : mount_by_child(&o, ret_tree, e);
}
