/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

enum {
	TAIL_SIZE = 768,   /* of stderr: fits into struct error with its contexts */
	PIPE_BUFFERS = 16, /* pages in a pipe (pipe(7)) */
};

/* The last bytes that came through a pipe. */
struct tail {
	char data[TAIL_SIZE];
	size_t size;
};

static void tail_add(struct tail *tail, const char *data, size_t size)
{
	size_t keep = tail->size;

	if (size >= TAIL_SIZE) {
		data += size - TAIL_SIZE;
		size = TAIL_SIZE;
	}
	if (keep + size > TAIL_SIZE) {
		keep = TAIL_SIZE - size;
		memmove(tail->data, tail->data + tail->size - keep, keep);
	}
	memcpy(tail->data + keep, data, size);
	tail->size = keep + size;
}

/* Reads what there is, but no more than a pipe holds: one that never stops writing must not keep us.  False at the end of file. */
static bool tail_read(struct tail *tail, int fd)
{
	char buffer[4096];

	for (int i = 0; i < PIPE_BUFFERS; i++) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n > 0)
			tail_add(tail, buffer, n);
		else if (!n || errno != EINTR)
			return n < 0 && errno == EAGAIN;
	}
	return true;
}

/* One line for an error: no control characters, lines joined by "; ". */
static void tail_print(const struct tail *tail, struct str *text)
{
	bool gap = false;

	for (size_t i = 0; i < tail->size; i++) {
		unsigned char c = tail->data[i];

		if (c == '\n' || c == '\r') {
			gap = text->size;
			continue;
		}
		if (c < ' ' || c == 127)
			c = ' ';
		if (gap)
			str_add(text, "; ");
		gap = false;
		str_add_bytes(text, &c, 1);
	}
}

/* A sealed file rather than a pipe: of any size, never blocks us, and no SIGPIPE when the helper does not read. */
static int make_input(const char *input, int *ret_fd, struct error *e)
{
	auto_fd fd = -1;
	int r;

	if (!input || !*input)
		return fd_open(AT_FDCWD, "/dev/null", O_RDONLY, NULL, ret_fd, e);
	fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_system(e, errno, "memfd_create");
	r = fd_write_all(fd, input, strlen(input));
	if (r)
		return error_system(e, -r, "write the state for stdin");
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return error_system(e, errno, "seal the state for stdin");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* posix_spawn wants the lists terminated and without const. */
static char **terminate(const char *const *list, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++)
		copy[i] = (char *)list[i];
	return copy;
}

static int spawn(const struct helper *helper, int input, int null, int output, pid_t *ret_pid, struct error *e)
{
	auto_free char **args = helper->n_args ? terminate(helper->args, helper->n_args) : terminate(&helper->path, 1);
	auto_free char **env = terminate(helper->env, helper->n_env);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	if (!args || !env)
		return error_system(e, ENOMEM, "start");
	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_init(&attributes);
	if (r)
		return error_system(e, r, "start");
	r = posix_spawn_file_actions_init(&actions);
	if (!r) {
		/* These only store what the child shall do; they fail by want of memory alone. */
		r = posix_spawnattr_setflags(&attributes,
					     POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) ?:
		    posix_spawnattr_setpgroup(&attributes, 0) ?:
		    posix_spawnattr_setsigmask(&attributes, &none) ?:
		    posix_spawnattr_setsigdefault(&attributes, &all) ?:
		    (helper->cwd_fd >= 0 ? posix_spawn_file_actions_addfchdir_np(&actions, helper->cwd_fd) : 0) ?:
		    posix_spawn_file_actions_adddup2(&actions, input, 0) ?:
		    posix_spawn_file_actions_adddup2(&actions, null, 1) ?:
		    posix_spawn_file_actions_adddup2(&actions, output, 2) ?:
		    posix_spawn_file_actions_addclosefrom_np(&actions, 3) ?:
		    posix_spawn(ret_pid, helper->path, &actions, &attributes, args, env);
		posix_spawn_file_actions_destroy(&actions);
	}
	posix_spawnattr_destroy(&attributes);
	return r ? error_system(e, r, "start") : 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Waits for the end of the process or of the time, keeping stderr flowing.  1: it ended, 0: the time is over. */
static int wait_end(int pidfd, int output, uint32_t timeout, struct tail *tail, struct error *e)
{
	int64_t deadline = now_ms() + timeout * INT64_C(1000);
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};

	for (;;) {
		int64_t left = timeout ? deadline - now_ms() : -1;

		if (timeout && left <= 0)
			return 0;
		if (poll(fds, ARRAY_SIZE(fds), left > INT32_MAX ? INT32_MAX : (int)left) < 0) {
			if (errno == EINTR)
				continue;
			return error_system(e, errno, "poll");
		}
		if (fds[1].revents && !tail_read(tail, output))
			fds[1].fd = -1;
		if (fds[0].revents)
			return 1;
	}
}

static int reap(pid_t pid, siginfo_t *ret)
{
	int r;

	do
		r = waitid(P_PID, pid, ret, WEXITED);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/*
 * Its whole group: a helper may have children.  The leader is not reaped yet, so the number can't have become another
 * group's.
 */
static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

int helper_run(const struct helper *helper, struct error *e)
{
	auto_fd input = -1, null = -1, output = -1, output_theirs = -1, pidfd = -1;
	auto_str words = STR_INIT;
	struct tail tail = {.size = 0};
	siginfo_t info = {0};
	int pipe_fds[2], ended, r;
	pid_t pid;

	r = make_input(helper->input, &input, e);
	if (r)
		return r;
	r = fd_open(AT_FDCWD, "/dev/null", O_WRONLY, NULL, &null, e);
	if (r)
		return r;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_system(e, errno, "pipe");
	output = pipe_fds[0];
	output_theirs = pipe_fds[1];
	if (fcntl(output, F_SETFL, O_NONBLOCK) < 0)
		return error_system(e, errno, "make the pipe of stderr non-blocking");
	r = spawn(helper, input, null, output_theirs, &pid, e);
	if (r)
		return r;
	output_theirs = fd_close(output_theirs);
	pidfd = sys_pidfd_open(pid, 0);
	ended = pidfd < 0 ? error_system(e, errno, "pidfd_open") : wait_end(pidfd, output, helper->timeout, &tail, e);
	if (ended <= 0)
		kill_group(pid);
	r = reap(pid, &info);
	if (ended < 0)
		return ended;
	if (!ended)
		return error_refuse(e, ERROR_LIMIT, "killed after its timeout of %u s", helper->timeout);
	if (r)
		return error_system(e, -r, "wait");
	if (info.si_code == CLD_EXITED && !info.si_status)
		return 0;
	tail_read(&tail, output);
	tail_print(&tail, &words);
	if (info.si_code == CLD_EXITED)
		return error_refuse(e, ERROR_SYSTEM, "exit status %d%s%s", info.si_status, words.size ? ": " : "",
				    str_peek(&words));
	return error_refuse(e, ERROR_SYSTEM, "killed by SIG%s%s%s", sigabbrev_np(info.si_status) ?: "?",
			    words.size ? ": " : "", str_peek(&words));
}
