/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes: folders that outlive instances, and mounts made from what people write.
 *
 *	DATA/volumes/NAME/	0700
 *	  volume.json		when it was made, labels, limits
 *	  data/			what is mounted, 0755 of the container's root (id 0) at first; its content is hostile
 *
 * A mount is written SOURCE:TARGET[:OPTION,...].  SOURCE is the name of a volume, or a path of the host that begins with '/', './'
 * or '../'.  Options are those of mounts in config.json (ro, nosuid, nodev, noexec, rro, idmap, rslave, ...).  In config.json
 * such a mount is an ordinary bind mount: nothing else has to be known to start the container.
 */
#ifndef HOLM_STORAGE_VOLUME_H
#define HOLM_STORAGE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/spec.h"
#include "storage/quota.h"
#include "storage/store.h"

struct volume {
	const char *name, *path; /* path: of data/, absolute */
	const char *created;	 /* RFC 3339, UTC */
	struct spec_pair *labels;
	size_t n_labels;
	int64_t size; /* 0: no limit */
	uint64_t inodes;
	uint32_t project; /* 0: none */
};

struct volume_request {
	const char *name;
	struct spec_pair *labels;
	size_t n_labels;
	int64_t size;
	uint64_t inodes;
};

/* ERROR_EXISTS; ERROR_UNSUPPORTED: a limit on a file system without project quotas. */
int volume_create(const struct store *store, const struct volume_request *request, struct error *e) must_check;

/* ERROR_NOT_FOUND says which name is similar. */
int volume_load(const struct store *store, const char *name, struct arena *arena, struct volume *ret,
		struct error *e) must_check;

/* By name; a broken one comes with its error and only its name. */
int volume_each(const struct store *store, struct arena *arena,
		int (*each)(const struct volume *volume, const struct error *broken, void *data, struct error *e),
		void *data, struct error *e) must_check;

/* The instances whose config.json mounts it, by name. */
int volume_users(const struct store *store, const char *name, struct arena *arena, const char *const **ret,
		 size_t *ret_n, struct error *e) must_check;

/* Refused (ERROR_STATE) while instances mount it, naming them. */
int volume_remove(const struct store *store, const char *name, struct error *e) must_check;

/* Bytes and files of its content. */
int volume_measure(const struct store *store, const char *name, uint64_t *ret_bytes, uint64_t *ret_files,
		   struct error *e) must_check;

/*
 * SOURCE:TARGET[:OPTION,...] as a mount, ready for struct spec and for spec_encode(); all of it lives in arena.  A path of the host
 * must exist; a relative one is relative to the current folder.
 */
enum {
	VOLUME_MAKE = 1,   /* a volume that is not there is made */
	VOLUME_MAPPED = 2, /* the container has a user namespace: ids on a volume are the container's (option idmap) */
};

int volume_mount(const struct store *store, const char *text, unsigned flags, struct arena *arena,
		 struct spec_mount *ret, struct error *e) must_check;

/* The volume that the path is the content of; NULL: none.  Borrowed from arena. */
const char *volume_of_path(const struct store *store, const char *path, struct arena *arena);

#endif
