/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(16) char data[];
};

static struct arena_block *new_block(size_t size)
{
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block) {
		fprintf(stderr, "holm: out of memory\n");
		abort();
	}
	block->next = NULL;
	block->used = 0;
	block->size = size;
	return block;
}

/* Zeroed by the piece, not by the block: pages that nothing is put into are never touched. */
static void *take(struct arena *arena, size_t size)
{
	struct arena_block *head = arena->head;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!head || head->size - head->used < size) {
		struct arena_block *block = new_block(size > BLOCK_SIZE ? size : BLOCK_SIZE);

		block->next = head;
		arena->head = head = block;
	}
	p = head->data + head->used;
	head->used += size;
	return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(take(arena, size), 0, size);
}

void *arena_memdup(struct arena *arena, const void *data, size_t size)
{
	void *p = take(arena, size);

	if (size)
		memcpy(p, data, size);
	return p;
}

void *arena_grow(struct arena *arena, const void *list, size_t n, size_t *room, size_t size)
{
	void *grown;

	if (n < *room)
		return (void *)list;
	*room = *room ? 2 * *room : 16;
	grown = arena_alloc(arena, *room * size);
	return n ? memcpy(grown, list, n * size) : grown;
}

char *arena_strdup(struct arena *arena, const char *string)
{
	return string ? arena_memdup(arena, string, strlen(string) + 1) : NULL;
}

char *arena_join(struct arena *arena, ...)
{
	const char *part;
	size_t size = 1;
	va_list parts;
	char *text, *p;

	va_start(parts, arena);
	while ((part = va_arg(parts, const char *)))
		size += strlen(part);
	va_end(parts);
	p = text = take(arena, size);
	va_start(parts, arena);
	while ((part = va_arg(parts, const char *)))
		p = stpcpy(p, part);
	va_end(parts);
	*p = 0;
	return text;
}

/* Nearly always the text fits where the block ends, so that it is formatted once, not twice. */
char *arena_format(struct arena *arena, const char *format, ...)
{
	struct arena_block *head = arena->head;
	size_t room = head ? head->size - head->used : 0;
	va_list args;
	char *p;
	int n;

	va_start(args, format);
	n = vsnprintf(head ? head->data + head->used : NULL, room, format, args);
	va_end(args);
	p = take(arena, n + 1);
	if ((size_t)n < room)
		return p;
	va_start(args, format);
	vsnprintf(p, n + 1, format, args);
	va_end(args);
	return p;
}

void arena_release(struct arena *arena)
{
	while (arena->head) {
		struct arena_block *next = arena->head->next;

		free(arena->head);
		arena->head = next;
	}
}
