/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/json.h"
#include "storage/store.h"

#define MANIFEST "manifest.json"
#define MANIFEST_SUM "manifest.sha256"

enum { VERSION = 1, MODE = 0600, COPY = 256 << 10, MANIFEST_MAX = 4 << 20, SUM_SIZE = 64 + 2 + sizeof(MANIFEST) };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8];
	char rest[247];
} __attribute__((packed));

_Static_assert(sizeof(struct header) == ARCHIVE_BLOCK, "a header is one block");

void archive_print_header(const char *name, uint64_t size, unsigned mode, bool is_folder, char ret[ARCHIVE_BLOCK])
{
	struct header header = {.type = is_folder ? '5' : '0'};
	unsigned sum = 0;

	snprintf(header.name, sizeof(header.name), "%s", name);
	snprintf(header.mode, sizeof(header.mode), "%07o", mode & 07777);
	snprintf(header.uid, sizeof(header.uid), "%07o", 0);
	snprintf(header.gid, sizeof(header.gid), "%07o", 0);
	snprintf(header.mtime, sizeof(header.mtime), "%011o", 0);
	if (size < UINT64_C(1) << 33) {
		snprintf(header.size, sizeof(header.size), "%011" PRIo64, size);
	} else {
		header.size[0] = (char)0x80;
		for (int i = 0; i < 8; i++)
			header.size[4 + i] = (char)(size >> (56 - 8 * i));
	}
	memcpy(header.magic, "ustar\00000", 8);
	memset(header.sum, ' ', sizeof(header.sum));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += ((unsigned char *)&header)[i];
	snprintf(header.sum, sizeof(header.sum), "%06o", sum);
	memcpy(ret, &header, sizeof(header));
}

static uint64_t padding(uint64_t size)
{
	return (ARCHIVE_BLOCK - size % ARCHIVE_BLOCK) % ARCHIVE_BLOCK;
}

static void print_sum(const char *sum, char ret[SUM_SIZE + 1])
{
	snprintf(ret, SUM_SIZE + 1, "%s  " MANIFEST "\n", sum);
}

/* ---- writing ---- */

/* Gives each piece to digest and to, which may be missing; size UINT64_MAX: to the end.  -ENODATA: it is shorter. */
static int copy(int from, uint64_t offset, uint64_t size, int to, struct digest *digest, uint64_t *ret_size)
{
	auto_free char *buffer = malloc(COPY);
	uint64_t done = 0;

	if (!buffer)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = pread(from, buffer, size - done < COPY ? size - done : COPY, (off_t)(offset + done));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n && size != UINT64_MAX)
			return -ENODATA;
		if (!n)
			break;
		if (digest)
			digest_add(digest, buffer, n);
		r = to < 0 ? 0 : fd_write_all(to, buffer, n);
		if (r)
			return r;
		done += n;
	}
	if (ret_size)
		*ret_size = done;
	return 0;
}

int archive_measure(int folder, struct archive_part *part, struct error *e)
{
	struct digest digest;
	auto_fd fd = -1;
	int r = fd_open(folder, part->file, O_RDONLY | O_NOFOLLOW, NULL, &fd, e);

	if (r)
		return r;
	digest_init(&digest);
	r = copy(fd, 0, UINT64_MAX, -1, &digest, &part->size);
	digest_finish_hex(&digest, part->sum);
	return r ? error_system(e, -r, "read '%s'", part->file) : 0;
}

static int write_header(int fd, const char *name, uint64_t size)
{
	char block[ARCHIVE_BLOCK];

	archive_print_header(name, size, MODE, false, block);
	return fd_write_all(fd, block, sizeof(block));
}

static int write_zeros(int fd, uint64_t size)
{
	static const char zeros[2 * ARCHIVE_BLOCK];

	return fd_write_all(fd, zeros, size);
}

static int write_text(int fd, const char *name, const char *text)
{
	size_t size = strlen(text);

	return write_header(fd, name, size) ?: fd_write_all(fd, text, size) ?: write_zeros(fd, padding(size));
}

static char *make_manifest(const struct archive_part *parts, size_t n)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);

	json_open_object(&w, NULL);
	json_put_string(&w, "format", ARCHIVE_FORMAT);
	json_put_uint(&w, "version", VERSION);
	json_open_array(&w, "parts");
	for (size_t i = 0; i < n; i++) {
		json_open_object(&w, NULL);
		json_put_string(&w, "name", parts[i].name);
		json_put_uint(&w, "size", parts[i].size);
		json_put_string(&w, "sha256", parts[i].sum);
		json_close(&w);
	}
	json_close(&w);
	json_close(&w);
	return json_finish(&w);
}

int archive_write(int fd, const char *target, int folder, const struct archive_part *parts, size_t n, struct error *e)
{
	auto_free char *manifest = make_manifest(parts, n);
	char sum[DIGEST_HEX_SIZE], line[SUM_SIZE + 1];
	int r;

	digest_hex(manifest, strlen(manifest), sum);
	print_sum(sum, line);
	r = write_text(fd, MANIFEST_SUM, line) ?: write_text(fd, MANIFEST, manifest);
	for (size_t i = 0; i < n && !r; i++) {
		auto_fd from = -1;

		r = fd_open(folder, parts[i].file, O_RDONLY | O_NOFOLLOW, NULL, &from, e);
		if (r)
			return r;
		r = write_header(fd, parts[i].name, parts[i].size) ?:
		    copy(from, 0, parts[i].size, fd, NULL, NULL) ?:
		    write_zeros(fd, padding(parts[i].size));
	}
	r = r ?: write_zeros(fd, 2 * ARCHIVE_BLOCK);
	return r ? error_system(e, -r, "write '%s'", target) : 0;
}

/* ---- reading ---- */

int archive_refuse(const struct archive *archive, const struct archive_part *part, struct error *e)
{
	return error_refuse(e, ERROR_INVALID, "'%s' is damaged: '%s' in it is not what its sum says", archive->name,
			    part->name);
}

static int refuse_short(const struct archive *archive, struct error *e)
{
	return error_refuse(e, ERROR_INVALID, "'%s' is cut off", archive->name);
}

static int read_at(const struct archive *archive, uint64_t offset, void *to, size_t size, struct error *e)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(archive->fd, (char *)to + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(e, errno, "read '%s'", archive->name);
		if (!n)
			return refuse_short(archive, e);
		done += n;
	}
	return 0;
}

/* At *offset is the header that a member must have, which is taken. */
static int take_header(const struct archive *archive, uint64_t *offset, const char *name, uint64_t size,
		       struct error *e)
{
	char expected[ARCHIVE_BLOCK], found[ARCHIVE_BLOCK];
	int r = read_at(archive, *offset, found, sizeof(found), e);

	if (r)
		return r;
	archive_print_header(name, size, MODE, false, expected);
	if (memcmp(expected, found, sizeof(found)))
		return error_refuse(e, ERROR_INVALID, "'%s' is damaged: the header of '%s' in it was altered",
				    archive->name, name);
	*offset += ARCHIVE_BLOCK;
	return 0;
}

static int take_zeros(const struct archive *archive, uint64_t *offset, size_t size, struct error *e)
{
	char found[2 * ARCHIVE_BLOCK] = "";
	int r = read_at(archive, *offset, found, size, e);

	for (size_t i = 0; i < size && !r; i++)
		if (found[i])
			r = error_refuse(e, ERROR_INVALID, "'%s' is damaged: byte %" PRIu64 " of it was altered",
					 archive->name, *offset + i);
	*offset += size;
	return r;
}

/* The size that a header says, which is compared with the whole header then. */
static int read_size(const struct archive *archive, uint64_t offset, uint64_t *ret, struct error *e)
{
	struct header header;
	int r = read_at(archive, offset, &header, sizeof(header), e);

	*ret = 0;
	for (size_t i = 0; i < sizeof(header.size) && header.size[i] >= '0' && header.size[i] <= '7'; i++)
		*ret = *ret * 8 + (uint64_t)(header.size[i] - '0');
	if (!r && *ret > MANIFEST_MAX)
		r = error_refuse(e, ERROR_INVALID, "'%s' is damaged: its manifest has %" PRIu64 " bytes", archive->name,
				 *ret);
	return r;
}

static int take_manifest(const struct archive *archive, uint64_t *offset, char **ret, struct error *e)
{
	char line[SUM_SIZE + 1] = "", expected[SUM_SIZE + 1], sum[DIGEST_HEX_SIZE], first[ARCHIVE_BLOCK];
	uint64_t size = 0;
	int r = read_at(archive, 0, first, sizeof(first), e);

	if (!r && memcmp(first, MANIFEST_SUM, sizeof(MANIFEST_SUM)))
		r = error_refuse(e, ERROR_INVALID, "'%s' is no exported instance: it does not begin with '%s'",
				 archive->name, MANIFEST_SUM);
	r = r ?: take_header(archive, offset, MANIFEST_SUM, SUM_SIZE, e) ?:
		 read_at(archive, *offset, line, SUM_SIZE, e);
	*offset += SUM_SIZE;
	r = r ?: take_zeros(archive, offset, padding(SUM_SIZE), e) ?:
		 read_size(archive, *offset, &size, e) ?:
		 take_header(archive, offset, MANIFEST, size, e);
	if (r)
		return r;
	*ret = calloc(1, size + 1);
	if (!*ret)
		return error_system(e, ENOMEM, "read '%s'", archive->name);
	r = read_at(archive, *offset, *ret, size, e);
	if (r)
		return r;
	digest_hex(*ret, size, sum);
	print_sum(sum, expected);
	if (memcmp(line, expected, SUM_SIZE))
		return error_refuse(e, ERROR_INVALID, "'%s' is damaged: '" MANIFEST "' in it is not what its sum says",
				    archive->name);
	*offset += size;
	return take_zeros(archive, offset, padding(size), e);
}

static int read_part(const struct archive *archive, const struct json *json, struct arena *arena,
		     struct archive_part *ret, struct error *e)
{
	const char *name = json_find_string(json, "name"), *sum = json_find_string(json, "sha256");
	int64_t size = json_find_int(json, "size", -1);

	if (!name || !*name || strlen(name) >= ARCHIVE_NAME_SIZE || !sum || !store_is_hex(sum) || size < 0)
		return error_refuse(e, ERROR_INVALID, "'%s': its '" MANIFEST "' has a part that can't be",
				    archive->name);
	if (archive_find(archive, name))
		return error_refuse(e, ERROR_INVALID, "'%s': its '" MANIFEST "' has '%s' twice", archive->name, name);
	*ret = (struct archive_part){.name = arena_strdup(arena, name), .size = (uint64_t)size};
	memcpy(ret->sum, sum, sizeof(ret->sum));
	return 0;
}

static int read_parts(struct archive *archive, const struct json *json, struct arena *arena, uint64_t *offset,
		      struct error *e)
{
	const struct json *list = json_find(json, "parts");
	size_t n = json_count(list);
	struct stat st;

	if (!str_equal(json_find_string(json, "format"), ARCHIVE_FORMAT))
		return error_refuse(e, ERROR_INVALID, "'%s' is no exported instance", archive->name);
	if (json_find_int(json, "version", 0) != VERSION)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "'%s' has version %lld of the format, and this holm reads version %d",
				    archive->name, (long long)json_find_int(json, "version", 0), VERSION);
	if (n > ARCHIVE_PARTS_MAX)
		return error_refuse(e, ERROR_LIMIT, "'%s' has more than %d parts", archive->name, ARCHIVE_PARTS_MAX);
	if (fstat(archive->fd, &st) < 0)
		return error_system(e, errno, "look at '%s'", archive->name);
	archive->parts = arena_array(arena, struct archive_part, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct archive_part *part = &archive->parts[i];
		int r = read_part(archive, json_at(list, i), arena, part, e);

		if (r)
			return r;
		archive->n++;
		r = take_header(archive, offset, part->name, part->size, e);
		if (r)
			return r;
		part->offset = *offset;
		if (part->size > (uint64_t)st.st_size || *offset > (uint64_t)st.st_size - part->size)
			return refuse_short(archive, e);
		*offset += part->size;
		r = take_zeros(archive, offset, padding(part->size), e);
		if (r)
			return r;
	}
	return 0;
}

int archive_open(int fd, const char *name, struct arena *arena, struct archive *ret, struct error *e)
{
	auto_free char *manifest = NULL;
	auto_json *json = NULL;
	uint64_t offset = 0;
	struct stat st;
	int r;

	*ret = (struct archive){.fd = fd, .name = name};
	r = take_manifest(ret, &offset, &manifest, e) ?:
	    json_read(manifest, strlen(manifest), MANIFEST, &json, e) ?:
	    read_parts(ret, json, arena, &offset, e) ?:
	    take_zeros(ret, &offset, 2 * ARCHIVE_BLOCK, e);
	if (r)
		return r;
	if (fstat(fd, &st) < 0)
		return error_system(e, errno, "look at '%s'", name);
	if ((uint64_t)st.st_size != offset)
		return error_refuse(e, ERROR_INVALID, "'%s' is damaged: something follows its end", name);
	return 0;
}

const struct archive_part *archive_find(const struct archive *archive, const char *name)
{
	for (size_t i = 0; i < archive->n; i++)
		if (str_equal(archive->parts[i].name, name))
			return &archive->parts[i];
	return NULL;
}

int archive_read(const struct archive *archive, const char *name, size_t max, char **ret, struct error *e)
{
	const struct archive_part *part = archive_find(archive, name);
	char sum[DIGEST_HEX_SIZE];
	int r;

	if (!part)
		return error_refuse(e, ERROR_INVALID, "'%s' has no '%s'", archive->name, name);
	if (part->size > max)
		return error_refuse(e, ERROR_LIMIT, "'%s' in '%s' is larger than %zu bytes", name, archive->name, max);
	*ret = calloc(1, part->size + 1);
	if (!*ret)
		return error_system(e, ENOMEM, "read '%s'", archive->name);
	r = read_at(archive, part->offset, *ret, part->size, e);
	if (r)
		return r;
	digest_hex(*ret, part->size, sum);
	return str_equal(sum, part->sum) ? 0 : archive_refuse(archive, part, e);
}

int archive_copy(const struct archive *archive, const struct archive_part *part, int to, struct error *e)
{
	char sum[DIGEST_HEX_SIZE];
	struct digest digest;
	int r;

	digest_init(&digest);
	r = copy(archive->fd, part->offset, part->size, to, &digest, NULL);
	digest_finish_hex(&digest, sum);
	if (r == -ENODATA)
		return refuse_short(archive, e);
	if (r)
		return error_system(e, -r, "copy '%s' from '%s'", part->name, archive->name);
	return str_equal(sum, part->sum) ? 0 : archive_refuse(archive, part, e);
}
