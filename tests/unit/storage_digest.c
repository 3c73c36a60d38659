/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256: the standard's examples, and every way of cutting a text into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "storage/digest.h"

static void test_examples(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
	    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		digest_hex(cases[i].text, strlen(cases[i].text), hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void test_pieces(void **state)
{
	enum { SIZE = 300001 };
	static const size_t steps[] = {1, 7, 55, 56, 63, 64, 65, 127, 4096, 32768, 65536, 99999, SIZE};
	auto_free unsigned char *data = malloc(SIZE);
	char expected[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (i * 2654435761u) >> 13;
	digest_hex(data, SIZE, expected);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct digest digest;

		digest_init(&digest);
		for (size_t at = 0; at < SIZE; at += steps[i])
			digest_add(&digest, data + at, SIZE - at < steps[i] ? SIZE - at : steps[i]);
		digest_finish_hex(&digest, hex);
		assert_string_equal(hex, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_pieces)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
