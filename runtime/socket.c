/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"

enum { FIRST_INHERITED = 3 };

/* How much of the address counts when its path takes length bytes. */
static socklen_t address_size(size_t length)
{
	return offsetof(struct sockaddr_un, sun_path) + length;
}

int socket_connect(int dirfd, const char *path, int type, const char *what, int *ret_fd, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path) + 1;
	auto_fd fd = -1, target = -1;
	int r;

	if ((*path == '/' || dirfd == AT_FDCWD) && length <= sizeof(address.sun_path))
		memcpy(address.sun_path, path, length);
	else { /* too long for the address, or below a folder: through a descriptor of the socket's file */
		target = openat(dirfd, path, O_PATH | O_CLOEXEC);
		if (target < 0)
			return error_system(e, errno, "%s '%s'", what, path);
		length = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", target) + 1;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_system(e, errno, "socket");
	do
		r = connect(fd, (struct sockaddr *)&address, address_size(length));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return error_system(e, errno, "connect to %s '%s'", what, path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int socket_bind(int dirfd, const char *name, int type, mode_t mode, int *ret_fd, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int n;

	if (fd < 0)
		return error_system(e, errno, "socket");
	n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	if ((size_t)n >= sizeof(address.sun_path))
		return error_bug(e, "socket name '%s' is too long", name);
	/*
	 * bind(2) makes the file with the descriptor's mode, less the umask: so nobody has more than he is to have at any moment.
	 * What the umask took is added by name, in a folder of ours.
	 */
	if (fchmod(fd, mode) < 0)
		return error_system(e, errno, "set the mode of socket '%s'", name);
	if (bind(fd, (struct sockaddr *)&address, address_size(n + 1)) < 0)
		return error_system(e, errno, "bind socket '%s'", name);
	if (fchmodat(dirfd, name, mode, 0) < 0) {
		int code = errno;

		unlinkat(dirfd, name, 0);
		return error_system(e, code, "set the mode of socket '%s'", name);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static int send_one(int dirfd, const char *path, const char *what, const char *payload, int fd, struct error *e)
{
	auto_fd socket = -1;
	int r = socket_connect(dirfd, path, SOCK_STREAM, what, &socket, e);

	if (r)
		return r;
	r = fd_send(socket, payload, strlen(payload), &fd, 1);
	return r ? error_system(e, -r, "send to %s '%s'", what, path) : 0;
}

int socket_send_console(int dirfd, const char *path, const char *payload, int master, struct error *e)
{
	if (!*payload || strlen(payload) > 4095)
		return error_bug(e, "console socket: a name of %zu bytes", strlen(payload));
	return send_one(dirfd, path, "console socket", payload, master, e);
}

int socket_send_pidfd(int dirfd, const char *path, const char *payload, int pidfd, struct error *e)
{
	return send_one(dirfd, path, "pidfd socket", payload, pidfd, e);
}

int socket_send_listener(const char *path, const char *metadata, pid_t pid, const struct hooks_state *state,
			 int listener, struct error *e)
{
	auto_str body = STR_INIT;

	str_addf(&body, "{\"ociVersion\":\"" SPEC_VERSION "\",\"fds\":[\"seccompFd\"],\"pid\":%d", (int)pid);
	if (metadata) {
		str_add(&body, ",\"metadata\":");
		hooks_add_string(&body, metadata);
	}
	str_add(&body, ",\"state\":");
	hooks_add_state(&body, state);
	str_add(&body, "}");
	return send_one(AT_FDCWD, path, "linux.seccomp.listenerPath", str_peek(&body), listener, e);
}

/* systemd's socket activation: meant for us only if LISTEN_PID says so. */
static unsigned count_listen(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t value, n;

	if (!pid || !fds || parse_u64(pid, 1, INT32_MAX, &value) || (pid_t)value != getpid())
		return 0;
	return parse_u64(fds, 0, INT16_MAX, &n) ? 0 : n;
}

int socket_inherited(unsigned preserve, unsigned *ret_listen, unsigned *ret_n, struct error *e)
{
	unsigned listen = count_listen();

	if (preserve > INT16_MAX)
		return error_refuse(e, ERROR_USAGE, "--preserve-fds %u: too many", preserve);
	for (unsigned i = 0; i < listen + preserve; i++)
		if (fcntl(FIRST_INHERITED + i, F_GETFD) < 0)
			return error_system(e, errno,
					    i < listen ? "LISTEN_FDS: descriptor %u" : "unable to stat preserved-fd %u",
					    FIRST_INHERITED + i);
	*ret_listen = listen;
	*ret_n = listen + preserve;
	return 0;
}
