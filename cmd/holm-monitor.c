/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm-monitor: who stays while an instance runs (instances/monitor.h tells the whole story).
 *
 *   holm-monitor STATE HOLM [OPTION...] supervise NAME
 *
 * STATE is the number of an open run/state (instances/shared.h), the rest is the command line that begins with holm's path.
 * One process becomes two: the keeper, which stays the parent of the instance's init, holds every descriptor and waits; and
 * the worker, its child, which handles all that comes from the payload or from clients.  Whichever dies is replaced:
 *
 *	the worker    by the keeper, at once, with another fork
 *	the keeper    by the worker, which takes its place and forks another worker; init has another parent then, and how it
 *	              ends is known from its pidfd where the kernel tells (6.15), else not
 *
 * When init has ended and what it wrote is in the log, the keeper executes holm, under the same pid.  In the phase
 * MONITOR_WAITING there is no worker: the keeper sleeps, then executes holm.
 *
 * Freestanding, as init/ is: an empty static program of glibc's has twice the memory that this one may have.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/ioctl.h>
#include <linux/prctl.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "init/sys.h"
#include "instances/phase.h"
#include "instances/shared.h"

#ifndef PIDFD_GET_INFO
#define PIDFD_INFO_EXIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)
struct pidfd_info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#endif

enum {
	MAX_CLIENTS = 16,
	MAX_ARGS = 32,
	DRAIN_MAX = 64 << 20, /* bytes taken after the end from who is left and goes on writing */
	DRAIN_PAUSE = 100,    /* ms that the terminal may take to hand out what is in it */
	DRAIN_PAUSES = 20,
	HANGUP_RETRY = 500,	/* ms until a terminal that nobody has open is looked at again */
	CRASH_PAUSE = 200,	/* ms before a worker that died young is replaced */
	REAP_PAUSE = 5,		/* ms between looks at whether init was reaped by whoever is its parent ... */
	REAP_PAUSES = 400,	/* ... and how many */
	CHILD_GRACE = 10,	/* s that holm gets to end a check by itself */
	MONITOR_MAGIC_START = 2 /* argv: STATE, then the command line */
};

static const uint64_t second = 1000000000, forever = UINT64_MAX;

static struct shared *shared;
static int fds[_SHARED_FD_N]; /* of this process; shared->fds is what the next holm finds */
static int state_fd, signals;
static char **arguments; /* the command line of holm */
static char **environment;

/* ---- what a libc would have ---- */

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);

void *memcpy(void *to, const void *from, size_t n)
{
	char *a = to;

	for (const char *b = from; n--;)
		*a++ = *b++;
	return to;
}

void *memset(void *p, int c, size_t n)
{
	for (char *a = p; n--;)
		*a++ = (char)c;
	return p;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static _Noreturn void quit(int status)
{
	for (;;)
		sys(exit_group, status);
}

static int shut(int fd)
{
	if (fd >= 0)
		sys(close, fd);
	return -1;
}

static uint64_t now(void)
{
	struct __kernel_timespec t = {0};

	sys(clock_gettime, 7 /* CLOCK_BOOTTIME */, &t);
	return (uint64_t)t.tv_sec * second + (uint64_t)t.tv_nsec;
}

static void pause_ms(long ms)
{
	struct __kernel_timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	sys(nanosleep, &t, NULL);
}

/* until: of now(); forever: no end.  Returns as poll(2) does, -EINTR is 0. */
static long wait_for(struct pollfd *list, size_t n, uint64_t until)
{
	uint64_t t = until == forever ? 0 : now(), left = until > t ? until - t : 0;
	struct __kernel_timespec timeout = {.tv_sec = (long long)(left / second),
					    .tv_nsec = (long long)(left % second)};
	long r;

	for (size_t i = 0; i < n; i++)
		list[i].revents = 0;
	r = sys(ppoll, list, n, until == forever ? NULL : &timeout, NULL, 8);
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			list[i].revents = 0;
		r = 0;
	}
	return r;
}

static void block_signals(int how, uint64_t mask)
{
	sys(rt_sigprocmask, how, &mask, NULL, sizeof(mask));
}

#define BIT(signal) (UINT64_C(1) << ((signal)-1))

/* ---- processes ---- */

static long fork_process(void)
{
	return sys(clone, SIGCHLD, 0, 0, 0, 0);
}

/* The command line with an option before the name; NULL: none. */
static _Noreturn void execute(char *option)
{
	char *argv[MAX_ARGS + 3];
	size_t n = 0;

	for (; arguments[n + 1] && n < MAX_ARGS; n++)
		argv[n] = arguments[n];
	if (option)
		argv[n++] = option;
	argv[n] = arguments[option ? n - 1 : n];
	argv[n + 1] = NULL;
	block_signals(SIG_SETMASK, 0);
	sys(execve, argv[0], argv, environment);
	quit(127);
}

/* A child that executes holm with an option, and nothing of ours; 0: it can't be had. */
static long spawn(char *option)
{
	long pid = fork_process();

	if (pid)
		return pid > 0 ? pid : 0;
	sys(close_range, 3, ~0U, 0);
	execute(option);
}

/* ---- how init ended ---- */

static void note_end(int32_t code, int32_t status)
{
	shared->code = code;
	shared->status = status;
	shared->ended = 1;
}

/* init has ended and is not our child: its pidfd tells (6.15), once its parent has reaped it. */
static void ask_pidfd(void)
{
	for (int i = 0; i < REAP_PAUSES; i++) {
		struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
		long r = sys(ioctl, fds[SHARED_INIT], PIDFD_GET_INFO, &info);

		if (!r && info.mask & PIDFD_INFO_EXIT) {
			if (info.exit_code & 0x7f)
				note_end(info.exit_code & 0x80 ? CLD_DUMPED : CLD_KILLED, info.exit_code & 0x7f);
			else
				note_end(CLD_EXITED, info.exit_code >> 8 & 0xff);
			return;
		}
		if (r && r != -ESRCH)
			break;
		pause_ms(REAP_PAUSE);
	}
	note_end(0, 0);
}

/* ---- the worker ---- */

/* Something that happens every so often in a child of its own. */
struct timer {
	char *option;
	uint64_t interval, limit, due, kill; /* limit: how long it may take; kill: when that is over */
	long pid;			     /* 0: none now */
};

static struct {
	struct log log;
	int keeper; /* its pidfd */
	int clients[MAX_CLIENTS];
	char input[SHARED_MESSAGE_MAX]; /* what stdin or the terminal did not take yet */
	size_t input_begin, input_end;
	uint64_t retry_terminal; /* 0: it is open */
	struct timer timers[2];
} worker;

static void say(const char *text)
{
	log_add(&worker.log, text, length(text), LOG_HOLM);
}

/* The pipe is at its end: whoever could write to it is gone. */
static void take(enum shared_fd from, enum log_stream stream)
{
	if (fds[from] >= 0 && !log_take(&worker.log, fds[from], stream))
		fds[from] = shut(fds[from]);
}

/*
 * From the terminal into a pipe and from there into the log: both in one step of the kernel's each, so that a worker that is killed
 * in between leaves it where the next one finds it.  -EAGAIN: nothing now; -EIO: nobody has the terminal open.
 */
static long take_terminal(void)
{
	char buffer[2048];
	long n = sys(splice, fds[SHARED_TERMINAL], NULL, fds[SHARED_OUT], NULL, 65536, 2 /* SPLICE_F_NONBLOCK */);

	if (n > 0)
		log_take(&worker.log, fds[SHARED_OUT], LOG_OUT);
	if (n != -EINVAL)
		return n;
	n = sys(read, fds[SHARED_TERMINAL], buffer, sizeof(buffer));
	if (n > 0)
		log_add(&worker.log, buffer, (size_t)n, LOG_OUT);
	return n;
}

static void read_terminal(void)
{
	long n = take_terminal();

	if (n != -EAGAIN && n != -EINTR && n <= 0)
		worker.retry_terminal = now() + HANGUP_RETRY * (second / 1000);
	else
		worker.retry_terminal = 0;
}

static void drain_pipe(enum shared_fd from, enum log_stream stream)
{
	long n, all = 0;

	while (fds[from] >= 0 && all < DRAIN_MAX && (n = log_take(&worker.log, fds[from], stream)) > 0)
		all += n;
}

static void drain_terminal(void)
{
	for (int pauses = 0; pauses < DRAIN_PAUSES;) {
		struct pollfd p = {.fd = fds[SHARED_TERMINAL], .events = POLLIN};
		long n = take_terminal();

		if (n != -EAGAIN && n <= 0)
			return;
		if (n < 0 && !wait_for(&p, 1, now() + DRAIN_PAUSE * (second / 1000)))
			pauses++;
	}
}

/* The payload has ended. */
static _Noreturn void finish(void)
{
	struct pollfd keeper = {worker.keeper, POLLIN, 0};

	if (fds[SHARED_TERMINAL] >= 0) {
		drain_terminal();
		drain_pipe(SHARED_OUT, LOG_OUT);
	} else {
		drain_pipe(SHARED_OUT, LOG_OUT);
		drain_pipe(SHARED_ERR, LOG_ERR);
	}
	for (size_t i = 0; i < 2; i++)
		if (worker.timers[i].pid)
			sys(kill, worker.timers[i].pid, SIGKILL);
	shared->drained = 1;
	if (!wait_for(&keeper, 1, 0))
		quit(0);
	if (!shared->ended) /* it is for us to go on */
		ask_pidfd();
	shared->keeper.pid = (int32_t)sys(getpid);
	execute(NULL);
}

/* ---- input ---- */

static int input_target(void)
{
	return fds[SHARED_TERMINAL] >= 0 ? fds[SHARED_TERMINAL] : fds[SHARED_IN];
}

static void write_input(void)
{
	size_t n = worker.input_end - worker.input_begin;
	long r = input_target() < 0 ? (long)n : sys(write, input_target(), worker.input + worker.input_begin, n);

	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r < 0) /* nobody reads it any more */
		r = (long)n;
	worker.input_begin += (size_t)r;
	if (worker.input_begin == worker.input_end)
		worker.input_begin = worker.input_end = 0;
}

static void close_input(void)
{
	if (fds[SHARED_IN] < 0)
		return;
	fds[SHARED_IN] = shut(fds[SHARED_IN]);
	shared->input_closed = 1;
	sys(kill, shared->keeper.pid, SIGUSR1); /* it holds the other copy */
}

static void resize(const char *data, size_t size)
{
	struct shared_window window;
	struct winsize winsize = {0};

	if (size != sizeof(window) || fds[SHARED_TERMINAL] < 0)
		return;
	memcpy(&window, data, sizeof(window));
	winsize.ws_row = window.rows;
	winsize.ws_col = window.columns;
	sys(ioctl, fds[SHARED_TERMINAL], TIOCSWINSZ, &winsize);
}

static void read_client(int *client)
{
	char message[SHARED_MESSAGE_MAX];
	long n = sys(recvfrom, *client, message, sizeof(message), MSG_DONTWAIT, NULL, NULL);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		*client = shut(*client);
		return;
	}
	switch (message[0]) {
	case SHARED_DATA:
		memcpy(worker.input, message + 1, (size_t)n - 1);
		worker.input_begin = 0;
		worker.input_end = (size_t)n - 1;
		if (worker.input_end)
			write_input();
		break;
	case SHARED_CLOSE:
		close_input();
		break;
	case SHARED_SAY:
		log_add(&worker.log, message + 1, (size_t)n - 1, LOG_HOLM);
		break;
	case SHARED_SIZE:
		resize(message + 1, (size_t)n - 1);
		break;
	}
}

/* The folder keeps others out; this says the same again. */
static bool is_allowed(int client)
{
	struct {
		int32_t pid;
		uint32_t uid, gid;
	} peer;
	uint32_t size = sizeof(peer);

	return !sys(getsockopt, client, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	       (!peer.uid || peer.uid == (uint32_t)sys(geteuid));
}

static void accept_client(void)
{
	long fd = sys(accept4, fds[SHARED_LISTEN], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (is_allowed((int)fd))
		for (size_t i = 0; i < MAX_CLIENTS; i++)
			if (worker.clients[i] < 0) {
				worker.clients[i] = (int)fd;
				return;
			}
	shut((int)fd);
}

/* ---- readiness ---- */

static bool says_ready(const char *text, size_t n)
{
	static const char word[] = "READY=1";
	size_t i = 0;

	while (i < n) {
		size_t k = 0;

		while (k < sizeof(word) - 1 && i + k < n && text[i + k] == word[k])
			k++;
		if (k == sizeof(word) - 1 && (i + k == n || text[i + k] == '\n'))
			return true;
		while (i < n && text[i++] != '\n')
			;
	}
	return false;
}

static void read_notify(void)
{
	char text[SHARED_MESSAGE_MAX];
	/* No room for control messages: descriptors that the payload sends are dropped by the kernel. */
	long n = sys(recvfrom, fds[SHARED_NOTIFY], text, sizeof(text), MSG_DONTWAIT, NULL, NULL);

	if (n <= 0 || shared->ready || !says_ready(text, (size_t)n))
		return;
	shared->ready = 1;
	if (fds[SHARED_REPORT] >= 0)
		sys(sendto, fds[SHARED_REPORT], "R", 1, MSG_NOSIGNAL, NULL, 0);
	fds[SHARED_REPORT] = shut(fds[SHARED_REPORT]);
}

/* ---- timers ---- */

static void run_timer(struct timer *timer)
{
	if (timer->pid && now() >= timer->kill) {
		sys(kill, timer->pid, SIGKILL);
		timer->kill = forever;
	}
	if (timer->pid || !timer->interval || now() < timer->due)
		return;
	timer->pid = spawn(timer->option);
	timer->kill = timer->limit ? now() + timer->limit : forever;
	timer->due = now() + timer->interval;
}

static uint64_t next_timer(void)
{
	uint64_t next = worker.retry_terminal ? worker.retry_terminal : forever;

	for (size_t i = 0; i < 2; i++) {
		const struct timer *t = &worker.timers[i];
		uint64_t due = t->pid ? t->kill : t->interval ? t->due : forever;

		next = due < next ? due : next;
	}
	return next;
}

static void reap_timers(void)
{
	siginfo_t info = {0};

	while (!sys(waitid, P_ALL, 0, &info, WEXITED | WNOHANG, NULL) && info.si_pid) {
		for (size_t i = 0; i < 2; i++)
			if (worker.timers[i].pid == info.si_pid) {
				worker.timers[i].pid = 0;
				worker.timers[i].due = now() + worker.timers[i].interval;
			}
		info.si_pid = 0;
	}
}

static void read_signals(void)
{
	char buffer[128];

	sys(read, signals, buffer, sizeof(buffer));
}

/* ---- its loop ---- */

enum { P_SIGNALS, P_KEEPER, P_INIT, P_OUT, P_ERR, P_TERMINAL, P_LISTEN, P_NOTIFY, P_INPUT, P_CLIENTS };

/* One turn; false: the keeper is gone. */
static bool turn(void)
{
	bool terminal = fds[SHARED_TERMINAL] >= 0, pending = worker.input_end;
	struct pollfd list[P_CLIENTS + MAX_CLIENTS] = {
	    [P_SIGNALS] = {signals, POLLIN, 0},
	    [P_KEEPER] = {worker.keeper, POLLIN, 0},
	    [P_INIT] = {fds[SHARED_INIT], POLLIN, 0},
	    [P_OUT] = {terminal ? -1 : fds[SHARED_OUT], POLLIN, 0},
	    [P_ERR] = {fds[SHARED_ERR], POLLIN, 0},
	    [P_TERMINAL] = {worker.retry_terminal ? -1 : fds[SHARED_TERMINAL], POLLIN, 0},
	    [P_LISTEN] = {fds[SHARED_LISTEN], POLLIN, 0},
	    [P_NOTIFY] = {fds[SHARED_NOTIFY], POLLIN, 0},
	    [P_INPUT] = {pending ? input_target() : -1, POLLOUT, 0},
	};

	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		list[P_CLIENTS + i].fd = worker.clients[i];
		list[P_CLIENTS + i].events = pending ? 0 : POLLIN;
	}
	wait_for(list, P_CLIENTS + MAX_CLIENTS, next_timer());
	/* Output first and always: whatever else happens, the payload does not wait. */
	if (list[P_OUT].revents)
		take(SHARED_OUT, LOG_OUT);
	if (list[P_ERR].revents)
		take(SHARED_ERR, LOG_ERR);
	if (list[P_TERMINAL].revents || (worker.retry_terminal && now() >= worker.retry_terminal))
		read_terminal();
	if (list[P_INIT].revents)
		finish();
	if (list[P_SIGNALS].revents)
		read_signals();
	reap_timers();
	if (list[P_INPUT].revents)
		write_input();
	if (list[P_NOTIFY].revents)
		read_notify();
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (list[P_CLIENTS + i].revents && !worker.input_end)
			read_client(&worker.clients[i]);
		else if (list[P_CLIENTS + i].revents & (POLLHUP | POLLERR))
			worker.clients[i] = shut(worker.clients[i]);
	if (list[P_LISTEN].revents)
		accept_client();
	for (size_t i = 0; i < 2; i++)
		run_timer(&worker.timers[i]);
	return !list[P_KEEPER].revents;
}

/* Returns when the keeper is gone: we are the keeper then. */
static void work(long keeper, const char *news)
{
	static char option_tick[] = "--tick", option_health[] = "--health";

	worker.keeper = (int)sys(pidfd_open, keeper, 0);
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		worker.clients[i] = -1;
	worker.input_begin = worker.input_end = 0;
	worker.retry_terminal = 0;
	worker.timers[0] = (struct timer){.option = option_tick,
					  .interval = shared->tick,
					  .limit = CHILD_GRACE * second,
					  .due = now() + shared->tick};
	worker.timers[1] = (struct timer){.option = option_health,
					  .interval = shared->health_interval,
					  .limit = shared->health_limit,
					  .due = now() + shared->health_interval};
	if (log_open(&worker.log, fds[SHARED_LOG], &shared->log))
		quit(1);
	if (news)
		say(news);
	if (fds[SHARED_TERMINAL] >= 0)
		drain_pipe(SHARED_OUT, LOG_OUT);
	/* It may have died before we could watch it. */
	if (worker.keeper >= 0 && sys(getppid) == keeper)
		while (turn())
			;
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		worker.clients[i] = shut(worker.clients[i]);
	for (size_t i = 0; i < 2; i++)
		if (worker.timers[i].pid)
			sys(kill, worker.timers[i].pid, SIGKILL);
	worker.keeper = shut(worker.keeper);
	log_close(&worker.log);
}

/* ---- the keeper ---- */

static struct {
	long worker;
	bool init_seen;
	uint64_t worker_since;
} keeper;

/* Returns in the worker too, when its keeper is gone. */
static void spawn_worker(const char *news)
{
	long self = sys(getpid), pid;

	shared->worker.pid = 0;
	pid = fork_process();
	if (!pid) {
		work(self, news);
		keeper.worker = 0;
		sys(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		shared->keeper.pid = (int32_t)sys(getpid);
		shared->replaced++;
		spawn_worker("holm: the monitor was killed; another is in its place\n");
		return;
	}
	keeper.worker = pid > 0 ? pid : 0;
	keeper.worker_since = now();
	shared->worker.pid = (int32_t)keeper.worker;
	fds[SHARED_REPORT] = shut(fds[SHARED_REPORT]); /* the worker's */
	shared->fds[SHARED_REPORT] = -1;
}

static void reap(void)
{
	siginfo_t info = {0};

	while (!sys(waitid, P_ALL, 0, &info, WEXITED | WNOHANG, NULL) && info.si_pid) {
		if (info.si_pid == shared->init.pid)
			note_end(info.si_code, info.si_status);
		else if (info.si_pid == keeper.worker)
			keeper.worker = 0;
		info.si_pid = 0;
	}
}

static void handle_signals(void)
{
	struct signalfd_siginfo info;

	while (sys(read, signals, &info, sizeof(info)) == (long)sizeof(info))
		if (info.ssi_signo == SIGUSR1) {
			fds[SHARED_IN] = shut(fds[SHARED_IN]);
			shared->fds[SHARED_IN] = -1;
		}
}

static void replace_worker(void)
{
	if (now() - keeper.worker_since < second)
		pause_ms(CRASH_PAUSE);
	shared->replaced++;
	spawn_worker("holm: the monitor's worker was killed; another is in its place\n");
}

static _Noreturn void keep(void)
{
	unsigned crashes = 0;

	spawn_worker(NULL);
	for (;;) {
		struct pollfd list[] = {{signals, POLLIN, 0}, {shared->ended ? -1 : fds[SHARED_INIT], POLLIN, 0}};

		wait_for(list, 2, keeper.worker ? forever : now() + CRASH_PAUSE * (second / 1000));
		handle_signals();
		reap();
		if (list[1].revents && !shared->ended)
			ask_pidfd();
		if (keeper.worker)
			continue;
		if (shared->ended && (shared->drained || crashes++ > 3))
			execute(NULL);
		replace_worker();
	}
}

/* ---- waiting for a restart ---- */

static _Noreturn void wait_for_restart(void)
{
	static char option[] = "--resume";
	struct pollfd list[] = {{signals, POLLIN, 0}};
	uint64_t until = now() + shared->wait;

	while (now() < until) {
		struct signalfd_siginfo info;

		wait_for(list, 1, until);
		while (sys(read, signals, &info, sizeof(info)) == (long)sizeof(info))
			if (info.ssi_signo == SIGTERM)
				until = 0;
		reap();
	}
	execute(option);
}

/* ---- the beginning ---- */

static int parse_fd(const char *text)
{
	int n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + *text - '0';
	return *text ? -1 : n;
}

static _Noreturn void run(long argc, char **argv)
{
	static const uint64_t heard = BIT(SIGCHLD) | BIT(SIGTERM) | BIT(SIGUSR1);
	long map;

	if (argc < MONITOR_MAGIC_START + 2 || argc > MAX_ARGS)
		quit(2);
	state_fd = parse_fd(argv[1]);
	arguments = argv + MONITOR_MAGIC_START;
	environment = argv + argc + 1;
	map = sys(mmap, NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, state_fd, 0);
	if (map < 0 && map > -4096)
		quit(2);
	shared = (struct shared *)map;
	if (shared->version != SHARED_VERSION)
		quit(2);
	block_signals(SIG_SETMASK, ~UINT64_C(0));
	signals = (int)sys(signalfd4, -1, &heard, sizeof(heard), SFD_NONBLOCK | SFD_CLOEXEC);
	sys(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	memcpy(fds, shared->fds, sizeof(fds));
	if (shared->phase == MONITOR_WAITING)
		wait_for_restart();
	keep();
}

_Noreturn void start(long *stack);

_Noreturn __attribute__((used)) void start(long *stack)
{
	run(*stack, (char **)(stack + 1));
}

/* The kernel's entry: the stack pointer is all there is. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n\thlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl start\n\tbrk #1\n");
#endif
