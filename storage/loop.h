/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File systems that lie in a file: a loop device that goes by itself when nobody uses it (LO_FLAGS_AUTOCLEAR), and a detached
 * mount of it.
 *
 * One file is never on two loop devices: they would not know of each other's writes, and siblings of one image file would not
 * share its pages.  So the device that a file is on already is looked for first.
 */
#ifndef HOLM_STORAGE_LOOP_H
#define HOLM_STORAGE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { LOOP_PATH_SIZE = 32 };

/* file: open for writing unless read_only.  The device stays while it is open or mounted. */
int loop_open(int file, bool read_only, int *ret_fd, char ret_path[LOOP_PATH_SIZE], struct error *e) must_check;

/* "squashfs", "erofs", "ext4" by what the file begins with; ERROR_INVALID: none of them. */
int loop_find_type(int file, const char *path, const char **ret_type, struct error *e) must_check;

/* A detached mount (nosuid and nodev are the overlay's business).  path is for errors. */
int loop_mount(int file, const char *path, bool read_only, int *ret_mount, struct error *e) must_check;

#endif
