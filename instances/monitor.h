/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who stays while an instance runs: holm's side of it.
 *
 * Two processes of the program holm-monitor per running instance.  The keeper is init's parent.  It does nothing but hold what
 * must outlive an accident (the ends of stdio, the terminal) and wait for its children.  The worker is its child and does all
 * that touches what the payload wrote: log, attach, readiness, timers.  A worker that is killed is replaced at once by its
 * keeper; a keeper that is killed is outlived by its worker; if both are killed, the payload lives on (its stdio are named
 * pipes that it holds open itself) and the next holm that looks at the instance puts others in their place.
 *
 *   DATA/instances/NAME/run/   0700, rebuilt by every start
 *       out, err, in           named pipes: the payload's stdio (no terminal)
 *       state                  struct monitor_shared (instances/shared.h), mapped by keeper and worker
 *       attach                 the socket (0600) for input and window size; output is read from the log
 *   DATA/instances/NAME/log/   N.log, N.index (instances/log.h)
 *   DATA/instances/NAME/history   one line of JSON per end
 *
 * Life: monitor_start() forks; the child makes stdio and container, tells the waiting caller, and becomes the keeper.  When
 * init has ended and the worker has written what was left, the keeper executes `holm supervise NAME` (instances/supervise.h): it
 * records the end, deletes the container and, by the restart policy and the desired state, starts it anew and becomes the
 * keeper again, waits first (tiny, as holm-monitor), or ends.  All under the same pid.
 *
 * What the caller does: it decides that an instance shall run or not (instance_set_up()) before it asks for it here, and
 * holds the instance's lock around monitor_start() and monitor_mend(), not around monitor_wait(): `supervise` takes it.
 */
#ifndef HOLM_INSTANCES_MONITOR_H
#define HOLM_INSTANCES_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "instances/instance.h"
#include "instances/phase.h"

struct monitor_state {
	enum monitor_phase phase;
	pid_t keeper, worker; /* 0: not there */
	bool terminal, input; /* what it has */
	bool ready;	      /* it said so, or doesn't say */
	enum monitor_health health;
	uint32_t restarts;    /* by the policy, since somebody started it */
	uint32_t replaced;    /* how often a killed keeper or worker was replaced */
	int64_t started;      /* ns since 1970 */
	int64_t next_restart; /* MONITOR_WAITING: ns since 1970, else 0 */
	uint64_t dropped;     /* bytes of output for which the disk had no room */
};

/* "healthy", ...; NULL for NONE. */
const char *monitor_health_name(enum monitor_health health);

/*
 * Starts the instance: returns when its payload runs, and with holm.notify when it is ready; or with the reason why it does
 * not.  Storage and networks come with the container (its config.json says so).  What is left of an earlier run (a container
 * that has ended and was not deleted) is recorded and deleted first.  known: its config.json, by who has read it already, which is
 * taken; NULL: it is read.  ERROR_STATE: it runs.
 */
int monitor_start(const struct runtime *runtime, const struct instance *instance, struct spec *known,
		  struct error *e) must_check;

/* What is known of it; never fails: nobody there is MONITOR_NONE. */
void monitor_look(const struct instance *instance, struct monitor_state *ret);

/*
 * Puts right what accidents left: the payload runs and nobody stays: others are put in their place; the payload ended with nobody
 * there: its end is recorded, the container deleted (the restart policy applies, unless the host went down: then who ran is for the
 * boot to start).  *ret_what: what was done, for people
 * ("its monitor was killed; another is in its place"), static; NULL: nothing was wrong.  Cheap when nothing is.
 */
int monitor_mend(const struct runtime *runtime, const struct instance *instance, const char **ret_what,
		 struct error *e) must_check;

/*
 * Waits until nobody stays: the payload has ended (the caller made it), its end is recorded, the container deleted.  One that
 * waits for a restart is ended.  timeout: ns, -1: no end.  ERROR_LIMIT: it is still there.  With a desired state of
 * "up" and a restart policy this may be never.
 */
int monitor_wait(const struct runtime *runtime, const struct instance *instance, int64_t timeout,
		 struct error *e) must_check;

#endif
