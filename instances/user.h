/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Users and groups by the names of a root file system: its /etc/passwd and /etc/group.
 *
 * The root is not trusted: both files are looked up beneath its descriptor (openat2, RESOLVE_IN_ROOT), must be regular, are
 * read up to a fixed size, and lines that make no sense are skipped.
 */
#ifndef HOLM_INSTANCES_USER_H
#define HOLM_INSTANCES_USER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct user {
	uint32_t uid, gid;
	uint32_t *groups; /* further ones */
	size_t n_groups;
	const char *home; /* NULL: the files do not say */
};

/*
 * text: "USER[:GROUP]", each a number or a name.  root: O_PATH or O_RDONLY folder, -1: none, then only numbers can be had.
 * A number without an entry is a user without name in group 0.  ERROR_NOT_FOUND names the file and a similar name.
 */
int user_find(int root, const char *text, struct arena *arena, struct user *ret, struct error *e) must_check;

#endif
