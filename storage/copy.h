/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copying files and whole folders of which one side, or both, may be hostile and changing.
 *
 * Nothing is looked up but single names on descriptors, and no link is followed: what a racing neighbour swaps is copied, or left
 * out, or an error, and never leads out of the folder that the caller opened.  A file is looked at (O_PATH) before it is
 * opened, so that no device and no fifo is ever opened, and what is opened is what was looked at.  New files are made, never opened:
 * what had the name is unlinked before.
 *
 * Contents are shared with the source where the file system can (FICLONE: XFS, btrfs, bcachefs), else copied in the kernel, holes as
 * holes.  Hard links among what is copied are hard links again.
 */
#ifndef HOLM_STORAGE_COPY_H
#define HOLM_STORAGE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* Ids first .. first + count - 1 become to ...; what is in no range becomes the overflow id. */
struct copy_range {
	uint32_t first, to, count;
};

struct copy_map {
	struct copy_range ranges[16];
	size_t n; /* 0: ids stay as they are */
};

enum copy_flag {
	COPY_OWNERS = 1 << 0,  /* owners, through the maps; else everything gets uid and gid */
	COPY_SET_IDS = 1 << 1, /* setuid and setgid bits; else they are dropped */
	COPY_XATTRS = 1 << 2,  /* extended attributes, with ACLs and capabilities */
	COPY_MARKS = 1 << 3,   /* overlayfs' own among them, and whiteouts: both sides are layers */
	COPY_DEVICES = 1 << 4, /* device nodes and sockets; else left out and counted */
	COPY_TIMES = 1 << 5,
	COPY_REPLACE = 1 << 6, /* what has a name already goes, and folders are merged; else it is an error */
};

#define COPY_LAYER (COPY_OWNERS | COPY_SET_IDS | COPY_XATTRS | COPY_MARKS | COPY_DEVICES | COPY_TIMES)
#define COPY_ARCHIVE (COPY_OWNERS | COPY_SET_IDS | COPY_XATTRS | COPY_DEVICES | COPY_TIMES)

enum { COPY_DEPTH_MAX = 500 }; /* folders in folders */

struct copy {
	unsigned flags; /* enum copy_flag */
	uid_t uid;
	gid_t gid;
	struct copy_map uids, gids;
	/* results */
	uint64_t files;	 /* of any kind, folders too */
	uint64_t bytes;	 /* contents, holes counted */
	uint64_t cloned; /* of these, shared with the source */
	uint64_t left_out;
	/* this module's */
	struct copy_links *links;
	struct str *seen; /* struct copy_pair, of all that is copied; NULL: nobody asks */
	int top;
};

/*
 * What lies in the folder from into the folder to, both O_RDONLY | O_DIRECTORY and borrowed, and the attributes of from itself
 * unless !with_top.  A failure leaves what was copied until then.
 */
int copy_folder(int from, int to, bool with_top, struct copy *copy, struct error *e) must_check;

/* Brings to a halt, and lets go on, who writes to the folder that is copied.  To let go on what was not stopped is no error. */
struct copy_pause {
	int (*stop)(void *data, struct error *e);
	int (*go)(void *data, struct error *e);
	void *data;
};

/*
 * The same, with the attributes of from, for a folder that is written to by whom pause stops: the copy is as of one moment.  Where the
 * file system says reliably what changed (ext4, XFS, btrfs) most is copied beforehand, and the halts are as long as it takes to look at
 * every file and to copy what changed meanwhile.  Afterwards, also after a failure, it is for the caller to let go on.
 */
int copy_moving(int from, int to, const struct copy_pause *pause, struct copy *copy, struct error *e) must_check;

/* The one file or folder from_dir/from (no link is followed) as to_dir/to.  -ENOENT and ERROR_NOT_FOUND: there is none. */
int copy_one(int from_dir, const char *from, int to_dir, const char *to, struct copy *copy, struct error *e) must_check;

/* Owner, mode, attributes (and times, by flags) of one folder for another. */
int copy_attributes(int from, int to, struct copy *copy, struct error *e) must_check;

/* An O_PATH descriptor of a regular file or folder, opened for flags. */
int copy_reopen(int path_fd, int flags);

#endif
