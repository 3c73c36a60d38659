/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* Of <sys/mount.h>, whose other half clashes with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);

enum { REC_PRIVATE = 0x4000 | 0x40000 /* MS_REC | MS_PRIVATE */, DETACH = 2 /* MNT_DETACH */ };

/* ---- root ---- */

static int write_own(const char *path, const char *text, struct error *e)
{
	int r = file_write(AT_FDCWD, path, text, strlen(text));

	return r ? error_system(e, -r, "write '%s'", path) : 0;
}

/* Root is the caller, and nobody else is anybody. */
static int enter_user_namespace(struct error *e)
{
	char uids[64], gids[64];
	int r;

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER) < 0)
		return error_system(e, errno, "make a user namespace");
	r = write_own("/proc/self/setgroups", "deny", e) ?: write_own("/proc/self/uid_map", uids, e) ?:
	    write_own("/proc/self/gid_map", gids, e);
	return r;
}

/* A copy of the folder's mount becomes the only one in a mount namespace of our own. */
static int enter_root(int root_fd, enum confine_role role, struct error *e)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_fd tree = -1;

	/* A descriptor stays in the mount namespace in which it was opened; the current folder goes along into the new one. */
	if (fchdir(root_fd) < 0)
		return error_system(e, errno, "enter the folder");
	if (unshare(CLONE_NEWNS) < 0)
		return error_system(e, errno, "make a mount namespace");
	if (mount(NULL, "/", NULL, REC_PRIVATE, NULL) < 0)
		return error_system(e, errno, "make the mounts private");
	tree = syscall(SYS_open_tree, AT_FDCWD, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return error_system(e, errno, "open_tree");
	if (role == CONFINE_READER &&
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return error_system(e, errno, "make the root read-only");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_system(e, errno, "attach the root");
	if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", DETACH) < 0 || chdir("/") < 0)
		return error_system(e, errno, "enter the root");
	return 0;
}

/* ---- privileges ---- */

#define CAPABILITY(c) (UINT64_C(1) << (c))

/* Making files of any kind for any owner; trusted.overlay.opaque takes CAP_SYS_ADMIN, which without its calls is no more. */
static const uint64_t capabilities[] = {
    [CONFINE_STREAM] = 0,
    [CONFINE_WRITER] = CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER) |
		       CAPABILITY(CAP_FSETID) | CAPABILITY(CAP_MKNOD) | CAPABILITY(CAP_SETFCAP) |
		       CAPABILITY(CAP_SYS_ADMIN),
    [CONFINE_READER] = CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_SYS_ADMIN),
};

static int drop_capabilities(enum confine_role role, struct error *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t keep;

	if (syscall(SYS_capget, &header, data) < 0)
		return error_system(e, errno, "capget");
	keep = capabilities[role] & (data[0].permitted | (uint64_t)data[1].permitted << 32);
	for (int c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (!(keep & CAPABILITY(c)))
			prctl(PR_CAPBSET_DROP, c); /* fails without CAP_SETPCAP, and then there is nothing to lose */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){.effective = keep >> (32 * i), .permitted = keep >> (32 * i)};
	if (syscall(SYS_capset, &header, data) < 0)
		return error_system(e, errno, "capset");
	return 0;
}

static int set_limits(struct error *e)
{
	static const struct {
		int resource;
		rlim_t limit;
	} limits[] = {
	    {RLIMIT_CORE, 0},
	    {RLIMIT_NOFILE, 128},
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes */
	    {RLIMIT_AS, UINT64_C(3) << 30},
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit) < 0)
			return error_system(e, errno, "getrlimit");
		if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > limits[i].limit)
			limit.rlim_max = limits[i].limit;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].resource, &limit) < 0)
			return error_system(e, errno, "setrlimit");
	}
	return 0;
}

int confine_root(int root_fd, enum confine_role role, bool rootless, struct error *e)
{
	int r = 0;

	/* Root in a user namespace that somebody else made keeps the ids that it has there. */
	if (rootless && geteuid())
		r = enter_user_namespace(e);
	if (!r && root_fd >= 0)
		r = enter_root(root_fd, role, e);
	r = r ?: set_limits(e) ?: drop_capabilities(role, e);
	if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* what was set before went with the capabilities */
		r = error_system(e, errno, "prctl");
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = error_system(e, errno, "prctl");
	umask(0);
	if (r)
		error_context(e, "shut holm-unpack in");
	return r;
}

/* ---- system calls ---- */

enum { S = 1 << CONFINE_STREAM, W = 1 << CONFINE_WRITER, R = 1 << CONFINE_READER, ALL = S | W | R };

static const struct {
	int number;
	unsigned roles;
} calls[] = {
    {SYS_read, ALL},	      {SYS_write, ALL},	       {SYS_pread64, ALL},	  {SYS_lseek, ALL},
    {SYS_close, ALL},	      {SYS_sendmsg, ALL},      {SYS_fstat, ALL},	  {SYS_newfstatat, ALL},
    {SYS_mmap, ALL},	      {SYS_munmap, ALL},       {SYS_mremap, ALL},	  {SYS_mprotect, ALL},
    {SYS_madvise, ALL},	      {SYS_brk, ALL},	       {SYS_futex, ALL},	  {SYS_getrandom, ALL},
    {SYS_clock_gettime, ALL}, {SYS_rt_sigreturn, ALL}, {SYS_rt_sigprocmask, ALL}, {SYS_restart_syscall, ALL},
    {SYS_exit, ALL},	      {SYS_exit_group, ALL},   {SYS_getpid, ALL},	  {SYS_gettid, ALL},
    {SYS_openat, W | R},      {SYS_openat2, W | R},    {SYS_fcntl, W | R},	  {SYS_wait4, W},
    {SYS_pwrite64, W},	      {SYS_ftruncate, W},      {SYS_mkdirat, W},	  {SYS_mknodat, W},
    {SYS_symlinkat, W},	      {SYS_linkat, W},	       {SYS_unlinkat, W},	  {SYS_fchown, W},
    {SYS_fchownat, W},	      {SYS_fchmod, W},	       {SYS_fchmodat, W},	  {SYS_utimensat, W},
    {SYS_fsetxattr, W},	      {SYS_getdents64, R},     {SYS_readlinkat, R},	  {SYS_fgetxattr, R},
    {SYS_flistxattr, R},      {SYS_sysinfo, R}, /* qsort(3) asks how much memory there is */
};

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "which architecture is this?"
#endif

int confine_calls(enum confine_role role, struct error *e)
{
	struct sock_filter filter[2 * ARRAY_SIZE(calls) + 8];
	struct sock_fprog program = {.filter = filter};
	size_t n = 0;

#ifdef __SANITIZE_ADDRESS__
	return 0; /* sanitizers make calls of their own when they report */
#endif
	/* The wrong architecture has no call that is allowed; nor do the numbers of x32. */
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!(calls[i].roles & 1 << role))
			continue;
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program.len = n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return error_system(e, errno, "load the filter of system calls");
	return 0;
}
