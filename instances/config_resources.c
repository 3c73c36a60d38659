/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits, and devices. */
#include "instances/config_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "instances/ids.h"

enum {
	CPU_PERIOD = 100000, /* microseconds */
	PIDS_DEFAULT = 4096,
};

/* ---- resources ---- */

/* What the kernel says of a processor that is not there is "numerical result out of range". */
static int check_cpuset(struct config_builder *b, const char *list)
{
	unsigned long last = (unsigned long)sysconf(_SC_NPROCESSORS_CONF) - 1;

	for (const char *at = list + strcspn(list, "0123456789"); *at; at += strcspn(at, "0123456789")) {
		char *end;

		if (strtoul(at, &end, 10) > last)
			return error_refuse(b->e, ERROR_USAGE, "--cpuset '%s': this host has the processors 0-%lu",
					    list, last);
		at = end;
	}
	return 0;
}

/* "0.5", "2", ".25": processors; at least a hundredth. */
static int parse_cpus(const char *text, int64_t *ret_quota)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const char *dot = strchr(text, '.');
	char head[24] = "0";

	if (dot && (size_t)(dot - text) < sizeof(head) && dot != text)
		snprintf(head, sizeof(head), "%.*s", (int)(dot - text), text);
	if (parse_u64(dot ? head : text, 0, 65536, &whole) || (dot && (strlen(dot + 1) > 5 || !dot[1])))
		return -EINVAL;
	if (dot && parse_u64(dot + 1, 0, 99999, &part))
		return -EINVAL;
	for (size_t i = 0; dot && dot[1 + i]; i++)
		scale *= 10;
	*ret_quota = (int64_t)(whole * CPU_PERIOD + part * CPU_PERIOD / scale);
	return *ret_quota >= CPU_PERIOD / 100 ? 0 : -ERANGE;
}

/* The shares that become this weight on cgroup v2 (the inverse of the usual curve through 1024 <-> 100). */
static uint64_t shares_of_weight(uint64_t weight)
{
	double exponent = (-125 + sqrt(125.0 * 125 + 4 * 612 * (log10((double)weight) + 7.0 / 34))) / 2;

	return weight == 100 ? 1024 : (uint64_t)llround(exp2(exponent));
}

static bool memory_is_v2(void)
{
	auto_free char *controllers = NULL;
	size_t size = 0;

	return !file_read(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, &controllers, &size) &&
	       strstr(controllers, "memory");
}

static void add_unified(struct config_builder *b, const char *file, const char *value)
{
	CONFIG_ADD(b, b->resources.unified, b->resources.n_unified) = (struct spec_unified){file, value};
}

/* "/dev/sda:10M" or "8:0:10M" */
static int parse_throttle(struct config_builder *b, const char *option, const char *text, bool bytes,
			  struct spec_blkio_device *ret)
{
	const char *colon = strrchr(text, ':');
	const char *device = colon ? arena_format(b->arena, "%.*s", (int)(colon - text), text) : "";
	uint64_t major_number, minor_number;
	int64_t rate = 0;
	struct stat st;
	char *split;

	if (!colon || (bytes ? parse_size(colon + 1, false, &rate) : parse_i64(colon + 1, 0, INT64_MAX, &rate)))
		return error_refuse(b->e, ERROR_USAGE, "%s '%s': it takes DEVICE:RATE, such as /dev/sda:%s", option,
				    text, bytes ? "10M" : "200");
	split = strchr(device, ':');
	if (split && !parse_u64(split + 1, 0, UINT32_MAX, &minor_number) &&
	    !parse_u64(arena_format(b->arena, "%.*s", (int)(split - device), device), 0, UINT32_MAX, &major_number)) {
		*ret = (struct spec_blkio_device){
		    .major = (int64_t)major_number, .minor = (int64_t)minor_number, .rate = (uint64_t)rate};
		return 0;
	}
	if (stat(device, &st))
		return error_system(b->e, errno, "%s: device '%s'", option, device);
	if (!S_ISBLK(st.st_mode))
		return error_refuse(b->e, ERROR_USAGE, "%s: '%s' is not a block device", option, device);
	*ret =
	    (struct spec_blkio_device){.major = major(st.st_rdev), .minor = minor(st.st_rdev), .rate = (uint64_t)rate};
	return 0;
}

static int build_throttles(struct config_builder *b)
{
	const struct config_options *o = b->o;
	const struct {
		const char *option, **list;
		size_t n;
		enum spec_throttle which;
		bool bytes;
	} rows[] = {
	    {"--io-read-bps", o->io_read_bps, o->n_io_read_bps, SPEC_THROTTLE_READ_BPS, true},
	    {"--io-write-bps", o->io_write_bps, o->n_io_write_bps, SPEC_THROTTLE_WRITE_BPS, true},
	    {"--io-read-iops", o->io_read_iops, o->n_io_read_iops, SPEC_THROTTLE_READ_IOPS, false},
	    {"--io-write-iops", o->io_write_iops, o->n_io_write_iops, SPEC_THROTTLE_WRITE_IOPS, false},
	};

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
		for (size_t i = 0; i < rows[k].n; i++) {
			struct spec_blkio_device device;
			int r = parse_throttle(b, rows[k].option, rows[k].list[i], rows[k].bytes, &device);

			if (r)
				return r;
			CONFIG_ADD(b, b->resources.block_io.throttles[rows[k].which].devices,
				   b->resources.block_io.throttles[rows[k].which].n) = device;
		}
	return 0;
}

static int build_memory(struct config_builder *b)
{
	const struct config_options *o = b->o;
	struct spec_resources *r = &b->resources;

	r->memory.limit = o->memory;
	if (o->memory.present && o->memory.value != -1 && o->memory.value < 512 * 1024)
		return error_refuse(b->e, ERROR_USAGE,
				    "--memory %" PRId64 ": less than 512k can't run anything; a unit may "
				    "be missing (512M)",
				    o->memory.value);
	if (o->swap.present && (!o->memory.present || o->memory.value == -1) && o->swap.value != -1)
		return error_refuse(b->e, ERROR_USAGE, "--swap: needs --memory, which it comes on top of");
	if (o->swap.present) {
		r->memory.swap.present = true;
		r->memory.swap.value = o->swap.value == -1 ? -1 : o->memory.value + o->swap.value;
	}
	if (o->memory_high.present && !memory_is_v2())
		return error_refuse(
		    b->e, ERROR_UNSUPPORTED,
		    "--memory-high: this host has its memory controller on cgroup v1, which has no such "
		    "limit: boot with systemd.unified_cgroup_hierarchy=1, or use --memory");
	if (o->memory_high.present)
		add_unified(b, "memory.high",
			    o->memory_high.value == -1 ? "max"
						       : arena_format(b->arena, "%" PRId64, o->memory_high.value));
	/* An ordinary user's cgroup may have no such file: then it is holm's default where there is one (cgroups/limits.c). */
	if (memory_is_v2() && !b->runtime->rootless)
		add_unified(b, "memory.oom.group", "1");
	return 0;
}

int config_set_cpus(struct spec_resources *resources, const char *cpus, struct error *e)
{
	int64_t quota;

	if (parse_cpus(cpus, &quota))
		return error_refuse(e, ERROR_USAGE,
				    "--cpus '%s': it takes a number of processors such as 2 or 0.5, at least 0.01",
				    cpus);
	resources->cpu.quota = (struct spec_number){true, quota};
	resources->cpu.period = (struct spec_unsigned){true, CPU_PERIOD};
	return 0;
}

int config_set_cpu_weight(struct spec_resources *resources, uint64_t weight, struct error *e)
{
	if (weight < 1 || weight > 10000)
		return error_refuse(e, ERROR_USAGE,
				    "--cpu-weight %" PRIu64 ": it takes 1 to 10000; all others have 100", weight);
	resources->cpu.shares = (struct spec_unsigned){true, shares_of_weight(weight)};
	return 0;
}

/* --userns host: without a user namespace. */
static bool is_on_host_ids(const struct config_builder *b)
{
	return b->o->userns && str_equal(b->o->userns, "host");
}

int config_build_resources(struct config_builder *b)
{
	const struct config_options *o = b->o;
	struct spec_resources *res = &b->resources;
	int r = build_memory(b);

	if (r)
		return r;
	if (o->cpus)
		r = config_set_cpus(res, o->cpus, b->e);
	if (!r && o->cpu_weight.present)
		r = config_set_cpu_weight(res, o->cpu_weight.value, b->e);
	if (r)
		return r;
	if (o->cpuset && check_cpuset(b, o->cpuset))
		return error_return(b->e);
	res->cpu.cpus = o->cpuset;
	if (o->io_weight.present && (o->io_weight.value < 10 || o->io_weight.value > 1000))
		return error_refuse(b->e, ERROR_USAGE,
				    "--io-weight %" PRIu64 ": it takes 10 to 1000; all others have 100",
				    o->io_weight.value);
	res->block_io.weight = o->io_weight;
	/* An ordinary user has no cgroups but those that somebody delegated: without them only what is asked for is refused. */
	if (!o->pids.present && !b->runtime->rootless)
		res->pids.limit = (struct spec_number){true, PIDS_DEFAULT};
	else
		res->pids.limit = o->pids;
	if (res->pids.limit.present && (res->pids.limit.value < -1 || !res->pids.limit.value))
		return error_refuse(b->e, ERROR_USAGE,
				    "--pids %" PRId64 ": it takes a number from 1, or -1 for no limit",
				    res->pids.limit.value);
	if (res->pids.limit.present && res->pids.limit.value == 1 && !is_on_host_ids(b))
		return error_refuse(
		    b->e, ERROR_USAGE,
		    "--pids 1: with a range of ids of its own a start takes two for a moment; give 2, or "
		    "--userns host");
	/* Nothing but what every container has, and what --device adds. */
	CONFIG_ADD(b, res->devices, res->n_devices) = (struct spec_device_rule){
	    .type = 'a', .major = -1, .minor = -1, .access = SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE};
	return build_throttles(b);
}

/* ---- devices ---- */

/* "HOST[:INSIDE][:rwm]" */
static int add_device(struct config_builder *b, const char *text)
{
	char *host = arena_strdup(b->arena, text), *inside = strchr(host, ':'), *access = NULL;
	unsigned bits = SPEC_DEVICE_READ | SPEC_DEVICE_WRITE | SPEC_DEVICE_MKNOD;
	struct stat st;

	if (inside)
		*inside++ = 0;
	if (inside && *inside != '/') {
		access = inside;
		inside = NULL;
	} else if (inside && (access = strchr(inside, ':'))) {
		*access++ = 0;
	}
	if (access) {
		bits = 0;
		for (const char *c = access; *c; c++)
			bits |= *c == 'r'   ? SPEC_DEVICE_READ
				: *c == 'w' ? SPEC_DEVICE_WRITE
				: *c == 'm' ? SPEC_DEVICE_MKNOD
					    : 8;
	}
	if (!bits || bits & 8 || *host != '/')
		return error_refuse(b->e, ERROR_USAGE, "--device '%s': it takes /dev/NAME[:INSIDE][:rwm]", text);
	if (stat(host, &st))
		return error_system(b->e, errno, "--device '%s'", host);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_refuse(b->e, ERROR_USAGE, "--device '%s': is not a device", host);
	CONFIG_ADD(b, b->resources.devices, b->resources.n_devices) =
	    (struct spec_device_rule){.allow = true,
				      .type = S_ISCHR(st.st_mode) ? 'c' : 'b',
				      .major = major(st.st_rdev),
				      .minor = minor(st.st_rdev),
				      .access = bits};
	/* In a user namespace no node can be made: the host's is bound, which config.json has a device for only under its own name. */
	if (inside && !str_equal(inside, host) && !is_on_host_ids(b)) {
		struct spec_mount mount = {.destination = inside, .type = "bind", .source = host};

		CONFIG_ADD(b, mount.options, mount.n_options) = "bind";
		CONFIG_ADD(b, mount.options, mount.n_options) = "ro"; /* the node, not what is written to it */
		CONFIG_ADD(b, mount.options, mount.n_options) = "nosuid";
		CONFIG_ADD(b, mount.options, mount.n_options) = "noexec";
		CONFIG_ADD(b, b->device_mounts, b->n_device_mounts) = mount;
		return 0;
	}
	CONFIG_ADD(b, b->spec.linux_.devices, b->spec.linux_.n_devices) =
	    (struct spec_device){.type = S_ISCHR(st.st_mode) ? 'c' : 'b',
				 .path = inside ? inside : host,
				 .major = major(st.st_rdev),
				 .minor = minor(st.st_rdev),
				 .has_file_mode = true,
				 .file_mode = st.st_mode & 0777};
	return 0;
}

int config_build_devices(struct config_builder *b)
{
	int r = 0;

	for (size_t i = 0; !r && i < b->o->n_devices; i++)
		r = add_device(b, b->o->devices[i]);
	return r;
}
