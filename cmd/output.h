/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard output.
 */
#ifndef HOLM_CMD_OUTPUT_H
#define HOLM_CMD_OUTPUT_H

#include "base/error.h"

/* Writes all of it, or fails (a full disk behind standard output is an error like any other). */
int output_write(const char *text, struct error *e) must_check;

#endif
