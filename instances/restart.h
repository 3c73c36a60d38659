/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restart policy: whether an instance that has ended is started anew, and when.  A pure function.
 */
#ifndef HOLM_INSTANCES_RESTART_H
#define HOLM_INSTANCES_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_DELAY INT64_C(100000000)       /* ns: the first wait; each one is twice the one before ... */
#define RESTART_DELAY_MAX INT64_C(60000000000) /* ... up to this */
#define RESTART_WELL INT64_C(10000000000)      /* who ran that long ran well: counting begins anew */

struct restart_case {
	const char *policy; /* holm.restart.policy; NULL: "no" */
	uint32_t max;	    /* in a row; 0: any number */
	int64_t delay;	    /* ns, 0: RESTART_DELAY */
	bool wanted;	    /* the desired state is up */
	bool unhealthy;	    /* its health check ended it */
	bool forced;	    /* and wants it started anew, whatever the policy says */
	int status;	    /* exit status, 128+n for a signal, -1: not known or it could not be started */
	int64_t ran;	    /* ns */
	uint32_t restarts;  /* so far, in a row */
};

struct restart_decision {
	bool again;
	int64_t wait;	   /* ns */
	uint32_t restarts; /* with this one */
	const char *why;   /* it is not started again: for people, static */
};

void restart_decide(const struct restart_case *what, struct restart_decision *ret);

#endif
