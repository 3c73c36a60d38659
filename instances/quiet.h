/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A moment in which an instance does not write: it does not run, or it is frozen.
 *
 * Who freezes something must thaw it, also when killed meanwhile: a child in a session of its own waits for that and does it.
 */
#ifndef HOLM_INSTANCES_QUIET_H
#define HOLM_INSTANCES_QUIET_H

#include <stdbool.h>
#include <sys/types.h>

#include "instances/instance.h"
#include "storage/copy.h"
#include "storage/store.h"

struct quiet {
	const struct runtime *runtime;
	const char *name;
	bool runs;   /* its root is mounted: upper must not be exchanged */
	pid_t pid;   /* of its init, while it runs */
	pid_t guard; /* 0: it was not running, or frozen before */
	int alive;   /* the guard sees our end when this closes; -1 */
};

#define QUIET_INIT ((struct quiet){.alive = -1})

/*
 * What every verb on an instance's root begins with: the instance, locked, and the store.  ERROR_UNSUPPORTED: its root is a folder that
 * holm does not keep.
 */
int quiet_open(const struct runtime *runtime, const char *name, struct instance *ret, struct store *ret_store,
	       struct error *e) must_check;

/* Whether it runs, without freezing it.  The lock is held, so that it does not start meanwhile. */
int quiet_look(const struct runtime *runtime, const struct instance *instance, struct quiet *ret,
	       struct error *e) must_check;

/* It goes on.  Nothing to do is no error. */
int quiet_end(struct quiet *quiet, struct error *e) must_check;

/* What quiet_look() looked at, as who is stopped while a copy of its files is made; quiet is borrowed. */
struct copy_pause quiet_pause(struct quiet *quiet);

#endif
