/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mount options: one table of every option that the OCI, runc, crun and mount(8) know, and its reading.
 *
 * Options are read in order, a later one overrides an earlier one ("ro,rw" is rw).  What the table does not know is the
 * file system's business and goes to data, cut at commas as mount(2) would cut it (not inside double quotes, nor after
 * a backslash, which overlay's folders use); key="value" loses its quotes there.
 *
 * Access times: the kernel has one field of three values (relatime 0, noatime, strictatime) that is always written as a
 * whole, so attr_clear holds all of MOUNT_ATTR__ATIME as soon as one option speaks of it.  "atime" takes back noatime,
 * "nostrictatime" takes back strictatime, both to the kernel's default relatime; "norelatime" takes back what is the
 * default anyway and changes nothing, as in mount(2).
 *
 * Read-write is what a new mount is; "rw" matters on binds and as the undoing of "ro".  The superblock's flags (sync,
 * mand, ...) have no recursive form in the kernel: crun's rsync, rmand etc. mean the plain ones.
 */
#ifndef HOLM_SPEC_MOUNT_OPTIONS_H
#define HOLM_SPEC_MOUNT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/spec.h"

enum mount_option_kind {
	MOUNT_OPTION_ATTRIBUTE,	  /* set and clear: MOUNT_ATTR_... of this mount */
	MOUNT_OPTION_RECURSIVE,	  /* the same of the whole tree */
	MOUNT_OPTION_SUPERBLOCK,  /* MS_... flags of the file system */
	MOUNT_OPTION_PROPAGATION, /* set: MS_SHARED ... */
	MOUNT_OPTION_BIND,	  /* set: 1 recursive */
	MOUNT_OPTION_REMOUNT,
	MOUNT_OPTION_IDMAP,   /* set: enum of spec_mount.idmap */
	MOUNT_OPTION_SWITCH,  /* set: offset of a bool in struct spec_mount */
	MOUNT_OPTION_NOTHING, /* mount(8)'s own words: defaults, auto, nofail, ... */
};

struct mount_option {
	const char *name;
	enum mount_option_kind kind;
	uint64_t set, clear;
};

/* All of them. */
extern const struct mount_option mount_options[];
extern const size_t mount_options_count;

/* Splits mount->options into the other fields.  reason (arena's) says why an option is refused; index: which one. */
int mount_options_read(struct spec_mount *mount, struct arena *arena, const char **ret_reason,
		       size_t *ret_index) must_check;

/*
 * crun's idmap= with '@' is relative: its host ids are ids of the container.  Resolves it by the container's mappings
 * once those are known; -EINVAL if one of the ids is in none of them.  Does nothing to other mounts.
 */
int mount_options_relate(struct spec_mount *mount, const struct spec_linux *container, struct arena *arena) must_check;

#endif
