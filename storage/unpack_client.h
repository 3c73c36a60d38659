/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm's side of holm-unpack: starting it, and hearing what it says.
 */
#ifndef HOLM_STORAGE_UNPACK_CLIENT_H
#define HOLM_STORAGE_UNPACK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "storage/unpack.h"

struct unpack_call {
	int socket; /* readable when there is something to hear; -1: none */
	pid_t pid;  /* 0: none */
};

#define UNPACK_CALL_INIT ((struct unpack_call){.socket = -1})

/* The descriptors stay the caller's. */
int unpack_start(const struct unpack_request *request, const int *fds, size_t n_fds, struct unpack_call *ret,
		 struct error *e) must_check;

/* Where replies go; NULL: nowhere. */
struct unpack_sink {
	void (*progress)(uint64_t bytes, void *data);
	int (*member)(const struct unpack_member *member, void *data, struct error *e);
	void *data;
};

/*
 * Hears one reply.  *ret_ended: it was the last, the program has ended, and *ret (may be NULL) is filled on success.  The
 * strings in it end; numbers are what the program says.
 */
int unpack_hear(struct unpack_call *call, const struct unpack_sink *sink, struct unpack_result *ret, bool *ret_ended,
		struct error *e) must_check;

/* Hears all of them. */
int unpack_wait(struct unpack_call *call, const struct unpack_sink *sink, struct unpack_result *ret,
		struct error *e) must_check;

/* Ends it if it runs. */
void unpack_close(struct unpack_call *call);

#endif
