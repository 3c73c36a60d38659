/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "instances/quiet.h"
#include "runtime/idmap.h"
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

/* ---- an ordinary user's instance that does not run ---- */

_Noreturn static void write_maps(int socket, const struct idmap *map)
{
	struct error e = ERROR_INIT;
	char ready;
	int r;

	if (read(socket, &ready, 1) != 1)
		_exit(EXIT_FAILURE);
	r = idmap_write(getppid(), map, &e);
	if (write(socket, &e, sizeof(e)) != sizeof(e) || r)
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

/* The maps are written from outside, by a child that is born before. */
static int enter_namespaces(const struct idmap *map, struct error *e)
{
	struct error said = ERROR_INIT;
	int pair[2], status = 0, r = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_system(e, errno, "make a socket pair");
	pid = fork();
	if (!pid) {
		fd_close(pair[0]);
		write_maps(pair[1], map);
	}
	fd_close(pair[1]);
	if (pid < 0)
		r = error_system(e, errno, "fork");
	else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		r = error_system(e, errno, "make a user namespace for its ids");
	else if (write(pair[0], "", 1) != 1 || read(pair[0], &said, sizeof(said)) != sizeof(said))
		r = error_refuse(e, ERROR_SYSTEM, "its ids can't be mapped");
	fd_close(pair[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!r && status) {
		*e = said;
		return error_return(e);
	}
	return r;
}

/*
 * Its files have ids that only a user namespace like its own gives an ordinary user, and only in there may he mount: this process enters
 * one, for the rest of its life.
 */
static int become_like(const struct instance *i, struct error *e)
{
	struct spec spec;
	int r = instance_load_spec(i, &spec, e);
	const struct spec_linux *l = &spec.linux_;

	if (r)
		return r;
	r = enter_namespaces(&(struct idmap){l->uid_mappings, l->gid_mappings, l->n_uid_mappings, l->n_gid_mappings},
			     e);
	spec_release(&spec);
	if (!r && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		r = error_system(e, errno, "become root of its user namespace");
	return r;
}

static int open_stopped(const struct runtime *runtime, const struct instance *i, struct inside *ret, struct error *e)
{
	const struct root_view view = {.user_namespace = -1};
	auto_store store = STORE_INIT;
	int r = store_open(runtime->data, false, &store, e);

	store.rootless = runtime->rootless;
	if (!r && runtime->rootless && geteuid())
		r = become_like(i, e);
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
