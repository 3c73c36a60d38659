/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "spec/parse.h"

enum { PATH_SIZE = 512 };

static void add_step(struct str *path, const struct step *step)
{
	if (!step)
		return;
	add_step(path, step->parent);
	if (!step->key)
		str_addf(path, "[%zu]", step->index);
	else if (strpbrk(step->key, ".[]' ") || !*step->key)
		str_addf(path, "['%s']", step->key);
	else
		str_addf(path, "%s%s", path->size ? "." : "", step->key);
}

/* "process.rlimits[2].type" into buffer; returns it. */
static const char *format_path(const struct step *step, char *buffer, size_t size)
{
	auto_str path = STR_INIT;

	add_step(&path, step);
	snprintf(buffer, size, "%s", str_peek(&path));
	return buffer;
}

int walk_refuse(struct walker *w, const struct step *step, const char *format, ...)
{
	char path[PATH_SIZE], reason[ERROR_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	str_make_printable(reason); /* keys and values are quoted in it */
	format_path(step, path, sizeof(path));
	str_make_printable(path);
	if (w->listener) {
		w->listener->refused(path, reason, w->listener->data);
		return -EINVAL;
	}
	return error_refuse(w->e, ERROR_INVALID, "%s: %s%s%s", w->name, path, *path ? ": " : "", reason);
}

void walk_note(struct walker *w, const struct step *step, const char *note)
{
	char path[PATH_SIZE];

	if (w->listener)
		w->listener->noted(format_path(step, path, sizeof(path)), note, w->listener->data);
}

/* A listener hears of every refusal; without one, the first ends the walk. */
static bool stops(const struct walker *w, int r)
{
	return r && !w->listener;
}

int walk_refuse_kind(struct walker *w, const struct step *step, const json_t *node, const char *wanted)
{
	return walk_refuse(w, step, "must be %s, not %s", wanted, node_kind_name(node_kind(node)));
}

static int refuse_kind(struct walker *w, const struct step *step, const json_t *node, enum node_kind wanted)
{
	return walk_refuse_kind(w, step, node, node_kind_name(wanted));
}

int walk_string(struct walker *w, const struct step *step, const json_t *node, const char **ret)
{
	if (node_kind(node) != NODE_STRING)
		return refuse_kind(w, step, node, NODE_STRING);
	*ret = arena_memdup(w->arena, json_string_value(node), json_string_length(node) + 1);
	return 0;
}

static int decode_string(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			 const char **ret)
{
	const char *value = NULL;
	int r = walk_string(w, step, node, &value);

	if (r)
		return r;
	if (!*value) {
		if (field->flags & FIELD_REQUIRED)
			return walk_refuse(w, step, "must not be empty");
		return 0;
	}
	if (field->flags & FIELD_ABSOLUTE && *value != '/')
		return walk_refuse(w, step, "must be an absolute path, not '%s'", value);
	*ret = value;
	return 0;
}

static void store(void *target, uint8_t width, uint64_t value)
{
	uint8_t one = value;
	uint16_t two = value;
	uint32_t four = value;

	switch (width) {
	case 1:
		memcpy(target, &one, 1);
		break;
	case 2:
		memcpy(target, &two, 2);
		break;
	case 4:
		memcpy(target, &four, 4);
		break;
	default:
		memcpy(target, &value, 8);
	}
}

static int decode_number(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			 void *target)
{
	uint64_t magnitude = 0;
	bool negative = false;
	char buffer[64];
	int r;

	if (node_kind(node) != NODE_NUMBER)
		return refuse_kind(w, step, node, NODE_NUMBER);
	r = node_integer(node, &negative, &magnitude);
	if (r == -EINVAL)
		return walk_refuse(w, step, "must be a whole number, not %s",
				   node_literal(node, buffer, sizeof(buffer)));
	if (!r && (negative ? field->min >= 0 || magnitude > 0 - (uint64_t)field->min
			    : magnitude > field->max || (field->min > 0 && magnitude < (uint64_t)field->min)))
		r = -ERANGE;
	if (r)
		return walk_refuse(w, step, "must be %" PRId64 " to %" PRIu64 ", not %s", field->min, field->max,
				   node_literal(node, buffer, sizeof(buffer)));
	store(target, field->width, negative ? 0 - magnitude : magnitude);
	return 0;
}

enum { FEW_NAMES = 9 }; /* so many are listed in an error */

static int refuse_name(struct walker *w, const struct step *step, const struct names *names, const char *name)
{
	const char *closest = strlen(name) > 2 ? names_closest(names, name) : NULL;
	auto_str known = STR_INIT;

	if (closest)
		return walk_refuse(w, step, "unknown %s '%s' (did you mean '%s'?)", names->what, name, closest);
	if (names->n > FEW_NAMES)
		return walk_refuse(w, step, "unknown %s '%s'", names->what, name);
	for (size_t i = 0; i < names->n; i++)
		str_addf(&known, "%s%s", i ? ", " : "", names->list[i].name);
	return walk_refuse(w, step, "unknown %s '%s' (known: %s)", names->what, name, str_peek(&known));
}

static int find_name(struct walker *w, const struct step *step, const json_t *node, const struct names *names,
		     uint64_t *ret)
{
	if (node_kind(node) != NODE_STRING)
		return refuse_kind(w, step, node, NODE_STRING);
	if (names_find(names, json_string_value(node), ret))
		return refuse_name(w, step, names, json_string_value(node));
	return 0;
}

static int decode_name(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
		       void *target)
{
	uint64_t value = 0;
	int r;

	if (json_is_string(node) && !json_string_length(node) && !(field->flags & FIELD_REQUIRED))
		return 0;
	r = find_name(w, step, node, field->names, &value);
	if (!r)
		store(target, field->width, value);
	return r;
}

static int check_array(struct walker *w, const struct step *step, const json_t *node, const struct field *field)
{
	if (!json_is_array(node))
		return refuse_kind(w, step, node, NODE_ARRAY);
	if (field->flags & FIELD_FILLED && !json_array_size(node))
		return walk_refuse(w, step, "must not be empty");
	return 0;
}

static int decode_flags(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			void *target)
{
	uint64_t value = 0, one = 0;
	json_t *element;
	size_t i;
	bool failed = false;
	int r = check_array(w, step, node, field);

	if (r)
		return r;
	json_array_foreach (node, i, element) {
		r = find_name(w, STEP_INDEX(step, i), element, field->names, &one);
		if (stops(w, r))
			return r;
		failed |= r;
		value |= one;
	}
	store(target, field->width, value);
	return failed ? -EINVAL : 0;
}

static int decode_strings(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			  const char ***ret, size_t *ret_n)
{
	const char **list;
	json_t *element;
	uint64_t ignored;
	size_t i, n = 0;
	bool failed = false;
	int r = check_array(w, step, node, field);

	if (r)
		return r;
	list = arena_array(w->arena, const char *, json_array_size(node) + 1);
	json_array_foreach (node, i, element) {
		const struct step *here = STEP_INDEX(step, i);

		r = field->names ? find_name(w, here, element, field->names, &ignored) : 0;
		if (!r)
			r = walk_string(w, here, element, &list[n]);
		if (!r && field->flags & FIELD_ABSOLUTE && *list[n] != '/')
			r = walk_refuse(w, here, "must be an absolute path, not '%s'", list[n]);
		if (stops(w, r))
			return r;
		failed |= r;
		n += !r;
	}
	*ret = list;
	*ret_n = n;
	return failed ? -EINVAL : 0;
}

static int decode_numbers(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			  uint32_t **ret, size_t *ret_n)
{
	uint32_t *list;
	json_t *element;
	size_t i, n = 0;
	bool failed = false;
	int r = check_array(w, step, node, field);

	if (r)
		return r;
	list = arena_array(w->arena, uint32_t, json_array_size(node));
	json_array_foreach (node, i, element) {
		r = decode_number(w, STEP_INDEX(step, i), element, field, &list[n]);
		if (stops(w, r))
			return r;
		failed |= r;
		n += !r;
	}
	*ret = list;
	*ret_n = n;
	return failed ? -EINVAL : 0;
}

static void set_defaults(const struct object *object, void *base)
{
	if (object->defaults)
		memcpy(base, object->defaults, object->size);
}

static int decode_list(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
		       void **ret, size_t *ret_n)
{
	const struct object *object = field->object;
	json_t *element;
	size_t i, n = 0;
	char *list;
	bool failed = false;
	int r = check_array(w, step, node, field);

	if (r)
		return r;
	list = arena_alloc(w->arena, object->size * json_array_size(node));
	json_array_foreach (node, i, element) {
		char *base = list + n * object->size;

		set_defaults(object, base);
		r = walk_decode(w, STEP_INDEX(step, i), element, object, base);
		if (stops(w, r))
			return r;
		failed |= r;
		if (r) /* the next one starts clean */
			memset(base, 0, object->size);
		n += !r;
	}
	*ret = list;
	*ret_n = n;
	return failed ? -EINVAL : 0;
}

static int decode_map(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
		      void **ret, size_t *ret_n)
{
	const struct object *object = field->object;
	json_t *element;
	const char *key;
	size_t n = 0;
	char *list;
	bool failed = false;
	int r;

	if (!json_is_object(node))
		return refuse_kind(w, step, node, NODE_OBJECT);
	list = arena_alloc(w->arena, object->size * json_object_size(node));
	json_object_foreach ((json_t *)node, key, element) {
		const struct step *here = STEP_KEY(step, key);
		char *base = list + n * object->size;

		if (json_is_null(element))
			continue;
		set_defaults(object, base);
		*(const char **)base = arena_strdup(w->arena, key);
		if (object->value)
			r = walk_string(w, here, element, (const char **)(base + object->value->offset));
		else
			r = walk_decode(w, here, element, object, base);
		if (!r && object->value && object->check)
			r = object->check(w, here, base);
		if (stops(w, r))
			return r;
		failed |= r;
		if (r) /* the next one starts clean */
			memset(base, 0, object->size);
		n += !r;
	}
	*ret = list;
	*ret_n = n;
	return failed ? -EINVAL : 0;
}

static int decode_pointer(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			  void **ret)
{
	void *base = arena_alloc(w->arena, field->object->size);
	int r;

	set_defaults(field->object, base);
	r = walk_decode(w, step, node, field->object, base);
	if (r)
		return r;
	*ret = base;
	return 0;
}

static int decode_bool(struct walker *w, const struct step *step, const json_t *node, bool *ret)
{
	if (!json_is_boolean(node))
		return refuse_kind(w, step, node, NODE_BOOL);
	*ret = json_is_true(node);
	return 0;
}

static int decode_value(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			void *base)
{
	void *target = (char *)base + field->offset;
	size_t *count = field->count == FIELD_NOWHERE ? NULL : (size_t *)((char *)base + field->count);

	switch ((enum field_type)field->type) {
	case FIELD_STRING:
		return decode_string(w, step, node, field, target);
	case FIELD_BOOL:
		return decode_bool(w, step, node, target);
	case FIELD_NUMBER:
		return decode_number(w, step, node, field, target);
	case FIELD_NAME:
		return decode_name(w, step, node, field, target);
	case FIELD_FLAGS:
		return decode_flags(w, step, node, field, target);
	case FIELD_INLINE:
		return walk_decode(w, step, node, field->object, target);
	case FIELD_POINTER:
		return decode_pointer(w, step, node, field, target);
	case FIELD_STRINGS:
		return decode_strings(w, step, node, field, target, count);
	case FIELD_NUMBERS:
		return decode_numbers(w, step, node, field, target, count);
	case FIELD_LIST:
		return decode_list(w, step, node, field, target, count);
	case FIELD_MAP:
		return decode_map(w, step, node, field, target, count);
	case FIELD_CUSTOM:
		return field->custom->decode(w, step, node, field, base);
	case FIELD_IGNORED:
		walk_note(w, step, field->note);
		return 0;
	}
	return error_bug(w->e, "field '%s' has no type", field->key);
}

static int decode_field(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			void *base)
{
	int r = decode_value(w, step, node, field, base);

	if (!r && field->has != FIELD_NOWHERE)
		*(bool *)((char *)base + field->has) = true;
	return r;
}

/* The field with that key; documents mostly follow the tables' order, so the search starts behind the last hit. */
static size_t find_field(const struct object *object, const char *key, size_t start)
{
	for (size_t i = start; i < object->n_fields; i++)
		if (!strcmp(object->fields[i].key, key))
			return i;
	for (size_t i = 0; i < start && i < object->n_fields; i++)
		if (!strcmp(object->fields[i].key, key))
			return i;
	return object->n_fields;
}

/* Unknown keys are ignored, as the OCI demands, but where the OCI lists all keys that may be. */
static int meet_unknown(struct walker *w, const struct step *step, const char *key, const struct object *object)
{
	char path[PATH_SIZE];

	if (object->closed)
		return walk_refuse(w, STEP_KEY(step, key), "unknown %s '%s'", object->what, key);
	if (w->listener)
		w->listener->unknown(format_path(STEP_KEY(step, key), path, sizeof(path)), key, object,
				     w->listener->data);
	if (w->warns)
		log_warning("%s: %s: unknown key: ignored", w->name,
			    format_path(STEP_KEY(step, key), path, sizeof(path)));
	return 0;
}

int walk_decode(struct walker *w, const struct step *step, const json_t *node, const struct object *object, void *base)
{
	uint64_t seen = 0;
	bool failed = false;
	json_t *member;
	const char *key;
	size_t next = 0;
	int r;

	if (!json_is_object(node))
		return refuse_kind(w, step, node, NODE_OBJECT);
	json_object_foreach ((json_t *)node, key, member) {
		size_t i = find_field(object, key, next);

		if (json_is_null(member))
			continue;
		if (i == object->n_fields) {
			r = meet_unknown(w, step, key, object);
		} else {
			next = i + 1;
			seen |= UINT64_C(1) << i;
			r = decode_field(w, STEP_KEY(step, key), member, &object->fields[i], base);
		}
		if (stops(w, r))
			return r;
		failed |= r;
	}
	for (size_t i = 0; i < object->n_fields; i++)
		if (object->fields[i].flags & FIELD_REQUIRED && !(seen & UINT64_C(1) << i)) {
			r = walk_refuse(w, STEP_KEY(step, object->fields[i].key), "is missing");
			if (stops(w, r))
				return r;
			failed = true;
		}
	/* A check may take for granted what the fields promise. */
	if (failed)
		return -EINVAL;
	return object->check ? object->check(w, step, base) : 0;
}
