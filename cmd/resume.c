/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/select.h"

struct resume_options {
	struct each_options each;
};

static const struct option rows[] = {EACH_OPTIONS(struct resume_options)};

static int resume(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	(void)data;
	return container_resume(&call->runtime, i->name, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct resume_options *o = options;

	if (n == 1 && !select_is_pattern(operands[0]))
		return each_explain(call, operands[0], container_resume(&call->runtime, operands[0], e), e);
	if (!n && !o->each.all && !o->each.n_labels)
		return verb_refuse_none(call->verb, "exactly", e);
	return each_instance(call, &o->each, operands, n, EACH_ANY_ORDER, resume, NULL, e);
}

const struct verb verb_resume = {
    .name = "resume",
    .summary = "let a paused container go on",
    .operands = "ID|NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct resume_options, rows),
    .run = run,
};
