/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an archive of images consists of, whether it is a folder or a tar: JSON documents and layers, by name.  Layers are read
 * where they are: nothing is copied out of an archive.
 */
#ifndef HOLM_STORAGE_IMAGE_PARTS_H
#define HOLM_STORAGE_IMAGE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "storage/unpack.h"

struct part {
	int fd; /* the caller closes it */
	uint64_t offset, size;
};

struct parts_member {
	const char *name, *link; /* link: NULL, or the name that it stands for */
	uint64_t offset, size;
};

struct parts {
	const char *name; /* for errors */
	int folder;	  /* -1: a file */
	int file;	  /* a tar that is not compressed */
	struct arena arena;
	struct parts_member *members;
	size_t n, room;
};

#define PARTS_INIT ((struct parts){.folder = -1, .file = -1})
#define auto_parts __attribute__((cleanup(parts_close))) struct parts

/* The descriptors stay the caller's. */
int parts_open_folder(int folder, const char *name, struct parts *ret, struct error *e) must_check;
int parts_open_file(int file, const char *name, const struct unpack_limits *limits, struct parts *ret,
		    struct error *e) must_check;
void parts_close(struct parts *parts);

bool parts_has(struct parts *parts, const char *name);

/* ERROR_NOT_FOUND: there is no such part. */
int parts_find(struct parts *parts, const char *name, struct part *ret, struct error *e) must_check;

/* A document, malloc'd and NUL-terminated. */
int parts_read(struct parts *parts, const char *name, char **ret_data, size_t *ret_size, struct error *e) must_check;

#endif
