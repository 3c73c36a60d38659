/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/quiet.h"
#include "spec/json.h"
#include "storage/archive.h"
#include "storage/image_export.h"
#include "storage/image_pin.h"
#include "storage/root.h"
#include "storage/snapshot.h"
#include "storage/unpack_client.h"

#define PARTS "parts"

enum { CONFIG_MAX = 64 << 20 };

struct work {
	const struct runtime *runtime;
	struct instance *instance;
	const struct store *store;
	const struct export_request *request;
	struct arena *arena;
	struct store_tmp tmp; /* its root.json pins what is read; parts/ has the parts */
	int folder;	      /* parts/ */
	struct root root;
	struct snapshot_list snapshots;
	const char **pushes; /* of the root and of all snapshots, each once */
	size_t n_pushes;
	struct archive_part *parts;
	size_t n;
	uint64_t attributes;   /* extended attributes that layers can't have */
	struct image_pin *pin; /* of the image that the folder below its root became; NULL: none did */
};

static int add_part(struct work *work, const char *name, const char *file, struct error *e)
{
	struct archive_part *part = &work->parts[work->n++];

	*part = (struct archive_part){.name = name, .file = file};
	return archive_measure(work->folder, part, e);
}

/* ---- what it is ---- */

static int write_record(struct work *work, bool runs, struct error *e)
{
	const struct instance_record *record = &work->instance->record;
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	auto_free char *text = NULL;
	int r;

	json_open_object(&w, NULL);
	json_put_string(&w, "name", work->instance->name);
	json_put_bool(&w, "running", runs);
	json_put_int(&w, "delay", record->delay);
	json_open_object(&w, "labels");
	for (size_t i = 0; i < record->n_labels; i++)
		json_put_string(&w, record->labels[i].key, record->labels[i].value);
	json_close(&w);
	json_close(&w);
	text = json_finish(&w);
	r = file_create(work->folder, EXPORT_RECORD, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '" EXPORT_RECORD "'") : 0;
}

/* A config.json as it is on the other side, where the root lies on an image. */
static int name_image(struct work *work, const char *text, const char **ret, struct error *e)
{
	auto_free char *own = NULL;
	struct spec spec;
	int r;

	*ret = text;
	if (!work->pin)
		return 0;
	r = spec_parse(text, strlen(text), INSTANCE_CONFIG, &spec, e);
	if (r)
		return r;
	if (!spec.holm)
		spec.holm = arena_new(work->arena, struct spec_holm);
	spec.holm->image = work->root.image;
	spec.root_path = "rootfs";
	own = spec_encode(&spec, JSON_INDENT_TAB);
	*ret = arena_strdup(work->arena, own);
	spec_release(&spec);
	return 0;
}

static int name_images(struct work *work, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < work->snapshots.n && !r; i++)
		if (work->snapshots.items[i].config)
			r = name_image(work, work->snapshots.items[i].config, &work->snapshots.items[i].config, e);
	return r;
}

static int write_config(struct work *work, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;
	const char *own;
	int r = file_read(work->instance->folder, INSTANCE_CONFIG, CONFIG_MAX, &text, &size);

	if (!r && (r = name_image(work, text, &own, e)))
		return r;
	if (!r)
		r = file_create(work->folder, INSTANCE_CONFIG, 0600, own, strlen(own));
	return r ? error_system(e, -r, "copy '%s/" INSTANCE_CONFIG "'", work->instance->path) : 0;
}

static int write_small(struct work *work, bool runs, struct error *e)
{
	struct root root = work->root;
	int r;

	root.quota = QUOTA_NONE;
	root.project = 0;
	root.boot = NULL;
	r = write_record(work, runs, e) ?:
	    write_config(work, e) ?:
	    root_save(work->folder, &root, e) ?:
	    snapshot_save(work->folder, &work->snapshots, e);
	return r ?: add_part(work, EXPORT_RECORD, EXPORT_RECORD, e) ?:
		    add_part(work, INSTANCE_CONFIG, INSTANCE_CONFIG, e) ?:
		    add_part(work, ROOT_RECORD, ROOT_RECORD, e) ?:
		    add_part(work, EXPORT_SNAPSHOTS, EXPORT_SNAPSHOTS, e);
}

/* ---- what it wrote ---- */

static int pack(struct work *work, int tree, const char *name, struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_PACK,
					 .flags = UNPACK_OVERLAY | (work->store->rootless ? UNPACK_ROOTLESS : 0)};
	struct unpack_call call = UNPACK_CALL_INIT;
	struct unpack_result result = {0};
	struct archive_part *part = &work->parts[work->n];
	auto_fd file = -1;
	int fds[2], r;

	*part = (struct archive_part){.name = name, .file = arena_format(work->arena, "%zu.tar", work->n)};
	file = openat(work->folder, part->file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", work->store->path);
	fds[0] = tree;
	fds[1] = file;
	r = unpack_start(&request, fds, 2, &call, e) ?: unpack_wait(&call, NULL, &result, e);
	if (r) {
		error_context(e, "'%s'", name);
		return r;
	}
	part->size = result.size;
	memcpy(part->sum, result.diff, sizeof(part->sum));
	work->attributes += result.attributes;
	work->n++;
	return 0;
}

static int pack_pushes(struct work *work, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < work->n_pushes && !r; i++) {
		auto_fd tree = -1;

		r = push_open(work->store, work->pushes[i], &tree, e)
			?: pack(work, tree, arena_format(work->arena, EXPORT_PUSHES "%s.tar", work->pushes[i]), e);
	}
	return r;
}

/*
 * What a running one wrote is copied, and the copy packed.  So is what lies in a disk image, which is
 * mounted nowhere, so that holm-unpack can't shut itself into it.
 */
static int copy_upper(struct work *work, struct push *push, bool *ret_runs, int *ret_tree, struct error *e)
{
	struct quiet quiet = QUIET_INIT;
	struct copy_pause pause = quiet_pause(&quiet);
	struct error ignored;
	auto_fd upper = -1;
	bool copies = false;
	int r = quiet_look(work->runtime, work->instance, &quiet, e);

	if (!r)
		r = root_open_upper(work->store, work->instance->folder, &work->root, &upper, e);
	copies = !r && (quiet.runs || work->root.quota == QUOTA_DISK);
	if (copies)
		r = push_copy(work->store, upper, quiet.runs ? &pause : NULL, push, e);
	if (quiet_end(&quiet, r ? &ignored : e) && !r)
		r = error_return(e);
	*ret_runs = quiet.runs;
	if (!r && copies)
		r = push_open(work->store, push->id, ret_tree, e);
	else if (!r)
		*ret_tree = take_fd(&upper);
	return r;
}

static int pack_written(struct work *work, struct error *e)
{
	auto_push push = PUSH_INIT;
	const char *id = push.id;
	struct error ignored;
	auto_fd tree = -1;
	bool runs = false;
	int r = copy_upper(work, &push, &runs, &tree, e) ?: write_small(work, runs, e);

	if (!r && push.lock >= 0)
		instance_unlock(work->instance);
	r = r ?: pack(work, tree, EXPORT_UPPER, e);
	instance_unlock(work->instance);
	r = r ?: pack_pushes(work, e);
	if (push.lock >= 0) {
		push_release(&push);
		if (push_drop(work->store, &id, 1, &ignored))
			log_warning("%s", ignored.text);
	}
	if (!r && work->attributes)
		log_warning("%llu extended attributes that layers can't have were left out",
			    (unsigned long long)work->attributes);
	return r;
}

/* ---- what it lies on ---- */

static int take_lower(int *fd, const char *name, void *data, struct error *e)
{
	return fd_open(*fd, ".", O_RDONLY | O_DIRECTORY, name, data, e);
}

/* An image file is mounted nowhere, so that holm-unpack can't shut itself in: its copy is taken. */
static int open_below(struct work *work, struct push *copy, int *ret_fd, struct error *e)
{
	const struct root below = {.file = work->root.file, .folder = work->root.folder};
	auto_fd fd = -1;
	int r = root_each_lower(work->store, &below, take_lower, &fd, e);

	if (r || !below.file) {
		*ret_fd = take_fd(&fd);
		return r;
	}
	return push_copy(work->store, fd, NULL, copy, e) ?: push_open(work->store, copy->id, ret_fd, e);
}

static int commit_below(struct work *work, int fd, struct error *e)
{
	struct image_commit commit = {
	    .pin = work->pin, .folders = &fd, .n_folders = 1, .comment = "root of an instance"};
	struct image_config config = {0};
	struct image image;
	struct spec spec;
	int r = instance_load_spec(work->instance, &spec, e);

	if (r)
		return r;
	if (spec.process)
		instance_describe_image(spec.process, &config);
	commit.config = &config;
	r = image_commit(work->store, &commit, work->arena, &image, e);
	spec_release(&spec);
	if (r)
		return r;
	work->root.image = arena_format(work->arena, "exported/%.12s", store_digest_hex(image.digest));
	work->root.digest = image.digest;
	work->root.layers = image.layers;
	work->root.n_layers = image.n_layers;
	work->root.file = work->root.folder = NULL;
	return 0;
}

/* What lies below becomes an image without a name, which goes with the export. */
static int make_image(struct work *work, struct error *e)
{
	auto_push copy = PUSH_INIT;
	const char *id = copy.id;
	struct error ignored;
	auto_fd fd = -1;
	int r = open_below(work, &copy, &fd, e);

	if (!r) {
		work->pin = calloc(1, sizeof(*work->pin));
		r = work->pin ? pin_open(work->store, work->pin, e) : error_system(e, ENOMEM, "export");
		if (r) {
			free(work->pin);
			work->pin = NULL;
		}
	}
	r = r ?: commit_below(work, fd, e);
	if (copy.lock >= 0) {
		push_release(&copy);
		if (push_drop(work->store, &id, 1, &ignored))
			log_warning("%s", ignored.text);
	}
	if (r)
		error_context(e, "an image of what its root lies on");
	return r ?: name_images(work, e);
}

static void drop_image(struct work *work)
{
	struct image_freed freed;
	struct error ignored;

	if (!work->pin)
		return;
	pin_close(work->store, work->pin);
	free(work->pin);
	if (image_prune(work->store, false, false, NULL, NULL, &freed, &ignored))
		log_warning("%s", ignored.text);
}

static int export_image(struct work *work, struct error *e)
{
	const char *digest = work->root.digest;
	const struct image_export export = {
	    .references = &digest,
	    .n_references = 1,
	    .target = arena_format(work->arena, "%s/tmp/%s/" PARTS "/" EXPORT_IMAGE, work->store->path, work->tmp.name),
	};
	size_t changed;
	int r;

	if (!work->request->all)
		return 0;
	r = image_export(work->store, &export, &changed, e);
	if (r) {
		error_context(e, "image '%s'", work->root.image ?: digest);
		return r;
	}
	return add_part(work, EXPORT_IMAGE, EXPORT_IMAGE, e);
}

/* ---- all of it ---- */

/* Until it is all packed, nobody removes what is named here. */
static int pin(struct work *work, struct error *e)
{
	struct root all = work->root;

	all.pushes = work->pushes;
	all.n_pushes = work->n_pushes;
	all.quota = QUOTA_NONE;
	all.project = 0;
	return root_save(work->tmp.fd, &all, e);
}

static int gather(struct work *work, struct error *e)
{
	int folder = work->instance->folder;
	int r = root_load(folder, work->arena, &work->root, e) ?:
		snapshot_load(folder, work->arena, &work->snapshots, e) ?:
		push_list_named(folder, work->arena, &work->pushes, &work->n_pushes, e) ?:
		push_settle(folder, &work->root, e) ?:
		pin(work, e);

	if (r)
		return r;
	if (work->n_pushes + 8 > ARCHIVE_PARTS_MAX)
		return error_refuse(e, ERROR_LIMIT, "it has %zu states: remove snapshots", work->n_pushes);
	if (mkdirat(work->tmp.fd, PARTS, 0700) < 0)
		return error_system(e, errno, "make a folder in '%s/tmp'", work->store->path);
	work->parts = arena_array(work->arena, struct archive_part, work->n_pushes + 8);
	if (work->request->all && !work->root.digest)
		r = make_image(work, e);
	return r ?: fd_open(work->tmp.fd, PARTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &work->folder, e) ?:
		    pack_written(work, e) ?:
		    export_image(work, e);
}

static int write_out(struct work *work, int fd, struct error *e)
{
	return archive_write(fd, work->request->file, work->folder, work->parts, work->n, e);
}

/* Beside the target, under its name when it is whole; what is no regular file is written to as it is. */
static int write_file(struct work *work, struct error *e)
{
	const char *target = work->request->file, *slash = strrchr(target, '/');
	const char *part = arena_format(work->arena, "%.*s.%s.part", (int)(slash ? slash + 1 - target : 0), target,
					slash ? slash + 1 : target);
	auto_fd fd = -1;
	struct stat st;
	int r;

	if (str_equal(target, "-"))
		return write_out(work, STDOUT_FILENO, e);
	if (!fstatat(AT_FDCWD, target, &st, 0) && !S_ISREG(st.st_mode)) {
		fd = openat(AT_FDCWD, target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? error_system(e, errno, "open '%s'", target) : write_out(work, fd, e);
	}
	fd = openat(AT_FDCWD, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system(e, errno, "make '%s'", part);
	r = write_out(work, fd, e);
	if (!r && (fsync(fd) < 0 || renameat(AT_FDCWD, part, AT_FDCWD, target) < 0))
		r = error_system(e, errno, "write '%s'", target);
	if (r)
		unlinkat(AT_FDCWD, part, 0);
	return r;
}

int export_make(const struct runtime *runtime, struct instance *instance, const struct store *store,
		const struct export_request *request, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct work work = {.runtime = runtime,
			    .instance = instance,
			    .store = store,
			    .request = request,
			    .arena = &arena,
			    .tmp = STORE_TMP_INIT,
			    .folder = -1};
	int r = store_tmp_make(store, "export", &work.tmp, e) ?: gather(&work, e) ?: write_file(&work, e);

	fd_close(work.folder);
	store_tmp_drop(store, &work.tmp);
	drop_image(&work);
	return r;
}
