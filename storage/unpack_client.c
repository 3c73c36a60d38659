/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/proc.h"

static int spawn(int socket, pid_t *ret_pid, struct error *e)
{
	static char *const environment[] = {NULL};
	char path[4096];
	char *const arguments[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int r = proc_program("holm-unpack", path, sizeof(path), e);

	if (r)
		return r;
	sigemptyset(&none);
	sigfillset(&defaults);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = posix_spawn_file_actions_adddup2(&actions, socket, UNPACK_SOCKET);
	if (!r) {
		posix_spawnattr_setsigmask(&attributes, &none);
		posix_spawnattr_setsigdefault(&attributes, &defaults);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
		r = posix_spawn(ret_pid, path, &actions, &attributes, arguments, environment);
	}
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r ? error_system(e, r, "run '%s', the program that unpacks for holm", path) : 0;
}

int unpack_start(const struct unpack_request *request, const int *fds, size_t n_fds, struct unpack_call *ret,
		 struct error *e)
{
	struct unpack_call call = UNPACK_CALL_INIT;
	auto_fd theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_system(e, errno, "make a socket for holm-unpack");
	call.socket = pair[0];
	theirs = pair[1];
	if (theirs == UNPACK_SOCKET) { /* dup2 onto itself would leave it close-on-exec */
		theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, UNPACK_SOCKET + 1);
		fd_close(pair[1]);
	}
	r = theirs < 0 ? error_system(e, errno, "make a socket for holm-unpack") : spawn(theirs, &call.pid, e);
	if (!r) {
		r = fd_send(call.socket, request, sizeof(*request), fds, n_fds);
		if (r)
			error_system(e, -r, "send holm-unpack its request");
	}
	if (r) {
		unpack_close(&call);
		return r;
	}
	*ret = call;
	return 0;
}

static int explain_death(struct unpack_call *call, struct error *e)
{
	int status = 0;

	while (waitpid(call->pid, &status, 0) < 0 && errno == EINTR)
		;
	call->pid = 0;
	if (WIFSIGNALED(status))
		return error_refuse(e, ERROR_SYSTEM, "holm-unpack was killed by SIG%s%s",
				    sigabbrev_np(WTERMSIG(status)) ?: "?",
				    WTERMSIG(status) == SIGSYS ? ": it made a system call that it has no need of" : "");
	return error_bug(e, "holm-unpack exited with status %d without an answer", WEXITSTATUS(status));
}

static int end(struct unpack_call *call, struct unpack_reply *reply, struct error *e)
{
	unpack_close(call);
	if (reply->error.kind == ERROR_NONE)
		return 0;
	if (reply->error.kind < 0 || reply->error.kind >= _ERROR_KIND_N)
		return error_bug(e, "holm-unpack reported an error of kind %d", reply->error.kind);
	reply->error.text[sizeof(reply->error.text) - 1] = 0;
	if (e)
		*e = reply->error;
	return error_return(&reply->error);
}

int unpack_hear(struct unpack_call *call, const struct unpack_sink *sink, struct unpack_result *ret, bool *ret_ended,
		struct error *e)
{
	enum { HEAD = offsetof(struct unpack_reply, progress) };
	struct unpack_reply reply;
	size_t size;
	int r = fd_receive(call->socket, &reply, sizeof(reply), &size, NULL, 0, NULL);

	*ret_ended = true;
	if (r && r != -ECONNRESET)
		return error_system(e, -r, "hear holm-unpack");
	if (r || !size)
		return explain_death(call, e);
	if (size == HEAD + sizeof(reply.error) && reply.type == UNPACK_REPLY_END)
		return end(call, &reply, e);
	*ret_ended = false;
	if (size == HEAD + sizeof(reply.progress) && reply.type == UNPACK_REPLY_PROGRESS) {
		if (sink && sink->progress)
			sink->progress(reply.progress, sink->data);
		return 0;
	}
	if (size == HEAD + sizeof(reply.member) && reply.type == UNPACK_REPLY_MEMBER) {
		reply.member.name[UNPACK_NAME_SIZE - 1] = reply.member.link[UNPACK_NAME_SIZE - 1] = 0;
		return sink && sink->member ? sink->member(&reply.member, sink->data, e) : 0;
	}
	if (size == HEAD + sizeof(reply.result) && reply.type == UNPACK_REPLY_RESULT) {
		reply.result.blob[DIGEST_HEX_SIZE - 1] = reply.result.diff[DIGEST_HEX_SIZE - 1] = 0;
		if (ret)
			*ret = reply.result;
		return 0;
	}
	return error_bug(e, "holm-unpack sent a reply of type %u with %zu bytes", reply.type, size);
}

int unpack_wait(struct unpack_call *call, const struct unpack_sink *sink, struct unpack_result *ret, struct error *e)
{
	bool ended = false;
	int r = 0;

	while (!r && !ended)
		r = unpack_hear(call, sink, ret, &ended, e);
	unpack_close(call);
	return r;
}

void unpack_close(struct unpack_call *call)
{
	call->socket = fd_close(call->socket);
	if (call->pid <= 0)
		return;
	kill(call->pid, SIGKILL); /* it has nothing left to do, or nobody to do it for */
	while (waitpid(call->pid, NULL, 0) < 0 && errno == EINTR)
		;
	call->pid = 0;
}
