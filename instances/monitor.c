/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm's side of the monitor: before a run (stdio, container, becoming the keeper), after it (the end, what comes next), and
 * putting things right in between.
 */
#include "instances/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "instances/config.h"
#include "instances/health.h"
#include "instances/history.h"
#include "instances/ledger.h"
#include "instances/log_read.h"
#include "instances/overcommit.h"
#include "instances/restart.h"
#include "instances/shared.h"
#include "runtime/socket.h"

enum {
	PIPE_SIZE = 256 << 10, /* of stdout and stderr: what may wait while the worker is being replaced */
	DEATH_MS = 5000,
	LOCK_TRIES = 20,
};

#define HEALTH_INTERVAL INT64_C(30000000000)
#define HEALTH_TIMEOUT INT64_C(30000000000)
#define HEALTH_GRACE INT64_C(10000000000)
#define HEALTH_RETRIES 3

#define RUN_FOLDER "run"
#define LOG_FOLDER "log"

/* An instance's run/, open.  state holds the lock that says that somebody stays. */
struct run {
	const struct runtime *runtime;
	const struct instance *instance;
	struct spec spec;
	bool has_spec;
	int folder, log, state;
	struct shared *shared;
};

#define RUN_INIT ((struct run){.folder = -1, .log = -1, .state = -1})

static void run_release(struct run *run)
{
	if (run->shared)
		munmap(run->shared, sizeof(*run->shared));
	run->folder = fd_close(run->folder);
	run->log = fd_close(run->log);
	run->state = fd_close(run->state);
	if (run->has_spec)
		spec_release(&run->spec);
}

#define auto_run __attribute__((cleanup(run_release))) struct run

const char *monitor_health_name(enum monitor_health health)
{
	static const char *const names[] = {NULL, "starting", "healthy", "unhealthy"};

	return names[health];
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- opening ---- */

static int open_folder(const struct instance *i, const char *name, bool create, int *ret, struct error *e)
{
	if (create && mkdirat(i->folder, name, 0700) && errno != EEXIST)
		return error_system(e, errno, "make the folder '%s/%s'", i->path, name);
	*ret = openat(i->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret < 0 && !create && errno == ENOENT)
		return -ENOENT;
	return *ret < 0 ? error_system(e, errno, "open '%s/%s'", i->path, name) : 0;
}

static int map_state(struct run *run, struct error *e)
{
	struct stat st;
	void *map;

	if (fstat(run->state, &st))
		return error_system(e, errno, "look at '%s/" RUN_FOLDER "/" SHARED_FILE "'", run->instance->path);
	if (st.st_size < (off_t)sizeof(*run->shared) && ftruncate(run->state, sizeof(*run->shared)))
		return error_system(e, errno, "make '%s/" RUN_FOLDER "/" SHARED_FILE "'", run->instance->path);
	map = mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE, MAP_SHARED, run->state, 0);
	if (map == MAP_FAILED)
		return error_system(e, errno, "map '%s/" RUN_FOLDER "/" SHARED_FILE "'", run->instance->path);
	run->shared = map;
	return 0;
}

/* create: missing parts are made; else -ENOENT without an error when it never ran. */
static int run_open(struct run *run, const struct runtime *runtime, const struct instance *instance, bool create,
		    struct error *e)
{
	int r;

	run->runtime = runtime;
	run->instance = instance;
	r = open_folder(instance, RUN_FOLDER, create, &run->folder, e);
	if (!r)
		r = open_folder(instance, LOG_FOLDER, create, &run->log, e);
	if (r)
		return r;
	run->state = openat(run->folder, SHARED_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
	if (run->state < 0)
		return !create && errno == ENOENT
			   ? -ENOENT
			   : error_system(e, errno, "open '%s/" RUN_FOLDER "/" SHARED_FILE "'", instance->path);
	return map_state(run, e);
}

/*
 * The lock is one of an open file's (F_OFD_SETLK): it goes on with the descriptor across fork and execve, and can be looked at
 * without being taken.
 */
static bool set_place(const struct run *run, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	return !fcntl(run->state, F_OFD_SETLK, &lock);
}

/* Does somebody stay?  If not, the lock is ours: nobody else begins to. */
static bool take_place(const struct run *run)
{
	return set_place(run, F_WRLCK);
}

/* By another open file than ours. */
static bool is_taken(const struct run *run)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return !fcntl(run->state, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static bool is_of_this_boot(const struct shared *s)
{
	char boot_id[BOOT_ID_SIZE];

	return *s->boot_id && !proc_boot_id(boot_id) && str_equal(boot_id, s->boot_id);
}

/* ---- the log, from here ---- */

/*
 * The place of the writer, of which a new instance has none.  What a crash of the host left of run/state may be older than the files
 * are: these say which is the last.
 */
static void prepare_log(struct run *run)
{
	const struct spec_holm *holm = run->has_spec ? run->spec.holm : NULL;
	struct log_shared *log = &run->shared->log;
	struct log_position end = {0};
	struct error ignored;

	if (!is_of_this_boot(run->shared) && !log_find_end(run->log, &end, &ignored) && end.segment > log->segment)
		log->segment = end.segment;
	if (!log->segment)
		log->segment = 1;
	log->size = holm && holm->log.size ? (uint64_t)holm->log.size : LOG_DEFAULT_SIZE;
	log->files = holm && holm->log.files ? holm->log.files : LOG_DEFAULT_FILES;
}

static void close_shared(struct shared *shared, enum shared_fd which)
{
	if (shared->fds[which] >= 0)
		close(shared->fds[which]);
	shared->fds[which] = -1;
}

static void drain(struct log *log, const struct shared *shared, enum shared_fd which, enum log_stream stream)
{
	if (shared->fds[which] >= 0)
		while (log_take(log, shared->fds[which], stream) > 0)
			;
}

/* What is in the pipes when everybody who could write to them is gone; ours: the descriptors in shared are this process's. */
static void take_rest(struct run *run, bool ours)
{
	struct log log;

	if (!ours || log_open(&log, run->log, &run->shared->log))
		return;
	drain(&log, run->shared, SHARED_OUT, LOG_OUT);
	drain(&log, run->shared, SHARED_ERR, LOG_ERR);
	log_close(&log);
}

static void forget_descriptors(struct run *run, bool ours)
{
	for (int i = 0; i < _SHARED_FD_N; i++)
		if (ours)
			close_shared(run->shared, i);
		else
			run->shared->fds[i] = -1;
}

static void say(struct run *run, const char *format, ...) printf_like(2, 3);

static void say(struct run *run, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE + 64];
	struct log log;
	va_list args;
	int n = snprintf(text, sizeof(text), "holm: "), m;

	va_start(args, format);
	m = vsnprintf(text + n, sizeof(text) - n - 1, format, args);
	va_end(args);
	n += m < (int)sizeof(text) - n - 2 ? m : (int)sizeof(text) - n - 2;
	text[n++] = '\n';
	if (log_open(&log, run->log, &run->shared->log))
		return;
	log_add(&log, text, (size_t)n, LOG_HOLM);
	log_close(&log);
}

/* ---- stdio ---- */

/* What the child gets as 0, 1 and 2. */
struct stdio {
	int fds[3];
};

static void stdio_release(struct stdio *stdio)
{
	for (int i = 0; i < 3; i++)
		stdio->fds[i] = fd_close(stdio->fds[i]);
}

#define auto_stdio __attribute__((cleanup(stdio_release))) struct stdio

static int open_pipe(struct run *run, const char *name, int flags, int *ret, struct error *e)
{
	struct stat st;

	*ret = openat(run->folder, name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (*ret < 0)
		return error_system(e, errno, "open '%s/" RUN_FOLDER "/%s'", run->instance->path, name);
	if (fstat(*ret, &st) || !S_ISFIFO(st.st_mode))
		return error_refuse(e, ERROR_INVALID, "'%s/" RUN_FOLDER "/%s' is not a named pipe", run->instance->path,
				    name);
	return 0;
}

static int make_pipe(struct run *run, const char *name, struct error *e)
{
	/* Whoever has the pipe may open it again as /dev/stdout, whatever user it is; the folder keeps others out. */
	if ((mkfifoat(run->folder, name, 0666) && errno != EEXIST) || fchmodat(run->folder, name, 0666, 0))
		return error_system(e, errno, "make the named pipe '%s/" RUN_FOLDER "/%s'", run->instance->path, name);
	return 0;
}

/*
 * The payload's end is open for reading too: whatever dies, it neither gets SIGPIPE nor does what it wrote get lost as long as
 * it lives.  The monitor's end is found again by its name.
 */
static int make_output(struct run *run, const char *name, enum shared_fd which, int *ret_payload, struct error *e)
{
	int r = make_pipe(run, name, e);

	if (!r)
		r = open_pipe(run, name, O_RDONLY | O_NONBLOCK, &run->shared->fds[which], e);
	if (!r)
		r = open_pipe(run, name, O_RDWR, ret_payload, e);
	if (!r && fcntl(*ret_payload, F_SETPIPE_SZ, PIPE_SIZE) < 0)
		log_debug("a pipe of %d bytes can't be had: %s", PIPE_SIZE, strerror(errno));
	return r;
}

static int open_null(int *ret, struct error *e)
{
	return fd_open(AT_FDCWD, "/dev/null", O_RDWR, NULL, ret, e);
}

static int make_input(struct run *run, int *ret_payload, struct error *e)
{
	auto_fd both = -1;
	int r;

	if (!run->shared->input)
		return open_null(ret_payload, e);
	r = make_pipe(run, "in", e);
	if (!r)
		r = open_pipe(run, "in", O_RDWR, &both, e); /* so that neither of the next two waits for the other */
	if (!r)
		r = open_pipe(run, "in", O_RDONLY, ret_payload, e);
	if (!r)
		r = open_pipe(run, "in", O_WRONLY | O_NONBLOCK, &run->shared->fds[SHARED_IN], e);
	return r;
}

static int make_stdio(struct run *run, struct stdio *stdio, struct error *e)
{
	int r;

	if (run->shared->terminal) {
		r = open_null(&stdio->fds[0], e);
		if (!r)
			r = open_null(&stdio->fds[1], e);
		if (!r)
			r = open_null(&stdio->fds[2], e);
		if (!r)
			r = make_pipe(run, "out", e);
		return r ? r : open_pipe(run, "out", O_RDWR | O_NONBLOCK, &run->shared->fds[SHARED_OUT], e);
	}
	r = make_input(run, &stdio->fds[0], e);
	if (!r)
		r = make_output(run, "out", SHARED_OUT, &stdio->fds[1], e);
	if (!r)
		r = make_output(run, "err", SHARED_ERR, &stdio->fds[2], e);
	return r;
}

static int make_socket(struct run *run, struct error *e)
{
	int r;

	unlinkat(run->folder, SHARED_ATTACH, 0);
	r = socket_bind(run->folder, SHARED_ATTACH, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600,
			&run->shared->fds[SHARED_LISTEN], e);
	if (!r && listen(run->shared->fds[SHARED_LISTEN], 16))
		r = error_system(e, errno, "listen on '%s/" RUN_FOLDER "/" SHARED_ATTACH "'", run->instance->path);
	return r;
}

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

/* Does not return but with an error. */
static int become_keeper(struct run *run, struct error *e)
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

/* ---- a run ---- */

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
	prepare_log(run);
	note_begin(run);
}

static int dup_stdio(struct stdio *stdio, struct error *e)
{
	for (int i = 0; i < 3; i++)
		if (dup2(stdio->fds[i], i) < 0)
			return error_system(e, errno, "set up standard streams");
	stdio_release(stdio);
	return 0;
}

/* Neither we nor what comes after us holds what the payload alone has to hold. */
static int drop_stdio(struct error *e)
{
	auto_fd null = -1;
	int r = open_null(&null, e);

	for (int i = 0; i < 3 && !r; i++)
		if (dup2(null, i) < 0)
			r = error_system(e, errno, "set up standard streams");
	return r;
}

/* The container, with stdio of its own: everything up to the payload's first instruction. */
static int launch(struct run *run, struct error *e)
{
	auto_stdio stdio = {{-1, -1, -1}};
	struct container_monitored monitored = {.pidfd = -1, .console = -1, .notify = -1};
	const struct container_create request = {.id = run->instance->name,
						 .bundle = run->instance->path,
						 .detach = true,
						 .monitored = &monitored,
						 .spec = &run->spec};
	struct shared *s = run->shared;
	struct error ignored;
	int status, r;

	prepare_shared(run);
	r = make_stdio(run, &stdio, e);
	if (!r)
		r = make_socket(run, e);
	if (!r)
		r = dup_stdio(&stdio, e);
	if (!r)
		r = instance_save_started(run->instance, e);
	if (!r)
		r = container_run(run->runtime, &request, &status, e);
	if (drop_stdio(r ? &ignored : e) && !r)
		r = -EIO;
	if (r)
		return r;
	s->init.pid = monitored.pid;
	s->fds[SHARED_INIT] = monitored.pidfd;
	s->fds[SHARED_NOTIFY] = monitored.notify;
	s->fds[SHARED_TERMINAL] = monitored.console;
	if (monitored.console >= 0)
		fcntl(monitored.console, F_SETFL, O_RDWR | O_NONBLOCK);
	s->started = (uint64_t)clock_ns(CLOCK_REALTIME);
	s->started_clock = (uint64_t)clock_ns(CLOCK_BOOTTIME);
	s->phase = MONITOR_RUNNING;
	return 0;
}

/* ---- the end ---- */

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

/* One that can't be deleted is said and tried again by the next start. */
static void delete_container(struct run *run)
{
	struct error e = ERROR_INIT;
	char text[ERROR_TEXT_SIZE + 128];

	if (container_delete(run->runtime, run->instance->name, true, &e))
		say(run, "%s", error_format(&e, text, sizeof(text)));
}

static int record_end(struct run *run, struct instance_end *end, const struct cgroup_end *resources, struct error *e)
{
	int r = instance_save_end(run->instance, end, e), more;
	struct error next;

	more = history_add(run->instance, end, resources, r ? &next : e);
	return r ?: more;
}

/*
 * The payload has ended: records how, deletes the container, takes the last output.  ours: the descriptors in shared belong to this
 * process (it is the keeper).  The instance is locked.
 */
static void finish(struct run *run, bool ours, struct instance_end *ret)
{
	auto_str why = STR_INIT;
	struct cgroup_end resources = {0};
	struct shared *s = run->shared;
	struct error e = ERROR_INIT, ignored;
	char text[ERROR_TEXT_SIZE + 128];
	bool same_boot = is_of_this_boot(s);

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
	    .ended = clock_ns(CLOCK_REALTIME),
	    .restarts = s->restarts,
	    .asked = !instance_is_wanted(run->instance),
	};
	if (same_boot && s->started_clock &&
	    ledger_add(run->runtime, run->instance, s->started_clock, &resources, &s->ledger, &e))
		say(run, "%s", error_format(&e, text, sizeof(text)));
	delete_container(run);
	take_rest(run, ours);
	say(run, "%s ended: %s", run->instance->name, str_peek(&why));
	ret->why = str_peek(&why);
	if (record_end(run, ret, &resources, &e))
		say(run, "%s", error_format(&e, text, sizeof(text)));
	ret->why = NULL;
	forget_descriptors(run, ours);
	unlinkat(run->folder, SHARED_ATTACH, 0);
	s->phase = MONITOR_NONE;
	s->init = s->worker = (struct shared_process){0};
}

/* An attempt that did not even start is an end too, of a run of no length. */
static void record_failure(struct run *run, const struct error *failure)
{
	struct instance_end end = {
	    .status = -1,
	    .started = clock_ns(CLOCK_REALTIME),
	    .ended = clock_ns(CLOCK_REALTIME),
	    .restarts = run->shared->restarts,
	};
	const struct cgroup_end nothing = {.memory_limit = CGROUP_UNLIMITED};
	char text[ERROR_TEXT_SIZE + 128];
	struct error ignored;

	end.why = error_format(failure, text, sizeof(text));
	say(run, "%s can't be started: %s", run->instance->name, text);
	if (record_end(run, &end, &nothing, &ignored))
		say(run, "%s", ignored.text);
}

/* ---- what comes next ---- */

static void decide(struct run *run, int status, int64_t ran, struct restart_decision *ret)
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

/* As the keeper: waits, as holm-monitor, which then executes `holm supervise --resume`.  Returns with an error only. */
static int wait_for_restart(struct run *run, const struct restart_decision *next, struct error *e)
{
	struct shared *s = run->shared;

	s->restarts = next->restarts;
	s->wait = (uint64_t)next->wait;
	s->next_restart = (uint64_t)(clock_ns(CLOCK_REALTIME) + next->wait);
	s->phase = MONITOR_WAITING;
	return become_keeper(run, e);
}

/* As the keeper: starts it anew.  Returns when it is not to be started anew (0), or can't be waited for. */
static int start_again(struct run *run, struct instance *instance, struct error *e)
{
	struct restart_decision next;
	struct error failure = ERROR_INIT;

	if (!launch(run, &failure)) {
		instance_unlock(instance);
		return become_keeper(run, e);
	}
	forget_descriptors(run, true);
	record_failure(run, &failure);
	run->shared->phase = MONITOR_NONE;
	decide(run, -1, 0, &next);
	return next.again ? wait_for_restart(run, &next, e) : 0;
}

static int load_spec(struct run *run, struct error *e)
{
	int r;

	if (run->has_spec)
		spec_release(&run->spec);
	r = instance_load_spec(run->instance, &run->spec, e);
	run->has_spec = !r;
	return r;
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
static void start_child(struct run *run, int report)
{
	struct error e = ERROR_INIT;
	int r;

	setsid();
	if (chdir("/"))
		log_debug("chdir: %s", strerror(errno));
	log_set_sink(report_warning, &report);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r = launch(run, &e);
	if (!r) {
		run->shared->keeper.pid = getpid(); /* whoever hears that it runs may ask at once who keeps it */
		tell(report, 'S', NULL);
		if (run->shared->notify)
			run->shared->fds[SHARED_REPORT] = report;
		r = become_keeper(run, &e);
		sys_pidfd_send_signal(run->shared->fds[SHARED_INIT], SIGKILL);
		delete_container(run);
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

	while (!s->ready && !s->ended && s->phase == MONITOR_RUNNING && is_taken(run)) {
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

static int start_in_child(struct run *run, void (*child)(struct run *run, int report), struct error *e)
{
	auto_fd ours = -1, theirs = -1;
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_system(e, errno, "make a socket for the monitor");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return error_system(e, errno, "start the monitor");
	if (!pid) {
		ours = fd_close(ours);
		child(run, theirs);
		_exit(1);
	}
	theirs = fd_close(theirs);
	/* The place is the child's from now on; to look at the lock takes an open file of our own. */
	fd_close(run->state);
	run->state = openat(run->folder, SHARED_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
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

	if (pidfd >= 0 && is_taken(run) && s->phase == MONITOR_WAITING) {
		sys_pidfd_send_signal(pidfd, SIGKILL);
		poll(&p, 1, DEATH_MS);
	}
	if (take_place(run))
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
		r = load_spec(&run, e);
	}
	if (!r)
		r = take_place(&run) ? 0 : end_waiting(&run, e);
	if (!r && is_alive(&run))
		r = error_refuse(e, ERROR_STATE, "instance '%s' is running", instance->name);
	if (!r)
		r = overcommit_check(runtime, instance, e);
	if (r)
		return r;
	prepare_log(&run);
	if (is_left(&run))
		finish(&run, false, &end);
	run.shared->restarts = 0;
	return start_in_child(&run, start_child, e);
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
	if (s->version != SHARED_VERSION || !is_taken(&run))
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
static void replace_child(struct run *run, int report)
{
	auto_arena arena = ARENA_INIT;
	struct container_state state;
	struct error e = ERROR_INIT;
	struct shared *s = run->shared;
	int r;

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
		r = open_pipe(run, "out", (s->terminal ? O_RDWR : O_RDONLY) | O_NONBLOCK, &s->fds[SHARED_OUT], &e);
	if (!r && !s->terminal)
		r = open_pipe(run, "err", O_RDONLY | O_NONBLOCK, &s->fds[SHARED_ERR], &e);
	if (!r)
		r = make_socket(run, &e);
	if (!r)
		r = drop_stdio(&e);
	if (!r) {
		struct error ignored; /* nobody may read it any more */

		if (s->input && !s->input_closed &&
		    open_pipe(run, "in", O_WRONLY | O_NONBLOCK, &s->fds[SHARED_IN], &ignored))
			s->input_closed = 1;
		s->phase = MONITOR_RUNNING;
		s->ended = s->drained = 0;
		s->replaced++;
		say(run, "the monitor was killed; another is in its place");
		s->notify = 0;
		tell(report, 'S', NULL);
		r = become_keeper(run, &e);
	}
	tell(report, 'E', &e);
	_exit(1);
}

int monitor_mend(const struct runtime *runtime, const struct instance *instance, const char **ret_what, struct error *e)
{
	auto_run run = RUN_INIT;
	struct restart_decision next;
	struct instance_end end;
	int r = run_open(&run, runtime, instance, false, e);

	*ret_what = NULL;
	if (r == -ENOENT)
		return 0;
	if (r || (run.shared->phase == MONITOR_NONE && !is_left(&run)) || !take_place(&run))
		return r;
	if (is_alive(&run)) {
		*ret_what = "its monitor was killed; another is in its place";
		return start_in_child(&run, replace_child, e);
	}
	if (load_spec(&run, e)) /* it has to go anyhow */
		run.has_spec = false;
	prepare_log(&run);
	if (run.shared->phase == MONITOR_WAITING && is_of_this_boot(run.shared)) {
		end = (struct instance_end){.status = -1};
	} else {
		finish(&run, false, &end);
		*ret_what = "it ended while nobody watched";
	}
	run.shared->phase = MONITOR_NONE;
	decide(&run, end.status, end.ended - end.started, &next);
	if (!next.again || !run.has_spec)
		return 0;
	*ret_what = "it ended while nobody watched, and was started anew";
	run.shared->restarts = next.restarts;
	return start_in_child(&run, start_child, e);
}

/* ---- monitor_wait ---- */

int monitor_wait(const struct runtime *runtime, const struct instance *instance, int64_t timeout, struct error *e)
{
	int64_t deadline = clock_ns(CLOCK_BOOTTIME) + timeout;
	auto_run run = RUN_INIT;
	int r = run_open(&run, runtime, instance, false, e);

	if (r)
		return r == -ENOENT ? 0 : r;
	while (is_taken(&run)) {
		auto_fd pidfd = sys_pidfd_open(run.shared->keeper.pid, 0);
		int64_t left = timeout < 0 ? INT64_MAX : deadline - clock_ns(CLOCK_BOOTTIME);
		struct pollfd p = {.fd = pidfd, .events = POLLIN};

		if (left <= 0)
			return error_refuse(e, ERROR_LIMIT, "instance '%s': its monitor is still there",
					    instance->name);
		if (!is_taken(&run))
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

/* ---- holm supervise ---- */

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
		say(run, "%s", e.text);
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
	if (!set_place(run, F_UNLCK))
		log_debug("unlock the state: %s", strerror(errno));
	if (remove && !proc_program(NULL, holm, sizeof(holm), &e)) {
		fcntl(run->state, F_SETFD, FD_CLOEXEC);
		execv(holm, (char **)argv);
	}
	return 0;
}

/* ---- what the worker asks for every so often ---- */

/* A line for the log of an instance that runs: its worker writes it. */
static void say_running(struct run *run, const char *format, ...) printf_like(2, 3);

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

int monitor_tick(const struct runtime *runtime, const struct instance *instance, struct error *e)
{
	auto_run run = RUN_INIT;
	int r = open_running(&run, runtime, instance, e);

	return r ?: ledger_add(runtime, instance, run.shared->started_clock, NULL, &run.shared->ledger, e);
}

/* It is asked to end, and made to when it does not; what then happens is the keeper's and the policy's. */
static int end_payload(struct run *run, int signal, int64_t grace, struct error *e)
{
	auto_fd pidfd = sys_pidfd_open(run->shared->init.pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int r = signal == SIGKILL ? 0 : container_kill(run->runtime, run->instance->name, signal, false, e);

	if (!r && signal != SIGKILL && pidfd >= 0 && poll(&p, 1, (int)(grace / 1000000)) > 0)
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

int monitor_check_health(const struct runtime *runtime, struct instance *instance, struct error *e)
{
	auto_run run = RUN_INIT;
	struct health_result result;
	struct shared *s;
	uint32_t retries;
	int r = open_running(&run, runtime, instance, e);

	if (!r)
		r = load_spec(&run, e);
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
	    clock_ns(CLOCK_BOOTTIME) - (int64_t)s->started_clock < run.spec.holm->health.start_period)
		return 0;
	if (++s->failures < retries || s->health == MONITOR_HEALTH_BAD)
		return 0;
	s->health = MONITOR_HEALTH_BAD;
	say_running(&run, "unhealthy: %s", result.why);
	return act(&run, instance, e);
}

int monitor_supervise(const struct runtime *runtime, struct instance *instance, bool resume, struct error *e)
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
	if (load_spec(&run, e))
		say(&run, "%s", e->text);
	prepare_log(&run);
	if (resume) {
		forget_descriptors(&run, true);
		if (!instance_is_wanted(instance) || !run.has_spec)
			return leave(&run, instance);
		r = start_again(&run, instance, e);
		return r ?: leave(&run, instance);
	}
	finish(&run, true, &end);
	decide(&run, end.status, (int64_t)clock_ns(CLOCK_BOOTTIME) - (int64_t)run.shared->started_clock, &next);
	if (!next.again || !run.has_spec)
		return leave(&run, instance);
	instance_unlock(instance);
	return wait_for_restart(&run, &next, e);
}
