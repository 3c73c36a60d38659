/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "instances/log_read.h"

void run_release(struct run *run)
{
	if (run->shared)
		munmap(run->shared, sizeof(*run->shared));
	run->folder = fd_close(run->folder);
	run->log = fd_close(run->log);
	run->state = fd_close(run->state);
	if (run->has_spec)
		spec_release(&run->spec);
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

int run_open(struct run *run, const struct runtime *runtime, const struct instance *instance, bool create,
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

int run_load_spec(struct run *run, struct error *e)
{
	int r;

	if (run->has_spec)
		spec_release(&run->spec);
	r = instance_load_spec(run->instance, &run->spec, e);
	run->has_spec = !r;
	return r;
}

/* ---- the place ---- */

/*
 * The lock is one of an open file's (F_OFD_SETLK): it goes on with the descriptor across fork and execve, and can be looked at
 * without being taken.
 */
static bool set_place(const struct run *run, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	return !fcntl(run->state, F_OFD_SETLK, &lock);
}

bool run_take_place(const struct run *run)
{
	return set_place(run, F_WRLCK);
}

void run_leave_place(const struct run *run)
{
	if (!set_place(run, F_UNLCK))
		log_debug("unlock the state: %s", strerror(errno));
}

bool run_is_taken(const struct run *run)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return !fcntl(run->state, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

bool run_is_of_this_boot(const struct shared *s)
{
	char boot_id[BOOT_ID_SIZE];

	return *s->boot_id && !proc_boot_id(boot_id) && str_equal(boot_id, s->boot_id);
}

/* ---- the log, from here ---- */

void run_prepare_log(struct run *run)
{
	const struct spec_holm *holm = run->has_spec ? run->spec.holm : NULL;
	struct log_shared *log = &run->shared->log;
	struct log_position end = {0};
	struct error ignored;

	if (!run_is_of_this_boot(run->shared) && !log_find_end(run->log, &end, &ignored) && end.segment > log->segment)
		log->segment = end.segment;
	if (!log->segment)
		log->segment = 1;
	log->size = holm && holm->log.size ? (uint64_t)holm->log.size : LOG_DEFAULT_SIZE;
	log->files = holm && holm->log.files ? holm->log.files : LOG_DEFAULT_FILES;
}

static void drain(struct log *log, const struct shared *shared, enum shared_fd which, enum log_stream stream)
{
	if (shared->fds[which] >= 0)
		while (log_take(log, shared->fds[which], stream) > 0)
			;
}

void run_take_rest(struct run *run, bool ours)
{
	struct log log;

	if (!ours || log_open(&log, run->log, &run->shared->log))
		return;
	drain(&log, run->shared, SHARED_OUT, LOG_OUT);
	drain(&log, run->shared, SHARED_ERR, LOG_ERR);
	log_close(&log);
}

void run_say(struct run *run, const char *format, ...)
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

/* ---- descriptors of the keeper ---- */

static void close_shared(struct shared *shared, enum shared_fd which)
{
	if (shared->fds[which] >= 0)
		close(shared->fds[which]);
	shared->fds[which] = -1;
}

void run_forget_descriptors(struct run *run, bool ours)
{
	for (int i = 0; i < _SHARED_FD_N; i++)
		if (ours)
			close_shared(run->shared, i);
		else
			run->shared->fds[i] = -1;
}
