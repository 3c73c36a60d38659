/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint and restore: engines offer them whatever the runtime can do, so they are refused in words.
 */
#include "cmd/verbs.h"

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)options, (void)operands, (void)n;
	return error_refuse(e, ERROR_UNSUPPORTED, "%s is not supported: holm does not work with CRIU",
			    call->verb->name);
}

const struct verb verb_checkpoint = {.name = "checkpoint", .max = VERB_ANY_OPERANDS, .raw = true, .run = run};
const struct verb verb_restore = {.name = "restore", .max = VERB_ANY_OPERANDS, .raw = true, .run = run};
