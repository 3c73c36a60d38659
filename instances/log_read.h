/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading an instance's log (instances/log.h), while it is written or afterwards.
 *
 * A reader walks the entries of all files that are there, oldest first, and goes on to the next file when there is one.  What it has
 * open it reads to the end, also when the writer removes it.  A reader that is overtaken by the removal of files that it has
 * not opened yet goes on with the oldest, and says so (gap).
 *
 * A printer turns entries into what `holm logs` shows: bytes as they are, or whole lines with their times.
 */
#ifndef HOLM_INSTANCES_LOG_READ_H
#define HOLM_INSTANCES_LOG_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "instances/log.h"

enum { LOG_READER_BLOCK = 256 };

struct log_position {
	uint64_t segment, data, index; /* segment 0: the oldest */
};

struct log_reader {
	int folder; /* the caller's */
	int data, index;
	struct log_position at; /* of the entry that comes next */
	struct log_entry block[LOG_READER_BLOCK];
	size_t n, i;
	bool gap; /* files are missing between the entry before and the next one; the caller unsets it */
};

/* from: a position that a reader had, or {0}.  A missing log is an empty one. */
int log_reader_open(struct log_reader *reader, int folder, const struct log_position *from, struct error *e) must_check;
void log_reader_release(struct log_reader *reader);
#define auto_log_reader __attribute__((cleanup(log_reader_release))) struct log_reader
#define LOG_READER_INIT ((struct log_reader){.folder = -1, .data = -1, .index = -1})

/* 1: an entry and where its bytes are in reader->data; 0: there is none now. */
int log_reader_next(struct log_reader *reader, struct log_entry *ret, uint64_t *ret_offset, struct error *e) must_check;

/* Where the log ends now; where its last n lines of these streams begin: with the `skip`th line there. */
int log_find_end(int folder, struct log_position *ret, struct error *e) must_check;
int log_find_tail(int folder, unsigned streams, uint64_t lines, struct log_position *ret, uint64_t *ret_skip,
		  struct error *e) must_check;

struct log_printer {
	unsigned streams;	/* set of 1 << enum log_stream */
	uint64_t since, until;	/* ns since 1970; until 0: no end */
	bool times;		/* whole lines: "2026-11-21T08:20:13.123456789Z stdout TEXT" */
	const char *head;	/* whole lines, and this before each (borrowed); NULL: nothing */
	uint64_t skip;		/* lines still to be left out */
	int fds[_LOG_STREAM_N]; /* where to */
	/* its own: */
	struct str parts[_LOG_STREAM_N]; /* a line that has begun */
	uint64_t part_times[_LOG_STREAM_N];
	struct str out; /* waits for log_printer_flush() */
	int out_fd;
};

/* Prints an entry.  -EPIPE without an error: nobody reads any more. */
int log_printer_put(struct log_printer *printer, const struct log_reader *reader, const struct log_entry *entry,
		    uint64_t offset, struct error *e) must_check;
int log_printer_flush(struct log_printer *printer, struct error *e) must_check;
/* With what has begun and not ended. */
int log_printer_finish(struct log_printer *printer, struct error *e) must_check;
void log_printer_release(struct log_printer *printer);
#define auto_log_printer __attribute__((cleanup(log_printer_release))) struct log_printer

const char *log_stream_name(enum log_stream stream); /* "stdout", "stderr", "holm" */

enum { LOG_TIME_SIZE = 32 };

/* "2026-11-21T08:20:13.123456789Z"; returns buffer. */
const char *log_time_format(uint64_t time, char buffer[LOG_TIME_SIZE]);

/*
 * A point in time as people give it: "10m" (ago), "2026-11-21", "2026-11-21T08:20:13" with or without fraction, in local time or with
 * "Z" or "+01:00", or "@1795251049" (seconds since 1970).  ns since 1970.
 */
int log_time_parse(const char *text, uint64_t now, uint64_t *ret) must_check;

#endif
