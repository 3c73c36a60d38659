/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"

static int open_file(const char *folder, const char *file, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int cgroup_file_read(const char *folder, const char *file, char *buffer, size_t size)
{
	auto_fd fd = open_file(folder, file, O_RDONLY);
	size_t n = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t got = read(fd, buffer + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		n += got;
		/* A page at once is what the kernel gives of such a file, and lines are short: half of one was all of it. */
		if (!got || (n < 2048 && n < size))
			break;
		if (n == size)
			return -EFBIG;
	}
	if (n && buffer[n - 1] == '\n')
		n--;
	buffer[n] = 0;
	return 0;
}

int cgroup_file_write(const char *folder, const char *file, const char *value)
{
	auto_fd fd = open_file(folder, file, O_WRONLY);

	if (fd < 0)
		return fd;
	for (;;) {
		if (write(fd, value, strlen(value)) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

int cgroup_file_read_number(const char *folder, const char *file, uint64_t *ret)
{
	char buffer[64];
	int r = cgroup_file_read(folder, file, buffer, sizeof(buffer));

	if (r < 0)
		return r;
	if (str_equal(buffer, "max")) {
		*ret = UINT64_MAX;
		return 0;
	}
	return parse_u64(buffer, 0, UINT64_MAX, ret);
}

bool cgroup_text_find(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	for (const char *p = text; (p = strstr(p, key)); p += length) {
		char *end;
		uint64_t value;

		if ((p != text && p[-1] != '\n' && p[-1] != ' ') || (p[length] != ' ' && p[length] != '='))
			continue;
		errno = 0;
		value = strtoull(p + length + 1, &end, 10);
		if (errno || end == p + length + 1 || p[length + 1] == '-')
			continue;
		*ret = value;
		return true;
	}
	return false;
}

int cgroup_file_read_key(const char *folder, const char *file, const char *key, uint64_t *ret)
{
	char buffer[2 * CGROUP_FILE_SIZE];
	int r = cgroup_file_read(folder, file, buffer, sizeof(buffer));

	if (r < 0)
		return r;
	return cgroup_text_find(buffer, key, ret) ? 0 : -ENODATA;
}

int64_t cgroup_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

void cgroup_wait(unsigned round)
{
	int64_t ms = round < 6 ? 1 << round : 50;

	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}
