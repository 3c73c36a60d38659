/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One health check: the command of holm.health.command in the instance, for at most holm.health.timeout.
 */
#ifndef HOLM_INSTANCES_HEALTH_H
#define HOLM_INSTANCES_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "instances/instance.h"

enum { HEALTH_WORDS = 256 };

#define HEALTH_TIMEOUT INT64_C(30000000000) /* ns, where holm.health.timeout is not given */

struct health_result {
	bool good;
	char why[HEALTH_WORDS]; /* for people, when it is not: "exit status 1: connection refused" */
};

/*
 * Runs it and waits; the process must have no other children.  What it writes is read and kept (the last line) for the reason.  When
 * the time is over it is killed.  A failure of holm's own is a bad result, too: who can't be asked is not well.
 */
void health_check(const struct runtime *runtime, const struct instance *instance, const struct spec_holm *holm,
		  int64_t timeout, struct health_result *ret);

#endif
