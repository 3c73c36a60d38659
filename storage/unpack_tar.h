/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading tar archives: ustar, pax and GNU (long names, base-256 numbers, sparse files), as a stream, from a source that is not
 * trusted.
 *
 * libarchive, which decompresses for us, could read tars too.  But it does not say where the bytes of a header are (which the
 * frame needs), it changes names that pax says are UTF-8 (normalization form C), and its messages do not name the member.
 *
 * Names are given as they are: what they may be is for unpack_tree.c to say.  The hash is that of every byte of the stream.
 */
#ifndef HOLM_STORAGE_UNPACK_TAR_H
#define HOLM_STORAGE_UNPACK_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "storage/digest.h"
#include "storage/unpack_frame.h"

enum tar_type {
	TAR_FILE = '0',
	TAR_HARD_LINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHARACTER = '3',
	TAR_BLOCK = '4',
	TAR_FOLDER = '5',
	TAR_FIFO = '6',
};

enum { TAR_XATTRS_MAX = 256, TAR_NAME_MAX = 65536, TAR_EXTENSION_MAX = 4 << 20 };

struct tar_xattr {
	size_t name, value, size; /* offsets into texts */
};

struct tar_member {
	char type; /* enum tar_type */
	const char *name, *link;
	uint32_t mode;
	uint64_t uid, gid;
	uint64_t size;	 /* of the file */
	uint64_t stored; /* bytes in the archive: less than size for a sparse file */
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t major, minor;
	const struct frame_part
	    *parts; /* where the stored bytes belong, in order; n_parts is 1 for what is not sparse */
	size_t n_parts;
	const struct tar_xattr *xattrs; /* n_xattrs of them, in texts */
	size_t n_xattrs;
	const char *texts;
	uint64_t at; /* where in the stream its content begins */
};

struct tar_reader {
	/* Reads up to size bytes; *ret_n 0 at the end. */
	int (*read)(void *data, void *buffer, size_t size, size_t *ret_n, struct error *e);
	/* Leaves size bytes out, which then are not in the hash; NULL: they are read. */
	int (*skip)(void *data, uint64_t size, struct error *e);
	void *data;
	struct frame_writer *frame; /* NULL: none */
	struct digest digest;
	uint64_t size;	  /* bytes of the stream so far */
	uint64_t entries; /* members so far */
	bool has_end;
	/* this module's */
	unsigned char *buffer;
	size_t have, used;
	bool at_end;
	uint64_t left, padding; /* of the present member */
	struct str name, link, texts, parts;
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
	size_t n_xattrs;
	struct {
		bool name, link, size, uid, gid, mtime, sparse, real_size;
		uint64_t size_value, uid_value, gid_value, real_size_value;
		int64_t mtime_value;
		uint32_t mtime_ns;
		uint64_t sparse_major;
	} pax;
};

/* The reader is large: not for the stack of a deep call. */
int tar_init(struct tar_reader *tar, int (*read)(void *, void *, size_t, size_t *, struct error *), void *data,
	     struct frame_writer *frame, struct error *e) must_check;
void tar_release(struct tar_reader *tar);

/* The next member, whatever is left of the last one skipped; *ret_some false: there is none.  ret is good until the next call. */
int tar_next(struct tar_reader *tar, struct tar_member *ret, bool *ret_some, struct error *e) must_check;

/*
 * A piece of the member's stored bytes, in the reader's buffer; *ret_n 0: no more.  kept: the file holds them, so the frame need not
 * (frame_add_file() says where).
 */
int tar_read(struct tar_reader *tar, bool kept, const unsigned char **ret_data, size_t *ret_n,
	     struct error *e) must_check;

/* Reads to the end of the stream, for its hash; ERROR_INVALID: more than UNPACK_PADDING_MAX follow the last member. */
int tar_drain(struct tar_reader *tar, struct error *e) must_check;

#endif
