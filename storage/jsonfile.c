/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"

enum { JSONFILE_MAX = 16 << 20 };

int jsonfile_read(int folder, const char *name, struct json **ret, struct error *e)
{
	auto_free char *text = NULL;
	auto_fd fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t size;
	int r;

	if (fd < 0 && errno == ENOENT)
		return error_refuse(e, ERROR_NOT_FOUND, "there is no '%s'", name);
	r = fd < 0 ? -errno : fd_read_all(fd, JSONFILE_MAX, &text, &size);
	if (r)
		return error_system(e, -r, "read '%s'", name);
	return json_read(text, size, name, ret, e);
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
