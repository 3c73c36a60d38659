/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/cgroup.h"

/* Loading the device program takes as long as all the rest of the v2 folder; it must be there before anything of the
   container's runs, not before init does. */
static bool can_wait(const struct cgroup_plan *plan, const struct cgroup_step *s)
{
	return *plan->cgroup.paths[s->folder].controllers || s->kind == CGROUP_DEVICES;
}

static void take_part(const struct cgroup_plan *plan, bool later, struct arena *arena, struct cgroup_plan *ret)
{
	size_t *moved = arena_array(arena, size_t, plan->cgroup.n_paths + 1);

	*ret = *plan;
	ret->cgroup.paths = arena_array(arena, struct cgroup_path, plan->cgroup.n_paths);
	ret->cgroup.n_paths = 0;
	ret->steps = arena_array(arena, struct cgroup_step, plan->n_steps);
	ret->n_steps = 0;
	for (size_t i = 0; i < plan->cgroup.n_paths; i++)
		if (!*plan->cgroup.paths[i].controllers != later) {
			moved[i] = ret->cgroup.n_paths;
			ret->cgroup.paths[ret->cgroup.n_paths++] = plan->cgroup.paths[i];
		}
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct cgroup_step *s = &plan->steps[i];
		bool elsewhere =
		    s->kind == CGROUP_DEVICES; /* its folder is one of the other part's: not known to be new */

		/* The scope is systemd's to make, and there may be no folder at all. */
		if (s->kind == CGROUP_SCOPE || can_wait(plan, s) != later)
			continue;
		ret->steps[ret->n_steps] = *s;
		ret->steps[ret->n_steps++].folder = elsewhere ? ret->cgroup.n_paths : moved[s->folder];
	}
}

void cgroup_plan_split(const struct cgroup_plan *plan, struct arena *arena, struct cgroup_plan *ret_first,
		       struct cgroup_plan *ret_later)
{
	take_part(plan, false, arena, ret_first);
	take_part(plan, true, arena, ret_later);
}
