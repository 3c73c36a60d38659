/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal on standard output, for what is drawn again and again, and the clock and signals that go with that.
 *
 * A screen is opened, drawn on, waited with and closed; closing (also by the end of its scope) gives the terminal back as
 * it was: modes, cursor, the text that was on it.  The signals that end a program, stop it, continue it or tell of a new
 * size are read from a descriptor while a screen is open, so there is no way out past the closing but SIGKILL.
 *
 * What is drawn are lines of plain text and of escape sequences that every terminal of the last forty years knows.  A line
 * longer than the terminal is wide is cut, never wrapped.
 */
#ifndef HOLM_CMD_SCREEN_H
#define HOLM_CMD_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "base/error.h"
#include "base/str.h"

struct screen {
	bool plain;    /* set before it is opened: lines follow each other, whatever standard output is */
	bool terminal; /* standard output is one; else only the clock and signals are ours */
	bool full;     /* keys are read and the whole terminal is ours */
	bool open;
	int signals;
	unsigned rows, columns;
	struct termios modes;
	sigset_t mask;
};

#define SCREEN_INIT ((struct screen){.signals = -1})
#define auto_screen __attribute__((cleanup(screen_close))) struct screen

/* full: ERROR_USAGE unless standard input and output are a terminal that can place its cursor. */
int screen_open(struct screen *screen, bool full, struct error *e) must_check;
void screen_close(struct screen *screen);

/* Lines, each with its newline, from the top; what was below is cleared.  Without a terminal: just the text. */
int screen_draw(const struct screen *screen, const char *text, struct error *e) must_check;

enum screen_event {
	SCREEN_TIME, /* the time is over */
	SCREEN_KEY,
	SCREEN_RESIZE, /* draw again */
	SCREEN_END,    /* a signal wants the program to end, or the terminal is gone */
};

enum { SCREEN_UP = 256, SCREEN_DOWN, SCREEN_RIGHT, SCREEN_LEFT, SCREEN_PAGE_UP, SCREEN_PAGE_DOWN };

/* Waits until the time (ns of the monotonic clock).  ret_key: a byte, or one of those above. */
int screen_wait(struct screen *screen, int64_t until, enum screen_event *ret, int *ret_key, struct error *e) must_check;

#endif
