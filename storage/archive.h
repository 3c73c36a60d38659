/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of parts, every byte of which is checked: what an instance is carried in.
 *
 * It is a tar that any tar lists and unpacks.  Its members, in this order and with nothing in them that could be otherwise (mode 0600,
 * owner 0, time 0):
 *
 *	manifest.sha256		the SHA-256 of the next one, as sha256sum(1) prints it
 *	manifest.json		{"format": ARCHIVE_FORMAT, "version": 1, "parts": [{"name", "size", "sha256"}, ...]}
 *	the parts		as the manifest lists them
 *
 * As everything but the contents follows from the manifest, whoever reads the file makes the headers anew and compares.
 */
#ifndef HOLM_STORAGE_ARCHIVE_H
#define HOLM_STORAGE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "storage/digest.h"

#define ARCHIVE_FORMAT "holm instance"

enum { ARCHIVE_BLOCK = 512, ARCHIVE_NAME_SIZE = 100, ARCHIVE_PARTS_MAX = 8192 };

struct archive_part {
	const char *name; /* as it is in the tar */
	uint64_t size;
	char sum[DIGEST_HEX_SIZE];
	uint64_t offset;  /* of a file that is read */
	const char *file; /* of one that is written: its name in the folder */
};

/* The header of a tar's member: owner 0, time 0. */
void archive_print_header(const char *name, uint64_t size, unsigned mode, bool is_folder, char ret[ARCHIVE_BLOCK]);

/* ---- writing ---- */

/* Reads folder/part->file: its size and sum. */
int archive_measure(int folder, struct archive_part *part, struct error *e) must_check;

/* target: for errors. */
int archive_write(int fd, const char *target, int folder, const struct archive_part *parts, size_t n,
		  struct error *e) must_check;

/* ---- reading ---- */

struct archive {
	int fd;		  /* a regular file, borrowed */
	const char *name; /* for errors, borrowed */
	struct archive_part *parts;
	size_t n;
};

/*
 * Everything but the contents of the parts is checked.  ERROR_INVALID says what is wrong: no such file, cut off, altered.
 * Strings live in arena.
 */
int archive_open(int fd, const char *name, struct arena *arena, struct archive *ret, struct error *e) must_check;

/* NULL: there is no such part. */
const struct archive_part *archive_find(const struct archive *archive, const char *name);

/* A part's text, malloc'd and NUL-terminated. */
int archive_read(const struct archive *archive, const char *name, size_t max, char **ret, struct error *e) must_check;

/* A part is copied to to (-1: only read) and compared with its sum. */
int archive_copy(const struct archive *archive, const struct archive_part *part, int to, struct error *e) must_check;

/* What every error about a part that is not what the manifest says is. */
int archive_refuse(const struct archive *archive, const struct archive_part *part, struct error *e);

#endif
