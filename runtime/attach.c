/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

enum {
	/*
	 * A blocking write of at most this much does not block when poll says that a pipe is writable (PIPE_BUF), and a
	 * pty's master gives no more at once.
	 */
	BUFFER_SIZE = 4096,
	RETRY_MS = 50, /* how soon to look again at a master whose slaves are all closed */
};

struct buffer {
	char data[BUFFER_SIZE];
	size_t begin, end;
};

struct relay {
	const struct attach *attach;
	bool input_is_terminal, raw, input_paused;
	bool input_open, output_open;
	bool hung_up;	/* no process has the pty open at the moment */
	bool end_input; /* end of file was read and is to be passed on */
	char last_input;
	bool ended, aborted;
	siginfo_t end;
	struct termios saved;
	struct buffer to_master, to_output;
};

int attach_signals(int *ret_signalfd, struct error *e)
{
	sigset_t all;
	int fd;

	sigfillset(&all);
	/* Inherited as ignored it would reap our children before we read their status. */
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return error_system(e, errno, "block signals");
	fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_system(e, errno, "signalfd");
	*ret_signalfd = fd;
	return 0;
}

bool attach_window_size(struct winsize *ret)
{
	for (int fd = 0; fd <= 2; fd++)
		if (!ioctl(fd, TIOCGWINSZ, ret) && (ret->ws_row || ret->ws_col))
			return true;
	return false;
}

static void pass_window_size(const struct relay *relay)
{
	struct winsize size;

	if (relay->attach->master >= 0 && attach_window_size(&size))
		ioctl(relay->attach->master, TIOCSWINSZ, &size);
}

/* ---- the caller's terminal ---- */

/* A background job leaves the terminal to whoever is in front. */
static void enter_raw(struct relay *relay)
{
	struct termios raw;

	if (relay->attach->master < 0 || !relay->input_is_terminal || relay->raw || tcgetpgrp(0) != getpgrp() ||
	    tcgetattr(0, &relay->saved) < 0)
		return;
	raw = relay->saved;
	cfmakeraw(&raw);
	relay->raw = !tcsetattr(0, TCSANOW, &raw);
}

static void leave_raw(struct relay *relay)
{
	if (relay->raw)
		tcsetattr(0, TCSANOW, &relay->saved);
	relay->raw = false;
}

/* ---- signals ---- */

static void stop_self(struct relay *relay)
{
	sigset_t pending;

	/* Continued already: stopping now would throw that away. */
	if (!sigpending(&pending) && sigismember(&pending, SIGCONT))
		return;
	leave_raw(relay);
	raise(SIGSTOP);
	/* Continued: SIGCONT is in the signalfd and brings the rest. */
}

static void reap_strangers(struct relay *relay)
{
	/* The payload too is a child: look first (WNOWAIT), so that its status stays for the end. */
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			return;
		if (!waitid(P_PIDFD, relay->attach->pidfd, &relay->end, WEXITED | WNOHANG) && relay->end.si_pid) {
			relay->ended = true;
			return;
		}
		waitid(P_PID, info.si_pid, &info, WEXITED | WNOHANG);
	}
}

static bool ends_a_program(unsigned signal)
{
	return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM;
}

/* The caller's wish (nohup): a blocked signal is queued even where it is ignored, so it comes through the signalfd. */
static bool is_ignored(int signal)
{
	struct sigaction action;

	return !sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN;
}

static void handle_signal(struct relay *relay, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGCHLD:
		if (relay->attach->reap && !relay->ended)
			reap_strangers(relay);
		return;
	case SIGWINCH:
		pass_window_size(relay);
		return;
	case SIGURG:
		return;
	case SIGPIPE:
		if (info->ssi_pid == (uint32_t)getpid())
			return;
		break;
	case SIGCONT:
		relay->input_paused = false;
		enter_raw(relay);
		pass_window_size(relay);
		break;
	}
	if (is_ignored(info->ssi_signo))
		return;
	/* Nobody is left to take it, only output that its reader does not want. */
	if (relay->ended)
		relay->aborted |= ends_a_program(info->ssi_signo);
	else
		sys_pidfd_send_signal(relay->attach->pidfd, info->ssi_signo);
	if (info->ssi_signo == SIGTSTP && relay->input_is_terminal)
		stop_self(relay);
}

static void read_signals(struct relay *relay)
{
	struct signalfd_siginfo info[8];
	ssize_t n;

	do {
		n = read(relay->attach->signals, info, sizeof(info));
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(*info); i++)
			handle_signal(relay, &info[i]);
	} while (n == sizeof(info) || (n < 0 && errno == EINTR));
}

/* ---- bytes ---- */

static bool is_empty(const struct buffer *buffer)
{
	return buffer->begin == buffer->end;
}

/* Reads into an empty buffer.  The number of bytes, 0 at the end of file, -errno. */
static ssize_t fill(struct buffer *buffer, int fd)
{
	ssize_t n;

	do
		n = read(fd, buffer->data, sizeof(buffer->data));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buffer->begin = 0;
	buffer->end = n;
	return n;
}

/* Writes what is there, as far as it goes.  0 or -errno (-EAGAIN: later). */
static int flush(struct buffer *buffer, int fd)
{
	ssize_t n;

	do
		n = write(fd, buffer->data + buffer->begin, buffer->end - buffer->begin);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buffer->begin += n;
	return 0;
}

static void read_input(struct relay *relay)
{
	ssize_t n = fill(&relay->to_master, 0);

	if (n > 0)
		relay->last_input = relay->to_master.data[n - 1];
	else if (n == -EAGAIN)
		return;
	else if (n == -EIO && relay->input_is_terminal)
		relay->input_paused = true; /* in the background: until SIGCONT */
	else {
		relay->input_open = false;
		relay->end_input = true;
	}
}

/*
 * What a terminal's user would type for "end of file": once after a newline, twice after an unfinished line.  A program
 * that reads raw bytes gets nothing: it would take it for input.
 */
static void pass_end_of_input(struct relay *relay)
{
	struct termios t;

	relay->end_input = false;
	if (tcgetattr(relay->attach->master, &t) < 0 || !(t.c_lflag & ICANON))
		return;
	relay->to_master.begin = 0;
	relay->to_master.end = relay->last_input == '\n' ? 1 : 2;
	memset(relay->to_master.data, t.c_cc[VEOF], relay->to_master.end);
}

static void write_master(struct relay *relay)
{
	int r = flush(&relay->to_master, relay->attach->master);

	if (r && r != -EAGAIN) /* nobody reads it any more */
		relay->to_master.begin = relay->to_master.end;
}

/* False when there is nothing more yet. */
static bool read_master(struct relay *relay)
{
	ssize_t n = fill(&relay->to_output, relay->attach->master);

	relay->hung_up = n <= 0 && n != -EAGAIN;
	if (n > 0 && !relay->output_open)
		relay->to_output.begin = relay->to_output.end;
	return n > 0;
}

static void write_output(struct relay *relay)
{
	int r = flush(&relay->to_output, 1);

	if (!r || r == -EAGAIN)
		return;
	/* The reader is gone; the payload must not be held up by that. */
	relay->output_open = false;
	relay->to_output.begin = relay->to_output.end;
}

/* ---- the loop ---- */

static short master_events(const struct relay *relay)
{
	short events = 0;

	if (is_empty(&relay->to_output))
		events |= POLLIN;
	if (!is_empty(&relay->to_master))
		events |= POLLOUT;
	return events;
}

static int reap_payload(struct relay *relay, struct error *e)
{
	int r;

	if (relay->ended)
		return 0;
	do
		r = waitid(P_PIDFD, relay->attach->pidfd, &relay->end, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return error_system(e, errno, "wait for the payload");
	relay->ended = true;
	return 0;
}

/* One turn while the payload lives. */
static int turn(struct relay *relay, struct error *e)
{
	const struct attach *a = relay->attach;
	bool pty = a->master >= 0, watch_master = pty && !relay->hung_up && master_events(relay);
	bool want_input = pty && relay->input_open && !relay->input_paused && is_empty(&relay->to_master);
	struct pollfd fds[] = {
	    {.fd = a->signals, .events = POLLIN},
	    {.fd = a->pidfd, .events = POLLIN},
	    {.fd = watch_master ? a->master : -1, .events = watch_master ? master_events(relay) : 0},
	    {.fd = want_input ? 0 : -1, .events = POLLIN},
	    {.fd = is_empty(&relay->to_output) ? -1 : 1, .events = POLLOUT},
	};

	if (poll(fds, pty ? ARRAY_SIZE(fds) : 2, pty && relay->hung_up ? RETRY_MS : -1) < 0)
		return errno == EINTR ? 0 : error_system(e, errno, "poll");
	if (fds[1].revents)
		return reap_payload(relay, e);
	if (fds[0].revents)
		read_signals(relay);
	if (fds[4].revents)
		write_output(relay);
	if (fds[3].revents)
		read_input(relay);
	if (relay->end_input && is_empty(&relay->to_master))
		pass_end_of_input(relay);
	if (fds[2].revents & POLLOUT)
		write_master(relay);
	if ((fds[2].revents & (POLLIN | POLLHUP | POLLERR) || relay->hung_up) && is_empty(&relay->to_output))
		read_master(relay);
	return 0;
}

/* The payload has ended: what it wrote is in the pty still.  Ends too when the reader of our output stays away. */
static void drain(struct relay *relay)
{
	while (!relay->aborted) {
		struct pollfd fds[] = {{.fd = relay->attach->signals, .events = POLLIN}, {.fd = 1, .events = POLLOUT}};

		if (is_empty(&relay->to_output) && !read_master(relay))
			return;
		if (is_empty(&relay->to_output))
			continue;
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			read_signals(relay);
		if (fds[1].revents)
			write_output(relay);
	}
}

static int open_relay(struct relay *relay, struct error *e)
{
	int master = relay->attach->master, flags;

	relay->input_is_terminal = isatty(0);
	if (master < 0)
		return 0;
	flags = fcntl(master, F_GETFL);
	if (flags < 0 || fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_system(e, errno, "make the pty's master non-blocking");
	relay->input_open = relay->output_open = true;
	relay->last_input = '\n';
	pass_window_size(relay);
	enter_raw(relay);
	return 0;
}

int attach_wait(const struct attach *attach, int *ret_status, struct error *e)
{
	struct relay relay = {.attach = attach};
	int r = open_relay(&relay, e);

	while (!r && !relay.ended)
		r = turn(&relay, e);
	if (!r && attach->master >= 0)
		drain(&relay);
	leave_raw(&relay);
	if (r)
		return r;
	*ret_status = relay.end.si_code == CLD_EXITED ? relay.end.si_status & 0xff : 128 + relay.end.si_status;
	return 0;
}
