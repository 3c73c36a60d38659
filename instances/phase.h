/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The phases of an instance's run, and its health, as holm and holm-monitor write them.
 */
#ifndef HOLM_INSTANCES_PHASE_H
#define HOLM_INSTANCES_PHASE_H

enum monitor_phase {
	MONITOR_NONE,	 /* nobody stays: it does not run, or whoever stayed was killed */
	MONITOR_RUNNING, /* the payload runs */
	MONITOR_ENDING,	 /* it has ended, that is being recorded; or it is being started anew */
	MONITOR_WAITING, /* for the time of the next restart */
};

enum monitor_health {
	MONITOR_HEALTH_NONE, /* no check */
	MONITOR_HEALTH_STARTING,
	MONITOR_HEALTH_GOOD,
	MONITOR_HEALTH_BAD,
};

#endif
