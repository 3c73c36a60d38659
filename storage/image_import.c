/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/image_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "spec/json.h"
#include "storage/image_make.h"
#include "storage/image_parts.h"
#include "storage/image_pin.h"
#include "storage/merged.h"

enum { DEPTH_MAX = 4, IMAGES_MAX = 64 };

static const char index_type[] = "application/vnd.oci.image.index.v1+json",
		  list_type[] = "application/vnd.docker.distribution.manifest.list.v2+json";

struct platform {
	const char *os, *architecture, *variant; /* variant NULL: any */
};

/* One import, from beginning to end. */
struct work {
	const struct store *store;
	const struct image_import *import;
	struct arena *arena;
	struct platform platform; /* that is asked for */
	const char *base; /* the source's name without folder and endings: what nameless images are called after */
	struct image_pin *pin;
	const char *references[IMAGES_MAX];
	size_t n_references;
};

/* ---- names ---- */

/* The last part of the path, without what archives end in. */
static const char *find_base(const char *source, struct arena *arena)
{
	static const char *const endings[] = {".gz",  ".xz",   ".zst", ".bz2",	  ".tgz", ".txz",
					      ".tbz", ".tzst", ".tar", ".docker", ".oci"};
	size_t n = strlen(source);
	const char *slash;
	char *base;

	if (str_equal(source, "-"))
		return NULL;
	while (n && source[n - 1] == '/')
		n--;
	base = arena_format(arena, "%.*s", (int)n, source);
	slash = strrchr(base, '/');
	base = slash ? base + (slash + 1 - base) : base;
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
			size_t length = strlen(base), end = strlen(endings[i]);

			if (length > end && !strcmp(base + length - end, endings[i])) {
				base[length - end] = 0;
				again = true;
			}
		}
	}
	return *base && !str_equal(base, ".") && !str_equal(base, "..") ? base : NULL;
}

static int add_reference(struct work *work, const char *name, const char *digest, struct error *e)
{
	const char *normal;
	int r = image_normalize(name, work->arena, &normal, e);

	if (!r && work->n_references == IMAGES_MAX)
		r = error_refuse(e, ERROR_LIMIT, "more than %d names at once are too many", IMAGES_MAX);
	r = r ?: image_write_reference(work->store, normal, digest, e);
	if (!r)
		work->references[work->n_references++] = normal;
	return r;
}

static int need_name(struct work *work, const char **ret, struct error *e)
{
	const char *normal;
	struct error ignored;

	*ret = work->import->reference ?: work->base;
	if (!*ret)
		return error_refuse(e, ERROR_USAGE, "the image needs a name: holm image import %s NAME[:TAG]",
				    work->import->source);
	if (work->import->reference || !image_normalize(*ret, work->arena, &normal, &ignored))
		return 0;
	return error_refuse(e, ERROR_USAGE,
			    "'%s' can't be the name of an image, so it needs another: holm image import %s NAME[:TAG]",
			    *ret, work->import->source);
}

/* ---- the end of every import ---- */

/* Blobs and names; the layers are in their place. */
static int write_image(struct work *work, const char *manifest, size_t manifest_size, const char *config,
		       size_t config_size, const char *const *names, size_t n_names, struct error *e)
{
	char hex[STORE_HEX_SIZE], config_hex[STORE_HEX_SIZE];
	char digest[sizeof("sha256:") + STORE_HEX_SIZE];
	int r;

	digest_hex(manifest, manifest_size, hex);
	digest_hex(config, config_size, config_hex);
	r = pin_add_blob(work->pin, hex, e) ?: pin_add_blob(work->pin, config_hex, e) ?:
	    pin_write(work->store, work->pin, e);
	r = r ?: store_write_blob(work->store, config, config_size, config_hex, e) ?:
		 store_write_blob(work->store, manifest, manifest_size, hex, e);
	snprintf(digest, sizeof(digest), "sha256:%s", hex);
	for (size_t i = 0; !r && i < n_names; i++)
		r = add_reference(work, names[i], digest, e);
	return r;
}

/* Pins, unpacks and publishes; jobs are closed by the caller, after the names are written. */
static int run_jobs(struct work *work, struct layer_jobs *jobs, struct error *e)
{
	int r = 0;

	jobs->parallel = work->import->parallel;
	jobs->no_devices = work->import->no_devices;
	jobs->limits = work->import->limits;
	jobs->progress = work->import->progress;
	jobs->data = work->import->data;
	for (size_t i = 0; !r && i < jobs->n; i++)
		if (jobs->jobs[i].diff)
			r = pin_add_layers(work->pin, &jobs->jobs[i].diff, 1, e);
	r = r ?: pin_write(work->store, work->pin, e) ?: layer_jobs_run(work->store, jobs, e);
	for (size_t i = 0; !r && i < jobs->n; i++)
		if (jobs->jobs[i].result.kind != UNPACK_SPOOLED) {
			const char *id = jobs->jobs[i].id;

			r = pin_add_layers(work->pin, &id, 1, e);
		}
	return r ?: pin_write(work->store, work->pin, e) ?: layer_jobs_publish(work->store, jobs, e);
}

/* ---- platforms ---- */

static int parse_platform(struct work *work, struct error *e)
{
	struct platform *ret = &work->platform;
	char *copy, *os, *architecture, *variant;

	if (!work->import->platform) {
		ret->os = "linux";
		ret->architecture = image_machine(&ret->variant);
		return 0;
	}
	copy = arena_strdup(work->arena, work->import->platform);
	os = strsep(&copy, "/");
	architecture = strsep(&copy, "/");
	variant = copy;
	if (!architecture || !*os || !*architecture || (variant && (!*variant || strchr(variant, '/'))))
		return error_refuse(e, ERROR_USAGE, "'%s' is not a platform: OS/ARCHITECTURE[/VARIANT], as linux/arm64",
				    work->import->platform);
	*ret = (struct platform){os, architecture, variant};
	return 0;
}

/* ---- a root that is no image ---- */

static int write_plain(struct work *work, const char *id, const char *name, struct error *e)
{
	struct image_new image = {.os = work->platform.os,
				  .architecture = work->platform.architecture,
				  .variant = work->platform.variant,
				  .config = work->import->config,
				  .created_by = "holm image import",
				  .layers = &id,
				  .n_layers = 1,
				  .n_new = 1};
	auto_free char *config = NULL, *manifest = NULL;
	char hex[STORE_HEX_SIZE];
	int r = image_make_config(&image, &config, e);

	if (r)
		return r;
	digest_hex(config, strlen(config), hex);
	r = image_make_manifest(work->store, hex, strlen(config), &id, 1, &manifest, e);
	return r ?: write_image(work, manifest, strlen(manifest), config, strlen(config), &name, 1, e);
}

/* ---- images: what every archive of them has ---- */

/* chosen: by an index, whose word counts. */
static int compare_platform(const struct work *work, const struct image *image, bool chosen, const char *name,
			    struct error *e)
{
	const struct platform *want = &work->platform;

	if ((chosen && work->import->platform) ||
	    (str_equal(image->architecture, want->architecture) && str_equal(image->os, want->os)))
		return 0;
	if (work->import->platform)
		return error_refuse(e, ERROR_NOT_FOUND, "image '%s' is for %s/%s, not for %s/%s", name, image->os,
				    image->architecture, want->os, want->architecture);
	log_warning("image '%s' is for %s/%s, and this machine is %s/%s", name, image->os, image->architecture,
		    want->os, want->architecture);
	return 0;
}

/* Jobs for the layers of one image; the sources are found by print_source. */
struct source {
	const char *blob, *part; /* hex of the blob or NULL; the part's name */
};

static int add_jobs(struct work *work, struct parts *parts, const struct image *image, const struct source *sources,
		    struct layer_jobs *jobs, struct error *e)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		struct layer_job *job = &jobs->jobs[jobs->n];
		struct part part;
		bool known = false;

		for (size_t j = 0; j < jobs->n; j++)
			known = known || str_equal(jobs->jobs[j].diff, image->layers[i]);
		if (known)
			continue;
		*job = LAYER_JOB_INIT;
		job->diff = image->layers[i];
		job->blob = sources[i].blob;
		job->name = arena_format(work->arena, "%s: layer %zu of %zu (%.12s)", parts->name, i + 1,
					 image->n_layers, job->blob ?: job->diff);
		if (!parts_find(parts, sources[i].part, &part, NULL)) {
			if (!part.size) {
				fd_close(part.fd);
				return error_refuse(e, ERROR_INVALID, "%s: the archive is empty", job->name);
			}
			job->fd = part.fd;
			job->offset = part.offset;
			job->size = part.size;
		}
		jobs->n++;
	}
	return 0;
}

/* Unpacks what is new of an image, and writes it down; manifest NULL: one is made. */
static int take_image(struct work *work, struct parts *parts, const struct image *image, const struct source *sources,
		      const char *manifest, size_t manifest_size, const char *config, size_t config_size,
		      const char *const *names, size_t n_names, struct error *e)
{
	struct layer_jobs jobs = {.jobs = calloc(image->n_layers + 1, sizeof(*jobs.jobs))};
	auto_free char *made = NULL;
	char hex[STORE_HEX_SIZE];
	int r = jobs.jobs ? add_jobs(work, parts, image, sources, &jobs, e) : error_system(e, ENOMEM, "import");

	r = r ?: run_jobs(work, &jobs, e) ?: merged_make(work->store, image->layers, image->n_layers, e);
	if (!r && !manifest) {
		digest_hex(config, config_size, hex);
		r = image_make_manifest(work->store, hex, config_size, image->layers, image->n_layers, &made, e);
		manifest = made;
		manifest_size = made ? strlen(made) : 0;
	}
	r = r ?: write_image(work, manifest, manifest_size, config, config_size, names, n_names, e);
	layer_jobs_close(work->store, &jobs);
	free(jobs.jobs);
	return r;
}

/* ---- OCI layouts ---- */

struct candidate {
	const char *digest, *name;		 /* name: NULL: none */
	const char *os, *architecture, *variant; /* NULL: not said */
};

struct candidates {
	struct candidate list[256];
	size_t n;
};

/* A blob of the layout, verified; text is malloc'd. */
static int read_blob(struct parts *parts, const char *digest, char **ret, size_t *ret_size, struct error *e)
{
	const char *hex = store_digest_hex(digest);
	auto_free char *text = NULL;
	char path[sizeof("blobs/sha256/") + STORE_HEX_SIZE], is[STORE_HEX_SIZE];
	int r;

	if (!hex)
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: '%.100s' is not a SHA-256 digest", parts->name,
				    digest ? digest : "");
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	r = parts_read(parts, path, &text, ret_size, e);
	if (r)
		return r;
	digest_hex(text, *ret_size, is);
	if (!str_equal(is, hex))
		return error_refuse(e, ERROR_INVALID, "%s: '%s' was altered: its SHA-256 is %s", parts->name, path, is);
	*ret = take_ptr(&text);
	return 0;
}

static const char *name_of(const struct json *descriptor)
{
	const struct json *annotations = json_find(descriptor, "annotations");

	return json_find_string(annotations, "io.containerd.image.name")
		   ?: json_find_string(annotations, "org.opencontainers.image.ref.name");
}

/* What an index lists beside images: signatures, attestations. */
static bool is_artifact(const struct json *descriptor)
{
	return json_find(json_find(descriptor, "annotations"), "vnd.docker.reference.type") ||
	       str_equal(json_find_string(json_find(descriptor, "platform"), "os"), "unknown") ||
	       json_find_string(descriptor, "artifactType");
}

static int collect(struct parts *parts, const struct json *index, const char *name, unsigned depth, struct arena *arena,
		   struct candidates *ret, struct error *e)
{
	const struct json *manifests = json_find(index, "manifests");
	int r = 0;

	if (depth > DEPTH_MAX)
		return error_refuse(e, ERROR_LIMIT, "%s: indexes within indexes, more than %d deep", parts->name,
				    DEPTH_MAX);
	for (size_t i = 0; !r && i < json_count(manifests); i++) {
		const struct json *descriptor = json_at(manifests, i), *platform = json_find(descriptor, "platform");
		const char *type = json_find_string(descriptor, "mediaType") ?: "";
		const char *digest = json_find_string(descriptor, "digest");
		const char *own = name_of(descriptor) ?: name;

		if (is_artifact(descriptor))
			continue;
		if (str_equal(type, index_type) || str_equal(type, list_type)) {
			auto_free char *text = NULL;
			auto_json *json = NULL;
			size_t size;

			r = read_blob(parts, digest, &text, &size, e) ?: json_read(text, size, "index", &json, e) ?:
			    collect(parts, json, own, depth + 1, arena, ret, e);
			continue;
		}
		if (ret->n == ARRAY_SIZE(ret->list))
			return error_refuse(e, ERROR_LIMIT, "%s: more than %zu images", parts->name,
					    ARRAY_SIZE(ret->list));
		ret->list[ret->n++] = (struct candidate){
		    .digest = digest ? arena_strdup(arena, digest) : NULL,
		    .name = own ? arena_strdup(arena, own) : NULL,
		    .os =
			json_find_string(platform, "os") ? arena_strdup(arena, json_find_string(platform, "os")) : NULL,
		    .architecture = json_find_string(platform, "architecture")
					? arena_strdup(arena, json_find_string(platform, "architecture"))
					: NULL,
		    .variant = json_find_string(platform, "variant")
				   ? arena_strdup(arena, json_find_string(platform, "variant"))
				   : NULL,
		};
	}
	return r;
}

/* 0: no; 1: perhaps, it does not say; 2: another variant; 3: yes. */
static int match_platform(const struct candidate *candidate, const struct platform *platform)
{
	if (!candidate->os || !candidate->architecture)
		return 1;
	if (!str_equal(candidate->os, platform->os) || !str_equal(candidate->architecture, platform->architecture))
		return 0;
	return !platform->variant || !candidate->variant || str_equal(platform->variant, candidate->variant) ? 3 : 2;
}

static int refuse_platform(const struct parts *parts, const struct candidates *all, const struct platform *platform,
			   struct error *e)
{
	auto_str there = STR_INIT;

	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].os)
			str_addf(&there, "%s%s/%s%s%s", there.size ? ", " : "", all->list[i].os,
				 all->list[i].architecture, all->list[i].variant ? "/" : "",
				 all->list[i].variant ?: "");
	return error_refuse(e, ERROR_NOT_FOUND, "%s has no image for %s/%s%s%s; it has %s (--platform)", parts->name,
			    platform->os, platform->architecture, platform->variant ? "/" : "", platform->variant ?: "",
			    str_peek(&there));
}

/* Of every name the one for the platform. */
static int choose(struct work *work, struct parts *parts, const struct candidates *all, struct candidates *ret,
		  struct error *e)
{
	ret->n = 0;
	for (size_t i = 0; i < all->n; i++) {
		const struct candidate *best = NULL;
		bool before = false;
		int score = 0;

		for (size_t j = 0; j < i; j++)
			before = before || str_equal(all->list[j].name, all->list[i].name);
		if (before)
			continue;
		for (size_t j = i; j < all->n; j++) {
			int match = match_platform(&all->list[j], &work->platform);

			if (str_equal(all->list[j].name, all->list[i].name) && match > score) {
				score = match;
				best = &all->list[j];
			}
		}
		/* The only image there is is taken as it is, unless another was asked for. */
		if (!best && all->n == 1 && !work->import->platform)
			best = &all->list[i];
		if (!best)
			return refuse_platform(parts, all, &work->platform, e);
		ret->list[ret->n++] = *best;
	}
	return 0;
}

/* "latest" alone is a tag of what the source is called; anything with a name in it is itself. */
static const char *name_candidate(struct work *work, const struct candidate *candidate)
{
	const char *name = candidate->name;

	if (!name || !*name)
		return work->base;
	if (strpbrk(name, "/:") || !work->base)
		return name;
	return arena_format(work->arena, "%s:%s", work->base, name);
}

static int select_candidates(struct work *work, struct parts *parts, struct candidates *list, struct error *e)
{
	auto_str names = STR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const char *name = name_candidate(work, &list->list[i]);

		str_addf(&names, "%s'%s'", i ? ", " : "", list->list[i].name ?: name ?: "(no name)");
		if (!work->import->select || str_equal(work->import->select, list->list[i].name) ||
		    str_equal(work->import->select, name))
			list->list[n++] = list->list[i];
	}
	if (!n && !list->n)
		return error_refuse(e, ERROR_INVALID, "%s holds no image", parts->name);
	list->n = n;
	if (!n)
		return error_refuse(e, ERROR_NOT_FOUND, "%s has no image '%s'; it has %s", parts->name,
				    work->import->select, str_peek(&names));
	if (n > 1 && work->import->reference)
		return error_refuse(e, ERROR_USAGE, "%s has several images: --select one of %s", parts->name,
				    str_peek(&names));
	return 0;
}

static int import_manifest(struct work *work, struct parts *parts, const struct candidate *candidate, struct error *e)
{
	auto_free char *manifest_text = NULL, *config = NULL;
	const char *name = work->import->reference ?: name_candidate(work, candidate);
	const struct json *layers;
	struct source *sources;
	auto_json *manifest = NULL;
	struct image image = {0};
	size_t size, config_size;
	int r;

	if (!name)
		return need_name(work, &name, e);
	r = read_blob(parts, candidate->digest, &manifest_text, &size, e)
		?: json_read(manifest_text, size, "manifest", &manifest, e);
	if (r)
		return r;
	layers = json_find(manifest, "layers");
	if (!image_config_digest(manifest))
		return error_refuse(e, ERROR_INVALID, "%s: manifest %s is not one of an image", parts->name,
				    candidate->digest);
	r = read_blob(parts, image_config_digest(manifest), &config, &config_size, e)
		?: image_parse_config(config, config_size, work->arena, &image, e)
		?: compare_platform(work, &image, candidate->os, name, e);
	if (r)
		return r;
	if (json_count(layers) != image.n_layers)
		return error_refuse(e, ERROR_INVALID, "%s: manifest %s names %zu layers, and its configuration %zu",
				    parts->name, candidate->digest, json_count(layers), image.n_layers);
	sources = arena_array(work->arena, struct source, image.n_layers + 1);
	for (size_t i = 0; i < image.n_layers; i++) {
		const char *hex = store_digest_hex(json_find_string(json_at(layers, i), "digest"));

		if (!hex)
			return error_refuse(e, ERROR_UNSUPPORTED,
					    "%s: layers[%zu] of manifest %s has no SHA-256 digest", parts->name, i,
					    candidate->digest);
		sources[i].blob = arena_strdup(work->arena, hex);
		sources[i].part = arena_format(work->arena, "blobs/sha256/%s", hex);
	}
	return take_image(work, parts, &image, sources, manifest_text, size, config, config_size, &name, 1, e);
}

static int import_layout(struct work *work, struct parts *parts, struct error *e)
{
	auto_free struct candidates *all = calloc(1, sizeof(*all)), *chosen = calloc(1, sizeof(*chosen));
	auto_free char *text = NULL;
	auto_json *index = NULL;
	size_t size;
	int r;

	if (!all || !chosen)
		return error_system(e, ENOMEM, "import");
	r = parts_read(parts, "index.json", &text, &size, e) ?: json_read(text, size, "index.json", &index, e) ?:
	    collect(parts, index, NULL, 0, work->arena, all, e) ?: choose(work, parts, all, chosen, e) ?:
	    select_candidates(work, parts, chosen, e);
	for (size_t i = 0; !r && i < chosen->n; i++)
		r = import_manifest(work, parts, &chosen->list[i], e);
	return r;
}

/* ---- docker archives ---- */

static int import_docker_image(struct work *work, struct parts *parts, const struct json *entry, struct error *e)
{
	const struct json *tags = json_find(entry, "RepoTags"), *layers = json_find(entry, "Layers");
	const char *config_part = json_find_string(entry, "Config"), *names[IMAGES_MAX];
	auto_free char *config = NULL;
	struct source *sources;
	struct image image = {0};
	char hex[STORE_HEX_SIZE];
	size_t size, n_names = 0;
	int r;

	if (!config_part)
		return error_refuse(e, ERROR_INVALID, "%s: manifest.json names no configuration", parts->name);
	r = parts_read(parts, config_part, &config, &size, e)
		?: image_parse_config(config, size, work->arena, &image, e);
	if (r)
		return r;
	/* Docker names it after its digest. */
	digest_hex(config, size, hex);
	if (strlen(config_part) == STORE_HEX_SIZE + 4 &&
	    strspn(config_part, "0123456789abcdef") == STORE_HEX_SIZE - 1 &&
	    memcmp(config_part, hex, STORE_HEX_SIZE - 1))
		return error_refuse(e, ERROR_INVALID, "%s: '%s' was altered: its SHA-256 is %s", parts->name,
				    config_part, hex);
	if (json_count(layers) != image.n_layers)
		return error_refuse(e, ERROR_INVALID, "%s: manifest.json names %zu layers, and '%s' %zu", parts->name,
				    json_count(layers), config_part, image.n_layers);
	sources = arena_array(work->arena, struct source, image.n_layers + 1);
	for (size_t i = 0; i < image.n_layers; i++) {
		const char *part = json_string_peek(json_at(layers, i));

		if (!part)
			return error_refuse(e, ERROR_INVALID, "%s: manifest.json: layer %zu has no name", parts->name,
					    i + 1);
		sources[i].part = arena_strdup(work->arena, part);
	}
	if (work->import->reference)
		names[n_names++] = work->import->reference;
	else
		for (size_t i = 0; i < json_count(tags) && n_names < IMAGES_MAX; i++)
			if (json_string_peek(json_at(tags, i)))
				names[n_names++] = arena_strdup(work->arena, json_string_peek(json_at(tags, i)));
	if (!n_names) {
		r = need_name(work, &names[0], e);
		n_names = 1;
	}
	return r ?: compare_platform(work, &image, false, names[0], e) ?:
		    take_image(work, parts, &image, sources, NULL, 0, config, size, names, n_names, e);
}

static bool has_tag(const struct json *entry, const char *name)
{
	const struct json *tags = json_find(entry, "RepoTags");

	for (size_t i = 0; i < json_count(tags); i++)
		if (str_equal(json_string_peek(json_at(tags, i)), name))
			return true;
	return false;
}

static int import_docker(struct work *work, struct parts *parts, struct error *e)
{
	auto_free char *text = NULL;
	auto_str names = STR_INIT;
	auto_json *manifest = NULL;
	size_t size, n = 0;
	int r =
	    parts_read(parts, "manifest.json", &text, &size, e) ?: json_read(text, size, "manifest.json", &manifest, e);

	for (size_t i = 0; !r && i < json_count(manifest); i++) {
		const char *tag = json_string_peek(json_at(json_find(json_at(manifest, i), "RepoTags"), 0));

		str_addf(&names, "%s'%s'", i ? ", " : "", tag ?: "(no name)");
		n += !work->import->select || has_tag(json_at(manifest, i), work->import->select);
	}
	if (!r && !json_count(manifest))
		r = error_refuse(e, ERROR_INVALID, "%s holds no image", parts->name);
	if (!r && !n)
		r = error_refuse(e, ERROR_NOT_FOUND, "%s has no image '%s'; it has %s", parts->name,
				 work->import->select, str_peek(&names));
	if (!r && n > 1 && work->import->reference)
		r = error_refuse(e, ERROR_USAGE, "%s has several images: --select one of %s", parts->name,
				 str_peek(&names));
	for (size_t i = 0; !r && i < json_count(manifest); i++)
		if (!work->import->select || has_tag(json_at(manifest, i), work->import->select))
			r = import_docker_image(work, parts, json_at(manifest, i), e);
	return r;
}

/* ---- what is it? ---- */

static bool is_layout(struct parts *parts)
{
	return parts_has(parts, "oci-layout") && parts_has(parts, "index.json");
}

static int import_folder(struct work *work, int folder, struct error *e)
{
	struct layer_job job = LAYER_JOB_INIT;
	struct layer_jobs jobs = {.jobs = &job, .n = 1};
	auto_parts parts = PARTS_INIT;
	const char *name;
	int r = parts_open_folder(folder, work->import->source, &parts, e);

	if (r || is_layout(&parts))
		return r ?: import_layout(work, &parts, e);
	job.folder = folder;
	job.name = work->import->source;
	r = need_name(work, &name, e) ?: run_jobs(work, &jobs, e) ?: write_plain(work, job.id, name, e);
	layer_jobs_close(work->store, &jobs);
	return r;
}

static bool is_plain_tar(int file)
{
	char block[512];

	return pread(file, block, sizeof(block), 0) == sizeof(block) && !memcmp(block + 257, "ustar", 5);
}

static int import_parts(struct work *work, struct parts *parts, struct error *e)
{
	if (is_layout(parts))
		return import_layout(work, parts, e);
	if (parts_has(parts, "manifest.json"))
		return import_docker(work, parts, e);
	return error_refuse(e, ERROR_INVALID,
			    "%s looks like an archive of images, but has neither index.json nor "
			    "manifest.json",
			    parts->name);
}

/* A stream; what turns out to be an archive of images lies in the spool then, without compression. */
static int import_stream(struct work *work, int *file, bool may_spool, struct error *e)
{
	struct layer_job job = LAYER_JOB_INIT;
	struct layer_jobs jobs = {.jobs = &job, .n = 1};
	const char *name = NULL;
	struct stat st;
	int r;

	job.fd = take_fd(file);
	job.name = work->import->source;
	job.may_spool = may_spool;
	if (!fstat(job.fd, &st) && S_ISREG(st.st_mode))
		job.size = st.st_size;
	if (S_ISREG(st.st_mode) && !st.st_size)
		r = error_refuse(e, ERROR_INVALID, "%s is empty", work->import->source);
	else
		r = run_jobs(work, &jobs, e);
	if (!r && job.result.kind == UNPACK_SPOOLED) {
		auto_parts parts = PARTS_INIT;
		int spool = take_fd(&job.spool);

		layer_jobs_close(work->store, &jobs);
		r = parts_open_file(spool, work->import->source, &work->import->limits, &parts, e)
			?: import_parts(work, &parts, e);
		fd_close(spool);
		return r;
	}
	r = r ?: need_name(work, &name, e) ?: write_plain(work, job.id, name, e);
	layer_jobs_close(work->store, &jobs);
	return r;
}

static int import_file(struct work *work, int *file, struct error *e)
{
	auto_parts parts = PARTS_INIT;
	int r;

	if (!is_plain_tar(*file))
		return import_stream(work, file, true, e);
	r = parts_open_file(*file, work->import->source, &work->import->limits, &parts, e);
	if (r)
		return r;
	if (is_layout(&parts) || parts_has(&parts, "manifest.json"))
		return import_parts(work, &parts, e);
	return import_stream(work, file, false, e);
}

static int import_source(struct work *work, struct error *e)
{
	const char *source = work->import->source;
	auto_fd fd = -1;
	struct stat st;

	if (str_equal(source, "-"))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = openat(AT_FDCWD, source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_system(e, errno, "open '%s'", source);
	if (fstat(fd, &st) < 0)
		return error_system(e, errno, "look at '%s'", source);
	if (S_ISDIR(st.st_mode))
		return import_folder(work, fd, e);
	if (S_ISREG(st.st_mode))
		return import_file(work, &fd, e);
	return import_stream(work, &fd, true, e);
}

int image_import(const struct store *store, const struct image_import *import, struct arena *arena, struct image **ret,
		 size_t *ret_n, struct error *e)
{
	auto_free struct image_pin *pin = calloc(1, sizeof(*pin));
	struct work work = {.store = store, .import = import, .arena = arena, .pin = pin};
	const char *normal;
	int r = pin ? 0 : error_system(e, ENOMEM, "import");

	work.base = find_base(import->source, arena);
	if (!r && import->reference)
		r = image_normalize(import->reference, arena, &normal, e);
	r = r ?: parse_platform(&work, e) ?: pin_open(store, pin, e);
	if (r)
		return r;
	r = import_source(&work, e);
	if (!r)
		*ret = arena_array(arena, struct image, work.n_references + 1);
	for (size_t i = 0; !r && i < work.n_references; i++)
		r = image_load(store, work.references[i], arena, &(*ret)[i], e);
	*ret_n = work.n_references;
	pin_close(store, pin);
	return r;
}
