/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folders, symlinks, device nodes and the console: what fills /dev.
 *
 * While a tmpfs is held back (PLAN_MOUNT_HOLD: /dev, /sys/fs/cgroup) the names below it are made on the detached mount, which
 * only init can reach; the resolver is not needed there and nothing can race.  Anything elsewhere goes through the resolver.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <asm/termbits.h>

#include "init/lib.h"
#include "init/root.h"
#include "init/sys.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* A device number as the kernel's mknod(2) and stat(2) have it. */
static uint64_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffU) << 12;
}

struct window {
	unsigned short rows, columns, x, y;
};

/*
 * The parent of path and its last part: on the held tmpfs when path lies below it, made component by component there; else
 * in the root.  Shut the result unless it is init.held.
 */
static int open_parent(const char *path, const char **ret_name)
{
	static char part[256];
	const char *slash;
	int parent = init.held;

	if (init.held < 0 || !starts(path, init.held_path) || path[strlen(init.held_path)] != '/')
		return make_parent_in_root(path, ret_name);
	path += strlen(init.held_path) + 1;
	while ((slash = find(path, '/'))) {
		size_t n = (size_t)(slash - path);
		long next, r;

		if (n) {
			if (n >= sizeof(part) || (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.'))))
				fail(EINVAL, "the path '%s/%s'", init.held_path, path);
			memcpy(part, path, n);
			part[n] = 0;
			r = sys(mkdirat, parent, part, 0755);
			if (r < 0 && r != -EEXIST)
				fail(-r, "make the folder '%s' in '%s'", part, init.held_path);
			next = check(sys(openat, parent, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0),
				     "open '%s' in '%s'", part, init.held_path);
			if (parent != init.held)
				shut(parent);
			parent = (int)next;
		}
		path = slash + 1;
	}
	*ret_name = path;
	return parent;
}

static void leave(int parent)
{
	if (parent != init.held)
		shut(parent);
}

void do_mkdir(const struct plan_op *op)
{
	const char *name;
	int parent = open_parent(text(op->string), &name);
	long r = *name ? sys(mkdirat, parent, name, op->number) : 0;

	if (r < 0 && r != -EEXIST)
		fail(-r, "make the folder '%s'", text(op->string));
	leave(parent);
}

void do_symlink(const struct plan_op *op)
{
	const char *name;
	int parent = open_parent(text(op->string), &name);
	long r = sys(symlinkat, text(op->string2), parent, name);

	if (r < 0 && r != -EEXIST) /* an image may bring its own */
		fail(-r, "make the symlink '%s'", text(op->string));
	leave(parent);
}

/* An existing node must be the one asked for. */
static void verify_node(int parent, const char *name, const struct plan_device *d)
{
	struct stat st;

	check(sys(newfstatat, parent, name, &st, AT_SYMLINK_NOFOLLOW), "stat '%s'", text(d->path));
	if ((st.st_mode & S_IFMT) != d->type || (d->type != S_IFIFO && st.st_rdev != device_number(d->major, d->minor)))
		fail_kind(ERROR_INVALID, 0, "'%s' exists in the root and is another file or device", text(d->path));
}

static void make_node(int parent, const char *name, const struct plan_device *d)
{
	uint64_t number = d->type == S_IFIFO ? 0 : device_number(d->major, d->minor);
	long r = sys(mknodat, parent, name, d->type | d->mode, number);

	if (r == -EEXIST) {
		verify_node(parent, name, d);
		return;
	}
	check(r, "make the device '%s'", text(d->path));
	if (d->uid || d->gid)
		check(sys(fchownat, parent, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW), "change the owner of '%s'",
		      text(d->path));
}

/* User namespaces have no mknod(2): the host's node is bound onto an empty file. */
static void bind_node(int parent, const char *name, const struct plan_device *d)
{
	struct stat st;
	long r, file;
	int tree;

	if (d->from == PLAN_SOURCE_HOST)
		tree = receive_fd(MESSAGE_TREE);
	else
		tree = (int)check(sys(open_tree, AT_FDCWD, text(d->source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
				  "open the host's '%s'", text(d->source));
	check(sys(newfstatat, tree, "", &st, AT_EMPTY_PATH), "stat the host's '%s'", text(d->path));
	if ((st.st_mode & S_IFMT) != d->type || st.st_rdev != device_number(d->major, d->minor))
		fail_kind(ERROR_UNSUPPORTED, 0, "the host's '%s' is another device", text(d->path));
	r = sys(openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
	if (r >= 0)
		shut((int)r);
	else if (r != -EEXIST)
		fail(-r, "make '%s'", text(d->path));
	file = check(sys(openat, parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0), "open '%s'", text(d->path));
	attach(tree, (int)file, text(d->path));
	shut((int)file);
	shut(tree);
}

void do_device(const struct plan_op *op)
{
	const struct plan_device *d = &op->device;
	const char *name;
	int parent = open_parent(text(d->path), &name);

	if (d->from == PLAN_SOURCE_NEW)
		make_node(parent, name, d);
	else
		bind_node(parent, name, d);
	leave(parent);
}

/* The multiplexer of the container's devpts, proved to be one. */
static int open_multiplexer(void)
{
	struct stat st;
	long fd;

	if (init.devpts >= 0)
		fd = sys(openat, init.devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, 0);
	else
		fd = open_in_root("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
	check(fd, "open '/dev/pts/ptmx' (a terminal needs a devpts mounted there)");
	check(sys(newfstatat, fd, "", &st, AT_EMPTY_PATH), "stat '/dev/pts/ptmx'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != device_number(5, 2))
		fail_kind(ERROR_INVALID, 0, "'/dev/pts/ptmx' in the root is not a pty multiplexer");
	return (int)fd;
}

/* Before the payload writes its first line: the line discipline is not to make "\r\n" of "\n". */
static void keep_newlines(int slave)
{
	struct termios t;

	check(sys(ioctl, slave, TCGETS, &t), "read the pty's settings");
	t.c_oflag &= ~(tcflag_t)ONLCR;
	check(sys(ioctl, slave, TCSETS, &t), "change the pty's settings");
}

void do_console(const struct plan_op *op)
{
	int master = open_multiplexer(), unlock = 0, slave, target, tree;
	struct window size = {.rows = (unsigned short)op->console.rows, .columns = (unsigned short)op->console.columns};

	check(sys(ioctl, master, TIOCSPTLCK, &unlock), "unlock the pty");
	/* The peer of the descriptor, not a name in a folder that others may have changed. */
	slave = (int)check(sys(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "open the pty's other end");
	if (size.rows || size.columns)
		check(sys(ioctl, slave, TIOCSWINSZ, &size), "set the terminal's size");
	if (op->console.plain)
		keep_newlines(slave);
	check(sys(fchown, slave, op->console.uid, -1), "change the owner of the pty");
	if (!op->console.exec) {
		target = make_in_root("/dev/console", IN_ROOT_FILE);
		tree = (int)check(sys(open_tree, slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
				  "bind the pty");
		attach(tree, target, "/dev/console");
		shut(tree);
		shut(target);
	}
	for (int fd = 0; fd < 3; fd++)
		check(sys(dup3, slave, fd, 0), "make the pty a standard stream");
	check(sys(ioctl, 0, TIOCSCTTY, 0), "make the pty the controlling terminal");
	tell(MESSAGE_CONSOLE, NULL, &master, 1);
	shut(slave);
	shut(master);
	init.devpts = shut(init.devpts);
}
