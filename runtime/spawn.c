/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fd.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

/* runtime/init_image.S */
extern const char holm_init_image[], holm_init_image_end[];

/* The image in a sealed memfd. */
static int open_image(int *ret_fd, struct error *e)
{
	auto_fd fd = memfd_create("holm-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	int r;

	if (fd < 0 && errno == EINVAL) /* before 6.3 every memfd is executable */
		fd = memfd_create("holm-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_system(e, errno, "make a memfd for init%s",
				    errno == EACCES ? " (vm.memfd_noexec forbids executable ones)" : "");
	r = fd_write_all(fd, holm_init_image, (size_t)(holm_init_image_end - holm_init_image));
	if (r)
		return error_system(e, -r, "write init's memfd");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_system(e, errno, "seal init's memfd");
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * The whole life of the child up to execveat is one asm block: it runs on the parent's stack and must leave no trace on it.
 * *failure gets execveat's error.
 */
static long clone_and_exec(struct clone_args *args, int image, char *const argv[], char *const env[], long *failure)
{
	long r;
#if defined(__x86_64__)
	register long image_ __asm__("r12") = image;
	register char *const *argv_ __asm__("r13") = argv;
	register char *const *env_ __asm__("r14") = env;
	register long *failure_ __asm__("r15") = failure;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[execveat], %%eax\n\t"
			 "mov %%r12, %%rdi\n\t"
			 "mov %[empty], %%rsi\n\t"
			 "mov %%r13, %%rdx\n\t"
			 "mov %%r14, %%r10\n\t"
			 "mov %[empty_path], %%r8d\n\t"
			 "syscall\n\t"
			 "mov %%rax, (%%r15)\n\t"
			 "mov $1, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(image_), "r"(argv_), "r"(env_),
			   "r"(failure_), [empty] "b"(""), [execveat] "i"(SYS_execveat), [exit] "i"(SYS_exit),
			   [empty_path] "i"(AT_EMPTY_PATH)
			 : "rcx", "rdx", "r8", "r10", "r11", "memory");
#elif defined(__aarch64__)
	register long nr __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);
	register long image_ __asm__("x20") = image;
	register char *const *argv_ __asm__("x21") = argv;
	register char *const *env_ __asm__("x22") = env;
	register long *failure_ __asm__("x23") = failure;
	register const char *empty_ __asm__("x24") = "";

	__asm__ volatile(
	    "svc #0\n\t"
	    "cbnz x0, 1f\n\t"
	    "mov x8, %[execveat]\n\t"
	    "mov x0, x20\n\t"
	    "mov x1, x24\n\t"
	    "mov x2, x21\n\t"
	    "mov x3, x22\n\t"
	    "mov x4, %[empty_path]\n\t"
	    "svc #0\n\t"
	    "str x0, [x23]\n\t"
	    "mov x0, #1\n\t"
	    "mov x8, %[exit]\n\t"
	    "svc #0\n\t"
	    "brk #1\n"
	    "1:"
	    : "+r"(x0), "+r"(nr), "+r"(x1)
	    : "r"(image_), "r"(argv_), "r"(env_), "r"(failure_),
	      "r"(empty_), [execveat] "i"(SYS_execveat), [exit] "i"(SYS_exit), [empty_path] "i"(AT_EMPTY_PATH)
	    : "x2", "x3", "x4", "memory", "cc");
	r = x0;
#else
#error "holm knows x86-64 and arm64"
#endif
	return r;
}

int spawn_init(uint64_t flags, int cgroup_fd, int socket_fd, int plan_fd, pid_t *ret_pid, int *ret_pidfd,
	       struct error *e)
{
	char socket_text[16], plan_text[16];
	char name[] = "holm-init", *const argv[] = {name, socket_text, plan_text, NULL}, *const env[] = {NULL};
	struct clone_args args = {
	    .flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
	    .exit_signal = SIGCHLD,
	};
	auto_fd image = -1;
	int pidfd = -1;
	long pid, failure = 0;
	int r = open_image(&image, e);

	if (r)
		return r;
	snprintf(socket_text, sizeof(socket_text), "%d", socket_fd);
	snprintf(plan_text, sizeof(plan_text), "%d", plan_fd);
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = clone_and_exec(&args, image, argv, env, &failure);
	if (pid < 0)
		return error_system(e, (int)-pid, "clone init%s%s",
				    flags & CLONE_NEWPID ? " into a new pid namespace" : "",
				    pid == -EAGAIN  ? " (a limit on processes: pids.max, RLIMIT_NPROC)"
				    : pid == -EBUSY ? " (its cgroup has controllers enabled for others below it)"
						    : "");
	*ret_pid = (pid_t)pid;
	*ret_pidfd = pidfd;
	if (failure)
		return error_system(e, (int)-failure, "exec init");
	return 0;
}
