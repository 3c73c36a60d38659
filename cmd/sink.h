/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where messages go, as callers of runc expect it: to standard error, or with --log appended to a file, errors then
 * also bare to standard error.  Text is logfmt (time=... level=error msg="..."), JSON one object per line with sorted
 * keys; to a terminal, plain words.
 *
 * The file is opened with the first message: engines read it after a failure only, and a start does not wait for it.
 */
#ifndef HOLM_CMD_SINK_H
#define HOLM_CMD_SINK_H

#include <stdbool.h>

#include "base/log.h"

struct sink {
	const char *path; /* NULL: standard error */
	bool json;
	int fd; /* -1: not open yet */
};

#define SINK_INIT ((struct sink){.fd = -1})

/* kind: one word for the class of an error, NULL: none. */
void sink_write(struct sink *sink, enum log_level level, const char *kind, const char *text);

#endif
