/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last values of something, as a row of bars one character high. */
#ifndef HOLM_CMD_SPARKLINE_H
#define HOLM_CMD_SPARKLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { SPARKLINE_WIDTH = 12 };

struct sparkline {
	double values[SPARKLINE_WIDTH]; /* a ring */
	size_t n;			/* how many were added, ever */
};

/* NAN is a gap. */
void sparkline_add(struct sparkline *line, double value);

/*
 * SPARKLINE_WIDTH characters, the newest at the right.  full: the value of a whole bar; NAN: the highest there is.  blocks:
 * with the eighths of a block (UTF-8), else with ASCII.
 */
void sparkline_print(const struct sparkline *line, double full, bool blocks, struct str *out);

/* Does the caller's locale have the blocks? */
bool sparkline_has_blocks(void);

#endif
