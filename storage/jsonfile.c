/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

enum { JSONFILE_MAX = 16 << 20, HEX = 64, ITEM = HEX + sizeof("\n\t\t\"\"") - 1 };

static int read_text(int folder, const char *name, char **ret, size_t *ret_size, struct error *e)
{
	auto_fd fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT)
		return error_refuse(e, ERROR_NOT_FOUND, "there is no '%s'", name);
	r = fd < 0 ? -errno : fd_read_all(fd, JSONFILE_MAX, ret, ret_size);
	return r ? error_system(e, -r, "read '%s'", name) : 0;
}

int jsonfile_read(int folder, const char *name, struct json **ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;

	return read_text(folder, name, &text, &size, e) ?: json_read(text, size, name, ret, e);
}

/* '\n\t\t"HEX"' */
static bool is_item(const char *text)
{
	return !strncmp(text, "\n\t\t\"", ITEM - HEX - 1) && strspn(text + ITEM - HEX - 1, "0123456789abcdef") == HEX &&
	       text[ITEM - 1] == '"';
}

/*
 * Takes the members of a list of digests out of the text, if it is as jsonfile_write() writes one; what is left is a list without
 * members.  No string of a JSON text has a line break, so this is nothing but the member of that name.
 */
static size_t cut_digests(char *text, size_t *size, const char *key, struct arena *arena, const char ***ret)
{
	char head[64], *begin, *end;
	size_t n = 0;

	snprintf(head, sizeof(head), "\n\t\"%s\": [", key);
	begin = strstr(text, head);
	if (!begin)
		return 0;
	begin += strlen(head);
	for (end = begin; is_item(end); end += end[ITEM] == ',' ? ITEM + 1 : ITEM)
		n++;
	if (!n || end[-1] != '"' || strncmp(end, "\n\t]", 3))
		return 0;
	*ret = arena_array(arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++) {
		char *item = begin + i * (ITEM + 1) + ITEM - HEX - 1;

		item[HEX] = 0;
		(*ret)[i] = arena_memdup(arena, item, HEX + 1);
	}
	memmove(begin, end, *size - (size_t)(end - text) + 1);
	*size -= (size_t)(end - begin);
	return n;
}

int jsonfile_read_digests(int folder, const char *name, const char *key, struct arena *arena, const char ***ret_list,
			  size_t *ret_n, struct json **ret, struct error *e)
{
	auto_free char *text = NULL;
	const char **list = NULL;
	size_t size = 0, n;
	int r = read_text(folder, name, &text, &size, e);

	if (r)
		return r;
	n = cut_digests(text, &size, key, arena, &list);
	r = json_read(text, size, name, ret, e);
	if (r)
		return r;
	if (n && json_count(json_find(*ret, key)))
		return error_refuse(e, ERROR_INVALID, "'%s' has '%s' twice", name, key);
	*ret_n = n;
	*ret_list = n ? list : jsonfile_strings(arena, *ret, key, ret_n);
	return 0;
}

int jsonfile_write(int folder, const char *name, struct json_writer *w, struct error *e)
{
	auto_free char *text = NULL;
	int r;

	str_add(&w->text, "\n");
	text = json_finish(w);
	r = file_replace(folder, name, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s'", name) : 0;
}

const char *jsonfile_string(struct arena *arena, const struct json *object, const char *key)
{
	const char *value = json_find_string(object, key);

	return value ? arena_strdup(arena, value) : NULL;
}

const char **jsonfile_strings(struct arena *arena, const struct json *object, const char *key, size_t *ret_n)
{
	const struct json *list = json_find(object, key);
	size_t n = json_count(list);
	const char **strings = arena_array(arena, const char *, n + 1);

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		const char *value = json_string_peek(json_at(list, i));

		if (value)
			strings[(*ret_n)++] = arena_strdup(arena, value);
	}
	return strings;
}
