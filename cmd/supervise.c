/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"
#include "instances/supervise.h"

struct supervise {
	bool resume, tick, health;
};

static const struct option rows[] = {
    OPTION(struct supervise, resume, "resume", 0, FLAG, NULL, NULL),
    OPTION(struct supervise, tick, "tick", 0, FLAG, NULL, NULL),
    OPTION(struct supervise, health, "health", 0, FLAG, NULL, NULL),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct supervise *asked = options;
	auto_instance instance = INSTANCE_INIT;
	int r = instance_open(&call->runtime, operands[0], &instance, e);

	(void)n;
	if (r)
		return r;
	if (asked->tick)
		return supervise_tick(&call->runtime, &instance, e);
	if (asked->health)
		return supervise_health(&call->runtime, &instance, e);
	return supervise_end(&call->runtime, &instance, asked->resume, e);
}

/* Private: what holm-monitor executes. */
const struct verb verb_supervise = {
    .name = "supervise",
    .operands = "NAME",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct supervise, rows),
    .run = run,
};
