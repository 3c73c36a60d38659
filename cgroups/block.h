/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who acts on weights of block I/O: a disk whose scheduler is BFQ, or one for which io.cost is switched on (in io.cost.qos of
 * cgroup v2's root).  The control files exist without either, and then hold a number that nobody looks at.
 */
#ifndef HOLM_CGROUPS_BLOCK_H
#define HOLM_CGROUPS_BLOCK_H

#include <stdbool.h>

#include "base/error.h"
#include "cgroups/host.h"
#include "spec/resources.h"

/* Does any disk use BFQ? */
bool block_has_bfq(void);

/* Is io.cost switched on for any disk?  Where that can't be seen (a cgroup namespace) the answer is yes. */
bool block_has_cost(const struct cgroup_host *host);

/* Refuses weights, in unified too, on which nothing here would act. */
int block_check_weights(const struct cgroup_host *host, const struct spec_resources *resources,
			struct error *e) must_check;

#endif
