/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's hierarchies: per controller, where it lives and which dialect (v1 or v2) it speaks.  Found once per
 * process from /proc/self/cgroup and statfs(2) of /sys/fs/cgroup; mountinfo is not read.
 */
#ifndef HOLM_CGROUPS_HOST_H
#define HOLM_CGROUPS_HOST_H

#include "base/arena.h"
#include "base/error.h"

struct cgroup_host;

/* Lives in arena. */
int cgroup_host_find(struct arena *arena, struct cgroup_host **ret, struct error *e) must_check;

#endif
