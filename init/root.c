/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "init/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "init/lib.h"
#include "init/sys.h"

/* linux/mount.h and sys/mount.h can't be included together; these are the old calls' constants. */
enum {
	UMOUNT_DETACH = 2, /* MNT_DETACH */
	UMOUNT_NOFOLLOW = 8,
	PROPAGATION_RECURSIVE = 0x4000, /* MS_REC */
	PROPAGATION_UNBINDABLE = 1 << 17,
	PROPAGATION_PRIVATE = 1 << 18,
	PROPAGATION_SLAVE = 1 << 19,
	PROPAGATION_SHARED = 1 << 20,
};

enum {
	MAX_SYMLINKS = 40,   /* as the kernel's MAXSYMLINKS */
	RETRY_NS = 20000000, /* how long a racing rename may make openat2 answer EAGAIN */
	PATH_SIZE = 4096,
	MAX_VALUE = 255,     /* strings of fsconfig(2) (fs/fsopen.c) */
	PROC_MAGIC = 0x9fa0, /* PROC_SUPER_MAGIC */
	PROC_ROOT_INODE = 1, /* the kernel's PROC_ROOT_INO */
};

static int64_t now(void)
{
	struct timespec t;

	sys(clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* openat2(2); EAGAIN (something was renamed or mounted while ".." was resolved) is retried until a deadline. */
static long open_how(int dirfd, const char *path, int flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .mode = mode, .resolve = resolve};
	int64_t deadline = 0;
	long r;

	for (;;) {
		r = sys(openat2, dirfd, path, &how, sizeof(how));
		if (r == -EAGAIN) {
			int64_t t = now();

			if (!deadline)
				deadline = t + RETRY_NS;
			if (t < deadline)
				continue;
		} else if (r == -EINTR) {
			continue;
		}
		return r;
	}
}

long open_in_root(const char *path, int flags)
{
	return open_how(init.root, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/*
 * Walks path a part at a time.  Each prefix is resolved by the kernel inside the root; what is missing is made as a single
 * name on the parent's descriptor, so that whatever is swapped meanwhile, nothing is made outside the root.  A dangling
 * symlink is followed by hand: its target takes its place in the path, still resolved inside the root.
 * Returns the parent's descriptor; *ret_name is the last part (in the static buffer).  follow: also a dangling symlink in
 * the last place; otherwise whatever is there is the caller's business.
 */
static int walk_to_parent(const char *path, bool follow, const char **ret_name)
{
	static char full[PATH_SIZE], next[PATH_SIZE];
	unsigned links = 0;
	size_t done = 0; /* full[0..done) is a prefix that exists */
	int parent = -1;

	if (strlen(path) >= sizeof(full))
		fail(ENAMETOOLONG, "'%s'", path);
	memcpy(full, path, strlen(path) + 1);
	for (;;) {
		size_t start = done, end;
		char saved, target[PATH_SIZE];
		long fd, n;
		bool last;

		while (full[start] == '/')
			start++;
		for (end = start; full[end] && full[end] != '/'; end++)
			;
		last = true;
		for (size_t i = end; full[i]; i++)
			if (full[i] != '/')
				last = false;
		if (parent < 0)
			parent = (int)check(open_in_root(".", O_PATH | O_DIRECTORY), "open the root");
		if (last) {
			full[end] = 0;
			n = start == end || !follow ? -EINVAL
						    : sys(readlinkat, parent, full + start, target, sizeof(target) - 1);
			if (n < 0) { /* not a symlink: here it is, or will be */
				*ret_name = full + start;
				return parent;
			}
			saved = 0;
			fd = open_in_root(full, O_PATH);
			if (fd >= 0) { /* a symlink that leads somewhere: the caller opens it by the whole path */
				shut((int)fd);
				*ret_name = full + start;
				return parent;
			}
		} else {
			saved = full[end];
			full[end] = 0;
			fd = open_in_root(full, O_PATH | O_DIRECTORY);
			if (fd == -ENOENT) {
				long r = sys(mkdirat, parent, full + start, 0755);

				if (r < 0 && r != -EEXIST)
					fail(-r, "make the folder '%s' in the root", full);
				fd = open_in_root(full, O_PATH | O_DIRECTORY);
			}
			if (fd >= 0) {
				full[end] = saved;
				shut(parent);
				parent = (int)fd;
				done = end;
				continue;
			}
			if (fd != -ENOENT)
				fail(-fd, "open '%s' in the root", full);
			n = check(sys(readlinkat, parent, full + start, target, sizeof(target) - 1),
				  "open '%s' in the root", full);
		}
		/* A dangling symlink: go on with its target in its place. */
		if (++links > MAX_SYMLINKS)
			fail(ELOOP, "'%s'", path);
		target[n] = 0;
		full[end] = saved;
		if (target[0] == '/') {
			n = (long)print(next, sizeof(next), "%s%s", target, full + end);
		} else {
			char first = full[start];

			full[start] = 0;
			n = (long)print(next, sizeof(next), "%s/%s", full, target);
			full[start] = first;
			n += (long)print(next + n, sizeof(next) - (size_t)n, "%s", full + end);
		}
		if ((size_t)n >= sizeof(next) - 1)
			fail(ENAMETOOLONG, "'%s'", path);
		memcpy(full, next, (size_t)n + 1);
		done = 0;
		parent = shut(parent);
	}
}

int make_parent_in_root(const char *path, const char **ret_name)
{
	return walk_to_parent(path, false, ret_name);
}

/* What the kernel calls ENOTDIR where no symlink is followed. */
static void refuse_symlink(const char *path)
{
	struct stat st;
	long fd = open_in_root(path, O_PATH | O_NOFOLLOW);

	if (fd >= 0 && !sys(newfstatat, fd, "", &st, AT_EMPTY_PATH) && S_ISLNK(st.st_mode))
		fail_kind(ERROR_INVALID, 0, "'%s' is a symlink in the root file system: refused", path);
	shut((int)fd);
}

static int make(const char *path, enum in_root what, bool follow)
{
	int type = (what == IN_ROOT_DIRECTORY ? O_DIRECTORY : 0) | (follow ? 0 : O_NOFOLLOW);
	long fd = open_in_root(path, O_PATH | type);

	for (int attempt = 0; fd == -ENOENT && attempt < 8; attempt++) {
		const char *name;
		int parent = walk_to_parent(path, follow, &name);
		long r;

		if (what == IN_ROOT_DIRECTORY)
			r = sys(mkdirat, parent, name, 0755);
		else
			r = sys(openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0755);
		if (what == IN_ROOT_FILE && r >= 0)
			shut((int)r);
		shut(parent);
		if (r < 0 && r != -EEXIST)
			fail(-r, "make '%s' in the root", path);
		fd = open_in_root(path, O_PATH | type);
	}
	if (fd == -ENOTDIR && !follow)
		refuse_symlink(path);
	return (int)check(fd, "open '%s' in the root", path);
}

int make_in_root(const char *path, enum in_root what)
{
	return make(path, what, true);
}

void attach(int tree, int target, const char *path)
{
	check(sys(move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), "mount on '%s'",
	      path);
}

static long set_attr(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

	return sys(mount_setattr, fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr));
}

static void set_propagation(int fd, uint32_t propagation, const char *path)
{
	if (propagation)
		check(set_attr(fd, propagation & PROPAGATION_RECURSIVE ? AT_RECURSIVE : 0, 0, 0,
			       propagation & ~PROPAGATION_RECURSIVE),
		      "change the propagation of '%s'", path);
}

/* Attributes of a mount that may have come from elsewhere. */
static void set_attributes(int fd, unsigned flags, uint64_t set, uint64_t clear, const char *path)
{
	long r;

	if (set & (MOUNT_ATTR__ATIME))
		clear |= MOUNT_ATTR__ATIME; /* the kernel wants the field cleared when it is set */
	if (!set && !clear)
		return;
	r = set_attr(fd, flags, set, clear, 0);
	/* In a user namespace what the host locked stays: a mount asked for as "rw" or "dev" keeps its ro or nodev. */
	if (r == -EPERM && clear & ~MOUNT_ATTR__ATIME && !(set & MOUNT_ATTR__ATIME))
		r = set ? set_attr(fd, flags, set, 0, 0) : 0;
	check(r, "set the attributes of '%s'", path);
}

/* ---- the root itself ---- */

void do_root(const struct plan_op *op)
{
	uint32_t propagation = (uint32_t)op->root.propagation;
	struct mount_attr attr = {.propagation = propagation & ~PROPAGATION_RECURSIVE};
	bool shared = propagation & PROPAGATION_SHARED;
	int tree;

	/*
	 * Cut what we do here from the host's mounts, all of them: a peer that is left would unmount the host's when the old
	 * root goes.  With shared propagation asked for, the host's tree stays a peer (do_pivot() cuts it in time), but
	 * the mount that the root is put on must be private, or the root itself would appear on the host.
	 */
	if (shared)
		attr.propagation = PROPAGATION_PRIVATE;
	check(sys(mount_setattr, AT_FDCWD, "/", shared ? 0 : AT_RECURSIVE, &attr, sizeof(attr)),
	      "change the propagation of '/'");
	if (op->root.from == PLAN_SOURCE_HOST)
		tree = receive_fd(MESSAGE_TREE);
	else
		tree = (int)check(
		    sys(open_tree, AT_FDCWD, text(op->root.source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
		    "open the root '%s'", text(op->root.source));
	if (shared)
		set_propagation(tree, PROPAGATION_PRIVATE, "the root");
	else
		set_propagation(tree, propagation, "the root");
	check(sys(move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "mount the root");
	init.root = tree;
}

void do_pivot(const struct plan_op *op)
{
	int old = -1;
	long r;

	if (op->number) /* the old root shares with the host: unmounting it must not reach there */
		old = (int)check(sys(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0), "open '/'");
	check(sys(fchdir, init.root), "enter the root");
	r = sys(pivot_root, ".", ".");
	if (r < 0)
		fail(-r, "pivot_root%s", r == -EINVAL ? " (a host that runs from its initramfs needs --no-pivot)" : "");
	if (old >= 0) {
		set_propagation(old, PROPAGATION_SLAVE | PROPAGATION_RECURSIVE, "the old root");
		shut(old);
	}
	/* The old root is now stacked on the new one, and "." leads to the top of the stack: pivot_root(2), NOTES. */
	check(sys(umount2, ".", UMOUNT_DETACH), "unmount the old root");
	check(sys(chdir, "/"), "enter '/'");
}

void do_move_root(const struct plan_op *op)
{
	(void)op;
	/* The root was mounted on "/" already: what remains is to make it ours.  The host's mounts stay below it. */
	check(sys(fchdir, init.root), "enter the root");
	check(sys(chroot, "."), "change the root");
	check(sys(chdir, "/"), "enter '/'");
}

void do_chroot(const struct plan_op *op)
{
	init.root = (int)check(sys(openat, AT_FDCWD, text(op->string), O_PATH | O_DIRECTORY | O_CLOEXEC, 0),
			       "open the root '%s'", text(op->string));
	check(sys(fchdir, init.root), "enter the root");
	check(sys(chroot, "."), "change the root");
	check(sys(chdir, "/"), "enter '/'");
}

void do_enter_root(const struct plan_op *op)
{
	(void)op;
	init.root = (int)check(sys(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0), "open '/'");
}

void do_root_attr(const struct plan_op *op)
{
	set_attributes(init.root, 0, op->number, 0, "/");
	set_propagation(init.root, (uint32_t)op->number2, "/");
}

/* ---- mounts ---- */

/* What the kernel said of a file system context, into a static buffer: "tmpfs: Bad value for 'size'". */
static const char *kernel_says(int fs)
{
	static char line[256];
	long n = sys(read, fs, line, sizeof(line) - 1);

	if (n <= 2)
		return "";
	line[n] = 0;
	for (long i = 0; i < n; i++)
		if (line[i] == '\n')
			line[i] = 0;
	return line + 2; /* "e " */
}

/* What a user namespace wants for a file system that shows a namespace. */
static const char *mount_hint(long code, const char *type)
{
	if (code != EPERM)
		return "";
	if (equal(type, "sysfs"))
		return "in a user namespace it needs a network namespace made there, and a /sys that is not covered";
	if (equal(type, "proc"))
		return "in a user namespace it needs a pid namespace made there, and a /proc that is not covered";
	return "";
}

static _Noreturn void fail_mount(long code, int fs, const struct plan_mount *m, const char *option)
{
	const char *said = kernel_says(fs);

	if (!*said && !option)
		said = mount_hint(code, text(m->type));
	fail(code, "mount %s on '%s'%s%s%s%s%s%s", text(m->type), text(m->target), option ? ": option '" : "",
	     option ? option : "", option ? "'" : "", *said ? " (" : "", said, *said ? ")" : "");
}

static void configure(int fs, const char *option, const struct plan_mount *m)
{
	const char *value = find(option, '=');
	char key[256];
	long r;

	if (!value) {
		r = sys(fsconfig, fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	} else {
		if ((size_t)(value - option) >= sizeof(key))
			fail(ENAMETOOLONG, "mount option '%s'", option);
		memcpy(key, option, (size_t)(value - option));
		key[value - option] = 0;
		if (strlen(value + 1) > MAX_VALUE)
			fail_kind(ERROR_UNSUPPORTED, 0,
				  "mount %s on '%s': option '%s': its value is longer than the %d bytes that "
				  "fsconfig(2) takes",
				  text(m->type), text(m->target), key, MAX_VALUE);
		r = sys(fsconfig, fs, FSCONFIG_SET_STRING, key, value + 1, 0);
	}
	if (r < 0)
		fail_mount(-r, fs, m, option);
}

/* A new instance, detached.  Where PLAN_MOUNT_FALLBACK allows it: a bind of the source instead. */
static int new_mount(const struct plan_mount *m)
{
	const plan_ref *data = at(m->data);
	/* What is copied up is written first. */
	uint64_t later = MOUNT_ATTR_NOSYMFOLLOW | (m->flags & PLAN_MOUNT_COPY_UP ? MOUNT_ATTR_RDONLY : 0);
	long r, fs = sys(fsopen, text(m->type), FSOPEN_CLOEXEC);
	bool fallback = m->flags & PLAN_MOUNT_FALLBACK;

	if (fs == -ENODEV)
		fail(-fs, "mount %s on '%s': the kernel has no such file system", text(m->type), text(m->target));
	if (fs < 0)
		fail_mount(-fs, -1, m, NULL);
	if (m->source && !fallback) {
		r = sys(fsconfig, fs, FSCONFIG_SET_STRING, "source", text(m->source), 0);
		if (r < 0)
			fail_mount(-r, (int)fs, m, "source");
	}
	if (m->flags & PLAN_MOUNT_TARGET_MODE) {
		long target = open_in_root(text(m->target), O_PATH | O_DIRECTORY);
		struct stat st;
		char mode[16];

		if (target >= 0 && sys(newfstatat, target, "", &st, AT_EMPTY_PATH) == 0) {
			unsigned bits = st.st_mode & 07777;

			print(mode, sizeof(mode), "%d%d%d%d", bits >> 9, bits >> 6 & 7, bits >> 3 & 7, bits & 7);
			sys(fsconfig, fs, FSCONFIG_SET_STRING, "mode", mode, 0);
		}
		shut((int)target);
	}
	for (uint32_t i = 0; i < m->n_data; i++)
		configure((int)fs, text(data[i]), m);
	if (m->flags & PLAN_MOUNT_SUPERBLOCK_RO)
		sys(fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0);
	r = sys(fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = sys(fsmount, fs, FSMOUNT_CLOEXEC, m->set & ~later);
	if ((r == -EPERM || r == -EBUSY) && fallback) {
		r = sys(open_tree, AT_FDCWD, text(m->source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (r >= 0)
			set_attributes((int)r, AT_RECURSIVE, m->set, m->clear, text(m->target));
	}
	if (r < 0)
		fail_mount(-r, (int)fs, m, NULL);
	shut((int)fs);
	if (m->set & MOUNT_ATTR_NOSYMFOLLOW) /* not among fsmount(2)'s before 5.17 */
		set_attributes((int)r, 0, MOUNT_ATTR_NOSYMFOLLOW, 0, text(m->target));
	return (int)r;
}

static int bound_tree(const struct plan_mount *m)
{
	unsigned flags = (m->flags & PLAN_MOUNT_RECURSIVE ? AT_RECURSIVE : 0) |
			 (m->flags & PLAN_MOUNT_SOURCE_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
	int tree;

	if (m->from == PLAN_SOURCE_HOST)
		tree = receive_fd(MESSAGE_TREE);
	else
		tree =
		    (int)check(sys(open_tree, AT_FDCWD, text(m->source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags),
			       "open the mount's source '%s'", text(m->source));
	set_propagation(tree, m->tree_propagation, text(m->source));
	set_attributes(tree, 0, m->set, m->clear, text(m->target));
	return tree;
}

/*
 * Options of a file system change it for everybody who has it mounted.  So the one that is changed is found without a
 * symlink, and it is not the one that the root lies on: the image must not choose a file system of the host.
 */
static void reconfigure(const struct plan_mount *m)
{
	const char *path = text(m->target);
	const plan_ref *data = at(m->data);
	int fd = (int)check(open_how(init.root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS),
			    "open '%s' in the root for a remount (without symlinks)", path);
	struct stat root, here;
	long fs, r;

	check(sys(newfstatat, init.root, "", &root, AT_EMPTY_PATH), "stat the root");
	check(sys(newfstatat, fd, "", &here, AT_EMPTY_PATH), "stat '%s' in the root", path);
	if (root.st_dev == here.st_dev)
		fail_kind(ERROR_INVALID, 0, "'%s' is on the file system of the root, whose options stay as they are",
			  path);
	fs = check(sys(fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH), "remount '%s'", path);
	for (uint32_t i = 0; i < m->n_data; i++)
		configure((int)fs, text(data[i]), m);
	r = sys(fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
	if (r < 0)
		fail_mount(-r, (int)fs, m, NULL);
	shut((int)fs);
	shut(fd);
}

static void remount(const struct plan_mount *m)
{
	int fd = (int)check(open_in_root(text(m->target), O_PATH), "open '%s' in the root", text(m->target));

	if (m->n_data)
		reconfigure(m);
	set_attributes(fd, 0, m->set, m->clear, text(m->target));
	set_attributes(fd, AT_RECURSIVE, m->recursive_set, m->recursive_clear, text(m->target));
	shut(fd);
}

static bool is_procfs(int fd)
{
	struct statfs sb;

	return !sys(fstatfs, fd, &sb) && sb.f_type == PROC_MAGIC;
}

bool is_proc_root(int fd)
{
	struct stat st;

	return is_procfs(fd) && !sys(newfstatat, fd, "", &st, AT_EMPTY_PATH) && st.st_ino == PROC_ROOT_INODE;
}

/* Nothing but a procfs on /proc, and nothing inside one but the few files that may be (also through the image's links). */
static void verify_proc(const struct plan_mount *m, int tree, int target)
{
	if (equal(text(m->target), "/proc")) {
		if (!is_procfs(tree))
			fail_kind(ERROR_INVALID, 0, "only a procfs can be mounted on '/proc'");
	} else if (!(m->flags & PLAN_MOUNT_IN_PROC) && is_procfs(target)) {
		fail_kind(ERROR_INVALID, 0, "'%s' leads into /proc, where nothing can be mounted", text(m->target));
	}
}

/* The kernel would only say EINVAL. */
static void refuse_folder(int target, const char *path)
{
	struct stat st;

	check(sys(newfstatat, target, "", &st, AT_EMPTY_PATH), "stat '%s' in the root", path);
	if (S_ISDIR(st.st_mode))
		fail(EISDIR, "mount a file on '%s'", path);
}

/* Keeps the descriptor of a mount that later operations need; closes any other. */
static void keep(int tree, const struct plan_mount *m)
{
	const char *path = text(m->target);

	if (m->flags & PLAN_MOUNT_PROC)
		init.proc = tree;
	if (equal(path, "/proc"))
		init.mounted_proc = tree;
	else if (equal(path, "/sys"))
		init.mounted_sys = tree;
	else if (m->flags & PLAN_MOUNT_DEVPTS)
		init.devpts = tree;
	else
		shut(tree);
}

void do_mount(const struct plan_op *op)
{
	const struct plan_mount *m = &op->mount;
	const uint32_t *propagation = at(m->propagation);
	const char *path = text(m->target);
	int tree, target;
	struct stat st;

	if (m->flags & PLAN_MOUNT_REMOUNT) {
		remount(m);
		return;
	}
	tree = m->from == PLAN_SOURCE_NEW ? new_mount(m) : bound_tree(m);
	set_attributes(tree, AT_RECURSIVE, m->recursive_set, m->recursive_clear, path);
	if (m->flags & PLAN_MOUNT_HOLD) {
		init.held = tree;
		init.held_path = path;
		return;
	}
	st.st_mode = S_IFDIR;
	if (m->from != PLAN_SOURCE_NEW)
		check(sys(newfstatat, tree, "", &st, AT_EMPTY_PATH), "stat the source of '%s'", path);
	target = make(path, S_ISDIR(st.st_mode) ? IN_ROOT_DIRECTORY : IN_ROOT_FILE,
		      !(m->flags & (PLAN_MOUNT_TARGET_NOFOLLOW | PLAN_MOUNT_NO_SYMLINK)));
	if (!S_ISDIR(st.st_mode))
		refuse_folder(target, path);
	verify_proc(m, tree, target);
	if (m->flags & PLAN_MOUNT_COPY_UP) {
		copy_folder(target, tree, path);
		set_attributes(tree, 0, m->set & MOUNT_ATTR_RDONLY, 0, path);
	}
	attach(tree, target, path);
	shut(target);
	for (uint32_t i = 0; i < m->n_propagation; i++)
		set_propagation(tree, propagation[i], path);
	keep(tree, m);
}

void do_attach(const struct plan_op *op)
{
	int target = make_in_root(text(op->string), IN_ROOT_DIRECTORY);

	if (op->number) /* ro was asked for: only now, that it is filled */
		set_attributes(init.held, 0, op->number, 0, text(op->string));
	attach(init.held, target, text(op->string));
	shut(target);
	init.held = shut(init.held);
}

/*
 * The folder by the resolver, then one name in it, not followed: whatever the payload swaps meanwhile, what goes is a mount of its
 * own namespace.
 */
void do_unmount(const struct plan_op *op)
{
	int fd =
	    (int)check(open_in_root(text(op->string), O_PATH | O_DIRECTORY), "open '%s' in the root", text(op->string));
	long r;

	check(sys(fchdir, fd), "enter '%s' in the root", text(op->string));
	r = sys(umount2, text(op->string2), UMOUNT_DETACH | UMOUNT_NOFOLLOW);
	if (r == -EINVAL || r == -ENOENT)
		fail_kind(ERROR_NOT_FOUND, 0, "nothing is mounted on '%s%s%s'", text(op->string),
			  equal(text(op->string), "/") ? "" : "/", text(op->string2));
	check(r, "unmount '%s/%s'", text(op->string), text(op->string2));
	check(sys(chdir, "/"), "enter '/'");
	shut(fd);
}

/* ---- what covers a path ---- */

static int clone_of(int fd, unsigned flags, const char *what)
{
	return (int)check(sys(open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags),
			  "bind %s", what);
}

/*
 * The host's null device, by a path of the host (the root has not changed yet), and proved to be it: nothing of the
 * image's /dev is ever used for masking.
 */
static int null_device(void)
{
	struct stat st;

	if (init.null < 0) {
		init.null = (int)check(sys(openat, AT_FDCWD, "/dev/null", O_PATH | O_CLOEXEC | O_NOFOLLOW, 0),
				       "open '/dev/null'");
		check(sys(newfstatat, init.null, "", &st, AT_EMPTY_PATH), "stat '/dev/null'");
		if (!S_ISCHR(st.st_mode) || st.st_rdev != 0x103)
			fail_kind(ERROR_UNSUPPORTED, 0, "the host's '/dev/null' is not the null device");
	}
	return clone_of(init.null, 0, "'/dev/null'");
}

/* One empty folder serves all masks: the first takes the mount itself, the rest clones of it. */
static int empty_folder(void)
{
	long fs;
	int tree;

	if (init.empty >= 0)
		return clone_of(init.empty, 0, "the empty folder");
	fs = check(sys(fsopen, "tmpfs", FSOPEN_CLOEXEC), "make an empty folder");
	check(sys(fsconfig, fs, FSCONFIG_SET_STRING, "size", "0", 0), "make an empty folder");
	check(sys(fsconfig, fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0), "make an empty folder");
	check(sys(fsconfig, fs, FSCONFIG_SET_STRING, "mode", "755", 0), "make an empty folder");
	check(sys(fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "make an empty folder");
	tree = (int)check(sys(fsmount, fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
			  "make an empty folder");
	shut((int)fs);
	init.empty = tree;
	return tree;
}

/*
 * Opens what is to be covered; -1 if there is nothing.  What lies in /proc or /sys is looked up in what we mounted there, by
 * its descriptor: somebody who shares the root could have renamed /proc meanwhile and put a folder of his own in its place, which
 * would take the masks and leave the real one bare.
 */
static int open_covered(const char *path)
{
	int mounted = starts(path, "/proc/") ? init.mounted_proc : starts(path, "/sys/") ? init.mounted_sys : -1;
	long fd = -EXDEV;

	if (mounted >= 0)
		fd = open_how(mounted, find(path + 1, '/') + 1, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (fd == -EXDEV) /* no such mount, or a link in a folder of the host's that leads out of it */
		fd = open_in_root(path, O_PATH);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return -1;
	return (int)check(fd, "open '%s' in the root", path);
}

void do_mask(const struct plan_op *op)
{
	int target = open_covered(text(op->string)), tree;
	struct stat st;

	if (target < 0)
		return;
	check(sys(newfstatat, target, "", &st, AT_EMPTY_PATH), "stat '%s'", text(op->string));
	tree = S_ISDIR(st.st_mode) ? empty_folder() : null_device();
	attach(tree, target, text(op->string));
	if (tree != init.empty)
		shut(tree);
	shut(target);
}

void do_readonly_path(const struct plan_op *op)
{
	int target = open_covered(text(op->string)), tree;

	if (target < 0)
		return;
	tree = clone_of(target, AT_RECURSIVE, text(op->string));
	set_attributes(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, text(op->string));
	attach(tree, target, text(op->string));
	shut(tree);
	shut(target);
}

void do_proc(const struct plan_op *op)
{
	long fs = sys(fsopen, "proc", FSOPEN_CLOEXEC), r;

	(void)op;
	check(fs, "open a procfs");
	r = sys(fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = sys(fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	shut((int)fs);
	if (r == -EPERM) {
		/* A user namespace may not mount a new one while its own is partly covered: then that one, proved. */
		r = open_in_root("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW);
		if (r >= 0 && !is_proc_root((int)r))
			r = -EPERM;
	}
	init.proc = (int)check(r, "open a procfs");
}
