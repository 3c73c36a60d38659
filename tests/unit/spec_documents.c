/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/: what engines write, decoded, encoded and decoded again.  tests/specs has config.json files of Docker,
 * containerd and Podman.
 */
#include "spec/spec.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/json.h"
#include "spec/resources.h"
#include "spec/tables.h"

enum { ENGINE_SPECS = 31 };

/* The options of a mount are read, not stored: what was made of them is compared here, the rest as text. */
static void compare_mounts(const struct spec *a, const struct spec *b)
{
	assert_int_equal(a->n_mounts, b->n_mounts);
	for (size_t i = 0; i < a->n_mounts; i++) {
		const struct spec_mount *m = &a->mounts[i], *n = &b->mounts[i];

		assert_int_equal(m->attr_set, n->attr_set);
		assert_int_equal(m->attr_clear, n->attr_clear);
		assert_int_equal(m->recursive_set, n->recursive_set);
		assert_int_equal(m->superblock_set, n->superblock_set);
		assert_int_equal(m->bind, n->bind);
		assert_int_equal(m->recursive, n->recursive);
		assert_int_equal(m->n_propagation, n->n_propagation);
		assert_int_equal(m->n_data, n->n_data);
		for (size_t k = 0; k < m->n_data; k++)
			assert_string_equal(m->data[k], n->data[k]);
	}
}

/* Is every member of a in b, with the same value?  (b may say more: defaults that the text left out.) */
static void compare_json(const struct json *a, const struct json *b, const char *path);

struct comparison {
	const struct json *other;
	const char *path;
};

static void compare_member(const char *key, const struct json *value, void *data)
{
	const struct comparison *c = data;
	const struct json *other = json_find(c->other, key);
	char path[512];

	snprintf(path, sizeof(path), "%s.%s", c->path, key);
	if (!other) {
		auto_free char *text = json_dump(value, JSON_INDENT_NONE);

		/* nothing, said explicitly */
		if (str_equal(text, "false") || str_equal(text, "\"\"") || str_equal(text, "[]") ||
		    str_equal(text, "{}") || str_equal(text, "null") || str_equal(text, "0"))
			return;
		fail_msg("%s is lost: %s", path, text);
	}
	compare_json(value, other, path);
}

static void compare_json(const struct json *a, const struct json *b, const char *path)
{
	struct comparison c = {b, path};
	auto_free char *left = json_dump(a, JSON_INDENT_NONE), *right = json_dump(b, JSON_INDENT_NONE);

	if (str_equal(path, ".process.env") || str_equal(path, ".linux.namespaces"))
		return; /* duplicates are dropped; the order of types is ours */
	if (str_after(path, ".linux.devices") || strstr(path, ".fileMode"))
		return; /* type bits of the mode */
	if (*left == '{') {
		json_each(a, compare_member, &c);
		return;
	}
	if (*left != '[') {
		if (!str_equal(left, right))
			fail_msg("%s: %s became %s", path, left, right);
		return;
	}
	if (json_count(a) != json_count(b))
		fail_msg("%s: %s became %s", path, left, right);
	for (size_t i = 0; i < json_count(a); i++) {
		char below[512];

		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		compare_json(json_at(a, i), json_at(b, i), below);
	}
}

static void check_file(const char *path)
{
	auto_free char *text = NULL, *first = NULL, *second = NULL;
	auto_json *before = NULL, *after = NULL;
	struct error e = ERROR_INIT;
	struct spec a, b;
	size_t size;

	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, &size), 0);
	if (spec_parse(text, size, path, &a, &e))
		fail_msg("%s", e.text);
	first = spec_encode(&a, 2);
	if (spec_parse(first, strlen(first), "again", &b, &e))
		fail_msg("%s: %s", path, e.text);
	second = spec_encode(&b, 2);
	assert_string_equal(first, second);
	compare_mounts(&a, &b);
	assert_int_equal(json_read(text, size, path, &before, &e), 0);
	assert_int_equal(json_read(first, strlen(first), path, &after, &e), 0);
	compare_json(before, after, "");
	spec_release(&a);
	spec_release(&b);
}

static void test_engines(void **state)
{
	DIR *folder = opendir("tests/specs");
	struct dirent *entry;
	size_t n = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		char path[300];

		if (!strstr(entry->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), "tests/specs/%s", entry->d_name);
		check_file(path);
		n++;
	}
	closedir(folder);
	assert_int_equal(n, ENGINE_SPECS);
}

/* Every key that the tables know, but those that are ignored, is in text. */
static void check_keys(const struct object *object, const char *text, unsigned depth)
{
	for (size_t i = 0; i < object->n_fields; i++) {
		const struct field *field = &object->fields[i];
		char key[64];

		snprintf(key, sizeof(key), "\"%s\":", field->key);
		if (field->type != FIELD_IGNORED && !strstr(text, key))
			fail_msg("%s is not encoded", key);
		if (field->object && depth < 8)
			check_keys(field->object, text, depth + 1);
	}
}

/* The fuzzer's corpus has a document in which no key is missing. */
static void test_everything(void **state)
{
	auto_free char *first = NULL, *second = NULL;
	struct error e = ERROR_INIT;
	struct spec a, b;

	(void)state;
	if (spec_load(AT_FDCWD, "tests/fuzz/corpus/spec/everything.json", &a, &e))
		fail_msg("%s", e.text);
	first = spec_encode(&a, JSON_INDENT_NONE);
	check_keys(&object_document, first, 0);
	if (spec_parse(first, strlen(first), "again", &b, &e))
		fail_msg("%s", e.text);
	second = spec_encode(&b, JSON_INDENT_NONE);
	assert_string_equal(first, second);
	compare_mounts(&a, &b);
	spec_release(&a);
	spec_release(&b);
}

/* The parts that travel alone: exec -p, hooks in a record, update -r. */
static void test_parts(void **state)
{
	auto_free char *process = NULL, *process_again = NULL, *hooks = NULL, *hooks_again = NULL;
	static const char resources[] = "{\"memory\": {\"limit\": 5}}";
	struct spec_resources *read_resources;
	struct spec_process *read_process;
	auto_arena arena = ARENA_INIT;
	struct spec_hooks read_hooks;
	struct error e = ERROR_INIT;
	struct spec spec;

	(void)state;
	assert_int_equal(spec_load(AT_FDCWD, "tests/fuzz/corpus/spec/everything.json", &spec, &e), 0);
	process = spec_encode_process(spec.process, 2);
	assert_int_equal(spec_parse_process(process, strlen(process), "p", &arena, &read_process, &e), 0);
	process_again = spec_encode_process(read_process, 2);
	assert_string_equal(process, process_again);
	hooks = spec_encode_hooks(&spec.hooks, JSON_INDENT_NONE);
	assert_int_equal(spec_parse_hooks(hooks, strlen(hooks), "h", &arena, &read_hooks, &e), 0);
	hooks_again = spec_encode_hooks(&read_hooks, JSON_INDENT_NONE);
	assert_string_equal(hooks, hooks_again);
	assert_int_equal(spec_parse_resources(resources, strlen(resources), "-", &arena, &read_resources, &e), 0);
	assert_int_equal(read_resources->memory.limit.value, 5);
	assert_false(read_resources->memory.swap.present);
	spec_release(&spec);
}

static void test_default(void **state)
{
	(void)state;
	for (int rootless = 0; rootless < 2; rootless++) {
		auto_free char *text = spec_default(rootless, 1000, 100), *again = NULL;
		struct error e = ERROR_INIT;
		struct spec spec;

		if (spec_parse(text, strlen(text), "default", &spec, &e))
			fail_msg("%s", e.text);
		again = spec_encode(&spec, JSON_INDENT_TAB);
		assert_string_equal(text, again);
		spec_release(&spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_engines),
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
