/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one error type.
 *
 * struct error is flat and of fixed size: it needs no allocation, so it can be produced anywhere (also in
 * init, after clone), needs no release, and travels from init to the host side as one datagram.  The caller
 * owns it (one lives in main) and passes it last.
 *
 * A function that can fail returns 0 or -errno and nothing else.  Three producers fill the struct:
 *   error_system()  a system call failed: the kind comes from errno, the text names operation and object
 *   error_refuse()  we refuse: the kind is chosen, there is no errno to show
 *   error_bug()     an invariant of ours broke
 * and one enricher, error_context(), prepends what we were doing; call it only with a noun that the callee did
 * not know.  The words for errno are appended when the error is printed, so cutting the text never loses them.
 *
 * Texts are lower case, without a full stop, with names in '...'.
 */
#ifndef HOLM_BASE_ERROR_H
#define HOLM_BASE_ERROR_H

#include <stddef.h>
#include <stdint.h>

enum error_kind {
	ERROR_NONE,
	ERROR_SYSTEM,	   /* a system call failed; code is its errno */
	ERROR_USAGE,	   /* the command line */
	ERROR_OPERANDS,	   /* the command line: too few or too many operands */
	ERROR_INVALID,	   /* config.json or another input file */
	ERROR_NOT_FOUND,   /* no such container, network, image ... */
	ERROR_EXISTS,	   /* the name is taken */
	ERROR_STATE,	   /* not possible in this state */
	ERROR_UNSUPPORTED, /* this host or this build can't */
	ERROR_PERMISSION,  /* not allowed to this user */
	ERROR_LIMIT,	   /* a limit is in the way */
	ERROR_BUG,	   /* holm's own fault */
	_ERROR_KIND_N
};

#define ERROR_TEXT_SIZE 1016

struct error {
	int32_t kind; /* enum error_kind */
	int32_t code; /* errno, 0 if there is none */
	char text[ERROR_TEXT_SIZE];
};

#define ERROR_INIT ((struct error){.kind = ERROR_NONE})

#define must_check __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

/* Each returns a negative errno to hand on: -code, or one that fits the kind.  e may be NULL. */
int error_system(struct error *e, int code, const char *format, ...) printf_like(3, 4);
int error_refuse(struct error *e, enum error_kind kind, const char *format, ...) printf_like(3, 4);
int error_bug(struct error *e, const char *format, ...) printf_like(2, 3);

/* Prepends "format: " to the text. */
void error_context(struct error *e, const char *format, ...) printf_like(2, 3);

/* Writes text and, where there is one, the words for errno into buffer; returns buffer. */
const char *error_format(const struct error *e, char *buffer, size_t size);

/* The negative errno that stands for e (what a function that received e over a socket returns). */
int error_return(const struct error *e);

/* "invalid", "not-found", ...: its kind as one word, for logs. */
const char *error_kind_name(const struct error *e);

#endif
