/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.resources, as in config.json and in `update -r` */
#include "spec/tables.h"

#include "spec/resources.h"
#include "spec/validate.h"

/* The letters of a device rule's access, in the order in which they are written. */
static const struct {
	char letter;
	unsigned bit;
} accesses[] = {{'r', SPEC_DEVICE_READ}, {'w', SPEC_DEVICE_WRITE}, {'m', SPEC_DEVICE_MKNOD}};

static int decode_access(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			 void *base)
{
	unsigned *access = (unsigned *)((char *)base + field->offset), bits = 0;
	const char *text = NULL;
	int r = walk_string(w, step, node, &text);

	if (r)
		return r;
	for (const char *p = text; *p; p++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(accesses) && accesses[i].letter != *p)
			i++;
		if (i == ARRAY_SIZE(accesses))
			return walk_refuse(w, step, "must be letters of 'rwm', not '%s'", text);
		bits |= accesses[i].bit;
	}
	if (!bits)
		return walk_refuse(w, step, "must not be empty");
	*access = bits;
	return 0;
}

static void encode_access(struct json_writer *out, const struct field *field, const void *base)
{
	unsigned bits = *(const unsigned *)((const char *)base + field->offset);
	char text[4];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
		if (bits & accesses[i].bit)
			text[n++] = accesses[i].letter;
	text[n] = 0;
	json_put_string(out, field->key, text);
}

static const struct custom custom_access = {decode_access, encode_access};

static const struct spec_device_rule any_device = {.type = 'a', .major = -1, .minor = -1};

static const struct field device_rule_fields[] = {
    F_BOOL("allow", spec_device_rule, allow, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NAME("type", spec_device_rule, type, names_device_rule_types, 0),
    F_NUMBER("major", spec_device_rule, major, -1, UINT32_MAX, 0),
    F_NUMBER("minor", spec_device_rule, minor, -1, UINT32_MAX, 0),
    F_CUSTOM("access", spec_device_rule, access, custom_access, FIELD_REQUIRED),
};
static OBJECT(device_rule, "device rule", spec_device_rule, .defaults = &any_device);

static const struct field memory_fields[] = {
#define LIMIT(KEY, MEMBER) F_VALUE(KEY, spec_resources, memory.MEMBER, -1, INT64_MAX)
    LIMIT("limit", limit),
    LIMIT("reservation", reservation),
    LIMIT("swap", swap),
    LIMIT("kernel", kernel),
    LIMIT("kernelTCP", kernel_tcp),
#undef LIMIT
    F_VALUE("swappiness", spec_resources, memory.swappiness, 0, 100),
    F_BOOL_HAS("disableOOMKiller", spec_resources, memory.disable_oom_killer.value, memory.disable_oom_killer.present),
    F_BOOL_HAS("useHierarchy", spec_resources, memory.use_hierarchy.value, memory.use_hierarchy.present),
    F_BOOL_HAS("checkBeforeUpdate", spec_resources, memory.check_before_update.value,
	       memory.check_before_update.present),
};
static OBJECT(memory, "memory limit", spec_resources);

static const struct field cpu_fields[] = {
    F_VALUE("shares", spec_resources, cpu.shares, 0, UINT64_MAX),
    F_VALUE("quota", spec_resources, cpu.quota, -1, INT64_MAX),
    F_VALUE("burst", spec_resources, cpu.burst, 0, UINT64_MAX),
    F_VALUE("period", spec_resources, cpu.period, 0, UINT64_MAX),
    F_VALUE("realtimeRuntime", spec_resources, cpu.realtime_runtime, -1, INT64_MAX),
    F_VALUE("realtimePeriod", spec_resources, cpu.realtime_period, 0, UINT64_MAX),
    F_STRING("cpus", spec_resources, cpu.cpus, 0),
    F_STRING("mems", spec_resources, cpu.mems, 0),
    F_VALUE("idle", spec_resources, cpu.idle, 0, 1),
};
static OBJECT(cpu, "CPU limit", spec_resources);

static const struct field pids_fields[] = {
    F_VALUE("limit", spec_resources, pids.limit, -1, INT64_MAX),
};
static OBJECT(pids, "pids limit", spec_resources);

static const struct field weight_device_fields[] = {
    F_NUMBER("major", spec_blkio_device, major, 0, UINT32_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("minor", spec_blkio_device, minor, 0, UINT32_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_VALUE("weight", spec_blkio_device, weight, 0, 1000),
    F_VALUE("leafWeight", spec_blkio_device, leaf_weight, 0, 1000),
};
static OBJECT(weight_device, "device weight", spec_blkio_device, .check = check_weight_device);

static const struct field throttle_fields[] = {
    F_NUMBER("major", spec_blkio_device, major, 0, UINT32_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("minor", spec_blkio_device, minor, 0, UINT32_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("rate", spec_blkio_device, rate, 0, UINT64_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
};
static OBJECT(throttle, "throttle", spec_blkio_device);

static const struct field block_io_fields[] = {
#define THROTTLE(KEY, WHICH)                                                                                           \
	F_LIST(KEY, spec_resources, block_io.throttles[WHICH].devices, block_io.throttles[WHICH].n, throttle, 0)
    F_VALUE("weight", spec_resources, block_io.weight, 0, 1000),
    F_VALUE("leafWeight", spec_resources, block_io.leaf_weight, 0, 1000),
    F_LIST("weightDevice", spec_resources, block_io.weight_devices, block_io.n_weight_devices, weight_device, 0),
    THROTTLE("throttleReadBpsDevice", SPEC_THROTTLE_READ_BPS),
    THROTTLE("throttleWriteBpsDevice", SPEC_THROTTLE_WRITE_BPS),
    THROTTLE("throttleReadIOPSDevice", SPEC_THROTTLE_READ_IOPS),
    THROTTLE("throttleWriteIOPSDevice", SPEC_THROTTLE_WRITE_IOPS),
#undef THROTTLE
};
static OBJECT(block_io, "block I/O limit", spec_resources);

static const struct field hugepage_limit_fields[] = {
    F_STRING("pageSize", spec_hugepage_limit, page_size, FIELD_REQUIRED),
    F_NUMBER("limit", spec_hugepage_limit, limit, 0, UINT64_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
};
static OBJECT(hugepage_limit, "huge page limit", spec_hugepage_limit);

static const struct field priority_fields[] = {
    F_STRING("name", spec_priority, name, FIELD_REQUIRED),
    F_NUMBER("priority", spec_priority, priority, 0, UINT32_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
};
static OBJECT(priority, "network priority", spec_priority);

static const struct field network_fields[] = {
    F_VALUE("classID", spec_resources, network.class_id, 0, UINT32_MAX),
    F_LIST("priorities", spec_resources, network.priorities, network.n_priorities, priority, 0),
};
static OBJECT(network, "network limit", spec_resources);

static const struct field rdma_fields[] = {
    F_VALUE("hcaHandles", spec_rdma, hca_handles, 0, UINT32_MAX),
    F_VALUE("hcaObjects", spec_rdma, hca_objects, 0, UINT32_MAX),
};
static OBJECT(rdma, "RDMA limit", spec_rdma, .check = check_rdma);

static const struct field unified_value = F_STRING("", spec_unified, value, 0);
static const struct object unified = {
    .what = "cgroup file", .size = sizeof(struct spec_unified), .value = &unified_value, .check = check_unified};

static const struct field object_resources_fields[] = {
    F_LIST("devices", spec_resources, devices, n_devices, device_rule, 0),
    F_SAME("memory", memory, 0),
    F_SAME("cpu", cpu, 0),
    F_SAME("pids", pids, 0),
    F_SAME("blockIO", block_io, 0),
    F_LIST("hugepageLimits", spec_resources, hugepage_limits, n_hugepage_limits, hugepage_limit, 0),
    F_SAME("network", network, 0),
    F_MAP("rdma", spec_resources, rdma, n_rdma, rdma),
    F_MAP("unified", spec_resources, unified, n_unified, unified),
};
OBJECT(object_resources, "resources", spec_resources, .check = check_resources);
