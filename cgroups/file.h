/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control files: one read or one write each, no allocation.  All return 0 or -errno; the caller makes the text, because
 * it knows which limit the file stands for.
 */
#ifndef HOLM_CGROUPS_FILE_H
#define HOLM_CGROUPS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { CGROUP_FILE_SIZE = 4096 }; /* enough for every file read as one value or a few lines */

/* folder/file into buffer, NUL-terminated, the last newline cut off.  What does not fit is -EFBIG. */
int cgroup_file_read(const char *folder, const char *file, char *buffer, size_t size) must_check;

/* Writes value with one write(2), as these files want it. */
int cgroup_file_write(const char *folder, const char *file, const char *value) must_check;

/* A file with one number; "max" is UINT64_MAX. */
int cgroup_file_read_number(const char *folder, const char *file, uint64_t *ret) must_check;

/* The number after key and a blank (or '=') in a text of lines or words such as "populated 1\nfrozen 0"; false: no such
 * key. */
bool cgroup_text_find(const char *text, const char *key, uint64_t *ret);

/* The same from a file; a key that is missing is -ENODATA. */
int cgroup_file_read_key(const char *folder, const char *file, const char *key, uint64_t *ret) must_check;

/* Milliseconds of the monotonic clock. */
int64_t cgroup_clock(void);

/* Sleeps for 1, 2, 4 ... at most 50 ms, by the number of the round. */
void cgroup_wait(unsigned round);

#endif
