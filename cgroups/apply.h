/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single steps of a plan, for those who do them (create.c and update.c). */
#ifndef HOLM_CGROUPS_APPLY_H
#define HOLM_CGROUPS_APPLY_H

#include "cgroups/cgroup.h"

/* The controllers ("+cpu +io") for a folder that exists: enables them above it as far up as they are missing. */
int cgroup_apply_enable_above(const char *folder, const char *value, const char *cause, struct error *e) must_check;

/* CGROUP_INHERIT */
int cgroup_apply_inherit(const char *folder, struct error *e) must_check;

/* After EINVAL for this file: where it is the realtime runtime, the folders above are made to give it.  Then try again. */
void cgroup_apply_realtime(const char *path, const char *value);

/* The text for a CGROUP_WRITE that the kernel answered with r (-errno). */
int cgroup_apply_refusal(const struct cgroup_step *step, int r, struct error *e);

/*
 * Does got, as the kernel writes it, say what wanted asked for?  "-1", "max" and the largest number are one; numbers
 * may be rounded down to a (huge) page; lists and keyed lines have no one spelling and count as the same.
 */
bool cgroup_apply_same(const char *wanted, const char *got);

#endif
