/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which namespaces are made, joined and told of, and in what order. */
#include "runtime/plan_compile.h"

#include <linux/sched.h>

#include "base/str.h"
#include "init/message.h"
#include "spec/validate.h"

const uint32_t plan_namespace_flags[_SPEC_NS_N] = {
    [SPEC_NS_USER] = CLONE_NEWUSER,	[SPEC_NS_PID] = CLONE_NEWPID,  [SPEC_NS_TIME] = CLONE_NEWTIME,
    [SPEC_NS_NETWORK] = CLONE_NEWNET,	[SPEC_NS_IPC] = CLONE_NEWIPC,  [SPEC_NS_UTS] = CLONE_NEWUTS,
    [SPEC_NS_CGROUP] = CLONE_NEWCGROUP, [SPEC_NS_MOUNT] = CLONE_NEWNS,
};

bool compile_is_new(const struct compiler *c, enum spec_namespace_type type)
{
	const struct spec_namespace *n = &c->spec->linux_.namespaces[type];

	return n->present && !n->path;
}

/* What of the spec changes a namespace of that type: joined by path it could be the host's. */
static const char *find_changer(struct compiler *c, enum spec_namespace_type type)
{
	const struct spec_linux *l = &c->spec->linux_;
	unsigned owner;

	if (type == SPEC_NS_MOUNT)
		return "root.path";
	if (type == SPEC_NS_UTS && c->spec->hostname)
		return "hostname";
	if (type == SPEC_NS_UTS && c->spec->domainname)
		return "domainname";
	for (size_t i = 0; i < l->n_sysctl; i++)
		if (!sysctl_namespace(l->sysctl[i].key, &owner) && owner == type)
			return arena_format(c->arena, "linux.sysctl.%s", l->sysctl[i].key);
	return NULL;
}

static void join(struct compiler *c, enum spec_namespace_type type)
{
	const struct spec_namespace *n = &c->spec->linux_.namespaces[type];

	if (!n->path)
		return;
	c->out->joins[c->out->n_joins++] = (struct plan_namespace){.path = n->path,
								   .cause = "linux.namespaces",
								   .type = plan_namespace_flags[type],
								   .changer = find_changer(c, type)};
	compile_op(c, PLAN_JOIN, "linux.namespaces")->namespace = plan_namespace_flags[type];
}

static void add_time_offsets(struct compiler *c)
{
	const struct spec_time_offset *m = &c->spec->linux_.time_offsets.monotonic,
				      *b = &c->spec->linux_.time_offsets.boottime;
	auto_str lines = STR_INIT;

	if (m->present)
		str_addf(&lines, "monotonic %lld %u\n", (long long)m->secs, m->nanosecs);
	if (b->present)
		str_addf(&lines, "boottime %lld %u\n", (long long)b->secs, b->nanosecs);
	if (lines.size)
		compile_strings(c, PLAN_TIME_OFFSETS, "linux.timeOffsets", str_peek(&lines), NULL);
}

/* The mappings of a joined user namespace may be told again; others would be a mistake. */
static void add_map_check(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;
	plan_ref uids = block_bytes(c->block, l->uid_mappings, l->n_uid_mappings * sizeof(*l->uid_mappings));
	plan_ref gids = block_bytes(c->block, l->gid_mappings, l->n_gid_mappings * sizeof(*l->gid_mappings));
	struct plan_op *o = compile_op(c, PLAN_CHECK_MAPS, "linux.namespaces");

	o->maps.uids = uids;
	o->maps.gids = gids;
	o->maps.n_uids = (uint32_t)l->n_uid_mappings;
	o->maps.n_gids = (uint32_t)l->n_gid_mappings;
}

static bool has_networks(const struct compiler *c)
{
	return c->spec->holm && c->spec->holm->n_networks;
}

const char *compile_network_cause(const struct compiler *c)
{
	return has_networks(c) ? "holm.networks" : "linux.netDevices";
}

void compile_namespaces(struct compiler *c)
{
	static const enum spec_namespace_type joined[] = {SPEC_NS_PID, SPEC_NS_TIME, SPEC_NS_NETWORK,
							  SPEC_NS_IPC, SPEC_NS_UTS,  SPEC_NS_CGROUP};
	static const enum spec_namespace_type unshared[] = {SPEC_NS_NETWORK, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_MOUNT};
	const struct spec_linux *l = &c->spec->linux_;
	bool time = l->namespaces[SPEC_NS_TIME].present;
	uint64_t flags = 0;

	if (l->time_offsets.monotonic.present || l->time_offsets.boottime.present)
		compile_numbers(c, PLAN_OPEN_CLOCKS, "linux.timeOffsets", !c->in->privileged, 0);
	join(c, SPEC_NS_USER);
	if (c->user && !c->new_user && l->n_uid_mappings)
		add_map_check(c);
	if (c->new_user) {
		struct idmap *map = arena_new(c->arena, struct idmap);

		*map = (struct idmap){l->uid_mappings, l->gid_mappings, l->n_uid_mappings, l->n_gid_mappings};
		c->out->map = map;
		compile_numbers(c, PLAN_UNSHARE, "linux.namespaces", CLONE_NEWUSER, 0);
		compile_numbers(c, PLAN_TELL, "linux.uidMappings", MESSAGE_NAMESPACES, !c->in->privileged);
		compile_numbers(c, PLAN_WAIT, "linux.uidMappings", MESSAGE_GO, 0);
	}
	if (c->user)
		compile_op(c, PLAN_BECOME_ROOT, "linux.namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(joined); i++)
		join(c, joined[i]);
	for (size_t i = 0; i < ARRAY_SIZE(unshared); i++)
		if (compile_is_new(c, unshared[i]))
			flags |= plan_namespace_flags[unshared[i]];
	/*
	 * A new pid namespace comes with the clone, unless it must belong to a user namespace entered only later, or init has
	 * to fork to enter a time namespace: process 1 can't be left behind, nor make a sibling.
	 */
	if (compile_is_new(c, SPEC_NS_PID)) {
		if (c->user || time)
			flags |= CLONE_NEWPID;
		else
			c->out->clone_flags |= CLONE_NEWPID;
	}
	if (compile_is_new(c, SPEC_NS_TIME)) {
		compile_numbers(c, PLAN_UNSHARE, "linux.namespaces", CLONE_NEWTIME, 0);
		add_time_offsets(c);
	}
	if (flags)
		compile_numbers(c, PLAN_UNSHARE, "linux.namespaces", flags, 0);
	join(c, SPEC_NS_MOUNT);
	if (c->in->enters_cgroups) {
		c->out->enters_cgroups = true;
		compile_op(c, PLAN_CGROUPS, "linux.cgroupsPath");
	}
	if (compile_is_new(c, SPEC_NS_CGROUP)) /* after the cgroup is entered: it becomes the namespace's root */
		compile_numbers(c, PLAN_UNSHARE, "linux.namespaces", CLONE_NEWCGROUP, 0);
	if (l->namespaces[SPEC_NS_PID].path || flags & CLONE_NEWPID || time) {
		c->out->forks = true;
		compile_op(c, PLAN_FORK, "linux.namespaces");
	}
	if (l->n_net_devices || has_networks(c)) {
		c->out->network = true;
		compile_numbers(c, PLAN_TELL, compile_network_cause(c), MESSAGE_NAMESPACES, 0);
	}
	if (compile_is_new(c, SPEC_NS_NETWORK))
		compile_op(c, PLAN_LOOPBACK, "linux.namespaces");
}
