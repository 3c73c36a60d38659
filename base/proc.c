/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

int proc_start_time(pid_t pid, uint64_t *ret_start, char *ret_state)
{
	char path[64], data[2048], state, *p;
	auto_fd fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1); /* one line, given at once */
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	data[n] = 0;
	p = strrchr(data, ')'); /* the command's name, in brackets, may hold anything */
	if (!p || p[1] != ' ')
		return -EIO;
	p += 2;
	state = *p;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EIO;
		p++;
	}
	*ret_start = strtoull(p, NULL, 10);
	if (ret_state)
		*ret_state = state;
	return 0;
}

int proc_check(pid_t pid, uint64_t start)
{
	uint64_t now;
	char state;
	int r = proc_start_time(pid, &now, &state);

	return r ? r : now != start || state == 'Z' || state == 'X' ? -ESRCH : 0;
}

int proc_open(pid_t pid, uint64_t start, int *ret_pidfd)
{
	auto_fd pidfd = -1;
	int r;

	/* The pidfd first: if the start time read afterwards fits, both speak of the same process. */
	pidfd = sys_pidfd_open(pid, 0);
	if (pidfd < 0)
		return -errno;
	r = proc_check(pid, start);
	if (r)
		return r;
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}

int proc_boot_id(char ret_id[BOOT_ID_SIZE])
{
	auto_free char *data = NULL;
	size_t size;
	int r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256, &data, &size);

	if (r)
		return r;
	if (size < BOOT_ID_SIZE - 1)
		return -EIO;
	memcpy(ret_id, data, BOOT_ID_SIZE - 1);
	ret_id[BOOT_ID_SIZE - 1] = 0;
	return 0;
}

int proc_program(const char *name, char *buffer, size_t size, struct error *e)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", buffer, size);
	char *slash;

	if (n < 0)
		return error_system(e, errno, "read the link '/proc/self/exe'");
	if ((size_t)n >= size)
		return error_refuse(e, ERROR_LIMIT, "the path of holm's executable is longer than %zu bytes", size - 1);
	if (n >= (ssize_t)sizeof(deleted) && !memcmp(buffer + n - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1))
		n -= sizeof(deleted) - 1;
	buffer[n] = 0;
	if (!name)
		return 0;
	slash = strrchr(buffer, '/');
	if (!slash || (size_t)(slash + 1 - buffer) + strlen(name) >= size)
		return error_refuse(e, ERROR_LIMIT, "no room for the path of '%s' beside '%s'", name, buffer);
	strcpy(slash + 1, name);
	return 0;
}
