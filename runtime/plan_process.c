/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payload: hooks in the container, limits, identity, what it may do, and its terminal. */
#include "runtime/plan_compile.h"

#include <string.h>
#include <sys/resource.h>

#include "base/str.h"
#include "runtime/hooks.h"
#include "spec/names.h"

/* ---- hooks that init runs ---- */

void compile_hooks(struct compiler *c, enum spec_hook_kind kind, const char *status, bool in_container)
{
	const struct hooks_state state = {.id = c->in->id,
					  .status = status,
					  .bundle = c->in->bundle,
					  .pid = 1,
					  .annotations = c->spec->annotations,
					  .n_annotations = c->spec->n_annotations};
	const char *json, *pid, *list;
	char *head;

	if (!c->spec->hooks.kinds[kind].n)
		return;
	list = arena_join(c->arena, "hooks.", names_peek(&names_hooks, kind), NULL);
	json = hooks_state_json(&state, c->arena);
	pid = strstr(json, "\"pid\":1");
	head = arena_strdup(c->arena, json);
	head[pid - json + 6] = 0;
	for (size_t i = 0; i < c->spec->hooks.kinds[kind].n; i++) {
		const struct spec_hook *h = &c->spec->hooks.kinds[kind].hooks[i];
		const char *own_args[] = {h->path};
		struct plan_hook hook = {
		    .path = block_string(c->block, h->path),
		    .args = block_strings(c->block, h->n_args ? h->args : own_args, h->n_args ? h->n_args : 1),
		    .n_args = (uint32_t)(h->n_args ? h->n_args : 1),
		    .env = block_strings(c->block, h->env, h->n_env),
		    .n_env = (uint32_t)h->n_env,
		    .state_head = block_string(c->block, head),
		    .state_tail = block_string(c->block, pid + 7),
		    .timeout = h->timeout,
		    .in_container = in_container,
		};

		compile_op(c, PLAN_HOOK, compile_cause(c, list, i))->hook = hook;
	}
}

/* ---- the process: shared by create and exec ---- */

/* A list such as "0-3,7" or "0-31:1/2" (checked: is_list()) as a mask of 64-bit words. */
static const uint64_t *list_to_mask(struct compiler *c, const char *list, size_t *ret_words)
{
	uint64_t *mask = arena_array(c->arena, uint64_t, 128);
	size_t words = 1;

	for (const char *p = list; *p;) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first, used = 1, group = 1;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (*end == ':') {
			used = strtoul(end + 1, &end, 10);
			group = strtoul(end + 1, &end, 10);
		}
		for (unsigned long bit = first; bit <= last && bit < 128 * 64; bit++) {
			if ((bit - first) % group >= used)
				continue;
			mask[bit / 64] |= 1ULL << bit % 64;
			if (bit / 64 + 1 > words)
				words = bit / 64 + 1;
		}
		p = *end ? end + 1 : end;
	}
	*ret_words = words;
	return mask;
}

void compile_affinity(struct compiler *c, const char *list, const char *cause)
{
	uint64_t all[16];
	const uint64_t *mask = all;
	size_t words = ARRAY_SIZE(all);
	plan_ref ref;
	struct plan_op *o;

	memset(all, 0xff, sizeof(all));
	if (list)
		mask = list_to_mask(c, list, &words);
	ref = block_bytes(c->block, mask, words * sizeof(*mask));
	o = compile_op(c, PLAN_AFFINITY, cause);
	o->affinity.mask = ref;
	o->affinity.n = (uint32_t)(words * sizeof(*mask));
}

static void add_scheduler(struct compiler *c, const struct spec_scheduler *s)
{
	struct plan_op *o = compile_op(c, PLAN_SCHEDULER, "process.scheduler");

	o->scheduler.policy = s->policy;
	o->scheduler.priority = (uint32_t)s->priority;
	o->scheduler.nice = s->nice;
	o->scheduler.flags = s->flags;
	o->scheduler.runtime = s->runtime;
	o->scheduler.deadline = s->deadline;
	o->scheduler.period = s->period;
}

void compile_memory_policy(struct compiler *c, const struct spec_memory_policy *m)
{
	size_t words = 0;
	const uint64_t *mask = m->nodes && *m->nodes ? list_to_mask(c, m->nodes, &words) : NULL;
	plan_ref nodes = mask ? block_bytes(c->block, mask, words * sizeof(*mask)) : 0;
	struct plan_op *o = compile_op(c, PLAN_MEMORY_POLICY, "linux.memoryPolicy");

	o->memory_policy.mode = (uint32_t)m->mode | m->flags;
	o->memory_policy.nodes = nodes;
	o->memory_policy.n_bits = (uint32_t)(words * 64 + (words ? 1 : 0)); /* set_mempolicy(2) counts one too many */
}

static void add_rlimits(struct compiler *c, const struct spec_process *p)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		struct plan_op *o = compile_op(c, PLAN_RLIMIT, compile_cause(c, "process.rlimits", i));

		o->rlimit.resource = (uint32_t)p->rlimits[i].resource;
		o->rlimit.soft = p->rlimits[i].soft;
		o->rlimit.hard = p->rlimits[i].hard;
	}
}

void compile_personality(struct compiler *c, enum spec_personality personality)
{
	if (personality != SPEC_PERSONALITY_NONE)
		compile_numbers(c, PLAN_PERSONALITY, "linux.personality",
				personality == SPEC_PERSONALITY_LINUX32 ? 0x0008 : 0, 0);
}

static void add_identity(struct compiler *c, const struct process_input *in)
{
	const struct spec_process *p = in->process;
	plan_ref groups = block_bytes(c->block, p->user.additional_gids, p->user.n_additional_gids * sizeof(uint32_t));
	plan_ref cwd = block_string(c->block, p->cwd), cwd_cause = block_string(c->block, "process.cwd");
	struct plan_op *o = compile_op(c, PLAN_USER, "process.user");

	o->user = (struct plan_user){
	    .uid = p->user.uid,
	    .gid = p->user.gid,
	    .groups = groups,
	    .n_groups = (uint32_t)p->user.n_additional_gids,
	    .keep_groups = in->keep_groups,
	    .cwd = cwd,
	    .cwd_cause = cwd_cause,
	    .create_cwd = in->create_cwd,
	    .bounding = in->capabilities->bounding,
	};
}

/* The first of all: see init/process.c. */
void compile_oom_score(struct compiler *c, const struct spec_process *p, bool privileged)
{
	if (!p || !p->has_oom_score_adj)
		return;
	compile_strings(c, PLAN_OOM_SCORE, "process.oomScoreAdj", arena_format(c->arena, "%d", p->oom_score_adj), NULL);
	c->block->ops[c->block->n_ops - 1].number = !privileged;
}

/* What comes before the container may be seen as created. */
void compile_process(struct compiler *c, const struct process_input *in)
{
	const struct spec_process *p = in->process;

	add_rlimits(c, p);
	if (p->scheduler)
		add_scheduler(c, p->scheduler);
	if (p->has_io_priority)
		compile_numbers(c, PLAN_IO_PRIORITY, "process.ioPriority", (uint64_t)p->io_priority, 0);
	compile_numbers(c, PLAN_UMASK, "process.user.umask", p->user.has_umask ? p->user.umask : 0022, 0);
	if (p->apparmor_profile && *p->apparmor_profile)
		compile_strings(c, PLAN_LABEL, "process.apparmorProfile", "self/attr/apparmor/exec",
				arena_format(c->arena, "exec %s", p->apparmor_profile));
	if (p->selinux_label && *p->selinux_label)
		compile_strings(c, PLAN_LABEL, "process.selinuxLabel", "self/attr/exec", p->selinux_label);
	if (p->no_new_privileges)
		compile_op(c, PLAN_NO_NEW_PRIVILEGES, "process.noNewPrivileges");
	add_identity(c, in);
	compile_numbers(c, PLAN_FIND_PROGRAM, "process.args", p->user.uid, 0);
}

static void add_capabilities(struct compiler *c, const struct caps_sets *sets)
{
	compile_op(c, PLAN_CAPABILITIES, "process.capabilities")->capabilities = (struct plan_capabilities){
	    .effective = sets->effective,
	    .permitted = sets->permitted,
	    .inheritable = sets->inheritable,
	    .ambient = sets->ambient,
	};
}

static void add_seccomp(struct compiler *c, const struct seccomp_program *s)
{
	plan_ref filter = block_bytes(c->block, s->filter, s->n * sizeof(*s->filter));
	struct plan_op *o = compile_op(c, PLAN_SECCOMP, "linux.seccomp");

	o->seccomp.filter = filter;
	o->seccomp.n = s->n;
	o->seccomp.flags = s->flags;
	o->seccomp.listener = s->listener;
	c->out->listener = s->listener;
}

/* The filter as late as possible: after it only what the payload may do can be done. */
void compile_end(struct compiler *c, const struct process_input *in)
{
	bool early = in->seccomp && !in->process->no_new_privileges;

	if (early)
		add_seccomp(c, in->seccomp);
	add_capabilities(c, in->capabilities);
	if (in->seccomp && !early)
		add_seccomp(c, in->seccomp);
	compile_numbers(c, PLAN_EXEC, "process.args", in->stay, 0);
}

void compile_console(struct compiler *c, const struct spec_process *p, uint32_t rows, uint32_t columns, bool plain,
		     bool exec)
{
	struct plan_op *o;

	if (!p->terminal)
		return;
	o = compile_op(c, PLAN_CONSOLE, "process.terminal");
	/* Whoever sits at a terminal has that one's size, and keeps it: consoleSize is for where there is none. */
	o->console.rows = rows || columns || !p->has_console_size ? rows : p->console_height;
	o->console.columns = rows || columns || !p->has_console_size ? columns : p->console_width;
	o->console.uid = p->user.uid;
	o->console.plain = plain;
	o->console.exec = exec;
	c->out->console = true;
}

bool compile_needs_proc(const struct spec *spec, const struct spec_process *p)
{
	return (spec && spec->linux_.n_sysctl) ||
	       (p && ((p->apparmor_profile && *p->apparmor_profile) || (p->selinux_label && *p->selinux_label)));
}

/* A hard limit that is to rise is raised while init still has the host's privileges: in a user namespace it could not. */
void compile_early_rlimits(struct compiler *c)
{
	const struct spec_process *p = c->spec->process;

	for (size_t i = 0; p && c->user && i < p->n_rlimits; i++) {
		const struct rlimit *now = &c->in->limits[p->rlimits[i].resource];
		struct plan_op *o;

		if (p->rlimits[i].hard <= now->rlim_max)
			continue;
		o = compile_op(c, PLAN_RLIMIT, compile_cause(c, "process.rlimits", i));
		o->rlimit.resource = (uint32_t)p->rlimits[i].resource;
		o->rlimit.soft = now->rlim_cur;
		o->rlimit.hard = p->rlimits[i].hard;
	}
}

void compile_keyring(struct compiler *c, const char *id, const char *label)
{
	bool labelled = label && *label;

	compile_strings(c, PLAN_KEYRING, labelled ? "process.selinuxLabel" : NULL,
			id ? arena_format(c->arena, "_ses.%s", id) : NULL, labelled ? label : NULL);
}
