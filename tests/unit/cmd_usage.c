/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stats and top make of numbers: columns, rates, sums, texts, sparklines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "cmd/sparkline.h"
#include "cmd/usage.h"

enum { SECOND = 1000000000 };

static const struct usage before = {
    .id = "a",
    .pid = 7,
    .has_cgroup = true,
    .has_network = true,
    .received = 1000,
    .stats =
	{
	    .cpu =
		{.total = SECOND, .throttled_time = 5, .quota = 50000, .period = 100000, .pressure = {.present = true}},
	    .memory = {.usage = {.present = true, .usage = 4096, .limit = CGROUP_UNLIMITED}},
	    .io = {.read_bytes = 100},
	},
};

/* Two seconds later: half a second of CPU time, 4 KiB received, one second waited for CPU. */
static struct usage after(void)
{
	struct usage now = before;

	now.stats.cpu.total += SECOND / 2;
	now.stats.cpu.throttled_time += 2000;
	now.stats.cpu.pressure.some.total += 1000000;
	now.stats.memory.usage.usage = 8192;
	now.received += 4096;
	now.stats.io.read_bytes = 0; /* began anew */
	return now;
}

static void assert_value(enum usage_column column, double expected)
{
	struct usage now = after();
	double value = usage_value(column, &before, &now, 2 * INT64_C(1000000000), 2);

	if (isnan(expected))
		assert_true(isnan(value));
	else
		assert_true(fabs(value - expected) < 1e-6);
}

static void test_values(void **state)
{
	struct usage now = after();

	(void)state;
	assert_value(USAGE_CPU, 12.5); /* a quarter of one CPU of two */
	assert_value(USAGE_CAP, 50);   /* of half a CPU */
	assert_value(USAGE_THROTTLED, 1000);
	assert_value(USAGE_MEMORY, 8192);
	assert_value(USAGE_LIMIT, NAN);
	assert_value(USAGE_SWAP, NAN);
	assert_value(USAGE_READ, 0);
	assert_value(USAGE_IN, 2048);
	assert_value(USAGE_CPU_SOME, 50);
	assert_value(USAGE_MEMORY_SOME, NAN);
	now.stats.cpu.quota = CGROUP_UNLIMITED;
	assert_true(isnan(usage_value(USAGE_CAP, &before, &now, SECOND, 2)));
	now.has_cgroup = false;
	assert_true(isnan(usage_value(USAGE_CPU, &before, &now, SECOND, 2)));
	assert_true(isnan(usage_value(USAGE_PIDS, &before, &now, SECOND, 2)));
	now.has_network = false;
	assert_true(isnan(usage_value(USAGE_IN, &before, &now, SECOND, 2)));
	assert_true(isnan(usage_value(USAGE_CPU, NULL, &now, 0, 2)));
	assert_true(usage_value(USAGE_MEMORY, NULL, &now, 0, 2) > 0);
}

static void test_sums(void **state)
{
	struct usage now = after(), later = now;
	struct usage_sum cpu = {0}, memory = {0}, none = {0};

	(void)state;
	later.stats.cpu.total += 2 * INT64_C(1000000000);
	later.stats.memory.usage.usage = 2048;
	usage_sum_add(&cpu, USAGE_CPU, &before, &now, 2 * INT64_C(1000000000), 2);
	usage_sum_add(&cpu, USAGE_CPU, &now, &later, INT64_C(1000000000), 2);
	usage_sum_add(&memory, USAGE_MEMORY, &before, &now, 2 * INT64_C(1000000000), 2);
	usage_sum_add(&memory, USAGE_MEMORY, &now, &later, INT64_C(1000000000), 2);
	assert_true(fabs(usage_sum_value(&cpu, USAGE_AVERAGE) - 250.0 / 6) < 1e-6);
	assert_true(fabs(usage_sum_value(&cpu, USAGE_HIGH) - 100) < 1e-6);
	assert_true(fabs(usage_sum_value(&cpu, USAGE_TOTAL) - 2.5e9) < 1e-6);
	assert_true(fabs(usage_sum_value(&memory, USAGE_AVERAGE) - 6144) < 1e-6);
	assert_true(fabs(usage_sum_value(&memory, USAGE_HIGH) - 8192) < 1e-6);
	assert_true(isnan(usage_sum_value(&memory, USAGE_TOTAL)));
	assert_true(isnan(usage_sum_value(&none, USAGE_AVERAGE)));
}

static void test_texts(void **state)
{
	static const struct {
		void (*format)(double value, struct str *out);
		double value;
		const char *text;
	} cases[] = {
	    {usage_format_bytes, 0, "0"},
	    {usage_format_bytes, 999, "999"},
	    {usage_format_bytes, 1000, "1.0K"},
	    {usage_format_bytes, 1536, "1.5K"},
	    {usage_format_bytes, 64 << 20, "64.0M"},
	    {usage_format_bytes, 102348.0 * 1024, "99.9M"},
	    {usage_format_bytes, 102400.0 * 1024, "100M"},
	    {usage_format_bytes, 1023.0 * 1024 * 1024, "1.0G"},
	    {usage_format_bytes, 18446744073709551615.0, "16.0E"},
	    {usage_format_time, 0, "0"},
	    {usage_format_time, 12, "12ns"},
	    {usage_format_time, 1500, "1.5us"},
	    {usage_format_time, 250e6, "250ms"},
	    {usage_format_time, 1.5e9, "1.5s"},
	    {usage_format_time, 90e9, "1.5m"},
	    {usage_format_time, 36000e9, "10.0h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_str out = STR_INIT;

		cases[i].format(cases[i].value, &out);
		assert_string_equal(str_peek(&out), cases[i].text);
	}
}

static void test_columns(void **state)
{
	(void)state;
	for (int c = 0; c < _USAGE_COLUMN_N; c++) {
		struct json_writer json = json_writer_init(JSON_INDENT_NONE);
		auto_free char *text = NULL;
		auto_str out = STR_INIT;

		assert_non_null(usage_names[c]);
		assert_non_null(usage_title(c));
		for (int other = 0; other < c; other++)
			assert_string_not_equal(usage_names[c], usage_names[other]);
		usage_format(c, NAN, &out);
		usage_format_total(c, NAN, &out);
		assert_string_equal(str_peek(&out), "--");
		json_open_object(&json, NULL);
		usage_put(&json, c, NAN);
		json_close(&json);
		text = json_finish(&json);
		assert_non_null(strstr(text, ":null}"));
	}
	assert_string_equal(usage_names[USAGE_SORT_ID], "id");
}

static void test_sparkline(void **state)
{
	struct sparkline line = {0};
	auto_str empty = STR_INIT, some = STR_INIT, full = STR_INIT, blocks = STR_INIT;

	(void)state;
	sparkline_print(&line, NAN, false, &empty);
	assert_string_equal(str_peek(&empty), "            ");
	sparkline_add(&line, 0);
	sparkline_add(&line, NAN);
	sparkline_add(&line, 100);
	sparkline_print(&line, 200, false, &some);
	assert_string_equal(str_peek(&some), "         _ =");
	for (int i = 0; i <= 2 * SPARKLINE_WIDTH; i++)
		sparkline_add(&line, i);
	sparkline_print(&line, NAN, false, &full);
	assert_string_equal(str_peek(&full), "==+++***####");
	sparkline_print(&line, 1, true, &blocks);
	assert_int_equal(blocks.size, SPARKLINE_WIDTH * strlen("█"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),  cmocka_unit_test(test_sums),      cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_columns), cmocka_unit_test(test_sparkline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
