/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "base/str.h"

/* clang-format off */
static const char *const allowed[] = {
    /* files */
    "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range", "creat", "dup",
    "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod",
    "fchmodat", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr",
    "flock", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync",
    "ftruncate", "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl", "lchown", "lchown32",
    "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "_llseek", "lremovexattr", "lseek", "lsetxattr",
    "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat", "newfstatat", "open", "openat", "openat2",
    "pipe", "pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
    "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir", "sendfile",
    "sendfile64", "setxattr", "splice", "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat",
    "sync", "sync_file_range", "syncfs", "tee", "truncate", "truncate64", "umask", "unlink", "unlinkat",
    "utime", "utimensat", "utimensat_time64", "utimes", "write", "writev",
    /* waiting for events */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
    "eventfd2", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup",
    "io_submit", "_newselect", "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "select",
    "signalfd", "signalfd4", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
    "timerfd_settime64",
    /* sockets */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recv",
    "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt",
    "shutdown", "socketpair",
    /* memory */
    "brk", "madvise", "membarrier", "memfd_create", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2",
    "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap",
    /* System V and POSIX queues, semaphores, shared memory */
    "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
    "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop",
    "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget",
    /* signals */
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaltstack", "sigprocmask", "sigreturn",
    "kill", "tgkill", "tkill", "pause", "restart_syscall", "pidfd_open", "pidfd_send_signal",
    /* time */
    "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
    "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer", "nanosleep", "setitimer",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
    "timer_settime64", "adjtimex", "alarm", "gettimeofday", "time", "times",
    /* scheduling */
    "ioprio_get", "ioprio_set", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getscheduler", "sched_rr_get_interval",
    "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "getcpu", "getpriority", "setpriority",
    /* ids */
    "capget", "capset", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getresgid", "getresgid32", "getresuid", "getresuid32", "getuid", "getuid32", "setfsgid",
    "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setregid",
    "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setuid",
    "setuid32",
    /* processes */
    "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_time64", "futex_waitv", "getpgid",
    "getpgrp", "getpid", "getppid", "getrandom", "getrlimit", "get_robust_list", "getrusage", "getsid",
    "get_thread_area", "gettid", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
    "prctl", "prlimit64", "rseq", "seccomp", "setpgid", "setrlimit", "set_robust_list", "setsid",
    "set_thread_area", "set_tid_address", "sysinfo", "ugetrlimit", "uname", "vfork", "wait4", "waitid",
    "waitpid",
#if defined(__x86_64__)
    "arch_prctl",
#elif defined(__aarch64__)
    "arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls", "sync_file_range2",
#endif
};

/* With the capability comes what it is for. */
static const struct {
	const char *capability;
	const char *names[24];
} granted[] = {
    {"CAP_BPF", {"bpf"}},
    {"CAP_DAC_READ_SEARCH", {"open_by_handle_at"}},
    {"CAP_PERFMON", {"perf_event_open"}},
    {"CAP_SYSLOG", {"syslog"}},
    {"CAP_SYS_ADMIN", {"bpf", "fanotify_init", "fanotify_mark", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount",
		       "mount_setattr", "move_mount", "open_tree", "perf_event_open", "quotactl", "quotactl_fd",
		       "setdomainname", "sethostname", "setns", "syslog", "umount", "umount2", "unshare"}},
    {"CAP_SYS_BOOT", {"reboot"}},
    {"CAP_SYS_CHROOT", {"chroot"}},
    {"CAP_SYS_MODULE", {"delete_module", "finit_module", "init_module"}},
    {"CAP_SYS_NICE", {"get_mempolicy", "mbind", "set_mempolicy"}},
    {"CAP_SYS_PACCT", {"acct"}},
    {"CAP_SYS_PTRACE", {"kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"}},
    {"CAP_SYS_RAWIO", {"ioperm", "iopl"}},
    {"CAP_SYS_TIME", {"clock_settime", "clock_settime64", "settimeofday", "stime"}},
    {"CAP_SYS_TTY_CONFIG", {"vhangup"}},
};
/* clang-format on */

enum { COMPARE_EQUAL = 4, COMPARE_MASKED_EQUAL = 7 }; /* struct spec_seccomp_arg's op */

static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
static const uint64_t personalities[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26, 0xffffffff /* asks */};

/* Every CLONE_NEW... that clone(2) takes: no namespace is made without CAP_SYS_ADMIN. */
enum { CLONE_NAMESPACES = 0x7e020000 };

struct builder {
	struct arena *arena;
	struct spec_seccomp *seccomp;
};

static struct spec_seccomp_rule *add_rule(struct builder *b, const char *const *names, size_t n)
{
	struct spec_seccomp_rule *rule = &b->seccomp->rules[b->seccomp->n_rules++];

	*rule = (struct spec_seccomp_rule){.names = (const char **)names, .n_names = n, .action = SECCOMP_RET_ALLOW};
	return rule;
}

static void add_condition(struct builder *b, const char *const *name, int op, uint64_t value, uint64_t second)
{
	struct spec_seccomp_rule *rule = add_rule(b, name, 1);

	rule->args = arena_new(b->arena, struct spec_seccomp_arg);
	rule->args[0] = (struct spec_seccomp_arg){.value = value, .value_two = second, .op = op};
	rule->n_args = 1;
}

static bool has(const char *const *capabilities, size_t n, const char *capability)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(capabilities[i], capability))
			return true;
	return false;
}

struct spec_seccomp *seccomp_default(const char *const *capabilities, size_t n, struct arena *arena)
{
	static const char *const architectures[] = {
#if defined(__x86_64__)
		"SCMP_ARCH_X86_64",
		"SCMP_ARCH_X86"
#elif defined(__aarch64__)
		"SCMP_ARCH_AARCH64",
		"SCMP_ARCH_ARM"
#endif
	};
	static const char *const clone_name = "clone", *const clone3_name = "clone3", *const socket_name = "socket",
				 *const personality_name = "personality";
	struct spec_seccomp *s = arena_new(arena, struct spec_seccomp);
	struct builder b = {.arena = arena, .seccomp = s};
	bool admin = has(capabilities, n, "CAP_SYS_ADMIN");

	s->default_action = SECCOMP_RET_ERRNO;
	s->has_default_errno = true;
	s->default_errno = EPERM;
	s->architectures = (const char **)architectures;
	s->n_architectures = ARRAY_SIZE(architectures);
	s->rules = arena_array(arena, struct spec_seccomp_rule,
			       4 + ARRAY_SIZE(granted) + ARRAY_SIZE(families) + ARRAY_SIZE(personalities));
	add_rule(&b, allowed, ARRAY_SIZE(allowed));
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		add_condition(&b, &socket_name, COMPARE_EQUAL, families[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		add_condition(&b, &personality_name, COMPARE_EQUAL, personalities[i], 0);
	if (admin) {
		add_rule(&b, &clone_name, 1);
		add_rule(&b, &clone3_name, 1);
	} else {
		struct spec_seccomp_rule *rule;

		add_condition(&b, &clone_name, COMPARE_MASKED_EQUAL, CLONE_NAMESPACES, 0);
		/* Its flags are in memory, where no filter looks: glibc then takes clone. */
		rule = add_rule(&b, &clone3_name, 1);
		rule->action = SECCOMP_RET_ERRNO;
		rule->has_errno = true;
		rule->errno_ret = ENOSYS;
	}
	for (size_t i = 0; i < ARRAY_SIZE(granted); i++) {
		size_t count = 0;

		while (count < ARRAY_SIZE(granted[i].names) && granted[i].names[count])
			count++;
		if (has(capabilities, n, granted[i].capability))
			add_rule(&b, granted[i].names, count);
	}
	return s;
}
