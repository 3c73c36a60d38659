/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/launch.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/ids.h"
#include "storage/image.h"
#include "storage/root.h"
#include "storage/snapshot.h"
#include "storage/store.h"

/* What an image says, and its root for names of users; both are there only while config.json is written. */
struct source {
	struct arena arena;
	struct image image;
	int root;
};

static void source_release(struct source *source)
{
	source->root = fd_close(source->root);
	arena_release(&source->arena);
}

#define SOURCE_INIT ((struct source){.root = -1})
#define auto_source __attribute__((cleanup(source_release))) struct source

/* An image file (squashfs, erofs) has no defaults. */
static bool is_stored(const struct config_options *options)
{
	return options->image && *options->image != '/';
}

static int load_image(const struct store *store, const struct config_options *options, struct source *source,
		      struct error *e)
{
	return is_stored(options) ? image_load(store, options->image, &source->arena, &source->image, e) : 0;
}

static int build(const struct runtime *runtime, const struct store *store, const struct config_options *options,
		 struct source *source, int folder, const uint32_t *first_id, bool make_volumes, char **ret_text,
		 struct spec *ret_spec, struct error *e)
{
	const struct root_view view = {.user_namespace = -1, .read_only = true, .is_bare = true};
	struct config_base base = {.store = store, .first_id = first_id, .make_volumes = make_volumes};
	int r = root_open(store, folder, &view, &source->root, e);

	if (r)
		return r;
	base.root = source->root;
	base.image = is_stored(options) ? &source->image.config : NULL;
	return config_build(runtime, options, &base, ret_text, ret_spec, e);
}

static int set_labels(struct instance *i, const struct config_options *options, struct error *e)
{
	for (size_t n = 0; n < options->n_labels; n++) {
		struct spec_pair label;
		int r = config_parse_label(options->labels[n], &i->arena, &label, e);

		if (r)
			return r;
		instance_set_label(i, label.key, label.value);
	}
	return 0;
}

static int fill(const struct runtime *runtime, const struct store *store, const struct config_options *options,
		struct instance *i, struct spec *ret_spec, struct error *e)
{
	struct root_request request = {
	    .image = options->image,
	    .folder = options->rootfs,
	    .size = options->size.present ? options->size.value : 0,
	    .inodes = options->inodes.present ? options->inodes.value : 0,
	};
	auto_source source = SOURCE_INIT;
	auto_free char *text = NULL;
	int r = load_image(store, options, &source, e);

	request.loaded = is_stored(options) ? &source.image : NULL;
	if (!r)
		r = root_create(store, i->folder, i->name, &request, e);
	if (!r)
		r = build(runtime, store, options, &source, i->folder, NULL, !options->dry_run, &text, ret_spec, e);
	if (!r)
		r = set_labels(i, options, e);
	if (r)
		return r;
	i->record.remove = options->remove;
	i->record.delay = options->delay;
	i->record.generation = 1;
	r = file_create(i->folder, INSTANCE_CONFIG, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/" INSTANCE_CONFIG "'", i->path) : 0;
}

int launch_make(const struct runtime *runtime, const struct config_options *options, struct instance *ret,
		struct spec *ret_spec, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	auto_spec spec = {0};
	auto_store store = STORE_INIT;
	int r;

	if (!runtime->data)
		return error_refuse(e, ERROR_STATE,
				    "there is no data folder: give --data DIR, or set HOME or XDG_DATA_HOME");
	r = store_open(runtime->data, true, &store, e);
	if (!r)
		r = instance_begin(runtime, options->name, &i, e);
	if (r)
		return r;
	store.rootless = runtime->rootless;
	r = fill(runtime, &store, options, &i, &spec, e);
	if (r) {
		launch_discard(runtime, &i);
		return r;
	}
	*ret = i;
	i = INSTANCE_INIT;
	*ret_spec = spec;
	spec = (struct spec){0};
	return 0;
}

/* What lies outside of the folder. */
static int remove_outside(const struct runtime *runtime, struct instance *i, struct error *e)
{
	auto_store store = STORE_INIT;
	struct error ignored;
	struct spec spec;
	const char **pushes;
	size_t n_pushes;
	int r = store_open(runtime->data, false, &store, e);

	if (!r)
		r = push_list_named(i->folder, &i->arena, &pushes, &n_pushes, e);
	if (!r)
		r = root_remove(&store, i->folder, e);
	if (r)
		return r;
	if (unlinkat(i->folder, SNAPSHOT_RECORD, 0) < 0 && errno != ENOENT)
		return error_system(e, errno, "remove '%s/" SNAPSHOT_RECORD "'", i->path);
	if (push_drop(&store, pushes, n_pushes, &ignored))
		log_warning("%s", ignored.text); /* 'holm gc' finds them */
	if (!instance_load_spec(i, &spec, &ignored)) {
		uint32_t first = config_first_id(&spec);

		if (first)
			ids_release(runtime, i->name, first);
		spec_release(&spec);
	}
	return 0;
}

void launch_discard(const struct runtime *runtime, struct instance *i)
{
	struct error e;

	if (i->folder < 0)
		return;
	if (remove_outside(runtime, i, &e))
		log_warning("instance '%s': %s", i->name, e.text);
	instance_discard(i);
}

int launch_remove(const struct runtime *runtime, struct instance *i, struct error *e)
{
	int r = remove_outside(runtime, i, e);

	if (r) {
		error_context(e, "instance '%s'", i->name);
		return r;
	}
	return instance_remove(runtime, i, e);
}

int launch_rebuild(const struct runtime *runtime, const struct config_options *options, const struct instance *i,
		   char **ret_text, struct error *e)
{
	auto_source source = SOURCE_INIT;
	auto_store store = STORE_INIT;
	auto_spec spec = {0}, built = {0};
	uint32_t first;
	int r = instance_load_spec(i, &spec, e);

	if (r)
		return r;
	first = config_first_id(&spec);
	r = store_open(runtime->data, false, &store, e);
	store.rootless = runtime->rootless;
	if (!r)
		r = load_image(&store, options, &source, e);
	return r
		   ?: build(runtime, &store, options, &source, i->folder, first ? &first : NULL, !options->dry_run,
			    ret_text, &built, e);
}
