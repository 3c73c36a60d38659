/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arena's promises: zeroed whatever malloc hands out, aligned, texts whole wherever a block ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

static void test_zeroed(void **state)
{
	auto_arena arena = ARENA_INIT;

	(void)state;
	for (int i = 1; i < 300; i++) {
		char *p = arena_alloc(&arena, i);

		assert_true((uintptr_t)p % 16 == 0);
		for (int k = 0; k < i; k++)
			assert_int_equal(p[k], 0);
		memset(p, 'x', i);
	}
}

/* Every distance to the end of a block, with texts that fit, fit just so, and don't. */
static void test_format_at_the_end(void **state)
{
	(void)state;
	for (size_t filled = 0; filled < 200; filled += 16)
		for (int length = 0; length < 200; length++) {
			auto_arena arena = ARENA_INIT;
			const char *before, *text;

			arena_alloc(&arena, 16 * 1024 - 200 + 8 - filled);
			before = arena_strdup(&arena, "before");
			text = arena_format(&arena, "%0*d", length, 0);
			assert_int_equal(strlen(text), length ? length : 1);
			assert_int_equal(strspn(text, "0"), strlen(text));
			memset(arena_alloc(&arena, 16), 'y', 16);
			assert_int_equal(strspn(text, "0"), strlen(text));
			assert_string_equal(before, "before");
		}
}

static void test_large(void **state)
{
	auto_arena arena = ARENA_INIT;
	char *p = arena_alloc(&arena, 100000), *text = arena_format(&arena, "%050000d", 0);

	(void)state;
	assert_int_equal(p[99999], 0);
	assert_int_equal(strlen(text), 50000);
	assert_null(arena_strdup(&arena, NULL));
	assert_memory_equal(arena_memdup(&arena, "ab\0c", 5), "ab\0c", 5);
}

static void test_join(void **state)
{
	auto_arena arena = ARENA_INIT;
	char digits[DECIMAL_SIZE];

	(void)state;
	assert_string_equal(arena_join(&arena, NULL), "");
	assert_string_equal(arena_join(&arena, "a", "", "bc", NULL), "abc");
	assert_string_equal(arena_join(&arena, "list[", str_decimal(10, digits), "]", NULL), "list[10]");
	assert_string_equal(str_decimal(0, digits), "0");
	assert_string_equal(str_decimal(UINT64_MAX, digits), "18446744073709551615");
}

static void test_grow(void **state)
{
	auto_arena arena = ARENA_INIT;
	size_t n = 0, room = 0;
	int *list = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		list = arena_grow(&arena, list, n, &room, sizeof(*list));
		assert_true(n < room);
		list[n++] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(list[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zeroed), cmocka_unit_test(test_format_at_the_end),
	    cmocka_unit_test(test_large),  cmocka_unit_test(test_join),
	    cmocka_unit_test(test_grow),
	};

	mallopt(M_PERTURB, 0xa5);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
