/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holm's side of the monitor: starting it, looking at it, putting it right, waiting for its end. */
#include "instances/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "instances/overcommit.h"
#include "instances/run.h"
#include "instances/run_begin.h"
#include "instances/run_end.h"
#include "instances/run_stdio.h"
#include "netns/client.h"

enum { DEATH_MS = 5000 };

const char *monitor_health_name(enum monitor_health health)
{
	static const char *const names[] = {NULL, "starting", "healthy", "unhealthy"};

	return names[health];
}

/* ---- monitor_start ---- */

/* What the child tells who waits: a kind, and with some of them an error. */
struct report {
	char kind; /* 'W' warning, 'E' error, 'S' it runs; the worker sends one byte, 'R': it is ready */
	struct error error;
};

static void report_warning(enum log_level level, const char *text, void *data)
{
	struct report report = {.kind = 'W'};

	if (level != LOG_LEVEL_WARNING)
		return;
	snprintf(report.error.text, sizeof(report.error.text), "%s", text);
	if (fd_send(*(int *)data, &report, sizeof(report), NULL, 0))
		return; /* nobody listens any more */
}

static void tell(int socket, char kind, const struct error *e)
{
	struct report report = {.kind = kind};

	if (e)
		report.error = *e;
	if (fd_send(socket, &report, sizeof(report), NULL, 0))
		return; /* who asked is gone; the instance runs all the same */
}

/* Never returns. */
static void start_child(struct run *run, int report, int network)
{
	struct error e = ERROR_INIT;
	int r;

	setsid();
	if (chdir("/"))
		log_debug("chdir: %s", strerror(errno));
	log_set_sink(report_warning, &report);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r = run_launch(run, network, &e);
	if (!r) {
		run->shared->keeper.pid = getpid(); /* whoever hears that it runs may ask at once who keeps it */
		tell(report, 'S', NULL);
		if (run->shared->notify)
			run->shared->fds[SHARED_REPORT] = report;
		r = run_become_keeper(run, &e);
		sys_pidfd_send_signal(run->shared->fds[SHARED_INIT], SIGKILL);
		run_delete_container(run);
	}
	run->shared->phase = MONITOR_NONE;
	run->shared->keeper = (struct shared_process){0};
	tell(report, 'E', &e);
	_exit(1);
}

/* The worker told, or was replaced before it could: then the file says. */
static int wait_until_ready(const struct run *run, int report, struct error *e)
{
	const struct shared *s = run->shared;
	struct pollfd p = {.fd = report, .events = POLLIN};
	char byte;

	while (!s->ready && !s->ended && s->phase == MONITOR_RUNNING && run_is_taken(run)) {
		if (poll(&p, 1, 100) > 0 && recv(report, &byte, 1, MSG_DONTWAIT) <= 0)
			p.fd = -1;
	}
	if (s->ready)
		return 0;
	return error_refuse(e, ERROR_STATE,
			    "instance '%s': it ended before it said that it is ready; 'holm logs %s' may say why",
			    run->instance->name, run->instance->name);
}

static int hear(const struct run *run, int socket, struct error *e)
{
	for (;;) {
		struct report report;
		size_t size, n;
		int r = fd_receive(socket, &report, sizeof(report), &size, NULL, 0, &n);

		if (r)
			return error_system(e, -r, "hear from the monitor of '%s'", run->instance->name);
		if (size != sizeof(report))
			return error_bug(e, "the monitor of '%s' died while it started", run->instance->name);
		report.error.text[sizeof(report.error.text) - 1] = 0;
		if (report.kind == 'S')
			return run->shared->notify ? wait_until_ready(run, socket, e) : 0;
		if (report.kind == 'E') {
			*e = report.error;
			return error_return(e);
		}
		log_warning("%s", report.error.text);
	}
}

/* holm-net will be needed; it is started by us, who have nothing to do meanwhile, and is nobody's child. */
static void start_network(int socket)
{
	pid_t pid = fork();

	if (!pid) {
		struct error e;
		int r = net_run_program(socket, &pid, &e);

		if (r)
			log_warning("%s", e.text);
		_exit(r ? 1 : 0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static bool joins_networks(const struct run *run)
{
	const struct spec_holm *holm = run->spec.holm;

	return holm && holm->n_networks && !str_after(holm->networks[0].network, "instance:") &&
	       !run->runtime->rootless;
}

/* Before the payload runs, as nobody would stay beside it. */
static int find_program(struct error *e)
{
	char path[4096];
	int r = proc_program("holm-monitor", path, sizeof(path), e);

	return r || !access(path, X_OK) ? r
					: error_system(e, errno, "execute '%s', which stays beside an instance", path);
}

/* child: never returns; network is its end of a holm-net that is being started, or -1. */
static int start_in_child(struct run *run, void (*child)(struct run *run, int report, int network), bool joins,
			  struct error *e)
{
	auto_fd ours = -1, theirs = -1, network = -1, program = -1;
	int pair[2], r = find_program(e);
	pid_t pid;

	if (!r && joins)
		r = net_make_pair(&network, &program, e);
	if (r)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_system(e, errno, "make a socket for the monitor");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return error_system(e, errno, "start the monitor");
	if (!pid) {
		ours = fd_close(ours);
		program = fd_close(program);
		child(run, theirs, network);
		_exit(1);
	}
	theirs = fd_close(theirs);
	network = fd_close(network);
	/* The place is the child's from now on; to look at the lock takes an open file of our own. */
	fd_close(run->state);
	run->state = openat(run->folder, SHARED_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (joins)
		start_network(program);
	program = fd_close(program);
	r = hear(run, ours, e);
	if (r)
		waitpid(pid, NULL, WNOHANG);
	return r;
}

/* Whoever waits for a restart makes room for who starts it now. */
static int end_waiting(struct run *run, struct error *e)
{
	struct shared *s = run->shared;
	auto_fd pidfd = sys_pidfd_open(s->keeper.pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd >= 0 && run_is_taken(run) && s->phase == MONITOR_WAITING) {
		sys_pidfd_send_signal(pidfd, SIGKILL);
		poll(&p, 1, DEATH_MS);
	}
	if (run_take_place(run))
		return 0;
	return error_refuse(e, ERROR_STATE, "instance '%s' is running", run->instance->name);
}

static bool is_alive(const struct run *run)
{
	auto_arena arena = ARENA_INIT;
	struct container_state state;
	struct error ignored;

	return !container_state(run->runtime, run->instance->name, &arena, &state, &ignored) &&
	       state.status != CONTAINER_STOPPED && state.status != CONTAINER_CREATING;
}

static bool is_left(const struct run *run)
{
	auto_arena arena = ARENA_INIT;
	struct container_state state;
	struct error ignored;

	return run->shared->phase == MONITOR_RUNNING || run->shared->phase == MONITOR_ENDING ||
	       !container_state(run->runtime, run->instance->name, &arena, &state, &ignored);
}

int monitor_start(const struct runtime *runtime, const struct instance *instance, struct spec *known, struct error *e)
{
	auto_run run = RUN_INIT;
	struct instance_end end;
	int r = run_open(&run, runtime, instance, true, e);

	if (known) {
		run.spec = *known;
		*known = (struct spec){0};
		run.has_spec = true;
	} else if (!r) {
		r = run_load_spec(&run, e);
	}
	if (!r)
		r = run_take_place(&run) ? 0 : end_waiting(&run, e);
	if (!r && is_alive(&run))
		r = error_refuse(e, ERROR_STATE, "instance '%s' is running", instance->name);
	if (!r)
		r = overcommit_check(runtime, instance, e);
	if (r)
		return r;
	run_prepare_log(&run);
	if (is_left(&run))
		run_finish(&run, false, &end);
	run.shared->restarts = 0;
	return start_in_child(&run, start_child, joins_networks(&run), e);
}

/* ---- monitor_look ---- */

void monitor_look(const struct instance *instance, struct monitor_state *ret)
{
	auto_run run = RUN_INIT;
	struct error ignored;
	const struct shared *s;

	*ret = (struct monitor_state){.phase = MONITOR_NONE, .ready = true};
	if (run_open(&run, NULL, instance, false, &ignored))
		return;
	s = run.shared;
	ret->restarts = s->restarts;
	ret->replaced = s->replaced;
	ret->dropped = s->log.dropped;
	if (s->version != SHARED_VERSION || !run_is_taken(&run))
		return;
	*ret = (struct monitor_state){
	    .phase = s->phase,
	    .keeper = s->keeper.pid,
	    .worker = s->worker.pid,
	    .terminal = s->terminal,
	    .input = s->input && !s->input_closed,
	    .ready = s->ready,
	    .health = s->health <= MONITOR_HEALTH_BAD ? s->health : MONITOR_HEALTH_NONE,
	    .restarts = s->restarts,
	    .replaced = s->replaced,
	    .started = (int64_t)s->started,
	    .next_restart = s->phase == MONITOR_WAITING ? (int64_t)s->next_restart : 0,
	    .dropped = s->log.dropped,
	};
}

/* ---- monitor_mend ---- */

/* Never returns.  The payload runs: its pipes are found by their names, init by its record; a terminal is lost. */
static void replace_child(struct run *run, int report, int network)
{
	auto_arena arena = ARENA_INIT;
	struct container_state state;
	struct error e = ERROR_INIT;
	struct shared *s = run->shared;
	int r;

	(void)network;
	setsid();
	if (chdir("/"))
		log_debug("chdir: %s", strerror(errno));
	for (int i = 0; i < _SHARED_FD_N; i++)
		s->fds[i] = -1;
	r = container_state(run->runtime, run->instance->name, &arena, &state, &e);
	if (!r) {
		s->fds[SHARED_INIT] = sys_pidfd_open(state.pid, 0);
		if (s->fds[SHARED_INIT] < 0)
			r = error_system(&e, errno, "open the pidfd of process %d", (int)state.pid);
		s->init.pid = state.pid;
	}
	if (!r)
		r = run_open_pipe(run, "out", (s->terminal ? O_RDWR : O_RDONLY) | O_NONBLOCK, &s->fds[SHARED_OUT], &e);
	if (!r && !s->terminal)
		r = run_open_pipe(run, "err", O_RDONLY | O_NONBLOCK, &s->fds[SHARED_ERR], &e);
	if (!r)
		r = run_make_socket(run, &e);
	if (!r)
		r = run_drop_stdio(&e);
	if (!r) {
		struct error ignored; /* nobody may read it any more */

		if (s->input && !s->input_closed &&
		    run_open_pipe(run, "in", O_WRONLY | O_NONBLOCK, &s->fds[SHARED_IN], &ignored))
			s->input_closed = 1;
		s->phase = MONITOR_RUNNING;
		s->ended = s->drained = 0;
		s->replaced++;
		run_say(run, "the monitor was killed; another is in its place");
		s->notify = 0;
		tell(report, 'S', NULL);
		r = run_become_keeper(run, &e);
	}
	tell(report, 'E', &e);
	_exit(1);
}

int monitor_mend(const struct runtime *runtime, const struct instance *instance, const char **ret_what, struct error *e)
{
	auto_run run = RUN_INIT;
	struct restart_decision next;
	struct instance_end end;
	bool same_boot;
	int r = run_open(&run, runtime, instance, false, e);

	*ret_what = NULL;
	if (r == -ENOENT)
		return 0;
	if (r || (run.shared->phase == MONITOR_NONE && !is_left(&run)) || !run_take_place(&run))
		return r;
	if (is_alive(&run)) {
		*ret_what = "its monitor was killed; another is in its place";
		return start_in_child(&run, replace_child, false, e);
	}
	if (run_load_spec(&run, e)) /* it has to go anyhow */
		run.has_spec = false;
	run_prepare_log(&run);
	same_boot = run_is_of_this_boot(run.shared);
	if (run.shared->phase == MONITOR_WAITING && same_boot) {
		end = (struct instance_end){.status = -1};
	} else {
		run_finish(&run, false, &end);
		*ret_what = same_boot ? "it ended while nobody watched" : "it ended with the host";
	}
	run.shared->phase = MONITOR_NONE;
	/* Who ran when the host went down is started by the boot, in its order, and as units where there are any. */
	if (!same_boot)
		return 0;
	run_decide(&run, end.status, end.ended - end.started, &next);
	if (!next.again || !run.has_spec)
		return 0;
	*ret_what = "it ended while nobody watched, and was started anew";
	run.shared->restarts = next.restarts;
	return start_in_child(&run, start_child, joins_networks(&run), e);
}

/* ---- monitor_wait ---- */

int monitor_wait(const struct runtime *runtime, const struct instance *instance, int64_t timeout, struct error *e)
{
	int64_t deadline = run_clock(CLOCK_BOOTTIME) + timeout;
	auto_run run = RUN_INIT;
	int r = run_open(&run, runtime, instance, false, e);

	if (r)
		return r == -ENOENT ? 0 : r;
	while (run_is_taken(&run)) {
		auto_fd pidfd = sys_pidfd_open(run.shared->keeper.pid, 0);
		int64_t left = timeout < 0 ? INT64_MAX : deadline - run_clock(CLOCK_BOOTTIME);
		struct pollfd p = {.fd = pidfd, .events = POLLIN};

		if (left <= 0)
			return error_refuse(e, ERROR_LIMIT, "instance '%s': its monitor is still there",
					    instance->name);
		if (!run_is_taken(&run))
			break;
		if (run.shared->phase == MONITOR_WAITING && pidfd >= 0)
			sys_pidfd_send_signal(pidfd, SIGTERM);
		/* The keeper may change: look again now and then. */
		left = left / 1000000 + 1;
		poll(&p, 1, left < 200 ? (int)left : 200);
		if (p.revents) /* it is gone, its worker perhaps not yet */
			poll(NULL, 0, 1);
	}
	return 0;
}
