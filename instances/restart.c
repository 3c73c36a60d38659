/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/restart.h"

#include <stddef.h>

#include "base/str.h"

static bool is_covered(const struct restart_case *c, const char **ret_why)
{
	*ret_why = NULL;
	if (c->wanted && c->forced)
		return true;
	if (!c->policy || str_equal(c->policy, "no"))
		*ret_why = "there is no restart policy";
	else if (!c->wanted)
		*ret_why = "it was asked to stop";
	else if (str_equal(c->policy, "on-failure") && !c->status && !c->unhealthy)
		*ret_why = "it ended well";
	return !*ret_why;
}

static int64_t wait_of(int64_t delay, uint32_t restarts)
{
	int64_t wait = delay ? delay : RESTART_DELAY, most = wait > RESTART_DELAY_MAX ? wait : RESTART_DELAY_MAX;

	while (restarts-- && wait < most)
		wait *= 2;
	return wait < most ? wait : most;
}

void restart_decide(const struct restart_case *c, struct restart_decision *ret)
{
	uint32_t so_far = c->ran >= RESTART_WELL ? 0 : c->restarts;

	*ret = (struct restart_decision){.restarts = so_far};
	if (!is_covered(c, &ret->why))
		return;
	if (c->max && so_far >= c->max && !c->forced) {
		ret->why = "it was restarted as often as the policy allows";
		return;
	}
	ret->again = true;
	ret->wait = wait_of(c->delay, so_far);
	ret->restarts = so_far + 1;
}
