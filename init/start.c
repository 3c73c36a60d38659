/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the program, waiting for the start, and execve(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/elf.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "init/lib.h"
#include "init/process.h"
#include "init/root.h"
#include "init/sys.h"

static const char *environment(const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < init.n_env; i++)
		if (starts(init.env[i], key) && init.env[i][n] == '=')
			return init.env[i] + n + 1;
	return NULL;
}

/* ---- HOME ---- */

/* Field `number` (from 0) of a line of /etc/passwd. */
static const char *field(const char *line, const char *end, int number, const char **ret_end)
{
	const char *p = line, *q;

	for (; number; number--) {
		while (p < end && *p != ':')
			p++;
		if (p == end)
			return NULL;
		p++;
	}
	for (q = p; q < end && *q != ':'; q++)
		;
	*ret_end = q;
	return p;
}

/* HOME of uid in the root's /etc/passwd, "/" where it has none.  The file is the image's: only ever read as text. */
static void add_home(uint32_t uid)
{
	static char buffer[65536 + 1], home[1024] = "HOME=/";
	long fd = open_in_root("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	long size = 0, n;

	/* Whatever stands there instead of the file, the image means it so; a failure of the host's is one. */
	if (fd == -EIO || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		fail(-fd, "open '/etc/passwd' in the root");
	if (fd >= 0)
		check(sys(newfstatat, fd, "", &st, AT_EMPTY_PATH), "look at '/etc/passwd' in the root");
	if (fd >= 0 && S_ISREG(st.st_mode))
		while (size < (long)sizeof(buffer) - 1 &&
		       (n = check(sys(read, fd, buffer + size, sizeof(buffer) - 1 - (size_t)size),
				  "read '/etc/passwd' in the root")) > 0)
			size += n;
	shut((int)fd);
	for (const char *line = buffer, *stop = buffer + size; line < stop;) {
		const char *end = line, *f, *f_end;
		uint32_t number;

		while (end < stop && *end != '\n')
			end++;
		f = field(line, end, 2, &f_end);
		if (f && parse_number(f, f_end, &number) && number == uid) {
			f = field(line, end, 5, &f_end);
			if (f && *f == '/' && (size_t)(f_end - f) < sizeof(home) - 6) {
				memcpy(home + 5, f, (size_t)(f_end - f));
				home[5 + (f_end - f)] = 0;
			}
			break;
		}
		line = end + 1;
	}
	init.env[init.n_env++] = home; /* the plan left room for it */
	init.env[init.n_env] = NULL;
}

/* ---- the program ---- */

static bool is_folder(const char *path)
{
	struct stat st;

	return !sys(newfstatat, AT_FDCWD, path, &st, 0) && S_ISDIR(st.st_mode);
}

/* 0, or why this path can't be executed by the present user.  A folder is EACCES, as for execve: engines know it by that. */
static long can_execute(const char *path)
{
	struct stat st;
	long r = sys(newfstatat, AT_FDCWD, path, &st, 0);

	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return sys(faccessat2, AT_FDCWD, path, 1 /* X_OK */, AT_EACCESS);
}

void do_find_program(const struct plan_op *op)
{
	static char path[4096];
	const char *name = init.args[0], *dirs;
	long r, worst = 0;

	if (!environment("HOME"))
		add_home((uint32_t)op->number);
	if (find(name, '/')) {
		r = can_execute(name);
		if (r < 0)
			fail(-r, "exec '%s'%s", name, is_folder(name) ? " (it is a folder)" : "");
		init.program = name;
		return;
	}
	dirs = environment("PATH");
	for (const char *p = dirs ? dirs : ""; *name && *p;) {
		const char *end = p;

		while (*end && *end != ':')
			end++;
		if ((size_t)(end - p) + strlen(name) + 2 < sizeof(path)) {
			size_t n = (size_t)(end - p);

			memcpy(path, p, n);
			print(path + n, sizeof(path) - n, "%s%s", n ? "/" : "./", name);
			r = can_execute(path);
			if (!r) {
				init.program = path;
				return;
			}
			if (r == -EACCES && !is_folder(path))
				worst = r;
		}
		p = *end ? end + 1 : end;
	}
	if (worst)
		fail(-worst, "exec '%s'", name);
	fail_kind(ERROR_NOT_FOUND, 0, "exec '%s': executable file not found in $PATH%s", name,
		  dirs ? "" : " (PATH is not set)");
}

/* Why the kernel said ENOENT of a file that exists: the interpreter it names is missing. */
static void explain_missing(const char *path)
{
	static char head[4096];
	const char *interpreter = NULL;
	long fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	long n = fd < 0 ? fd : sys(read, fd, head, sizeof(head) - 1);

	if (n <= 0)
		return;
	head[n] = 0;
	if (head[0] == '#' && head[1] == '!') {
		char *p = head + 2, *end;

		while (*p == ' ' || *p == '\t')
			p++;
		for (end = p; *end && *end != ' ' && *end != '\t' && *end != '\n' && *end != '\r'; end++)
			;
		if (*end == '\r')
			fail(ENOENT, "exec '%s' (its first line ends in a carriage return)", path);
		*end = 0;
		interpreter = p;
	} else if (n > (long)sizeof(Elf64_Ehdr) && !memcmp(head, ELFMAG, SELFMAG) && head[EI_CLASS] == ELFCLASS64) {
		const Elf64_Ehdr *elf = (const Elf64_Ehdr *)head;

		for (unsigned i = 0; i < elf->e_phnum; i++) {
			uint64_t offset = elf->e_phoff + i * sizeof(Elf64_Phdr);
			const Elf64_Phdr *ph = (const Elf64_Phdr *)(head + offset);

			if (offset > (uint64_t)n - sizeof(*ph))
				break;
			if (ph->p_type == PT_INTERP && ph->p_offset < (uint64_t)n)
				interpreter = head + ph->p_offset;
		}
	}
	if (interpreter && can_execute(interpreter) < 0)
		fail(ENOENT, "exec '%s' (its interpreter '%s' is missing in the root)", path, interpreter);
}

/* ---- the start ---- */

static const uint64_t all_signals = ~0ULL;

/*
 * Waits for `holm start` on the socket in the state folder.  A connection alone means nothing (holm state makes one to see
 * that we wait here); MESSAGE_GO on it is the start.  Signals that would end a process end this one: as init of a pid
 * namespace it would otherwise be deaf to all but SIGKILL.
 */
static void wait_for_start(int listener)
{
	uint64_t none = 0;
	int signals;

	/* Before anybody knows of us: a signal that comes at once would be lost on process 1. */
	check(sys(rt_sigprocmask, SIG_SETMASK, &all_signals, NULL, sizeof(all_signals)), "block signals");
	signals = (int)check(sys(signalfd4, -1, &all_signals, sizeof(all_signals), SFD_CLOEXEC), "wait for signals");
	tell(MESSAGE_READY, NULL, NULL, 0);
	init.socket = shut(init.socket);
	for (;;) {
		struct pollfd polls[2] = {{.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
		struct signalfd_siginfo signal;
		uint32_t type = MESSAGE_NONE;

		if (sys(ppoll, polls, 2, NULL, NULL, 0) < 0)
			continue;
		if (polls[1].revents && sys(read, signals, &signal, sizeof(signal)) == sizeof(signal)) {
			int s = (int)signal.ssi_signo;

			if (s != SIGCHLD && s != SIGURG && s != SIGWINCH && s != SIGCONT && s != SIGTSTP &&
			    s != SIGTTIN && s != SIGTTOU)
				quit(128 + s);
		}
		if (!polls[0].revents)
			continue;
		init.socket = (int)sys(accept4, listener, NULL, NULL, SOCK_CLOEXEC);
		if (init.socket < 0)
			continue;
		if (sys(recvfrom, init.socket, &type, sizeof(type), 0, NULL, NULL) == sizeof(type) &&
		    type == MESSAGE_GO)
			break;
		init.socket = shut(init.socket);
	}
	shut(signals);
	shut(listener);
	check(sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none)), "unblock signals");
	tell(MESSAGE_READY, NULL, NULL, 0);
}

void do_start(const struct plan_op *op)
{
	if (op->number) {
		wait_for_start(receive_fd(MESSAGE_START));
	} else {
		tell(MESSAGE_READY, NULL, NULL, 0);
	}
}

/* ---- holm.init ---- */

/* The payload has ended: with it everything, as an init that ends takes its pid namespace along. */
static void reap(long payload)
{
	int status;
	long pid;

	while ((pid = sys(wait4, -1, &status, 1 /* WNOHANG */, NULL)) > 0)
		if (pid == payload)
			quit(status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
}

/*
 * Stays as process 1 while the payload runs in a child: reaps whom the payload leaves behind, and passes signals on, which process 1
 * would not hear without handlers.  What the terminal sends goes to the child by itself: it is in the same process group.
 * Our memory is the sealed image and the plan; no descriptor stays open, so that an end of file is seen and the start's socket
 * closes with execve(2).
 */
static void stay(long payload)
{
	sys(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* where there is no pid namespace */
	sys(prctl, PR_SET_NAME, "init", 0, 0, 0);	/* under INIT_NAME it would seem to be still on its way */
	init.socket = shut(init.socket);
	if (sys(close_range, 0, ~0U, 0) < 0)
		for (int fd = 0; fd <= 2; fd++)
			shut(fd);
	for (;;) {
		struct {
			int signal, error, code, rest[29];
		} info;
		long signal = sys(rt_sigtimedwait, &all_signals, &info, NULL, sizeof(all_signals));

		if (signal == SIGCHLD)
			reap(payload);
		else if (signal > 0 && info.code != 0x80 /* SI_KERNEL */)
			sys(kill, payload, signal);
		else if (signal < 0 && signal != -EINTR) /* a filter of the user's own is in the way */
			sys(wait4, payload, NULL, 0, NULL), quit(1);
	}
}

static void fork_payload(void)
{
	static const uint64_t none;
	long pid;

	check(sys(rt_sigprocmask, SIG_SETMASK, &all_signals, NULL, sizeof(all_signals)), "block signals");
	pid = check(sys(clone, SIGCHLD, 0, 0, 0, 0), "fork the payload");
	if (pid)
		stay(pid);
	check(sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none)), "unblock signals");
}

void do_exec(const struct plan_op *op)
{
	long r;

	if (!init.filtered)
		close_on_exec();
	if (op->number)
		fork_payload();
	r = sys(execve, init.program, init.args, init.env);
	if (r == -ENOENT)
		explain_missing(init.program);
	fail(-r, "exec '%s'", init.program);
}

void do_quit(const struct plan_op *op)
{
	(void)op;
	quit(0);
}
