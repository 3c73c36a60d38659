/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/mount_options.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The kernel's MS_... by value: glibc's sys/mount.h and linux/mount.h can't be included together everywhere. */
enum {
	FLAG_SYNC = 1 << 4,
	FLAG_MAND = 1 << 6,
	FLAG_DIRSYNC = 1 << 7,
	FLAG_SILENT = 1 << 15,
	FLAG_VERSION = 1 << 23,
	FLAG_LAZYTIME = 1 << 25,
	PROPAGATE_RECURSIVE = 1 << 14,
	PROPAGATE_UNBINDABLE = 1 << 17,
	PROPAGATE_PRIVATE = 1 << 18,
	PROPAGATE_SLAVE = 1 << 19,
	PROPAGATE_SHARED = 1 << 20,
};

/* clang-format off */
#define ON(NAME, BITS) {NAME, MOUNT_OPTION_ATTRIBUTE, BITS, 0}, {"r" NAME, MOUNT_OPTION_RECURSIVE, BITS, 0}
#define OFF(NAME, BITS) {NAME, MOUNT_OPTION_ATTRIBUTE, 0, BITS}, {"r" NAME, MOUNT_OPTION_RECURSIVE, 0, BITS}
#define TIME(NAME, BITS) {NAME, MOUNT_OPTION_ATTRIBUTE, BITS, MOUNT_ATTR__ATIME}, \
	{"r" NAME, MOUNT_OPTION_RECURSIVE, BITS, MOUNT_ATTR__ATIME}
#define SUPER(NAME, SET, CLEAR) {NAME, MOUNT_OPTION_SUPERBLOCK, SET, CLEAR}
#define SPREAD(NAME, BITS) {NAME, MOUNT_OPTION_PROPAGATION, BITS, 0}, \
	{"r" NAME, MOUNT_OPTION_PROPAGATION, (BITS) | PROPAGATE_RECURSIVE, 0}
#define SWITCH(NAME, MEMBER) {NAME, MOUNT_OPTION_SWITCH, offsetof(struct spec_mount, MEMBER), 0}
#define NOTHING(NAME) {NAME, MOUNT_OPTION_NOTHING, 0, 0}

const struct mount_option mount_options[] = {
	ON("ro", MOUNT_ATTR_RDONLY), OFF("rw", MOUNT_ATTR_RDONLY),
	ON("nosuid", MOUNT_ATTR_NOSUID), OFF("suid", MOUNT_ATTR_NOSUID),
	ON("nodev", MOUNT_ATTR_NODEV), OFF("dev", MOUNT_ATTR_NODEV),
	ON("noexec", MOUNT_ATTR_NOEXEC), OFF("exec", MOUNT_ATTR_NOEXEC),
	ON("nodiratime", MOUNT_ATTR_NODIRATIME), OFF("diratime", MOUNT_ATTR_NODIRATIME),
	ON("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW), OFF("symfollow", MOUNT_ATTR_NOSYMFOLLOW),
	TIME("relatime", MOUNT_ATTR_RELATIME), OFF("norelatime", 0),
	TIME("noatime", MOUNT_ATTR_NOATIME), OFF("atime", MOUNT_ATTR_NOATIME),
	TIME("strictatime", MOUNT_ATTR_STRICTATIME), OFF("nostrictatime", MOUNT_ATTR_STRICTATIME),

	SUPER("sync", FLAG_SYNC, 0), SUPER("async", 0, FLAG_SYNC),
	SUPER("rsync", FLAG_SYNC, 0), SUPER("rasync", 0, FLAG_SYNC),
	SUPER("dirsync", FLAG_DIRSYNC, 0), SUPER("rdirsync", FLAG_DIRSYNC, 0),
	SUPER("mand", FLAG_MAND, 0), SUPER("nomand", 0, FLAG_MAND),
	SUPER("rmand", FLAG_MAND, 0), SUPER("rnomand", 0, FLAG_MAND),
	SUPER("iversion", FLAG_VERSION, 0), SUPER("noiversion", 0, FLAG_VERSION),
	SUPER("lazytime", FLAG_LAZYTIME, 0), SUPER("nolazytime", 0, FLAG_LAZYTIME),
	SUPER("silent", FLAG_SILENT, 0), SUPER("loud", 0, FLAG_SILENT),

	SPREAD("shared", PROPAGATE_SHARED), SPREAD("slave", PROPAGATE_SLAVE),
	SPREAD("private", PROPAGATE_PRIVATE), SPREAD("unbindable", PROPAGATE_UNBINDABLE),

	{"bind", MOUNT_OPTION_BIND, 0, 0}, {"rbind", MOUNT_OPTION_BIND, 1, 0},
	{"remount", MOUNT_OPTION_REMOUNT, 0, 0},
	{"idmap", MOUNT_OPTION_IDMAP, SPEC_IDMAP, 0}, {"ridmap", MOUNT_OPTION_IDMAP, SPEC_RIDMAP, 0},
	SWITCH("tmpcopyup", copy_up), SWITCH("copy-symlink", copy_symlink),
	SWITCH("src-nofollow", source_nofollow), SWITCH("dest-nofollow", destination_nofollow),

	NOTHING("defaults"), NOTHING("auto"), NOTHING("noauto"), NOTHING("user"), NOTHING("nouser"), NOTHING("users"),
	NOTHING("owner"), NOTHING("group"), NOTHING("nofail"), NOTHING("_netdev"),
};
/* clang-format on */

const size_t mount_options_count = ARRAY_SIZE(mount_options);

static const struct mount_option *find(const char *name)
{
	for (size_t i = 0; i < mount_options_count; i++)
		if (!strcmp(mount_options[i].name, name))
			return &mount_options[i];
	return NULL;
}

static void change(uint64_t *set, uint64_t *clear, const struct mount_option *option)
{
	*set = (*set & ~option->clear) | option->set;
	*clear = (*clear & ~option->set) | option->clear;
}

/* The kernel wants the access time's field cleared as a whole when any of it is named. */
static void complete_time(uint64_t *clear, uint64_t set)
{
	if ((*clear | set) & MOUNT_ATTR__ATIME)
		*clear |= MOUNT_ATTR__ATIME;
}

/* What '@' refers to. */
struct base_maps {
	const struct spec_id_map *maps;
	size_t n;
};

/* The host's id behind an id of the container, for the first id of a range. */
static int relate(const struct base_maps *base, struct spec_id_map *map)
{
	for (size_t i = 0; i < base->n; i++) {
		const struct spec_id_map *m = &base->maps[i];

		if (map->host >= m->container && map->host - m->container < m->size) {
			map->host = map->host - m->container + m->host;
			return 0;
		}
	}
	return -EINVAL;
}

/* "0-1-10" or "@0-1-10": one id mapping of crun's idmap=.  base NULL: nothing to relate to yet, the ids stay. */
static int read_triplet(char *text, const struct base_maps *base, struct spec_id_map *ret)
{
	uint32_t *parts[] = {&ret->container, &ret->host, &ret->size};
	bool relative = *text == '@';
	char *rest = text + relative;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *part = strsep(&rest, "-");
		uint64_t value;

		if (!part || parse_u64(part, i == 2, UINT32_MAX - 1, &value))
			return -EINVAL;
		*parts[i] = value;
	}
	if (rest)
		return -EINVAL;
	return relative && base ? relate(base, ret) : 0;
}

static int read_triplets(char *text, const struct base_maps *base, struct arena *arena, struct spec_id_map **ret,
			 size_t *ret_n)
{
	size_t n = 1;
	char *one;

	for (const char *p = text; *p; p++)
		n += *p == '#';
	*ret = arena_array(arena, struct spec_id_map, n);
	*ret_n = 0;
	while ((one = strsep(&text, "#")))
		if (read_triplet(one, base, &(*ret)[(*ret_n)++]))
			return -EINVAL;
	return 0;
}

/* crun's "idmap=uids=0-1-10#10-11-10;gids=0-100-10" (FROM-TO-LENGTH): the mount's own mappings. */
static int read_idmap(struct spec_mount *mount, const char *value, const struct base_maps *users,
		      const struct base_maps *groups, struct arena *arena)
{
	char *text = arena_strdup(arena, value), *one;

	while ((one = strsep(&text, ";"))) {
		char *list = strchr(one, '=');
		int r;

		if (!list)
			return -EINVAL;
		*list++ = 0;
		if (str_equal(one, "uids"))
			r = read_triplets(list, users, arena, &mount->uid_mappings, &mount->n_uid_mappings);
		else if (str_equal(one, "gids"))
			r = read_triplets(list, groups, arena, &mount->gid_mappings, &mount->n_gid_mappings);
		else
			r = -EINVAL;
		if (r)
			return r;
	}
	return 0;
}

int mount_options_relate(struct spec_mount *mount, const struct spec_linux *container, struct arena *arena)
{
	const struct base_maps users = {container->uid_mappings, container->n_uid_mappings};
	const struct base_maps groups = {container->gid_mappings, container->n_gid_mappings};

	return mount->relative_idmap ? read_idmap(mount, mount->relative_idmap, &users, &groups, arena) : 0;
}

/* The end of one option of the file system: a comma that is neither quoted nor escaped, or the end. */
static char *find_comma(char *p)
{
	bool quoted = false;

	for (; *p; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			p++;
		else if (*p == ',' && !quoted)
			break;
	}
	return p;
}

/* key="value" -> key=value */
static void strip_quotes(char *option)
{
	char *value = strchr(option, '=');
	size_t n = value ? strlen(++value) : 0;

	if (n < 2 || *value != '"' || value[n - 1] != '"')
		return;
	memmove(value, value + 1, n - 2);
	value[n - 2] = 0;
}

static void split_data(struct spec_mount *mount, const char *option, struct arena *arena)
{
	char *text = arena_strdup(arena, option), *end;

	for (; *text; text = end) {
		end = find_comma(text);
		if (*end)
			*end++ = 0;
		strip_quotes(text);
		if (*text)
			mount->data[mount->n_data++] = text;
	}
}

static const char *read_value(struct spec_mount *mount, const char *option, struct arena *arena)
{
	const char *value = str_after(option, "idmap="), *recursive = str_after(option, "ridmap=");

	if (value || recursive) {
		mount->idmap = value ? SPEC_IDMAP : SPEC_RIDMAP;
		value = value ? value : recursive;
		mount->relative_idmap = strchr(value, '@') ? value : NULL;
		if (read_idmap(mount, value, NULL, NULL, arena))
			return "must be idmap=uids=FROM-TO-LENGTH[#...];gids=FROM-TO-LENGTH[#...]";
		return NULL;
	}
	if (str_after(option, "x-") || str_after(option, "X-") || str_after(option, "comment="))
		return NULL; /* mount(8)'s own */
	split_data(mount, option, arena);
	return NULL;
}

static const char *read_option(struct spec_mount *mount, const char *text, struct arena *arena)
{
	const struct mount_option *option = find(text);

	if (!option)
		return *text ? read_value(mount, text, arena) : NULL;
	switch (option->kind) {
	case MOUNT_OPTION_ATTRIBUTE:
		change(&mount->attr_set, &mount->attr_clear, option);
		break;
	case MOUNT_OPTION_RECURSIVE:
		change(&mount->recursive_set, &mount->recursive_clear, option);
		break;
	case MOUNT_OPTION_SUPERBLOCK:
		change(&mount->superblock_set, &mount->superblock_clear, option);
		break;
	case MOUNT_OPTION_PROPAGATION:
		mount->propagation[mount->n_propagation++] = option->set;
		break;
	case MOUNT_OPTION_BIND:
		mount->bind = true;
		mount->recursive |= option->set;
		break;
	case MOUNT_OPTION_REMOUNT:
		mount->remount = true;
		break;
	case MOUNT_OPTION_IDMAP:
		mount->idmap = option->set;
		break;
	case MOUNT_OPTION_SWITCH:
		*(bool *)((char *)mount + option->set) = true;
		break;
	case MOUNT_OPTION_NOTHING:
		break;
	}
	return NULL;
}

int mount_options_read(struct spec_mount *mount, struct arena *arena, const char **ret_reason, size_t *ret_index)
{
	size_t most = mount->n_options;

	for (size_t i = 0; i < mount->n_options; i++)
		for (const char *p = strchr(mount->options[i], ','); p; p = strchr(p + 1, ','))
			most++;
	mount->propagation = arena_array(arena, unsigned, mount->n_options);
	mount->data = arena_array(arena, const char *, most);
	for (size_t i = 0; i < mount->n_options; i++) {
		const char *reason = read_option(mount, mount->options[i], arena);

		if (reason) {
			*ret_reason = reason;
			*ret_index = i;
			return -EINVAL;
		}
	}
	complete_time(&mount->attr_clear, mount->attr_set);
	complete_time(&mount->recursive_clear, mount->recursive_set);
	return 0;
}
