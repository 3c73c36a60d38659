/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/plan_compile.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/str.h"
#include "init/message.h"
#include "runtime/notify.h"
#include "spec/validate.h"

struct plan_op *compile_op(struct compiler *c, enum plan_kind kind, const char *cause)
{
	return block_op(c->block, kind, cause);
}

void compile_strings(struct compiler *c, enum plan_kind kind, const char *cause, const char *string,
		     const char *string2)
{
	plan_ref first = block_string(c->block, string), second = block_string(c->block, string2);
	struct plan_op *o = compile_op(c, kind, cause);

	o->string = first;
	o->string2 = second;
}

void compile_numbers(struct compiler *c, enum plan_kind kind, const char *cause, uint64_t number, uint64_t number2)
{
	struct plan_op *o = compile_op(c, kind, cause);

	o->number = number;
	o->number2 = number2;
}

const char *compile_cause(struct compiler *c, const char *list, size_t i)
{
	char digits[DECIMAL_SIZE];

	return arena_join(c->arena, list, "[", str_decimal(i, digits), "]", NULL);
}

struct plan_tree *compile_tree(struct compiler *c)
{
	c->out->trees = arena_grow(c->arena, c->out->trees, c->out->n_trees, &c->room_trees, sizeof(*c->out->trees));
	return &c->out->trees[c->out->n_trees++];
}

/* "/a//b/." as "/a/b"; ".." is left to the resolver, which keeps it inside the root. */
const char *compile_clean_path(struct compiler *c, const char *path)
{
	char *out = arena_alloc(c->arena, strlen(path) + 2), *p = out;

	for (const char *s = path; *s;) {
		size_t n = strcspn(s, "/");

		if (n && !(n == 1 && *s == '.')) {
			*p++ = '/';
			memcpy(p, s, n);
			p += n;
		}
		s += n + strspn(s + n, "/");
	}
	if (p == out)
		*p++ = '/';
	return out;
}

const char *compile_host_path(struct compiler *c, const char *path)
{
	return *path == '/' ? path : arena_format(c->arena, "%s/%s", c->in->bundle, path);
}

static void finish(struct compiler *c, const struct spec_process *p, const char *const *more_env, size_t n_more,
		   unsigned preserve)
{
	struct plan head = {.preserve = preserve};

	if (p) {
		const char **env = arena_array(c->arena, const char *, p->n_env + n_more + 1);
		size_t n = 0;

		for (size_t i = 0; i < p->n_env; i++)
			env[n++] = p->env[i];
		for (size_t i = 0; i < n_more; i++)
			env[n++] = more_env[i];
		head.args = block_strings(c->block, p->args, p->n_args);
		head.n_args = (uint32_t)p->n_args;
		head.env = block_strings(c->block, env, n);
		head.n_env = (uint32_t)n;
	}
	block_finish(c->block, &head);
}

static struct compiler begin(struct arena *arena, struct plan_result *ret, struct error *e)
{
	*ret = (struct plan_result){0};
	block_init(&ret->block, arena);
	return (struct compiler){.arena = arena, .out = ret, .block = &ret->block, .e = e};
}

static void add_sysctls(struct compiler *c)
{
	const struct spec_linux *l = &c->spec->linux_;

	for (size_t i = 0; i < l->n_sysctl; i++) {
		char *path = arena_strdup(c->arena, l->sysctl[i].key);

		for (char *p = path; *p; p++) /* as sysctl(8): a name's own dot (a VLAN's) stands as a slash */
			*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
		compile_strings(c, PLAN_SYSCTL, arena_format(c->arena, "linux.sysctl.%s", l->sysctl[i].key), path,
				l->sysctl[i].value);
	}
}

/* Before the payload only these can tell whether the network is joined: init does the rest beside that. */
static bool has_early_users_of_network(const struct spec *spec)
{
	static const enum spec_hook_kind early[] = {SPEC_HOOK_PRESTART, SPEC_HOOK_CREATE_RUNTIME,
						    SPEC_HOOK_CREATE_CONTAINER};
	unsigned namespace;

	for (size_t i = 0; i < ARRAY_SIZE(early); i++)
		if (spec->hooks.kinds[early[i]].n)
			return true;
	for (size_t i = 0; i < spec->linux_.n_sysctl; i++)
		if (!sysctl_namespace(spec->linux_.sysctl[i].key, &namespace) && namespace == SPEC_NS_NETWORK)
			return true;
	return false;
}

static void wait_for_network(struct compiler *c)
{
	compile_numbers(c, PLAN_WAIT, compile_network_cause(c), MESSAGE_GO, 0);
}

int plan_create(const struct plan_input *input, struct arena *arena, struct plan_result *ret, struct error *e)
{
	struct compiler c = begin(arena, ret, e);
	const struct spec *spec = c.spec = input->spec;
	const struct spec_linux *l = &spec->linux_;
	const struct spec_process *p = spec->process;
	bool mounts = l->namespaces[SPEC_NS_MOUNT].present;
	struct process_input process = {.process = p,
					.capabilities = input->capabilities,
					.seccomp = input->seccomp,
					.create_cwd = true,
					.stay = spec->holm && spec->holm->init};
	bool joins_early = has_early_users_of_network(spec);
	const char *more_env[3];
	size_t n_more = 0;
	int r;

	c.in = input;
	c.new_user = compile_is_new(&c, SPEC_NS_USER);
	c.user = l->namespaces[SPEC_NS_USER].present;
	ret->user_path = l->namespaces[SPEC_NS_USER].path;
	process.keep_groups =
	    c.new_user && !input->privileged && l->n_gid_mappings == 1 && l->gid_mappings[0].size == 1;
	compile_early_rlimits(&c);
	compile_oom_score(&c, p, input->privileged);
	compile_namespaces(&c);
	compile_op(&c, PLAN_SESSION, NULL);
	if (!input->no_new_keyring)
		compile_keyring(&c, input->id, p ? p->selinux_label : NULL);
	r = mounts ? compile_file_system(&c) : compile_refuse_mounts(&c);
	if (r)
		return r;
	if (ret->network && joins_early)
		wait_for_network(&c);
	if (spec->hooks.kinds[SPEC_HOOK_PRESTART].n || spec->hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].n) {
		ret->host_hooks = true;
		compile_numbers(&c, PLAN_TELL, "hooks", MESSAGE_MOUNTED, 0);
		compile_numbers(&c, PLAN_WAIT, "hooks", MESSAGE_GO, 0);
	}
	compile_hooks(&c, SPEC_HOOK_CREATE_CONTAINER, "creating", false);
	add_sysctls(&c);
	if (mounts) {
		compile_covers(&c);
		if (input->no_pivot)
			compile_op(&c, PLAN_MOVE_ROOT, NULL);
		else
			compile_numbers(&c, PLAN_PIVOT, "root.path", l->rootfs_propagation & MS_SHARED, 0);
		if (spec->root_readonly || l->rootfs_propagation)
			compile_numbers(&c, PLAN_ROOT_ATTR,
					spec->root_readonly ? "root.readonly" : "linux.rootfsPropagation",
					spec->root_readonly ? MOUNT_ATTR_RDONLY : 0, l->rootfs_propagation);
	} else {
		compile_strings(&c, PLAN_CHROOT, "root.path", compile_host_path(&c, spec->root_path), NULL);
	}
	if (spec->hostname && *spec->hostname)
		compile_strings(&c, PLAN_HOSTNAME, "hostname", spec->hostname, NULL);
	if (spec->domainname && *spec->domainname)
		compile_strings(&c, PLAN_DOMAINNAME, "domainname", spec->domainname, NULL);
	compile_personality(&c, l->personality);
	if (l->memory_policy)
		compile_memory_policy(&c, l->memory_policy);
	compile_affinity(&c, NULL, NULL);
	if (p)
		compile_process(&c, &process);
	if (ret->network && !joins_early)
		wait_for_network(&c);
	compile_numbers(&c, PLAN_START, NULL, input->wait_for_start, 0);
	if (p) {
		compile_hooks(&c, SPEC_HOOK_START_CONTAINER, "created", true);
		compile_end(&c, &process);
	}
	if (input->notify_folder)
		more_env[n_more++] = NOTIFY_ENV;
	if (input->listen_fds) {
		more_env[n_more++] = arena_format(arena, "LISTEN_FDS=%u", input->listen_fds);
		more_env[n_more++] = "LISTEN_PID=1";
	}
	finish(&c, p, more_env, n_more, input->preserve);
	return 0;
}

int plan_exec(const struct plan_exec_input *input, struct arena *arena, struct plan_result *ret, struct error *e)
{
	struct compiler c = begin(arena, ret, e);
	const struct spec_process *p = input->process;
	struct process_input process = {.process = p, .capabilities = input->capabilities, .seccomp = input->seccomp};
	const struct spec_cpu_affinity *affinity = p->exec_cpu_affinity;

	process.keep_groups = input->user_namespace && !input->privileged;
	compile_oom_score(&c, p, input->privileged);
	if (affinity && affinity->initial)
		compile_affinity(&c, affinity->initial, "process.execCPUAffinity.initial");
	if (input->enters_cgroups) {
		ret->enters_cgroups = true;
		compile_op(&c, PLAN_CGROUPS, NULL);
	}
	/* A new time namespace can't be joined by setns(2) with the rest before Linux 5.8; holm asks for 5.14. */
	if (input->namespaces)
		compile_op(&c, PLAN_JOIN, NULL)->namespace = (uint32_t)input->namespaces;
	if (input->user_namespace)
		compile_op(&c, PLAN_BECOME_ROOT, NULL);
	if (input->namespaces & (CLONE_NEWPID | CLONE_NEWTIME)) {
		ret->forks = true;
		compile_op(&c, PLAN_FORK, NULL);
	}
	if (input->namespaces & CLONE_NEWNS)
		compile_op(&c, PLAN_ENTER_ROOT, NULL);
	else /* a chroot: no namespace leads there */
		compile_strings(&c, PLAN_CHROOT, "root.path", input->rootfs, NULL);
	compile_op(&c, PLAN_SESSION, NULL);
	if (compile_needs_proc(NULL, p))
		compile_op(&c, PLAN_PROC, NULL);
	if (!input->no_new_keyring)
		compile_keyring(&c, NULL, p->selinux_label);
	compile_console(&c, p, input->rows, input->columns, input->plain_output, true);
	compile_personality(&c, input->personality);
	compile_affinity(&c, affinity ? affinity->final : NULL,
			 affinity && affinity->final ? "process.execCPUAffinity.final" : NULL);
	compile_process(&c, &process);
	compile_numbers(&c, PLAN_START, NULL, 0, 0);
	compile_end(&c, &process);
	finish(&c, p, NULL, 0, input->preserve);
	return 0;
}

/* What holm mounted at the start belongs to the container. */
static int check_removable(const char *target, struct error *e)
{
	static const char *const own[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		const char *rest = str_after(target, own[i]);

		if ((rest && (!*rest || *rest == '/')) || !target[1])
			return error_refuse(e, ERROR_INVALID, "'%s' can't be unmounted: the container needs it",
					    target);
	}
	return 0;
}

int plan_remodel(const struct plan_remodel_input *input, struct arena *arena, struct plan_result *ret, struct error *e)
{
	struct compiler c = begin(arena, ret, e);
	const struct plan_input in = {.bundle = input->bundle, .privileged = true};
	struct spec spec = {0};
	const char *target;
	int r;

	c.in = &in;
	c.spec = &spec;
	spec.linux_.namespaces[SPEC_NS_USER] = (struct spec_namespace){input->user_path, input->user_path};
	target = compile_clean_path(&c, input->mount ? input->mount->destination : input->target);
	r = input->mount ? compile_check_target(&c, input->mount, target, "mount") : check_removable(target, e);
	if (r)
		return r;
	compile_op(&c, PLAN_JOIN, NULL)->namespace = (uint32_t)(input->namespaces & (CLONE_NEWNS | CLONE_NEWUSER));
	if (input->namespaces & CLONE_NEWUSER)
		compile_op(&c, PLAN_BECOME_ROOT, NULL);
	compile_op(&c, PLAN_ENTER_ROOT, NULL);
	if (input->mount) {
		compile_bind(&c, "mount", compile_mount(&c, input->mount, target),
			     compile_host_path(&c, input->mount->source), input->mount->recursive, input->mount);
	} else {
		const char *name = strrchr(target, '/') + 1;

		compile_strings(
		    &c, PLAN_UNMOUNT, NULL,
		    name == target + 1 ? "/" : arena_format(arena, "%.*s", (int)(name - target - 1), target), name);
	}
	compile_numbers(&c, PLAN_START, NULL, 0, 0);
	compile_op(&c, PLAN_QUIT, NULL);
	finish(&c, NULL, NULL, 0, 0);
	return 0;
}
