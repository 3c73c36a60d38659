/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small JSON files of the data folder: read as a whole, written as a whole.
 */
#ifndef HOLM_STORAGE_JSONFILE_H
#define HOLM_STORAGE_JSONFILE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/json.h"

/* Not a symlink.  ERROR_NOT_FOUND: there is no such file. */
int jsonfile_read(int folder, const char *name, struct json **ret, struct error *e) must_check;

/*
 * The same, for an object with a list of SHA-256 digests (or of other strings) that may be long: libjansson takes a microsecond for each,
 * which every start would feel.
 */
int jsonfile_read_digests(int folder, const char *name, const char *key, struct arena *arena, const char ***ret_list,
			  size_t *ret_n, struct json **ret, struct error *e) must_check;

/* All or nothing; finishes the writer. */
int jsonfile_write(int folder, const char *name, struct json_writer *w, struct error *e) must_check;

/* Members, copied to the arena; NULL, or none, where they are absent or of another type. */
const char *jsonfile_string(struct arena *arena, const struct json *object, const char *key);
const char **jsonfile_strings(struct arena *arena, const struct json *object, const char *key, size_t *ret_n);

#endif
