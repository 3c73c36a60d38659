/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

struct kill_options {
	bool all;
};

static const struct option rows[] = {
    OPTION(struct kill_options, all, "all", 'a', FLAG, NULL,
	   "signal every process of the container; a stopped container is no error"),
};

/* Names that sigabbrev_np(3) does not use for the number. */
static const struct {
	const char *name;
	int number;
} aliases[] = {{"IOT", SIGIOT}, {"CLD", SIGCHLD}, {"IO", SIGIO}, {"UNUSED", SIGSYS}};

/* "RTMIN+3", "RTMAX-2": image labels use them as stop signals. */
static int find_realtime(const char *name)
{
	uint64_t offset = 0;
	const char *rest = NULL;

	if (!strncasecmp(name, "RTMIN", 5))
		rest = name + 5;
	else if (!strncasecmp(name, "RTMAX", 5))
		rest = name + 5;
	if (!rest)
		return -1;
	if (*rest &&
	    (*rest != ((name[3] | 0x20) == 'i' ? '+' : '-') || parse_u64(rest + 1, 0, SIGRTMAX - SIGRTMIN, &offset)))
		return -1;
	return (name[3] | 0x20) == 'i' ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
}

/* A number, or a name in any case with or without SIG.  -1: neither. */
static int find_signal(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
	uint64_t number;

	if (!parse_u64(text, 0, SIGRTMAX, &number))
		return number;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *abbreviation = sigabbrev_np(i);

		if (abbreviation && !strcasecmp(abbreviation, name))
			return i;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcasecmp(aliases[i].name, name))
			return aliases[i].number;
	return find_realtime(name);
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
