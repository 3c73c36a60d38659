/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/unpack.h"

enum { BUFFER = 256 << 10, BLOCK = 512 };

/* A header as it is in the archive: ustar, and where GNU differs. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8];
	char type;
	char link[100], magic[8], uname[32], gname[32], major[8], minor[8];
	union {
		char prefix[155];
		struct {
			char atime[12], ctime[12], offset[12], longnames[4], unused;
			struct {
				char offset[12], size[12];
			} sparse[4];
			char is_extended, real_size[12];
		} gnu;
	};
	char rest[12];
} __attribute__((packed));

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct sparse_block {
	struct {
		char offset[12], size[12];
	} sparse[21];
	char is_extended, rest[7];
} __attribute__((packed));

_Static_assert(sizeof(struct sparse_block) == BLOCK, "a block is a block");

int tar_init(struct tar_reader *tar, int (*read)(void *, void *, size_t, size_t *, struct error *), void *data,
	     struct frame_writer *frame, struct error *e)
{
	memset(tar, 0, sizeof(*tar));
	tar->read = read;
	tar->data = data;
	tar->frame = frame;
	digest_init(&tar->digest);
	tar->buffer = malloc(BUFFER);
	return tar->buffer ? 0 : error_system(e, ENOMEM, "read an archive");
}

void tar_release(struct tar_reader *tar)
{
	free(tar->buffer);
	tar->buffer = NULL;
	str_release(&tar->name);
	str_release(&tar->link);
	str_release(&tar->texts);
	str_release(&tar->parts);
}

/* ---- the stream ---- */

static int fill(struct tar_reader *tar, struct error *e)
{
	size_t n = 0;
	int r;

	if (tar->used < tar->have || tar->at_end)
		return 0;
	tar->used = tar->have = 0;
	r = tar->read(tar->data, tar->buffer, BUFFER, &n, e);
	if (r)
		return r;
	digest_add(&tar->digest, tar->buffer, n);
	tar->size += n;
	tar->have = n;
	tar->at_end = !n;
	return 0;
}

/* At most size bytes, in the buffer; for the frame unless kept. */
static int peel(struct tar_reader *tar, uint64_t size, bool kept, const unsigned char **ret_data, size_t *ret_n,
		struct error *e)
{
	int r = fill(tar, e);

	if (r)
		return r;
	*ret_n = tar->have - tar->used;
	if (*ret_n > size)
		*ret_n = size;
	*ret_data = tar->buffer + tar->used;
	tar->used += *ret_n;
	if (!kept && tar->frame) {
		r = frame_add_raw(tar->frame, *ret_data, *ret_n);
		if (r)
			return error_system(e, -r, "write the frame");
	}
	return 0;
}

static const char *name_of(const struct tar_reader *tar)
{
	return tar->name.size ? tar->name.data : "";
}

static int refuse_cut(const struct tar_reader *tar, struct error *e)
{
	if (tar->name.size)
		return error_refuse(e, ERROR_INVALID, "member '%s': the archive is cut off here, after %llu bytes",
				    name_of(tar), (unsigned long long)tar->size);
	return error_refuse(e, ERROR_INVALID, "the archive is cut off after %llu bytes", (unsigned long long)tar->size);
}

/* Into data; *ret_whole false: the stream ended before the first byte. */
static int take(struct tar_reader *tar, void *data, size_t size, bool *ret_whole, struct error *e)
{
	size_t done = 0;

	while (done < size) {
		const unsigned char *piece;
		size_t n;
		int r = peel(tar, size - done, false, &piece, &n, e);

		if (r)
			return r;
		if (!n && !done && ret_whole) {
			*ret_whole = false;
			return 0;
		}
		if (!n)
			return refuse_cut(tar, e);
		memcpy((char *)data + done, piece, n);
		done += n;
	}
	if (ret_whole)
		*ret_whole = true;
	return 0;
}

static int skip(struct tar_reader *tar, uint64_t size, struct error *e)
{
	while (size) {
		const unsigned char *piece;
		size_t n;
		int r;

		if (tar->skip && tar->used == tar->have && size >= BUFFER) {
			tar->size += size;
			return tar->skip(tar->data, size, e);
		}
		r = peel(tar, size, false, &piece, &n, e);

		if (r)
			return r;
		if (!n)
			return refuse_cut(tar, e);
		size -= n;
	}
	return 0;
}

static int finish_member(struct tar_reader *tar, struct error *e)
{
	int r = skip(tar, tar->left, e) ?: skip(tar, tar->padding, e);

	tar->left = tar->padding = 0;
	return r;
}

int tar_drain(struct tar_reader *tar, struct error *e)
{
	uint64_t bytes = 0;
	int r = finish_member(tar, e);

	while (!r && !tar->at_end) {
		const unsigned char *piece;
		size_t n = 0;

		r = peel(tar, UINT64_MAX, false, &piece, &n, e);
		bytes += n;
		if (!r && bytes > UNPACK_PADDING_MAX)
			r = error_refuse(e, ERROR_INVALID, "more than %d bytes follow the end of the archive",
					 UNPACK_PADDING_MAX);
	}
	return r;
}

int tar_read(struct tar_reader *tar, bool kept, const unsigned char **ret_data, size_t *ret_n, struct error *e)
{
	int r;

	*ret_n = 0;
	if (!tar->left)
		return 0;
	r = peel(tar, tar->left, kept, ret_data, ret_n, e);
	if (!r && !*ret_n)
		return refuse_cut(tar, e);
	tar->left -= *ret_n;
	return r;
}

/* ---- numbers ---- */

/* Octal with blanks around it, or (GNU) big-endian base 256 with the highest bit set; negative ones for times alone. */
static int parse_field(const char *field, size_t size, int64_t *ret)
{
	const unsigned char *p = (const unsigned char *)field;
	uint64_t value = 0;
	size_t i = 0;

	if (*p & 0x80) {
		bool negative = *p & 0x40;

		value = negative ? UINT64_MAX : 0;
		for (i = 0; i < size; i++) {
			unsigned char byte = i ? p[i] : negative ? p[i] : p[i] & 0x7f;

			if (size - i > 8 && byte != (negative ? 0xff : 0))
				return -ERANGE;
			value = value << 8 | byte;
		}
		if (((int64_t)value < 0) != negative)
			return -ERANGE;
		*ret = (int64_t)value;
		return 0;
	}
	while (i < size && p[i] == ' ')
		i++;
	for (; i < size && p[i] >= '0' && p[i] <= '7'; i++) {
		if (value >> 60)
			return -ERANGE;
		value = value << 3 | (p[i] - '0');
	}
	for (; i < size; i++)
		if (p[i] && p[i] != ' ')
			return -EINVAL;
	*ret = (int64_t)value;
	return 0;
}

static int refuse_number(const struct tar_reader *tar, const char *what, struct error *e)
{
	return error_refuse(e, ERROR_INVALID, "member '%s': its %s is not a number that fits", name_of(tar), what);
}

static int read_field(const struct tar_reader *tar, const char *field, size_t size, const char *what, uint64_t *ret,
		      struct error *e)
{
	int64_t value;

	if (parse_field(field, size, &value) || value < 0)
		return refuse_number(tar, what, e);
	*ret = value;
	return 0;
}

#define READ_FIELD(tar, field, what, ret, e) read_field(tar, field, sizeof(field), what, ret, e)

/* Decimal, the whole text, n bytes of it. */
static int parse_decimal(const char *text, size_t n, uint64_t *ret)
{
	uint64_t value = 0;

	if (!n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[i] - '0', &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

/* "[-]1700000000[.123456789]" */
static int parse_time(const char *text, size_t n, int64_t *ret, uint32_t *ret_ns)
{
	bool negative = n && *text == '-';
	const char *dot = memchr(text, '.', n);
	size_t whole = dot ? (size_t)(dot - text) : n;
	uint64_t seconds, scale = 100000000;

	if (parse_decimal(text + negative, whole - negative, &seconds) || seconds > INT64_MAX / 2)
		return -EINVAL;
	*ret = negative ? -(int64_t)seconds : (int64_t)seconds;
	*ret_ns = 0;
	for (size_t i = whole + 1; i < n; i++, scale /= 10) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		*ret_ns += (text[i] - '0') * scale;
	}
	if (negative && *ret_ns) {
		--*ret;
		*ret_ns = 1000000000 - *ret_ns;
	}
	return 0;
}

/* ---- what comes before a header ---- */

static void set_text(struct str *to, const char *text, size_t n)
{
	to->size = 0;
	str_add_bytes(to, text, strnlen(text, n));
	if (to->data)
		to->data[to->size] = 0;
}

static void add_part(struct tar_reader *tar, uint64_t offset, uint64_t size)
{
	struct frame_part part = {offset, size};

	str_add_bytes(&tar->parts, &part, sizeof(part));
}

/* GNU.sparse.map: "offset,size,offset,size" */
static int read_map(struct tar_reader *tar, const char *text, size_t n)
{
	while (n) {
		const char *comma = memchr(text, ',', n);
		size_t first = comma ? (size_t)(comma - text) : n, second;
		uint64_t offset, size;

		if (!comma || parse_decimal(text, first, &offset))
			return -EINVAL;
		text += first + 1;
		n -= first + 1;
		comma = memchr(text, ',', n);
		second = comma ? (size_t)(comma - text) : n;
		if (parse_decimal(text, second, &size))
			return -EINVAL;
		add_part(tar, offset, size);
		text += second + !!comma;
		n -= second + !!comma;
	}
	return 0;
}

static int add_xattr(struct tar_reader *tar, const char *name, size_t n_name, const char *value, size_t n)
{
	if (tar->n_xattrs == TAR_XATTRS_MAX)
		return -E2BIG;
	tar->xattrs[tar->n_xattrs++] = (struct tar_xattr){tar->texts.size, tar->texts.size + n_name + 1, n};
	str_add_bytes(&tar->texts, name, n_name);
	str_add_bytes(&tar->texts, "", 1);
	str_add_bytes(&tar->texts, value, n);
	str_add_bytes(&tar->texts, "", 1);
	return 0;
}

static bool is_key(const char *key, size_t n, const char *name)
{
	return strlen(name) == n && !memcmp(key, name, n);
}

static bool has_prefix(const char *key, size_t n, const char *prefix)
{
	return n > strlen(prefix) && !memcmp(key, prefix, strlen(prefix));
}

/* One record of a pax header.  0 or -errno: what it says can't be. */
static int read_record(struct tar_reader *tar, const char *key, size_t n_key, const char *value, size_t n)
{
	static const char xattr_prefix[] = "SCHILY.xattr.";
	uint64_t offset;

	if (is_key(key, n_key, "path") || is_key(key, n_key, "GNU.sparse.name")) {
		if (memchr(value, 0, n))
			return -EINVAL;
		if (is_key(key, n_key, "path") && tar->pax.name)
			return 0; /* GNU.sparse.name is the true one */
		set_text(&tar->name, value, n);
		tar->pax.name = true;
	} else if (is_key(key, n_key, "linkpath")) {
		if (memchr(value, 0, n))
			return -EINVAL;
		set_text(&tar->link, value, n);
		tar->pax.link = true;
	} else if (is_key(key, n_key, "size")) {
		tar->pax.size = true;
		return parse_decimal(value, n, &tar->pax.size_value);
	} else if (is_key(key, n_key, "uid")) {
		tar->pax.uid = true;
		return parse_decimal(value, n, &tar->pax.uid_value);
	} else if (is_key(key, n_key, "gid")) {
		tar->pax.gid = true;
		return parse_decimal(value, n, &tar->pax.gid_value);
	} else if (is_key(key, n_key, "mtime")) {
		tar->pax.mtime = true;
		return parse_time(value, n, &tar->pax.mtime_value, &tar->pax.mtime_ns);
	} else if (has_prefix(key, n_key, xattr_prefix)) {
		n_key -= sizeof(xattr_prefix) - 1;
		return add_xattr(tar, key + sizeof(xattr_prefix) - 1, n_key, value, n);
	} else if (is_key(key, n_key, "GNU.sparse.major")) {
		tar->pax.sparse = true;
		return parse_decimal(value, n, &tar->pax.sparse_major);
	} else if (is_key(key, n_key, "GNU.sparse.size") || is_key(key, n_key, "GNU.sparse.realsize")) {
		tar->pax.real_size = tar->pax.sparse = true;
		return parse_decimal(value, n, &tar->pax.real_size_value);
	} else if (is_key(key, n_key, "GNU.sparse.map")) {
		tar->pax.sparse = true;
		return read_map(tar, value, n);
	} else if (is_key(key, n_key, "GNU.sparse.offset")) {
		tar->pax.sparse = true;
		if (parse_decimal(value, n, &offset))
			return -EINVAL;
		add_part(tar, offset, 0);
	} else if (is_key(key, n_key, "GNU.sparse.numbytes")) {
		if (!tar->parts.size)
			return -EINVAL;
		return parse_decimal(value, n, &((struct frame_part *)(tar->parts.data + tar->parts.size))[-1].size);
	}
	return 0;
}

/* "LENGTH KEY=VALUE\n" again and again; LENGTH counts all of it. */
static int read_pax(struct tar_reader *tar, const char *data, size_t size, struct error *e)
{
	while (size) {
		const char *blank = memchr(data, ' ', size), *equals;
		uint64_t length;
		int r;

		if (!blank || parse_decimal(data, blank - data, &length) || length > size ||
		    length < (size_t)(blank - data) + 2 || data[length - 1] != '\n')
			return error_refuse(e, ERROR_INVALID, "member '%s': its pax header is damaged", name_of(tar));
		blank++;
		equals = memchr(blank, '=', data + length - blank);
		if (!equals)
			return error_refuse(e, ERROR_INVALID, "member '%s': its pax header is damaged", name_of(tar));
		r = read_record(tar, blank, equals - blank, equals + 1, data + length - 1 - (equals + 1));
		if (r)
			return error_refuse(e, ERROR_INVALID,
					    "member '%s': the value of '%.*s' in its pax header can't be", name_of(tar),
					    (int)(equals - blank > 100 ? 100 : equals - blank), blank);
		data += length;
		size -= length;
	}
	return 0;
}

static int read_extension(struct tar_reader *tar, const struct header *header, struct str *text, struct error *e)
{
	uint64_t size = 0, padded;
	int r = READ_FIELD(tar, header->size, "size", &size, e);

	if (r)
		return r;
	if (size > (header->type == 'x' || header->type == 'g' ? TAR_EXTENSION_MAX : TAR_NAME_MAX))
		return error_refuse(e, ERROR_LIMIT, "member '%.100s': a header of %llu bytes is too long", header->name,
				    (unsigned long long)size);
	padded = (size + BLOCK - 1) / BLOCK * BLOCK;
	text->size = 0;
	while (text->size < padded) {
		char block[BLOCK];

		r = take(tar, block, sizeof(block), NULL, e);
		if (r)
			return r;
		str_add_bytes(text, block, sizeof(block));
	}
	text->size = size;
	switch (header->type) {
	case 'L':
		set_text(&tar->name, size ? text->data : "", size);
		tar->pax.name = true;
		return 0;
	case 'K':
		set_text(&tar->link, size ? text->data : "", size);
		tar->pax.link = true;
		return 0;
	case 'x':
		return read_pax(tar, text->data, size, e);
	}
	return 0; /* 'g': what it says about all members (comments mostly) is of no use to us */
}

/* ---- sparse files ---- */

static int add_gnu_parts(struct tar_reader *tar, const void *parts, size_t n, struct error *e)
{
	const struct {
		char offset[12], size[12];
	} *part = parts;

	for (size_t i = 0; i < n && *part[i].size; i++) {
		uint64_t offset = 0, size = 0;
		int r = READ_FIELD(tar, part[i].offset, "map of parts", &offset, e)
			    ?: READ_FIELD(tar, part[i].size, "map of parts", &size, e);

		if (r)
			return r;
		add_part(tar, offset, size);
	}
	return 0;
}

static int read_gnu_sparse(struct tar_reader *tar, const struct header *header, struct tar_member *ret, struct error *e)
{
	bool more = header->gnu.is_extended;
	int r = READ_FIELD(tar, header->gnu.real_size, "size", &ret->size, e)
		    ?: add_gnu_parts(tar, header->gnu.sparse, 4, e);

	while (!r && more) {
		struct sparse_block block;

		r = take(tar, &block, sizeof(block), NULL, e);
		if (r)
			return r;
		if (tar->parts.size > TAR_EXTENSION_MAX)
			return error_refuse(e, ERROR_LIMIT, "member '%s': too many parts", name_of(tar));
		r = add_gnu_parts(tar, block.sparse, 21, e);
		more = block.is_extended;
	}
	return r;
}

/* pax 1.0: the map is at the beginning of the content, as decimal lines, filled up to a block. */
static int read_sparse_line(struct tar_reader *tar, char *block, size_t *at, uint64_t *ret, struct error *e)
{
	char line[24];
	size_t n = 0;

	for (;;) {
		if (*at == BLOCK) {
			int r;

			if (tar->left < BLOCK)
				return refuse_cut(tar, e);
			r = take(tar, block, BLOCK, NULL, e);
			if (r)
				return r;
			tar->left -= BLOCK;
			*at = 0;
		}
		if (block[*at] == '\n' || n == sizeof(line))
			break;
		line[n++] = block[(*at)++];
	}
	++*at;
	return parse_decimal(line, n, ret) ? refuse_number(tar, "map of parts", e) : 0;
}

static int read_sparse_map(struct tar_reader *tar, struct error *e)
{
	char block[BLOCK];
	size_t at = BLOCK;
	uint64_t n;
	int r = read_sparse_line(tar, block, &at, &n, e);

	if (!r && n > TAR_EXTENSION_MAX / sizeof(struct frame_part))
		return error_refuse(e, ERROR_LIMIT, "member '%s': %llu parts are too many", name_of(tar),
				    (unsigned long long)n);
	for (uint64_t i = 0; !r && i < n; i++) {
		uint64_t offset, size;

		r = read_sparse_line(tar, block, &at, &offset, e) ?: read_sparse_line(tar, block, &at, &size, e);
		if (!r)
			add_part(tar, offset, size);
	}
	return r;
}

/* Parts are in order, do not overlap, lie in the file, and are together what is stored. */
static int check_parts(struct tar_reader *tar, const struct tar_member *member, struct error *e)
{
	uint64_t end = 0, sum = 0;

	for (size_t i = 0; i < member->n_parts; i++) {
		const struct frame_part *part = &member->parts[i];

		if (part->offset < end || part->size > INT64_MAX || part->offset > INT64_MAX ||
		    part->offset + part->size > member->size)
			return error_refuse(e, ERROR_INVALID, "member '%s': its map of parts can't be", name_of(tar));
		end = part->offset + part->size;
		sum += part->size;
	}
	if (sum != member->stored)
		return error_refuse(e, ERROR_INVALID, "member '%s': its map of parts can't be", name_of(tar));
	return 0;
}

/* ---- a member ---- */

static bool is_zero(const struct header *header)
{
	const char *p = (const char *)header;

	return !*p && !memcmp(p, p + 1, BLOCK - 1);
}

static bool has_right_sum(const struct header *header)
{
	const unsigned char *p = (const unsigned char *)header;
	int64_t is, sum = 0, other = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		bool in_sum =
		    i >= offsetof(struct header, sum) && i < offsetof(struct header, sum) + sizeof(header->sum);

		sum += in_sum ? ' ' : p[i];
		other += in_sum ? ' ' : (signed char)p[i];
	}
	return !parse_field(header->sum, sizeof(header->sum), &is) && (is == sum || is == other);
}

static void read_names(struct tar_reader *tar, const struct header *header)
{
	bool is_ustar = !memcmp(header->magic, "ustar\0", 6);

	if (!tar->pax.name) {
		tar->name.size = 0;
		if (is_ustar && *header->prefix) {
			str_add_bytes(&tar->name, header->prefix, strnlen(header->prefix, sizeof(header->prefix)));
			str_add(&tar->name, "/");
		}
		str_add_bytes(&tar->name, header->name, strnlen(header->name, sizeof(header->name)));
	}
	if (!tar->pax.link)
		set_text(&tar->link, header->link, sizeof(header->link));
	str_add(&tar->name, "");
	str_add(&tar->link, "");
}

static int read_type(struct tar_reader *tar, const struct header *header, struct tar_member *ret, struct error *e)
{
	switch (header->type) {
	case 0:
	case '0':
	case '7':
	case 'S':
		ret->type = TAR_FILE;
		if (!header->type && tar->name.size && tar->name.data[tar->name.size - 1] == '/')
			ret->type = TAR_FOLDER;
		return 0;
	case TAR_HARD_LINK:
	case TAR_SYMLINK:
	case TAR_CHARACTER:
	case TAR_BLOCK:
	case TAR_FOLDER:
	case TAR_FIFO:
		ret->type = header->type;
		return 0;
	}
	return error_refuse(e, ERROR_UNSUPPORTED, "member '%s': its type (byte %u) is not one that holm knows",
			    name_of(tar), (unsigned char)header->type);
}

static int read_numbers(struct tar_reader *tar, const struct header *header, struct tar_member *ret, struct error *e)
{
	uint64_t mode = 0;
	int r = READ_FIELD(tar, header->mode, "mode", &mode, e);

	ret->mode = mode & 07777;
	if (!r && tar->pax.size)
		ret->stored = tar->pax.size_value;
	else if (!r)
		r = READ_FIELD(tar, header->size, "size", &ret->stored, e);
	if (!r && tar->pax.uid)
		ret->uid = tar->pax.uid_value;
	else if (!r)
		r = READ_FIELD(tar, header->uid, "owner", &ret->uid, e);
	if (!r && tar->pax.gid)
		ret->gid = tar->pax.gid_value;
	else if (!r)
		r = READ_FIELD(tar, header->gid, "group", &ret->gid, e);
	ret->mtime = tar->pax.mtime_value;
	ret->mtime_ns = tar->pax.mtime_ns;
	if (!r && !tar->pax.mtime && parse_field(header->mtime, sizeof(header->mtime), &ret->mtime))
		r = refuse_number(tar, "time", e);
	if (!r && (ret->type == TAR_CHARACTER || ret->type == TAR_BLOCK))
		r = READ_FIELD(tar, header->major, "device number", &ret->major, e)
			?: READ_FIELD(tar, header->minor, "device number", &ret->minor, e);
	if (!r && ret->stored > INT64_MAX - BLOCK)
		r = refuse_number(tar, "size", e);
	return r;
}

static int read_content(struct tar_reader *tar, const struct header *header, struct tar_member *ret, struct error *e)
{
	bool sparse = tar->pax.sparse || header->type == 'S';
	int r = 0;

	ret->size = ret->stored;
	tar->padding = (BLOCK - ret->stored % BLOCK) % BLOCK;
	if (ret->type != TAR_FILE && ret->type != TAR_HARD_LINK)
		ret->stored = ret->size = tar->padding = 0; /* whatever the field says, nothing follows */
	tar->left = ret->stored;
	if (ret->type == TAR_FILE && sparse) {
		ret->size = tar->pax.real_size_value;
		if (header->type == 'S')
			r = read_gnu_sparse(tar, header, ret, e);
		else if (tar->pax.sparse_major)
			r = read_sparse_map(tar, e);
		ret->stored = tar->left;
	} else {
		tar->parts.size = 0;
		add_part(tar, 0, ret->stored);
	}
	ret->parts = (const struct frame_part *)tar->parts.data;
	ret->n_parts = tar->parts.size / sizeof(struct frame_part);
	if (!r && ret->size > INT64_MAX)
		r = refuse_number(tar, "size", e);
	return r ?: check_parts(tar, ret, e);
}

static void forget(struct tar_reader *tar)
{
	memset(&tar->pax, 0, sizeof(tar->pax));
	tar->name.size = tar->link.size = tar->texts.size = tar->parts.size = 0;
	tar->n_xattrs = 0;
}

static int read_header(struct tar_reader *tar, struct header *header, bool *ret_some, struct error *e)
{
	int r = take(tar, header, sizeof(*header), ret_some, e);

	if (r || !*ret_some)
		return r;
	if (is_zero(header)) {
		tar->has_end = true;
		*ret_some = false;
		return 0;
	}
	if (has_right_sum(header))
		return 0;
	if (!tar->entries && tar->size <= BUFFER && tar->used == BLOCK)
		return error_refuse(e, ERROR_INVALID,
				    "this is not a tar archive, nor one that is compressed by gzip, xz, "
				    "zstd or bzip2");
	return error_refuse(e, ERROR_INVALID, "the archive is damaged %s'%s': the sum over a header is wrong",
			    tar->name.size ? "after member " : "at its beginning, ", name_of(tar));
}

int tar_next(struct tar_reader *tar, struct tar_member *ret, bool *ret_some, struct error *e)
{
	auto_str text = STR_INIT;
	struct header header;
	int r = finish_member(tar, e);

	*ret_some = false;
	if (r || tar->has_end)
		return r;
	for (bool first = true;; first = false) {
		bool some;

		r = read_header(tar, &header, &some, e);
		if (r)
			return r;
		if (!some)
			return first ? 0 : refuse_cut(tar, e);
		if (first)
			forget(tar);
		if (!strchr("LKxg", header.type) || !header.type)
			break;
		r = read_extension(tar, &header, &text, e);
		if (r)
			return r;
	}
	memset(ret, 0, sizeof(*ret));
	read_names(tar, &header);
	r = read_type(tar, &header, ret, e) ?: read_numbers(tar, &header, ret, e) ?: read_content(tar, &header, ret, e);
	if (r)
		return r;
	ret->name = name_of(tar);
	ret->link = tar->link.size ? tar->link.data : "";
	ret->xattrs = tar->xattrs;
	ret->n_xattrs = tar->n_xattrs;
	ret->texts = str_peek(&tar->texts);
	ret->at = tar->size - (tar->have - tar->used);
	tar->entries++;
	*ret_some = true;
	return 0;
}
