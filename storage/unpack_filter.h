/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompressing, in a process of its own that can do nothing else: it has the archive, a pipe, and two dozen system calls.  So
 * who decompresses (libarchive, and what it uses) can't touch files, who makes files does not decompress, and the two run on two
 * processors.
 */
#ifndef HOLM_STORAGE_UNPACK_FILTER_H
#define HOLM_STORAGE_UNPACK_FILTER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage/unpack.h"

struct filter_outcome {
	struct error error; /* kind ERROR_NONE: the input is good */
	char blob[DIGEST_HEX_SIZE];
	uint64_t blob_size;
	uint32_t is_compressed;
};

struct filter {
	pid_t pid;   /* 0: none */
	int data;    /* what comes out */
	int outcome; /* how it went: comes last */
	struct filter_outcome result;
};

#define FILTER_INIT ((struct filter){.data = -1, .outcome = -1})

/* Starts it on a part of input (as in struct unpack_request); progress goes to the socket. */
int filter_start(int input, const struct unpack_request *request, struct filter *ret, struct error *e) must_check;

/*
 * A read function for tar_init(); data is the filter.  At the end it has waited for the process: what was wrong with the input
 * comes out here, else result is filled.
 */
int filter_read(void *data, void *buffer, size_t size, size_t *ret_n, struct error *e) must_check;

#endif
