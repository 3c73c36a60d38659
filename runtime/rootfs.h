/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's root where holm makes it: from an image, or with a layer of its own over root.path (holm.image, holm.storage).
 *
 * Upper and record lie in DATA/instances/ID.  Where that folder is the bundle it is an instance, whose root was there before and
 * stays; for any other bundle it is made with the container, belongs to it, and goes with it.
 */
#ifndef HOLM_RUNTIME_ROOTFS_H
#define HOLM_RUNTIME_ROOTFS_H

#include <stdbool.h>

#include "base/error.h"
#include "runtime/container.h"
#include "spec/spec.h"
#include "storage/root.h"

struct rootfs {
	bool used;    /* false: root.path as it is */
	bool owned;   /* by the container */
	bool counted; /* the file system counts what is written by project (storage/quota.h) */
	int folder;   /* DATA/instances/ID; -1: to be made */
	struct store store;
	struct root_request request;
	struct root_limits limits;
	struct root_view view;
};

#define ROOTFS_INIT ((struct rootfs){.folder = -1, .store = STORE_INIT, .view.user_namespace = -1})

/* Looks, and touches nothing.  bundle: of the container; path: root.path as a path of the host, NULL: there is none. */
int rootfs_plan(struct rootfs *rootfs, const struct runtime *runtime, const struct spec *spec, const char *id,
		int bundle, const char *path, struct error *e) must_check;

/* Makes what is not there yet.  A failure leaves nothing of its own. */
int rootfs_make(struct rootfs *rootfs, const char *data, const char *id, struct error *e) must_check;

/* user_namespace: the container's, with its mappings; -1: it has none of its own. */
int rootfs_open(struct rootfs *rootfs, int user_namespace, int *ret_tree, struct error *e) must_check;
void rootfs_release(struct rootfs *rootfs);

/* Removes DATA/instances/ID; data, as the record says.  Repeatable. */
int rootfs_remove(const char *data, bool rootless, const char *id, struct error *e) must_check;

#endif
