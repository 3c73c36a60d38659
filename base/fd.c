/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_FDS = 253 }; /* SCM_MAX_FD */

int fd_close(int fd)
{
	int saved = errno;

	/* Never retried: on Linux the descriptor is gone even after EINTR. */
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

int fd_open(int dirfd, const char *path, int flags, const char *name, int *ret_fd, struct error *e)
{
	int fd = openat(dirfd, path, flags | O_CLOEXEC);

	if (fd < 0)
		return error_system(e, errno, "open '%s'", name ? name : path);
	*ret_fd = fd;
	return 0;
}

int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	size_t size = 0, room = 4096;
	char *data = malloc(room + 1);

	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, data + size, room - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || size + n > max) {
			int r = n < 0 ? -errno : -EFBIG;
			free(data);
			return r;
		}
		if (!n)
			break;
		size += n;
		if (size == room) {
			char *more = realloc(data, room * 4 + 1);
			if (!more) {
				free(data);
				return -ENOMEM;
			}
			data = more;
			room *= 4;
		}
	}
	data[size] = 0;
	*ret_data = data;
	if (ret_size)
		*ret_size = size;
	return 0;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= n;
	}
	return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_size)
{
	auto_fd fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_read_all(fd, max, ret_data, ret_size);
}

int file_write(int dirfd, const char *path, const void *data, size_t size)
{
	auto_fd fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, data, size);
}

int file_create(int dirfd, const char *path, mode_t mode, const void *data, size_t size)
{
	auto_fd fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, data, size);
}

int file_replace(int dirfd, const char *path, mode_t mode, const void *data, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char temporary[4096];
	int r;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%.*s.%s", (int)(name - path), path, name) >=
	    sizeof(temporary))
		return -ENAMETOOLONG;
	r = file_create(dirfd, temporary, mode, data, size);
	if (r == -EEXIST) { /* left by someone who was killed: our caller is the only writer */
		unlinkat(dirfd, temporary, 0);
		r = file_create(dirfd, temporary, mode, data, size);
	}
	if (!r && renameat(dirfd, temporary, dirfd, path) < 0)
		r = -errno;
	if (r && r != -EEXIST)
		unlinkat(dirfd, temporary, 0);
	return r;
}

int file_publish(int dirfd, const char *path, mode_t mode, const void *data, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[4096] = ".", self[32];
	auto_fd fd = -1;
	int r;

	if (name != path &&
	    (size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(name - path), path) >= sizeof(folder))
		return -ENAMETOOLONG;
	fd = openat(dirfd, folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) /* a file system without files that have no name */
		return file_replace(dirfd, path, mode, data, size);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	if (r)
		return r;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	for (int try = 0; linkat(AT_FDCWD, self, dirfd, path, AT_SYMLINK_FOLLOW) < 0; try++)
		if (errno != EEXIST || try == 2 || (unlinkat(dirfd, path, 0) < 0 && errno != ENOENT))
			return -errno;
	return 0;
}

int fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control;
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > MAX_FDS)
		return -E2BIG;
	if (n_fds) {
		memset(&control, 0, CMSG_SPACE(sizeof(int) * n_fds));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EMSGSIZE;
}

int fd_receive(int socket, void *data, size_t max, size_t *ret_size, int *fds, size_t max_fds, size_t *ret_n_fds)
{
	struct iovec iov = {.iov_base = data, .iov_len = max};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control;
	struct msghdr message = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	size_t n_fds = 0;
	int got[MAX_FDS];
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(got + n_fds, CMSG_DATA(c), here * sizeof(int));
			n_fds += here;
		}
	if (n_fds > max_fds || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		for (size_t i = 0; i < n_fds; i++)
			fd_close(got[i]);
		return -EPROTO;
	}
	if (n_fds)
		memcpy(fds, got, n_fds * sizeof(int));
	if (ret_n_fds)
		*ret_n_fds = n_fds;
	*ret_size = n;
	return 0;
}
