/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.intelRdt: the container's group in the resctrl file system (Linux, Documentation/arch/x86/resctrl.rst).
 *
 * rdt_plan() looks and decides, without side effect, so that the record can name what will be made before it is; rdt_apply()
 * makes the groups, writes the schemata and puts the process in; rdt_remove() takes away what was made, also from a record.
 *
 * Where the OCI leaves room: a closID of "/" is the root group; a closID with a schema whose group exists must have those
 * schemata already (they are not rewritten under others); without a closID the group is named by the container's id.
 */
#ifndef HOLM_RUNTIME_RDT_H
#define HOLM_RUNTIME_RDT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/spec.h"

#define RDT_ROOT "/sys/fs/resctrl"

struct rdt {
	const char *group;    /* folder, NULL: nothing to do with resctrl */
	const char *monitor;  /* folder below the group, NULL: none */
	bool created;	      /* the group is ours to make */
	bool owned;	      /* ... and to remove: no closID was given, so nobody else knows it */
	const char *schemata; /* what is written, a line each; "" for nothing */
};

/* root: RDT_ROOT, or a folder that plays its part in a test.  Everything of *ret lives in arena. */
int rdt_plan(const struct spec_intel_rdt *spec, const char *id, const char *root, struct arena *arena, struct rdt *ret,
	     struct error *e) must_check;

/* Is resctrl mounted on RDT_ROOT?  ERROR_UNSUPPORTED otherwise. */
int rdt_check_host(struct error *e) must_check;

int rdt_apply(const struct rdt *rdt, pid_t pid, struct error *e) must_check;

/*
 * Other schemata for a group that is there (NULL: not this one), all or nothing.  *ret_old: what rdt_restore() takes, to be
 * freed by the caller.
 */
int rdt_update(const struct rdt *rdt, const char *l3_cache_schema, const char *mem_bw_schema, char **ret_old,
	       struct error *e) must_check;
void rdt_restore(const struct rdt *rdt, const char *old);

/* What is gone already is fine. */
int rdt_remove(const struct rdt *rdt, struct error *e) must_check;

#endif
