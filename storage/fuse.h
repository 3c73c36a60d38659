/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse-overlayfs, the last resort: where the kernel's overlayfs can't have its upper on the data folder's file system.
 *
 * Slower, and a process more for each instance, so nobody gets it unasked or unsaid: it has to be installed, and a warning names it.
 * The mount is ours and detached, like any other; the program is only given the descriptor it serves (/dev/fd/N in place of a
 * mount point) and those of the layers, lives outside the container, and ends when the mount is gone.
 */
#ifndef HOLM_STORAGE_FUSE_H
#define HOLM_STORAGE_FUSE_H

#include <stdbool.h>

#include "base/error.h"

struct overlay;

/* Is it installed, and is there a /dev/fuse? */
bool fuse_is_possible(void);

/* The same as overlay_mount().  Layers must not be idmapped. */
int fuse_mount(const struct overlay *overlay, int *ret_tree, struct error *e) must_check;

#endif
