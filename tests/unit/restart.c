/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The restart policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "instances/restart.h"

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

static const struct {
	struct restart_case c;
	struct restart_decision want;
} cases[] = {
    {{.policy = NULL, .wanted = true, .status = 1}, {false, 0, 0, "there is no restart policy"}},
    {{.policy = "no", .wanted = true, .status = 1}, {false, 0, 0, "there is no restart policy"}},
    {{.policy = "always", .wanted = false}, {false, 0, 0, "it was asked to stop"}},
    {{.policy = "always", .wanted = true}, {true, 100 * MS, 1, NULL}},
    {{.policy = "unless-stopped", .wanted = true}, {true, 100 * MS, 1, NULL}},
    {{.policy = "on-failure", .wanted = true, .status = 0}, {false, 0, 0, "it ended well"}},
    {{.policy = "on-failure", .wanted = true, .status = 137}, {true, 100 * MS, 1, NULL}},
    {{.policy = "on-failure", .wanted = true, .status = -1}, {true, 100 * MS, 1, NULL}},
    {{.policy = "on-failure", .wanted = true, .status = 0, .unhealthy = true}, {true, 100 * MS, 1, NULL}},
    {{.policy = NULL, .wanted = true, .status = 137, .unhealthy = true, .forced = true}, {true, 100 * MS, 1, NULL}},
    {{.policy = NULL, .wanted = false, .forced = true}, {false, 0, 0, "there is no restart policy"}},
    /* the wait doubles up to a minute */
    {{.policy = "always", .wanted = true, .restarts = 3}, {true, 800 * MS, 4, NULL}},
    {{.policy = "always", .wanted = true, .restarts = 9}, {true, 51200 * MS, 10, NULL}},
    {{.policy = "always", .wanted = true, .restarts = 10}, {true, 60 * S, 11, NULL}},
    {{.policy = "always", .wanted = true, .restarts = UINT32_MAX - 1}, {true, 60 * S, UINT32_MAX, NULL}},
    {{.policy = "always", .wanted = true, .delay = 2 * S, .restarts = 1}, {true, 4 * S, 2, NULL}},
    {{.policy = "always", .wanted = true, .delay = 300 * S, .restarts = 5}, {true, 300 * S, 6, NULL}},
    /* as often as allowed, in a row; who ran well begins anew */
    {{.policy = "on-failure", .wanted = true, .status = 1, .max = 3, .restarts = 2}, {true, 400 * MS, 3, NULL}},
    {{.policy = "on-failure", .wanted = true, .status = 1, .max = 3, .restarts = 3},
     {false, 0, 3, "it was restarted as often as the policy allows"}},
    {{.policy = "on-failure", .wanted = true, .status = 1, .max = 3, .restarts = 3, .ran = 10 * S},
     {true, 100 * MS, 1, NULL}},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct restart_decision got;

		restart_decide(&cases[i].c, &got);
		if (got.again != cases[i].want.again || got.wait != cases[i].want.wait ||
		    got.restarts != cases[i].want.restarts || !str_equal(got.why, cases[i].want.why))
			fail_msg("case %zu: again %d, wait %lld, restarts %u, %s", i, got.again, (long long)got.wait,
				 got.restarts, got.why ? got.why : "-");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
