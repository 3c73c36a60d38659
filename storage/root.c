/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/tree.h"
#include "spec/json.h"
#include "storage/disk.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/loop.h"
#include "storage/merged.h"
#include "storage/root_parts.h"
#include "storage/jsonfile.h"

/* ---- root.json ---- */

bool root_exists(int folder)
{
	return !faccessat(folder, ROOT_RECORD, F_OK, AT_SYMLINK_NOFOLLOW);
}

int root_load(int folder, struct arena *arena, struct root *ret, struct error *e)
{
	auto_json *json = NULL;
	const char *way, **layers;
	size_t n_layers;
	int r = jsonfile_read_digests(folder, ROOT_RECORD, "layers", arena, &layers, &n_layers, &json, e);

	if (r)
		return r;
	*ret = (struct root){
	    .image = jsonfile_string(arena, json, "image"),
	    .digest = jsonfile_string(arena, json, "digest"),
	    .file = jsonfile_string(arena, json, "file"),
	    .folder = jsonfile_string(arena, json, "folder"),
	    .layers = layers,
	    .n_layers = n_layers,
	    .first = json_find_uint(json, "first", 0),
	    .boot = jsonfile_string(arena, json, "boot"),
	    .size = json_find_int(json, "size", 0),
	    .inodes = json_find_uint(json, "inodes", 0),
	    .project = (uint32_t)json_find_uint(json, "project", 0),
	};
	ret->pushes = jsonfile_strings(arena, json, "pushes", &ret->n_pushes);
	way = json_find_string(json, "quota");
	while (ret->quota < _QUOTA_WAY_N && !str_equal(way, quota_way_name(ret->quota)))
		ret->quota++;
	if (ret->quota == _QUOTA_WAY_N || (ret->first && ret->first >= ret->n_layers) ||
	    (!ret->n_layers && !ret->file && !ret->folder))
		return error_refuse(e, ERROR_INVALID, "'" ROOT_RECORD "' does not say what the root consists of");
	return 0;
}

static void put_strings(struct json_writer *w, const char *key, const char *const *list, size_t n)
{
	json_open_array(w, key);
	for (size_t i = 0; i < n; i++)
		json_put_string(w, NULL, list[i]);
	json_close(w);
}

int root_save(int folder, const struct root *root, struct error *e)
{
	const struct {
		const char *key, *value;
	} strings[] = {{"image", root->image},	 {"digest", root->digest}, {"file", root->file},
		       {"folder", root->folder}, {"boot", root->boot},	   {"quota", quota_way_name(root->quota)}};
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);

	json_open_object(&w, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (strings[i].value)
			json_put_string(&w, strings[i].key, strings[i].value);
	if (root->n_layers)
		put_strings(&w, "layers", root->layers, root->n_layers);
	if (root->first)
		json_put_uint(&w, "first", root->first);
	if (root->n_pushes)
		put_strings(&w, "pushes", root->pushes, root->n_pushes);
	if (root->size)
		json_put_int(&w, "size", root->size);
	if (root->inodes)
		json_put_uint(&w, "inodes", root->inodes);
	if (root->project)
		json_put_uint(&w, "project", root->project);
	json_close(&w);
	return jsonfile_write(folder, ROOT_RECORD, &w, e);
}

/* ---- what lies below ---- */

static int open_file_lower(const struct root *root, int *ret_mount, struct error *e)
{
	auto_fd file = -1;
	int r = fd_open(AT_FDCWD, root->file, O_RDONLY | O_NONBLOCK, NULL, &file, e);

	return r ? r : loop_mount(file, root->file, true, ret_mount, e);
}

static int open_push(const struct store *store, const char *id, int *ret_fd, struct error *e)
{
	char path[300];

	if (!str_is_id(id) || snprintf(path, sizeof(path), ROOT_PUSHES "/%s/" ROOT_TREE, id) >= (int)sizeof(path))
		return error_refuse(e, ERROR_INVALID, "'%s' is no snapshot's id", id);
	return store_open_folder(store, path, false, ret_fd, e);
}

/* Highest first. */
int root_each_lower(const struct store *store, const struct root *root,
		    int (*each)(int *fd, const char *name, void *data, struct error *e), void *data, struct error *e)
{
	int r = 0;

	for (size_t i = root->n_pushes; i-- && !r;) {
		auto_fd fd = -1;

		r = open_push(store, root->pushes[i], &fd, e);
		if (!r)
			r = each(&fd, root->pushes[i], data, e);
	}
	for (size_t i = root->n_layers; i-- > root->first && !r;) {
		auto_fd fd = -1;

		r = layer_open_tree(store, root->layers[i], &fd, e);
		if (!r)
			r = each(&fd, root->layers[i], data, e);
	}
	if (!r && (root->file || root->folder)) {
		auto_fd fd = -1;

		r = root->file ? open_file_lower(root, &fd, e)
			       : fd_open(AT_FDCWD, root->folder, O_PATH | O_DIRECTORY, NULL, &fd, e);
		if (!r)
			r = each(&fd, root->file ? root->file : root->folder, data, e);
	}
	return r;
}

size_t root_count_lowers(const struct root *root)
{
	return root->n_pushes + root->n_layers - root->first + (root->file || root->folder);
}

/* ---- what lies above ---- */

/* The folder that has upper/ and work/ in it: the instance's own, or the top of its disk. */
int root_open_top(int folder, const struct root *root, int *ret_fd, struct error *e)
{
	if (root->quota == QUOTA_DISK)
		return disk_mount(folder, ROOT_DISK, ret_fd, e);
	*ret_fd = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? error_system(e, errno, "use the instance's folder") : 0;
}

int root_open_upper(const struct store *store, int folder, const struct root *root, int *ret_fd, struct error *e)
{
	auto_fd top = -1;
	int r = root_open_top(folder, root, &top, e);

	(void)store;
	return r ? r : fd_open(top, ROOT_UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, ret_fd, e);
}

/* The topmost folder's owner and mode are those that the root will show. */
static int look_at(int *fd, const char *name, void *data, struct error *e)
{
	struct stat *st = data;

	if (!st->st_mode && fstat(*fd, st) < 0)
		return error_system(e, errno, "stat '%s'", name);
	return 0;
}

static int make_folder(int top, const char *name, mode_t mode, int *ret_fd, struct error *e)
{
	if (mkdirat(top, name, mode) < 0)
		return error_system(e, errno, "make the folder '%s'", name);
	return fd_open(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, ret_fd, e);
}

static int make_upper(const struct store *store, int top, const struct root *root, struct error *e)
{
	auto_fd upper = -1, work = -1;
	struct stat st = {0};
	int r = root_each_lower(store, root, look_at, &st, e);

	if (!r)
		r = make_folder(top, ROOT_UPPER, 0755, &upper, e);
	if (!r)
		r = make_folder(top, ROOT_WORK, 0700, &work, e);
	/* An ordinary user's folders are all its own; in its user namespaces that is root. */
	if (!r && !store->rootless && fchown(upper, st.st_uid, st.st_gid) < 0)
		r = error_system(e, errno, "give '" ROOT_UPPER "' its owner");
	if (!r && fchmod(upper, st.st_mode & 07777) < 0)
		r = error_system(e, errno, "give '" ROOT_UPPER "' its mode");
	if (!r && root->project)
		r = quota_assign(upper, root->project, e);
	if (!r && root->project)
		r = quota_assign(work, root->project, e);
	return r;
}

int root_renew_upper(const struct store *store, int folder, const struct root *root, struct error *e)
{
	auto_fd top = -1;
	int r = root_open_top(folder, root, &top, e);

	return r ? r : make_upper(store, top, root, e);
}

/* ---- create ---- */

static int resolve_image(const struct store *store, const struct root_request *request, struct arena *arena,
			 struct root *root, struct error *e)
{
	const char *image = request->image, *type;
	struct image found;
	auto_fd file = -1;
	int r;

	if (*image == '/') {
		if (store->rootless)
			return error_refuse(e, ERROR_PERMISSION, "'%s': mounting an image file needs root on the host",
					    image);
		root->file = image;
		r = fd_open(AT_FDCWD, image, O_RDONLY | O_NONBLOCK, NULL, &file, e);
		return r ? r : loop_find_type(file, image, &type, e);
	}
	if (request->loaded)
		found = *request->loaded;
	r = request->loaded ? 0 : image_load(store, image, arena, &found, e);
	if (r)
		return r;
	if (!found.n_layers)
		return error_refuse(e, ERROR_INVALID, "image '%s' has no layers", image);
	root->image = found.reference ? found.reference : image;
	root->digest = found.digest;
	root->layers = found.layers;
	root->n_layers = found.n_layers;
	return 0;
}

static int choose_quota(const struct store *store, int folder, struct root *root, int *ret_claim, struct error *e)
{
	char why[256];
	bool limited = root->size || root->inodes;

	/* A project id is for good measure: use is known at once, and a limit can come later. */
	if (!store->rootless && quota_counts(folder)) {
		int r = quota_claim(store, ret_claim, &root->project, e);

		if (r)
			return r;
	}
	if (!limited)
		return 0;
	root->quota = quota_find(folder, store->rootless, why, sizeof(why));
	if (root->quota == QUOTA_NONE)
		return error_refuse(e, ERROR_UNSUPPORTED, "'%s' can't keep a limit on what an instance writes: %s",
				    store->path, why);
	if (root->quota == QUOTA_PROJECT)
		return quota_set(folder, root->project, (uint64_t)root->size, root->inodes, e);
	if (!root->size)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "a limit of files needs one of bytes too here: limits are kept by %s", why);
	quota_release(store, root->project);
	root->project = 0;
	return disk_create(folder, ROOT_DISK, root->size, root->inodes, e);
}

/* overlayfs shows all layers' tops together, whatever their marks say. */
static int find_first(const struct store *store, struct root *root, struct error *e)
{
	root->first = 0;
	for (size_t i = root->n_layers; i-- > 1 && !root->first;) {
		auto_fd path = -1, top = -1;
		int r = layer_open_tree(store, root->layers[i], &path, e);

		if (r)
			return r;
		top = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (layer_is_opaque(top))
			root->first = i;
	}
	return 0;
}

/* The pin is written before its layers are looked at for good: see storage/layer.h. */
static int pin(const struct store *store, int folder, const struct root *root, struct error *e)
{
	int r = root_save(folder, root, e);

	for (size_t i = 0; i < root->n_layers && !r; i++)
		r = layer_confirm(store, root->layers[i], e);
	if (!r)
		merged_confirm(store, root->layers, root->n_layers);
	return r;
}

static int create(const struct store *store, int folder, const char *name, struct root *root, struct error *e)
{
	struct error ignored;
	auto_fd claim = -1;
	int r = pin(store, folder, root, e) ?: find_first(store, root, e);

	if (!r)
		r = choose_quota(store, folder, root, &claim, e);
	if (!r && (root->quota || root->project || root->first))
		r = root_save(folder, root, e);
	claim = fd_close(claim);
	if (!r)
		r = root_renew_upper(store, folder, root, e);
	if (!r)
		return 0;
	error_context(e, "root of '%s'", name);
	quota_release(store, root->project);
	if (root_remove(store, folder, &ignored))
		log_warning("%s", ignored.text);
	return r;
}

int root_create(const struct store *store, int folder, const char *name, const struct root_request *request,
		struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct root root = {.folder = request->folder, .size = request->size, .inodes = request->inodes};
	char boot[BOOT_ID_SIZE];
	int r = 0;

	if (request->is_volatile && !proc_boot_id(boot))
		root.boot = boot;
	if (root_exists(folder))
		return error_refuse(e, ERROR_EXISTS, "'%s' has a root already", name);
	if (request->image)
		r = resolve_image(store, request, &arena, &root, e);
	if (r) {
		error_context(e, "root of '%s'", name);
		return r;
	}
	return create(store, folder, name, &root, e);
}

int root_create_like(const struct store *store, int folder, const char *name, const struct root *like, struct error *e)
{
	struct root root = *like;

	if (root_exists(folder))
		return error_refuse(e, ERROR_EXISTS, "'%s' has a root already", name);
	root.quota = QUOTA_NONE;
	root.project = 0;
	root.boot = NULL;
	return create(store, folder, name, &root, e);
}

/* ---- limits and use ---- */

static int resize(int folder, const struct store *store, struct root *root, int64_t size, uint64_t inodes,
		  struct error *e)
{
	char why[256];

	if (root->quota == QUOTA_DISK) {
		if (inodes != root->inodes)
			return error_refuse(e, ERROR_UNSUPPORTED,
					    "the limit of files can't change: it is kept by a file system in a file");
		if (!size)
			return error_refuse(e, ERROR_UNSUPPORTED,
					    "the limit can't go: it is kept by a file system in a file");
		return disk_resize(folder, ROOT_DISK, size, e);
	}
	if (quota_find(folder, store->rootless, why, sizeof(why)) != QUOTA_PROJECT || !root->project)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "a limit can't be set on an instance that was made without one: the file system of "
				    "'%s' has no project quotas",
				    store->path);
	root->quota = size || inodes ? QUOTA_PROJECT : QUOTA_NONE;
	return quota_set(folder, root->project, (uint64_t)size, inodes, e);
}

int root_set_limits(const struct store *store, int folder, struct root *root, int64_t size, uint64_t inodes,
		    struct error *e)
{
	struct root changed = *root;
	int r;

	if (size < 0)
		size = root->size;
	if (inodes == UINT64_MAX)
		inodes = root->inodes;
	if (size == root->size && inodes == root->inodes)
		return 0;
	r = resize(folder, store, &changed, size, inodes, e);
	changed.size = size;
	changed.inodes = inodes;
	if (!r)
		r = root_save(folder, &changed, e);
	if (!r)
		*root = changed;
	return r;
}

int root_resize(const struct store *store, int folder, int64_t size, uint64_t inodes, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct root root;
	int r = root_load(folder, &arena, &root, e);

	return r ? r : root_set_limits(store, folder, &root, size, inodes, e);
}

static int measure_lowers(const struct store *store, const struct root *root, uint64_t *ret_bytes, struct error *e)
{
	struct stat st;

	*ret_bytes = 0;
	for (size_t i = 0; i < root->n_layers; i++) {
		struct layer_info info;
		int r = layer_load(store, root->layers[i], &info, e);

		if (r)
			return r;
		*ret_bytes += info.disk;
	}
	if (root->file && !fstatat(AT_FDCWD, root->file, &st, 0))
		*ret_bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

int root_measure(const struct store *store, int folder, struct root_use *ret, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct root root;
	uint64_t bytes = 0, files = 0;
	struct stat st;
	int r = root_load(folder, &arena, &root, e);

	*ret = (struct root_use){0};
	if (!r)
		r = measure_lowers(store, &root, &ret->shared, e);
	if (r)
		return r;
	if (root.project) {
		ret->exact = true;
		return quota_get(folder, root.project, &ret->bytes, &ret->inodes, e);
	}
	if (root.quota == QUOTA_DISK) {
		if (fstatat(folder, ROOT_DISK, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_system(e, errno, "stat '" ROOT_DISK "'");
		ret->bytes = (uint64_t)st.st_blocks * 512;
		ret->inodes = 1;
		ret->exact = true;
		return 0;
	}
	r = store_measure_tree(folder, ROOT_UPPER, &bytes, &files);
	ret->bytes = bytes;
	ret->inodes = files;
	return r ? error_system(e, -r, "measure '" ROOT_UPPER "'") : 0;
}

/* ---- remove ---- */

int root_remove(const struct store *store, int folder, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct root root = {0};
	struct error ignored;
	bool known = !root_load(folder, &arena, &root, &ignored);
	int r = tree_remove(folder, ROOT_UPPER, e);

	if (!r)
		r = tree_remove(folder, ROOT_WORK, e);
	if (!r && unlinkat(folder, ROOT_DISK, 0) < 0 && errno != ENOENT)
		r = error_system(e, errno, "remove '" ROOT_DISK "'");
	if (r)
		return r;
	if (known)
		quota_release(store, root.project);
	/* The record last: as long as it is there, a removal that was killed can be repeated. */
	if (unlinkat(folder, ROOT_RECORD, 0) < 0 && errno != ENOENT)
		return error_system(e, errno, "remove '" ROOT_RECORD "'");
	return 0;
}

/* ---- all of them ---- */

int root_each(const struct store *store, struct arena *arena,
	      int (*each)(const char *name, int folder, const struct root *root, const struct error *broken, void *data,
			  struct error *e),
	      void *data, struct error *e)
{
	auto_fd instances = -1;
	struct dirent **entries;
	int n, r = store_open_folder(store, "instances", false, &instances, e);

	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	n = scandirat(instances, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_system(e, errno, "list '%s/instances'", store->path);
	for (int i = 0; i < n; i++) {
		const char *name = arena_strdup(arena, entries[i]->d_name);
		auto_fd folder =
		    *name == '.' || r ? -1 : openat(instances, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct error broken;
		struct root root;

		free(entries[i]);
		if (folder < 0 || !root_exists(folder))
			continue;
		if (!root_load(folder, arena, &root, &broken))
			r = each(name, folder, &root, NULL, data, e);
		else if (broken.kind != ERROR_NOT_FOUND)
			r = each(name, folder, NULL, &broken, data, e);
	}
	free(entries);
	return r;
}
