/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/health.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

#define PID_FILE "health.pid"

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The last line that was written, without control characters. */
static void keep_words(char *words, const char *data, size_t size)
{
	size_t n = strlen(words);

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\n' && i + 1 < size)
			n = 0;
		else if (c >= ' ' && c != 127 && n + 1 < HEALTH_WORDS)
			words[n++] = (char)c;
	}
	words[n] = 0;
}

/* False: nobody writes any more. */
static bool read_words(int fd, char *words)
{
	char buffer[4096];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n > 0)
		keep_words(words, buffer, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* 1: it ended; 0: its time is over. */
static int wait_end(int pidfd, int output, int64_t deadline, char *words)
{
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};

	for (;;) {
		int64_t left = (deadline - now()) / 1000000;

		if (left < 0)
			return 0;
		if (poll(fds, ARRAY_SIZE(fds), left > INT32_MAX ? INT32_MAX : (int)left + 1) < 0 && errno != EINTR)
			return 0;
		if (fds[1].revents && !read_words(output, words))
			fds[1].fd = -1;
		if (fds[0].revents)
			return 1;
	}
}

/* The command as a child of ours, its output in a pipe. */
static int begin(const struct runtime *runtime, const struct instance *instance, const struct spec_holm *holm,
		 int *ret_output, int *ret_pidfd, struct error *e)
{
	auto_free char *pid_file = NULL, *text = NULL;
	struct container_exec request = {
	    .id = instance->name, .args = holm->health.command, .n_args = holm->health.n_command, .detach = true};
	int pipe_fds[2], status, r;
	uint64_t pid;
	size_t size;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (asprintf(&pid_file, "%s/run/" PID_FILE, instance->path) < 0)
		return error_system(e, ENOMEM, "check the health");
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK))
		return error_system(e, errno, "pipe");
	*ret_output = pipe_fds[0];
	fcntl(pipe_fds[1], F_SETFL, O_WRONLY);
	if (dup2(pipe_fds[1], STDOUT_FILENO) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0)
		return error_system(e, errno, "set up standard streams");
	close(pipe_fds[1]);
	request.pid_file = pid_file;
	r = container_exec(runtime, &request, &status, e);
	if (r)
		return r;
	r = file_read(AT_FDCWD, pid_file, 64, &text, &size);
	unlink(pid_file);
	if (r || parse_u64(text, 1, INT32_MAX, &pid))
		return error_bug(e, "no pid of the health check");
	*ret_pidfd = sys_pidfd_open((pid_t)pid, 0);
	return *ret_pidfd < 0 ? error_system(e, errno, "open the pidfd of the health check") : 0;
}

static void print_end(const siginfo_t *info, bool killed, int64_t timeout, const char *words, struct health_result *ret)
{
	const char *colon = *words ? ": " : "";

	if (killed)
		snprintf(ret->why, sizeof(ret->why), "no answer within %lld ms%s%.160s", (long long)(timeout / 1000000),
			 colon, words);
	else if (info->si_code == CLD_EXITED)
		snprintf(ret->why, sizeof(ret->why), "exit status %d%s%.160s", info->si_status, colon, words);
	else
		snprintf(ret->why, sizeof(ret->why), "killed by SIG%s%s%.160s", sigabbrev_np(info->si_status) ?: "?",
			 colon, words);
}

void health_check(const struct runtime *runtime, const struct instance *instance, const struct spec_holm *holm,
		  int64_t timeout, struct health_result *ret)
{
	auto_fd output = -1, pidfd = -1;
	char words[HEALTH_WORDS] = "";
	struct error e = ERROR_INIT;
	siginfo_t info = {0};
	bool killed;

	*ret = (struct health_result){0};
	if (begin(runtime, instance, holm, &output, &pidfd, &e)) {
		snprintf(ret->why, sizeof(ret->why), "%.250s", e.text);
		return;
	}
	killed = !wait_end(pidfd, output, now() + timeout, words);
	if (killed)
		sys_pidfd_send_signal(pidfd, SIGKILL);
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	read_words(output, words);
	ret->good = !killed && info.si_code == CLD_EXITED && !info.si_status;
	if (!ret->good)
		print_end(&info, killed, timeout, words, ret);
}
