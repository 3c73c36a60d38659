/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A long list of digests in a file: as holm writes it, as somebody else may, and what is no such list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "storage/jsonfile.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct folder {
	char path[64];
	int fd;
};

static int make_folder(void **state)
{
	static struct folder folder;

	strcpy(folder.path, "/tmp/holm-unit.XXXXXX");
	assert_non_null(mkdtemp(folder.path));
	folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &folder;
	return folder.fd < 0;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;

	unlinkat(folder->fd, "file", 0);
	close(folder->fd);
	return rmdir(folder->path);
}

static void write_file(const struct folder *folder, const char *text)
{
	unlinkat(folder->fd, "file", 0);
	assert_int_equal(file_create(folder->fd, "file", 0600, text, strlen(text)), 0);
}

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		int n; /* -1: refused */
	} cases[] = {
	    {"{\n\t\"list\": [\n\t\t\"" A "\",\n\t\t\"" B "\"\n\t],\n\t\"after\": \"x\"\n}\n", 2},
	    {"{\n\t\"before\": [\n\t\t\"" A "\"\n\t],\n\t\"list\": [\n\t\t\"" A "\"\n\t],\n\t\"after\": \"x\"\n}", 1},
	    {"{\"list\":[\"" A "\",\"" B "\"],\"after\":\"x\"}", 2},
	    {"{\n\t\"list\": [\n\t\t\"" A "\",\n\t\t\"short\"\n\t],\n\t\"after\": \"x\"}", 2},
	    {"{\n\t\"list\": [\n\t\t\"" A "\",\n\t\t17\n\t],\n\t\"after\": \"x\"}", 1},
	    {"{\n\t\"list\": [],\n\t\"after\": \"x\"}", 0},
	    {"{\n\t\"after\": \"x\"}", 0},
	    {"{\n\t\"text\": \"\\n\\t\\\"list\\\": [\",\n\t\"after\": \"x\"}", 0},
	    {"{\n\t\"list\": [\n\t\t\"" A "\",\n\t],\n\t\"after\": \"x\"}", -1},
	    {"{\n\t\"list\": [\n\t\t\"" A "\"\n\t\t\"" B "\"\n\t],\n\t\"after\": \"x\"}", -1},
	    {"{\n\t\"list\": [\n\t\t\"" A "\"\n\t],\n\t\"list\": [\"x\"],\n\t\"after\": \"x\"}", -1},
	    {"{\n\t\"list\": [\n\t\t\"" A "\"\n\t]", -1},
	    {"{\n\t\"list\": [\n\t\t\"" A, -1},
	    {"", -1},
	};
	const struct folder *folder = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_arena arena = ARENA_INIT;
		auto_json *json = NULL;
		struct error e = ERROR_INIT;
		const char **list = NULL;
		size_t n = 99;
		int r;

		write_file(folder, cases[i].text);
		r = jsonfile_read_digests(folder->fd, "file", "list", &arena, &list, &n, &json, &e);
		assert_int_equal(!!r, cases[i].n < 0);
		if (r)
			continue;
		assert_int_equal(n, cases[i].n);
		if (n)
			assert_string_equal(list[0], A);
		assert_string_equal(json_find_string(json, "after"), "x");
	}
}

/* What is written is read again, from no member to many. */
static void test_written(void **state)
{
	const struct folder *folder = *state;

	for (size_t count = 0; count < 600; count += count < 3 ? 1 : 199) {
		struct json_writer w = json_writer_init(JSON_INDENT_TAB);
		auto_arena arena = ARENA_INIT;
		auto_json *json = NULL;
		struct error e = ERROR_INIT;
		const char **list = NULL;
		size_t n = 99;

		json_open_object(&w, NULL);
		json_put_string(&w, "before", "x");
		json_open_array(&w, "list");
		for (size_t i = 0; i < count; i++)
			json_put_string(&w, NULL, i % 2 ? A : B);
		json_close(&w);
		json_put_string(&w, "after", "y");
		json_close(&w);
		assert_int_equal(jsonfile_write(folder->fd, "file", &w, &e), 0);
		assert_int_equal(jsonfile_read_digests(folder->fd, "file", "list", &arena, &list, &n, &json, &e), 0);
		assert_int_equal(n, count);
		for (size_t i = 0; i < n; i++)
			assert_string_equal(list[i], i % 2 ? A : B);
		assert_string_equal(json_find_string(json, "before"), "x");
		assert_string_equal(json_find_string(json, "after"), "y");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_forms, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(test_written, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
