/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/clone.h"
#include "instances/export.h"
#include "instances/ids.h"
#include "instances/launch.h"
#include "spec/json.h"
#include "storage/archive.h"
#include "storage/image_import.h"
#include "storage/root.h"
#include "storage/snapshot.h"
#include "storage/unpack_client.h"

enum { SMALL_MAX = 64 << 20, SNAPSHOT_NAME_MAX = 63, SNAPSHOTS_MAX = 4096, LAYERS_MAX = 500 };

struct work {
	const struct runtime *runtime;
	const struct store *store;
	const struct import_request *request;
	struct arena *arena;
	struct store_tmp tmp;
	struct archive archive;
	const char *old_name, *name;
	struct root root;
	struct snapshot_list snapshots;
	struct push *pushes; /* of archive.parts the one with the same index; not made: lock -1 */
	uint32_t first_id;
	uint64_t owners, devices, attributes; /* what this host could not keep */
};

static int refuse(const struct work *work, const char *part, const char *what, struct error *e)
{
	return error_refuse(e, ERROR_INVALID, "'%s' in '%s' %s", part, work->archive.name, what);
}

/* ---- the file ---- */

/* It has to be read at any place: what is no regular file is copied first. */
static int open_file(struct work *work, int *ret_fd, struct error *e)
{
	const char *file = work->request->file;
	auto_fd in = -1, copy = -1;
	char buffer[65536];
	struct stat st;
	int r;

	in = str_equal(file, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				  : openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in < 0 || fstat(in, &st) < 0)
		return error_system(e, errno, "open '%s'", file);
	if (S_ISDIR(st.st_mode))
		return error_refuse(e, ERROR_INVALID, "'%s' is a folder and no exported instance", file);
	if (S_ISREG(st.st_mode) && !str_equal(file, "-")) {
		*ret_fd = take_fd(&in);
		return 0;
	}
	copy = openat(work->tmp.fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (copy < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", work->store->path);
	for (;;) {
		ssize_t n = read(in, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(e, errno, "read '%s'", file);
		if (!n)
			break;
		r = fd_write_all(copy, buffer, n);
		if (r)
			return error_system(e, -r, "copy '%s' to '%s/tmp'", file, work->store->path);
	}
	*ret_fd = take_fd(&copy);
	return 0;
}

/* ---- what it says ---- */

static int read_name(struct work *work, struct error *e)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	const char *name;
	int r = archive_read(&work->archive, EXPORT_RECORD, SMALL_MAX, &text, e);

	if (!r)
		r = json_read(text, strlen(text), EXPORT_RECORD, &json, e);
	if (r)
		return r;
	name = json_find_string(json, "name");
	if (!name || !str_is_id(name))
		return refuse(work, EXPORT_RECORD, "has no name", e);
	work->old_name = arena_strdup(work->arena, name);
	work->name = work->request->name ?: work->old_name;
	return 0;
}

/* As files, which is how they are read; in a folder where nobody looks for pins. */
static int extract(struct work *work, int folder, const char *name, struct error *e)
{
	auto_free char *text = NULL;
	int r = archive_read(&work->archive, name, SMALL_MAX, &text, e);

	if (r)
		return r;
	r = file_create(folder, name, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s'", name) : 0;
}

static int check_ids(const struct work *work, const char *part, const char *const *ids, size_t n, struct error *e)
{
	char name[ARCHIVE_NAME_SIZE];

	for (size_t i = 0; i < n; i++) {
		if (!str_is_id(ids[i]) || strlen(ids[i]) >= PUSH_ID_SIZE)
			return refuse(work, part, "names a state that can't be", e);
		snprintf(name, sizeof(name), EXPORT_PUSHES "%s.tar", ids[i]);
		if (!archive_find(&work->archive, name))
			return refuse(work, part, "names a state that is not there", e);
	}
	return 0;
}

static int check_root(const struct work *work, struct error *e)
{
	const struct root *root = &work->root;

	for (size_t i = 0; i < root->n_layers; i++)
		if (!store_is_hex(root->layers[i]))
			return refuse(work, ROOT_RECORD, "names a layer that can't be", e);
	if (!!root->n_layers + !!root->file + !!root->folder != 1 || !!root->n_layers != !!root->digest ||
	    (root->digest && !store_digest_hex(root->digest)) || (root->file && *root->file != '/') ||
	    (root->folder && *root->folder != '/') || root->size < 0)
		return refuse(work, ROOT_RECORD, "does not say what the root consists of", e);
	if (root->n_layers + root->n_pushes + 2 > LAYERS_MAX)
		return refuse(work, ROOT_RECORD, "has more layers than overlayfs takes", e);
	return check_ids(work, ROOT_RECORD, root->pushes, root->n_pushes, e);
}

/* What is shown to people has no control characters. */
static const char *clean(struct arena *arena, const char *text)
{
	char *copy = text ? arena_strdup(arena, text) : NULL;

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return copy;
}

static bool is_snapshot(const struct snapshot_list *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(list->items[i].name, name))
			return true;
	return false;
}

static int check_snapshots(struct work *work, struct error *e)
{
	struct snapshot_list *list = &work->snapshots;

	if (list->n > SNAPSHOTS_MAX)
		return refuse(work, EXPORT_SNAPSHOTS, "has too many snapshots", e);
	for (size_t i = 0; i < list->n; i++) {
		struct snapshot *s = &list->items[i];
		int r;

		if (!str_is_id(s->name) || strlen(s->name) > SNAPSHOT_NAME_MAX || strchr("-.+", *s->name) ||
		    is_snapshot(list, i, s->name))
			return refuse(work, EXPORT_SNAPSHOTS, "has a snapshot whose name can't be", e);
		if (s->parent && !is_snapshot(list, i, s->parent))
			return refuse(work, EXPORT_SNAPSHOTS, "has a snapshot that came from none before it", e);
		if (s->n_pushes > LAYERS_MAX)
			return refuse(work, EXPORT_SNAPSHOTS, "has more layers than overlayfs takes", e);
		r = check_ids(work, EXPORT_SNAPSHOTS, s->pushes, s->n_pushes, e);
		if (r)
			return r;
		s->comment = clean(work->arena, s->comment);
	}
	if (list->head && !is_snapshot(list, list->n, list->head))
		return refuse(work, EXPORT_SNAPSHOTS, "says that it came from a snapshot that it has not", e);
	return 0;
}

static bool has_id(const char *const *ids, size_t n, const char *id, size_t size)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(ids[i], id, size) && !ids[i][size])
			return true;
	return false;
}

static bool is_named(const struct work *work, const char *part)
{
	static const char *const own[] = {EXPORT_RECORD,    INSTANCE_CONFIG, ROOT_RECORD,
					  EXPORT_SNAPSHOTS, EXPORT_UPPER,    EXPORT_IMAGE};
	const char *id = str_after(part, EXPORT_PUSHES);
	size_t size = id ? strlen(id) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_equal(part, own[i]))
			return true;
	if (size <= strlen(".tar") || !str_equal(id + size - strlen(".tar"), ".tar"))
		return false;
	size -= strlen(".tar");
	if (has_id(work->root.pushes, work->root.n_pushes, id, size))
		return true;
	for (size_t i = 0; i < work->snapshots.n; i++)
		if (has_id(work->snapshots.items[i].pushes, work->snapshots.items[i].n_pushes, id, size))
			return true;
	return false;
}

static int check_parts(const struct work *work, struct error *e)
{
	for (size_t i = 0; i < work->archive.n; i++)
		if (!is_named(work, work->archive.parts[i].name))
			return refuse(work, work->archive.parts[i].name, "is nothing that an instance has", e);
	return 0;
}

static int read_small(struct work *work, struct error *e)
{
	auto_fd folder = -1;
	int r = read_name(work, e);

	if (!r && mkdirat(work->tmp.fd, "parts", 0700) < 0)
		r = error_system(e, errno, "make a folder in '%s/tmp'", work->store->path);
	r = r ?: fd_open(work->tmp.fd, "parts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &folder, e) ?:
		 extract(work, folder, ROOT_RECORD, e) ?:
		 extract(work, folder, EXPORT_SNAPSHOTS, e) ?:
		 root_load(folder, work->arena, &work->root, e) ?:
		 snapshot_load(folder, work->arena, &work->snapshots, e) ?:
		 check_root(work, e);
	return r ?: check_snapshots(work, e) ?: check_parts(work, e);
}

/* ---- what it lies on ---- */

static int has_layers(const struct work *work, bool *ret, struct error *e)
{
	*ret = true;
	for (size_t i = 0; i < work->root.n_layers && *ret; i++) {
		auto_fd tree = -1;
		int r = layer_open_tree(work->store, work->root.layers[i], &tree, e);

		if (r && e->kind != ERROR_NOT_FOUND)
			return r;
		*ret = !r;
	}
	return 0;
}

/* Its own name if that stands for nothing here, so that nobody's image gets another meaning. */
static const char *choose_reference(const struct work *work)
{
	const char *own;
	struct image found;
	struct error ignored;

	if (work->root.image && !image_normalize(work->root.image, work->arena, &own, &ignored) &&
	    image_load(work->store, own, work->arena, &found, &ignored))
		return own;
	return arena_format(work->arena, "imported/%.12s", store_digest_hex(work->root.digest));
}

static int import_image(struct work *work, const struct archive_part *part, struct error *e)
{
	auto_fd file = openat(work->tmp.fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct image_import import = {.limits = UNPACK_LIMITS_DEFAULT};
	struct image *images = NULL;
	size_t n = 0;
	int r;

	if (file < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", work->store->path);
	import.source = arena_format(work->arena, "/proc/self/fd/%d", file);
	import.reference = choose_reference(work);
	r = archive_copy(&work->archive, part, file, e)
		?: image_import(work->store, &import, work->arena, &images, &n, e);
	if (r)
		return r;
	if (n != 1 || images[0].n_layers != work->root.n_layers)
		return refuse(work, EXPORT_IMAGE, "is not the image that the instance lies on", e);
	work->root.image = images[0].reference;
	work->root.digest = images[0].digest;
	work->root.layers = images[0].layers;
	log_debug("image '%s' was imported", images[0].reference);
	return 0;
}

static int provide_image(struct work *work, struct error *e)
{
	const struct archive_part *part = archive_find(&work->archive, EXPORT_IMAGE);
	bool present = false;
	int r = has_layers(work, &present, e);

	if (r)
		return r;
	if (part && !present)
		return import_image(work, part, e);
	if (part)
		return archive_copy(&work->archive, part, -1, e);
	if (!present)
		return error_refuse(e, ERROR_NOT_FOUND,
				    "its image '%s' (%s) is not here: pull or import that, or export the instance with "
				    "--all",
				    work->root.image ?: "", work->root.digest);
	return 0;
}

/* ---- what it wrote ---- */

static int unpack(struct work *work, const struct archive_part *part, int tree, struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_LAYER,
					 .flags = work->store->rootless ? UNPACK_ROOTLESS | UNPACK_NO_DEVICES : 0,
					 .limits = UNPACK_LIMITS_DEFAULT,
					 .offset = part->offset,
					 .length = part->size};
	auto_fd frame = openat(work->tmp.fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	auto_fd spool = openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC);
	struct unpack_call call = UNPACK_CALL_INIT;
	struct unpack_result result = {0};
	const int fds[] = {work->archive.fd, tree, frame, spool};
	int r;

	if (frame < 0 || spool < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", work->store->path);
	if (!part->size)
		return archive_refuse(&work->archive, part, e);
	snprintf(request.name, sizeof(request.name), "%s", part->name);
	r = unpack_start(&request, fds, ARRAY_SIZE(fds), &call, e) ?: unpack_wait(&call, NULL, &result, e);
	if (r) {
		error_context(e, "'%s' in '%s'", part->name, work->archive.name);
		return r;
	}
	if (!str_equal(result.blob, part->sum))
		return archive_refuse(&work->archive, part, e);
	work->owners += result.owners;
	work->devices += result.devices;
	work->attributes += result.attributes;
	return 0;
}

static int unpack_pushes(struct work *work, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < work->archive.n && !r; i++) {
		const struct archive_part *part = &work->archive.parts[i];
		auto_fd tree = -1;

		if (!str_after(part->name, EXPORT_PUSHES))
			continue;
		r = push_begin(work->store, &work->pushes[i], &tree, e) ?: unpack(work, part, tree, e);
	}
	return r;
}

/* The ids that they have here. */
static const char **translate(const struct work *work, const char *const *ids, size_t n)
{
	const char **own = arena_array(work->arena, const char *, n + 1);
	char name[ARCHIVE_NAME_SIZE];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), EXPORT_PUSHES "%s.tar", ids[i]);
		own[i] = work->pushes[archive_find(&work->archive, name) - work->archive.parts].id;
	}
	return own;
}

/* holm-unpack can't shut itself into a folder of a disk image, which is mounted nowhere: it is copied there. */
static int fill_disk(struct work *work, const struct archive_part *part, int upper, struct error *e)
{
	struct copy copy = {.flags = COPY_LAYER};
	auto_fd tree = -1;

	if (mkdirat(work->tmp.fd, ROOT_UPPER, 0755) < 0)
		return error_system(e, errno, "make a folder in '%s/tmp'", work->store->path);
	return fd_open(work->tmp.fd, ROOT_UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &tree, e) ?:
	       unpack(work, part, tree, e) ?:
	       copy_folder(tree, upper, true, &copy, e);
}

static int fill_root(struct work *work, const struct instance *instance, struct error *e)
{
	const struct archive_part *part = archive_find(&work->archive, EXPORT_UPPER);
	struct root like = work->root, own;
	auto_fd upper = -1;
	int r;

	if (!part)
		return error_refuse(e, ERROR_INVALID, "'%s' has no '" EXPORT_UPPER "'", work->archive.name);
	like.pushes = translate(work, like.pushes, like.n_pushes);
	r = root_create_like(work->store, instance->folder, work->name, &like, e) ?:
	    root_load(instance->folder, work->arena, &own, e) ?:
	    root_open_upper(work->store, instance->folder, &own, &upper, e) ?:
	    (own.quota == QUOTA_DISK ? fill_disk : unpack)(work, part, upper, e);
	if (!r && syncfs(upper) < 0)
		r = error_system(e, errno, "write '" ROOT_UPPER "' to the disk");
	return r;
}

/* ---- the instance ---- */

static void add_label(const char *key, const struct json *value, void *data)
{
	if (json_string_peek(value))
		instance_set_label(data, key, json_string_peek(value));
}

static int fill_record(struct work *work, struct instance *instance, struct error *e)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	int64_t delay;
	int r = archive_read(&work->archive, EXPORT_RECORD, SMALL_MAX, &text, e);

	if (!r)
		r = json_read(text, strlen(text), EXPORT_RECORD, &json, e);
	if (r)
		return r;
	delay = json_find_int(json, "delay", 0);
	instance->record.delay = delay > 0 ? delay : 0;
	instance->record.generation = 1;
	json_each(json_find(json, "labels"), add_label, instance);
	return 0;
}

static int fill_config(struct work *work, const struct instance *instance, struct error *e)
{
	bool is_move = str_equal(work->name, work->old_name);
	auto_free char *text = NULL, *own = NULL;
	int r = archive_read(&work->archive, INSTANCE_CONFIG, SMALL_MAX, &text, e)
		    ?: clone_config(work->runtime, text, work->old_name, work->name, false, is_move, &own,
				    &work->first_id, e);

	if (r)
		return r;
	r = file_create(instance->folder, INSTANCE_CONFIG, 0600, own, strlen(own));
	return r ? error_system(e, -r, "write '%s/" INSTANCE_CONFIG "'", instance->path) : 0;
}

static int fill_snapshots(struct work *work, const struct instance *instance, struct error *e)
{
	bool is_move = str_equal(work->name, work->old_name);

	for (size_t i = 0; i < work->snapshots.n; i++) {
		struct snapshot *s = &work->snapshots.items[i];
		auto_free char *own = NULL;
		int r = s->config
			    ? clone_old_config(s->config, work->old_name, work->name, is_move, work->first_id, &own, e)
			    : 0;

		if (r < 0) {
			error_context(e, "snapshot '%s'", s->name);
			return r;
		}
		s->config = own ? arena_strdup(work->arena, own) : NULL;
		s->pushes = translate(work, s->pushes, s->n_pushes);
	}
	return work->snapshots.n ? snapshot_save(instance->folder, &work->snapshots, e) : 0;
}

static int fill(struct work *work, struct instance *instance, struct error *e)
{
	return fill_config(work, instance, e) ?:
	       fill_record(work, instance, e) ?:
	       fill_snapshots(work, instance, e) ?:
	       fill_root(work, instance, e);
}

static void drop_pushes(struct work *work)
{
	struct error ignored;

	for (size_t i = 0; i < work->archive.n; i++) {
		const char *id = work->pushes[i].id;

		if (work->pushes[i].lock < 0)
			continue;
		push_release(&work->pushes[i]);
		if (push_drop(work->store, &id, 1, &ignored))
			log_warning("%s", ignored.text); /* the next sweep finds it */
	}
}

static int make(struct work *work, struct instance *ret, struct error *e)
{
	auto_instance instance = INSTANCE_INIT;
	int r = instance_begin(work->runtime, work->name, &instance, e);

	if (r)
		return r;
	r = unpack_pushes(work, e) ?: fill(work, &instance, e);
	if (!r && syncfs(work->tmp.fd) < 0) /* upper may lie in a file system of its own */
		r = error_system(e, errno, "write the instance to the disk");
	r = r ?: instance_publish(work->runtime, &instance, e);
	if (r) {
		if (work->first_id)
			ids_release(work->runtime, work->name, work->first_id);
		launch_discard(work->runtime, &instance);
		return r;
	}
	*ret = instance;
	instance = INSTANCE_INIT;
	return instance_sync(ret, e);
}

static int refuse_taken(const struct work *work, struct error *e)
{
	auto_instance found = INSTANCE_INIT;
	int r = instance_find(work->runtime, work->name, &found, e);

	if (r)
		return r < 0 ? r : 0;
	return error_refuse(e, ERROR_EXISTS, "there is an instance '%s' already: give another name", work->name);
}

static int import(struct work *work, struct instance *ret, struct error *e)
{
	auto_fd file = -1;
	int r = open_file(work, &file, e) ?: archive_open(file, work->request->file, work->arena, &work->archive, e);

	if (r)
		return r;
	work->pushes = arena_array(work->arena, struct push, work->archive.n + 1);
	for (size_t i = 0; i < work->archive.n; i++)
		work->pushes[i] = PUSH_INIT;
	r = read_small(work, e) ?: refuse_taken(work, e) ?: provide_image(work, e) ?: make(work, ret, e);
	if (r)
		drop_pushes(work);
	for (size_t i = 0; i < work->archive.n; i++)
		push_release(&work->pushes[i]);
	return r;
}

int import_make(const struct runtime *runtime, const struct store *store, const struct import_request *request,
		struct instance *ret, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct work work = {
	    .runtime = runtime, .store = store, .request = request, .arena = &arena, .tmp = STORE_TMP_INIT};
	int r = store_tmp_make(store, "import", &work.tmp, e) ?: import(&work, ret, e);

	store_tmp_drop(store, &work.tmp);
	if (!r && (work.owners || work.devices || work.attributes))
		log_warning("not kept here: owners of %llu files, %llu device nodes, %llu extended attributes",
			    (unsigned long long)work.owners, (unsigned long long)work.devices,
			    (unsigned long long)work.attributes);
	return r;
}
