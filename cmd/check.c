/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/output.h"
#include "cmd/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "spec/json.h"
#include "storage/quota.h"

struct check_options {
	bool json;
};

static const struct option rows[] = {
    OPTION(struct check_options, json, "json", 0, FLAG, NULL, "an array of objects instead of a table"),
};

static char *print_json(const struct cgroup_check *checks, size_t n)
{
	struct json_writer json = json_writer_init(2);

	json_open_array(&json, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(&json, NULL);
		json_put_string(&json, "what", checks[i].what);
		json_put_bool(&json, "can", checks[i].can);
		json_put_string(&json, "detail", checks[i].detail);
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
	return str_steal(&out);
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
	all = arena_array(call->arena, struct cgroup_check, n_checks + 1);
	memcpy(all, checks, n_checks * sizeof(*all));
	all[n_checks++] = check_storage(call);
	text = o->json ? print_json(all, n_checks) : print_table(all, n_checks);
	return output_write(text, e);
}

const struct verb verb_check = {
    .name = "check",
    .summary = "print which limits this host can enforce, and why not the rest",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct check_options, rows),
    .run = run,
};
