/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which instances a verb is about: names, patterns, labels; and in which order: by holm.after.
 *
 * A pattern is the shell's: '*', '?', '[a-z]'; '*' also stands for a dot.  A label is "NAME" (it has it), "NAME=VALUE" or
 * "NAME!=VALUE"; several must all hold.
 */
#ifndef HOLM_INSTANCES_SELECT_H
#define HOLM_INSTANCES_SELECT_H

#include "instances/instance.h"

struct select_request {
	const char *const *patterns;
	size_t n_patterns;
	const char *const *labels;
	size_t n_labels;
	bool all; /* no pattern means all, also without a label */
};

struct selection {
	const char **names; /* each once, sorted */
	size_t n;
};

/*
 * A name that nobody has and a pattern that matches none are ERROR_NOT_FOUND; labels that nobody has select none.  Neither
 * pattern, label nor all is ERROR_USAGE.  Everything lives in arena.
 */
int select_instances(const struct runtime *runtime, const struct select_request *request, struct arena *arena,
		     struct selection *ret, struct error *e) must_check;

bool select_is_pattern(const char *text);
bool select_has_labels(const struct instance *instance, const char *const *labels, size_t n);

/*
 * Who comes after whom among those selected.  Each has the indices of those that it waits for.  ERROR_INVALID names a circle.
 */
struct select_order {
	size_t *after; /* malloc'd in arena */
	size_t n_after;
	int64_t delay; /* ns that those who come later wait, too */
};

int select_sort(const struct runtime *runtime, const struct selection *selection, struct arena *arena,
		struct select_order **ret, struct error *e) must_check;

#endif
