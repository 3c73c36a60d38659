/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instance: a named container whose bundle lives in holm's data folder and stays there when it does not run.
 *
 *   DATA/instances/NAME/      0700.  The folder is the bundle and NAME the container's id
 *       config.json           what the container is (with its "holm" object)
 *       instance.json         what the container can't know: struct instance_record below
 *       started.json          config.json as it was when it was started: a hard link, as config.json is replaced as a whole
 *       end.json              how it ended the last time: struct instance_end; absent: it never did
 *       root.json, upper/ ... storage's;  log/, run/, ledger: the monitor's
 *
 * Whoever changes an instance holds its lock: flock(2) on the folder itself, so that it goes with the folder when that is
 * renamed or removed.  The lock is held for short (a start, a write), never while something is waited for that the
 * monitor does, which takes it too.  Readers take none: every file is replaced as a whole.
 *
 * A new instance is made in DATA/tmp and gets its name by rename(2): there is no half-made one.  Removing goes the same
 * way back.  What a killed holm leaves in DATA/tmp is not locked any more and is swept by instances_sweep().
 *
 * Functions return 0 or -errno with *e filled.  None prints.
 */
#ifndef HOLM_INSTANCES_INSTANCE_H
#define HOLM_INSTANCES_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "runtime/container.h"
#include "spec/spec.h"

struct image_config;

#define INSTANCE_CONFIG "config.json"
#define INSTANCE_RECORD "instance.json"
#define INSTANCE_END "end.json"
#define INSTANCE_STARTED "started.json"

struct instance_record {
	int64_t created;     /* ns since 1970 */
	bool up;	     /* the desired state: `start` sets it, `stop` takes it away, a boot starts what has it */
	bool held;	     /* up, but kept down: `stop --all`, as at a shutdown; `start` takes it away */
	bool remove;	     /* --rm: goes when it ends */
	uint64_t generation; /* counts the changes of config.json */
	int64_t delay;	     /* ns to wait before the next one, when many are started in order */
	struct spec_pair *labels;
	size_t n_labels;
	const char
	    *source; /* JSON: what `apply` was given for it, so that the next one sees what changed; NULL: nothing */
};

struct instance {
	struct arena arena; /* everything below lives in it */
	const char *name;
	const char *path; /* the folder, absolute: the bundle */
	int parent;	  /* DATA/instances */
	int folder;
	bool locked;
	struct instance_record record;
};

#define INSTANCE_INIT ((struct instance){.parent = -1, .folder = -1})

void instance_release(struct instance *instance);
#define auto_instance __attribute__((cleanup(instance_release))) struct instance

/* ---- one instance ---- */

/* ERROR_NOT_FOUND names an instance with a similar name, where there is one. */
int instance_open(const struct runtime *runtime, const char *name, struct instance *ret, struct error *e) must_check;

/* The same, but 1 and no error when there is none: for names that may be a container's as well. */
int instance_find(const struct runtime *runtime, const char *name, struct instance *ret, struct error *e) must_check;

/*
 * Takes the lock, waiting for at most half a minute, and reads the record anew.  ERROR_NOT_FOUND: it was removed or renamed
 * meanwhile; ERROR_STATE: somebody holds it.
 */
int instance_lock(struct instance *instance, struct error *e) must_check;
void instance_unlock(struct instance *instance);

/* Writes instance.json, all or nothing.  The lock is held. */
int instance_save(struct instance *instance, struct error *e) must_check;

/* Sets the desired state, if it is another; the lock is held. */
int instance_set_up(struct instance *instance, bool up, struct error *e) must_check;

/* Keeps one that is up down until it is started again; the lock is held. */
int instance_hold(struct instance *instance, struct error *e) must_check;

/* Is it to run now? */
static inline bool instance_is_wanted(const struct instance *instance)
{
	return instance->record.up && !instance->record.held;
}

/* config.json as structs (the caller releases them), and a new text for it, which is validated before anything is written and
   counts the generation up.  The lock is held for writing. */
int instance_load_spec(const struct instance *instance, struct spec *ret, struct error *e) must_check;
int instance_save_config(struct instance *instance, const char *text, struct error *e) must_check;

/* What an image made of its root says of how it is run; the strings are the process's. */
void instance_describe_image(const struct spec_process *process, struct image_config *ret);

/* Keeps what config.json is now as what the run that begins was started with. */
int instance_save_started(const struct instance *instance, struct error *e) must_check;

/* NULL: no such label. */
const char *instance_label_peek(const struct instance *instance, const char *key);
/* value NULL: takes it away.  In memory; instance_save() keeps it. */
void instance_set_label(struct instance *instance, const char *key, const char *value);

/* ---- its end ---- */

struct instance_end {
	int status;	   /* exit status, 128+n for a signal; -1: not known (the host or the monitor died) */
	int64_t started;   /* ns since 1970 */
	int64_t ended;	   /* likewise */
	uint32_t restarts; /* how often the restart policy has started it anew since somebody did */
	bool asked;	   /* somebody asked for it: stop, restart, remove */
	const char *why;   /* one line for people: "killed by SIGKILL: memory limit of 64 MiB"; NULL: nothing to say */
};

/* 1 without an error: it never ended.  Strings live in arena. */
int instance_load_end(const struct instance *instance, struct arena *arena, struct instance_end *ret,
		      struct error *e) must_check;
int instance_save_end(const struct instance *instance, const struct instance_end *end, struct error *e) must_check;

/* ---- making and removing ---- */

/*
 * Makes an empty instance in DATA/tmp, locked; the caller fills its folder (config.json, the storage's part) and gives it its
 * name by instance_publish().  instance_discard() removes an unpublished one.
 */
int instance_begin(const struct runtime *runtime, const char *name, struct instance *ret, struct error *e) must_check;
/* ERROR_EXISTS: the name is taken. */
int instance_publish(const struct runtime *runtime, struct instance *instance, struct error *e) must_check;
void instance_discard(struct instance *instance);

/* Flushes what was written to the disk: after it a crash of the host can't take the instance away. */
int instance_sync(const struct instance *instance, struct error *e) must_check;

/* The same for all that were made just now, by one flush of their file system. */
int instances_sync(const struct runtime *runtime, struct error *e) must_check;

/* Takes a stopped instance's folder away with everything in it.  The lock is held; the caller made sure that nothing of it
   runs or is mounted. */
int instance_remove(const struct runtime *runtime, struct instance *instance, struct error *e) must_check;

/* A stopped one gets another name.  The lock is held.  ERROR_EXISTS. */
int instance_rename(const struct runtime *runtime, struct instance *instance, const char *name,
		    struct error *e) must_check;

/* A name that nobody has: "brisk-otter".  Lives in arena. */
const char *instance_invent_name(const struct runtime *runtime, struct arena *arena);

/* ---- all of them ---- */

/* The names of all instances, sorted; none if there is no data folder.  Strings live in arena. */
int instances_names(const struct runtime *runtime, struct arena *arena, const char *const **ret, size_t *ret_n,
		    struct error *e) must_check;

/* Calls each for every instance in the order of names; a broken one comes with its error and only its name.  each may take what
   *instance holds (by setting it to INSTANCE_INIT); a negative return ends it. */
int instances_each(const struct runtime *runtime,
		   int (*each)(struct instance *instance, const struct error *broken, void *data), void *data,
		   struct error *e) must_check;

/* Removes what killed makers and removers left in DATA/tmp; told names each.  told may be NULL. */
int instances_sweep(const struct runtime *runtime, void (*told)(const char *what, void *data), void *data,
		    struct error *e) must_check;

/* DATA/path as text, in arena.  ERROR_STATE where there is no data folder to name. */
int instances_path(const struct runtime *runtime, const char *path, struct arena *arena, const char **ret,
		   struct error *e) must_check;

#endif
