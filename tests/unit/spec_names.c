/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/names: signals as the command line takes them, and that no table contradicts itself.
 */
#include "spec/names.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int signal;
	} good[] = {{"TERM", SIGTERM},
		    {"SIGTERM", SIGTERM},
		    {"sigterm", SIGTERM},
		    {"kill", SIGKILL},
		    {"SigUsr1", SIGUSR1},
		    {"9", 9},
		    {"0", 0},
		    {"37", 37},
		    {"64", 64},
		    {"WINCH", SIGWINCH},
		    {"CLD", SIGCHLD},
		    {"IOT", SIGABRT},
		    {"RTMIN", 34},
		    {"SIGRTMIN+3", 37},
		    {"rtmax-2", 62},
		    {"stkflt", SIGSTKFLT}};
	static const char *const wrong[] = {"",		"SIG",	     "SIGFOO",	   "65",	 "-1",
					    "1:",	"0x1",	     "1\n",	   "+1",	 " 9",
					    "9 ",	"TERM ",     "SIGRTMIN-1", "RTMIN+",	 "RTMAX+1",
					    "RTMIN+31", "RTMIN+0x1", "4294967296", "4294967305", "SIGSIGTERM"};
	int signal;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(signal_parse(good[i].text, &signal), 0);
		assert_int_equal(signal, good[i].signal);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_not_equal(signal_parse(wrong[i], &signal), 0);
}

static const struct names *const tables[] = {
    &names_rlimits,
    &names_namespaces,
    &names_capabilities,
    &names_sched_policies,
    &names_sched_flags,
    &names_io_classes,
    &names_memory_policies,
    &names_memory_policy_flags,
    &names_personalities,
    &names_propagations,
    &names_device_types,
    &names_device_rule_types,
    &names_seccomp_actions,
    &names_seccomp_operators,
    &names_seccomp_architectures,
    &names_seccomp_flags,
    &names_hooks,
    &names_restart_policies,
    &names_signals,
};

static void test_tables(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t]->n; i++) {
			const struct name *name = &tables[t]->list[i];
			uint64_t value = 12345;
			const char *first;

			assert_int_equal(names_find(tables[t], name->name, &value), 0);
			assert_true(value == name->value); /* a name stands once */
			first = names_peek(tables[t], name->value);
			assert_int_equal(names_find(tables[t], first, &value), 0);
			assert_true(value == name->value);
		}
}

static void test_counts(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(names_capabilities.n, 41);
	assert_int_equal(names_rlimits.n, 16);
	assert_int_equal(names_namespaces.n, 8);
	assert_int_equal(names_seccomp_actions.n, 9);
	assert_int_equal(names_seccomp_operators.n, 7);
	assert_int_equal(names_seccomp_architectures.n, 23);
	assert_int_equal(names_memory_policies.n, 7);
	assert_int_equal(names_memory_policy_flags.n, 3);
	assert_int_equal(names_hooks.n, 6);
	for (size_t i = 0; i < names_capabilities.n; i++) /* the kernel's numbers, without a gap */
		assert_true(names_capabilities.list[i].value == i);
	assert_int_not_equal(names_find(&names_rlimits, "rlimit_cpu", &value), 0);
	assert_null(names_peek(&names_hooks, 99));
	assert_string_equal(names_closest(&names_capabilities, "CAP_SYS_ADMN"), "CAP_SYS_ADMIN");
	assert_null(names_closest(&names_capabilities, "completely different"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_tables),
	    cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
