/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/str.h"

/*
 * jansson seeds its hash tables by reading /dev/urandom on first use; the kernel gave every process 16 random bytes
 * already.  Seeding twice does nothing.
 */
static void seed(void)
{
	const char *random = (const char *)getauxval(AT_RANDOM);
	uint32_t value = 1;

	if (random)
		memcpy(&value, random, sizeof(value));
	json_object_seed(value ? value : 1);
}

/* From the opening quote to behind the closing one (or the end).  NULL: it has a NUL. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end) {
			p++;
			if (end - p >= 5 && !memcmp(p, "u0000", 5))
				return NULL;
		}
	return p < end ? p + 1 : end;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* The end of a JSON number, or NULL if it isn't written as one (jansson says so then). */
static const char *skip_number(const char *p, const char *end)
{
	const char *start;

	if (*p == '-')
		p++;
	start = p;
	p = skip_digits(p, end);
	if (p == start || (*start == '0' && p - start > 1))
		return NULL;
	if (p < end && *p == '.') {
		start = ++p;
		p = skip_digits(p, end);
		if (p == start)
			return NULL;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		start = p;
		p = skip_digits(p, end);
		if (p == start)
			return NULL;
	}
	return p;
}

/* Digits that INT64_MAX may have at least; shorter ones jansson holds. */
enum { LONG_NUMBER = 19 };

static bool is_whole(const char *p, const char *end)
{
	return skip_digits(p + (*p == '-'), end) == end;
}

/* The text with every fraction and every long integer as a NUL string; -EINVAL if \u0000 is in a string already. */
static int rewrite_numbers(const char *text, size_t size, struct str *ret)
{
	const char *end = text + size, *done = text, *p = text;

	while (p < end) {
		const char *after;

		if (*p == '"') {
			after = skip_string(p, end);
			if (!after)
				return -EINVAL;
			p = after;
			continue;
		}
		if (!is_digit(*p) && *p != '-') {
			p++;
			continue;
		}
		after = skip_number(p, end);
		if (!after) {
			p = skip_digits(p + 1, end);
			continue;
		}
		if (after - p >= LONG_NUMBER || !is_whole(p, after)) {
			str_add_bytes(ret, done, p - done);
			str_add(ret, "\"\\u0000");
			str_add_bytes(ret, p, after - p);
			str_add(ret, "\"");
			done = after;
		}
		p = after;
	}
	str_add_bytes(ret, done, end - done);
	return 0;
}

static int refuse_syntax(const json_error_t *error, const char *name, struct error *e)
{
	if (json_error_code(error) == json_error_null_byte_in_key ||
	    json_error_code(error) == json_error_null_character)
		return error_refuse(e, ERROR_INVALID, "%s: line %d, column %d: a string has a NUL character", name,
				    error->line, error->column);
	return error_refuse(e, ERROR_INVALID, "%s: line %d, column %d: %s", name, error->line, error->column,
			    error->text);
}

int parse_tree(const char *text, size_t size, const char *name, json_t **ret, struct error *e)
{
	auto_str rewritten = STR_INIT;
	json_error_t error;
	json_t *tree;

	seed();
	tree = json_loadb(text, size, JSON_DECODE_ANY, &error);
	if (!tree && json_error_code(&error) == json_error_numeric_overflow) {
		if (rewrite_numbers(text, size, &rewritten))
			return error_refuse(e, ERROR_INVALID, "%s: a string has a NUL character", name);
		tree = json_loadb(str_peek(&rewritten), rewritten.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	}
	if (!tree)
		return refuse_syntax(&error, name, e);
	*ret = tree;
	return 0;
}

static bool is_literal(const json_t *node)
{
	return json_string_length(node) && !*json_string_value(node);
}

enum node_kind node_kind(const json_t *node)
{
	switch (json_typeof(node)) {
	case JSON_OBJECT:
		return NODE_OBJECT;
	case JSON_ARRAY:
		return NODE_ARRAY;
	case JSON_STRING:
		return is_literal(node) ? NODE_NUMBER : NODE_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return NODE_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return NODE_BOOL;
	default:
		return NODE_NULL;
	}
}

const char *node_kind_name(enum node_kind kind)
{
	static const char *const names[] = {
	    [NODE_NULL] = "null",	[NODE_BOOL] = "a boolean", [NODE_NUMBER] = "a number",
	    [NODE_STRING] = "a string", [NODE_ARRAY] = "an array", [NODE_OBJECT] = "an object",
	};

	return names[kind];
}

const char *node_literal(const json_t *node, char *buffer, size_t size)
{
	if (json_is_string(node))
		return json_string_value(node) + 1;
	if (json_is_integer(node)) {
		snprintf(buffer, size, "%lld", (long long)json_integer_value(node));
	} else {
		snprintf(buffer, size, "%.15g", json_real_value(node));
		if (!strpbrk(buffer, ".e"))
			strncat(buffer, ".0", size - strlen(buffer) - 1);
	}
	return buffer;
}

int node_integer(const json_t *node, bool *ret_negative, uint64_t *ret_magnitude)
{
	if (json_is_integer(node)) {
		int64_t value = json_integer_value(node);

		*ret_negative = value < 0;
		*ret_magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
		return 0;
	}
	if (json_is_string(node) && is_literal(node)) {
		const char *literal = json_string_value(node) + 1;
		bool negative = *literal == '-';
		uint64_t value;
		int r = parse_u64(literal + negative, 0, UINT64_MAX, &value);

		if (r)
			return r;
		*ret_negative = negative && value;
		*ret_magnitude = value;
		return 0;
	}
	return -EINVAL;
}
