/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What it may: capabilities, system calls, ids, kernel parameters. */
#include "instances/config_builder.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "instances/ids.h"
#include "instances/seccomp.h"
#include "spec/json.h"
#include "spec/names.h"

enum { SECCOMP_FILE_MAX = 4 << 20 };

/* ---- capabilities ---- */

#define FEW                                                                                                            \
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",               \
	    "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"

static const struct {
	const char *name;
	bool all;
	const char *names[16];
} capability_sets[] = {
    {"default", false, {FEW}},
    {"none", false, {NULL}},
    {"service", false, {"CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"}},
    {"docker", false, {FEW, "CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW"}},
    {"all", true, {NULL}},
};

/* "NET_ADMIN", "cap_net_admin": its number; -1: there is none of that name. */
static int find_capability(const char *text, struct arena *arena)
{
	bool prefixed = !strncasecmp(text, "CAP_", 4);
	char *name = arena_format(arena, "CAP_%s", prefixed ? text + 4 : text);
	uint64_t number;

	for (char *c = name; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return names_find(&names_capabilities, name, &number) ? -1 : (int)number;
}

static int change_capabilities(struct config_builder *b, const char *option, const char *const *list, size_t n,
			       bool add, uint64_t *mask, uint64_t *changed)
{
	for (size_t i = 0; i < n; i++) {
		bool all = !strcasecmp(list[i], "all");
		int number = all ? 0 : find_capability(list[i], b->arena);
		uint64_t bits;

		if (number < 0) {
			const char *close =
			    names_closest(&names_capabilities, arena_format(b->arena, "CAP_%s", list[i]));

			return error_refuse(b->e, ERROR_USAGE, "%s '%s': no such capability%s%s%s", option, list[i],
					    close ? "; did you mean '" : "", close ? close : "", close ? "'?" : "");
		}
		bits = all ? UINT64_MAX : (uint64_t)1 << number;
		*mask = add ? *mask | bits : *mask & ~bits;
		*changed |= bits;
	}
	return 0;
}

static void list_capabilities(struct config_builder *b, enum spec_capability_set set, uint64_t mask)
{
	for (size_t i = 0; i < names_capabilities.n; i++)
		if (mask >> names_capabilities.list[i].value & 1)
			CONFIG_ADD(b, b->capabilities.sets[set].names, b->capabilities.sets[set].n) =
			    names_capabilities.list[i].name;
}

int config_build_capabilities(struct config_builder *b)
{
	const char *wanted = b->o->capabilities ? b->o->capabilities : "default";
	const char *names[ARRAY_SIZE(capability_sets)], *close;
	uint64_t mask = 0, added = 0, dropped = 0;
	size_t set;
	int r;

	for (set = 0; set < ARRAY_SIZE(capability_sets); set++) {
		names[set] = capability_sets[set].name;
		if (str_equal(wanted, names[set]))
			break;
	}
	if (set == ARRAY_SIZE(capability_sets)) {
		close = str_closest(wanted, names, set);
		return error_refuse(b->e, ERROR_USAGE,
				    "--caps '%s': it takes default, none, service, docker or all%s%s%s", wanted,
				    close ? "; did you mean '" : "", close ? close : "", close ? "'?" : "");
	}
	if (capability_sets[set].all)
		mask = UINT64_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(capability_sets[set].names) && capability_sets[set].names[i]; i++)
		mask |= (uint64_t)1 << find_capability(capability_sets[set].names[i], b->arena);
	/* Like Docker and Podman: what is added wins over "all" dropped, so both orders say what they seem to. */
	r = change_capabilities(b, "--cap-drop", b->o->cap_drop, b->o->n_cap_drop, false, &mask, &dropped);
	if (!r)
		r = change_capabilities(b, "--cap-add", b->o->cap_add, b->o->n_cap_add, true, &mask, &added);
	if (r)
		return r;
	list_capabilities(b, SPEC_CAP_BOUNDING, mask);
	list_capabilities(b, SPEC_CAP_EFFECTIVE, mask);
	list_capabilities(b, SPEC_CAP_PERMITTED, mask);
	/* execve(2) takes all from another user than root; what was asked for by name is to stay. */
	if (b->user.uid && b->o->n_cap_add) {
		list_capabilities(b, SPEC_CAP_INHERITABLE, added & mask);
		list_capabilities(b, SPEC_CAP_AMBIENT, added & mask);
	}
	b->process.capabilities = &b->capabilities;
	return 0;
}

/* ---- seccomp ---- */

static int read_seccomp(struct config_builder *b, const char *path)
{
	auto_free char *text = NULL, *document = NULL;
	auto_str wrapped = STR_INIT;
	auto_json *json = NULL;
	struct spec *parsed = arena_new(b->arena, struct spec);
	size_t size = 0;
	int r = file_read(AT_FDCWD, path, SECCOMP_FILE_MAX, &text, &size);

	if (r)
		return error_system(b->e, -r, "--seccomp '%s'", path);
	r = json_read(text, size, path, &json, b->e);
	if (r)
		return r;
	/* Docker's source form has conditions of its own beside the rules: read as the OCI's it would allow too much. */
	if (json_find(json, "archMap") || json_find(json, "defaultAction") == NULL)
		return error_refuse(b->e, ERROR_INVALID,
				    "--seccomp '%s': must be an object like linux.seccomp of config.json, not %s", path,
				    json_find(json, "archMap") ? "a profile for Docker" : "without a 'defaultAction'");
	document = json_dump(json, JSON_INDENT_NONE);
	str_addf(&wrapped, "{\"ociVersion\":\"" SPEC_VERSION "\",\"linux\":{\"seccomp\":%s}}", document);
	r = spec_parse(str_peek(&wrapped), wrapped.size, path, parsed, b->e);
	if (r)
		return r;
	b->spec.linux_.seccomp = parsed->linux_.seccomp;
	/* It lives on in the arena of its own, which ours can't release: copied by encoding, below. */
	b->spec.arena = parsed->arena;
	return 0;
}

int config_build_seccomp(struct config_builder *b)
{
	const char *wanted = b->o->seccomp;

	if (wanted && str_equal(wanted, "unconfined"))
		return 0;
	if (wanted && !str_equal(wanted, "default"))
		return read_seccomp(b, wanted);
	b->spec.linux_.seccomp = seccomp_default(b->capabilities.sets[SPEC_CAP_BOUNDING].names,
						 b->capabilities.sets[SPEC_CAP_BOUNDING].n, b->arena);
	return 0;
}

/* ---- namespaces and ids ---- */

int config_build_user_namespace(struct config_builder *b)
{
	const char *wanted = b->o->userns ? b->o->userns : "auto";
	struct spec_linux *l = &b->spec.linux_;
	uint32_t first = 0;
	int r;

	if (str_equal(wanted, "host")) {
		if (b->runtime->rootless)
			return error_refuse(b->e, ERROR_PERMISSION,
					    "--userns host: an ordinary user needs a user namespace: leave it at auto");
		return 0;
	}
	if (!str_equal(wanted, "auto"))
		return error_refuse(b->e, ERROR_USAGE,
				    "--userns '%s': it takes auto (a range of ids of its own) or host (none)", wanted);
	l->namespaces[SPEC_NS_USER].present = true;
	if (b->runtime->rootless) { /* only its own id, unless newuidmap gives more: that needs /etc/subuid */
		CONFIG_ADD(b, l->uid_mappings, l->n_uid_mappings) = (struct spec_id_map){0, geteuid(), 1};
		CONFIG_ADD(b, l->gid_mappings, l->n_gid_mappings) = (struct spec_id_map){0, getegid(), 1};
		return 0;
	}
	if (b->shared_ids) {
		if (!b->first_shared) { /* it has none */
			l->namespaces[SPEC_NS_USER].present = false;
			return 0;
		}
		first = b->first_shared;
	} else if (b->base->first_id) {
		first = *b->base->first_id;
	} else {
		r = ids_take(b->runtime, b->o->name, &first, b->e);
		if (r)
			return r;
	}
	CONFIG_ADD(b, l->uid_mappings, l->n_uid_mappings) = (struct spec_id_map){0, first, IDS_SIZE};
	CONFIG_ADD(b, l->gid_mappings, l->n_gid_mappings) = (struct spec_id_map){0, first, IDS_SIZE};
	return 0;
}

int config_build_sysctls(struct config_builder *b)
{
	struct spec_linux *l = &b->spec.linux_;

	if (b->own_network) {
		/* In a network namespace of one's own a low port is nothing special. */
		CONFIG_ADD(b, l->sysctl, l->n_sysctl) = (struct spec_pair){"net.ipv4.ip_unprivileged_port_start", "0"};
		CONFIG_ADD(b, l->sysctl, l->n_sysctl) = (struct spec_pair){"net.ipv4.ping_group_range", "0 65535"};
		if (b->runtime->rootless)
			l->n_sysctl--;
	}
	for (size_t i = 0; i < b->o->n_sysctls; i++) {
		const char *text = b->o->sysctls[i], *equals = strchr(text, '=');

		if (!equals || equals == text)
			return error_refuse(b->e, ERROR_USAGE, "--sysctl '%s': it takes NAME=VALUE", text);
		CONFIG_ADD(b, l->sysctl, l->n_sysctl) =
		    (struct spec_pair){arena_format(b->arena, "%.*s", (int)(equals - text), text), equals + 1};
	}
	return 0;
}
