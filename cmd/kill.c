/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/match.h"
#include "cmd/verbs.h"

#include <signal.h>

#include "spec/names.h"

struct kill_options {
	bool all;
	struct each_options each;
};

static const struct option rows[] = {
    OPTION(struct kill_options, all, "all", 'a', FLAG, NULL,
	   "signal every process of the container; a stopped container is no error"),
    EACH_LABEL(struct kill_options),
};

/* All are tried; the first failure is told. */
static int signal_all(struct invocation *call, char **ids, size_t n, int number, bool all, struct error *e)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		struct error ignored;
		int r = container_kill(&call->runtime, ids[i], number, all, first ? &ignored : e);

		first = first ?: r;
	}
	return first;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct kill_options *o = options;
	size_t n_names = o->each.n_labels && n < 2 ? 0 : 1; /* with labels the one operand is the signal */
	int r, number = SIGTERM;
	char **ids;

	if (!n && !o->each.n_labels)
		return verb_refuse_none(call->verb, "a minimum of", e);
	if (n > n_names && *operands[n_names] &&
	    signal_parse(operands[n_names], &number)) /* "" is TERM, as runc has it */
		return error_refuse(e, ERROR_USAGE,
				    "unknown signal '%s': it takes a name such as TERM or SIGTERM, or 0 to %d",
				    operands[n_names], SIGRTMAX);
	r = match_running(call, &o->each, operands, n_names, &ids, &n, e);
	if (!r)
		r = signal_all(call, ids, n, number, o->all, e);
	return n_names ? each_explain(call, operands[0], r, e) : r;
}

const struct verb verb_kill = {
    .name = "kill",
    .summary = "send a signal to a container's first process",
    .operands = "ID [SIGNAL] | --label NAME[=VALUE] [SIGNAL]",
    .min = 0,
    .max = 2,
    VERB_OPTIONS(struct kill_options, rows),
    .text = "SIGNAL is a number or a name, with or without SIG, in any case; TERM when there is none.\n"
	    "ID may be a pattern for those that run; with --label it may be left out.",
    .run = run,
};
