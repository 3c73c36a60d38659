/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind runtime/container.h share among themselves.
 */
#ifndef HOLM_RUNTIME_INTERNAL_H
#define HOLM_RUNTIME_INTERNAL_H

#include "base/proc.h"
#include "runtime/container.h"
#include "runtime/hooks.h"
#include "runtime/record.h"

/* An open container: its folder, its record, and what the kernel says of it now. */
struct handle {
	struct arena arena;
	struct record record;
	int root_fd, folder;
	int pidfd;   /* of init, -1: it is gone */
	int lock;    /* held by us while we delete it, else -1 */
	bool glance; /* only to be looked at: pidfd stays -1 */
	enum container_status status;
	char boot_id[BOOT_ID_SIZE]; /* of this boot; "" as long as nobody asked */
};

#define HANDLE_INIT ((struct handle){.root_fd = -1, .folder = -1, .pidfd = -1, .lock = -1})
#define auto_handle __attribute__((cleanup(handle_release))) struct handle

/* Opens and derives the status; handle_release() also after a failure. */
int handle_open(struct handle *h, const struct runtime *runtime, const char *id, struct error *e) must_check;
void handle_release(struct handle *h);

/* The same, and refuses one that has no processes, or not yet. */
int handle_open_alive(struct handle *h, const struct runtime *runtime, const char *id, struct error *e) must_check;

/* The two halves, for who locks in between; record_load() comes before the second. */
int handle_open_folder(struct handle *h, const struct runtime *runtime, const char *id, struct error *e) must_check;
int handle_derive_status(struct handle *h, struct error *e) must_check;

/* Puts right what an update that was killed left; one that still goes on is let be. */
void handle_recover_update(struct handle *h);

/* What hooks and the seccomp agent are told; borrows from the record. */
struct hooks_state record_hooks_state(const struct record *record, const char *status, pid_t pid);

/* The record's hooks of one kind, in its bundle.  strict: the first failure ends it. */
int record_run_hooks(const struct record *record, enum spec_hook_kind kind, const char *status, pid_t pid, bool strict,
		     struct error *e) must_check;

/* Decimal, no newline, by a hidden temporary file and rename: whoever sees the file sees all of it. */
int container_write_pid_file(const char *path, pid_t pid, struct error *e) must_check;

/* A launch callback whose data is a struct record: hands the listener to the seccomp agent. */
int container_on_listener(void *data, pid_t pid, int listener, struct error *e) must_check;

#endif
