/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of an instance: names for states of its root, each a list of pushes (storage/push.h) over the same layers, with the
 * config.json of that moment.
 *
 * DATA/instances/NAME/snapshots.json holds all of them, replaced as a whole, so that a snapshot is there or is not.  Who changes
 * it holds the instance's lock.
 *
 * A stopped instance is snapshotted by pushing its upper: the same cost whatever it wrote.  The upper of a running one is mounted, and
 * overlayfs can't be given another; so its upper, not what lies below, is copied, on XFS and btrfs by sharing the blocks, and it is
 * frozen for the moments that copy_moving() needs.  Both kinds look the same afterwards.
 */
#ifndef HOLM_STORAGE_SNAPSHOT_H
#define HOLM_STORAGE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "storage/push.h"

struct snapshot {
	const char *name;
	const char *parent;  /* the state that the instance had begun from; NULL: none */
	const char *comment; /* NULL: none */
	const char *config;  /* the text of config.json */
	int64_t created;     /* ns since 1970 */
	bool live;	     /* it ran */
	const char **pushes; /* lowest first */
	size_t n_pushes;
};

struct snapshot_list {
	struct snapshot *items; /* in the order in which they were made */
	size_t n;
	const char *head; /* what the instance's present state began from; NULL: its image */
};

/* All of it lives in arena.  No file: an empty list. */
int snapshot_load(int folder, struct arena *arena, struct snapshot_list *ret, struct error *e) must_check;
int snapshot_save(int folder, const struct snapshot_list *list, struct error *e) must_check;

/* ERROR_NOT_FOUND says which there are. */
int snapshot_find(const struct snapshot_list *list, const char *name, const struct snapshot **ret,
		  struct error *e) must_check;

struct snapshot_request {
	const char *name;		/* NULL: "snap1", "snap2", ... */
	const char *comment;		/* NULL: none */
	int upper;			/* of a running instance: it is copied; -1: it is stopped */
	const struct copy_pause *pause; /* of a running one: by its end it goes on; NULL: nobody writes to upper */
};

/* *ret lives in arena.  ERROR_EXISTS: the name is taken. */
int snapshot_create(const struct store *store, int folder, const struct snapshot_request *request, struct arena *arena,
		    struct snapshot *ret, struct error *e) must_check;

/* A stopped instance gets the state that it had; what it wrote since is gone unless a snapshot has it. */
int snapshot_restore(const struct store *store, int folder, const char *name, struct error *e) must_check;

/* Their names go, all or none, and what nothing else needs of them; those made after them stay whole. */
int snapshot_remove(const struct store *store, int folder, char *const *names, size_t n, struct error *e) must_check;

#endif
