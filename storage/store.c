/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/digest.h"

/* ---- the data folder ---- */

static int make_parents(const char *path, struct error *e)
{
	char part[4096];

	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		if ((size_t)(end - path) >= sizeof(part))
			return error_system(e, ENAMETOOLONG, "make '%s'", path);
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return error_system(e, errno, "make '%s'", part);
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_system(e, errno, "make '%s'", path);
	return 0;
}

static int check_owner(int fd, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_system(e, errno, "look at '%s'", path);
	if (st.st_uid != geteuid())
		return error_refuse(e, ERROR_PERMISSION, "the data folder '%s' belongs to user %u, not to us", path,
				    st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_refuse(e, ERROR_PERMISSION, "others can write to the data folder '%s' (mode %04o)", path,
				    st.st_mode & 07777);
	return 0;
}

/* In the host's own user namespace every id is mapped; who is root elsewhere may not use trusted.* attributes. */
static bool is_host_root(void)
{
	auto_free char *map = NULL;

	if (geteuid())
		return false;
	return !file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &map, NULL) && strstr(map, "4294967295");
}

int store_open(const char *path, bool make, struct store *ret, struct error *e)
{
	auto_fd fd = -1;
	int r;

	*ret = STORE_INIT;
	ret->path = path;
	if (!path)
		return error_refuse(e, ERROR_USAGE, "there is no data folder; --data names one");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (!make)
			return 0;
		r = make_parents(path, e);
		if (r)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return error_system(e, errno, "open the data folder '%s'", path);
	r = check_owner(fd, path, e);
	if (r)
		return r;
	ret->rootless = !is_host_root();
	ret->fd = take_fd(&fd);
	return 0;
}

void store_close(struct store *store)
{
	store->fd = fd_close(store->fd);
}

/*
 * A folder that is new, or what is there already.  What the data folder hands down, its group and ACLs, is nothing for the files of
 * containers, which are all made below these.
 */
static int make_folder(int dirfd, const char *name)
{
	static const char *const acls[] = {"system.posix_acl_default", "system.posix_acl_access"};
	auto_fd fd = -1;

	if (mkdirat(dirfd, name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(acls); i++)
		if (fremovexattr(fd, acls[i]) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
			return -errno;
	return fchown(fd, (uid_t)-1, getegid()) < 0 || fchmod(fd, 0700) < 0 ? -errno : 0;
}

int store_open_folder(const struct store *store, const char *name, bool make, int *ret_fd, struct error *e)
{
	auto_fd at = -1;
	const char *next = name;

	if (store->fd < 0)
		return error_refuse(e, ERROR_NOT_FOUND, "there is no data folder '%s'", store->path);
	while (*next) {
		size_t n = strcspn(next, "/");
		char part[256];
		int base = at >= 0 ? at : store->fd, fd, r;

		if (n >= sizeof(part))
			return error_system(e, ENAMETOOLONG, "open '%s/%s'", store->path, name);
		snprintf(part, sizeof(part), "%.*s", (int)n, next);
		r = make ? make_folder(base, part) : 0;
		if (r)
			return error_system(e, -r, "make '%s/%s'", store->path, name);
		fd = openat(base, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) {
			error_refuse(e, ERROR_NOT_FOUND, "there is no '%s/%s'", store->path, name);
			return -ENOENT;
		}
		if (fd < 0)
			return error_system(e, errno, "open '%s/%s'", store->path, name);
		fd_close(at);
		at = fd;
		next += n + (next[n] == '/');
	}
	*ret_fd = take_fd(&at);
	return 0;
}

int store_each_entry(const struct store *store, const char *name,
		     int (*each)(int folder, const char *name, void *data, struct error *e), void *data,
		     struct error *e)
{
	const struct dirent *entry;
	int fd = -1, r = store_open_folder(store, name, false, &fd, e);
	DIR *dir;

	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return error_system(e, errno, "list '%s/%s'", store->path, name);
	}
	while (!r && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			r = each(fd, entry->d_name, data, e);
	closedir(dir);
	return r;
}

/* ---- what is being made ---- */

/* Whether fd is what dirfd/name is now: between opening and locking somebody may have removed or renamed it. */
static bool is_still(int fd, int dirfd, const char *name)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

static int sweep(int tmp_fd, size_t *ret_n)
{
	int copy = fcntl(tmp_fd, F_DUPFD_CLOEXEC, 3), first = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		first = -errno;
		fd_close(copy);
		return first;
	}
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		auto_fd fd = -1;
		int r;

		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		fd = openat(tmp_fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_still(fd, tmp_fd, entry->d_name))
			continue; /* somebody makes it, or has just removed it */
		r = store_remove_tree(tmp_fd, entry->d_name);
		if (r && !first)
			first = r;
		if (!r && ret_n)
			++*ret_n;
	}
	closedir(dir);
	return first;
}

int store_sweep(const struct store *store, size_t *ret_n, struct error *e)
{
	auto_fd tmp_fd = -1;
	size_t n = 0;
	int r = store->fd < 0 ? -ENOENT : store_open_folder(store, "tmp", false, &tmp_fd, NULL);

	if (!r)
		r = sweep(tmp_fd, &n);
	if (r && r != -ENOENT)
		return error_system(e, -r, "clean up '%s/tmp'", store->path);
	if (ret_n)
		*ret_n = n;
	return 0;
}

/* Makes and locks tmp/NAME; -EEXIST: there is one; -EAGAIN: a sweeper was faster than our lock. */
static int make_locked(int tmp_fd, const char *name, int *ret_fd)
{
	auto_fd fd = -1;

	if (mkdirat(tmp_fd, name, 0700) < 0)
		return -errno;
	fd = openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_still(fd, tmp_fd, name))
		return -EAGAIN;
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_tmp_make(const struct store *store, const char *kind, struct store_tmp *ret, struct error *e)
{
	auto_fd tmp_fd = -1;
	int r = store_open_folder(store, "tmp", true, &tmp_fd, e);

	if (r)
		return r;
	(void)!sweep(tmp_fd, NULL); /* what can't be removed now is seen by the check */
	*ret = STORE_TMP_INIT;
	do {
		uint64_t number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return error_system(e, errno, "getrandom");
		snprintf(ret->name, sizeof(ret->name), "%.32s-%016llx", kind, (unsigned long long)number);
		r = make_locked(tmp_fd, ret->name, &ret->fd);
	} while (r == -EAGAIN || r == -EEXIST);
	return r ? error_system(e, -r, "make '%s/tmp/%s'", store->path, ret->name) : 0;
}

int store_tmp_claim(const struct store *store, const char *name, struct store_tmp *ret, struct error *e)
{
	auto_fd tmp_fd = -1;
	auto_fd fd = -1;
	int r = store_open_folder(store, "tmp", true, &tmp_fd, e);

	if (r)
		return r;
	*ret = STORE_TMP_INIT;
	if ((size_t)snprintf(ret->name, sizeof(ret->name), "%s", name) >= sizeof(ret->name))
		return error_bug(e, "tmp/'%s' is too long a name", name);
	for (;;) {
		r = make_locked(tmp_fd, name, &ret->fd);
		if (r != -EEXIST)
			break;
		fd = openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_system(e, errno, "open '%s/tmp/%s'", store->path, name);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EAGAIN
						    : error_system(e, errno, "lock '%s/tmp/%s'", store->path, name);
		/* Its maker is dead: what it holds goes. */
		if (is_still(fd, tmp_fd, name))
			(void)!store_remove_tree(tmp_fd, name);
		fd = fd_close(fd);
	}
	if (r && r != -EAGAIN)
		return error_system(e, -r, "make '%s/tmp/%s'", store->path, name);
	return r;
}

int store_tmp_publish(const struct store *store, struct store_tmp *tmp, int dirfd, const char *name, struct error *e)
{
	auto_fd tmp_fd = -1;
	int r = store_open_folder(store, "tmp", false, &tmp_fd, e);

	if (r)
		return r;
	if (renameat(tmp_fd, tmp->name, dirfd, name) < 0)
		return errno == EEXIST || errno == ENOTEMPTY
			   ? -EEXIST
			   : error_system(e, errno, "rename '%s/tmp/%s'", store->path, tmp->name);
	*tmp->name = 0;
	if (fsync(dirfd) < 0)
		return error_system(e, errno, "write '%s' to the disk", name);
	return 0;
}

void store_tmp_drop(const struct store *store, struct store_tmp *tmp)
{
	auto_fd tmp_fd = -1;

	if (tmp->fd >= 0 && *tmp->name && !store_open_folder(store, "tmp", false, &tmp_fd, NULL) &&
	    is_still(tmp->fd, tmp_fd, tmp->name))
		(void)!store_remove_tree(tmp_fd, tmp->name);
	tmp->fd = fd_close(tmp->fd);
}

/* ---- what is kept ---- */

static int refuse_missing(const struct store *store, const struct store_kind *kind, const char *id, struct error *e)
{
	error_refuse(e, ERROR_NOT_FOUND, "there is no %s %.64s in '%s'", kind->noun, id, store->path);
	return -ENOENT;
}

int store_open_in(const struct store *store, const struct store_kind *kind, const char *id, const char *name, int flags,
		  int *ret_fd, struct error *e)
{
	char path[16 + STORE_HEX_SIZE + 64];
	int fd;

	if (!store_is_hex(id))
		return error_refuse(e, ERROR_INVALID, "'%.80s' is not a %s's id", id, kind->noun);
	if (store->fd < 0)
		return refuse_missing(store, kind, id, e);
	snprintf(path, sizeof(path), "%s/%s%s%s", kind->folder, id, *name ? "/" : "", name);
	fd = openat(store->fd, path, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? refuse_missing(store, kind, id, e)
				       : error_system(e, errno, "open '%s/%s'", store->path, path);
	*ret_fd = fd;
	return 0;
}

int store_confirm(const struct store *store, const struct store_kind *kind, const char *id, struct error *e)
{
	struct stat ours, there;
	auto_fd fd = -1, now = -1;
	int r = store_open_in(store, kind, id, "", O_RDONLY | O_DIRECTORY, &fd, e);

	if (r)
		return r;
	/* Whoever removes it holds the lock until it is gone; whoever comes later sees our pin. */
	while (flock(fd, LOCK_SH) < 0)
		if (errno != EINTR)
			return error_system(e, errno, "lock the %s %s", kind->noun, id);
	r = store_open_in(store, kind, id, "", O_PATH | O_DIRECTORY, &now, e);
	if (r)
		return r;
	if (fstat(fd, &ours) < 0 || fstat(now, &there) < 0 || ours.st_ino != there.st_ino)
		return store_confirm(store, kind, id, e); /* removed, and made anew */
	return 0;
}

int store_remove(const struct store *store, const struct store_kind *kind, const char *id,
		 int (*is_needed)(const char *id, bool *ret, void *data, struct error *e), void *data, struct error *e)
{
	struct store_tmp tmp = STORE_TMP_INIT;
	auto_fd fd = -1, folder = -1;
	bool needed = false;
	int r = store_open_in(store, kind, id, "", O_RDONLY | O_DIRECTORY, &fd, e);

	if (r)
		return r;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : error_system(e, errno, "lock the %s %s", kind->noun, id);
	r = is_needed(id, &needed, data, e);
	if (!r && needed)
		return -EAGAIN;
	r = r ?: store_open_folder(store, kind->folder, false, &folder, e) ?: store_tmp_make(store, "remove", &tmp, e);
	if (!r && renameat(folder, id, tmp.fd, id) < 0)
		r = errno == ENOENT ? 0 : error_system(e, errno, "take '%s/%s/%s' away", store->path, kind->folder, id);
	store_tmp_drop(store, &tmp);
	return r;
}

/* ---- trees ---- */

/* Opens a folder below dirfd that may have a mode that shuts even its owner out. */
static int open_folder(int dirfd, const char *name, int *ret_fd)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == EACCES) {
		auto_fd path_fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		char self[32];

		if (path_fd < 0)
			return -errno;
		snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
		if (chmod(self, 0700) < 0)
			return -errno;
		fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* Takes the descriptor over. */
static DIR *list(int fd)
{
	DIR *dir = fdopendir(fd);

	if (!dir)
		fd_close(fd);
	return dir;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* One folder of top: its files go, its folders move up into top, so that depth costs nothing. */
static int flatten(int top, const char *name, uint64_t *number)
{
	auto_fd own = -1;
	struct dirent *entry;
	DIR *dir;
	int fd, r = open_folder(top, name, &fd);

	if (r)
		return r;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	dir = list(fd);
	if (!dir)
		return -ENOMEM;
	while (!r && (entry = readdir(dir))) {
		char up[32];

		if (is_dots(entry->d_name))
			continue;
		if (!unlinkat(own, entry->d_name, 0) || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = -errno;
			break;
		}
		if (!unlinkat(own, entry->d_name, AT_REMOVEDIR))
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST) {
			r = -errno;
			break;
		}
		do
			snprintf(up, sizeof(up), ".holm-%llx", (unsigned long long)++*number);
		while (renameat(own, entry->d_name, top, up) < 0 &&
		       ((r = -errno) == -EEXIST || r == -ENOTEMPTY || r == -ENOTDIR) && !(r = 0));
	}
	closedir(dir);
	return r;
}

static int empty_folder(int top)
{
	uint64_t number = 0;
	int r = 0;

	for (bool again = true; again && !r;) {
		struct dirent *entry;
		int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = fd < 0 ? NULL : list(fd);

		if (!dir)
			return -errno;
		again = false;
		while (!r && (entry = readdir(dir))) {
			if (is_dots(entry->d_name))
				continue;
			again = true;
			if (!unlinkat(top, entry->d_name, 0) || errno == ENOENT)
				continue;
			if (errno != EISDIR && errno != EPERM) {
				r = -errno;
				break;
			}
			if (!unlinkat(top, entry->d_name, AT_REMOVEDIR) || errno == ENOENT)
				continue;
			if (errno != ENOTEMPTY && errno != EEXIST) {
				r = -errno;
				break;
			}
			r = flatten(top, entry->d_name, &number);
			if (!r && unlinkat(top, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT &&
			    errno != ENOTEMPTY)
				r = -errno;
			if (r == -ENOENT)
				r = 0;
		}
		closedir(dir);
	}
	return r;
}

int store_remove_tree(int dirfd, const char *name)
{
	auto_fd top = -1;
	int r;

	if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (!unlinkat(dirfd, name, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	r = open_folder(dirfd, name, &top);
	if (!r)
		r = empty_folder(top);
	if (!r && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r == -ENOENT ? 0 : r;
}

/* Files with several names, which count once; an open-addressed table of inode numbers, one file system. */
struct seen {
	ino_t *slots;
	size_t n, room;
};

static int seen_add(struct seen *seen, ino_t ino, bool *ret_new)
{
	if (seen->n * 2 >= seen->room) {
		struct seen more = {.room = seen->room ? seen->room * 2 : 256};

		more.slots = calloc(more.room, sizeof(*more.slots));
		if (!more.slots)
			return -ENOMEM;
		for (size_t i = 0; i < seen->room; i++)
			if (seen->slots[i]) {
				size_t at = seen->slots[i] * 0x9e3779b97f4a7c15 % more.room;

				while (more.slots[at])
					at = (at + 1) % more.room;
				more.slots[at] = seen->slots[i];
				more.n++;
			}
		free(seen->slots);
		*seen = more;
	}
	for (size_t at = ino * 0x9e3779b97f4a7c15 % seen->room;; at = (at + 1) % seen->room) {
		if (!seen->slots[at]) {
			seen->slots[at] = ino;
			seen->n++;
			*ret_new = true;
			return 0;
		}
		if (seen->slots[at] == ino) {
			*ret_new = false;
			return 0;
		}
	}
}

static int measure(int dirfd, const char *name, unsigned depth, struct seen *seen, uint64_t *bytes, uint64_t *files)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int fd, r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_nlink > 1 && !S_ISDIR(st.st_mode)) {
		bool new;

		r = seen_add(seen, st.st_ino, &new);
		if (r || !new)
			return r;
	}
	*bytes += st.st_blocks * UINT64_C(512);
	++*files;
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (depth > 400) /* of descriptors there are a thousand; so deep is nothing that is worth being counted */
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES || errno == ENOENT ? 0 : -errno;
	dir = list(fd);
	if (!dir)
		return -ENOMEM;
	r = 0;
	while (!r && (entry = readdir(dir)))
		if (!is_dots(entry->d_name))
			r = measure(fd, entry->d_name, depth + 1, seen, bytes, files);
	closedir(dir);
	return r;
}

int store_measure_tree(int dirfd, const char *name, uint64_t *ret_bytes, uint64_t *ret_files)
{
	struct seen seen = {0};
	uint64_t bytes = 0, files = 0;
	int r = measure(dirfd, name, 0, &seen, &bytes, &files);

	free(seen.slots);
	if (r)
		return r;
	*ret_bytes = bytes;
	*ret_files = files;
	return 0;
}

/* ---- blobs ---- */

bool store_is_hex(const char *s)
{
	return s && strspn(s, "0123456789abcdef") == STORE_HEX_SIZE - 1 && !s[STORE_HEX_SIZE - 1];
}

const char *store_digest_hex(const char *digest)
{
	const char *hex = digest ? str_after(digest, "sha256:") : NULL;

	return store_is_hex(hex) ? hex : NULL;
}

int store_write_blob(const struct store *store, const void *data, size_t size, char ret_hex[STORE_HEX_SIZE],
		     struct error *e)
{
	auto_fd blobs = -1;
	auto_fd fd = -1;
	char self[32];
	int r;

	digest_hex(data, size, ret_hex);
	r = store_open_folder(store, "blobs/sha256", true, &blobs, e);
	if (r)
		return r;
	if (!faccessat(blobs, ret_hex, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	fd = openat(blobs, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system(e, errno, "make a file in '%s/blobs/sha256'", store->path);
	r = fd_write_all(fd, data, size);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (r)
		return error_system(e, -r, "write '%s/blobs/sha256/%s'", store->path, ret_hex);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, blobs, ret_hex, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return error_system(e, errno, "name '%s/blobs/sha256/%s'", store->path, ret_hex);
	if (fsync(blobs) < 0)
		return error_system(e, errno, "write '%s/blobs/sha256' to the disk", store->path);
	return 0;
}

/* Whoever removes one takes it away as ".HEX", looks whether somebody needs it by now, and puts it back then. */
static int read_blob(int blobs, const char *hex, char **ret, size_t *ret_size)
{
	char moved[STORE_HEX_SIZE + 1];
	int r = file_read(blobs, hex, STORE_BLOB_MAX, ret, ret_size);

	if (r == -ENOENT) {
		snprintf(moved, sizeof(moved), ".%.64s", hex);
		r = file_read(blobs, moved, STORE_BLOB_MAX, ret, ret_size);
	}
	return r == -ENOENT ? file_read(blobs, hex, STORE_BLOB_MAX, ret, ret_size) : r;
}

int store_read_blob(const struct store *store, const char *hex, char **ret_data, size_t *ret_size, struct error *e)
{
	auto_fd blobs = -1;
	auto_free char *data = NULL;
	char is[STORE_HEX_SIZE];
	size_t size;
	int r = store_open_folder(store, "blobs/sha256", false, &blobs, e);

	if (r)
		return r;
	r = read_blob(blobs, hex, &data, &size);
	if (r == -ENOENT) {
		error_refuse(e, ERROR_NOT_FOUND, "there is no blob '%s/blobs/sha256/%s'", store->path, hex);
		return r;
	}
	if (r)
		return error_system(e, -r, "read '%s/blobs/sha256/%s'", store->path, hex);
	digest_hex(data, size, is);
	if (!str_equal(is, hex))
		return error_refuse(e, ERROR_INVALID, "the blob '%s/blobs/sha256/%s' is damaged: its SHA-256 is %s",
				    store->path, hex, is);
	*ret_data = take_ptr(&data);
	*ret_size = size;
	return 0;
}
