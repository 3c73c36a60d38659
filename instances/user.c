/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

enum { FILE_MAX = 4 << 20, FIELDS_MAX = 7, ATTEMPTS = 128 };

#define PASSWD "etc/passwd"
#define GROUP "etc/group"

/* The file's text; "" where the root has none. */
static int read_file(int root, const char *path, char **ret, struct error *e)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	auto_fd fd = -1;
	struct stat st;
	size_t size;
	int r;

	for (int n = 0; root >= 0 && fd < 0 && n < ATTEMPTS; n++) {
		fd = sys_openat2(root, path, &how);
		if (fd < 0 && errno != EAGAIN) /* somebody renames in the tree meanwhile */
			break;
	}
	if (fd < 0) {
		if (root >= 0 && errno != ENOENT && errno != ENOTDIR)
			return error_system(e, errno, "open '/%s' of the root", path);
		*ret = strdup("");
		return *ret ? 0 : error_system(e, ENOMEM, "read '/%s' of the root", path);
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return error_refuse(e, ERROR_INVALID, "'/%s' of the root is not a regular file", path);
	r = fd_read_all(fd, FILE_MAX, ret, &size);
	if (r == -EFBIG)
		return error_refuse(e, ERROR_INVALID, "'/%s' of the root is larger than %d MiB", path, FILE_MAX >> 20);
	return r ? error_system(e, -r, "read '/%s' of the root", path) : 0;
}

/* Cuts the next line of *text into fields at ':'; 0: no more.  The text is changed. */
static size_t next_line(char **text, char *fields[FIELDS_MAX])
{
	size_t n = 0;
	char *line;

	while ((line = strsep(text, "\n"))) {
		if (!*line || *line == '#')
			continue;
		for (n = 0; n < FIELDS_MAX && line; n++)
			fields[n] = n + 1 < FIELDS_MAX ? strsep(&line, ":") : line;
		return n;
	}
	return 0;
}

static bool read_id(const char *text, uint32_t *ret)
{
	uint64_t id;

	if (parse_u64(text, 0, UINT32_MAX - 1, &id))
		return false;
	*ret = (uint32_t)id;
	return true;
}

/* What similar name the file has, for the error; NULL: none. */
static const char *find_similar(char *text, const char *name, struct arena *arena)
{
	const char *names[128];
	char *fields[FIELDS_MAX];
	size_t n = 0;

	while (n < ARRAY_SIZE(names) && next_line(&text, fields))
		names[n++] = arena_strdup(arena, fields[0]);
	return str_closest(name, names, n);
}

static int refuse(int root, const char *path, const char *what, const char *name, struct arena *arena, struct error *e)
{
	auto_free char *text = NULL;
	const char *close;
	int r;

	if (root < 0)
		return error_refuse(e, ERROR_NOT_FOUND, "%s '%s' can't be looked up: give a number", what, name);
	r = read_file(root, path, &text, e);
	if (r)
		return r;
	close = find_similar(text, name, arena);
	if (close)
		return error_refuse(e, ERROR_NOT_FOUND, "no %s '%s' in '/%s' of the root; did you mean '%s'?", what,
				    name, path, close);
	return error_refuse(e, ERROR_NOT_FOUND, "no %s '%s' in '/%s' of the root", what, name, path);
}

/* name of the user as the file spells it (NULL: it has no entry) is what groups list. */
static int find_user(int root, const char *wanted, struct arena *arena, struct user *ret, const char **ret_name,
		     struct error *e)
{
	auto_free char *text = NULL;
	bool number = read_id(wanted, &ret->uid);
	char *fields[FIELDS_MAX], *rest;
	int r = read_file(root, PASSWD, &text, e);
	size_t n;

	*ret_name = NULL;
	if (r)
		return r;
	rest = text;
	while ((n = next_line(&rest, fields))) {
		uint32_t uid, gid;

		if (n < 4 || !read_id(fields[2], &uid) || !read_id(fields[3], &gid))
			continue;
		if (!str_equal(fields[0], wanted) && !(number && uid == ret->uid))
			continue;
		ret->uid = uid;
		ret->gid = gid;
		ret->home = n > 5 && *fields[5] == '/' ? arena_strdup(arena, fields[5]) : NULL;
		*ret_name = arena_strdup(arena, fields[0]);
		return 0;
	}
	return number ? 0 : refuse(root, PASSWD, "user", wanted, arena, e);
}

static int find_group(int root, const char *wanted, struct arena *arena, uint32_t *ret_gid, struct error *e)
{
	auto_free char *text = NULL;
	char *fields[FIELDS_MAX], *rest;
	int r;

	if (read_id(wanted, ret_gid))
		return 0;
	r = read_file(root, GROUP, &text, e);
	if (r)
		return r;
	rest = text;
	while (next_line(&rest, fields) >= 3)
		if (str_equal(fields[0], wanted) && read_id(fields[2], ret_gid))
			return 0;
	return refuse(root, GROUP, "group", wanted, arena, e);
}

/* Is name one of the comma-separated members? */
static bool is_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")))
		if (str_equal(member, name))
			return true;
	return false;
}

/* The groups that list the user. */
static int find_groups(int root, const char *name, struct arena *arena, struct user *ret, struct error *e)
{
	enum { GROUPS_MAX = 1024 };
	auto_free char *text = NULL;
	char *fields[FIELDS_MAX], *rest;
	int r = read_file(root, GROUP, &text, e);
	size_t n;

	if (r)
		return r;
	ret->groups = arena_array(arena, uint32_t, GROUPS_MAX);
	rest = text;
	while (ret->n_groups < GROUPS_MAX && (n = next_line(&rest, fields))) {
		uint32_t gid;

		if (n >= 4 && read_id(fields[2], &gid) && gid != ret->gid && is_member(fields[3], name))
			ret->groups[ret->n_groups++] = gid;
	}
	return 0;
}

int user_find(int root, const char *text, struct arena *arena, struct user *ret, struct error *e)
{
	const char *colon = strchr(text, ':'), *name;
	struct user user = {0};
	const char *wanted = colon ? arena_format(arena, "%.*s", (int)(colon - text), text) : text;
	int r;

	if (!*wanted || (colon && (!colon[1] || strchr(colon + 1, ':'))))
		return error_refuse(e, ERROR_USAGE, "invalid user '%s': it takes USER or USER:GROUP, numbers or names",
				    text);
	r = find_user(root, wanted, arena, &user, &name, e);
	if (!r && colon)
		r = find_group(root, colon + 1, arena, &user.gid, e);
	else if (!r && name)
		r = find_groups(root, name, arena, &user, e);
	if (!r)
		*ret = user;
	return r;
}
