/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init: the program that becomes the container.  Freestanding, static, a few dozen kilobytes; holm carries it inside and
 * execs it from a sealed memfd, so the payload can reach neither holm's file nor its memory.
 *
 *   holm (host side)                        init
 *   ----------------                        ----
 *   parse, plan, cgroup v2, record
 *   clone3 (vfork) + execveat  ---------->  not dumpable; map the plan; close everything inherited
 *   v1 cgroups, mount sources, tree fds     new namespaces  (the two run side by side)
 *      ---- MESSAGE_CGROUPS, _TREE ... ->   mounts, devices, masks
 *   hooks prestart, createRuntime  <------  MESSAGE_MOUNTED, where there are such hooks
 *      ---- MESSAGE_GO ----------------->   pivot_root; limits, ids, labels; find the program
 *   pid file, state            <----------  MESSAGE_READY
 *                                           create: waits on the socket in the state folder
 *   holm start -----------------------GO->  startContainer hooks, seccomp, capabilities, execve
 *   end of file: it runs       <----------  (close-on-exec)
 *
 * main() takes the arguments "init SOCKET PLAN" (two descriptors), walks the plan's operations, and never returns.
 */
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "init/lib.h"
#include "init/process.h"
#include "init/root.h"
#include "init/sys.h"

static void (*const operations[_PLAN_KIND_N])(const struct plan_op *) = {
    [PLAN_JOIN] = do_join,
    [PLAN_UNSHARE] = do_unshare,
    [PLAN_BECOME_ROOT] = do_become_root,
    [PLAN_CHECK_MAPS] = do_check_maps,
    [PLAN_OPEN_CLOCKS] = do_open_clocks,
    [PLAN_TIME_OFFSETS] = do_time_offsets,
    [PLAN_CGROUPS] = do_cgroups,
    [PLAN_FORK] = do_fork,
    [PLAN_TELL] = do_tell,
    [PLAN_WAIT] = do_wait,
    [PLAN_SESSION] = do_session,
    [PLAN_KEYRING] = do_keyring,
    [PLAN_ROOT] = do_root,
    [PLAN_MOUNT] = do_mount,
    [PLAN_ATTACH] = do_attach,
    [PLAN_MKDIR] = do_mkdir,
    [PLAN_SYMLINK] = do_symlink,
    [PLAN_DEVICE] = do_device,
    [PLAN_CONSOLE] = do_console,
    [PLAN_MASK] = do_mask,
    [PLAN_READONLY_PATH] = do_readonly_path,
    [PLAN_PROC] = do_proc,
    [PLAN_HOOK] = do_hook,
    [PLAN_PIVOT] = do_pivot,
    [PLAN_MOVE_ROOT] = do_move_root,
    [PLAN_CHROOT] = do_chroot,
    [PLAN_ENTER_ROOT] = do_enter_root,
    [PLAN_ROOT_ATTR] = do_root_attr,
    [PLAN_SYSCTL] = do_sysctl,
    [PLAN_HOSTNAME] = do_hostname,
    [PLAN_DOMAINNAME] = do_domainname,
    [PLAN_LOOPBACK] = do_loopback,
    [PLAN_RLIMIT] = do_rlimit,
    [PLAN_OOM_SCORE] = do_oom_score,
    [PLAN_SCHEDULER] = do_scheduler,
    [PLAN_IO_PRIORITY] = do_io_priority,
    [PLAN_AFFINITY] = do_affinity,
    [PLAN_MEMORY_POLICY] = do_memory_policy,
    [PLAN_PERSONALITY] = do_personality,
    [PLAN_UMASK] = do_umask,
    [PLAN_LABEL] = do_label,
    [PLAN_NO_NEW_PRIVILEGES] = do_no_new_privileges,
    [PLAN_USER] = do_user,
    [PLAN_FIND_PROGRAM] = do_find_program,
    [PLAN_START] = do_start,
    [PLAN_SECCOMP] = do_seccomp,
    [PLAN_CAPABILITIES] = do_capabilities,
    [PLAN_EXEC] = do_exec,
    [PLAN_UNMOUNT] = do_unmount,
    [PLAN_QUIT] = do_quit,
};

/* References to pointers, in a list of their own: the plan's array has only offsets. */
static char **relocate(plan_ref array, uint32_t n, char **list)
{
	const plan_ref *refs = at(array);

	for (uint32_t i = 0; i < n; i++)
		list[i] = at(refs[i]);
	list[n] = NULL;
	return list;
}

static void load_plan(int fd)
{
	long size = check(sys(lseek, fd, 0, SEEK_END), "read the plan");
	long map = check(sys(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), "map the plan");
	long lists;

	init.base = (char *)map;
	init.plan = (struct plan *)map;
	if (init.plan->size != (uint64_t)size)
		fail_kind(ERROR_BUG, 0, "the plan has %ld bytes and says %u", size, init.plan->size);
	shut(fd);
	/* Pointers for args and env, a HOME more, and both ends. */
	lists = check(sys(mmap, NULL, (init.plan->n_args + init.plan->n_env + 3UL) * sizeof(char *),
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		      "map the arguments");
	init.args = relocate(init.plan->args, init.plan->n_args, (char **)lists);
	init.env = relocate(init.plan->env, init.plan->n_env, (char **)lists + init.plan->n_args + 1);
	init.n_env = init.plan->n_env;
}

/* An ignored signal stays ignored across execve(2); the payload gets every one at its default. */
static void reset_signals(void)
{
	static const struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} by_default;
	static const uint64_t none;

	for (int signal = 1; signal <= 64; signal++)
		sys(rt_sigaction, signal, &by_default, NULL, sizeof(by_default.mask));
	sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

static _Noreturn void run(char **argv)
{
	uint32_t socket, plan;
	const struct plan_op *ops;

	sys(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	sys(prctl, PR_SET_NAME, INIT_NAME, 0, 0, 0);
	if (!argv[0] || !argv[1] || !argv[2] || !parse_number(argv[1], argv[1] + strlen(argv[1]), &socket) ||
	    !parse_number(argv[2], argv[2] + strlen(argv[2]), &plan))
		quit(1);
	init.socket = (int)socket;
	load_plan((int)plan);
	reset_signals();
	sys(umask, 0); /* modes are given in full; the payload gets its own */
	if (3 + init.plan->preserve < socket)
		check(sys(close_range, 3 + init.plan->preserve, socket - 1, 0),
		      "close the descriptors that were inherited");
	check(sys(close_range, socket + 1, ~0U, 0), "close the descriptors that were inherited");
	sys(fcntl, socket, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */);
	ops = at(init.plan->ops);
	for (uint32_t i = 0; i < init.plan->n_ops; i++) {
		init.op = &ops[i];
		operations[ops[i].kind](&ops[i]);
	}
	init.op = NULL;
	fail_kind(ERROR_BUG, 0, "the plan ended without execve");
}

_Noreturn void start(long *stack);

_Noreturn __attribute__((used)) void start(long *stack)
{
	run((char **)(stack + 1));
}

/* The kernel's entry: the stack pointer is all there is. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n\thlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl start\n\tbrk #1\n");
#endif
