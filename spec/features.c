/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/features.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "spec/json.h"
#include "spec/mount_options.h"
#include "spec/names.h"
#include "spec/spec.h"

static void put_names(struct json_writer *out, const char *key, const struct names *names)
{
	json_open_array(out, key);
	for (size_t i = 0; i < names->n; i++)
		json_put_string(out, NULL, names->list[i].name);
	json_close(out);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_sorted(struct json_writer *out, const char *key, const char **list, size_t n)
{
	qsort(list, n, sizeof(*list), compare_strings);
	json_open_array(out, key);
	for (size_t i = 0; i < n; i++)
		json_put_string(out, NULL, list[i]);
	json_close(out);
}

static void put_mount_options(struct json_writer *out)
{
	auto_free const char **list = calloc(mount_options_count, sizeof(*list));

	if (!list)
		abort();
	for (size_t i = 0; i < mount_options_count; i++)
		list[i] = mount_options[i].name;
	put_sorted(out, "mountOptions", list, mount_options_count);
}

static void put_namespaces(struct json_writer *out)
{
	const char *list[_SPEC_NS_N];

	for (size_t i = 0; i < names_namespaces.n; i++)
		list[i] = names_namespaces.list[i].name;
	put_sorted(out, "namespaces", list, names_namespaces.n);
}

static void put_flag(struct json_writer *out, const char *key, bool value)
{
	json_open_object(out, key);
	json_put_bool(out, "enabled", value);
	json_close(out);
}

static void put_cgroup(struct json_writer *out, const struct spec_features *features)
{
	json_open_object(out, "cgroup");
	json_put_bool(out, "v1", true);
	json_put_bool(out, "v2", true);
	json_put_bool(out, "systemd", features->systemd);
	json_put_bool(out, "systemdUser", features->systemd_user);
	json_put_bool(out, "rdma", true);
	json_close(out);
}

/* The filter is loaded by seccomp(2) itself, so every known flag is a supported one. */
static void put_seccomp(struct json_writer *out)
{
	json_open_object(out, "seccomp");
	json_put_bool(out, "enabled", true);
	put_names(out, "actions", &names_seccomp_actions);
	put_names(out, "operators", &names_seccomp_operators);
	put_names(out, "archs", &names_seccomp_architectures);
	put_names(out, "knownFlags", &names_seccomp_flags);
	put_names(out, "supportedFlags", &names_seccomp_flags);
	json_close(out);
}

static void put_rdt(struct json_writer *out)
{
	json_open_object(out, "intelRdt");
	json_put_bool(out, "enabled", true);
	json_put_bool(out, "schemata", true);
	json_put_bool(out, "monitoring", true);
	json_close(out);
}

static void put_linux(struct json_writer *out, const struct spec_features *features)
{
	json_open_object(out, "linux");
	put_namespaces(out);
	put_names(out, "capabilities", &names_capabilities);
	put_cgroup(out, features);
	put_seccomp(out);
	put_flag(out, "apparmor", true);
	put_flag(out, "selinux", true);
	put_rdt(out);
	json_open_object(out, "memoryPolicy");
	put_names(out, "modes", &names_memory_policies);
	put_names(out, "flags", &names_memory_policy_flags);
	json_close(out);
	json_open_object(out, "mountExtensions");
	put_flag(out, "idmap", true);
	json_close(out);
	put_flag(out, "netDevices", true);
	json_close(out);
}

char *spec_features(const struct spec_features *features)
{
	struct json_writer out = json_writer_init(4);

	json_open_object(&out, NULL);
	json_put_string(&out, "ociVersionMin", "1.0.0");
	json_put_string(&out, "ociVersionMax", SPEC_VERSION);
	put_names(&out, "hooks", &names_hooks);
	put_mount_options(&out);
	put_linux(&out, features);
	json_open_object(&out, "annotations");
	json_put_string(&out, "holm.version", features->version);
	json_close(&out);
	json_open_array(&out, "potentiallyUnsafeConfigAnnotations");
	json_close(&out);
	json_close(&out);
	str_add(&out.text, "\n");
	return json_finish(&out);
}
