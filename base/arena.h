/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An arena: many small allocations, one release.  Memory comes zeroed.  A document (a decoded config.json, a plan)
 * owns one arena and everything it points to lives in it.
 *
 * Allocation failure ends the process (abort with a message): with overcommit it does not happen to the sizes
 * here, and a path that can't be tested is not written.
 */
#ifndef HOLM_BASE_ARENA_H
#define HOLM_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *head;
};

#define ARENA_INIT ((struct arena){0})

void *arena_alloc(struct arena *arena, size_t size); /* aligned to 16, zeroed */
void *arena_memdup(struct arena *arena, const void *data, size_t size);
char *arena_strdup(struct arena *arena, const char *string);
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The strings, up to a NULL, one after the other: a tenth of what arena_format() costs, for what every start does. */
char *arena_join(struct arena *arena, ...) __attribute__((sentinel));

/*
 * list, of which n members of size bytes are in use, with room for one more: where *room is used up (0: there is no list yet) it is a
 * copy with twice the room.
 */
void *arena_grow(struct arena *arena, const void *list, size_t n, size_t *room, size_t size);
void arena_release(struct arena *arena);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, n) ((type *)arena_alloc((arena), sizeof(type) * (n)))

#define auto_arena __attribute__((cleanup(arena_release))) struct arena

#endif
