/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "instances/change.h"
#include "instances/status.h"

#define EDITED "config.edited.json"

/* The editor is the user's own word, arguments and all: a shell takes it apart. */
static int run_editor(const char *path, struct error *e)
{
	const char *editor = getenv("VISUAL");
	int status = 0;
	pid_t pid;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	pid = fork();
	if (!pid) {
		setenv("HOLM_EDITOR", editor, 1);
		execl("/bin/sh", "sh", "-c", "eval \"$HOLM_EDITOR\" '\"$1\"'", "sh", path, NULL);
		_exit(127);
	}
	if (pid < 0)
		return error_system(e, errno, "fork");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_system(e, errno, "wait for the editor");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_refuse(e, ERROR_STATE, "the editor '%s' failed: nothing is changed", editor);
	return 0;
}

static int take(struct invocation *call, struct instance *i, const char *text, struct error *e)
{
	auto_free char *old = NULL;
	struct change *changes = NULL;
	struct instance_state state;
	auto_str out = STR_INIT;
	size_t n = 0, size = 0;
	struct spec spec;
	int r = spec_parse(text, strlen(text), EDITED, &spec, e);

	if (r)
		return r;
	spec_release(&spec);
	r = file_read(i->folder, INSTANCE_CONFIG, 64 << 20, &old, &size);
	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i->path);
	r = change_compare(old, text, call->arena, &changes, &n, e);
	if (!r)
		r = instance_look(&call->runtime, i, call->arena, &state, e);
	if (r)
		return r;
	if (change_highest(changes, n) == CHANGE_REMAKE)
		return error_refuse(e, ERROR_STATE, "the root of an instance can't become another");
	if (n)
		r = change_apply(&call->runtime, i, text, changes, n, instance_is_active(&state), e);
	if (r)
		return r;
	for (size_t k = 0; k < n; k++)
		str_addf(&out, "%s: %s\n", changes[k].path,
			 changes[k].kind == CHANGE_RESTART && !instance_is_active(&state)
			     ? "at its start"
			     : change_kind_name(changes[k].kind));
	return output_write(n ? str_peek(&out) : "unchanged\n", e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_free char *config = NULL, *text = NULL;
	auto_instance i = INSTANCE_INIT;
	const char *path, *name;
	size_t size = 0;
	int r;

	(void)options, (void)n;
	r = each_one(call, operands[0], &name, e);
	if (!r)
		r = instance_open(&call->runtime, name, &i, e);
	if (r)
		return r;
	path = arena_format(call->arena, "%s/" EDITED, i.path);
	r = file_read(i.folder, INSTANCE_CONFIG, 64 << 20, &config, &size);
	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i.path);
	/* One that was refused the last time is gone on with. */
	r = file_create(i.folder, EDITED, 0600, config, size);
	if (r && r != -EEXIST)
		return error_system(e, -r, "write '%s'", path);
	r = run_editor(path, e);
	if (!r) {
		r = file_read(i.folder, EDITED, 64 << 20, &text, &size);
		if (r)
			return error_system(e, -r, "read '%s'", path);
		r = instance_lock(&i, e);
	}
	if (!r) {
		r = take(call, &i, text, e);
		if (r)
			error_context(e, "nothing is changed; edit it again, or remove '%s'", path);
	}
	if (!r && unlinkat(i.folder, EDITED, 0))
		return error_system(e, errno, "remove '%s'", path);
	return r;
}

const struct verb verb_edit = {
    .name = "edit",
    .summary = "edit an instance's config.json, and apply it",
    .operands = "NAME",
    .min = 1,
    .max = 1,
    .text = "Opens it in $VISUAL, $EDITOR or vi.  What comes out is checked before anything changes; what can\n"
	    "be changed at once is, and what needs a restart is named.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
