/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/mount_options: every option, orders that matter, and what goes to the file system.
 */
#include "spec/mount_options.h"

#include <linux/mount.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

enum { ALL_TIMES = MOUNT_ATTR__ATIME };

/* MS_... of the superblock and of propagation, as in the kernel's mount.h */
#define SYNC 16
#define MAND 64
#define DIRSYNC 128
#define SILENT (1 << 15)
#define VERSION (1 << 23)
#define LAZYTIME (1 << 25)
#define REC (1 << 14)
#define UNBINDABLE (1 << 17)
#define PRIVATE (1 << 18)
#define SLAVE (1 << 19)
#define SHARED (1 << 20)

/* Splits at blanks; the texts live in arena. */
static struct spec_mount read_options(struct arena *arena, const char *words)
{
	struct spec_mount mount = {0};
	char *text = arena_strdup(arena, words), *word;
	const char *reason;
	size_t index;

	mount.options = arena_array(arena, const char *, 64);
	while ((word = strsep(&text, " ")))
		mount.options[mount.n_options++] = word;
	if (mount_options_read(&mount, arena, &reason, &index))
		fail_msg("%s: %s", words, reason);
	return mount;
}

static const struct {
	const char *words;
	uint64_t set, clear;
} attributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"relatime", MOUNT_ATTR_RELATIME, ALL_TIMES},
    {"noatime", MOUNT_ATTR_NOATIME, ALL_TIMES},
    {"strictatime", MOUNT_ATTR_STRICTATIME, ALL_TIMES},
    {"atime", 0, ALL_TIMES},
    {"nostrictatime", 0, ALL_TIMES},
    {"norelatime", 0, 0},
    /* a later one overrides */
    {"ro rw", 0, MOUNT_ATTR_RDONLY},
    {"rw ro", MOUNT_ATTR_RDONLY, 0},
    {"nosuid suid nosuid", MOUNT_ATTR_NOSUID, 0},
    {"noatime strictatime", MOUNT_ATTR_STRICTATIME, ALL_TIMES},
    {"noatime atime", 0, ALL_TIMES},
    {"noatime nostrictatime", MOUNT_ATTR_NOATIME, ALL_TIMES},
    {"strictatime norelatime", MOUNT_ATTR_STRICTATIME, ALL_TIMES},
    {"ro nosuid nodev noexec", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0},
    /* mount(8)'s words change nothing */
    {"defaults auto noauto user nouser users owner group nofail _netdev x-systemd.automount comment=a", 0, 0},
};

static void test_attributes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		auto_arena arena = ARENA_INIT;
		struct spec_mount mount = read_options(&arena, attributes[i].words);

		if (mount.attr_set != attributes[i].set || mount.attr_clear != attributes[i].clear || mount.n_data ||
		    mount.recursive_set || mount.recursive_clear || mount.bind)
			fail_msg("%s: set %#lx clear %#lx", attributes[i].words, (long)mount.attr_set,
				 (long)mount.attr_clear);
	}
}

/* Each option of one mount has its form for the whole tree. */
static void test_recursive(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		auto_arena arena = ARENA_INIT;
		auto_str words = STR_INIT;
		struct spec_mount mount;

		if (strstr(attributes[i].words, "defaults"))
			continue;
		str_add(&words, "r");
		for (const char *p = attributes[i].words; *p; p++)
			str_addf(&words, "%c%s", *p, *p == ' ' ? "r" : "");
		mount = read_options(&arena, str_peek(&words));
		if (mount.recursive_set != attributes[i].set || mount.recursive_clear != attributes[i].clear ||
		    mount.n_data || mount.attr_set || mount.attr_clear)
			fail_msg("%s: set %#lx clear %#lx", str_peek(&words), (long)mount.recursive_set,
				 (long)mount.recursive_clear);
	}
}

static void test_superblock(void **state)
{
	static const struct {
		const char *words;
		uint64_t set, clear;
	} cases[] = {
	    {"sync", SYNC, 0},		{"async", 0, SYNC},	   {"dirsync", DIRSYNC, 0},
	    {"mand", MAND, 0},		{"nomand", 0, MAND},	   {"iversion", VERSION, 0},
	    {"noiversion", 0, VERSION}, {"lazytime", LAZYTIME, 0}, {"nolazytime", 0, LAZYTIME},
	    {"silent", SILENT, 0},	{"loud", 0, SILENT},	   {"rsync", SYNC, 0},
	    {"rasync", 0, SYNC},	{"rdirsync", DIRSYNC, 0},  {"rmand", MAND, 0},
	    {"rnomand", 0, MAND},	{"sync async", 0, SYNC},   {"silent lazytime", SILENT | LAZYTIME, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_arena arena = ARENA_INIT;
		struct spec_mount mount = read_options(&arena, cases[i].words);

		if (mount.superblock_set != cases[i].set || mount.superblock_clear != cases[i].clear || mount.n_data)
			fail_msg("%s: set %#lx clear %#lx", cases[i].words, (long)mount.superblock_set,
				 (long)mount.superblock_clear);
	}
}

static void test_propagation(void **state)
{
	static const struct {
		const char *word;
		unsigned flags;
	} cases[] = {
	    {"shared", SHARED},		 {"slave", SLAVE},
	    {"private", PRIVATE},	 {"unbindable", UNBINDABLE},
	    {"rshared", SHARED | REC},	 {"rslave", SLAVE | REC},
	    {"rprivate", PRIVATE | REC}, {"runbindable", UNBINDABLE | REC},
	};
	auto_arena arena = ARENA_INIT;
	struct spec_mount mount;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		mount = read_options(&arena, cases[i].word);
		assert_int_equal(mount.n_propagation, 1);
		assert_int_equal(mount.propagation[0], cases[i].flags);
	}
	mount = read_options(&arena, "rslave bind shared"); /* several, in order */
	assert_int_equal(mount.n_propagation, 2);
	assert_int_equal(mount.propagation[0], SLAVE | REC);
	assert_int_equal(mount.propagation[1], SHARED);
}

static void test_kinds(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct spec_mount mount;

	(void)state;
	mount = read_options(&arena, "bind");
	assert_true(mount.bind && !mount.recursive);
	mount = read_options(&arena, "rbind remount");
	assert_true(mount.bind && mount.recursive && mount.remount);
	mount = read_options(&arena, "tmpcopyup copy-symlink src-nofollow dest-nofollow");
	assert_true(mount.copy_up && mount.copy_symlink && mount.source_nofollow && mount.destination_nofollow);
	assert_int_equal(mount.n_data, 0);
	mount = read_options(&arena, "idmap");
	assert_true(mount.idmap == SPEC_IDMAP && !mount.n_data);
	mount = read_options(&arena, "ridmap");
	assert_true(mount.idmap == SPEC_RIDMAP && !mount.n_data);
	mount = read_options(&arena, "bind idmap=uids=0-1-10#10-11-5;gids=0-100-10");
	assert_true(mount.idmap == SPEC_IDMAP && !mount.n_data && mount.n_uid_mappings == 2 &&
		    mount.n_gid_mappings == 1);
	assert_true(mount.uid_mappings[1].container == 10 && mount.uid_mappings[1].host == 11 &&
		    mount.uid_mappings[1].size == 5);
	assert_int_equal(mount.gid_mappings[0].host, 100);
}

/* What mount(2) would cut at commas is cut here. */
static void test_data(void **state)
{
	static const struct {
		const char *words;
		size_t n;
		const char *data[4];
	} cases[] = {
	    {"mode=755 size=65536k", 2, {"mode=755", "size=65536k"}},
	    {"nosuid mode=755,size=1m,inode64 ro", 3, {"mode=755", "size=1m", "inode64"}},
	    {"context=\"system_u:object_r:a:s0:c1,c2\"", 1, {"context=system_u:object_r:a:s0:c1,c2"}},
	    {"context=\"a,b\",mode=1", 2, {"context=a,b", "mode=1"}},
	    {"lowerdir=/a\\,b:/c,upperdir=/d", 2, {"lowerdir=/a\\,b:/c", "upperdir=/d"}},
	    {",,a,,", 1, {"a"}},
	    {"", 0, {0}},
	    {"RO NoSuid bogus", 3, {"RO", "NoSuid", "bogus"}},
	    {"user=me idmapped", 2, {"user=me", "idmapped"}},
	    {"x=\"", 1, {"x=\""}},
	    {"a\\", 1, {"a\\"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_arena arena = ARENA_INIT;
		struct spec_mount mount = read_options(&arena, cases[i].words);

		assert_int_equal(mount.n_data, cases[i].n);
		for (size_t k = 0; k < cases[i].n; k++)
			assert_string_equal(mount.data[k], cases[i].data[k]);
	}
}

static void test_refused(void **state)
{
	static const char *const wrong[] = {
	    "idmap=",
	    "idmap=uids",
	    "idmap=uids=",
	    "idmap=uids=0",
	    "idmap=uids=0-1",
	    "idmap=uids=0-1-0",
	    "idmap=uids=0-1-10-",
	    "idmap=uids=0-1-10#",
	    "idmap=uids=0-1-10;",
	    "idmap=pids=0-1-10",
	    "idmap=uids=-1-1-10",
	    "idmap=uids=0-1-4294967296",
	    "ridmap=uids=0x1-1-1",
	    "idmap=uids= 1-1-1",
	    "idmap=uids=@",
	    "idmap=uids=@@0-1-10",
	    "idmap=uids=0-@1-10",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		auto_arena arena = ARENA_INIT;
		const char *options[] = {"bind", wrong[i]}, *reason = NULL;
		struct spec_mount mount = {.options = options, .n_options = 2};
		size_t index = 0;

		if (!mount_options_read(&mount, &arena, &reason, &index))
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(index, 1);
		assert_non_null(reason);
	}
}

/* crun's relative form: ids of the container, as its mappings have them on the host. */
static void test_relative_idmap(void **state)
{
	struct spec_id_map maps[] = {{0, 100, 1}, {1, 1000, 50}};
	struct spec_linux container = {
	    .uid_mappings = maps, .n_uid_mappings = 2, .gid_mappings = maps, .n_gid_mappings = 2};
	auto_arena arena = ARENA_INIT;
	struct spec_mount mount;

	(void)state;
	mount = read_options(&arena, "bind idmap=uids=@0-3-10#5-6-1;gids=@7-0-1");
	assert_int_equal(mount_options_relate(&mount, &container, &arena), 0);
	assert_int_equal(mount.uid_mappings[0].container, 0);
	assert_int_equal(mount.uid_mappings[0].host, 1002);
	assert_int_equal(mount.uid_mappings[1].host, 6);
	assert_int_equal(mount.gid_mappings[0].host, 100);
	mount = read_options(&arena, "bind idmap=uids=@0-51-1;gids=@0-0-1");
	assert_int_not_equal(mount_options_relate(&mount, &container, &arena), 0);
	mount = read_options(&arena, "bind idmap=uids=0-51-1;gids=0-0-1");
	assert_int_equal(mount_options_relate(&mount, &container, &arena), 0);
	assert_int_equal(mount.uid_mappings[0].host, 51);
}

/* The OCI's own lists (config.md): every name of them has to be in the table. */
static void test_complete(void **state)
{
	static const char required[] =
	    "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime "
	    "noexec "
	    "noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared "
	    "rslave "
	    "runbindable rw shared silent slave strictatime suid sync unbindable nosymfollow symfollow rro rrw rnosuid "
	    "rsuid "
	    "rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime rstrictatime "
	    "rnostrictatime rnosymfollow rsymfollow mand nomand tmpcopyup idmap ridmap";
	auto_free char *text = strdup(required);
	char *rest = text, *word;

	(void)state;
	while ((word = strsep(&rest, " "))) {
		size_t i = 0;

		while (i < mount_options_count && strcmp(mount_options[i].name, word))
			i++;
		if (i == mount_options_count)
			fail_msg("unknown: %s", word);
	}
	for (size_t i = 0; i < mount_options_count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(mount_options[i].name, mount_options[k].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attributes), cmocka_unit_test(test_recursive),
	    cmocka_unit_test(test_superblock), cmocka_unit_test(test_propagation),
	    cmocka_unit_test(test_kinds),      cmocka_unit_test(test_data),
	    cmocka_unit_test(test_refused),    cmocka_unit_test(test_relative_idmap),
	    cmocka_unit_test(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
