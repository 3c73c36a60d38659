/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"

enum { FIRST_ROOM = 16 * 1024, FIRST_OPS = 64 };

void block_init(struct block *block, struct arena *arena)
{
	*block = (struct block){.arena = arena, .size = sizeof(struct plan), .room = FIRST_ROOM, .room_ops = FIRST_OPS};
	block->data = arena_alloc(arena, block->room);
	block->ops = arena_array(arena, struct plan_op, block->room_ops);
}

plan_ref block_bytes(struct block *block, const void *data, size_t size)
{
	size_t at = (block->size + 7) & ~(size_t)7;

	if (at + size > block->room) {
		size_t room = block->room;
		char *grown;

		while (room < at + size)
			room *= 2;
		grown = arena_alloc(block->arena, room);
		memcpy(grown, block->data, block->size);
		block->data = grown;
		block->room = room;
	}
	if (size)
		memcpy(block->data + at, data, size);
	block->size = at + size;
	return (plan_ref)at;
}

plan_ref block_string(struct block *block, const char *string)
{
	return string ? block_bytes(block, string, strlen(string) + 1) : 0;
}

plan_ref block_strings(struct block *block, const char *const *strings, size_t n)
{
	plan_ref *refs = arena_array(block->arena, plan_ref, n + 1);

	for (size_t i = 0; i < n; i++)
		refs[i] = block_string(block, strings[i]);
	return n ? block_bytes(block, refs, n * sizeof(*refs)) : 0;
}

struct plan_op *block_op(struct block *block, enum plan_kind kind, const char *cause)
{
	struct plan_op *op;
	plan_ref where = block_string(block, cause);

	if (block->n_ops == block->room_ops) {
		struct plan_op *grown = arena_array(block->arena, struct plan_op, block->room_ops * 2);

		memcpy(grown, block->ops, block->n_ops * sizeof(*grown));
		block->ops = grown;
		block->room_ops *= 2;
	}
	op = &block->ops[block->n_ops++];
	*op = (struct plan_op){.kind = kind, .cause = where};
	return op;
}

void block_finish(struct block *block, const struct plan *head)
{
	struct plan plan = *head;

	plan.ops = block_bytes(block, block->ops, block->n_ops * sizeof(*block->ops));
	plan.n_ops = (uint32_t)block->n_ops;
	plan.size = (uint32_t)block->size;
	memcpy(block->data, &plan, sizeof(plan));
}

int block_to_memfd(const struct block *block, int *ret_fd, struct error *e)
{
	auto_fd fd = memfd_create("holm-plan", MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return error_system(e, errno, "make a memfd for the plan");
	r = fd_write_all(fd, block->data, block->size);
	if (r)
		return error_system(e, -r, "write the plan");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_system(e, errno, "seal the plan");
	*ret_fd = take_fd(&fd);
	return 0;
}
