/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/helper.h"

/* The two kinds of id: everything that differs between them. */
struct id_kind {
	const char *name, *file, *program, *grants;
};

static const struct id_kind users = {"uid", "uid_map", "newuidmap", "/etc/subuid"};
static const struct id_kind groups = {"gid", "gid_map", "newgidmap", "/etc/subgid"};

/* Never PATH: the caller of a setuid program decides what it is called with, not which program it is. */
static const char *const helper_folders[] = {"/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"};

static bool maps_equal(const struct spec_id_map *a, size_t n_a, const struct spec_id_map *b, size_t n_b)
{
	return n_a == n_b && (!n_a || !memcmp(a, b, n_a * sizeof(*a)));
}

static bool is_equal(const struct idmap *a, const struct idmap *b)
{
	return maps_equal(a->uids, a->n_uids, b->uids, b->n_uids) && maps_equal(a->gids, a->n_gids, b->gids, b->n_gids);
}

/* One write for the whole map: the kernel takes no second one. */
static int write_map(int proc, const struct id_kind *kind, const struct spec_id_map *map, size_t n, struct error *e)
{
	auto_str text = STR_INIT;
	int r;

	for (size_t i = 0; i < n; i++)
		str_addf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map[i].container, map[i].host, map[i].size);
	r = file_write(proc, kind->file, str_peek(&text), text.size);
	if (!r)
		return 0;
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '\n')
			text.data[i] = i + 1 < text.size ? ',' : 0;
	return error_system(e, -r, "write the %s mapping '%.200s' (container, host, size)", kind->name,
			    str_peek(&text));
}

static bool is_own_id(const struct spec_id_map *map, size_t n, uint32_t own)
{
	return n == 1 && map->size == 1 && map->host == own;
}

/* The name behind uid by /etc/passwd itself (a static program has no NSS), or the number. */
static void print_user(uid_t uid, char *buffer, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry = NULL;

	while (file && (entry = fgetpwent(file)) && entry->pw_uid != uid)
		;
	if (entry)
		snprintf(buffer, size, "%s", entry->pw_name);
	else
		snprintf(buffer, size, "%u", uid);
	if (file)
		fclose(file);
}

/* Whether /etc/subuid or /etc/subgid gives user (by name or number) anything at all. */
static bool has_grant(const struct id_kind *kind, const char *user, uid_t uid)
{
	FILE *file = fopen(kind->grants, "re");
	char line[512], number[16];
	bool found = false;

	snprintf(number, sizeof(number), "%u", uid);
	while (file && !found && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = 0;
		found = str_equal(line, user) || str_equal(line, number);
	}
	if (file)
		fclose(file);
	return found;
}

static const char *find_program(const char *name, char *buffer, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(helper_folders); i++) {
		snprintf(buffer, size, "%s/%s", helper_folders[i], name);
		if (!access(buffer, X_OK))
			return buffer;
	}
	return NULL;
}

static int run_program(pid_t pid, const struct id_kind *kind, const struct spec_id_map *map, size_t n, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	const char **args = arena_array(&arena, const char *, 2 + 3 * n);
	char path[64], user[64];
	struct helper helper = {.path = find_program(kind->program, path, sizeof(path)),
				.args = args,
				.n_args = 2 + 3 * n,
				.cwd_fd = -1,
				.timeout = 60};
	int r;

	if (!helper.path)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "the %s mapping needs the program '%s' (package uidmap), which is not installed",
				    kind->name, kind->program);
	args[0] = kind->program;
	args[1] = arena_format(&arena, "%d", (int)pid);
	for (size_t i = 0; i < n; i++) {
		args[2 + 3 * i] = arena_format(&arena, "%" PRIu32, map[i].container);
		args[3 + 3 * i] = arena_format(&arena, "%" PRIu32, map[i].host);
		args[4 + 3 * i] = arena_format(&arena, "%" PRIu32, map[i].size);
	}
	r = helper_run(&helper, e);
	if (!r)
		return 0;
	print_user(getuid(), user, sizeof(user));
	if (!has_grant(kind, user, getuid()))
		return error_refuse(e, ERROR_PERMISSION, "the %s mapping: %s has no entry for user '%s'", kind->name,
				    kind->grants, user);
	error_context(e, "the %s mapping: '%s' for user '%s'", kind->name, helper.path, user);
	return r;
}

int idmap_write(pid_t pid, const struct idmap *map, struct error *e)
{
	bool privileged = !geteuid();
	auto_fd proc = -1;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	r = fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, NULL, &proc, e);
	if (r)
		return r;
	if (privileged || is_own_id(map->uids, map->n_uids, geteuid()))
		r = write_map(proc, &users, map->uids, map->n_uids, e);
	else
		r = run_program(pid, &users, map->uids, map->n_uids, e);
	if (r)
		return r;
	if (privileged)
		return write_map(proc, &groups, map->gids, map->n_gids, e);
	if (!is_own_id(map->gids, map->n_gids, getegid()))
		return run_program(pid, &groups, map->gids, map->n_gids, e);
	/* An ordinary user may map its group only where nobody can drop groups to get past a "deny" for them. */
	r = file_write(proc, "setgroups", "deny", 4);
	if (r)
		return error_system(e, -r, "write 'deny' to '%s/setgroups'", path);
	return write_map(proc, &groups, map->gids, map->n_gids, e);
}

/* ---- user namespaces for mounts ---- */

struct idmap_namespace {
	struct idmap_namespace *next;
	struct idmap map;
	int fd;
};

/*
 * Holds a new user namespace until it is killed.  It shares our memory (a copy of the page tables would cost more than
 * all the rest), so it does nothing but raw calls that can't fail: errno is shared too.
 */
static int hold_namespace(void *parent)
{
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (syscall(SYS_getppid) == *(const pid_t *)parent)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return 0;
}

static int open_namespace(pid_t pid, const struct idmap *map, int *ret_fd, struct error *e)
{
	char path[48];
	int r = idmap_write(pid, map, e);

	if (r)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return fd_open(AT_FDCWD, path, O_RDONLY, NULL, ret_fd, e);
}

static int make_namespace(const struct idmap *map, int *ret_fd, struct error *e)
{
	enum { STACK_SIZE = 16 * 1024 };
	auto_arena arena = ARENA_INIT;
	char *stack = arena_alloc(&arena, STACK_SIZE);
	pid_t self = getpid(), pid;
	int r;

	pid = clone(hold_namespace, stack + STACK_SIZE, CLONE_NEWUSER | CLONE_VM | SIGCHLD, &self);
	if (pid < 0)
		return error_system(e, errno, "make a user namespace for an idmapped mount");
	r = open_namespace(pid, map, ret_fd, e);
	/* The stack is released below, so it has to be dead by then. */
	kill(pid, SIGKILL);
	while (waitid(P_PID, pid, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
		;
	if (r)
		error_context(e, "user namespace for an idmapped mount");
	return r;
}

int idmap_open(struct idmap_cache *cache, const struct idmap *map, int *ret_fd, struct error *e)
{
	struct idmap_namespace *found;
	int fd = -1, r;

	for (found = cache->head; found; found = found->next)
		if (is_equal(&found->map, map)) {
			*ret_fd = found->fd;
			return 0;
		}
	r = make_namespace(map, &fd, e);
	if (r)
		return r;
	found = arena_new(cache->arena, struct idmap_namespace);
	found->map = *map;
	found->fd = fd;
	found->next = cache->head;
	cache->head = found;
	*ret_fd = fd;
	return 0;
}

void idmap_cache_release(struct idmap_cache *cache)
{
	for (struct idmap_namespace *n = cache->head; n; n = n->next)
		n->fd = fd_close(n->fd);
	cache->head = NULL;
}
