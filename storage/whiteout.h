/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HOLM_STORAGE_WHITEOUT_H
#define HOLM_STORAGE_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

/* The mark by which overlayfs takes a name of lower layers away (Documentation/filesystems/overlayfs.rst). */
static inline bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && !st->st_rdev;
}

#endif
