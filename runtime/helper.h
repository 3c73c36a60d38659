/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running a helper program on the host and waiting for it: hooks, newuidmap, newgidmap.
 *
 * The child gets exactly the arguments and environment given, a process group of its own, default signal dispositions,
 * an empty signal mask, a file as stdin, /dev/null as stdout, a pipe as stderr, and no other descriptor.  What it
 * writes to stderr is kept (the last kilobyte) for the error.  When the time is over its process group is killed.
 */
#ifndef HOLM_RUNTIME_HELPER_H
#define HOLM_RUNTIME_HELPER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct helper {
	const char *path;	 /* absolute, of the host */
	const char *const *args; /* with args[0]; none: {path} */
	size_t n_args;
	const char *const *env;
	size_t n_env;
	const char *input; /* stdin's content, then end of file; NULL: empty */
	int cwd_fd;	   /* the folder to run in, -1: the caller's */
	uint32_t timeout;  /* seconds, 0: none */
};

/* 0 when it exited with status 0; otherwise *e says "exit status 3: last lines of stderr" (the caller adds whose). */
int helper_run(const struct helper *helper, struct error *e) must_check;

#endif
