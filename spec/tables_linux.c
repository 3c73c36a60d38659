/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux and its seccomp (resources: tables_resources.c) */
#include "spec/tables.h"

#include <errno.h>

#include "spec/resources.h"
#include "spec/spec.h"
#include "spec/validate.h"

static const struct field object_id_map_fields[] = {
    F_NUMBER("containerID", spec_id_map, container, 0, MAX_ID, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("hostID", spec_id_map, host, 0, MAX_ID, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("size", spec_id_map, size, 1, UINT32_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
};
OBJECT(object_id_map, "id mapping", spec_id_map, .check = check_id_map);

/* namespaces: a list in JSON, one slot per type in the struct. */
struct namespace_entry {
	uint32_t type; /* enum spec_namespace_type */
	const char *path;
};

static const struct field namespace_entry_fields[] = {
    F_NAME("type", namespace_entry, type, names_namespaces, FIELD_REQUIRED | FIELD_ALWAYS),
    F_STRING("path", namespace_entry, path, FIELD_ABSOLUTE),
};
static OBJECT(namespace_entry, "namespace", namespace_entry);

static int decode_namespaces(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			     void *base)
{
	struct spec_namespace *namespaces = (struct spec_namespace *)((char *)base + field->offset);
	bool failed = false;
	json_t *element;
	size_t i;
	int r;

	if (!json_is_array(node))
		return walk_refuse_kind(w, step, node, "an array");
	json_array_foreach (node, i, element) {
		const struct step *here = STEP_INDEX(step, i);
		struct namespace_entry entry = {0};

		r = walk_decode(w, here, element, &namespace_entry, &entry);
		if (!r && namespaces[entry.type].present)
			r = walk_refuse(w, STEP_KEY(here, "type"), "namespace '%s' is listed twice",
					names_peek(&names_namespaces, entry.type));
		if (r && !w->listener)
			return r;
		failed |= r;
		if (!r)
			namespaces[entry.type] = (struct spec_namespace){.present = true, .path = entry.path};
	}
	return failed ? -EINVAL : 0;
}

static void encode_namespaces(struct json_writer *out, const struct field *field, const void *base)
{
	const struct spec_namespace *namespaces = (const struct spec_namespace *)((const char *)base + field->offset);
	struct json_mark mark = json_mark(out);

	json_open_array(out, field->key);
	for (size_t i = 0; i < names_namespaces.n; i++) {
		struct namespace_entry entry = {.type = names_namespaces.list[i].value};

		if (!namespaces[entry.type].present)
			continue;
		entry.path = namespaces[entry.type].path;
		json_open_object(out, NULL);
		walk_encode(out, &namespace_entry, &entry);
		json_close(out);
	}
	json_close_or_drop(out, mark);
}

static const struct custom custom_namespaces = {decode_namespaces, encode_namespaces};

static const struct spec_device no_device = {.major = -1, .minor = -1};

static const struct field device_fields[] = {
    F_STRING("path", spec_device, path, FIELD_REQUIRED | FIELD_ABSOLUTE),
    F_NAME("type", spec_device, type, names_device_types, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("major", spec_device, major, 0, UINT32_MAX, 0),
    F_NUMBER("minor", spec_device, minor, 0, UINT32_MAX, 0),
    F_NUMBER_HAS("fileMode", spec_device, file_mode, has_file_mode, 0, UINT32_MAX),
    F_NUMBER_HAS("uid", spec_device, uid, has_uid, 0, MAX_ID),
    F_NUMBER_HAS("gid", spec_device, gid, has_gid, 0, MAX_ID),
};
static OBJECT(device, "device", spec_device, .defaults = &no_device, .check = check_device);

static const struct field net_device_fields[] = {
    F_STRING("name", spec_net_device, name, 0),
};
static OBJECT(net_device, "network device", spec_net_device, .check = check_net_device);

static const struct field seccomp_arg_fields[] = {
    F_NUMBER("index", spec_seccomp_arg, index, 0, 5, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("value", spec_seccomp_arg, value, 0, UINT64_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("valueTwo", spec_seccomp_arg, value_two, 0, UINT64_MAX, 0),
    F_NAME("op", spec_seccomp_arg, op, names_seccomp_operators, FIELD_REQUIRED | FIELD_ALWAYS),
};
static OBJECT(seccomp_arg, "seccomp argument", spec_seccomp_arg);

static const struct field seccomp_rule_fields[] = {
    F_STRINGS("names", spec_seccomp_rule, names, n_names, FIELD_REQUIRED | FIELD_FILLED),
    F_NAME("action", spec_seccomp_rule, action, names_seccomp_actions, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER_HAS("errnoRet", spec_seccomp_rule, errno_ret, has_errno, 0, UINT16_MAX),
    F_LIST("args", spec_seccomp_rule, args, n_args, seccomp_arg, 0),
};
static OBJECT(seccomp_rule, "seccomp rule", spec_seccomp_rule, .check = check_seccomp_rule);

static const struct field object_seccomp_fields[] = {
    F_NAME("defaultAction", spec_seccomp, default_action, names_seccomp_actions, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER_HAS("defaultErrnoRet", spec_seccomp, default_errno, has_default_errno, 0, UINT16_MAX),
    {.key = "architectures",
     .type = FIELD_STRINGS,
     .names = &names_seccomp_architectures,
     _LISTED(spec_seccomp, architectures, n_architectures)},
    {.key = "flags",
     .type = FIELD_STRINGS,
     .names = &names_seccomp_flags,
     _AT(spec_seccomp, flags),
     .has = offsetof(struct spec_seccomp, has_flags),
     .count = offsetof(struct spec_seccomp, n_flags)},
    F_STRING("listenerPath", spec_seccomp, listener_path, 0),
    F_STRING("listenerMetadata", spec_seccomp, listener_metadata, 0),
    F_LIST("syscalls", spec_seccomp, rules, n_rules, seccomp_rule, 0),
};
OBJECT(object_seccomp, "seccomp", spec_seccomp, .check = check_seccomp);

static const struct field rdt_fields[] = {
    F_STRING("closID", spec_intel_rdt, clos_id, 0),
    F_STRINGS("schemata", spec_intel_rdt, schemata, n_schemata, 0),
    F_STRING("l3CacheSchema", spec_intel_rdt, l3_cache_schema, 0),
    F_STRING("memBwSchema", spec_intel_rdt, mem_bw_schema, 0),
    F_BOOL("enableMonitoring", spec_intel_rdt, enable_monitoring, 0),
    F_IGNORED("enableCMT", "was removed from the OCI; use enableMonitoring"),
    F_IGNORED("enableMBM", "was removed from the OCI; use enableMonitoring"),
};
static OBJECT(rdt, "Intel RDT", spec_intel_rdt, .check = check_rdt);

static const struct field memory_policy_fields[] = {
    F_NAME("mode", spec_memory_policy, mode, names_memory_policies, FIELD_REQUIRED | FIELD_ALWAYS),
    F_STRING("nodes", spec_memory_policy, nodes, 0),
    F_FLAGS("flags", spec_memory_policy, flags, names_memory_policy_flags),
};
static OBJECT(memory_policy, "memory policy", spec_memory_policy, .check = check_memory_policy);

static const struct field personality_fields[] = {
    F_NAME("domain", spec_linux, personality, names_personalities, FIELD_REQUIRED),
    F_IGNORED("flags", "has no effect: the OCI defines no flags yet"),
};
static OBJECT(personality, "personality", spec_linux);

static const struct field time_offset_fields[] = {
    F_NUMBER("secs", spec_time_offset, secs, INT64_MIN, INT64_MAX, FIELD_ALWAYS),
    F_NUMBER("nanosecs", spec_time_offset, nanosecs, 0, 999999999, 0),
};
static OBJECT(time_offset, "time offset", spec_time_offset);

static const struct field time_offsets_fields[] = {
    F_INLINE_HAS("monotonic", spec_linux, time_offsets.monotonic, time_offsets.monotonic.present, time_offset),
    F_INLINE_HAS("boottime", spec_linux, time_offsets.boottime, time_offsets.boottime.present, time_offset),
};
static OBJECT(time_offsets, "clock", spec_linux, .closed = true);

static const struct field sysctl_value = F_STRING("", spec_pair, value, 0);
static const struct object sysctl = {
    .what = "sysctl", .size = sizeof(struct spec_pair), .value = &sysctl_value, .check = check_sysctl};

static const struct field object_linux_fields[] = {
    F_LIST("uidMappings", spec_linux, uid_mappings, n_uid_mappings, object_id_map, 0),
    F_LIST("gidMappings", spec_linux, gid_mappings, n_gid_mappings, object_id_map, 0),
    F_MAP("sysctl", spec_linux, sysctl, n_sysctl, sysctl),
    F_POINTER("resources", spec_linux, resources, object_resources),
    F_STRING("cgroupsPath", spec_linux, cgroups_path, 0),
    F_CUSTOM("namespaces", spec_linux, namespaces, custom_namespaces, 0),
    F_LIST("devices", spec_linux, devices, n_devices, device, 0),
    F_MAP("netDevices", spec_linux, net_devices, n_net_devices, net_device),
    F_POINTER("seccomp", spec_linux, seccomp, object_seccomp),
    F_NAME("rootfsPropagation", spec_linux, rootfs_propagation, names_propagations, 0),
    F_STRINGS("maskedPaths", spec_linux, masked_paths, n_masked_paths, FIELD_ABSOLUTE),
    F_STRINGS("readonlyPaths", spec_linux, readonly_paths, n_readonly_paths, FIELD_ABSOLUTE),
    F_STRING("mountLabel", spec_linux, mount_label, 0),
    F_POINTER("intelRdt", spec_linux, intel_rdt, rdt),
    F_POINTER("memoryPolicy", spec_linux, memory_policy, memory_policy),
    F_SAME("personality", personality, 0),
    F_SAME("timeOffsets", time_offsets, 0),
};
OBJECT(object_linux, "linux", spec_linux, .check = check_linux);
