/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images from elsewhere: an OCI layout (folder or tar), a docker archive, a plain tar of a root, a folder, standard input; tars
 * also compressed by gzip, xz, zstd or bzip2.  What it is is seen from what is in it.
 *
 * All or nothing: a reference is written when everything it needs is in its place and on the disk.  Whatever ends an import,
 * the store is as before, but for layers that were complete and that the next prune removes.
 */
#ifndef HOLM_STORAGE_IMAGE_IMPORT_H
#define HOLM_STORAGE_IMAGE_IMPORT_H

#include "storage/image.h"
#include "storage/layer_jobs.h"

struct image_import {
	const char *source;		   /* a path; "-": standard input */
	const char *reference;		   /* NULL: as the archive says, or after the source */
	const char *select;		   /* of several images in an archive the one of this name; NULL: all */
	const char *platform;		   /* "OS/ARCHITECTURE[/VARIANT]"; NULL: this machine's */
	const struct image_config *config; /* what an image from a plain root says; NULL: nothing */
	struct unpack_limits limits;
	unsigned parallel; /* 0: as many as processors */
	bool no_devices;
	void (*progress)(const struct layer_progress *progress, void *data); /* NULL: nobody looks */
	void *data;
};

/* ret: the images, by reference, in arena. */
int image_import(const struct store *store, const struct image_import *import, struct arena *arena, struct image **ret,
		 size_t *ret_n, struct error *e) must_check;

#endif
