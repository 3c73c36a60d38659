/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

struct json_writer json_writer_init(int indent)
{
	return (struct json_writer){.indent = indent};
}

enum { LEVEL_FILLED = 0x80 };

/* The innermost open level, NULL outside of all. */
static char *level(const struct json_writer *w)
{
	return w->levels.size ? w->levels.data + w->levels.size - 1 : NULL;
}

static void new_line(struct json_writer *w)
{
	if (w->indent == JSON_INDENT_NONE)
		return;
	str_add(&w->text, "\n");
	for (size_t i = 0; i < w->levels.size; i++)
		if (w->indent == JSON_INDENT_TAB)
			str_add(&w->text, "\t");
		else
			str_addf(&w->text, "%*s", w->indent, "");
}

/* The length of the well-formed UTF-8 sequence at s, 0 if there is none (RFC 3629: no surrogates, nothing overlong). */
static size_t sequence_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Writes the character at s as it has to be escaped. */
static void add_special(struct str *text, unsigned char c)
{
	static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	if (c == '"' || c == '\\')
		str_addf(text, "\\%c", c);
	else if (c < sizeof(letters) && letters[c])
		str_addf(text, "\\%c", letters[c]);
	else
		str_addf(text, "\\u%04x", c);
}

static void add_quoted(struct str *text, const char *string)
{
	const unsigned char *s = (const unsigned char *)string, *done = s;

	str_add(text, "\"");
	while (*s) {
		size_t n = sequence_length(s);

		if (n > 1 || (n == 1 && *s >= 0x20 && *s != '"' && *s != '\\' && *s != 0x7f)) {
			s += n;
			continue;
		}
		str_add_bytes(text, done, s - done);
		if (n)
			add_special(text, *s);
		else
			str_add(text, "\xef\xbf\xbd");
		done = ++s;
	}
	str_add_bytes(text, done, s - done);
	str_add(text, "\"");
}

/* What stands before a value: the comma, the line, the key. */
static void begin(struct json_writer *w, const char *key)
{
	char *here = level(w);

	if (here) {
		if (*here & LEVEL_FILLED)
			str_add(&w->text, ",");
		*here |= LEVEL_FILLED;
		new_line(w);
	}
	if (key) {
		add_quoted(&w->text, key);
		str_add(&w->text, w->indent == JSON_INDENT_NONE ? ":" : ": ");
	}
}

static void open_level(struct json_writer *w, const char *key, const char *opener, const char *closer)
{
	begin(w, key);
	str_add(&w->text, opener);
	str_add(&w->levels, closer);
}

void json_open_object(struct json_writer *w, const char *key)
{
	open_level(w, key, "{", "}");
}

void json_open_array(struct json_writer *w, const char *key)
{
	open_level(w, key, "[", "]");
}

/* Leaves the innermost level; true if it was filled. */
static bool pop_level(struct json_writer *w, char *ret_closer)
{
	char closer = *level(w);

	w->levels.size--;
	*ret_closer = closer & ~LEVEL_FILLED;
	return closer & LEVEL_FILLED;
}

void json_close(struct json_writer *w)
{
	char closer;

	if (pop_level(w, &closer))
		new_line(w);
	str_add_bytes(&w->text, &closer, 1);
}

struct json_mark json_mark(const struct json_writer *w)
{
	const char *here = level(w);

	return (struct json_mark){.size = w->text.size, .filled = here && *here & LEVEL_FILLED};
}

void json_close_or_drop(struct json_writer *w, struct json_mark mark)
{
	char closer, *here;

	if (*level(w) & LEVEL_FILLED) {
		json_close(w);
		return;
	}
	pop_level(w, &closer);
	w->text.size = mark.size;
	w->text.data[mark.size] = 0;
	here = level(w);
	if (here && !mark.filled)
		*here &= ~LEVEL_FILLED;
}

void json_put_raw(struct json_writer *w, const char *key, const char *json)
{
	begin(w, key);
	str_add(&w->text, json);
}

void json_put_null(struct json_writer *w, const char *key)
{
	json_put_raw(w, key, "null");
}

void json_put_string(struct json_writer *w, const char *key, const char *value)
{
	if (!value) {
		json_put_null(w, key);
		return;
	}
	begin(w, key);
	add_quoted(&w->text, value);
}

void json_put_int(struct json_writer *w, const char *key, int64_t value)
{
	begin(w, key);
	str_addf(&w->text, "%" PRId64, value);
}

void json_put_uint(struct json_writer *w, const char *key, uint64_t value)
{
	begin(w, key);
	str_addf(&w->text, "%" PRIu64, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	json_put_raw(w, key, value ? "true" : "false");
}

void json_put_double(struct json_writer *w, const char *key, double value)
{
	char text[64];

	if (!isfinite(value)) {
		json_put_null(w, key);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) { /* 17 always suffice */
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	json_put_raw(w, key, text);
}

char *json_finish(struct json_writer *w)
{
	str_release(&w->levels);
	return str_steal(&w->text);
}

void json_discard(struct json_writer *w)
{
	free(json_finish(w));
}

/* ---- reading: struct json is jansson's json_t under another name ---- */

static const json_t *tree_of(const struct json *json)
{
	return (const json_t *)json;
}

int json_read(const char *text, size_t size, const char *name, struct json **ret, struct error *e)
{
	return parse_tree(text, size, name, (json_t **)ret, e);
}

void json_free(struct json *json)
{
	json_decref((json_t *)json);
}

const struct json *json_find(const struct json *object, const char *key)
{
	return (const struct json *)json_object_get(tree_of(object), key);
}

const char *json_string_peek(const struct json *string)
{
	return string && node_kind(tree_of(string)) == NODE_STRING ? json_string_value(tree_of(string)) : NULL;
}

const char *json_find_string(const struct json *object, const char *key)
{
	return json_string_peek(json_find(object, key));
}

int64_t json_int_peek(const struct json *number, int64_t fallback)
{
	return json_is_integer(tree_of(number)) ? json_integer_value(tree_of(number)) : fallback;
}

int64_t json_find_int(const struct json *object, const char *key, int64_t fallback)
{
	return json_int_peek(json_find(object, key), fallback);
}

uint64_t json_find_uint(const struct json *object, const char *key, uint64_t fallback)
{
	const json_t *node = tree_of(json_find(object, key));
	uint64_t magnitude;
	bool negative;

	return node && !node_integer(node, &negative, &magnitude) && !negative ? magnitude : fallback;
}

bool json_find_bool(const struct json *object, const char *key, bool fallback)
{
	const json_t *node = tree_of(json_find(object, key));

	return json_is_boolean(node) ? json_is_true(node) : fallback;
}

size_t json_count(const struct json *array)
{
	return json_array_size(tree_of(array));
}

const struct json *json_at(const struct json *array, size_t index)
{
	return (const struct json *)json_array_get(tree_of(array), index);
}

void json_each(const struct json *object, void (*each)(const char *key, const struct json *value, void *data),
	       void *data)
{
	json_t *tree = (json_t *)object;
	const char *key;
	json_t *value;

	json_object_foreach (tree, key, value)
		each(key, (const struct json *)value, data);
}

static void dump(struct json_writer *w, const char *key, const json_t *node)
{
	const char *member_key;
	json_t *member;
	char number[64];
	size_t i;

	switch (node_kind(node)) {
	case NODE_OBJECT:
		json_open_object(w, key);
		json_object_foreach ((json_t *)node, member_key, member)
			dump(w, member_key, member);
		json_close(w);
		break;
	case NODE_ARRAY:
		json_open_array(w, key);
		json_array_foreach (node, i, member)
			dump(w, NULL, member);
		json_close(w);
		break;
	case NODE_STRING:
		json_put_string(w, key, json_string_value(node));
		break;
	case NODE_NUMBER:
		json_put_raw(w, key, node_literal(node, number, sizeof(number)));
		break;
	case NODE_BOOL:
		json_put_bool(w, key, json_is_true(node));
		break;
	case NODE_NULL:
		json_put_null(w, key);
		break;
	}
}

char *json_dump(const struct json *json, int indent)
{
	struct json_writer w = json_writer_init(indent);

	dump(&w, NULL, tree_of(json));
	return json_finish(&w);
}

/* ---- merging ---- */

struct merge {
	struct json_writer *out;
	const struct json *base, *patch;
};

static void merge_members(struct json_writer *out, const struct json *base, const struct json *patch);

static void put_merged(const char *key, const struct json *value, void *data)
{
	const struct merge *m = data;
	const struct json *other = json_find(m->patch, key);
	auto_free char *old = json_dump(value, JSON_INDENT_NONE),
		       *new = other ? json_dump(other, JSON_INDENT_NONE) : NULL;

	if (new &&*new == '{' && *old == '{') {
		json_open_object(m->out, key);
		merge_members(m->out, value, other);
		json_close(m->out);
	} else {
		json_put_raw(m->out, key, new ? new : old);
	}
}

static void put_added(const char *key, const struct json *value, void *data)
{
	const struct merge *m = data;
	auto_free char *text = json_find(m->base, key) ? NULL : json_dump(value, JSON_INDENT_NONE);

	if (text)
		json_put_raw(m->out, key, text);
}

static void merge_members(struct json_writer *out, const struct json *base, const struct json *patch)
{
	struct merge m = {out, base, patch};

	json_each(base, put_merged, &m);
	json_each(patch, put_added, &m);
}

char *json_merge(const struct json *base, const struct json *patch, int indent)
{
	struct json_writer w = json_writer_init(indent);

	json_open_object(&w, NULL);
	merge_members(&w, base, patch);
	json_close(&w);
	return json_finish(&w);
}
