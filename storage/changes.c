/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "storage/copy.h"
#include "storage/layer.h"
#include "storage/whiteout.h"

/* One folder in each layer that has a part of it, highest first. */
struct stack {
	int *fds;
	size_t n;
};

struct walk {
	changes_each *each;
	void *data;
	struct str path;
	unsigned depth;
	size_t room; /* of a stack */
};

/* What a stack shows under a name. */
struct seen {
	bool there;
	bool whiteout; /* the uppermost layer that says something says that it is gone */
	mode_t mode;
	struct stack folders; /* the parts of it, where it is a folder */
	bool cut;	      /* nothing of layers below this stack shines through */
};

static void close_stack(struct stack *stack)
{
	for (size_t i = 0; i < stack->n; i++)
		fd_close(stack->fds[i]);
	free(stack->fds);
	*stack = (struct stack){0};
}

static int look(const struct walk *w, const struct stack *stack, const char *name, struct seen *ret, struct error *e)
{
	*ret = (struct seen){0};
	for (size_t i = 0; i < stack->n && !ret->cut; i++) {
		auto_fd fd = -1;
		struct stat st;

		if (fstatat(stack->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return error_system(e, errno, "stat '%s/%s'", str_peek(&w->path), name);
		}
		if (is_whiteout(&st) || (ret->there && !S_ISDIR(st.st_mode))) {
			ret->whiteout = !ret->there;
			ret->cut = true;
			return 0;
		}
		if (!ret->there) {
			ret->there = true;
			ret->mode = st.st_mode;
			ret->cut = !S_ISDIR(st.st_mode);
		}
		if (ret->cut)
			return 0;
		fd = openat(stack->fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) /* replaced since */
			continue;
		if (fd < 0)
			return error_system(e, errno, "open '%s/%s'", str_peek(&w->path), name);
		if (!ret->folders.fds)
			ret->folders.fds = malloc(w->room * sizeof(*ret->folders.fds));
		if (!ret->folders.fds)
			return error_system(e, ENOMEM, "look at '%s'", name);
		ret->cut = layer_is_opaque(fd);
		ret->folders.fds[ret->folders.n++] = take_fd(&fd);
	}
	return 0;
}

/* ---- names ---- */

struct names {
	struct arena arena;
	const char **list;
	size_t n, room;
};

static int add_names(struct names *names, int folder, struct error *e)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return error_system(e, errno, "list a folder");
	}
	while ((entry = readdir(dir))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		if (names->n == names->room) {
			const char **grown =
			    realloc(names->list, (names->room = names->room ? 2 * names->room : 64) * sizeof(*grown));

			if (!grown) {
				closedir(dir);
				return error_system(e, ENOMEM, "list a folder");
			}
			names->list = grown;
		}
		names->list[names->n++] = arena_strdup(&names->arena, entry->d_name);
	}
	closedir(dir);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_names(struct names *names, const struct stack *stack, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < stack->n && !r; i++)
		r = add_names(names, stack->fds[i], e);
	return r;
}

/* ---- the walk ---- */

static int walk_folder(struct walk *w, const struct stack *above, const struct stack *below, bool cut, struct error *e);

static int tell(struct walk *w, const struct seen *above, const struct seen *below, bool cut, struct error *e)
{
	bool gone = above->whiteout || (cut && !above->there);
	enum change_what what = below->there ? CHANGE_CHANGED : CHANGE_ADDED;

	if (!above->there) {
		if (!gone || !below->there)
			return 0;
		return w->each(CHANGE_REMOVED, str_peek(&w->path), below->mode, w->data, e);
	}
	return w->each(what, str_peek(&w->path), above->mode, w->data, e);
}

static int walk_name(struct walk *w, const struct stack *above, const struct stack *below, bool cut, const char *name,
		     struct error *e)
{
	struct seen up = {0}, down = {0};
	size_t length = w->path.size;
	int r = look(w, above, name, &up, e);

	if (!r)
		r = look(w, below, name, &down, e);
	str_addf(&w->path, "/%s", name);
	if (!r)
		r = tell(w, &up, &down, cut, e);
	if (!r && up.there && S_ISDIR(up.mode))
		r = walk_folder(w, &up.folders, &down.folders, cut || up.cut, e);
	w->path.size = length;
	w->path.data[length] = 0;
	close_stack(&up.folders);
	close_stack(&down.folders);
	return r;
}

/* cut: what is only below does not show any more. */
static int walk_folder(struct walk *w, const struct stack *above, const struct stack *below, bool cut, struct error *e)
{
	struct names names = {0};
	int r;

	if (w->depth >= COPY_DEPTH_MAX)
		return error_refuse(e, ERROR_LIMIT, "more than %d folders lie in each other", COPY_DEPTH_MAX);
	w->depth++;
	r = list_names(&names, above, e);
	if (!r && cut)
		r = list_names(&names, below, e);
	if (names.n)
		qsort(names.list, names.n, sizeof(*names.list), compare_names);
	for (size_t i = 0; i < names.n && !r; i++)
		if (!i || strcmp(names.list[i], names.list[i - 1]))
			r = walk_name(w, above, below, cut, names.list[i], e);
	w->depth--;
	free(names.list);
	arena_release(&names.arena);
	return r;
}

/* ---- the layers ---- */

struct layers {
	struct stack above, below;
	size_t changed; /* so many of those that come are above */
};

static int add_layer(int *fd, const char *name, void *data, struct error *e)
{
	struct layers *layers = data;
	struct stack *to = layers->changed ? &layers->above : &layers->below;
	int opened;
	int r = fd_open(*fd, ".", O_RDONLY | O_DIRECTORY, name, &opened, e);

	if (r)
		return r;
	if (layers->changed)
		layers->changed--;
	to->fds[to->n++] = opened;
	return 0;
}

int changes_walk(const struct store *store, int folder, const struct root *root, size_t since, changes_each *each,
		 void *data, struct error *e)
{
	size_t room = root->n_layers + root->n_pushes + 2;
	struct walk w = {.each = each, .data = data, .room = room};
	struct layers layers = {.changed = root->n_pushes - since};
	int r;

	layers.above.fds = malloc(room * sizeof(int));
	layers.below.fds = malloc(room * sizeof(int));
	if (!layers.above.fds || !layers.below.fds)
		r = error_system(e, ENOMEM, "look at the layers");
	else
		r = root_open_upper(store, folder, root, &layers.above.fds[0], e);
	if (!r) {
		layers.above.n = 1;
		r = root_each_lower(store, root, add_layer, &layers, e);
	}
	str_add(&w.path, "");
	if (!r)
		r = walk_folder(&w, &layers.above, &layers.below, false, e);
	str_release(&w.path);
	close_stack(&layers.above);
	close_stack(&layers.below);
	return r;
}
