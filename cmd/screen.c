/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/output.h"

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[0m\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR "\033[H\033[2J"
#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"

/* 80 by 24 where a terminal does not know. */
static void measure(unsigned *ret_columns, unsigned *ret_rows)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){0};
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_rows = size.ws_row ? size.ws_row : 24;
}

/* ---- opening and closing ---- */

static int put(const char *text)
{
	return fd_write_all(STDOUT_FILENO, text, strlen(text));
}

static void set_modes(const struct screen *screen, bool full)
{
	struct termios modes = screen->modes;

	if (full) { /* no echo, no lines; the keys that send signals go on doing so */
		modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		modes.c_cc[VMIN] = 1;
		modes.c_cc[VTIME] = 0;
	}
	tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
}

static int enter(struct screen *screen, struct error *e)
{
	int r;

	measure(&screen->columns, &screen->rows);
	if (screen->full)
		set_modes(screen, true);
	if (!screen->terminal)
		return 0;
	r = put(screen->full ? ENTER CLEAR : CLEAR);
	return r ? error_system(e, -r, "write to the terminal") : 0;
}

static void leave(struct screen *screen)
{
	if (!screen->full)
		return;
	if (put(LEAVE)) /* then the terminal is gone */
		return;
	set_modes(screen, false);
}

int screen_open(struct screen *screen, bool full, struct error *e)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGWINCH, SIGTSTP, SIGCONT};
	const char *term = getenv("TERM");
	bool dumb = !term || !*term || str_equal(term, "dumb");
	sigset_t set;

	screen->terminal = !screen->plain && isatty(STDOUT_FILENO) && !dumb;
	if (full && (!screen->terminal || tcgetattr(STDIN_FILENO, &screen->modes) < 0))
		return error_refuse(e, ERROR_USAGE, "standard input and output have to be a terminal%s",
				    dumb ? " that TERM names" : "");
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (full || (wanted[i] != SIGTSTP && wanted[i] != SIGPIPE))
			sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, &screen->mask);
	screen->open = true;
	screen->full = full;
	screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0)
		return error_system(e, errno, "wait for signals");
	return enter(screen, e);
}

void screen_close(struct screen *screen)
{
	if (!screen->open)
		return;
	screen->open = false;
	leave(screen);
	screen->signals = fd_close(screen->signals);
	sigprocmask(SIG_SETMASK, &screen->mask, NULL);
}

/* ---- drawing ---- */

/* As much of a line as fits; an escape sequence is no wider than nothing, and bytes 10xxxxxx belong to those before. */
static void add_cut(struct str *out, const char *line, size_t size, unsigned width)
{
	unsigned used = 0;

	for (size_t i = 0; i < size; i++) {
		if (line[i] == '\033') {
			size_t start = i;

			while (i + 1 < size && !(line[i] >= 'A' && line[i] <= 'z' && line[i] != '['))
				i++;
			str_add_bytes(out, line + start, i - start + 1);
			continue;
		}
		if ((line[i] & 0xc0) != 0x80)
			used++;
		if (used <= width)
			str_add_bytes(out, line + i, 1);
	}
}

int screen_draw(const struct screen *screen, const char *text, struct error *e)
{
	auto_str out = STR_INIT;

	if (!screen->terminal)
		return output_write(text, e);
	str_add(&out, HOME);
	for (unsigned row = 0; *text && row + !screen->full < screen->rows; row++) {
		size_t size = strcspn(text, "\n");

		if (row)
			str_add(&out, "\r\n");
		add_cut(&out, text, size, screen->columns);
		str_add(&out, CLEAR_LINE);
		text += size + (text[size] == '\n');
	}
	if (!screen->full) /* the cursor stays below, where the shell goes on */
		str_add(&out, "\r\n");
	str_add(&out, CLEAR_REST);
	return output_write(str_peek(&out), e);
}

/* ---- waiting ---- */

/* As any program does when it is stopped, but with the terminal given back first. */
static int stop(struct screen *screen, struct error *e)
{
	leave(screen);
	raise(SIGSTOP);
	return enter(screen, e);
}

static int take_signal(struct screen *screen, enum screen_event *ret, bool *ret_some, struct error *e)
{
	struct signalfd_siginfo info;

	*ret_some = true;
	if (read(screen->signals, &info, sizeof(info)) != sizeof(info)) {
		*ret_some = false;
		return 0;
	}
	switch (info.ssi_signo) {
	case SIGWINCH:
		measure(&screen->columns, &screen->rows);
		*ret = SCREEN_RESIZE;
		return screen->terminal ? output_write(CLEAR, e) : 0;
	case SIGTSTP:
		*ret = SCREEN_RESIZE;
		return stop(screen, e);
	case SIGCONT:
		*ret = SCREEN_RESIZE;
		return enter(screen, e);
	default:
		*ret = SCREEN_END;
		return 0;
	}
}

/* One key: a byte, or the several that an arrow sends. */
static int read_key(char *keys, size_t size, size_t *ret_n)
{
	size_t n = 0;

	while (n < size) {
		struct pollfd more = {.fd = STDIN_FILENO, .events = POLLIN};

		if (n && poll(&more, 1, 0) <= 0)
			break;
		if (read(STDIN_FILENO, keys + n, 1) != 1)
			break;
		n++;
		if (*keys != '\033' || (n > 2 && keys[n - 1] >= '@'))
			break;
	}
	*ret_n = n;
	return n ? 0 : -ENODATA;
}

static int parse_key(const char *keys, size_t n)
{
	static const struct {
		const char *keys;
		int key;
	} sequences[] = {
	    {"\033[A", SCREEN_UP},	   {"\033[B", SCREEN_DOWN}, {"\033[C", SCREEN_RIGHT},
	    {"\033[D", SCREEN_LEFT},	   {"\033OA", SCREEN_UP},   {"\033OB", SCREEN_DOWN},
	    {"\033OC", SCREEN_RIGHT},	   {"\033OD", SCREEN_LEFT}, {"\033[5~", SCREEN_PAGE_UP},
	    {"\033[6~", SCREEN_PAGE_DOWN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++)
		if (strlen(sequences[i].keys) == n && !memcmp(sequences[i].keys, keys, n))
			return sequences[i].key;
	return n > 1 && *keys == '\033' ? 0 : (unsigned char)*keys;
}

int screen_wait(struct screen *screen, int64_t until, enum screen_event *ret, int *ret_key, struct error *e)
{
	const int64_t second = 1000000000;

	*ret_key = 0;
	for (;;) {
		struct pollfd fds[] = {{.fd = screen->signals, .events = POLLIN},
				       {.fd = screen->full ? STDIN_FILENO : -1, .events = POLLIN}};
		struct timespec now, wait;
		bool some = false;
		char keys[8];
		int64_t rest;
		size_t n;
		int r;

		clock_gettime(CLOCK_MONOTONIC, &now);
		rest = until - (now.tv_sec * second + now.tv_nsec);
		if (rest < 0)
			rest = 0;
		wait = (struct timespec){.tv_sec = rest / second, .tv_nsec = rest % second};
		r = ppoll(fds, ARRAY_SIZE(fds), &wait, NULL);
		if (r < 0 && errno != EINTR)
			return error_system(e, errno, "wait");
		if (!r) {
			*ret = SCREEN_TIME;
			return 0;
		}
		if (r > 0 && fds[0].revents) {
			r = take_signal(screen, ret, &some, e);
			if (r || some)
				return r;
		}
		if (r <= 0 || !fds[1].revents)
			continue;
		r = read_key(keys, sizeof(keys), &n);
		*ret = r ? SCREEN_END : SCREEN_KEY;
		*ret_key = r ? 0 : parse_key(keys, n);
		return 0;
	}
}
