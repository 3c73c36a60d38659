/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/log.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/time_types.h>

#include "init/sys.h"

/* <linux/stat.h> and libc's do not agree on everything; splice's flag is in no header of the kernel's. */
enum { NONBLOCK = 2 /* SPLICE_F_NONBLOCK */, NEEDLESS = 4096, CLOCK_NOW = 0 /* CLOCK_REALTIME */ };
#ifndef SEEK_END
#define SEEK_END 2
#endif

const char *log_name(uint64_t segment, const char *suffix, char *buffer)
{
	char digits[24], *p = buffer;
	int n = 0;

	do
		digits[n++] = (char)('0' + segment % 10);
	while (segment /= 10);
	while (n)
		*p++ = digits[--n];
	while ((*p++ = *suffix++))
		;
	return buffer;
}

static uint64_t now(void)
{
	struct __kernel_timespec t = {0};

	sys(clock_gettime, CLOCK_NOW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int shut(int fd)
{
	if (fd >= 0)
		sys(close, fd);
	return -1;
}

/* ---- segments ---- */

static long open_part(int folder, uint64_t segment, const char *suffix)
{
	char name[32];

	return sys(openat, folder, log_name(segment, suffix, name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void remove_segment(int folder, uint64_t segment)
{
	char name[32];

	sys(unlinkat, folder, log_name(segment, ".log", name), 0);
	sys(unlinkat, folder, log_name(segment, ".index", name), 0);
}

/* Both files of a segment, or none: *log is changed on success only. */
static long open_segment(struct log *log, uint64_t segment)
{
	long data, index = open_part(log->folder, segment, ".index");

	if (index < 0)
		return index;
	data = open_part(log->folder, segment, ".log");
	if (data < 0) {
		shut((int)index);
		return data;
	}
	shut(log->data);
	shut(log->index);
	log->data = (int)data;
	log->index = (int)index;
	return 0;
}

/* A failure leaves the old one in use: it grows larger than it should, nothing is lost. */
static void rotate(struct log *log)
{
	struct log_shared *s = log->shared;

	if (open_segment(log, s->segment + 1))
		return;
	s->data = s->index = 0;
	s->segment++;
	if (s->segment > s->files)
		remove_segment(log->folder, s->segment - s->files);
}

/* The oldest file that is there; false: only the current one is. */
static bool remove_oldest(struct log *log)
{
	struct log_shared *s = log->shared;

	for (uint64_t n = s->segment > s->files ? s->segment - s->files + 1 : 1; n < s->segment; n++) {
		char name[32];

		if (!sys(unlinkat, log->folder, log_name(n, ".log", name), 0)) {
			remove_segment(log->folder, n);
			return true;
		}
	}
	return false;
}

/* ---- entries ---- */

static bool ends_line(struct log *log, uint64_t end)
{
	char last = 0;

	return sys(pread64, log->data, &last, 1, (long)end - 1) == 1 && last == '\n';
}

/* The bytes are in the file; says so.  An index without room costs times, not bytes: readers know what to do. */
static void add_entry(struct log *log, uint64_t size, enum log_stream stream)
{
	struct log_shared *s = log->shared;
	bool whole = ends_line(log, s->data + size);
	struct log_entry entry = {
	    .time = now(), .size = (uint32_t)size, .stream = (uint8_t)stream, .flags = whole ? LOG_WHOLE : 0};

	sys(pwrite64, log->index, &entry, sizeof(entry), (long)s->index);
	s->index += sizeof(entry);
	s->data += size;
	s->intent = 0;
	if (s->data + s->index >= s->size && (whole || s->data + s->index >= s->size + s->size / 8))
		rotate(log);
}

/*
 * Where both files end, from themselves: what was moved by a writer that did not live to write its entry gets one; entries
 * whose bytes a crash of the host took away are taken away too.
 */
static void recover(struct log *log)
{
	struct log_shared *s = log->shared;
	uint64_t size = (uint64_t)sys(lseek, log->data, 0, SEEK_END);
	uint32_t intent = s->intent;
	struct log_entry entries[64];
	long n;

	s->data = s->index = 0;
	while ((n = sys(pread64, log->index, entries, sizeof(entries), (long)s->index)) >= (long)sizeof(*entries)) {
		for (long i = 0; i < n / (long)sizeof(*entries); i++) {
			if (s->data + entries[i].size > size)
				goto found;
			s->data += entries[i].size;
			s->index += sizeof(*entries);
		}
	}
found:
	sys(ftruncate, log->index, (long)s->index);
	s->intent = 0;
	while (size > s->data) { /* an entry's size has 32 bits */
		uint64_t rest = size - s->data > LOG_CHUNK ? LOG_CHUNK : size - s->data, segment = s->segment;

		add_entry(log, rest, intent && intent <= _LOG_STREAM_N ? (enum log_stream)(intent - 1) : LOG_OUT);
		if (s->segment != segment)
			return;
	}
}

long log_open(struct log *log, int folder, struct log_shared *shared)
{
	long r;

	*log = LOG_INIT;
	log->folder = folder;
	log->shared = shared;
	r = open_segment(log, shared->segment);
	if (!r)
		recover(log);
	return r;
}

void log_close(struct log *log)
{
	log->data = shut(log->data);
	log->index = shut(log->index);
}

/* ---- writing ---- */

static long write_some(struct log *log, const void *data, size_t size, enum log_stream stream)
{
	long r;

	log->shared->intent = 1 + stream;
	do
		r = sys(pwrite64, log->data, data, size, (long)log->shared->data);
	while (r == -EINTR);
	if (r > 0)
		add_entry(log, (uint64_t)r, stream);
	return r;
}

static void drop(struct log *log, uint64_t size)
{
	log->shared->dropped += size;
	log->shared->dropped_untold += size;
}

/* There is room again: says what was lost while there was none. */
static void tell_dropped(struct log *log)
{
	static const char before[] = "holm: ", after[] = " bytes of output were lost: the log could not be written\n";
	char text[sizeof(before) + sizeof(after) + 24], *p = text;
	uint64_t dropped = log->shared->dropped_untold;

	for (const char *from = before; *from;)
		*p++ = *from++;
	log_name(dropped, after, p);
	while (*p)
		p++;
	if (write_some(log, text, (size_t)(p - text), LOG_HOLM) == p - text)
		log->shared->dropped_untold -= dropped;
}

void log_add(struct log *log, const void *data, size_t size, enum log_stream stream)
{
	const char *p = data;

	while (size) {
		long r = write_some(log, p, size, stream);

		if (r <= 0 && remove_oldest(log))
			continue;
		if (r <= 0) {
			drop(log, size);
			return;
		}
		p += r;
		size -= (size_t)r;
	}
	if (log->shared->dropped_untold)
		tell_dropped(log);
}

/* The pipe is emptied whatever the disk says. */
static long take_by_hand(struct log *log, int pipe, enum log_stream stream)
{
	char buffer[NEEDLESS];
	long n = sys(read, pipe, buffer, sizeof(buffer));

	if (n > 0)
		log_add(log, buffer, (size_t)n, stream);
	return n == -EINTR ? -EAGAIN : n;
}

/* The first bytes of what the pipe holds, which stay in it. */
static long peek(int pipe, char *buffer, size_t size)
{
	int copy[2];
	long n = sys(pipe2, copy, O_CLOEXEC | O_NONBLOCK);

	if (n < 0)
		return n;
	n = sys(tee, pipe, copy[1], size, NONBLOCK);
	if (n > 0)
		n = sys(read, copy[0], buffer, n);
	shut(copy[0]);
	shut(copy[1]);
	return n;
}

/* How much may be moved at once: what the file has room for; when it has its size, the rest of the line. */
static size_t portion(const struct log *log, int pipe)
{
	const struct log_shared *s = log->shared;
	uint64_t used = s->data + s->index + sizeof(struct log_entry);
	char text[NEEDLESS];
	long n;

	if (used < s->size)
		return s->size - used < LOG_CHUNK ? (size_t)(s->size - used) : LOG_CHUNK;
	if (used >= s->size + s->size / 8) /* it can't be left */
		return LOG_CHUNK;
	n = peek(pipe, text, sizeof(text));
	for (long i = 0; i < n; i++)
		if (text[i] == '\n')
			return (size_t)i + 1;
	return n > 0 ? (size_t)n : sizeof(text);
}

long log_take(struct log *log, int pipe, enum log_stream stream)
{
	struct log_shared *s = log->shared;
	long offset = (long)s->data, n;

	s->intent = 1 + stream;
	n = sys(splice, pipe, NULL, log->data, &offset, portion(log, pipe), NONBLOCK);
	if (n > 0) {
		add_entry(log, (uint64_t)n, stream);
		if (s->dropped_untold)
			tell_dropped(log);
		return n;
	}
	s->intent = 0;
	if (!n || n == -EAGAIN || n == -EINTR)
		return n == -EINTR ? -EAGAIN : n;
	/* No room, or a file system that can't splice: byte by byte it may still go, and what does not is dropped. */
	return take_by_hand(log, pipe, stream);
}
