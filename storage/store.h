/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data folder: images, instances and volumes.
 *
 *	blobs/sha256/HEX	manifests and configurations of images; what HEX says they are
 *	layers/HEX/		an unpacked layer; HEX is the SHA-256 of its uncompressed tar (storage/layer.h)
 *	merged/HEX/		the layers of an image as one (storage/merged.h)
 *	images/REFERENCE	one small file per name of an image (storage/image.h)
 *	instances/NAME/		instances/; root.json in there says which layers it needs
 *	volumes/NAME/
 *	tmp/			what is being made, each entry locked by who makes it
 *
 * Everything is made in tmp/, written to the disk and then renamed to where it belongs: what is there is whole.  There is no
 * lock over the store.  An entry of tmp/ that nobody holds the lock of was left by somebody who died; the next who makes one
 * sweeps it away.  What nothing refers to is removed by image_prune() alone, under the lock of the single layer.
 *
 * Nothing is made before it is needed; folders are 0700.  Names below the data folder are looked up on descriptors.
 */
#ifndef HOLM_STORAGE_STORE_H
#define HOLM_STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct store {
	int fd;		  /* the data folder, O_RDONLY | O_DIRECTORY; -1: there is none (everything in it: not found) */
	const char *path; /* for errors; borrowed */
	bool rootless;	  /* not the host's root: marks of overlayfs are user.overlay.* instead of trusted.overlay.* */
};

#define STORE_INIT ((struct store){.fd = -1})
#define auto_store __attribute__((cleanup(store_close))) struct store

/*
 * path: struct runtime.data, absolute.  make: made where it is missing, with what is above it; else a missing one gives fd
 * -1, as which it is empty.  A data folder of somebody else, or one that others can write to, is refused (ERROR_PERMISSION).
 */
int store_open(const char *path, bool make, struct store *ret, struct error *e) must_check;
void store_close(struct store *store);

/*
 * Opens a folder in it ("layers", "instances", "volumes/data"), O_RDONLY | O_DIRECTORY; the caller closes it.  make: made 0700
 * where missing (one component at a time); else -ENOENT and ERROR_NOT_FOUND.
 */
int store_open_folder(const struct store *store, const char *name, bool make, int *ret_fd, struct error *e) must_check;

/*
 * Calls each for what lies in a folder of the store, in no order, until one fails; names that begin with a dot are left
 * out, as nothing of the store does.  A missing folder is empty.
 */
int store_each_entry(const struct store *store, const char *name,
		     int (*each)(int folder, const char *name, void *data, struct error *e), void *data,
		     struct error *e) must_check;

/* ---- what is being made ---- */

/* tmp/NAME, a folder 0700, its lock held by fd (flock(2)).  It goes with store_tmp_drop(), also after a success. */
struct store_tmp {
	int fd; /* -1: none */
	char name[80];
};

#define STORE_TMP_INIT ((struct store_tmp){.fd = -1})

/* kind: the beginning of its name, [a-z]+.  Sweeps what others left behind. */
int store_tmp_make(const struct store *store, const char *kind, struct store_tmp *ret, struct error *e) must_check;

/*
 * The one entry of this name that everybody uses who makes the same thing: -EAGAIN (without an error text) while another
 * holds it.  What a dead one left in it is gone.
 */
int store_tmp_claim(const struct store *store, const char *name, struct store_tmp *ret, struct error *e) must_check;

/*
 * The entry, which must be on the disk (syncfs), becomes dirfd/name; fd stays open and locked.  -EEXIST (no error text) when
 * there is one of that name that is not an empty folder.
 */
int store_tmp_publish(const struct store *store, struct store_tmp *tmp, int dirfd, const char *name,
		      struct error *e) must_check;

/* Removes it and all that is in it, unless it was published; takes STORE_TMP_INIT. */
void store_tmp_drop(const struct store *store, struct store_tmp *tmp);

/* Removes every entry of tmp/ that nobody makes any more; ret_n (may be NULL): how many. */
int store_sweep(const struct store *store, size_t *ret_n, struct error *e) must_check;

/* ---- what is kept ---- */

enum { STORE_HEX_SIZE = 65, STORE_BLOB_MAX = 8 << 20 };

/*
 * FOLDER/HEX/ of the data folder: whole from the moment it is there, and kept for as long as somebody's pin needs it.  Who begins to
 * use one writes a pin first, and then calls store_confirm(); who removes takes its lock, and then looks for pins.
 */
struct store_kind {
	const char *folder, *noun;
};

/* Opens FOLDER/HEX/name; ERROR_NOT_FOUND: there is none. */
int store_open_in(const struct store *store, const struct store_kind *kind, const char *id, const char *name, int flags,
		  int *ret_fd, struct error *e) must_check;

/* After the pin is written: it is there and stays.  ERROR_NOT_FOUND: it was removed before the pin. */
int store_confirm(const struct store *store, const struct store_kind *kind, const char *id, struct error *e) must_check;

/* -EAGAIN (no error text): somebody holds its lock, or needs it: is_needed is asked under the lock. */
int store_remove(const struct store *store, const struct store_kind *kind, const char *id,
		 int (*is_needed)(const char *id, bool *ret, void *data, struct error *e), void *data,
		 struct error *e) must_check;

/* ---- trees ---- */

/*
 * Removes dirfd/name and all below it, of whatever depth, with a constant number of descriptors, without following anything.
 * No error when it is not there.  0 or -errno (the first).
 */
int store_remove_tree(int dirfd, const char *name) must_check;

/* Bytes on the disk and files below a folder (hard links once); 0 or -errno. */
int store_measure_tree(int dirfd, const char *name, uint64_t *ret_bytes, uint64_t *ret_files) must_check;

/* ---- blobs ---- */

/* 64 lower-case hexadecimal digits, and nothing after them. */
bool store_is_hex(const char *s);

/* The hex of "sha256:HEX", borrowed; NULL: another algorithm, or no digest. */
const char *store_digest_hex(const char *digest);

/* Writes a blob (on the disk when this returns) and says what it is called.  One that is there already is left. */
int store_write_blob(const struct store *store, const void *data, size_t size, char ret_hex[STORE_HEX_SIZE],
		     struct error *e) must_check;

/* malloc'd and NUL-terminated; verified: ERROR_INVALID when its content is not what its name says. */
int store_read_blob(const struct store *store, const char *hex, char **ret_data, size_t *ret_size,
		    struct error *e) must_check;

#endif
