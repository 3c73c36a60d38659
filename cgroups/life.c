/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a cgroup: who they are, stopping them for a while, killing them, and the end of the folders.
 *
 * On v2 the kernel does it all at once (cgroup.freeze, cgroup.kill).  On v1 the freezer holds a moving target still; a
 * frozen v1 process does not die of SIGKILL before it is thawed, so thawing follows whatever happened before it.
 */
#include "cgroups/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/path.h"
#include "cgroups/systemd.h"

enum {
	KILL_DEADLINE = 10000, /* ms until processes that were killed must be gone */
	FREEZE_DEADLINE = 5000,
	REMOVE_DEADLINE = 5000,
};

/* ---- walking ---- */

typedef int visit_fn(int folder, void *data);

/* The next folder in a folder, from *position on, which moves; "": none. */
static int find_next(int folder, long *position, char name[NAME_MAX + 1])
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	*name = 0;
	if (!dir) {
		int r = errno == ENOENT ? 0 : -errno;

		fd_close(fd);
		return r;
	}
	if (*position)
		seekdir(dir, *position);
	while (!*name && (d = readdir(dir)))
		if (d->d_type == DT_DIR && !str_equal(d->d_name, ".") && !str_equal(d->d_name, ".."))
			snprintf(name, NAME_MAX + 1, "%s", d->d_name);
	*position = telldir(dir);
	closedir(dir);
	return 0;
}

/*
 * Calls visit for path and every folder below it.  What the payload made there may be of any depth and name: one folder is open at a
 * time, and no path is built.  The kernel never moves such a folder to another parent, so ".." leads back.  What vanishes
 * meanwhile is skipped.
 */
static int walk(const char *path, visit_fn *visit, void *data)
{
	auto_fd folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free long *positions = NULL;
	size_t depth = 0, room = 0;
	char name[NAME_MAX + 1];
	bool entered = true;

	if (folder < 0)
		return errno == ENOENT ? 0 : -errno;
	for (;;) {
		int next, r = entered ? visit(folder, data) : 0;

		if (depth >= room) {
			long *more = realloc(positions, (room + 64) * sizeof(*more));

			if (!more)
				return -ENOMEM;
			positions = more;
			room += 64;
		}
		if (entered)
			positions[depth] = 0;
		if (!r)
			r = find_next(folder, &positions[depth], name);
		if (r < 0)
			return r;
		if (!*name && !depth)
			return 0;
		entered = *name;
		next = openat(folder, entered ? name : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0 && entered && errno == ENOENT) {
			entered = false;
			continue;
		}
		if (next < 0)
			return -errno;
		fd_close(folder);
		folder = next;
		depth += entered ? 1 : -1;
	}
}

/* ---- who is in it ---- */

struct pids {
	pid_t *items;
	size_t n, room;
};

static int add_pid(struct pids *p, pid_t pid)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		pid_t *more = realloc(p->items, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->items = more;
		p->room = room;
	}
	p->items[p->n++] = pid;
	return 0;
}

static int read_pids(int folder, void *data)
{
	int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC), pid, r = 0;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		r = errno == ENOENT ? 0 : -errno;
		fd_close(fd);
		return r;
	}
	/* EOPNOTSUPP: a threaded folder, whose processes are listed above it.  ENODEV: just removed. */
	while (!r && fscanf(file, "%d", &pid) == 1)
		if (pid > 0) /* 0: of another pid namespace */
			r = add_pid(data, pid);
	fclose(file);
	return r;
}

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a < *(const pid_t *)b ? -1 : *(const pid_t *)a > *(const pid_t *)b;
}

/* The hierarchy that answers for all: v2, else the freezer, else the first. */
static const char *find_leading(const struct cgroup *cgroup)
{
	const char *path = cgroup_find_path(cgroup, CGROUP_FREEZER), *v2 = cgroup_find_v2(cgroup);

	if (v2)
		return v2;
	return path ? path : cgroup->n_paths ? cgroup->paths[0].path : NULL;
}

static const char *find_freezer(const struct cgroup *cgroup)
{
	return cgroup_find_v2(cgroup) ? NULL : cgroup_find_path(cgroup, CGROUP_FREEZER);
}

int cgroup_pids(const struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_n, struct error *e)
{
	const char *path = find_leading(cgroup);
	struct pids pids = {0};
	int r = path ? walk(path, read_pids, &pids) : 0;

	if (r < 0) {
		free(pids.items);
		return error_system(e, -r, "list the processes in '%s'", path);
	}
	if (pids.n)
		qsort(pids.items, pids.n, sizeof(*pids.items), compare_pids);
	*ret_pids = pids.items;
	*ret_n = pids.n;
	return 0;
}

int cgroup_is_populated(const struct cgroup *cgroup, bool *ret, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup);
	auto_free pid_t *pids = NULL;
	uint64_t populated = 0;
	size_t n = 0;
	int r;

	if (v2) {
		r = cgroup_file_read_key(v2, "cgroup.events", "populated", &populated);
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return error_system(e, -r, "read '%s/cgroup.events'", v2);
		*ret = r >= 0 && populated;
		return 0;
	}
	r = cgroup_pids(cgroup, &pids, &n, e);
	if (!r)
		*ret = n > 0;
	return r;
}

/* ---- freezing ---- */

static int read_frozen_v1(const char *folder, bool *ret)
{
	char state[32];
	int r = cgroup_file_read(folder, "freezer.state", state, sizeof(state));

	if (r >= 0)
		*ret = str_equal(state, "FROZEN");
	return r;
}

int cgroup_is_frozen(const struct cgroup *cgroup, bool *ret, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup), *v1 = find_freezer(cgroup);
	uint64_t frozen = 0;
	bool frozen_v1 = false;
	int r = 0;

	/* What was asked for (cgroup.freeze), too: a process of which the kernel can't get hold yet is to be counted.
	 */
	if (v2)
		r = cgroup_file_read_key(v2, "cgroup.events", "frozen", &frozen);
	else if (v1)
		r = read_frozen_v1(v1, &frozen_v1);
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		return error_system(e, -r, "read whether '%s' is frozen", v2 ? v2 : v1);
	*ret = r >= 0 && (frozen || frozen_v1);
	return 0;
}

/*
 * Waits until key in the folder's cgroup.events has this value.  The kernel wakes pollers of the file at a change, but
 * not more often than every 10 ms, so at first we look by ourselves: after 0.1, 0.2, 0.4 ... ms.
 */
static int wait_event(const char *folder, const char *key, uint64_t wanted, int timeout)
{
	int64_t end = cgroup_clock() + timeout;
	auto_free char *path = NULL;
	auto_fd fd = -1;

	if (asprintf(&path, "%s/cgroup.events", folder) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (struct timespec pause = {.tv_nsec = 100000};;) {
		int64_t left = end - cgroup_clock();
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		char text[256];
		uint64_t value;
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return -errno;
		text[n] = 0;
		if (cgroup_text_find(text, key, &value) && value == wanted)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		if (ppoll(&p, 1, &pause, NULL) < 0 && errno != EINTR)
			return -errno;
		if (pause.tv_nsec < 100000000)
			pause.tv_nsec *= 2;
	}
}

static int freeze_v2(const char *folder, bool freeze, struct error *e)
{
	int r = cgroup_file_write(folder, "cgroup.freeze", freeze ? "1" : "0");

	if (r >= 0)
		r = wait_event(folder, "frozen", freeze, FREEZE_DEADLINE);
	if (r >= 0)
		return 0;
	if (freeze && cgroup_file_write(folder, "cgroup.freeze", "0") < 0)
		return error_system(e, -r, "freeze '%s', and thaw it again", folder);
	return error_system(e, -r, "%s '%s'", freeze ? "freeze" : "thaw", folder);
}

/*
 * A v1 freezer can stay at FREEZING for ever when a process forks or waits for another that is frozen already: it is
 * asked again, and now and then thawed for a moment so that they get past each other.
 */
static int freeze_v1(const char *folder, struct error *e)
{
	int64_t end = cgroup_clock() + FREEZE_DEADLINE;
	bool frozen = false;
	int r = 0;

	for (unsigned try = 0; r >= 0 && cgroup_clock() < end; try++) {
		if (try % 50 == 49)
			r = cgroup_file_write(folder, "freezer.state", "THAWED");
		if (r >= 0)
			r = cgroup_file_write(folder, "freezer.state", "FROZEN");
		if (r >= 0)
			r = read_frozen_v1(folder, &frozen);
		if (r >= 0 && frozen)
			return 0;
		cgroup_wait(try % 4);
	}
	if (cgroup_file_write(folder, "freezer.state", "THAWED") < 0)
		return error_system(e, r < 0 ? -r : ETIMEDOUT, "freeze '%s', and thaw it again", folder);
	return error_system(e, r < 0 ? -r : ETIMEDOUT, "freeze '%s'", folder);
}

int cgroup_freeze(const struct cgroup *cgroup, bool freeze, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup), *v1 = find_freezer(cgroup);
	int r;

	if (v2)
		return freeze_v2(v2, freeze, e);
	if (!v1)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "this container's cgroup has neither cgroup v2 nor a freezer");
	if (freeze)
		return freeze_v1(v1, e);
	r = cgroup_file_write(v1, "freezer.state", "THAWED");
	return r < 0 ? error_system(e, -r, "thaw '%s'", v1) : 0;
}

/* ---- signals ---- */

static int signal_all(const struct cgroup *cgroup, int signal, size_t *ret_n, struct error *e)
{
	auto_free pid_t *pids = NULL;
	size_t n = 0;
	int r = cgroup_pids(cgroup, &pids, &n, e);

	for (size_t i = 0; !r && i < n; i++)
		if (kill(pids[i], signal) < 0 && errno != ESRCH)
			r = error_system(e, errno, "send signal %d to process %d", signal, pids[i]);
	*ret_n = n;
	return r;
}

/*
 * Frozen, nobody forks away from the list and no pid on it is used anew.  Without a freezer the list is gone through
 * until it has nobody new, which is the best there is.
 */
int cgroup_signal(const struct cgroup *cgroup, int signal, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup), *v1 = find_freezer(cgroup);
	struct error ignored = ERROR_INIT;
	bool was_frozen = false;
	size_t n;
	int r, frozen = -1;

	if (signal == SIGKILL && v2) {
		r = cgroup_file_write(v2, "cgroup.kill", "1");
		if (r >= 0 || r == -ENOENT)
			return 0;
	}
	r = cgroup_is_frozen(cgroup, &was_frozen, e);
	if (r < 0)
		return r;
	if (!was_frozen && (v1 || v2))
		frozen = cgroup_freeze(cgroup, true, &ignored);
	r = signal_all(cgroup, signal, &n, e);
	/* SIGKILL must arrive, so what it was sent to may not stay frozen on v1. */
	if (!frozen || (was_frozen && signal == SIGKILL)) {
		int thawed = cgroup_freeze(cgroup, false, r < 0 ? &ignored : e);

		r = r < 0 ? r : thawed;
	}
	return r;
}

int cgroup_kill(const struct cgroup *cgroup, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup), *path = find_leading(cgroup);
	int64_t end = cgroup_clock() + KILL_DEADLINE;
	bool populated = true;
	int r;

	if (!path)
		return 0;
	if (v2) {
		r = cgroup_signal(cgroup, SIGKILL, e);
		if (r < 0)
			return r;
		r = wait_event(v2, "populated", 0, KILL_DEADLINE);
		if (r >= 0 || r == -ENOENT || r == -ENODEV)
			return 0;
		return r == -ETIMEDOUT ? error_refuse(e, ERROR_STATE, "processes in '%s' do not die of SIGKILL", v2)
				       : error_system(e, -r, "wait for the processes in '%s'", v2);
	}
	for (unsigned try = 0;; try++) {
		r = cgroup_is_populated(cgroup, &populated, e);
		if (r < 0 || !populated)
			return r;
		if (cgroup_clock() > end)
			return error_refuse(e, ERROR_STATE, "processes in '%s' do not die of SIGKILL", path);
		if (try % 8 == 0) {
			r = cgroup_signal(cgroup, SIGKILL, e);
			if (r < 0)
				return r;
		}
		cgroup_wait(try % 8);
	}
}

/* ---- the end ---- */

/*
 * Removes the folders in a folder; the name of the first that has folders itself comes back in name, "" if there was none.
 * *ret_n: how many there were.
 */
static int remove_children(int folder, char name[NAME_MAX + 1], size_t *ret_n)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int r = 0;

	*name = 0;
	*ret_n = 0;
	if (!dir) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	while (!r && !*name && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || str_equal(d->d_name, ".") || str_equal(d->d_name, ".."))
			continue;
		++*ret_n;
		if (!unlinkat(folder, d->d_name, AT_REMOVEDIR) || errno == ENOENT)
			continue;
		if (errno == EBUSY)
			snprintf(name, NAME_MAX + 1, "%s", d->d_name);
		else
			r = -errno;
	}
	closedir(dir);
	return r;
}

/*
 * Whatever the payload made below path, however deep and with whatever names: step by step down and up again, as neither paths nor
 * open folders would reach far enough.  -EBUSY: there are processes.
 */
static int remove_below(const char *path)
{
	auto_fd folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	size_t depth = 0, n;
	bool down = false;

	if (folder < 0)
		return errno == ENOENT ? 0 : -errno;
	for (;;) {
		int next, r = remove_children(folder, name, &n);

		if (r && r != -ENOENT)
			return r;
		if (down && !n)
			return -EBUSY;
		down = *name;
		if (!down && !depth)
			return 0;
		next = openat(folder, down ? name : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0)
			return -errno;
		fd_close(folder);
		folder = next;
		depth += down ? 1 : -1;
	}
}

/* One rmdir(2) where the payload made nothing below. */
static int remove_tree(const char *path, int64_t end)
{
	for (unsigned try = 0;; try++) {
		int r = !rmdir(path) || errno == ENOENT ? 0 : -errno;

		if (r == -EBUSY)
			r = remove_below(path);
		else
			return r;
		if (!r && (!rmdir(path) || errno == ENOENT))
			return 0;
		if ((r && r != -EBUSY) || cgroup_clock() > end)
			return r ? r : -EBUSY;
		cgroup_wait(try);
	}
}

int cgroup_destroy(const struct cgroup *cgroup, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup);
	int64_t end;
	int result = 0;

	/* The scope goes first, else systemd would find its folder missing.  Gone with its last process is fine. */
	if (cgroup->scope) {
		result = systemd_unit_stop(cgroup->scope, systemd_is_users(cgroup), e);
		if (result < 0 && v2 && access(v2, F_OK) < 0)
			result = 0;
	}
	end = cgroup_clock() + REMOVE_DEADLINE;
	/* All are tried, the first failure is told: what can go should go. */
	for (size_t i = 0; i < cgroup->n_paths; i++) {
		int r = remove_tree(cgroup->paths[i].path, end);

		if (r < 0 && !result)
			result = r == -EBUSY
				     ? error_refuse(e, ERROR_STATE, "remove the cgroup '%s': processes are in it",
						    cgroup->paths[i].path)
				     : error_system(e, -r, "remove the cgroup '%s'", cgroup->paths[i].path);
	}
	return result;
}
