/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "instances/ids.h"
#include "instances/instance.h"
#include "instances/seccomp.h"
#include "instances/user.h"
#include "netns/address.h"
#include "netns/client.h"
#include "spec/json.h"
#include "spec/names.h"
#include "storage/volume.h"

enum {
	CPU_PERIOD = 100000, /* microseconds */
	PIDS_DEFAULT = 4096,
	HOSTNAME_MAX = 64,
	SIGNAL_SYSTEMD = 34 + 3, /* SIGRTMIN+3: systemd halts, instead of going into its rescue mode */
	STOP_SECONDS = 10,
	ENV_FILE_MAX = 1 << 20,
	SECCOMP_FILE_MAX = 4 << 20,
};

struct builder {
	const struct runtime *runtime;
	const struct config_options *o;
	const struct config_base *base;
	struct arena *arena;
	struct spec spec;
	struct spec_process process;
	struct spec_resources resources;
	struct spec_holm holm;
	struct spec_capabilities capabilities;
	struct user user;
	bool own_network, systemd;
	bool shared_ids;       /* the user namespace is another instance's, as its network is */
	uint32_t first_shared; /* 0: it has none */
	struct error *e;
};

/* ---- lists that grow ---- */

static void *grow(struct arena *arena, void *list, size_t n, size_t size)
{
	void *more;

	if (n && (n & (n - 1)))
		return list;
	more = arena_alloc(arena, (n ? n * 2 : 1) * size);
	if (n)
		memcpy(more, list, n * size);
	return more;
}

/* A new element at the end of list, which has n; an lvalue. */
#define ADD(b, list, n)                                                                                                \
	(*({                                                                                                           \
		(list) = grow((b)->arena, (void *)(list), (n), sizeof(*(list)));                                       \
		&(list)[(n)++];                                                                                        \
	}))

/* ---- process ---- */

/* KEY=value replaces an earlier one. */
static void set_env(struct builder *b, const char *text)
{
	size_t n = strcspn(text, "=") + 1;

	for (size_t i = 0; i < b->process.n_env; i++)
		if (!strncmp(b->process.env[i], text, n)) {
			b->process.env[i] = text;
			return;
		}
	ADD(b, b->process.env, b->process.n_env) = text;
}

static bool has_env(const struct builder *b, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < b->process.n_env; i++)
		if (!strncmp(b->process.env[i], key, n) && b->process.env[i][n] == '=')
			return true;
	return false;
}

/* "KEY=value", or "KEY" for the caller's own. */
static int add_env(struct builder *b, const char *text, const char *where)
{
	const char *value;

	if (*text == '=' || !*text)
		return error_refuse(b->e, ERROR_USAGE, "%s '%s': it takes KEY=VALUE, or KEY for the one of this shell",
				    where, text);
	if (strchr(text, '=')) {
		set_env(b, arena_strdup(b->arena, text));
		return 0;
	}
	value = getenv(text);
	if (value)
		set_env(b, arena_format(b->arena, "%s=%s", text, value));
	return 0;
}

static int read_env_file(struct builder *b, const char *path)
{
	auto_free char *text = NULL;
	char *rest, *line;
	size_t size = 0;
	unsigned number = 0;
	int r = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, &size);

	if (r)
		return error_system(b->e, -r, "--env-file '%s'", path);
	if (strlen(text) != size)
		return error_refuse(b->e, ERROR_INVALID, "--env-file '%s': is no text", path);
	rest = text;
	while (!r && (line = strsep(&rest, "\n"))) {
		size_t length = strlen(line);

		number++;
		if (length && line[length - 1] == '\r')
			line[length - 1] = 0;
		line += strspn(line, " \t");
		if (*line && *line != '#')
			r = add_env(b, line, arena_format(b->arena, "--env-file '%s', line %u:", path, number));
	}
	return r;
}

static int build_env(struct builder *b)
{
	const struct image_config *image = b->base->image;
	int r = 0;

	set_env(b, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	set_env(b, "container=holm");
	set_env(b, arena_format(b->arena, "HOSTNAME=%s", b->spec.hostname));
	if (b->o->terminal)
		set_env(b, "TERM=xterm");
	for (size_t i = 0; image && i < image->n_env; i++)
		if (strchr(image->env[i], '=') > image->env[i])
			set_env(b, image->env[i]);
	for (size_t i = 0; !r && i < b->o->n_env_files; i++)
		r = read_env_file(b, b->o->env_files[i]);
	for (size_t i = 0; !r && i < b->o->n_env; i++)
		r = add_env(b, b->o->env[i], "--env");
	if (!has_env(b, "HOME"))
		set_env(b, arena_format(b->arena, "HOME=%s",
					b->user.home  ? b->user.home
					: b->user.uid ? "/"
						      : "/root"));
	return r;
}

static void add_args(struct builder *b, const char *const *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ADD(b, b->process.args, b->process.n_args) = args[i];
}

static int build_args(struct builder *b)
{
	const struct image_config *image = b->base->image;
	const struct config_options *o = b->o;
	const char *base;

	if (o->entrypoint)
		add_args(b, &o->entrypoint, 1);
	else if (image)
		add_args(b, image->entrypoint, image->n_entrypoint);
	if (o->n_args)
		add_args(b, o->args, o->n_args);
	else if (image && !o->entrypoint)
		add_args(b, image->cmd, image->n_cmd);
	if (!b->process.n_args)
		return error_refuse(b->e, ERROR_USAGE, "no command: the %s has none, give one after it",
				    o->rootfs ? "folder of --rootfs" : "image");
	base = strrchr(b->process.args[0], '/');
	base = base ? base + 1 : b->process.args[0];
	b->systemd = str_equal(base, "systemd") || str_equal(b->process.args[0], "/sbin/init") ||
		     str_equal(b->process.args[0], "/usr/sbin/init");
	return 0;
}

static int build_user(struct builder *b)
{
	const struct image_config *image = b->base->image;
	const char *text = b->o->user ? b->o->user : image && image->user && *image->user ? image->user : "0";
	int r = user_find(b->base->root, text, b->arena, &b->user, b->e);

	if (r) {
		error_context(b->e, "%s", b->o->user ? "--user" : "the image's user");
		return r;
	}
	b->process.user.uid = b->user.uid;
	b->process.user.gid = b->user.gid;
	for (size_t i = 0; i < b->user.n_groups; i++)
		ADD(b, b->process.user.additional_gids, b->process.user.n_additional_gids) = b->user.groups[i];
	for (size_t i = 0; i < b->o->n_groups; i++) {
		struct user group;

		r = user_find(b->base->root, arena_format(b->arena, "0:%s", b->o->groups[i]), b->arena, &group, b->e);
		if (r) {
			error_context(b->e, "--group");
			return r;
		}
		ADD(b, b->process.user.additional_gids, b->process.user.n_additional_gids) = group.gid;
	}
	return 0;
}

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

static int change_capabilities(struct builder *b, const char *option, const char *const *list, size_t n, bool add,
			       uint64_t *mask, uint64_t *changed)
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

static void list_capabilities(struct builder *b, enum spec_capability_set set, uint64_t mask)
{
	for (size_t i = 0; i < names_capabilities.n; i++)
		if (mask >> names_capabilities.list[i].value & 1)
			ADD(b, b->capabilities.sets[set].names, b->capabilities.sets[set].n) =
			    names_capabilities.list[i].name;
}

static int build_capabilities(struct builder *b)
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

static int read_seccomp(struct builder *b, const char *path)
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

static int build_seccomp(struct builder *b)
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

/* ---- resources ---- */

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

static void add_unified(struct builder *b, const char *file, const char *value)
{
	ADD(b, b->resources.unified, b->resources.n_unified) = (struct spec_unified){file, value};
}

/* "/dev/sda:10M" or "8:0:10M" */
static int parse_throttle(struct builder *b, const char *option, const char *text, bool bytes,
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

static int build_throttles(struct builder *b)
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
			ADD(b, b->resources.block_io.throttles[rows[k].which].devices,
			    b->resources.block_io.throttles[rows[k].which].n) = device;
		}
	return 0;
}

static int build_memory(struct builder *b)
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
	if (memory_is_v2())
		add_unified(b, "memory.oom.group", "1");
	return 0;
}

static int build_resources(struct builder *b)
{
	const struct config_options *o = b->o;
	struct spec_resources *res = &b->resources;
	int r = build_memory(b);

	if (r)
		return r;
	if (o->cpus) {
		r = parse_cpus(o->cpus, &res->cpu.quota.value);
		if (r)
			return error_refuse(
			    b->e, ERROR_USAGE,
			    "--cpus '%s': it takes a number of processors such as 2 or 0.5, at least 0.01", o->cpus);
		res->cpu.quota.present = true;
		res->cpu.period = (struct spec_unsigned){true, CPU_PERIOD};
	}
	if (o->cpu_weight.present && (o->cpu_weight.value < 1 || o->cpu_weight.value > 10000))
		return error_refuse(b->e, ERROR_USAGE,
				    "--cpu-weight %" PRIu64 ": it takes 1 to 10000; all others have 100",
				    o->cpu_weight.value);
	if (o->cpu_weight.present)
		res->cpu.shares = (struct spec_unsigned){true, shares_of_weight(o->cpu_weight.value)};
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
	/* Nothing but what every container has, and what --device adds. */
	ADD(b, res->devices, res->n_devices) = (struct spec_device_rule){
	    .type = 'a', .major = -1, .minor = -1, .access = SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE};
	return build_throttles(b);
}

/* ---- devices ---- */

/* "HOST[:INSIDE][:rwm]" */
static int add_device(struct builder *b, const char *text)
{
	char *host = arena_strdup(b->arena, text), *inside = strchr(host, ':'), *access = NULL;
	unsigned bits = SPEC_DEVICE_READ | SPEC_DEVICE_WRITE | SPEC_DEVICE_MKNOD;
	struct spec_device *device;
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
	device = &ADD(b, b->spec.linux_.devices, b->spec.linux_.n_devices);
	*device = (struct spec_device){.type = S_ISCHR(st.st_mode) ? 'c' : 'b',
				       .path = inside ? inside : host,
				       .major = major(st.st_rdev),
				       .minor = minor(st.st_rdev),
				       .has_file_mode = true,
				       .file_mode = st.st_mode & 0777};
	ADD(b, b->resources.devices, b->resources.n_devices) = (struct spec_device_rule){
	    .allow = true, .type = device->type, .major = device->major, .minor = device->minor, .access = bits};
	return 0;
}

/* ---- mounts ---- */

#define STRINGS(...) .options = (const char *[]){__VA_ARGS__}, .n_options = ARRAY_SIZE(((const char *[]){__VA_ARGS__}))
/* clang-format off */
#define MOUNT(TARGET, TYPE, SOURCE, ...) {.destination = TARGET, .type = TYPE, .source = SOURCE, STRINGS(__VA_ARGS__)}
/* clang-format on */

static const struct spec_mount mounts[] = {
    MOUNT("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
    MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
};
/* gid 5, tty, is none of the single id that an ordinary user maps. */
static const struct spec_mount rootless_pts =
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620");
static const struct spec_mount cgroup_mounts[] = {
    MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
    MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime"),
};
static const struct spec_mount host_sys = MOUNT("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro");

static const char *const masked_paths[] = {"/proc/acpi",
					   "/proc/asound",
					   "/proc/interrupts",
					   "/proc/kcore",
					   "/proc/keys",
					   "/proc/latency_stats",
					   "/proc/sched_debug",
					   "/proc/scsi",
					   "/proc/timer_list",
					   "/proc/timer_stats",
					   "/sys/dev/block",
					   "/sys/devices/virtual/powercap",
					   "/sys/devices/virtual/tpm",
					   "/sys/firmware",
					   "/sys/fs/selinux"};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

static void add_mount(struct builder *b, const struct spec_mount *mount)
{
	/* A later one for the same place takes the earlier one's. */
	for (size_t i = 0; i < b->spec.n_mounts; i++)
		if (str_equal(b->spec.mounts[i].destination, mount->destination)) {
			b->spec.mounts[i] = *mount;
			return;
		}
	ADD(b, b->spec.mounts, b->spec.n_mounts) = *mount;
}

/* "PATH[:OPTION,...]" */
static int add_tmpfs(struct builder *b, const char *text)
{
	char *path = arena_strdup(b->arena, text), *rest = strchr(path, ':'), *option;
	struct spec_mount mount = {.type = "tmpfs", .source = "tmpfs"};

	if (rest)
		*rest++ = 0;
	if (*path != '/')
		return error_refuse(
		    b->e, ERROR_USAGE,
		    "--tmpfs '%s': it takes an absolute path, and may have options: /run:size=64m,mode=755", text);
	mount.destination = path;
	ADD(b, mount.options, mount.n_options) = "nosuid";
	ADD(b, mount.options, mount.n_options) = "nodev";
	while ((option = strsep(&rest, ",")))
		if (*option)
			ADD(b, mount.options, mount.n_options) = option;
	add_mount(b, &mount);
	return 0;
}

static void add_file(struct builder *b, const char *path)
{
	struct spec_mount mount = {
	    .destination = path, .type = "bind", .source = path, STRINGS("bind", "ro", "nosuid", "nodev")};

	mount.options = arena_memdup(b->arena, mount.options, mount.n_options * sizeof(*mount.options));
	if (!access(path, R_OK))
		add_mount(b, &mount);
}

/* Is it one of our own mounts, or below one? */
static bool is_ours(const struct builder *b, const char *path)
{
	for (size_t i = 0; i < b->spec.n_mounts; i++) {
		const char *rest = str_after(path, b->spec.mounts[i].destination);

		if (rest && (!*rest || *rest == '/'))
			return true;
	}
	return strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//");
}

/*
 * What the image calls volumes lies in the instance's own root, which stays as long as the instance; where that can't be written to, a
 * volume of its own takes its place.  -v for the same path comes later and wins.
 */
static int build_image_volumes(struct builder *b, unsigned flags)
{
	const struct image_config *image = b->base->image;
	int r = 0;

	for (size_t i = 0; !r && image && b->o->read_only && i < image->n_volumes; i++) {
		char *name = arena_format(b->arena, "%s%s", b->o->name, image->volumes[i]);
		struct spec_mount mount;

		/* The image's word: a path, and nothing that a mount's syntax would take for something else. */
		if (*image->volumes[i] != '/' || strpbrk(image->volumes[i], ":,\n") || is_ours(b, image->volumes[i]))
			continue;
		for (char *c = name; *c; c++)
			if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *c))
				*c = '-';
		r = volume_mount(b->base->store, arena_format(b->arena, "%s:%s", name, image->volumes[i]), flags,
				 b->arena, &mount, b->e);
		if (!r)
			add_mount(b, &mount);
		else
			error_context(b->e, "the image's volume '%s'", image->volumes[i]);
	}
	return r;
}

static int build_mounts(struct builder *b)
{
	const struct config_options *o = b->o;
	bool host_network = o->n_networks && str_equal(o->networks[0], "host");
	struct spec_mount shm = MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", NULL);
	/* What a volume holds has the container's ids; mapping it for them needs root. */
	bool maps = b->spec.linux_.namespaces[SPEC_NS_USER].present && !b->runtime->rootless;
	unsigned flags = (b->base->make_volumes ? VOLUME_MAKE : 0) | (maps ? VOLUME_MAPPED : 0);
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		add_mount(b, &mounts[i]);
	if (b->runtime->rootless)
		add_mount(b, &rootless_pts);
	/* sysfs belongs to a network namespace: nobody may mount one in another's. */
	if (!b->own_network && b->spec.linux_.namespaces[SPEC_NS_USER].present)
		add_mount(b, &host_sys);
	add_mount(b, &cgroup_mounts[b->systemd]);
	shm.options = arena_memdup(b->arena, shm.options, shm.n_options * sizeof(*shm.options));
	shm.options[shm.n_options - 1] =
	    o->shm_size.present ? arena_format(b->arena, "size=%" PRId64, o->shm_size.value) : "size=65536k";
	add_mount(b, &shm);
	if (host_network) {
		add_file(b, "/etc/resolv.conf");
		add_file(b, "/etc/hosts");
	}
	if (b->systemd) {
		r = add_tmpfs(b, "/run:mode=755");
		if (!r)
			r = add_tmpfs(b, "/tmp:mode=1777");
	}
	for (size_t i = 0; !r && i < o->n_tmpfs; i++)
		r = add_tmpfs(b, o->tmpfs[i]);
	if (!r)
		r = build_image_volumes(b, flags);
	for (size_t i = 0; !r && i < o->n_volumes; i++) {
		struct spec_mount mount;

		r = volume_mount(b->base->store, o->volumes[i], flags, b->arena, &mount, b->e);
		if (!r)
			add_mount(b, &mount);
		else
			error_context(b->e, "--volume");
	}
	return r;
}

/* ---- networks ---- */

static int refuse_network(struct builder *b, const char *text, const char *why)
{
	return error_refuse(b->e, ERROR_USAGE, "--network '%s': %s", text, why);
}

static int check_address(struct builder *b, const char *option, const char *text)
{
	char *copy = arena_strdup(b->arena, text), *one;
	struct net_address address;

	while ((one = strsep(&copy, ",")))
		if (address_parse(one, &address))
			return error_refuse(b->e, ERROR_USAGE, "%s '%s': is not an IPv4 or IPv6 address", option, one);
	return 0;
}

/* "NAME[,KEY=VALUE...]" */
static int add_network(struct builder *b, const char *text)
{
	struct spec_holm_network network = {0};
	char *rest = arena_strdup(b->arena, text), *part;

	network.network = strsep(&rest, ",");
	if (!*network.network)
		return refuse_network(b, text, "it takes the name of a network, none, host or instance:NAME");
	while ((part = strsep(&rest, ","))) {
		char *value = strchr(part, '=');
		struct net_rate rate;
		int r = 0;

		if (!value || !value[1])
			return refuse_network(b, text, "after the name come address=, interface=, mac= and rate=");
		*value++ = 0;
		if (str_equal(part, "address")) {
			/* The next one of the other family follows after a comma of its own: address=A,address=B. */
			network.address =
			    network.address ? arena_format(b->arena, "%s,%s", network.address, value) : value;
			r = check_address(b, "--network: address", value);
		} else if (str_equal(part, "interface")) {
			network.interface = value;
		} else if (str_equal(part, "mac")) {
			network.mac = value;
		} else if (str_equal(part, "rate")) {
			network.rate_egress = network.rate_ingress = value;
			r = net_parse_rate(value, &rate, b->e);
		} else {
			return refuse_network(b, text, "after the name come address=, interface=, mac= and rate=");
		}
		if (r)
			return r;
	}
	ADD(b, b->holm.networks, b->holm.n_networks) = network;
	return 0;
}

/* "100M", "100M/256k", or two of them: egress,ingress */
static int set_rate(struct builder *b, struct spec_holm_network *network)
{
	char *egress = arena_strdup(b->arena, b->o->rate), *ingress = strchr(egress, ',');
	struct net_rate rate;
	int r;

	if (ingress)
		*ingress++ = 0;
	else
		ingress = egress;
	r = net_parse_rate(egress, &rate, b->e);
	if (!r)
		r = net_parse_rate(ingress, &rate, b->e);
	if (r) {
		error_context(b->e, "--rate");
		return r;
	}
	network->rate_egress = egress;
	network->rate_ingress = ingress;
	return 0;
}

static int build_ports(struct builder *b, struct spec_holm_network *network)
{
	for (size_t i = 0; i < b->o->n_publish; i++) {
		struct net_port port;
		int r = net_parse_port(b->o->publish[i], &port, b->e);

		if (r) {
			error_context(b->e, "--publish");
			return r;
		}
		ADD(b, network->publish, network->n_publish) = b->o->publish[i];
	}
	return 0;
}

/* The network namespace of another instance goes with its user namespace: nobody else has rights over it. */
static int share_network(struct builder *b, const char *text)
{
	auto_instance other = INSTANCE_INIT;
	struct spec spec;
	int r = instance_open(b->runtime, str_after(text, "instance:"), &other, b->e);

	if (!r)
		r = instance_load_spec(&other, &spec, b->e);
	if (r) {
		error_context(b->e, "--network '%s'", text);
		return r;
	}
	b->shared_ids = true;
	b->first_shared = config_first_id(&spec);
	spec_release(&spec);
	return add_network(b, text);
}

static int build_networks(struct builder *b)
{
	const char *const fallback = b->runtime->rootless ? "none" : "default";
	const struct config_options *o = b->o;
	const char *const *list = o->n_networks ? o->networks : &fallback;
	size_t n = o->n_networks ? o->n_networks : 1;
	bool none = str_equal(list[0], "none"), host = str_equal(list[0], "host");
	bool joined = str_after(list[0], "instance:") != NULL;
	int r = 0;

	b->own_network = !host && !joined;
	b->spec.linux_.namespaces[SPEC_NS_NETWORK].present = !host;
	for (size_t i = 0; i < n; i++)
		if (n > 1 &&
		    (str_equal(list[i], "none") || str_equal(list[i], "host") || str_after(list[i], "instance:")))
			return refuse_network(b, list[i], "stands alone");
	if (none || host || joined) {
		if (o->n_publish || o->address || o->rate || o->mac)
			return refuse_network(
			    b, list[0],
			    joined ? "ports, addresses and rates are the other instance's"
			    : b->runtime->rootless
				? "ports, addresses and rates need a network, and joining one needs root; "
				  "with --network host it listens on the host's own"
				: "ports, addresses and rates need a network");
		return joined ? share_network(b, list[0]) : 0;
	}
	if (b->runtime->rootless)
		return refuse_network(b, list[0], "joining networks needs root: use --network none or host");
	for (size_t i = 0; !r && i < n; i++)
		r = add_network(b, list[i]);
	if (r)
		return r;
	if (o->address) {
		r = check_address(b, "--address", o->address);
		b->holm.networks[0].address = o->address;
	}
	if (!r && o->mac)
		b->holm.networks[0].mac = o->mac;
	if (!r && o->rate)
		r = set_rate(b, &b->holm.networks[0]);
	return r ? r : build_ports(b, &b->holm.networks[0]);
}

/* ---- namespaces and ids ---- */

static int build_user_namespace(struct builder *b)
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
		ADD(b, l->uid_mappings, l->n_uid_mappings) = (struct spec_id_map){0, geteuid(), 1};
		ADD(b, l->gid_mappings, l->n_gid_mappings) = (struct spec_id_map){0, getegid(), 1};
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
	ADD(b, l->uid_mappings, l->n_uid_mappings) = (struct spec_id_map){0, first, IDS_SIZE};
	ADD(b, l->gid_mappings, l->n_gid_mappings) = (struct spec_id_map){0, first, IDS_SIZE};
	return 0;
}

static int build_sysctls(struct builder *b)
{
	struct spec_linux *l = &b->spec.linux_;

	if (b->own_network) {
		/* In a network namespace of one's own a low port is nothing special. */
		ADD(b, l->sysctl, l->n_sysctl) = (struct spec_pair){"net.ipv4.ip_unprivileged_port_start", "0"};
		ADD(b, l->sysctl, l->n_sysctl) = (struct spec_pair){"net.ipv4.ping_group_range", "0 65535"};
		if (b->runtime->rootless)
			l->n_sysctl--;
	}
	for (size_t i = 0; i < b->o->n_sysctls; i++) {
		const char *text = b->o->sysctls[i], *equals = strchr(text, '=');

		if (!equals || equals == text)
			return error_refuse(b->e, ERROR_USAGE, "--sysctl '%s': it takes NAME=VALUE", text);
		ADD(b, l->sysctl, l->n_sysctl) =
		    (struct spec_pair){arena_format(b->arena, "%.*s", (int)(equals - text), text), equals + 1};
	}
	return 0;
}

/* "nofile=1024[:4096]" */
static int add_ulimit(struct builder *b, const char *text)
{
	const char *equals = strchr(text, '='), *colon = equals ? strchr(equals, ':') : NULL;
	struct spec_rlimit limit = {0};
	uint64_t resource;
	char *name, *soft;

	if (!equals)
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': it takes NAME=SOFT[:HARD]", text);
	name = arena_format(b->arena, "RLIMIT_%.*s", (int)(equals - text), text);
	for (char *c = name; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	if (names_find(&names_rlimits, name, &resource)) {
		const char *close = names_closest(&names_rlimits, name);

		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': no such limit%s%s%s", text,
				    close ? "; did you mean '" : "", close ? close + strlen("RLIMIT_") : "",
				    close ? "'?" : "");
	}
	soft = colon ? arena_format(b->arena, "%.*s", (int)(colon - equals - 1), equals + 1)
		     : arena_strdup(b->arena, equals + 1);
	limit.resource = (int)resource;
	if (parse_u64(soft, 0, UINT64_MAX, &limit.soft) && str_equal(soft, "unlimited") == false)
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': '%s' is no number", text, soft);
	if (str_equal(soft, "unlimited"))
		limit.soft = RLIM_INFINITY;
	limit.hard = limit.soft;
	if (colon && str_equal(colon + 1, "unlimited"))
		limit.hard = RLIM_INFINITY;
	else if (colon && parse_u64(colon + 1, 0, UINT64_MAX, &limit.hard))
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': '%s' is no number", text, colon + 1);
	if (limit.soft > limit.hard)
		return error_refuse(b->e, ERROR_USAGE, "--ulimit '%s': the first number is the lower one", text);
	ADD(b, b->process.rlimits, b->process.n_rlimits) = limit;
	return 0;
}

/* ---- upkeep ---- */

static int build_restart(struct builder *b)
{
	const char *text = b->o->restart, *colon = text ? strchr(text, ':') : NULL;
	uint64_t max = 0, ignored;

	if (!text) {
		if (b->o->restart_delay)
			return error_refuse(b->e, ERROR_USAGE, "--restart-delay: needs --restart");
		return 0;
	}
	b->holm.restart.policy = colon ? arena_format(b->arena, "%.*s", (int)(colon - text), text) : text;
	if (names_find(&names_restart_policies, b->holm.restart.policy, &ignored) ||
	    (colon && (parse_u64(colon + 1, 1, UINT32_MAX, &max) || str_equal(b->holm.restart.policy, "no"))))
		return error_refuse(
		    b->e, ERROR_USAGE,
		    "--restart '%s': it takes no, on-failure, always or unless-stopped, the last three with "
		    "or without :MAX",
		    text);
	if (b->o->remove && !str_equal(b->holm.restart.policy, "no"))
		return error_refuse(b->e, ERROR_USAGE,
				    "--rm and --restart: what is removed at its end can't be restarted");
	b->holm.restart.max = (uint32_t)max;
	b->holm.restart.delay = b->o->restart_delay;
	return 0;
}

static int build_stop(struct builder *b)
{
	const struct image_config *image = b->base->image;
	const char *text = b->o->stop_signal ? b->o->stop_signal : image ? image->stop_signal : NULL;
	int number = b->systemd ? SIGNAL_SYSTEMD : 0;

	if (text && (signal_parse(text, &number) || !number))
		return error_refuse(b->e, ERROR_USAGE, "%s '%s': no such signal",
				    b->o->stop_signal ? "--stop-signal" : "the image's stop signal", text);
	b->holm.stop.signal = number;
	b->holm.stop.timeout = b->o->stop_timeout;
	return 0;
}

static int build_health(struct builder *b)
{
	static const char *const actions[] = {"none", "restart", "stop", "kill"};
	const struct config_options *o = b->o;
	bool known = !o->health_action;

	if (!o->health_command) {
		if (o->health_action || o->health_interval || o->health_timeout || o->health_start_period ||
		    o->health_retries)
			return error_refuse(b->e, ERROR_USAGE, "--health-...: needs --health-cmd");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		known |= o->health_action && str_equal(o->health_action, actions[i]);
	if (!known)
		return error_refuse(b->e, ERROR_USAGE, "--health-action '%s': it takes none, restart, stop or kill",
				    o->health_action);
	ADD(b, b->holm.health.command, b->holm.health.n_command) = "/bin/sh";
	ADD(b, b->holm.health.command, b->holm.health.n_command) = "-c";
	ADD(b, b->holm.health.command, b->holm.health.n_command) = o->health_command;
	b->holm.health.interval = o->health_interval;
	b->holm.health.timeout = o->health_timeout;
	b->holm.health.start_period = o->health_start_period;
	b->holm.health.retries = o->health_retries;
	b->holm.health.action = o->health_action;
	return 0;
}

static int build_upkeep(struct builder *b)
{
	const struct config_options *o = b->o;
	int r = build_restart(b);

	if (!r)
		r = build_stop(b);
	if (!r)
		r = build_health(b);
	if (r)
		return r;
	if (o->log_size.present && o->log_size.value < 4096)
		return error_refuse(b->e, ERROR_USAGE, "--log-size: it takes at least 4k");
	b->holm.log.size = o->log_size.present ? o->log_size.value : 0;
	b->holm.log.files = o->log_files;
	b->holm.init = o->init;
	b->holm.input = o->interactive;
	b->holm.notify = o->notify;
	for (size_t i = 0; i < o->n_after; i++)
		ADD(b, b->holm.after, b->holm.n_after) = o->after[i];
	return 0;
}

/* ---- all of it ---- */

static int build_root(struct builder *b)
{
	const struct config_options *o = b->o;

	b->spec.root_path = o->rootfs ? o->rootfs : "rootfs";
	b->spec.root_readonly = o->read_only;
	b->holm.image = o->image;
	if (o->size.present && o->size.value < 1 << 20)
		return error_refuse(b->e, ERROR_USAGE, "--size: it takes at least 1M");
	b->holm.storage.size = o->size.present ? o->size.value : 0;
	b->holm.storage.inodes = o->inodes.present ? o->inodes.value : 0;
	b->holm.storage.is_volatile = o->is_volatile || o->remove; /* nobody will look at it again */
	return 0;
}

static int build_names(struct builder *b)
{
	const char *name = b->o->hostname ? b->o->hostname : b->o->name;

	if (strlen(name) > HOSTNAME_MAX || !str_is_id(name))
		return error_refuse(b->e, ERROR_USAGE,
				    "--hostname '%s': it takes letters, digits, '-' and '.', at most %d", name,
				    HOSTNAME_MAX);
	b->spec.hostname = name;
	return 0;
}

static int build_process(struct builder *b)
{
	const struct image_config *image = b->base->image;
	const char *cwd = b->o->cwd ? b->o->cwd : image && image->working_dir ? image->working_dir : "/";
	int r = 0;

	if (*cwd != '/')
		return error_refuse(b->e, ERROR_USAGE, "--workdir '%s': must be absolute", cwd);
	b->process.cwd = cwd;
	b->process.terminal = b->o->terminal;
	b->process.no_new_privileges = !b->o->new_privileges;
	b->process.apparmor_profile = b->o->apparmor;
	for (size_t i = 0; !r && i < b->o->n_ulimits; i++)
		r = add_ulimit(b, b->o->ulimits[i]);
	return r;
}

static int build_devices(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; !r && i < b->o->n_devices; i++)
		r = add_device(b, b->o->devices[i]);
	return r;
}

/* In the order in which they need each other; the id range is taken last, when nothing can be refused any more. */
static int (*const parts[])(struct builder *b) = {
    build_names,    build_root,		build_args,	      build_user,      build_env,
    build_process,  build_capabilities, build_seccomp,	      build_resources, build_devices,
    build_networks, build_upkeep,	build_user_namespace, build_mounts,    build_sysctls,
};

int config_build(const struct runtime *runtime, const struct config_options *options, const struct config_base *base,
		 char **ret_text, struct error *e)
{
	static const enum spec_namespace_type always[] = {SPEC_NS_PID, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_MOUNT,
							  SPEC_NS_CGROUP};
	auto_arena arena = ARENA_INIT;
	struct builder b = {.runtime = runtime, .o = options, .base = base, .arena = &arena, .e = e};
	auto_free char *text = NULL;
	struct spec check;
	int r = 0;

	b.spec.version = SPEC_VERSION;
	b.spec.process = &b.process;
	b.spec.holm = &b.holm;
	b.spec.linux_.resources = &b.resources;
	b.spec.linux_.masked_paths = (const char **)masked_paths;
	b.spec.linux_.n_masked_paths = ARRAY_SIZE(masked_paths);
	b.spec.linux_.readonly_paths = (const char **)readonly_paths;
	b.spec.linux_.n_readonly_paths = ARRAY_SIZE(readonly_paths);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		b.spec.linux_.namespaces[always[i]].present = true;
	for (size_t i = 0; !r && i < ARRAY_SIZE(parts); i++)
		r = parts[i](&b);
	if (!r) {
		text = spec_encode(&b.spec, JSON_INDENT_TAB);
		r = spec_parse(text, strlen(text), "config.json", &check, e);
		if (!r)
			spec_release(&check);
	}
	arena_release(&b.spec.arena);
	if (r) {
		uint32_t first = b.base->first_id || b.shared_ids ? 0 : config_first_id(&b.spec);

		if (first)
			ids_release(runtime, options->name, first);
		return r;
	}
	*ret_text = take_ptr(&text);
	return 0;
}

uint32_t config_first_id(const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;

	return l->n_uid_mappings == 1 && l->uid_mappings[0].size == IDS_SIZE ? l->uid_mappings[0].host : 0;
}

int config_parse_label(const char *text, struct arena *arena, struct spec_pair *ret, struct error *e)
{
	const char *equals = strchr(text, '=');

	if (!*text || equals == text)
		return error_refuse(e, ERROR_USAGE, "--label '%s': it takes NAME=VALUE, or NAME", text);
	*ret = (struct spec_pair){equals ? arena_format(arena, "%.*s", (int)(equals - text), text) : text,
				  equals ? equals + 1 : ""};
	return 0;
}

int config_stop_signal(const struct spec *spec)
{
	if (spec->holm && spec->holm->stop.signal)
		return spec->holm->stop.signal;
	if (spec->process && spec->process->n_args) {
		const char *first = spec->process->args[0], *slash = strrchr(first, '/');

		if (str_equal(slash ? slash + 1 : first, "systemd") || str_equal(first, "/sbin/init"))
			return SIGNAL_SYSTEMD;
	}
	return SIGTERM;
}

int64_t config_stop_timeout(const struct spec *spec)
{
	return spec->holm && spec->holm->stop.timeout ? spec->holm->stop.timeout : (int64_t)STOP_SECONDS * 1000000000;
}
