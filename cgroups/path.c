/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/path.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"

const char *cgroup_find_v2(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->n_paths; i++)
		if (!*cgroup->paths[i].controllers)
			return cgroup->paths[i].path;
	return NULL;
}

const char *cgroup_find_v1(const struct cgroup *cgroup, enum cgroup_controller controller)
{
	for (size_t i = 0; controller < _CGROUP_CONTROLLER_N && i < cgroup->n_paths; i++)
		if (cgroup_controllers_parse(cgroup->paths[i].controllers, CGROUP_V1) & (1u << controller))
			return cgroup->paths[i].path;
	return NULL;
}

const char *cgroup_find_path(const struct cgroup *cgroup, enum cgroup_controller controller)
{
	const char *v1 = cgroup_find_v1(cgroup, controller);

	return v1 ? v1 : cgroup_find_v2(cgroup);
}

const char *cgroup_path_clean(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 2), *end = out;

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.') {
			while (end > out && *--end != '/')
				;
		} else if (length && !(length == 1 && *path == '.')) {
			*end++ = '/';
			memcpy(end, path, length);
			end += length;
		}
		path += length + (path[length] == '/');
	}
	if (end == out)
		*end++ = '/';
	*end = 0;
	return out;
}

/* "/a/b" -> "/a"; "/a" and "/" -> "" */
static const char *find_parent(struct arena *arena, const char *path)
{
	char *parent = arena_strdup(arena, path);

	*strrchr(parent, '/') = 0;
	return parent;
}

static bool may_make_folders(struct arena *arena, const char *mount, const char *path)
{
	return !access(arena_format(arena, "%s%s", mount, path), W_OK) &&
	       !access(arena_format(arena, "%s%s/cgroup.procs", mount, path), W_OK);
}

static const char *choose_base(const struct cgroup_hierarchy *h, const struct cgroup_request *request,
			       struct arena *arena, const char **ret_folder)
{
	const char *own = str_equal(h->own, "/") ? "" : h->own, *parent;

	*ret_folder = "";
	if (*h->controllers)
		return own;
	if (!request->rootless && !access(SYSTEMD_RUNS, F_OK)) {
		*ret_folder = "/holm.slice";
		return "";
	}
	if (!*own)
		return own;
	parent = find_parent(arena, own);
	return !request->rootless || may_make_folders(arena, h->mount, parent) ? parent : own;
}

int cgroup_path_choose(const struct cgroup_hierarchy *h, const struct cgroup_request *request, struct arena *arena,
		       const char **ret_path, const char **ret_base, struct error *e)
{
	const char *given = request->cgroups_path, *base = "", *folder = "", *rest;

	if (given && *given) {
		for (const char *p = given; *p; p++)
			if ((unsigned char)*p < ' ')
				return error_refuse(e, ERROR_INVALID, "linux.cgroupsPath: has a control character");
		rest = cgroup_path_clean(arena, given);
		if (str_equal(rest, "/"))
			return error_refuse(e, ERROR_INVALID,
					    "linux.cgroupsPath: '%s' is the root, which can't be a container's", given);
		if (*given != '/')
			base = choose_base(h, request, arena, &folder);
	} else {
		base = choose_base(h, request, arena, &folder);
		/* No folder of holm's own above it, where systemd doesn't keep one: nothing would remove that in the end. */
		rest = arena_join(arena, *folder ? "/" : "/holm-", request->id, NULL);
	}
	*ret_path = arena_join(arena, h->mount, base, folder, rest, NULL);
	*ret_base = arena_join(arena, h->mount, base, NULL);
	return 0;
}
