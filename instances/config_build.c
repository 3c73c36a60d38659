/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/config.h"

#include <string.h>

#include "instances/config_builder.h"
#include "instances/ids.h"
#include "spec/json.h"

enum { HOSTNAME_MAX = 64 };

void *config_grow(struct arena *arena, void *list, size_t n, size_t size)
{
	void *more;

	if (n && (n & (n - 1)))
		return list;
	more = arena_alloc(arena, (n ? n * 2 : 1) * size);
	if (n)
		memcpy(more, list, n * size);
	return more;
}

static int build_root(struct config_builder *b)
{
	const struct config_options *o = b->o;

	b->spec.root_path = o->rootfs ? o->rootfs : "rootfs";
	b->spec.root_readonly = o->read_only;
	b->holm.image = o->image;
	if (o->size.present && o->size.value < 1 << 20)
		return error_refuse(b->e, ERROR_USAGE, "--size: it takes at least 1M");
	b->holm.storage.size = o->size.present ? o->size.value : 0;
	b->holm.storage.inodes = o->inodes.present ? o->inodes.value : 0;
	b->holm.storage.is_volatile = o->is_volatile || o->remove; /* nobody will look at it again */
	return 0;
}

static int build_names(struct config_builder *b)
{
	const char *name = b->o->hostname ? b->o->hostname : b->o->name;

	if (strlen(name) > HOSTNAME_MAX || !str_is_id(name))
		return error_refuse(b->e, ERROR_USAGE,
				    "--hostname '%s': it takes letters, digits, '-' and '.', at most %d", name,
				    HOSTNAME_MAX);
	b->spec.hostname = name;
	return 0;
}

/* In the order in which they need each other; the id range is taken last, when nothing can be refused any more. */
static int (*const parts[])(struct config_builder *b) = {
    build_names,
    build_root,
    config_build_args,
    config_build_user,
    config_build_env,
    config_build_process,
    config_build_capabilities,
    config_build_seccomp,
    config_build_resources,
    config_build_devices,
    config_build_networks,
    config_build_upkeep,
    config_build_user_namespace,
    config_build_mounts,
    config_build_sysctls,
};

int config_build(const struct runtime *runtime, const struct config_options *options, const struct config_base *base,
		 char **ret_text, struct spec *ret_spec, struct error *e)
{
	static const enum spec_namespace_type always[] = {SPEC_NS_PID, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_MOUNT,
							  SPEC_NS_CGROUP};
	auto_arena arena = ARENA_INIT;
	struct config_builder b = {.runtime = runtime, .o = options, .base = base, .arena = &arena, .e = e};
	auto_free char *text = NULL;
	int r = 0;

	b.spec.version = SPEC_VERSION;
	b.spec.process = &b.process;
	b.spec.holm = &b.holm;
	b.spec.linux_.resources = &b.resources;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		b.spec.linux_.namespaces[always[i]].present = true;
	for (size_t i = 0; !r && i < ARRAY_SIZE(parts); i++)
		r = parts[i](&b);
	if (!r) {
		text = spec_encode(&b.spec, JSON_INDENT_TAB);
		r = spec_parse(text, strlen(text), "config.json", ret_spec, e);
	}
	arena_release(&b.spec.arena);
	if (r) {
		uint32_t first = b.base->first_id || b.shared_ids ? 0 : config_first_id(&b.spec);

		if (first)
			ids_release(runtime, options->name, first);
		return r;
	}
	*ret_text = take_ptr(&text);
	return 0;
}

uint32_t config_first_id(const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;

	return l->n_uid_mappings == 1 && l->uid_mappings[0].size == IDS_SIZE ? l->uid_mappings[0].host : 0;
}

int config_parse_label(const char *text, struct arena *arena, struct spec_pair *ret, struct error *e)
{
	const char *equals = strchr(text, '=');

	if (!*text || equals == text)
		return error_refuse(e, ERROR_USAGE, "--label '%s': it takes NAME=VALUE, or NAME", text);
	*ret = (struct spec_pair){equals ? arena_format(arena, "%.*s", (int)(equals - text), text) : text,
				  equals ? equals + 1 : ""};
	return 0;
}
