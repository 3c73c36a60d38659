/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `holm spec` writes: runc's default config with holm's host name, a cgroup namespace (as runc has it on cgroup
 * v2) and without runc's ambient capabilities, which have no effect without inheritable ones.
 */
#include <stddef.h>
#include <sys/resource.h>

#include "base/str.h"
#include "spec/json.h"
#include "spec/resources.h"
#include "spec/spec.h"

#define STRINGS(...) .options = (const char *[]){__VA_ARGS__}, .n_options = ARRAY_SIZE(((const char *[]){__VA_ARGS__}))
/* clang-format off */
#define MOUNT(TARGET, TYPE, SOURCE, ...) {.destination = TARGET, .type = TYPE, .source = SOURCE, STRINGS(__VA_ARGS__)}
/* clang-format on */

/* /dev/pts's gid=5 is tty, which a single mapped id does not have; sysfs needs a network namespace of one's own. */
static const struct spec_mount default_mounts[] = {
    {.destination = "/proc", .type = "proc", .source = "proc"},
    MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
    MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
    MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
};

static const struct spec_mount rootless_mounts[] = {
    {.destination = "/proc", .type = "proc", .source = "proc"},
    MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
    MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
    MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    MOUNT("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro"),
    MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
};

static const char *const default_args[] = {"sh"};
static const char *const default_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
					  "TERM=xterm"};
static const char *const default_caps[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
static const char *const default_masked[] = {"/proc/acpi",
					     "/proc/asound",
					     "/proc/kcore",
					     "/proc/keys",
					     "/proc/latency_stats",
					     "/proc/timer_list",
					     "/proc/timer_stats",
					     "/proc/sched_debug",
					     "/sys/firmware",
					     "/proc/scsi",
					     "/sys/devices/virtual/tpm"};
static const char *const default_readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					       "/proc/sysrq-trigger"};

/* spec_encode() only reads; the structs' lists are not const because decoding fills them. */
#define LIST(MEMBER, TABLE) .MEMBER = (void *)(TABLE), .n_##MEMBER = ARRAY_SIZE(TABLE)
/* clang-format off */
#define SET {(const char **)default_caps, ARRAY_SIZE(default_caps)}
#define NEW {.present = true}
/* clang-format on */

char *spec_default(bool rootless, uint32_t uid, uint32_t gid)
{
	struct spec_capabilities capabilities = {
	    .sets = {[SPEC_CAP_BOUNDING] = SET, [SPEC_CAP_EFFECTIVE] = SET, [SPEC_CAP_PERMITTED] = SET}};
	struct spec_rlimit rlimits[] = {{.resource = RLIMIT_NOFILE, .soft = 1024, .hard = 1024}};
	struct spec_process process = {
	    .terminal = true,
	    .cwd = "/",
	    LIST(args, default_args),
	    LIST(env, default_env),
	    LIST(rlimits, rlimits),
	    .capabilities = &capabilities,
	    .no_new_privileges = true,
	};
	struct spec_device_rule rules[] = {{.type = 'a',
					    .major = -1,
					    .minor = -1,
					    .access = SPEC_DEVICE_READ | SPEC_DEVICE_WRITE | SPEC_DEVICE_MKNOD}};
	struct spec_resources resources = {LIST(devices, rules)};
	struct spec_id_map uids[] = {{.container = 0, .host = uid, .size = 1}};
	struct spec_id_map gids[] = {{.container = 0, .host = gid, .size = 1}};
	struct spec spec = {
	    .version = SPEC_VERSION,
	    .root_path = "rootfs",
	    .root_readonly = true,
	    .hostname = "holm",
	    .process = &process,
	    LIST(mounts, default_mounts),
	    .linux_ = {.namespaces = {[SPEC_NS_PID] = NEW,
				      [SPEC_NS_NETWORK] = NEW,
				      [SPEC_NS_IPC] = NEW,
				      [SPEC_NS_UTS] = NEW,
				      [SPEC_NS_MOUNT] = NEW,
				      [SPEC_NS_CGROUP] = NEW},
		       .resources = &resources,
		       LIST(masked_paths, default_masked),
		       LIST(readonly_paths, default_readonly)},
	};

	if (rootless) {
		spec.mounts = (void *)rootless_mounts;
		spec.n_mounts = ARRAY_SIZE(rootless_mounts);
		spec.linux_.namespaces[SPEC_NS_NETWORK].present = false;
		spec.linux_.namespaces[SPEC_NS_USER].present = true;
		spec.linux_.resources = NULL;
		spec.linux_.uid_mappings = uids;
		spec.linux_.gid_mappings = gids;
		spec.linux_.n_uid_mappings = ARRAY_SIZE(uids);
		spec.linux_.n_gid_mappings = ARRAY_SIZE(gids);
	}
	return spec_encode(&spec, JSON_INDENT_TAB);
}
