/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/option.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "spec/resources.h"

/* What one parser sees: the row, the text, where the result goes, and room for lists (at most one item per argument).
 */
struct value {
	const struct option *option;
	const char *text;
	void *member;
	size_t *count;
	struct arena *arena;
	size_t room;
};

static int parse_flag(struct value *v)
{
	static const char *const words[] = {"false", "0", "f", "F", "FALSE", "False",
					    "true",  "1", "t", "T", "TRUE",  "True"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_equal(v->text, words[i])) {
			*(bool *)v->member = i >= ARRAY_SIZE(words) / 2;
			return 0;
		}
	return -1;
}

static int parse_string(struct value *v)
{
	*(const char **)v->member = *v->text ? v->text : NULL;
	return 0;
}

static int parse_count(struct value *v)
{
	uint64_t n;

	if (parse_u64(v->text, 0, INT_MAX, &n))
		return -1;
	*(unsigned *)v->member = n;
	return 0;
}

static int parse_number(struct value *v)
{
	struct spec_number n = {.present = true};

	if (parse_i64(v->text, INT64_MIN, INT64_MAX, &n.value))
		return -1;
	*(struct spec_number *)v->member = n;
	return 0;
}

static int parse_unsigned(struct value *v)
{
	struct spec_unsigned n = {.present = true};

	if (parse_u64(v->text, 0, UINT64_MAX, &n.value))
		return -1;
	*(struct spec_unsigned *)v->member = n;
	return 0;
}

static int parse_bytes(struct value *v)
{
	struct spec_number n = {.present = true};

	if (parse_size(v->text, true, &n.value))
		return -1;
	*(struct spec_number *)v->member = n;
	return 0;
}

static int parse_time(struct value *v)
{
	return parse_duration(v->text, v->member);
}

static int parse_choice(struct value *v)
{
	for (size_t i = 0; i < v->option->n_choices; i++)
		if (str_equal(v->text, v->option->choices[i])) {
			*(int *)v->member = i;
			return 0;
		}
	return -1;
}

static int parse_item(struct value *v)
{
	const char ***items = v->member;

	if (!*items)
		*items = arena_array(v->arena, const char *, v->room);
	(*items)[(*v->count)++] = v->text;
	return 0;
}

static int parse_env(struct value *v)
{
	const char *equals = strchr(v->text, '=');

	return equals && equals != v->text ? parse_item(v) : -1;
}

static int parse_ids(struct value *v)
{
	uint32_t **items = v->member;
	uint64_t id;

	if (parse_u64(v->text, 0, UINT32_MAX - 1, &id))
		return -1;
	if (!*items)
		*items = arena_array(v->arena, uint32_t, v->room);
	(*items)[(*v->count)++] = id;
	return 0;
}

static const struct {
	int (*parse)(struct value *v); /* not 0: refused */
	const char *wants;
} types[_OPTION_TYPE_N] = {
    [OPTION_FLAG] = {parse_flag, "true or false"},
    [OPTION_STRING] = {parse_string, "a text"},
    [OPTION_COUNT] = {parse_count, "a number from 0 to 2147483647"},
    [OPTION_NUMBER] = {parse_number, "a whole number"},
    [OPTION_UNSIGNED] = {parse_unsigned, "a whole number, not negative"},
    [OPTION_SIZE] = {parse_bytes, "bytes, with or without a unit such as k, M or GiB, or -1"},
    [OPTION_DURATION] = {parse_time, "a time such as 500ms, 5s or 2m"},
    [OPTION_CHOICE] = {parse_choice, NULL},
    [OPTION_LIST] = {parse_item, "a text"},
    [OPTION_ENV] = {parse_env, "KEY=value"},
    [OPTION_IDS] = {parse_ids, "an id from 0 to 4294967294"},
};

bool option_has_value(const struct option *option)
{
	return option->type != OPTION_FLAG;
}

void option_print_value(const struct option *option, struct str *out)
{
	if (option->type != OPTION_CHOICE) {
		str_add(out, option->metavar);
		return;
	}
	for (size_t i = 0; i < option->n_choices; i++)
		str_addf(out, "%s%s", i ? "|" : "", option->choices[i]);
}

/* name is not terminated: it may end at a '='. */
static const struct option *find_option(const struct option_table *table, const char *name, size_t n)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->options[i];

		if (n == 1 && option->letter == *name)
			return option;
		if (!strncmp(option->name, name, n) && !option->name[n])
			return option;
	}
	return NULL;
}

/* "-it": flags by their letters; the last one is returned, and alone may take a value.  NULL: it is no such thing, nothing was set. */
static const struct option *take_letters(const struct option_table *table, const char *letters, void *target)
{
	size_t last = strlen(letters) - 1;

	for (size_t i = 0; i <= last; i++) {
		const struct option *option = find_option(table, letters + i, 1);

		if (!option || (i < last && option_has_value(option)))
			return NULL;
	}
	for (size_t i = 0; i < last; i++)
		*(bool *)((char *)target + find_option(table, letters + i, 1)->offset) = true;
	return find_option(table, letters + last, 1);
}

static int refuse_unknown(const struct option_table *table, const char *name, int n, struct error *e)
{
	const char *names[64], *close;
	char word[64];
	size_t n_names = 0;

	for (size_t i = 0; i < table->n && n_names < ARRAY_SIZE(names); i++)
		if (table->options[i].help)
			names[n_names++] = table->options[i].name;
	if (n < 3 || n >= (int)sizeof(word))
		return error_refuse(e, ERROR_USAGE, "flag provided but not defined: -%.*s", n, name);
	memcpy(word, name, n);
	word[n] = 0;
	close = str_closest(word, names, n_names);
	if (!close)
		return error_refuse(e, ERROR_USAGE, "flag provided but not defined: -%s", word);
	return error_refuse(e, ERROR_USAGE, "flag provided but not defined: -%s (did you mean --%s?)", word, close);
}

static int refuse_value(const struct option *option, const char *text, struct error *e)
{
	auto_str wants = STR_INIT;

	if (option->type == OPTION_CHOICE)
		option_print_value(option, &wants);
	else
		str_add(&wants, types[option->type].wants);
	return error_refuse(e, ERROR_USAGE, "invalid value '%s' for --%s: it takes %s", text, option->name,
			    str_peek(&wants));
}

int option_parse(const struct option_table *table, enum option_order order, char **argv, size_t n, void *target,
		 struct arena *arena, struct option_result *ret, struct error *e)
{
	struct option_result result = {.operands = argv};
	size_t i;

	for (i = 0; i < n; i++) {
		const char *name = argv[i], *equals;
		const struct option *option;
		struct value value;
		size_t length;

		if (name[0] != '-' || !name[1]) {
			if (order == OPTION_ORDER_FIRST)
				break;
			argv[result.n_operands++] = argv[i];
			continue;
		}
		name += 1 + (name[1] == '-');
		if (!*name) {
			i++;
			break;
		}
		equals = strchr(name, '=');
		length = equals ? (size_t)(equals - name) : strlen(name);
		if (!length || *name == '-')
			return error_refuse(e, ERROR_USAGE, "bad flag syntax: %s", argv[i]);
		option = find_option(table, name, length);
		if (!option && !equals && argv[i][1] != '-')
			option = take_letters(table, name, target);
		if (!option) {
			if (!strcmp(name, "h") || !strcmp(name, "help")) {
				result.help = true;
				*ret = result;
				return 0;
			}
			return refuse_unknown(table, name, length, e);
		}
		value = (struct value){
		    .option = option, .member = (char *)target + option->offset, .arena = arena, .room = n};
		value.count = (size_t *)((char *)target + option->count);
		if (equals)
			value.text = equals + 1;
		else if (!option_has_value(option))
			value.text = "true";
		else if (i + 1 < n)
			value.text = argv[++i];
		else
			return error_refuse(e, ERROR_USAGE, "flag needs an argument: %s", argv[i]);
		if (types[option->type].parse(&value))
			return refuse_value(option, value.text, e);
	}
	/* What follows "--" or, where they end the options, the first operand: operands all. */
	for (; i < n; i++)
		argv[result.n_operands++] = argv[i];
	*ret = result;
	return 0;
}

enum { HELP_COLUMN = 32 };

static void print_help_row(const struct option *option, struct str *out)
{
	size_t start = out->size, width;

	if (option->letter)
		str_addf(out, "  -%c, --%s", option->letter, option->name);
	else
		str_addf(out, "      --%s", option->name);
	if (option_has_value(option)) {
		str_add(out, " ");
		option_print_value(option, out);
	}
	width = out->size - start;
	if (width > HELP_COLUMN - 2)
		str_addf(out, "\n%*s", HELP_COLUMN, "");
	else
		str_addf(out, "%*s", (int)(HELP_COLUMN - width), "");
	str_addf(out, "%s\n", option->help);
}

void option_print_help(const struct option_table *table, struct str *out)
{
	static const struct option help = {.name = "help", .letter = 'h', .type = OPTION_FLAG, .help = "this text"};

	for (size_t i = 0; i < table->n; i++)
		if (table->options[i].help)
			print_help_row(&table->options[i], out);
	print_help_row(&help, out);
}
