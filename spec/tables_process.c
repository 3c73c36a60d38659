/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process, as in config.json and in `exec -p` */
#include "spec/tables.h"

#include <linux/ioprio.h>

#include "spec/spec.h"
#include "spec/validate.h"

static const struct field console_size_fields[] = {
    F_NUMBER("height", spec_process, console_height, 0, UINT16_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("width", spec_process, console_width, 0, UINT16_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
};
static OBJECT(console_size, "console size", spec_process);

static const struct field user_fields[] = {
    F_NUMBER("uid", spec_process, user.uid, 0, MAX_ID, FIELD_ALWAYS),
    F_NUMBER("gid", spec_process, user.gid, 0, MAX_ID, FIELD_ALWAYS),
    F_NUMBER_HAS("umask", spec_process, user.umask, user.has_umask, 0, 0777),
    F_NUMBERS("additionalGids", spec_process, user.additional_gids, user.n_additional_gids, MAX_ID),
    F_IGNORED("username", "is for Windows and has no effect"),
};
static OBJECT(user, "user", spec_process);

static const struct field capabilities_fields[] = {
#define SET(KEY, SET) F_STRINGS(KEY, spec_capabilities, sets[SET].names, sets[SET].n, 0)
    SET("bounding", SPEC_CAP_BOUNDING),	      SET("effective", SPEC_CAP_EFFECTIVE),
    SET("inheritable", SPEC_CAP_INHERITABLE), SET("permitted", SPEC_CAP_PERMITTED),
    SET("ambient", SPEC_CAP_AMBIENT),
#undef SET
};
static OBJECT(capabilities, "capabilities", spec_capabilities);

static const struct field rlimit_fields[] = {
    F_NAME("type", spec_rlimit, resource, names_rlimits, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("hard", spec_rlimit, hard, 0, UINT64_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("soft", spec_rlimit, soft, 0, UINT64_MAX, FIELD_REQUIRED | FIELD_ALWAYS),
};
static OBJECT(rlimit, "resource limit", spec_rlimit, .check = check_rlimit);

static const struct field scheduler_fields[] = {
    F_NAME("policy", spec_scheduler, policy, names_sched_policies, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("nice", spec_scheduler, nice, -20, 19, 0),
    F_NUMBER("priority", spec_scheduler, priority, 0, 99, 0),
    F_FLAGS("flags", spec_scheduler, flags, names_sched_flags),
    F_NUMBER("runtime", spec_scheduler, runtime, 0, UINT64_MAX, 0),
    F_NUMBER("deadline", spec_scheduler, deadline, 0, UINT64_MAX, 0),
    F_NUMBER("period", spec_scheduler, period, 0, UINT64_MAX, 0),
};
static OBJECT(scheduler, "scheduler", spec_scheduler, .check = check_scheduler);

static const struct field affinity_fields[] = {
    F_STRING("initial", spec_cpu_affinity, initial, 0),
    F_STRING("final", spec_cpu_affinity, final, 0),
};
static OBJECT(affinity, "CPU affinity", spec_cpu_affinity, .check = check_affinity);

/* ioPriority: two keys in JSON, one number for the kernel. */
struct io_priority {
	uint32_t class, level;
};

static const struct field io_priority_fields[] = {
    F_NAME("class", io_priority, class, names_io_classes, FIELD_REQUIRED | FIELD_ALWAYS),
    F_NUMBER("priority", io_priority, level, 0, 7, FIELD_ALWAYS),
};
static OBJECT(io_priority, "I/O priority", io_priority);

static int decode_io_priority(struct walker *w, const struct step *step, const json_t *node, const struct field *field,
			      void *base)
{
	struct spec_process *process = base;
	struct io_priority value = {0};
	int r = walk_decode(w, step, node, &io_priority, &value);

	(void)field;
	if (r)
		return r;
	process->has_io_priority = true;
	process->io_priority = IOPRIO_PRIO_VALUE(value.class, value.level);
	return 0;
}

static void encode_io_priority(struct json_writer *out, const struct field *field, const void *base)
{
	const struct spec_process *process = base;
	struct io_priority value = {IOPRIO_PRIO_CLASS(process->io_priority), IOPRIO_PRIO_DATA(process->io_priority)};

	if (!process->has_io_priority)
		return;
	json_open_object(out, field->key);
	walk_encode(out, &io_priority, &value);
	json_close(out);
}

static const struct custom custom_io_priority = {decode_io_priority, encode_io_priority};

static const struct field object_process_fields[] = {
    F_BOOL("terminal", spec_process, terminal, 0),
    F_SAME_HAS("consoleSize", spec_process, has_console_size, console_size),
    F_SAME("user", user, FIELD_ALWAYS),
    F_STRINGS("args", spec_process, args, n_args, FIELD_REQUIRED | FIELD_FILLED),
    F_IGNORED("commandLine", "is for Windows and has no effect"),
    F_STRINGS("env", spec_process, env, n_env, 0),
    F_STRING("cwd", spec_process, cwd, FIELD_REQUIRED | FIELD_ABSOLUTE),
    F_POINTER("capabilities", spec_process, capabilities, capabilities),
    F_LIST("rlimits", spec_process, rlimits, n_rlimits, rlimit, 0),
    F_BOOL("noNewPrivileges", spec_process, no_new_privileges, 0),
    F_STRING("apparmorProfile", spec_process, apparmor_profile, 0),
    F_NUMBER_HAS("oomScoreAdj", spec_process, oom_score_adj, has_oom_score_adj, -1000, 1000),
    F_POINTER("scheduler", spec_process, scheduler, scheduler),
    F_STRING("selinuxLabel", spec_process, selinux_label, 0),
    F_CUSTOM("ioPriority", spec_process, io_priority, custom_io_priority, 0),
    F_POINTER("execCPUAffinity", spec_process, exec_cpu_affinity, affinity),
};
OBJECT(object_process, "process", spec_process, .check = check_process);
