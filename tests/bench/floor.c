/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's floor: what the default configuration costs if nothing is parsed, checked or protected.
 *
 *   floor [-c CGROUP-FOLDER] [-h] ROOT PROGRAM
 *
 * One clone3 with the five namespaces (-h: the host's network), then the mounts, devices, masks and read-only paths that
 * `holm spec` asks for, by the plainest calls there are, and execve.  With -c the process is born in a new cgroup (v2) in
 * that folder, which is removed at the end.  It is a yardstick, not a runtime: do not run it on a root you don't trust.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		if ((call) < 0)                                                                                        \
			err(100, "%s", #call);                                                                         \
	} while (0)

static const struct {
	const char *type, *target;
	mode_t folder; /* made first, where not 0 */
	unsigned long flags;
	const char *options;
} mounts[] = {
    {"proc", "proc", 0, 0, NULL},
    {"tmpfs", "dev", 0, MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
    {"devpts", "dev/pts", 0755, MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
    {"tmpfs", "dev/shm", 01777, MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k"},
    {"mqueue", "dev/mqueue", 0755, MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
    {"sysfs", "sys", 0, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL},
};

static const struct {
	const char *path;
	unsigned major, minor;
} devices[] = {
    {"dev/null", 1, 3}, {"dev/zero", 1, 5},   {"dev/full", 1, 7},
    {"dev/tty", 5, 0},	{"dev/random", 1, 8}, {"dev/urandom", 1, 9},
};

static const char *const links[][2] = {
    {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
    {"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"},
};

static const char *const masked[] = {
    "/proc/acpi",	"/proc/asound",	     "/proc/kcore",	  "/proc/keys",	   "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
};

static const char *const read_only[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static void build_root(const char *root)
{
	MUST(mount("", "/", NULL, MS_SLAVE | MS_REC, NULL));
	MUST(mount(root, root, NULL, MS_BIND | MS_REC, NULL));
	MUST(chdir(root));
	umask(0);
	for (size_t i = 0; i < COUNT(mounts); i++) {
		if (mounts[i].folder)
			MUST(mkdir(mounts[i].target, mounts[i].folder));
		MUST(mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].options));
	}
	for (size_t i = 0; i < COUNT(devices); i++)
		MUST(mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)));
	for (size_t i = 0; i < COUNT(links); i++)
		MUST(symlink(links[i][0], links[i][1]));
	MUST(syscall(SYS_pivot_root, ".", "."));
	MUST(umount2(".", MNT_DETACH));
	MUST(chdir("/"));
}

static void restrict_root(void)
{
	struct stat st;

	for (size_t i = 0; i < COUNT(masked); i++) {
		if (stat(masked[i], &st))
			continue;
		if (S_ISDIR(st.st_mode))
			MUST(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0k"));
		else
			MUST(mount("/dev/null", masked[i], NULL, MS_BIND, NULL));
	}
	for (size_t i = 0; i < COUNT(read_only); i++) {
		const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
		if (access(read_only[i], F_OK))
			continue;
		MUST(mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL));
		MUST(mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC | MS_REMOUNT | flags, NULL));
	}
	MUST(mount("/", "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
}

static void run(const char *root, char *program)
{
	struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog filter = {COUNT(allow), allow};
	char *args[] = {program, NULL}, *environment[] = {(char[]){"PATH=/bin"}, NULL};

	build_root(root);
	restrict_root();
	MUST(sethostname("floor", 5));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
	MUST(syscall(SYS_close_range, 3, ~0U, 0));
	execve(program, args, environment);
	err(127, "%s", program);
}

int main(int argc, char **argv)
{
	struct clone_args clone = {
	    .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
	    .exit_signal = SIGCHLD,
	};
	char cgroup[4096] = "";
	int option, status;
	pid_t pid;

	while ((option = getopt(argc, argv, "c:h")) != -1) {
		if (option == 'c')
			snprintf(cgroup, sizeof(cgroup), "%s/floor-%d", optarg, getpid());
		else if (option == 'h')
			clone.flags &= ~(uint64_t)CLONE_NEWNET;
		else
			return 2;
	}
	if (argc - optind != 2)
		errx(2, "usage: floor [-c CGROUP-FOLDER] [-h] ROOT PROGRAM");
	if (*cgroup) {
		int fd;
		MUST(mkdir(cgroup, 0755));
		MUST(fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		clone.cgroup = fd;
		clone.flags |= CLONE_INTO_CGROUP;
	}
	MUST(pid = syscall(SYS_clone3, &clone, sizeof(clone)));
	if (!pid)
		run(argv[optind], argv[optind + 1]);
	MUST(waitpid(pid, &status, 0));
	if (*cgroup)
		MUST(rmdir(cgroup));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
