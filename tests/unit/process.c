/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/process: --user, and what exec's process is made of.
 */
#include "runtime/process.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static void test_user(void **state)
{
	static const struct {
		const char *text;
		uint32_t uid, gid;
		bool has_gid;
	} good[] = {{"0", 0, 0, false},
		    {"1000", 1000, 0, false},
		    {"1000:100", 1000, 100, true},
		    {"0:0", 0, 0, true},
		    {"4294967294:4294967294", 4294967294, 4294967294, true}};
	static const char *const bad[] = {"",
					  ":",
					  "1:",
					  ":1",
					  "-1",
					  "0x1",
					  "1\n",
					  " 1",
					  "1 ",
					  "+1",
					  "root",
					  "1:2:3",
					  "1:-1",
					  "1:root",
					  "1.0",
					  "4294967295",
					  "4294967296",
					  "1:4294967296",
					  "00000000000000000000000000000001"};
	struct error e = ERROR_INIT;
	uint32_t uid, gid;
	bool has_gid;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		gid = 0;
		assert_int_equal(process_parse_user(good[i].text, &uid, &gid, &has_gid, &e), 0);
		assert_int_equal(uid, good[i].uid);
		assert_int_equal(gid, good[i].gid);
		assert_int_equal(has_gid, good[i].has_gid);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uid = gid = 77;
		if (process_parse_user(bad[i], &uid, &gid, &has_gid, &e) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
		assert_int_equal(uid, 77);
		assert_int_equal(gid, 77);
	}
	assert_string_equal(e.text,
			    "user '00000000000000000000000000000001': not UID or UID:GID with numbers from 0 to "
			    "4294967294");
}

static struct spec_process container(void)
{
	static const char *env[] = {"PATH=/bin", "A=1"}, *args[] = {"init"}, *some[] = {"CAP_KILL"},
			  *more[] = {"CAP_KILL", "CAP_CHOWN"};
	static uint32_t gids[] = {7};
	static struct spec_capabilities capabilities;
	struct spec_process p = {.terminal = true,
				 .cwd = "/srv",
				 .env = env,
				 .n_env = 2,
				 .args = args,
				 .n_args = 1,
				 .user = {.uid = 5, .gid = 6, .additional_gids = gids, .n_additional_gids = 1},
				 .capabilities = &capabilities,
				 .apparmor_profile = "theirs",
				 .has_oom_score_adj = true,
				 .oom_score_adj = 9};

	for (int i = 0; i < _SPEC_CAP_SET_N; i++) {
		capabilities.sets[i].names = more;
		capabilities.sets[i].n = 2;
	}
	capabilities.sets[SPEC_CAP_INHERITABLE].names = some;
	capabilities.sets[SPEC_CAP_INHERITABLE].n = 1;
	capabilities.sets[SPEC_CAP_AMBIENT].n = 0;
	return p;
}

static const char *args[] = {"ls", "-l"};

static void test_plain(void **state)
{
	struct spec_process base = container(), *p;
	struct container_exec request = {.args = args, .n_args = 2};
	struct error e = ERROR_INIT;
	auto_arena arena = ARENA_INIT;

	(void)state;
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), 0);
	assert_false(p->terminal);
	assert_string_equal(p->cwd, "/srv");
	assert_int_equal(p->n_args, 2);
	assert_string_equal(p->args[0], "ls");
	assert_int_equal(p->n_env, 2);
	assert_int_equal(p->user.uid, 5);
	assert_int_equal(p->user.gid, 6);
	assert_string_equal(p->apparmor_profile, "theirs");
	assert_ptr_equal(p->capabilities, base.capabilities);
}

static void test_flags(void **state)
{
	const char *env[] = {"B=2", "A=3", "B=4", "AA=5", "C="}, *caps[] = {"CAP_KILL", "CAP_FOWNER"};
	uint32_t gids[] = {8, 9};
	struct spec_process base = container(), *p;
	struct container_exec request = {.args = args,
					 .n_args = 2,
					 .cwd = "/x",
					 .env = env,
					 .n_env = 5,
					 .user = "11",
					 .additional_gids = gids,
					 .n_additional_gids = 2,
					 .capabilities = caps,
					 .n_capabilities = 2,
					 .apparmor = "mine",
					 .selinux_label = "label",
					 .tty = true,
					 .no_new_privileges = true};
	static const char *const expected[] = {"PATH=/bin", "A=3", "B=4", "AA=5", "C="};
	struct error e = ERROR_INIT;
	auto_arena arena = ARENA_INIT;

	(void)state;
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), 0);
	assert_true(p->terminal && p->no_new_privileges);
	assert_string_equal(p->cwd, "/x");
	assert_string_equal(p->apparmor_profile, "mine");
	assert_string_equal(p->selinux_label, "label");
	assert_int_equal(p->user.uid, 11);
	assert_int_equal(p->user.gid, 6);
	assert_int_equal(p->user.n_additional_gids, 3);
	assert_int_equal(p->user.additional_gids[0], 7);
	assert_int_equal(p->user.additional_gids[2], 9);
	assert_int_equal(p->n_env, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(p->env[i], expected[i]);
	assert_int_equal(p->capabilities->sets[SPEC_CAP_BOUNDING].n, 4);
	assert_string_equal(p->capabilities->sets[SPEC_CAP_PERMITTED].names[3], "CAP_FOWNER");
	assert_int_equal(p->capabilities->sets[SPEC_CAP_INHERITABLE].n, 1);
	assert_int_equal(p->capabilities->sets[SPEC_CAP_AMBIENT].n, 1); /* CAP_KILL: inheritable has it */
	assert_string_equal(p->capabilities->sets[SPEC_CAP_AMBIENT].names[0], "CAP_KILL");
	/* the container's own is as it was */
	assert_int_equal(base.capabilities->sets[SPEC_CAP_BOUNDING].n, 2);
	assert_string_equal(base.env[1], "A=1");
	assert_int_equal(base.user.uid, 5);
	request.user = "0:0";
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), 0);
	assert_int_equal(p->user.gid, 0);
}

static void test_refusals(void **state)
{
	const char *env[] = {"=x"};
	struct spec_process base = container(), *p = NULL;
	struct container_exec request = {0};
	struct error e = ERROR_INIT;
	auto_arena arena = ARENA_INIT;

	(void)state;
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), -EINVAL);
	assert_string_equal(e.text, "no command to execute");
	request.args = args;
	request.n_args = 2;
	request.env = env;
	request.n_env = 1;
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), -EINVAL);
	assert_string_equal(e.text, "--env '=x': not NAME=VALUE");
	env[0] = "NAME";
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), -EINVAL);
	request.n_env = 0;
	request.cwd = "relative";
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), -EINVAL);
	request.cwd = NULL;
	request.user = "root";
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), -EINVAL);
	request.user = NULL;
	request.process_file = "/nonexistent/p.json";
	assert_int_equal(process_resolve(&base, &request, &arena, &p, &e), -ENOENT);
	assert_null(p);
}

static void test_no_container_process(void **state)
{
	const char *caps[] = {"CAP_KILL"};
	struct container_exec request = {.args = args, .n_args = 2, .capabilities = caps, .n_capabilities = 1};
	struct spec_process *p;
	struct error e = ERROR_INIT;
	auto_arena arena = ARENA_INIT;

	(void)state;
	assert_int_equal(process_resolve(NULL, &request, &arena, &p, &e), 0);
	assert_string_equal(p->cwd, "/");
	assert_int_equal(p->capabilities->sets[SPEC_CAP_EFFECTIVE].n, 1);
	assert_int_equal(p->capabilities->sets[SPEC_CAP_AMBIENT].n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_user),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_no_container_process),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
