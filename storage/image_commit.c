/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New images from present ones: the layers of the parent, and folders as further layers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "storage/image.h"
#include "storage/image_make.h"
#include "storage/image_pin.h"
#include "storage/layer_jobs.h"
#include "storage/merged.h"

struct work {
	const struct store *store;
	const struct image_commit *commit;
	struct arena *arena;
	struct image_pin *pin;
	struct image parent;
	char *parent_config;
	size_t parent_size;
	const char *digest; /* of what was made */
};

static int load_parent(struct work *work, struct error *e)
{
	int r;

	if (!work->commit->parent)
		return 0;
	r = image_load(work->store, work->commit->parent, work->arena, &work->parent, e) ?:
	    store_read_blob(work->store, store_digest_hex(work->parent.id), &work->parent_config, &work->parent_size, e) ?:
	    pin_add_layers(work->pin, work->parent.layers, work->parent.n_layers, e) ?:
	    pin_write(work->store, work->pin, e);
	for (size_t i = 0; !r && i < work->parent.n_layers; i++)
		r = layer_confirm(work->store, work->parent.layers[i], e);
	return r;
}

static int run_jobs(struct work *work, struct layer_jobs *jobs, struct error *e)
{
	int r;

	for (size_t i = 0; i < jobs->n; i++) {
		jobs->jobs[i] = LAYER_JOB_INIT;
		jobs->jobs[i].folder = work->commit->folders[i];
		jobs->jobs[i].is_overlay = true;
	}
	r = layer_jobs_run(work->store, jobs, e);
	for (size_t i = 0; !r && i < jobs->n; i++) {
		const char *id = jobs->jobs[i].id;

		r = pin_add_layers(work->pin, &id, 1, e);
	}
	return r ?: pin_write(work->store, work->pin, e) ?: layer_jobs_publish(work->store, jobs, e);
}

static int write_image(struct work *work, const struct layer_jobs *jobs, const char *reference, struct error *e)
{
	const struct image_commit *commit = work->commit;
	struct image_new image = {.os = "linux",
				  .author = commit->author,
				  .comment = commit->comment,
				  .created_by = "holm commit",
				  .config = commit->config,
				  .parent = work->parent_config,
				  .parent_size = work->parent_size,
				  .n_new = jobs->n};
	auto_free char *config = NULL, *manifest = NULL;
	char config_hex[STORE_HEX_SIZE], hex[STORE_HEX_SIZE], digest[sizeof("sha256:") + STORE_HEX_SIZE];
	int r;

	image.architecture = image_machine(&image.variant);
	image.layers = arena_array(work->arena, const char *, work->parent.n_layers + jobs->n + 1);
	for (size_t i = 0; i < work->parent.n_layers; i++)
		image.layers[image.n_layers++] = work->parent.layers[i];
	for (size_t i = 0; i < jobs->n; i++)
		image.layers[image.n_layers++] = jobs->jobs[i].id;
	r = merged_make(work->store, image.layers, image.n_layers, e) ?: image_make_config(&image, &config, e);
	if (r)
		return r;
	digest_hex(config, strlen(config), config_hex);
	r = image_make_manifest(work->store, config_hex, strlen(config), image.layers, image.n_layers, &manifest, e);
	if (r)
		return r;
	digest_hex(manifest, strlen(manifest), hex);
	snprintf(digest, sizeof(digest), "sha256:%s", hex);
	work->digest = arena_strdup(work->arena, digest);
	r = pin_add_blob(work->pin, config_hex, e) ?: pin_add_blob(work->pin, hex, e) ?:
	    pin_write(work->store, work->pin, e);
	return r ?: store_write_blob(work->store, config, strlen(config), config_hex, e) ?:
		    store_write_blob(work->store, manifest, strlen(manifest), hex, e) ?:
		    (reference ? image_write_reference(work->store, reference, digest, e) : 0);
}

static int commit_image(struct work *work, const char *reference, struct error *e)
{
	size_t n = work->commit->n_folders;
	struct layer_jobs jobs = {.jobs = calloc(n + 1, sizeof(*jobs.jobs)), .n = n, .limits = {.entries = 0}};
	int r = jobs.jobs ? load_parent(work, e) : error_system(e, ENOMEM, "commit");

	r = r ?: run_jobs(work, &jobs, e) ?: write_image(work, &jobs, reference, e);
	if (jobs.jobs)
		layer_jobs_close(work->store, &jobs);
	free(jobs.jobs);
	return r;
}

int image_commit(const struct store *store, const struct image_commit *commit, struct arena *arena, struct image *ret,
		 struct error *e)
{
	auto_free struct image_pin *own = commit->pin ? NULL : calloc(1, sizeof(*own));
	struct work work = {.store = store, .commit = commit, .arena = arena, .pin = commit->pin ?: own};
	const char *reference = NULL;
	int r = commit->reference ? image_normalize(commit->reference, arena, &reference, e) : 0;

	if (!r && !work.pin)
		r = error_system(e, ENOMEM, "commit");
	if (!r && own)
		r = pin_open(store, own, e);
	if (r)
		return r;
	r = commit_image(&work, reference, e) ?: image_load(store, reference ?: work.digest, arena, ret, e);
	free(work.parent_config);
	if (own)
		pin_close(store, own);
	return r;
}
