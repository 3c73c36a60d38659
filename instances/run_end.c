/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/run_end.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "instances/history.h"
#include "instances/ledger.h"

static int exit_status(const struct shared *s)
{
	if (!s->ended || !s->code)
		return -1;
	return s->code == CLD_EXITED ? s->status & 0xff : 128 + s->status;
}

static void print_reason(const struct shared *s, const struct cgroup_end *end, struct str *out)
{
	char text[256];

	cgroup_end_format(end, text, sizeof(text));
	if (!s->code || !s->ended)
		str_add(out, "how it ended was not seen");
	else if (s->code == CLD_EXITED)
		str_addf(out, "exit status %d", s->status & 0xff);
	else
		str_addf(out, "killed by SIG%s", sigabbrev_np(s->status) ?: "?");
	if (s->health == MONITOR_HEALTH_BAD)
		str_add(out, ", it was unhealthy");
	if (*text)
		str_addf(out, ": %s", text);
}

void run_delete_container(struct run *run)
{
	struct error e = ERROR_INIT;
	char text[ERROR_TEXT_SIZE + 128];

	if (container_delete(run->runtime, run->instance->name, true, &e))
		run_say(run, "%s", error_format(&e, text, sizeof(text)));
}

static int record_end(struct run *run, struct instance_end *end, const struct cgroup_end *resources, struct error *e)
{
	int r = instance_save_end(run->instance, end, e), more;
	struct error next;

	more = history_add(run->instance, end, resources, r ? &next : e);
	return r ?: more;
}

void run_finish(struct run *run, bool ours, struct instance_end *ret)
{
	auto_str why = STR_INIT;
	struct cgroup_end resources = {0};
	struct shared *s = run->shared;
	struct error e = ERROR_INIT, ignored;
	char text[ERROR_TEXT_SIZE + 128];
	bool same_boot = run_is_of_this_boot(s);

	s->phase = MONITOR_ENDING;
	if (same_boot && container_end(run->runtime, run->instance->name, &resources, &ignored))
		resources = (struct cgroup_end){.memory_limit = CGROUP_UNLIMITED};
	if (same_boot)
		print_reason(s, &resources, &why);
	else
		str_add(&why, "the host went down");
	*ret = (struct instance_end){
	    .status = same_boot ? exit_status(s) : -1,
	    .started = (int64_t)s->started,
	    .ended = run_clock(CLOCK_REALTIME),
	    .restarts = s->restarts,
	    .asked = !instance_is_wanted(run->instance),
	};
	if (same_boot && s->started_clock &&
	    ledger_add(run->runtime, run->instance, s->started_clock, &resources, &s->ledger, &e))
		run_say(run, "%s", error_format(&e, text, sizeof(text)));
	run_delete_container(run);
	run_take_rest(run, ours);
	run_say(run, "%s ended: %s", run->instance->name, str_peek(&why));
	ret->why = str_peek(&why);
	if (record_end(run, ret, &resources, &e))
		run_say(run, "%s", error_format(&e, text, sizeof(text)));
	ret->why = NULL;
	run_forget_descriptors(run, ours);
	unlinkat(run->folder, SHARED_ATTACH, 0);
	s->phase = MONITOR_NONE;
	s->init = s->worker = (struct shared_process){0};
}

void run_record_failure(struct run *run, const struct error *failure)
{
	struct instance_end end = {
	    .status = -1,
	    .started = run_clock(CLOCK_REALTIME),
	    .ended = run_clock(CLOCK_REALTIME),
	    .restarts = run->shared->restarts,
	};
	const struct cgroup_end nothing = {.memory_limit = CGROUP_UNLIMITED};
	char text[ERROR_TEXT_SIZE + 128];
	struct error ignored;

	end.why = error_format(failure, text, sizeof(text));
	run_say(run, "%s can't be started: %s", run->instance->name, text);
	if (record_end(run, &end, &nothing, &ignored))
		run_say(run, "%s", ignored.text);
}

void run_decide(struct run *run, int status, int64_t ran, struct restart_decision *ret)
{
	const struct spec_holm *holm = run->has_spec ? run->spec.holm : NULL;
	const struct restart_case what = {
	    .policy = holm ? holm->restart.policy : NULL,
	    .max = holm ? holm->restart.max : 0,
	    .delay = holm ? holm->restart.delay : 0,
	    .wanted = instance_is_wanted(run->instance),
	    .forced = run->shared->again,
	    .unhealthy = run->shared->health == MONITOR_HEALTH_BAD,
	    .status = status,
	    .ran = ran,
	    .restarts = run->shared->restarts,
	};

	restart_decide(&what, ret);
}
