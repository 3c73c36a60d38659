/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/check.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/block.h"
#include "cgroups/cgroup.h"
#include "cgroups/devices.h"
#include "cgroups/file.h"
#include "cgroups/limits.h"
#include "cgroups/path.h"
#include "cgroups/systemd.h"

enum { MAX_ROWS = 64 };

struct checker {
	const struct cgroup_host *host;
	bool rootless;
	struct arena *arena;
	struct cgroup_check *rows;
	size_t n;
	struct cgroup probe;			     /* what could be made */
	const char *obstacles[_CGROUP_CONTROLLER_N]; /* why the v1 hierarchy of the controller gave no folder */
	const char *v2_obstacle;
	unsigned v2_controllers;
};

static void add_row(struct checker *c, const char *what, bool can, const char *detail)
{
	if (c->n < MAX_ROWS)
		c->rows[c->n++] = (struct cgroup_check){.what = what, .can = can, .detail = detail};
}

/* One hierarchy alone, so that one that can't be had does not hide the others. */
static const char *probe_hierarchy(struct checker *c, const struct cgroup_hierarchy *h)
{
	struct cgroup_host only = {.mode = *h->controllers ? CGROUP_MODE_LEGACY : CGROUP_MODE_V2};
	const struct spec_device_rule all = {true, 'a', -1, -1,
					     SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE};
	const struct spec_resources resources = {.devices = (struct spec_device_rule *)&all, .n_devices = 1};
	const struct cgroup_request request = {
	    .id = arena_format(c->arena, "check-%d", getpid()),
	    .resources = &resources,
	    .rootless = c->rootless,
	    .all_hierarchies = true,
	};
	struct cgroup_entry entry = CGROUP_ENTRY_INIT;
	struct error e = ERROR_INIT;
	struct cgroup_plan plan;
	char text[ERROR_TEXT_SIZE];
	int r;

	only.v1 = *h->controllers ? (struct cgroup_hierarchy *)h : NULL;
	only.n_v1 = *h->controllers ? 1 : 0;
	only.v2 = *h->controllers ? NULL : (struct cgroup_hierarchy *)h;
	r = cgroup_plan(&only, &request, c->arena, &plan, &e);
	if (!r)
		r = cgroup_create(&only, &plan, &entry, &e);
	cgroup_entry_release(&entry);
	if (r < 0)
		return arena_strdup(c->arena, error_format(&e, text, sizeof(text)));
	if (!plan.cgroup.n_paths)
		return arena_format(c->arena, "'%s' is not delegated to this user", h->mount);
	c->probe.paths[c->probe.n_paths++] = plan.cgroup.paths[0];
	return NULL;
}

static void probe(struct checker *c)
{
	char text[CGROUP_FILE_SIZE], parent[4096];
	const char *v2;

	c->probe.paths = arena_array(c->arena, struct cgroup_path, c->host->n_v1 + 1);
	for (size_t i = 0; i < c->host->n_v1; i++) {
		const char *obstacle = probe_hierarchy(c, &c->host->v1[i]);

		for (size_t k = 0; k < _CGROUP_CONTROLLER_N; k++)
			if (c->host->v1_of[k] == &c->host->v1[i])
				c->obstacles[k] = obstacle;
	}
	if (!c->host->v2)
		return;
	c->v2_obstacle = probe_hierarchy(c, c->host->v2);
	v2 = cgroup_find_v2(&c->probe);
	if (!v2)
		return;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(v2, '/') - v2), v2);
	if (cgroup_file_read(parent, "cgroup.controllers", text, sizeof(text)) >= 0)
		c->v2_controllers = cgroup_controllers_parse(text, CGROUP_V2);
	if (cgroup_file_read(c->rootless ? parent : c->host->v2->mount, "cgroup.controllers", text, sizeof(text)) >= 0)
		c->v2_controllers |= cgroup_controllers_parse(text, CGROUP_V2);
}

/* A name that ends in a dot stands for any file that begins so. */
static bool has_file(const char *folder, const char *name)
{
	char path[4096];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (name[strlen(name) - 1] != '.')
		return !access(path, F_OK);
	dir = opendir(folder);
	while (dir && !found && (d = readdir(dir)))
		found = str_after(d->d_name, name) != NULL;
	if (dir)
		closedir(dir);
	return found;
}

static void check_limit(struct checker *c, enum cgroup_dialect dialect, const struct limit_place *p)
{
	const char *name =
	    p->controller < _CGROUP_CONTROLLER_N ? cgroup_controller_name(p->controller, dialect) : "cgroup2";
	const char *folder =
	    dialect == CGROUP_V1 ? cgroup_find_v1(&c->probe, p->controller) : cgroup_find_v2(&c->probe);
	const char *file = p->file, *version = dialect == CGROUP_V1 ? "v1" : "v2";
	bool enabled;

	if (!folder) {
		add_row(c, p->what, false, dialect == CGROUP_V1 ? c->obstacles[p->controller] : c->v2_obstacle);
		return;
	}
	/* A v2 controller that the probe has not enabled has its files none the less once a limit asks for them. */
	enabled =
	    dialect == CGROUP_V1 || p->controller == _CGROUP_CONTROLLER_N ||
	    (1u << p->controller & (1u << CGROUP_MEMORY | 1u << CGROUP_CPU | 1u << CGROUP_IO | 1u << CGROUP_PIDS));
	if (enabled && !has_file(folder, file)) {
		if (!p->other || !has_file(folder, p->other)) {
			add_row(c, p->what, false,
				arena_format(c->arena, "controller '%s' (%s) has no '%s'%s%s%s", name, version, file,
					     p->other ? " nor '" : "", p->other ? p->other : "", p->other ? "'" : ""));
			return;
		}
		file = p->other;
	}
	if (strstr(file, "weight") && p->controller == CGROUP_IO &&
	    (strstr(file, "bfq") ? !block_has_bfq() : !block_has_cost(c->host)))
		add_row(c, p->what, false,
			arena_format(c->arena, "%s (%s), but no disk here %s, without which nothing acts on it", file,
				     version,
				     strstr(file, "bfq") ? "uses the I/O scheduler 'bfq'" : "has io.cost switched on"));
	else
		add_row(c, p->what, true,
			arena_format(c->arena, "%s%s (%s)", file, file[strlen(file) - 1] == '.' ? "*" : "", version));
}

static void check_limits(struct checker *c)
{
	const struct limits l = {.host = c->host, .v2_controllers = c->v2_controllers};
	struct limit_place p;

	for (size_t i = 0; limits_place(i, CGROUP_V2, &p); i = p.next) {
		enum cgroup_dialect dialect = limits_dialect(&l, p.controller);

		if (dialect == CGROUP_ABSENT) {
			const char *name = p.controller == _CGROUP_CONTROLLER_N
					       ? "cgroup2"
					       : cgroup_controller_name(p.controller, p.file ? CGROUP_V2 : CGROUP_V1);

			add_row(c, p.what, false,
				!p.file && c->host->mode == CGROUP_MODE_V2
				    ? p.reason
				    : arena_format(c->arena, "no hierarchy here has the controller '%s'", name));
			continue;
		}
		if (dialect == CGROUP_V1 && !limits_place(i, CGROUP_V1, &p))
			return;
		if (p.file)
			check_limit(c, dialect, &p);
		else
			add_row(c, p.what, false, p.reason);
	}
}

/* What has no word of the OCI's, only of cgroup v2. */
static const struct {
	const char *file;
	enum cgroup_controller controller;
} v2_limits[] = {
    {"memory.high", CGROUP_MEMORY},	      {"memory.min", CGROUP_MEMORY}, {"memory.low", CGROUP_MEMORY},
    {"memory.oom.group", CGROUP_MEMORY},      {"io.latency", CGROUP_IO},     {"io.weight", CGROUP_IO},
    {"cpuset.cpus.partition", CGROUP_CPUSET},
};

static void check_v2_limits(struct checker *c)
{
	const char *v2 = cgroup_find_v2(&c->probe);

	for (size_t i = 0; i < ARRAY_SIZE(v2_limits); i++) {
		const char *file = v2_limits[i].file;
		enum cgroup_controller controller = v2_limits[i].controller;
		const char *name = cgroup_controller_name(controller, CGROUP_V2);
		bool there = c->v2_controllers & (1u << controller);

		if (c->host->v1_of[controller])
			add_row(c, file, false, arena_format(c->arena, "controller '%s' is bound to cgroup v1", name));
		else if (!v2 || !there)
			add_row(c, file, false,
				v2		 ? arena_format(c->arena, "no controller '%s' here", name)
				: c->v2_obstacle ? c->v2_obstacle
						 : "no cgroup v2");
		else if (controller != CGROUP_CPUSET && !has_file(v2, file))
			add_row(c, file, false, "this kernel has no such file");
		else if (str_equal(file, "io.weight") && !block_has_cost(c->host))
			add_row(c, file, false, "no disk here has io.cost switched on");
		else
			add_row(c, file, true, "by its flag or in unified (v2)");
	}
}

static void check_devices(struct checker *c)
{
	const char *v1 = cgroup_find_v1(&c->probe, CGROUP_DEVICES_CONTROLLER), *v2 = cgroup_find_v2(&c->probe);
	struct device_rules rules;
	struct error e = ERROR_INIT;
	char text[ERROR_TEXT_SIZE];

	if (c->rootless)
		add_row(c, "devices", true, "by the user namespace: it can't make device nodes");
	else if (v1)
		add_row(c, "devices", true, "devices.allow and devices.deny (v1)");
	else if (!v2)
		add_row(c, "devices", false,
			c->obstacles[CGROUP_DEVICES_CONTROLLER] ? c->obstacles[CGROUP_DEVICES_CONTROLLER]
								: "neither the v1 controller 'devices' nor cgroup v2");
	else if (device_rules_compile(NULL, c->arena, &rules, &e) < 0 ||
		 devices_v2_attach(v2, &rules, false, c->arena, &e) < 0)
		add_row(c, "devices", false, arena_strdup(c->arena, error_format(&e, text, sizeof(text))));
	else
		add_row(c, "devices", true, "a BPF program (v2)");
}

static void check_rest(struct checker *c)
{
	const char *v2 = cgroup_find_v2(&c->probe);
	char text[512];

	if (v2 && has_file(v2, "cgroup.freeze"))
		add_row(c, "pause", true, "cgroup.freeze (v2)");
	else
		add_row(c, "pause", cgroup_find_v1(&c->probe, CGROUP_FREEZER) != NULL,
			cgroup_find_v1(&c->probe, CGROUP_FREEZER) ? "freezer.state (v1)" : "no freezer");
	if (v2 && has_file(v2, "cgroup.kill"))
		add_row(c, "kill at once", true, "cgroup.kill (v2)");
	else
		add_row(c, "kill at once", false, "without cgroup v2: processes are frozen and killed one by one");
	if (v2 && cgroup_file_read(v2, "memory.pressure", text, sizeof(text)) >= 0)
		add_row(c, "pressure", true, "PSI (v2)");
	else
		add_row(c, "pressure", false, v2 ? "the kernel runs without PSI (psi=1)" : "needs cgroup v2");
	add_row(c, "systemd driver", systemd_obstacle(c->rootless) == NULL,
		systemd_obstacle(c->rootless) ? systemd_obstacle(c->rootless) : "systemd's bus answers");
}

int cgroup_check_read(const struct cgroup_host *host, bool rootless, struct arena *arena, struct cgroup_check **ret,
		      size_t *ret_n, struct error *e)
{
	struct checker c = {
	    .host = host,
	    .rootless = rootless,
	    .arena = arena,
	    .rows = arena_array(arena, struct cgroup_check, MAX_ROWS),
	};

	add_row(&c, "cgroups", host->mode != CGROUP_MODE_NONE,
		host->mode == CGROUP_MODE_NONE ? "nothing is mounted at '" CGROUP_MOUNT "'"
					       : cgroup_mode_name(host->mode));
	if (host->mode != CGROUP_MODE_NONE) {
		probe(&c);
		check_limits(&c);
		check_v2_limits(&c);
		check_devices(&c);
		check_rest(&c);
	}
	*ret = c.rows;
	*ret_n = c.n;
	return cgroup_destroy(&c.probe, e);
}
