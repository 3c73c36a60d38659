/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/layer_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

enum { RETRY_MS = 50, PARALLEL_MAX = 32, DONE_MAX = 4096 };

static unsigned count_processors(void)
{
	cpu_set_t set;
	int n;

	CPU_ZERO(&set);
	n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
	return n < 1 ? 1 : n > PARALLEL_MAX ? PARALLEL_MAX : n;
}

static int add_name(const struct layer_job *job, int r, struct error *e)
{
	if (r && job->name)
		error_context(e, "%s", job->name);
	return r;
}

/* ---- starting ---- */

/* A second holm-unpack packs the folder into a pipe. */
static int start_feeder(const struct store *store, const struct layer_jobs *jobs, struct layer_job *job,
			struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_PACK,
					 .flags = (store->rootless ? UNPACK_ROOTLESS : 0) |
						  (job->is_overlay ? UNPACK_OVERLAY : 0),
					 .limits = jobs->limits};
	int pair[2], fds[2], r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_system(e, errno, "make a pipe");
	job->fd = pair[0];
	fcntl(pair[1], F_SETPIPE_SZ, 1 << 20); /* more than an ordinary user may have: then it is as it was */
	fds[0] = job->folder;
	fds[1] = pair[1];
	r = unpack_start(&request, fds, 2, &job->feeder, e);
	fd_close(pair[1]);
	return r;
}

static int start_unpacking(const struct store *store, const struct layer_jobs *jobs, struct layer_job *job,
			   struct error *e)
{
	struct unpack_request request = {.operation = UNPACK_LAYER,
					 .flags = (store->rootless ? UNPACK_ROOTLESS | UNPACK_NO_DEVICES : 0) |
						  (jobs->no_devices ? UNPACK_NO_DEVICES : 0) |
						  (job->may_spool ? UNPACK_MAY_SPOOL : 0),
					 .limits = jobs->limits,
					 .offset = job->offset,
					 .length = job->size};
	int fds[4], r = 0;

	if (job->folder >= 0)
		r = start_feeder(store, jobs, job, e);
	if (r)
		return r;
	job->spool = job->may_spool ? openat(job->work.tmp.fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)
				    : openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC);
	if (job->spool < 0)
		return error_system(e, errno, "make a file in '%s/tmp'", store->path);
	fds[0] = job->fd;
	fds[1] = job->work.tree;
	fds[2] = job->work.frame;
	fds[3] = job->spool;
	r = unpack_start(&request, fds, 4, &job->call, e);
	job->fd = fd_close(job->fd); /* holm-unpack has it; of a pipe there must be no other reader */
	if (!job->may_spool)
		job->spool = fd_close(job->spool);
	return r;
}

/* Whether it can begin; what is there already is taken as it is, once nobody can remove it any more. */
static int start(const struct store *store, const struct layer_jobs *jobs, struct layer_job *job, struct error *e)
{
	int r = layer_begin(store, job->diff, &job->work, e);

	if (r == -EAGAIN)
		return 0;
	if (r == -EEXIST) {
		if (layer_confirm(store, job->diff, NULL))
			return 0; /* removed meanwhile: once more */
		r = layer_load(store, job->diff, &job->info, e);
		snprintf(job->id, sizeof(job->id), "%s", job->diff);
		job->state = LAYER_JOB_PRESENT;
		job->progress = job->size;
		job->fd = fd_close(job->fd);
		return r;
	}
	if (!r && job->fd < 0 && job->folder < 0)
		r = error_refuse(e, ERROR_NOT_FOUND, "the archive does not have it, and the store neither");
	r = r ?: start_unpacking(store, jobs, job, e);
	job->state = LAYER_JOB_RUNS;
	return r;
}

/* ---- the end of one ---- */

static int verify(const struct layer_job *job, struct error *e)
{
	const struct unpack_result *result = &job->result;

	if (job->blob && !str_equal(job->blob, result->blob))
		return error_refuse(e, ERROR_INVALID, "the archive was altered: its SHA-256 is %s and not %s",
				    result->blob, job->blob);
	if (job->diff && !str_equal(job->diff, result->diff))
		return error_refuse(e, ERROR_INVALID,
				    "the archive was altered: the SHA-256 of its content is %s and not %s",
				    result->diff, job->diff);
	if (!job->diff && !result->has_end)
		return error_refuse(e, ERROR_INVALID, "the archive is cut off: it has no end after %llu members",
				    (unsigned long long)result->entries);
	if (!store_is_hex(result->diff))
		return error_bug(e, "holm-unpack named no digest");
	return 0;
}

static void warn(const struct layer_job *job)
{
	const char *name = job->name ?: "the layer";

	if (job->result.owners)
		log_warning("%s: %llu file%s to you instead of its owner: only root can give it away", name,
			    (unsigned long long)job->result.owners, job->result.owners == 1 ? " belongs" : "s belong");
	if (job->result.devices)
		log_warning("%s: %llu device node%s in dev/ %s left out", name, (unsigned long long)job->result.devices,
			    job->result.devices == 1 ? "" : "s", job->result.devices == 1 ? "was" : "were");
	if (job->result.attributes)
		log_debug("%s: %llu extended attributes were left out", name,
			  (unsigned long long)job->result.attributes);
}

static int finish(const struct store *store, struct layer_job *job, struct error *e)
{
	int r;

	job->state = LAYER_JOB_DONE;
	if (job->result.kind == UNPACK_SPOOLED) {
		layer_end(store, &job->work);
		return 0;
	}
	job->spool = fd_close(job->spool);
	r = verify(job, e);
	if (r)
		return r;
	memcpy(job->id, job->result.diff, sizeof(job->id));
	job->progress = job->result.blob_size;
	job->info = (struct layer_info){.size = job->result.size,
					.disk = job->result.disk,
					.entries = job->result.entries,
					.has_frame = job->result.has_frame};
	warn(job);
	return layer_describe(&job->work, &job->info, e);
}

static void note_progress(uint64_t bytes, void *data)
{
	((struct layer_job *)data)->progress = bytes;
}

/* What the one who packs says: its error is the cause of what the other sees. */
static int hear_feeder(struct layer_job *job, struct error *e)
{
	bool ended;
	int r = unpack_hear(&job->feeder, NULL, NULL, &ended, e);

	if (ended)
		unpack_close(&job->feeder);
	return r;
}

static int hear(const struct store *store, struct layer_job *job, struct error *e)
{
	struct unpack_sink sink = {.progress = note_progress, .data = job};
	bool ended;
	int r = unpack_hear(&job->call, &sink, &job->result, &ended, e);

	if (ended)
		unpack_close(&job->call);
	if (r && job->feeder.pid > 0) {
		struct error cause = ERROR_INIT;

		if (unpack_wait(&job->feeder, NULL, NULL, &cause) && e && cause.code != EPIPE &&
		    !strstr(cause.text, "SIGPIPE"))
			*e = cause;
		return r;
	}
	if (!r && ended)
		r = finish(store, job, e);
	return r;
}

/* ---- all of them ---- */

static void report(struct layer_jobs *jobs, bool ended)
{
	struct layer_progress progress = {.layers = jobs->n, .ended = ended};
	bool known = true;

	if (!jobs->progress)
		return;
	for (size_t i = 0; i < jobs->n; i++) {
		const struct layer_job *job = &jobs->jobs[i];

		progress.done += job->state >= LAYER_JOB_DONE;
		progress.bytes += job->state == LAYER_JOB_DONE && job->size ? job->size : job->progress;
		progress.total += job->size;
		known = known && job->size;
	}
	if (!known)
		progress.total = 0;
	jobs->progress(&progress, jobs->data);
}

/* Whoever presses Ctrl-C finds nothing half-made: these signals are heard, and what was begun is removed. */
static int hold_signals(sigset_t *ret_before, int *ret_fd, struct error *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		/* A signal that is ignored is kept all the same while it is blocked. */
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd < 0 || sigprocmask(SIG_BLOCK, &set, ret_before) < 0 ? error_system(e, errno, "hear signals") : 0;
}

static int hear_signal(int fd, struct error *e)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return error_refuse(e, ERROR_SYSTEM, "interrupted by SIG%s", sigabbrev_np((int)info.ssi_signo) ?: "?");
}

static int listen_once(const struct store *store, struct layer_jobs *jobs, int signals, bool waiting, struct error *e)
{
	struct pollfd fds[2 * PARALLEL_MAX + 1];
	struct layer_job *of[2 * PARALLEL_MAX];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < jobs->n; i++) {
		struct layer_job *job = &jobs->jobs[i];

		if (job->state != LAYER_JOB_RUNS)
			continue;
		of[n] = job;
		fds[n++] = (struct pollfd){.fd = job->call.socket, .events = POLLIN};
		of[n] = job;
		fds[n++] = (struct pollfd){.fd = job->feeder.socket, .events = POLLIN}; /* -1: poll(2) passes it over */
	}
	fds[n] = (struct pollfd){.fd = signals, .events = POLLIN};
	if (poll(fds, n + 1, waiting ? RETRY_MS : -1) < 0)
		return errno == EINTR ? 0 : error_system(e, errno, "poll");
	if (fds[n].revents)
		r = hear_signal(signals, e);
	for (size_t i = 0; !r && i < n; i++) {
		if (!fds[i].revents || of[i]->state != LAYER_JOB_RUNS)
			continue;
		r = add_name(of[i], i % 2 ? hear_feeder(of[i], e) : hear(store, of[i], e), e);
	}
	return r;
}

static bool can_publish(const struct layer_job *job)
{
	return job->state == LAYER_JOB_DONE && job->work.tmp.fd >= 0 && *job->work.tmp.name;
}

int layer_jobs_publish(const struct store *store, struct layer_jobs *jobs, struct error *e)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < jobs->n; i++)
		any = any || can_publish(&jobs->jobs[i]);
	if (!any)
		return 0;
	if (syncfs(store->fd) < 0)
		return error_system(e, errno, "write the layers to the disk");
	for (size_t i = 0; !r && i < jobs->n; i++)
		if (can_publish(&jobs->jobs[i]))
			r = layer_publish(store, &jobs->jobs[i].work, jobs->jobs[i].id, e);
	return r;
}

static int run_all(const struct store *store, struct layer_jobs *jobs, int signals, struct error *e)
{
	unsigned parallel = jobs->parallel && jobs->parallel < PARALLEL_MAX ? jobs->parallel : count_processors();

	for (;;) {
		unsigned running = 0, waiting = 0;
		int r;

		for (size_t i = 0; i < jobs->n; i++)
			running += jobs->jobs[i].state == LAYER_JOB_RUNS;
		for (size_t i = 0; i < jobs->n; i++) {
			struct layer_job *job = &jobs->jobs[i];

			if (job->state != LAYER_JOB_WAITS)
				continue;
			if (running < parallel) {
				r = add_name(job, start(store, jobs, job, e), e);
				if (r)
					return r;
			}
			running += job->state == LAYER_JOB_RUNS;
			waiting += job->state == LAYER_JOB_WAITS;
		}
		report(jobs, !running && !waiting);
		if (!running && !waiting)
			return 0;
		/* Who makes what we wait for may wait for what we have made. */
		r = running ? 0 : layer_jobs_publish(store, jobs, e);
		if (r)
			return r;
		r = listen_once(store, jobs, signals, waiting && running < parallel, e);
		if (r)
			return r;
	}
}

int layer_jobs_run(const struct store *store, struct layer_jobs *jobs, struct error *e)
{
	auto_fd signals = -1;
	sigset_t before;
	int r = hold_signals(&before, &signals, e);

	if (r)
		return r;
	r = run_all(store, jobs, signals, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

void layer_jobs_close(const struct store *store, struct layer_jobs *jobs)
{
	for (size_t i = 0; i < jobs->n; i++) {
		struct layer_job *job = &jobs->jobs[i];

		unpack_close(&job->call);
		unpack_close(&job->feeder);
		job->fd = fd_close(job->fd);
		job->spool = fd_close(job->spool);
		layer_end(store, &job->work);
	}
}
