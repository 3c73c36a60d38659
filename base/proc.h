/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes of the host.  A process that must still be the same later is named by pid, start time and boot id.
 */
#ifndef HOLM_BASE_PROC_H
#define HOLM_BASE_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The start time in clock ticks since boot (/proc/PID/stat, field 22) and the state letter (field 3; may be NULL). */
int proc_start_time(pid_t pid, uint64_t *ret_start, char *ret_state) must_check;

/* A pidfd for pid if it still is the process that started at start; -ESRCH if it is gone, a zombie, or another. */
int proc_open(pid_t pid, uint64_t start, int *ret_pidfd) must_check;

/* The same without the pidfd: what is true at this moment only. */
int proc_check(pid_t pid, uint64_t start) must_check;

/*
 * The path of a program of ours: beside our own executable, never from $PATH, which is the caller's.  NULL: our own
 * executable; where that was replaced since we were started, what stands in its place now.
 */
int proc_program(const char *name, char *buffer, size_t size, struct error *e) must_check;

#define BOOT_ID_SIZE 37

/* /proc/sys/kernel/random/boot_id, without the newline. */
int proc_boot_id(char ret_id[BOOT_ID_SIZE]) must_check;

#endif
