/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a run ends: what is recorded of it, and what comes next.  The place is taken and the instance is locked.
 */
#ifndef HOLM_INSTANCES_RUN_END_H
#define HOLM_INSTANCES_RUN_END_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "instances/restart.h"
#include "instances/run.h"

/*
 * The payload has ended: records how (end.json, history, ledger), deletes the container, takes the last output.  ours: the
 * descriptors in shared belong to this process (it is the keeper).  What can't be recorded is said in the log.
 */
void run_finish(struct run *run, bool ours, struct instance_end *ret);

/* An attempt that did not even start is an end too, of a run of no length. */
void run_record_failure(struct run *run, const struct error *failure);

/* One that can't be deleted is said and tried again by the next start. */
void run_delete_container(struct run *run);

/* By the restart policy; status: -1: not known or not started; ran: ns. */
void run_decide(struct run *run, int status, int64_t ran, struct restart_decision *ret);

#endif
