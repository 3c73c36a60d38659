/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a run begins: the container with its streams, by a process that then becomes the keeper.
 */
#ifndef HOLM_INSTANCES_RUN_BEGIN_H
#define HOLM_INSTANCES_RUN_BEGIN_H

#include "base/error.h"
#include "instances/run.h"

/*
 * Everything up to the payload's first instruction.  run->spec is there, the place is taken, and this process has no standard streams that
 * it needs any more.  network: this end of a holm-net that another process starts (netns/client.h), ended here; -1: it is started
 * here where networks are joined.  A failure leaves no container; shared.fds may hold descriptors (run_forget_descriptors()).
 */
int run_launch(struct run *run, int network, struct error *e) must_check;

/* Executes holm-monitor with shared.fds and the place; returns with an error only. */
int run_become_keeper(struct run *run, struct error *e) must_check;

#endif
