/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who needs what, and removing what nobody does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "spec/json.h"
#include "storage/image.h"
#include "storage/merged.h"

enum { PIN_MAX = 4 << 20 };

/* ---- pins ---- */

struct pin_walk {
	int (*each)(const struct image_user *user, const struct json *pin, void *data, struct error *e);
	void *data;
};

static int visit_pin(const struct pin_walk *walk, int folder, const char *path, const char *instance, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	auto_free char *text = NULL;
	auto_json *json = NULL;
	const struct json *layers;
	struct image_user user = {.instance = instance};
	size_t size;
	int r = file_read(folder, path, PIN_MAX, &text, &size);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0; /* it has no pin, or is gone */
	if (r)
		return error_system(e, -r, "read '%s'", path);
	r = json_read(text, size, path, &json, e);
	if (r)
		return r;
	user.image = json_find_string(json, "image");
	user.digest = json_find_string(json, "digest");
	layers = json_find(json, "layers");
	user.layers = arena_array(&arena, const char *, json_count(layers) + 1);
	for (size_t i = 0; i < json_count(layers); i++)
		if (json_string_peek(json_at(layers, i)))
			user.layers[user.n_layers++] = json_string_peek(json_at(layers, i));
	return walk->each(&user, json, walk->data, e);
}

static int walk_pins(const struct store *store, const char *folder, bool instances, const struct pin_walk *walk,
		     struct error *e)
{
	struct dirent **entries;
	auto_fd fd = -1;
	int n, r = store->fd < 0 ? -ENOENT : store_open_folder(store, folder, false, &fd, e);

	if (r)
		return r == -ENOENT ? 0 : r;
	n = scandirat(fd, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_system(e, errno, "list '%s/%s'", store->path, folder);
	for (int i = 0; i < n; i++) {
		char path[sizeof(entries[i]->d_name) + sizeof("/root.json")];

		snprintf(path, sizeof(path), "%s/root.json", entries[i]->d_name);
		if (!r && *entries[i]->d_name != '.')
			r = visit_pin(walk, fd, path, instances ? entries[i]->d_name : NULL, e);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int walk_all_pins(const struct store *store, const struct pin_walk *walk, struct error *e)
{
	return walk_pins(store, "instances", true, walk, e) ?: walk_pins(store, "tmp", false, walk, e);
}

struct user_walk {
	int (*each)(const struct image_user *user, void *data, struct error *e);
	void *data;
};

static int pass_user(const struct image_user *user, const struct json *pin, void *data, struct error *e)
{
	const struct user_walk *walk = data;

	(void)pin;
	return walk->each(user, walk->data, e);
}

int image_each_user(const struct store *store, int (*each)(const struct image_user *user, void *data, struct error *e),
		    void *data, struct error *e)
{
	struct user_walk walk = {each, data};
	struct pin_walk pins = {pass_user, &walk};

	return walk_all_pins(store, &pins, e);
}

/* ---- what is needed ---- */

/* A set of hex digests, sorted once all are in. */
struct set {
	struct str names; /* STORE_HEX_SIZE bytes each */
	bool sorted;
};

static int compare_hex(const void *a, const void *b)
{
	return memcmp(a, b, STORE_HEX_SIZE - 1);
}

static void set_add(struct set *set, const char *hex)
{
	if (store_is_hex(hex))
		str_add_bytes(&set->names, hex, STORE_HEX_SIZE);
	set->sorted = false;
}

static bool set_has(struct set *set, const char *hex)
{
	size_t n = set->names.size / STORE_HEX_SIZE;

	if (!set->sorted && n)
		qsort(set->names.data, n, STORE_HEX_SIZE, compare_hex);
	set->sorted = true;
	return n && bsearch(hex, set->names.data, n, STORE_HEX_SIZE, compare_hex);
}

struct needs {
	const struct store *store;
	struct set layers, merged, blobs;
};

static void needs_release(struct needs *needs)
{
	str_release(&needs->layers.names);
	str_release(&needs->merged.names);
	str_release(&needs->blobs.names);
}

static void need_layers(struct needs *needs, const char *const *layers, size_t n)
{
	char merged[STORE_HEX_SIZE];

	for (size_t i = 0; i < n; i++)
		set_add(&needs->layers, layers[i]);
	if (merged_print_id(layers, n, merged))
		set_add(&needs->merged, merged);
}

static void need_image(struct needs *needs, const struct image *image)
{
	set_add(&needs->blobs, store_digest_hex(image->digest));
	set_add(&needs->blobs, store_digest_hex(image->id));
	need_layers(needs, image->layers, image->n_layers);
}

static int need_reference(const struct image *image, const char *reference, const struct error *broken, void *data,
			  struct error *e)
{
	if (broken) {
		if (e)
			*e = *broken;
		error_context(e,
			      "image '%s' can't be read, so nobody knows what it needs ('holm image check --repair' "
			      "removes its name)",
			      reference);
		return error_return(broken);
	}
	need_image(data, image);
	return 0;
}

static int need_pin(const struct image_user *user, const struct json *pin, void *data, struct error *e)
{
	const struct json *blobs = json_find(pin, "blobs");
	auto_arena arena = ARENA_INIT;
	struct needs *needs = data;
	struct image image;

	(void)e;
	need_layers(needs, user->layers, user->n_layers);
	for (size_t i = 0; i < json_count(blobs); i++)
		set_add(&needs->blobs, json_string_peek(json_at(blobs, i)));
	/* The instance goes on without the image, but may be committed on top of it. */
	if (store_digest_hex(user->digest) && !image_load(needs->store, user->digest, &arena, &image, NULL))
		need_image(needs, &image);
	return 0;
}

static int needs_collect(const struct store *store, struct needs *needs, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct pin_walk pins = {need_pin, needs};

	needs->store = store;
	return image_each(store, &arena, need_reference, needs, e) ?: walk_all_pins(store, &pins, e);
}

/* ---- removing ---- */

struct sweep {
	const struct store *store;
	struct needs needs;
	bool pretend;
	void (*each)(const char *what, const char *name, uint64_t bytes, void *data);
	void *data;
	struct image_freed *freed;
};

static void tell(struct sweep *sweep, const char *what, const char *name, uint64_t bytes)
{
	if (sweep->each)
		sweep->each(what, name, bytes, sweep->data);
	sweep->freed->bytes += bytes;
}

/* Under its lock: somebody may have begun to use it since. */
static int is_needed_now(const char *id, bool *ret, void *data, struct error *e)
{
	const struct sweep *sweep = data;
	struct needs needs = {0};
	int r = needs_collect(sweep->store, &needs, e);

	*ret = !r && (set_has(&needs.layers, id) || set_has(&needs.merged, id));
	needs_release(&needs);
	return r;
}

static int sweep_layer(const char *id, void *data, struct error *e)
{
	struct sweep *sweep = data;
	struct layer_info info = {0};
	int r = 0;

	if (set_has(&sweep->needs.layers, id))
		return 0;
	if (layer_load(sweep->store, id, &info, NULL))
		info = (struct layer_info){0};
	if (!sweep->pretend)
		r = layer_remove(sweep->store, id, is_needed_now, sweep, e);
	if (r == -EAGAIN || r == -ENOENT)
		return 0;
	if (!r) {
		tell(sweep, "layer", id, info.disk);
		sweep->freed->layers++;
	}
	return r;
}

static int sweep_merged(int folder, const char *id, void *data, struct error *e)
{
	struct sweep *sweep = data;
	uint64_t bytes = 0;
	int r;

	(void)folder;
	if (set_has(&sweep->needs.merged, id) || !store_is_hex(id))
		return 0;
	r = merged_remove(sweep->store, id, sweep->pretend, is_needed_now, sweep, &bytes, e);
	if (r == -EAGAIN || r == -ENOENT)
		return 0;
	if (!r)
		tell(sweep, "merged", id, bytes);
	return r;
}

static int sweep_blob(struct sweep *sweep, int blobs, const char *hex, struct error *e)
{
	struct needs needs = {0};
	struct stat st;
	char moved[STORE_HEX_SIZE + 8];
	bool needed;
	int r;

	if (set_has(&sweep->needs.blobs, hex) || fstatat(blobs, hex, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!sweep->pretend) {
		/* Away first, then looked once more: who pinned it before it went is seen, who comes later writes it anew. */
		snprintf(moved, sizeof(moved), ".%s", hex);
		if (renameat(blobs, hex, blobs, moved) < 0)
			return errno == ENOENT ? 0 : error_system(e, errno, "take the blob %s away", hex);
		r = needs_collect(sweep->store, &needs, e);
		needed = r || set_has(&needs.blobs, hex);
		needs_release(&needs);
		if (needed && renameat(blobs, moved, blobs, hex) < 0)
			return error_system(e, errno, "put the blob %s back", hex);
		if (needed)
			return r;
		if (unlinkat(blobs, moved, 0) < 0 && errno != ENOENT)
			return error_system(e, errno, "remove the blob %s", hex);
	}
	tell(sweep, "blob", hex, st.st_size);
	sweep->freed->blobs++;
	return 0;
}

static int sweep_blobs(struct sweep *sweep, struct error *e)
{
	const struct store *store = sweep->store;
	struct dirent **entries;
	auto_fd blobs = -1;
	int n, r = store->fd < 0 ? -ENOENT : store_open_folder(store, "blobs/sha256", false, &blobs, e);

	if (r)
		return r == -ENOENT ? 0 : r;
	n = scandirat(blobs, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_system(e, errno, "list '%s/blobs/sha256'", store->path);
	for (int i = 0; i < n; i++) {
		if (!r && store_is_hex(entries[i]->d_name))
			r = sweep_blob(sweep, blobs, entries[i]->d_name, e);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* Everything that is not needed.  without: references that count as gone already (pretend). */
static int sweep_all(struct sweep *sweep, struct error *e)
{
	int r = sweep->store->fd < 0 ? 0 : store_each_entry(sweep->store, "merged", sweep_merged, sweep, e);

	return r ?: layer_each(sweep->store, sweep_layer, sweep, e) ?: sweep_blobs(sweep, e);
}

/* ---- one image ---- */

struct usage {
	const struct image *image;
	const char *reference;
	bool others;	  /* another reference stands for the same image */
	struct str names; /* of instances */
};

static int note_user(const struct image_user *user, void *data, struct error *e)
{
	struct usage *usage = data;
	bool same = str_equal(user->digest, usage->image->digest);

	(void)e;
	if (!user->instance || !same || (usage->others && !str_equal(user->image, usage->reference)))
		return 0;
	str_addf(&usage->names, "%s'%s'", usage->names.size ? ", " : "", user->instance);
	return 0;
}

struct names {
	struct arena *arena;
	const char *digest;
	const char *list[64];
	size_t n;
};

static int note_name(const struct image *image, const char *reference, const struct error *broken, void *data,
		     struct error *e)
{
	struct names *names = data;

	(void)e;
	if (!broken && str_equal(image->digest, names->digest) && names->n < ARRAY_SIZE(names->list))
		names->list[names->n++] = arena_strdup(names->arena, reference);
	return 0;
}

int image_unlink_reference(const struct store *store, const char *reference, struct error *e)
{
	char file[IMAGE_FILE_SIZE];
	auto_fd images = -1;
	int r = store_open_folder(store, "images", false, &images, e);

	if (r)
		return r;
	image_print_file(reference, file);
	if (unlinkat(images, file, 0) < 0 && errno != ENOENT)
		return error_system(e, errno, "remove '%s/images/%s'", store->path, file);
	if (fsync(images) < 0)
		return error_system(e, errno, "write '%s/images' to the disk", store->path);
	return 0;
}

/* By its whole name, or by its last parts. */
static bool is_called(const char *reference, const char *normal)
{
	size_t size = strlen(reference), length = strlen(normal);

	return str_equal(reference, normal) ||
	       (size > length && reference[size - length - 1] == '/' && str_equal(reference + size - length, normal));
}

/* Which reference is meant: by a digest or an id an image is named only when it has one name. */
static int find_reference(const struct store *store, const struct image *image, const char *asked, struct names *names,
			  const char **ret, struct error *e)
{
	const char *normal;
	auto_str list = STR_INIT;
	int r = image_each(store, names->arena, note_name, names, e);

	if (r)
		return r;
	if (!store_digest_hex(asked) && !image_normalize(asked, names->arena, &normal, NULL))
		for (size_t i = 0; i < names->n; i++)
			if (is_called(names->list[i], normal)) {
				*ret = names->list[i];
				return 0;
			}
	if (names->n == 1) {
		*ret = names->list[0];
		return 0;
	}
	for (size_t i = 0; i < names->n; i++)
		str_addf(&list, "%s'%s'", i ? ", " : "", names->list[i]);
	if (names->n)
		return error_refuse(e, ERROR_STATE, "the image %s has several names, say which goes: %s", image->digest,
				    str_peek(&list));
	return error_refuse(e, ERROR_STATE, "the image %s has no name; 'holm image prune' removes it", image->digest);
}

int image_remove(const struct store *store, const char *asked, struct image_freed *ret, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct names names = {.arena = &arena};
	struct usage usage = {0};
	struct sweep sweep = {.store = store, .freed = ret};
	struct image image;
	auto_str users = STR_INIT;
	int r = image_load(store, asked, &arena, &image, e);

	*ret = (struct image_freed){0};
	if (r)
		return r;
	names.digest = image.digest;
	r = find_reference(store, &image, asked, &names, &usage.reference, e);
	if (r)
		return r;
	usage.image = &image;
	usage.others = names.n > 1;
	r = image_each_user(store, note_user, &usage, e);
	users = usage.names;
	if (r)
		return r;
	if (users.size)
		return error_refuse(e, ERROR_STATE, "image '%s' is used by %s", usage.reference, str_peek(&users));
	r = image_unlink_reference(store, usage.reference, e);
	if (r)
		return r;
	ret->references++;
	if (usage.others)
		return 0;
	r = needs_collect(store, &sweep.needs, e) ?: sweep_all(&sweep, e);
	needs_release(&sweep.needs);
	return r;
}

/* ---- all images ---- */

struct unused {
	const struct store *store;
	struct sweep *sweep;
	struct arena arena;
	const char **used; /* references and digests that instances name */
	size_t n, room;
	const char *gone[4096];
	size_t n_gone;
};

static void add_used(struct unused *unused, const char *name)
{
	if (!name)
		return;
	unused->used = arena_grow(&unused->arena, unused->used, unused->n, &unused->room, sizeof(*unused->used));
	unused->used[unused->n++] = arena_strdup(&unused->arena, name);
}

static int note_used(const struct image_user *user, void *data, struct error *e)
{
	(void)e;
	add_used(data, user->digest);
	return 0;
}

static int note_unused(const struct image *image, const char *reference, const struct error *broken, void *data,
		       struct error *e)
{
	struct unused *unused = data;

	(void)e;
	if (broken)
		return 0; /* it is for the check */
	for (size_t i = 0; i < unused->n; i++)
		if (str_equal(unused->used[i], image->digest))
			return 0;
	if (unused->n_gone < ARRAY_SIZE(unused->gone))
		unused->gone[unused->n_gone++] = arena_strdup(&unused->arena, reference);
	return 0;
}

static int need_if_kept(const struct image *image, const char *reference, const struct error *broken, void *data,
			struct error *e)
{
	struct unused *unused = data;

	for (size_t i = 0; i < unused->n_gone; i++)
		if (str_equal(unused->gone[i], reference))
			return 0;
	return need_reference(image, reference, broken, &unused->sweep->needs, e);
}

static int remove_references(struct unused *unused, struct error *e)
{
	struct sweep *sweep = unused->sweep;
	auto_arena arena = ARENA_INIT;
	int r = image_each_user(sweep->store, note_used, unused, e)
		    ?: image_each(sweep->store, &arena, note_unused, unused, e);

	for (size_t i = 0; !r && i < unused->n_gone; i++) {
		if (!sweep->pretend)
			r = image_unlink_reference(sweep->store, unused->gone[i], e);
		if (!r) {
			tell(sweep, "image", unused->gone[i], 0);
			sweep->freed->references++;
		}
	}
	return r;
}

int image_prune(const struct store *store, bool references, bool pretend,
		void (*each)(const char *what, const char *name, uint64_t bytes, void *data), void *data,
		struct image_freed *ret, struct error *e)
{
	struct sweep sweep = {.store = store, .pretend = pretend, .each = each, .data = data, .freed = ret};
	auto_free struct unused *unused = calloc(1, sizeof(*unused));
	struct pin_walk pins = {need_pin, &sweep.needs};
	auto_arena arena = ARENA_INIT;
	int r = 0;

	*ret = (struct image_freed){0};
	if (!unused)
		return error_system(e, ENOMEM, "prune");
	unused->sweep = &sweep;
	sweep.needs.store = store;
	if (!pretend)
		r = store_sweep(store, &ret->leftovers, e);
	if (!r && references)
		r = remove_references(unused, e);
	r = r ?: image_each(store, &arena, need_if_kept, unused, e) ?: walk_all_pins(store, &pins, e) ?:
	    sweep_all(&sweep, e);
	needs_release(&sweep.needs);
	arena_release(&unused->arena);
	return r;
}

/* ---- sizes ---- */

struct sharing {
	const struct image *image;
	struct set others; /* layers of other images */
};

static int note_others(const struct image *image, const char *reference, const struct error *broken, void *data,
		       struct error *e)
{
	struct sharing *sharing = data;

	(void)reference, (void)e;
	if (!broken && !str_equal(image->id, sharing->image->id))
		for (size_t i = 0; i < image->n_layers; i++)
			set_add(&sharing->others, image->layers[i]);
	return 0;
}

int image_measure(const struct store *store, const struct image *image, uint64_t *ret_disk, uint64_t *ret_shared,
		  struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct sharing sharing = {.image = image};
	int r = image_each(store, &arena, note_others, &sharing, e);

	*ret_disk = *ret_shared = 0;
	for (size_t i = 0; !r && i < image->n_layers; i++) {
		struct layer_info info;
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again = again || str_equal(image->layers[i], image->layers[j]);
		if (again || layer_load(store, image->layers[i], &info, NULL))
			continue;
		*ret_disk += info.disk;
		if (set_has(&sharing.others, image->layers[i]))
			*ret_shared += info.disk;
	}
	*ret_disk += merged_measure(store, image->layers, image->n_layers);
	str_release(&sharing.others.names);
	return r;
}
