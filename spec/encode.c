/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "spec/table.h"

static uint64_t load(const void *source, const struct field *field)
{
	bool is_signed = field->flags & FIELD_SIGNED;
	uint8_t one;
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (field->width) {
	case 1:
		memcpy(&one, source, 1);
		return is_signed ? (uint64_t)(int8_t)one : one;
	case 2:
		memcpy(&two, source, 2);
		return is_signed ? (uint64_t)(int16_t)two : two;
	case 4:
		memcpy(&four, source, 4);
		return is_signed ? (uint64_t)(int32_t)four : four;
	default:
		memcpy(&eight, source, 8);
		return eight;
	}
}

static void encode_number(struct json_writer *out, const struct field *field, const void *source)
{
	uint64_t value = load(source, field);

	if (field->flags & FIELD_SIGNED)
		json_put_int(out, field->key, (int64_t)value);
	else
		json_put_uint(out, field->key, value);
}

static void encode_flags(struct json_writer *out, const struct field *field, const void *source)
{
	uint64_t value = load(source, field);

	if (!value)
		return;
	json_open_array(out, field->key);
	for (size_t i = 0; i < field->names->n; i++)
		if (value & field->names->list[i].value)
			json_put_string(out, NULL, field->names->list[i].name);
	json_close(out);
}

static void encode_object(struct json_writer *out, const char *key, const struct object *object, const void *base)
{
	json_open_object(out, key);
	walk_encode(out, object, base);
	json_close(out);
}

static void encode_inline(struct json_writer *out, const struct field *field, const void *base)
{
	struct json_mark mark = json_mark(out);

	json_open_object(out, field->key);
	walk_encode(out, field->object, base);
	if (field->flags & FIELD_ALWAYS || field->has != FIELD_NOWHERE)
		json_close(out);
	else
		json_close_or_drop(out, mark);
}

static void encode_map(struct json_writer *out, const struct field *field, const char *list, size_t n)
{
	const struct object *object = field->object;

	json_open_object(out, field->key);
	for (const char *p = list; p < list + n * object->size; p += object->size) {
		const char *key = *(const char *const *)p;

		if (object->value)
			json_put_string(out, key, *(const char *const *)(p + object->value->offset));
		else
			encode_object(out, key, object, p);
	}
	json_close(out);
}

static void encode_list(struct json_writer *out, const struct field *field, const void *list, size_t n)
{
	json_open_array(out, field->key);
	for (size_t i = 0; i < n; i++)
		if (field->type == FIELD_STRINGS)
			json_put_string(out, NULL, ((const char *const *)list)[i]);
		else if (field->type == FIELD_NUMBERS)
			json_put_uint(out, NULL, ((const uint32_t *)list)[i]);
		else
			encode_object(out, NULL, field->object, (const char *)list + i * field->object->size);
	json_close(out);
}

/* Is there anything to write?  defaults: the struct as it is without JSON; NULL: zero. */
static bool is_default(const struct field *field, const void *source, const void *defaults)
{
	static const char zero[8];
	size_t width = field->type == FIELD_BOOL ? sizeof(bool) : field->width;

	return !memcmp(source, defaults ? (const char *)defaults + field->offset : zero, width);
}

static void encode_field(struct json_writer *out, const struct field *field, const void *base, const void *defaults)
{
	const void *source = (const char *)base + field->offset;
	const void *pointer = NULL;
	const char *name;
	bool always = field->flags & FIELD_ALWAYS;
	size_t n = 0;

	if (field->has != FIELD_NOWHERE) {
		if (!*(const bool *)((const char *)base + field->has))
			return;
		always = true;
	}
	if (field->count != FIELD_NOWHERE) {
		n = *(const size_t *)((const char *)base + field->count);
		if (!n && !always)
			return;
	}
	switch ((enum field_type)field->type) {
	case FIELD_STRING:
		memcpy(&pointer, source, sizeof(pointer));
		if (pointer)
			json_put_string(out, field->key, pointer);
		break;
	case FIELD_BOOL:
		if (always || !is_default(field, source, defaults))
			json_put_bool(out, field->key, *(const bool *)source);
		break;
	case FIELD_NUMBER:
		if (always || !is_default(field, source, defaults))
			encode_number(out, field, source);
		break;
	case FIELD_NAME:
		name = always || !is_default(field, source, defaults) ? names_peek(field->names, load(source, field))
								      : NULL;
		if (name)
			json_put_string(out, field->key, name);
		break;
	case FIELD_FLAGS:
		encode_flags(out, field, source);
		break;
	case FIELD_INLINE:
		encode_inline(out, field, source);
		break;
	case FIELD_POINTER:
		memcpy(&pointer, source, sizeof(pointer));
		if (pointer)
			encode_object(out, field->key, field->object, pointer);
		break;
	case FIELD_STRINGS:
	case FIELD_NUMBERS:
	case FIELD_LIST:
		memcpy(&pointer, source, sizeof(pointer));
		encode_list(out, field, pointer, n);
		break;
	case FIELD_MAP:
		memcpy(&pointer, source, sizeof(pointer));
		encode_map(out, field, pointer, n);
		break;
	case FIELD_CUSTOM:
		field->custom->encode(out, field, base);
		break;
	case FIELD_IGNORED:
		break;
	}
}

void walk_encode(struct json_writer *out, const struct object *object, const void *base)
{
	for (size_t i = 0; i < object->n_fields; i++)
		encode_field(out, &object->fields[i], base, object->defaults);
}
