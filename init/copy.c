/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tmpcopyup: a fresh tmpfs starts with what the image has at its place.
 *
 * Source and copy are walked by descriptors, a name at a time and never through a symlink, so that neither a hostile image nor a
 * racing container can lead the copy elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "init/lib.h"
#include "init/root.h"
#include "init/sys.h"

enum { MAX_DEPTH = 128 };

struct entry { /* what getdents64(2) gives */
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static void copy_level(int from, int to, const char *path, unsigned depth);

static void copy_attributes(int fd, const struct stat *st, const char *name)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	check(sys(fchownat, fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH), "tmpcopyup: change the owner of '%s'",
	      name);
	check(sys(fchmod, fd, st->st_mode & 07777), "tmpcopyup: change the mode of '%s'", name);
	sys(utimensat, fd, NULL, times, 0);
}

static void copy_xattrs(int from, int to)
{
	static char names[4096], value[65536];
	long n = sys(flistxattr, from, names, sizeof(names));

	for (char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		long size = sys(fgetxattr, from, name, value, sizeof(value));

		if (size >= 0) /* one that tmpfs has no room for (user.*) stays behind, as with cp -a */
			sys(fsetxattr, to, name, value, size, 0);
	}
}

static void copy_file(int from, int to_folder, const char *name, const struct stat *st)
{
	static char buffer[65536];
	int to = (int)check(sys(openat, to_folder, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600),
			    "tmpcopyup: make '%s'", name);
	long n;

	while ((n = check(sys(read, from, buffer, sizeof(buffer)), "tmpcopyup: read '%s'", name)) > 0)
		write_all(to, buffer, (size_t)n, name);
	copy_attributes(to, st, name);
	copy_xattrs(from, to);
	shut(to);
}

static void copy_entry(int from, int to, const char *name, unsigned depth)
{
	char target[4096];
	struct stat st;
	long fd, n;

	check(sys(newfstatat, from, name, &st, AT_SYMLINK_NOFOLLOW), "tmpcopyup: stat '%s'", name);
	if (S_ISLNK(st.st_mode)) {
		n = check(sys(readlinkat, from, name, target, sizeof(target) - 1), "tmpcopyup: read '%s'", name);
		target[n] = 0;
		check(sys(symlinkat, target, to, name), "tmpcopyup: make '%s'", name);
		check(sys(fchownat, to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW),
		      "tmpcopyup: change the owner of '%s'", name);
		return;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		check(sys(mknodat, to, name, st.st_mode, st.st_rdev), "tmpcopyup: make '%s'", name);
		check(sys(fchownat, to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW),
		      "tmpcopyup: change the owner of '%s'", name);
		return;
	}
	fd = check(sys(openat, from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0), "tmpcopyup: open '%s'",
		   name);
	check(sys(newfstatat, fd, "", &st, AT_EMPTY_PATH), "tmpcopyup: stat '%s'", name);
	if (S_ISREG(st.st_mode)) {
		copy_file((int)fd, to, name, &st);
	} else if (S_ISDIR(st.st_mode)) {
		long made;

		check(sys(mkdirat, to, name, 0700), "tmpcopyup: make '%s'", name);
		made = check(sys(openat, to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0),
			     "tmpcopyup: open '%s'", name);
		copy_level((int)fd, (int)made, name, depth + 1);
		copy_xattrs((int)fd, (int)made);
		copy_attributes((int)made, &st, name);
		shut((int)made);
	}
	shut((int)fd);
}

static void copy_level(int from, int to, const char *path, unsigned depth)
{
	char entries[2048]; /* on the stack: one for each level */
	long n;

	if (depth > MAX_DEPTH)
		fail(ELOOP, "tmpcopyup: '%s' is more than %d folders deep", path, MAX_DEPTH);
	while ((n = check(sys(getdents64, from, entries, sizeof(entries)), "tmpcopyup: read '%s'", path)) > 0)
		for (long i = 0; i < n;) {
			struct entry *e = (struct entry *)(entries + i);

			i += e->size;
			if (!equal(e->name, ".") && !equal(e->name, ".."))
				copy_entry(from, to, e->name, depth);
		}
}

void copy_folder(int from, int to, const char *path)
{
	struct stat st;
	int source =
	    (int)check(sys(openat, from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), "tmpcopyup: open '%s'", path);

	check(sys(newfstatat, source, "", &st, AT_EMPTY_PATH), "tmpcopyup: stat '%s'", path);
	copy_level(source, to, path, 0);
	shut(source);
}
