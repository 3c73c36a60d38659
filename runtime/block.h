/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan's block while it grows (init/plan.h): strings and arrays are appended, operations collected, and block_finish()
 * puts them together.  A reference stays valid as the block grows; a pointer into it does not.
 */
#ifndef HOLM_RUNTIME_BLOCK_H
#define HOLM_RUNTIME_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "init/plan.h"

struct block {
	struct arena *arena;
	char *data;
	size_t size, room;
	struct plan_op *ops;
	size_t n_ops, room_ops;
};

void block_init(struct block *block, struct arena *arena);

/* NULL gives no reference (0). */
plan_ref block_string(struct block *block, const char *string);
plan_ref block_bytes(struct block *block, const void *data, size_t size);
plan_ref block_strings(struct block *block, const char *const *strings, size_t n); /* an array of references */

/* A new operation, zeroed but for kind and cause; valid until the next one. */
struct plan_op *block_op(struct block *block, enum plan_kind kind, const char *cause);

/* head: everything of struct plan but size, ops and n_ops.  The block is complete afterwards. */
void block_finish(struct block *block, const struct plan *head);

/* A sealed memfd that holds the finished block, not close-on-exec (init inherits it). */
int block_to_memfd(const struct block *block, int *ret_fd, struct error *e) must_check;

/* What a reference points to, in a finished block. */
static inline const void *block_at(const struct block *block, plan_ref ref)
{
	return ref ? block->data + ref : NULL;
}

#endif
