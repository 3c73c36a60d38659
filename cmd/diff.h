/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two things that diff compares: the root with its image (cmd/diff.c), and config.json with what runs.
 */
#ifndef HOLM_CMD_DIFF_H
#define HOLM_CMD_DIFF_H

#include "cmd/verb.h"

/* all: also what is the same everywhere. */
int diff_config(struct invocation *call, const char *name, bool all, struct error *e) must_check;

#endif
