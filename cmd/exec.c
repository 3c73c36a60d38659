/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/match.h"
#include "cmd/verbs.h"

struct exec_options {
	struct container_exec request; /* first, so that the rows below fit */
	bool interactive;	       /* for fingers that type -it: standard input is always handed on */
};

static const struct option rows[] = {
    OPTION(struct container_exec, process_file, "process", 'p', STRING, "FILE",
	   "take the process object from FILE instead of a command"),
    OPTION(struct container_exec, cwd, "cwd", 0, STRING, "DIR", "working directory in the container"),
    OPTION_LISTED(struct container_exec, env, "env", 'e', LIST, "KEY=VALUE", "add to the environment; repeatable"),
    OPTION(struct exec_options, interactive, "interactive", 'i', FLAG, NULL,
	   "hand on standard input, as is always done"),
    OPTION(struct container_exec, tty, "tty", 't', FLAG, NULL, "give it a terminal"),
    OPTION(struct container_exec, user, "user", 'u', STRING, "UID[:GID]", "run as this user"),
    OPTION_LISTED(struct container_exec, additional_gids, "additional-gids", 'g', IDS, "GID",
		  "add a group; repeatable"),
    OPTION_LISTED(struct container_exec, capabilities, "cap", 'c', LIST, "CAP", "add a capability; repeatable"),
    OPTION(struct container_exec, no_new_privileges, "no-new-privs", 0, FLAG, NULL, "set no_new_privs"),
    OPTION(struct container_exec, selinux_label, "process-label", 0, STRING, "LABEL", "SELinux label of the process"),
    OPTION(struct container_exec, apparmor, "apparmor", 0, STRING, "PROFILE", "AppArmor profile of the process"),
    OPTION(struct container_exec, detach, "detach", 'd', FLAG, NULL, "do not wait for the process"),
    OPTION(struct container_exec, console_socket, "console-socket", 0, STRING, "SOCKET",
	   "send the terminal's master end to SOCKET"),
    OPTION(struct container_exec, pidfd_socket, "pidfd-socket", 0, STRING, "SOCKET",
	   "send the process's pidfd to SOCKET"),
    OPTION(struct container_exec, pid_file, "pid-file", 0, STRING, "FILE", "write its pid to FILE"),
    OPTION(struct container_exec, preserve_fds, "preserve-fds", 0, COUNT, "N",
	   "hand on N descriptors after stdio and LISTEN_FDS"),
    OPTION_LISTED(struct container_exec, cgroups, "cgroup", 0, LIST, "[CONTROLLER:]PATH",
		  "run in this cgroup below the container's; repeatable on cgroup v1"),
    OPTION(struct container_exec, ignore_paused, "ignore-paused", 0, FLAG, NULL, "allow it in a paused container"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct container_exec *request = &((struct exec_options *)options)->request;
	int r = match_one(call, operands[0], &request->id, e);

	if (r)
		return r;
	if (!request->process_file) {
		if (n < 2)
			return error_refuse(e, ERROR_USAGE,
					    "process args cannot be empty: give a command or --process FILE");
		request->args = (const char **)operands + 1;
		request->n_args = n - 1;
	}
	return each_explain(call, request->id, container_exec(&call->runtime, request, &call->status, e), e);
}

/* The exit status of the process and a failure of holm must be told apart: 255 is the latter. */
const struct verb verb_exec = {
    .name = "exec",
    .summary = "run another process in a container",
    .operands = "ID COMMAND [ARGUMENT...]",
    .min = 1,
    .max = VERB_ANY_OPERANDS,
    .order = OPTION_ORDER_FIRST,
    VERB_OPTIONS(struct exec_options, rows),
    .prefix = "exec failed",
    .failure = 255,
    .text = "ID may be a pattern that stands for one that runs.  What is not given comes from the container's own\n"
	    "process.  With --process no COMMAND is needed.\n"
	    "The exit status is that of the process, 128 and the number of the signal that ended it, or 255 when\n"
	    "holm itself failed.",
    .run = run,
};
