/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/overlay.h"

enum { ATTEMPTS = 64 }; /* other programs take loop devices too */

/* Is the device on this very file, all of it, and as writable as asked? */
static bool is_on(int device, const struct stat *file, bool read_only)
{
	struct loop_info64 info;

	return !ioctl(device, LOOP_GET_STATUS64, &info) && info.lo_device == file->st_dev &&
	       info.lo_inode == file->st_ino && !info.lo_offset && !info.lo_sizelimit &&
	       !(info.lo_flags & LO_FLAGS_READ_ONLY) == !read_only;
}

static int open_device(const char *name, bool read_only, char ret_path[LOOP_PATH_SIZE])
{
	if (snprintf(ret_path, LOOP_PATH_SIZE, "/dev/%s", name) >= LOOP_PATH_SIZE)
		return -1;
	return openat(AT_FDCWD, ret_path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

/* The device that has the file already; -1: none.  Its being open keeps it. */
static int find_device(const struct stat *file, bool read_only, char ret_path[LOOP_PATH_SIZE])
{
	DIR *block = opendir("/sys/block");
	const struct dirent *entry;
	int found = -1;

	while (block && found < 0 && (entry = readdir(block))) {
		char backing[64];
		auto_fd device = -1;

		if (!str_after(entry->d_name, "loop") ||
		    snprintf(backing, sizeof(backing), "%s/loop/backing_file", entry->d_name) >= (int)sizeof(backing) ||
		    faccessat(dirfd(block), backing, F_OK, 0))
			continue;
		device = open_device(entry->d_name, read_only, ret_path);
		if (device >= 0 && is_on(device, file, read_only))
			found = take_fd(&device);
	}
	if (block)
		closedir(block);
	return found;
}

static int attach(int control, int file, bool read_only, int *ret_fd, char ret_path[LOOP_PATH_SIZE], struct error *e)
{
	struct loop_config config = {
	    .fd = (uint32_t)file,
	    .info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : LO_FLAGS_DIRECT_IO),
	};

	for (int i = 0; i < ATTEMPTS; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		char name[16];
		auto_fd device = -1;

		if (number < 0)
			return error_system(e, errno, "find a free loop device");
		snprintf(name, sizeof(name), "loop%d", number);
		device = open_device(name, read_only, ret_path);
		if (device < 0)
			return error_system(e, errno, "open '%s'", ret_path);
		if (!ioctl(device, LOOP_CONFIGURE, &config)) {
			*ret_fd = take_fd(&device);
			return 0;
		}
		if (errno != EBUSY)
			return error_system(e, errno, "put the file on '%s'", ret_path);
	}
	return error_refuse(e, ERROR_SYSTEM, "no loop device stayed free for as long as it takes to use it");
}

int loop_open(int file, bool read_only, int *ret_fd, char ret_path[LOOP_PATH_SIZE], struct error *e)
{
	auto_fd control = -1;
	struct stat st;

	if (fstat(file, &st) < 0)
		return error_system(e, errno, "stat the file");
	*ret_fd = find_device(&st, read_only, ret_path);
	if (*ret_fd >= 0)
		return 0;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return error_system(e, errno, "open '/dev/loop-control'");
	return attach(control, file, read_only, ret_fd, ret_path, e);
}

static const struct {
	const char *type, *magic;
	size_t size;
	off_t offset;
} types[] = {
    {"squashfs", "hsqs", 4, 0},
    {"erofs", "\xe2\xe1\xf5\xe0", 4, 1024},
    {"ext4", "\x53\xef", 2, 1080},
};

int loop_find_type(int file, const char *path, const char **ret_type, struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		char magic[8];

		if (pread(file, magic, types[i].size, types[i].offset) == (ssize_t)types[i].size &&
		    !memcmp(magic, types[i].magic, types[i].size)) {
			*ret_type = types[i].type;
			return 0;
		}
	}
	return error_refuse(e, ERROR_INVALID, "'%s' is neither a squashfs nor an erofs image", path);
}

int loop_mount(int file, const char *path, bool read_only, int *ret_mount, struct error *e)
{
	char device_path[LOOP_PATH_SIZE];
	auto_fd device = -1;
	const char *type = NULL;
	struct overlay_option options[] = {{"source", device_path}, {"ro", NULL}};
	int r = loop_find_type(file, path, &type, e);

	if (!r)
		r = loop_open(file, read_only, &device, device_path, e);
	if (!r)
		r = overlay_new_mount(type, options, read_only ? 2 : 1, read_only ? MOUNT_ATTR_RDONLY : 0, ret_mount,
				      e);
	if (r)
		error_context(e, "'%s'", path);
	return r;
}
