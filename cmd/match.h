/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns and labels for verbs on containers that run: those that look at many (stats, ps), and those that take one (exec, shell,
 * attach).  A plain name is taken as it is, so that what is wrong with it is said by who looks for it.
 */
#ifndef HOLM_CMD_MATCH_H
#define HOLM_CMD_MATCH_H

#include "cmd/each.h"

/* Is anything but plain names asked for? */
bool match_is_asked(const struct each_options *options, char **operands, size_t n);

/*
 * Patterns stand for the containers that run with such an id, labels for the instances that run with them; both given, for those
 * with both.  Neither, and no operand: *ret_n is 0.  Each once, in arena.  ERROR_NOT_FOUND: a pattern stands for none.
 */
int match_running(struct invocation *call, const struct each_options *options, char **operands, size_t n, char ***ret,
		  size_t *ret_n, struct error *e) must_check;

/* A name, or a pattern that stands for one container that runs; ERROR_USAGE names them when there are more. */
int match_one(struct invocation *call, const char *operand, const char **ret, struct error *e) must_check;

#endif
