/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `holm apply`, `up` and `down` read: a JSON file with one or many instances.
 *
 *	{"instances": {"web": {"image": "web:1", "memory": "512M", "publish": ["8080:80"], "env": {"MODE": "fast"},
 *	                       "command": ["/bin/web", "-v"], "after": ["db"]}, "db": {...}}}
 *
 * or one instance alone: {"name": "web", "image": ...}.  The keys are launch's options; lists stand for what is repeatable, objects for
 * KEY=VALUE, "image" and "command" for its operands.
 */
#ifndef HOLM_CMD_MANIFEST_H
#define HOLM_CMD_MANIFEST_H

#include "cmd/verb.h"
#include "instances/config.h"

struct manifest {
	struct config_options *instances; /* with names; in the order of the file */
	size_t n;
};

/* path "-": standard input.  Errors name the file and the instance.  Everything lives in arena. */
int manifest_load(const struct runtime *runtime, const char *path, struct arena *arena, struct manifest *ret,
		  struct error *e) must_check;

struct manifest_apply {
	bool pretend;  /* only say what would be done */
	bool start;    /* also those that are there and do not run */
	bool restart;  /* restart those that need it */
	bool recreate; /* remove and make anew those whose root is to be another */
};

/* The rows of a verb that applies. */
#define MANIFEST_OPTIONS                                                                                               \
	OPTION(struct manifest_apply, pretend, "dry-run", 0, FLAG, NULL, "only say what would be done"),               \
	    OPTION(struct manifest_apply, restart, "restart", 0, FLAG, NULL,                                           \
		   "restart what needs it, one after the other"),                                                      \
	    OPTION(struct manifest_apply, recreate, "recreate", 0, FLAG, NULL,                                         \
		   "make anew what is to have another root; what it wrote is lost")

/* Makes and changes; prints a line for each thing done or left to do; then starts what is to run, in order. */
int manifest_apply(struct invocation *call, const struct manifest *manifest, const struct manifest_apply *how,
		   struct error *e) must_check;

#endif
