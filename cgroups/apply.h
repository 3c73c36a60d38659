/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single steps of a plan, for those who do them (create.c and update.c). */
#ifndef HOLM_CGROUPS_APPLY_H
#define HOLM_CGROUPS_APPLY_H

#include "cgroups/cgroup.h"

/* CGROUP_ENABLE: what is enabled already costs one read. */
int cgroup_apply_enable(const struct cgroup_step *step, struct error *e) must_check;

/* CGROUP_INHERIT */
int cgroup_apply_inherit(const char *folder, struct error *e) must_check;

/* CGROUP_CHOWN */
int cgroup_apply_chown(const char *folder, uid_t uid, struct error *e) must_check;

/* The text for a CGROUP_WRITE that the kernel answered with r (-errno). */
int cgroup_apply_refusal(const struct cgroup_step *step, int r, struct error *e);

/* Did the kernel do what was written? */
int cgroup_apply_read_back(const struct cgroup_step *step, struct error *e) must_check;

#endif
