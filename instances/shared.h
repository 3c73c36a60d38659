/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeper, worker and holm share about a run of an instance: run/state, mapped by the first two.
 *
 * Written by holm before the run begins, then by one process per member: the keeper writes who it and its worker are and how
 * init ended; the worker the log, readiness and input; `holm supervise --health` the health.  Others read.  It is on disk
 * only so that it has a name; boot_id tells whether it is of this boot.
 */
#ifndef HOLM_INSTANCES_SHARED_H
#define HOLM_INSTANCES_SHARED_H

#include <stdint.h>

#include "instances/ledger_place.h"
#include "instances/log.h"

#define SHARED_FILE "state"
#define SHARED_ATTACH "attach"

/* Descriptors that the keeper holds across execve, by number in shared.fds. */
enum shared_fd {
	SHARED_RUN,  /* run/ */
	SHARED_LOG,  /* log/ */
	SHARED_INIT, /* init's pidfd */
	SHARED_OUT,  /* the payload's stdout: the pipe's reading end; with a terminal a pipe of our own, both ends */
	SHARED_ERR,  /* -1 with a terminal, like the next */
	SHARED_IN,   /* the writing end of its stdin; -1: none, or closed */
	SHARED_TERMINAL, /* the pty's master; -1: none */
	SHARED_LISTEN,	 /* run/attach */
	SHARED_NOTIFY,	 /* -1: it does not say when it is ready */
	SHARED_REPORT,	 /* to who waits for that; -1: nobody */
	_SHARED_FD_N
};

enum { SHARED_VERSION = 2 };

struct shared_process {
	int32_t pid; /* 0: none */
	uint32_t zero;
	uint64_t start; /* ticks since boot; 0: not looked up */
};

struct shared {
	uint32_t version;
	uint32_t phase; /* enum monitor_phase */
	char boot_id[40];
	struct shared_process keeper, worker, init;
	int32_t fds[_SHARED_FD_N];
	int32_t state_fd; /* of this file, with the lock that says that somebody stays */
	uint32_t terminal, input, input_closed;
	uint32_t notify, ready;
	uint32_t ended;		   /* init has; how: */
	int32_t code, status;	   /* CLD_EXITED and the like; 0: not known */
	uint32_t drained;	   /* and what it wrote is in the log */
	uint32_t health, failures; /* enum monitor_health; failures in a row */
	uint32_t restarts, replaced;
	uint64_t started, next_restart; /* ns since 1970 */
	uint64_t started_clock;		/* ns of CLOCK_BOOTTIME */
	uint64_t wait;			/* ns to wait before the next start */
	uint64_t tick, health_interval; /* ns, 0: none */
	uint64_t health_limit;		/* ns that a check with all that follows from it may take */
	uint32_t again;			/* its health check wants it started anew, whatever the policy says */
	struct ledger_place ledger;
	uint64_t begin_segment, begin_data, begin_index; /* where this run's output begins in the log */
	struct log_shared log;
};

/* Messages to run/attach: one byte of these and what follows. */
enum shared_message {
	SHARED_DATA = 'i',  /* bytes for stdin or the terminal */
	SHARED_CLOSE = 'e', /* end of file on stdin */
	SHARED_SIZE = 'w',  /* struct shared_window */
	SHARED_SAY = 'n',   /* a line for the log, from another holm: the worker alone writes there */
};

struct shared_window {
	uint16_t rows, columns;
};

enum { SHARED_MESSAGE_MAX = 4096 };

#endif
