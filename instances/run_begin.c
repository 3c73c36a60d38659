/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/run_begin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "instances/config.h"
#include "instances/health.h"
#include "instances/ledger.h"
#include "instances/run_stdio.h"

#define HEALTH_INTERVAL INT64_C(30000000000)
#define HEALTH_GRACE INT64_C(10000000000)

/* ---- becoming the keeper ---- */

/* Hands descriptor fd on across execve; shared remembers its number. */
static void hand_on(struct run *run, enum shared_fd which, int fd)
{
	run->shared->fds[which] = fd;
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

static const char *const managers[] = {
    [CGROUP_DIRECT] = "cgroupfs", [CGROUP_SYSTEMD] = "systemd", [CGROUP_DISABLED] = "disabled"};

int run_become_keeper(struct run *run, struct error *e)
{
	const struct runtime *runtime = run->runtime;
	char monitor[4096], holm[4096], state[16];
	const char *argv[] = {"holm-monitor",
			      state,
			      holm,
			      "--root",
			      runtime->root,
			      "--data",
			      runtime->data,
			      "--cgroup-manager",
			      managers[runtime->cgroup_driver],
			      "--rootless",
			      runtime->rootless ? "true" : "false",
			      "supervise",
			      run->instance->name,
			      NULL};
	int r = proc_program("holm-monitor", monitor, sizeof(monitor), e);

	if (!r)
		r = proc_program(NULL, holm, sizeof(holm), e);
	if (r)
		return r;
	/* Nothing of the caller's stays open: it may wait for the end of a pipe. */
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		return error_system(e, errno, "close_range");
	for (int i = 0; i < _SHARED_FD_N; i++)
		hand_on(run, i, run->shared->fds[i]);
	hand_on(run, SHARED_RUN, run->folder);
	hand_on(run, SHARED_LOG, run->log);
	fcntl(run->state, F_SETFD, 0);
	run->shared->state_fd = run->state;
	run->shared->keeper.pid = getpid();
	snprintf(state, sizeof(state), "%d", run->state);
	execv(monitor, (char **)argv);
	return error_system(e, errno, "execute '%s'", monitor);
}

/* ---- the run ---- */

/* Where the output of this run begins; opening the log finds its end.  The files of one that never ran are made by its worker. */
static void note_begin(struct run *run)
{
	struct shared *s = run->shared;
	char name[32];
	struct log log;

	if (!faccessat(run->log, log_name(s->log.segment, ".log", name), F_OK, AT_SYMLINK_NOFOLLOW)) {
		if (log_open(&log, run->log, &s->log))
			return;
		log_close(&log);
	}
	s->begin_segment = s->log.segment;
	s->begin_data = s->log.data;
	s->begin_index = s->log.index;
}

static void prepare_shared(struct run *run)
{
	const struct spec_holm *holm = run->spec.holm;
	struct shared *s = run->shared;
	struct log_shared log = s->log;
	uint32_t restarts = s->restarts;

	*s = (struct shared){
	    .version = SHARED_VERSION,
	    .phase = MONITOR_ENDING,
	    .log = log,
	    .restarts = restarts,
	    .terminal = run->spec.process && run->spec.process->terminal,
	    .input = holm && holm->input,
	    .notify = holm && holm->notify,
	    .tick = LEDGER_INTERVAL,
	};
	if (proc_boot_id(s->boot_id))
		*s->boot_id = 0;
	for (int i = 0; i < _SHARED_FD_N; i++)
		s->fds[i] = -1;
	if (holm && holm->health.n_command) {
		s->health = MONITOR_HEALTH_STARTING;
		s->health_interval = (uint64_t)(holm->health.interval ?: HEALTH_INTERVAL);
		s->health_limit = (uint64_t)((holm->health.timeout ?: HEALTH_TIMEOUT) +
					     config_stop_timeout(&run->spec) + HEALTH_GRACE);
	}
	s->ready = !s->notify;
	run_prepare_log(run);
	note_begin(run);
}

int run_launch(struct run *run, int network, struct error *e)
{
	auto_run_stdio stdio = RUN_STDIO_INIT;
	struct container_monitored monitored = CONTAINER_MONITORED_INIT;
	const struct container_create request = {.id = run->instance->name,
						 .bundle = run->instance->path,
						 .detach = true,
						 .monitored = &monitored,
						 .spec = &run->spec};
	struct shared *s = run->shared;
	struct error ignored;
	int status, r;

	monitored.network = network;
	prepare_shared(run);
	r = run_make_stdio(run, &stdio, e);
	if (!r)
		r = run_make_socket(run, e);
	if (!r)
		r = run_enter_stdio(&stdio, e);
	if (!r)
		r = instance_save_started(run->instance, e);
	if (!r)
		r = container_run(run->runtime, &request, &status, e);
	fd_close(monitored.network);
	if (run_drop_stdio(r ? &ignored : e) && !r)
		r = -EIO;
	if (r)
		return r;
	s->init.pid = monitored.pid;
	s->fds[SHARED_INIT] = monitored.pidfd;
	s->fds[SHARED_NOTIFY] = monitored.notify;
	s->fds[SHARED_TERMINAL] = monitored.console;
	if (monitored.console >= 0)
		fcntl(monitored.console, F_SETFL, O_RDWR | O_NONBLOCK);
	s->started = (uint64_t)run_clock(CLOCK_REALTIME);
	s->started_clock = (uint64_t)run_clock(CLOCK_BOOTTIME);
	s->phase = MONITOR_RUNNING;
	return 0;
}
