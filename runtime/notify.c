/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/socket.h"

#define SOCKET_NAME "notify.sock"

enum { BARRIER_TIMEOUT_MS = 30000 };

const char *notify_host(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && *path ? path : NULL;
}

int notify_create(int state_fd, struct error *e)
{
	if (mkdirat(state_fd, NOTIFY_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return error_system(e, errno, "make the folder '%s'", NOTIFY_DIRECTORY);
	/* The payload, of whatever user, has to reach the socket; the umask must not say otherwise. */
	if (fchmodat(state_fd, NOTIFY_DIRECTORY, 0755, 0) < 0)
		return error_system(e, errno, "set the mode of the folder '%s'", NOTIFY_DIRECTORY);
	return 0;
}

int notify_open(int state_fd, int *ret_fd, struct error *e)
{
	auto_fd directory = -1;
	int r = fd_open(state_fd, NOTIFY_DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL, &directory, e);

	if (r)
		return r;
	unlinkat(directory, SOCKET_NAME, 0); /* of a start that was killed */
	return socket_bind(directory, SOCKET_NAME, SOCK_DGRAM, 0777, ret_fd, e);
}

/* The READY= line of a datagram, if it has one. */
static bool find_ready(char *text, const char **ret)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (str_after(line, "READY=")) {
			*ret = line;
			return true;
		}
	return false;
}

/* "@name": abstract; otherwise a path. */
static int connect_host(const char *host, int *ret_fd, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(host);
	auto_fd fd = -1;

	if (*host != '@')
		return socket_connect(AT_FDCWD, host, SOCK_DGRAM, "NOTIFY_SOCKET", ret_fd, e);
	if (n > sizeof(address.sun_path))
		return error_system(e, ENAMETOOLONG, "NOTIFY_SOCKET '%s'", host);
	memcpy(address.sun_path + 1, host + 1, n - 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_system(e, errno, "socket");
	if (connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + n) < 0)
		return error_system(e, errno, "connect to NOTIFY_SOCKET '%s'", host);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The manager closes its end of the pipe when it has read all that came before. */
static int wait_barrier(int socket)
{
	struct pollfd poll_fd = {.events = 0};
	auto_fd ours = -1, theirs = -1;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	r = fd_send(socket, "BARRIER=1", strlen("BARRIER=1"), &theirs, 1);
	if (r)
		return r;
	theirs = fd_close(theirs);
	poll_fd.fd = ours;
	r = poll(&poll_fd, 1, BARRIER_TIMEOUT_MS);
	return r < 0 ? -errno : r ? 0 : -ETIMEDOUT;
}

static int forward(const char *host, const char *ready, pid_t pid, struct error *e)
{
	auto_fd socket = -1;
	char text[32];
	int r = connect_host(host, &socket, e);

	if (r)
		return r;
	snprintf(text, sizeof(text), "MAINPID=%d", (int)pid);
	r = fd_send(socket, ready, strlen(ready), NULL, 0);
	if (!r)
		r = fd_send(socket, text, strlen(text), NULL, 0);
	if (r)
		return error_system(e, -r, "send to NOTIFY_SOCKET '%s'", host);
	r = wait_barrier(socket);
	if (r)
		log_warning("NOTIFY_SOCKET '%s': no answer to the barrier: %s", host, strerror(-r));
	return 0;
}

int notify_tell_ready(pid_t pid, struct error *e)
{
	return forward(notify_host(), "READY=1", pid, e);
}

/*
 * Reads datagrams until one says READY.  Control messages find no room here, so descriptors that the container sends
 * are dropped by the kernel.
 */
static int read_ready(int fd, char *buffer, size_t size, const char **ret_ready)
{
	for (;;) {
		ssize_t n = recv(fd, buffer, size - 1, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buffer[n] = 0;
		if (find_ready(buffer, ret_ready))
			return 0;
	}
}

int notify_wait(int fd, const char *host, int pidfd, pid_t pid, struct error *e)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	char buffer[4096];
	const char *ready = NULL;
	int r;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_system(e, errno, "poll");
		}
		r = read_ready(fd, buffer, sizeof(buffer), &ready);
		if (!r)
			return forward(host, ready, pid, e);
		if (r != -EAGAIN)
			return error_system(e, -r, "read the container's notifications");
		if (fds[1].revents)
			return 0;
	}
}
