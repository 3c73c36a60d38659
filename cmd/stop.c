/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>

#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/status.h"
#include "spec/names.h"

struct stop_options {
	struct each_options each;
	const char *signal;
	const char *timeout;
	bool kill, hold;
};

static const struct option rows[] = {
    EACH_OPTIONS(struct stop_options),
    OPTION(struct stop_options, signal, "signal", 's', STRING, "SIGNAL", "instead of what its init understands"),
    OPTION(struct stop_options, timeout, "timeout", 't', STRING, "TIME", "how long until it is killed (10s)"),
    OPTION(struct stop_options, kill, "kill", 'k', FLAG, NULL, "kill it at once"),
    OPTION(struct stop_options, hold, "hold", 0, FLAG, NULL, "the next boot, and 'start --all', start it again"),
};

static int stop(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	return instance_stop(&call->runtime, i, data, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct stop_options *o = options;
	struct instance_stop how = {.timeout = -1};

	if (o->signal && (signal_parse(o->signal, &how.signal) || !how.signal)) {
		const char *close = signal_closest(o->signal);

		return error_refuse(e, ERROR_USAGE, "--signal '%s': there is no such signal%s%s%s", o->signal,
				    close ? "; did you mean '" : "", close ?: "", close ? "'?" : "");
	}
	if (o->timeout && parse_duration(o->timeout, &how.timeout))
		return error_refuse(e, ERROR_USAGE, "--timeout '%s': it takes a time such as 500ms, 5s or 2m",
				    o->timeout);
	if (o->kill) {
		how.timeout = 0;
		how.signal = SIGKILL;
	}
	how.hold = o->hold || (o->each.all && !n);
	return each_instance(call, &o->each, operands, n, EACH_BACKWARD, stop, &how, e);
}

const struct verb verb_stop = {
    .name = "stop",
    .summary = "stop instances: a signal, a while, then a kill",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct stop_options, rows),
    .text = "NAME may be a pattern.  Instances stop in the reverse order of their --after.  The signal is "
	    "--stop-signal's, the\n"
	    "image's, SIGRTMIN+3 for systemd, or SIGTERM.  What is stopped stays so, also at a\n"
	    "boot; only --all, which a shutdown of the host uses, remembers who ran: 'holm start --all' starts those.",
    .run = run,
};
