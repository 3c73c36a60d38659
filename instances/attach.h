/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A person at an instance: what it writes on their screen, what they type into it.
 *
 * Output comes from the log, so any number of clients may watch, as slowly as they like, and none is ever waited for.  Input,
 * end of file and the window's size go to the monitor's worker over run/attach; a worker that is replaced meanwhile is
 * found again.  The caller's terminal is raw while it is attached to a terminal, and put back whatever happens.
 */
#ifndef HOLM_INSTANCES_ATTACH_H
#define HOLM_INSTANCES_ATTACH_H

#include <stdbool.h>

#include "base/error.h"
#include "instances/instance.h"

#define ATTACH_DETACH_KEYS "ctrl-p,ctrl-q"

struct attach_options {
	bool from_start; /* everything since this run began, else what comes from now on */
	bool no_input;	 /* watch only */
	bool no_signals; /* SIGINT, SIGTERM and the like end the watching; else they are passed on to its process */
	const char *detach_keys; /* "ctrl-p,ctrl-q"; NULL: these; "": none */
};

enum attach_outcome { ATTACH_ENDED, ATTACH_DETACHED };

/* Until the run of the instance that goes on now has ended (*ret_status: its exit status) or the caller detaches.  ERROR_STATE: it
   does not run. */
int instance_attach(const struct runtime *runtime, const struct instance *instance,
		    const struct attach_options *options, enum attach_outcome *ret_outcome, int *ret_status,
		    struct error *e) must_check;

/* "ctrl-p,ctrl-q", "a", "ctrl-a,d" as bytes into ret (room for 8). */
int attach_parse_keys(const char *text, char *ret, size_t *ret_n, struct error *e) must_check;

#endif
