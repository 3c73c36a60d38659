/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.json as plain structs: OCI runtime-spec 1.3 for Linux, complete, and the "holm" extension object.
 *
 * One struct spec owns one arena; everything below it lives there and spec_release() frees all.  Strings are
 * NUL-terminated and never NULL unless a comment says so; an absent optional string is NULL, an absent optional
 * object is a NULL pointer, and an absent optional number has its has_ flag unset.  Lists are a pointer and n_NAME.
 * Numbers keep the JSON's units (bytes, microseconds, ...).  Enums and flags are the kernel's own constants,
 * translated while decoding; where the kernel has none the enum is here.
 *
 * spec_load() and spec_parse() decode and validate (spec/validate.c): what they return obeys every rule of the OCI that
 * needs no look at the host.  Refusals name the JSON path: "config.json: process.rlimits[2].type: unknown ...".
 * Unknown keys are ignored (spec_lint() reports them).  Annotations are inert data.
 */
#ifndef HOLM_SPEC_SPEC_H
#define HOLM_SPEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define SPEC_VERSION "1.3.0"

struct spec_id_map {
	uint32_t container, host, size;
};

struct spec_pair { /* annotations, sysctl, unified */
	const char *key, *value;
};

/* ---- process ---- */

struct spec_rlimit {
	int resource; /* RLIMIT_... */
	uint64_t soft, hard;
};

enum spec_capability_set {
	SPEC_CAP_BOUNDING,
	SPEC_CAP_EFFECTIVE,
	SPEC_CAP_PERMITTED,
	SPEC_CAP_INHERITABLE,
	SPEC_CAP_AMBIENT,
	_SPEC_CAP_SET_N
};

/* Names as written ("CAP_CHOWN"): runtime/caps.c turns them into bits and warns of unknown ones. */
struct spec_capabilities {
	struct {
		const char **names;
		size_t n;
	} sets[_SPEC_CAP_SET_N];
};

struct spec_scheduler {	 /* sched_setattr(2) */
	uint32_t policy; /* SCHED_... */
	uint64_t flags;	 /* SCHED_FLAG_... */
	int32_t nice, priority;
	uint64_t runtime, deadline, period; /* ns */
};

struct spec_cpu_affinity { /* lists like "0-3,7", syntax checked; NULL: absent */
	const char *initial, *final;
};

struct spec_process {
	bool terminal;
	bool has_console_size;
	uint16_t console_height, console_width;
	const char *cwd; /* absolute */
	const char **env;
	size_t n_env; /* "KEY=value", at most one per key: the last one wins */
	const char **args;
	size_t n_args; /* at least 1 */
	struct {
		uint32_t uid, gid;
		bool has_umask;
		uint32_t umask;
		uint32_t *additional_gids;
		size_t n_additional_gids;
	} user;
	struct spec_capabilities *capabilities; /* NULL: absent */
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	const char *apparmor_profile; /* NULL: absent */
	const char *selinux_label;    /* NULL: absent */
	bool has_oom_score_adj;
	int oom_score_adj;		  /* -1000..1000 */
	struct spec_scheduler *scheduler; /* NULL: absent */
	bool has_io_priority;
	int io_priority;			     /* IOPRIO_PRIO_VALUE(class, level), as ioprio_set(2) takes it */
	struct spec_cpu_affinity *exec_cpu_affinity; /* NULL: absent */
};

/* ---- mounts ---- */

/*
 * Options are split while decoding: flags into attribute bits (MOUNT_ATTR_... of mount_setattr(2)), recursive ones
 * apart, propagation into a list, the rest into data (spec/mount_options.h has the table and the fine print).
 */
struct spec_mount {
	const char *destination; /* absolute, "/"-joined, otherwise as written */
	const char *type;	 /* NULL: absent */
	const char *source;	 /* NULL: absent; a bind's relative source is relative to the bundle */
	bool bind, recursive;	 /* bind: bind or rbind was given; recursive: rbind */
	bool remount;
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_... asked for, or asked away (rw, suid, dev, exec, ...) */
	uint64_t recursive_set, recursive_clear; /* the same of rro, rnosuid, ... */
	uint64_t superblock_set,
	    superblock_clear;  /* SB_... that are not per mount: sync dirsync lazytime mand iversion silent */
	unsigned *propagation; /* MS_SHARED, MS_SLAVE, ... with or without MS_REC, in order */
	size_t n_propagation;
	bool copy_up;		   /* tmpcopyup */
	bool copy_symlink;	   /* crun's copy-symlink: a symlink as source is made anew instead of bound */
	bool source_nofollow;	   /* crun's src-nofollow: a symlink as source is itself bound */
	bool destination_nofollow; /* crun's dest-nofollow: the destination's last component is no symlink */
	enum { SPEC_IDMAP_NONE, SPEC_IDMAP, SPEC_RIDMAP } idmap; /* given as option or implied by mappings */
	const char *relative_idmap; /* crun's idmap= with '@', already resolved into the mappings; NULL: none */
	struct spec_id_map *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
	const char **data; /* options for the file system: "key=value" or "flag" */
	size_t n_data;
	const char **options; /* all, as written (for explain and lint) */
	size_t n_options;
};

/* ---- hooks ---- */

enum spec_hook_kind {
	SPEC_HOOK_PRESTART,
	SPEC_HOOK_CREATE_RUNTIME,
	SPEC_HOOK_CREATE_CONTAINER,
	SPEC_HOOK_START_CONTAINER,
	SPEC_HOOK_POSTSTART,
	SPEC_HOOK_POSTSTOP,
	_SPEC_HOOK_N
};

struct spec_hook {
	const char *path;  /* absolute */
	const char **args; /* with args[0]; absent in the JSON: the path alone */
	size_t n_args;
	const char **env;
	size_t n_env;
	uint32_t timeout; /* seconds; 0: none was given */
};

struct spec_hooks {
	struct {
		struct spec_hook *hooks;
		size_t n;
	} kinds[_SPEC_HOOK_N];
};

/* ---- linux ---- */

enum spec_namespace_type { /* in the order in which they are joined */
			   SPEC_NS_USER,
			   SPEC_NS_PID,
			   SPEC_NS_TIME,
			   SPEC_NS_NETWORK,
			   SPEC_NS_IPC,
			   SPEC_NS_UTS,
			   SPEC_NS_CGROUP,
			   SPEC_NS_MOUNT,
			   _SPEC_NS_N
};

struct spec_namespace {
	bool present;	  /* listed: new, or joined when path is given.  Not listed: the host's */
	const char *path; /* NULL: a new one */
};

struct spec_device {
	char type; /* 'c' (also for u), 'b', 'p' */
	const char *path;
	int64_t major, minor; /* 0 for 'p' */
	bool has_file_mode, has_uid, has_gid;
	uint32_t file_mode, uid, gid; /* default 0666, 0, 0 */
};

struct spec_time_offset {
	bool present;
	int64_t secs;
	uint32_t nanosecs;
};

/* resources: spec/resources.h holds the structs that cgroups/ sees */
struct spec_resources;

struct spec_net_device {
	const char *host_name; /* the key */
	const char *name;      /* in the container; NULL: the same */
};

struct spec_intel_rdt { /* NULL members: absent */
	const char *clos_id, *l3_cache_schema, *mem_bw_schema;
	const char **schemata;
	size_t n_schemata;
	bool enable_monitoring;
};

struct spec_memory_policy {
	int mode;	   /* MPOL_... */
	unsigned flags;	   /* MPOL_F_... */
	const char *nodes; /* list; NULL: absent */
};

enum spec_personality { SPEC_PERSONALITY_NONE, SPEC_PERSONALITY_LINUX, SPEC_PERSONALITY_LINUX32 };

struct spec_seccomp_arg {
	uint32_t index; /* 0..5 */
	uint64_t value, value_two;
	int op; /* enum scmp_compare's numbers: NE 1, LT 2, LE 3, EQ 4, GE 5, GT 6, MASKED_EQ 7 */
};

struct spec_seccomp_rule {
	const char **names; /* at least 1 */
	size_t n_names;
	uint32_t action; /* SECCOMP_RET_... without data */
	bool has_errno;
	uint32_t errno_ret;
	struct spec_seccomp_arg *args;
	size_t n_args;
};

struct spec_seccomp {
	uint32_t default_action; /* SECCOMP_RET_... without data */
	bool has_default_errno;
	uint32_t default_errno;
	const char **architectures; /* "SCMP_ARCH_X86_64", names checked */
	size_t n_architectures;
	const char **flags; /* "SECCOMP_FILTER_FLAG_...", names checked */
	size_t n_flags;
	bool has_flags;				       /* an empty list differs from none */
	const char *listener_path, *listener_metadata; /* NULL: absent */
	struct spec_seccomp_rule *rules;
	size_t n_rules;
};

struct spec_linux {
	struct spec_namespace namespaces[_SPEC_NS_N];
	struct spec_id_map *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
	struct {
		struct spec_time_offset monotonic, boottime;
	} time_offsets;
	struct spec_device *devices;
	size_t n_devices;
	const char *cgroups_path;		  /* NULL: absent */
	struct spec_resources *resources;	  /* NULL: absent */
	struct spec_intel_rdt *intel_rdt;	  /* NULL: absent */
	struct spec_memory_policy *memory_policy; /* NULL: absent */
	struct spec_pair *sysctl;		  /* keys with dots */
	size_t n_sysctl;
	struct spec_seccomp *seccomp; /* NULL: absent */
	unsigned rootfs_propagation;  /* MS_SHARED, MS_SLAVE, ... with MS_REC; 0: absent */
	const char **masked_paths, **readonly_paths;
	size_t n_masked_paths, n_readonly_paths;
	const char *mount_label; /* NULL: absent */
	enum spec_personality personality;
	struct spec_net_device *net_devices;
	size_t n_net_devices;
};

/* ---- "holm": the extension object (man 5 holm-config) ---- */

struct spec_holm_network {
	const char *network;
	const char *interface, *address, *mac; /* NULL: absent */
	const char *gateway;		       /* NULL: the network's; "none" */
	const char **routes;		       /* "SUBNET via ADDRESS" */
	size_t n_routes;
	const char **publish;
	size_t n_publish;
	const char *rate_egress, *rate_ingress; /* NULL: absent */
};

struct spec_holm {
	const char *image; /* NULL: absent */
	struct {
		int64_t size; /* bytes, 0: none */
		uint64_t inodes;
		bool is_volatile;
	} storage;
	struct spec_holm_network *networks;
	size_t n_networks;
	struct {
		const char *policy; /* "no", "on-failure", "always", "unless-stopped"; NULL: absent */
		uint32_t max;
		int64_t delay; /* ns */
	} restart;
	struct {
		int signal;	 /* 0: absent */
		int64_t timeout; /* ns */
	} stop;
	struct {
		int64_t size;
		uint32_t files;
	} log;
	struct {
		const char **command; /* run in the instance; n_command 0: no health check */
		size_t n_command;
		int64_t interval, timeout, start_period; /* ns, 0: holm's choice */
		uint32_t retries;			 /* failures in a row; 0: holm's choice */
		const char *action;			 /* "none", "restart", "stop", "kill"; NULL: none */
	} health;
	bool init;
	bool input;  /* stdin stays open, for attach; else it is empty */
	bool notify; /* it says by sd_notify(3) when it is ready */
	const char **after;
	size_t n_after;
};

/* ---- the document ---- */

struct spec {
	struct arena arena;
	const char *version;   /* ociVersion */
	const char *root_path; /* NULL: no root */
	bool root_readonly;
	const char *hostname, *domainname; /* NULL: absent */
	struct spec_process *process;	   /* NULL: absent (start refuses then) */
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_hooks hooks;
	struct spec_pair *annotations;
	size_t n_annotations;
	struct spec_linux linux_; /* "linux" is a macro of gnu17 */
	struct spec_holm *holm;	  /* NULL: absent */
};

/*
 * Reads config.json in the folder dirfd / a text / one process object (exec -p; no defaults from anywhere).  name is
 * what errors call the document ("config.json", "/tmp/p.json").  *ret is written on success only, by spec_release()'s
 * rules.
 */
int spec_load(int dirfd, const char *path, struct spec *ret, struct error *e) must_check;
int spec_parse(const char *text, size_t size, const char *name, struct spec *ret, struct error *e) must_check;
int spec_parse_process(const char *text, size_t size, const char *name, struct arena *arena, struct spec_process **ret,
		       struct error *e) must_check;
/* One "linux.resources" object, as `update -r` takes it. */
int spec_parse_resources(const char *text, size_t size, const char *name, struct arena *arena,
			 struct spec_resources **ret, struct error *e) must_check;
void spec_release(struct spec *spec);
#define auto_spec __attribute__((cleanup(spec_release))) struct spec

/* The text of a config.json that holds spec (indent > 0: for people); the caller frees it.  The same tables encode. */
char *spec_encode(const struct spec *spec, int indent);
char *spec_encode_process(const struct spec_process *process, int indent);
char *spec_encode_resources(const struct spec_resources *resources, int indent);
char *spec_encode_hooks(const struct spec_hooks *hooks, int indent);
int spec_parse_hooks(const char *text, size_t size, const char *name, struct arena *arena, struct spec_hooks *ret,
		     struct error *e) must_check;

/* What `holm spec` writes: runc's default config, or its rootless form for the given ids. */
char *spec_default(bool rootless, uint32_t uid, uint32_t gid);

#endif
