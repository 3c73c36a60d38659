/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_filter.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/unpack_confine.h"

enum { BUFFER = 256 << 10, PIPE = 1 << 20, PROGRESS_STEP = 1 << 20, MAGIC = 2, FDS_MAX = 64 };

/* ---- the process ---- */

struct stream {
	int input, output;
	uint64_t left;	   /* of the part; UINT64_MAX: to the end */
	uint64_t position; /* for pread(2); UINT64_MAX: a pipe */
	const struct unpack_request *request;
	struct digest digest;
	uint64_t in, out, told;
	uint64_t in_before; /* the last that came out */
	struct error error; /* of reading */
	size_t n;	    /* in buffer, not looked at yet */
	unsigned char buffer[BUFFER];
};

static void tell(struct stream *stream)
{
	struct unpack_reply reply = {.type = UNPACK_REPLY_PROGRESS, .progress = stream->in};

	if (stream->in - stream->told < PROGRESS_STEP)
		return;
	stream->told = stream->in;
	(void)!fd_send(UNPACK_SOCKET, &reply, sizeof(uint64_t) * 2, NULL,
		       0); /* nobody listening is no reason to stop */
}

/* Into the buffer, from at on. */
static ssize_t read_at(struct stream *stream, size_t at)
{
	unsigned char *to = stream->buffer + at;
	size_t room = sizeof(stream->buffer) - at, want = stream->left < room ? stream->left : room;
	ssize_t n;

	do
		n = stream->position == UINT64_MAX ? read(stream->input, to, want)
						   : pread(stream->input, to, want, stream->position);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		error_system(&stream->error, errno, "read the archive");
		return -1;
	}
	if (!n && stream->left && stream->left != UINT64_MAX) {
		error_refuse(&stream->error, ERROR_INVALID, "the archive is cut off: %llu bytes are missing",
			     (unsigned long long)stream->left);
		return -1;
	}
	if (stream->position != UINT64_MAX)
		stream->position += n;
	if (stream->left != UINT64_MAX)
		stream->left -= n;
	stream->in += n;
	digest_add(&stream->digest, to, n);
	tell(stream);
	return n;
}

static ssize_t read_some(struct stream *stream)
{
	return read_at(stream, 0);
}

static la_ssize_t read_for_archive(struct archive *archive, void *data, const void **ret)
{
	struct stream *stream = data;
	ssize_t n = stream->n; /* what was read to see what it is comes first */

	stream->n = 0;
	if (!n)
		n = read_some(stream);
	/* xz takes any number of zeros after its end. */
	if (n > 0 && stream->left == UINT64_MAX && stream->in - stream->in_before > UNPACK_PADDING_MAX) {
		error_refuse(&stream->error, ERROR_INVALID, "nothing comes of its last %d bytes", UNPACK_PADDING_MAX);
		n = -1;
	}
	*ret = stream->buffer;
	if (n < 0)
		archive_set_error(archive, EIO, "%s", stream->error.text);
	return n < 0 ? ARCHIVE_FATAL : n;
}

static int refuse_by_archive(struct stream *stream, struct archive *archive, struct error *e)
{
	if (stream->error.kind != ERROR_NONE) {
		*e = stream->error;
		return error_return(e);
	}
	return error_refuse(e, ERROR_INVALID, "the archive can't be decompressed: %s",
			    archive_error_string(archive) ?: "no reason given");
}

static int check_limits(const struct stream *stream, struct error *e)
{
	const struct unpack_limits *limits = &stream->request->limits;

	if (limits->size && stream->out > limits->size)
		return error_refuse(e, ERROR_LIMIT, "the archive unpacks to more than %llu bytes (--max-size)",
				    (unsigned long long)limits->size);
	if (limits->ratio && stream->out > UNPACK_RATIO_FROM && stream->out / limits->ratio > stream->in)
		return error_refuse(e, ERROR_LIMIT,
				    "the archive unpacks to more than %llu times its size (--max-ratio)",
				    (unsigned long long)limits->ratio);
	return 0;
}

static int hand_on(struct stream *stream, const void *data, size_t size, struct error *e)
{
	int r;

	stream->out += size;
	stream->in_before = stream->in;
	r = check_limits(stream, e);
	if (r)
		return r;
	r = fd_write_all(stream->output, data, size);
	return r ? error_system(e, -r, "hand the archive on") : 0;
}

static int pump(struct stream *stream, struct archive *archive, bool *ret_compressed, struct error *e)
{
	struct archive_entry *entry;
	int r = archive_read_next_header(archive, &entry);

	if (r == ARCHIVE_EOF)
		return error_refuse(e, ERROR_INVALID, "the archive is empty");
	if (r < ARCHIVE_WARN)
		return refuse_by_archive(stream, archive, e);
	*ret_compressed = archive_filter_code(archive, 0) != ARCHIVE_FILTER_NONE;
	for (;;) {
		const void *data;
		size_t size;
		la_int64_t offset;

		r = archive_read_data_block(archive, &data, &size, &offset);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return refuse_by_archive(stream, archive, e);
		r = hand_on(stream, data, size, e);
		if (r)
			return r;
	}
}

/* What follows the compressed part belongs to the blob and its hash. */
static int read_rest(struct stream *stream, struct error *e)
{
	uint64_t before = stream->in;
	ssize_t n;

	while (stream->left && (n = read_some(stream)) > 0)
		if (stream->left == UINT64_MAX && stream->in - before > UNPACK_PADDING_MAX)
			return error_refuse(e, ERROR_INVALID, "more than %d bytes follow the compressed archive",
					    UNPACK_PADDING_MAX);
	if (stream->error.kind != ERROR_NONE) {
		*e = stream->error;
		return error_return(e);
	}
	return 0;
}

/* ---- gzip: by zlib itself, as libarchive does not compare the check sums ---- */

static int refuse_gzip(const char *why, struct error *e)
{
	return error_refuse(e, ERROR_INVALID, "the archive can't be decompressed: %s", why);
}

static bool is_gzip(const struct stream *stream)
{
	return stream->n >= 2 && stream->buffer[0] == 0x1f && stream->buffer[1] == 0x8b;
}

/* One member after the other; zeros after the last are padding (of tapes), anything else is none of it and only hashed. */
static int inflate_members(struct stream *stream, z_stream *z, unsigned char *out, struct error *e)
{
	bool inside = true;

	for (;;) {
		int result;
		int r;

		if (!z->avail_in) {
			ssize_t n = stream->left ? read_some(stream) : 0;

			if (n < 0) {
				*e = stream->error;
				return error_return(e);
			}
			if (!n)
				return inside ? refuse_gzip("it is cut off", e) : 0;
			z->next_in = stream->buffer;
			z->avail_in = n;
		}
		if (!inside) {
			if (*z->next_in != 0x1f)
				return 0;
			if (inflateReset(z) != Z_OK)
				return refuse_gzip("zlib fails", e);
			inside = true;
		}
		z->next_out = out;
		z->avail_out = BUFFER;
		result = inflate(z, Z_NO_FLUSH);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return refuse_gzip(z->msg ? z->msg : "it is damaged", e);
		r = hand_on(stream, out, BUFFER - z->avail_out, e);
		if (r)
			return r;
		inside = result != Z_STREAM_END;
	}
}

static int decompress_gzip(struct stream *stream, struct error *e)
{
	auto_free unsigned char *out = malloc(BUFFER);
	z_stream z = {.next_in = stream->buffer, .avail_in = stream->n};
	int r;

	if (!out || inflateInit2(&z, 15 + 16) != Z_OK)
		return error_system(e, ENOMEM, "decompress");
	r = inflate_members(stream, &z, out, e) ?: read_rest(stream, e);
	inflateEnd(&z);
	return r;
}

static int decompress(struct stream *stream, struct archive *archive, bool *ret_compressed, struct error *e)
{
	ssize_t n = 1;

	while (n > 0 && stream->n < MAGIC) { /* a pipe may bring it byte by byte */
		n = read_at(stream, stream->n);
		stream->n += n > 0 ? n : 0;
	}
	if (n < 0) {
		*e = stream->error;
		return error_return(e);
	}
	if (is_gzip(stream)) {
		*ret_compressed = true;
		return decompress_gzip(stream, e);
	}
	if (archive_read_support_filter_bzip2(archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_xz(archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_zstd(archive) < ARCHIVE_WARN ||
	    archive_read_support_format_raw(archive) < ARCHIVE_WARN ||
	    archive_read_support_format_empty(archive) < ARCHIVE_WARN ||
	    archive_read_open(archive, stream, NULL, read_for_archive, NULL) < ARCHIVE_WARN)
		return refuse_by_archive(stream, archive, e);
	return pump(stream, archive, ret_compressed, e) ?: read_rest(stream, e);
}

/* The folder, the frame and the spool are its parent's business. */
static void close_others(const struct stream *stream, int outcome_fd)
{
	for (int fd = UNPACK_SOCKET + 1; fd < FDS_MAX; fd++)
		if (fd != stream->input && fd != stream->output && fd != outcome_fd)
			close(fd);
}

static void __attribute__((noreturn)) run(struct stream *stream, int outcome_fd)
{
	struct filter_outcome outcome = {.error = ERROR_INIT};
	struct archive *archive = archive_read_new();
	bool is_compressed = false;
	int r = archive ? confine_root(-1, CONFINE_STREAM, false, &outcome.error)
			      ?: confine_calls(CONFINE_STREAM, &outcome.error)
			: error_system(&outcome.error, ENOMEM, "decompress");

	if (!r)
		r = decompress(stream, archive, &is_compressed, &outcome.error);
	if (!r) {
		digest_finish_hex(&stream->digest, outcome.blob);
		outcome.blob_size = stream->in;
		outcome.is_compressed = is_compressed;
	}
	(void)!fd_write_all(outcome_fd, &outcome, sizeof(outcome));
	_exit(0);
}

int filter_start(int input, const struct unpack_request *request, struct filter *ret, struct error *e)
{
	auto_free struct stream *stream = calloc(1, sizeof(*stream));
	int data[2], outcome[2];
	pid_t parent = getpid(), pid;

	if (!stream)
		return error_system(e, ENOMEM, "decompress");
	if (pipe2(data, O_CLOEXEC) < 0)
		return error_system(e, errno, "make a pipe");
	ret->data = data[0];
	if (pipe2(outcome, O_CLOEXEC) < 0) {
		fd_close(data[1]);
		return error_system(e, errno, "make a pipe");
	}
	ret->outcome = outcome[0];
	fcntl(data[1], F_SETPIPE_SZ, PIPE); /* more than an ordinary user may have: then it is as it was */
	*stream = (struct stream){.input = input,
				  .output = data[1],
				  .left = request->length ? request->length : UINT64_MAX,
				  .position = lseek(input, 0, SEEK_CUR) < 0 ? UINT64_MAX : request->offset,
				  .request = request};
	digest_init(&stream->digest);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close_others(stream, outcome[1]);
		run(stream, outcome[1]);
	}
	fd_close(data[1]);
	fd_close(outcome[1]);
	if (pid < 0)
		return error_system(e, errno, "fork");
	ret->pid = pid;
	return 0;
}

/* ---- its owner ---- */

static int finish(struct filter *filter, struct error *e)
{
	struct filter_outcome *outcome = &filter->result;
	size_t done = 0;
	int status = 0;

	while (done < sizeof(*outcome)) {
		ssize_t n = read(filter->outcome, (char *)outcome + done, sizeof(*outcome) - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	filter->data = fd_close(filter->data);
	filter->outcome = fd_close(filter->outcome);
	while (waitpid(filter->pid, &status, 0) < 0 && errno == EINTR)
		;
	filter->pid = 0;
	if (done < sizeof(*outcome))
		return WIFSIGNALED(status) ? error_refuse(e, ERROR_INVALID,
							  "decompressing the archive was ended by SIG%s: it did what "
							  "decompressing has no need of",
							  sigabbrev_np(WTERMSIG(status)) ?: "?")
					   : error_bug(e, "who decompresses said nothing");
	if (outcome->error.kind == ERROR_NONE)
		return 0;
	outcome->error.text[sizeof(outcome->error.text) - 1] = 0;
	if (e)
		*e = outcome->error;
	return error_return(&outcome->error);
}

int filter_read(void *data, void *buffer, size_t size, size_t *ret_n, struct error *e)
{
	struct filter *filter = data;
	ssize_t n = 0;

	if (filter->pid)
		do
			n = read(filter->data, buffer, size);
		while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_system(e, errno, "read what was decompressed");
	*ret_n = n;
	return n || !filter->pid ? 0 : finish(filter, e);
}
