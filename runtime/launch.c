/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"
#include "init/message.h"
#include "runtime/idmap.h"
#include "runtime/record.h"
#include "runtime/socket.h"
#include "runtime/spawn.h"

enum { DEATH_MS = 1000 }; /* how long the end of a process that has closed its files can take */

static const struct message_rule rules[_MESSAGE_N] = MESSAGE_RULES;

/* ---- the talk ---- */

static int tell(int socket, enum message_type type, const int *fds, size_t n_fds)
{
	uint32_t wire_type = type;

	return fd_send(socket, &wire_type, sizeof(wire_type), fds, n_fds);
}

/* What became of an init that said nothing. */
static int translate_death(struct launch *l, const char *during, struct error *e)
{
	siginfo_t info = {0};

	if (l->pidfd < 0 || waitid(P_PIDFD, (id_t)l->pidfd, &info, WEXITED | WNOWAIT) < 0)
		return error_refuse(e, ERROR_SYSTEM, "init ended without a word while the host side waited for %s",
				    during);
	if (info.si_code == CLD_EXITED)
		return error_refuse(
		    e, ERROR_SYSTEM, "init exited with status %d while the host side waited for %s%s", info.si_status,
		    during, str_equal(during, "execve(2)") ? " (a seccomp filter that forbids sendmsg hides why)" : "");
	return error_refuse(e, info.si_status == SIGKILL ? ERROR_LIMIT : ERROR_SYSTEM,
			    "init was killed by SIG%s while the host side waited for %s%s",
			    sigabbrev_np(info.si_status), during,
			    info.si_status == SIGKILL ? " (out of memory? see the memory limit)" : "");
}

/*
 * The end of file: execve(2) has closed the socket, or init died.  As long as it has not become the payload it bears its own
 * name.  A payload can give itself that name too; it does not end then.
 */
static int check_exec(struct launch *l, struct error *e)
{
	struct pollfd end = {.fd = l->pidfd, .events = POLLIN};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)l->pid);
	/* The kernel closes the socket before it gives the new name: in between it has neither ended nor a name of its own. */
	for (int pause = 1, waited = 0; waited < DEATH_MS; waited += pause, pause *= 2) {
		auto_free char *name = NULL;

		if (file_read(AT_FDCWD, path, 64, &name, NULL) || !str_equal(name, INIT_NAME "\n"))
			return 0;
		if (poll(&end, 1, pause) > 0)
			return translate_death(l, "execve(2)", e);
	}
	return 0;
}

/*
 * Receives what init says next; takes a console aside on the way.  wanted: MESSAGE_NONE stands for the end of file.
 */
static int expect(struct launch *l, enum message_type wanted, struct message *ret, int *ret_fd, struct error *e)
{
	struct message message;
	size_t size, n_fds;
	int fd = -1, r;

	for (;;) {
		r = fd_receive(l->socket, &message, sizeof(message), &size, &fd, 1, &n_fds);
		if (r == -ECONNRESET) /* init left something unread when it ended; what it said last is still to come */
			continue;
		if (r)
			return error_system(e, -r, "talk to init");
		if (!size)
			return wanted == MESSAGE_NONE ? check_exec(l, e) : translate_death(l, rules[wanted].name, e);
		if (message.type < _MESSAGE_N && rules[message.type].from_init &&
		    size == MESSAGE_SIZE(rules[message.type]) && n_fds >= rules[message.type].min_fds) {
			if (message.type == MESSAGE_ERROR) {
				*e = message.error;
				e->text[sizeof(e->text) - 1] = 0;
				return error_return(e);
			}
			if (message.type == MESSAGE_CONSOLE && l->plan && l->plan->console && l->console < 0) {
				l->console = fd;
				fd = -1;
				continue;
			}
			if (message.type == wanted || (wanted == MESSAGE_NONE && message.type == MESSAGE_LISTENER)) {
				*ret = message;
				if (ret_fd)
					*ret_fd = fd;
				else
					fd_close(fd);
				return 0;
			}
		}
		fd_close(fd);
		return error_bug(e, "expected %s from init, got message %u of %zu bytes", rules[wanted].name,
				 message.type, size);
	}
}

static int wait_for(struct launch *l, enum message_type wanted, struct error *e)
{
	struct message message;

	return expect(l, wanted, &message, NULL, e);
}

/* A send that finds nobody: init has said why, or its death tells. */
static int hand_over(struct launch *l, enum message_type type, const int *fds, size_t n_fds, struct error *e)
{
	int r = tell(l->socket, type, fds, n_fds);

	if (!r)
		return 0;
	if (r == -EPIPE || r == -ECONNRESET)
		return wait_for(l, MESSAGE_ERROR, e);
	return error_system(e, -r, "send %s to init", rules[type].name);
}

/* ---- what is handed over ---- */

/* Is it the one that we are in ourselves, the host's? */
static bool is_own_namespace(int fd, uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *path;
	} own[] = {{CLONE_NEWNS, "/proc/self/ns/mnt"},
		   {CLONE_NEWUTS, "/proc/self/ns/uts"},
		   {CLONE_NEWIPC, "/proc/self/ns/ipc"},
		   {CLONE_NEWNET, "/proc/self/ns/net"},
		   {CLONE_NEWUSER, "/proc/self/ns/user"}};
	struct stat given, ours;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].type == type)
			return !fstat(fd, &given) && !stat(own[i].path, &ours) && given.st_dev == ours.st_dev &&
			       given.st_ino == ours.st_ino;
	return false;
}

static int send_namespaces(struct launch *l, size_t from, size_t to, struct error *e)
{
	for (size_t i = from; i < to; i++) {
		const struct plan_namespace *n = &l->plan->joins[i];
		auto_fd fd = open(n->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		int r;

		if (fd < 0)
			return error_system(e, errno, "%s: open '%s'", n->cause, n->path);
		if (ioctl(fd, NS_GET_NSTYPE) != (int)n->type)
			return error_refuse(e, ERROR_INVALID, "%s: '%s' is not a namespace of that type", n->cause,
					    n->path);
		if (n->changer && is_own_namespace(fd, n->type))
			return error_refuse(e, ERROR_INVALID,
					    "%s: '%s' is the host's own namespace, which %s would change", n->cause,
					    n->path, n->changer);
		r = hand_over(l, MESSAGE_NAMESPACE, &fd, 1, e);
		if (r)
			return r;
	}
	return 0;
}

static int open_map(struct launch *l, const struct plan_tree *tree, struct idmap_cache *maps, int *ret_fd,
		    bool *ret_own, struct error *e)
{
	(void)l;
	*ret_own = tree->map_namespace != NULL;
	if (tree->map_namespace)
		return fd_open(AT_FDCWD, tree->map_namespace, O_RDONLY, NULL, ret_fd, e);
	return idmap_open(maps, tree->map, ret_fd, e);
}

/* Opens a mount source of the host as a detached tree. */
static int open_source(struct launch *l, const struct plan_tree *tree, struct idmap_cache *maps, int *ret_fd,
		       struct error *e)
{
	auto_fd fd = syscall(SYS_open_tree, AT_FDCWD, tree->path,
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (tree->recursive ? AT_RECURSIVE : 0) |
				 (tree->nofollow ? AT_SYMLINK_NOFOLLOW : 0));
	struct stat st;

	if (fd < 0)
		return error_system(e, errno, "%s: open the %s '%s'", tree->cause,
				    tree->use == PLAN_TREE_ROOT ? "root" : "source", tree->path);
	if (tree->use == PLAN_TREE_ROOT && (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode)))
		return error_system(e, ENOTDIR, "%s: '%s'", tree->cause, tree->path);
	if (tree->map || tree->map_namespace) {
		struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
		int map, r;
		bool own;

		r = open_map(l, tree, maps, &map, &own, e);
		if (r) {
			error_context(e, "%s", tree->cause);
			return r;
		}
		attr.userns_fd = (uint64_t)map;
		r = syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (tree->map_recursive ? AT_RECURSIVE : 0), &attr,
			    sizeof(attr));
		if (r < 0)
			r = error_system(e, errno, "%s: idmap '%s'%s", tree->cause, tree->path,
					 errno == EINVAL ? " (its file system can't be idmapped on this kernel)" : "");
		if (own)
			fd_close(map);
		if (r)
			return r;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Without root it can be had only as long as init is dumpable: while init waits for its maps. */
static int open_own_user(const struct launch *l, int *ret_user, struct error *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)l->pid);
	return fd_open(AT_FDCWD, path, O_RDONLY, NULL, ret_user, e);
}

static bool makes_root(const struct plan_result *plan)
{
	return plan->n_trees && plan->trees[0].use == PLAN_TREE_MADE_ROOT;
}

/* The network is joined beside init's mounts; the files that it makes come first. */
static int send_trees(struct launch *l, struct error *e)
{
	struct arena arena = ARENA_INIT;
	struct idmap_cache maps = {.arena = &arena};
	bool has_files = false;
	int r = 0;

	/* One at a time and closed at once: a pod with hundreds of mounts needs a handful of descriptors. */
	for (size_t i = 0; i < l->plan->n_trees && !r; i++) {
		auto_fd fd = -1;

		if (l->plan->trees[i].of_network && !has_files) {
			r = l->on_network_files(l->data, e);
			has_files = true;
		}
		if (l->plan->trees[i].use == PLAN_TREE_MADE_ROOT)
			fd = take_fd(&l->root);
		else if (!r)
			r = open_source(l, &l->plan->trees[i], &maps, &fd, e);
		if (!r)
			r = hand_over(l, MESSAGE_TREE, &fd, 1, e);
	}
	if (!r && l->plan->network)
		r = l->on_networked(l->data, e);
	if (!r && l->plan->network)
		r = hand_over(l, MESSAGE_GO, NULL, 0, e);
	idmap_cache_release(&maps);
	arena_release(&arena);
	return r;
}

/*
 * init went on in a child of ours that it made: that one is the container from now on, and does not wait until the first has
 * ended.
 */
static int adopt_child(struct launch *l, struct error *e)
{
	auto_fd first = -1;
	struct pollfd either[] = {{.fd = l->socket, .events = POLLIN}, {.fd = l->pidfd, .events = POLLIN}};
	struct message message;
	siginfo_t info;
	int r;

	/* Its child has the socket too: should init die before it told of the child, there would be no end of file. */
	while ((r = poll(either, ARRAY_SIZE(either), -1)) < 0 && errno == EINTR)
		;
	if (r < 0)
		return error_system(e, errno, "wait for init");
	if (!either[0].revents)
		return translate_death(l, rules[MESSAGE_PID].name, e);
	r = expect(l, MESSAGE_PID, &message, NULL, e);
	if (r)
		return r;
	first = take_fd(&l->pidfd);
	l->pid = message.pid;
	l->pidfd = sys_pidfd_open(l->pid, 0);
	if (l->pidfd < 0)
		r = error_system(e, errno, "open init's pidfd");
	if (!r && l->on_pid)
		r = l->on_pid(l->data, l->pid, l->pidfd, e);
	if (!r)
		r = hand_over(l, MESSAGE_GO, NULL, 0, e);
	waitid(P_PIDFD, (id_t)first, &info, WEXITED);
	return r;
}

static int begin_network(struct launch *l, struct error *e)
{
	char path[64];
	auto_fd netns = -1;
	int r = wait_for(l, MESSAGE_NAMESPACES, e);

	if (r)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)l->pid);
	r = fd_open(AT_FDCWD, path, O_RDONLY, NULL, &netns, e);
	return r ? r : l->on_network(l->data, netns, e);
}

static int make_sockets(int *ret_ours, int *ret_theirs, struct error *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_system(e, errno, "make the socket pair to init");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	fcntl(pair[1], F_SETFD, 0);
	return 0;
}

/* How many of the joins come before the user namespace's maps: the user namespace itself. */
static size_t early_joins(const struct plan_result *plan)
{
	return plan->n_joins && plan->joins[0].type == CLONE_NEWUSER ? 1 : 0;
}

int launch_begin(struct launch *l, struct error *e)
{
	auto_fd theirs = -1, plan = -1;
	int r = make_sockets(&l->socket, &theirs, e);

	if (!r)
		r = block_to_memfd(&l->plan->block, &plan, e);
	if (!r)
		r = spawn_init(l->plan->clone_flags, l->entry->into_fd, theirs, plan, &l->pid, &l->pidfd, e);
	return r;
}

/* Everything between the clone and MESSAGE_READY, in the order of the plan. */
int launch_ready(struct launch *l, struct error *e)
{
	size_t early = early_joins(l->plan);
	bool own_root = makes_root(l->plan);
	auto_fd user = -1; /* what a root of holm's own making is mapped for */
	int r = 0;

	if (!l->plan->forks && l->on_pid)
		r = l->on_pid(l->data, l->pid, l->pidfd, e);
	if (!r)
		r = send_namespaces(l, 0, early, e);
	if (!r && l->plan->map) {
		r = wait_for(l, MESSAGE_NAMESPACES, e);
		if (!r)
			r = idmap_write(l->pid, l->plan->map, e);
		if (!r && own_root)
			r = open_own_user(l, &user, e);
		if (!r)
			r = hand_over(l, MESSAGE_GO, NULL, 0, e);
	} else if (!r && own_root && l->plan->user_path) {
		r = fd_open(AT_FDCWD, l->plan->user_path, O_RDONLY, NULL, &user, e);
	}
	if (!r && l->on_mapped)
		r = l->on_mapped(l->data, e);
	if (!r)
		r = send_namespaces(l, early, l->plan->n_joins, e);
	if (!r && l->plan->enters_cgroups)
		r = hand_over(l, MESSAGE_CGROUPS, l->entry->join_fds, l->entry->n_joins, e);
	if (!r && l->join_pidfd >= 0)
		r = hand_over(l, MESSAGE_NAMESPACE, &l->join_pidfd, 1, e);
	/* Before anything is waited for: beside init, which makes its namespaces. */
	if (!r && own_root)
		r = l->on_root(l->data, user, &l->root, e);
	if (!r && l->plan->forks)
		r = adopt_child(l, e);
	if (!r && l->plan->network)
		r = begin_network(l, e);
	if (!r)
		r = send_trees(l, e);
	if (!r && l->plan->host_hooks) {
		r = wait_for(l, MESSAGE_MOUNTED, e);
		if (!r)
			r = l->on_mounted(l->data, l->pid, e);
		if (!r)
			r = hand_over(l, MESSAGE_GO, NULL, 0, e);
	}
	if (!r && l->start_socket >= 0)
		r = hand_over(l, MESSAGE_START, &l->start_socket, 1, e);
	if (!r)
		r = wait_for(l, MESSAGE_READY, e);
	return r;
}

int launch_finish(struct launch *l, struct error *e)
{
	struct message message = {.type = MESSAGE_NONE};
	auto_fd listener = -1;
	int r = expect(l, MESSAGE_NONE, &message, &listener, e);

	if (!r && message.type == MESSAGE_LISTENER) {
		r = l->on_listener(l->data, l->pid, listener, e);
		if (!r)
			r = hand_over(l, MESSAGE_GO, NULL, 0, e);
		if (!r)
			r = wait_for(l, MESSAGE_NONE, e);
	}
	l->socket = fd_close(l->socket);
	return r;
}

void launch_kill(struct launch *l)
{
	siginfo_t info;

	if (l->pidfd < 0)
		return;
	sys_pidfd_send_signal(l->pidfd, SIGKILL);
	waitid(P_PIDFD, (id_t)l->pidfd, &info, WEXITED);
}

void launch_release(struct launch *l)
{
	l->socket = fd_close(l->socket);
	l->pidfd = fd_close(l->pidfd);
	l->console = fd_close(l->console);
	l->root = fd_close(l->root);
}

/* ---- holm start ---- */

int launch_is_waiting(int folder, struct error *e)
{
	auto_fd fd = -1;
	int r = socket_connect(folder, RECORD_START, SOCK_SEQPACKET | SOCK_NONBLOCK, "start socket", &fd, e);

	return r == -EAGAIN
		   ? 0
		   : r; /* an init that was stopped while it waits: others have asked already, and fill its queue */
}

int launch_start(int folder, const char *id, pid_t pid, const struct launch *callbacks, struct error *e)
{
	struct launch l = *callbacks;
	int r;

	l.plan = NULL;
	l.console = l.socket = l.root = -1;
	l.pid = pid;
	r = socket_connect(folder, RECORD_START, SOCK_SEQPACKET, "start socket", &l.socket, e);
	if (r)
		return error_refuse(e, ERROR_STATE, "cannot start an already running container: '%s'", id);
	r = tell(l.socket, MESSAGE_GO, NULL, 0);
	if (r)
		r = error_refuse(e, ERROR_STATE, "cannot start an already running container: '%s'", id);
	if (!r) {
		struct message message;

		r = expect(&l, MESSAGE_READY, &message, NULL, e);
		if (r)
			r = error_refuse(e, ERROR_STATE, "cannot start an already running container: '%s'", id);
	}
	if (!r) {
		r = launch_finish(&l, e);
		if (r)
			error_context(e, "container '%s'", id);
		unlinkat(folder, RECORD_START, 0);
	}
	l.pidfd = -1; /* the caller's */
	launch_release(&l);
	return r;
}
