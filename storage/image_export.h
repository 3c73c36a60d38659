/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images for elsewhere: an OCI layout, as a folder or a tar, that skopeo, Podman, Buildah, umoci and containerd read; Docker reads
 * the tar (it also has the manifest.json of docker archives, which older ones want).
 *
 * Layers are plain tars under their diff ids, byte for byte the tars they came as: the configuration and so the image's id stay
 * the same.  Only a layer whose source replaced one of its own members while it was read has no frame; it is packed anew, has
 * another diff id then, and the image another id.
 */
#ifndef HOLM_STORAGE_IMAGE_EXPORT_H
#define HOLM_STORAGE_IMAGE_EXPORT_H

#include "storage/image.h"

struct image_export {
	const char *const *references;
	size_t n_references;
	const char *target; /* a path; "-": standard output */
	bool folder;	    /* target is a folder, which must be empty or missing */
	void (*progress)(uint64_t bytes, uint64_t total, void *data); /* NULL: nobody looks */
	void *data;
};

/* All or nothing.  ret_changed: images that have another id there than here. */
int image_export(const struct store *store, const struct image_export *export, size_t *ret_changed,
		 struct error *e) must_check;

#endif
