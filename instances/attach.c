/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/log_read.h"
#include "instances/monitor.h"
#include "instances/shared.h"
#include "runtime/socket.h"

enum {
	MAX_KEYS = 8,
	LOOK_MS = 500,	   /* how often to look, while nothing happens */
	RECONNECT_MS = 20, /* while a worker is being replaced */
	RECONNECTS = 250,
};

struct session {
	const struct runtime *runtime;
	const struct instance *instance;
	const struct attach_options *options;
	const struct shared *shared;
	uint64_t started; /* of the run that we are attached to */
	int run, log, socket, signals, watch;
	struct log_reader reader;
	struct log_printer printer;
	bool raw, input_open, hidden; /* hidden: our output has no reader any more */
	struct termios before;
	char keys[MAX_KEYS];
	size_t n_keys, matched;
	bool detached;
	int reconnects;
};

static void leave_raw(struct session *s)
{
	if (s->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
	s->raw = false;
}

static void session_release(struct session *s)
{
	leave_raw(s);
	if (s->shared)
		munmap((void *)s->shared, sizeof(*s->shared));
	s->run = fd_close(s->run);
	s->log = fd_close(s->log);
	s->socket = fd_close(s->socket);
	s->signals = fd_close(s->signals);
	s->watch = fd_close(s->watch);
	log_reader_release(&s->reader);
	log_printer_release(&s->printer);
}

#define auto_session __attribute__((cleanup(session_release))) struct session

/* ---- keys ---- */

static bool parse_key(const char *text, size_t n, char *ret)
{
	static const char control[] = "ctrl-";

	if (n == 1) {
		*ret = *text;
		return true;
	}
	if (n != sizeof(control) || strncasecmp(text, control, sizeof(control) - 1))
		return false;
	text += sizeof(control) - 1;
	if (*text >= 'a' && *text <= 'z')
		*ret = (char)(*text - 'a' + 1);
	else if (*text >= '@' && *text <= '_')
		*ret = (char)(*text - '@');
	else
		return false;
	return true;
}

int attach_parse_keys(const char *text, char *ret, size_t *ret_n, struct error *e)
{
	const char *all = text;

	for (*ret_n = 0; *text; ++*ret_n) {
		size_t n = strcspn(text, ",");

		if (*ret_n == MAX_KEYS || !parse_key(text, n, &ret[*ret_n]))
			return error_refuse(e, ERROR_USAGE,
					    "detach keys '%s': not a list of letters and ctrl-LETTER such as '%s'", all,
					    ATTACH_DETACH_KEYS);
		text += n;
		text += *text == ',';
	}
	return 0;
}

/* ---- opening ---- */

static int map_state(struct session *s, struct error *e)
{
	auto_fd fd = openat(s->run, SHARED_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st))
		return error_system(e, errno, "open '%s/run/" SHARED_FILE "'", s->instance->path);
	if (st.st_size < (off_t)sizeof(*s->shared))
		return error_refuse(e, ERROR_STATE, "instance '%s' does not run", s->instance->name);
	map = mmap(NULL, sizeof(*s->shared), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return error_system(e, errno, "map '%s/run/" SHARED_FILE "'", s->instance->path);
	s->shared = map;
	return 0;
}

static int open_folders(struct session *s, struct error *e)
{
	s->run = openat(s->instance->folder, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	s->log = openat(s->instance->folder, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->run < 0 || s->log < 0)
		return error_refuse(e, ERROR_STATE, "instance '%s' does not run", s->instance->name);
	return map_state(s, e);
}

static int open_log(struct session *s, struct error *e)
{
	struct log_position from = {s->shared->begin_segment, s->shared->begin_data, s->shared->begin_index};
	char path[64];
	int r = 0;

	s->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->log);
	if (s->watch < 0 || inotify_add_watch(s->watch, path, IN_MODIFY | IN_CREATE) < 0)
		return error_system(e, errno, "watch the log of '%s'", s->instance->name);
	if (!s->options->from_start)
		r = log_find_end(s->log, &from, e);
	if (!r)
		r = log_reader_open(&s->reader, s->log, &from, e);
	s->printer = (struct log_printer){
	    .streams = 1 << LOG_OUT | 1 << LOG_ERR,
	    .fds = {[LOG_OUT] = STDOUT_FILENO, [LOG_ERR] = STDERR_FILENO, [LOG_HOLM] = STDERR_FILENO},
	};
	return r;
}

static int connect_worker(struct session *s, struct error *e)
{
	s->socket = fd_close(s->socket);
	return socket_connect(s->run, SHARED_ATTACH, SOCK_SEQPACKET, "the monitor's socket", &s->socket, e);
}

static int open_signals(struct session *s, struct error *e)
{
	sigset_t set;

	sigemptyset(&set);
	for (const int *signal = (const int[]){SIGWINCH, SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, 0};
	     *signal; signal++)
		sigaddset(&set, *signal);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? error_system(e, errno, "signalfd") : 0;
}

/* ---- to the instance ---- */

static void send_message(struct session *s, char kind, const void *data, size_t size)
{
	char message[SHARED_MESSAGE_MAX];

	message[0] = kind;
	if (size)
		memcpy(message + 1, data, size);
	if (s->socket >= 0 && fd_send(s->socket, message, size + 1, NULL, 0))
		s->socket = fd_close(s->socket); /* found again by the loop */
}

static void send_size(struct session *s)
{
	struct shared_window window;
	struct winsize size;

	if (!s->shared->terminal || s->options->no_input || ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		return;
	window = (struct shared_window){size.ws_row, size.ws_col};
	send_message(s, SHARED_SIZE, &window, sizeof(window));
}

static void enter_raw(struct session *s)
{
	struct termios raw;

	if (s->options->no_input || !s->shared->terminal || tcgetattr(STDIN_FILENO, &s->before) ||
	    tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	raw = s->before;
	cfmakeraw(&raw);
	s->raw = !tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void send_input(struct session *s, const char *data, size_t size)
{
	if (size)
		send_message(s, SHARED_DATA, data, size);
}

/* What may be the beginning of the detach keys waits until it is clear that it is not. */
static void pass_input(struct session *s, const char *data, size_t size)
{
	char out[SHARED_MESSAGE_MAX - 1];
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (n + MAX_KEYS + 1 > sizeof(out)) {
			send_input(s, out, n);
			n = 0;
		}
		if (s->n_keys && data[i] == s->keys[s->matched]) {
			if (++s->matched == s->n_keys) {
				s->detached = true;
				break;
			}
			continue;
		}
		memcpy(out + n, s->keys, s->matched);
		n += s->matched;
		s->matched = 0;
		if (s->n_keys && data[i] == s->keys[0] && s->n_keys > 1)
			s->matched = 1;
		else
			out[n++] = data[i];
	}
	send_input(s, out, n);
}

static void read_input(struct session *s)
{
	char buffer[2048];
	ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

	if (n > 0) {
		pass_input(s, buffer, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	s->input_open = false;
	if (s->shared->terminal)
		send_input(s, "\4", 1);
	else
		send_message(s, SHARED_CLOSE, NULL, 0);
}

static void read_signals(struct session *s)
{
	struct signalfd_siginfo info;
	struct error e;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		int signal = (int)info.ssi_signo;

		if (signal == SIGWINCH)
			send_size(s);
		else if (signal == SIGPIPE)
			continue;
		else if (signal == SIGHUP || s->options->no_signals)
			s->detached = true;
		else if (container_kill(s->runtime, s->instance->name, signal, false, &e))
			log_debug("%s", e.text);
	}
}

/* ---- from it ---- */

static int print_rest(struct session *s, struct error *e)
{
	struct log_entry entry;
	uint64_t offset;
	int r;

	while ((r = log_reader_next(&s->reader, &entry, &offset, e)) > 0) {
		if (s->reader.gap)
			log_warning("output was faster than this terminal: some of it was left out");
		s->reader.gap = false;
		r = s->hidden ? 0 : log_printer_put(&s->printer, &s->reader, &entry, offset, e);
		if (r)
			break;
	}
	if (!r && !s->hidden)
		r = log_printer_flush(&s->printer, e);
	if (r == -EPIPE) {
		s->hidden = true;
		r = 0;
	}
	return r;
}

static bool has_ended(const struct session *s)
{
	return s->shared->started != s->started || (s->shared->ended && s->shared->drained) ||
	       s->shared->phase != MONITOR_RUNNING;
}

/* The worker is gone: the run has ended, or another worker comes. */
static int find_worker(struct session *s, struct error *e)
{
	struct error ignored;

	if (s->socket >= 0 || has_ended(s))
		return 0;
	if (!connect_worker(s, &ignored)) {
		s->reconnects = 0;
		send_size(s);
		return 0;
	}
	if (++s->reconnects > RECONNECTS)
		return error_refuse(e, ERROR_STATE,
				    "instance '%s': its monitor was killed; 'holm gc' puts another in its place",
				    s->instance->name);
	poll(NULL, 0, RECONNECT_MS);
	return 0;
}

static int turn(struct session *s, struct error *e)
{
	struct pollfd fds[] = {
	    {.fd = s->watch, .events = POLLIN},
	    {.fd = s->signals, .events = POLLIN},
	    {.fd = s->socket, .events = POLLIN},
	    {.fd = s->input_open && s->socket >= 0 ? STDIN_FILENO : -1, .events = POLLIN},
	};
	char events[4096];
	int r;

	if (poll(fds, ARRAY_SIZE(fds), s->socket < 0 ? 0 : LOOK_MS) < 0 && errno != EINTR)
		return error_system(e, errno, "poll");
	if (fds[0].revents)
		while (read(s->watch, events, sizeof(events)) > 0)
			;
	r = print_rest(s, e);
	if (r)
		return r;
	if (fds[1].revents)
		read_signals(s);
	if (fds[2].revents) /* it never says anything: it is gone */
		s->socket = fd_close(s->socket);
	if (fds[3].revents)
		read_input(s);
	return find_worker(s, e);
}

static int exit_status(struct session *s, int *ret, struct error *e)
{
	const struct shared *shared = s->shared;
	auto_arena arena = ARENA_INIT;
	struct instance_end end = {.status = -1};
	int r;

	if (shared->started == s->started && shared->ended && shared->code) {
		*ret = shared->code == CLD_EXITED ? shared->status & 0xff : 128 + shared->status;
		return 0;
	}
	r = instance_load_end(s->instance, &arena, &end, e);
	*ret = end.status < 0 ? 255 : end.status;
	return r < 0 ? r : 0;
}

int instance_attach(const struct runtime *runtime, const struct instance *instance,
		    const struct attach_options *options, enum attach_outcome *ret_outcome, int *ret_status,
		    struct error *e)
{
	auto_session s = {
	    .runtime = runtime,
	    .instance = instance,
	    .options = options,
	    .run = -1,
	    .log = -1,
	    .socket = -1,
	    .signals = -1,
	    .watch = -1,
	    .reader = LOG_READER_INIT,
	};
	int r = attach_parse_keys(options->detach_keys ?: ATTACH_DETACH_KEYS, s.keys, &s.n_keys, e);

	if (!r)
		r = open_folders(&s, e);
	if (r)
		return r;
	s.started = s.shared->started;
	if (!options->from_start && s.shared->phase != MONITOR_RUNNING)
		return error_refuse(e, ERROR_STATE, "instance '%s' does not run", instance->name);
	r = open_log(&s, e);
	if (!r)
		r = open_signals(&s, e);
	if (!r && !has_ended(&s))
		r = find_worker(&s, e);
	if (r)
		return r;
	s.input_open = !options->no_input && (s.shared->terminal || s.shared->input);
	enter_raw(&s);
	while (!r && !s.detached && !has_ended(&s))
		r = turn(&s, e);
	if (!r && !s.detached)
		r = print_rest(&s, e);
	leave_raw(&s);
	*ret_outcome = s.detached ? ATTACH_DETACHED : ATTACH_ENDED;
	*ret_status = 0;
	return r || s.detached ? r : exit_status(&s, ret_status, e);
}
