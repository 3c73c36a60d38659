/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far something is that takes a while, on standard error: on a terminal one line that is drawn again and again, with a bar,
 * bytes and rate; elsewhere a plain line when a step is done.
 */
#ifndef HOLM_CMD_BAR_H
#define HOLM_CMD_BAR_H

#include <stdbool.h>
#include <stdint.h>

struct bar {
	bool quiet, terminal;
	bool drawn; /* there is a line to be cleared */
	int64_t started, last;
	unsigned steps_told;
};

void bar_open(struct bar *bar, bool quiet);

/* what: "layers"; total 0: not known. */
void bar_draw(struct bar *bar, const char *what, unsigned step, unsigned steps, uint64_t bytes, uint64_t total);

/* Clears the line. */
void bar_close(struct bar *bar);

enum { BAR_SIZE_SIZE = 24 };

/* "1.5 GiB"; returns buffer. */
const char *bar_print_size(uint64_t bytes, char buffer[BAR_SIZE_SIZE]);

#endif
