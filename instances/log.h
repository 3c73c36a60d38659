/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of an instance: what its payload wrote, as it wrote it, and beside it when and to which stream.
 *
 *   log/N.log     the bytes, of both streams in the order in which they came; nothing is put between them, so every tool
 *                 that reads text reads it
 *   log/N.index   struct log_entry[]: each says of the next `size` bytes when they came and from where
 *
 * N counts up.  The writer goes on to N+1 when N has its size and a line has just ended (or it is an eighth larger), and
 * removes N+1-files.  A file that has a successor is complete.
 *
 * A pipe is emptied by splice(2): the kernel moves the bytes into the file and out of the pipe in one step, without a copy in
 * this process.  A writer that is killed at any moment has moved them or not; what it moved without having written the
 * entry for it shows by the file's size, and whose bytes they are was noted before (log_shared.intent).  So nothing is lost and
 * nothing written twice.  If the disk has no room, the oldest file goes; if that does not help, output is thrown away, and how
 * much is written down as soon as there is room: the payload never waits for a disk.
 *
 * This file and log.c are compiled twice: for holm, and freestanding for holm-monitor.  They use system calls only.
 */
#ifndef HOLM_INSTANCES_LOG_H
#define HOLM_INSTANCES_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_stream { LOG_OUT, LOG_ERR, LOG_HOLM, _LOG_STREAM_N }; /* LOG_HOLM: what holm has to say; whole lines */

enum { LOG_WHOLE = 1 << 0 }; /* a flag: the last byte is the end of a line */

struct log_entry {
	uint64_t time; /* ns since 1970 */
	uint32_t size;
	uint8_t stream, flags;
	uint16_t zero;
};

enum {
	LOG_DEFAULT_SIZE = 10 << 20, /* bytes of a file with its index */
	LOG_DEFAULT_FILES = 3,
	LOG_CHUNK = 1 << 20, /* at most moved at once */
};

/* Where the writer is; in a file that outlives it (instances/shared.h). */
struct log_shared {
	uint64_t segment;	 /* N, from 1 */
	uint64_t data, index;	 /* bytes of both that belong together */
	uint32_t intent;	 /* 0, or 1 + the stream whose bytes may follow */
	uint32_t files;		 /* kept */
	uint64_t size;		 /* of a file, at most */
	uint64_t dropped;	 /* bytes lost in all */
	uint64_t dropped_untold; /* since the last note of it */
};

struct log {
	struct log_shared *shared;
	int folder, data, index;
};

#define LOG_INIT ((struct log){.folder = -1, .data = -1, .index = -1})

/* Opens the segment that shared names, making it; takes what a killed writer left into the index.  0 or -errno.  folder and
   shared stay the caller's. */
long log_open(struct log *log, int folder, struct log_shared *shared);
void log_close(struct log *log);

/* Moves what the pipe (non-blocking) holds: bytes moved, 0 at its end, -EAGAIN when it is empty.  Other errors do not happen:
   what can't be kept is dropped and counted. */
long log_take(struct log *log, int pipe, enum log_stream stream);

/* Writes text, whole lines, to the log: LOG_HOLM, or what could not be spliced. */
void log_add(struct log *log, const void *data, size_t size, enum log_stream stream);

/* "12.log": buffer has room for 32. */
const char *log_name(uint64_t segment, const char *suffix, char *buffer);

#endif
