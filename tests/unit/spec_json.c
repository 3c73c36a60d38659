/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/json and spec/parse: shapes of the output, exact numbers, reading of records.
 */
#include "spec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *write_sample(int indent)
{
	struct json_writer w = json_writer_init(indent);

	json_open_object(&w, NULL);
	json_put_string(&w, "s", "a\"\\/\n\t\x01\x7f\xc3\xa9");
	json_put_int(&w, "i", INT64_MIN);
	json_put_uint(&w, "u", UINT64_MAX);
	json_put_bool(&w, "b", true);
	json_put_null(&w, "n");
	json_put_string(&w, "z", NULL);
	json_put_raw(&w, "r", "[1]");
	json_open_array(&w, "e");
	json_close(&w);
	json_open_object(&w, "o");
	json_close(&w);
	json_open_array(&w, "l");
	json_put_int(&w, NULL, 1);
	json_open_object(&w, NULL);
	json_put_int(&w, "x", -1);
	json_close(&w);
	json_close(&w);
	json_close(&w);
	return json_finish(&w);
}

static void test_shapes(void **state)
{
	auto_free char *compact = write_sample(JSON_INDENT_NONE), *spaces = write_sample(2),
		       *tabs = write_sample(JSON_INDENT_TAB);

	(void)state;
	assert_string_equal(compact,
			    "{\"s\":\"a\\\"\\\\/\\n\\t\\u0001\\u007f\xc3\xa9\",\"i\":-9223372036854775808,"
			    "\"u\":18446744073709551615,\"b\":true,\"n\":null,\"z\":null,\"r\":[1],\"e\":[],\"o\":{},"
			    "\"l\":[1,{\"x\":-1}]}");
	assert_non_null(strstr(spaces, "{\n  \"s\": \"a"));
	assert_non_null(
	    strstr(spaces, "  \"e\": [],\n  \"o\": {},\n  \"l\": [\n    1,\n    {\n      \"x\": -1\n    }\n  ]\n}"));
	assert_non_null(strstr(tabs, "\n\t\"l\": [\n\t\t1,\n\t\t{\n\t\t\t\"x\": -1\n\t\t}\n\t]\n}"));
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
	    {"", "\"\""},
	    {"\xff", "\"\xef\xbf\xbd\""},
	    {"a\xc3", "\"a\xef\xbf\xbd\""},
	    {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xe2\x82\xac", "\"\xe2\x82\xac\""},
	    {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
	    {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_writer w = json_writer_init(JSON_INDENT_NONE);
		auto_free char *text = NULL;

		json_put_string(&w, NULL, cases[i].text);
		text = json_finish(&w);
		assert_string_equal(text, cases[i].json);
	}
}

static void test_doubles(void **state)
{
	static const struct {
		double value;
		const char *json;
	} cases[] = {{0, "0"},		 {0.1, "0.1"}, {1.5, "1.5"}, {1e300, "1e+300"}, {1.0 / 3, "0.333333333333333"},
		     {1.0 / 0.0, "null"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_writer w = json_writer_init(JSON_INDENT_NONE);
		auto_free char *text = NULL;

		json_put_double(&w, NULL, cases[i].value);
		text = json_finish(&w);
		assert_memory_equal(text, cases[i].json, strlen(cases[i].json));
	}
}

static void test_drop(void **state)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;
	struct json_mark mark;

	(void)state;
	json_open_object(&w, NULL);
	mark = json_mark(&w);
	json_open_object(&w, "empty");
	json_close_or_drop(&w, mark);
	json_put_int(&w, "a", 1);
	mark = json_mark(&w);
	json_open_array(&w, "gone");
	json_close_or_drop(&w, mark);
	mark = json_mark(&w);
	json_open_array(&w, "kept");
	json_put_int(&w, NULL, 2);
	json_close_or_drop(&w, mark);
	json_close(&w);
	text = json_finish(&w);
	assert_string_equal(text, "{\"a\":1,\"kept\":[2]}");
}

/* Deeper than any document of ours: nesting has no limit of its own. */
static void test_depth(void **state)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++)
		json_open_array(&w, NULL);
	for (int i = 0; i < 1000; i++)
		json_close(&w);
	text = json_finish(&w);
	assert_int_equal(strlen(text), 2000);
}

static const char record[] =
    "{\"id\": \"a\", \"n\": -3, \"start\": 18446744073709551615, \"on\": true, \"list\": [1, \"x\", {\"k\": null}],"
    "\"real\": 1.25, \"huge\": 123456789012345678901234567890, \"sub\": {\"b\": 1, \"a\": 9223372036854775808}}";

static void collect(const char *key, const struct json *value, void *data)
{
	(void)value;
	str_add(data, key);
}

static void test_reading(void **state)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	auto_str keys = STR_INIT;
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(json_read(record, strlen(record), "r", &json, &e), 0);
	assert_string_equal(json_find_string(json, "id"), "a");
	assert_null(json_find_string(json, "n"));
	assert_null(json_find_string(json, "start"));
	assert_null(json_find_string(json, "none"));
	assert_int_equal(json_find_int(json, "n", 0), -3);
	assert_int_equal(json_find_int(json, "id", 7), 7);
	assert_int_equal(json_find_int(json, "real", 7), 7);
	assert_true(json_find_uint(json, "start", 0) == UINT64_MAX);
	assert_true(json_find_uint(json, "n", 5) == 5);
	assert_true(json_find_uint(json, "huge", 5) == 5);
	assert_true(json_find_bool(json, "on", false));
	assert_true(json_find_bool(json, "id", true));
	assert_int_equal(json_count(json_find(json, "list")), 3);
	assert_int_equal(json_count(json_find(json, "id")), 0);
	assert_int_equal(json_int_peek(json_at(json_find(json, "list"), 0), 0), 1);
	assert_string_equal(json_string_peek(json_at(json_find(json, "list"), 1)), "x");
	assert_null(json_at(json_find(json, "list"), 3));
	assert_null(json_find(json_find(json, "none"), "x"));
	json_each(json_find(json, "sub"), collect, &keys);
	assert_string_equal(str_peek(&keys), "ba");
	text = json_dump(json, JSON_INDENT_NONE);
	assert_string_equal(
	    text, "{\"id\":\"a\",\"n\":-3,\"start\":18446744073709551615,\"on\":true,\"list\":[1,\"x\",{\"k\":null}],"
		  "\"real\":1.25,\"huge\":123456789012345678901234567890,\"sub\":{\"b\":1,\"a\":9223372036854775808}}");
}

/* Numbers around jansson's end, in texts that do and don't need the second way. */
static void test_exact(void **state)
{
	static const char *const same[] = {
	    "[9223372036854775807]",
	    "[9223372036854775808]",
	    "[-9223372036854775808]",
	    "[-9223372036854775809]",
	    "[18446744073709551615]",
	    "[18446744073709551616]",
	    "[1e999]",
	    "[-1.5e-999,99999999999999999999]",
	    "[\"\\\\u0000\",99999999999999999999]",
	    "[\"99999999999999999999\",99999999999999999999]",
	    "{\"99999999999999999999\":99999999999999999999}",
	    "[\"a\\\"99999999999999999999\",99999999999999999999]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		auto_free char *text = NULL;
		auto_json *json = NULL;
		struct error e = ERROR_INIT;

		if (json_read(same[i], strlen(same[i]), "x", &json, &e))
			fail_msg("%s: %s", same[i], e.text);
		text = json_dump(json, JSON_INDENT_NONE);
		assert_string_equal(text, same[i]);
	}
}

static void test_unreadable(void **state)
{
	static const char *const wrong[] = {"",
					    "{",
					    "[1,]",
					    "{\"a\" 1}",
					    "[01]",
					    "[1.]",
					    "[+1]",
					    "[.5]",
					    "nul",
					    "[99999999999999999999",
					    "[99999999999999999999.]",
					    "[-]",
					    "[\"\\x\"]",
					    "\"\xff\"",
					    "[1]]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct json *json = NULL;
		struct error e = ERROR_INIT;

		assert_int_not_equal(json_read(wrong[i], strlen(wrong[i]), "x", &json, &e), 0);
		assert_null(json);
		assert_memory_equal(e.text, "x: line 1", 9);
	}
	json_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes), cmocka_unit_test(test_bytes),      cmocka_unit_test(test_doubles),
	    cmocka_unit_test(test_drop),   cmocka_unit_test(test_depth),      cmocka_unit_test(test_reading),
	    cmocka_unit_test(test_exact),  cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
