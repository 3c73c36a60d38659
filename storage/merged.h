/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs of small layers as one layer each: merged/HEX/ of the data folder, for images of so many layers that each start would feel them.
 *
 *	merged.json	the image's layers, whose ids' SHA-256 HEX is, and which of them follow each other as a run
 *	N/		the tree of the run that begins with layer N: a layer that shows what the run's layers show together
 *
 * The two largest layers stay as they are, and more where a copy of the others would be larger than 16 MiB; what lies between those that
 * stay becomes a run.  So a root of a hundred layers has five lowers for the kernel to set up.  Contents of small layers are on the disk,
 * and in the page cache, once more for each such image.
 *
 * It can always be done without: it is no part of what an instance names in root.json, but goes when no image and no instance with
 * these layers is left.
 */
#ifndef HOLM_STORAGE_MERGED_H
#define HOLM_STORAGE_MERGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/store.h"

/* Fewer layers are ready in 0.3 ms as they are. */
enum { MERGED_LAYERS_MIN = 16, MERGED_KEPT_MIN = 2, MERGED_BYTES_MAX = 16 << 20 };

struct merged_run {
	size_t first, n; /* layers */
};

struct merged {
	struct merged_run *runs; /* lowest first */
	size_t n_runs;
	size_t n_saved; /* lowers fewer than layers */
	int folder;	/* merged/HEX */
};

#define MERGED_INIT ((struct merged){.folder = -1})
#define auto_merged __attribute__((cleanup(merged_close))) struct merged

/* layers: hex ids, lowest first.  false: so few are never merged. */
bool merged_print_id(const char *const *layers, size_t n, char ret[STORE_HEX_SIZE]);

/*
 * Makes the trees of layers that are there and pinned, if there are enough of them and nobody has made them yet.  What can't be merged
 * (so many layers are large that fewer than half would be saved, folders are too deep, an ordinary user's own are closed to it) is no error: there are no trees then.
 */
int merged_make(const struct store *store, const char *const *layers, size_t n, struct error *e) must_check;

/* After a pin of these layers is written: from here on it stays, if there is one. */
void merged_confirm(const struct store *store, const char *const *layers, size_t n);

/* -ENOENT (no error text): there is nothing that can be used. */
int merged_open(const struct store *store, const char *const *layers, size_t n, struct merged *ret) must_check;
void merged_close(struct merged *merged);

/* The run whose highest layer it is, borrowed, or NULL; its tree, O_PATH. */
const struct merged_run *merged_find_run(const struct merged *merged, size_t layer);
int merged_open_tree(const struct merged *merged, const struct merged_run *run, int *ret_fd,
		     struct error *e) must_check;

/* Bytes that it takes on the disk; 0: there is none. */
uint64_t merged_measure(const struct store *store, const char *const *layers, size_t n);

/* Whether it can be what its id says, and all its layers are there. */
int merged_check(const struct store *store, const char *id, struct error *e) must_check;

/* Like layer_remove(); *ret_bytes: what that frees. */
int merged_remove(const struct store *store, const char *id, bool pretend,
		  int (*is_needed)(const char *id, bool *ret, void *data, struct error *e), void *data,
		  uint64_t *ret_bytes, struct error *e) must_check;

#endif
