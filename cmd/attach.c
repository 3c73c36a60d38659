/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/attach.h"
#include "base/fd.h"
#include "cmd/match.h"
#include "cmd/verbs.h"

static const struct option rows[] = {
    OPTION(struct attach_options, no_input, "no-stdin", 0, FLAG, NULL, "watch only"),
    OPTION(struct attach_options, no_signals, "no-signals", 0, FLAG, NULL,
	   "signals end this command instead of being passed on to the instance"),
    OPTION(struct attach_options, detach_keys, "detach-keys", 0, STRING, "KEYS",
	   "what ends this command and not the instance (ctrl-p,ctrl-q)"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_instance instance = INSTANCE_INIT;
	enum attach_outcome outcome;
	const char *name;
	int r = match_one(call, operands[0], &name, e);

	(void)n;
	if (!r)
		r = instance_open(&call->runtime, name, &instance, e);
	if (!r)
		r = instance_attach(&call->runtime, &instance, options, &outcome, &call->status, e);
	return r;
}

const struct verb verb_attach = {
    .name = "attach",
    .summary = "connect the terminal to a running instance",
    .operands = "NAME",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct attach_options, rows),
    .text = "What it writes from now on is shown ('holm logs' shows what was before); what is typed goes to it, if it\n"
	    "has a terminal or an open standard input (-t, -i).  NAME may be a pattern that stands for one.\n"
	    "Any number of clients may be attached.\n"
	    "The exit status is that of the instance's process, 0 after the detach keys.",
    .run = run,
};
