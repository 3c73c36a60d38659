/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instance changed: its upper and its pushes against what lies below them, by names alone; no content is read.
 *
 * Also while it runs: what vanishes meanwhile is left out.  A folder of which something below changed counts as changed.
 */
#ifndef HOLM_STORAGE_CHANGES_H
#define HOLM_STORAGE_CHANGES_H

#include <sys/types.h>

#include "base/error.h"
#include "storage/root.h"

enum change_what { CHANGE_ADDED = 'A', CHANGE_CHANGED = 'C', CHANGE_REMOVED = 'D' };

/* path: absolute as seen inside, of any bytes; mode: its type, as it is now (removed: as it was).  Sorted by name in each folder. */
typedef int changes_each(enum change_what what, const char *path, mode_t mode, void *data, struct error *e);

/* since: so many of the pushes, from the lowest, count as unchanged (0: only what is below all of them). */
int changes_walk(const struct store *store, int folder, const struct root *root, size_t since, changes_each *each,
		 void *data, struct error *e) must_check;

#endif
