/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "init/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "init/lib.h"
#include "init/root.h"
#include "init/sys.h"

/* ---- namespaces ---- */

static const struct {
	uint32_t flag;
	const char *name;
} namespaces[] = {
    {CLONE_NEWUSER, "user"}, {CLONE_NEWPID, "pid"},  {CLONE_NEWNET, "network"},	  {CLONE_NEWIPC, "ipc"},
    {CLONE_NEWUTS, "uts"},   {CLONE_NEWNS, "mount"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
};

static const char *namespace_name(uint64_t flags)
{
	for (unsigned i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		if (flags == namespaces[i].flag)
			return namespaces[i].name;
	return "";
}

void do_join(const struct plan_op *op)
{
	const char *name = namespace_name(op->namespace);
	int fd = receive_fd(MESSAGE_NAMESPACE);

	/* With several flags the descriptor is a pidfd and all are joined at once (setns(2), Linux 5.8). */
	check(sys(setns, fd, op->namespace), "join the %s%s", name, *name ? " namespace" : "container's namespaces");
	shut(fd);
}

void do_unshare(const struct plan_op *op)
{
	long r = sys(unshare, op->number);

	if (r == -EINVAL || r == -EPERM || r == -ENOSPC || r == -EUSERS)
		/* One by one only to say which. */
		for (unsigned i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
			if (op->number & namespaces[i].flag) {
				long one = sys(unshare, namespaces[i].flag);

				if (one < 0)
					fail(-one, "make a new %s namespace%s", namespaces[i].name,
					     one == -ENOSPC ? " (the host's limit in /proc/sys/user is reached)" : "");
			}
	check(r, "make new namespaces");
}

void do_become_root(const struct plan_op *op)
{
	(void)op;
	/* Where 0 is not mapped (EINVAL) the capabilities gained on entry are enough. */
	long r = sys(setresgid, 0, 0, 0);

	if (r < 0 && r != -EINVAL)
		fail(-r, "become group 0 of the user namespace");
	r = sys(setresuid, 0, 0, 0);
	if (r < 0 && r != -EINVAL)
		fail(-r, "become user 0 of the user namespace");
	sys(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* The next decimal number of *p, blanks before it skipped. */
static bool next_number(const char **p, uint32_t *ret)
{
	const char *end;

	while (**p == ' ' || **p == '\n')
		++*p;
	for (end = *p; *end >= '0' && *end <= '9'; end++)
		;
	if (!parse_number(*p, end, ret))
		return false;
	*p = end;
	return true;
}

/* The kernel may list them in another order. */
static bool has_extent(const uint32_t *list, uint32_t n, const uint32_t *extent)
{
	for (uint32_t i = 0; i < n; i++)
		if (!memcmp(list + 3UL * i, extent, 3 * sizeof(*extent)))
			return true;
	return false;
}

static void check_map(const char *path, const char *key, const uint32_t *wanted, uint32_t n_wanted)
{
	static char buffer[340 * 36]; /* UID_GID_MAP_MAX_EXTENTS lines */
	int fd = (int)check(sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), "open '%s'", path);
	size_t size = 0;
	uint32_t extent[3], n = 0;
	const char *p = buffer;
	bool same = true;
	long r;

	while ((r = check(sys(read, fd, buffer + size, sizeof(buffer) - 1 - size), "read '%s'", path)) > 0)
		size += (size_t)r;
	buffer[size] = 0;
	shut(fd);
	for (; same && next_number(&p, &extent[0]) && next_number(&p, &extent[1]) && next_number(&p, &extent[2]); n++)
		same = has_extent(wanted, n_wanted, extent);
	if (!same || n != n_wanted)
		fail_kind(ERROR_INVALID, 0, "%s differs from what the joined user namespace has", key);
}

void do_check_maps(const struct plan_op *op)
{
	/* Seen from within a namespace the second column is in its parent's ids: the host's. */
	check_map("/proc/thread-self/uid_map", "linux.uidMappings", at(op->maps.uids), op->maps.n_uids);
	check_map("/proc/thread-self/gid_map", "linux.gidMappings", at(op->maps.gids), op->maps.n_gids);
}

void do_open_clocks(const struct plan_op *op)
{
	/* An ordinary user owns this file only while we are dumpable. */
	if (op->number)
		sys(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	/* The mount namespace is still the host's: this is the host's own /proc. */
	init.clocks = (int)check(sys(openat, AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC, 0),
				 "open '/proc/self/timens_offsets'");
	sys(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void do_time_offsets(const struct plan_op *op)
{
	write_all(init.clocks, text(op->string), strlen(text(op->string)), "the clock offsets");
	init.clocks = shut(init.clocks);
}

void do_cgroups(const struct plan_op *op)
{
	int fds[MESSAGE_MAX_FDS];
	size_t n = receive(MESSAGE_CGROUPS, fds, MESSAGE_MAX_FDS);

	(void)op;
	for (size_t i = 0; i < n; i++) {
		/* "0" is the writing thread: the kernel needs no lock over all processes for that. */
		check(sys(write, fds[i], "0", 1), "enter the cgroup");
		shut(fds[i]);
	}
}

void do_fork(const struct plan_op *op)
{
	struct clone_args args = {.flags = CLONE_PARENT};
	long pid = check(sys(clone3, &args, sizeof(args)), "fork into the pid namespace");

	(void)op;
	if (pid) {
		int32_t value = (int32_t)pid;

		/* The child waits for an answer on the same socket: unknown to the host side, it would for ever. */
		if (try_tell(MESSAGE_PID, &value, NULL, 0) < 0) {
			sys(kill, pid, SIGKILL);
			quit(1);
		}
		quit(0);
	}
	receive(MESSAGE_GO, NULL, 0); /* the host side knows us by now */
}

void do_tell(const struct plan_op *op)
{
	/* Id maps are written by the host side; without root it owns /proc/PID only while we are dumpable. */
	if (op->number2)
		sys(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	tell((enum message_type)op->number, NULL, NULL, 0);
}

void do_wait(const struct plan_op *op)
{
	receive((enum message_type)op->number, NULL, 0);
	sys(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void do_session(const struct plan_op *op)
{
	(void)op;
	check(sys(setsid), "setsid");
}

/* Why the kernel refuses a label: mostly because nobody there understands it. */
static const char *label_hint(long r, bool apparmor)
{
	if (apparmor)
		return r == -ENOENT ? " (AppArmor is off on this host, or it has no such profile)" : "";
	return r == -EINVAL ? " (SELinux is off on this host, or it does not know the label)" : "";
}

/* Writes a file of this procfs; nothing mounted over it and no magic link is ever followed.  Returns -errno. */
static long try_write_proc(int proc, const char *path, const char *value)
{
	struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};

	long fd = sys(openat2, proc, path, &how, sizeof(how)), r;
	size_t n = strlen(value);

	if (fd < 0)
		return fd;
	r = sys(write, fd, value, n);
	shut((int)fd);
	return r < 0 || r == (long)n ? r : -EIO;
}

/* By our own procfs if there is one yet; else by this /proc, which is a neighbour's where a mount namespace was joined: proved. */
static long label_keyring(const char *label)
{
	int proc = init.proc;
	long r;

	if (proc < 0)
		proc = (int)check(sys(openat, AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0),
				  "open '/proc'");
	r = is_proc_root(proc) ? try_write_proc(proc, "self/attr/keycreate", label) : -EXDEV;
	if (proc != init.proc)
		shut(proc);
	return r;
}

void do_keyring(const struct plan_op *op)
{
	long r;

	if (op->string2) {
		r = label_keyring(text(op->string2));
		if (r < 0)
			fail(-r, "label the keyring '%s'%s", text(op->string2), label_hint(r, false));
	}
	r = sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, at(op->string));
	if (r == -ENOSYS || r == -EPERM) /* no keyrings in this kernel, or an outer seccomp profile forbids them */
		return;
	check(r, "make the session keyring '%s'%s", text(op->string),
	      r == -EDQUOT ? " (the quota in /proc/sys/kernel/keys is used up; --no-new-keyring does without)" : "");
}

/* ---- settings of the namespaces ---- */

static void write_proc(const char *path, const char *value)
{
	check(try_write_proc(init.proc, path, value), "write '%s' to '/proc/%s'", value, path);
}

void do_sysctl(const struct plan_op *op)
{
	char path[512];

	print(path, sizeof(path), "sys/%s", text(op->string));
	write_proc(path, text(op->string2));
}

void do_hostname(const struct plan_op *op)
{
	check(sys(sethostname, text(op->string), strlen(text(op->string))), "set the host name '%s'", text(op->string));
}

void do_domainname(const struct plan_op *op)
{
	check(sys(setdomainname, text(op->string), strlen(text(op->string))), "set the domain name '%s'",
	      text(op->string));
}

void do_loopback(const struct plan_op *op)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = (int)check(sys(socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "bring up lo");

	(void)op;
	check(sys(ioctl, fd, SIOCSIFFLAGS, &request), "bring up lo");
	shut(fd);
}

/* ---- the process ---- */

void do_rlimit(const struct plan_op *op)
{
	struct rlimit limit = {.rlim_cur = op->rlimit.soft, .rlim_max = op->rlimit.hard};

	check(sys(prlimit64, 0, op->rlimit.resource, &limit, NULL), "set the limit to %lu:%lu%s", op->rlimit.soft,
	      op->rlimit.hard, op->rlimit.soft > op->rlimit.hard ? " (soft is above hard)" : "");
}

void do_oom_score(const struct plan_op *op)
{
	const char *value = text(op->string);
	long fd, r;

	/*
	 * Before any namespace is entered: the file is the host's root's, as of every process that isn't dumpable, and root of
	 * a user namespace may not open it.  An ordinary user owns it only while we are dumpable.  The /proc is the host's own.
	 */
	if (op->number)
		sys(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	fd = sys(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
	sys(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	r = fd < 0 ? fd : sys(write, fd, value, strlen(value));
	check(r, "write '%s' to '/proc/self/oom_score_adj'", value);
	shut((int)fd);
}

void do_scheduler(const struct plan_op *op)
{
	struct sched_attr attr = {
	    .size = sizeof(attr),
	    .sched_policy = op->scheduler.policy,
	    .sched_flags = op->scheduler.flags,
	    .sched_nice = op->scheduler.nice,
	    .sched_priority = op->scheduler.priority,
	    .sched_runtime = op->scheduler.runtime,
	    .sched_deadline = op->scheduler.deadline,
	    .sched_period = op->scheduler.period,
	};
	long r = sys(sched_setattr, 0, &attr, 0);

	check(r, "set the scheduler%s",
	      r == -EPERM ? " (it needs CAP_SYS_NICE; SCHED_DEADLINE also a cgroup without a cpuset of its own)" : "");
}

void do_io_priority(const struct plan_op *op)
{
	check(sys(ioprio_set, 2 /* IOPRIO_WHO_PGRP */, 0, op->number), "set the I/O priority");
}

void do_affinity(const struct plan_op *op)
{
	check(sys(sched_setaffinity, 0, op->affinity.n, at(op->affinity.mask)), "set the CPU affinity");
}

void do_memory_policy(const struct plan_op *op)
{
	check(sys(set_mempolicy, op->memory_policy.mode, at(op->memory_policy.nodes), op->memory_policy.n_bits),
	      "set the memory policy");
}

void do_personality(const struct plan_op *op)
{
	check(sys(personality, op->number), "set the personality");
}

void do_umask(const struct plan_op *op)
{
	sys(umask, op->number);
}

void do_label(const struct plan_op *op)
{
	long r = try_write_proc(init.proc, text(op->string), text(op->string2));

	check(r, "write '%s' to '/proc/%s'%s", text(op->string2), text(op->string),
	      label_hint(r, starts(text(op->string), "self/attr/apparmor/")));
}

void do_no_new_privileges(const struct plan_op *op)
{
	(void)op;
	check(sys(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privs");
	init.no_new_privileges = true;
}

const struct plan_capabilities *payload_capabilities(void)
{
	const struct plan_op *ops = at(init.plan->ops);

	for (uint32_t i = 0; i < init.plan->n_ops; i++)
		if (ops[i].kind == PLAN_CAPABILITIES)
			return &ops[i].capabilities;
	return NULL;
}

/* Everything but the standard streams and what was asked to be kept goes with execve(2), and stays for an error. */
void close_on_exec(void)
{
	check(sys(close_range, 3 + init.plan->preserve, ~0U, CLOSE_RANGE_CLOEXEC), "close descriptors");
}

/* The kernel's two-word form of the three sets that capset(2) knows. */
static long capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
	    {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
	};

	return sys(capset, &header, data);
}

/* The working folder, resolved inside the root and then proved to be there: getcwd(2) of a folder outside begins with
   "(unreachable)".  Returns -errno where the present user may not enter. */
static long enter_cwd(const struct plan_user *u)
{
	char where[4096];
	long fd = open_in_root(text(u->cwd), O_PATH | O_DIRECTORY), r;

	if (fd < 0)
		return fd;
	r = sys(fchdir, fd);
	shut((int)fd);
	if (r < 0)
		return r;
	r = sys(getcwd, where, sizeof(where));
	if (r < 0 || where[0] != '/')
		fail_kind(ERROR_PERMISSION, r < 0 ? -r : 0, "the working folder '%s' is outside the root",
			  text(u->cwd));
	return 0;
}

void do_user(const struct plan_op *op)
{
	const struct plan_user *u = &op->user;
	long r, groups;

	for (unsigned cap = 0; cap < 64; cap++)
		if (!(u->bounding & 1ULL << cap)) {
			r = sys(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
			if (r == -EINVAL) /* past the last one that the kernel knows */
				break;
			check(r, "drop a capability from the bounding set");
		}
	init.cause = u->cwd_cause;
	r = enter_cwd(u);
	if (r == -ENOENT && u->create_cwd) {
		shut(make_in_root(text(u->cwd), IN_ROOT_DIRECTORY));
		r = enter_cwd(u);
	}
	if (r < 0 && r != -EACCES && r != -EPERM)
		fail(-r, "enter the working folder '%s'", text(u->cwd));
	init.cause = 0;
	groups = sys(setgroups, u->n_groups, at(u->groups));
	if (groups < 0 && !(u->keep_groups && groups == -EPERM))
		fail(-groups, "set the additional groups");
	check(sys(prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities");
	check(sys(setresgid, u->gid, u->gid, u->gid), "become group %u%s", u->gid,
	      " (is it mapped in the user namespace?)");
	check(sys(setresuid, u->uid, u->uid, u->uid), "become user %u%s", u->uid,
	      " (is it mapped in the user namespace?)");
	sys(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (r < 0) { /* root was not allowed in (root squash, a fuse mount): the user may be */
		init.cause = u->cwd_cause;
		check(enter_cwd(u), "enter the working folder '%s'", text(u->cwd));
		init.cause = 0;
	}
}

void set_capabilities(const struct plan_capabilities *c)
{
	sys(prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0);
	sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	check(capset(c->effective, c->permitted, c->inheritable), "set the capabilities");
	for (unsigned cap = 0; cap < 64; cap++)
		if (c->ambient & 1ULL << cap)
			check(sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0),
			      "raise an ambient capability");
}

void do_capabilities(const struct plan_op *op)
{
	const struct plan_capabilities *c = &op->capabilities;

	if (init.filtered) /* do_seccomp() did all that it could: the fewer calls a filter has to allow, the better */
		check(capset(c->effective, c->permitted, c->inheritable),
		      "set the capabilities (does the seccomp filter allow capset?)");
	else
		set_capabilities(c);
}

/*
 * With no_new_privs the capabilities are final by now and this is the last thing before execve(2).  Without, the kernel wants
 * CAP_SYS_ADMIN for it, which is kept until do_capabilities().
 */
void do_seccomp(const struct plan_op *op)
{
	struct sock_fprog program = {.len = (unsigned short)op->seccomp.n, .filter = at(op->seccomp.filter)};
	int fd;

	if (!init.no_new_privileges) {
		struct plan_capabilities with = *payload_capabilities();

		with.effective |= 1ULL << CAP_SYS_ADMIN;
		with.permitted |= 1ULL << CAP_SYS_ADMIN;
		set_capabilities(&with);
	}
	close_on_exec();
	fd = (int)check(sys(seccomp, SECCOMP_SET_MODE_FILTER, op->seccomp.flags, &program), "load the seccomp filter%s",
			init.no_new_privileges ? "" : " (without noNewPrivileges it needs CAP_SYS_ADMIN)");
	init.filtered = true;
	if (op->seccomp.listener) {
		tell(MESSAGE_LISTENER, NULL, &fd, 1);
		receive(MESSAGE_GO, NULL, 0);
	}
}
