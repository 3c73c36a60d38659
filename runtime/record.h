/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holm remembers of a container: a folder ROOT/ID (0700) on a file system that a boot empties.
 *
 *   record.json  written once, before anything else is made: id, bundle, where the cgroup will be, what exec and delete need.
 *                Four lines: the record, process, hooks, device rules, each JSON or empty, so that who lists containers parses the
 *                first only
 *   init         a symlink to "PID START BOOT", once the process is there: it comes into being whole, and one call reads it
 *   start        the socket on which init waits for `holm start`; gone once it was started
 *   seccomp      the BPF program, for exec
 *   updates      what `holm update` was asked, all of it merged: {"resources": ..., "intelRdt": ...}; absent: nothing yet
 *   undo         while an update goes on: what it replaces.  Found by another, that one was killed in the middle
 *   exit         the payload's exit status, where holm was its parent to the end (run --keep)
 *   notify/      the readiness socket's folder
 *
 * A container's status is derived from these and from the kernel, never stored.  While a container is being created its
 * creator holds a lock on record.json (F_OFD_SETLK): a record without `init` and without that lock was left by a creator that
 * died.  Nobody enters, signals or starts what is still being created.
 */
#ifndef HOLM_RUNTIME_RECORD_H
#define HOLM_RUNTIME_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "cgroups/cgroup.h"
#include "runtime/rdt.h"
#include "runtime/seccomp.h"
#include "spec/spec.h"

#define RECORD_START "start"
#define RECORD_SECCOMP "seccomp"

struct record {
	const char *id, *bundle, *rootfs, *created;
	struct cgroup cgroup;
	uint64_t namespaces; /* CLONE_NEW... that are not the caller's */
	bool user_namespace, rootless;
	bool has_process;
	enum spec_personality personality;
	const char *process, *hooks; /* JSON; NULL: none */
	const char *devices;	     /* JSON: resources with the devices alone; NULL: none */
	struct spec_pair *annotations;
	size_t n_annotations;
	unsigned seccomp_flags; /* of the program in the file `seccomp` */
	bool seccomp_listener;
	const char *listener_path, *listener_metadata; /* NULL: none */
	bool no_new_keyring;
	bool new_pid_namespace; /* killing init ends all */
	struct rdt rdt;		/* schemata is not kept */
	bool networks;		/* it joined some */
	const char *data;	/* the data folder whose instances/ID belongs to it; NULL: none does */
	bool locked;		/* its creator is at work (or whoever has the lock): looked at before `init` is */
	/* from `init` */
	pid_t pid; /* 0: not there yet */
	uint64_t start;
	const char *boot_id; /* NULL like pid */
};

/* Opens the state folder, making it (0700) if create is set; -ENOENT without an error text if it isn't there. */
int record_open_root(const char *root, bool create, int *ret_fd, struct error *e) must_check;

/* Makes ROOT/ID with a record.json that is empty and locked; ERROR_EXISTS if it is there. */
int record_claim(int root_fd, const char *id, int *ret_folder, int *ret_lock, struct error *e) must_check;

/* Writes the record through the descriptor that holds the lock. */
int record_save(int lock, const struct record *record, struct error *e) must_check;

/* Writes record.json anew, all or nothing (an update that gave the container more cgroups).  ERROR_STATE if it is locked. */
int record_replace(int folder, const struct record *record, struct error *e) must_check;
int record_save_init(int folder, pid_t pid, uint64_t start, const char *boot_id, struct error *e) must_check;
int record_save_exit(int folder, int status, struct error *e) must_check;
/* Merges a patch (JSON) into `updates`: objects member by member, anything else is replaced. */
int record_add_update(int folder, const char *id, const char *patch, struct error *e) must_check;

/* Keeps other updates of the container out until the descriptor is closed.  Without wait *ret_lock is -1 if one goes on. */
int record_lock_updates(int folder, const char *id, bool wait, int *ret_lock, struct error *e) must_check;

/* The JSON of `updates`; NULL: there were none. */
const char *record_load_updates(int folder, struct arena *arena);

/* `updates` as it was before; NULL: there was none. */
int record_restore_updates(int folder, const char *text, struct error *e) must_check;

/* The text of `undo`: save, look (NULL: there is none), remove. */
int record_save_undo(int folder, const char *text, struct error *e) must_check;
const char *record_load_undo(int folder, struct arena *arena);
void record_drop_undo(int folder);
bool record_has_undo(int folder);

int record_save_seccomp(int folder, const struct seccomp_program *program, struct error *e) must_check;

/* Opens ROOT/ID; ERROR_NOT_FOUND ("container does not exist") if there is none. */
int record_open(int root_fd, const char *id, int *ret_folder, struct error *e) must_check;

/* Strings live in arena.  Without a record, or with half of one, it is ERROR_INVALID (its creator is at work, or died);
   ERROR_NOT_FOUND if it was deleted since the folder was opened.  ret->locked is told even then. */
int record_load(int folder, const char *id, struct arena *arena, struct record *ret, struct error *e) must_check;
int record_load_seccomp(int folder, const struct record *record, struct arena *arena, struct seccomp_program *ret,
			struct error *e) must_check;

/* The exit status; -1: not known. */
int record_load_exit(int folder);

/* Takes the lock, so that nobody else creates or deletes meanwhile.  ERROR_STATE if it is held, ERROR_NOT_FOUND if the
   container was deleted since the folder was opened.  *ret_lock is -1 where the folder has no record. */
int record_lock(int folder, const char *id, int *ret_lock, struct error *e) must_check;

/* Gives the creator's lock up while the payload runs, and waits until it is ours again.  False: somebody has deleted the
   container meanwhile, whatever has its id now is another. */
void record_unlock(int lock);
bool record_relock(int folder, int *lock) must_check;

/* Removes the folder and all that is in it.  Whoever calls it has the lock. */
int record_remove(int root_fd, const char *id, int folder, struct error *e) must_check;

/* The same for a folder whose record is missing (lock: -1) or can't be understood (lock: ours).  *ret_again: nothing was done,
   it has a record by now. */
int record_remove_broken(int root_fd, const char *id, int folder, int lock, bool *ret_again,
			 struct error *e) must_check;

#endif
