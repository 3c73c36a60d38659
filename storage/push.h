/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pushes: what an instance wrote, frozen, as one more layer below what it writes from now on.
 *
 *	DATA/pushes/ID/tree	what was upper/, immutable, in overlayfs' form
 *	DATA/pushes/ID/push.json
 *
 * Several instances may lie on one push: a clone and its source, and their snapshots.  A push is needed as long as a root.json or a
 * snapshots.json of an instance, or of what is being made in tmp/, names it.  As with layers: who begins to use one writes down
 * that it does, then calls push_confirm(); who removes takes the push's lock and then looks who needs it.
 *
 * push_make() costs the same whatever was written: an empty folder is put in tree's place, root.json names the push, and then
 * one rename(2) exchanges the two.  Before it and after it the instance's root is the same, so there is no step after which a
 * kill would leave half a push.
 */
#ifndef HOLM_STORAGE_PUSH_H
#define HOLM_STORAGE_PUSH_H

#include "base/arena.h"
#include "base/error.h"
#include "storage/copy.h"
#include "storage/root.h"
#include "storage/store.h"

#define SNAPSHOT_RECORD "snapshots.json" /* storage/snapshot.h */

enum { PUSH_ID_SIZE = 17 };

int64_t push_now(void); /* ns since 1970 */

/* One that is new: nobody removes it before push_release(), by when somebody's file names it. */
struct push {
	int lock; /* its folder; -1: none */
	char id[PUSH_ID_SIZE];
};

#define PUSH_INIT ((struct push){.lock = -1})
#define auto_push __attribute__((cleanup(push_release))) struct push

void push_release(struct push *push);

/* Has the instance written nothing since its last push (nor changed its root's own attributes)? */
int push_is_needed(const struct store *store, int folder, const struct root *root, bool *ret,
		   struct error *e) must_check;

/*
 * What a volatile instance wrote counts only in the boot in which it was written, and is not on the disk yet: it is refused
 * (ERROR_STATE), or written to the disk and *root counts as kept.
 */
int push_settle(int folder, struct root *root, struct error *e) must_check;

/*
 * ERROR_LIMIT: overlayfs could not mount a root with one push more.  The last that it could is left to copies of a running instance, which do
 * not add up.  Not for a push that goes again at once.
 */
int push_check_room(const struct root *root, bool runs, struct error *e) must_check;

/*
 * The upper of a stopped instance becomes a push; *root, whose strings live in arena, and root.json name it as the topmost.  Where
 * the upper lies in a disk image it is copied.
 */
int push_make(const struct store *store, int folder, struct root *root, struct arena *arena, struct push *ret,
	      struct error *e) must_check;

/*
 * A copy of upper becomes a push that nothing names yet.  pause (see copy_moving()) stops who writes to upper; NULL: nobody does.
 * push_flush() writes it to the disk.
 */
int push_copy(const struct store *store, int upper, const struct copy_pause *pause, struct push *ret,
	      struct error *e) must_check;
int push_flush(const struct push *push, struct error *e) must_check;

/* An empty tree to be filled: O_RDONLY | O_DIRECTORY. */
int push_begin(const struct store *store, struct push *ret, int *ret_tree, struct error *e) must_check;

/* pushes/ID/tree as O_RDONLY | O_DIRECTORY. */
int push_open(const struct store *store, const char *id, int *ret_fd, struct error *e) must_check;

/* After it was named: it is there and stays. */
int push_confirm(const struct store *store, const char *id, struct error *e) must_check;

/* Removes those of ids that nobody needs; one that somebody is at work on stays. */
int push_drop(const struct store *store, const char *const *ids, size_t n, struct error *e) must_check;

/* Removes all that nobody needs; ret_n (may be NULL): how many. */
int push_sweep(const struct store *store, size_t *ret_n, struct error *e) must_check;

/* Every push that the folder of an instance names, in arena. */
int push_list_named(int folder, struct arena *arena, const char ***ret, size_t *ret_n, struct error *e) must_check;

#endif
