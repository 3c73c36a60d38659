/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: the plan of a start, for people.
 */
#include "runtime/creation.h"

static const char *describe_step(const struct cgroup_step *s, struct arena *arena)
{
	switch (s->kind) {
	case CGROUP_MKDIR:
		return arena_format(arena, "make the cgroup '%s'", s->path);
	case CGROUP_ENABLE:
		return arena_format(arena, "enable controllers: write '%s' to '%s'", s->value, s->path);
	case CGROUP_WRITE:
		return arena_format(arena, "write '%s' to '%s'", s->value, s->path);
	case CGROUP_INHERIT:
		return arena_format(arena, "copy the parent's cpus and mems to '%s'", s->path);
	case CGROUP_DEVICES:
		return arena_format(arena, "attach a device filter (BPF) to '%s'", s->path);
	case CGROUP_CHOWN:
		return arena_format(arena, "give '%s' to user %s", s->path, s->value);
	case CGROUP_SCOPE:
		return arena_format(arena, "ask systemd for the unit '%s'", s->value);
	case CGROUP_JOIN:
		return arena_format(arena, "init enters '%s'", s->path);
	}
	return "";
}

static const char *describe_tree(const struct plan_tree *t, struct arena *arena)
{
	return arena_format(arena, "open '%s'%s%s for init", t->path, t->recursive ? " with its submounts" : "",
			    t->map || t->map_namespace ? ", idmapped," : "");
}

int container_explain(const struct runtime *runtime, const struct container_create *request, struct arena *arena,
		      struct container_operation **ret, size_t *ret_n, struct error *e)
{
	struct creation c = creation_init(runtime, request, true);
	struct container_operation *list;
	size_t n = 0;
	int r = creation_prepare(&c, false, e);

	if (!r) {
		const struct block *b = &c.plan.block;
		const struct plan_op *ops = b->ops;

		list = arena_array(arena, struct container_operation, c.cgroup.n_steps + c.plan.n_trees + b->n_ops + 1);
		for (size_t i = 0; i < c.cgroup.n_steps; i++)
			list[n++] = (struct container_operation){"host", describe_step(&c.cgroup.steps[i], arena),
								 arena_strdup(arena, c.cgroup.steps[i].cause)};
		list[n++] = (struct container_operation){
		    "host", c.plan.clone_flags ? "clone init into a new pid namespace" : "clone init", NULL};
		for (size_t i = 0; i < c.plan.n_trees; i++)
			list[n++] = (struct container_operation){"host", describe_tree(&c.plan.trees[i], arena),
								 arena_strdup(arena, c.plan.trees[i].cause)};
		for (size_t i = 0; i < b->n_ops; i++)
			list[n++] = (struct container_operation){"init", plan_describe(b, &ops[i], arena),
								 arena_strdup(arena, block_at(b, ops[i].cause))};
		*ret = list;
		*ret_n = n;
	}
	creation_release(&c);
	return r;
}
