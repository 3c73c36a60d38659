/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an instance ended, every time: the file `history` in its folder, one line of JSON per end, the latest last.  When it has
 * grown to HISTORY_SIZE its first half is dropped.
 */
#ifndef HOLM_INSTANCES_HISTORY_H
#define HOLM_INSTANCES_HISTORY_H

#include "base/error.h"
#include "instances/instance.h"

#define HISTORY_FILE "history"

enum { HISTORY_SIZE = 256 << 10 };

int history_add(const struct instance *instance, const struct instance_end *end, const struct cgroup_end *resources,
		struct error *e) must_check;

/* The latest line, malloc'd; NULL: there is none. */
char *history_last(const struct instance *instance);

#endif
