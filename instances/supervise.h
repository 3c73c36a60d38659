/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The private verb `holm supervise`: what keeper and worker of an instance leave to holm.
 */
#ifndef HOLM_INSTANCES_SUPERVISE_H
#define HOLM_INSTANCES_SUPERVISE_H

#include <stdbool.h>

#include "base/error.h"
#include "instances/instance.h"
#include "instances/ledger.h"

/*
 * Executed by the keeper: after the end, or (resume) after the wait for a restart.  Becomes the keeper again, or returns when the instance
 * stays down.  The instance is not locked.  ERROR_STATE: the caller is not its keeper.
 */
int supervise_end(const struct runtime *runtime, struct instance *instance, bool resume, struct error *e) must_check;

/* Executed by the worker: a line for the ledger; one health check, and what follows from it.  ERROR_STATE: it does not run. */
int supervise_tick(const struct runtime *runtime, const struct instance *instance, struct error *e) must_check;
int supervise_health(const struct runtime *runtime, struct instance *instance, struct error *e) must_check;

/* What the ledger has in (from, to], to 0: until now, with what a running one used since its last line. */
int supervise_account(const struct runtime *runtime, const struct instance *instance, int64_t from, int64_t to,
		      struct ledger_use *ret, struct error *e) must_check;

#endif
