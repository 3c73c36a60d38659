/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host can enforce, and why not the rest: the rows that `holm check` prints.  To be true it makes a cgroup of its
 * own for a moment, as a container would get it, looks which files are there, and removes it.
 */
#ifndef HOLM_CGROUPS_CHECK_H
#define HOLM_CGROUPS_CHECK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "cgroups/host.h"

struct cgroup_check {
	const char *what; /* "memory.limit" */
	bool can;
	const char *detail; /* how ("cgroup v1, memory"), or why not */
};

/* All in arena.  rootless: for a user without privileges. */
int cgroup_check_read(const struct cgroup_host *host, bool rootless, struct arena *arena, struct cgroup_check **ret,
		      size_t *ret_n, struct error *e) must_check;

#endif
