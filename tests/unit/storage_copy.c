/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy_moving(): whatever changes between its two passes, the copy is what there is at the second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/tree.h"
#include "storage/copy.h"

struct place {
	char path[64];
	int top, from, to;
	unsigned stops, goes;
	bool breaks; /* the first pass fails */
	char *mapped;
};

/* ---- what a folder is ---- */

struct known {
	ino_t inodes[200];
	size_t n;
};

/* The number that its inode has in the order of names: so hard links are seen. */
static size_t number_of(struct known *known, ino_t inode)
{
	size_t i = 0;

	while (i < known->n && known->inodes[i] != inode)
		i++;
	if (i == known->n) {
		assert_true(known->n < ARRAY_SIZE(known->inodes));
		known->inodes[known->n++] = inode;
	}
	return i;
}

static void describe(int dirfd, const char *path, struct known *known, struct str *out)
{
	struct dirent **names;
	auto_fd fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[256] = "", value[64] = "";
	struct stat st;
	int n;

	assert_int_equal(fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (S_ISLNK(st.st_mode))
		assert_true(readlinkat(dirfd, path, text, sizeof(text) - 1) > 0);
	else if (S_ISREG(st.st_mode))
		assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	if (fd >= 0 && fgetxattr(fd, "user.note", value, sizeof(value) - 1) < 0)
		*value = 0;
	str_addf(out, "%s %o %lld %lld.%09ld #%zu '%s' '%s'\n", path, st.st_mode,
		 S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 number_of(known, st.st_ino), text, value);
	if (!S_ISDIR(st.st_mode))
		return;
	n = scandirat(dirfd, path, &names, NULL, alphasort);
	assert_true(n >= 2);
	for (int i = 0; i < n; i++) {
		char below[512];

		snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
		if (!str_equal(names[i]->d_name, ".") && !str_equal(names[i]->d_name, ".."))
			describe(dirfd, below, known, out);
		free(names[i]);
	}
	free(names);
}

static void assert_same(const struct place *place)
{
	struct known known_from = {0}, known_to = {0};
	auto_str from = STR_INIT, to = STR_INIT;

	describe(place->from, ".", &known_from, &from);
	describe(place->to, ".", &known_to, &to);
	assert_string_equal(str_peek(&from), str_peek(&to));
}

/* ---- the folder ---- */

static void make(const struct place *place, const char *path, const char *text)
{
	assert_int_equal(file_create(place->from, path, 0644, text, strlen(text)), 0);
}

static void make_folder(const struct place *place, const char *path)
{
	assert_int_equal(mkdirat(place->from, path, 0755), 0);
}

static void rename_to(const struct place *place, const char *from, const char *to, unsigned flags)
{
	assert_int_equal(renameat2(place->from, from, place->from, to, flags), 0);
}

static void note(const struct place *place, const char *path, const char *value)
{
	auto_fd fd = openat(place->from, path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(*value ? fsetxattr(fd, "user.note", value, strlen(value), 0) : fremovexattr(fd, "user.note"),
			 0);
}

static void fill(struct place *place)
{
	static const char *const folders[] = {"a",    "a/deep", "a/deep/er", "b",     "b/deep",	 "b/deep/er", "plain",
					      "gone", "file",	"swap1",     "swap2", "renewed", "moved",     "links"};
	static const char *const files[] = {"a/one",	      "a/two",	      "a/deep/er/file", "b/one",
					    "b/deep/er/file", "plain/old",    "plain/mode",	"plain/note",
					    "plain/less",     "gone/file",    "file/within",	"swap1/same",
					    "swap2/same",     "renewed/file", "moved/file",	"links/first",
					    "moved/first",    "silent",	      "replaced",	"mapped"};
	auto_fd mapped = -1;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		make_folder(place, folders[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		make(place, files[i], files[i]);
	note(place, "plain/less", "less");
	note(place, "plain", "less");
	assert_int_equal(symlinkat("one", place->from, "a/link"), 0);
	assert_int_equal(mkfifoat(place->from, "a/fifo", 0600), 0);
	assert_int_equal(linkat(place->from, "links/first", place->from, "links/second", 0), 0);
	assert_int_equal(linkat(place->from, "moved/first", place->from, "links/third", 0), 0);
	mapped = openat(place->from, "mapped", O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(mapped, 200), 0);
	place->mapped = mmap(NULL, 200, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	assert_ptr_not_equal(place->mapped, MAP_FAILED);
	strcpy(place->mapped, "before");
	if (place->breaks) {
		char path[2 * (COPY_DEPTH_MAX + 10)] = "d";

		for (size_t i = 0; i < COPY_DEPTH_MAX + 2; i++) {
			make_folder(place, path);
			strcat(path, "/d");
		}
	}
}

static void change(struct place *place)
{
	struct stat st;
	auto_fd fd = -1;

	/* as many bytes, and the old time */
	fd = openat(place->from, "silent", O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, "SILENT", 6, 0), 6);
	assert_int_equal(futimens(fd, (struct timespec[2]){st.st_atim, st.st_mtim}), 0);
	strcpy(place->mapped, "after");
	/* attributes */
	assert_int_equal(fchmodat(place->from, "plain/mode", 0600, 0), 0);
	note(place, "plain/note", "more");
	note(place, "plain/less", "");
	note(place, "plain", "");
	note(place, "b", "more");
	/* names */
	make(place, "plain/new", "new");
	assert_int_equal(unlinkat(place->from, "plain/old", 0), 0);
	assert_int_equal(tree_remove(place->from, "gone", NULL), 0);
	assert_int_equal(tree_remove(place->from, "file", NULL), 0);
	make(place, "file", "was a folder");
	assert_int_equal(unlinkat(place->from, "replaced", 0), 0);
	make_folder(place, "replaced");
	make(place, "replaced/file", "was none");
	assert_int_equal(unlinkat(place->from, "a/link", 0), 0);
	assert_int_equal(symlinkat("two", place->from, "a/link"), 0);
	rename_to(place, "a/one", "a/two", RENAME_EXCHANGE);
	rename_to(place, "a/deep", "b/deep", RENAME_EXCHANGE);
	rename_to(place, "swap1", "swap2", RENAME_EXCHANGE);
	rename_to(place, "moved", "b/moved", 0);
	assert_int_equal(tree_remove(place->from, "renewed", NULL), 0);
	make_folder(place, "renewed");
	make(place, "renewed/file", "newer");
	/* hard links */
	assert_int_equal(unlinkat(place->from, "links/second", 0), 0);
	assert_int_equal(linkat(place->from, "silent", place->from, "links/silent", 0), 0);
	if (place->breaks)
		assert_int_equal(tree_remove(place->from, "d", NULL), 0);
}

/* A mark on a copy tells whether it is made anew. */
static void mark(const struct place *place, const char *path)
{
	auto_fd fd = openat(place->to, path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(fd, "user.mark", "x", 1, 0), 0);
}

static bool is_marked(const struct place *place, const char *path)
{
	auto_fd fd = openat(place->to, path, O_RDONLY | O_CLOEXEC);
	char value;

	return fgetxattr(fd, "user.mark", &value, 1) == 1;
}

static int stop(void *data, struct error *e)
{
	struct place *place = data;

	(void)e;
	if (++place->stops == 2) {
		mark(place, "b/one");
		mark(place, "silent");
		change(place);
	}
	return 0;
}

static int go(void *data, struct error *e)
{
	struct place *place = data;

	(void)e;
	place->goes++;
	return 0;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->path, sizeof(place->path), "/var/tmp/holm-copy.XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->top = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place->top, "from", 0755) + mkdirat(place->top, "to", 0755), 0);
	place->from = openat(place->top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->to = openat(place->top, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	if (place->mapped)
		munmap(place->mapped, 200);
	fd_close(place->from);
	fd_close(place->to);
	fd_close(place->top);
	assert_int_equal(tree_remove(AT_FDCWD, place->path, NULL), 0);
	free(place);
	return 0;
}

/* Until what was made counts as old. */
static void wait_long(const struct place *place)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	struct timespec now;
	struct stat st;

	assert_int_equal(fstatat(place->from, "mapped", &st, 0), 0);
	do {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec < st.st_ctim.tv_sec + 4);
}

static void copy_it(struct place *place)
{
	struct copy copy = {.flags = COPY_ARCHIVE};
	struct copy_pause pause = {stop, go, place};
	struct error e = ERROR_INIT;

	assert_int_equal(copy_moving(place->from, place->to, &pause, &copy, &e), 0);
	if (place->stops == 1)
		skip(); /* a file system that does not say what changed: it is copied once */
	assert_int_equal(place->stops, 2);
	assert_int_equal(place->goes, 1);
	assert_same(place);
}

static void test_old(void **state)
{
	struct place *place = *state;

	fill(place);
	wait_long(place);
	copy_it(place);
	/* Also where its folder changed, a file that did not is not copied again. */
	assert_true(is_marked(place, "b/one"));
	assert_false(is_marked(place, "silent"));
}

static void test_new(void **state)
{
	fill(*state);
	copy_it(*state);
}

static void test_broken(void **state)
{
	struct place *place = *state;

	place->breaks = true;
	fill(place);
	copy_it(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_old, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_new, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
