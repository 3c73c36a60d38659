/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/events.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/path.h"

static const char *const event_names[_CGROUP_EVENT_N] = {
    [CGROUP_EVENT_OOM] = "oom",
    [CGROUP_EVENT_OOM_KILL] = "oom-kill",
    [CGROUP_EVENT_MEMORY_MAX] = "memory-max",
    [CGROUP_EVENT_MEMORY_HIGH] = "memory-high",
    [CGROUP_EVENT_PIDS_MAX] = "pids-max",
    [CGROUP_EVENT_PRESSURE_CPU] = "pressure-cpu",
    [CGROUP_EVENT_PRESSURE_MEMORY] = "pressure-memory",
    [CGROUP_EVENT_PRESSURE_IO] = "pressure-io",
    [CGROUP_EVENT_EMPTY] = "empty",
    [CGROUP_EVENT_GONE] = "gone",
};

const char *cgroup_event_name(enum cgroup_event_kind kind)
{
	return event_names[kind];
}

/* Counters in files of the form "key N" per line. */
static const struct {
	enum cgroup_event_kind kind;
	enum cgroup_controller controller;
	enum cgroup_dialect dialect;
	const char *file, *key;
} counters[] = {
    {CGROUP_EVENT_OOM, CGROUP_MEMORY, CGROUP_V2, "memory.events", "oom"},
    {CGROUP_EVENT_OOM_KILL, CGROUP_MEMORY, CGROUP_V2, "memory.events", "oom_kill"},
    {CGROUP_EVENT_MEMORY_MAX, CGROUP_MEMORY, CGROUP_V2, "memory.events", "max"},
    {CGROUP_EVENT_MEMORY_HIGH, CGROUP_MEMORY, CGROUP_V2, "memory.events", "high"},
    {CGROUP_EVENT_OOM_KILL, CGROUP_MEMORY, CGROUP_V1, "memory.oom_control", "oom_kill"},
    {CGROUP_EVENT_PIDS_MAX, CGROUP_PIDS, CGROUP_V2, "pids.events", "max"},
    {CGROUP_EVENT_PIDS_MAX, CGROUP_PIDS, CGROUP_V1, "pids.events", "max"},
    {CGROUP_EVENT_EMPTY, _CGROUP_CONTROLLER_N, CGROUP_V2, "cgroup.events", "populated"},
};

static const struct {
	enum cgroup_event_kind kind;
	const char *file;
} pressures[] = {
    {CGROUP_EVENT_PRESSURE_CPU, "cpu.pressure"},
    {CGROUP_EVENT_PRESSURE_MEMORY, "memory.pressure"},
    {CGROUP_EVENT_PRESSURE_IO, "io.pressure"},
};

enum {
	N_COUNTERS = ARRAY_SIZE(counters),
	N_PRESSURES = ARRAY_SIZE(pressures),
	SILENT_INTERVAL = 1000,
	WINDOW = 2000, /* ms; without CAP_SYS_RESOURCE the kernel takes multiples of 2 s */
};

/* What an epoll event is about. */
enum source { SOURCE_INOTIFY, SOURCE_OOM, SOURCE_PRESSURE };

struct cgroup_watch {
	int epoll, inotify, oom;   /* oom: v1's eventfd */
	int pressure[N_PRESSURES]; /* trigger files: they wake us */
	struct {
		uint64_t total; /* us waited, at the last event or the window's start */
		int64_t since;
	} waited[N_PRESSURES];
	unsigned pressure_us, kinds;
	char *folder[N_COUNTERS]; /* NULL: not watched */
	uint64_t last[N_COUNTERS];
	char *alive;			   /* a folder whose absence means that all is over */
	uint64_t pending[_CGROUP_EVENT_N]; /* not yet handed out */
	bool gone;
	bool empty;	/* no process is left: the folder may go any time, of which the kernel does not always tell */
	bool silent;	/* a counter of which nobody tells is watched */
	int64_t looked; /* when it was last looked at */
};

struct cgroup_watch *cgroup_watch_close(struct cgroup_watch *w)
{
	if (!w)
		return NULL;
	fd_close(w->inotify);
	fd_close(w->oom);
	for (size_t i = 0; i < N_PRESSURES; i++)
		fd_close(w->pressure[i]);
	fd_close(w->epoll);
	for (size_t i = 0; i < N_COUNTERS; i++)
		free(w->folder[i]);
	free(w->alive);
	free(w);
	return NULL;
}

int cgroup_watch_fd(const struct cgroup_watch *w)
{
	return w->epoll;
}

int cgroup_watch_timeout(const struct cgroup_watch *w)
{
	return (w->silent || w->empty) && !w->gone ? SILENT_INTERVAL : -1;
}

static int add_source(struct cgroup_watch *w, int fd, uint32_t events, enum source source, size_t index)
{
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)source << 32 | index};

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch_counter(struct cgroup_watch *w, size_t i, const char *folder)
{
	auto_free char *path = NULL;

	if (cgroup_file_read_key(folder, counters[i].file, counters[i].key, &w->last[i]) < 0)
		return 0; /* an older kernel, or the controller isn't enabled */
	if (asprintf(&path, "%s/%s", folder, counters[i].file) < 0)
		return -ENOMEM;
	if (inotify_add_watch(w->inotify, path, IN_MODIFY | IN_DELETE_SELF) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (counters[i].kind == CGROUP_EVENT_EMPTY)
		w->empty = !w->last[i];
	w->silent |= counters[i].kind == CGROUP_EVENT_PIDS_MAX && counters[i].dialect == CGROUP_V1;
	w->folder[i] = strdup(folder);
	return w->folder[i] ? 0 : -ENOMEM;
}

/* v1: the kernel writes to an eventfd that is named together with an open memory.oom_control. */
static int watch_oom_v1(struct cgroup_watch *w, const char *folder)
{
	auto_free char *path = NULL;
	auto_fd control = -1;
	char text[32];
	int r;

	if (asprintf(&path, "%s/memory.oom_control", folder) < 0)
		return -ENOMEM;
	control = open(path, O_RDONLY | O_CLOEXEC);
	w->oom = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control < 0 || w->oom < 0)
		return errno == ENOENT ? 0 : -errno;
	snprintf(text, sizeof(text), "%d %d", w->oom, control);
	r = cgroup_file_write(folder, "cgroup.event_control", text);
	if (r == -ENOENT || r == -EINVAL)
		return 0;
	return r < 0 ? r : add_source(w, w->oom, EPOLLIN, SOURCE_OOM, 0);
}

static uint64_t read_waited(struct cgroup_watch *w, size_t i)
{
	char text[256];
	ssize_t n = pread(w->pressure[i], text, sizeof(text) - 1, 0);
	uint64_t total = 0;

	text[n > 0 ? n : 0] = 0;
	return cgroup_text_find(text, "total", &total) ? total : 0; /* the first line: some */
}

/*
 * The trigger's own word can't be relied on: whoever polls our epoll descriptor makes the kernel ask the trigger, which
 * forgets its event by being asked.  So it only wakes, and what happened is computed from the total.
 */
static int watch_pressure(struct cgroup_watch *w, size_t i, const char *folder)
{
	auto_free char *path = NULL;
	auto_fd fd = -1;
	char text[64];
	int n;

	if (asprintf(&path, "%s/%s", folder, pressures[i].file) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0; /* PSI is off */
	n = snprintf(text, sizeof(text), "some %u %u", w->pressure_us * (WINDOW / 1000), WINDOW * 1000);
	if (write(fd, text, n + 1) < 0)
		return errno == EOPNOTSUPP || errno == EINVAL || errno == EPERM ? 0 : -errno;
	w->pressure[i] = take_fd(&fd);
	w->waited[i].total = read_waited(w, i);
	w->waited[i].since = cgroup_clock();
	return add_source(w, w->pressure[i], EPOLLPRI, SOURCE_PRESSURE, i);
}

static void read_pressure(struct cgroup_watch *w, size_t i)
{
	int64_t now = cgroup_clock();
	uint64_t total;

	if (w->pressure[i] < 0)
		return;
	total = read_waited(w, i);
	if (total - w->waited[i].total >= (uint64_t)w->pressure_us * (WINDOW / 1000))
		w->pending[pressures[i].kind] = 1;
	else if (now - w->waited[i].since < WINDOW)
		return;
	w->waited[i].total = total;
	w->waited[i].since = now;
}

static int open_all(struct cgroup_watch *w, const struct cgroup *cgroup, unsigned kinds, unsigned pressure_us)
{
	const char *v2 = cgroup_find_v2(cgroup), *memory = cgroup_find_v1(cgroup, CGROUP_MEMORY);
	int r;

	w->alive = strdup(v2 ? v2 : cgroup->n_paths ? cgroup->paths[0].path : "/nonexistent");
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!w->alive || w->epoll < 0 || w->inotify < 0)
		return -errno;
	w->silent = !v2;
	r = add_source(w, w->inotify, EPOLLIN, SOURCE_INOTIFY, 0);
	if (!r && inotify_add_watch(w->inotify, w->alive, IN_DELETE_SELF) < 0)
		r = -errno;
	for (size_t i = 0; !r && i < N_COUNTERS; i++) {
		const char *v1 = cgroup_find_v1(cgroup, counters[i].controller);
		const char *folder = counters[i].dialect == CGROUP_V1 ? v1 : v1 ? NULL : v2;

		/* Emptiness always: then the folder's end is to be looked for. */
		if (folder && (kinds | 1u << CGROUP_EVENT_EMPTY) & (1u << counters[i].kind))
			r = watch_counter(w, i, folder);
	}
	if (!r && memory && kinds & (1u << CGROUP_EVENT_OOM | 1u << CGROUP_EVENT_OOM_KILL))
		r = watch_oom_v1(w, memory);
	for (size_t i = 0; !r && v2 && pressure_us && i < N_PRESSURES; i++)
		if (kinds & (1u << pressures[i].kind))
			r = watch_pressure(w, i, v2);
	return r;
}

int cgroup_watch_open(const struct cgroup *cgroup, unsigned kinds, unsigned pressure_us, struct cgroup_watch **ret,
		      struct error *e)
{
	struct cgroup_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_system(e, ENOMEM, "watch a cgroup");
	if (pressure_us && (pressure_us < 50000 || pressure_us > 1000000)) {
		free(w);
		return error_refuse(e, ERROR_USAGE, "a pressure threshold of %u us is not in 50000 to 1000000",
				    pressure_us);
	}
	w->epoll = w->inotify = w->oom = -1;
	w->pressure_us = pressure_us;
	w->kinds = kinds;
	for (size_t i = 0; i < N_PRESSURES; i++)
		w->pressure[i] = -1;
	r = open_all(w, cgroup, kinds, pressure_us);
	if (r < 0) {
		error_system(e, -r, "watch the cgroup '%s'", w->alive ? w->alive : "");
		cgroup_watch_close(w);
		return r;
	}
	*ret = w;
	return 0;
}

/* ---- reading ---- */

static void read_counter(struct cgroup_watch *w, size_t i)
{
	uint64_t now;

	if (!w->folder[i] || cgroup_file_read_key(w->folder[i], counters[i].file, counters[i].key, &now) < 0)
		return;
	if (counters[i].kind == CGROUP_EVENT_EMPTY) { /* a state, not a counter */
		w->empty = !now;
		w->pending[CGROUP_EVENT_EMPTY] |= w->kinds & (1u << CGROUP_EVENT_EMPTY) && w->last[i] && !now;
	} else if (now > w->last[i]) {
		w->pending[counters[i].kind] += now - w->last[i];
	}
	w->last[i] = now;
}

static void drain(int fd)
{
	char buffer[4096] __attribute__((aligned(8)));

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

/* The eventfd is also written to when the folder is removed. */
static void read_oom_v1(struct cgroup_watch *w)
{
	uint64_t n = 0;

	if (read(w->oom, &n, sizeof(n)) == sizeof(n) && !access(w->alive, F_OK))
		w->pending[CGROUP_EVENT_OOM] += n;
}

static void read_source(struct cgroup_watch *w, const struct epoll_event *event)
{
	size_t index = event->data.u64 & UINT32_MAX;

	switch ((enum source)(event->data.u64 >> 32)) {
	case SOURCE_INOTIFY:
		drain(w->inotify);
		break;
	case SOURCE_OOM:
		read_oom_v1(w);
		break;
	case SOURCE_PRESSURE:
		if (event->events & EPOLLERR) { /* the cgroup is gone */
			epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->pressure[index], NULL);
			w->pressure[index] = fd_close(w->pressure[index]);
		}
		break;
	}
}

static bool take_pending(struct cgroup_watch *w, struct cgroup_event *ret)
{
	for (size_t i = 0; i < _CGROUP_EVENT_N; i++)
		if (w->pending[i]) {
			*ret = (struct cgroup_event){.kind = i, .count = w->pending[i]};
			w->pending[i] = 0;
			return true;
		}
	return false;
}

int cgroup_watch_read(struct cgroup_watch *w, struct cgroup_event *ret, bool *ret_some, struct error *e)
{
	struct epoll_event events[8];
	int64_t time;
	bool look;
	int n;

	if (take_pending(w, ret)) {
		*ret_some = true;
		return 0;
	}
	n = epoll_wait(w->epoll, events, ARRAY_SIZE(events), 0);
	if (n < 0 && errno != EINTR)
		return error_system(e, errno, "watch the cgroup '%s'", w->alive);
	for (int i = 0; i < n; i++)
		read_source(w, &events[i]);
	time = w->silent || w->empty ? cgroup_clock() : 0;
	look = n > 0 || ((w->silent || w->empty) && time - w->looked >= SILENT_INTERVAL);
	if (look)
		w->looked = time;
	for (size_t i = 0; look && i < N_COUNTERS; i++)
		read_counter(w, i);
	for (size_t i = 0; i < N_PRESSURES; i++)
		read_pressure(w, i);
	if (look && !w->gone && access(w->alive, F_OK) < 0) {
		w->gone = true;
		w->pending[CGROUP_EVENT_GONE] = 1;
	}
	*ret_some = take_pending(w, ret);
	return 0;
}
