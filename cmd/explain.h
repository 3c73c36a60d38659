/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of a container as a table for people: what explain prints, and launch --dry-run.
 */
#ifndef HOLM_CMD_EXPLAIN_H
#define HOLM_CMD_EXPLAIN_H

#include "runtime/container.h"

/* Appends the table to out. */
int explain_print(const struct runtime *runtime, const struct container_create *request, struct arena *arena,
		  struct str *out, struct error *e) must_check;

#endif
