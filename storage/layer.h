/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers: layers/HEX/ of the data folder, HEX being the SHA-256 of the uncompressed tar (the OCI's diff id).
 *
 *	tree/		the unpacked tree, immutable; whiteouts and opaque folders as overlayfs wants them
 *	layer.json	sizes
 *	frame		the tar without the contents of its files: with the tree it gives back the same bytes (storage/frame.h)
 *
 * A layer that exists is whole.  It stays as long as an image, or an instance's root.json, names it.  Who begins to use a
 * layer first writes down that it does (a pin: instances/NAME/root.json, or a reference), and then calls layer_confirm();
 * who removes takes the layer's lock and then looks for pins.  So neither can miss the other, and no lock is shared by more
 * than one layer.
 */
#ifndef HOLM_STORAGE_LAYER_H
#define HOLM_STORAGE_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/store.h"

/* The tree as O_PATH | O_DIRECTORY: what an overlay's lowerdir or open_tree(2) takes.  ERROR_NOT_FOUND: no such layer. */
int layer_open_tree(const struct store *store, const char *id, int *ret_fd, struct error *e) must_check;

/* The frame, to read; empty when the layer has none. */
int layer_open_frame(const struct store *store, const char *id, int *ret_fd, struct error *e) must_check;

/* After the pin is written: the layer is there and stays.  ERROR_NOT_FOUND: it was removed before the pin. */
int layer_confirm(const struct store *store, const char *id, struct error *e) must_check;

/* Nothing of lower layers shows through this folder of a layer, which is open (not O_PATH).  The kernel does not ask that of a tree's top. */
bool layer_is_opaque(int folder);

struct layer_info {
	uint64_t size;	  /* of the uncompressed tar */
	uint64_t disk;	  /* bytes that tree and frame take on the disk, as measured when it was made */
	uint64_t entries; /* members of the tar */
	bool has_frame;	  /* the tar can be given back byte for byte */
};

int layer_load(const struct store *store, const char *id, struct layer_info *ret, struct error *e) must_check;

/* Calls each for every layer there is; its return value, unless 0, ends the walk and is returned. */
int layer_each(const struct store *store, int (*each)(const char *id, void *data, struct error *e), void *data,
	       struct error *e) must_check;

/* ---- making ---- */

/* A layer in the making: an entry of tmp/ with what the layer's folder will have. */
struct layer_work {
	struct store_tmp tmp;
	int tree;  /* O_RDONLY | O_DIRECTORY, empty */
	int frame; /* O_RDWR, empty */
};

#define LAYER_WORK_INIT ((struct layer_work){.tmp = STORE_TMP_INIT, .tree = -1, .frame = -1})

/*
 * Begins a layer; id NULL: it is not known yet.  Each is made once at a time: -EAGAIN (no error text) while another process makes
 * the same; -EEXIST (no error text): there is one.
 */
int layer_begin(const struct store *store, const char *id, struct layer_work *ret, struct error *e) must_check;

/* What layer.json will say; before the work is synced. */
int layer_describe(struct layer_work *work, const struct layer_info *info, struct error *e) must_check;

/*
 * Everything is on the disk (syncfs) and a pin is written: the layer gets its name, and is held until layer_end().  One that
 * somebody else made meanwhile is as good.
 */
int layer_publish(const struct store *store, struct layer_work *work, const char *id, struct error *e) must_check;

/* Closes it, and drops what was not published. */
void layer_end(const struct store *store, struct layer_work *work);

/* Removes a layer that nothing needs: -EAGAIN (no error text) when somebody holds its lock.  is_needed is asked under the lock. */
int layer_remove(const struct store *store, const char *id,
		 int (*is_needed)(const char *id, bool *ret, void *data, struct error *e), void *data,
		 struct error *e) must_check;

#endif
