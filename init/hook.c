/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hooks that run in the container: createContainer (its path is the host's: the root has not changed yet) and
 * startContainer (its path is the container's, run with the payload's capabilities).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "init/lib.h"
#include "init/process.h"
#include "init/sys.h"

/* An array of references as a NULL-terminated list of pointers, in place of an allocation: room for n+1. */
static char **pointers(plan_ref array, uint32_t n, char **room)
{
	const plan_ref *refs = at(array);

	for (uint32_t i = 0; i < n; i++)
		room[i] = at(refs[i]);
	room[n] = NULL;
	return room;
}

enum { MAX_STRINGS = 1024 };

/* In the child: what a hook would say on stderr. */
static _Noreturn void refuse(const char *why)
{
	sys(write, 2, why, strlen(why));
	quit(127);
}

static _Noreturn void run(const struct plan_hook *h, int input, int output)
{
	static char *args[MAX_STRINGS + 1], *env[MAX_STRINGS + 1];
	char **environment;

	/* From here errors go to the pipe that the parent reads, as the hook's own would. */
	sys(setpgid, 0, 0);
	sys(dup3, input, 0, 0);
	sys(dup3, output, 1, 0);
	sys(dup3, output, 2, 0);
	if (h->n_args > MAX_STRINGS || h->n_env > MAX_STRINGS)
		refuse("too many arguments or variables");
	environment = pointers(h->env, h->n_env, env);
	if (h->in_container) {
		if (payload_capabilities())
			set_capabilities(payload_capabilities());
		if (!h->n_env)
			environment = init.env;
	} else {
		sys(fchdir, init.root);
	}
	sys(close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	long r = sys(execve, text(h->path), pointers(h->args, h->n_args, args), environment);
	refuse(r == -ENOENT ? "no such file or directory" : r == -EACCES ? "permission denied" : "exec failed");
}

static int64_t milliseconds(void)
{
	struct timespec t;

	sys(clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The hook's stdin: the state in a file of its own, so that it may be of any size and nobody waits for anybody. */
static int state_file(const struct plan_hook *h)
{
	int fd = (int)check(sys(memfd_create, "state", MFD_CLOEXEC), "run the hook '%s'", text(h->path));
	char pid[16];

	write_all(fd, text(h->state_head), strlen(text(h->state_head)), "the hook's state");
	write_all(fd, pid, print(pid, sizeof(pid), "%d", (int)sys(getpid)), "the hook's state");
	write_all(fd, text(h->state_tail), strlen(text(h->state_tail)), "the hook's state");
	sys(lseek, fd, 0, 0 /* SEEK_SET */);
	return fd;
}

void do_hook(const struct plan_op *op)
{
	const struct plan_hook *h = &op->hook;
	static char said[512];
	int input, output[2], pidfd = -1, status = 0;
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
	size_t n_said = 0;
	int64_t deadline = h->timeout ? milliseconds() + h->timeout * 1000LL : 0;
	bool ended = false, late = false;
	long pid;

	check(sys(pipe2, output, O_CLOEXEC), "run the hook '%s'", text(h->path));
	input = state_file(h);
	pid = check(sys(clone3, &args, sizeof(args)), "run the hook '%s'", text(h->path));
	if (!pid)
		run(h, input, output[1]);
	shut(input);
	shut(output[1]);
	while (!ended) {
		struct pollfd polls[2] = {{.fd = output[0], .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
		struct timespec left = {0};
		int64_t rest = deadline - milliseconds();
		long r;

		if (deadline && rest > 0)
			left = (struct timespec){rest / 1000, rest % 1000 * 1000000};
		r = sys(ppoll, polls, 2, deadline ? &left : NULL, NULL, 0);
		/* Also one that never stops talking. */
		if (r == 0 || (deadline && rest <= 0 && !polls[1].revents)) {
			late = true;
			sys(kill, -pid, SIGKILL); /* its process group */
			sys(pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
			deadline = 0;
			continue;
		}
		ended = polls[1].revents;
		if (polls[0].revents) {
			char more[512];
			long got = sys(read, output[0], more, sizeof(more));

			if (got <= 0)
				output[0] = shut(output[0]);
			for (long i = 0; i < got && n_said < sizeof(said) - 1; i++)
				said[n_said++] = more[i] == '\n' ? ' ' : more[i];
		}
	}
	check(sys(wait4, pid, &status, 0, NULL), "wait for the hook '%s'", text(h->path));
	shut(pidfd);
	shut(output[0]);
	while (n_said && said[n_said - 1] == ' ')
		n_said--;
	said[n_said] = 0;
	if (late)
		fail_kind(ERROR_SYSTEM, 0, "hook '%s': no end after %u s: killed%s%s", text(h->path), h->timeout,
			  n_said ? ": " : "", said);
	if (status)
		fail_kind(ERROR_SYSTEM, 0, "hook '%s': %s %d%s%s", text(h->path),
			  WIFSIGNALED(status) ? "killed by signal" : "exit status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), n_said ? ": " : "", said);
}
