/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON for everybody else: a writer that appends to a text, and reading of our own small record files.  jansson stays
 * behind this header.
 *
 * The writer is a stream: open, put, close; key is NULL inside arrays and for the outermost value.  Output has Go's
 * shape: compact without any blanks, or indented with "key": value and [] {} for what is empty.  Every uint64 is exact.
 * Bytes that are not UTF-8 come out as U+FFFD.  Nothing in it fails.
 *
 *	struct json_writer w = json_writer_init(2);
 *	json_open_object(&w, NULL);
 *	json_put_string(&w, "id", id);
 *	json_close(&w);
 *	text = json_finish(&w);			// the caller frees it
 */
#ifndef HOLM_SPEC_JSON_H
#define HOLM_SPEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum { JSON_INDENT_NONE = 0, JSON_INDENT_TAB = -1 }; /* as indent; else the number of spaces per level */

struct json_writer {
	struct str text;
	int indent;
	struct str levels; /* per open level its closing bracket; the highest bit: something was put */
};

struct json_writer json_writer_init(int indent);
void json_open_object(struct json_writer *w, const char *key);
void json_open_array(struct json_writer *w, const char *key);
void json_close(struct json_writer *w);						 /* the innermost one */
void json_put_string(struct json_writer *w, const char *key, const char *value); /* NULL: null */
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_uint(struct json_writer *w, const char *key, uint64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_null(struct json_writer *w, const char *key);
void json_put_raw(struct json_writer *w, const char *key, const char *json); /* a value that is JSON already */
void json_put_double(struct json_writer *w, const char *key, double value);  /* shortest form; not finite: null */
char *json_finish(struct json_writer *w);				     /* the text; w is as new */
void json_discard(struct json_writer *w);				     /* one that nobody finishes */
#define auto_json_writer __attribute__((cleanup(json_discard))) struct json_writer

/* Closes the innermost one; if nothing was put into it, it is taken back, key and all.  mark: taken before its opening.
 */
struct json_mark {
	size_t size;
	bool filled;
};

struct json_mark json_mark(const struct json_writer *w);
void json_close_or_drop(struct json_writer *w, struct json_mark mark);

/*
 * Reading: a parsed value.  json_read() gives the root, which json_free() releases; all others are borrowed from it.
 * Accessors take NULL and values of another type as absent, so a record is read without a check per member; what is
 * indispensable is then seen missing (NULL, or the fallback).
 */
struct json;

int json_read(const char *text, size_t size, const char *name, struct json **ret, struct error *e) must_check;
void json_free(struct json *json); /* the root only; takes NULL */

static inline void json_freep(struct json **json)
{
	json_free(*json);
	*json = NULL;
}

#define auto_json __attribute__((cleanup(json_freep))) struct json

const struct json *json_find(const struct json *object, const char *key);
const char *json_find_string(const struct json *object, const char *key); /* NULL: absent */
int64_t json_find_int(const struct json *object, const char *key, int64_t fallback);
uint64_t json_find_uint(const struct json *object, const char *key, uint64_t fallback);
bool json_find_bool(const struct json *object, const char *key, bool fallback);
size_t json_count(const struct json *array); /* 0 for what is no array */
const struct json *json_at(const struct json *array, size_t index);
const char *json_string_peek(const struct json *string); /* NULL: not a string */
int64_t json_int_peek(const struct json *number, int64_t fallback);

/* Calls each for every member, in the text's order. */
void json_each(const struct json *object, void (*each)(const char *key, const struct json *value, void *data),
	       void *data);

/* The text of a value (indent as above), malloc'd; for handing on a part as it is. */
char *json_dump(const struct json *json, int indent);

/* Two objects as the text of one, malloc'd: patch over base, objects member by member, anything else replaced.  NULL: empty. */
char *json_merge(const struct json *base, const struct json *patch, int indent);

#endif
