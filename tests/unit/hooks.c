/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/hooks and runtime/helper: what a hook finds, how its failure reads.
 * wrap: memfd_create pipe2 posix_spawn poll
 */
#include "runtime/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/helper.h"

static const char *failing;

#define WRAP(type, name, error, parameters, arguments)                                                                 \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		if (failing && !strcmp(failing, #name)) {                                                              \
			errno = EMFILE;                                                                                \
			return error;                                                                                  \
		}                                                                                                      \
		return __real_##name arguments;                                                                        \
	}

WRAP(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
WRAP(int, pipe2, -1, (int *fds, int flags), (fds, flags))
WRAP(int, poll, -1, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
WRAP(int, posix_spawn, EMFILE,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
      char *const argv[], char *const envp[]),
     (pid, path, actions, attributes, argv, envp))

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static char folder[] = "/tmp/holm-hooks-XXXXXX";

static int setup_group(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown_group(void **state)
{
	char out[64];

	(void)state;
	snprintf(out, sizeof(out), "%s/out", folder);
	unlink(out);
	return rmdir(folder);
}

static char *read_out(void)
{
	char path[64], *data = NULL;

	snprintf(path, sizeof(path), "%s/out", folder);
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &data, NULL), 0);
	return data;
}

/* Runs sh -c script as hook. */
static int run(const char *script, const char *input, uint32_t timeout, struct error *e)
{
	const char *args[] = {"hook", "-c", script}, *env[] = {"A=1", "B=2 3"};
	struct spec_hook hook = {
	    .path = "/bin/sh", .args = args, .n_args = 3, .env = env, .n_env = 2, .timeout = timeout};
	struct spec_hooks hooks = {.kinds = {[SPEC_HOOK_CREATE_RUNTIME] = {.hooks = &hook, .n = 1}}};
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), before, r;

	before = next_fd();
	r = hooks_run(&hooks, SPEC_HOOK_CREATE_RUNTIME, input, fd, e);
	assert_int_equal(next_fd(), before);
	close(fd);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing unreaped */
	return r;
}

/* Signals 32 and 33 are glibc's own: its posix_spawn leaves them ignored for every program that it starts. */
static void assert_no_signals(const char *masks)
{
	unsigned long blocked, ignored;

	assert_int_equal(sscanf(masks, "%lx %lx", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & ~0x180000000, 0);
}

static void test_sees(void **state)
{
	struct error e = ERROR_INIT;
	char *out;
	int stray = open("/dev/null", O_RDONLY); /* without close-on-exec, on purpose */

	(void)state;
	assert_int_equal(
	    run("cat >out; env -i /bin/true; echo \"$0|$A|$B|$(pwd)\" >>out; ls /proc/self/fd | tr '\\n' ' ' >>out; "
		"grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2 | tr '\\n' ' ' >>out",
		"{\"id\":\"x\"}", 0, &e),
	    0);
	close(stray);
	out = read_out();
	assert_non_null(strstr(out, "{\"id\":\"x\"}hook|1|2 3|/tmp/holm-hooks-"));
	assert_non_null(strstr(out, "\n0 1 2 3 ")); /* 3 is ls's own */
	assert_null(strstr(out, "3 4"));
	assert_no_signals(strrchr(out, '\n') + strlen("\n0 1 2 3 "));
	free(out);
}

static void test_signals_are_reset(void **state)
{
	struct error e = ERROR_INIT;
	sigset_t all, old;
	char *out;

	(void)state;
	sigfillset(&all);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigprocmask(SIG_BLOCK, &all, &old);
	assert_int_equal(run("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2 | tr '\\n' ' ' >out", "", 0, &e), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	out = read_out();
	assert_no_signals(out);
	free(out);
}

static void test_large_state_unread(void **state)
{
	struct error e = ERROR_INIT;
	size_t n = 1 << 20;
	char *big = malloc(n + 1), *out;

	(void)state;
	memset(big, 'x', n);
	big[n] = 0;
	assert_int_equal(run("exit 0", big, 0, &e), 0);
	assert_int_equal(run("wc -c >out", big, 0, &e), 0);
	out = read_out();
	assert_string_equal(out, "1048576\n");
	free(out);
	free(big);
}

static void test_failure_reads_well(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(run("echo first >&2; printf 'second\\tword\\n' >&2; exit 3", "", 0, &e), -EIO);
	assert_string_equal(e.text, "hook createRuntime[0] '/bin/sh': exit status 3: first; second word");
	assert_int_equal(run("exit 4", "", 0, &e), -EIO);
	assert_string_equal(e.text, "hook createRuntime[0] '/bin/sh': exit status 4");
	assert_int_equal(run("kill -USR1 $$", "", 0, &e), -EIO);
	assert_string_equal(e.text, "hook createRuntime[0] '/bin/sh': killed by SIGUSR1");
}

static void test_stderr_is_bounded(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(run("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1", "", 0, &e),
			 -EIO);
	assert_non_null(strstr(e.text, "; line 19999"));
	assert_null(strstr(e.text, "line 100;"));
	assert_true(strlen(e.text) < 1000);
}

static void test_timeout_kills_the_group(void **state)
{
	struct error e = ERROR_INIT;
	time_t start = time(NULL);
	char *out;
	pid_t pid;

	(void)state;
	assert_int_equal(run("sleep 100 & echo $! >out; sleep 100", "", 1, &e), -ENOSPC);
	assert_string_equal(e.text, "hook createRuntime[0] '/bin/sh': killed after its timeout of 1 s");
	assert_true(time(NULL) - start < 10);
	out = read_out();
	pid = atoi(out);
	free(out);
	for (int i = 0; i < 100 && !kill(pid, 0); i++) { /* dead, perhaps not reaped yet by whoever does */
		char path[64], *status = NULL;
		struct timespec pause = {.tv_nsec = 10000000};
		bool zombie;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (file_read(AT_FDCWD, path, 4096, &status, NULL))
			break;
		zombie = strstr(status, ") Z");
		free(status);
		if (zombie)
			break;
		assert_true(i < 99);
		nanosleep(&pause, NULL);
	}
}

static void test_a_child_that_stays_does_not_block(void **state)
{
	struct error e = ERROR_INIT;
	time_t start = time(NULL);

	(void)state;
	assert_int_equal(run("sleep 5 >/dev/null & exit 0", "", 0, &e), 0);
	assert_true(time(NULL) - start < 4);
}

static void test_missing(void **state)
{
	struct spec_hook hook = {.path = "/nonexistent/hook"};
	struct spec_hooks hooks = {.kinds = {[SPEC_HOOK_POSTSTART] = {.hooks = &hook, .n = 1}}};
	struct error e = ERROR_INIT;
	char text[256];

	(void)state;
	assert_int_equal(hooks_run(&hooks, SPEC_HOOK_POSTSTART, "{}", -1, &e), -ENOENT);
	assert_string_equal(error_format(&e, text, sizeof(text)),
			    "hook poststart[0] '/nonexistent/hook': start: no such file or directory");
	hook.path = "/etc/passwd";
	assert_int_equal(hooks_run(&hooks, SPEC_HOOK_POSTSTART, "{}", -1, &e), -EACCES);
}

static struct str warnings;

static void sink(enum log_level level, const char *text, void *data)
{
	(void)level;
	(void)data;
	str_addf(&warnings, "%s\n", text);
}

static void test_order_and_first_failure(void **state)
{
	const char *one[] = {"sh", "-c", "echo one >>out"}, *two[] = {"sh", "-c", "echo two >>out; exit 7"},
		   *three[] = {"sh", "-c", "echo three >>out"};
	struct spec_hook list[] = {{.path = "/bin/sh", .args = one, .n_args = 3},
				   {.path = "/bin/sh", .args = two, .n_args = 3},
				   {.path = "/bin/sh", .args = three, .n_args = 3}};
	struct spec_hooks hooks = {
	    .kinds = {[SPEC_HOOK_PRESTART] = {.hooks = list, .n = 3}, [SPEC_HOOK_POSTSTOP] = {.hooks = list, .n = 3}}};
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error e = ERROR_INIT;
	char *out;

	(void)state;
	unlinkat(fd, "out", 0);
	assert_int_equal(hooks_run(&hooks, SPEC_HOOK_PRESTART, "{}", fd, &e), -EIO);
	assert_string_equal(e.text, "hook prestart[1] '/bin/sh': exit status 7");
	out = read_out();
	assert_string_equal(out, "one\ntwo\n");
	free(out);
	unlinkat(fd, "out", 0);
	log_set_sink(sink, NULL);
	hooks_run_all(&hooks, SPEC_HOOK_POSTSTOP, "{}", fd);
	out = read_out();
	assert_string_equal(out, "one\ntwo\nthree\n");
	free(out);
	assert_string_equal(str_peek(&warnings), "hook poststop[1] '/bin/sh': exit status 7\n");
	str_release(&warnings);
	close(fd);
}

static void test_each_call_failing(void **state)
{
	static const char *const calls[] = {"memfd_create", "pipe2", "posix_spawn", "poll"};
	struct error e = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		failing = calls[i];
		assert_int_equal(run("sleep 1", "{}", 0, &e), -EMFILE); /* which also looks for leaks */
		failing = NULL;
		assert_non_null(strstr(e.text, "hook createRuntime[0] '/bin/sh': "));
	}
}

static void test_state_json(void **state)
{
	struct spec_pair annotations[] = {{"a", "quote \" back \\ line\n tab\t bell\x07"},
					  {"\xc3\xa9", "bad \xff\xc0\x80 utf"}};
	struct hooks_state s = {
	    .id = "x", .status = "creating", .bundle = "/b", .pid = 12, .annotations = annotations, .n_annotations = 2};
	struct arena arena = ARENA_INIT;

	(void)state;
	assert_string_equal(hooks_state_json(&s, &arena),
			    "{\"ociVersion\":\"" SPEC_VERSION
			    "\",\"id\":\"x\",\"status\":\"creating\",\"pid\":12,\"bundle\":"
			    "\"/b\",\"annotations\":{\"a\":\"quote \\\" back \\\\ line\\n tab\\t bell\\u0007\","
			    "\"\xc3\xa9\":\"bad \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd utf\"}}");
	s.pid = 0;
	s.n_annotations = 0;
	assert_string_equal(hooks_state_json(&s, &arena), "{\"ociVersion\":\"" SPEC_VERSION
							  "\",\"id\":\"x\",\"status\":\"creating\",\"bundle\":\"/b\"}");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sees),
	    cmocka_unit_test(test_signals_are_reset),
	    cmocka_unit_test(test_large_state_unread),
	    cmocka_unit_test(test_failure_reads_well),
	    cmocka_unit_test(test_stderr_is_bounded),
	    cmocka_unit_test(test_timeout_kills_the_group),
	    cmocka_unit_test(test_a_child_that_stays_does_not_block),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_order_and_first_failure),
	    cmocka_unit_test(test_each_call_failing),
	    cmocka_unit_test(test_state_json),
	};

	return cmocka_run_group_tests_name("hooks", tests, setup_group, teardown_group);
}
