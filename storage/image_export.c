/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/image_export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "spec/json.h"
#include "storage/archive.h"
#include "storage/image_make.h"
#include "storage/unpack_client.h"

enum { BLOCK = ARCHIVE_BLOCK, COPY = 256 << 10 };

struct output {
	const struct store *store;
	const struct image_export *export;
	int folder;			 /* blobs/sha256 of the target; -1: a tar */
	int top;			 /* the target folder */
	int tar;			 /* -1: a folder */
	struct store_tmp tmp;		 /* for what is packed anew */
	uint64_t done, total;		 /* bytes of layers */
	char (*written)[STORE_HEX_SIZE]; /* blobs that are there already */
	size_t n_written, room;
};

/* ---- files of the target ---- */

static int write_tar_header(struct output *output, const char *name, uint64_t size, bool is_folder, struct error *e)
{
	char header[BLOCK];
	int r;

	archive_print_header(name, size, is_folder ? 0755 : 0644, is_folder, header);
	r = fd_write_all(output->tar, header, sizeof(header));
	return r ? error_system(e, -r, "write '%s'", output->export->target) : 0;
}

static int write_padding(struct output *output, uint64_t size, struct error *e)
{
	static const char zeros[2 * BLOCK];
	int r = fd_write_all(output->tar, zeros, size);

	return r ? error_system(e, -r, "write '%s'", output->export->target) : 0;
}

static int make_file(struct output *output, int folder, const char *name, int *ret_fd, struct error *e)
{
	*ret_fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (*ret_fd < 0)
		return error_system(e, errno, "make '%s' in '%s'", name, output->export->target);
	return 0;
}

/* name: as it is in a tar; its last part is the file's name. */
static int write_file(struct output *output, const char *name, const void *data, size_t size, struct error *e)
{
	const char *slash = strrchr(name, '/');
	auto_fd fd = -1;
	int r;

	if (output->tar >= 0) {
		r = write_tar_header(output, name, size, false, e);
		if (r)
			return r;
		r = fd_write_all(output->tar, data, size);
		if (r)
			return error_system(e, -r, "write '%s'", output->export->target);
		return write_padding(output, (BLOCK - size % BLOCK) % BLOCK, e);
	}
	r = make_file(output, slash ? output->folder : output->top, slash ? slash + 1 : name, &fd, e);
	if (r)
		return r;
	r = fd_write_all(fd, data, size);
	return r ? error_system(e, -r, "write '%s'", name) : 0;
}

static bool is_written(struct output *output, const char *hex)
{
	for (size_t i = 0; i < output->n_written; i++)
		if (str_equal(output->written[i], hex))
			return true;
	return false;
}

static void note_written(struct output *output, const char *hex)
{
	if (output->n_written == output->room) {
		size_t room = output->room ? 2 * output->room : 256;
		void *more = realloc(output->written, room * sizeof(*output->written));

		if (!more)
			return; /* it is written twice then, which is refused by its name */
		output->written = more;
		output->room = room;
	}
	snprintf(output->written[output->n_written++], STORE_HEX_SIZE, "%s", hex);
}

static int write_blob(struct output *output, const char *hex, const void *data, size_t size, struct error *e)
{
	char name[sizeof("blobs/sha256/") + STORE_HEX_SIZE];

	if (is_written(output, hex))
		return 0;
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	note_written(output, hex);
	return write_file(output, name, data, size, e);
}

/* ---- layers ---- */

static void note_progress(uint64_t bytes, void *data)
{
	struct output *output = data;

	if (output->export->progress)
		output->export->progress(output->done + bytes, output->total, output->export->data);
}

static int run(struct output *output, enum unpack_operation operation, const int *fds, size_t n,
	       struct unpack_result *result, struct error *e)
{
	struct unpack_request request = {.operation = operation,
					 .flags = UNPACK_OVERLAY | (output->store->rootless ? UNPACK_ROOTLESS : 0)};
	struct unpack_sink sink = {.progress = note_progress, .data = output};
	struct unpack_call call = UNPACK_CALL_INIT;

	return unpack_start(&request, fds, n, &call, e) ?: unpack_wait(&call, &sink, result, e);
}

/* The layer as it came, to where it belongs. */
static int write_layer(struct output *output, const char *id, const struct layer_info *info, struct error *e)
{
	char name[sizeof("blobs/sha256/") + STORE_HEX_SIZE];
	struct unpack_result result = {0};
	auto_fd tree = -1, frame = -1, file = -1;
	int fds[3];
	int r = layer_open_tree(output->store, id, &tree, e) ?: layer_open_frame(output->store, id, &frame, e);

	snprintf(name, sizeof(name), "blobs/sha256/%s", id);
	if (!r)
		r = output->tar >= 0 ? write_tar_header(output, name, info->size, false, e)
				     : make_file(output, output->folder, id, &file, e);
	fds[0] = tree;
	fds[1] = frame;
	fds[2] = output->tar >= 0 ? output->tar : file;
	r = r ?: run(output, UNPACK_REPACK, fds, 3, &result, e);
	if (!r && (!str_equal(result.diff, id) || result.size != info->size))
		r = error_refuse(e, ERROR_INVALID,
				 "its content is not what it was; 'holm image check --content' says more");
	if (r) {
		error_context(e, "layer %.12s", id);
		return r;
	}
	output->done += info->size;
	note_written(output, id);
	return output->tar < 0 ? 0 : write_padding(output, (BLOCK - info->size % BLOCK) % BLOCK, e);
}

static int copy_file(int from, int to, uint64_t size)
{
	auto_free char *buffer = malloc(COPY);

	if (!buffer)
		return -ENOMEM;
	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(from, buffer, COPY, at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		r = fd_write_all(to, buffer, n);
		if (r)
			return r;
		at += n;
	}
	return 0;
}

/* A layer without a frame: packed into a file first, as neither its size nor its name are known. */
static int write_packed(struct output *output, const char *id, char ret_id[STORE_HEX_SIZE], uint64_t *ret_size,
			struct error *e)
{
	char name[sizeof("blobs/sha256/") + STORE_HEX_SIZE];
	struct unpack_result result = {0};
	auto_fd tree = -1, file = -1, to = -1;
	int fds[2];
	int r = layer_open_tree(output->store, id, &tree, e);

	if (!r && output->tmp.fd < 0)
		r = store_tmp_make(output->store, "export", &output->tmp, e);
	if (r)
		return r;
	file = openat(output->tmp.fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (file < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", output->store->path);
	fds[0] = tree;
	fds[1] = file;
	r = run(output, UNPACK_PACK, fds, 2, &result, e);
	if (r)
		return r;
	memcpy(ret_id, result.diff, STORE_HEX_SIZE);
	*ret_size = result.size;
	output->done += result.size;
	if (is_written(output, ret_id))
		return 0;
	note_written(output, ret_id);
	snprintf(name, sizeof(name), "blobs/sha256/%s", ret_id);
	r = output->tar >= 0 ? write_tar_header(output, name, result.size, false, e)
			     : make_file(output, output->folder, ret_id, &to, e);
	if (r)
		return r;
	r = copy_file(file, output->tar >= 0 ? output->tar : to, result.size);
	if (r)
		return error_system(e, -r, "write '%s'", output->export->target);
	return output->tar < 0 ? 0 : write_padding(output, (BLOCK - result.size % BLOCK) % BLOCK, e);
}

/* ---- images ---- */

struct exported {
	const char *reference;
	const char *os, *architecture, *variant;
	char manifest[STORE_HEX_SIZE], config[STORE_HEX_SIZE];
	size_t manifest_size;
	const char **layers; /* as exported */
	size_t n_layers;
};

static void put_descriptor(struct json_writer *w, const char *key, const char *type, const char *hex, uint64_t size)
{
	char digest[sizeof("sha256:") + STORE_HEX_SIZE];

	snprintf(digest, sizeof(digest), "sha256:%s", hex);
	json_open_object(w, key);
	json_put_string(w, "mediaType", type);
	json_put_string(w, "digest", digest);
	json_put_uint(w, "size", size);
}

static int write_layers(struct output *output, const struct image *image, struct arena *arena, uint64_t *sizes,
			const char **ids, bool *ret_changed, struct error *e)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		struct layer_info info;
		int r = layer_load(output->store, image->layers[i], &info, e);

		if (r)
			return r;
		ids[i] = image->layers[i];
		sizes[i] = info.size;
		if (info.has_frame) {
			r = is_written(output, ids[i]) ? 0 : write_layer(output, ids[i], &info, e);
		} else {
			char *id = arena_alloc(arena, STORE_HEX_SIZE);

			r = write_packed(output, image->layers[i], id, &sizes[i], e);
			ids[i] = id;
			*ret_changed = *ret_changed || !str_equal(id, image->layers[i]);
		}
		if (r)
			return r;
	}
	return 0;
}

static int write_image(struct output *output, const struct image *image, struct arena *arena, struct exported *ret,
		       bool *ret_changed, struct error *e)
{
	uint64_t *sizes = arena_array(arena, uint64_t, image->n_layers + 1);
	const char **ids = arena_array(arena, const char *, image->n_layers + 1);
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *config = NULL, *manifest = NULL, *changed = NULL;
	size_t size;
	int r = write_layers(output, image, arena, sizes, ids, ret_changed, e)
		    ?: store_read_blob(output->store, store_digest_hex(image->id), &config, &size, e);

	if (!r && *ret_changed) {
		struct image_new new = {
		    .parent = config, .parent_size = size, .layers = ids, .n_layers = image->n_layers};

		r = image_make_config(&new, &changed, e);
		free(config);
		config = take_ptr(&changed);
		size = r ? 0 : strlen(config);
	}
	if (r)
		return r;
	*ret = (struct exported){.reference = image->reference,
				 .os = image->os,
				 .architecture = image->architecture,
				 .variant = image->variant,
				 .layers = ids,
				 .n_layers = image->n_layers};
	digest_hex(config, size, ret->config);
	json_open_object(&w, NULL);
	json_put_uint(&w, "schemaVersion", 2);
	json_put_string(&w, "mediaType", "application/vnd.oci.image.manifest.v1+json");
	put_descriptor(&w, "config", "application/vnd.oci.image.config.v1+json", ret->config, size);
	json_close(&w);
	json_open_array(&w, "layers");
	for (size_t i = 0; i < image->n_layers; i++) {
		put_descriptor(&w, NULL, "application/vnd.oci.image.layer.v1.tar", ids[i], sizes[i]);
		json_close(&w);
	}
	json_close(&w);
	json_close(&w);
	manifest = json_finish(&w);
	ret->manifest_size = strlen(manifest);
	digest_hex(manifest, ret->manifest_size, ret->manifest);
	return write_blob(output, ret->config, config, size, e)
		   ?: write_blob(output, ret->manifest, manifest, ret->manifest_size, e);
}

static int write_index(struct output *output, const struct exported *images, size_t n, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;

	json_open_object(&w, NULL);
	json_put_uint(&w, "schemaVersion", 2);
	json_put_string(&w, "mediaType", "application/vnd.oci.image.index.v1+json");
	json_open_array(&w, "manifests");
	for (size_t i = 0; i < n; i++) {
		put_descriptor(&w, NULL, "application/vnd.oci.image.manifest.v1+json", images[i].manifest,
			       images[i].manifest_size);
		json_open_object(&w, "platform");
		json_put_string(&w, "architecture", images[i].architecture);
		json_put_string(&w, "os", images[i].os);
		if (images[i].variant)
			json_put_string(&w, "variant", images[i].variant);
		json_close(&w);
		if (images[i].reference) {
			json_open_object(&w, "annotations");
			json_put_string(&w, "io.containerd.image.name", images[i].reference);
			json_put_string(&w, "org.opencontainers.image.ref.name", strrchr(images[i].reference, ':') + 1);
			json_close(&w);
		}
		json_close(&w);
	}
	json_close(&w);
	json_close(&w);
	text = json_finish(&w);
	return write_file(output, "index.json", text, strlen(text), e);
}

/* What `docker load` of before version 25 reads. */
static int write_docker(struct output *output, const struct exported *images, size_t n, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	char name[sizeof("blobs/sha256/") + STORE_HEX_SIZE];
	auto_free char *text = NULL;

	json_open_array(&w, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(&w, NULL);
		snprintf(name, sizeof(name), "blobs/sha256/%s", images[i].config);
		json_put_string(&w, "Config", name);
		json_open_array(&w, "RepoTags");
		if (images[i].reference)
			json_put_string(&w, NULL, images[i].reference);
		json_close(&w);
		json_open_array(&w, "Layers");
		for (size_t j = 0; j < images[i].n_layers; j++) {
			snprintf(name, sizeof(name), "blobs/sha256/%s", images[i].layers[j]);
			json_put_string(&w, NULL, name);
		}
		json_close(&w);
		json_close(&w);
	}
	json_close(&w);
	text = json_finish(&w);
	return write_file(output, "manifest.json", text, strlen(text), e);
}

static int write_all(struct output *output, size_t *ret_changed, struct error *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	const struct image_export *export = output->export;
	auto_arena arena = ARENA_INIT;
	struct exported *exported = arena_array(&arena, struct exported, export->n_references);
	struct image *images = arena_array(&arena, struct image, export->n_references);
	int r = 0;

	for (size_t i = 0; !r && i < export->n_references; i++) {
		r = image_load(output->store, export->references[i], &arena, &images[i], e);
		for (size_t j = 0; !r && j < images[i].n_layers; j++) {
			struct layer_info info;

			r = layer_load(output->store, images[i].layers[j], &info, e);
			output->total += r ? 0 : info.size;
		}
	}
	if (!r && output->tar >= 0)
		r = write_tar_header(output, "blobs/", 0, true, e)
			?: write_tar_header(output, "blobs/sha256/", 0, true, e);
	r = r ?: write_file(output, "oci-layout", layout, sizeof(layout) - 1, e);
	for (size_t i = 0; !r && i < export->n_references; i++) {
		bool changed = false;

		r = write_image(output, &images[i], &arena, &exported[i], &changed, e);
		*ret_changed += changed;
	}
	r = r ?: write_index(output, exported, export->n_references, e);
	if (!r && output->tar >= 0)
		r = write_docker(output, exported, export->n_references, e) ?: write_padding(output, 2 * BLOCK, e);
	return r;
}

/* ---- targets ---- */

static int open_folder(struct output *output, struct error *e)
{
	const char *target = output->export->target;

	if (mkdirat(AT_FDCWD, target, 0755) < 0 && errno != EEXIST)
		return error_system(e, errno, "make '%s'", target);
	output->top = openat(AT_FDCWD, target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (output->top < 0)
		return error_system(e, errno, "open '%s'", target);
	if (mkdirat(output->top, "blobs", 0755) < 0 || mkdirat(output->top, "blobs/sha256", 0755) < 0)
		return error_system(e, errno, "'%s' must be empty: make '%s/blobs/sha256'", target, target);
	output->folder = openat(output->top, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return output->folder < 0 ? error_system(e, errno, "open '%s/blobs/sha256'", target) : 0;
}

static int export_folder(struct output *output, size_t *ret_changed, struct error *e)
{
	int r = open_folder(output, e);
	bool made = output->folder >= 0;

	r = r ?: write_all(output, ret_changed, e);
	if (r && made) {
		static const char *const parts[] = {"blobs", "oci-layout", "index.json"};

		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			(void)!store_remove_tree(output->top, parts[i]);
	}
	fd_close(output->folder);
	fd_close(output->top);
	return r;
}

/* Beside the target, under its name when it is whole. */
static int export_file(struct output *output, size_t *ret_changed, struct error *e)
{
	const char *target = output->export->target, *slash = strrchr(target, '/');
	auto_str part = STR_INIT;
	struct stat st;
	int r;

	/* A pipe or a device is written to as it is. */
	if (!fstatat(AT_FDCWD, target, &st, 0) && !S_ISREG(st.st_mode)) {
		output->tar = openat(AT_FDCWD, target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		r = output->tar < 0 ? error_system(e, errno, "open '%s'", target) : write_all(output, ret_changed, e);
		output->tar = fd_close(output->tar);
		return r;
	}
	str_addf(&part, "%.*s.%s.part", (int)(slash ? slash + 1 - target : 0), target, slash ? slash + 1 : target);
	output->tar = openat(AT_FDCWD, str_peek(&part), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (output->tar < 0)
		return error_system(e, errno, "make '%s'", str_peek(&part));
	r = write_all(output, ret_changed, e);
	if (!r && (fsync(output->tar) < 0 || renameat(AT_FDCWD, str_peek(&part), AT_FDCWD, target) < 0))
		r = error_system(e, errno, "write '%s'", target);
	if (r)
		unlinkat(AT_FDCWD, str_peek(&part), 0);
	output->tar = fd_close(output->tar);
	return r;
}

int image_export(const struct store *store, const struct image_export *export, size_t *ret_changed, struct error *e)
{
	struct output output = {
	    .store = store, .export = export, .folder = -1, .top = -1, .tar = -1, .tmp = STORE_TMP_INIT};
	int r;

	*ret_changed = 0;
	if (export->folder) {
		r = export_folder(&output, ret_changed, e);
	} else if (str_equal(export->target, "-")) {
		output.tar = STDOUT_FILENO;
		r = write_all(&output, ret_changed, e);
	} else {
		r = export_file(&output, ret_changed, e);
	}
	store_tmp_drop(store, &output.tmp);
	free(output.written);
	return r;
}
