/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What copy.c and copy_moving.c share of a copy that is being made.
 */
#ifndef HOLM_STORAGE_COPY_PARTS_H
#define HOLM_STORAGE_COPY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/error.h"

struct copy;

/* Which file became which: an element of struct copy's seen, unsorted. */
struct copy_pair {
	ino_t from, to;
};

/* Around all the others; top: the folder that is copied to, borrowed. */
int copy_begin(struct copy *copy, int top, struct error *e) must_check;
void copy_end(struct copy *copy);

/* From here on names are those below name; *ret_length is for copy_leave(). */
int copy_enter(struct copy *copy, const char *name, unsigned depth, size_t *ret_length, struct error *e) must_check;
void copy_leave(struct copy *copy, size_t length);

/* Calls each for every name in the folder but "." and "..". */
int copy_each_name(int folder, int (*each)(const char *name, void *data, struct error *e), void *data,
		   struct error *e) must_check;

/* One of any kind, with all below it. */
int copy_entry(struct copy *copy, int from_dir, const char *from, int to_dir, const char *to, unsigned depth,
	       struct error *e) must_check;

/*
 * made is a copy of st already, and may stay: further names of st become its links.  false: another copy has its further names, and this
 * one is to become a link of that.
 */
bool copy_keep(struct copy *copy, const struct stat *st, const struct stat *made, const char *name);

#endif
