/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/idmap.  Most of it needs root, or shows what an ordinary user gets (the test then becomes one in a child).
 */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"

enum { SOMEBODY = 54321 }; /* in no /etc/passwd */

/* A child in a user namespace without maps. */
static pid_t start_child(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER))
			_exit(1);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static char *read_proc(pid_t pid, const char *name)
{
	char path[64], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	assert_int_equal(file_read(AT_FDCWD, path, 65536, &text, NULL), 0);
	return text;
}

static void expect_map(pid_t pid, const char *name, const char *format, ...)
{
	char *text = read_proc(pid, name), expected[256], got[256] = "";
	unsigned a, b, n;
	char *line = text;
	va_list args;

	while (sscanf(line, "%u %u %u", &a, &b, &n) == 3) {
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u %u %u;", a, b, n);
		line = strchr(line, '\n') + 1;
	}
	va_start(args, format);
	vsnprintf(expected, sizeof(expected), format, args);
	va_end(args);
	assert_string_equal(got, expected);
	free(text);
}

static bool is_root(void)
{
	return !geteuid();
}

static void test_as_root(void **state)
{
	struct spec_id_map uids[] = {{0, 100000, 10}, {10, 200000, 65526}}, gids[] = {{0, 300000, 65536}};
	struct idmap map = {.uids = uids, .n_uids = 2, .gids = gids, .n_gids = 1};
	struct error e = ERROR_INIT;
	pid_t pid;

	(void)state;
	if (!is_root())
		skip();
	pid = start_child();
	assert_int_equal(idmap_write(pid, &map, &e), 0);
	expect_map(pid, "uid_map", "0 100000 10;10 200000 65526;");
	expect_map(pid, "gid_map", "0 300000 65536;");
	/* a second time the kernel refuses, and the error shows what it refused */
	assert_int_equal(idmap_write(pid, &map, &e), -EPERM);
	assert_string_equal(e.text, "write the uid mapping '0 100000 10,10 200000 65526' (container, host, size)");
	end_child(pid);
	assert_int_equal(idmap_write(pid, &map, &e), -ENOENT);
}

/* Runs check as an ordinary user; it ends the process. */
static void as_somebody(void (*check)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (is_root() && (setgroups(0, NULL) || setresgid(SOMEBODY, SOMEBODY, SOMEBODY) ||
				  setresuid(SOMEBODY, SOMEBODY, SOMEBODY)))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void check_own_id(void)
{
	struct spec_id_map uid = {0, geteuid(), 1}, gid = {5, getegid(), 1};
	struct idmap map = {.uids = &uid, .n_uids = 1, .gids = &gid, .n_gids = 1};
	struct error e = ERROR_INIT;
	pid_t pid = start_child();
	char *setgroups_state;

	if (idmap_write(pid, &map, &e)) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
	expect_map(pid, "uid_map", "0 %u 1;", geteuid());
	expect_map(pid, "gid_map", "5 %u 1;", getegid());
	setgroups_state = read_proc(pid, "setgroups");
	if (strcmp(setgroups_state, "deny\n"))
		_exit(2);
	free(setgroups_state);
	end_child(pid);
}

static void check_no_grant(void)
{
	struct spec_id_map uids[] = {{0, geteuid(), 1}, {1, 100000, 65535}}, gid = {0, getegid(), 1};
	struct idmap map = {.uids = uids, .n_uids = 2, .gids = &gid, .n_gids = 1};
	struct error e = ERROR_INIT;
	pid_t pid = start_child();

	if (idmap_write(pid, &map, &e) >= 0)
		_exit(1);
	/* which of the two depends on the host */
	if (strcmp(e.text, "the uid mapping: /etc/subuid has no entry for user '54321'") &&
	    !strstr(e.text, "needs the program 'newuidmap'")) {
		fprintf(stderr, "%s\n", e.text);
		_exit(2);
	}
	end_child(pid);
}

static void test_own_id(void **state)
{
	(void)state;
	as_somebody(check_own_id);
}

static void test_no_grant(void **state)
{
	(void)state;
	if (!is_root())
		skip();
	as_somebody(check_no_grant);
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void test_namespaces(void **state)
{
	struct spec_id_map a[] = {{0, 100000, 1000}}, same[] = {{0, 100000, 1000}}, b[] = {{0, 200000, 1000}};
	struct idmap one = {.uids = a, .n_uids = 1, .gids = a, .n_gids = 1},
		     two = {.uids = same, .n_uids = 1, .gids = same, .n_gids = 1},
		     three = {.uids = a, .n_uids = 1, .gids = b, .n_gids = 1};
	auto_arena arena = ARENA_INIT;
	struct idmap_cache cache = {.arena = &arena};
	struct error e = ERROR_INIT;
	struct stat own;
	int fd[3];

	(void)state;
	if (!is_root())
		skip();
	assert_int_equal(idmap_open(&cache, &one, &fd[0], &e), 0);
	assert_int_equal(idmap_open(&cache, &two, &fd[1], &e), 0);
	assert_int_equal(idmap_open(&cache, &three, &fd[2], &e), 0);
	assert_int_equal(fd[0], fd[1]);
	assert_int_not_equal(inode(fd[0]), inode(fd[2]));
	assert_int_equal(stat("/proc/self/ns/user", &own), 0);
	assert_int_not_equal(inode(fd[0]), own.st_ino);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* their holders are gone */
	assert_true(fcntl(fd[0], F_GETFD) & FD_CLOEXEC);
	idmap_cache_release(&cache);
	assert_int_equal(fcntl(fd[0], F_GETFD), -1);
	/* a mapping that the kernel refuses: overlapping */
	b[0] = (struct spec_id_map){0, 5, 0};
	three.gids = b;
	assert_int_equal(idmap_open(&cache, &three, &fd[2], &e), -EINVAL);
	assert_non_null(strstr(e.text, "user namespace for an idmapped mount: write the gid mapping '0 5 0'"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_root),
	    cmocka_unit_test(test_own_id),
	    cmocka_unit_test(test_no_grant),
	    cmocka_unit_test(test_namespaces),
	};

	return cmocka_run_group_tests_name("idmap", tests, NULL, NULL);
}
