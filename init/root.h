/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root file system, which is the attacker's: one resolver, and mounts that are placed by descriptors.
 *
 * A name below the root goes through open_in_root() or make_in_root() (openat2(2) with RESOLVE_IN_ROOT and
 * RESOLVE_NO_MAGICLINKS) and from there only descriptors are used.  No other function of init may pass a string that came
 * from the root to a system call as a path.
 */
#ifndef HOLM_INIT_ROOT_H
#define HOLM_INIT_ROOT_H

#include <stdbool.h>

#include "init/plan.h"

enum in_root { IN_ROOT_FILE, IN_ROOT_DIRECTORY };

/* Opens path below the root.  A descriptor, or -errno. */
long open_in_root(const char *path, int flags);

/* Opens path below the root as O_PATH, making it and its parents where they are missing: an empty file or a folder 0755. */
int make_in_root(const char *path, enum in_root what);

/* The folder that holds path (made where missing) as O_PATH, and the last part of path, which may be anything. */
int make_parent_in_root(const char *path, const char **ret_name);

/* Is it the root folder of a procfs, whoever mounted it? */
bool is_proc_root(int fd);

/* Mounts the detached tree on target (both descriptors). */
void attach(int tree, int target, const char *path);

void do_root(const struct plan_op *op);
void do_mount(const struct plan_op *op);
void do_attach(const struct plan_op *op);
void do_mkdir(const struct plan_op *op);
void do_symlink(const struct plan_op *op);
void do_device(const struct plan_op *op);
void do_console(const struct plan_op *op);
void do_unmount(const struct plan_op *op);
void do_mask(const struct plan_op *op);
void do_readonly_path(const struct plan_op *op);
void do_proc(const struct plan_op *op);
void do_pivot(const struct plan_op *op);
void do_move_root(const struct plan_op *op);
void do_chroot(const struct plan_op *op);
void do_enter_root(const struct plan_op *op);
void do_root_attr(const struct plan_op *op);

/* Copies what is in the folder `from` into the folder `to` (tmpcopyup). */
void copy_folder(int from, int to, const char *path);

#endif
