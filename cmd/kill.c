/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

#include <signal.h>
#include <strings.h>

#include "spec/names.h"

struct kill_options {
	bool all;
};

static const struct option rows[] = {
    OPTION(struct kill_options, all, "all", 'a', FLAG, NULL,
	   "signal every process of the container; a stopped container is no error"),
};

/* "RTMIN+3", "RTMAX-2": image labels use them as stop signals. */
static int find_realtime(const char *name)
{
	bool up = !strncasecmp(name, "RTMIN", 5);
	const char *rest = name + 5;
	uint64_t offset = 0;

	if (!up && strncasecmp(name, "RTMAX", 5))
		return -1;
	if (*rest && (*rest != (up ? '+' : '-') || parse_u64(rest + 1, 0, SIGRTMAX - SIGRTMIN, &offset)))
		return -1;
	return up ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
}

/* A number, or a name in any case with or without SIG.  -1: neither. */
static int find_signal(const char *text)
{
	int number;

	if (!signal_parse(text, &number))
		return number;
	return find_realtime(strncasecmp(text, "SIG", 3) ? text : text + 3);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct kill_options *o = options;
	int number = n > 1 ? find_signal(operands[1]) : SIGTERM;

	if (number < 0)
		return error_refuse(e, ERROR_USAGE,
				    "unknown signal '%s': it takes a name such as TERM or SIGTERM, or 0 to %d",
				    operands[1], SIGRTMAX);
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
    .text = "SIGNAL is a number or a name, with or without SIG, in any case; TERM when there is none.",
    .run = run,
};
