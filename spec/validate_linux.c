/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux: namespaces and what needs them, devices, sysctls, RDT, memory policy */
#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "spec/spec.h"
#include "spec/validate.h"

int check_device(struct walker *w, const struct step *step, void *base)
{
	struct spec_device *device = base;

	device->file_mode &= 07777; /* engines hand over st_mode with the type's bits */
	if (!device->has_file_mode)
		device->file_mode = 0666;
	if (device->type == 'p')
		device->major = device->minor = 0;
	if (device->major < 0)
		return walk_refuse(w, STEP_KEY(step, "major"), "is missing");
	if (device->minor < 0)
		return walk_refuse(w, STEP_KEY(step, "minor"), "is missing");
	return 0;
}

enum { INTERFACE_MAX = 15 }; /* IFNAMSIZ without the NUL */

/* What the kernel's dev_valid_name() takes. */
static bool is_interface(const char *name)
{
	size_t n = strlen(name);

	return n && n <= INTERFACE_MAX && !str_equal(name, ".") && !str_equal(name, "..") &&
	       !strpbrk(name, "/: \t\n\v\f\r");
}

/* Where a % stands, the kernel wants exactly one, as %d: it picks the number then. */
static bool is_pattern(const char *name)
{
	const char *percent = strchr(name, '%');

	return !percent || (percent[1] == 'd' && !strchr(percent + 1, '%'));
}

int check_net_device(struct walker *w, const struct step *step, void *base)
{
	const struct spec_net_device *device = base;

	if (!is_interface(device->host_name))
		return walk_refuse(w, step, "'%s' is no name of a network device", device->host_name);
	if (device->name && (!is_interface(device->name) || !is_pattern(device->name)))
		return walk_refuse(w, STEP_KEY(step, "name"), "'%s' is no name of a network device", device->name);
	return 0;
}

int check_memory_policy(struct walker *w, const struct step *step, void *base)
{
	const struct spec_memory_policy *policy = base;
	const char *mode = names_peek(&names_memory_policies, policy->mode);
	bool without = policy->mode == MPOL_DEFAULT || policy->mode == MPOL_LOCAL;

	if (policy->nodes && !is_list(policy->nodes))
		return walk_refuse(w, STEP_KEY(step, "nodes"), "must be a list of memory nodes like '0-1', not '%s'",
				   policy->nodes);
	if (without && policy->nodes)
		return walk_refuse(w, STEP_KEY(step, "nodes"), "must be absent with %s", mode);
	if (!without && policy->mode != MPOL_PREFERRED && !policy->nodes)
		return walk_refuse(w, STEP_KEY(step, "nodes"), "is missing: %s needs it", mode);
	if (policy->flags & MPOL_F_STATIC_NODES && policy->flags & MPOL_F_RELATIVE_NODES)
		return walk_refuse(w, STEP_KEY(step, "flags"),
				   "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
	if (policy->flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) && !policy->nodes)
		return walk_refuse(w, STEP_KEY(step, "nodes"), "is missing: the flags need it");
	return 0;
}

static int check_schema(struct walker *w, const struct step *step, const char *schema, const char *prefix)
{
	if (strchr(schema, '\n'))
		return walk_refuse(w, step, "must not have a newline");
	if (prefix && !str_after(schema, prefix))
		return walk_refuse(w, step, "must begin with '%s', not '%s'", prefix, schema);
	return 0;
}

int check_rdt(struct walker *w, const struct step *step, void *base)
{
	const struct spec_intel_rdt *rdt = base;
	int r = 0;

	if (rdt->clos_id && !str_equal(rdt->clos_id, "/") &&
	    (strpbrk(rdt->clos_id, "/\n") || str_equal(rdt->clos_id, ".") || str_equal(rdt->clos_id, "..")))
		return walk_refuse(w, STEP_KEY(step, "closID"), "'%s' is no name of a resctrl group", rdt->clos_id);
	if (rdt->l3_cache_schema)
		r = check_schema(w, STEP_KEY(step, "l3CacheSchema"), rdt->l3_cache_schema, "L3");
	if (!r && rdt->mem_bw_schema)
		r = check_schema(w, STEP_KEY(step, "memBwSchema"), rdt->mem_bw_schema, "MB:");
	for (size_t i = 0; !r && i < rdt->n_schemata; i++)
		r = check_schema(w, STEP_INDEX(STEP_KEY(step, "schemata"), i), rdt->schemata[i], NULL);
	return r;
}

/* ---- sysctls: only what a namespace keeps for itself ---- */

static const struct {
	const char *key; /* ends in '.': everything below it */
	enum spec_namespace_type namespace;
} sysctls[] = {
    {"net.", SPEC_NS_NETWORK},
    {"fs.mqueue.", SPEC_NS_IPC},
    {"kernel.msgmax", SPEC_NS_IPC},
    {"kernel.msgmnb", SPEC_NS_IPC},
    {"kernel.msgmni", SPEC_NS_IPC},
    {"kernel.msg_next_id", SPEC_NS_IPC},
    {"kernel.sem", SPEC_NS_IPC},
    {"kernel.sem_next_id", SPEC_NS_IPC},
    {"kernel.shmall", SPEC_NS_IPC},
    {"kernel.shmmax", SPEC_NS_IPC},
    {"kernel.shmmni", SPEC_NS_IPC},
    {"kernel.shm_next_id", SPEC_NS_IPC},
    {"kernel.shm_rmid_forced", SPEC_NS_IPC},
    {"kernel.domainname", SPEC_NS_UTS},
    {"user.", SPEC_NS_USER},
};

int sysctl_namespace(const char *key, unsigned *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		size_t n = strlen(sysctls[i].key);
		bool folder = sysctls[i].key[n - 1] == '.';

		if (!strncmp(key, sysctls[i].key, n) && (folder ? key[n] != 0 : key[n] == 0)) {
			*ret = sysctls[i].namespace;
			return 0;
		}
	}
	return -EINVAL;
}

/* Each part names a file or folder: none may be empty or climb.  A part's own dots are slashes here. */
static bool is_sysctl(const char *key)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./@:%~#!$&()=,;^*<>{}[]|?";

	if (strspn(key, allowed) != strlen(key))
		return false;
	for (;; key++) {
		size_t n = strcspn(key, ".");

		if (!n || strspn(key, "/") == n)
			return false;
		key += n;
		if (!*key)
			return true;
	}
}

/* sysctl(8): when the first separator is a slash, slashes separate and dots belong to names.  Here dots separate. */
static char *unify_separators(struct arena *arena, const char *key)
{
	char *copy = arena_strdup(arena, key);

	if (copy[strcspn(copy, "./")] == '/')
		for (char *p = copy; *p; p++)
			*p = *p == '/' ? '.' : *p == '.' ? '/' : *p;
	return copy;
}

int check_sysctl(struct walker *w, const struct step *step, void *base)
{
	struct spec_pair *pair = base;
	unsigned namespace;

	pair->key = unify_separators(w->arena, pair->key);
	if (!is_sysctl(pair->key))
		return walk_refuse(w, step, "is no name of a sysctl");
	if (str_equal(pair->key, "kernel.hostname"))
		return walk_refuse(w, step, "is set by the key hostname");
	if (sysctl_namespace(pair->key, &namespace))
		return walk_refuse(w, step, "is not kept apart by any namespace: it would change the host");
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a/b" and "a.b" are one key, which JSON can't see. */
static int check_duplicates(struct walker *w, const struct step *step, const struct spec_linux *l)
{
	const char **keys = arena_array(w->arena, const char *, l->n_sysctl);

	for (size_t i = 0; i < l->n_sysctl; i++)
		keys[i] = l->sysctl[i].key;
	qsort(keys, l->n_sysctl, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < l->n_sysctl; i++)
		if (str_equal(keys[i - 1], keys[i]))
			return walk_refuse(w, STEP_KEY(step, keys[i]), "is listed twice");
	return 0;
}

static int check_sysctls(struct walker *w, const struct step *step, const struct spec_linux *l)
{
	for (size_t i = 0; i < l->n_sysctl; i++) {
		const char *key = l->sysctl[i].key;
		unsigned namespace = 0;

		if (!sysctl_namespace(key, &namespace) && !l->namespaces[namespace].present)
			return walk_refuse(w, STEP_KEY(step, key),
					   "needs the container's own %s namespace in linux.namespaces",
					   names_peek(&names_namespaces, namespace));
	}
	return l->n_sysctl ? check_duplicates(w, step, l) : 0;
}

/* ---- what depends on a namespace ---- */

static int check_user_namespace(struct walker *w, const struct step *step, const struct spec_linux *l)
{
	const struct spec_namespace *user = &l->namespaces[SPEC_NS_USER];

	if (!user->present && (l->n_uid_mappings || l->n_gid_mappings))
		return walk_refuse(w, STEP_KEY(step, l->n_uid_mappings ? "uidMappings" : "gidMappings"),
				   "needs a user namespace in linux.namespaces");
	if (user->present && !user->path && !l->n_uid_mappings)
		return walk_refuse(w, STEP_KEY(step, "uidMappings"), "is missing: a new user namespace needs it");
	if (user->present && !user->path && !l->n_gid_mappings)
		return walk_refuse(w, STEP_KEY(step, "gidMappings"), "is missing: a new user namespace needs it");
	return 0;
}

static bool maps_overlap(const struct spec_id_map *a, const struct spec_id_map *b)
{
	bool container =
	    a->container < (uint64_t)b->container + b->size && b->container < (uint64_t)a->container + a->size;
	bool host = a->host < (uint64_t)b->host + b->size && b->host < (uint64_t)a->host + a->size;

	return container || host;
}

enum { MAPPINGS_MAX = 340 }; /* the kernel's UID_GID_MAP_MAX_EXTENTS */

static int check_mappings(struct walker *w, const struct step *step, const struct spec_id_map *maps, size_t n)
{
	if (n > MAPPINGS_MAX)
		return walk_refuse(w, step, "%zu mappings are more than the %d that the kernel takes", n, MAPPINGS_MAX);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (maps_overlap(&maps[i], &maps[j]))
				return walk_refuse(w, STEP_INDEX(step, i), "overlaps with mapping %zu", j);
	return 0;
}

static int check_time(struct walker *w, const struct step *step, const struct spec_linux *l)
{
	const struct spec_namespace *time = &l->namespaces[SPEC_NS_TIME];

	if (!l->time_offsets.monotonic.present && !l->time_offsets.boottime.present)
		return 0;
	if (!time->present)
		return walk_refuse(w, STEP_KEY(step, "timeOffsets"), "needs a time namespace in linux.namespaces");
	if (time->path)
		return walk_refuse(w, STEP_KEY(step, "timeOffsets"),
				   "can't be changed in the joined time namespace '%s'", time->path);
	return 0;
}

static int check_net_devices(struct walker *w, const struct step *step, const struct spec_linux *l)
{
	const struct step *here = STEP_KEY(step, "netDevices");

	if (l->n_net_devices && !l->namespaces[SPEC_NS_NETWORK].present)
		return walk_refuse(w, here, "needs a network namespace in linux.namespaces");
	for (size_t i = 0; i < l->n_net_devices; i++)
		for (size_t j = 0; j < i; j++) {
			const struct spec_net_device *a = &l->net_devices[i], *b = &l->net_devices[j];
			const char *name = a->name ? a->name : a->host_name;

			if (str_equal(name, b->name ? b->name : b->host_name) && !(a->name && strchr(a->name, '%')))
				return walk_refuse(w, STEP_KEY(STEP_KEY(here, a->host_name), "name"),
						   "'%s' is the name of '%s' too", name, b->host_name);
		}
	return 0;
}

/* Without a mount namespace of the container's own they would be made on the host. */
static int check_paths(struct walker *w, const struct step *step, const struct spec_linux *l)
{
	if (l->namespaces[SPEC_NS_MOUNT].present || (!l->n_masked_paths && !l->n_readonly_paths))
		return 0;
	return walk_refuse(w, STEP_KEY(step, l->n_masked_paths ? "maskedPaths" : "readonlyPaths"),
			   "needs a mount namespace in linux.namespaces");
}

int check_linux(struct walker *w, const struct step *step, void *base)
{
	const struct spec_linux *l = base;
	int r = check_user_namespace(w, step, l);

	if (!r)
		r = check_mappings(w, STEP_KEY(step, "uidMappings"), l->uid_mappings, l->n_uid_mappings);
	if (!r)
		r = check_mappings(w, STEP_KEY(step, "gidMappings"), l->gid_mappings, l->n_gid_mappings);
	if (!r)
		r = check_time(w, step, l);
	if (!r)
		r = check_sysctls(w, STEP_KEY(step, "sysctl"), l);
	if (!r)
		r = check_paths(w, step, l);
	return r ? r : check_net_devices(w, step, l);
}
