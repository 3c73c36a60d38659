/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/verbs.h"

#include <signal.h>

#include "instances/select.h"
#include "spec/names.h"

struct kill_options {
	bool all;
};

static const struct option rows[] = {
    OPTION(struct kill_options, all, "all", 'a', FLAG, NULL,
	   "signal every process of the container; a stopped container is no error"),
};

struct signalling {
	int number;
	bool all;
};

static int signal_one(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	const struct signalling *s = data;

	return container_kill(&call->runtime, i->name, s->number, s->all, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct kill_options *o = options;
	int number = SIGTERM;

	if (n > 1 && signal_parse(operands[1], &number))
		return error_refuse(e, ERROR_USAGE,
				    "unknown signal '%s': it takes a name such as TERM or SIGTERM, or 0 to %d",
				    operands[1], SIGRTMAX);
	if (select_is_pattern(operands[0])) {
		const struct signalling s = {.number = number, .all = o->all};

		return each_instance(call, &(const struct each_options){0}, operands, 1, EACH_ANY_ORDER, signal_one, &s,
				     e);
	}
	return container_kill(&call->runtime, operands[0], number, o->all, e);
}

const struct verb verb_kill = {
    .name = "kill",
    .summary = "send a signal to a container's first process",
    .operands = "ID [SIGNAL]",
    .min = 1,
    .max = 2,
    .order = OPTION_ORDER_FIRST,
    VERB_OPTIONS(struct kill_options, rows),
    .text = "SIGNAL is a number or a name, with or without SIG, in any case; TERM when there is none.\n"
	    "ID may be a pattern that stands for instances.",
    .run = run,
};
