/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a container's folders are.
 *
 *   cgroupsPath absolute      below each hierarchy's mount point
 *   relative                  below the base
 *   absent                    "holm-ID" below the base ("holm.slice/ID" under systemd)
 *
 * The base is chosen per hierarchy.  v1: the caller's own cgroup (v1 lets processes and folders stand side by side). v2
 * knows no processes beside controllers, so there it is
 *   - "/holm.slice" where systemd runs and we are root (then "ID" without "holm" before it): systemd leaves folders
 * alone that are no unit's, and can't switch a controller off that a folder below uses
 *   - else the parent of the caller's own cgroup, if the caller may make folders there, as runc and crun do
 *   - else the caller's own cgroup.
 * ".." is cleaned away and never leads above the mount point or the base.
 */
#ifndef HOLM_CGROUPS_PATH_H
#define HOLM_CGROUPS_PATH_H

#include "base/arena.h"
#include "cgroups/cgroup.h"
#include "cgroups/host.h"

#define SYSTEMD_RUNS "/run/systemd/system" /* sd_booted(3) */

/* The folder of this controller (_CGROUP_CONTROLLER_N: of cgroup2); NULL: the cgroup has none. */
const char *cgroup_find_path(const struct cgroup *cgroup, enum cgroup_controller controller);

/* The folder in the v1 hierarchy of this controller, NULL: none. */
const char *cgroup_find_v1(const struct cgroup *cgroup, enum cgroup_controller controller);

/* The v2 folder, NULL: none. */
const char *cgroup_find_v2(const struct cgroup *cgroup);

/* "/a/./b//../c" -> "/a/c"; "/" for what is empty after that.  Always absolute. */
const char *cgroup_path_clean(struct arena *arena, const char *path);

/*
 * The folder in h for this request, and in ret_base the part of it that must be there already (the mount point or the
 * base): all between may be made.  Both absolute on the host.
 */
int cgroup_path_choose(const struct cgroup_hierarchy *h, const struct cgroup_request *request, struct arena *arena,
		       const char **ret_path, const char **ret_base, struct error *e) must_check;

#endif
