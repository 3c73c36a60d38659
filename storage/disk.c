/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/loop.h"
#include "storage/overlay.h"

#define MAKER "mkfs.ext4"
#define RESIZE_EXT4 _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS: in blocks; in no header that is installed */

enum { SAID_MAX = 500, RESERVED_INODES = 16 };

/* Never PATH: it is the caller's. */
static const char *find_maker(void)
{
	static const char *const paths[] = {"/usr/sbin/" MAKER, "/sbin/" MAKER, "/usr/bin/" MAKER, "/bin/" MAKER};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!faccessat(AT_FDCWD, paths[i], X_OK, 0))
			return paths[i];
	return NULL;
}

bool disk_is_possible(char *reason, size_t size)
{
	if (!find_maker())
		snprintf(reason, size, "there is no '" MAKER "' (package e2fsprogs)");
	else if (faccessat(AT_FDCWD, "/dev/loop-control", R_OK | W_OK, 0))
		snprintf(reason, size, "there are no loop devices ('/dev/loop-control')");
	else
		return true;
	return false;
}

/* What the program complains of, up to its end. */
static void read_all(int fd, char *buffer, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, buffer + used, size - 1 - used)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && used + (size_t)n < size - 1)
			used += (size_t)n;
	buffer[used] = 0;
	for (size_t i = 0; i < used; i++)
		if (buffer[i] == '\n')
			buffer[i] = i + 1 < used ? ';' : 0;
}

/* The file is its descriptor 3, whatever name it has. */
static int run_maker(const char *path, int file, const char *inodes, struct error *e)
{
	const char *args[] = {MAKER,
			      "-q",
			      "-F",
			      "-m0",
			      "-Elazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0",
			      inodes ? "-N" : "/proc/self/fd/3",
			      inodes,
			      inodes ? "/proc/self/fd/3" : NULL,
			      NULL};
	static char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	char said[SAID_MAX];
	int both[2], status = -1, r;
	pid_t pid;

	if (pipe2(both, O_CLOEXEC) < 0)
		return error_system(e, errno, "make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, both[1], STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&actions, file, 3);
	r = posix_spawn(&pid, path, &actions, NULL, (char *const *)args, environment);
	posix_spawn_file_actions_destroy(&actions);
	fd_close(both[1]);
	if (!r) {
		read_all(both[0], said, sizeof(said));
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	fd_close(both[0]);
	if (r)
		return error_system(e, r, "run '%s'", path);
	if (status)
		return error_refuse(e, ERROR_SYSTEM, "'%s' failed: %s", path, *said ? said : "it did not say why");
	return 0;
}

int disk_create(int folder, const char *name, int64_t size, uint64_t inodes, struct error *e)
{
	const char *maker = find_maker();
	char number[24];
	auto_fd file = -1;
	int r;

	if (size < DISK_SIZE_MIN)
		return error_refuse(e, ERROR_LIMIT, "a file system of %" PRId64 " bytes: it needs at least %d", size,
				    DISK_SIZE_MIN);
	if (!maker)
		return error_refuse(e, ERROR_UNSUPPORTED, "there is no '" MAKER "' (package e2fsprogs)");
	file = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return error_system(e, errno, "make '%s'", name);
	snprintf(number, sizeof(number), "%" PRIu64, inodes + RESERVED_INODES);
	r = ftruncate(file, size) < 0 ? error_system(e, errno, "make '%s' %" PRId64 " bytes long", name, size) : 0;
	if (!r)
		r = run_maker(maker, file, inodes ? number : NULL, e);
	if (r)
		unlinkat(folder, name, 0);
	return r;
}

static int open_disk(int folder, const char *name, int *ret_file, struct error *e)
{
	return fd_open(folder, name, O_RDWR | O_NOFOLLOW, name, ret_file, e);
}

int disk_mount(int folder, const char *name, int *ret_mount, struct error *e)
{
	struct overlay_option options[] = {{"source", NULL}, {"discard", NULL}};
	char path[LOOP_PATH_SIZE];
	auto_fd file = -1, device = -1;
	int r = open_disk(folder, name, &file, e);

	if (!r)
		r = loop_open(file, false, &device, path, e);
	options[0].value = path;
	if (!r)
		r = overlay_new_mount("ext4", options, ARRAY_SIZE(options), 0, ret_mount, e);
	if (r)
		error_context(e, "'%s'", name);
	return r;
}

/* The device first, then the file system on it; both while it is used. */
static int grow(int file, int mount, int64_t size, struct error *e)
{
	char path[LOOP_PATH_SIZE];
	auto_fd device = -1, root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs fs;
	uint64_t blocks;
	int r = loop_open(file, false, &device, path, e);

	if (r)
		return r;
	if (ioctl(device, LOOP_SET_CAPACITY) < 0)
		return error_system(e, errno, "tell '%s' its new size", path);
	if (root < 0 || fstatvfs(root, &fs) < 0)
		return error_system(e, errno, "look at the file system");
	blocks = (uint64_t)size / fs.f_bsize;
	if (ioctl(root, RESIZE_EXT4, &blocks) < 0)
		return error_system(e, errno, "grow the file system%s",
				    errno == EPERM ? " (it needs CAP_SYS_RESOURCE, and a file system without errors)"
						   : "");
	return 0;
}

/* What did not grow must not look as if it had. */
static void shrink_back(int file, off_t size)
{
	char path[LOOP_PATH_SIZE];
	struct error ignored;
	auto_fd device = -1;

	if (ftruncate(file, size) < 0 || loop_open(file, false, &device, path, &ignored))
		return;
	ioctl(device, LOOP_SET_CAPACITY);
}

int disk_resize(int folder, const char *name, int64_t size, struct error *e)
{
	auto_fd file = -1, mount = -1;
	struct stat st;
	int r = open_disk(folder, name, &file, e);

	if (r)
		return r;
	if (fstat(file, &st) < 0)
		return error_system(e, errno, "stat '%s'", name);
	if (size < st.st_size)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "the limit can't become smaller than %" PRId64
				    " bytes: it is kept by a file system in a file, which only grows",
				    (int64_t)st.st_size);
	if (size == st.st_size)
		return 0;
	/* Mounted first: the journal must not see a device that grew without it. */
	r = disk_mount(folder, name, &mount, e);
	if (!r && ftruncate(file, size) < 0)
		r = error_system(e, errno, "make '%s' %" PRId64 " bytes long", name, size);
	if (r)
		return r;
	r = grow(file, mount, size, e);
	if (r)
		shrink_back(file, st.st_size);
	return r;
}
