/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names: of images, of members of archives, of blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "storage/image.h"
#include "storage/unpack_tree.h"

static void test_references(void **state)
{
	static const struct {
		const char *name, *normal; /* NULL: refused */
	} cases[] = {
	    {"web", "web:latest"},
	    {"web:1", "web:1"},
	    {"Web_1.2-x:v1.0_A-", "Web_1.2-x:v1.0_A-"},
	    {"example.org/a/web", "example.org/a/web:latest"},
	    {"example.org:5000/a/web:7", "example.org:5000/a/web:7"},
	    {"localhost:5000/web", "localhost:5000/web:latest"},
	    {"", NULL},
	    {":", NULL},
	    {"web:", NULL},
	    {":1", NULL},
	    {"/web", NULL},
	    {"web/", NULL},
	    {"a//b", NULL},
	    {".", NULL},
	    {"..", NULL},
	    {"../web", NULL},
	    {"a/../b", NULL},
	    {"-web", NULL},
	    {"web-", NULL},
	    {"web:1:2", NULL},
	    {"a:b/web", NULL},
	    {"a:123456/web", NULL},
	    {"web:.1", NULL},
	    {"web 1", NULL},
	    {"web\n", NULL},
	    {"web%2f", NULL},
	    {"web@sha256:0", NULL},
	};
	auto_arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = ERROR_INIT;
		const char *normal = NULL;

		if (!cases[i].normal) {
			assert_int_not_equal(image_normalize(cases[i].name, &arena, &normal, &e), 0);
			assert_int_equal(e.kind, ERROR_USAGE);
			continue;
		}
		assert_int_equal(image_normalize(cases[i].name, &arena, &normal, &e), 0);
		assert_string_equal(normal, cases[i].normal);
	}
}

static void test_reference_files(void **state)
{
	char file[IMAGE_FILE_SIZE], reference[IMAGE_FILE_SIZE];

	(void)state;
	image_print_file("example.org:5000/a/web:7", file);
	assert_null(strchr(file, '/'));
	image_read_file(file, reference);
	assert_string_equal(reference, "example.org:5000/a/web:7");
}

static void test_members(void **state)
{
	static const struct {
		const char *name, *clean; /* NULL: refused */
	} cases[] = {
	    {".", ""},	    {"./", ""},	       {"", ""},
	    {"a", "a"},	    {"./a/b/", "a/b"}, {"a//b/./c", "a/b/c"},
	    {"...", "..."}, {"..a", "..a"},    {"a\nb", "a\nb"},
	    {"/a", NULL},   {"//", NULL},      {"..", NULL},
	    {"a/..", NULL}, {"./../a", NULL},  {"a/../../b", NULL},
	};
	char clean[UNPACK_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = ERROR_INIT;
		int r = tree_clean_name(cases[i].name, 0, clean, &e);

		assert_int_equal(r != 0, !cases[i].clean);
		if (cases[i].clean)
			assert_string_equal(clean, cases[i].clean);
		else
			assert_int_equal(e.kind, ERROR_INVALID);
	}
	assert_int_equal(tree_clean_name("a/b/c", 3, clean, NULL), 0);
	assert_int_not_equal(tree_clean_name("a/b/c", 2, clean, NULL), 0);
}

static void test_archives(void **state)
{
	static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	char name[128];

	(void)state;
	assert_true(tree_is_image_archive("oci-layout"));
	assert_true(tree_is_image_archive("./blobs/"));
	assert_true(tree_is_image_archive("blobs/sha256/"));
	assert_true(tree_is_image_archive("manifest.json"));
	assert_true(tree_is_image_archive(hex));
	snprintf(name, sizeof(name), "%s/layer.tar", hex);
	assert_true(tree_is_image_archive(name));
	snprintf(name, sizeof(name), "%s.json", hex);
	assert_true(tree_is_image_archive(name));
	snprintf(name, sizeof(name), "%sx", hex);
	assert_false(tree_is_image_archive(name));
	assert_false(tree_is_image_archive("."));
	assert_false(tree_is_image_archive("bin/"));
	assert_false(tree_is_image_archive("blobsy"));
	assert_false(tree_is_image_archive("etc/manifest.json"));
}

static void test_digests(void **state)
{
	static const char good[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

	(void)state;
	assert_string_equal(store_digest_hex(good), good + 7);
	assert_null(store_digest_hex(good + 1));
	assert_null(store_digest_hex("sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
	assert_null(store_digest_hex("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"));
	assert_null(store_digest_hex("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"));
	assert_null(store_digest_hex("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
	assert_null(store_digest_hex("sha256:../../../../../../../../../../../../../../../../../../../../../../"));
	assert_null(store_digest_hex(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_references), cmocka_unit_test(test_reference_files),
					   cmocka_unit_test(test_members), cmocka_unit_test(test_archives),
					   cmocka_unit_test(test_digests)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
