/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/cgroup.h"

/* The part of plan whose folders are on v2 (or on v1), with its steps. */
static void take_part(const struct cgroup_plan *plan, bool v2, struct arena *arena, struct cgroup_plan *ret)
{
	size_t *moved = arena_array(arena, size_t, plan->cgroup.n_paths + 1);

	*ret = *plan;
	ret->cgroup.paths = arena_array(arena, struct cgroup_path, plan->cgroup.n_paths);
	ret->cgroup.n_paths = 0;
	ret->steps = arena_array(arena, struct cgroup_step, plan->n_steps);
	ret->n_steps = 0;
	for (size_t i = 0; i < plan->cgroup.n_paths; i++)
		if (!*plan->cgroup.paths[i].controllers == v2) {
			moved[i] = ret->cgroup.n_paths;
			ret->cgroup.paths[ret->cgroup.n_paths++] = plan->cgroup.paths[i];
		}
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct cgroup_step *s = &plan->steps[i];

		/* The scope is systemd's to make, and there may be no folder at all. */
		if (s->kind == CGROUP_SCOPE || !*plan->cgroup.paths[s->folder].controllers != v2)
			continue;
		ret->steps[ret->n_steps] = *s;
		ret->steps[ret->n_steps++].folder = moved[s->folder];
	}
}

void cgroup_plan_split(const struct cgroup_plan *plan, struct arena *arena, struct cgroup_plan *ret_v2,
		       struct cgroup_plan *ret_v1)
{
	take_part(plan, true, arena, ret_v2);
	take_part(plan, false, arena, ret_v1);
}
