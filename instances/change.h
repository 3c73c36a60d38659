/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it takes to turn one config.json into another: which members differ, and when each difference takes effect.
 *
 * A table says it by path.  What it does not name needs a restart: nothing is believed to have changed that has not.
 */
#ifndef HOLM_INSTANCES_CHANGE_H
#define HOLM_INSTANCES_CHANGE_H

#include "instances/instance.h"

enum change_kind {
	CHANGE_LIVE,	/* at once: the kernel is told */
	CHANGE_NOTED,	/* at once: it is read when it is needed */
	CHANGE_RESTART, /* at the next start */
	CHANGE_REMAKE,	/* never: the root file system is another */
	_CHANGE_KIND_N
};

struct change {
	enum change_kind kind;
	const char *path;      /* "linux.resources.memory.limit" */
	const char *from, *to; /* JSON; "": absent */
};

/* "now", "needs a restart": for people. */
const char *change_kind_name(enum change_kind kind);

/* Both are texts of valid config.json files.  In arena, in the order of paths' first appearance. */
int change_compare(const char *from, const char *to, struct arena *arena, struct change **ret, size_t *ret_n,
		   struct error *e) must_check;

/* The highest kind among them; CHANGE_LIVE for none. */
enum change_kind change_highest(const struct change *changes, size_t n);

/*
 * Gives a locked instance its new config.json and does to a running one (running: its container is there) what can be done at once.
 * A failure on the way leaves config.json as it was.
 */
int change_apply(const struct runtime *runtime, struct instance *instance, const char *text,
		 const struct change *changes, size_t n, bool running, struct error *e) must_check;

/* The limits of new as a patch for what runs with old: what is gone is set back. */
struct spec_resources change_resources(const struct spec_resources *old, const struct spec_resources *new_);

#endif
