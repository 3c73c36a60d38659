/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum {
	ZEROS_MIN = 16,	      /* fewer are not worth a record of their own */
	PARTS_MAX = 4u << 20, /* of one file */
	VARINT_MAX = 10,
};

/* ---- writing ---- */

void frame_init(struct frame_writer *frame, int fd)
{
	memset(frame, 0, offsetof(struct frame_writer, buffer));
	frame->fd = fd;
	frame->n_raw = 0;
	memcpy(frame->buffer, FRAME_MAGIC, sizeof(FRAME_MAGIC) - 1);
	frame->size = sizeof(FRAME_MAGIC) - 1;
}

static int put(struct frame_writer *frame, const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size) {
		size_t n = sizeof(frame->buffer) - frame->size;

		if (n > size)
			n = size;
		memcpy(frame->buffer + frame->size, p, n);
		frame->size += n;
		p += n;
		size -= n;
		if (frame->size == sizeof(frame->buffer)) {
			int r = fd_write_all(frame->fd, frame->buffer, frame->size);

			if (r)
				return r;
			frame->size = 0;
		}
	}
	return 0;
}

static int put_number(struct frame_writer *frame, uint64_t value)
{
	unsigned char bytes[VARINT_MAX];
	size_t n = 0;

	do
		bytes[n++] = (value & 127) | (value > 127 ? 128 : 0);
	while (value >>= 7);
	return put(frame, bytes, n);
}

static int put_head(struct frame_writer *frame, char type, uint64_t n)
{
	return put(frame, &type, 1) ?: put_number(frame, n);
}

/* What is held back: raw bytes, then zeros. */
static int flush(struct frame_writer *frame)
{
	int r = 0;

	if (frame->n_raw)
		r = put_head(frame, 'r', frame->n_raw) ?: put(frame, frame->raw, frame->n_raw);
	frame->n_raw = 0;
	if (!r && frame->zeros)
		r = put_head(frame, 'z', frame->zeros);
	frame->zeros = 0;
	return r;
}

static int put_raw(struct frame_writer *frame, const unsigned char *data, size_t size)
{
	while (size) {
		size_t room = sizeof(frame->raw) - frame->n_raw, n = size < room ? size : room;

		memcpy(frame->raw + frame->n_raw, data, n);
		frame->n_raw += n;
		data += n;
		size -= n;
		if (frame->n_raw == sizeof(frame->raw)) {
			int r = flush(frame);

			if (r)
				return r;
		}
	}
	return 0;
}

/* Zeros that turned out to be too few. */
static int put_few_zeros(struct frame_writer *frame)
{
	static const unsigned char zeros[ZEROS_MIN];
	size_t n = frame->zeros;

	frame->zeros = 0;
	return put_raw(frame, zeros, n);
}

int frame_add_raw(struct frame_writer *frame, const void *data, size_t size)
{
	const unsigned char *p = data, *end = p + size;
	int r = 0;

	if (frame->fd < 0 || frame->broken)
		return 0;
	while (!r && p < end) {
		const unsigned char *q = p;

		while (q < end && !*q)
			q++;
		frame->zeros += q - p;
		if (q == end)
			break;
		r = frame->zeros < ZEROS_MIN ? put_few_zeros(frame) : flush(frame);
		for (p = q; q < end && *q;)
			q++;
		if (!r)
			r = put_raw(frame, p, q - p);
		p = q;
	}
	return r;
}

int frame_add_file(struct frame_writer *frame, const char *path, uint64_t size, const struct frame_part *parts,
		   size_t n)
{
	size_t length = strlen(path);
	int r;

	if (frame->fd < 0 || frame->broken)
		return 0;
	r = flush(frame) ?: put_head(frame, 'f', length) ?: put(frame, path, length) ?: put_number(frame, size) ?: put_number(frame, n);
	for (size_t i = 0; !r && i < n; i++)
		r = put_number(frame, parts[i].offset) ?: put_number(frame, parts[i].size);
	return r;
}

void frame_break(struct frame_writer *frame)
{
	frame->broken = true;
}

int frame_finish(struct frame_writer *frame, bool *ret_whole)
{
	int r = 0;

	*ret_whole = frame->fd >= 0 && !frame->broken;
	if (frame->fd < 0)
		return 0;
	if (frame->broken)
		return ftruncate(frame->fd, 0) < 0 ? -errno : 0;
	r = flush(frame);
	if (!r)
		r = fd_write_all(frame->fd, frame->buffer, frame->size);
	frame->size = 0;
	return r;
}

/* ---- reading ---- */

/* *ret_n: how many bytes came; fewer than wanted at the end alone. */
static int take(struct frame_reader *reader, void *data, size_t size, size_t *ret_n, struct error *e)
{
	size_t done = 0;

	while (done < size) {
		size_t n = reader->size - reader->at;

		if (!n) {
			ssize_t got = read(reader->fd, reader->buffer, sizeof(reader->buffer));

			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return error_system(e, errno, "read the frame");
			if (!got)
				break;
			reader->at = 0;
			reader->size = got;
			continue;
		}
		if (n > size - done)
			n = size - done;
		memcpy((char *)data + done, reader->buffer + reader->at, n);
		reader->at += n;
		done += n;
	}
	*ret_n = done;
	return 0;
}

static int take_all(struct frame_reader *reader, void *data, size_t size, struct error *e)
{
	size_t n;
	int r = take(reader, data, size, &n, e);

	return r ?: n == size ? 0 : error_refuse(e, ERROR_INVALID, "the frame is cut off");
}

static int take_number(struct frame_reader *reader, uint64_t *ret, struct error *e)
{
	uint64_t value = 0;

	for (int i = 0; i < VARINT_MAX; i++) {
		unsigned char byte;
		int r = take_all(reader, &byte, 1, e);

		if (r)
			return r;
		value |= (uint64_t)(byte & 127) << (7 * i);
		if (!(byte & 128)) {
			*ret = value;
			return 0;
		}
	}
	return error_refuse(e, ERROR_INVALID, "the frame is damaged: a number has no end");
}

int frame_open(struct frame_reader *reader, int fd, struct error *e)
{
	char magic[sizeof(FRAME_MAGIC)] = "";
	int r;

	reader->fd = fd;
	reader->at = reader->size = 0;
	reader->raw_left = 0;
	reader->parts = NULL;
	r = take_all(reader, magic, sizeof(FRAME_MAGIC) - 1, e);
	if (!r && strcmp(magic, FRAME_MAGIC))
		r = error_refuse(e, ERROR_INVALID, "this is not a frame");
	return r;
}

static int read_file(struct frame_reader *reader, struct frame_record *ret, struct error *e)
{
	uint64_t length = ret->n;
	int r;

	if (length >= sizeof(ret->path))
		return error_refuse(e, ERROR_INVALID, "the frame is damaged: a path of %llu bytes",
				    (unsigned long long)length);
	ret->path[length] = 0;
	r = take_all(reader, ret->path, length, e) ?: take_number(reader, &ret->size, e) ?: take_number(reader, &ret->n, e);
	if (r)
		return r;
	if (ret->n > PARTS_MAX)
		return error_refuse(e, ERROR_INVALID, "the frame is damaged: a file in %llu parts",
				    (unsigned long long)ret->n);
	free(reader->parts);
	ret->parts = reader->parts = calloc(ret->n ? ret->n : 1, sizeof(*reader->parts));
	if (!reader->parts)
		return error_system(e, ENOMEM, "read the frame");
	for (uint64_t i = 0; !r && i < ret->n; i++)
		r = take_number(reader, &ret->parts[i].offset, e) ?: take_number(reader, &ret->parts[i].size, e);
	return r;
}

int frame_read(struct frame_reader *reader, struct frame_record *ret, struct error *e)
{
	size_t n;
	int r;

	if (!reader->raw_left) {
		r = take(reader, &ret->type, 1, &n, e);
		if (r)
			return r;
		if (!n) {
			ret->type = 0;
			return 0;
		}
		r = take_number(reader, &ret->n, e);
		if (r || ret->type == 'z')
			return r;
		if (ret->type == 'f')
			return read_file(reader, ret, e);
		if (ret->type != 'r')
			return error_refuse(e, ERROR_INVALID, "the frame is damaged: a record of type %d", ret->type);
		reader->raw_left = ret->n;
	}
	ret->type = 'r';
	ret->n = reader->raw_left < sizeof(ret->raw) ? reader->raw_left : sizeof(ret->raw);
	reader->raw_left -= ret->n;
	return take_all(reader, ret->raw, ret->n, e);
}

void frame_close(struct frame_reader *reader)
{
	free(reader->parts);
	reader->parts = NULL;
}
