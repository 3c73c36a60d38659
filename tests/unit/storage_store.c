/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's ground: entries of tmp/, locks, trees of any depth, blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/store.h"

struct place {
	char path[64];
	char data[80];
	struct store store;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->path, sizeof(place->path), "/tmp/holm-store.XXXXXX");
	assert_non_null(mkdtemp(place->path));
	snprintf(place->data, sizeof(place->data), "%s/a/b/data", place->path);
	assert_int_equal(store_open(place->data, true, &place->store, NULL), 0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	store_close(&place->store);
	assert_int_equal(store_remove_tree(AT_FDCWD, place->path), 0);
	free(place);
	return 0;
}

static void test_missing(void **state)
{
	struct place *place = *state;
	struct store store;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/none", place->path);
	assert_int_equal(store_open(path, false, &store, NULL), 0);
	assert_int_equal(store.fd, -1);
	assert_true(store_open_folder(&store, "layers", false, &fd, NULL) == -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(store_open_folder(&place->store, "layers", false, &fd, NULL) == -ENOENT);
}

static void test_entries(void **state)
{
	struct place *place = *state;
	struct store_tmp one = STORE_TMP_INIT, two = STORE_TMP_INIT, same = STORE_TMP_INIT;
	auto_fd folder = -1;
	size_t n = 0;

	assert_int_equal(store_tmp_make(&place->store, "test", &one, NULL), 0);
	assert_int_equal(store_tmp_claim(&place->store, "layer-x", &two, NULL), 0);
	assert_int_equal(store_tmp_claim(&place->store, "layer-x", &same, NULL), -EAGAIN);
	/* What is held stays. */
	assert_int_equal(store_sweep(&place->store, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(mkdirat(one.fd, "within", 0700), 0);
	/* Its maker dies: the lock goes, the entry stays, and then is taken over or swept. */
	one.fd = fd_close(one.fd);
	two.fd = fd_close(two.fd);
	assert_int_equal(store_tmp_claim(&place->store, "layer-x", &same, NULL), 0);
	assert_int_equal(store_sweep(&place->store, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(mkdirat(same.fd, "within", 0700), 0);
	assert_int_equal(store_open_folder(&place->store, "layers", true, &folder, NULL), 0);
	assert_int_equal(store_tmp_publish(&place->store, &same, folder, "x", NULL), 0);
	store_tmp_drop(&place->store, &same);
	assert_int_equal(faccessat(folder, "x/within", F_OK, 0), 0);
	/* A second of that name is not put over it. */
	assert_int_equal(store_tmp_claim(&place->store, "layer-x", &two, NULL), 0);
	assert_int_equal(store_tmp_publish(&place->store, &two, folder, "x", NULL), -EEXIST);
	store_tmp_drop(&place->store, &two);
	assert_int_equal(store_sweep(&place->store, &n, NULL), 0);
	assert_int_equal(n, 0);
}

/* Deeper than a path can be long, and than descriptors last. */
static void test_deep_tree(void **state)
{
	enum { DEPTH = 3000 };
	struct place *place = *state;
	uint64_t bytes, files;
	int at = fcntl(place->store.fd, F_DUPFD_CLOEXEC, 3);

	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(at, "deep", 0700), 0);
		next = openat(at, "deep", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		assert_int_equal(symlinkat("/etc", at, "link"), 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(store_measure_tree(place->store.fd, "deep", &bytes, &files), 0);
	assert_int_equal(store_remove_tree(place->store.fd, "deep"), 0);
	assert_int_equal(faccessat(place->store.fd, "deep", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(store_remove_tree(place->store.fd, "deep"), 0); /* not there: fine */
}

static void test_links_once(void **state)
{
	struct place *place = *state;
	char block[8192] = "x";
	uint64_t bytes, more, files;

	assert_int_equal(mkdirat(place->store.fd, "tree", 0700), 0);
	assert_int_equal(file_create(place->store.fd, "tree/a", 0600, block, sizeof(block)), 0);
	assert_int_equal(store_measure_tree(place->store.fd, "tree", &bytes, &files), 0);
	assert_int_equal(linkat(place->store.fd, "tree/a", place->store.fd, "tree/b", 0), 0);
	assert_int_equal(store_measure_tree(place->store.fd, "tree", &more, &files), 0);
	assert_int_equal(bytes, more);
	assert_int_equal(files, 2);
}

static void test_blobs(void **state)
{
	struct place *place = *state;
	char hex[STORE_HEX_SIZE], path[128];
	auto_free char *data = NULL;
	struct error e = ERROR_INIT;
	size_t size;

	assert_int_equal(store_write_blob(&place->store, "abc", 3, hex, NULL), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(store_write_blob(&place->store, "abc", 3, hex, NULL), 0);
	assert_int_equal(store_read_blob(&place->store, hex, &data, &size, NULL), 0);
	assert_string_equal(data, "abc");
	assert_int_equal(size, 3);
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	assert_int_equal(file_write(place->store.fd, path, "x", 1), 0);
	free(data);
	data = NULL;
	assert_int_not_equal(store_read_blob(&place->store, hex, &data, &size, &e), 0);
	assert_int_equal(e.kind, ERROR_INVALID);
	assert_non_null(strstr(e.text, hex));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_deep_tree, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_links_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_blobs, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
