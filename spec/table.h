/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables that describe config.json, and the one walker that reads and writes through them.
 *
 * Each JSON object is a struct object: a list of fields (key, type, where in the C struct, limits) and, where a rule
 * needs more than one field, a check that runs when all of them are decoded (spec/validate.h).  decode.c fills structs
 * from jansson's tree, encode.c writes them back, lint.c asks which keys are unknown.  A key is spelled in one place.
 *
 * The walker tracks the JSON path as a chain of struct step on the stack; it becomes text only when something is
 * refused. null is absent.  An empty string is absent, as in Go, except in lists and maps.
 */
#ifndef HOLM_SPEC_TABLE_H
#define HOLM_SPEC_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/json.h"
#include "spec/names.h"

struct step { /* one element of a path; the root has no step */
	const struct step *parent;
	const char *key; /* NULL: index */
	size_t index;
};

#define STEP_KEY(up, name) (&(struct step){.parent = (up), .key = (name)})
#define STEP_INDEX(up, i) (&(struct step){.parent = (up), .index = (i)})

struct walker;
struct object;

enum field_type {
	FIELD_STRING,  /* const char * */
	FIELD_BOOL,    /* bool */
	FIELD_NUMBER,  /* any integer; min..max */
	FIELD_NAME,    /* a string of names -> any integer */
	FIELD_FLAGS,   /* an array of names -> their values or'ed */
	FIELD_INLINE,  /* an object whose table speaks of a struct at offset */
	FIELD_POINTER, /* an object in a struct of its own */
	FIELD_STRINGS, /* const char ** and count; names: only these */
	FIELD_NUMBERS, /* uint32_t * and count */
	FIELD_LIST,    /* an array of objects: struct * and count */
	FIELD_MAP,     /* an object with free keys: struct * and count; each begins with const char *key */
	FIELD_CUSTOM,  /* functions */
	FIELD_IGNORED, /* known, without effect here; note says why */
};

enum {
	FIELD_REQUIRED = 1 << 0, /* absence is refused */
	FIELD_ALWAYS = 1 << 1,	 /* written also when it is zero or empty */
	FIELD_ABSOLUTE = 1 << 2, /* strings: absolute paths */
	FIELD_FILLED = 1 << 3,	 /* lists: at least one */
	FIELD_SIGNED = 1 << 4,	 /* numbers: the C type is signed */
};

struct field;

struct custom {
	int (*decode)(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
		      void *base);
	void (*encode)(struct json_writer *out, const struct field *field, const void *base);
};

enum { FIELD_NOWHERE = UINT16_MAX };

struct field {
	const char *key;
	uint8_t type, flags, width; /* width: bytes of the number */
	uint16_t offset;
	uint16_t has;	/* offset of the bool that says present; FIELD_NOWHERE: none */
	uint16_t count; /* lists: offset of size_t n */
	int64_t min;
	uint64_t max;
	const struct object *object; /* inline, pointer, list, map */
	const struct names *names;   /* name, flags, strings */
	const struct custom *custom;
	const char *note; /* why it is ignored, or what is odd about using it (for lint) */
};

struct object {
	const char *what; /* "rlimit", for errors */
	const struct field *fields;
	size_t n_fields;
	size_t size;		   /* of the struct */
	const void *defaults;	   /* NULL: zero */
	bool closed;		   /* an unknown key is refused (what names the kind of key) */
	const struct field *value; /* maps of plain values: how the value is stored; fields is empty then */
	int (*check)(struct walker *w, const struct step *step, void *base); /* NULL: none */
};

/* What lint wants to hear.  path is as in errors ("process.env[3]"). */
struct walker_listener {
	void (*refused)(const char *path, const char *reason, void *data);
	void (*unknown)(const char *path, const char *key, const struct object *object, void *data);
	void (*noted)(const char *path, const char *note, void *data);
	void *data;
};

struct walker {
	const char *name; /* the document's, for errors */
	struct arena *arena;
	struct error *e;
	const struct walker_listener *listener; /* NULL: stop at the first refusal.  Else: tell it and go on */
	bool warns;				/* of unknown keys */
};

/* Refuses what is at step; returns the negative errno to hand on. */
int walk_refuse(struct walker *w, const struct step *step, const char *format, ...) printf_like(3, 4);

/* Tells the listener, if there is one, what is odd about step. */
void walk_note(struct walker *w, const struct step *step, const char *note);

/* base: a struct of object->size bytes, zeroed or filled with the defaults. */
int walk_decode(struct walker *w, const struct step *step, const json_t *node, const struct object *object,
		void *base) must_check;

/* The members of base, without the brackets around. */
void walk_encode(struct json_writer *out, const struct object *object, const void *base);

/* For custom decoders. */
int walk_refuse_kind(struct walker *w, const struct step *step, const json_t *node, const char *wanted);
int walk_string(struct walker *w, const struct step *step, const json_t *node, const char **ret) must_check;

/* ---- how tables are written: S is the struct, M its member ---- */

/* clang-format off */

#define _MEMBER(S, M) ((struct S *)0)->M
#define _IS_SIGNED(S, M) (((__typeof__(_MEMBER(S, M)))-1 > 0) ? 0 : FIELD_SIGNED)
#define _AT(S, M) .offset = offsetof(struct S, M)
#define _PLAIN .has = FIELD_NOWHERE, .count = FIELD_NOWHERE

#define F_STRING(K, S, M, FLAGS) {.key = K, .type = FIELD_STRING, .flags = (FLAGS), _AT(S, M), _PLAIN}
#define F_BOOL(K, S, M, FLAGS) {.key = K, .type = FIELD_BOOL, .flags = (FLAGS), _AT(S, M), _PLAIN}
#define F_BOOL_HAS(K, S, M, HAS) \
	{.key = K, .type = FIELD_BOOL, _AT(S, M), .has = offsetof(struct S, HAS), .count = FIELD_NOWHERE}
#define _F_NUMBER(K, S, M, MIN, MAX, FLAGS, HAS) \
	{.key = K, .type = FIELD_NUMBER, .flags = (FLAGS) | _IS_SIGNED(S, M), .width = sizeof(_MEMBER(S, M)), \
	 _AT(S, M), .has = (HAS), .count = FIELD_NOWHERE, .min = (MIN), .max = (MAX)}
#define F_NUMBER(K, S, M, MIN, MAX, FLAGS) _F_NUMBER(K, S, M, MIN, MAX, FLAGS, FIELD_NOWHERE)
#define F_NUMBER_HAS(K, S, M, HAS, MIN, MAX) _F_NUMBER(K, S, M, MIN, MAX, 0, offsetof(struct S, HAS))
#define F_VALUE(K, S, M, MIN, MAX) F_NUMBER_HAS(K, S, M.value, M.present, MIN, MAX) /* spec_number, spec_unsigned */
#define F_NAME(K, S, M, NAMES, FLAGS) \
	{.key = K, .type = FIELD_NAME, .flags = (FLAGS), .width = sizeof(_MEMBER(S, M)), _AT(S, M), _PLAIN, \
	 .names = &(NAMES)}
#define F_FLAGS(K, S, M, NAMES) \
	{.key = K, .type = FIELD_FLAGS, .width = sizeof(_MEMBER(S, M)), _AT(S, M), _PLAIN, .names = &(NAMES)}
#define F_INLINE(K, S, M, OBJECT, FLAGS) \
	{.key = K, .type = FIELD_INLINE, .flags = (FLAGS), _AT(S, M), _PLAIN, .object = &(OBJECT)}
#define F_SAME(K, OBJECT, FLAGS) /* an object that is stored in the outer one's struct */ \
	{.key = K, .type = FIELD_INLINE, .flags = (FLAGS), .offset = 0, _PLAIN, .object = &(OBJECT)}
#define F_SAME_HAS(K, S, HAS, OBJECT) \
	{.key = K, .type = FIELD_INLINE, .offset = 0, .has = offsetof(struct S, HAS), .count = FIELD_NOWHERE, \
	 .object = &(OBJECT)}
#define F_INLINE_HAS(K, S, M, HAS, OBJECT) \
	{.key = K, .type = FIELD_INLINE, _AT(S, M), .has = offsetof(struct S, HAS), .count = FIELD_NOWHERE, \
	 .object = &(OBJECT)}
#define F_POINTER(K, S, M, OBJECT) {.key = K, .type = FIELD_POINTER, _AT(S, M), _PLAIN, .object = &(OBJECT)}
#define _LISTED(S, M, N) _AT(S, M), .has = FIELD_NOWHERE, .count = offsetof(struct S, N)
#define F_STRINGS(K, S, M, N, FLAGS) {.key = K, .type = FIELD_STRINGS, .flags = (FLAGS), _LISTED(S, M, N)}
#define F_NUMBERS(K, S, M, N, MAX) {.key = K, .type = FIELD_NUMBERS, _LISTED(S, M, N), .width = 4, .max = (MAX)}
#define F_LIST(K, S, M, N, OBJECT, FLAGS) \
	{.key = K, .type = FIELD_LIST, .flags = (FLAGS), _LISTED(S, M, N), .object = &(OBJECT)}
#define F_MAP(K, S, M, N, OBJECT) {.key = K, .type = FIELD_MAP, _LISTED(S, M, N), .object = &(OBJECT)}
#define F_CUSTOM(K, S, M, CUSTOM, FLAGS) \
	{.key = K, .type = FIELD_CUSTOM, .flags = (FLAGS), _AT(S, M), _PLAIN, .custom = &(CUSTOM)}
#define F_IGNORED(K, NOTE) {.key = K, .type = FIELD_IGNORED, _PLAIN, .note = (NOTE)}
/* clang-format on */

#define OBJECT(VARIABLE, WHAT, S, ...)                                                                                 \
	const struct object VARIABLE = {.what = WHAT,                                                                  \
					.fields = VARIABLE##_fields,                                                   \
					.n_fields = ARRAY_SIZE(VARIABLE##_fields),                                     \
					.size = sizeof(struct S),                                                      \
					__VA_ARGS__}

#endif
