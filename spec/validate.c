/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document, mounts, hooks, annotations and the "holm" extension */
#include "spec/validate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "spec/mount_options.h"
#include "spec/spec.h"

int check_annotation(struct walker *w, const struct step *step, void *base)
{
	const struct spec_pair *pair = base;

	return *pair->key ? 0 : walk_refuse(w, step, "the key must not be empty");
}

int check_hook(struct walker *w, const struct step *step, void *base)
{
	struct spec_hook *hook = base;

	(void)step;
	if (!hook->n_args) {
		hook->args = arena_array(w->arena, const char *, 2);
		hook->args[hook->n_args++] = hook->path;
	}
	return 0;
}

int check_id_map(struct walker *w, const struct step *step, void *base)
{
	const struct spec_id_map *map = base;
	const uint64_t end = UINT64_C(1) << 32;

	if (map->container + (uint64_t)map->size > end || map->host + (uint64_t)map->size > end)
		return walk_refuse(w, STEP_KEY(step, "size"), "%" PRIu32 " ids reach beyond the last id, 4294967295",
				   map->size);
	return 0;
}

/* The whole of an options list is one thought: bind decides what the rest may be. */
static int check_mount_kind(struct walker *w, const struct step *step, const struct spec_mount *mount)
{
	bool mapped = mount->n_uid_mappings || mount->n_gid_mappings;

	if (!mount->n_uid_mappings != !mount->n_gid_mappings)
		return walk_refuse(w, step, "has %s but no %s",
				   mapped && mount->n_uid_mappings ? "uidMappings" : "gidMappings",
				   mount->n_uid_mappings ? "gidMappings" : "uidMappings");
	if (mount->bind && mount->n_data)
		return walk_refuse(w, STEP_KEY(step, "options"), "a bind mount takes no option of a file system: '%s'",
				   mount->data[0]);
	if (mount->idmap != SPEC_IDMAP_NONE && !mount->bind)
		return walk_refuse(w, step, "only a bind mount can have its ids mapped");
	if (mount->bind && !mount->source && !mount->remount)
		return walk_refuse(w, STEP_KEY(step, "source"), "is missing: a bind mount needs one");
	return 0;
}

int check_mount(struct walker *w, const struct step *step, void *base)
{
	struct spec_mount *mount = base;
	const char *reason = NULL;
	size_t index = 0;

	if (*mount->destination != '/') {
		walk_note(w, STEP_KEY(step, "destination"), "is not absolute: a form that the OCI deprecates");
		mount->destination = arena_format(w->arena, "/%s", mount->destination);
	}
	if (mount_options_read(mount, w->arena, &reason, &index))
		return walk_refuse(w, STEP_INDEX(STEP_KEY(step, "options"), index), "'%s': %s", mount->options[index],
				   reason);
	if ((mount->n_uid_mappings || mount->n_gid_mappings) && mount->idmap == SPEC_IDMAP_NONE)
		mount->idmap = SPEC_IDMAP;
	return check_mount_kind(w, step, mount);
}

static int check_restart(struct walker *w, const struct step *step, const struct spec_holm *holm)
{
	uint64_t ignored;

	if (!holm->restart.policy || !names_find(&names_restart_policies, holm->restart.policy, &ignored))
		return 0;
	return walk_refuse(w, STEP_KEY(STEP_KEY(step, "restart"), "policy"),
			   "must be 'no', 'on-failure', 'always' or 'unless-stopped', not '%s'", holm->restart.policy);
}

static int check_health(struct walker *w, const struct step *step, const struct spec_holm *holm)
{
	uint64_t ignored;

	if (!holm->health.action || !names_find(&names_health_actions, holm->health.action, &ignored))
		return 0;
	return walk_refuse(w, STEP_KEY(STEP_KEY(step, "health"), "action"),
			   "must be 'none', 'restart', 'stop' or 'kill', not '%s'", holm->health.action);
}

int check_holm(struct walker *w, const struct step *step, void *base)
{
	const struct spec_holm *holm = base;

	for (size_t i = 0; i < holm->n_after; i++)
		if (!str_is_id(holm->after[i]))
			return walk_refuse(w, STEP_INDEX(STEP_KEY(step, "after"), i), "'%s' is no name of an instance",
					   holm->after[i]);
	return check_restart(w, step, holm) ?: check_health(w, step, holm);
}

/* Digits without a leading zero; *p moves behind them. */
static bool skip_part(const char **p, uint64_t *ret)
{
	const char *start = *p;

	for (*ret = 0; **p >= '0' && **p <= '9'; ++*p)
		if (*p - start > 9)
			return false;
		else
			*ret = *ret * 10 + (**p - '0');
	return *p > start && (*start != '0' || *p - start == 1);
}

/* One of semver's tails ("-dev.1", "+build"): identifiers of [0-9A-Za-z-] between dots, none empty. */
static bool skip_tail(const char **p)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";

	do {
		size_t n = strspn(++*p, allowed);

		if (!n)
			return false;
		*p += n;
	} while (**p == '.');
	return true;
}

static int check_version(struct walker *w, const struct step *step, const char *version)
{
	uint64_t major = 0, part = 0;
	const char *p = version;
	bool valid =
	    skip_part(&p, &major) && *p++ == '.' && skip_part(&p, &part) && *p++ == '.' && skip_part(&p, &part);

	if (valid && *p == '-')
		valid = skip_tail(&p);
	if (valid && *p == '+')
		valid = skip_tail(&p);
	if (!valid || *p)
		return walk_refuse(w, step, "must be a version like '" SPEC_VERSION "', not '%s'", version);
	if (major != 1) /* every 1.x is promised to be compatible */
		return walk_refuse(w, step, "version %s is not supported: must be 1.x.x", version);
	return 0;
}

static bool is_mapped(const struct spec_id_map *maps, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].container && id - maps[i].container < maps[i].size)
			return true;
	return false;
}

/* Ids that the new user namespace does not have can't be taken on. */
static int check_ids(struct walker *w, const struct step *step, const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	const struct spec_process *p = spec->process;
	const struct step *user = STEP_KEY(STEP_KEY(step, "process"), "user");

	if (!p || !l->n_uid_mappings || l->namespaces[SPEC_NS_USER].path)
		return 0;
	if (!is_mapped(l->uid_mappings, l->n_uid_mappings, p->user.uid))
		return walk_refuse(w, STEP_KEY(user, "uid"), "%" PRIu32 " is not in linux.uidMappings", p->user.uid);
	if (!is_mapped(l->gid_mappings, l->n_gid_mappings, p->user.gid))
		return walk_refuse(w, STEP_KEY(user, "gid"), "%" PRIu32 " is not in linux.gidMappings", p->user.gid);
	for (size_t i = 0; i < p->user.n_additional_gids; i++)
		if (!is_mapped(l->gid_mappings, l->n_gid_mappings, p->user.additional_gids[i]))
			return walk_refuse(w, STEP_INDEX(STEP_KEY(user, "additionalGids"), i),
					   "%" PRIu32 " is not in linux.gidMappings", p->user.additional_gids[i]);
	return 0;
}

static int check_mappings_exist(struct walker *w, const struct step *step, const struct spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (spec->mounts[i].idmap != SPEC_IDMAP_NONE && !spec->mounts[i].n_uid_mappings &&
		    !spec->linux_.namespaces[SPEC_NS_USER].present)
			return walk_refuse(w, STEP_INDEX(STEP_KEY(step, "mounts"), i),
					   "ids can't be mapped: neither the mount nor the container has mappings");
	return 0;
}

/* crun's relative mappings, now that the container's are known. */
static int relate_mappings(struct walker *w, const struct step *step, struct spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (mount_options_relate(&spec->mounts[i], &spec->linux_, w->arena))
			return walk_refuse(w, STEP_KEY(STEP_INDEX(STEP_KEY(step, "mounts"), i), "options"),
					   "'idmap=%s' names ids that the container's mappings do not have",
					   spec->mounts[i].relative_idmap);
	return 0;
}

static int check_uts(struct walker *w, const struct step *step, const struct spec *spec)
{
	const struct {
		const char *key, *value;
	} names[] = {{"hostname", spec->hostname}, {"domainname", spec->domainname}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i].value)
			continue;
		if (!spec->linux_.namespaces[SPEC_NS_UTS].present)
			return walk_refuse(w, STEP_KEY(step, names[i].key),
					   "can't be set without a uts namespace in linux.namespaces");
		if (strlen(names[i].value) > 64) /* the kernel's __NEW_UTS_LEN */
			return walk_refuse(w, STEP_KEY(step, names[i].key), "must be at most 64 bytes long");
	}
	return 0;
}

int check_document(struct walker *w, const struct step *step, void *base)
{
	struct spec *spec = base;
	int r = check_version(w, STEP_KEY(step, "ociVersion"), spec->version);

	if (!r && !spec->root_path && !(spec->holm && spec->holm->image))
		r = walk_refuse(w, STEP_KEY(STEP_KEY(step, "root"), "path"), "is missing");
	if (!r)
		r = check_uts(w, step, spec);
	if (!r)
		r = check_ids(w, step, spec);
	if (!r)
		r = check_mappings_exist(w, step, spec);
	return r ? r : relate_mappings(w, step, spec);
}
