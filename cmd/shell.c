/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <unistd.h>

#include "cmd/match.h"
#include "cmd/verbs.h"

struct shell_options {
	const char *user, *cwd;
	const char **env;
	size_t n_env;
};

static const struct option rows[] = {
    OPTION(struct shell_options, user, "user", 'u', STRING, "UID[:GID]", "as this user instead of root"),
    OPTION(struct shell_options, cwd, "cwd", 'w', STRING, "DIR", "working directory (/)"),
    OPTION_LISTED(struct shell_options, env, "env", 'e', ENV, "KEY=VALUE", "add to the environment; repeatable"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const char *const best[] = {"/bin/sh", "-c",
					   "for s in /bin/bash /bin/ash /bin/sh; do [ ! -x $s ] || exec $s; done"};
	static const char *const given[] = {"/bin/sh", "-c"};
	const struct shell_options *o = options;
	const char *command[] = {given[0], given[1], n > 1 ? operands[1] : NULL};
	struct container_exec request = {
	    .args = n > 1 ? command : (const char **)best,
	    .n_args = 3,
	    .cwd = o->cwd ? o->cwd : "/",
	    .env = o->env,
	    .n_env = o->n_env,
	    .user = o->user ? o->user : "0:0",
	    .tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
	};
	int r = match_one(call, operands[0], &request.id, e);

	return r ?: each_explain(call, request.id, container_exec(&call->runtime, &request, &call->status, e), e);
}

const struct verb verb_shell = {
    .name = "shell",
    .summary = "open a shell in a running instance",
    .operands = "NAME [COMMAND]",
    .min = 1,
    .max = 2,
    .order = OPTION_ORDER_FIRST,
    VERB_OPTIONS(struct shell_options, rows),
    .failure = 255,
    .text = "The best shell that it has, with a terminal if this one is.  NAME may be a pattern that stands for one.\n"
	    "COMMAND is a line for it.  The exit status is the shell's, or 255 when holm itself failed.",
    .run = run,
};
