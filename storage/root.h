/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root file system of an instance: read-only layers below, one folder above for all that the instance writes.
 *
 *	DATA/instances/NAME/	0700
 *	  root.json		what follows, as struct root; written as a whole, never inside what the instance can write
 *	  upper/, work/		overlayfs' own two folders
 *	  disk.img		instead of them, where a size is kept by a file system of its own: upper/ and work/ are in it
 *	DATA/pushes/ID/tree	an upper that was frozen by a snapshot; root.json names those that lie below upper/
 *
 * What lies below is one of: the layers of an image (pinned by root.json, storage/layer.h), an image file (squashfs or erofs)
 * that is mounted as it is, or a folder of the host.
 *
 * Ids on the disk are those of the container, whatever user namespace it is in: layers and upper are idmapped for it, so
 * nothing is ever chowned, siblings with other mappings share every byte, and a snapshot does not depend on mappings.
 *
 * root_open() mounts nothing anywhere: it returns a detached mount, which init attaches in the instance's own mount
 * namespace.  Life: root_create() once, root_open() at every start, root_remove() at the end.  Who calls create, resize, save
 * or remove holds the instance's lock (or is the only one to know the folder).
 *
 * Functions return 0 or -errno with *e filled; folders are borrowed descriptors of DATA/instances/NAME.
 */
#ifndef HOLM_STORAGE_ROOT_H
#define HOLM_STORAGE_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "storage/quota.h"
#include "storage/store.h"

struct image;

#define ROOT_RECORD "root.json"
#define ROOT_UPPER "upper"
#define ROOT_WORK "work"
#define ROOT_DISK "disk.img"
#define ROOT_PUSHES "pushes"
#define ROOT_TREE "tree"

/* root.json.  Strings live in an arena; NULL: absent. */
struct root {
	const char *image;   /* reference as it was asked for */
	const char *digest;  /* of the manifest it stood for: "sha256:HEX" */
	const char **layers; /* diff ids, lowest first */
	size_t n_layers;
	size_t first;	     /* of them that shows: its opaque top hides those below */
	const char *file;    /* or: an image file, absolute */
	const char *folder;  /* or: a folder of the host, absolute */
	const char **pushes; /* frozen uppers above those, lowest first: DATA/pushes/ID/tree */
	size_t n_pushes;
	int64_t size;	      /* bytes that the instance may write; 0: no limit */
	uint64_t inodes;      /* likewise files */
	enum quota_way quota; /* how they are kept */
	uint32_t project;     /* QUOTA_PROJECT: the project id of upper/ and work/; 0: none */
	const char *boot;     /* volatile: the boot in which upper/ was written last */
};

/* What is asked for.  At most one of image, file and folder; an image that begins with '/' is a file. */
struct root_request {
	const char *image, *folder;
	const struct image *loaded; /* that image, by who has loaded it already; borrowed; NULL: it is loaded */
	int64_t size;
	uint64_t inodes;
	bool is_volatile; /* it will be opened so */
};

/*
 * Makes upper/, work/ (or disk.img) and root.json in the folder, which may still lie in DATA/tmp.  The image must be there;
 * its layers are pinned from here on.  name is for errors.  ERROR_UNSUPPORTED: limits were asked for that this host can't keep.
 * A failure leaves nothing of its own.
 */
int root_create(const struct store *store, int folder, const char *name, const struct root_request *request,
		struct error *e) must_check;

/* The same on what lies below another instance: layers or folder, pushes (which the caller confirms), limits. */
int root_create_like(const struct store *store, int folder, const char *name, const struct root *like,
		     struct error *e) must_check;

bool root_exists(int folder);

/* ERROR_NOT_FOUND: no root.json; ERROR_INVALID: it can't be understood. */
int root_load(int folder, struct arena *arena, struct root *ret, struct error *e) must_check;
int root_save(int folder, const struct root *root, struct error *e) must_check;

struct root_limits {
	int64_t size;
	uint64_t inodes;
};

/* How it is to be seen this time. */
struct root_view {
	const struct root_limits *limits; /* as they are to be from now on, see root_resize(); NULL: as they are */
	int user_namespace; /* of the container, once it has its mappings; borrowed; -1: it has none of its own */
	bool read_only;	    /* nothing is kept: mount points that init has to make go into memory */
	bool is_volatile;   /* nothing is flushed to the disk; what was written is gone after a crash of the host */
	bool
	    is_bare; /* with read_only: nothing is mounted in it, holm alone reads.  One layer is then itself the tree */
};

/*
 * A detached overlay, ready to be attached; the caller closes it.  upper must not be in use by another container.  By root the
 * overlay is the host's, with idmapped layers; by an ordinary user (store->rootless) it is made by a child inside user_namespace.
 */
int root_open(const struct store *store, int folder, const struct root_view *view, int *ret_tree,
	      struct error *e) must_check;

/*
 * The folder that the instance writes to, O_RDONLY | O_DIRECTORY, also while it runs: everything in it is hostile.  By root,
 * inside the disk image where there is one.
 */
int root_open_upper(const struct store *store, int folder, const struct root *root, int *ret_fd,
		    struct error *e) must_check;

/* Every folder below upper, highest first, as O_PATH | O_DIRECTORY; each may take it (take_fd).  An image file comes as a
 * detached mount. */
int root_each_lower(const struct store *store, const struct root *root,
		    int (*each)(int *fd, const char *name, void *data, struct error *e), void *data,
		    struct error *e) must_check;

/* An upper/ and work/ that are new and empty take the place of those that were renamed away, with the same limits. */
int root_renew_upper(const struct store *store, int folder, const struct root *root, struct error *e) must_check;

/* Other limits, also while it runs; -1 for size and UINT64_MAX for inodes: as it is.  0: none. */
int root_resize(const struct store *store, int folder, int64_t size, uint64_t inodes, struct error *e) must_check;

struct root_use {
	uint64_t bytes, inodes; /* the instance's own, on the disk */
	uint64_t shared;	/* bytes of what lies below it */
	bool exact;		/* counted by the file system; else measured by walking */
};

/* shared is 0 for a folder of the host. */
int root_measure(const struct store *store, int folder, struct root_use *ret, struct error *e) must_check;

/*
 * Removes upper/, work/, disk.img and root.json, however hostile their content, and gives the project id back; the rest of the
 * folder is the caller's.  Repeatable.  Nothing to remove is no error.
 */
int root_remove(const struct store *store, int folder, struct error *e) must_check;

/* Calls each for every folder of DATA/instances that has a root, by name; what can't be read comes with broken. */
int root_each(const struct store *store, struct arena *arena,
	      int (*each)(const char *name, int folder, const struct root *root, const struct error *broken, void *data,
			  struct error *e),
	      void *data, struct error *e) must_check;

#endif
