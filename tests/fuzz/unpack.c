/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes what holm-unpack does with bytes of others: the reader of tars, the names in them, the frame that is written beside, and
 * the reader of frames.  A frame without files has to give the archive back, whatever it was; a name that is taken leads nowhere
 * else.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "storage/unpack_frame.h"
#include "storage/unpack_tar.h"
#include "storage/unpack_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_unless(bool condition)
{
	if (!condition)
		abort();
}

struct source {
	const uint8_t *data;
	size_t size, at, step;
};

/* In pieces of changing length, as a pipe brings them. */
static int read_source(void *data, void *buffer, size_t size, size_t *ret_n, struct error *e)
{
	struct source *source = data;
	size_t n = source->size - source->at;

	(void)e;
	source->step = source->step * 5 % 4099 + 1;
	if (n > source->step)
		n = source->step;
	if (n > size)
		n = size;
	memcpy(buffer, source->data + source->at, n);
	source->at += n;
	*ret_n = n;
	return 0;
}

static void check_name(const char *name)
{
	char clean[UNPACK_NAME_SIZE];
	struct error e = ERROR_INIT;

	(void)tree_is_image_archive(name);
	if (tree_clean_name(name, 256, clean, &e))
		return;
	fail_unless(*clean != '/' && strlen(clean) < UNPACK_NAME_SIZE);
	for (const char *part = clean; *part;) {
		size_t n = strcspn(part, "/");

		fail_unless(n && !(n == 1 && *part == '.') && !(n == 2 && part[0] == '.' && part[1] == '.'));
		part += n + (part[n] == '/');
	}
}

static void check_member(struct tar_reader *tar, const struct tar_member *member)
{
	uint64_t stored = 0, end = 0;
	struct error e = ERROR_INIT;
	const unsigned char *piece;
	size_t n = 0;

	check_name(member->name);
	check_name(member->link);
	for (size_t i = 0; i < member->n_parts; i++) {
		fail_unless(member->parts[i].offset >= end);
		end = member->parts[i].offset + member->parts[i].size;
		stored += member->parts[i].size;
	}
	fail_unless(end <= member->size && stored == member->stored);
	for (size_t i = 0; i < member->n_xattrs; i++)
		fail_unless(strlen(member->texts + member->xattrs[i].name) < member->xattrs[i].value);
	/* Some contents are read, others skipped. */
	if (member->mode & 1)
		while (!tar_read(tar, false, &piece, &n, &e) && n)
			fail_unless(piece != NULL);
}

static void check_frame(int fd, const uint8_t *data, size_t size)
{
	struct frame_reader *reader = calloc(1, sizeof(*reader));
	struct frame_record *record = calloc(1, sizeof(*record));
	struct error e = ERROR_INIT;
	size_t at = 0;

	fail_unless(reader && record && lseek(fd, 0, SEEK_SET) == 0);
	fail_unless(!frame_open(reader, fd, &e));
	for (;;) {
		fail_unless(!frame_read(reader, record, &e));
		if (!record->type)
			break;
		fail_unless(record->n <= size - at);
		if (record->type == 'r')
			fail_unless(!memcmp(record->raw, data + at, record->n));
		else
			for (uint64_t i = 0; i < record->n; i++)
				fail_unless(!data[at + i]);
		at += record->n;
	}
	fail_unless(at == size);
	frame_close(reader);
	free(reader);
	free(record);
}

static void try_tar(const uint8_t *data, size_t size)
{
	struct source source = {.data = data, .size = size, .step = size};
	struct tar_reader *tar = calloc(1, sizeof(*tar));
	struct frame_writer *frame = calloc(1, sizeof(*frame));
	auto_fd fd = memfd_create("frame", MFD_CLOEXEC);
	struct error e = ERROR_INIT;
	bool some = true, whole;
	int r;

	fail_unless(tar && frame && fd >= 0);
	frame_init(frame, fd);
	r = tar_init(tar, read_source, &source, frame, &e);
	while (!r && some) {
		struct tar_member member;

		r = tar_next(tar, &member, &some, &e);
		if (!r && some)
			check_member(tar, &member);
	}
	if (!r)
		r = tar_drain(tar, &e);
	if (!r) {
		fail_unless(!frame_finish(frame, &whole) && whole && tar->size == size);
		check_frame(fd, data, size);
	}
	tar_release(tar);
	free(tar);
	free(frame);
}

static void try_frame(const uint8_t *data, size_t size)
{
	struct frame_reader *reader = calloc(1, sizeof(*reader));
	struct frame_record *record = calloc(1, sizeof(*record));
	auto_fd fd = memfd_create("frame", MFD_CLOEXEC);
	struct error e = ERROR_INIT;

	fail_unless(reader && record && fd >= 0);
	fail_unless(!fd_write_all(fd, FRAME_MAGIC, sizeof(FRAME_MAGIC) - 1) && !fd_write_all(fd, data, size));
	fail_unless(lseek(fd, 0, SEEK_SET) == 0);
	if (!frame_open(reader, fd, &e))
		while (!frame_read(reader, record, &e) && record->type)
			;
	frame_close(reader);
	free(reader);
	free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_tar(data, size);
	try_frame(data, size);
	return 0;
}
