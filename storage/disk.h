/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system of a given size in a sparse file: what keeps a limit where the file system has no project quotas.
 *
 * ext4, made by mkfs.ext4.  The file takes only what is written to it, and gives back what is deleted (discard).  It can grow while
 * it is mounted; it never shrinks.
 */
#ifndef HOLM_STORAGE_DISK_H
#define HOLM_STORAGE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { DISK_SIZE_MIN = 4 << 20 };

/* reason: why not, for people. */
bool disk_is_possible(char *reason, size_t size);

/* Makes folder/name; inodes 0: as many as ext4 makes of that size.  A failure leaves no file. */
int disk_create(int folder, const char *name, int64_t size, uint64_t inodes, struct error *e) must_check;

/* A detached mount of it; whoever mounts it too has the same file system. */
int disk_mount(int folder, const char *name, int *ret_mount, struct error *e) must_check;

/* ERROR_UNSUPPORTED: it would have to shrink. */
int disk_resize(int folder, const char *name, int64_t size, struct error *e) must_check;

#endif
