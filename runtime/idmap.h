/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Id mappings of user namespaces.
 *
 * With CAP_SETUID and CAP_SETGID the maps are written directly, one write each.  Without: a map of one entry for
 * the caller's own id directly (setgroups denied first, as the kernel demands), anything else by the setuid programs
 * newuidmap and newgidmap, looked for in fixed folders only.
 */
#ifndef HOLM_RUNTIME_IDMAP_H
#define HOLM_RUNTIME_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/spec.h"

struct idmap {
	const struct spec_id_map *uids, *gids;
	size_t n_uids, n_gids;
};

/* Writes the maps of the user namespace that the child pid (not reaped) was born in. */
int idmap_write(pid_t pid, const struct idmap *map, struct error *e) must_check;

/*
 * User namespaces made only to be given to mount_setattr(2): one per distinct mapping within one start.  The
 * descriptors belong to the cache.
 */
struct idmap_cache {
	struct arena *arena; /* the caller's */
	struct idmap_namespace *head;
};

int idmap_open(struct idmap_cache *cache, const struct idmap *map, int *ret_fd, struct error *e) must_check;
void idmap_cache_release(struct idmap_cache *cache);

#endif
