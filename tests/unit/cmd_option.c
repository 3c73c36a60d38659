/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line's options: runc's conventions, every type, every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cmd/option.h"
#include "spec/resources.h"

struct target {
	bool flag, other;
	const char *text;
	unsigned count;
	struct spec_number number, size;
	struct spec_unsigned natural;
	int64_t time;
	int choice;
	const char **items, **env;
	size_t n_items, n_env;
	uint32_t *ids;
	size_t n_ids;
};

static const char *const colours[] = {"red", "green"};

static const struct option rows[] = {
    OPTION(struct target, flag, "flag", 'f', FLAG, NULL, "a flag"),
    OPTION(struct target, other, "quiet", 'q', FLAG, NULL, "another"),
    OPTION(struct target, text, "text", 't', STRING, "TEXT", "a text"),
    OPTION(struct target, count, "count", 0, COUNT, "N", "a count"),
    OPTION(struct target, number, "number", 0, NUMBER, "N", "a number"),
    OPTION(struct target, size, "size", 0, SIZE, "BYTES", "a size"),
    OPTION(struct target, natural, "natural", 0, UNSIGNED, "N", "a natural number"),
    OPTION(struct target, time, "time", 0, DURATION, "TIME", "a duration"),
    OPTION_CHOSEN(struct target, choice, "colour", 'c', colours, "a choice"),
    OPTION_LISTED(struct target, items, "item", 'i', LIST, "ITEM", "items"),
    OPTION_LISTED(struct target, env, "env", 'e', ENV, "KEY=VALUE", "variables"),
    OPTION_LISTED(struct target, ids, "id", 0, IDS, "ID", "ids"),
    OPTION(struct target, text, "secret", 0, STRING, "TEXT", NULL),
};

static const struct option_table table = OPTION_TABLE(rows);

enum { MAX = 16 };

/* One call of the parser, with what it left behind. */
struct run {
	struct target target;
	struct option_result result;
	struct error e;
	struct arena arena;
	char *argv[MAX];
	int r;
};

static void parse(struct run *run, enum option_order order, const char *const *words)
{
	size_t n = 0;

	arena_release(&run->arena);
	*run = (struct run){.target = {.choice = -1}};
	for (; words[n]; n++)
		run->argv[n] = (char *)words[n];
	run->r = option_parse(&table, order, run->argv, n, &run->target, &run->arena, &run->result, &run->e);
}

#define PARSE(run, order, ...) parse((run), (order), (const char *const[]){__VA_ARGS__, NULL})
#define ANY OPTION_ORDER_ANY
#define FIRST OPTION_ORDER_FIRST

static int setup(void **state)
{
	static struct run run;

	run = (struct run){0};
	*state = &run;
	return 0;
}

static int teardown(void **state)
{
	arena_release(&((struct run *)*state)->arena);
	return 0;
}

static void test_spellings(void **state)
{
	static const char *const spellings[][3] = {
	    {"--text", "x"}, {"-text", "x"}, {"-t", "x"}, {"--t", "x"}, {"--text=x"}, {"-text=x"}, {"-t=x"},
	};
	struct run *run = *state;

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		parse(run, ANY, spellings[i]);
		assert_int_equal(run->r, 0);
		assert_string_equal(run->target.text, "x");
		assert_int_equal(run->result.n_operands, 0);
	}
}

static void test_values_are_taken_whatever_they_look_like(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "--text", "--flag");
	assert_int_equal(run->r, 0);
	assert_string_equal(run->target.text, "--flag");
	assert_false(run->target.flag);
	PARSE(run, ANY, "--text=a=b");
	assert_string_equal(run->target.text, "a=b");
}

static void test_empty_text_is_absent(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "--text", "x", "--text=");
	assert_int_equal(run->r, 0);
	assert_null(run->target.text);
}

static void test_flags(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "-f");
	assert_true(run->target.flag);
	PARSE(run, ANY, "--flag", "--flag=false");
	assert_int_equal(run->r, 0);
	assert_false(run->target.flag);
	PARSE(run, ANY, "--flag=T");
	assert_true(run->target.flag);
	PARSE(run, ANY, "--flag", "false");
	assert_true(run->target.flag);
	assert_int_equal(run->result.n_operands, 1);
	PARSE(run, ANY, "--flag=maybe");
	assert_int_not_equal(run->r, 0);
}

static void test_joined_letters(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "-fq", "x");
	assert_int_equal(run->r, 0);
	assert_true(run->target.flag);
	assert_true(run->target.other);
	assert_int_equal(run->result.n_operands, 1);
	PARSE(run, ANY, "-qft", "x");
	assert_int_equal(run->r, 0);
	assert_true(run->target.flag);
	assert_string_equal(run->target.text, "x");
	PARSE(run, ANY, "-fqt");
	assert_string_equal(run->e.text, "flag needs an argument: -fqt");
	PARSE(run, ANY, "-tf", "x"); /* what takes a value ends them */
	assert_string_equal(run->e.text, "flag provided but not defined: -tf");
	PARSE(run, ANY, "-fx");
	assert_string_equal(run->e.text, "flag provided but not defined: -fx");
	assert_false(run->target.flag);
	PARSE(run, ANY, "--fq");
	assert_int_equal(run->e.kind, ERROR_USAGE);
	PARSE(run, ANY, "-fq=true");
	assert_int_equal(run->e.kind, ERROR_USAGE);
}

static void test_numbers(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "--count", "7", "--number=-3", "--natural", "18446744073709551615", "--size", "1.5G",
	      "--time=500ms");
	assert_int_equal(run->r, 0);
	assert_int_equal(run->target.count, 7);
	assert_true(run->target.number.present);
	assert_int_equal(run->target.number.value, -3);
	assert_true(run->target.natural.value == UINT64_MAX);
	assert_int_equal(run->target.size.value, 3 * (512 << 20));
	assert_int_equal(run->target.time, 500000000);
	assert_false((PARSE(run, ANY, "--number=-1"), run->target.size.present));
	PARSE(run, ANY, "--size=-1");
	assert_int_equal(run->target.size.value, -1);
}

static void test_lists_and_choices(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "-i", "a", "id", "--item=b", "-e", "K=", "--id", "5", "--id", "6", "-c", "green");
	assert_int_equal(run->r, 0);
	assert_int_equal(run->target.n_items, 2);
	assert_string_equal(run->target.items[1], "b");
	assert_string_equal(run->target.env[0], "K=");
	assert_int_equal(run->target.n_ids, 2);
	assert_int_equal(run->target.ids[1], 6);
	assert_int_equal(run->target.choice, 1);
	assert_int_equal(run->result.n_operands, 1);
	assert_string_equal(run->result.operands[0], "id");
}

static void test_order(void **state)
{
	struct run *run = *state;

	PARSE(run, ANY, "a", "-f", "b", "--", "-q", "c");
	assert_int_equal(run->r, 0);
	assert_true(run->target.flag);
	assert_false(run->target.other);
	assert_int_equal(run->result.n_operands, 4);
	assert_string_equal(run->result.operands[2], "-q");
	assert_string_equal(run->result.operands[3], "c");

	PARSE(run, FIRST, "-f", "a", "-q", "--", "--bogus");
	assert_int_equal(run->r, 0);
	assert_true(run->target.flag);
	assert_false(run->target.other);
	assert_int_equal(run->result.n_operands, 4);
	assert_string_equal(run->result.operands[1], "-q");

	PARSE(run, ANY, "-");
	assert_int_equal(run->r, 0);
	assert_string_equal(run->result.operands[0], "-");
}

static void test_help(void **state)
{
	static const char *const spellings[][2] = {{"-h"}, {"--help"}, {"-help"}, {"--h"}};
	struct run *run = *state;

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		parse(run, ANY, spellings[i]);
		assert_int_equal(run->r, 0);
		assert_true(run->result.help);
	}
	PARSE(run, FIRST, "a", "--help");
	assert_false(run->result.help);
	PARSE(run, ANY, "--text", "--help");
	assert_false(run->result.help);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *words[3], *text;
	} cases[] = {
	    {{"--bogus"}, "flag provided but not defined: -bogus"},
	    {{"--bogus=1"}, "flag provided but not defined: -bogus"},
	    {{"-fx"}, "flag provided but not defined: -fx"},
	    {{"--tex", "x"}, "flag provided but not defined: -tex (did you mean --text?)"},
	    {{"--secre", "x"}, "flag provided but not defined: -secre"},
	    {{"--text"}, "flag needs an argument: --text"},
	    {{"-t"}, "flag needs an argument: -t"},
	    {{"---text", "x"}, "bad flag syntax: ---text"},
	    {{"-=x"}, "bad flag syntax: -=x"},
	    {{"--=x"}, "bad flag syntax: --=x"},
	    {{"--flag="}, "invalid value '' for --flag: it takes true or false"},
	    {{"--flag=yes"}, "invalid value 'yes' for --flag: it takes true or false"},
	    {{"--colour=blue"}, "invalid value 'blue' for --colour: it takes red|green"},
	    {{"-e", "A"}, "invalid value 'A' for --env: it takes KEY=value"},
	    {{"-e", "=A"}, "invalid value '=A' for --env: it takes KEY=value"},
	    {{"--id", "4294967295"}, "invalid value '4294967295' for --id: it takes an id from 0 to 4294967294"},
	};
	static const char *const bad_counts[] = {
	    "", "-1", "+1", " 1", "1 ", "1\n", "0x1", "1:", "2147483648", "1e3", "9999999999999999999999"};
	static const char *const bad_sizes[] = {"", "-2", "g", "1x", "1gg", "1 gb x", "99999999999g", "0x10", "1.g"};
	struct run *run = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		parse(run, ANY, cases[i].words);
		assert_int_not_equal(run->r, 0);
		assert_int_equal(run->e.kind, ERROR_USAGE);
		assert_string_equal(run->e.text, cases[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_counts); i++) {
		PARSE(run, ANY, "--count", bad_counts[i]);
		assert_int_not_equal(run->r, 0);
		assert_int_equal(run->target.count, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_sizes); i++) {
		PARSE(run, ANY, "--size", bad_sizes[i]);
		assert_int_not_equal(run->r, 0);
		assert_false(run->target.size.present);
	}
}

static void test_hidden_is_accepted_and_not_shown(void **state)
{
	struct run *run = *state;
	auto_str text = STR_INIT;

	PARSE(run, ANY, "--secret", "x");
	assert_int_equal(run->r, 0);
	option_print_help(&table, &text);
	assert_null(strstr(str_peek(&text), "secret"));
}

static void test_help_text(void **state)
{
	auto_str text = STR_INIT;

	(void)state;
	option_print_help(&table, &text);
	assert_non_null(strstr(str_peek(&text), "  -f, --flag                    a flag\n"));
	assert_non_null(strstr(str_peek(&text), "  -t, --text TEXT               a text\n"));
	assert_non_null(strstr(str_peek(&text), "      --count N                 a count\n"));
	assert_non_null(strstr(str_peek(&text), "  -c, --colour red|green        a choice\n"));
	assert_non_null(strstr(str_peek(&text), "  -h, --help                    this text\n"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_spellings, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_values_are_taken_whatever_they_look_like, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_empty_text_is_absent, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_joined_letters, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lists_and_choices, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_help, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hidden_is_accepted_and_not_shown, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_help_text, setup, teardown),
	};

	return cmocka_run_group_tests_name("cmd_option", tests, NULL, NULL);
}
