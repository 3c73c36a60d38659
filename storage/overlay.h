/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An overlay as a detached mount, from descriptors alone: no option of it holds a name that somebody else chose.
 *
 * Linux 6.13 takes a descriptor per layer (FSCONFIG_SET_FD), 6.15 also those of detached, hence of idmapped, mounts.  Before
 * that the layers' mounts must lie in the caller's own mount namespace and are named "10:11:12" in /proc/self/fd, which keeps
 * 500 of them below mount(2)'s one page of options: overlay_mount_attached(), for a child with a mount namespace of its own.
 */
#ifndef HOLM_STORAGE_OVERLAY_H
#define HOLM_STORAGE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { OVERLAY_MAX_LOWERS = 500 }; /* the kernel's */

/* A mount that is attached nowhere; overlay_mount_attached() attaches it on that folder. */
struct overlay_mount {
	int fd; /* borrowed */
	int on;
	bool owns_on;
};

struct overlay {
	int *lowers; /* O_PATH, highest first; closed by overlay_release() like upper, work and top */
	size_t n_lowers;
	int upper, work;	      /* -1: read-only */
	int top;		      /* what these two lie in */
	struct overlay_mount *mounts; /* of lowers and top, where they are not folders of the host's own mounts */
	size_t n_mounts;
	bool is_mapped; /* top is idmapped */
	bool is_volatile;
	bool user_xattrs; /* marks are user.overlay.*: not the host's root */
};

#define OVERLAY_INIT ((struct overlay){.upper = -1, .work = -1, .top = -1})

/* room: how many lowers there will be. */
int overlay_reserve(struct overlay *overlay, size_t room, struct error *e) must_check;
void overlay_release(struct overlay *overlay);

/* Where a part comes from. */
struct overlay_part {
	int *fd;	    /* a folder, or a detached mount; taken on success */
	bool is_mount;	    /* the latter */
	int user_namespace; /* it is idmapped for; -1: not at all */
	int on;		    /* is_mount: a folder that the mount may cover; borrowed */
};

int overlay_add_lower(struct overlay *overlay, const struct overlay_part *part, struct error *e) must_check;

/* The folder with upper and work in it, by name. */
int overlay_set_top(struct overlay *overlay, const struct overlay_part *part, const char *upper, const char *work,
		    struct error *e) must_check;

/* *ret_old: nothing was done, this kernel needs overlay_mount_attached(). */
int overlay_mount(const struct overlay *overlay, int *ret_tree, bool *ret_old, struct error *e) must_check;

/* The same in a mount namespace that is the caller's alone and private: covers /proc there. */
int overlay_mount_attached(const struct overlay *overlay, int *ret_tree, struct error *e) must_check;

/* fsopen(2) to fsmount(2) of a file system without further ado; options: n pairs of key and value (NULL: a flag). */
struct overlay_option {
	const char *key, *value;
};

int overlay_new_mount(const char *type, const struct overlay_option *options, size_t n, unsigned attributes,
		      int *ret_fd, struct error *e) must_check;

#endif
