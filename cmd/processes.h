/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of processes that `ps -ef` prints, for hosts without a ps: the columns UID PID PPID C STIME TTY TIME CMD.
 */
#ifndef HOLM_CMD_PROCESSES_H
#define HOLM_CMD_PROCESSES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"

/* A process that ends meanwhile is left out. */
void processes_print(const pid_t *pids, size_t n, struct arena *arena, struct str *out);

#endif
