/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "instances/quiet.h"
#include "storage/root.h"

enum { LOOKUP_TRIES = 2000 }; /* openat2(2) answers EAGAIN while somebody renames: at least 2 ms */

/* Lines of "inside outside count". */
static int read_map(int process, const char *name, struct copy_map *ret, struct error *e)
{
	auto_free char *text = NULL;
	unsigned inside, outside, count;
	int n, r = file_read(process, name, 65536, &text, NULL);

	if (r)
		return error_system(e, -r, "read '%s' of its first process", name);
	*ret = (struct copy_map){0};
	for (const char *p = text; sscanf(p, "%u %u %u%n", &inside, &outside, &count, &n) == 3; p += n) {
		if (ret->n == ARRAY_SIZE(ret->ranges))
			return error_refuse(e, ERROR_UNSUPPORTED, "its ids are mapped in more than %zu ranges", ret->n);
		ret->ranges[ret->n++] = (struct copy_range){outside, inside, count};
	}
	if (ret->n == 1 && !ret->ranges[0].first && !ret->ranges[0].to && ret->ranges[0].count == UINT32_MAX)
		ret->n = 0;
	return 0;
}

/* The pid is believed if its process was there before and after it was looked up. */
static int open_running(const struct runtime *runtime, const struct instance *i, pid_t pid, struct inside *ret,
			struct error *e)
{
	auto_fd pidfd = sys_pidfd_open(pid, 0), process = -1;
	struct quiet again;
	char path[32];
	int r;

	if (pidfd < 0)
		return error_system(e, errno, "find the first process of '%s'", i->name);
	r = quiet_look(runtime, i, &again, e);
	if (!r && again.pid != pid)
		r = error_refuse(e, ERROR_STATE, "instance '%s' is being restarted", i->name);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (!r)
		r = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, NULL, &process, e);
	if (!r)
		r = read_map(process, "uid_map", &ret->uids, e);
	if (!r)
		r = read_map(process, "gid_map", &ret->gids, e);
	if (!r)
		r = fd_open(process, "root", O_PATH | O_DIRECTORY, "the root of its first process", &ret->root, e);
	if (!r && sys_pidfd_send_signal(pidfd, 0) < 0)
		r = error_refuse(e, ERROR_STATE, "instance '%s' has just ended", i->name);
	return r;
}

static int open_stopped(const struct runtime *runtime, const struct instance *i, struct inside *ret, struct error *e)
{
	const struct root_view view = {.user_namespace = -1};
	auto_store store = STORE_INIT;
	int r = store_open(runtime->data, false, &store, e);

	store.rootless = runtime->rootless;
	return r ? r : root_open(&store, i->folder, &view, &ret->root, e);
}

int inside_open(const struct runtime *runtime, const struct instance *i, struct inside *ret, struct error *e)
{
	struct inside inside = INSIDE_INIT;
	struct quiet quiet;
	int r = quiet_look(runtime, i, &quiet, e);

	if (!r)
		r = quiet.runs ? open_running(runtime, i, quiet.pid, &inside, e) : open_stopped(runtime, i, &inside, e);
	if (r)
		inside_close(&inside);
	else
		*ret = inside;
	return r;
}

void inside_close(struct inside *inside)
{
	inside->root = fd_close(inside->root);
}

int inside_find(const struct inside *inside, const char *path, int flags, int *ret_fd, struct error *e)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	const struct timespec pause = {.tv_nsec = 1000};
	int fd = -1;

	for (int i = 0; i < LOOKUP_TRIES; i++) {
		fd = sys_openat2(inside->root, path, &how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
		nanosleep(&pause, NULL);
	}
	if (fd < 0)
		return error_system(e, errno, "open '%s' in the instance", path);
	*ret_fd = fd;
	return 0;
}

void inside_turn(const struct copy_map *from, struct copy_map *ret)
{
	*ret = *from;
	for (size_t i = 0; i < from->n; i++) {
		ret->ranges[i].first = from->ranges[i].to;
		ret->ranges[i].to = from->ranges[i].first;
	}
}

int inside_become_root(const struct inside *inside, struct error *e)
{
	struct copy_map uids, gids;
	int bits;

	inside_turn(&inside->uids, &uids);
	inside_turn(&inside->gids, &gids);
	if (!uids.n || geteuid())
		return 0;
	if (uids.ranges[0].first || gids.ranges[0].first)
		return error_refuse(e, ERROR_UNSUPPORTED, "its user namespace has no root");
	bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	if (bits < 0 || prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return error_system(e, errno, "keep capabilities for another user");
	setfsgid(gids.ranges[0].to);
	setfsuid(uids.ranges[0].to);
	return 0;
}
