/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The systemd driver (--systemd-cgroup): the container lives in a scope that systemd makes.
 *
 * cgroupsPath is "SLICE:PREFIX:NAME": the unit is PREFIX-NAME.scope (NAME.scope without a prefix) in SLICE
 * (system.slice, or user.slice for a user, when empty).  A NAME that ends in ".slice" is that slice itself.  Absent:
 * ":holm:ID".
 *
 * systemd is told the limits it has words for, so that a reload does not reset them; those and all others are then
 * written to the folder as without systemd.  Delegate=yes keeps systemd out of what is below; the device program is ours
 * and systemd does not touch it.  Each conversation has one deadline.
 */
#ifndef HOLM_CGROUPS_SYSTEMD_H
#define HOLM_CGROUPS_SYSTEMD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "cgroups/host.h"
#include "spec/resources.h"

struct cgroup;

struct systemd_unit {
	const char *name;  /* "holm-web.scope" */
	const char *slice; /* "system.slice" */
	const char *path;  /* below the manager's cgroup: "/system.slice/holm-web.scope" */
	bool is_slice;
};

/* Pure.  user: for the manager of a user. */
int systemd_unit_parse(const char *cgroups_path, const char *id, bool user, struct arena *arena,
		       struct systemd_unit *ret, struct error *e) must_check;

/* The cgroup of the user's manager ("/user.slice/user-1000.slice/user@1000.service"); "" for the system's. */
int systemd_find_base(bool user, struct arena *arena, const char **ret, struct error *e) must_check;

/* Starts the unit with pid in it (a slice: without).  ERROR_EXISTS when there is one of the name. */
int systemd_unit_start(const struct systemd_unit *unit, bool user, pid_t pid, const char *description,
		       const struct cgroup_host *host, const struct spec_resources *resources,
		       struct error *e) must_check;

/* Does the user's own manager hold it?  Told by its path: under rootless Podman we are root in a user namespace. */
bool systemd_is_users(const struct cgroup *cgroup);

/* The limits that systemd knows, of a unit that runs. */
int systemd_unit_set(const char *name, bool user, const struct cgroup_host *host,
		     const struct spec_resources *resources, struct error *e) must_check;

/* Stops it and waits for that.  One that is gone is fine. */
int systemd_unit_stop(const char *name, bool user, struct error *e) must_check;

/* Why the driver can't be used here; NULL: it can. */
const char *systemd_obstacle(bool user);

#endif
