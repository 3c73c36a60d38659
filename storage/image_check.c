/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the store is sound, and making it so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/image.h"
#include "storage/merged.h"
#include "storage/unpack_client.h"

struct check {
	const struct store *store;
	bool content, repair;
	void (*each)(const char *finding, bool repaired, void *data);
	void *data;
	size_t left;
};

static void find(struct check *check, bool repaired, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void find(struct check *check, bool repaired, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE + 256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check->each(text, repaired, check->data);
	check->left += !repaired;
}

/* Calls each for every name in a folder of the store, in order; a missing folder has none. */
static int each_name(struct check *check, const char *folder, int (*each)(struct check *, int fd, const char *name),
		     struct error *e)
{
	struct dirent **entries;
	auto_fd fd = -1;
	int n, r = check->store->fd < 0 ? -ENOENT : store_open_folder(check->store, folder, false, &fd, e);

	if (r)
		return r == -ENOENT ? 0 : r;
	n = scandirat(fd, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_system(e, errno, "list '%s/%s'", check->store->path, folder);
	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, ".."))
			each(check, fd, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static bool discard(struct check *check, int folder, const char *name)
{
	return check->repair && !store_remove_tree(folder, name);
}

/* ---- leftovers ---- */

static int check_leftover(struct check *check, int tmp, const char *name)
{
	auto_fd fd = openat(tmp, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0; /* somebody makes it */
	find(check, discard(check, tmp, name), "'tmp/%s' was left by somebody who died", name);
	return 0;
}

/* ---- blobs ---- */

static int check_blob(struct check *check, int blobs, const char *name)
{
	auto_free char *data = NULL;
	struct error e = ERROR_INIT;
	size_t size;

	if (name[0] == '.' && store_is_hex(name + 1)) {
		/* A removal that was killed: it goes back, and if nothing needs it, with the next prune. */
		bool back = check->repair && !renameat(blobs, name, blobs, name + 1);

		find(check, back, "the blob %s was being removed", name + 1);
	} else if (!store_is_hex(name)) {
		find(check, discard(check, blobs, name), "'blobs/sha256/%s' is not a blob", name);
	} else if (store_read_blob(check->store, name, &data, &size, &e)) {
		char text[ERROR_TEXT_SIZE + 64];

		find(check, e.kind == ERROR_INVALID && discard(check, blobs, name), "%s",
		     error_format(&e, text, sizeof(text)));
	}
	return 0;
}

/* ---- layers ---- */

/* The tar again, into nothing: its digest is the layer's id, or the tree is not what it was. */
static int compare_content(const struct store *store, const char *id, struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_REPACK, .flags = store->rootless ? UNPACK_ROOTLESS : 0};
	struct unpack_call call = UNPACK_CALL_INIT;
	struct unpack_result result = {0};
	auto_fd tree = -1, frame = -1, null = -1;
	int fds[3];
	int r = layer_open_tree(store, id, &tree, e) ?: layer_open_frame(store, id, &frame, e) ?:
		fd_open(AT_FDCWD, "/dev/null", O_WRONLY, NULL, &null, e);

	if (r)
		return r;
	fds[0] = tree;
	fds[1] = frame;
	fds[2] = null;
	r = unpack_start(&request, fds, 3, &call, e) ?: unpack_wait(&call, NULL, &result, e);
	if (!r && strcmp(result.diff, id))
		r = error_refuse(e, ERROR_INVALID, "its content is not what it was: the SHA-256 is %s", result.diff);
	return r;
}

static int check_layer(struct check *check, int layers, const char *name)
{
	struct error e = ERROR_INIT;
	struct layer_info info = {0};
	auto_fd tree = -1, frame = -1;
	struct stat st;
	int r;

	if (!store_is_hex(name)) {
		find(check, discard(check, layers, name), "'layers/%s' is not a layer", name);
		return 0;
	}
	r = layer_load(check->store, name, &info, &e) ?: layer_open_tree(check->store, name, &tree, &e) ?:
	    layer_open_frame(check->store, name, &frame, &e);
	if (!r && info.has_frame && (fstat(frame, &st) < 0 || !st.st_size))
		r = error_refuse(&e, ERROR_INVALID, "its frame is empty");
	if (!r && check->content && info.has_frame)
		r = compare_content(check->store, name, &e);
	if (r) {
		/* What could not be looked at (no permission, no memory) is not damaged by that. */
		bool damaged = e.kind == ERROR_INVALID || e.kind == ERROR_NOT_FOUND;
		char text[ERROR_TEXT_SIZE + 64];

		find(check, damaged && discard(check, layers, name), "layer %s %s: %s", name,
		     damaged ? "is damaged" : "can't be checked", error_format(&e, text, sizeof(text)));
	}
	return 0;
}

/* It can be done without: the layers are used then. */
static int check_merged(struct check *check, int folder, const char *name)
{
	struct error e = ERROR_INIT;
	char text[ERROR_TEXT_SIZE + 64];

	if (!store_is_hex(name))
		find(check, discard(check, folder, name), "'merged/%s' is not a merged layer", name);
	else if (merged_check(check->store, name, &e))
		find(check, (e.kind == ERROR_INVALID || e.kind == ERROR_NOT_FOUND) && discard(check, folder, name),
		     "the merged layer %s is damaged: %s", name, error_format(&e, text, sizeof(text)));
	return 0;
}

/* ---- names and pins ---- */

static int check_name(const struct image *image, const char *reference, const struct error *broken, void *data,
		      struct error *e)
{
	struct check *check = data;
	struct error why = ERROR_INIT;
	char text[ERROR_TEXT_SIZE + 64];
	auto_fd fd = -1;
	int r = broken ? -EINVAL : 0;

	(void)e;
	if (broken)
		why = *broken;
	for (size_t i = 0; !r && i < image->n_layers; i++) {
		fd = fd_close(fd);
		r = layer_open_tree(check->store, image->layers[i], &fd, &why);
	}
	if (r)
		find(check,
		     check->repair && (why.kind == ERROR_NOT_FOUND || why.kind == ERROR_INVALID) &&
			 !image_unlink_reference(check->store, reference, NULL),
		     "image '%s' is not whole: %s", reference, error_format(&why, text, sizeof(text)));
	return 0;
}

static int check_pin(const struct image_user *user, void *data, struct error *e)
{
	struct check *check = data;

	(void)e;
	if (!user->instance)
		return 0;
	for (size_t i = 0; i < user->n_layers; i++) {
		struct error why = ERROR_INIT;
		auto_fd fd = -1;

		if (layer_open_tree(check->store, user->layers[i], &fd, &why))
			find(check, false, "instance '%s' needs a layer: %s", user->instance, why.text);
	}
	return 0;
}

static int check_image_file(struct check *check, int images, const char *name)
{
	auto_arena arena = ARENA_INIT;
	char reference[IMAGE_FILE_SIZE];
	const char *normal;

	image_read_file(name, reference);
	if (image_normalize(reference, &arena, &normal, NULL) || strcmp(normal, reference))
		find(check, discard(check, images, name), "'images/%s' is not the name of an image", name);
	return 0;
}

int image_check(const struct store *store, bool content, bool repair,
		void (*each)(const char *finding, bool repaired, void *data), void *data, size_t *ret_left,
		struct error *e)
{
	struct check check = {.store = store, .content = content, .repair = repair, .each = each, .data = data};
	auto_arena arena = ARENA_INIT;
	/* From the ground up: what a name needs has been judged before the name is. */
	int r = each_name(&check, "tmp", check_leftover, e) ?: each_name(&check, "blobs/sha256", check_blob, e) ?:
		each_name(&check, "layers", check_layer, e) ?: each_name(&check, "merged", check_merged, e) ?:
		each_name(&check, "images", check_image_file, e) ?:
		image_each(store, &arena, check_name, &check, e) ?: image_each_user(store, check_pin, &check, e);

	*ret_left = check.left;
	return r;
}
