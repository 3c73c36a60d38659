/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of a layer: its tar without the contents of files, which are in the tree.  Frame and tree together give the tar
 * back byte for byte, whoever wrote it; so a layer can be exported under its own digest, and checked against it.
 *
 * A frame is FRAME_MAGIC and records, numbers as base-128 varints, lowest first:
 *	'r' n, n bytes				bytes as they are
 *	'z' n					n bytes of zero
 *	'f' n, path; size; m, m times (offset, size)	these parts of the file called path, which has this size
 */
#ifndef HOLM_STORAGE_UNPACK_FRAME_H
#define HOLM_STORAGE_UNPACK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FRAME_MAGIC "holm-frame 1\n"

struct frame_part {
	uint64_t offset, size;
};

/* ---- writing ---- */

struct frame_writer {
	int fd; /* -1: nothing is written */
	bool broken;
	size_t size;	/* in buffer */
	uint64_t zeros; /* that are no record yet; they follow raw */
	unsigned char buffer[65536];
	unsigned char raw[4096];
	size_t n_raw;
};

void frame_init(struct frame_writer *frame, int fd);
int frame_add_raw(struct frame_writer *frame, const void *data, size_t size) must_check; /* 0 or -errno */
int frame_add_file(struct frame_writer *frame, const char *path, uint64_t size, const struct frame_part *parts,
		   size_t n) must_check;
void frame_break(struct frame_writer *frame); /* a file's content is lost: there will be no frame */
int frame_finish(struct frame_writer *frame, bool *ret_whole) must_check;

/* ---- reading ---- */

struct frame_record {
	char type;
	uint64_t n;
	unsigned char raw[4096]; /* 'r': a piece of at most so much; longer ones come as several */
	char path[4096];
	uint64_t size;		  /* 'f': of the file */
	struct frame_part *parts; /* 'f': n of them; the reader's */
};

struct frame_reader {
	int fd;
	size_t at, size;
	uint64_t raw_left;
	struct frame_part *parts;
	unsigned char buffer[65536];
};

int frame_open(struct frame_reader *reader, int fd, struct error *e) must_check;
/* type 0: the end */
int frame_read(struct frame_reader *reader, struct frame_record *ret, struct error *e) must_check;
void frame_close(struct frame_reader *reader);

#endif
