/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resctrl group, against a folder that plays the file system's part: files exist in a group as soon as it is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/rdt.h"

static char root[64];

static void put(const char *group, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s/%s", root, group, file);
	unlink(path);
	assert_int_equal(file_create(AT_FDCWD, path, 0600, text, strlen(text)), 0);
}

static void expect(const char *group, const char *file, const char *text)
{
	auto_free char *got = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s%s/%s", root, group, file);
	assert_int_equal(file_read(AT_FDCWD, path, 4096, &got, NULL), 0);
	assert_string_equal(got, text);
}

static void make(const char *group)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, group);
	assert_int_equal(mkdir(path, 0700), 0);
	put(group, "tasks", "");
	put(group, "schemata", "");
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/holm-rdt.XXXXXX");
	assert_non_null(mkdtemp(root));
	put("", "tasks", "");
	put("", "schemata", "    L3:0=fff\n    MB:0=100\n");
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static int plan(const struct spec_intel_rdt *spec, struct arena *arena, struct rdt *rdt, struct error *e)
{
	return rdt_plan(spec, "web", root, arena, rdt, e);
}

static void test_names(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct spec_intel_rdt none = {0}, slash = {.clos_id = "/"}, missing = {.clos_id = "gold"};
	struct error e = ERROR_INIT;
	struct rdt rdt;
	char path[128];

	(void)state;
	assert_int_equal(plan(&none, &arena, &rdt, &e), 0);
	snprintf(path, sizeof(path), "%s/web", root);
	assert_string_equal(rdt.group, path);
	assert_true(rdt.created && rdt.owned);
	assert_int_equal(plan(&slash, &arena, &rdt, &e), 0);
	assert_string_equal(rdt.group, root);
	assert_false(rdt.created);
	assert_true(plan(&missing, &arena, &rdt, &e) < 0);
	assert_non_null(strstr(e.text, "linux.intelRdt.closID"));
}

static void test_existing_group_must_match(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct spec_intel_rdt spec = {.clos_id = "gold", .l3_cache_schema = "L3:0=f", .mem_bw_schema = "MB:0=20"};
	struct error e = ERROR_INIT;
	struct rdt rdt;

	(void)state;
	make("/gold");
	put("/gold", "schemata", "    L3:0=f\n    MB:0=20\n");
	assert_int_equal(plan(&spec, &arena, &rdt, &e), 0);
	assert_false(rdt.created);
	assert_string_equal(rdt.schemata, "");
	put("/gold", "schemata", "    L3:0=f\n    MB:0=90\n");
	assert_true(plan(&spec, &arena, &rdt, &e) < 0);
	assert_non_null(strstr(e.text, "MB:0=20"));
}

static void test_apply_and_remove(void **state)
{
	auto_arena arena = ARENA_INIT;
	const char *lines[] = {"L2:0=3"};
	struct spec_intel_rdt spec = {.schemata = lines, .n_schemata = 1};
	struct error e = ERROR_INIT;
	struct rdt rdt;

	(void)state;
	assert_int_equal(plan(&spec, &arena, &rdt, &e), 0);
	make("/web"); /* the kernel makes the files with the folder */
	assert_int_equal(rdt_apply(&rdt, 4711, &e), 0);
	expect("/web", "schemata", "L2:0=3\n");
	expect("/web", "tasks", "4711");
	assert_true(rdt_remove(&rdt, &e) < 0); /* not empty here; on resctrl the files do not count */
	assert_non_null(strstr(e.text, "/web"));
}

static void test_update(void **state)
{
	struct error e = ERROR_INIT;
	auto_free char *old = NULL;
	struct rdt rdt = {0};
	char path[128];

	(void)state;
	make("/web");
	put("/web", "schemata", "L3:0=f\nMB:0=20\n");
	snprintf(path, sizeof(path), "%s/web", root);
	rdt.group = path;
	assert_int_equal(rdt_update(&rdt, "L3:0=3", NULL, &old, &e), 0);
	assert_string_equal(old, "L3:0=f\nMB:0=20\n");
	expect("/web", "schemata", "L3:0=3\nMB:0=20\n"); /* resctrl would change its line only */
	rdt_restore(&rdt, "  MB:0=90\n");
	expect("/web", "schemata", "MB:0=90\nB:0=20\n");
	rdt.group = "/nowhere";
	free(old);
	old = NULL;
	assert_true(rdt_update(&rdt, "L3:0=3", NULL, &old, &e) < 0);
	assert_null(old);
	assert_non_null(strstr(e.text, "/nowhere/schemata"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_existing_group_must_match, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_apply_and_remove, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_update, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
