/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A layer's members become files below one folder.
 *
 * Nothing here believes a name.  Absolute ones and those with ".." are refused; what leads to a member is looked up by openat2(2)
 * with RESOLVE_BENEATH, so a symbolic link that leads out of the tree stops the unpacking, and one that stays within is
 * followed; the last name is never followed, and what has it already is replaced, not written to.  Hard links go to members
 * of the same archive.  Attributes that mean something to overlayfs are refused: a layer speaks to it by whiteouts only.
 *
 * Whiteouts: ".wh.NAME" becomes the character device 0:0, ".wh..wh..opq" the attribute overlay.opaque of its folder.
 */
#ifndef HOLM_STORAGE_UNPACK_TREE_H
#define HOLM_STORAGE_UNPACK_TREE_H

#include "base/str.h"
#include "storage/unpack.h"
#include "storage/unpack_tar.h"

struct tree {
	int fd;
	uint32_t flags;
	struct unpack_limits limits;
	struct tar_reader *tar;
	struct frame_writer *frame;
	struct unpack_result *result; /* counts */
	uint64_t apparent;	      /* sizes of the files so far */
	/* this module's */
	int parent; /* open, of parent_path; -1: none */
	char parent_path[UNPACK_NAME_SIZE];
	struct str folders; /* struct folder, path: their times are set at the end */
};

void tree_init(struct tree *tree, int fd, uint32_t flags, const struct unpack_limits *limits, struct tar_reader *tar,
	       struct frame_writer *frame, struct unpack_result *result);
int tree_add(struct tree *tree, const struct tar_member *member, struct error *e) must_check;
int tree_finish(struct tree *tree, struct error *e) must_check;
void tree_release(struct tree *tree);

/*
 * What a member's name means below the root: without "./" and double slashes, "" the root itself.  ERROR_INVALID: absolute, or
 * with ".."; ERROR_LIMIT: too long or too deep.  what: "member" or "link of member", for errors.
 */
int tree_clean_name(const char *name, uint64_t depth, char ret[UNPACK_NAME_SIZE], struct error *e) must_check;

/* Whether an archive that begins with a member of this name is one of images: an OCI layout or a docker archive. */
bool tree_is_image_archive(const char *name);

#endif
