/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/attach: a relay process between the test (as its caller, with pipes or a terminal of its own) and a payload.
 * wrap: poll waitid signalfd
 */
#include "runtime/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/sys.h"

enum { DEADLINE_MS = 20000 };

/* In the relay alone: the call that fails, at its nth time. */
static const char *failing;
static int failing_at;

#define WRAP(type, name, parameters, arguments)                                                                        \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		if (failing && !strcmp(failing, #name) && !failing_at--) {                                             \
			errno = ENOBUFS;                                                                               \
			return -1;                                                                                     \
		}                                                                                                      \
		return __real_##name arguments;                                                                        \
	}

WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
WRAP(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))

/* What the relay has as stdio, and what it does. */
struct scene {
	const char *script; /* of the payload, by sh -c */
	bool pty, reap;
	int input, output; /* the relay's 0 and 1 */
	bool own_session;  /* input is a terminal and becomes the relay's */
	const char *fails; /* the call that fails, at its nth time */
	int fails_at;
};

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int open_pty(char slave[64])
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(master >= 0);
	grantpt(master);
	unlockpt(master);
	assert_int_equal(ptsname_r(master, slave, 64), 0);
	return master;
}

static pid_t start_payload(const struct scene *scene, int *ret_master)
{
	char slave[64] = "";
	int master = scene->pty ? open_pty(slave) : -1;
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		_exit(99);
	pid = fork();
	if (!pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGHUP, SIG_DFL);
		setsid();
		if (scene->pty) {
			int fd = open(slave, O_RDWR);

			ioctl(fd, TIOCSCTTY, 0);
			if (!isatty(1)) { /* as init does */
				struct termios t;

				tcgetattr(fd, &t);
				t.c_oflag &= ~ONLCR;
				tcsetattr(fd, TCSANOW, &t);
			}
			for (int i = 0; i < 3; i++)
				dup2(fd, i);
			close(fd);
			setenv("PTY", slave, 1);
		}
		close(ready[1]);
		execl("/bin/sh", "sh", "-c", scene->script, NULL);
		_exit(98);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1)) /* until it has the pty open and runs sh */
		_exit(97);
	close(ready[0]);
	*ret_master = master;
	return pid;
}

/* The relay: ends with the status that attach_wait() found. */
static _Noreturn void relay(const struct scene *scene)
{
	struct attach attach = {.reap = scene->reap};
	struct error e = ERROR_INIT;
	int status = 0;
	pid_t pid;

	if (scene->own_session) {
		setsid();
		ioctl(scene->input, TIOCSCTTY, 0);
	}
	dup2(scene->input, 0);
	dup2(scene->output, 1);
	close_range(3, ~0u, 0);
	failing = scene->fails;
	failing_at = scene->fails_at;
	if (scene->reap)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (attach_signals(&attach.signals, &e))
		_exit(96);
	pid = start_payload(scene, &attach.master);
	attach.pidfd = sys_pidfd_open(pid, 0);
	if (attach_wait(&attach, &status, &e)) {
		kill(pid, SIGKILL);
		_exit(e.code == ENOBUFS ? 95 : 93);
	}
	if (scene->reap && !waitpid(-1, NULL, WNOHANG))
		_exit(94);
	_exit(status);
}

static pid_t start(const struct scene *scene)
{
	pid_t pid = fork();

	if (!pid)
		relay(scene);
	return pid;
}

static int finish(pid_t pid)
{
	int status;

	for (int waited = 0; waited < DEADLINE_MS; waited += 5) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		sleep_ms(5);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fail_msg("the relay does not end");
	return -1;
}

/* Reads fd until it closes, or until needle was seen. */
static void read_until(int fd, struct str *text, const char *needle)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char buffer[4096];

	while (!needle || !strstr(str_peek(text), needle)) {
		ssize_t n;

		if (poll(&poll_fd, 1, DEADLINE_MS) <= 0)
			fail_msg("nothing comes; so far: %s", str_peek(text));
		n = read(fd, buffer, sizeof(buffer));
		if (n <= 0)
			return;
		str_add_bytes(text, buffer, n);
	}
}

static void make_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

static int null_fd(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void test_status(void **state)
{
	static const struct {
		const char *script;
		int status;
	} cases[] = {{"exit 0", 0}, {"exit 7", 7}, {"exit 255", 255}, {"kill -9 $$", 137}, {"kill -TERM $$", 143}};
	int null = null_fd();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int pty = 0; pty < 2; pty++)
			assert_int_equal(finish(start(&(struct scene){
					     .script = cases[i].script, .pty = pty, .input = null, .output = null})),
					 cases[i].status);
	close(null);
}

static void test_signals_are_forwarded(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGALRM, SIGCONT, SIGPIPE};
	char script[256];
	int out[2], null = null_fd();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		auto_str text = STR_INIT;
		pid_t pid;

		make_pipe(out);
		snprintf(script, sizeof(script), "trap 'exit %d' %d; echo up; while :; do sleep 0.02; done",
			 20 + signals[i], signals[i]);
		pid = start(&(struct scene){.script = script, .input = null, .output = out[1]});
		close(out[1]);
		read_until(out[0], &text, "up");
		kill(pid, SIGCHLD); /* these three stay */
		kill(pid, SIGWINCH);
		kill(pid, SIGURG);
		kill(pid, signals[i]);
		assert_int_equal(finish(pid), 20 + signals[i]);
		close(out[0]);
	}
	close(null);
}

/* As under nohup. */
static void test_ignored_signals_stay(void **state)
{
	auto_str text = STR_INIT;
	int out[2], null = null_fd();
	pid_t pid;

	(void)state;
	make_pipe(out);
	signal(SIGHUP, SIG_IGN);
	pid = start(&(struct scene){.script = "echo up; sleep 0.3; exit 5", .input = null, .output = out[1]});
	signal(SIGHUP, SIG_DFL);
	close(out[1]);
	read_until(out[0], &text, "up");
	kill(pid, SIGHUP);
	assert_int_equal(finish(pid), 5);
	close(out[0]);
	close(null);
}

static void test_nothing_is_lost(void **state)
{
	auto_str text = STR_INIT;
	int out[2], null = null_fd();
	pid_t pid;

	(void)state;
	make_pipe(out);
	pid = start(&(struct scene){.script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 3",
				    .pty = true,
				    .input = null,
				    .output = out[1]});
	close(out[1]);
	sleep_ms(300); /* a slow reader: pipe and pty fill up */
	read_until(out[0], &text, NULL);
	close(out[0]);
	assert_int_equal(finish(pid), 3);
	{
		auto_str expected = STR_INIT;

		for (int i = 0; i < 20000; i++)
			str_addf(&expected, "line %d\n", i);
		assert_int_equal(text.size, expected.size);
		assert_string_equal(str_peek(&text), str_peek(&expected));
	}
	close(null);
}

static void test_reader_goes_away(void **state)
{
	int out[2], null = null_fd();
	pid_t pid;

	(void)state;
	make_pipe(out);
	pid = start(&(struct scene){.script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 3",
				    .pty = true,
				    .input = null,
				    .output = out[1]});
	close(out[1]);
	close(out[0]);
	assert_int_equal(finish(pid), 3);
	close(null);
}

static bool has_children(pid_t pid)
{
	char path[64], byte;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, &byte, 1);
	close(fd);
	return n > 0;
}

/* The payload is dead, the reader asleep: a signal ends the relay all the same. */
static void test_reader_asleep(void **state)
{
	int out[2], null = null_fd(), n;
	pid_t pid;

	(void)state;
	make_pipe(out);
	fcntl(out[1], F_SETPIPE_SZ, 4096);
	pid = start(&(struct scene){.script = "stty -F $PTY -opost; head -c 8000 /dev/zero; exit 3",
				    .pty = true,
				    .input = null,
				    .output = out[1]});
	close(out[1]);
	while (ioctl(out[0], FIONREAD, &n) || n < 2048 || has_children(pid))
		sleep_ms(5);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid), 3);
	close(out[0]);
	close(null);
}

static void test_input_and_its_end(void **state)
{
	static const char *const inputs[] = {"", "one line\n", "no newline", "two\nlines\n"};
	int in[2], out[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		auto_str text = STR_INIT;
		pid_t pid;

		make_pipe(in);
		make_pipe(out);
		pid = start(&(struct scene){
		    .script = "stty -echo; cat; echo end; exit 4", .pty = true, .input = in[0], .output = out[1]});
		close(in[0]);
		close(out[1]);
		sleep_ms(50);
		assert_int_equal(write(in[1], inputs[i], strlen(inputs[i])), strlen(inputs[i]));
		close(in[1]);
		read_until(out[0], &text, NULL);
		close(out[0]);
		assert_int_equal(finish(pid), 4);
		assert_non_null(strstr(str_peek(&text), inputs[i]));
		assert_non_null(strstr(str_peek(&text), "end\n"));
	}
}

static void test_pty_closed_and_opened_again(void **state)
{
	auto_str text = STR_INIT;
	int out[2], null = null_fd();
	pid_t pid;

	(void)state;
	make_pipe(out);
	pid = start(&(struct scene){.script = "exec </dev/null >/dev/null 2>&1; sleep 0.3; echo back >$PTY; exit 6",
				    .pty = true,
				    .input = null,
				    .output = out[1]});
	close(out[1]);
	read_until(out[0], &text, NULL);
	close(out[0]);
	assert_int_equal(finish(pid), 6);
	assert_string_equal(str_peek(&text), "back\n");
	close(null);
}

static bool is_raw(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	return !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static void wait_raw(int fd, bool raw)
{
	for (int waited = 0; is_raw(fd) != raw; waited += 5) {
		assert_true(waited < DEADLINE_MS);
		sleep_ms(5);
	}
}

static void test_terminal(void **state)
{
	auto_str text = STR_INIT;
	char slave[64];
	int master = open_pty(slave), fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct winsize size = {.ws_row = 33, .ws_col = 77};
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
	pid = start(&(struct scene){.script = "trap 'stty size' WINCH; trap 'exit 9' INT; stty size; "
					      "while :; do sleep 0.02; done",
				    .pty = true,
				    .input = fd,
				    .output = fd,
				    .own_session = true});
	read_until(master, &text, "33 77\r\n");
	assert_true(is_raw(fd));

	size.ws_row = 44;
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0); /* SIGWINCH to the relay */
	read_until(master, &text, "44 77\r\n");

	/* stopped and continued: the terminal is the caller's in between */
	kill(pid, SIGTSTP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_false(is_raw(fd));
	kill(pid, SIGCONT);
	wait_raw(fd, true);

	assert_int_equal(write(master, "\003", 1), 1); /* passes raw; the inner terminal makes SIGINT of it */
	assert_int_equal(finish(pid), 9);
	assert_false(is_raw(fd));
	close(fd);
	close(master);
}

static void test_terminal_after_signals(void **state)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGQUIT, SIGINT, SIGSEGV};
	char slave[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int master = open_pty(slave), fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
		pid_t pid = start(&(struct scene){
		    .script = "exec sleep 100", .pty = true, .input = fd, .output = fd, .own_session = true});

		wait_raw(fd, true);
		kill(pid, signals[i]);
		assert_int_equal(finish(pid), 128 + signals[i]);
		assert_false(is_raw(fd));
		close(fd);
		close(master);
	}
}

/* Whatever fails is told, and the terminal is the caller's again. */
static void test_failing_calls(void **state)
{
	static const struct {
		const char *call;
		int at, status;
	} cases[] = {{"signalfd", 0, 96}, {"poll", 0, 95}, {"poll", 1, 95}, {"waitid", 0, 95}};
	char slave[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int master = open_pty(slave), fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
		pid_t pid = start(&(struct scene){.script = "echo x; sleep 0.1",
						  .pty = true,
						  .input = fd,
						  .output = fd,
						  .own_session = true,
						  .fails = cases[i].call,
						  .fails_at = cases[i].at});

		assert_int_equal(finish(pid), cases[i].status);
		assert_false(is_raw(fd));
		close(fd);
		close(master);
	}
}

/* Orphans of the payload become the relay's children and are reaped; the relay ends with 94 if one is left alive. */
static void test_subreaper(void **state)
{
	auto_str text = STR_INIT;
	int out[2], null = null_fd();
	pid_t pid;

	(void)state;
	make_pipe(out);
	pid = start(&(struct scene){.script = "for i in 1 2 3 4 5; do (sleep 0.05 & echo $!); done; sleep 0.4; "
					      "grep -l 'State:.Z' /proc/[0-9]*/status | while read f; do "
					      "grep -q \"PPid:.$PPID$\" $f && echo zombie; done; exit 2",
				    .reap = true,
				    .input = null,
				    .output = out[1]});
	close(out[1]);
	read_until(out[0], &text, NULL);
	close(out[0]);
	assert_int_equal(finish(pid), 2);
	assert_null(strstr(str_peek(&text), "zombie"));
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_signals_are_forwarded),
	    cmocka_unit_test(test_ignored_signals_stay),
	    cmocka_unit_test(test_nothing_is_lost),
	    cmocka_unit_test(test_reader_goes_away),
	    cmocka_unit_test(test_reader_asleep),
	    cmocka_unit_test(test_input_and_its_end),
	    cmocka_unit_test(test_pty_closed_and_opened_again),
	    cmocka_unit_test(test_terminal),
	    cmocka_unit_test(test_terminal_after_signals),
	    cmocka_unit_test(test_failing_calls),
	    cmocka_unit_test(test_subreaper),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
