/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cp: files into an instance, and out of it.  The one side is the caller's, the other one hostile (instances/inside.h,
 * storage/copy.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/verbs.h"
#include "instances/inside.h"

struct cp_options {
	bool archive;
};

static const struct option rows[] = {
    OPTION(struct cp_options, archive, "archive", 'a', FLAG, NULL,
	   "keep owners (as seen inside), set-id bits, extended attributes and device nodes"),
};

/* One side: folder/name, name NULL standing for all that is in the folder. */
struct side {
	const char *path;
	const struct inside *inside; /* NULL: the host */
	int folder;		     /* O_PATH */
	const char *name;
};

static int find(const struct side *side, const char *path, int flags, int *ret_fd, struct error *e)
{
	return side->inside ? inside_find(side->inside, path, flags, ret_fd, e)
			    : fd_open(AT_FDCWD, path, flags, NULL, ret_fd, e);
}

static int split(struct side *side, struct arena *arena, struct error *e)
{
	char *path = arena_strdup(arena, side->path), *slash;
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		path[--size] = 0;
	slash = strrchr(path, '/');
	side->name = slash ? slash + 1 : path;
	if (!*side->name || str_equal(side->name, ".") || str_equal(side->name, "..")) {
		side->name = NULL;
		return find(side, side->path, O_PATH | O_DIRECTORY, &side->folder, e);
	}
	if (slash == path)
		return find(side, "/", O_PATH | O_DIRECTORY, &side->folder, e);
	if (slash)
		*slash = 0;
	return find(side, slash ? path : ".", O_PATH | O_DIRECTORY, &side->folder, e);
}

/* Where it goes: into a folder that is there, under the source's name; else it gets the name given. */
static int find_target(struct side *to, const struct side *from, struct arena *arena, struct error *e)
{
	struct error ignored;
	int folder = -1;

	if (find(to, to->path, O_PATH | O_DIRECTORY, &folder, &ignored))
		return split(to, arena, e);
	to->folder = folder;
	to->name = from->name;
	return 0;
}

static int copy_all(const struct side *from, const struct side *to, struct copy *copy, struct error *e)
{
	auto_fd in = -1, out = -1;
	int r = fd_open(from->folder, ".", O_RDONLY | O_DIRECTORY, from->path, &in, e);

	if (r)
		return r;
	if (to->name && mkdirat(to->folder, to->name, 0755) < 0 && errno != EEXIST)
		return error_system(e, errno, "make '%s'", to->path);
	r = fd_open(to->folder, to->name ? to->name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, to->path, &out, e);
	return r ? r : copy_folder(in, out, false, copy, e);
}

static int copy_sides(struct side *from, struct side *to, struct copy *copy, struct arena *arena, struct error *e)
{
	auto_fd in = -1, out = -1;
	int r = split(from, arena, e);

	if (!r)
		r = find_target(to, from, arena, e);
	if (!r && !from->name)
		return copy_all(from, to, copy, e);
	if (!r && !to->name)
		r = error_refuse(e, ERROR_USAGE, "'%s' is no name to copy to", to->path);
	/* Names are looked up on descriptors that can be read. */
	if (!r)
		r = fd_open(from->folder, ".", O_RDONLY | O_DIRECTORY, from->path, &in, e);
	if (!r)
		r = fd_open(to->folder, ".", O_RDONLY | O_DIRECTORY, to->path, &out, e);
	return r ? r : copy_one(in, from->name, out, to->name, copy, e);
}

/* "NAME:PATH", where no '/' comes before the ':'. */
static bool read_operand(const char *text, struct arena *arena, const char **ret_name, struct side *ret)
{
	const char *colon = strchr(text, ':'), *slash = strchr(text, '/');

	*ret = (struct side){.path = text, .folder = -1};
	if (!colon || (slash && slash < colon))
		return false;
	*ret_name = arena_format(arena, "%.*s", (int)(colon - text), text);
	ret->path = colon[1] ? colon + 1 : "/";
	return true;
}

static int copy_inside(struct side *from, struct side *to, const struct inside *inside, bool goes_in, bool archive,
		       struct arena *arena, struct error *e)
{
	struct copy copy = {.flags = COPY_REPLACE | COPY_TIMES | (archive ? COPY_ARCHIVE : 0)};
	int r = 0;

	if (goes_in) {
		inside_turn(&inside->uids, &copy.uids);
		inside_turn(&inside->gids, &copy.gids);
		copy.uid = copy.uids.n ? copy.uids.ranges[0].to : 0;
		copy.gid = copy.gids.n ? copy.gids.ranges[0].to : 0;
		r = inside_become_root(inside, e);
	} else {
		copy.uids = inside->uids;
		copy.gids = inside->gids;
		copy.uid = geteuid();
		copy.gid = getegid();
	}
	if (!r)
		r = copy_sides(from, to, &copy, arena, e);
	if (!r && copy.left_out)
		log_warning("%llu sockets and device nodes were left out%s", (unsigned long long)copy.left_out,
			    archive ? "" : " (--archive copies nodes)");
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct cp_options *o = options;
	struct inside inside = INSIDE_INIT;
	auto_instance i = INSTANCE_INIT;
	struct side from, to;
	const char *name = NULL;
	bool goes_out = read_operand(operands[0], call->arena, &name, &from);
	bool goes_in = read_operand(operands[1], call->arena, &name, &to);
	int r;

	(void)n;
	if (goes_in == goes_out)
		return error_refuse(e, ERROR_USAGE, "one of both has to be NAME:PATH, in an instance");
	r = instance_open(&call->runtime, name, &i, e);
	if (!r)
		r = instance_lock(&i, e);
	if (!r)
		r = inside_open(&call->runtime, &i, &inside, e);
	if (r)
		return r;
	(goes_in ? &to : &from)->inside = &inside;
	r = copy_inside(&from, &to, &inside, goes_in, o->archive, call->arena, e);
	fd_close(from.folder);
	fd_close(to.folder);
	inside_close(&inside);
	if (r)
		error_context(e, "copy '%s'", operands[0]);
	return r;
}

const struct verb verb_cp = {
    .name = "cp",
    .summary = "copy files and folders into an instance or out of it",
    .operands = "NAME:PATH PATH | PATH NAME:PATH",
    .min = 2,
    .max = 2,
    VERB_OPTIONS(struct cp_options, rows),
    .text = "Links are copied, not followed.  A folder whose path ends with '/.' stands for what is in it.  Without\n"
	    "--archive files belong to the caller, or to root of the instance.  What has the name already is replaced.",
    .run = run,
};
