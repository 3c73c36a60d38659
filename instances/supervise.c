/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/sys.h"
#include "instances/config.h"
#include "instances/health.h"
#include "instances/ledger.h"
#include "instances/run.h"
#include "instances/run_begin.h"
#include "instances/run_end.h"
#include "instances/status.h"
#include "runtime/socket.h"

enum { LOCK_TRIES = 20 };

#define HEALTH_RETRIES 3

/* ---- the end of a run, and what comes next ---- */

/* The keeper's own descriptor of run/state, which has the lock. */
static int adopt_state(struct run *run, struct error *e)
{
	int fd = run->shared->state_fd;
	struct stat ours, handed;

	if (fd > STDERR_FILENO && fd != run->state && !fstat(run->state, &ours) && !fstat(fd, &handed) &&
	    ours.st_dev == handed.st_dev && ours.st_ino == handed.st_ino) {
		fd_close(run->state);
		run->state = fd;
		return 0;
	}
	return error_refuse(e, ERROR_STATE, "'holm supervise' is for the monitor of instance '%s' alone",
			    run->instance->name);
}

static int lock_patiently(struct instance *instance, struct error *e)
{
	int r = -EAGAIN;

	for (int i = 0; i < LOCK_TRIES && r; i++) {
		r = instance_lock(instance, e);
		if (r && e->kind != ERROR_STATE)
			break;
	}
	return r;
}

/* What has ended by itself, and is not to be started anew, is not wanted any more: no boot starts it. */
static void settle(struct run *run, struct instance *instance)
{
	struct error e;

	if (instance_is_wanted(instance) && instance_set_up(instance, false, &e))
		run_say(run, "%s", e.text);
}

/* It stays down: the last that the keeper does. */
static int leave(struct run *run, struct instance *instance)
{
	bool remove = instance->record.remove;
	char holm[4096];
	struct error e;
	const char *argv[] = {holm,	      "--root", run->runtime->root, "--data", run->runtime->data, "remove",
			      instance->name, NULL};

	settle(run, instance);
	run->shared->phase = MONITOR_NONE;
	run->shared->keeper = (struct shared_process){0};
	instance_unlock(instance);
	run_leave_place(run);
	if (remove && !proc_program(NULL, holm, sizeof(holm), &e)) {
		fcntl(run->state, F_SETFD, FD_CLOEXEC);
		execv(holm, (char **)argv);
	}
	return 0;
}

/* As the keeper: waits, as holm-monitor, which then executes `holm supervise --resume`.  Returns with an error only. */
static int wait_for_restart(struct run *run, const struct restart_decision *next, struct error *e)
{
	struct shared *s = run->shared;

	s->restarts = next->restarts;
	s->wait = (uint64_t)next->wait;
	s->next_restart = (uint64_t)(run_clock(CLOCK_REALTIME) + next->wait);
	s->phase = MONITOR_WAITING;
	return run_become_keeper(run, e);
}

/* As the keeper: starts it anew.  Returns when it is not to be started anew (0), or can't be waited for. */
static int start_again(struct run *run, struct instance *instance, struct error *e)
{
	struct restart_decision next;
	struct error failure = ERROR_INIT;

	if (!run_launch(run, -1, &failure)) {
		instance_unlock(instance);
		return run_become_keeper(run, e);
	}
	run_forget_descriptors(run, true);
	run_record_failure(run, &failure);
	run->shared->phase = MONITOR_NONE;
	run_decide(run, -1, 0, &next);
	return next.again ? wait_for_restart(run, &next, e) : 0;
}

int supervise_end(const struct runtime *runtime, struct instance *instance, bool resume, struct error *e)
{
	auto_run run = RUN_INIT;
	struct restart_decision next = {0};
	struct instance_end end;
	int r = run_open(&run, runtime, instance, false, e);

	if (!r)
		r = adopt_state(&run, e);
	if (r)
		return r == -ENOENT ? error_refuse(e, ERROR_STATE, "instance '%s' does not run", instance->name) : r;
	/* Across execve they were open to all; what we start now gets none of them. */
	for (int i = 0; i < _SHARED_FD_N; i++)
		if (run.shared->fds[i] >= 0)
			fcntl(run.shared->fds[i], F_SETFD, FD_CLOEXEC);
	fcntl(run.state, F_SETFD, FD_CLOEXEC);
	r = lock_patiently(instance, e);
	if (r)
		return r;
	if (run_load_spec(&run, e))
		run_say(&run, "%s", e->text);
	run_prepare_log(&run);
	if (resume) {
		run_forget_descriptors(&run, true);
		if (!instance_is_wanted(instance) || !run.has_spec)
			return leave(&run, instance);
		r = start_again(&run, instance, e);
		return r ?: leave(&run, instance);
	}
	run_finish(&run, true, &end);
	run_decide(&run, end.status, (int64_t)run_clock(CLOCK_BOOTTIME) - (int64_t)run.shared->started_clock, &next);
	if (!next.again || !run.has_spec)
		return leave(&run, instance);
	instance_unlock(instance);
	return wait_for_restart(&run, &next, e);
}

/* ---- what the worker asks for every so often ---- */

static void say_running(struct run *run, const char *format, ...)
{
	char message[ERROR_TEXT_SIZE] = {SHARED_SAY}, text[ERROR_TEXT_SIZE - 16];
	auto_fd socket = -1;
	struct error e;
	va_list args;
	int n;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	n = snprintf(message + 1, sizeof(message) - 1, "holm: %s\n", text);
	if (socket_connect(run->folder, SHARED_ATTACH, SOCK_SEQPACKET, "the monitor's socket", &socket, &e) ||
	    fd_send(socket, message, (size_t)n + 1, NULL, 0))
		log_debug("%s", text);
}

static int open_running(struct run *run, const struct runtime *runtime, const struct instance *instance,
			struct error *e)
{
	int r = run_open(run, runtime, instance, false, e);

	if (!r && (run->shared->version != SHARED_VERSION || run->shared->phase != MONITOR_RUNNING))
		r = -ENOENT;
	return r == -ENOENT ? error_refuse(e, ERROR_STATE, "instance '%s' does not run", instance->name) : r;
}

int supervise_tick(const struct runtime *runtime, const struct instance *instance, struct error *e)
{
	auto_run run = RUN_INIT;
	int r = open_running(&run, runtime, instance, e);

	return r ?: ledger_add(runtime, instance, run.shared->started_clock, NULL, &run.shared->ledger, e);
}

int supervise_account(const struct runtime *runtime, const struct instance *instance, int64_t from, int64_t to,
		      struct ledger_use *ret, struct error *e)
{
	auto_run run = RUN_INIT;
	struct ledger_place place;
	struct ledger_use use;
	struct error ignored;
	uint64_t since;
	int r;

	if (to || open_running(&run, runtime, instance, &ignored) || !run_is_of_this_boot(run.shared) ||
	    !run_is_taken(&run))
		return ledger_sum(instance, from, to, ret, e);
	do { /* until nobody added a line meanwhile */
		place = run.shared->ledger;
		since = run.shared->started_clock;
		r = ledger_sum(instance, from, 0, ret, e);
	} while (!r && memcmp(&place, &run.shared->ledger, sizeof(place)));
	if (r)
		return r;
	ledger_look(runtime, instance, since, NULL, &place, &use);
	ledger_add_use(ret, &use);
	return 0;
}

/* It is asked to end, and made to when it does not; what then happens is the keeper's and the policy's. */
static int end_payload(struct run *run, int signal, int64_t grace, struct error *e)
{
	auto_fd pidfd = sys_pidfd_open(run->shared->init.pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int understood = signal == SIGKILL ? 0 : instance_find_signal(&run->spec, run->shared->init.pid, signal);
	int r = !understood ? 0 : container_kill(run->runtime, run->instance->name, understood, false, e);

	if (!r && understood && pidfd >= 0 && poll(&p, 1, (int)(grace / 1000000)) > 0)
		return 0;
	return container_kill(run->runtime, run->instance->name, SIGKILL, true, e);
}

static int act(struct run *run, struct instance *instance, struct error *e)
{
	const char *action = run->spec.holm->health.action;
	int r = 0;

	if (!action || str_equal(action, "none"))
		return 0;
	if (str_equal(action, "kill"))
		return end_payload(run, SIGKILL, 0, e);
	if (str_equal(action, "restart"))
		run->shared->again = 1;
	if (str_equal(action, "stop")) {
		r = instance_lock(instance, e);
		if (!r)
			r = instance_set_up(instance, false, e);
		instance_unlock(instance);
	}
	return r ?: end_payload(run, config_stop_signal(&run->spec), config_stop_timeout(&run->spec), e);
}

int supervise_health(const struct runtime *runtime, struct instance *instance, struct error *e)
{
	auto_run run = RUN_INIT;
	struct health_result result;
	struct shared *s;
	uint32_t retries;
	int r = open_running(&run, runtime, instance, e);

	if (!r)
		r = run_load_spec(&run, e);
	if (r || !run.spec.holm || !run.spec.holm->health.n_command)
		return r;
	s = run.shared;
	retries = run.spec.holm->health.retries ?: HEALTH_RETRIES;
	health_check(runtime, instance, run.spec.holm, run.spec.holm->health.timeout ?: HEALTH_TIMEOUT, &result);
	if (s->phase != MONITOR_RUNNING || s->ended)
		return 0;
	if (result.good) {
		if (s->health == MONITOR_HEALTH_BAD)
			say_running(&run, "healthy again");
		s->health = MONITOR_HEALTH_GOOD;
		s->failures = 0;
		return 0;
	}
	if (s->health == MONITOR_HEALTH_STARTING &&
	    run_clock(CLOCK_BOOTTIME) - (int64_t)s->started_clock < run.spec.holm->health.start_period)
		return 0;
	if (++s->failures < retries || s->health == MONITOR_HEALTH_BAD)
		return 0;
	s->health = MONITOR_HEALTH_BAD;
	say_running(&run, "unhealthy: %s", result.why);
	return act(&run, instance, e);
}
