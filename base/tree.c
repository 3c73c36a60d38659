/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

enum { DEPTH_MAX = 32 }; /* folders open at once; what lies deeper is first moved up to the top */

struct removal {
	int top;
	dev_t device;
	unsigned long moved; /* names given to what was moved to the top */
	bool again;
	struct error *e;
};

static int empty_folder(struct removal *removal, int fd, const char *name, unsigned depth);

/* Moves a folder that lies too deep into the top one, where the next round finds it. */
static int move_up(struct removal *removal, int parent, const char *name)
{
	char up[32];

	do {
		snprintf(up, sizeof(up), ".moved-%lu", removal->moved++);
		if (!renameat(parent, name, removal->top, up)) {
			removal->again = true;
			return 0;
		}
	} while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
	return errno == ENOENT ? 0 : error_system(removal->e, errno, "remove the folder '%s'", name);
}

/* An ordinary user's own folder may be closed to it: overlayfs makes such ones. */
static int open_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd closed = -1;
	char path[64];

	if (fd >= 0 || errno != EACCES)
		return fd;
	closed = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", closed);
	if (closed < 0 || fchmodat(AT_FDCWD, path, 0700, 0) < 0) {
		errno = EACCES;
		return -1;
	}
	return openat(closed, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int remove_empty(int parent, const char *name)
{
	if (!unlinkat(parent, name, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	return errno == EACCES && !fchmod(parent, 0700) ? unlinkat(parent, name, AT_REMOVEDIR) : -1;
}

static int remove_folder(struct removal *removal, int parent, const char *name, unsigned depth)
{
	auto_fd fd = -1;
	struct stat st;
	int r;

	if (depth > DEPTH_MAX)
		return move_up(removal, parent, name);
	fd = open_folder(parent, name);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_system(removal->e, errno, "open '%s' to remove it", name);
	if (fstat(fd, &st))
		return error_system(removal->e, errno, "look at '%s'", name);
	if (st.st_dev != removal->device)
		return error_refuse(removal->e, ERROR_STATE, "'%s' is a mount point: it can't be removed", name);
	r = empty_folder(removal, take_fd(&fd), name, depth);
	if (!r && remove_empty(parent, name))
		r = error_system(removal->e, errno, "remove the folder '%s'", name);
	return r;
}

/* Consumes fd. */
static int empty_folder(struct removal *removal, int fd, const char *name, unsigned depth)
{
	struct dirent *entry;
	DIR *dir = fdopendir(fd);
	int r = 0;

	if (!dir) {
		fd_close(fd);
		return error_system(removal->e, ENOMEM, "list '%s'", name);
	}
	while (!r && (errno = 0, entry = readdir(dir))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		/* A folder is refused by unlink(2) with EISDIR: no type of entry has to be known. */
		if (!unlinkat(fd, entry->d_name, 0) || errno == ENOENT)
			continue;
		/* An ordinary user may have to open its own folder for writing. */
		if (errno == EACCES && !fchmod(fd, 0700) && (!unlinkat(fd, entry->d_name, 0) || errno == ENOENT))
			continue;
		if (errno != EISDIR)
			r = error_system(removal->e, errno, "remove '%s'", entry->d_name);
		else
			r = remove_folder(removal, fd, entry->d_name, depth + 1);
	}
	if (!r && errno)
		r = error_system(removal->e, errno, "list '%s'", name);
	closedir(dir);
	return r;
}

int tree_remove(int parent, const char *name, struct error *e)
{
	auto_fd top = open_folder(parent, name);
	struct removal removal = {.top = top, .e = e};
	struct stat st;
	int r = 0;

	if (top < 0)
		return errno == ENOENT ? 0 : error_system(e, errno, "open '%s' to remove it", name);
	if (fstat(top, &st))
		return error_system(e, errno, "look at '%s'", name);
	removal.device = st.st_dev;
	do {
		int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return error_system(e, errno, "open '%s' to remove it", name);
		removal.again = false;
		r = empty_folder(&removal, fd, name, 0);
	} while (!r && removal.again);
	if (!r && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT)
		r = error_system(e, errno, "remove the folder '%s'", name);
	return r;
}
