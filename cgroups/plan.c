/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/cgroup.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/block.h"
#include "cgroups/devices.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/limits.h"
#include "cgroups/path.h"
#include "cgroups/systemd.h"

/*
 * v1: a folder costs 15 to 45 us of a start (6.18), so where no limit asks for one only what is read gets one.  holm
 * itself reads memory and I/O there and the rest from cgroup2; engines, which all name the cgroup, read CPU time and
 * pids on v1 too.  Without cgroup2 the processes are counted instead.  A later update makes what is missing.
 */
#define STATISTICS_V1 (1u << CGROUP_MEMORY | 1u << CGROUP_IO)
#define STATISTICS_V1_ENGINES (1u << CGROUP_CPUACCT | 1u << CGROUP_PIDS)
#define NEEDED_WITHOUT_V2 (1u << CGROUP_FREEZER | 1u << CGROUP_CPUACCT)

/* v2: enabled for every container where the host has them. */
#define STATISTICS_V2 (1u << CGROUP_MEMORY | 1u << CGROUP_CPU | 1u << CGROUP_IO | 1u << CGROUP_PIDS)

struct planner {
	const struct cgroup_host *host;
	const struct cgroup_request *request;
	struct arena *arena;
	struct limits limits;
	struct cgroup_plan *plan;
	size_t room;
	unsigned needed;       /* controllers without which a limit is lost */
	const char *unit_base; /* the systemd driver: the manager's cgroup */
};

/* Where the folder goes in h, and from where on we may make folders. */
static int choose_path(struct planner *p, const struct cgroup_hierarchy *h, const char **ret_path,
		       const char **ret_base, struct error *e)
{
	const char *base = *h->controllers ? "" : p->unit_base;

	if (!p->plan->unit)
		return cgroup_path_choose(h, p->request, p->arena, ret_path, ret_base, e);
	*ret_path = arena_join(p->arena, h->mount, base, p->plan->unit->path, NULL);
	*ret_base = arena_join(p->arena, h->mount, base, NULL);
	return 0;
}

static struct cgroup_step *add_step(struct planner *p, struct cgroup_step step)
{
	struct cgroup_plan *plan = p->plan;

	plan->steps = arena_grow(p->arena, plan->steps, plan->n_steps, &p->room, sizeof(step));
	plan->steps[plan->n_steps] = step;
	return &plan->steps[plan->n_steps++];
}

/* Why this user can't make a folder in the hierarchy; NULL: can. */
static const char *find_obstacle(const struct planner *p, const char *base)
{
	if (!p->request->rootless || !access(base, W_OK))
		return NULL;
	return arena_format(p->arena, "'%s' is not delegated to this user", base);
}

/* The first limit that needs a controller in set, for the error's text. */
static const char *find_cause(const struct limits *l, unsigned set, enum cgroup_dialect dialect)
{
	for (size_t i = 0; i < l->n_writes; i++) {
		const struct limit_write *w = &l->writes[i];

		if (!w->initial && !w->harmless && w->dialect == dialect &&
		    (w->controller == _CGROUP_CONTROLLER_N || set & (1u << w->controller)))
			return w->cause;
	}
	return NULL;
}

static void add_path(struct planner *p, const struct cgroup_hierarchy *h, const char *path)
{
	struct cgroup *cgroup = &p->plan->cgroup;

	cgroup->paths[cgroup->n_paths++] = (struct cgroup_path){.controllers = h->controllers, .path = path};
	add_step(p, (struct cgroup_step){.kind = CGROUP_MKDIR, .path = path, .folder = cgroup->n_paths - 1});
}

static int plan_v1_folders(struct planner *p, struct error *e)
{
	unsigned wanted = p->needed | STATISTICS_V1 | (p->request->cgroups_path ? STATISTICS_V1_ENGINES : 0) |
			  (p->host->v2 ? 0 : NEEDED_WITHOUT_V2);

	for (size_t i = 0; i < p->host->n_v1; i++) {
		const struct cgroup_hierarchy *h = &p->host->v1[i];
		unsigned set = cgroup_controllers_parse(h->controllers, CGROUP_V1);
		const char *path, *base, *obstacle, *cause;
		int r;

		if (!(set & wanted) && !p->request->all_hierarchies)
			continue;
		r = choose_path(p, h, &path, &base, e);
		if (r < 0)
			return r;
		obstacle = find_obstacle(p, base);
		if (!obstacle) {
			add_path(p, h, path);
			continue;
		}
		cause = find_cause(&p->limits, set, CGROUP_V1);
		if (cause)
			return error_refuse(e, ERROR_UNSUPPORTED, "%s: controller '%s': %s", cause, h->controllers,
					    obstacle);
	}
	return 0;
}

/* All folders from base to above path get the controllers, the topmost first. */
static void plan_enable(struct planner *p, const char *base, const char *path, unsigned set, bool optional)
{
	size_t length = strlen(base);
	auto_str list = STR_INIT;
	const char *value;

	for (size_t i = 0; i < _CGROUP_CONTROLLER_N; i++)
		if (set & (1u << i))
			str_addf(&list, "%s+%s", list.size ? " " : "", cgroup_controller_name(i, CGROUP_V2));
	if (!list.size)
		return;
	value = arena_strdup(p->arena, str_peek(&list));
	for (;;) {
		add_step(p, (struct cgroup_step){
				.kind = CGROUP_ENABLE,
				.path = arena_format(p->arena, "%.*s/cgroup.subtree_control", (int)length, path),
				.value = value,
				.cause = optional ? NULL : find_cause(&p->limits, set, CGROUP_V2),
				.optional = optional,
				.folder = p->plan->cgroup.n_paths - 1,
			    });
		length += 1 + strcspn(path + length + 1, "/");
		if (!path[length])
			return;
	}
}

static int plan_v2_folder(struct planner *p, struct error *e)
{
	unsigned needed = p->needed & p->limits.v2_controllers,
		 optional = STATISTICS_V2 & p->limits.v2_controllers & ~needed;
	const char *path, *base, *obstacle, *cause;
	int r = choose_path(p, p->host->v2, &path, &base, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < _CGROUP_CONTROLLER_N; i++) /* those that speak v1 here can't be enabled on v2 */
		if (p->host->v1_of[i]) {
			needed &= ~(1u << i);
			optional &= ~(1u << i);
		}
	obstacle = find_obstacle(p, base);
	if (obstacle) {
		cause = find_cause(&p->limits, needed, CGROUP_V2);
		if (cause)
			return error_refuse(e, ERROR_UNSUPPORTED, "%s: %s", cause, obstacle);
		return 0;
	}
	add_path(p, p->host->v2, path);
	plan_enable(p, base, path, needed, false);
	plan_enable(p, base, path, optional, true);
	return 0;
}

static size_t find_folder(const struct cgroup *cgroup, const struct limit_write *w)
{
	size_t i;

	for (i = 0; i < cgroup->n_paths; i++) {
		unsigned set = cgroup_controllers_parse(cgroup->paths[i].controllers, CGROUP_V1);

		if (w->dialect == CGROUP_V2 ? !*cgroup->paths[i].controllers : (set & (1u << w->controller)) != 0)
			break;
	}
	return i;
}

static void plan_writes(struct planner *p)
{
	const struct cgroup *cgroup = &p->plan->cgroup;
	const char *last_file = NULL, *last_path = NULL;

	for (size_t i = 0; i < p->limits.n_writes; i++) {
		const struct limit_write *w = &p->limits.writes[i];
		size_t folder = find_folder(cgroup, w);
		const char *at;

		if (folder == cgroup->n_paths)
			continue; /* initial or harmless, and nothing else makes a folder there */
		at = cgroup->paths[folder].path;
		if (!last_file || !str_equal(last_file, w->file))
			last_path = arena_join(p->arena, at, "/", w->file, NULL);
		last_file = w->file;
		add_step(p, (struct cgroup_step){
				.kind = CGROUP_WRITE,
				.path = last_path,
				.value = w->value,
				.cause = w->cause,
				.optional = w->optional,
				.other_path = w->other_file ? arena_format(p->arena, "%s/%s", at, w->other_file) : NULL,
				.other_value = w->other_value,
				.controller = w->controller < _CGROUP_CONTROLLER_N
						  ? cgroup_controller_name(w->controller, w->dialect)
						  : "cgroup",
				.initial = w->initial,
				.harmless = w->harmless,
				.read_back = w->read_back,
				.folder = folder,
			    });
	}
}

static void plan_inherit(struct planner *p)
{
	const struct cgroup *cgroup = &p->plan->cgroup;

	for (size_t i = 0; i < cgroup->n_paths; i++)
		if (cgroup_controllers_parse(cgroup->paths[i].controllers, CGROUP_V1) & (1u << CGROUP_CPUSET))
			add_step(p, (struct cgroup_step){
					.kind = CGROUP_INHERIT, .path = cgroup->paths[i].path, .folder = i});
}

static void plan_entry(struct planner *p)
{
	const struct cgroup *cgroup = &p->plan->cgroup;

	for (size_t i = 0; i < cgroup->n_paths; i++) {
		const struct cgroup_path *path = &cgroup->paths[i];

		if (*path->controllers)
			add_step(p, (struct cgroup_step){.kind = CGROUP_JOIN,
							 .path = arena_join(p->arena, path->path, "/tasks", NULL),
							 .folder = i});
		else if (p->request->delegate)
			add_step(p,
				 (struct cgroup_step){.kind = CGROUP_CHOWN,
						      .path = path->path,
						      .value = arena_format(p->arena, "%u", p->request->delegate_uid),
						      .folder = i});
	}
}

/*
 * Devices.  Without root there is neither the v1 controller nor BPF, and nothing to enforce either: a user namespace
 * can't make device nodes, and those of the host keep their permissions.
 */
static int plan_devices(struct planner *p, struct error *e)
{
	struct device_rules *rules = arena_new(p->arena, struct device_rules);
	int r = device_rules_compile(p->request->resources, p->arena, rules, e);

	if (r < 0 || p->request->rootless)
		return r;
	if (p->host->v1_of[CGROUP_DEVICES_CONTROLLER])
		return devices_v1_compile(rules, &p->limits, e);
	if (rules->allows_all)
		return 0;
	if (!p->host->v2)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "linux.resources.devices: no hierarchy of this host has the controller 'devices'");
	p->plan->devices = rules;
	return 0;
}

static void plan_device_program(struct planner *p)
{
	const struct cgroup *cgroup = &p->plan->cgroup;

	for (size_t i = 0; p->plan->devices && i < cgroup->n_paths; i++)
		if (!*cgroup->paths[i].controllers)
			add_step(p, (struct cgroup_step){.kind = CGROUP_DEVICES,
							 .path = cgroup->paths[i].path,
							 .cause = "linux.resources.devices",
							 .folder = i});
}

/* What the place where the v2 folder goes offers.  On a hybrid host that is looked at only for what may be there. */
static int find_v2_controllers(struct planner *p, struct error *e)
{
	const struct spec_resources *r = p->request->resources;
	char text[CGROUP_FILE_SIZE];
	const char *path, *base;
	int ret;

	if (!p->host->v2 ||
	    (p->host->mode == CGROUP_MODE_HYBRID && !(r && (r->n_hugepage_limits || r->n_rdma || r->n_unified))))
		return 0;
	ret = choose_path(p, p->host->v2, &path, &base, e);
	if (ret < 0)
		return ret;
	ret = cgroup_file_read(base, "cgroup.controllers", text, sizeof(text));
	if (ret < 0)
		return error_system(e, -ret, "read '%s/cgroup.controllers'", base);
	p->limits.v2_controllers = cgroup_controllers_parse(text, CGROUP_V2);
	return 0;
}

static void find_needed(struct planner *p)
{
	for (size_t i = 0; i < p->limits.n_writes; i++) {
		const struct limit_write *w = &p->limits.writes[i];

		if (!w->initial && !w->harmless && w->controller < _CGROUP_CONTROLLER_N)
			p->needed |= 1u << w->controller;
	}
}

static int plan_folders(struct planner *p, struct error *e)
{
	struct cgroup *cgroup = &p->plan->cgroup;
	int r = find_v2_controllers(p, e);

	cgroup->paths = arena_array(p->arena, struct cgroup_path, p->host->n_v1 + 1);
	if (!r)
		r = limits_compile(&p->limits, p->request->resources, e);
	if (!r)
		r = block_check_weights(p->host, p->request->resources, e);
	if (!r)
		r = plan_devices(p, e);
	if (r < 0)
		return r;
	find_needed(p);
	r = plan_v1_folders(p, e);
	if (!r && p->host->v2)
		r = plan_v2_folder(p, e);
	if (r < 0)
		return r;
	plan_inherit(p);
	plan_writes(p);
	plan_device_program(p);
	plan_entry(p);
	return 0;
}

static int plan_unit(struct planner *p, struct error *e)
{
	const struct cgroup_request *request = p->request;
	struct systemd_unit *unit = arena_new(p->arena, struct systemd_unit);
	int r = systemd_unit_parse(request->cgroups_path, request->id, request->rootless, p->arena, unit, e);

	if (r < 0)
		return r;
	if (access(SYSTEMD_RUNS, F_OK) < 0)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "systemd does not run on this host: its cgroup driver can't be used");
	r = systemd_find_base(request->rootless, p->arena, &p->unit_base, e);
	if (r < 0)
		return r;
	p->plan->unit = unit;
	if (!unit->is_slice) /* a slice is others' too, it is not stopped with the container */
		p->plan->cgroup.scope = unit->name;
	add_step(p, (struct cgroup_step){.kind = CGROUP_SCOPE, .value = unit->name, .cause = "linux.cgroupsPath"});
	return 0;
}

int cgroup_plan(const struct cgroup_host *host, const struct cgroup_request *request, struct arena *arena,
		struct cgroup_plan *ret, struct error *e)
{
	struct planner p = {
	    .host = host,
	    .request = request,
	    .arena = arena,
	    .limits = {.host = host, .arena = arena, .oom_group = request->oom_group},
	    .plan = ret,
	};

	int r = 0;

	*ret = (struct cgroup_plan){.request = request, .arena = arena};
	switch (request->driver) {
	case CGROUP_DISABLED:
		return 0;
	case CGROUP_DIRECT:
		break;
	case CGROUP_SYSTEMD:
		r = plan_unit(&p, e);
		break;
	}
	return r < 0 ? r : plan_folders(&p, e);
}
