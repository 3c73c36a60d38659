/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs that take many instances: by name, pattern and label; several at a time, in their order.
 */
#ifndef HOLM_CMD_EACH_H
#define HOLM_CMD_EACH_H

#include "cmd/verb.h"
#include "instances/instance.h"

/* Rows over a struct that has a struct each_options named each. */
struct each_options {
	bool all;
	unsigned parallel; /* 0: the verb's own number */
	const char **labels;
	size_t n_labels;
};

#define EACH_LABEL(s)                                                                                                  \
	{                                                                                                              \
		.name = "label", .letter = 'l', .type = OPTION_LIST, .offset = offsetof(s, each.labels),               \
		.count = offsetof(s, each.n_labels), .metavar = "NAME[=VALUE]",                                        \
		.help = "those with this label (NAME!=VALUE: without); repeatable"                                     \
	}
#define EACH_OPTIONS(s)                                                                                                \
	OPTION(s, each.all, "all", 'a', FLAG, NULL, "all instances"), EACH_LABEL(s),                                   \
	    OPTION(s, each.parallel, "parallel", 0, COUNT, "N", "so many at a time (8)")

enum each_order {
	EACH_ALONE,	/* one by one, by name */
	EACH_ANY_ORDER, /* many at once */
	EACH_FORWARD,	/* those that others come after first; who fails takes those after it along */
	EACH_BACKWARD,	/* last those that others come after */
};

/*
 * Calls work for each instance selected; it is open, and not locked.  One instance is worked on in this process, more in children
 * (not EACH_ALONE).  All are tried; a failure is printed with its name when there are several, and summed up in *e.
 */
int each_instance(struct invocation *call, const struct each_options *options, char **patterns, size_t n_patterns,
		  enum each_order order,
		  int (*work)(struct invocation *call, struct instance *instance, const void *data, struct error *e),
		  const void *data, struct error *e) must_check;

/* Who each_instance() would work on: names in arena, sorted. */
int each_select(struct invocation *call, const struct each_options *options, char **patterns, size_t n_patterns,
		const char *const **ret, size_t *ret_n, struct error *e) must_check;

/* For verbs that take one: a name, as it is, or a pattern that stands for one instance; ERROR_USAGE names them when there are more. */
int each_one(struct invocation *call, const char *operand, const char **ret, struct error *e) must_check;

/* Says that operand stands for more than one; returns -errno. */
int each_refuse_many(const char *operand, const char *const *names, size_t n, struct error *e) must_check;

/*
 * Is that operand a container's id, and no instance's name or pattern?  Containers that are nobody's instances are an engine's, or
 * were made by create and run.
 */
bool each_is_container(struct invocation *call, const char *name);

/*
 * After a verb on a container failed: when that is an instance which does not run, the error says so, and when nothing is called so
 * what is called alike.  Returns r, or what fits the new error.
 */
int each_explain(struct invocation *call, const char *name, int r, struct error *e) must_check;

#endif
