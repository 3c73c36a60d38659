/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/image_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "storage/store.h"
#include "storage/unpack_client.h"

enum { LINKS_MAX = 8 };

/* ---- names ---- */

/* Without "./" and "NAME/..": "a/../b/c" is "b/c".  NULL: it leads out. */
static const char *clean(struct arena *arena, const char *name)
{
	char *out = arena_alloc(arena, strlen(name) + 1);
	size_t size = 0;

	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && !memcmp(name, "..", 2)) {
			if (!size)
				return NULL;
			while (size && out[--size] != '/')
				;
		} else if (n && !(n == 1 && *name == '.')) {
			if (size)
				out[size++] = '/';
			memcpy(out + size, name, n);
			size += n;
		}
		name += n + (name[n] == '/');
	}
	out[size] = 0;
	return out;
}

static int add_member(const struct unpack_member *member, void *data, struct error *e)
{
	struct parts *parts = data;
	struct parts_member *to;

	(void)e;
	parts->members = arena_grow(&parts->arena, parts->members, parts->n, &parts->room, sizeof(*parts->members));
	to = &parts->members[parts->n];
	to->name = clean(&parts->arena, member->name);
	if (!to->name)
		return 0;
	if (member->type == '1')
		to->link = clean(&parts->arena, member->link);
	else if (member->type == '2') /* seen from the folder that it is in */
		to->link = clean(&parts->arena, arena_format(&parts->arena, "%s/../%s", to->name, member->link));
	if (member->type != '0' && !to->link)
		return 0;
	to->offset = member->offset;
	to->size = member->size;
	parts->n++;
	return 0;
}

/* The last one of a name counts, as it would if they were unpacked. */
static const struct parts_member *find_member(struct parts *parts, const char *name)
{
	name = clean(&parts->arena, name);
	for (int links = 0; name && links < LINKS_MAX; links++) {
		const struct parts_member *found = NULL;

		for (size_t i = parts->n; i-- && !found;)
			if (str_equal(parts->members[i].name, name))
				found = &parts->members[i];
		if (!found || !found->link)
			return found;
		name = found->link;
	}
	return NULL;
}

/* ---- opening ---- */

int parts_open_folder(int folder, const char *name, struct parts *ret, struct error *e)
{
	(void)e;
	*ret = PARTS_INIT;
	ret->name = name;
	ret->folder = folder;
	return 0;
}

int parts_open_file(int file, const char *name, const struct unpack_limits *limits, struct parts *ret, struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_INDEX, .limits = *limits};
	struct unpack_sink sink = {.member = add_member, .data = ret};
	struct unpack_call call = UNPACK_CALL_INIT;
	struct unpack_result result = {0};
	int r;

	*ret = PARTS_INIT;
	ret->name = name;
	ret->file = file;
	if (lseek(file, 0, SEEK_SET) < 0)
		return error_system(e, errno, "read '%s'", name);
	r = unpack_start(&request, &file, 1, &call, e) ?: unpack_wait(&call, &sink, &result, e);
	if (!r && !result.has_end)
		r = error_refuse(e, ERROR_INVALID, "the archive is cut off");
	if (r)
		error_context(e, "%s", name);
	return r;
}

void parts_close(struct parts *parts)
{
	arena_release(&parts->arena);
	*parts = PARTS_INIT;
}

/* ---- finding ---- */

static int refuse_missing(const struct parts *parts, const char *name, struct error *e)
{
	error_refuse(e, ERROR_NOT_FOUND, "%s: '%s' is missing", parts->name, name);
	return -ENOENT;
}

static int find_in_folder(struct parts *parts, const char *name, struct part *ret, struct error *e)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	auto_fd fd = sys_openat2(parts->folder, name, &how);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? refuse_missing(parts, name, e)
				       : error_system(e, errno, "open '%s/%s'", parts->name, name);
	if (fstat(fd, &st) < 0)
		return error_system(e, errno, "look at '%s/%s'", parts->name, name);
	if (!S_ISREG(st.st_mode))
		return error_refuse(e, ERROR_INVALID, "'%s/%s' is not a file", parts->name, name);
	ret->offset = 0;
	ret->size = st.st_size;
	ret->fd = take_fd(&fd);
	return 0;
}

int parts_find(struct parts *parts, const char *name, struct part *ret, struct error *e)
{
	const struct parts_member *member;

	if (parts->folder >= 0)
		return find_in_folder(parts, name, ret, e);
	member = find_member(parts, name);
	if (!member)
		return refuse_missing(parts, name, e);
	ret->fd = fcntl(parts->file, F_DUPFD_CLOEXEC, 3);
	if (ret->fd < 0)
		return error_system(e, errno, "open '%s'", parts->name);
	ret->offset = member->offset;
	ret->size = member->size;
	return 0;
}

bool parts_has(struct parts *parts, const char *name)
{
	struct part part;

	if (parts_find(parts, name, &part, NULL))
		return false;
	fd_close(part.fd);
	return true;
}

int parts_read(struct parts *parts, const char *name, char **ret_data, size_t *ret_size, struct error *e)
{
	auto_free char *data = NULL;
	struct part part = {.fd = -1};
	auto_fd fd = -1;
	size_t done = 0;
	int r = parts_find(parts, name, &part, e);

	if (r)
		return r;
	fd = part.fd;
	if (part.size > STORE_BLOB_MAX)
		return error_refuse(e, ERROR_LIMIT, "%s: '%s' is larger than %d bytes", parts->name, name,
				    STORE_BLOB_MAX);
	data = malloc(part.size + 1);
	if (!data)
		return error_system(e, ENOMEM, "read '%s'", name);
	while (done < part.size) {
		ssize_t n = pread(fd, data + done, part.size - done, part.offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(e, errno, "read '%s' of %s", name, parts->name);
		if (!n)
			return error_refuse(e, ERROR_INVALID, "%s: '%s' is cut off", parts->name, name);
		done += n;
	}
	data[done] = 0;
	*ret_size = done;
	*ret_data = take_ptr(&data);
	return 0;
}
