/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cp: files into an instance, and out of it.  The one side is the caller's, the other one hostile (instances/inside.h,
 * storage/copy.h).  A stream takes the way over a folder in DATA/tmp, which holm-unpack fills or packs.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/inside.h"
#include "storage/store.h"
#include "storage/unpack_client.h"

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

/* ---- streams ---- */

struct stage {
	struct store store;
	struct store_tmp tmp;
	int tree;
	const char *path; /* of tree */
};

#define STAGE_INIT ((struct stage){.store = STORE_INIT, .tmp = STORE_TMP_INIT, .tree = -1})

static void stage_close(struct stage *stage)
{
	fd_close(stage->tree);
	if (stage->store.fd >= 0)
		store_tmp_drop(&stage->store, &stage->tmp);
	store_close(&stage->store);
}

#define auto_stage __attribute__((cleanup(stage_close))) struct stage

static int stage_open(struct invocation *call, struct stage *stage, struct error *e)
{
	int r = store_open(call->runtime.data, true, &stage->store, e);

	stage->store.rootless = call->runtime.rootless;
	if (!r)
		r = store_tmp_make(&stage->store, "cp", &stage->tmp, e);
	if (!r && mkdirat(stage->tmp.fd, "tree", 0755) < 0)
		r = error_system(e, errno, "make a folder in '%s/tmp'", stage->store.path);
	if (!r)
		r = fd_open(stage->tmp.fd, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &stage->tree, e);
	stage->path = arena_format(call->arena, "%s/tmp/%s/tree", stage->store.path, stage->tmp.name);
	return r;
}

static int stage_run(struct stage *stage, struct unpack_request *request, const int *fds, size_t n, struct error *e)
{
	struct unpack_call call = UNPACK_CALL_INIT;
	struct unpack_result result = {0};
	int r;

	if (stage->store.rootless)
		request->flags |= UNPACK_ROOTLESS;
	r = unpack_start(request, fds, n, &call, e);
	return r ? r : unpack_wait(&call, NULL, &result, e);
}

static int stage_fill(struct stage *stage, struct error *e)
{
	struct unpack_request request = {
	    .operation = UNPACK_LAYER, .limits = UNPACK_LIMITS_DEFAULT, .name = "standard input"};
	auto_fd frame = openat(stage->tmp.fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	auto_fd spool = openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC);
	const int fds[] = {STDIN_FILENO, stage->tree, frame, spool};

	if (frame < 0 || spool < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", stage->store.path);
	if (stage->store.rootless)
		request.flags |= UNPACK_NO_DEVICES;
	return stage_run(stage, &request, fds, ARRAY_SIZE(fds), e);
}

static int stage_pack(struct stage *stage, struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_PACK};
	int fds[] = {-1, STDOUT_FILENO}, r;

	/* By its path: this process may have entered another mount namespace since (inside_open()). */
	r = fd_open(AT_FDCWD, stage->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &fds[0], e);
	if (!r)
		r = stage_run(stage, &request, fds, ARRAY_SIZE(fds), e);
	fd_close(fds[0]);
	return r;
}

/* ---- the verb ---- */

static int copy(struct invocation *call, const char *name, struct side *from, struct side *to, bool goes_in,
		bool archive, struct error *e)
{
	struct inside inside = INSIDE_INIT;
	auto_instance i = INSTANCE_INIT;
	int r = instance_open(&call->runtime, name, &i, e);

	if (!r)
		r = instance_lock(&i, e);
	if (!r)
		r = inside_open(&call->runtime, &i, &inside, e);
	if (r)
		return r;
	(goes_in ? to : from)->inside = &inside;
	r = copy_inside(from, to, &inside, goes_in, archive, call->arena, e);
	fd_close(from->folder);
	fd_close(to->folder);
	inside_close(&inside);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct cp_options *o = options;
	auto_stage stage = STAGE_INIT;
	auto_instance i = INSTANCE_INIT;
	struct side from, to;
	const char *name = NULL;
	bool goes_out = read_operand(operands[0], call->arena, &name, &from);
	bool goes_in = read_operand(operands[1], call->arena, &name, &to);
	bool streams = str_equal(operands[goes_out ? 1 : 0], "-");
	int r;

	(void)n;
	if (goes_in == goes_out)
		return error_refuse(e, ERROR_USAGE, "one of both has to be NAME:PATH, in an instance");
	if (streams && isatty(goes_out ? STDOUT_FILENO : STDIN_FILENO))
		return error_refuse(e, ERROR_USAGE, "'-' is a terminal, and a tar is meant: use a pipe or a file");
	r = each_one(call, name, &name, e);
	if (!r)
		r = instance_open(&call->runtime, name, &i, e); /* before anything is read for it */
	if (!r && streams)
		r = stage_open(call, &stage, e);
	if (!r && streams && goes_in)
		r = stage_fill(&stage, e);
	if (!r && streams)
		(goes_in ? &from : &to)->path = goes_in ? arena_format(call->arena, "%s/.", stage.path) : stage.path;
	r = r ? r : copy(call, name, &from, &to, goes_in, o->archive, e);
	if (!r && streams && goes_out)
		r = stage_pack(&stage, e);
	if (r)
		error_context(e, "copy '%s'", operands[0]);
	return r;
}

const struct verb verb_cp = {
    .name = "cp",
    .summary = "copy files and folders into an instance or out of it",
    .operands = "NAME:PATH PATH|- | PATH|- NAME:PATH",
    .min = 2,
    .max = 2,
    VERB_OPTIONS(struct cp_options, rows),
    .text = "Links are copied, not followed.  A folder whose path ends with '/.' stands for what is in it.\n"
	    "Without --archive files belong to the caller, or to root of the instance.  What has the name\n"
	    "already is replaced.\n"
	    "'-' is a tar on standard output or input, whose members go into the folder PATH.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
