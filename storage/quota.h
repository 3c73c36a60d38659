/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what a folder holds.
 *
 * Project quotas of ext4 and XFS, where the file system was mounted with them: a folder and all that is made in it carry a
 * project id, the file system counts and refuses by itself (EDQUOT, which overlayfs and df show as a full disk), and use is known
 * without a walk.  Elsewhere a file system of its own in a sparse file (storage/disk.h).
 *
 * Project ids are claimed by a file in DATA/projects/, named by the number, so that two holm on one store never share one.
 */
#ifndef HOLM_STORAGE_QUOTA_H
#define HOLM_STORAGE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/store.h"

enum quota_way {
	QUOTA_NONE,    /* nothing keeps a limit */
	QUOTA_PROJECT, /* the file system's project quotas */
	QUOTA_DISK,    /* a file system in a file */
	_QUOTA_WAY_N
};

const char *quota_way_name(enum quota_way way); /* "none", "project", "disk" */

/* Which way a limit on folders in dirfd's file system can be kept; why (may be NULL) gets a line for people. */
enum quota_way quota_find(int dirfd, bool rootless, char *why, size_t size);

/* Does the file system count by project, also where it refuses nothing? */
bool quota_counts(int dirfd);

/*
 * Claims an id that nobody has and that nothing is counted for.  *ret_claim is for the caller to close when a root.json or volume.json
 * names the id: until then no sweep takes it for one that was left behind.
 */
int quota_claim(const struct store *store, int *ret_claim, uint32_t *ret_project, struct error *e) must_check;
void quota_release(const struct store *store, uint32_t project);

/* Gives back the ids that nothing names; none while somebody claims one.  ret_n: how many. */
int quota_sweep(const struct store *store, size_t *ret_n, struct error *e) must_check;

/* Gives folder, which must be empty, the project id: what is made in it later inherits it. */
int quota_assign(int folder, uint32_t project, struct error *e) must_check;

/* 0: no limit. */
int quota_set(int folder, uint32_t project, uint64_t bytes, uint64_t inodes, struct error *e) must_check;
int quota_get(int folder, uint32_t project, uint64_t *ret_bytes, uint64_t *ret_inodes, struct error *e) must_check;

#endif
