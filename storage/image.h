/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images: a name (a reference), a manifest, a configuration, and layers.
 *
 * A reference is NAME[:TAG], the tag "latest" when there is none; NAME as registries write it ("web", "example.org/a/web").  images/
 * holds one small file per reference that says which manifest it is; the manifest (a blob) names the configuration (a
 * blob), which names the layers by their diff ids.  Manifests are kept as they came, so their digests are those of the source;
 * the compressed layers they name are not kept.
 *
 * Where a reference is looked up, "sha256:HEX", the first digits of an id (at least 6), and the last parts of a name with a
 * registry ("alpine:3" for "registry.example/base/alpine:3"), where they are one image's alone, find it too.
 */
#ifndef HOLM_STORAGE_IMAGE_H
#define HOLM_STORAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "storage/layer.h"
#include "storage/store.h"

/* What an image says about how it wants to be run; nothing of it is trusted: strings are the image's. */
struct image_config {
	const char **entrypoint, **cmd, **env; /* env: "KEY=value" */
	size_t n_entrypoint, n_cmd, n_env;
	const char *user;	    /* "uid[:gid]" or names of the image's own files; NULL: root */
	const char *working_dir;    /* NULL: "/" */
	const char **exposed_ports; /* "80/tcp" */
	size_t n_exposed_ports;
	const char **volumes; /* paths inside */
	size_t n_volumes;
	const char *stop_signal; /* "SIGTERM" or a number; NULL: none */
	const char **labels;	 /* key, value, key, value, ... */
	size_t n_labels;	 /* pairs */
};

struct image {
	const char *reference; /* "web:latest"; NULL: found by digest */
	const char *digest;    /* of the manifest, "sha256:HEX" */
	const char *id;	       /* of the configuration, "sha256:HEX": what Podman and Docker call the image's id */
	const char *os, *architecture, *variant; /* variant NULL: none */
	const char *created;			 /* RFC 3339, as the image says; NULL: it does not */
	const char *author;			 /* NULL: none */
	const char **layers;			 /* diff ids (hex), lowest first */
	size_t n_layers;
	struct image_config config;
};

/* "web" -> "web:latest"; ERROR_USAGE says what a reference may look like. */
int image_normalize(const char *name, struct arena *arena, const char **ret, struct error *e) must_check;

/*
 * Everything about an image; all of it lives in arena.  ERROR_NOT_FOUND with "did you mean".  An image whose layers are
 * missing loads: layer_open_tree() is what fails then.
 */
int image_load(const struct store *store, const char *reference, struct arena *arena, struct image *ret,
	       struct error *e) must_check;

/* Calls each for every reference, by name.  One that can't be read is given with broken instead of an image. */
int image_each(const struct store *store, struct arena *arena,
	       int (*each)(const struct image *image, const char *reference, const struct error *broken, void *data,
			   struct error *e),
	       void *data, struct error *e) must_check;

/* Both names stand for one image afterwards; what target stood for before is without that name. */
int image_tag(const struct store *store, const char *source, const char *target, struct error *e) must_check;

/* The file of images/ that stands for a normalized reference, and back; file has room for IMAGE_FILE_SIZE. */
enum { IMAGE_FILE_SIZE = 256, IMAGE_LAYERS_MAX = 4096 };
void image_print_file(const char *reference, char file[IMAGE_FILE_SIZE]);
void image_read_file(const char *file, char reference[IMAGE_FILE_SIZE]);

/* Writes (or replaces) a reference; digest: "sha256:HEX" of a manifest that is there, with all it needs. */
int image_write_reference(const struct store *store, const char *reference, const char *digest,
			  struct error *e) must_check;

/* Takes the name away, whoever uses it; for the check. */
int image_unlink_reference(const struct store *store, const char *reference, struct error *e) must_check;

/* A configuration, from its JSON, into ret (its os, architecture, layers and config); for blobs that are not in the store yet. */
int image_parse_config(const char *text, size_t size, struct arena *arena, struct image *ret,
		       struct error *e) must_check;

/* The digest of the configuration that a manifest names, or NULL; borrowed from the manifest. */
struct json;
const char *image_config_digest(const struct json *manifest);

/* ---- who uses what ---- */

/*
 * Instances pin what they need in instances/NAME/root.json: {"image": REFERENCE, "digest": "sha256:HEX", "layers": [HEX, ...]}
 * (further members are storage's other parts'): "layers" are all layers that must not go.  Anybody else who pins has an entry in
 * tmp/ with such a file.
 */
struct image_user {
	const char *instance; /* NULL: something that is being made */
	const char *image;    /* reference; NULL: not named */
	const char *digest;   /* of the manifest; NULL: not named */
	const char **layers;
	size_t n_layers;
};

int image_each_user(const struct store *store, int (*each)(const struct image_user *user, void *data, struct error *e),
		    void *data, struct error *e) must_check;

/* ---- less of it ---- */

struct image_freed {
	uint64_t bytes;
	size_t references, layers, blobs, leftovers;
};

/*
 * Takes a reference away, and with the last one of an image all that nothing else needs.  Refused (ERROR_STATE) while
 * instances use it, naming them, unless another reference of the image stays and they did not name this one.
 */
int image_remove(const struct store *store, const char *reference, struct image_freed *ret, struct error *e) must_check;

/*
 * Removes what no reference and no instance needs; references: also references that no instance uses.  pretend: only counts.
 * each (may be NULL) is told what goes: "image web:1", "layer HEX", ....
 */
int image_prune(const struct store *store, bool references, bool pretend,
		void (*each)(const char *what, const char *name, uint64_t bytes, void *data), void *data,
		struct image_freed *ret, struct error *e) must_check;

/*
 * Looks at everything: names, manifests, configurations, layers, pins, leftovers.  content: also reads all layers, and compares
 * them with what their ids say.  repair: removes what is damaged or left over, and names whose images are no longer whole.
 * each is told every finding; ret_left: how many are left.
 */
int image_check(const struct store *store, bool content, bool repair,
		void (*each)(const char *finding, bool repaired, void *data), void *data, size_t *ret_left,
		struct error *e) must_check;

/* The size of an image's layers on the disk, and how much of it other images have too. */
int image_measure(const struct store *store, const struct image *image, uint64_t *ret_disk, uint64_t *ret_shared,
		  struct error *e) must_check;

/* ---- more of it ---- */

/*
 * A new image from a present one and folders that become its uppermost layers, lowest first.  The folders have overlayfs'
 * form (character device 0:0, overlay.opaque) and may be hostile; nobody may write to them meanwhile.
 */
struct image_commit {
	const char *reference; /* replaced when it is there; NULL: it gets no name */
	struct image_pin
	    *pin;	    /* which keeps what was made until the caller closes it; NULL: none, then it has a name */
	const char *parent; /* NULL: from nothing */
	const int *folders; /* O_RDONLY | O_DIRECTORY, borrowed */
	size_t n_folders;
	const struct image_config *config; /* NULL: the parent's */
	const char *author, *comment;	   /* NULL: none */
};

int image_commit(const struct store *store, const struct image_commit *commit, struct arena *arena, struct image *ret,
		 struct error *e) must_check;

#endif
