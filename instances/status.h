/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instance does now: derived from the container's record, the monitor and the last end, never stored.  And what verbs do
 * to it, so that all of them do it alike.
 */
#ifndef HOLM_INSTANCES_STATUS_H
#define HOLM_INSTANCES_STATUS_H

#include "instances/instance.h"
#include "instances/monitor.h"

enum instance_status {
	INSTANCE_STOPPED,  /* it was never started, or somebody stopped it, or it ended well */
	INSTANCE_FAILED,   /* it ended by itself, and not well */
	INSTANCE_STARTING, /* being created, or not ready yet */
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,
	INSTANCE_RESTARTING, /* it has ended, and the restart policy waits or is at work */
	_INSTANCE_STATUS_N
};

const char *instance_status_name(enum instance_status status);

struct instance_state {
	enum instance_status status;
	bool has_container;
	struct container_state container; /* if it has one; strings in the arena given */
	struct monitor_state monitor;
	bool has_end;
	struct instance_end end; /* the last one */
};

/*
 * Looks, and puts right what an accident left (a killed monitor): that is said as a warning.  A container of that name with another
 * bundle is not this instance's.
 */
int instance_look(const struct runtime *runtime, const struct instance *instance, struct arena *arena,
		  struct instance_state *ret, struct error *e) must_check;

/* Does anything of it run, or will without being asked? */
bool instance_is_active(const struct instance_state *state);

/* Wants it up and starts it; ERROR_STATE: it runs.  Takes the lock for that. */
int instance_start(const struct runtime *runtime, struct instance *instance, struct error *e) must_check;

struct instance_stop {
	int signal;	 /* 0: config.json's, or what its init understands */
	int64_t timeout; /* ns until it is killed; -1: config.json's; 0: at once */
	bool hold;	 /* it stays wanted: the next `start --all`, or boot, starts it */
};

/*
 * What init understands: the signal that is meant, or one of those that mean the same; 0: none, and asking would be in vain: the
 * kernel spares the first process of a pid namespace what it has no handler for.
 */
int instance_find_signal(const struct spec *spec, pid_t pid, int signal);

/*
 * Wants it down: the signal, then the grace, then its whole cgroup is killed; returns when its end is recorded.  One that is down
 * is no error.
 */
int instance_stop(const struct runtime *runtime, struct instance *instance, const struct instance_stop *stop,
		  struct error *e) must_check;

#endif
