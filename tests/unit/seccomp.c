/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/seccomp: profiles judged by a small interpreter of their programs (every architecture), one of them by the
 * kernel; the cache and all that may be wrong with it.
 * wrap: memfd_create linkat mkdirat seccomp_export_bpf
 */
#include "runtime/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"

#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))
#define NAMES(...)                                                                                                     \
	.names = (const char *[]){__VA_ARGS__}, .n_names = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)
#define ARCHITECTURES(...)                                                                                             \
	.architectures = (const char *[]){__VA_ARGS__},                                                                \
	.n_architectures = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)
#define RULES(...)                                                                                                     \
	.rules = (struct spec_seccomp_rule[]){__VA_ARGS__},                                                            \
	.n_rules = sizeof((struct spec_seccomp_rule[]){__VA_ARGS__}) / sizeof(struct spec_seccomp_rule)
#define ARGS(...)                                                                                                      \
	.args = (struct spec_seccomp_arg[]){__VA_ARGS__},                                                              \
	.n_args = sizeof((struct spec_seccomp_arg[]){__VA_ARGS__}) / sizeof(struct spec_seccomp_arg)

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

/* seccomp's dialect of classic BPF, as far as libseccomp and we use it. */
static uint32_t interpret(const struct seccomp_program *program, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < program->n; pc++) {
		const struct sock_filter *f = &program->filter[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k + sizeof(a) <= sizeof(*data));
			memcpy(&a, (const char *)data + f->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & f->k ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			fail_msg("instruction %#x", f->code);
		}
	}
	fail_msg("ran over the end");
	return 0;
}

/* Calls that fail: the name of the one, NULL for none. */
static const char *failing;

#define WRAP(type, name, error, parameters, arguments)                                                                 \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		if (failing && !strcmp(failing, #name)) {                                                              \
			errno = ENOSPC;                                                                                \
			return error;                                                                                  \
		}                                                                                                      \
		return __real_##name arguments;                                                                        \
	}

WRAP(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
WRAP(int, linkat, -1, (int from, const char *name, int to, const char *as, int flags), (from, name, to, as, flags))
WRAP(int, mkdirat, -1, (int dir, const char *name, mode_t mode), (dir, name, mode))
WRAP(int, seccomp_export_bpf, -ENOSPC, (const scmp_filter_ctx context, int fd), (context, fd))

struct fixture {
	struct arena arena;
	char folder[32];
	int root;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/holm-seccomp-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	f->root = open(f->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

/* Calls each for every entry of the cache, returns how many. */
static unsigned each_entry(struct fixture *f, void (*each)(int dir, const char *name, void *data), void *data)
{
	int fd = openat(f->root, ":seccomp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned n = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, "..")) {
			n++;
			if (each)
				each(dirfd(dir), entry->d_name, data);
		}
	closedir(dir);
	return n;
}

static void unlink_entry(int dir, const char *name, void *data)
{
	(void)data;
	unlinkat(dir, name, 0);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	each_entry(f, unlink_entry, NULL);
	unlinkat(f->root, ":seccomp", AT_REMOVEDIR);
	unlinkat(f->root, ":seccomp", 0);
	close(f->root);
	rmdir(f->folder);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static struct seccomp_program prepare(struct fixture *f, const struct spec_seccomp *spec)
{
	struct seccomp_program program;
	struct error e = ERROR_INIT;

	if (seccomp_prepare(spec, -1, &f->arena, &program, &e))
		fail_msg("%s", e.text);
	return program;
}

static uint32_t ask(const struct seccomp_program *program, uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
	struct seccomp_data data = {.nr = nr, .arch = arch, .args = {a0, a1}};

	return interpret(program, &data);
}

static void test_actions(void **state)
{
	static const struct {
		uint32_t action;
		bool has_errno;
		uint32_t errno_ret, expected;
	} cases[] = {
	    {SECCOMP_RET_KILL_PROCESS, false, 0, SECCOMP_RET_KILL_PROCESS},
	    {SECCOMP_RET_KILL_THREAD, false, 0, SECCOMP_RET_KILL_THREAD},
	    {SECCOMP_RET_TRAP, false, 0, SECCOMP_RET_TRAP},
	    {SECCOMP_RET_ERRNO, false, 0, ERRNO(EPERM)},
	    {SECCOMP_RET_ERRNO, true, 0, ERRNO(0)},
	    {SECCOMP_RET_ERRNO, true, 99, ERRNO(99)},
	    {SECCOMP_RET_TRACE, true, 5, SECCOMP_RET_TRACE | 5},
	    {SECCOMP_RET_TRACE, false, 0, SECCOMP_RET_TRACE | EPERM},
	    {SECCOMP_RET_LOG, false, 0, SECCOMP_RET_LOG},
	    {SECCOMP_RET_USER_NOTIF, false, 0, SECCOMP_RET_USER_NOTIF},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec_seccomp spec = {.default_action = SECCOMP_RET_ALLOW,
					    RULES({NAMES("getpid"), .action = cases[i].action,
						   .has_errno = cases[i].has_errno, .errno_ret = cases[i].errno_ret})};
		struct seccomp_program p = prepare(*state, &spec);

		assert_int_equal(ask(&p, NATIVE, SYS_getpid, 0, 0), cases[i].expected);
		assert_int_equal(ask(&p, NATIVE, SYS_getppid, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&p, NATIVE, 100000, 0, 0), SECCOMP_RET_ALLOW); /* no stub: the default allows */
		assert_int_equal(p.listener, cases[i].action == SECCOMP_RET_USER_NOTIF);
		assert_int_equal(!!(p.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER), p.listener);
	}
}

static void test_defaults(void **state)
{
	struct spec_seccomp spec = {.default_action = SECCOMP_RET_ERRNO,
				    .has_default_errno = true,
				    .default_errno = EACCES,
				    RULES({NAMES("getpid", "statx"), .action = SECCOMP_RET_ALLOW},
					  {NAMES("getuid"), .action = SECCOMP_RET_ERRNO}, /* EPERM is not the default */
					  {NAMES("getgid"), .action = SECCOMP_RET_ERRNO, .has_errno = true,
					   .errno_ret = EACCES}, /* skipped: it equals the default */
					  {NAMES("no_such_call"), .action = SECCOMP_RET_ALLOW})};
	struct seccomp_program p = prepare(*state, &spec);

	assert_int_equal(ask(&p, NATIVE, SYS_getpid, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_getuid, 0, 0), ERRNO(EPERM));
	assert_int_equal(ask(&p, NATIVE, SYS_getgid, 0, 0), ERRNO(EACCES));
	assert_int_equal(ask(&p, NATIVE, SYS_getppid, 0, 0), ERRNO(EACCES));
}

static void test_newer_calls(void **state)
{
	struct spec_seccomp spec = {.default_action = SECCOMP_RET_ERRNO,
				    RULES({NAMES("getpid", "statx"), .action = SECCOMP_RET_ALLOW})};
	struct seccomp_program p = prepare(*state, &spec);

	assert_int_equal(ask(&p, NATIVE, SYS_statx, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_statx - 1, 0, 0), ERRNO(EPERM));
	assert_int_equal(ask(&p, NATIVE, SYS_statx + 1, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, NATIVE, SYS_openat2, 0, 0), ERRNO(ENOSYS));

	spec.default_action = SECCOMP_RET_KILL_PROCESS;
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_getppid, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&p, NATIVE, SYS_openat2, 0, 0), ERRNO(ENOSYS));

	spec.default_action = SECCOMP_RET_TRACE; /* a tracer lets pass */
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_openat2, 0, 0), SECCOMP_RET_TRACE | EPERM);

	spec.default_action = SECCOMP_RET_LOG;
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_openat2, 0, 0), SECCOMP_RET_LOG);

	/* no rule at all: nothing is known, the default answers */
	spec = (struct spec_seccomp){.default_action = SECCOMP_RET_ERRNO};
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_openat2, 0, 0), ERRNO(EPERM));
}

#ifdef __x86_64__
static void test_architectures(void **state)
{
	struct spec_seccomp spec = {
	    .default_action = SECCOMP_RET_ERRNO,
	    ARCHITECTURES("SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_S390X"),
	    RULES({NAMES("getpid", "statx", "waitpid"), .action = SECCOMP_RET_ALLOW})};
	struct seccomp_program p = prepare(*state, &spec);

	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 20, 0, 0), SECCOMP_RET_ALLOW); /* getpid */
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 7, 0, 0), SECCOMP_RET_ALLOW);	 /* waitpid */
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 6, 0, 0), ERRNO(EPERM));
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 383, 0, 0), SECCOMP_RET_ALLOW); /* statx */
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 384, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, SYS_statx, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 383, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, AUDIT_ARCH_AARCH64, 1, 0, 0), SECCOMP_RET_KILL_THREAD);
	/* x32 is not listed: foreign, whatever the number */
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | SYS_getpid, 0, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | 400, 0, 0), SECCOMP_RET_KILL_THREAD);

	spec.architectures[0] = "SCMP_ARCH_X32";
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | SYS_getpid, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | SYS_getppid, 0, 0), ERRNO(EPERM));
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | SYS_statx, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | 400, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 400, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 20, 0, 0), SECCOMP_RET_KILL_THREAD);
}
#endif

static void test_clone3(void **state)
{
	struct spec_seccomp_arg no_namespaces = {.index = 0, .value = 0x7e020000, .value_two = 0, .op = 7};
	struct spec_seccomp spec = {
	    .default_action = SECCOMP_RET_ERRNO,
	    RULES({NAMES("clone"), .action = SECCOMP_RET_ALLOW, .args = &no_namespaces, .n_args = 1},
		  {NAMES("openat2"), .action = SECCOMP_RET_ALLOW})};
	struct seccomp_program p = prepare(*state, &spec);

	assert_int_equal(ask(&p, NATIVE, SYS_clone, SIGCHLD, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_clone, SIGCHLD | CLONE_NEWUSER, 0), ERRNO(EPERM));
	assert_int_equal(ask(&p, NATIVE, SYS_clone3, 0, 0), ERRNO(ENOSYS)); /* though older than openat2 */

	/* a list of what is forbidden: clone3 would walk around it */
	spec.default_action = SECCOMP_RET_ALLOW;
	spec.rules[0].action = SECCOMP_RET_ERRNO;
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_clone, SIGCHLD, 0), ERRNO(EPERM));
	assert_int_equal(ask(&p, NATIVE, SYS_clone3, 0, 0), ERRNO(ENOSYS));

	/* the profile speaks of clone3 itself */
	spec.default_action = SECCOMP_RET_ERRNO;
	spec.rules[0].action = SECCOMP_RET_ALLOW;
	spec.rules[1].names[0] = "clone3";
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_clone3, 0, 0), SECCOMP_RET_ALLOW);

	/* clone is not allowed either: nothing to fall back to */
	spec.rules[0].names[0] = "getpid";
	spec.rules[0].n_args = 0;
	spec.rules[1].names[0] = "openat2";
	p = prepare(*state, &spec);
	assert_int_equal(ask(&p, NATIVE, SYS_clone3, 0, 0), ERRNO(EPERM));
}

static void test_arguments(void **state)
{
	static const struct {
		int op;
		uint64_t value, two, yes, no;
	} cases[] = {
	    {1, 5, 0, 6, 5}, {2, 5, 0, 4, 5}, {3, UINT64_C(5) << 32, 0, 5, 6}, {4, 0x100000005, 0, 0x100000005, 5},
	    {5, 5, 0, 5, 4}, {6, 5, 0, 6, 5}, {7, 0xf0, 0x30, 0x135, 0x145},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec_seccomp spec = {
		    .default_action = SECCOMP_RET_ERRNO,
		    RULES({NAMES("getpid"), .action = SECCOMP_RET_ALLOW,
			   ARGS({.index = 1, .op = cases[i].op, .value = cases[i].value, .value_two = cases[i].two})})};
		struct seccomp_program p = prepare(*state, &spec);

		assert_int_equal(ask(&p, NATIVE, SYS_getpid, 0, cases[i].yes), SECCOMP_RET_ALLOW);
		if (i != 2)
			assert_int_equal(ask(&p, NATIVE, SYS_getpid, 0, cases[i].no), ERRNO(EPERM));
	}
}

static void test_two_conditions(void **state)
{
	struct spec_seccomp spec = {
	    .default_action = SECCOMP_RET_ERRNO,
	    RULES({NAMES("getpid"), .action = SECCOMP_RET_ALLOW, ARGS({0, 1, 0, 4}, {1, 2, 0, 4})},
		  {NAMES("getppid"), .action = SECCOMP_RET_ALLOW, ARGS({0, 1, 0, 4}, {0, 2, 0, 4}, {1, 9, 0, 4})})};
	struct seccomp_program p = prepare(*state, &spec);

	assert_int_equal(ask(&p, NATIVE, SYS_getpid, 1, 2), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_getpid, 1, 3), ERRNO(EPERM));
	assert_int_equal(ask(&p, NATIVE, SYS_getpid, 2, 2), ERRNO(EPERM));
	assert_int_equal(ask(&p, NATIVE, SYS_getppid, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_getppid, 2, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_getppid, 0, 9), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_getppid, 0, 0), ERRNO(EPERM));
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct spec_seccomp spec = {
	    .default_action = SECCOMP_RET_ALLOW,
	    RULES({NAMES("write"), .action = SECCOMP_RET_ERRNO, ARGS({0, 1, 0, 4})},
		  {NAMES("read", "write"), .action = SECCOMP_RET_KILL_PROCESS, ARGS({0, 1, 0, 4})})};
	struct seccomp_program p = {0};
	struct error e = ERROR_INIT;
	const char *flag = "SECCOMP_FILTER_FLAG_BOGUS";

	assert_int_equal(seccomp_prepare(&spec, f->root, &f->arena, &p, &e), -EINVAL);
	assert_string_equal(
	    e.text, "linux.seccomp.syscalls[1].names[1]: 'write' has another action in an earlier rule with the "
		    "same arguments");
	assert_int_equal(each_entry(f, NULL, NULL), 0);
	assert_null(p.filter);
	spec =
	    (struct spec_seccomp){.default_action = SECCOMP_RET_ALLOW, .flags = &flag, .n_flags = 1, .has_flags = true};
	assert_int_equal(seccomp_prepare(&spec, -1, &f->arena, &p, &e), -EINVAL);
	assert_string_equal(e.text, "linux.seccomp.flags[0]: unknown flag 'SECCOMP_FILTER_FLAG_BOGUS'");
}

static void test_flags(void **state)
{
	const char *flags[] = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC",
			       "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
	struct spec_seccomp spec = {.default_action = SECCOMP_RET_ALLOW,
				    RULES({NAMES("getpid"), .action = SECCOMP_RET_ERRNO})};

	assert_int_equal(prepare(*state, &spec).flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	spec.has_flags = true;
	assert_int_equal(prepare(*state, &spec).flags, 0);
	spec.flags = flags;
	spec.n_flags = 3;
	assert_int_equal(prepare(*state, &spec).flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC);
	spec.rules[0].action = SECCOMP_RET_USER_NOTIF;
	assert_int_equal(prepare(*state, &spec).flags,
			 SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
			     SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* ---- the kernel's opinion ---- */

static void test_kernel(void **state)
{
	struct spec_seccomp spec = {
	    .default_action = SECCOMP_RET_ERRNO,
	    .has_default_errno = true,
	    .default_errno = EACCES,
	    RULES({NAMES("exit_group", "exit", "rt_sigreturn", "statx", "openat2"), .action = SECCOMP_RET_ALLOW},
		  {NAMES("getpid"), .action = SECCOMP_RET_ERRNO, .has_errno = true, .errno_ret = 77})};
	struct seccomp_program p = prepare(*state, &spec);
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct sock_fprog program = {.len = p.n, .filter = (struct sock_filter *)p.filter};
		int code = 0;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p.flags, &program))
			_exit(100);
		code |= (syscall(SYS_getpid) == -1 && errno == 77) ? 0 : 1;
		code |= (syscall(SYS_getppid) == -1 && errno == EACCES) ? 0 : 2;
		code |= (syscall(9999) == -1 && errno == ENOSYS) ? 0 : 4;
		code |= (syscall(SYS_statx, -1, NULL, 0, 0, NULL) == -1 && errno != EACCES) ? 0 : 8;
		syscall(SYS_exit_group, code); /* _exit() would let a sanitizer make calls that the filter denies */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- the cache ---- */

static struct spec_seccomp cached_spec(void)
{
	static const char *names[] = {"getpid", "statx"};
	static struct spec_seccomp_arg args[1];
	static struct spec_seccomp_rule rules[1];
	static const char *architectures[1];

	args[0] = (struct spec_seccomp_arg){0, 1, 0, 4};
	rules[0] = (struct spec_seccomp_rule){.names = names, .n_names = 2, .action = SECCOMP_RET_ERRNO};
	rules[0].args = args;
	rules[0].n_args = 1;
	architectures[0] = "SCMP_ARCH_X86_64";
	return (struct spec_seccomp){.default_action = SECCOMP_RET_ERRNO,
				     .has_default_errno = true,
				     .default_errno = 13,
				     .rules = rules,
				     .n_rules = 1,
				     .architectures = architectures,
				     .n_architectures = 1};
}

static struct seccomp_program prepare_cached(struct fixture *f, const struct spec_seccomp *spec)
{
	struct seccomp_program program;
	struct error e = ERROR_INIT;

	if (seccomp_prepare(spec, f->root, &f->arena, &program, &e))
		fail_msg("%s", e.text);
	return program;
}

static void assert_same(const struct seccomp_program *a, const struct seccomp_program *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->filter, b->filter, a->n * sizeof(*a->filter));
}

static void test_cache_hit(void **state)
{
	struct fixture *f = *state;
	struct spec_seccomp spec = cached_spec();
	struct seccomp_program plain = prepare(f, &spec), first = prepare_cached(f, &spec),
			       second = prepare_cached(f, &spec);
	struct stat st;

	assert_false(first.cached);
	assert_true(second.cached);
	assert_same(&plain, &first);
	assert_same(&plain, &second);
	assert_int_equal(plain.flags, second.flags);
	assert_int_equal(each_entry(f, NULL, NULL), 1);
	assert_int_equal(fstatat(f->root, ":seccomp", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

/* Every field that goes into the program misses when it changes; what does not go in, hits. */
static void test_cache_key(void **state)
{
	struct fixture *f = *state;
	struct spec_seccomp spec = cached_spec();

#define MISS(change)                                                                                                   \
	do {                                                                                                           \
		spec = cached_spec();                                                                                  \
		change;                                                                                                \
		struct seccomp_program _p = prepare_cached(f, &spec), _q = prepare(f, &spec);                          \
		assert_false(_p.cached);                                                                               \
		assert_same(&_p, &_q);                                                                                 \
	} while (0)

	prepare_cached(f, &spec);
	MISS(spec.default_errno = 14);
	MISS(spec.default_action = SECCOMP_RET_KILL_PROCESS);
	MISS(spec.default_action = SECCOMP_RET_ALLOW);
	MISS(spec.n_architectures = 0);
	MISS(spec.architectures[0] = "SCMP_ARCH_X86");
	MISS(spec.rules[0].has_errno = true; spec.rules[0].errno_ret = 55);
	MISS(spec.rules[0].action = SECCOMP_RET_ALLOW);
	MISS(spec.rules[0].n_names = 1);
	MISS(spec.rules[0].n_args = 0);
	MISS(spec.rules[0].args[0].index = 2);
	MISS(spec.rules[0].args[0].value = 7);
	MISS(spec.rules[0].args[0].op = 7);
	MISS(spec.rules[0].args[0].op = 7; spec.rules[0].args[0].value_two = 1);
	spec = cached_spec();
	spec.has_flags = true; /* of seccomp(2), not of the program */
	assert_true(prepare_cached(f, &spec).cached);
}

static void truncate_entry(int dir, const char *name, void *data)
{
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, *(int *)data < 0 ? st.st_size + *(int *)data : *(int *)data), 0);
	close(fd);
}

static void flip_byte(int dir, const char *name, void *data)
{
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, *(off_t *)data), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, *(off_t *)data), 1);
	close(fd);
}

static void size_entry(int dir, const char *name, void *data)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, 0), 0);
	*(off_t *)data = st.st_size;
}

static void make_writable(int dir, const char *name, void *data)
{
	(void)data;
	assert_int_equal(fchmodat(dir, name, 0666, 0), 0);
}

static void test_cache_damaged(void **state)
{
	static const int sizes[] = {0, 5, 31, 32, 33, 200, -1, -8};
	struct fixture *f = *state;
	struct spec_seccomp spec = cached_spec();
	struct seccomp_program good = prepare(f, &spec), p;
	off_t size = 0;

	prepare_cached(f, &spec);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		each_entry(f, truncate_entry, (void *)&sizes[i]);
		p = prepare_cached(f, &spec);
		assert_false(p.cached);
		assert_same(&good, &p);
		assert_true(prepare_cached(f, &spec).cached); /* repaired */
	}
	each_entry(f, size_entry, &size);
	for (off_t at = 0; at < size; at++) {
		each_entry(f, flip_byte, &at);
		p = prepare_cached(f, &spec);
		assert_false(p.cached);
		assert_same(&good, &p);
	}
	each_entry(f, make_writable, NULL);
	assert_false(prepare_cached(f, &spec).cached);
	assert_int_equal(each_entry(f, NULL, NULL), 1);
}

static void test_cache_folder_not_ours(void **state)
{
	struct fixture *f = *state;
	struct spec_seccomp spec = cached_spec();
	struct seccomp_program p;

	prepare_cached(f, &spec);
	assert_int_equal(fchmodat(f->root, ":seccomp", 0777, 0), 0);
	assert_false(prepare_cached(f, &spec).cached);
	assert_int_equal(fchmodat(f->root, ":seccomp", 0700, 0), 0);
	assert_true(prepare_cached(f, &spec).cached);
	each_entry(f, unlink_entry, NULL);
	assert_int_equal(unlinkat(f->root, ":seccomp", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/tmp", f->root, ":seccomp"), 0);
	p = prepare_cached(f, &spec);
	assert_false(p.cached);
	assert_non_null(p.filter);
}

static void test_cache_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct spec_seccomp spec = cached_spec();

	for (unsigned i = 0; i < 100; i++) {
		spec.default_errno = i + 100;
		assert_false(prepare_cached(f, &spec).cached);
		assert_true(each_entry(f, NULL, NULL) <= 64);
	}
	assert_true(prepare_cached(f, &spec).cached);
	spec.default_errno = 100;
	assert_false(prepare_cached(f, &spec).cached);
}

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* What the program needs fails the start, with a word; what only the cache needs does not. */
static void test_failing_calls(void **state)
{
	static const struct {
		const char *call, *text;
	} cases[] = {{"memfd_create", "memfd_create"},
		     {"seccomp_export_bpf", "linux.seccomp: compile"},
		     {"mkdirat", NULL},
		     {"linkat", NULL}};
	struct fixture *f = *state;
	struct spec_seccomp spec = cached_spec();
	int before = next_fd();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seccomp_program p = {0};
		struct error e = ERROR_INIT;
		int r;

		failing = cases[i].call;
		r = seccomp_prepare(&spec, f->root, &f->arena, &p, &e);
		failing = NULL;
		assert_int_equal(r, cases[i].text ? -ENOSPC : 0);
		assert_string_equal(e.text, cases[i].text ? cases[i].text : "");
		assert_int_equal(!p.filter, !!cases[i].text);
		assert_int_equal(next_fd(), before);
		assert_int_equal(each_entry(f, NULL, NULL), 0);
	}
}

/* Every way to another project id, on every architecture; with a profile behind it, with none, and with one that is full. */
static void test_guard(void **state)
{
	struct fixture *f = *state;
	struct spec_seccomp spec = {.default_action = SECCOMP_RET_ERRNO,
				    RULES({NAMES("ioctl", "getpid", "statx"), .action = SECCOMP_RET_ALLOW})};
	static const struct {
		uint32_t arch;
		int ioctl, set_attributes, other;
	} calls[] = {
#if defined(__x86_64__)
		{AUDIT_ARCH_X86_64, 16, 469, 39},
		{AUDIT_ARCH_X86_64, 0x40000000 | 514, 0x40000000 | 469, 0x40000000 | 39},
		{AUDIT_ARCH_I386, 54, 469, 20},
#elif defined(__aarch64__)
		{AUDIT_ARCH_AARCH64, 29, 469, 172},
		{AUDIT_ARCH_ARM, 54, 469, 20},
#endif
	};
	static const uint64_t refused[] = {0x401c5820, 0x40086602, 0x40046602};
	struct seccomp_program p = {0}, with = prepare(f, &spec);
	struct error e = ERROR_INIT;

	assert_int_equal(seccomp_guard_projects(&p, &f->arena, &e), 0);
	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(refused); k++) {
			uint64_t high = refused[k] | 0xdeadbeefULL << 32;

			assert_int_equal(ask(&p, calls[i].arch, calls[i].ioctl, 3, refused[k]), ERRNO(EOPNOTSUPP));
			assert_int_equal(ask(&p, calls[i].arch, calls[i].ioctl, 3, high), ERRNO(EOPNOTSUPP));
			assert_int_equal(ask(&p, calls[i].arch, calls[i].other, 3, refused[k]), SECCOMP_RET_ALLOW);
		}
		assert_int_equal(ask(&p, calls[i].arch, calls[i].ioctl, 3, 0x80086601), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&p, calls[i].arch, calls[i].ioctl, 0x401c5820, 0x5401), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&p, calls[i].arch, calls[i].set_attributes, 0, 0), ERRNO(ENOSYS));
	}
	assert_int_equal(seccomp_guard_projects(&with, &f->arena, &e), 0);
	assert_int_equal(ask(&with, NATIVE, SYS_ioctl, 3, 0x401c5820), ERRNO(EOPNOTSUPP));
	assert_int_equal(ask(&with, NATIVE, SYS_ioctl, 3, 0x5401), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&with, NATIVE, SYS_getpid, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&with, NATIVE, SYS_getppid, 0, 0), ERRNO(EPERM));
	assert_int_equal(ask(&with, NATIVE, 100000, 0, 0), ERRNO(ENOSYS));
	with.n = BPF_MAXINSNS - 5;
	assert_int_not_equal(seccomp_guard_projects(&with, &f->arena, &e), 0);
	assert_int_equal(e.kind, ERROR_LIMIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_guard),
	    TEST(test_actions),
	    TEST(test_defaults),
	    TEST(test_newer_calls),
#ifdef __x86_64__
	    TEST(test_architectures),
#endif
	    TEST(test_clone3),
	    TEST(test_arguments),
	    TEST(test_two_conditions),
	    TEST(test_refusals),
	    TEST(test_flags),
	    TEST(test_kernel),
	    TEST(test_cache_hit),
	    TEST(test_cache_key),
	    TEST(test_cache_damaged),
	    TEST(test_cache_folder_not_ours),
	    TEST(test_cache_is_bounded),
	    TEST(test_failing_calls),
	};

	return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
