/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroups/host and cgroups/path: which host it is, and where a container goes on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cgroups/host.h"
#include "cgroups/path.h"

static const char hybrid[] = "9:name=systemd:/\n4:memory:/caller/x\n3:cpuset:/\n2:cpu,cpuacct:/\n0::/\n";

static struct cgroup_host *parse(struct arena *arena, const char *text, const char *v2)
{
	struct error e = ERROR_INIT;
	struct cgroup_host *host = NULL;

	assert_int_equal(cgroup_host_parse(arena, text, v2, &host, &e), 0);
	return host;
}

static void test_modes(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_host *h;

	(void)state;
	h = parse(&arena, hybrid, "/sys/fs/cgroup/unified");
	assert_int_equal(h->mode, CGROUP_MODE_HYBRID);
	assert_int_equal(h->n_v1, 4);
	assert_string_equal(h->v1_of[CGROUP_MEMORY]->own, "/caller/x");
	assert_string_equal(h->v1_of[CGROUP_CPU]->mount, "/sys/fs/cgroup/cpu,cpuacct");
	assert_ptr_equal(h->v1_of[CGROUP_CPU], h->v1_of[CGROUP_CPUACCT]);
	assert_null(h->v1_of[CGROUP_PIDS]);
	assert_string_equal(h->v1[0].mount, "/sys/fs/cgroup/systemd");

	h = parse(&arena, hybrid, NULL);
	assert_int_equal(h->mode, CGROUP_MODE_LEGACY);
	assert_null(h->v2);

	h = parse(&arena, "1:name=elsewhere:/\n0::/user.slice/a.scope\n", "/sys/fs/cgroup");
	assert_int_equal(h->mode, CGROUP_MODE_V2);
	assert_int_equal(h->n_v1, 0);
	assert_string_equal(h->v2->own, "/user.slice/a.scope");

	/* Moved out of the root of its cgroup namespace. */
	h = parse(&arena, "0::/../../other\n", "/sys/fs/cgroup");
	assert_string_equal(h->v2->own, "/");
	h = parse(&arena, "0::/..hidden\n", "/sys/fs/cgroup");
	assert_string_equal(h->v2->own, "/..hidden");

	assert_int_equal(parse(&arena, "", NULL)->mode, CGROUP_MODE_NONE);
}

static void test_refuses_other_lines(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct cgroup_host *host = NULL;

	(void)state;
	assert_true(cgroup_host_parse(&arena, "nonsense\n", NULL, &host, &e) < 0);
	assert_non_null(strstr(e.text, "'nonsense'"));
}

static void test_lists(void **state)
{
	(void)state;
	assert_int_equal(cgroup_controllers_parse("cpuset cpu io foo\n", CGROUP_V2),
			 1u << CGROUP_CPUSET | 1u << CGROUP_CPU | 1u << CGROUP_IO);
	assert_int_equal(cgroup_controllers_parse("cpu,cpuacct", CGROUP_V1), 1u << CGROUP_CPU | 1u << CGROUP_CPUACCT);
	assert_int_equal(cgroup_controllers_parse("blkio", CGROUP_V1), 1u << CGROUP_IO);
	assert_int_equal(cgroup_controllers_parse("blkio", CGROUP_V2), 0);
	assert_int_equal(cgroup_controllers_parse("", CGROUP_V1), 0);
}

static void test_clean(void **state)
{
	static const char *const cases[][2] = {
	    {"/a/b", "/a/b"},	 {"a/b/", "/a/b"}, {"//a//./b", "/a/b"}, {"../../etc", "/etc"}, {"/a/../..", "/"},
	    {"a/../../b", "/b"}, {"", "/"},	   {"/", "/"},		 {"/a/b/..", "/a"},	{"/..a/.b", "/..a/.b"},
	};
	auto_arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(cgroup_path_clean(&arena, cases[i][0]), cases[i][1]);
}

static void check_choice(const struct cgroup_hierarchy *h, const char *given, const char *path)
{
	struct cgroup_request request = {.id = "id1", .cgroups_path = given};
	auto_arena arena = ARENA_INIT;
	struct error e = ERROR_INIT;
	const char *got, *base;
	int r = cgroup_path_choose(h, &request, &arena, &got, &base, &e);

	if (!path) {
		assert_true(r < 0);
		assert_int_equal(e.kind, ERROR_INVALID);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(got, path);
	assert_non_null(str_after(got, base));
}

static void test_choice_v1(void **state)
{
	auto_arena arena = ARENA_INIT;
	const struct cgroup_host *h = parse(&arena, hybrid, "/sys/fs/cgroup/unified");
	const struct cgroup_hierarchy *memory = h->v1_of[CGROUP_MEMORY], *cpu = h->v1_of[CGROUP_CPU];

	(void)state;
	check_choice(memory, NULL, "/sys/fs/cgroup/memory/caller/x/holm-id1");
	check_choice(cpu, NULL, "/sys/fs/cgroup/cpu,cpuacct/holm-id1");
	check_choice(memory, "", "/sys/fs/cgroup/memory/caller/x/holm-id1");
	check_choice(memory, "a/b", "/sys/fs/cgroup/memory/caller/x/a/b");
	check_choice(memory, "/a/b", "/sys/fs/cgroup/memory/a/b");
	check_choice(memory, "../../a", "/sys/fs/cgroup/memory/caller/x/a");
	check_choice(memory, "/../..", NULL);
	check_choice(memory, "..", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_modes), cmocka_unit_test(test_refuses_other_lines), cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_clean), cmocka_unit_test(test_choice_v1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
