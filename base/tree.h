/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing a whole folder that somebody else filled.
 *
 * Nothing in it is believed: no link is followed, every folder is entered by its descriptor, a mount point inside stops it
 * (what is mounted is not ours to empty), and no depth of folders costs more than a fixed number of descriptors.
 */
#ifndef HOLM_BASE_TREE_H
#define HOLM_BASE_TREE_H

#include "base/error.h"

/*
 * Removes the folder name in parent and everything below it.  What is gone already is no error.  ERROR_STATE: something is mounted
 * there.  Run again, it goes on where it was stopped.
 */
int tree_remove(int parent, const char *name, struct error *e) must_check;

#endif
