/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/quiet.h"
#include "storage/image.h"
#include "storage/push.h"

struct commit_options {
	const char *author, *comment;
};

static const struct option rows[] = {
    OPTION(struct commit_options, author, "author", 'a', STRING, "TEXT", "who made it"),
    OPTION(struct commit_options, comment, "comment", 'm', STRING, "TEXT", "what it is"),
};

/* The folders that become layers: all that is above the parent image, lowest first. */
struct layers {
	int *fds;
	size_t n, room; /* of those to come, as many are taken */
	const struct store
	    *store; /* the lowest is an image file, mounted nowhere: its copy is taken; NULL: it is none */
	struct push copy;
};

static int take_lower(int *fd, const char *name, void *data, struct error *e)
{
	struct layers *layers = data;
	int r;

	if (!layers->room)
		return 0;
	layers->room--;
	r = fd_open(*fd, ".", O_RDONLY | O_DIRECTORY, name, &layers->fds[layers->n], e);
	layers->n += !r;
	if (!r && !layers->room && layers->store) {
		int *lowest = &layers->fds[layers->n - 1];

		r = push_copy(layers->store, *lowest, NULL, &layers->copy, e);
		*lowest = fd_close(*lowest);
		if (!r)
			r = push_open(layers->store, layers->copy.id, lowest, e);
	}
	return r;
}

/*
 * A running instance's upper is copied: nobody may write to what is packed.  One in a disk image, which is mounted
 * nowhere, is copied since holm-unpack can't shut itself into it.
 */
static int open_upper(struct invocation *call, struct instance *i, const struct store *store, const struct root *root,
		      struct push *push, int *ret_fd, struct error *e)
{
	struct quiet quiet = QUIET_INIT;
	struct copy_pause pause = quiet_pause(&quiet);
	struct error ignored;
	auto_fd upper = -1;
	bool copies = false;
	int r = quiet_look(&call->runtime, i, &quiet, e);

	if (!r)
		r = root_open_upper(store, i->folder, root, &upper, e);
	copies = !r && (quiet.runs || root->quota == QUOTA_DISK);
	if (copies)
		r = push_copy(store, upper, quiet.runs ? &pause : NULL, push, e);
	if (quiet_end(&quiet, r ? &ignored : e) && !r)
		r = error_return(e);
	if (!r && copies)
		return push_open(store, push->id, ret_fd, e);
	*ret_fd = r ? -1 : take_fd(&upper);
	return r;
}

static void turn(struct layers *layers)
{
	for (size_t a = 0, b = layers->n; a + 1 < b; a++) {
		int fd = layers->fds[a];

		layers->fds[a] = layers->fds[--b];
		layers->fds[b] = fd;
	}
}

static int commit(struct invocation *call, struct instance *i, const struct store *store, const char *reference,
		  const struct commit_options *o, struct push *push, struct layers *layers, struct image *ret,
		  struct error *e)
{
	struct image_commit commit = {.reference = reference, .author = o->author, .comment = o->comment};
	struct image_config config = {0};
	struct root root;
	struct spec spec;
	int r = root_load(i->folder, call->arena, &root, e);

	if (r)
		return r;
	layers->fds = arena_array(call->arena, int, root.n_pushes + root.n_layers + 2);
	layers->room = root.n_pushes + (root.digest ? 0 : root.n_layers + 1);
	layers->store = root.file ? store : NULL;
	r = open_upper(call, i, store, &root, push, &layers->fds[0], e);
	if (r)
		return r;
	layers->n = 1;
	r = root_each_lower(store, &root, take_lower, layers, e);
	if (!r)
		r = instance_load_spec(i, &spec, e);
	if (r)
		return r;
	turn(layers);
	commit.parent = root.digest;
	commit.folders = layers->fds;
	commit.n_folders = layers->n;
	if (!root.digest && spec.process) {
		instance_describe_image(spec.process, &config);
		commit.config = &config;
	}
	r = image_commit(store, &commit, call->arena, ret, e);
	spec_release(&spec);
	return r;
}

static void drop(const struct store *store, struct push *push)
{
	const char *id = push->id;
	struct error ignored;

	if (push->lock < 0)
		return;
	push_release(push);
	if (push_drop(store, &id, 1, &ignored))
		log_warning("%s", ignored.text);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	auto_push push = PUSH_INIT;
	struct layers layers = {.copy = PUSH_INIT};
	struct image image;
	auto_str out = STR_INIT;
	const char *name;
	int r = each_one(call, operands[0], &name, e);

	(void)n;
	if (!r)
		r = quiet_open(&call->runtime, name, &i, &store, e);
	if (!r)
		r = commit(call, &i, &store, operands[1], options, &push, &layers, &image, e);
	for (size_t k = 0; k < layers.n; k++)
		fd_close(layers.fds[k]);
	drop(&store, &push);
	drop(&store, &layers.copy);
	if (r) {
		error_context(e, "commit '%s'", operands[0]);
		return r;
	}
	str_addf(&out, "%s\n", image.id);
	return output_write(str_peek(&out), e);
}

const struct verb verb_commit = {
    .name = "commit",
    .summary = "make an image of what an instance has",
    .operands = "NAME IMAGE",
    .min = 2,
    .max = 2,
    VERB_OPTIONS(struct commit_options, rows),
    .text = "What it wrote becomes layers above its image.  A running one is frozen for a moment.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
