/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/str.h"

enum { PROC_CGROUP_MAX = 64 * 1024 };

/* What each dialect calls a controller; NULL: not a thing there. */
static const struct {
	const char *v1, *v2;
} controllers[_CGROUP_CONTROLLER_N] = {
    [CGROUP_CPU] = {"cpu", "cpu"},
    [CGROUP_CPUACCT] = {"cpuacct", NULL},
    [CGROUP_CPUSET] = {"cpuset", "cpuset"},
    [CGROUP_MEMORY] = {"memory", "memory"},
    [CGROUP_IO] = {"blkio", "io"},
    [CGROUP_PIDS] = {"pids", "pids"},
    [CGROUP_DEVICES_CONTROLLER] = {"devices", NULL},
    [CGROUP_FREEZER] = {"freezer", NULL},
    [CGROUP_HUGETLB] = {"hugetlb", "hugetlb"},
    [CGROUP_RDMA] = {"rdma", "rdma"},
    [CGROUP_MISC] = {"misc", "misc"},
    [CGROUP_NET_CLS] = {"net_cls", NULL},
    [CGROUP_NET_PRIO] = {"net_prio", NULL},
    [CGROUP_PERF_EVENT] = {"perf_event", NULL}, /* on v2 in every cgroup, nothing to enable */
};

static const char *const mode_names[] = {
    [CGROUP_MODE_NONE] = "none",
    [CGROUP_MODE_V2] = "pure v2",
    [CGROUP_MODE_HYBRID] = "hybrid",
    [CGROUP_MODE_LEGACY] = "legacy (v1)",
};

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	return mode_names[mode];
}

const char *cgroup_controller_name(enum cgroup_controller controller, enum cgroup_dialect dialect)
{
	return dialect == CGROUP_V1 ? controllers[controller].v1 : controllers[controller].v2;
}

enum cgroup_controller cgroup_controller_find(const char *name, size_t length, enum cgroup_dialect dialect)
{
	enum cgroup_controller i;

	for (i = 0; i < _CGROUP_CONTROLLER_N; i++) {
		const char *known = cgroup_controller_name(i, dialect);

		if (known && strlen(known) == length && !memcmp(known, name, length))
			break;
	}
	return i;
}

unsigned cgroup_controllers_parse(const char *list, enum cgroup_dialect dialect)
{
	const char *separators = dialect == CGROUP_V1 ? "," : " \n";
	unsigned set = 0;

	while (*(list += strspn(list, separators))) {
		size_t length = strcspn(list, separators);
		enum cgroup_controller c = cgroup_controller_find(list, length, dialect);

		if (c < _CGROUP_CONTROLLER_N)
			set |= 1u << c;
		list += length;
	}
	return set;
}

/*
 * A caller outside of the cgroup namespace whose root it sees gets "/../.." there: it has no place in what is mounted
 * here, and what it makes goes below the root that it sees.
 */
static const char *parse_own(const char *path)
{
	return *path != '/' || (path[1] == '.' && path[2] == '.' && (!path[3] || path[3] == '/')) ? "/" : path;
}

static void add_v1(struct cgroup_host *host, struct arena *arena, const char *list, const char *own)
{
	struct cgroup_hierarchy *h = &host->v1[host->n_v1++];
	const char *name = str_after(list, "name=");
	unsigned set = name ? 0 : cgroup_controllers_parse(list, CGROUP_V1);

	*h = (struct cgroup_hierarchy){
	    .controllers = list,
	    .mount = arena_join(arena, CGROUP_MOUNT "/", name ? name : list, NULL),
	    .own = parse_own(own),
	};
	for (size_t i = 0; i < _CGROUP_CONTROLLER_N; i++)
		if (set & (1u << i))
			host->v1_of[i] = h;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

int cgroup_host_parse(struct arena *arena, const char *proc_self_cgroup, const char *v2_mount, struct cgroup_host **ret,
		      struct error *e)
{
	struct cgroup_host *host = arena_new(arena, struct cgroup_host);
	char *line = arena_strdup(arena, proc_self_cgroup), *next;

	/* One more than needed: v1_of points into it, so it must not move. */
	host->v1 = arena_array(arena, struct cgroup_hierarchy, count_lines(line));
	for (; *line; line = next) { /* "4:memory:/a/b" and "0::/a"; a path never has a newline in it */
		char *list, *path, *end = strchrnul(line, '\n');

		next = *end ? end + 1 : end;
		*end = 0;
		list = strchr(line, ':');
		path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			return error_refuse(e, ERROR_UNSUPPORTED, "/proc/self/cgroup: can't read the line '%s'", line);
		*list++ = 0;
		*path++ = 0;
		if (*list) {
			add_v1(host, arena, list, path);
		} else if (v2_mount) {
			host->v2 = arena_new(arena, struct cgroup_hierarchy);
			*host->v2 =
			    (struct cgroup_hierarchy){.controllers = "", .mount = v2_mount, .own = parse_own(path)};
		}
	}
	if (host->v2 && str_equal(v2_mount, CGROUP_MOUNT)) {
		/* What v1 hierarchies the kernel may have, they are not mounted where anyone could use them. */
		host->n_v1 = 0;
		memset(host->v1_of, 0, sizeof(host->v1_of));
		host->mode = CGROUP_MODE_V2;
	} else {
		host->mode = host->n_v1 ? (host->v2 ? CGROUP_MODE_HYBRID : CGROUP_MODE_LEGACY) : CGROUP_MODE_NONE;
	}
	*ret = host;
	return 0;
}

int cgroup_host_find(struct arena *arena, struct cgroup_host **ret, struct error *e)
{
	const char *v2_mount = NULL;
	auto_free char *text = NULL;
	struct statfs s;
	int r;

	if (statfs(CGROUP_MOUNT, &s) < 0) {
		if (errno != ENOENT)
			return error_system(e, errno, "look at '" CGROUP_MOUNT "'");
		s.f_type = 0;
	}
	if (s.f_type == CGROUP2_SUPER_MAGIC) {
		v2_mount = CGROUP_MOUNT;
	} else if (s.f_type == TMPFS_MAGIC) {
		if (statfs(CGROUP_MOUNT "/unified", &s) < 0 && errno != ENOENT)
			return error_system(e, errno, "look at '" CGROUP_MOUNT "/unified'");
		if (s.f_type == CGROUP2_SUPER_MAGIC)
			v2_mount = CGROUP_MOUNT "/unified";
	} else {
		*ret = arena_new(arena, struct cgroup_host); /* nothing is mounted there: CGROUP_MODE_NONE */
		return 0;
	}
	r = file_read(AT_FDCWD, "/proc/self/cgroup", PROC_CGROUP_MAX, &text, NULL);
	if (r < 0)
		return error_system(e, -r, "read '/proc/self/cgroup'");
	return cgroup_host_parse(arena, text, v2_mount, ret, e);
}
