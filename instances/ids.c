/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/ids.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/instance.h"

/* Numbers of ranges: their first id divided by IDS_SIZE. */
static const struct {
	uint32_t from, to;
} pools[] = {{0x7000, 0x7ffd}, {0x8001, 0xfffd}};

enum { FRESH_SECONDS = 60 }; /* a range this young may belong to an instance that is being made */

static int open_folder(const struct runtime *runtime, bool make, int *ret_fd, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	const char *path = NULL;
	int fd, r = instances_path(runtime, "ids", &arena, &path, e);

	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		if (mkdir(path, 0700) && errno != EEXIST)
			return error_system(e, errno, "make the folder '%s'", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return error_system(e, errno, "open '%s'", path);
	*ret_fd = fd;
	return 0;
}

/* FNV-1a: where an instance looks first, so that two that are made at once rarely meet. */
static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return h;
}

/* Does the instance that has this range still exist?  While it is being made it does not, so the link's age counts, too. */
static bool is_stale(const struct runtime *runtime, int folder, const char *range)
{
	auto_instance i = INSTANCE_INIT;
	struct error ignored;
	char name[256];
	struct stat st;
	ssize_t n = readlinkat(folder, range, name, sizeof(name) - 1);

	if (n < 0 || fstatat(folder, range, &st, AT_SYMLINK_NOFOLLOW) || time(NULL) - st.st_ctime < FRESH_SECONDS)
		return false;
	name[n] = 0;
	return instance_find(runtime, name, &i, &ignored) == 1;
}

int ids_take(const struct runtime *runtime, const char *name, uint32_t *ret_first, struct error *e)
{
	auto_fd folder = -1;
	int r = open_folder(runtime, true, &folder, e);

	if (r)
		return r < 0 ? r : error_refuse(e, ERROR_STATE, "the folder of id ranges was removed meanwhile");
	for (size_t p = 0; p < ARRAY_SIZE(pools); p++) {
		uint32_t n = pools[p].to - pools[p].from, start = hash(name) % n;

		for (uint32_t k = 0; k < n; k++) {
			uint32_t number = pools[p].from + (start + k) % n;
			char range[16];

			snprintf(range, sizeof(range), "%u", number * (uint32_t)IDS_SIZE);
			if (!symlinkat(name, folder, range)) {
				*ret_first = number * (uint32_t)IDS_SIZE;
				return 0;
			}
			if (errno != EEXIST)
				return error_system(e, errno, "record an id range for instance '%s'", name);
			if (!is_stale(runtime, folder, range))
				continue;
			if (unlinkat(folder, range, 0) && errno != ENOENT)
				return error_system(e, errno, "free the id range %s", range);
			k--;
		}
	}
	return error_refuse(e, ERROR_LIMIT, "all id ranges are taken: remove instances, or use --userns host");
}

static bool is_ours(int folder, const char *range, const char *name)
{
	char owner[256];
	ssize_t n = readlinkat(folder, range, owner, sizeof(owner) - 1);

	if (n < 0)
		return false;
	owner[n] = 0;
	return str_equal(owner, name);
}

void ids_release(const struct runtime *runtime, const char *name, uint32_t first)
{
	struct error ignored;
	auto_fd folder = -1;
	char range[16];

	snprintf(range, sizeof(range), "%u", first);
	if (!open_folder(runtime, false, &folder, &ignored) && is_ours(folder, range, name) &&
	    unlinkat(folder, range, 0))
		log_warning("free the id range %s: %s", range, strerror(errno));
}

int ids_rename(const struct runtime *runtime, const char *name, uint32_t first, const char *new_name, struct error *e)
{
	auto_fd folder = -1;
	char range[16], temporary[24];
	int r = open_folder(runtime, false, &folder, e);

	if (r)
		return r < 0 ? r : 0;
	snprintf(range, sizeof(range), "%u", first);
	if (!is_ours(folder, range, name))
		return 0;
	snprintf(temporary, sizeof(temporary), ".%u", first);
	if ((unlinkat(folder, temporary, 0) && errno != ENOENT) || symlinkat(new_name, folder, temporary) ||
	    renameat(folder, temporary, folder, range))
		return error_system(e, errno, "record the id range %s for instance '%s'", range, new_name);
	return 0;
}

int ids_collect(const struct runtime *runtime, void (*told)(const char *what, void *data), void *data, struct error *e)
{
	struct dirent *entry;
	int folder = -1, r;
	DIR *dir;

	r = runtime->data ? open_folder(runtime, false, &folder, e) : 1;
	if (r)
		return r < 0 ? r : 0;
	dir = fdopendir(folder);
	if (!dir) {
		fd_close(folder);
		return error_system(e, ENOMEM, "list the id ranges");
	}
	while ((entry = readdir(dir))) {
		char what[320];

		if (*entry->d_name == '.' || !is_stale(runtime, folder, entry->d_name) ||
		    unlinkat(folder, entry->d_name, 0))
			continue;
		snprintf(what, sizeof(what), "id range %s", entry->d_name);
		if (told)
			told(what, data);
	}
	closedir(dir);
	return 0;
}
