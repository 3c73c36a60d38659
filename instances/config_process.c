/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command, its variables, who runs it, and its limits as a process. */
#include "instances/config_builder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "spec/names.h"

enum { ENV_FILE_MAX = 1 << 20 };

/* KEY=value replaces an earlier one. */
static void set_env(struct config_builder *b, const char *text)
{
	size_t n = strcspn(text, "=") + 1;

	for (size_t i = 0; i < b->process.n_env; i++)
		if (!strncmp(b->process.env[i], text, n)) {
			b->process.env[i] = text;
			return;
		}
	CONFIG_ADD(b, b->process.env, b->process.n_env) = text;
}

static bool has_env(const struct config_builder *b, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < b->process.n_env; i++)
		if (!strncmp(b->process.env[i], key, n) && b->process.env[i][n] == '=')
			return true;
	return false;
}

/* "KEY=value", or "KEY" for the caller's own. */
static int add_env(struct config_builder *b, const char *text, const char *where)
{
	const char *value;

	if (*text == '=' || !*text)
		return error_refuse(b->e, ERROR_USAGE, "%s '%s': it takes KEY=VALUE, or KEY for the one of this shell",
				    where, text);
	if (strchr(text, '=')) {
		set_env(b, arena_strdup(b->arena, text));
		return 0;
	}
	value = getenv(text);
	if (value)
		set_env(b, arena_format(b->arena, "%s=%s", text, value));
	return 0;
}

static int read_env_file(struct config_builder *b, const char *path)
{
	auto_free char *text = NULL;
	char *rest, *line;
	size_t size = 0;
	unsigned number = 0;
	int r = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, &size);

	if (r)
		return error_system(b->e, -r, "--env-file '%s'", path);
	if (strlen(text) != size)
		return error_refuse(b->e, ERROR_INVALID, "--env-file '%s': is no text", path);
	rest = text;
	while (!r && (line = strsep(&rest, "\n"))) {
		size_t length = strlen(line);

		number++;
		if (length && line[length - 1] == '\r')
			line[length - 1] = 0;
		line += strspn(line, " \t");
		if (*line && *line != '#')
			r = add_env(b, line, arena_format(b->arena, "--env-file '%s', line %u:", path, number));
	}
	return r;
}

int config_build_env(struct config_builder *b)
{
	const struct image_config *image = b->base->image;
	int r = 0;

	set_env(b, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	set_env(b, "container=holm");
	set_env(b, arena_format(b->arena, "HOSTNAME=%s", b->spec.hostname));
	if (b->o->terminal || b->systemd)
		set_env(b, "TERM=xterm");
	for (size_t i = 0; image && i < image->n_env; i++)
		if (strchr(image->env[i], '=') > image->env[i])
			set_env(b, image->env[i]);
	for (size_t i = 0; !r && i < b->o->n_env_files; i++)
		r = read_env_file(b, b->o->env_files[i]);
	for (size_t i = 0; !r && i < b->o->n_env; i++)
		r = add_env(b, b->o->env[i], "--env");
	if (!has_env(b, "HOME"))
		set_env(b, arena_format(b->arena, "HOME=%s",
					b->user.home  ? b->user.home
					: b->user.uid ? "/"
						      : "/root"));
	return r;
}

static void add_args(struct config_builder *b, const char *const *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CONFIG_ADD(b, b->process.args, b->process.n_args) = args[i];
}

int config_build_args(struct config_builder *b)
{
	const struct image_config *image = b->base->image;
	const struct config_options *o = b->o;

	if (o->entrypoint)
		add_args(b, &o->entrypoint, 1);
	else if (image)
		add_args(b, image->entrypoint, image->n_entrypoint);
	if (o->n_args)
		add_args(b, o->args, o->n_args);
	else if (image && !o->entrypoint)
		add_args(b, image->cmd, image->n_cmd);
	if (!b->process.n_args)
		return error_refuse(b->e, ERROR_USAGE, "no command: the %s has none, give one after it",
				    o->rootfs ? "folder of --rootfs" : "image");
	b->systemd = config_is_systemd(b->process.args[0]);
	return 0;
}

int config_build_user(struct config_builder *b)
{
	const struct image_config *image = b->base->image;
	const char *text = b->o->user ? b->o->user : image && image->user && *image->user ? image->user : "0";
	int r = user_find(b->base->root, text, b->arena, &b->user, b->e);

	if (r) {
		error_context(b->e, "%s", b->o->user ? "--user" : "the image's user");
		return r;
	}
	b->process.user.uid = b->user.uid;
	b->process.user.gid = b->user.gid;
	for (size_t i = 0; i < b->user.n_groups; i++)
		CONFIG_ADD(b, b->process.user.additional_gids, b->process.user.n_additional_gids) = b->user.groups[i];
	for (size_t i = 0; i < b->o->n_groups; i++) {
		struct user group;

		r = user_find(b->base->root, arena_format(b->arena, "0:%s", b->o->groups[i]), b->arena, &group, b->e);
		if (r) {
			error_context(b->e, "--group");
			return r;
		}
		CONFIG_ADD(b, b->process.user.additional_gids, b->process.user.n_additional_gids) = group.gid;
	}
	return 0;
}

/* ---- all else of it ---- */

/* "nofile=1024[:4096]" */
static int add_ulimit(struct config_builder *b, const char *text)
{
	const char *equals = strchr(text, '='), *colon = equals ? strchr(equals, ':') : NULL;
	struct spec_rlimit limit = {0};
	uint64_t resource;
	char *name, *soft;

	if (!equals)
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': it takes NAME=SOFT[:HARD]", text);
	name = arena_format(b->arena, "RLIMIT_%.*s", (int)(equals - text), text);
	for (char *c = name; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	if (names_find(&names_rlimits, name, &resource)) {
		const char *close = names_closest(&names_rlimits, name);

		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': no such limit%s%s%s", text,
				    close ? "; did you mean '" : "", close ? close + strlen("RLIMIT_") : "",
				    close ? "'?" : "");
	}
	soft = colon ? arena_format(b->arena, "%.*s", (int)(colon - equals - 1), equals + 1)
		     : arena_strdup(b->arena, equals + 1);
	limit.resource = (int)resource;
	if (parse_u64(soft, 0, UINT64_MAX, &limit.soft) && str_equal(soft, "unlimited") == false)
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': '%s' is no number", text, soft);
	if (str_equal(soft, "unlimited"))
		limit.soft = RLIM_INFINITY;
	limit.hard = limit.soft;
	if (colon && str_equal(colon + 1, "unlimited"))
		limit.hard = RLIM_INFINITY;
	else if (colon && parse_u64(colon + 1, 0, UINT64_MAX, &limit.hard))
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': '%s' is no number", text, colon + 1);
	if (limit.soft > limit.hard)
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': the first number is the lower one", text);
	CONFIG_ADD(b, b->process.rlimits, b->process.n_rlimits) = limit;
	return 0;
}

int config_build_process(struct config_builder *b)
{
	const struct image_config *image = b->base->image;
	const char *cwd = b->o->cwd ? b->o->cwd : image && image->working_dir ? image->working_dir : "/";
	int r = 0;

	if (*cwd != '/')
		return error_refuse(b->e, ERROR_USAGE, "--workdir '%s': must be absolute", cwd);
	b->process.cwd = cwd;
	b->process.terminal = b->o->terminal || b->systemd; /* its console: what it says of its start, and a login */
	b->process.no_new_privileges = !b->o->new_privileges;
	/* None at all: what holm itself runs under stays. */
	if (b->o->apparmor && !str_equal(b->o->apparmor, "unconfined"))
		b->process.apparmor_profile = b->o->apparmor;
	for (size_t i = 0; !r && i < b->o->n_ulimits; i++)
		r = add_ulimit(b, b->o->ulimits[i]);
	return r;
}
