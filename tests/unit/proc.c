/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/proc.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_programs_stand_beside_ours(void **state)
{
	char own[PATH_MAX], other[PATH_MAX], small[8];
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(proc_program(NULL, own, sizeof(own), &e), 0);
	assert_string_equal(strrchr(own, '/'), "/proc");
	assert_int_equal(proc_program("holm-other", other, sizeof(other), &e), 0);
	assert_string_equal(strrchr(other, '/'), "/holm-other");
	assert_memory_equal(own, other, strrchr(own, '/') + 1 - own);
	assert_int_equal(proc_program(NULL, small, sizeof(small), &e), -ENOSPC);
	assert_int_equal(e.kind, ERROR_LIMIT);
}

static void test_a_process_is_itself(void **state)
{
	uint64_t start;
	char letter;

	(void)state;
	assert_int_equal(proc_start_time(getpid(), &start, &letter), 0);
	assert_int_equal(letter, 'R');
	assert_int_equal(proc_check(getpid(), start), 0);
	assert_int_equal(proc_check(getpid(), start + 1), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_programs_stand_beside_ours),
	    cmocka_unit_test(test_a_process_is_itself),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
