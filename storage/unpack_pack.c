/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "storage/unpack_frame.h"

enum { BUFFER = 256 << 10, BLOCK = 512, PROGRESS_STEP = 1 << 20, XATTR_NAMES_MAX = 65536, XATTR_MAX = 65536 };

/* ---- what goes out ---- */

struct output {
	int fd;
	struct digest digest;
	uint64_t size, told;
	size_t held;
	unsigned char buffer[BUFFER];
};

static struct output *output_new(int fd, struct error *e)
{
	struct output *output = malloc(sizeof(*output));

	if (!output) {
		error_system(e, ENOMEM, "pack");
		return NULL;
	}
	output->fd = fd;
	output->size = output->told = output->held = 0;
	digest_init(&output->digest);
	return output;
}

static int output_flush(struct output *output, struct error *e)
{
	struct unpack_reply reply = {.type = UNPACK_REPLY_PROGRESS, .progress = output->size};
	int r;

	digest_add(&output->digest, output->buffer, output->held);
	r = fd_write_all(output->fd, output->buffer, output->held);
	output->held = 0;
	if (r)
		return error_system(e, -r, "write the archive");
	if (output->size - output->told >= PROGRESS_STEP) {
		output->told = output->size;
		(void)!fd_send(UNPACK_SOCKET, &reply, sizeof(uint64_t) * 2, NULL, 0);
	}
	return 0;
}

static int output_add(struct output *output, const void *data, size_t size, struct error *e)
{
	const unsigned char *p = data;

	while (size) {
		size_t n = BUFFER - output->held;
		int r = 0;

		if (n > size)
			n = size;
		memcpy(output->buffer + output->held, p, n);
		output->held += n;
		output->size += n;
		p += n;
		size -= n;
		if (output->held == BUFFER)
			r = output_flush(output, e);
		if (r)
			return r;
	}
	return 0;
}

static int output_add_zeros(struct output *output, uint64_t size, struct error *e)
{
	static const unsigned char zeros[4096];
	int r = 0;

	for (; !r && size; size -= size < sizeof(zeros) ? size : sizeof(zeros))
		r = output_add(output, zeros, size < sizeof(zeros) ? size : sizeof(zeros), e);
	return r;
}

/* Exactly size bytes of the file from offset on, straight into the buffer. */
static int output_add_file(struct output *output, int fd, const char *path, uint64_t offset, uint64_t size,
			   struct error *e)
{
	while (size) {
		size_t room = BUFFER - output->held;
		ssize_t n = pread(fd, output->buffer + output->held, size < room ? size : room, offset);
		int r = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(e, errno, "read '%s'", path);
		if (!n)
			return error_refuse(e, ERROR_INVALID, "'%s' is shorter than it was", path);
		output->held += n;
		output->size += n;
		offset += n;
		size -= n;
		if (output->held == BUFFER)
			r = output_flush(output, e);
		if (r)
			return r;
	}
	return 0;
}

static int output_finish(struct output *output, struct unpack_result *result, struct error *e)
{
	int r = output_flush(output, e);

	result->size = output->size;
	digest_finish_hex(&output->digest, result->diff);
	return r;
}

/* ---- the same tar again ---- */

static int open_file(int tree_fd, const char *path, uint64_t size, int *ret_fd, struct error *e)
{
	struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	struct stat st;
	auto_fd fd = sys_openat2(tree_fd, path, &how);

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != EXDEV)
		return error_system(e, errno, "open '%s'", path);
	if (fd < 0)
		return error_refuse(e, ERROR_INVALID, "'%s' is missing", path);
	if (fstat(fd, &st) < 0)
		return error_system(e, errno, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_refuse(e, ERROR_INVALID, "'%s' is no longer a regular file", path);
	if ((uint64_t)st.st_size != size)
		return error_refuse(e, ERROR_INVALID, "'%s' has %lld bytes and not %llu, as it had", path,
				    (long long)st.st_size, (unsigned long long)size);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int add_parts(struct output *output, int tree_fd, const struct frame_record *record, struct error *e)
{
	auto_fd fd = -1;
	int r = open_file(tree_fd, record->path, record->size, &fd, e);

	for (uint64_t i = 0; !r && i < record->n; i++)
		r = output_add_file(output, fd, record->path, record->parts[i].offset, record->parts[i].size, e);
	return r;
}

static int add_records(struct output *output, int tree_fd, struct frame_reader *reader, struct frame_record *record,
		       struct error *e)
{
	for (;;) {
		int r = frame_read(reader, record, e);

		if (r || !record->type)
			return r;
		switch (record->type) {
		case 'r':
			r = output_add(output, record->raw, record->n, e);
			break;
		case 'z':
			r = output_add_zeros(output, record->n, e);
			break;
		case 'f':
			r = add_parts(output, tree_fd, record, e);
			break;
		}
		if (r)
			return r;
	}
}

int pack_again(int tree_fd, int frame_fd, int output_fd, struct unpack_result *result, struct error *e)
{
	auto_free struct output *output = output_new(output_fd, e);
	auto_free struct frame_reader *reader = calloc(1, sizeof(*reader));
	auto_free struct frame_record *record = calloc(1, sizeof(*record));
	int r;

	if (!output || !reader || !record)
		return -ENOMEM;
	r = frame_open(reader, frame_fd, e) ?: add_records(output, tree_fd, reader, record, e) ?:
	    output_finish(output, result, e);
	frame_close(reader);
	return r;
}

/* ---- a folder ---- */

/* Files with more than one name: the first name is the file, the others are hard links. */
struct known {
	ino_t ino;
	dev_t dev;
	char *path;
};

struct packer {
	int root;
	const struct unpack_request *request;
	struct unpack_result *result;
	struct output *output;
	struct known *known;
	size_t n_known, room;
};

struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2],
	    uname[32], gname[32], major[8], minor[8], prefix[155], rest[12];
} __attribute__((packed));

_Static_assert(sizeof(struct ustar) == BLOCK, "a header is one block");

static void put_octal(char *field, size_t size, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*" PRIo64, (int)size - 1, value);
	memcpy(field, text, size - 1);
}

static bool fits(uint64_t value, size_t size)
{
	return value < UINT64_C(1) << (3 * (size - 1));
}

/* "LENGTH KEY=VALUE\n", LENGTH counting itself. */
static void add_record(struct str *pax, const char *key, const void *value, size_t n)
{
	size_t rest = strlen(key) + n + 3, length = rest + 1, digits = 1;

	for (;;) {
		char text[24];

		length = rest + digits;
		if ((size_t)snprintf(text, sizeof(text), "%zu", length) == digits)
			break;
		digits++;
	}
	str_addf(pax, "%zu %s=", length, key);
	str_add_bytes(pax, value, n);
	str_add(pax, "\n");
}

static void add_number_record(struct str *pax, const char *key, uint64_t value)
{
	char text[24];

	add_record(pax, key, text, snprintf(text, sizeof(text), "%" PRIu64, value));
}

static int write_header(struct packer *packer, struct ustar *header, struct error *e)
{
	unsigned sum = 0;

	memcpy(header->magic, "ustar", 6);
	memcpy(header->version, "00", 2);
	memset(header->sum, ' ', sizeof(header->sum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += ((unsigned char *)header)[i];
	put_octal(header->sum, 7, sum);
	header->sum[6] = 0;
	return output_add(packer->output, header, sizeof(*header), e);
}

static int write_padding(struct packer *packer, uint64_t size, struct error *e)
{
	return output_add_zeros(packer->output, (BLOCK - size % BLOCK) % BLOCK, e);
}

static int write_pax(struct packer *packer, const struct str *pax, struct error *e)
{
	struct ustar header = {.name = "./PaxHeaders", .type = 'x'};
	int r;

	if (!pax->size)
		return 0;
	put_octal(header.mode, sizeof(header.mode), 0644);
	put_octal(header.uid, sizeof(header.uid), 0);
	put_octal(header.gid, sizeof(header.gid), 0);
	put_octal(header.size, sizeof(header.size), pax->size);
	put_octal(header.mtime, sizeof(header.mtime), 0);
	r = write_header(packer, &header, e) ?: output_add(packer->output, pax->data, pax->size, e);
	return r ?: write_padding(packer, pax->size, e);
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 128)
			return false;
	return true;
}

/* Whole in name, or cut at a slash into prefix and name. */
static void put_name(struct ustar *header, struct str *pax, const char *name)
{
	size_t n = strlen(name);

	if (n <= sizeof(header->name) && is_ascii(name)) {
		memcpy(header->name, name, n);
		return;
	}
	for (const char *slash = strchr(name, '/'); is_ascii(name) && slash; slash = strchr(slash + 1, '/'))
		if (slash[1] && slash > name && (size_t)(slash - name) <= sizeof(header->prefix) &&
		    n - (slash + 1 - name) <= sizeof(header->name)) {
			memcpy(header->prefix, name, slash - name);
			memcpy(header->name, slash + 1, n - (slash + 1 - name));
			return;
		}
	add_record(pax, "path", name, n);
	memcpy(header->name, name, n < sizeof(header->name) ? n : sizeof(header->name));
}

static void put_numbers(struct ustar *header, struct str *pax, const struct stat *st, uint64_t size)
{
	put_octal(header->mode, sizeof(header->mode), st->st_mode & 07777);
	if (!fits(st->st_uid, sizeof(header->uid)))
		add_number_record(pax, "uid", st->st_uid);
	if (!fits(st->st_gid, sizeof(header->gid)))
		add_number_record(pax, "gid", st->st_gid);
	if (!fits(size, sizeof(header->size)))
		add_number_record(pax, "size", size);
	put_octal(header->uid, sizeof(header->uid), fits(st->st_uid, sizeof(header->uid)) ? st->st_uid : 0);
	put_octal(header->gid, sizeof(header->gid), fits(st->st_gid, sizeof(header->gid)) ? st->st_gid : 0);
	put_octal(header->size, sizeof(header->size), fits(size, sizeof(header->size)) ? size : 0);
	if (st->st_mtim.tv_nsec || st->st_mtim.tv_sec < 0 || !fits(st->st_mtim.tv_sec, sizeof(header->mtime))) {
		int64_t seconds = st->st_mtim.tv_sec;
		long ns = st->st_mtim.tv_nsec;
		char text[48];
		int n;

		/* -1.25 is two seconds before, three quarters after. */
		if (seconds < 0 && ns)
			n = snprintf(text, sizeof(text), "-%" PRId64 ".%09ld", -(seconds + 1), 1000000000 - ns);
		else
			n = snprintf(text, sizeof(text), "%" PRId64 ".%09ld", seconds, ns);
		add_record(pax, "mtime", text, n);
	}
	put_octal(header->mtime, sizeof(header->mtime),
		  st->st_mtim.tv_sec >= 0 && fits(st->st_mtim.tv_sec, sizeof(header->mtime)) ? st->st_mtim.tv_sec : 0);
}

/* ---- extended attributes ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What leads overlayfs to another place than this folder: the folder alone is then not the layer. */
static int check_overlay_attribute(const char *name, const char *path, struct error *e)
{
	static const char *const leading[] = {"redirect", "metacopy", "upper", "origin_file"};
	const char *rest = strrchr(name, '.') + 1;

	for (size_t i = 0; i < ARRAY_SIZE(leading); i++)
		if (str_equal(rest, leading[i]))
			return error_refuse(
			    e, ERROR_UNSUPPORTED,
			    "'%s' has overlayfs' attribute '%s': what it stands for is in another layer", path, name);
	return 0;
}

static int add_xattr(struct packer *packer, int fd, const char *name, const char *path, struct str *pax,
		     struct error *e)
{
	auto_str key = STR_INIT;
	auto_free char *value = malloc(XATTR_MAX);
	ssize_t n;

	if (!value)
		return error_system(e, ENOMEM, "pack");
	n = fgetxattr(fd, name, value, XATTR_MAX);
	if (n < 0)
		return errno == ENODATA ? 0 : error_system(e, errno, "read '%s' of '%s'", name, path);
	(void)packer;
	str_addf(&key, "SCHILY.xattr.%s", name);
	add_record(pax, str_peek(&key), value, n);
	return 0;
}

static int add_xattrs(struct packer *packer, int fd, const char *path, struct str *pax, bool *ret_opaque,
		      struct error *e)
{
	const char *const prefix = packer->request->flags & UNPACK_ROOTLESS ? "user.overlay." : "trusted.overlay.";
	auto_free char *names = malloc(XATTR_NAMES_MAX);
	auto_free const char **sorted = calloc(XATTR_NAMES_MAX / 2, sizeof(*sorted));
	size_t n = 0;
	ssize_t size;
	int r = 0;

	if (!names || !sorted)
		return error_system(e, ENOMEM, "pack");
	size = flistxattr(fd, names, XATTR_NAMES_MAX);
	if (size < 0 && errno != ENOTSUP)
		return error_system(e, errno, "list the extended attributes of '%s'", path);
	for (ssize_t at = 0; at < size; at += strlen(names + at) + 1)
		sorted[n++] = names + at;
	qsort(sorted, n, sizeof(*sorted), compare_names);
	for (size_t i = 0; !r && i < n; i++) {
		const char *name = sorted[i];

		if (packer->request->flags & UNPACK_OVERLAY && str_after(name, prefix)) {
			char value = 0;

			r = check_overlay_attribute(name, path, e);
			if (!r && str_equal(strrchr(name, '.') + 1, "opaque") && fgetxattr(fd, name, &value, 1) == 1 &&
			    value == 'y')
				*ret_opaque = true;
			continue;
		}
		if (str_after(name, "trusted.overlay.") || str_after(name, "user.overlay.")) {
			packer->result->attributes++; /* a layer may not have it */
			continue;
		}
		if (str_after(name, "user.") || str_equal(name, "security.capability") ||
		    str_after(name, "system.posix_acl_"))
			r = add_xattr(packer, fd, name, path, pax, e);
		else
			packer->result->attributes++;
	}
	return r;
}

/* ---- members ---- */

static const char *find_known(struct packer *packer, const struct stat *st, const char *path, struct error *e, int *ret)
{
	size_t at;

	*ret = 0;
	if (packer->n_known * 2 >= packer->room) {
		size_t room = packer->room ? packer->room * 2 : 256;
		struct known *more = calloc(room, sizeof(*more));

		if (!more) {
			*ret = error_system(e, ENOMEM, "pack");
			return NULL;
		}
		for (size_t i = 0; i < packer->room; i++) {
			if (!packer->known[i].path)
				continue;
			at = packer->known[i].ino * UINT64_C(0x9e3779b97f4a7c15) % room;
			while (more[at].path)
				at = (at + 1) % room;
			more[at] = packer->known[i];
		}
		free(packer->known);
		packer->known = more;
		packer->room = room;
	}
	for (at = st->st_ino * UINT64_C(0x9e3779b97f4a7c15) % packer->room; packer->known[at].path;
	     at = (at + 1) % packer->room)
		if (packer->known[at].ino == st->st_ino && packer->known[at].dev == st->st_dev)
			return packer->known[at].path;
	packer->known[at] = (struct known){st->st_ino, st->st_dev, strdup(path)};
	packer->n_known++;
	return NULL;
}

/* An empty file of that name beside or in what is meant. */
static int write_mark(struct packer *packer, const char *folder, const char *mark, const char *name, struct error *e)
{
	struct stat st = {.st_mode = S_IFREG};
	struct ustar header = {.type = '0'};
	auto_str pax = STR_INIT;
	auto_str path = STR_INIT;

	str_addf(&path, "%s%s%s%s", folder, *folder ? "/" : "", mark, name);
	put_name(&header, &pax, str_peek(&path));
	put_numbers(&header, &pax, &st, 0);
	packer->result->entries++;
	return write_pax(packer, &pax, e) ?: write_header(packer, &header, e);
}

struct item {
	int fd;		    /* to read it, -1: it has no content */
	const char *folder; /* "" for the root */
	const char *path, *name;
	struct stat st;
};

static int write_content(struct packer *packer, const struct item *item, struct error *e)
{
	int r = output_add_file(packer->output, item->fd, item->path, 0, item->st.st_size, e);

	return r ?: write_padding(packer, item->st.st_size, e);
}

static int write_item(struct packer *packer, struct item *item, const char *target, bool *ret_opaque, struct error *e)
{
	static const struct {
		mode_t format;
		char type;
	} types[] = {{S_IFREG, '0'}, {S_IFLNK, '2'}, {S_IFCHR, '3'}, {S_IFBLK, '4'}, {S_IFDIR, '5'}, {S_IFIFO, '6'}};
	struct ustar header = {.type = 0};
	auto_str pax = STR_INIT;
	auto_str name = STR_INIT;
	const char *first = NULL;
	uint64_t size = 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((item->st.st_mode & S_IFMT) == types[i].format)
			header.type = types[i].type;
	if (!S_ISDIR(item->st.st_mode) && item->st.st_nlink > 1)
		first = find_known(packer, &item->st, item->path, e, &r);
	if (r)
		return r;
	if (first) {
		header.type = '1';
		target = first;
	}
	if (header.type == '0')
		size = item->st.st_size;
	str_addf(&name, "%s%s", *item->path ? item->path : ".", S_ISDIR(item->st.st_mode) ? "/" : "");
	put_name(&header, &pax, str_peek(&name));
	put_numbers(&header, &pax, &item->st, size);
	if (target && strlen(target) <= sizeof(header.link) && is_ascii(target)) {
		memcpy(header.link, target, strlen(target));
	} else if (target) {
		add_record(&pax, "linkpath", target, strlen(target));
		memcpy(header.link, target,
		       strlen(target) < sizeof(header.link) ? strlen(target) : sizeof(header.link));
	}
	if (header.type == '3' || header.type == '4') {
		put_octal(header.major, sizeof(header.major), major(item->st.st_rdev));
		put_octal(header.minor, sizeof(header.minor), minor(item->st.st_rdev));
	}
	if (item->fd >= 0 && !first)
		r = add_xattrs(packer, item->fd, item->path, &pax, ret_opaque, e);
	packer->result->entries++;
	r = r ?: write_pax(packer, &pax, e) ?: write_header(packer, &header, e);
	return r || !size ? r : write_content(packer, item, e);
}

static int pack_folder_at(struct packer *packer, int folder_fd, const char *folder, unsigned depth, struct error *e);

static int pack_entry(struct packer *packer, int folder_fd, const char *folder, const char *name, unsigned depth,
		      struct error *e)
{
	auto_str path = STR_INIT;
	auto_fd fd = -1;
	struct item item = {.fd = -1, .folder = folder, .name = name};
	char target[UNPACK_NAME_SIZE];
	bool is_opaque = false;
	int r;

	str_addf(&path, "%s%s%s", folder, *folder ? "/" : "", name);
	item.path = str_peek(&path);
	if (fstatat(folder_fd, name, &item.st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_system(e, errno, "look at '%s'", item.path);
	if (packer->request->limits.entries && packer->result->entries >= packer->request->limits.entries)
		return error_refuse(e, ERROR_LIMIT, "there are more than %" PRIu64 " files",
				    packer->request->limits.entries);
	if (packer->request->flags & UNPACK_OVERLAY && S_ISCHR(item.st.st_mode) && !item.st.st_rdev)
		return write_mark(packer, folder, ".wh.", name, e);
	if (S_ISSOCK(item.st.st_mode))
		return 0;
	if (str_after(name, ".wh."))
		return error_refuse(e, ERROR_UNSUPPORTED, "'%s': a layer can't hold a file of this name", item.path);
	if (S_ISREG(item.st.st_mode) || S_ISDIR(item.st.st_mode)) {
		struct stat opened;

		fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return error_system(e, errno, "open '%s'", item.path);
		if (fstat(fd, &opened) < 0 || (opened.st_mode ^ item.st.st_mode) & S_IFMT)
			return error_refuse(e, ERROR_STATE, "'%s' changes while it is read", item.path);
		item.st = opened;
		item.fd = fd;
	}
	if (S_ISLNK(item.st.st_mode)) {
		ssize_t n = readlinkat(folder_fd, name, target, sizeof(target) - 1);

		if (n < 0)
			return error_system(e, errno, "read the link '%s'", item.path);
		target[n] = 0;
	}
	r = write_item(packer, &item, S_ISLNK(item.st.st_mode) ? target : NULL, &is_opaque, e);
	if (!r && is_opaque)
		r = write_mark(packer, item.path, ".wh..wh..opq", "", e);
	if (!r && S_ISDIR(item.st.st_mode))
		r = pack_folder_at(packer, fd, item.path, depth + 1, e);
	return r;
}

static void free_names(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int pack_folder_at(struct packer *packer, int folder_fd, const char *folder, unsigned depth, struct error *e)
{
	struct dirent **names;
	int n, r = 0;

	/* A descriptor per level. */
	if (depth > 100)
		return error_refuse(e, ERROR_LIMIT, "'%s' lies deeper than 100 folders", folder);
	n = scandirat(folder_fd, ".", &names, NULL, compare_entries);
	if (n < 0)
		return error_system(e, errno, "list '%s'", *folder ? folder : ".");
	for (int i = 0; !r && i < n; i++)
		if (!str_equal(names[i]->d_name, ".") && !str_equal(names[i]->d_name, ".."))
			r = pack_entry(packer, folder_fd, folder, names[i]->d_name, depth, e);
	free_names(names, n);
	return r;
}

static int pack_all(struct packer *packer, struct error *e)
{
	struct item root = {.fd = packer->root, .folder = "", .path = "", .name = ""};
	bool is_opaque = false;
	int r;

	if (fstat(packer->root, &root.st) < 0)
		return error_system(e, errno, "look at the folder");
	r = write_item(packer, &root, NULL, &is_opaque, e) ?: pack_folder_at(packer, packer->root, "", 0, e);
	return r ?: output_add_zeros(packer->output, 2 * BLOCK, e) ?: output_finish(packer->output, packer->result, e);
}

int pack_folder(int folder_fd, int output_fd, const struct unpack_request *request, struct unpack_result *result,
		struct error *e)
{
	auto_free struct output *output = output_new(output_fd, e);
	struct packer packer = {.root = folder_fd, .request = request, .result = result, .output = output};
	int r = output ? pack_all(&packer, e) : -ENOMEM;

	for (size_t i = 0; i < packer.room; i++)
		free(packer.known[i].path);
	free(packer.known);
	return r;
}
