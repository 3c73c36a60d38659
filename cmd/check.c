/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/output.h"
#include "cmd/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "spec/json.h"
#include "storage/quota.h"

struct check_options {
	bool json;
};

static const struct option rows[] = {
    OPTION(struct check_options, json, "json", 0, FLAG, NULL, "an array of objects instead of a table"),
};

/* ---- how to get it ---- */

static const char unified[] = "boot with systemd.unified_cgroup_hierarchy=1, or with cgroup_no_v1=all";

/* The first that fits what can't be had; a row without one is none that anybody could do something about. */
static const struct {
	const char *what, *detail; /* patterns */
	const char *how;
} advice[] = {
    {"*", "*is not delegated to this user*",
     "as root: 'systemctl edit user@.service', and there [Service] Delegate=cpu cpuset io memory pids"},
    {"*", "*is bound to cgroup v1", unified},
    {"*", "needs cgroup v2", unified},
    {"*", "no cgroup v2", unified},
    {"kill at once", "*", unified},
    {"*", "*can't switch the OOM killer off", "memory.high, from which on it is slowed down instead of killed"},
    {"blockIO.weight*", "*bfq*", "modprobe bfq; echo bfq >/sys/block/DISK/queue/scheduler"},
    {"*weight*", "*io.cost*", "echo 'MAJOR:MINOR enable=1' >/sys/fs/cgroup/io.cost.qos"},
    {"memory.swap", "*", "boot with swapaccount=1"},
    {"network.*", "*", "--rate of an instance's network limits it, and needs no controller"},
    {"rdma", "*", "a kernel with CONFIG_CGROUP_RDMA"},
    {"hugepage*", "*", "a kernel with CONFIG_CGROUP_HUGETLB"},
    {"cpu.realtime*", "*", "a kernel with CONFIG_RT_GROUP_SCHED, and its controller cpu on cgroup v1"},
    {"pressure", "*", "boot with psi=1, or a kernel with CONFIG_PSI"},
    {"devices", "*", "a kernel with CONFIG_CGROUP_BPF, or the controller devices on cgroup v1"},
    {"systemd driver", "*",
     "it is needed for --systemd-cgroup alone: instances start without systemd ('holm start --all')"},
    {"holm.storage.*", "*", "mount the data folder's file system, ext4 or XFS, with the option prjquota; or be root"},
    {"user namespaces", "*", "sysctl user.max_user_namespaces=15000; until then --userns host"},
    {"overlay", "*", "modprobe overlay"},
    {"networks", "*", "'make install' puts holm-net beside holm"},
    {"monitor", "*", "'make install' puts holm-monitor beside holm"},
    {"image import", "*", "'make install' puts holm-unpack beside holm, and libarchive is needed"},
    {"image pull", "*", "apt-get install skopeo"},
    {"AppArmor", "*", "it is needed for --apparmor alone: boot with apparmor=1 security=apparmor"},
};

static const char *find_advice(const struct cgroup_check *check)
{
	for (size_t i = 0; !check->can && i < ARRAY_SIZE(advice); i++)
		if (!fnmatch(advice[i].what, check->what, 0) &&
		    !fnmatch(advice[i].detail, check->detail ? check->detail : "", 0))
			return advice[i].how;
	return NULL;
}

/* "a, b: how", a line for each way. */
static void print_advice(const struct cgroup_check *checks, size_t n, struct str *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *how = find_advice(&checks[i]);
		size_t k = 0;

		while (k < i && find_advice(&checks[k]) != how)
			k++;
		if (!how || k < i)
			continue;
		str_add(out, "\nto have ");
		for (k = i; k < n; k++)
			if (find_advice(&checks[k]) == how)
				str_addf(out, "%s%s", k > i ? ", " : "", checks[k].what);
		str_addf(out, ":\n    %s\n", how);
	}
}

/* ---- form ---- */

static char *print_json(const struct cgroup_check *checks, size_t n)
{
	struct json_writer json = json_writer_init(2);

	json_open_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(&json, NULL);
		json_put_string(&json, "what", checks[i].what);
		json_put_bool(&json, "can", checks[i].can);
		json_put_string(&json, "detail", checks[i].detail);
		if (find_advice(&checks[i]))
			json_put_string(&json, "how", find_advice(&checks[i]));
		json_close(&json);
	}
	json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

static char *print_table(const struct cgroup_check *checks, size_t n)
{
	size_t width = strlen("LIMIT");
	struct str out = STR_INIT;

	for (size_t i = 0; i < n; i++)
		if (strlen(checks[i].what) > width)
			width = strlen(checks[i].what);
	str_addf(&out, "%-*s  CAN  HOW, OR WHY NOT\n", (int)width, "LIMIT");
	for (size_t i = 0; i < n; i++)
		str_addf(&out, "%-*s  %-3s  %s\n", (int)width, checks[i].what, checks[i].can ? "yes" : "no",
			 checks[i].detail ? checks[i].detail : "");
	print_advice(checks, n, &out);
	return str_steal(&out);
}

/* ---- what instances need beside limits ---- */

static struct cgroup_check check_user_namespaces(struct arena *arena)
{
	auto_free char *text = NULL;

	if (file_read(AT_FDCWD, "/proc/sys/user/max_user_namespaces", 64, &text, NULL))
		return (struct cgroup_check){"user namespaces", false, "this kernel has none"};
	return (struct cgroup_check){"user namespaces", atoi(text) > 0, arena_format(arena, "at most %d", atoi(text))};
}

static struct cgroup_check check_overlay(bool rootless)
{
	auto_fd fd =
	    rootless ? -1 : (int)syscall(SYS_fsopen, "overlay", 1U); /* FSOPEN_CLOEXEC; the kernel loads the module */
	auto_free char *text = NULL;
	bool known = fd >= 0;

	if (!known && !file_read(AT_FDCWD, "/proc/filesystems", 1 << 16, &text, NULL))
		known = strstr(text, "\toverlay\n") != NULL;
	return (struct cgroup_check){"overlay", known,
				     known ? "roots from images" : "this kernel knows no such file system"};
}

static struct cgroup_check check_program(const char *what, const char *program, struct arena *arena)
{
	char path[4096];
	struct error e;
	bool can = !proc_program(program, path, sizeof(path), &e) && !access(path, X_OK);

	return (struct cgroup_check){what, can,
				     can ? arena_strdup(arena, path) : arena_format(arena, "there is no %s", program)};
}

static struct cgroup_check check_skopeo(struct arena *arena)
{
	const char *list = getenv("PATH");
	char *paths = arena_strdup(arena, list ? list : ""), *folder;

	while ((folder = strsep(&paths, ":"))) {
		const char *path = arena_format(arena, "%s/skopeo", folder);

		if (*folder == '/' && !access(path, X_OK))
			return (struct cgroup_check){"image pull", true, path};
	}
	return (struct cgroup_check){"image pull", false, "there is no skopeo"};
}

static struct cgroup_check check_apparmor(void)
{
	auto_free char *text = NULL;
	bool can = !file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text, NULL) && *text == 'Y';

	return (struct cgroup_check){"AppArmor", can, can ? "profiles by --apparmor" : "it is off"};
}

/* The data folder, or, as long as it is not made, the one that it will be made in; -1: neither. */
static int open_nearest(const char *path, struct arena *arena)
{
	char *copy = arena_strdup(arena, path), *slash;
	int fd;

	while ((fd = open(*copy ? copy : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 && errno == ENOENT &&
	       (slash = strrchr(copy, '/')))
		*slash = 0;
	return fd;
}

/* How a limit on what an instance writes is kept. */
static struct cgroup_check check_storage(const struct invocation *call)
{
	struct cgroup_check check = {.what = "holm.storage.size", .detail = "there is no data folder"};
	auto_fd fd = call->runtime.data ? open_nearest(call->runtime.data, call->arena) : -1;
	char why[256];

	if (fd < 0)
		return check;
	check.can = quota_find(fd, call->runtime.rootless, why, sizeof(why)) != QUOTA_NONE;
	check.detail = arena_strdup(call->arena, why);
	return check;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct check_options *o = options;
	struct cgroup_check *checks, *all;
	auto_free char *text = NULL;
	size_t n_checks;
	int r;

	(void)operands, (void)n;
	r = container_check(&call->runtime, call->arena, &checks, &n_checks, e);
	if (r)
		return r;
	all = arena_array(call->arena, struct cgroup_check, n_checks + 8);
	memcpy(all, checks, n_checks * sizeof(*all));
	all[n_checks++] = check_storage(call);
	all[n_checks++] = check_overlay(call->runtime.rootless);
	all[n_checks++] = check_user_namespaces(call->arena);
	all[n_checks++] = check_program("networks", "holm-net", call->arena);
	all[n_checks++] = check_program("monitor", "holm-monitor", call->arena);
	all[n_checks++] = check_program("image import", "holm-unpack", call->arena);
	all[n_checks++] = check_skopeo(call->arena);
	all[n_checks++] = check_apparmor();
	text = o->json ? print_json(all, n_checks) : print_table(all, n_checks);
	return output_write(text, e);
}

const struct verb verb_check = {
    .name = "check",
    .summary = "print what this host can do for instances, why not the rest, and how to get it",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct check_options, rows),
    .run = run,
};
