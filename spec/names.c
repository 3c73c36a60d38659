/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/names.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/str.h"
#include "spec/spec.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

enum {
	SCHED_ISO_RESERVED = 4,		    /* named by the OCI, never implemented by Linux */
	MPOL_WEIGHTED_INTERLEAVE_VALUE = 6, /* Linux 6.9 */
};

#define TABLE(variable, word, ...)                                                                                     \
	static const struct name variable##_list[] = {__VA_ARGS__};                                                    \
	const struct names variable = {word, variable##_list, ARRAY_SIZE(variable##_list)}

/* clang-format off */
#define SAME(name) {#name, name}
TABLE(names_rlimits, "resource limit",
	SAME(RLIMIT_AS), SAME(RLIMIT_CORE), SAME(RLIMIT_CPU), SAME(RLIMIT_DATA), SAME(RLIMIT_FSIZE),
	SAME(RLIMIT_LOCKS), SAME(RLIMIT_MEMLOCK), SAME(RLIMIT_MSGQUEUE), SAME(RLIMIT_NICE), SAME(RLIMIT_NOFILE),
	SAME(RLIMIT_NPROC), SAME(RLIMIT_RSS), SAME(RLIMIT_RTPRIO), SAME(RLIMIT_RTTIME), SAME(RLIMIT_SIGPENDING),
	SAME(RLIMIT_STACK));

TABLE(names_namespaces, "namespace type",
	{"pid", SPEC_NS_PID}, {"network", SPEC_NS_NETWORK}, {"ipc", SPEC_NS_IPC}, {"uts", SPEC_NS_UTS},
	{"mount", SPEC_NS_MOUNT}, {"cgroup", SPEC_NS_CGROUP}, {"user", SPEC_NS_USER}, {"time", SPEC_NS_TIME});

TABLE(names_capabilities, "capability",
	SAME(CAP_CHOWN), SAME(CAP_DAC_OVERRIDE), SAME(CAP_DAC_READ_SEARCH), SAME(CAP_FOWNER), SAME(CAP_FSETID),
	SAME(CAP_KILL), SAME(CAP_SETGID), SAME(CAP_SETUID), SAME(CAP_SETPCAP), SAME(CAP_LINUX_IMMUTABLE),
	SAME(CAP_NET_BIND_SERVICE), SAME(CAP_NET_BROADCAST), SAME(CAP_NET_ADMIN), SAME(CAP_NET_RAW),
	SAME(CAP_IPC_LOCK), SAME(CAP_IPC_OWNER), SAME(CAP_SYS_MODULE), SAME(CAP_SYS_RAWIO), SAME(CAP_SYS_CHROOT),
	SAME(CAP_SYS_PTRACE), SAME(CAP_SYS_PACCT), SAME(CAP_SYS_ADMIN), SAME(CAP_SYS_BOOT), SAME(CAP_SYS_NICE),
	SAME(CAP_SYS_RESOURCE), SAME(CAP_SYS_TIME), SAME(CAP_SYS_TTY_CONFIG), SAME(CAP_MKNOD), SAME(CAP_LEASE),
	SAME(CAP_AUDIT_WRITE), SAME(CAP_AUDIT_CONTROL), SAME(CAP_SETFCAP), SAME(CAP_MAC_OVERRIDE),
	SAME(CAP_MAC_ADMIN), SAME(CAP_SYSLOG), SAME(CAP_WAKE_ALARM), SAME(CAP_BLOCK_SUSPEND), SAME(CAP_AUDIT_READ),
	SAME(CAP_PERFMON), SAME(CAP_BPF), SAME(CAP_CHECKPOINT_RESTORE));

TABLE(names_sched_policies, "scheduling policy",
	{"SCHED_OTHER", SCHED_NORMAL}, SAME(SCHED_FIFO), SAME(SCHED_RR), SAME(SCHED_BATCH),
	{"SCHED_ISO", SCHED_ISO_RESERVED}, SAME(SCHED_IDLE), SAME(SCHED_DEADLINE));

TABLE(names_sched_flags, "scheduling flag",
	SAME(SCHED_FLAG_RESET_ON_FORK), SAME(SCHED_FLAG_RECLAIM), SAME(SCHED_FLAG_DL_OVERRUN),
	SAME(SCHED_FLAG_KEEP_POLICY), SAME(SCHED_FLAG_KEEP_PARAMS), SAME(SCHED_FLAG_UTIL_CLAMP_MIN),
	SAME(SCHED_FLAG_UTIL_CLAMP_MAX));

TABLE(names_io_classes, "I/O priority class",
	SAME(IOPRIO_CLASS_RT), SAME(IOPRIO_CLASS_BE), SAME(IOPRIO_CLASS_IDLE));

TABLE(names_memory_policies, "memory policy",
	SAME(MPOL_DEFAULT), SAME(MPOL_PREFERRED), SAME(MPOL_BIND), SAME(MPOL_INTERLEAVE), SAME(MPOL_LOCAL),
	SAME(MPOL_PREFERRED_MANY), {"MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_VALUE});

TABLE(names_memory_policy_flags, "memory policy flag",
	SAME(MPOL_F_NUMA_BALANCING), SAME(MPOL_F_RELATIVE_NODES), SAME(MPOL_F_STATIC_NODES));

TABLE(names_personalities, "personality domain",
	{"LINUX", SPEC_PERSONALITY_LINUX}, {"LINUX32", SPEC_PERSONALITY_LINUX32});

TABLE(names_propagations, "propagation",
	{"shared", MS_SHARED}, {"slave", MS_SLAVE}, {"private", MS_PRIVATE}, {"unbindable", MS_UNBINDABLE},
	{"rshared", MS_SHARED | MS_REC}, {"rslave", MS_SLAVE | MS_REC}, {"rprivate", MS_PRIVATE | MS_REC},
	{"runbindable", MS_UNBINDABLE | MS_REC});

TABLE(names_device_types, "device type", {"c", 'c'}, {"u", 'c'}, {"b", 'b'}, {"p", 'p'});
TABLE(names_device_rule_types, "device type", {"a", 'a'}, {"c", 'c'}, {"b", 'b'});

TABLE(names_seccomp_actions, "seccomp action",
	{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW}, {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
	{"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD}, {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD}, {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
	{"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF}, {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
	{"SCMP_ACT_TRAP", SECCOMP_RET_TRAP});

TABLE(names_seccomp_operators, "seccomp operator",
	{"SCMP_CMP_NE", 1}, {"SCMP_CMP_LT", 2}, {"SCMP_CMP_LE", 3}, {"SCMP_CMP_EQ", 4}, {"SCMP_CMP_GE", 5},
	{"SCMP_CMP_GT", 6}, {"SCMP_CMP_MASKED_EQ", 7});

TABLE(names_seccomp_architectures, "architecture",
	{"SCMP_ARCH_X86", 0}, {"SCMP_ARCH_X86_64", 0}, {"SCMP_ARCH_X32", 0}, {"SCMP_ARCH_ARM", 0},
	{"SCMP_ARCH_AARCH64", 0}, {"SCMP_ARCH_MIPS", 0}, {"SCMP_ARCH_MIPS64", 0}, {"SCMP_ARCH_MIPS64N32", 0},
	{"SCMP_ARCH_MIPSEL", 0}, {"SCMP_ARCH_MIPSEL64", 0}, {"SCMP_ARCH_MIPSEL64N32", 0}, {"SCMP_ARCH_PPC", 0},
	{"SCMP_ARCH_PPC64", 0}, {"SCMP_ARCH_PPC64LE", 0}, {"SCMP_ARCH_S390", 0}, {"SCMP_ARCH_S390X", 0},
	{"SCMP_ARCH_PARISC", 0}, {"SCMP_ARCH_PARISC64", 0}, {"SCMP_ARCH_RISCV64", 0}, {"SCMP_ARCH_LOONGARCH64", 0},
	{"SCMP_ARCH_M68K", 0}, {"SCMP_ARCH_SH", 0}, {"SCMP_ARCH_SHEB", 0});

TABLE(names_seccomp_flags, "seccomp flag",
	SAME(SECCOMP_FILTER_FLAG_TSYNC), SAME(SECCOMP_FILTER_FLAG_LOG), SAME(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
	SAME(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));

TABLE(names_hooks, "hook",
	{"prestart", SPEC_HOOK_PRESTART}, {"createRuntime", SPEC_HOOK_CREATE_RUNTIME},
	{"createContainer", SPEC_HOOK_CREATE_CONTAINER}, {"startContainer", SPEC_HOOK_START_CONTAINER},
	{"poststart", SPEC_HOOK_POSTSTART}, {"poststop", SPEC_HOOK_POSTSTOP});

TABLE(names_restart_policies, "restart policy",
	{"no", 0}, {"on-failure", 0}, {"always", 0}, {"unless-stopped", 0});
TABLE(names_health_actions, "health action", {"none", 0}, {"restart", 0}, {"stop", 0}, {"kill", 0});

/* runc's list: no real-time signals by name. */
TABLE(names_signals, "signal",
	SAME(SIGABRT), SAME(SIGALRM), SAME(SIGBUS), SAME(SIGCHLD), {"SIGCLD", SIGCHLD}, SAME(SIGCONT), SAME(SIGFPE),
	SAME(SIGHUP), SAME(SIGILL), SAME(SIGINT), SAME(SIGIO), SAME(SIGIOT), SAME(SIGKILL), SAME(SIGPIPE),
	SAME(SIGPOLL), SAME(SIGPROF), SAME(SIGPWR), SAME(SIGQUIT), SAME(SIGSEGV), SAME(SIGSTKFLT), SAME(SIGSTOP),
	SAME(SIGSYS), SAME(SIGTERM), SAME(SIGTRAP), SAME(SIGTSTP), SAME(SIGTTIN), SAME(SIGTTOU), SAME(SIGURG),
	SAME(SIGUSR1), SAME(SIGUSR2), SAME(SIGVTALRM), SAME(SIGWINCH), SAME(SIGXCPU), SAME(SIGXFSZ));
/* clang-format on */

int names_find(const struct names *names, const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->list[i].name, name)) {
			*ret = names->list[i].value;
			return 0;
		}
	return -ENOENT;
}

const char *names_peek(const struct names *names, uint64_t value)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->list[i].value == value)
			return names->list[i].name;
	return NULL;
}

const char *names_closest(const struct names *names, const char *word)
{
	const char *list[64];
	size_t n = names->n < ARRAY_SIZE(list) ? names->n : ARRAY_SIZE(list);

	for (size_t i = 0; i < n; i++)
		list[i] = names->list[i].name;
	return str_closest(word, list, n);
}

/* "RTMIN+3", "RTMAX-2" as glibc counts them: its own threads take the first two of the kernel's. */
static int parse_realtime(const char *bare, int *ret)
{
	enum { REALTIME_MIN = 34, REALTIME_MAX = 64 };
	bool up = !strncasecmp(bare, "RTMIN", 5);
	const char *rest = bare + 5;
	uint64_t offset = 0;

	if (!up && strncasecmp(bare, "RTMAX", 5))
		return -EINVAL;
	if (*rest && (*rest != (up ? '+' : '-') || parse_u64(rest + 1, 0, REALTIME_MAX - REALTIME_MIN, &offset)))
		return -EINVAL;
	*ret = up ? REALTIME_MIN + (int)offset : REALTIME_MAX - (int)offset;
	return 0;
}

const char *signal_closest(const char *s)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s", strncasecmp(s, "SIG", 3) ? "SIG" : "", s);
	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return names_closest(&names_signals, name);
}

int signal_parse(const char *s, int *ret)
{
	const char *bare = !strncasecmp(s, "SIG", 3) ? s + 3 : s;
	uint64_t number;

	if (!parse_u64(s, 0, 64, &number)) {
		*ret = number;
		return 0;
	}
	for (size_t i = 0; i < names_signals.n; i++)
		if (!strcasecmp(names_signals.list[i].name + 3, bare)) {
			*ret = names_signals.list[i].value;
			return 0;
		}
	return parse_realtime(bare, ret);
}
