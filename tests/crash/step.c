/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step: ends holm, or fails one of its system calls, at every system call of a command in turn, and compares the host.
 *
 *   step MODE VICTIM CASE [OPTION]...
 *     MODE    kill   SIGKILL at the entry of system call N; afterwards the host is as before once the container is deleted
 *             fail   system call N is not made and returns an error; holm fails with one line and leaves nothing, or
 *                    does all that it was asked
 *     VICTIM  holm   the process on the host
 *             init   what it starts inside, up to execve(2) of the payload
 *     CASE    a row of the table `cases`
 *     --holm FILE --state FOLDER --work FOLDER --id ID [--data FOLDER]
 *     --probe BUNDLE   its payload reports what it sees and ends;  --service BUNDLE: its payload stays
 *     --stride N --first N   tries every N-th call;   --verbose: what happened each time
 *
 * N goes up until the command ends before its N-th call.  By ptrace: nothing in holm knows of it.  The last line on
 * standard output is "N calls, N tried, N findings"; the findings come before it.  Exit status 1 if there are any.
 */
#include "tests/crash/host.h"

#include <elf.h>
#include <getopt.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

enum { TIME_OUT = 15, MAX_TRACEES = 64, MAX_ARGUMENTS = 24 };

/* ---- what fails, and how ---- */

struct call {
	long number;
	const char *name;
	int error; /* 0: it can't fail, or libc does not survive it and no kernel does it */
	bool made; /* it is made all the same, only its result is changed */
};

#define CALL(name, error)                                                                                              \
	{                                                                                                              \
		SYS_##name, #name, error, false                                                                        \
	}

static const struct call calls[] = {
    CALL(exit, 0),
    CALL(exit_group, 0),
    CALL(rt_sigreturn, 0),
    CALL(munmap, 0),
    CALL(set_tid_address, 0),
    CALL(set_robust_list, 0),
    CALL(rseq, 0),
    CALL(brk, 0),
    CALL(sigaltstack, 0),
    CALL(restart_syscall, 0),
    CALL(getpid, 0),
    CALL(gettid, 0),
    CALL(getuid, 0),
    CALL(geteuid, 0),
    CALL(getgid, 0),
    CALL(getegid, 0),
    CALL(umask, 0),
    CALL(clock_gettime, 0),
    CALL(rt_sigprocmask, 0),
    CALL(rt_sigaction, 0),
    CALL(futex, 0),
    CALL(clock_nanosleep, 0),
    CALL(nanosleep, 0),
    CALL(getpgid, 0),
    CALL(mprotect, 0),
#ifdef SYS_arch_prctl
    CALL(arch_prctl, 0),
    CALL(readlink, ENOENT),
    CALL(open, EMFILE),
    CALL(mkdir, ENOSPC),
    CALL(rmdir, EBUSY),
    CALL(unlink, EIO),
    CALL(access, EIO),
    CALL(poll, ENOMEM),
    CALL(stat, EIO),
    CALL(chown, EPERM),
    CALL(getpgrp, 0),
    CALL(epoll_wait, EINTR),
    CALL(dup2, EBADF),
#endif
    {SYS_close, "close", EIO, true},
    CALL(openat, EMFILE),
    CALL(openat2, EMFILE),
    CALL(open_tree, EMFILE),
    CALL(read, EIO),
    CALL(pread64, EIO),
    CALL(write, EIO),
    CALL(pwrite64, EIO),
    CALL(sendmsg, ENOBUFS),
    CALL(recvmsg, ENOMEM),
    CALL(sendto, ENOBUFS),
    CALL(recvfrom, ENOMEM),
    CALL(mkdirat, ENOSPC),
    CALL(unlinkat, EIO),
    CALL(renameat, EIO),
    CALL(renameat2, EIO),
    CALL(linkat, ENOSPC),
    CALL(symlinkat, ENOSPC),
    CALL(mknodat, EPERM),
    CALL(newfstatat, EIO),
    CALL(fstat, EIO),
    CALL(statx, EIO),
    CALL(faccessat2, EIO),
    CALL(readlinkat, EIO),
    CALL(mmap, ENOMEM),
    CALL(mremap, ENOMEM),
    CALL(memfd_create, ENOMEM),
    CALL(ftruncate, ENOSPC),
    CALL(socket, EMFILE),
    CALL(socketpair, EMFILE),
    CALL(bind, EADDRINUSE),
    CALL(listen, EIO),
    CALL(connect, EAGAIN),
    CALL(accept4, EMFILE),
    CALL(pipe2, EMFILE),
    CALL(clone3, EAGAIN),
    CALL(clone, EAGAIN),
    CALL(execve, ENOMEM),
    CALL(execveat, ENOMEM),
    CALL(ppoll, ENOMEM),
    CALL(waitid, ECHILD),
    CALL(wait4, ECHILD),
    CALL(signalfd4, EMFILE),
    CALL(pidfd_open, EMFILE),
    CALL(pidfd_send_signal, EPERM),
    CALL(flock, ENOLCK),
    CALL(fcntl, ENOMEM),
    CALL(dup3, EMFILE),
    CALL(getdents64, EIO),
    CALL(ioctl, EIO),
    CALL(mount, EPERM),
    CALL(umount2, EPERM),
    CALL(fsopen, EPERM),
    CALL(fsconfig, ENOMEM),
    CALL(fsmount, EPERM),
    CALL(move_mount, EPERM),
    CALL(mount_setattr, EPERM),
    CALL(pivot_root, EPERM),
    CALL(setns, EPERM),
    CALL(unshare, ENOSPC),
    CALL(sethostname, EPERM),
    CALL(setsid, EPERM),
    CALL(keyctl, EDQUOT),
    CALL(prlimit64, EPERM),
    CALL(capset, EPERM),
    CALL(capget, EPERM),
    CALL(setgroups, EPERM),
    CALL(setresuid, EAGAIN),
    CALL(setresgid, EAGAIN),
    CALL(prctl, EPERM),
    CALL(seccomp, ENOMEM),
    CALL(bpf, EPERM),
    CALL(getrandom, EAGAIN),
    CALL(uname, EPERM),
    CALL(getcwd, ENOMEM),
    CALL(fchmodat, EPERM),
    CALL(fchownat, EPERM),
    CALL(fchdir, EPERM),
    CALL(chdir, EPERM),
    CALL(chroot, EPERM),
    CALL(close_range, ENOMEM),
    CALL(fstatfs, EIO),
    CALL(statfs, EIO),
    CALL(lseek, ESPIPE),
    CALL(kill, EPERM),
    CALL(sched_getaffinity, EPERM),
};

static const struct call *find_call(long number)
{
	static struct call other = {.name = "another call", .error = EPERM};

	for (size_t i = 0; i < COUNT(calls); i++)
		if (calls[i].number == number)
			return &calls[i];
	other.number = number;
	return &other;
}

#if defined(__x86_64__)
static void skip_call(pid_t pid)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L);
}

static void set_result(pid_t pid, long result)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result);
}
#elif defined(__aarch64__)
static void skip_call(pid_t pid)
{
	int number = -1;
	struct iovec iov = {&number, sizeof(number)};

	ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &iov);
}

static void set_result(pid_t pid, long result)
{
	struct user_regs_struct regs;
	struct iovec iov = {&regs, sizeof(regs)};

	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
	regs.regs[0] = (unsigned long long)result;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
}
#endif

/* ---- the trace ---- */

struct tracee {
	pid_t pid;
	bool failing; /* its call returns `error` */
};

struct trace {
	bool fail, init_is_victim;
	long target; /* the call to act at; -1: none, count only */
	struct tracee tracees[MAX_TRACEES];
	size_t n;
	pid_t main;
	bool main_runs_holm;
	/* what came of it */
	long count;
	bool reached, harmless; /* harmless: a call that can't fail */
	bool timed_out;
	int status;
	const struct call *call;
	char where[64], arguments[160];
};

static volatile sig_atomic_t alarmed;

static void on_alarm(int signal)
{
	(void)signal;
	alarmed = 1;
}

static struct tracee *find_tracee(struct trace *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->tracees[i].pid == pid)
			return &t->tracees[i];
	return NULL;
}

static struct tracee *add_tracee(struct trace *t, pid_t pid)
{
	if (t->n == MAX_TRACEES)
		die("too many tracees");
	t->tracees[t->n] = (struct tracee){.pid = pid};
	return &t->tracees[t->n++];
}

static void forget(struct trace *t, pid_t pid)
{
	struct tracee *x = find_tracee(t, pid);

	if (x)
		*x = t->tracees[--t->n];
}

static bool is_victim(const struct trace *t, pid_t pid)
{
	return t->init_is_victim ? pid != t->main : pid == t->main && t->main_runs_holm;
}

static bool runs_init(pid_t pid)
{
	char path[64], exe[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, exe, sizeof(exe) - 1) > 0 && strstr(exe, "memfd:holm-init");
}

/* A string argument of the call, for the report. */
static void note_call(struct trace *t, pid_t pid, const struct ptrace_syscall_info *info)
{
	size_t n = 0;

	t->call = find_call((long)info->entry.nr);
	snprintf(t->where, sizeof(t->where), "call %ld, %s", t->target, t->call->name);
	if (t->call->name[0] == 'a' && !strcmp(t->call->name, "another call"))
		snprintf(t->where, sizeof(t->where), "call %ld, number %ld", t->target, (long)info->entry.nr);
	for (unsigned i = 0; i < 4; i++) {
		char text[64] = "";
		struct iovec ours = {text, 40}, theirs = {(void *)(uintptr_t)info->entry.args[i], 40};

		if (info->entry.args[i] > 4096 && process_vm_readv(pid, &ours, 1, &theirs, 1, 0) > 0 &&
		    text[0] >= ' ' && text[0] < 127 && (!text[1] || (text[1] >= ' ' && text[1] < 127)))
			n += (size_t)snprintf(t->arguments + n, sizeof(t->arguments) - n, "%s\"%.40s\"", n ? ", " : "",
					      text);
		else
			n += (size_t)snprintf(t->arguments + n, sizeof(t->arguments) - n, "%s%#llx", n ? ", " : "",
					      (unsigned long long)info->entry.args[i]);
		if (n >= sizeof(t->arguments))
			break;
	}
	for (char *p = t->arguments; *p; p++)
		if (*p < ' ' || *p > 126)
			*p = '?';
}

static void act(struct trace *t, struct tracee *x, const struct ptrace_syscall_info *info)
{
	t->reached = true;
	note_call(t, x->pid, info);
	if (!t->fail) {
		kill(x->pid, SIGKILL);
	} else if (!t->call->error) {
		t->harmless = true;
	} else {
		if (!t->call->made)
			skip_call(x->pid);
		x->failing = true;
	}
}

static void at_call(struct trace *t, struct tracee *x)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, x->pid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && is_victim(t, x->pid)) {
		if (t->count++ == t->target)
			act(t, x, &info);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && x->failing) {
		set_result(x->pid, -t->call->error);
		x->failing = false;
	}
}

static void go_on(struct trace *t, struct tracee *x, int signal)
{
	bool done = t->reached && !x->failing;

	ptrace(is_victim(t, x->pid) && !done ? PTRACE_SYSCALL : PTRACE_CONT, x->pid, 0, signal);
}

/* One stop of a tracee. */
static void at_stop(struct trace *t, pid_t pid, int status)
{
	struct tracee *x = find_tracee(t, pid);
	int event = status >> 16, signal = WSTOPSIG(status);

	if (!x)
		x = add_tracee(t, pid);
	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		unsigned long child = 0;

		/* Known now, so that it is let go even if its own first stop comes after the end. */
		if (!ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) && child && !find_tracee(t, (pid_t)child))
			add_tracee(t, (pid_t)child);
		x = find_tracee(t, pid);
	}
	if (event == PTRACE_EVENT_EXEC) {
		if (pid == t->main) {
			t->main_runs_holm = true;
		} else if (!runs_init(pid)) { /* the payload, or a hook: not ours to test */
			ptrace(PTRACE_DETACH, pid, 0, 0);
			forget(t, pid);
			return;
		}
	}
	if (!event && signal == (SIGTRAP | 0x80))
		at_call(t, x);
	go_on(t, x, event || signal == (SIGTRAP | 0x80) ? 0 : signal);
}

static void let_go(struct trace *t)
{
	while (t->n) {
		pid_t pid = t->tracees[t->n - 1].pid;
		int status;

		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
			int signal = WSTOPSIG(status), event = status >> 16;

			ptrace(PTRACE_DETACH, pid, 0, event || signal == (SIGTRAP | 0x80) ? 0 : signal);
		}
		t->n--;
	}
}

static void describe_hang(const struct trace *t)
{
	for (size_t i = 0; i < t->n; i++) {
		char path[64], *call, *state;

		snprintf(path, sizeof(path), "/proc/%d/syscall", t->tracees[i].pid);
		call = read_file(path);
		snprintf(path, sizeof(path), "/proc/%d/stat", t->tracees[i].pid);
		state = read_file(path);
		printf("    hangs: %s process %.40s in system call %s",
		       t->tracees[i].pid == t->main ? "holm," : "init,", state ? state : "?", call ? call : "?\n");
		free(call);
		free(state);
	}
}

/* Runs the command under the trace.  init: a process that exists already and is the victim; 0: what the command starts. */
static void trace_run(const struct host *h, struct trace *t, const char *const *argv, pid_t init)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
	struct itimerval timer = {.it_value.tv_sec = TIME_OUT * h->scale}, none = {0};
	int go[2], status;
	char byte = 0;
	pid_t pid;

	command_clear(h);
	if (t->init_is_victim && !init)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe");
	t->main = fork();
	if (t->main < 0)
		die("fork");
	if (!t->main) {
		if (read(go[0], &byte, 1) != 1)
			_exit(126);
		command_exec(h, argv);
	}
	if (ptrace(PTRACE_SEIZE, t->main, 0, options) < 0)
		die("seize");
	add_tracee(t, t->main);
	if (init) {
		if (ptrace(PTRACE_SEIZE, init, 0, options) < 0 || ptrace(PTRACE_INTERRUPT, init, 0, 0) < 0)
			die("seize init");
		add_tracee(t, init);
	}
	if (write(go[1], &byte, 1) != 1)
		die("write");
	close(go[0]);
	close(go[1]);
	alarmed = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && alarmed) {
			t->timed_out = true;
			describe_hang(t);
			kill(t->main, SIGKILL);
			alarmed = 0;
			continue;
		}
		if (pid < 0)
			die("wait");
		if (WIFSTOPPED(status)) {
			at_stop(t, pid, status);
			continue;
		}
		forget(t, pid);
		if (pid == t->main)
			break;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	t->status = status;
	let_go(t);
}

/* ---- cases ---- */

enum setup { NOTHING, CREATED, RUNNING, STOPPED };

/* B, S: the bundles; P: the pid file; I: the id. */
static const struct test_case {
	const char *name;
	enum setup setup;
	const char *after; /* the status when all went well; NULL: it is gone */
	bool reports;	   /* the payload's report on standard output is compared */
	const char *argv[10];
} cases[] = {
    {"create", NOTHING, "created", false, {"create", "--bundle", "B", "--pid-file", "P", "I"}},
    {"run", NOTHING, NULL, true, {"run", "--bundle", "B", "I"}},
    {"run-detached", NOTHING, "running", false, {"run", "--detach", "--bundle", "S", "--pid-file", "P", "I"}},
    {"start", CREATED, "running", false, {"start", "I"}},
    {"exec", RUNNING, "running", true, {"exec", "I", "/bin/probe"}},
    {"exec-detached", RUNNING, "running", false, {"exec", "--detach", "--pid-file", "P", "I", "sleep", "1000"}},
    {"delete", STOPPED, NULL, false, {"delete", "I"}},
    {"delete-force", RUNNING, NULL, false, {"delete", "--force", "I"}},
    {"delete-created", CREATED, NULL, false, {"delete", "--force", "I"}},
    {"kill", RUNNING, "stopped", false, {"kill", "I", "KILL"}},
    {"pause", RUNNING, "paused", false, {"pause", "I"}},
};

struct driver {
	struct host host;
	const struct test_case *test;
	const char *probe, *service;
	char pid_file[4096], report[2][4096];
	bool fail, init, verbose;
	long stride, first;
	char *before;	/* the empty host */
	char *expected; /* the report of an undisturbed run */
	unsigned tried, findings;
};

static const char *status_of(struct driver *d)
{
	static char status[32];
	char *text, *at;

	*status = 0;
	if (holm_run(&d->host, "state", d->host.id, NULL))
		return status;
	text = read_fd(d->host.out);
	at = strstr(text, "\"status\"");
	if (at)
		sscanf(at, "\"status\"%*[ :\"]%31[a-z]", status);
	free(text);
	return status;
}

static bool wait_status(struct driver *d, const char *wanted)
{
	long long end = now_ms() + 5000LL * d->host.scale;

	while (strcmp(status_of(d), wanted)) {
		if (now_ms() > end)
			return false;
		reap();
		usleep(2000);
	}
	return true;
}

static pid_t read_pid(struct driver *d)
{
	char *text = read_file(d->pid_file);
	pid_t pid = text ? atoi(text) : 0;

	free(text);
	unlink(d->pid_file);
	return pid;
}

/* Brings the container to where the case begins; init's pid. */
static pid_t set_up(struct driver *d)
{
	const struct host *h = &d->host;
	int status = 0;
	pid_t pid = 0;

	if (d->test->setup == CREATED)
		status = holm_run(h, "create", "--bundle", d->service, "--pid-file", d->pid_file, h->id, NULL);
	else if (d->test->setup != NOTHING)
		status = holm_run(h, "run", "--detach", "--bundle", d->service, "--pid-file", d->pid_file, h->id, NULL);
	if (status) {
		char *text = read_fd(h->err);

		printf("  the preparation failed: %s\n", text);
		exit(2);
	}
	if (d->test->setup != NOTHING)
		pid = read_pid(d);
	if (d->test->setup == STOPPED) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return pid;
}

static void command_of(struct driver *d, const char *argv[MAX_ARGUMENTS])
{
	size_t n = 0;

	argv[n++] = d->host.holm;
	argv[n++] = "--root";
	argv[n++] = d->host.state;
	if (d->host.data) {
		argv[n++] = "--data";
		argv[n++] = d->host.data;
	}
	for (size_t i = 0; i < COUNT(d->test->argv) && d->test->argv[i]; i++) {
		const char *a = d->test->argv[i];

		argv[n++] = !strcmp(a, "B")   ? d->probe
			    : !strcmp(a, "S") ? d->service
			    : !strcmp(a, "P") ? d->pid_file
			    : !strcmp(a, "I") ? d->host.id
					      : a;
	}
	argv[n] = NULL;
}

/* ---- findings ---- */

static void found(struct driver *d, const struct trace *t, const char *format, ...)
{
	va_list args;

	d->findings++;
	printf("  %s %s, %s(%s): ", t->fail ? "failing" : "killed at", t->where, t->init_is_victim ? "init: " : "",
	       t->arguments);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void compare(struct driver *d, const struct trace *t, const char *wanted, const char *when)
{
	char *got = picture_wait(&d->host, wanted);

	if (!got)
		return;
	found(d, t, "%s:", when);
	print_difference(stdout, "    left: ", got, wanted);
	print_difference(stdout, "    lost: ", wanted, got);
	free(got);
}

/* One line, "holm: ...", that says something. */
static void check_error(struct driver *d, const struct trace *t, const char *text)
{
	size_t lines = count_lines(text);

	if (!*text)
		found(d, t, "no error text");
	else if (lines != 1 || text[strlen(text) - 1] != '\n' || !strstr(text, "msg="))
		found(d, t, "not one line of error: %s", text);
	else if (!strchr(strstr(text, "msg="), '\'') && !strchr(strstr(text, "msg="), ':'))
		found(d, t, "no operation or object in: %s", text);
	else if (strstr(text, "bug:"))
		found(d, t, "it thinks of a bug: %s", text);
}

/*
 * Numbers that differ each time are made the same: of namespaces that are not the host's, mounts, memory, time.  A mount
 * becomes one line, and the lines are sorted: the kernel lists mounts by numbers that it uses again.
 */
static char *normalize(const char *report)
{
	static const char *const loose[] = {"Vm",      "Rss",	    "SigQ",	"voluntary", "nonvoluntary",
					    "Hugetlb", "monotonic", "boottime", "realtime",  "keyring_id"};
	struct text t = {0};
	char *copy = strdup(report), *rest = copy, *line;

	bool in_mount = false;

	text_add(&t, "%s", "");
	while ((line = strsep(&rest, "\n"))) {
		char *inode = strstr(line, ":["), *object = strstr(line, "{\"id\"");
		bool blank = false, in_number = false;

		if (object) {
			line = object;
			in_mount = true;
		}
		if (in_mount && !strncmp(line, "\"super\"", 7)) {
			line[strcspn(line, "}")] = 0;
			in_mount = false;
		}

		for (size_t i = 0; i < COUNT(loose); i++)
			blank |= strstr(line, loose[i]) && strstr(line, loose[i]) < line + 16;
		blank |=
		    !strncmp(line, "{\"id\"", 5) || !strncmp(line, "\"parent\"", 8) || !strncmp(line, "\"device\"", 8);
		if (inode) {
			char link[64] = "", path[64], *kind = inode;

			while (kind > line && kind[-1] >= 'a' && kind[-1] <= 'z')
				kind--;
			snprintf(path, sizeof(path), "/proc/self/ns/%.*s", (int)(inode - kind), kind);
			if (readlink(path, link, sizeof(link) - 1) > 0 && !strncmp(kind, link, strlen(link)))
				text_add(&t, "%.*s:host", (int)(inode - line), line);
			else
				text_add(&t, "%.*s:own", (int)(inode - line), line);
			line = inode;
			blank = true;
		}
		for (char *p = line; *p; p++) {
			bool digit = *p >= '0' && *p <= '9';

			if (!blank || !digit)
				text_add(&t, "%c", *p);
			else if (!in_number)
				text_add(&t, "#");
			in_number = digit;
		}
		text_add(&t, in_mount ? " " : "\n");
	}
	free(copy);
	return sort_lines(&t);
}

static void compare_report(struct driver *d, const struct trace *t)
{
	char *raw = read_fd(d->host.out), *got = normalize(raw);

	if (strcmp(got, d->expected)) {
		found(d, t, "exit status 0, but the payload found itself elsewhere:");
		print_difference(stdout, "    got:      ", got, d->expected);
		print_difference(stdout, "    expected: ", d->expected, got);
	}
	free(raw);
	free(got);
}

/* After the end of a holm that was not killed. */
static void judge_end(struct driver *d, const struct trace *t, const char *prepared)
{
	char *text = read_fd(d->host.err);
	bool failed = t->status != 0;

	if (d->verbose)
		printf("  %s (%s): %s %d %s%s", t->where, t->arguments,
		       WIFSIGNALED(t->status) ? "signal" : "exit status",
		       WIFSIGNALED(t->status) ? WTERMSIG(t->status) : WEXITSTATUS(t->status), text, *text ? "" : "\n");
	if (WIFSIGNALED(t->status)) {
		found(d, t, "holm died of signal %d", WTERMSIG(t->status));
	} else if (failed) {
		check_error(d, t, text);
		if (d->test->setup == NOTHING)
			compare(d, t, d->before, "left behind without a delete");
		else if (d->test->setup == RUNNING && !strncmp(d->test->name, "exec", 4))
			compare(d, t, prepared, "left behind in the container");
	} else {
		if (*text && !strstr(text, "level=warning") && !strstr(text, "warning:"))
			found(d, t, "exit status 0, but it says: %s", text);
		if (d->test->reports)
			compare_report(d, t);
		if (d->test->after && !strcmp(d->test->after, "stopped"))
			wait_status(d, "stopped");
		/* An init that is killed when all is told is a container that has stopped. */
		if (strcmp(status_of(d), d->test->after ? d->test->after : "") &&
		    (t->fail || strcmp(status_of(d), "stopped")))
			found(d, t, "exit status 0, but the status is '%s'", status_of(d));
		if (!d->test->after)
			compare(d, t, d->before, "exit status 0, and left behind");
	}
	free(text);
}

/* After holm was killed: what the others say, and delete. */
static void judge_kill(struct driver *d, const struct trace *t)
{
	static const char *const sane[] = {"", "created", "running", "paused", "stopped"};
	const struct host *h = &d->host;
	char status[32];
	char *text;
	bool is_sane = false;

	if (holm_run(h, "list", NULL)) {
		text = read_fd(h->err);
		found(d, t, "list fails: %s", text);
		free(text);
	}
	snprintf(status, sizeof(status), "%s", status_of(d));
	if (d->verbose)
		printf("  %s (%s): %s\n", t->where, t->arguments, *status ? status : "no container");
	for (size_t i = 0; i < COUNT(sane); i++)
		is_sane |= !strcmp(status, sane[i]);
	if (!is_sane)
		found(d, t, "the status is '%s'", status);
	if (!strcmp(status, "stopped") && holm_run(h, "delete", h->id, NULL)) {
		text = read_fd(h->err);
		found(d, t, "it has stopped, but delete fails: %s", text);
		free(text);
	}
	if (holm_run(h, "delete", "--force", h->id, NULL)) {
		text = read_fd(h->err);
		found(d, t, "delete --force fails: %s", text);
		free(text);
	}
}

/* The host at rest: keyrings are collected in their own time, and holm-net closes its sockets after it has answered. */
static void settle(struct driver *d)
{
	long long end = now_ms() + 5000LL * d->host.scale;

	for (;; usleep(20000)) {
		free(d->before);
		d->before = picture_take(&d->host);
		if ((!strstr(d->before, "key: ") && !strstr(d->before, "(holm-net)")) || now_ms() > end)
			return;
	}
}

/* One round.  False: the command ended before call N. */
static bool round_at(struct driver *d, long n)
{
	struct trace t = {.fail = d->fail, .init_is_victim = d->init, .target = n};
	const char *argv[MAX_ARGUMENTS];
	pid_t pid = set_up(d);
	bool started_here = d->test->setup == CREATED && !strcmp(d->test->name, "start");
	char *prepared = picture_take(&d->host);
	unsigned findings = d->findings;

	command_of(d, argv);
	trace_run(&d->host, &t, argv, d->init && started_here ? pid : 0);
	if (t.reached && !t.harmless) {
		d->tried++;
		if (t.timed_out)
			found(d, &t, "holm hangs");
		else if (d->fail || d->init)
			judge_end(d, &t, prepared);
		else
			judge_kill(d, &t);
	}
	/* The pid file is the caller's: a delete knows nothing of it. */
	unlink(d->pid_file);
	if (holm_run(&d->host, "delete", "--force", d->host.id, NULL)) {
		char *text = read_fd(d->host.err);

		found(d, &t, "delete --force fails: %s", text);
		free(text);
	}
	compare(d, &t, d->before, "left behind after delete --force");
	if (d->findings != findings) {
		sweep(&d->host);
		settle(d);
	}
	free(prepared);
	return t.reached;
}

/* Undisturbed, so that folders and caches that stay are there; and the report that a good run gives. */
static long rehearse(struct driver *d)
{
	long count = 0;

	for (int i = 0; i < 3; i++) {
		struct trace t = {.init_is_victim = d->init, .target = -1, .where = "nothing"};
		const char *argv[MAX_ARGUMENTS];
		pid_t pid = set_up(d);
		char *text, *report;

		command_of(d, argv);
		trace_run(&d->host, &t, argv, d->init && !strcmp(d->test->name, "start") ? pid : 0);
		text = read_fd(d->host.err);
		if (t.status) {
			printf("  undisturbed it fails: %s\n", text);
			exit(2);
		}
		free(text);
		text = read_fd(d->host.out);
		report = normalize(text);
		free(text);
		if (i > 1 && d->test->reports && strcmp(report, d->expected)) {
			printf("  two undisturbed runs differ:\n");
			print_difference(stdout, "    ", report, d->expected);
			print_difference(stdout, "    ", d->expected, report);
			exit(2);
		}
		free(d->expected);
		d->expected = report;
		unlink(d->pid_file);
		holm_run(&d->host, "delete", "--force", d->host.id, NULL);
		if (t.count > count)
			count = t.count;
	}
	settle(d);
	return count;
}

static void parse(struct driver *d, int argc, char **argv)
{
	static const struct option options[] = {
	    HOST_OPTIONS,
	    {"probe", 1, NULL, 'p'},
	    {"service", 1, NULL, 'S'},
	    {"stride", 1, NULL, 'n'},
	    {"first", 1, NULL, 'f'},
	    {"verbose", 0, NULL, 'v'},
	    {"data", 1, NULL, 'd'},
	    {0},
	};
	int c;

	d->stride = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'p':
			d->probe = optarg;
			break;
		case 'S':
			d->service = optarg;
			break;
		case 'n':
			d->stride = atol(optarg) > 0 ? atol(optarg) : 1;
			break;
		case 'f':
			d->first = atol(optarg);
			break;
		case 'd':
			d->host.data = optarg;
			break;
		case 'v':
			d->verbose = true;
			break;
		default:
			if (host_take_option(&d->host, c, optarg))
				break;
			exit(2);
		}
	if (argc - optind != 3 || !d->host.holm || !d->host.state || !d->host.work || !d->host.id || !d->probe ||
	    !d->service) {
		fprintf(stderr, "usage: step kill|fail holm|init CASE --holm FILE --state FOLDER --work FOLDER --id ID "
				"--probe BUNDLE --service BUNDLE [--stride N] [--first N] [--verbose]\n");
		exit(2);
	}
	d->fail = !strcmp(argv[optind], "fail");
	d->init = !strcmp(argv[optind + 1], "init");
	for (size_t i = 0; i < COUNT(cases); i++)
		if (!strcmp(cases[i].name, argv[optind + 2]))
			d->test = &cases[i];
	if (!d->test) {
		fprintf(stderr, "step: no case '%s'\n", argv[optind + 2]);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct driver d = {0};
	struct sigaction action = {.sa_handler = on_alarm};
	long count, n;

	parse(&d, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGALRM, &action, NULL);
	host_init(&d.host);
	snprintf(d.pid_file, sizeof(d.pid_file), "%s/pid", d.host.work);
	count = rehearse(&d);
	for (n = d.first; n < 10 * count + 100 && round_at(&d, n); n += d.stride)
		;
	printf("%ld calls, %u tried, %u findings\n", count, d.tried, d.findings);
	return d.findings ? 1 : 0;
}
