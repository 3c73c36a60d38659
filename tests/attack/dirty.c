/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty COMMAND [ARGUMENT]...: runs the command as a careless or hostile caller would: every signal ignored, blocked and
 * half of them pending, strange umask, groups, inheritable and ambient capabilities, affinity, timer slack, and twenty
 * descriptors of the host without close-on-exec (folders, files, sockets).
 *
 * Nothing of that may reach the payload.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void raise_signals(void)
{
	sigset_t all;

	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int s = SIGRTMIN; s < NSIG; s += 2)
		raise(s);
	raise(SIGUSR1);
	raise(SIGTERM);
}

static void raise_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &header, data);
	data[0].inheritable = data[0].permitted;
	data[1].inheritable = data[1].permitted;
	syscall(SYS_capset, &header, data);
	for (int c = 0; c < 41; c++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
}

static void open_everything(void)
{
	static const char *const folders[] = {"/", "/root", "/etc", "/proc", "/proc/self", "/dev", "/sys", "/run"};
	int pair[2];

	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		open(folders[i], O_RDONLY | O_DIRECTORY);
		open(folders[i], O_PATH);
	}
	open("/etc/passwd", O_RDONLY);
	open("/dev/null", O_RDWR);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		perror("socketpair");
}

int main(int argc, char **argv)
{
	gid_t groups[] = {4, 27, 1234, 54321};
	cpu_set_t one;

	if (argc < 2)
		return 2;
	raise_signals();
	umask(0777);
	if (setgroups(4, groups))
		perror("setgroups");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	prctl(PR_SET_TIMERSLACK, 1000000, 0, 0, 0);
	raise_capabilities();
	open_everything();
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
