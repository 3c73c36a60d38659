/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root of an instance, from outside: that of its first process while it runs, with all that is mounted there; else the overlay,
 * mounted nowhere.  Both are hostile, and the first one changes while it is looked at: names are looked up beneath its descriptor
 * alone (openat2, RESOLVE_IN_ROOT, no magic links).
 */
#ifndef HOLM_INSTANCES_INSIDE_H
#define HOLM_INSTANCES_INSIDE_H

#include "instances/instance.h"
#include "storage/copy.h"

struct inside {
	int root;	      /* O_PATH; -1: none */
	struct copy_map uids; /* from ids of the host to the instance's; n 0: they are the same */
	struct copy_map gids;
};

#define INSIDE_INIT ((struct inside){.root = -1})

/*
 * The instance is locked.  To open one that does not run, an ordinary user's process enters a user and a mount namespace and is root
 * there from then on; files of the host that are its user's stay so.
 */
int inside_open(const struct runtime *runtime, const struct instance *instance, struct inside *ret,
		struct error *e) must_check;
void inside_close(struct inside *inside);

/* A name in there; flags as for openat2(2), without O_CREAT. */
int inside_find(const struct inside *inside, const char *path, int flags, int *ret_fd, struct error *e) must_check;

/* The same maps, the other way round. */
void inside_turn(const struct copy_map *from, struct copy_map *ret);

/* From here on files are made as the instance's root makes them; all capabilities stay. */
int inside_become_root(const struct inside *inside, struct error *e) must_check;

#endif
