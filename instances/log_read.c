/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/log_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"

enum {
	READ_SIZE = 64 << 10,
	FLUSH_SIZE = 64 << 10,
	LINE_MAX_SIZE = 1 << 20, /* a longer one with its time is printed in parts */
	ALL_STREAMS = (1 << _LOG_STREAM_N) - 1,
};

const char *log_stream_name(enum log_stream stream)
{
	static const char *const names[_LOG_STREAM_N] = {"stdout", "stderr", "holm"};

	return names[stream < _LOG_STREAM_N ? stream : LOG_OUT];
}

/* ---- files ---- */

static void close_segment(struct log_reader *r)
{
	r->data = fd_close(r->data);
	r->index = fd_close(r->index);
	r->n = r->i = 0;
}

void log_reader_release(struct log_reader *r)
{
	close_segment(r);
}

/* The least number that is there and at least `least`, or (last) the greatest; 0: none is. */
static int find_segment(int folder, uint64_t least, bool last, uint64_t *ret, struct error *e)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	*ret = 0;
	if (!dir) {
		fd_close(copy);
		return error_system(e, errno, "read the log folder");
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		char number[24];
		size_t n = strspn(entry->d_name, "0123456789");
		uint64_t value;

		if (!n || n >= sizeof(number) || !str_equal(entry->d_name + n, ".log"))
			continue;
		memcpy(number, entry->d_name, n);
		number[n] = 0;
		if (!parse_u64(number, 1, UINT64_MAX, &value) && value >= least &&
		    (!*ret || (last ? value > *ret : value < *ret)))
			*ret = value;
	}
	closedir(dir);
	return 0;
}

static int open_part(int folder, uint64_t segment, const char *suffix)
{
	char name[32];
	int fd = openat(folder, log_name(segment, suffix, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* -ENOENT without an error: it is gone, or not there yet. */
static int open_segment(struct log_reader *r, uint64_t segment, struct error *e)
{
	auto_fd data = -1, index = -1;

	data = open_part(r->folder, segment, ".log");
	index = open_part(r->folder, segment, ".index");
	if (data == -ENOENT || index == -ENOENT)
		return -ENOENT;
	if (data < 0 || index < 0)
		return error_system(e, data < 0 ? -data : -index, "open the log");
	close_segment(r);
	r->data = take_fd(&data);
	r->index = take_fd(&index);
	r->at = (struct log_position){.segment = segment};
	return 0;
}

int log_reader_open(struct log_reader *r, int folder, const struct log_position *from, struct error *e)
{
	int result;

	*r = LOG_READER_INIT;
	r->folder = folder;
	if (!from->segment)
		return 0; /* the oldest, when there is one */
	result = open_segment(r, from->segment, e);
	if (!result)
		r->at = *from;
	return result == -ENOENT ? 0 : result;
}

/* ---- entries ---- */

/* 1: at least one entry is in the block; 0: none at present. */
static int fill(struct log_reader *r, struct error *e)
{
	ssize_t n;

	if (r->i < r->n)
		return 1;
	n = pread(r->index, r->block, sizeof(r->block), (off_t)r->at.index);
	if (n < 0)
		return error_system(e, errno, "read the log's index");
	r->n = (size_t)n / sizeof(struct log_entry);
	r->i = 0;
	return r->n > 0;
}

/* Bytes of a complete file that no entry speaks of: the disk had no room for it. */
static bool has_rest(const struct log_reader *r, struct log_entry *ret)
{
	off_t size = lseek(r->data, 0, SEEK_END);

	if (size < 0 || (uint64_t)size <= r->at.data)
		return false;
	*ret = (struct log_entry){.size = (uint32_t)((uint64_t)size - r->at.data), .stream = LOG_OUT};
	return true;
}

/* 1: went on to another file; 0: there is none. */
static int advance(struct log_reader *r, struct error *e)
{
	uint64_t before = r->at.segment, next;
	int result = find_segment(r->folder, before + 1, false, &next, e);

	if (result || !next)
		return result;
	result = open_segment(r, next, e);
	if (result == -ENOENT)
		return 1; /* removed under our eyes: look again */
	if (!result && before && next != before + 1)
		r->gap = true;
	return result ?: 1;
}

int log_reader_next(struct log_reader *r, struct log_entry *ret, uint64_t *ret_offset, struct error *e)
{
	int result = 0;

	for (;;) {
		uint64_t next = 0;

		result = r->data >= 0 ? fill(r, e) : 0;
		if (result < 0)
			return result;
		if (result)
			break;
		/* Only what has a successor is complete: look for that first, and at the rest of this one after. */
		result = find_segment(r->folder, r->at.segment + 1, false, &next, e);
		if (result || !next)
			return result;
		if (r->data >= 0) {
			result = fill(r, e);
			if (result < 0)
				return result;
			if (result)
				break;
			if (has_rest(r, ret)) {
				*ret_offset = r->at.data;
				r->at.data += ret->size;
				return 1;
			}
		}
		result = advance(r, e);
		if (result < 0)
			return result;
	}
	*ret = r->block[r->i++];
	*ret_offset = r->at.data;
	r->at.data += ret->size;
	r->at.index += sizeof(*ret);
	return 1;
}

/* ---- places ---- */

int log_find_end(int folder, struct log_position *ret, struct error *e)
{
	auto_log_reader r = LOG_READER_INIT;
	struct log_position from = {0};
	struct log_entry entry;
	uint64_t offset;
	int result = find_segment(folder, 1, true, &from.segment, e);

	if (!result)
		result = log_reader_open(&r, folder, &from, e);
	while (!result) {
		result = log_reader_next(&r, &entry, &offset, e);
		if (result <= 0)
			break;
		result = 0;
	}
	*ret = r.at;
	return result;
}

/* Calls each for the bytes of an entry, in parts.  A negative return ends it. */
static int each_part(const struct log_reader *r, uint64_t offset, uint64_t size,
		     int (*each)(const char *data, size_t size, void *data_of_each), void *data, struct error *e)
{
	char buffer[READ_SIZE];
	int result = 0;

	while (size && !result) {
		ssize_t n = pread(r->data, buffer, size < sizeof(buffer) ? size : sizeof(buffer), (off_t)offset);

		if (n < 0)
			return error_system(e, errno, "read the log");
		if (!n) /* a crash of the host took it */
			return 0;
		result = each(buffer, (size_t)n, data);
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return result;
}

static int count_lines(const char *data, size_t size, void *lines)
{
	for (const char *end = data + size; (data = memchr(data, '\n', (size_t)(end - data))); data++)
		++*(uint64_t *)lines;
	return 0;
}

/* The lines of one file; one that has begun at the end of the log counts. */
static int count_segment(int folder, uint64_t segment, bool last, unsigned streams, uint64_t *ret, struct error *e)
{
	struct log_position from = {.segment = segment};
	auto_log_reader r = LOG_READER_INIT;
	unsigned open = 0;
	int result = log_reader_open(&r, folder, &from, e);

	*ret = 0;
	while (!result && r.data >= 0) {
		struct log_entry entry;
		uint64_t offset;

		result = log_reader_next(&r, &entry, &offset, e);
		if (result <= 0 || r.at.segment != segment)
			break;
		result = 0;
		if (entry.stream >= _LOG_STREAM_N || !(streams & 1u << entry.stream))
			continue;
		open = entry.flags & LOG_WHOLE ? open & ~(1u << entry.stream) : open | 1u << entry.stream;
		result = each_part(&r, offset, entry.size, count_lines, ret, e);
	}
	if (last)
		*ret += (uint64_t)__builtin_popcount(open);
	return result < 0 ? result : 0;
}

int log_find_tail(int folder, unsigned streams, uint64_t lines, struct log_position *ret, uint64_t *ret_skip,
		  struct error *e)
{
	uint64_t last, first, have = 0;
	int r = find_segment(folder, 1, true, &last, e);

	*ret = (struct log_position){0};
	*ret_skip = 0;
	if (r || !last)
		return r;
	r = find_segment(folder, 1, false, &first, e);
	for (uint64_t n = last; !r && n >= first; n--) {
		uint64_t here;

		r = count_segment(folder, n, n == last, streams, &here, e);
		have += here;
		ret->segment = n;
		if (have >= lines)
			break;
	}
	*ret_skip = have > lines ? have - lines : 0;
	return r;
}

/* ---- printing ---- */

static void put_number(char *to, unsigned value, int digits)
{
	while (digits--) {
		to[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

const char *log_time_format(uint64_t time, char buffer[LOG_TIME_SIZE])
{
	time_t seconds = (time_t)(time / 1000000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	memcpy(buffer, "0000-00-00T00:00:00.000000000Z", 31);
	put_number(buffer, (unsigned)tm.tm_year + 1900, 4);
	put_number(buffer + 5, (unsigned)tm.tm_mon + 1, 2);
	put_number(buffer + 8, (unsigned)tm.tm_mday, 2);
	put_number(buffer + 11, (unsigned)tm.tm_hour, 2);
	put_number(buffer + 14, (unsigned)tm.tm_min, 2);
	put_number(buffer + 17, (unsigned)tm.tm_sec, 2);
	put_number(buffer + 20, (unsigned)(time % 1000000000), 9);
	return buffer;
}

int log_printer_flush(struct log_printer *p, struct error *e)
{
	int r = p->out.size ? fd_write_all(p->out_fd, p->out.data, p->out.size) : 0;

	p->out.size = 0;
	if (r == -EPIPE)
		return r;
	return r ? error_system(e, -r, "print the log") : 0;
}

static int put(struct log_printer *p, enum log_stream stream, const char *data, size_t size, struct error *e)
{
	int r = 0;

	if (p->out_fd != p->fds[stream] || p->out.size + size > FLUSH_SIZE)
		r = log_printer_flush(p, e);
	p->out_fd = p->fds[stream];
	if (!r)
		str_add_bytes(&p->out, data, size);
	return r;
}

static int put_line(struct log_printer *p, enum log_stream stream, bool whole, struct error *e)
{
	struct str *part = &p->parts[stream];
	char time[LOG_TIME_SIZE];
	auto_str head = STR_INIT;
	int r;

	str_add(&head, p->head ? p->head : "");
	if (p->times)
		str_addf(&head, "%s %s ", log_time_format(p->part_times[stream], time), log_stream_name(stream));
	r = put(p, stream, head.data, head.size, e);
	if (!r && part->size)
		r = put(p, stream, part->data, part->size, e);
	if (!r && !whole)
		r = put(p, stream, "\n", 1, e);
	part->size = 0;
	return r;
}

struct put_parts {
	struct log_printer *printer;
	const struct log_entry *entry;
	struct error *e;
};

static int put_lines(const char *data, size_t size, void *arg)
{
	const struct put_parts *a = arg;
	struct log_printer *p = a->printer;
	enum log_stream stream = a->entry->stream;
	struct str *part = &p->parts[stream];
	int r = 0;

	while (size && !r) {
		const char *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) + 1 : size;

		if (!part->size)
			p->part_times[stream] = a->entry->time;
		str_add_bytes(part, data, n);
		data += n;
		size -= n;
		if (newline || part->size >= LINE_MAX_SIZE)
			r = put_line(p, stream, newline, a->e);
	}
	return r;
}

static int put_raw(const char *data, size_t size, void *arg)
{
	const struct put_parts *a = arg;

	return put(a->printer, a->entry->stream, data, size, a->e);
}

static int put_part(const char *data, size_t size, void *arg)
{
	const struct put_parts *a = arg;
	struct log_printer *p = a->printer;

	while (p->skip && size) {
		const char *newline = memchr(data, '\n', size);

		if (!newline)
			return 0;
		size -= (size_t)(newline + 1 - data);
		data = newline + 1;
		p->skip--;
	}
	if (!size)
		return 0;
	return p->times || p->head ? put_lines(data, size, arg) : put_raw(data, size, arg);
}

int log_printer_put(struct log_printer *p, const struct log_reader *reader, const struct log_entry *entry,
		    uint64_t offset, struct error *e)
{
	struct put_parts parts = {.printer = p, .entry = entry, .e = e};

	if (entry->stream >= _LOG_STREAM_N || !(p->streams & 1u << entry->stream) || entry->time < p->since ||
	    (p->until && entry->time > p->until))
		return 0;
	return each_part(reader, offset, entry->size, put_part, &parts, e);
}

int log_printer_finish(struct log_printer *p, struct error *e)
{
	int r = 0;

	for (int stream = 0; stream < _LOG_STREAM_N && !r; stream++)
		if (p->parts[stream].size)
			r = put_line(p, stream, false, e);
	return r ?: log_printer_flush(p, e);
}

void log_printer_release(struct log_printer *p)
{
	for (int stream = 0; stream < _LOG_STREAM_N; stream++)
		str_release(&p->parts[stream]);
	str_release(&p->out);
}

/* ---- points in time ---- */

/* "Z", "+01:00" or nothing (local).  *ret_offset: seconds. */
static bool parse_zone(const char *text, bool *ret_local, long *ret_offset)
{
	int hours, minutes, n = 0;

	*ret_local = !*text;
	*ret_offset = 0;
	if (!*text || str_equal(text, "Z"))
		return true;
	if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &n) != 2 || text[1 + n])
		return false;
	*ret_offset = (hours * 3600L + minutes * 60L) * (*text == '-' ? -1 : 1);
	return true;
}

static uint64_t parse_fraction(const char **text)
{
	uint64_t value = 0, unit = 100000000;

	if (**text != '.')
		return 0;
	for (++*text; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
		value += (uint64_t)(**text - '0') * unit;
	return value;
}

static int parse_date(const char *text, uint64_t *ret)
{
	struct tm tm = {.tm_isdst = -1};
	uint64_t fraction;
	bool local;
	long offset;
	time_t t;
	int n = 0;

	if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3)
		return -EINVAL;
	text += n;
	n = 0;
	if (*text == 'T' || *text == ' ') {
		if (sscanf(text + 1, "%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 3)
			return -EINVAL;
		text += 1 + n;
	}
	fraction = parse_fraction(&text);
	if (!parse_zone(text, &local, &offset))
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	t = local ? mktime(&tm) : timegm(&tm) - offset;
	if (t < 0)
		return -EINVAL;
	*ret = (uint64_t)t * 1000000000 + fraction;
	return 0;
}

int log_time_parse(const char *text, uint64_t now, uint64_t *ret)
{
	uint64_t seconds;
	int64_t ago;

	if (*text == '@') {
		if (parse_u64(text + 1, 0, UINT64_MAX / 1000000000, &seconds))
			return -EINVAL;
		*ret = seconds * 1000000000;
		return 0;
	}
	if (!parse_duration(text, &ago)) {
		*ret = (uint64_t)ago < now ? now - (uint64_t)ago : 0;
		return 0;
	}
	return parse_date(text, ret);
}
