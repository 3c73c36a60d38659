/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What instances were promised, against what the host has.
 *
 * Promised memory and processors are the limits of the instances that are wanted; promised disk is the size of the roots of all.
 * Who has no limit was promised nothing and can take everything: such are counted apart.  Refusing a start that would
 * promise too much is opt-in: DATA/overcommit.json says how many percent of the host may be promised.
 */
#ifndef HOLM_INSTANCES_OVERCOMMIT_H
#define HOLM_INSTANCES_OVERCOMMIT_H

#include "base/error.h"
#include "instances/instance.h"

enum overcommit_resource { OVERCOMMIT_MEMORY, OVERCOMMIT_CPUS, OVERCOMMIT_DISK, _OVERCOMMIT_N };

extern const char *const overcommit_names[_OVERCOMMIT_N]; /* "memory", "cpus", "disk" */

struct overcommit {
	double host[_OVERCOMMIT_N], promised[_OVERCOMMIT_N];	 /* bytes; processors */
	size_t limited[_OVERCOMMIT_N], unlimited[_OVERCOMMIT_N]; /* instances */
	unsigned percent[_OVERCOMMIT_N];			 /* of the host that may be promised; 0: any */
};

/* starting: counts as wanted; NULL: nobody. */
int overcommit_read(const struct runtime *runtime, const struct instance *starting, struct overcommit *ret,
		    struct error *e) must_check;

/* ERROR_LIMIT: the host was not told to promise that much.  Costs one look at a file where nothing is refused. */
int overcommit_check(const struct runtime *runtime, const struct instance *starting, struct error *e) must_check;

/* Percentages for DATA/overcommit.json; all 0 removes it. */
int overcommit_save(const struct runtime *runtime, const unsigned percent[_OVERCOMMIT_N], struct error *e) must_check;

#endif
