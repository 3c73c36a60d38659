/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the crash tests share: a private corner of the host, running a command in it, and a picture of everything that a
 * container can leave there.
 *
 *   host_init()      a mount and a network namespace of our own, so that what others do beside us changes no picture, and
 *                    every orphan becomes our child.  With HOLM_CRASH_NET in the environment the network namespace is
 *                    the caller's, who wants to look at it afterwards
 *   command_run()    a command to its end, its output in files of ours
 *   picture_take()   cgroups, mounts, state folder, work folder, sockets, links, keyrings, processes: sorted lines
 */
#ifndef HOLM_TESTS_CRASH_HOST_H
#define HOLM_TESTS_CRASH_HOST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define unused __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct host {
	const char *holm, *state, *work, *id;
	const char *data; /* NULL: the default, which nothing here makes */
	unsigned scale;	  /* time-outs are multiplied by it */
	int out, err;	  /* what the last command wrote */
};

/* What both drivers take. */
#define HOST_OPTIONS                                                                                                   \
	{"holm", 1, NULL, 'h'}, {"state", 1, NULL, 's'}, {"work", 1, NULL, 'w'},                                       \
	{                                                                                                              \
		"id", 1, NULL, 'i'                                                                                     \
	}

static unused bool host_take_option(struct host *h, int option, const char *value)
{
	switch (option) {
	case 'h':
		h->holm = value;
		return true;
	case 's':
		h->state = value;
		return true;
	case 'w':
		h->work = value;
		return true;
	case 'i':
		h->id = value;
		return true;
	}
	return false;
}

static unused void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(2);
}

static unused long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- text that grows ---- */

struct text {
	char *data;
	size_t size, room;
};

static unused void text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	for (;;) {
		va_start(args, format);
		n = vsnprintf(t->data + t->size, t->room - t->size, format, args);
		va_end(args);
		if (n < 0)
			die("format");
		if (t->data && t->size + (size_t)n < t->room)
			break;
		t->room = 2 * t->room + (size_t)n + 256;
		t->data = realloc(t->data, t->room);
		if (!t->data)
			die("memory");
	}
	t->size += (size_t)n;
}

static unused void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){0};
}

static unused char *read_fd(int fd)
{
	struct text t = {0};
	char buffer[8192];
	off_t at = 0;
	ssize_t n;

	text_add(&t, "%s", "");
	while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		text_add(&t, "%.*s", (int)n, buffer);
		at += n;
	}
	return t.data;
}

/* The whole file, malloc'd; NULL if it can't be read. */
static unused char *read_file(const char *path)
{
	struct text t = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buffer[8192];
	ssize_t n;

	if (fd < 0)
		return NULL;
	text_add(&t, "%s", "");
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		text_add(&t, "%.*s", (int)n, buffer);
	close(fd);
	return t.data;
}

/* ---- our corner ---- */

/* Mounts of other tests and programs go away in our copy too when they end: so they go now. */
static unused void leave_foreign_mounts(const struct host *h)
{
	static const char *const places[] = {"/tmp/", "/var/tmp/", "/run/netns"};
	char *data = read_file("/proc/self/mountinfo"), *rest = data, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		char at[4096] = "";

		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1 || !strncmp(at, h->work, strlen(at)))
			continue;
		for (size_t i = 0; i < COUNT(places); i++)
			if (!strncmp(at, places[i], strlen(places[i])))
				umount2(at, MNT_DETACH);
	}
	free(data);
}

static unused void host_init(struct host *h)
{
	const char *scale = getenv("HOLM_TIMESCALE");

	h->scale = scale && atoi(scale) > 0 ? (unsigned)atoi(scale) : 1;
	if (unshare(CLONE_NEWNS | (getenv("HOLM_CRASH_NET") ? 0 : CLONE_NEWNET)) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("unshare");
	leave_foreign_mounts(h);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("subreaper");
	h->out = open(h->work, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	h->err = open(h->work, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (h->out < 0 || h->err < 0)
		die("temporary files in '%s'", h->work);
}

/* In the child: standard streams, then the command. */
static unused _Noreturn void command_exec(const struct host *h, const char *const *argv)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(null, 0);
	dup2(h->out, 1);
	dup2(h->err, 2);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static unused void command_clear(const struct host *h)
{
	if (ftruncate(h->out, 0) < 0 || ftruncate(h->err, 0) < 0)
		die("truncate");
}

/* The wait status; -1 after a time-out (it is killed then). */
static unused int command_run(const struct host *h, const char *const *argv, unsigned seconds)
{
	long long end = now_ms() + seconds * 1000LL * h->scale;
	pid_t pid;
	int status;

	command_clear(h);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		command_exec(h, argv);
	for (useconds_t pause = 100;; pause = pause < 1000 ? pause * 2 : pause) {
		pid_t one;

		/* Orphans too: a pid namespace does not end before the last of its dead has been reaped. */
		while ((one = waitpid(-1, &status, WNOHANG)) > 0)
			if (one == pid)
				return status;
		if (now_ms() > end)
			break;
		usleep(pause);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

/* holm --root STATE ARGUMENT...; ends with NULL */
static unused int holm_run(const struct host *h, ...)
{
	const char *argv[34] = {h->holm, "--root", h->state};
	size_t n = 3;
	va_list args;

	if (h->data) {
		argv[n++] = "--data";
		argv[n++] = h->data;
	}

	va_start(args, h);
	while ((argv[n] = va_arg(args, const char *)))
		n++;
	va_end(args);
	return command_run(h, argv, 30);
}

/* ---- the picture ---- */

static unused void picture_tree(struct text *t, const char *what, const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char below[4096], shown[4096];

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, d->d_name);
		snprintf(shown, sizeof(shown), "%s/%s", name, d->d_name);
		/* The cache of compiled programs: entries are named by a hash and stay; anything else there does not belong. */
		if (strstr(name, ":seccomp") && strlen(d->d_name) == 16 && strspn(d->d_name, "0123456789abcdef") == 16)
			continue;
		if (strcmp(d->d_name, ":seccomp"))
			text_add(t, "%s: %s\n", what, shown);
		if (d->d_type == DT_DIR)
			picture_tree(t, what, below, shown);
	}
	if (dir)
		closedir(dir);
}

static unused unsigned count_lines(const char *s)
{
	unsigned n = 0;

	for (; s && *s; s++)
		n += *s == '\n';
	return n;
}

/* Every folder whose name holds the id, with the number of its processes. */
static unused void picture_cgroups(struct text *t, const char *path, const char *id, bool within)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char below[4096], procs[4200];
		bool ours = within || strstr(d->d_name, id);

		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, d->d_name);
		if (ours) {
			char *list;

			snprintf(procs, sizeof(procs), "%s/cgroup.procs", below);
			list = read_file(procs);
			text_add(t, "cgroup: %s (%u processes)\n", below, count_lines(list));
			free(list);
		}
		picture_cgroups(t, below, id, ours);
	}
	if (dir)
		closedir(dir);
}

/* Lines of a file of /proc that hold `match` (NULL: all), from the `from`-th character on, the first `skip` lines left out. */
static unused void picture_lines(struct text *t, const char *what, const char *path, unsigned skip, const char *match,
				 size_t from)
{
	char *data = read_file(path), *rest = data, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		if (skip) {
			skip--;
			continue;
		}
		if (*line && (!match || strstr(line, match)))
			text_add(t, "%s: %s\n", what, strlen(line) > from ? line + from : line);
	}
	free(data);
}

/* "Name: counters", and those go on counting. */
static unused void picture_links(struct text *t)
{
	char *data = read_file("/proc/net/dev"), *rest = data, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *end = strchr(line, ':');

		if (end)
			text_add(t, "link: %.*s\n", (int)(end - line), line);
	}
	free(data);
}

static unused void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Our living children, which is where every orphan ends. */
static unused void picture_processes(struct text *t, void (*each)(pid_t pid))
{
	siginfo_t info = {0};
	DIR *dir;
	struct dirent *d;

	reap();
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return;
	dir = opendir("/proc");
	while (dir && (d = readdir(dir))) {
		char path[300], *stat, *p;

		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		stat = read_file(path);
		p = stat ? strrchr(stat, ')') : NULL;
		if (p && strlen(p) > 4 && atoi(p + 4) == getpid()) {
			*p = 0;
			if (each)
				each(atoi(d->d_name));
			if (t)
				text_add(t, "process: %s)\n", strchr(stat, '('));
		}
		free(stat);
	}
	if (dir)
		closedir(dir);
}

static unused int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static unused char *sort_lines(struct text *t)
{
	size_t n = 0, total = count_lines(t->data);
	char **lines = calloc(total + 1, sizeof(*lines)), *rest = t->data, *line;
	struct text sorted = {0};

	text_add(&sorted, "%s", "");
	while (rest && (line = strsep(&rest, "\n")))
		if (*line)
			lines[n++] = line;
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++)
		text_add(&sorted, "%s\n", lines[i]);
	free(lines);
	text_free(t);
	return sorted.data;
}

static unused char *picture_take(const struct host *h)
{
	struct text t = {0};

	text_add(&t, "%s", "");
	picture_tree(&t, "state", h->state, "");
	picture_tree(&t, "file", h->work, "");
	picture_cgroups(&t, "/sys/fs/cgroup", h->id, false);
	picture_lines(&t, "mount", "/proc/self/mountinfo", 0, NULL, 0);
	/* "Num: RefCount Protocol Flags Type St Inode Path": only what has a path, or a name, can be found again. */
	picture_lines(&t, "socket", "/proc/net/unix", 1, "/", 18);
	picture_lines(&t, "socket", "/proc/net/unix", 1, "@", 18);
	picture_links(&t);
	picture_lines(&t, "key", "/proc/keys", 0, h->id, 54);
	picture_processes(&t, NULL);
	return sort_lines(&t);
}

/* Takes pictures until one equals the wanted one, for some seconds (processes end and keyrings are collected in their own
   time).  NULL: equal; else the last one. */
static unused char *picture_wait(const struct host *h, const char *wanted)
{
	long long end = now_ms() + 3000LL * h->scale;

	for (useconds_t pause = 200;; pause = pause < 50000 ? pause * 2 : pause) {
		char *got = picture_take(h);

		if (!strcmp(got, wanted)) {
			free(got);
			return NULL;
		}
		if (now_ms() > end)
			return got;
		free(got);
		usleep(pause);
	}
}

static unused bool has_line(const char *text, const char *line, size_t length)
{
	for (const char *p = text; *p; p = strchr(p, '\n') + 1)
		if (!strncmp(p, line, length) && p[length] == '\n')
			return true;
	return false;
}

/* The lines of one that the other does not have. */
static unused void print_difference(FILE *f, const char *prefix, const char *one, const char *other)
{
	for (const char *p = one; *p; p = strchr(p, '\n') + 1) {
		size_t n = strcspn(p, "\n");

		if (!has_line(other, p, n))
			fprintf(f, "%s%.*s\n", prefix, (int)n, p);
	}
}

/* ---- after a finding: the next round must start clean ---- */

static unused void kill_one(pid_t pid)
{
	kill(pid, SIGKILL);
}

static unused void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char below[4096];

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, d->d_name);
		if (d->d_type == DT_DIR)
			remove_tree(below);
		else
			unlink(below);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static unused void sweep(const struct host *h)
{
	struct text t = {0};
	char *lines, *rest, *line, path[4096];

	holm_run(h, "delete", "--force", h->id, NULL);
	for (int i = 0; i < 50 && waitpid(-1, NULL, WNOHANG) >= 0; i++) {
		picture_processes(NULL, kill_one);
		usleep(10000);
		reap();
	}
	snprintf(path, sizeof(path), "%s/%s", h->state, h->id);
	remove_tree(path);
	text_add(&t, "%s", "");
	picture_cgroups(&t, "/sys/fs/cgroup", h->id, false);
	for (int i = 0; i < 4; i++) { /* the deepest come last: a few rounds do */
		lines = strdup(t.data);
		for (rest = lines; (line = strsep(&rest, "\n"));)
			if (strlen(line) > 8) {
				line[strcspn(line + 8, " ") + 8] = 0;
				rmdir(line + 8);
			}
		free(lines);
	}
	text_free(&t);
}

#endif
