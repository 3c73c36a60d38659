/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan's operations in words: what `holm explain` shows.
 */
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/str.h"
#include "init/message.h"
#include "runtime/plan.h"

struct flag_name {
	uint64_t flag;
	const char *name;
};

static const struct flag_name namespaces[] = {
    {CLONE_NEWUSER, "user"}, {CLONE_NEWPID, "pid"},  {CLONE_NEWNET, "network"},	  {CLONE_NEWIPC, "ipc"},
    {CLONE_NEWUTS, "uts"},   {CLONE_NEWNS, "mount"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
};

static const struct flag_name attributes[] = {
    {MOUNT_ATTR_RDONLY, "ro"},
    {MOUNT_ATTR_NOSUID, "nosuid"},
    {MOUNT_ATTR_NODEV, "nodev"},
    {MOUNT_ATTR_NOEXEC, "noexec"},
    {MOUNT_ATTR_NOATIME, "noatime"},
    {MOUNT_ATTR_STRICTATIME, "strictatime"},
    {MOUNT_ATTR_NODIRATIME, "nodiratime"},
    {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
};

/* Kinds that are said in one sentence with their strings; the rest have a case below. */
static const char *const sentences[_PLAN_KIND_N] = {
    [PLAN_BECOME_ROOT] = "become root of the user namespace",
    [PLAN_CGROUPS] = "enter the cgroup",
    [PLAN_FORK] = "go on in a child, inside the namespaces",
    [PLAN_SESSION] = "start a session (setsid)",
    [PLAN_KEYRING] = "make the session keyring '%s'",
    [PLAN_CHECK_MAPS] = "compare the user namespace's mappings with those given",
    [PLAN_OPEN_CLOCKS] = "open the file of the clock offsets",
    [PLAN_TIME_OFFSETS] = "set the clock offsets: %s",
    [PLAN_ATTACH] = "attach the filled '%s'",
    [PLAN_MKDIR] = "make the folder '%s'",
    [PLAN_SYMLINK] = "make the symlink '%s' -> '%s'",
    [PLAN_CONSOLE] = "make a terminal: standard streams and /dev/console",
    [PLAN_MASK] = "mask '%s'",
    [PLAN_READONLY_PATH] = "make '%s' read-only",
    [PLAN_PROC] = "open a procfs of our own",
    [PLAN_PIVOT] = "make it the root (pivot_root), drop the host's",
    [PLAN_MOVE_ROOT] = "make it the root (move and chroot)",
    [PLAN_CHROOT] = "chroot to '%s'",
    [PLAN_ENTER_ROOT] = "take / of the container as the root",
    [PLAN_SYSCTL] = "sysctl '%s' = '%s'",
    [PLAN_HOSTNAME] = "set the host name '%s'",
    [PLAN_DOMAINNAME] = "set the domain name '%s'",
    [PLAN_LOOPBACK] = "bring up lo",
    [PLAN_OOM_SCORE] = "set oom_score_adj to %s",
    [PLAN_SCHEDULER] = "set the scheduler",
    [PLAN_AFFINITY] = "set the CPU affinity",
    [PLAN_MEMORY_POLICY] = "set the memory policy",
    [PLAN_LABEL] = "write the label to '%s': '%s'",
    [PLAN_NO_NEW_PRIVILEGES] = "set no_new_privs",
    [PLAN_FIND_PROGRAM] = "find the program in PATH",
    [PLAN_CAPABILITIES] = "set the capabilities",
    [PLAN_UNMOUNT] = "unmount, in '%s', '%s'",
    [PLAN_QUIT] = "end",
};

static const char *list_flags(uint64_t flags, bool is_namespace, struct arena *arena)
{
	auto_str text = STR_INIT;
	size_t n = is_namespace ? ARRAY_SIZE(namespaces) : ARRAY_SIZE(attributes);

	for (size_t i = 0; i < n; i++)
		if (flags & (is_namespace ? namespaces[i].flag : attributes[i].flag))
			str_addf(&text, "%s%s", text.size ? "," : "",
				 is_namespace ? namespaces[i].name : attributes[i].name);
	return arena_strdup(arena, str_peek(&text));
}

static const char *string_at(const struct block *block, plan_ref ref)
{
	const char *s = block_at(block, ref);

	return s ? s : "";
}

static const char *describe_mount(const struct block *b, const struct plan_mount *m, struct arena *arena)
{
	const plan_ref *data = block_at(b, m->data);
	auto_str options = STR_INIT;

	str_add(&options, list_flags(m->set | m->recursive_set, false, arena));
	for (uint32_t i = 0; i < m->n_data; i++)
		str_addf(&options, "%s%s", options.size ? "," : "", string_at(b, data[i]));
	if (m->flags & PLAN_MOUNT_REMOUNT)
		return arena_format(arena, "remount '%s' (%s)", string_at(b, m->target), str_peek(&options));
	return arena_format(arena, "mount %s%s%s on '%s'%s%s%s%s", m->from == PLAN_SOURCE_NEW ? "a new " : "'",
			    string_at(b, m->from == PLAN_SOURCE_NEW ? m->type : m->source),
			    m->from == PLAN_SOURCE_NEW ? "" : "'", string_at(b, m->target), options.size ? " (" : "",
			    str_peek(&options), options.size ? ")" : "",
			    m->flags & PLAN_MOUNT_COPY_UP ? ", with the image's content"
			    : m->flags & PLAN_MOUNT_HOLD  ? ", once it is filled"
							  : "");
}

const char *plan_describe(const struct block *b, const struct plan_op *op, struct arena *arena)
{
	static const struct message_rule rules[_MESSAGE_N] = MESSAGE_RULES;
	const char *s = string_at(b, op->string), *s2 = string_at(b, op->string2);

	switch (op->kind) {
	case PLAN_JOIN:
		return arena_format(arena, "join the %s namespace", list_flags(op->namespace, true, arena));
	case PLAN_UNSHARE:
		return arena_format(arena, "make new namespaces: %s", list_flags(op->number, true, arena));
	case PLAN_TELL:
		return arena_format(arena, "tell the host side: %s", rules[op->number].name);
	case PLAN_WAIT:
		return arena_format(arena, "wait for the host side: %s", rules[op->number].name);
	case PLAN_ROOT:
		return arena_format(arena, "mount the root '%s'", string_at(b, op->root.source));
	case PLAN_MOUNT:
		return describe_mount(b, &op->mount, arena);
	case PLAN_DEVICE:
		return arena_format(arena, "%s '%s' (%s %u:%u, mode %03o)",
				    op->device.from == PLAN_SOURCE_NEW ? "make" : "bind the host's",
				    string_at(b, op->device.path),
				    op->device.type == S_IFBLK	 ? "block device"
				    : op->device.type == S_IFIFO ? "fifo"
								 : "character device",
				    op->device.major, op->device.minor, op->device.mode);
	case PLAN_HOOK:
		return arena_format(arena, "run the hook '%s'", string_at(b, op->hook.path));
	case PLAN_ROOT_ATTR:
		return arena_format(arena, "set the root's attributes: %s%s", list_flags(op->number, false, arena),
				    op->number2 ? " and propagation" : "");
	case PLAN_RLIMIT:
		return arena_format(arena, "limit resource %u to %llu:%llu", op->rlimit.resource,
				    (unsigned long long)op->rlimit.soft, (unsigned long long)op->rlimit.hard);
	case PLAN_IO_PRIORITY:
		return arena_format(arena, "set the I/O priority to class %llu, level %llu",
				    (unsigned long long)op->number >> 13, (unsigned long long)op->number & 0x1fff);
	case PLAN_PERSONALITY:
		return arena_format(arena, "set the personality %#llx", (unsigned long long)op->number);
	case PLAN_UMASK:
		return arena_format(arena, "set the umask %03llo", (unsigned long long)op->number);
	case PLAN_USER:
		return arena_format(arena, "become user %u, group %u, with %u more groups, in '%s'", op->user.uid,
				    op->user.gid, op->user.n_groups, string_at(b, op->user.cwd));
	case PLAN_START:
		return op->number ? "say that all is ready and wait for `holm start`" : "say that all is ready";
	case PLAN_SECCOMP:
		return arena_format(arena, "load the seccomp filter (%u instructions)%s", op->seccomp.n,
				    op->seccomp.listener ? ", hand on its listener" : "");
	case PLAN_EXEC: {
		const struct plan *plan = (const struct plan *)b->data;
		const plan_ref *args = block_at(b, plan->args);

		return arena_format(arena, "%sexecve '%s'", op->number ? "stay as its init; in a child " : "",
				    args ? string_at(b, args[0]) : "");
	}
	default:
		break;
	}
	/* The sentences take at most the two strings. */
	return op->kind < _PLAN_KIND_N && sentences[op->kind] ? arena_format(arena, sentences[op->kind], s, s2) : "";
}
