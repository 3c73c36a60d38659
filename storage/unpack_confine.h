/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm-unpack shuts itself in, before it reads the first byte of what others wrote.
 *
 * Afterwards it has: one folder as its root (or none), no other mounts, no way to new privileges, no capability but those that
 * files need, the system calls of its role and no other (any other kills it), and limits on memory.  No role can make a socket, a
 * process, a mount or a namespace, or look at another process.
 */
#ifndef HOLM_STORAGE_UNPACK_CONFINE_H
#define HOLM_STORAGE_UNPACK_CONFINE_H

#include <stdbool.h>

#include "base/error.h"

enum confine_role {
	CONFINE_STREAM, /* reads and writes what is open already */
	CONFINE_WRITER, /* makes files below its root */
	CONFINE_READER, /* reads files below its root, which is read-only */
};

/*
 * Leaves the host's file system: the folder root_fd becomes "/" and all there is; -1: nothing is.  rootless: in a user namespace
 * in which the caller is root.  Then the privileges go.
 */
int confine_root(int root_fd, enum confine_role role, bool rootless, struct error *e) must_check;

/* The system calls: last, when the role needs nothing but its own work any more. */
int confine_calls(enum confine_role role, struct error *e) must_check;

#endif
