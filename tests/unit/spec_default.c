/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `spec` and `features` against runc: tests/specs/runc holds what `runc spec` of Debian 12 (1.1.5) writes.
 */
#include "spec/features.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/json.h"
#include "spec/spec.h"

/* Changed on purpose; newer runc has the capabilities and the masked path so, and the namespace with cgroup v2. */
static const struct {
	const char *theirs, *ours;
} differences[] = {
    {"\"ociVersion\": \"1.0.2-dev\"", "\"ociVersion\": \"1.3.0\""},
    {"\"hostname\": \"runc\"", "\"hostname\": \"holm\""},
    {",\n\t\t\t\"ambient\": "
     "[\n\t\t\t\t\"CAP_AUDIT_WRITE\",\n\t\t\t\t\"CAP_KILL\",\n\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n\t\t\t]",
     ""},
    {"\t\t\t\"/proc/scsi\"", "\t\t\t\"/proc/scsi\",\n\t\t\t\"/sys/devices/virtual/tpm\""},
    {"\t\t\t\t\"type\": \"mount\"\n\t\t\t}",
     "\t\t\t\t\"type\": \"mount\"\n\t\t\t},\n\t\t\t{\n\t\t\t\t\"type\": \"cgroup\"\n\t\t\t}"},
};

static char *replace_once(const char *text, const char *old, const char *new)
{
	struct str result = STR_INIT;
	const char *at = strstr(text, old);

	if (!at)
		fail_msg("runc's has no %s", old);
	str_add_bytes(&result, text, at - text);
	str_add(&result, new);
	str_add(&result, at + strlen(old));
	return str_steal(&result);
}

static void compare_with(const char *path, bool rootless)
{
	auto_free char *ours = spec_default(rootless, 0, 0), *theirs = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &theirs, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		auto_free char *before = theirs;

		theirs = replace_once(before, differences[i].theirs, differences[i].ours);
	}
	assert_string_equal(ours, theirs);
}

static void test_spec(void **state)
{
	(void)state;
	compare_with("tests/specs/runc/default.json", false);
	compare_with("tests/specs/runc/rootless.json", true);
}

static void test_rootless_ids(void **state)
{
	auto_free char *text = spec_default(true, 1000, 100);

	(void)state;
	assert_non_null(strstr(text, "\"hostID\": 1000"));
	assert_non_null(strstr(text, "\"hostID\": 100,"));
}

static bool lists(const struct json *array, const char *word)
{
	for (size_t i = 0; i < json_count(array); i++)
		if (str_equal(json_string_peek(json_at(array, i)), word))
			return true;
	return false;
}

static void test_features(void **state)
{
	const struct spec_features features = {.version = "9.9", .systemd = true};
	auto_free char *text = spec_features(&features);
	auto_json *json = NULL;
	struct error e = ERROR_INIT;
	const struct json *linux_part, *seccomp, *cgroup;

	(void)state;
	assert_int_equal(json_read(text, strlen(text), "features", &json, &e), 0);
	assert_memory_equal(text, "{\n    \"ociVersionMin\": \"1.0.0\",\n    \"ociVersionMax\": \"1.3.0\",\n", 62);
	assert_int_equal(json_count(json_find(json, "hooks")), 6);
	assert_true(lists(json_find(json, "mountOptions"), "rro") &&
		    lists(json_find(json, "mountOptions"), "tmpcopyup"));
	for (size_t i = 1; i < json_count(json_find(json, "mountOptions")); i++)
		assert_true(strcmp(json_string_peek(json_at(json_find(json, "mountOptions"), i - 1)),
				   json_string_peek(json_at(json_find(json, "mountOptions"), i))) < 0);
	linux_part = json_find(json, "linux");
	assert_true(lists(json_find(linux_part, "namespaces"), "user") &&
		    lists(json_find(linux_part, "namespaces"), "time"));
	assert_int_equal(json_count(json_find(linux_part, "capabilities")), 41);
	cgroup = json_find(linux_part, "cgroup");
	assert_true(json_find_bool(cgroup, "v1", false) && json_find_bool(cgroup, "v2", false) &&
		    json_find_bool(cgroup, "rdma", false));
	assert_true(json_find_bool(cgroup, "systemd", false) && !json_find_bool(cgroup, "systemdUser", true));
	seccomp = json_find(linux_part, "seccomp");
	assert_true(json_find_bool(seccomp, "enabled", false));
	assert_true(json_count(json_find(seccomp, "actions")) == 9 && json_count(json_find(seccomp, "operators")) == 7);
	assert_true(json_count(json_find(seccomp, "archs")) == 23 && json_count(json_find(seccomp, "knownFlags")) == 4);
	assert_true(json_count(json_find(seccomp, "supportedFlags")) == 4);
	assert_true(json_find_bool(json_find(linux_part, "apparmor"), "enabled", false));
	assert_true(json_find_bool(json_find(linux_part, "selinux"), "enabled", false));
	assert_true(json_find_bool(json_find(linux_part, "intelRdt"), "schemata", false));
	assert_true(json_find_bool(json_find(linux_part, "intelRdt"), "monitoring", false));
	assert_int_equal(json_count(json_find(json_find(linux_part, "memoryPolicy"), "modes")), 7);
	assert_true(json_find_bool(json_find(json_find(linux_part, "mountExtensions"), "idmap"), "enabled", false));
	assert_true(json_find_bool(json_find(linux_part, "netDevices"), "enabled", false));
	assert_non_null(json_find(json, "potentiallyUnsafeConfigAnnotations"));
	assert_int_equal(json_count(json_find(json, "potentiallyUnsafeConfigAnnotations")), 0);
	assert_string_equal(json_find_string(json_find(json, "annotations"), "holm.version"), "9.9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_spec),
	    cmocka_unit_test(test_rootless_ids),
	    cmocka_unit_test(test_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
