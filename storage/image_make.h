/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations and manifests that are ours: for what came without them, for commits and for exports.
 */
#ifndef HOLM_STORAGE_IMAGE_MAKE_H
#define HOLM_STORAGE_IMAGE_MAKE_H

#include "storage/image.h"

struct image_new {
	const char *os, *architecture, *variant;
	const char *author, *comment, *created_by; /* NULL: none; created_by is for the history */
	const struct image_config *config;	   /* NULL: parent's; without one, nothing */
	const char *parent;			   /* JSON of the configuration it begins with; NULL: none */
	size_t parent_size;
	const char **layers;	/* diff ids (hex) of all layers, lowest first */
	size_t n_layers, n_new; /* n_new: how many of them the parent does not have */
};

/* The JSON of a configuration, malloc'd. */
int image_make_config(const struct image_new *image, char **ret, struct error *e) must_check;

/* The JSON of an OCI manifest with layers as plain tars, malloc'd; the layers are in the store. */
int image_make_manifest(const struct store *store, const char *config_hex, size_t config_size,
			const char *const *layers, size_t n_layers, char **ret, struct error *e) must_check;

/* This machine as images name it: "amd64", "arm64", ...; variant "" where there is none. */
const char *image_machine(const char **ret_variant);

#endif
