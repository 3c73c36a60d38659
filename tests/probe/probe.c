/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: what a process in a container can see of itself, as one JSON object on stdout.  Static, so it runs in any
 * root.
 *
 *   probe [SECTION]...          all sections of the table at the end, or those named
 *   probe call NUMBER [ARG]...  makes one system call; prints its result, or the name of the error
 *   probe eat MEBIBYTES         touches that much memory, prints "eaten"
 *   probe leave PATH            tries to take a file or folder out of its project quota in every way; prints how each went
 *   probe ready                 says by sd_notify(3) that it is ready, and waits for ever
 *
 * It reports and judges nothing: a section that cannot be read is null, and the test decides what that means.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char **arguments;
static mode_t first_umask;

static void put_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = *s;
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 32 || c == 127)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* "key": after a comma, unless it is the first of its object. */
static void put_key(const char *key, bool *first)
{
	if (!*first)
		printf(",\n");
	*first = false;
	put_string(key);
	printf(": ");
}

static void put_strings(char **list)
{
	putchar('[');
	for (char **s = list; *s; s++) {
		if (s != list)
			printf(", ");
		put_string(*s);
	}
	putchar(']');
}

/* The first line of a file, or null. */
static void put_line(const char *path)
{
	char line[4096];
	FILE *f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f)) {
		printf("null");
	} else {
		line[strcspn(line, "\n")] = 0;
		put_string(line);
	}
	if (f)
		fclose(f);
}

/* "KEY:\tVALUE" lines as an object. */
static void put_pairs(const char *path)
{
	char line[8192];
	bool first = true;
	FILE *f = fopen(path, "re");
	if (!f) {
		printf("null");
		return;
	}
	putchar('{');
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		char *value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = 0;
		value += strspn(value, " \t");
		put_key(line, &first);
		put_string(value);
	}
	putchar('}');
	fclose(f);
}

static void put_lines(const char *path)
{
	char line[8192];
	bool first = true;
	FILE *f = fopen(path, "re");
	if (!f) {
		printf("null");
		return;
	}
	putchar('[');
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		printf(first ? "" : ", ");
		first = false;
		put_string(line);
	}
	putchar(']');
	fclose(f);
}

static void show_arguments(void)
{
	put_strings(arguments);
}

static void show_environment(void)
{
	put_strings(environ);
}

static void show_cwd(void)
{
	char path[4096];
	if (getcwd(path, sizeof(path)))
		put_string(path);
	else
		printf("null");
}

static void show_ids(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg, groups[1024];
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	printf("{\"uid\": [%u, %u, %u], \"gid\": [%u, %u, %u], \"groups\": [", r, e, s, rg, eg, sg);
	int n = getgroups(1024, groups);
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? ", " : "", groups[i]);
	printf("], \"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d}", getpid(), getppid(), getpgrp(), getsid(0));
}

/* Links of a folder, as an object: /proc/self/ns, /proc/self/fd. */
static void put_links(const char *folder, bool numbers)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	bool first = true;
	if (!d) {
		printf("null");
		return;
	}
	putchar('{');
	while ((entry = readdir(d))) {
		char target[4096];
		if (entry->d_name[0] == '.' || (numbers && atoi(entry->d_name) == dirfd(d)))
			continue;
		ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		put_key(entry->d_name, &first);
		put_string(target);
	}
	putchar('}');
	closedir(d);
}

static void show_namespaces(void)
{
	put_links("/proc/self/ns", false);
}

static void show_fds(void)
{
	put_links("/proc/self/fd", true);
}

static void show_status(void)
{
	put_pairs("/proc/self/status");
}

static void show_limits(void)
{
	static const struct {
		const char *name;
		int resource;
	} limits[] = {
	    {"RLIMIT_AS", RLIMIT_AS},
	    {"RLIMIT_CORE", RLIMIT_CORE},
	    {"RLIMIT_CPU", RLIMIT_CPU},
	    {"RLIMIT_DATA", RLIMIT_DATA},
	    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
	    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
	    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	    {"RLIMIT_NICE", RLIMIT_NICE},
	    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
	    {"RLIMIT_NPROC", RLIMIT_NPROC},
	    {"RLIMIT_RSS", RLIMIT_RSS},
	    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
	    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	    {"RLIMIT_STACK", RLIMIT_STACK},
	};
	bool first = true;
	putchar('{');
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit r;
		getrlimit(limits[i].resource, &r);
		put_key(limits[i].name, &first);
		printf("{\"soft\": %llu, \"hard\": %llu}", (unsigned long long)r.rlim_cur,
		       (unsigned long long)r.rlim_max);
	}
	putchar('}');
}

/* mountinfo: ID PARENT MAJ:MIN ROOT TARGET OPTIONS [PROPAGATION]... - TYPE SOURCE SUPER */
static void show_mounts(void)
{
	static const char *const keys[] = {"id", "parent", "device", "root", "target", "options"};
	char line[8192];
	bool first = true;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	if (!f) {
		printf("null");
		return;
	}
	putchar('[');
	while (fgets(line, sizeof(line), f)) {
		bool first_key = true;
		char *rest, *word = strtok_r(line, " \n", &rest), propagation[256] = "";
		printf(first ? "{" : ",\n{");
		first = false;
		for (int i = 0; i < 6 && word; i++, word = strtok_r(NULL, " \n", &rest)) {
			put_key(keys[i], &first_key);
			put_string(word);
		}
		for (; word && strcmp(word, "-"); word = strtok_r(NULL, " \n", &rest)) {
			strncat(propagation, word, sizeof(propagation) - strlen(propagation) - 2);
			strcat(propagation, " ");
		}
		propagation[strcspn(propagation, " ")] = 0;
		put_key("propagation", &first_key);
		put_string(propagation);
		for (int i = 0; i < 3; i++) {
			word = strtok_r(NULL, " \n", &rest);
			put_key((const char *[]){"type", "source", "super"}[i], &first_key);
			put_string(word ? word : "");
		}
		putchar('}');
	}
	putchar(']');
	fclose(f);
}

static void put_devices(const char *folder, bool *first)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	while (d && (entry = readdir(d))) {
		char path[4096], target[4096] = "";
		struct stat st;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (lstat(path, &st))
			continue;
		put_key(path, first);
		printf("{\"type\": \"%c\", \"mode\": \"%04o\", \"uid\": %u, \"gid\": %u",
		       S_ISCHR(st.st_mode)    ? 'c'
		       : S_ISBLK(st.st_mode)  ? 'b'
		       : S_ISDIR(st.st_mode)  ? 'd'
		       : S_ISLNK(st.st_mode)  ? 'l'
		       : S_ISFIFO(st.st_mode) ? 'p'
					      : 'f',
		       st.st_mode & 07777, st.st_uid, st.st_gid);
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			printf(", \"major\": %u, \"minor\": %u", major(st.st_rdev), minor(st.st_rdev));
		if (S_ISLNK(st.st_mode) && readlink(path, target, sizeof(target) - 1) > 0) {
			printf(", \"target\": ");
			put_string(target);
		}
		putchar('}');
		if (S_ISDIR(st.st_mode))
			put_devices(path, first);
	}
	if (d)
		closedir(d);
}

static void show_devices(void)
{
	bool first = true;
	putchar('{');
	put_devices("/dev", &first);
	putchar('}');
}

static void show_names(void)
{
	struct utsname u;
	uname(&u);
	printf("{\"hostname\": ");
	put_string(u.nodename);
	printf(", \"domainname\": ");
	put_string(u.domainname);
	printf(", \"machine\": ");
	put_string(u.machine);
	printf(", \"release\": ");
	put_string(u.release);
	putchar('}');
}

static void show_process(void)
{
	struct sched_param p;
	int policy = sched_getscheduler(0), mode = 0;
	sched_getparam(0, &p);
	errno = 0;
	int nice = getpriority(PRIO_PROCESS, 0), io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0);
	printf("{\"umask\": \"%04o\", \"personality\": %d, \"nice\": %d, \"policy\": %d, \"priority\": %d, "
	       "\"ioprio\": {\"class\": %d, \"level\": %d}, \"mempolicy\": %d, \"dumpable\": %d, \"no_new_privs\": %d, "
	       "\"securebits\": %d, \"seccomp\": %d, \"oom_score_adj\": ",
	       first_umask, personality(0xffffffff), nice, policy, p.sched_priority, IOPRIO_PRIO_CLASS(io),
	       (int)IOPRIO_PRIO_DATA(io), mode, prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	       prctl(PR_GET_SECUREBITS), prctl(PR_GET_SECCOMP));
	put_line("/proc/self/oom_score_adj");
	printf(", \"label\": ");
	put_line("/proc/self/attr/current");
	putchar('}');
}

static void put_signals(const sigset_t *set)
{
	bool first = true;
	putchar('[');
	for (int s = 1; s <= 64; s++) {
		if (sigismember(set, s) != 1)
			continue;
		printf("%s%d", first ? "" : ", ", s);
		first = false;
	}
	putchar(']');
}

static void show_signals(void)
{
	sigset_t blocked, ignored;
	struct sigaction a;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	sigemptyset(&ignored);
	for (int s = 1; s <= 64; s++)
		if (!sigaction(s, NULL, &a) && a.sa_handler == SIG_IGN)
			sigaddset(&ignored, s);
	printf("{\"blocked\": ");
	put_signals(&blocked);
	printf(", \"ignored\": ");
	put_signals(&ignored);
	putchar('}');
}

static void show_keyring(void)
{
	char text[512] = "";
	const int describe = 6, session = -3; /* KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING */
	long n = syscall(SYS_keyctl, describe, session, text, sizeof(text) - 1);
	if (n < 0)
		printf("null");
	else
		put_string(text);
}

/* The number of the session keyring; the caller's own tells whether it was inherited. */
static void show_keyring_id(void)
{
	const int get_id = 0, session = -3; /* KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING */

	printf("%ld", syscall(SYS_keyctl, get_id, session, 0));
}

static void show_cgroups(void)
{
	put_lines("/proc/self/cgroup");
}

static void show_idmaps(void)
{
	printf("{\"uid\": ");
	put_lines("/proc/self/uid_map");
	printf(", \"gid\": ");
	put_lines("/proc/self/gid_map");
	printf(", \"setgroups\": ");
	put_line("/proc/self/setgroups");
	putchar('}');
}

static void show_terminal(void)
{
	struct winsize w = {0};
	char name[64] = "";
	ioctl(0, TIOCGWINSZ, &w);
	ttyname_r(0, name, sizeof(name));
	printf("{\"tty\": [%d, %d, %d], \"name\": ", isatty(0), isatty(1), isatty(2));
	put_string(name);
	printf(", \"rows\": %u, \"columns\": %u, \"foreground\": %d}", w.ws_row, w.ws_col, tcgetpgrp(0));
}

static void show_clocks(void)
{
	struct timespec m, b;
	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_BOOTTIME, &b);
	printf("{\"monotonic\": %lld, \"boottime\": %lld}", (long long)m.tv_sec, (long long)b.tv_sec);
}

static const struct {
	const char *name;
	void (*show)(void);
} sections[] = {
    {"args", show_arguments},  {"env", show_environment},
    {"cwd", show_cwd},	       {"ids", show_ids},
    {"idmaps", show_idmaps},   {"namespaces", show_namespaces},
    {"fds", show_fds},	       {"status", show_status},
    {"limits", show_limits},   {"mounts", show_mounts},
    {"devices", show_devices}, {"names", show_names},
    {"process", show_process}, {"signals", show_signals},
    {"keyring", show_keyring}, {"keyring_id", show_keyring_id},
    {"cgroups", show_cgroups}, {"terminal", show_terminal},
    {"clocks", show_clocks},
};

static int call(char **argument)
{
	long a[7] = {0};
	for (int i = 0; i < 7 && argument[i]; i++)
		a[i] = strtol(argument[i], NULL, 0);
	long r = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	if (r < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", r);
	return 0;
}

static int eat(const char *mebibytes)
{
	size_t size = strtoul(mebibytes, NULL, 10) << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	printf("eaten\n");
	return 0;
}

static void tell(const char *what, long r)
{
	printf("%s %s\n", what, r < 0 ? strerrorname_np(errno) : "done");
}

static int leave(const char *path)
{
	struct { /* struct file_attr, since Linux 6.17 */
		unsigned long long xflags;
		unsigned extsize, nextents, project, cowextsize;
	} attributes = {.project = 4711};
	struct fsxattr extended = {.fsx_projid = 4711};
	unsigned long flags = FS_NODUMP_FL; /* and no FS_PROJINHERIT_FL */
	unsigned long high = (unsigned long)(sizeof(long) > 4) << 31 << 4;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	tell("open", fd);
	tell("extended", syscall(SYS_ioctl, fd, (unsigned long)FS_IOC_FSSETXATTR, &extended));
	extended.fsx_projid = 0;
	tell("none", syscall(SYS_ioctl, fd, (unsigned long)FS_IOC_FSSETXATTR | high, &extended));
	tell("flags", syscall(SYS_ioctl, fd, (unsigned long)FS_IOC_SETFLAGS, &flags));
	tell("high", syscall(SYS_ioctl, fd, (unsigned long)FS_IOC_SETFLAGS | high, &flags));
	tell("call", syscall(469, AT_FDCWD, path, &attributes, sizeof(attributes), 0));
	return 0;
}

static int be_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path ? path : "");
	if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof(address)) != 7) {
		perror(address.sun_path);
		return 1;
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	bool first = true;
	arguments = argv;
	umask(first_umask = umask(0));
	if (argc > 2 && !strcmp(argv[1], "call"))
		return call(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "eat"))
		return eat(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "leave"))
		return leave(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "ready"))
		return be_ready();
	printf("{\n");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		bool wanted = argc < 2;
		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], sections[i].name);
		if (!wanted)
			continue;
		put_key(sections[i].name, &first);
		sections[i].show();
	}
	printf("\n}\n");
	return ferror(stdout) || fflush(stdout);
}
