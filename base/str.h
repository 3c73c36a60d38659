/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strings: a growing text, number parsers that take the whole string or refuse it, sizes and durations.
 *
 * There is one parser per kind of value and every command uses it: "1:", "0x1", " 1", "1\n", "+1" and numbers out of range
 * are refused (return -EINVAL or -ERANGE; *ret is untouched).
 */
#ifndef HOLM_BASE_STR_H
#define HOLM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A growing, NUL-terminated text.  Starts as STR_INIT; str_release frees it. */
struct str {
	char *data; /* NULL while empty */
	size_t size, room;
};

#define STR_INIT ((struct str){0})
#define auto_str __attribute__((cleanup(str_release))) struct str

void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *data, size_t size);
void str_addf(struct str *s, const char *format, ...) printf_like(2, 3);
const char *str_peek(const struct str *s); /* "" while empty */
char *str_steal(struct str *s);		   /* the caller frees it */
void str_release(struct str *s);

static inline void free_p(void *p)
{
	free(*(void **)p);
}

#define auto_free __attribute__((cleanup(free_p)))

#define take_ptr(p)                                                                                                    \
	({                                                                                                             \
		__auto_type _value = *(p);                                                                             \
		*(p) = NULL;                                                                                           \
		_value;                                                                                                \
	})

static inline bool str_equal(const char *a, const char *b)
{
	return a == b || (a && b && !__builtin_strcmp(a, b));
}

/* The rest of s after prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) must_check;
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret) must_check;

enum { DECIMAL_SIZE = 21 };

/* n in decimal, somewhere in buffer. */
const char *str_decimal(uint64_t n, char buffer[DECIMAL_SIZE]);

/* "512", "64k", "1.5G", "2GiB": bytes, powers of 1024, as runc takes them.  "-1" only where allowed: -> -1. */
int parse_size(const char *s, bool minus_one, int64_t *ret) must_check;

/* "500ms", "1.5s", "5m", "2h", "10" (seconds): nanoseconds. */
int parse_duration(const char *s, int64_t *ret) must_check;

/* What would move the reader's terminal (control characters, also those that UTF-8 has beyond ASCII) becomes '?'. */
void str_make_printable(char *s);

/* The name closest to word by edits, NULL when none is close (for "did you mean"). */
const char *str_closest(const char *word, const char *const *names, size_t n);

/* A container's id or an instance's name: [A-Za-z0-9_+.-]+, not "." or "..", at most 255 bytes (a file's name). */
bool str_is_id(const char *s);

#endif
