/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/output.h"
#include "cmd/verbs.h"

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct verb *verb = n ? verbs_find(operands[0]) : NULL;
	auto_str text = STR_INIT;

	(void)call, (void)options;
	if (n && (!verb || !verb->summary))
		return verbs_refuse_unknown(operands[0], e);
	if (verb)
		verb_print_help(verb, &text);
	else
		verbs_print_help(&text);
	return output_write(str_peek(&text), e);
}

const struct verb verb_help = {
    .name = "help",
    .summary = "tell about holm, or about one verb",
    .operands = "[VERB]",
    .min = 0,
    .max = VERB_ANY_OPERANDS, /* runc's looks at the first only */
    .failure = VERB_UNKNOWN,
    .run = run,
};

/* The short form that runc has. */
const struct verb verb_h = {.name = "h", .max = VERB_ANY_OPERANDS, .failure = VERB_UNKNOWN, .run = run};
