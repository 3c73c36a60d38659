/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holm and holm-unpack say to each other: one request with descriptors, then replies, the last one UNPACK_REPLY_END.
 *
 * holm-unpack reads what others wrote: archives, and trees that instances wrote to.  So it shuts itself in before it reads the
 * first byte (storage/unpack_confine.h) and holm believes nothing it says but digests, which holm compares, numbers and names,
 * which holm checks.
 *
 *	operation	descriptors
 *	LAYER		input, tree (an empty folder), frame (an empty file), spool (an empty file)
 *			a tar, compressed or not, is unpacked into tree; or, when it is an archive of images, what it is without
 *			compression is written to spool for INDEX
 *	INDEX		input (a file with a tar that is not compressed); a REPLY_MEMBER for each file in it
 *	REPACK		tree, frame, output: the same tar again
 *	PACK		tree, output: a tar of the folder, always the same for the same folder
 */
#ifndef HOLM_STORAGE_UNPACK_H
#define HOLM_STORAGE_UNPACK_H

#include <stdint.h>

#include "base/error.h"
#include "storage/digest.h"

enum { UNPACK_SOCKET = 3, UNPACK_FDS_MAX = 4, UNPACK_NAME_SIZE = 4096 };

enum unpack_operation { UNPACK_LAYER, UNPACK_INDEX, UNPACK_REPACK, UNPACK_PACK, _UNPACK_OPERATION_N };

enum unpack_flag {
	UNPACK_ROOTLESS = 1 << 0,   /* only the caller's own id can be given to files; marks are user.overlay.* */
	UNPACK_NO_DEVICES = 1 << 1, /* device nodes are left out in dev/ and refused elsewhere */
	UNPACK_MAY_SPOOL = 1 << 2,
	UNPACK_OVERLAY = 1 << 3, /* PACK: the folder has overlayfs' marks, which become whiteouts */
};

/* 0: no limit. */
struct unpack_limits {
	uint64_t size;	  /* bytes that come out of decompressing */
	uint64_t entries; /* members of an archive */
	uint64_t depth;	  /* folders within folders */
	uint64_t ratio;	  /* bytes out per byte in, once UNPACK_RATIO_FROM bytes are out */
};

#define UNPACK_LIMITS_DEFAULT                                                                                          \
	((struct unpack_limits){.size = UINT64_C(256) << 30, .entries = 4000000, .depth = 256, .ratio = 500})
#define UNPACK_RATIO_FROM (UINT64_C(64) << 20)

/* What may follow the end of an archive, or of its compressed form, that is read to its end: records are filled up, tapes by a MiB at most. */
enum { UNPACK_PADDING_MAX = 16 << 20 };

struct unpack_request {
	uint32_t operation; /* enum unpack_operation */
	uint32_t flags;	    /* enum unpack_flag */
	struct unpack_limits limits;
	uint64_t offset, length; /* of input: a part of it; length 0: to the end */
	char name[256];		 /* what errors call the archive */
};

enum unpack_kind { UNPACK_UNPACKED, UNPACK_SPOOLED };

struct unpack_result {
	uint32_t kind;
	uint32_t has_frame, has_end, is_compressed; /* booleans; has_end: the archive has the mark that ends a tar */
	char blob[DIGEST_HEX_SIZE];		    /* SHA-256 of the input as it is */
	char diff[DIGEST_HEX_SIZE];		    /* and of the tar */
	uint64_t blob_size, size, entries;
	uint64_t disk;			      /* bytes that the tree takes, about */
	uint64_t owners, devices, attributes; /* what could not be kept: files, nodes, extended attributes */
};

struct unpack_member {
	uint64_t offset, size;
	char type; /* '0' file, '1' hard link, '2' symbolic link */
	char name[UNPACK_NAME_SIZE];
	char link[UNPACK_NAME_SIZE]; /* "" unless it is a link */
};

enum unpack_reply_type { UNPACK_REPLY_PROGRESS, UNPACK_REPLY_MEMBER, UNPACK_REPLY_RESULT, UNPACK_REPLY_END };

struct unpack_reply {
	uint32_t type;
	union {
		uint64_t progress; /* bytes of input (PACK, REPACK: of output) so far */
		struct unpack_member member;
		struct unpack_result result;
		struct error error; /* kind ERROR_NONE: done */
	};
};

#endif
