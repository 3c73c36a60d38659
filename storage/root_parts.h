/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind storage/root.h share among themselves.
 */
#ifndef HOLM_STORAGE_ROOT_PARTS_H
#define HOLM_STORAGE_ROOT_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct root;
struct store;

/* How often root_each_lower() calls. */
size_t root_count_lowers(const struct root *root);

/* The folder that has upper/ and work/ in it: the instance's own, or the top of its disk, which is a detached mount. */
int root_open_top(int folder, const struct root *root, int *ret_fd, struct error *e) must_check;

/* root_resize() of one that is loaded: *root is changed too. */
int root_set_limits(const struct store *store, int folder, struct root *root, int64_t size, uint64_t inodes,
		    struct error *e) must_check;

#endif
