/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/names.h"
#include "netns/request.h"
#include "spec/spec.h"

/* A running holm-net: made by call_open(), ended by call_close(), which waits for it. */
struct call {
	int socket;
	pid_t pid;
};

static void call_close(struct call *call)
{
	call->socket = fd_close(call->socket);
	if (call->pid > 0)
		while (waitpid(call->pid, NULL, 0) < 0 && errno == EINTR)
			;
	call->pid = 0;
}

#define auto_call __attribute__((cleanup(call_close))) struct call
#define CALL_INIT ((struct call){.socket = -1})

/*
 * The path of holm-net: the folder of holm's own executable, never $PATH, which is the caller's.
 */
static int find_program(char *buffer, size_t size, struct error *e)
{
	static const char name[] = "holm-net";
	ssize_t n = readlink("/proc/self/exe", buffer, size);
	char *slash;

	if (n < 0)
		return error_system(e, errno, "read the link '/proc/self/exe'");
	if ((size_t)n >= size)
		return error_refuse(e, ERROR_LIMIT, "the path of holm's executable is longer than %zu bytes", size - 1);
	buffer[n] = 0;
	slash = strrchr(buffer, '/');
	if (!slash || (size_t)(slash + 1 - buffer) + sizeof(name) > size)
		return error_refuse(e, ERROR_LIMIT, "no room for the path of '%s' beside '%s'", name, buffer);
	memcpy(slash + 1, name, sizeof(name));
	return 0;
}

static int call_open(struct call *call, struct error *e)
{
	static char *const environment[] = {NULL};
	char path[4096];
	char *const arguments[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	auto_fd ours = -1;
	auto_fd theirs = -1;
	int pair[2];
	int r = find_program(path, sizeof(path), e);

	if (r)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_system(e, errno, "make a socket for '%s'", path);
	ours = pair[0];
	theirs = pair[1];
	if (theirs == NET_SOCKET) { /* dup2 onto itself would leave it close-on-exec */
		theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, NET_SOCKET + 1);
		fd_close(pair[1]);
		if (theirs < 0)
			return error_system(e, errno, "make a socket for '%s'", path);
	}
	sigemptyset(&none);
	sigfillset(&defaults);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = posix_spawn_file_actions_adddup2(&actions, theirs, NET_SOCKET);
	if (!r) {
		posix_spawnattr_setsigmask(&attributes, &none);
		posix_spawnattr_setsigdefault(&attributes, &defaults);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
		r = posix_spawn(&call->pid, path, &actions, &attributes, arguments, environment);
	}
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (r) {
		call->pid = 0;
		return error_system(e, r, "run '%s', the program that does holm's networking", path);
	}
	call->socket = take_fd(&ours);
	return 0;
}

/* Reads replies until the end. */
static int call_finish(struct call *call, struct error *e)
{
	struct net_reply_end end;
	size_t size;
	int status = 0;
	int r = fd_receive(call->socket, &end, sizeof(end), &size, NULL, 0, NULL);

	if (r && r != -ECONNRESET)
		return error_system(e, -r, "receive the reply of holm-net");
	if (!r && size) {
		if (size != sizeof(end) || end.reply.type != NET_REPLY_END)
			return error_bug(e, "holm-net sent a reply of type %u with %zu bytes", end.reply.type, size);
		if (end.error.kind == ERROR_NONE)
			return 0;
		end.error.text[sizeof(end.error.text) - 1] = 0;
		if (e)
			*e = end.error;
		return error_return(&end.error);
	}
	while (waitpid(call->pid, &status, 0) < 0 && errno == EINTR)
		;
	call->pid = 0;
	if (WIFSIGNALED(status))
		return error_bug(e, "holm-net was killed by signal %d (SIG%s)", WTERMSIG(status),
				 sigabbrev_np(WTERMSIG(status)));
	return error_bug(e, "holm-net exited with status %d without an answer", WEXITSTATUS(status));
}

static int call(const void *request, size_t size, const int *fds, size_t n_fds, struct error *e)
{
	auto_call call = CALL_INIT;
	int r = call_open(&call, e);

	if (r)
		return r;
	r = fd_send(call.socket, request, size, fds, n_fds);
	if (r && r != -EPIPE)
		return error_system(e, -r, "send a request to holm-net");
	return call_finish(&call, e);
}

/* Copies a name that was checked; both buffers are NET_NAME_SIZE. */
static void copy_name(char *to, const char *name)
{
	snprintf(to, NET_NAME_SIZE, "%s", name);
}

int net_move_devices(const struct spec_net_device *devices, size_t n, int netns_fd, struct error *e)
{
	struct net_request request = {.operation = NET_OPERATION_MOVE_DEVICES, .n = n};
	auto_str message = STR_INIT;

	if (!n)
		return 0;
	str_add_bytes(&message, &request, sizeof(request));
	for (size_t i = 0; i < n; i++) {
		const char *name = devices[i].name ? devices[i].name : devices[i].host_name;
		const char *flaw = net_interface_name_flaw(devices[i].host_name, false);
		struct net_device_request device = {0};

		if (flaw)
			return error_refuse(e, ERROR_INVALID, "linux.netDevices: the interface name '%s' %s",
					    devices[i].host_name, flaw);
		flaw = net_interface_name_flaw(name, true);
		if (flaw)
			return error_refuse(e, ERROR_INVALID, "linux.netDevices.%s.name: the interface name '%s' %s",
					    devices[i].host_name, name, flaw);
		copy_name(device.host_name, devices[i].host_name);
		copy_name(device.name, name);
		str_add_bytes(&message, &device, sizeof(device));
	}
	if (message.size > NET_MESSAGE_MAX)
		return error_refuse(e, ERROR_LIMIT, "linux.netDevices: %zu interfaces are more than one call takes", n);
	return call(message.data, message.size, &netns_fd, 1, e);
}
