/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "storage/copy_parts.h"
#include "storage/whiteout.h"

enum {
	OVERFLOW_ID = 65534,
	NAMES_MAX = 65536, /* of attributes, and of a value: the kernel's limits */
	PIECE = 1 << 20,
	DESCRIPTORS = 3 * COPY_DEPTH_MAX + 64,
};

/* ---- hard links: what was copied under another name already ---- */

struct link {
	dev_t dev, to_dev;
	ino_t ino, to_ino;
	size_t path; /* in paths */
};

struct copy_links {
	struct link *slots;
	size_t n, room;
	struct str paths;
	char path[PATH_MAX]; /* of the folder that is being copied, below the top */
	size_t length;
};

static void free_links(struct copy_links *links)
{
	if (!links)
		return;
	free(links->slots);
	str_release(&links->paths);
	free(links);
}

static struct link *find_slot(const struct copy_links *links, const struct stat *st)
{
	size_t i = (st->st_ino * 0x9e3779b97f4a7c15u >> 20) & (links->room - 1);

	while (links->slots[i].ino && (links->slots[i].ino != st->st_ino || links->slots[i].dev != st->st_dev))
		i = (i + 1) & (links->room - 1);
	return &links->slots[i];
}

static int grow_links(struct copy_links *links)
{
	struct copy_links grown = *links;

	if (2 * (links->n + 1) <= links->room)
		return 0;
	grown.room = links->room ? 2 * links->room : 64;
	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < links->room; i++) {
		const struct stat st = {.st_ino = links->slots[i].ino, .st_dev = links->slots[i].dev};

		if (st.st_ino)
			*find_slot(&grown, &st) = links->slots[i];
	}
	free(links->slots);
	links->slots = grown.slots;
	links->room = grown.room;
	return 0;
}

static void remember(struct copy *copy, const struct stat *st, const struct stat *made, const char *name)
{
	struct copy_links *links = copy->links;
	struct link *slot;

	/* Forgotten: it becomes a file of its own. */
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode) || grow_links(links))
		return;
	slot = find_slot(links, st);
	if (!slot->ino)
		links->n++;
	*slot = (struct link){st->st_dev, made->st_dev, st->st_ino, made->st_ino, links->paths.size};
	str_add_bytes(&links->paths, links->path, links->length);
	str_add_bytes(&links->paths, name, strlen(name) + 1);
}

/*
 * Gives what was copied before another name; false: it has to be copied.  In a hostile folder it may lie elsewhere by now, or be
 * another file: then it counts as never copied.
 */
static bool link_again(struct copy *copy, const struct stat *st, int to_dir, const char *to)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	struct copy_links *links = copy->links;
	const struct link *link;
	char path[32];
	struct stat there;
	auto_fd fd = -1;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode) || !links->n)
		return false;
	link = find_slot(links, st);
	if (!link->ino)
		return false;
	fd = sys_openat2(copy->top, links->paths.data + link->path, &how);
	if (fd < 0 || fstat(fd, &there) < 0 || there.st_dev != link->to_dev || there.st_ino != link->to_ino)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, path, to_dir, to, AT_SYMLINK_FOLLOW))
		return true;
	return errno == EEXIST && copy->flags & COPY_REPLACE && !unlinkat(to_dir, to, 0) &&
	       !linkat(AT_FDCWD, path, to_dir, to, AT_SYMLINK_FOLLOW);
}

bool copy_keep(struct copy *copy, const struct stat *st, const struct stat *made, const char *name)
{
	const struct link *link;

	if (st->st_nlink < 2)
		return true;
	link = copy->links->n ? find_slot(copy->links, st) : NULL;
	if (link && link->ino)
		return link->to_dev == made->st_dev && link->to_ino == made->st_ino;
	remember(copy, st, made, name);
	return true;
}

/* ---- attributes ---- */

static uint32_t map_id(const struct copy_map *map, uint32_t id)
{
	if (!map->n)
		return id;
	for (size_t i = 0; i < map->n; i++)
		if (id >= map->ranges[i].first && id - map->ranges[i].first < map->ranges[i].count)
			return map->ranges[i].to + (id - map->ranges[i].first);
	return OVERFLOW_ID;
}

/* An ACL names ids: 4 bytes of version, then entries of tag, permissions and id, all little-endian as on both our machines. */
static void map_acl(const struct copy *copy, char *value, size_t size)
{
	enum { ACL_USER = 0x02, ACL_GROUP = 0x08 };
	struct entry {
		uint16_t tag, permissions;
		uint32_t id;
	} entry;

	for (size_t at = 4; at + sizeof(entry) <= size; at += sizeof(entry)) {
		memcpy(&entry, value + at, sizeof(entry));
		if (entry.tag == ACL_USER)
			entry.id = map_id(&copy->uids, entry.id);
		else if (entry.tag == ACL_GROUP)
			entry.id = map_id(&copy->gids, entry.id);
		memcpy(value + at, &entry, sizeof(entry));
	}
}

/* Labels belong to the place, not to the file; overlayfs' marks mean something only between layers. */
static bool is_wanted(const struct copy *copy, const char *name)
{
	static const char *const never[] = {"security.selinux", "security.ima", "security.evm", "security.apparmor"};

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (!(copy->flags & COPY_MARKS) && str_equal(name, never[i]))
			return false;
	return copy->flags & COPY_MARKS || (!str_after(name, "trusted.overlay.") && !str_after(name, "user.overlay."));
}

static int copy_xattr(const struct copy *copy, int from, int to, const char *name, char *value, struct error *e)
{
	ssize_t size = fgetxattr(from, name, value, NAMES_MAX);

	if (size < 0)
		return errno == ENODATA || errno == EOPNOTSUPP
			   ? 0
			   : error_system(e, errno, "read the extended attribute '%s'", name);
	if (str_after(name, "system.posix_acl_") && copy->uids.n)
		map_acl(copy, value, (size_t)size);
	if (!fsetxattr(to, name, value, (size_t)size, 0))
		return 0;
	/* Another file system may have no such attributes, an ordinary user may not set them. */
	if (!(copy->flags & COPY_MARKS) && (errno == EOPNOTSUPP || errno == EPERM)) {
		log_debug("the extended attribute '%s' can't be kept: %s", name, strerror(errno));
		return 0;
	}
	return error_system(e, errno, "set the extended attribute '%s'", name);
}

static int copy_xattrs(const struct copy *copy, int from, int to, struct error *e)
{
	auto_free char *buffer = NULL;
	ssize_t size;
	int r = 0;

	if (!(copy->flags & COPY_XATTRS))
		return 0;
	size = flistxattr(from, NULL, 0);
	if (size < 0 && errno != EOPNOTSUPP)
		return error_system(e, errno, "list extended attributes");
	if (size <= 0)
		return 0;
	buffer = malloc(2 * NAMES_MAX);
	if (!buffer)
		return error_system(e, ENOMEM, "list extended attributes");
	size = flistxattr(from, buffer, NAMES_MAX - 1);
	if (size < 0)
		return error_system(e, errno, "list extended attributes");
	buffer[size] = 0;
	for (const char *name = buffer; name < buffer + size && !r; name += strlen(name) + 1)
		if (is_wanted(copy, name))
			r = copy_xattr(copy, from, to, name, buffer + NAMES_MAX, e);
	return r;
}

static mode_t mode_of(const struct copy *copy, const struct stat *st)
{
	return st->st_mode & (copy->flags & COPY_SET_IDS || S_ISDIR(st->st_mode) ? 07777 : 01777);
}

static int set_owner(const struct copy *copy, int fd, const char *name, const struct stat *st, struct error *e)
{
	bool owners = copy->flags & COPY_OWNERS;
	uid_t uid = owners ? map_id(&copy->uids, st->st_uid) : copy->uid;
	gid_t gid = owners ? map_id(&copy->gids, st->st_gid) : copy->gid;
	int r = name ? fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) : fchown(fd, uid, gid);

	/* An ordinary user's files stay its own. */
	if (r && !(errno == EPERM && geteuid()))
		return error_system(e, errno, "give it to %u:%u", uid, gid);
	return 0;
}

/* Of a regular file or folder, both open.  chown(2) takes set-id bits and capabilities away, so it comes first. */
static int set_attributes(const struct copy *copy, int from, const struct stat *st, int to, struct error *e)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	int r = set_owner(copy, to, NULL, st, e);

	if (!r && fchmod(to, mode_of(copy, st)) < 0)
		r = error_system(e, errno, "set the mode %o", mode_of(copy, st));
	if (!r)
		r = copy_xattrs(copy, from, to, e);
	if (!r && copy->flags & COPY_TIMES && futimens(to, times) < 0)
		r = error_system(e, errno, "set its times");
	return r;
}

int copy_attributes(int from, int to, struct copy *copy, struct error *e)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return error_system(e, errno, "stat a folder");
	return set_attributes(copy, from, &st, to, e);
}

/* ---- contents ---- */

int copy_reopen(int path_fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	return openat(AT_FDCWD, path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static int copy_by_hand(int from, int to, off_t at, off_t end, struct error *e)
{
	auto_free char *buffer = malloc(PIECE);

	if (!buffer)
		return error_system(e, ENOMEM, "copy");
	while (at < end) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t n = pread(from, buffer, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(e, errno, "read it");
		if (!n)
			return 0; /* it has become shorter */
		for (ssize_t done = 0; done < n;) {
			ssize_t k = pwrite(to, buffer + done, (size_t)(n - done), at + done);

			if (k < 0 && errno != EINTR)
				return error_system(e, errno, "write it");
			done += k > 0 ? k : 0;
		}
		at += n;
	}
	return 0;
}

static int copy_range(int from, int to, off_t at, off_t end, struct error *e)
{
	while (at < end) {
		off_t in = at, out = at;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOSPC && errno != EDQUOT && errno != EIO && errno != EFBIG)
			return copy_by_hand(from, to, at, end, e);
		if (n < 0)
			return error_system(e, errno, "write it");
		if (!n)
			return 0;
		at += n;
	}
	return 0;
}

/* What can't be known by its size (a file of procfs): to its end, within reason. */
static int copy_stream(int from, int to, struct error *e)
{
	auto_free char *data = NULL;
	size_t size = 0;
	int r = fd_read_all(from, 64 << 20, &data, &size);

	if (!r)
		r = fd_write_all(to, data, size);
	return r ? error_system(e, -r, "copy it") : 0;
}

/* As much as it had when it was looked at: one that grows all the time must not keep us forever. */
static int copy_data(struct copy *copy, int from, off_t size, int to, struct error *e)
{
	off_t at = 0;
	int r;

	copy->bytes += (uint64_t)size;
	if (!size)
		return copy_stream(from, to, e);
	if (!ioctl(to, FICLONE, from)) {
		copy->cloned += (uint64_t)size;
		return 0;
	}
	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		data = data < 0 ? at : data;
		hole = lseek(from, data, SEEK_HOLE);
		hole = hole < 0 || hole > size ? size : hole;
		if (data >= size)
			break;
		r = copy_range(from, to, data, hole, e);
		if (r)
			return r;
		at = hole;
	}
	return ftruncate(to, size) < 0 ? error_system(e, errno, "set its size") : 0;
}

/* ---- one of each kind ---- */

static bool may_replace(const struct copy *copy, int dir, const char *name)
{
	return errno == EEXIST && copy->flags & COPY_REPLACE && !unlinkat(dir, name, 0);
}

static int make_error(const char *name, struct error *e)
{
	return error_system(e, errno, "make '%s'", name);
}

static int copy_file(struct copy *copy, int path, const struct stat *st, int to_dir, const char *to, struct error *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	auto_fd in = copy_reopen(path, O_RDONLY), out = -1;
	struct stat made;
	int r;

	if (in < 0)
		return error_system(e, errno, "open it");
	out = openat(to_dir, to, flags, 0600);
	if (out < 0 && may_replace(copy, to_dir, to))
		out = openat(to_dir, to, flags, 0600);
	if (out < 0)
		return make_error(to, e);
	r = copy_data(copy, in, st->st_size, out, e);
	if (!r)
		r = set_attributes(copy, in, st, out, e);
	if (!r && !fstat(out, &made))
		remember(copy, st, &made, to);
	return r;
}

/* Links, fifos and nodes: made by name; what is there a moment later is believed only if it is the same kind of thing. */
static int finish_node(struct copy *copy, const struct stat *st, int to_dir, const char *to, struct error *e)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	auto_fd fd = openat(to_dir, to, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat made;
	char path[32];
	bool owners = copy->flags & COPY_OWNERS;

	if (fd < 0 || fstat(fd, &made) < 0 || (made.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return error_refuse(e, ERROR_STATE, "'%s' was replaced by somebody else", to);
	if (fchownat(fd, "", owners ? map_id(&copy->uids, st->st_uid) : copy->uid,
		     owners ? map_id(&copy->gids, st->st_gid) : copy->gid, AT_EMPTY_PATH) < 0 &&
	    !(errno == EPERM && geteuid()))
		return error_system(e, errno, "give it its owner");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!S_ISLNK(st->st_mode) && fchmodat(AT_FDCWD, path, mode_of(copy, st), 0) < 0)
		return error_system(e, errno, "set its mode");
	if (copy->flags & COPY_TIMES && utimensat(fd, "", times, AT_EMPTY_PATH) < 0 && errno != EINVAL)
		return error_system(e, errno, "set its times");
	remember(copy, st, &made, to);
	return 0;
}

static int copy_symlink(struct copy *copy, int path, const struct stat *st, int to_dir, const char *to, struct error *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(path, "", target, sizeof(target) - 1);

	if (n < 0)
		return error_system(e, errno, "read the link");
	target[n] = 0;
	if (symlinkat(target, to_dir, to) < 0 && (!may_replace(copy, to_dir, to) || symlinkat(target, to_dir, to) < 0))
		return make_error(to, e);
	return finish_node(copy, st, to_dir, to, e);
}

static int copy_node(struct copy *copy, const struct stat *st, int to_dir, const char *to, struct error *e)
{
	mode_t mode = (st->st_mode & S_IFMT) | (st->st_mode & 0700);

	if (mknodat(to_dir, to, mode, st->st_rdev) < 0 &&
	    (!may_replace(copy, to_dir, to) || mknodat(to_dir, to, mode, st->st_rdev) < 0))
		return make_error(to, e);
	return finish_node(copy, st, to_dir, to, e);
}

/* ---- folders ---- */

int copy_each_name(int folder, int (*each)(const char *name, void *data, struct error *e), void *data, struct error *e)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		r = error_system(e, errno, "list it");
		fd_close(fd);
		return r;
	}
	while (!r && (errno = 0, entry = readdir(dir)))
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			r = each(entry->d_name, data, e);
	if (!r && errno)
		r = error_system(e, errno, "list it");
	closedir(dir);
	return r;
}

struct entries {
	struct copy *copy;
	int from, to;
	unsigned depth;
};

static int copy_listed(const char *name, void *data, struct error *e)
{
	const struct entries *in = data;
	int r = copy_entry(in->copy, in->from, name, in->to, name, in->depth, e);

	return r == -ENOENT && e->kind == ERROR_NOT_FOUND ? 0 : r; /* gone since it was listed */
}

static int copy_entries(struct copy *copy, int from, int to, unsigned depth, struct error *e)
{
	struct entries in = {copy, from, to, depth};

	return copy_each_name(from, copy_listed, &in, e);
}

int copy_enter(struct copy *copy, const char *name, unsigned depth, size_t *ret_length, struct error *e)
{
	struct copy_links *links = copy->links;
	size_t size = strlen(name);

	if (depth >= COPY_DEPTH_MAX || links->length + size + 2 > sizeof(links->path))
		return error_refuse(e, ERROR_LIMIT, "more than %d folders lie in each other", COPY_DEPTH_MAX);
	*ret_length = links->length;
	memcpy(links->path + links->length, name, size);
	links->path[links->length + size] = '/';
	links->length += size + 1;
	return 0;
}

void copy_leave(struct copy *copy, size_t length)
{
	copy->links->length = length;
}

static int make_folder(struct copy *copy, int to_dir, const char *to, int *ret_fd, struct error *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	if (mkdirat(to_dir, to, 0700) < 0 &&
	    !(errno == EEXIST &&
	      copy->flags & COPY_REPLACE)) /* a folder is merged with; anything else is no folder to open below */
		return make_error(to, e);
	*ret_fd = openat(to_dir, to, flags);
	if (*ret_fd < 0 && (errno == ENOTDIR || errno == ELOOP) && copy->flags & COPY_REPLACE &&
	    !unlinkat(to_dir, to, 0) && !mkdirat(to_dir, to, 0700))
		*ret_fd = openat(to_dir, to, flags);
	return *ret_fd < 0 ? make_error(to, e) : 0;
}

static int enter_folder(struct copy *copy, int from, int to_dir, const char *to, unsigned depth, struct error *e)
{
	size_t length = 0;
	auto_fd out = -1;
	int r = copy_enter(copy, to, depth, &length, e);

	if (r)
		return r;
	r = make_folder(copy, to_dir, to, &out, e) ?: copy_entries(copy, from, out, depth + 1, e);
	copy_leave(copy, length);
	return r ? r : copy_attributes(from, out, copy, e);
}

static int copy_kind(struct copy *copy, int path, const struct stat *st, int to_dir, const char *to, unsigned depth,
		     struct error *e)
{
	auto_fd folder = -1;

	if (link_again(copy, st, to_dir, to))
		return 0;
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(copy, path, st, to_dir, to, e);
	case S_IFLNK:
		return copy_symlink(copy, path, st, to_dir, to, e);
	case S_IFDIR:
		folder = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder < 0)
			return error_system(e, errno, "open it");
		return enter_folder(copy, folder, to_dir, to, depth, e);
	case S_IFIFO:
		return copy_node(copy, st, to_dir, to, e);
	default:
		if (copy->flags & COPY_DEVICES || (copy->flags & COPY_MARKS && is_whiteout(st)))
			return copy_node(copy, st, to_dir, to, e);
		copy->left_out++;
		return 0;
	}
}

static void note(struct copy *copy, const struct stat *st, int to_dir, const char *to)
{
	struct copy_pair pair = {.from = st->st_ino};
	struct stat made;

	if (fstatat(to_dir, to, &made, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	pair.to = made.st_ino;
	str_add_bytes(copy->seen, &pair, sizeof(pair));
}

int copy_entry(struct copy *copy, int from_dir, const char *from, int to_dir, const char *to, unsigned depth,
	       struct error *e)
{
	auto_fd path = openat(from_dir, from, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (path < 0 && errno == ENOENT) {
		error_refuse(e, ERROR_NOT_FOUND, "'%s': there is no such file", from);
		return -ENOENT;
	}
	if (path < 0 || fstat(path, &st) < 0)
		return error_system(e, errno, "look at '%s'", from);
	copy->files++;
	r = copy_kind(copy, path, &st, to_dir, to, depth, e);
	if (r)
		error_context(e, "%s", from);
	else if (copy->seen)
		note(copy, &st, to_dir, to);
	return r;
}

/* ---- the whole ---- */

int copy_begin(struct copy *copy, int top, struct error *e)
{
	struct rlimit limit;

	copy->links = calloc(1, sizeof(*copy->links));
	if (!copy->links)
		return error_system(e, ENOMEM, "copy");
	copy->top = top;
	copy->files = copy->bytes = copy->cloned = copy->left_out = 0;
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < DESCRIPTORS && limit.rlim_max > limit.rlim_cur) {
		limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			log_debug("the limit of descriptors stays as it is: %s", strerror(errno));
	}
	return 0;
}

void copy_end(struct copy *copy)
{
	free_links(copy->links);
	copy->links = NULL;
}

int copy_folder(int from, int to, bool with_top, struct copy *copy, struct error *e)
{
	int r = copy_begin(copy, to, e);

	if (!r)
		r = copy_entries(copy, from, to, 0, e);
	if (!r && with_top)
		r = copy_attributes(from, to, copy, e);
	copy_end(copy);
	return r;
}

int copy_one(int from_dir, const char *from, int to_dir, const char *to, struct copy *copy, struct error *e)
{
	int r = copy_begin(copy, to_dir, e);

	if (!r)
		r = copy_entry(copy, from_dir, from, to_dir, to, 0, e);
	copy_end(copy);
	return r;
}
