/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/process.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

enum { MAX_PROCESS_FILE = 64 << 20 };

/* (uid_t)-1 means "unchanged" to the kernel, so it is no id. */
static int parse_id(const char *text, uint32_t *ret)
{
	uint64_t value;
	int r = parse_u64(text, 0, UINT32_MAX - 1, &value);

	if (!r)
		*ret = value;
	return r;
}

int process_parse_user(const char *text, uint32_t *ret_uid, uint32_t *ret_gid, bool *ret_has_gid, struct error *e)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	uint32_t uid, gid = 0;
	char number[16];

	if (n < sizeof(number)) {
		memcpy(number, text, n);
		number[n] = 0;
		if (!parse_id(number, &uid) && (!colon || !parse_id(colon + 1, &gid))) {
			*ret_uid = uid;
			*ret_has_gid = colon;
			if (colon)
				*ret_gid = gid;
			return 0;
		}
	}
	return error_refuse(e, ERROR_USAGE, "user '%s': not UID or UID:GID with numbers from 0 to %u", text,
			    UINT32_MAX - 1);
}

/* Appends b to a: a list of pointers or of numbers. */
static void *join(struct arena *arena, const void *a, size_t n_a, const void *b, size_t n_b, size_t size)
{
	char *list = arena_alloc(arena, (n_a + n_b) * size);

	if (n_a)
		memcpy(list, a, n_a * size);
	if (n_b)
		memcpy(list + n_a * size, b, n_b * size);
	return list;
}

static int merge_env(struct spec_process *process, const struct container_exec *request, struct arena *arena,
		     struct error *e)
{
	const char **env = join(arena, process->env, process->n_env, request->env, request->n_env, sizeof(*env));
	size_t n = process->n_env;

	/* All are in the list; those that replace an earlier one of the same name make it shorter again. */
	for (size_t i = 0; i < request->n_env; i++) {
		const char *added = request->env[i], *equals = strchr(added, '=');
		size_t length, k = 0;

		if (!equals || equals == added)
			return error_refuse(e, ERROR_USAGE, "--env '%s': not NAME=VALUE", added);
		length = equals - added + 1;
		while (k < n && strncmp(env[k], added, length))
			k++;
		env[k] = added;
		n += k == n;
	}
	process->env = env;
	process->n_env = n;
	return 0;
}

static bool has_name(const struct spec_capabilities *capabilities, enum spec_capability_set set, const char *name)
{
	for (size_t i = 0; i < capabilities->sets[set].n; i++)
		if (str_equal(capabilities->sets[set].names[i], name))
			return true;
	return false;
}

static void add_capabilities(struct spec_process *process, const struct container_exec *request, struct arena *arena)
{
	struct spec_capabilities *all = arena_new(arena, struct spec_capabilities);

	if (process->capabilities)
		*all = *process->capabilities;
	for (int set = 0; set < _SPEC_CAP_SET_N; set++) {
		size_t n = all->sets[set].n;

		if (set == SPEC_CAP_INHERITABLE)
			continue;
		all->sets[set].names = join(arena, all->sets[set].names, n, request->capabilities,
					    request->n_capabilities, sizeof(char *));
		for (size_t i = 0; i < request->n_capabilities; i++) {
			const char *name = request->capabilities[i];

			if (set == SPEC_CAP_AMBIENT && !has_name(all, SPEC_CAP_INHERITABLE, name))
				continue;
			all->sets[set].names[n++] = name;
		}
		all->sets[set].n = n;
	}
	process->capabilities = all;
}

/* What a process.json does not say, and what is not a matter of taste but of the container, comes from the container.
 */
static void fill_gaps(struct spec_process *process, const struct spec_process *container)
{
	if (!process->capabilities)
		process->capabilities = container->capabilities;
	if (!process->apparmor_profile)
		process->apparmor_profile = container->apparmor_profile;
	if (!process->selinux_label)
		process->selinux_label = container->selinux_label;
	if (!process->n_rlimits) {
		process->rlimits = container->rlimits;
		process->n_rlimits = container->n_rlimits;
	}
	if (!process->scheduler)
		process->scheduler = container->scheduler;
	if (!process->has_io_priority) {
		process->has_io_priority = container->has_io_priority;
		process->io_priority = container->io_priority;
	}
	if (!process->has_oom_score_adj) {
		process->has_oom_score_adj = container->has_oom_score_adj;
		process->oom_score_adj = container->oom_score_adj;
	}
	if (!process->exec_cpu_affinity)
		process->exec_cpu_affinity = container->exec_cpu_affinity;
}

/* The file may be a pipe. */
static int load_file(const char *path, struct arena *arena, struct spec_process **ret, struct error *e)
{
	auto_free char *text = NULL;
	auto_fd fd = -1;
	size_t size;
	int r = fd_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY, NULL, &fd, e);

	if (r)
		return r;
	r = fd_read_all(fd, MAX_PROCESS_FILE, &text, &size);
	if (r)
		return error_system(e, -r, "read '%s'", path);
	return spec_parse_process(text, size, path, arena, ret, e);
}

static int overlay(struct spec_process *process, const struct container_exec *request, struct arena *arena,
		   struct error *e)
{
	int r;

	process->args = request->args;
	process->n_args = request->n_args;
	if (!process->n_args)
		return error_refuse(e, ERROR_USAGE, "no command to execute");
	process->terminal = request->tty;
	if (request->cwd) {
		if (*request->cwd != '/')
			return error_refuse(e, ERROR_USAGE, "--cwd '%s': not an absolute path", request->cwd);
		process->cwd = request->cwd;
	}
	if (request->apparmor)
		process->apparmor_profile = request->apparmor;
	if (request->selinux_label)
		process->selinux_label = request->selinux_label;
	if (request->no_new_privileges)
		process->no_new_privileges = true;
	if (request->n_capabilities)
		add_capabilities(process, request, arena);
	if (request->user) {
		uint32_t gid = process->user.gid;
		bool has_gid;

		r = process_parse_user(request->user, &process->user.uid, &gid, &has_gid, e);
		if (r)
			return r;
		process->user.gid = gid;
	}
	if (request->n_additional_gids) {
		process->user.additional_gids =
		    join(arena, process->user.additional_gids, process->user.n_additional_gids,
			 request->additional_gids, request->n_additional_gids, sizeof(uint32_t));
		process->user.n_additional_gids += request->n_additional_gids;
	}
	return merge_env(process, request, arena, e);
}

int process_resolve(const struct spec_process *container, const struct container_exec *request, struct arena *arena,
		    struct spec_process **ret, struct error *e)
{
	struct spec_process *process;
	int r;

	if (request->process_file) {
		r = load_file(request->process_file, arena, &process, e);
		if (r)
			return r;
		if (container)
			fill_gaps(process, container);
		*ret = process;
		return 0;
	}
	process = arena_new(arena, struct spec_process);
	if (container)
		*process = *container;
	else
		process->cwd = "/";
	r = overlay(process, request, arena, e);
	if (r)
		return r;
	*ret = process;
	return 0;
}
