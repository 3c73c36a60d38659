/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/disk.h"
#include "storage/jsonfile.h"

#define CLAIMS "projects"

enum {
	FIRST_PROJECT = 1 << 20, /* below are the numbers that people choose */
	ATTEMPTS = 1000,
	BLOCK = 1024, /* QIF_DQBLKSIZE: the unit of limits */
};

static const char *const names[_QUOTA_WAY_N] = {
    [QUOTA_NONE] = "none", [QUOTA_PROJECT] = "project", [QUOTA_DISK] = "disk"};

const char *quota_way_name(enum quota_way way)
{
	return names[way];
}

static int quotactl(int fd, unsigned command, uint32_t project, void *data)
{
	return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, data) < 0 ? -errno : 0;
}

/* FS_QUOTA_PDQ_... of the file system; 0: it knows no project quotas. */
static unsigned state(int fd)
{
	struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};

	return quotactl(fd, Q_XGETQSTATV, 0, &state) ? 0 : state.qs_flags;
}

bool quota_counts(int dirfd)
{
	return state(dirfd) & FS_QUOTA_PDQ_ACCT;
}

enum quota_way quota_find(int dirfd, bool rootless, char *why, size_t size)
{
	char unused[1], reason[128];
	unsigned flags = rootless ? 0 : state(dirfd);

	if (!why) {
		why = unused;
		size = sizeof(unused);
	}
	if (rootless) {
		snprintf(why, size, "limits on what is written need root on the host");
		return QUOTA_NONE;
	}
	if (flags & FS_QUOTA_PDQ_ENFD) {
		snprintf(why, size, "project quotas of the file system");
		return QUOTA_PROJECT;
	}
	if (disk_is_possible(reason, sizeof(reason))) {
		snprintf(why, size,
			 "a file system of its own in a sparse file%s (mounted with 'prjquota', ext4 and XFS "
			 "could do it themselves)",
			 flags & FS_QUOTA_PDQ_ACCT ? ", as project quotas are counted but not enforced" : "");
		return QUOTA_DISK;
	}
	snprintf(why, size, "no project quotas on this file system, and no file system in a file: %s", reason);
	return QUOTA_NONE;
}

/* Does anybody use that number on this file system? */
static bool is_used(int fd, uint32_t project)
{
	struct if_dqblk quota = {0};

	if (quotactl(fd, Q_GETQUOTA, project, &quota))
		return false; /* XFS: there is no such quota */
	return quota.dqb_curspace || quota.dqb_curinodes || quota.dqb_bhardlimit || quota.dqb_ihardlimit;
}

static int lock(int fd, int how)
{
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The lock is shared by all who claim: only a sweep is kept out. */
int quota_claim(const struct store *store, int *ret_claim, uint32_t *ret_project, struct error *e)
{
	auto_fd claims = -1;
	int r = store_open_folder(store, CLAIMS, true, &claims, e);

	if (!r && (r = lock(claims, LOCK_SH)))
		r = error_system(e, -r, "lock '%s/" CLAIMS "'", store->path);
	for (int i = 0; i < ATTEMPTS && !r; i++) {
		uint32_t number;
		char name[16];

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return error_system(e, errno, "draw a project id");
		number = FIRST_PROJECT + number % (INT32_MAX - FIRST_PROJECT);
		snprintf(name, sizeof(name), "%u", number);
		if (is_used(claims, number))
			continue;
		r = file_create(claims, name, 0600, "", 0);
		if (!r) {
			*ret_project = number;
			*ret_claim = take_fd(&claims);
			return 0;
		}
		r = r == -EEXIST ? 0 : error_system(e, -r, "write '%s/" CLAIMS "/%s'", store->path, name);
	}
	return r ? r : error_refuse(e, ERROR_LIMIT, "no project id is free");
}

void quota_release(const struct store *store, uint32_t project)
{
	auto_fd claims = -1;
	struct error ignored;
	char name[16];

	if (!project || store_open_folder(store, CLAIMS, false, &claims, &ignored))
		return;
	snprintf(name, sizeof(name), "%u", project);
	if (!quota_set(claims, project, 0, 0, &ignored))
		unlinkat(claims, name, 0);
}

/* ---- ids that were left behind ---- */

struct numbers {
	struct arena arena;
	uint32_t *list;
	size_t n, room;
};

static void add_number(struct numbers *numbers, uint32_t number)
{
	numbers->list = arena_grow(&numbers->arena, numbers->list, numbers->n, &numbers->room, sizeof(number));
	numbers->list[numbers->n++] = number;
}

/* What the one folder's record names; a folder that goes meanwhile names nothing. */
static int add_named(struct numbers *numbers, int parent, const char *name, struct error *e)
{
	static const char *const records[] = {"root.json", "volume.json"};
	auto_fd folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? 0
			   : error_system(e, errno, "open '%s'", name);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		auto_json *json = NULL;
		uint64_t project;
		int r = jsonfile_read(folder, records[i], &json, e);

		if (r && e->kind == ERROR_NOT_FOUND)
			continue;
		if (r) {
			error_context(e, "'%s'", name);
			return r;
		}
		project = json_find_uint(json, "project", 0);
		if (project)
			add_number(numbers, (uint32_t)project);
	}
	return 0;
}

static int look_at(int folder, const char *name, void *data, struct error *e)
{
	return add_named(data, folder, name, e);
}

struct sweep {
	const struct store *store;
	struct numbers named;
	size_t n;
};

static int sweep_one(int folder, const char *name, void *data, struct error *e)
{
	struct sweep *sweep = data;
	uint64_t number;

	(void)folder, (void)e;
	if (parse_u64(name, FIRST_PROJECT, INT32_MAX, &number))
		return 0;
	for (size_t i = 0; i < sweep->named.n; i++)
		if (sweep->named.list[i] == number)
			return 0;
	quota_release(sweep->store, (uint32_t)number);
	sweep->n++;
	return 0;
}

/* In this order: what gets its name meanwhile goes from tmp/ to where it belongs. */
int quota_sweep(const struct store *store, size_t *ret_n, struct error *e)
{
	static const char *const places[] = {"tmp", "instances", "volumes"};
	struct sweep sweep = {.store = store};
	auto_fd claims = -1;
	int r = store_open_folder(store, CLAIMS, false, &claims, e);

	*ret_n = 0;
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	if (lock(claims, LOCK_EX | LOCK_NB))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(places) && !r; i++)
		r = store_each_entry(store, places[i], look_at, &sweep.named, e);
	if (!r)
		r = store_each_entry(store, CLAIMS, sweep_one, &sweep, e);
	arena_release(&sweep.named.arena);
	*ret_n = sweep.n;
	return r;
}

/* ---- folders ---- */

int quota_assign(int folder, uint32_t project, struct error *e)
{
	struct fsxattr attributes;

	if (ioctl(folder, FS_IOC_FSGETXATTR, &attributes) < 0)
		return error_system(e, errno, "read the project id of a folder");
	attributes.fsx_projid = project;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	if (ioctl(folder, FS_IOC_FSSETXATTR, &attributes) < 0)
		return error_system(e, errno, "give a folder the project id %u", project);
	return 0;
}

/* A limit smaller than one block would be none at all. */
static uint64_t blocks(uint64_t bytes)
{
	return bytes / BLOCK + !!(bytes % BLOCK);
}

int quota_set(int folder, uint32_t project, uint64_t bytes, uint64_t inodes, struct error *e)
{
	struct if_dqblk quota = {
	    .dqb_bhardlimit = blocks(bytes), .dqb_ihardlimit = inodes, .dqb_valid = QIF_BLIMITS | QIF_ILIMITS};
	int r = quotactl(folder, Q_SETQUOTA, project, &quota);

	return r ? error_system(e, -r, "set the limits of project id %u", project) : 0;
}

int quota_get(int folder, uint32_t project, uint64_t *ret_bytes, uint64_t *ret_inodes, struct error *e)
{
	struct if_dqblk quota = {0};
	int r = quotactl(folder, Q_GETQUOTA, project, &quota);

	if (r == -ENOENT) /* XFS: nothing was ever counted for it */
		r = 0;
	if (r)
		return error_system(e, -r, "read the use of project id %u", project);
	*ret_bytes = quota.dqb_curspace;
	*ret_inodes = quota.dqb_curinodes;
	return 0;
}
