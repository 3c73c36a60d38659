/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload's standard streams, and the socket for those who attach.
 *
 * Without a terminal they are named pipes in run/: the payload's ends are open for reading, too, so whatever dies, it neither gets
 * SIGPIPE nor does what it wrote get lost while it lives; the monitor's ends are found again by their names.  With a
 * terminal the payload's streams are the pty, and `out` is a pipe of the worker's own.
 */
#ifndef HOLM_INSTANCES_RUN_STDIO_H
#define HOLM_INSTANCES_RUN_STDIO_H

#include "base/error.h"
#include "instances/run.h"

/* What the payload gets as 0, 1 and 2. */
struct run_stdio {
	int fds[3];
};

#define RUN_STDIO_INIT ((struct run_stdio){{-1, -1, -1}})
void run_stdio_release(struct run_stdio *stdio);
#define auto_run_stdio __attribute__((cleanup(run_stdio_release))) struct run_stdio

/* As shared.terminal and shared.input say; the monitor's ends are in shared.fds then. */
int run_make_stdio(struct run *run, struct run_stdio *stdio, struct error *e) must_check;

/* run/attach, listening: shared.fds[SHARED_LISTEN].  One that is there is replaced. */
int run_make_socket(struct run *run, struct error *e) must_check;

/* One of the pipes, which is there; open(2)'s flags. */
int run_open_pipe(struct run *run, const char *name, int flags, int *ret, struct error *e) must_check;

/* This process's 0, 1 and 2 become the payload's (*stdio is released), and later /dev/null: neither we nor what comes after us
   may hold what the payload alone has to hold. */
int run_enter_stdio(struct run_stdio *stdio, struct error *e) must_check;
int run_drop_stdio(struct error *e) must_check;

#endif
