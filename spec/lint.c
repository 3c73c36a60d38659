/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/lint.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>

#include "base/str.h"
#include "spec/names.h"
#include "spec/parse.h"
#include "spec/resources.h"
#include "spec/spec.h"
#include "spec/tables.h"

const char *lint_severity_name(enum lint_severity severity)
{
	static const char *const names[_LINT_SEVERITY_N] = {"error", "warning", "note"};

	return names[severity];
}

void lint_add(struct lint *lint, enum lint_severity severity, const char *path, const char *reason,
	      const char *suggestion)
{
	lint->findings = arena_grow(lint->arena, lint->findings, lint->n, &lint->room, sizeof(*lint->findings));
	lint->findings[lint->n++] = (struct lint_finding){
	    .severity = severity,
	    .path = arena_strdup(lint->arena, path),
	    .reason = arena_strdup(lint->arena, reason),
	    .suggestion = arena_strdup(lint->arena, suggestion),
	};
}

/* lint_add() with a formatted path: "mounts[%zu].options". */
static void add_at(struct lint *lint, enum lint_severity severity, const char *reason, const char *suggestion,
		   const char *format, ...) printf_like(5, 6);

static void add_at(struct lint *lint, enum lint_severity severity, const char *reason, const char *suggestion,
		   const char *format, ...)
{
	char path[512];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	lint_add(lint, severity, path, reason, suggestion);
}

/* ---- what the walker tells ---- */

static void hear_refusal(const char *path, const char *reason, void *data)
{
	lint_add(data, LINT_ERROR, path, reason, NULL);
}

static void hear_note(const char *path, const char *note, void *data)
{
	lint_add(data, LINT_NOTE, path, note, NULL);
}

enum { TABLES_DEPTH = 8 };

/* Where else a key is known: "process.capabilities" for one that stands at the top by mistake. */
static bool find_elsewhere(const struct object *object, const char *key, unsigned depth, struct str *path)
{
	size_t size = path->size;

	if (depth == TABLES_DEPTH)
		return false;
	for (size_t i = 0; i < object->n_fields; i++) {
		const struct field *field = &object->fields[i];

		str_addf(path, "%s%s", path->size ? "." : "", field->key);
		if (!strcmp(field->key, key))
			return true;
		if (field->type == FIELD_LIST)
			str_add(path, "[]");
		if (field->object && find_elsewhere(field->object, key, depth + 1, path))
			return true;
		path->size = size;
		path->data[size] = 0;
	}
	return false;
}

static const char *find_similar(const struct object *object, const char *key)
{
	const char *keys[64];

	for (size_t i = 0; i < object->n_fields; i++) {
		keys[i] = object->fields[i].key;
		if (!strcasecmp(keys[i], key))
			return keys[i];
	}
	return str_closest(key, keys, object->n_fields);
}

static void hear_unknown(const char *path, const char *key, const struct object *object, void *data)
{
	const char *similar = find_similar(object, key);
	auto_str suggestion = STR_INIT, where = STR_INIT;

	if (similar)
		str_addf(&suggestion, "did you mean '%s'?", similar);
	else if (find_elsewhere(&object_document, key, 0, &where))
		str_addf(&suggestion, "did you mean '%s'?", str_peek(&where));
	lint_add(data, LINT_WARNING, path, "unknown key: ignored", suggestion.size ? str_peek(&suggestion) : NULL);
}

/* ---- namespaces ---- */

static const struct {
	enum spec_namespace_type type;
	enum lint_severity severity;
	const char *reason;
} missing_namespaces[] = {
    {SPEC_NS_MOUNT, LINT_WARNING, "no mount namespace: mounts of the container are made on the host"},
    {SPEC_NS_PID, LINT_WARNING, "no pid namespace: the container sees and can signal the host's processes"},
    {SPEC_NS_NETWORK, LINT_WARNING,
     "no network namespace: the container uses the host's interfaces and abstract sockets"},
    {SPEC_NS_IPC, LINT_WARNING,
     "no ipc namespace: the container shares the host's System V and POSIX queues and memory"},
    {SPEC_NS_UTS, LINT_NOTE, "no uts namespace: the container has the host's name"},
    {SPEC_NS_CGROUP, LINT_WARNING, "no cgroup namespace: the container sees the host's cgroup paths"},
    {SPEC_NS_USER, LINT_NOTE, "no user namespace: root in the container is root on the host, less what is taken away"},
};

static void check_namespaces(struct lint *lint, const struct spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(missing_namespaces); i++) {
		const char *name = names_peek(&names_namespaces, missing_namespaces[i].type);
		char suggestion[64];

		if (spec->linux_.namespaces[missing_namespaces[i].type].present)
			continue;
		snprintf(suggestion, sizeof(suggestion), "add {\"type\": \"%s\"}", name);
		lint_add(lint, missing_namespaces[i].severity, "linux.namespaces", missing_namespaces[i].reason,
			 suggestion);
	}
	for (size_t i = 0; i < spec->linux_.n_uid_mappings; i++)
		if (!spec->linux_.uid_mappings[i].host)
			add_at(lint, LINT_WARNING, "maps an id of the container to root of the host", NULL,
			       "linux.uidMappings[%zu].hostID", i);
}

/* ---- capabilities ---- */

static const char *const set_keys[_SPEC_CAP_SET_N] = {
    [SPEC_CAP_BOUNDING] = "bounding",	    [SPEC_CAP_EFFECTIVE] = "effective", [SPEC_CAP_PERMITTED] = "permitted",
    [SPEC_CAP_INHERITABLE] = "inheritable", [SPEC_CAP_AMBIENT] = "ambient",
};

static const struct {
	const char *name, *reason;
} dangerous_capabilities[] = {
    {"CAP_SYS_ADMIN", "lets the container mount file systems and much else: close to root on the host"},
    {"CAP_SYS_MODULE", "lets the container load code into the kernel"},
    {"CAP_SYS_RAWIO", "lets the container reach the host's memory and disks"},
    {"CAP_SYS_BOOT", "lets the container load another kernel"},
    {"CAP_SYS_TIME", "lets the container set the host's clock"},
    {"CAP_SYSLOG", "lets the container read the kernel's log and addresses"},
    {"CAP_SYS_PTRACE", "lets the container read the memory of every process it sees"},
    {"CAP_DAC_READ_SEARCH", "lets the container open files by handle, also outside of its root"},
    {"CAP_MAC_ADMIN", "lets the container change the host's security policy"},
    {"CAP_MAC_OVERRIDE", "lets the container pass by the host's security policy"},
    {"CAP_BPF", "lets the container load BPF programs"},
    {"CAP_PERFMON", "lets the container observe the kernel and other processes"},
    {"CAP_NET_ADMIN", "lets the container configure the network and reach more of the kernel's code"},
};

static bool has_capability(const struct spec_capabilities *c, enum spec_capability_set set, const char *name)
{
	for (size_t i = 0; i < c->sets[set].n; i++)
		if (str_equal(c->sets[set].names[i], name))
			return true;
	return false;
}

/* A member of one set without effect for lack of the same in another. */
static const struct {
	enum spec_capability_set set, needs;
	const char *reason;
} capability_needs[] = {
    {SPEC_CAP_EFFECTIVE, SPEC_CAP_PERMITTED, "is not in permitted: it can't be effective"},
    {SPEC_CAP_AMBIENT, SPEC_CAP_PERMITTED, "is not in permitted: it can't be ambient"},
    {SPEC_CAP_AMBIENT, SPEC_CAP_INHERITABLE, "is not in inheritable: it can't be ambient"},
};

static void check_set(struct lint *lint, const struct spec_capabilities *c, enum spec_capability_set set)
{
	for (size_t i = 0; i < c->sets[set].n; i++) {
		const char *name = c->sets[set].names[i], *closest = names_closest(&names_capabilities, name);
		char path[128], suggestion[128];
		uint64_t number;

		snprintf(path, sizeof(path), "process.capabilities.%s[%zu]", set_keys[set], i);
		snprintf(suggestion, sizeof(suggestion), "did you mean '%s'?", closest ? closest : "");
		if (names_find(&names_capabilities, name, &number))
			lint_add(lint, LINT_WARNING, path, "unknown capability: ignored", closest ? suggestion : NULL);
		for (size_t k = 0; k < ARRAY_SIZE(capability_needs); k++)
			if (capability_needs[k].set == set && !has_capability(c, capability_needs[k].needs, name))
				lint_add(lint, LINT_WARNING, path, capability_needs[k].reason, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(dangerous_capabilities); k++)
			if (set == SPEC_CAP_BOUNDING && str_equal(dangerous_capabilities[k].name, name))
				lint_add(lint, LINT_WARNING, path, dangerous_capabilities[k].reason, NULL);
		for (size_t k = 0; k < i; k++)
			if (str_equal(c->sets[set].names[k], name))
				lint_add(lint, LINT_NOTE, path, "is listed twice", NULL);
	}
}

/* ---- process ---- */

static bool has_variable(const struct spec_process *p, const char *prefix)
{
	for (size_t i = 0; i < p->n_env; i++)
		if (str_after(p->env[i], prefix))
			return true;
	return false;
}

static void check_process_advice(struct lint *lint, const struct spec *spec)
{
	const struct spec_process *p = spec->process;

	if (!p) {
		lint_add(lint, LINT_NOTE, "process", "is missing: the container can be created, not started", NULL);
		return;
	}
	if (!p->no_new_privileges)
		lint_add(lint, LINT_WARNING, "process.noNewPrivileges", "is not set: setuid programs raise privileges",
			 "set it to true");
	if (!p->user.uid && !spec->linux_.namespaces[SPEC_NS_USER].present)
		lint_add(lint, LINT_NOTE, "process.user.uid", "the process runs as the host's root", NULL);
	if (p->has_console_size && !p->terminal)
		lint_add(lint, LINT_NOTE, "process.consoleSize", "has no effect without terminal", NULL);
	if (!strchr(p->args[0], '/') && !has_variable(p, "PATH="))
		lint_add(lint, LINT_WARNING, "process.args[0]", "has no slash, and env has no PATH to search it in",
			 NULL);
	if (!p->capabilities)
		lint_add(lint, LINT_WARNING, "process.capabilities",
			 "is missing: what is left then differs from runtime to runtime",
			 "list the capabilities that the process needs, or {} for none");
	for (int set = 0; p->capabilities && set < _SPEC_CAP_SET_N; set++)
		check_set(lint, p->capabilities, set);
}

/* ---- mounts ---- */

static const struct {
	const char *source;
	bool below; /* everything below it, too */
	const char *reason;
} dangerous_sources[] = {
    {"/", false, "the host's whole file system is inside the container"},
    {"/proc", true, "the host's /proc is inside the container"},
    {"/sys", true, "the host's /sys is inside the container"},
    {"/dev", false, "all devices of the host are inside the container"},
    {"/etc", false, "the host's configuration is inside the container"},
    {"/boot", true, "the host's kernels are inside the container"},
    {"/var/run/docker.sock", false, "whoever talks to this socket is root on the host"},
    {"/run/docker.sock", false, "whoever talks to this socket is root on the host"},
    {"/run/containerd/containerd.sock", false, "whoever talks to this socket is root on the host"},
    {"/run/podman/podman.sock", false, "whoever talks to this socket is root on the host"},
};

static bool is_read_only(const struct spec_mount *mount)
{
	return (mount->attr_set | mount->recursive_set) & 1; /* MOUNT_ATTR_RDONLY */
}

static void check_source(struct lint *lint, const struct spec_mount *mount, size_t index)
{
	for (size_t i = 0; mount->source && i < ARRAY_SIZE(dangerous_sources); i++) {
		const char *rest = str_after(mount->source, dangerous_sources[i].source);

		if (rest && (!*rest || (dangerous_sources[i].below && *rest == '/')))
			add_at(lint, is_read_only(mount) ? LINT_NOTE : LINT_WARNING, dangerous_sources[i].reason, NULL,
			       "mounts[%zu].source", index);
	}
}

static bool is_kernel_tree(const struct spec_mount *mount)
{
	return str_equal(mount->type, "sysfs") || str_equal(mount->type, "cgroup") || str_equal(mount->type, "cgroup2");
}

static void check_one_mount(struct lint *lint, const struct spec *spec, size_t i)
{
	const struct spec_mount *mount = &spec->mounts[i];

	if (mount->bind)
		check_source(lint, mount, i);
	if (str_equal(mount->type, "bind") && !mount->bind && !mount->remount)
		add_at(lint, LINT_WARNING, "is no bind mount: the options decide", "add 'bind' or 'rbind'",
		       "mounts[%zu].options", i);
	if (is_kernel_tree(mount) && !is_read_only(mount))
		add_at(lint, LINT_WARNING, "is writable: the container can change the kernel's settings", "add 'ro'",
		       "mounts[%zu].options", i);
	if (mount->copy_up && !str_equal(mount->type, "tmpfs"))
		add_at(lint, LINT_WARNING, "tmpcopyup has no effect: it is for tmpfs", NULL, "mounts[%zu].options", i);
	if (mount->superblock_set & MS_MANDLOCK)
		add_at(lint, LINT_NOTE, "mand has no effect on Linux 5.15 and newer", NULL, "mounts[%zu].options", i);
	for (size_t k = 0; k < mount->n_propagation; k++)
		if (mount->propagation[k] & MS_SHARED)
			add_at(lint, LINT_WARNING, "is shared: mounts made in the container appear on the host", NULL,
			       "mounts[%zu].options", i);
	for (size_t k = 0; k < i; k++)
		if (str_equal(spec->mounts[k].destination, mount->destination) && !mount->remount)
			add_at(lint, LINT_NOTE, "hides an earlier mount at the same place", NULL,
			       "mounts[%zu].destination", i);
}

/* ---- linux ---- */

static const char *const expected_masked[] = {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list",
					      "/sys/firmware"};
static const char *const expected_readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger"};

static bool is_in(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(list[i], word))
			return true;
	return false;
}

/* Those of expected that are neither in list nor in other (what is masked needs no read-only). */
static void check_paths(struct lint *lint, const char *key, const char *const *expected, size_t n_expected,
			const struct spec_linux *l)
{
	auto_str missing = STR_INIT;

	for (size_t i = 0; i < n_expected; i++)
		if (!is_in(l->masked_paths, l->n_masked_paths, expected[i]) &&
		    !is_in(l->readonly_paths, l->n_readonly_paths, expected[i]))
			str_addf(&missing, "%s%s", missing.size ? " " : "", expected[i]);
	if (missing.size) {
		auto_str suggestion = STR_INIT;

		str_addf(&suggestion, "add %s", str_peek(&missing));
		lint_add(lint, LINT_WARNING, key, "leaves open what the container could use against the host",
			 str_peek(&suggestion));
	}
}

static void check_seccomp_advice(struct lint *lint, const struct spec_seccomp *seccomp)
{
	bool notifies = false;

	if (!seccomp) {
		lint_add(lint, LINT_WARNING, "linux.seccomp", "is missing: every system call reaches the kernel",
			 "give a profile, such as your engine's default");
		return;
	}
	if (seccomp->default_action == SECCOMP_RET_ALLOW)
		lint_add(lint, LINT_WARNING, "linux.seccomp.defaultAction",
			 "allows what is not listed, also future system calls", NULL);
	for (size_t i = 0; i < seccomp->n_rules; i++)
		notifies |= seccomp->rules[i].action == SECCOMP_RET_USER_NOTIF;
	if (seccomp->listener_path && !notifies)
		lint_add(lint, LINT_NOTE, "linux.seccomp.listenerPath", "has no effect without SCMP_ACT_NOTIFY", NULL);
}

static void check_devices(struct lint *lint, const struct spec *spec)
{
	const struct spec_resources *r = spec->linux_.resources;

	for (size_t i = 0; r && i < r->n_devices; i++)
		if (r->devices[i].allow && r->devices[i].major < 0 && r->devices[i].minor < 0 &&
		    r->devices[i].type != 'c' && r->devices[i].access & (SPEC_DEVICE_READ | SPEC_DEVICE_WRITE))
			add_at(lint, LINT_WARNING, "allows all of the host's devices", NULL,
			       "linux.resources.devices[%zu]", i);
	for (size_t i = 0; i < spec->linux_.n_devices; i++)
		for (size_t k = 0; k < i; k++) {
			const struct spec_device *a = &spec->linux_.devices[i], *b = &spec->linux_.devices[k];

			if (str_equal(a->path, b->path))
				add_at(lint, LINT_WARNING, "is listed twice", NULL, "linux.devices[%zu].path", i);
			else if (a->type != 'p' && a->type == b->type && a->major == b->major && a->minor == b->minor)
				add_at(lint, LINT_NOTE, "is the same device as an earlier one", NULL,
				       "linux.devices[%zu]", i);
		}
}

static void check_limits(struct lint *lint, const struct spec_resources *r)
{
	if (!r || r->pids.limit.value <= 0)
		lint_add(lint, LINT_NOTE, "linux.resources.pids.limit",
			 "is missing: a fork bomb takes the host's process ids", NULL);
	if (!r || r->memory.limit.value <= 0)
		lint_add(lint, LINT_NOTE, "linux.resources.memory.limit",
			 "is missing: the container can use all of the memory", NULL);
	if (!r)
		return;
	if (r->memory.kernel.present)
		lint_add(lint, LINT_WARNING, "linux.resources.memory.kernel",
			 "has no effect: kernels no longer have this limit", NULL);
	if (r->memory.kernel_tcp.present)
		lint_add(lint, LINT_WARNING, "linux.resources.memory.kernelTCP", "has no effect: deprecated by the OCI",
			 NULL);
	if (r->memory.swappiness.present)
		lint_add(lint, LINT_NOTE, "linux.resources.memory.swappiness", "exists with cgroup v1 only", NULL);
	if (r->memory.disable_oom_killer.value && r->memory.limit.value <= 0)
		lint_add(lint, LINT_WARNING, "linux.resources.memory.disableOOMKiller",
			 "without a memory limit, it can stall the host", NULL);
	if (r->block_io.leaf_weight.present)
		lint_add(lint, LINT_WARNING, "linux.resources.blockIO.leafWeight",
			 "has no effect: gone since Linux 5.0", NULL);
	if (r->n_unified && r->network.class_id.present)
		lint_add(lint, LINT_NOTE, "linux.resources.network", "exists with cgroup v1 only, unified with v2 only",
			 NULL);
}

static void check_linux_advice(struct lint *lint, const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;

	check_paths(lint, "linux.maskedPaths", expected_masked, ARRAY_SIZE(expected_masked), l);
	check_paths(lint, "linux.readonlyPaths", expected_readonly, ARRAY_SIZE(expected_readonly), l);
	check_seccomp_advice(lint, l->seccomp);
	check_devices(lint, spec);
	check_limits(lint, l->resources);
	if (l->rootfs_propagation & MS_SHARED)
		lint_add(lint, LINT_WARNING, "linux.rootfsPropagation",
			 "is shared: mounts made in the container appear on the host", NULL);
	if (spec->hooks.kinds[SPEC_HOOK_PRESTART].n)
		lint_add(lint, LINT_NOTE, "hooks.prestart", "is deprecated by the OCI",
			 "use createRuntime or createContainer");
}

/* ---- the document ---- */

/* jansson lets the last of equal keys win; asked again, it names the first one that is there twice. */
static void check_duplicate_keys(struct lint *lint, const char *text, size_t size)
{
	json_error_t error;
	json_t *tree = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

	if (!tree && json_error_code(&error) == json_error_duplicate_key) {
		auto_str reason = STR_INIT;

		str_addf(&reason, "line %d, column %d: a key is there twice: the last one wins", error.line,
			 error.column);
		lint_add(lint, LINT_WARNING, "", str_peek(&reason), NULL);
	}
	json_decref(tree);
}

bool spec_lint(const char *text, size_t size, const char *name, const struct lint_host *host, struct arena *arena,
	       struct lint *ret)
{
	struct lint lint = {.arena = arena};
	const struct walker_listener listener = {hear_refusal, hear_unknown, hear_note, &lint};
	struct error e = ERROR_INIT;
	struct walker w = {.name = name, .arena = arena, .e = &e, .listener = &listener};
	json_auto_t *tree = NULL;
	struct spec spec = {0};
	bool good = true;

	if (parse_tree(text, size, name, &tree, &e)) {
		lint_add(&lint, LINT_ERROR, "", e.text, NULL);
		*ret = lint;
		return false;
	}
	check_duplicate_keys(&lint, text, size);
	if (!walk_decode(&w, NULL, tree, &object_document, &spec)) {
		check_namespaces(&lint, &spec);
		check_process_advice(&lint, &spec);
		for (size_t i = 0; i < spec.n_mounts; i++)
			check_one_mount(&lint, &spec, i);
		check_linux_advice(&lint, &spec);
		if (host)
			host->check(&spec, &lint, host->data);
	}
	for (size_t i = 0; i < lint.n; i++)
		good &= lint.findings[i].severity != LINT_ERROR;
	*ret = lint;
	return good;
}
