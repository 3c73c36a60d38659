/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back: from a process of the host to the container that it belongs to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cgroups/host.h"
#include "runtime/container.h"

enum { PROC_FILE_MAX = 1 << 20 };

struct search {
	const struct cgroup_host *process; /* the hierarchies, with the process's place in each as own */
	struct arena *arena;
	size_t depth; /* length of the longest path that matched */
	struct container_state found;
};

static int read_proc(pid_t pid, const char *file, char **ret, struct error *e)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = file_read(AT_FDCWD, path, PROC_FILE_MAX, ret, NULL);
	if (r == -ENOENT || r == -ESRCH)
		return error_refuse(e, ERROR_NOT_FOUND, "process %d: no such process", (int)pid);
	return r ? error_system(e, -r, "read '%s'", path) : 0;
}

/* The length of path if the process is in that folder of this hierarchy, or below it; else 0. */
static size_t match(const struct cgroup_hierarchy *h, const struct cgroup_path *path)
{
	const char *below = str_after(path->path, h->mount), *rest;

	if (!str_equal(h->controllers, path->controllers) || !below || *below != '/')
		return 0;
	rest = str_after(h->own, below);
	return rest && (!*rest || *rest == '/') ? strlen(below) : 0;
}

/* In a container within a container the deepest folder says which one it is. */
static void compare(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	struct search *search = data;
	const struct cgroup_host *host = search->process;
	size_t depth = 0;

	(void)id;
	if (broken)
		return;
	for (size_t i = 0; i < state->cgroup.n_paths; i++) {
		for (size_t k = 0; !depth && k < host->n_v1; k++)
			depth = match(&host->v1[k], &state->cgroup.paths[i]);
		if (!depth && host->v2)
			depth = match(host->v2, &state->cgroup.paths[i]);
	}
	if (depth <= search->depth)
		return;
	search->depth = depth;
	search->found = *state;
}

/* The last number of NSpid: the pid in the innermost namespace. */
static pid_t find_inner_pid(const char *status)
{
	const char *line = strstr(status, "\nNSpid:"), *last;
	int pid = 0;

	if (!line)
		return 0;
	line++;
	last = line + strcspn(line, "\n");
	while (last > line && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return sscanf(last, "%d", &pid) == 1 ? pid : 0;
}

int container_of_process(const struct runtime *runtime, pid_t pid, struct arena *arena, struct container_state *ret,
			 pid_t *ret_inner_pid, struct error *e)
{
	auto_free char *text = NULL, *status = NULL;
	struct search search = {.arena = arena};
	struct cgroup_host *host, *process;
	int r = cgroup_host_find(arena, &host, e);

	if (!r)
		r = read_proc(pid, "cgroup", &text, e);
	if (!r)
		r = read_proc(pid, "status", &status, e);
	if (!r)
		r = cgroup_host_parse(arena, text, host->v2 ? host->v2->mount : NULL, &process, e);
	if (r)
		return r;
	search.process = process;
	r = container_each(runtime, arena, compare, &search, e);
	if (!r && !search.depth)
		r = error_refuse(e, ERROR_NOT_FOUND, "process %d belongs to no container", (int)pid);
	if (r)
		return r;
	*ret = search.found;
	*ret_inner_pid = find_inner_pid(status);
	return 0;
}
