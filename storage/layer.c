/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/json.h"

enum { RECORD_MAX = 4096 };

static const struct store_kind kind = {"layers", "layer"};

static int open_in(const struct store *store, const char *id, const char *name, int flags, int *ret_fd, struct error *e)
{
	return store_open_in(store, &kind, id, name, flags, ret_fd, e);
}

int layer_open_tree(const struct store *store, const char *id, int *ret_fd, struct error *e)
{
	return open_in(store, id, "tree", O_PATH | O_DIRECTORY, ret_fd, e);
}

int layer_open_frame(const struct store *store, const char *id, int *ret_fd, struct error *e)
{
	return open_in(store, id, "frame", O_RDONLY, ret_fd, e);
}

int layer_confirm(const struct store *store, const char *id, struct error *e)
{
	return store_confirm(store, &kind, id, e);
}

bool layer_is_opaque(int folder)
{
	char value[8];

	return (fgetxattr(folder, "trusted.overlay.opaque", value, sizeof(value)) > 0 && *value == 'y') ||
	       (fgetxattr(folder, "user.overlay.opaque", value, sizeof(value)) > 0 && *value == 'y');
}

int layer_load(const struct store *store, const char *id, struct layer_info *ret, struct error *e)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	auto_fd fd = -1;
	size_t size;
	int r = open_in(store, id, "layer.json", O_RDONLY, &fd, e);

	if (r)
		return r;
	r = fd_read_all(fd, RECORD_MAX, &text, &size);
	if (r)
		return error_system(e, -r, "read '%s/layers/%s/layer.json'", store->path, id);
	r = json_read(text, size, "layer.json", &json, e);
	if (r) {
		error_context(e, "layer %s", id);
		return r;
	}
	*ret = (struct layer_info){
	    .size = json_find_uint(json, "size", 0),
	    .disk = json_find_uint(json, "disk", 0),
	    .entries = json_find_uint(json, "entries", 0),
	    .has_frame = json_find_bool(json, "frame", false),
	};
	return 0;
}

int layer_each(const struct store *store, int (*each)(const char *id, void *data, struct error *e), void *data,
	       struct error *e)
{
	struct dirent *entry;
	int fd, r = store->fd < 0 ? -ENOENT : store_open_folder(store, "layers", false, &fd, e);
	DIR *dir;

	if (r)
		return r == -ENOENT ? 0 : r;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return error_system(e, ENOMEM, "list '%s/layers'", store->path);
	}
	while (!r && (entry = readdir(dir)))
		if (store_is_hex(entry->d_name))
			r = each(entry->d_name, data, e);
	closedir(dir);
	return r;
}

/* ---- making ---- */

static int fill_work(const struct store *store, struct layer_work *work, struct error *e)
{
	if (mkdirat(work->tmp.fd, "tree", 0755) < 0)
		return error_system(e, errno, "make '%s/tmp/%s/tree'", store->path, work->tmp.name);
	work->tree = openat(work->tmp.fd, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (work->tree < 0)
		return error_system(e, errno, "open '%s/tmp/%s/tree'", store->path, work->tmp.name);
	if (fchmod(work->tree, 0755) < 0) /* whatever the umask is */
		return error_system(e, errno, "set the mode of '%s/tmp/%s/tree'", store->path, work->tmp.name);
	work->frame = openat(work->tmp.fd, "frame", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (work->frame < 0)
		return error_system(e, errno, "make '%s/tmp/%s/frame'", store->path, work->tmp.name);
	return 0;
}

static bool exists(const struct store *store, const char *id)
{
	auto_fd fd = -1;

	return !open_in(store, id, "", O_PATH | O_DIRECTORY, &fd, NULL);
}

int layer_begin(const struct store *store, const char *id, struct layer_work *ret, struct error *e)
{
	struct layer_work work = LAYER_WORK_INIT;
	char name[STORE_HEX_SIZE + 8];
	int r;

	if (id && !store_is_hex(id))
		return error_refuse(e, ERROR_INVALID, "'%.80s' is not a layer's id", id);
	if (id && exists(store, id))
		return -EEXIST;
	snprintf(name, sizeof(name), "layer-%s", id ? id : "");
	r = id ? store_tmp_claim(store, name, &work.tmp, e) : store_tmp_make(store, "unpack", &work.tmp, e);
	if (!r && id && exists(store, id))
		r = -EEXIST; /* whoever held the claim before has just finished */
	r = r ?: fill_work(store, &work, e);
	if (r) {
		layer_end(store, &work);
		return r;
	}
	*ret = work;
	return 0;
}

int layer_describe(struct layer_work *work, const struct layer_info *info, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;
	int r;

	json_open_object(&w, NULL);
	json_put_uint(&w, "size", info->size);
	json_put_uint(&w, "disk", info->disk);
	json_put_uint(&w, "entries", info->entries);
	json_put_bool(&w, "frame", info->has_frame);
	json_close(&w);
	text = json_finish(&w);
	r = file_create(work->tmp.fd, "layer.json", 0600, text, strlen(text));
	return r ? error_system(e, -r, "write 'layer.json' of '%s'", work->tmp.name) : 0;
}

int layer_publish(const struct store *store, struct layer_work *work, const char *id, struct error *e)
{
	auto_fd layers = -1;
	int r = store_open_folder(store, "layers", true, &layers, e);

	if (r)
		return r;
	r = store_tmp_publish(store, &work->tmp, layers, id, e);
	if (r == -EEXIST)
		return layer_confirm(store, id, e);
	/* From now on others may hold it too; a remover cannot, and in between sees the pin. */
	while (!r && flock(work->tmp.fd, LOCK_SH) < 0)
		if (errno != EINTR)
			return error_system(e, errno, "lock the layer %s", id);
	return r;
}

void layer_end(const struct store *store, struct layer_work *work)
{
	work->tree = fd_close(work->tree);
	work->frame = fd_close(work->frame);
	store_tmp_drop(store, &work->tmp);
}

int layer_remove(const struct store *store, const char *id,
		 int (*is_needed)(const char *id, bool *ret, void *data, struct error *e), void *data, struct error *e)
{
	return store_remove(store, &kind, id, is_needed, data, e);
}
