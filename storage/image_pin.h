/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must not be removed while an image is being made: an entry of tmp/ with a root.json, as instances have.
 */
#ifndef HOLM_STORAGE_IMAGE_PIN_H
#define HOLM_STORAGE_IMAGE_PIN_H

#include "base/arena.h"
#include "storage/store.h"

struct image_pin {
	struct store_tmp tmp;
	struct arena arena;
	const char *layers[4096], *blobs[256];
	size_t n_layers, n_blobs;
};

/* Large: on the heap, zeroed. */
int pin_open(const struct store *store, struct image_pin *pin, struct error *e) must_check;
int pin_add_layers(struct image_pin *pin, const char *const *ids, size_t n, struct error *e) must_check;
int pin_add_blob(struct image_pin *pin, const char *hex, struct error *e) must_check;
/* Counts from when this returns. */
int pin_write(const struct store *store, struct image_pin *pin, struct error *e) must_check;
void pin_close(const struct store *store, struct image_pin *pin);

#endif
