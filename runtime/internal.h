/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind runtime/container.h share among themselves.
 */
#ifndef HOLM_RUNTIME_INTERNAL_H
#define HOLM_RUNTIME_INTERNAL_H

#include "base/proc.h"
#include "runtime/container.h"
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

/* Opens and derives the status; handle_release() also after a failure. */
int handle_open(struct handle *h, const struct runtime *runtime, const char *id, struct error *e) must_check;
void handle_release(struct handle *h);

#define HANDLE_INIT ((struct handle){.root_fd = -1, .folder = -1, .pidfd = -1, .lock = -1})
#define auto_handle __attribute__((cleanup(handle_release))) struct handle

/* Decimal, no newline, by a hidden temporary file and rename: whoever sees the file sees all of it. */
int container_write_pid_file(const char *path, pid_t pid, struct error *e) must_check;

/* A launch callback whose data is a struct record: hands the listener to the seccomp agent. */
int container_on_listener(void *data, pid_t pid, int listener, struct error *e) must_check;

#endif
