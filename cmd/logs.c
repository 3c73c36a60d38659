/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/each.h"
#include "cmd/verbs.h"
#include "instances/log_read.h"
#include "instances/monitor.h"
#include "instances/select.h"
#include "spec/resources.h"

enum { LOOK_MS = 500 }; /* how often to look whether it still runs, while its log is silent */

struct logs {
	bool follow, timestamps, out, err;
	const char *since, *until;
	struct spec_number tail;
	struct each_options each;
};

/* One instance's log on its way out. */
struct source {
	struct instance instance;
	int folder; /* -1: it never ran */
	struct log_reader reader;
	struct log_printer printer;
	struct log_entry entry; /* the next one, if has_entry */
	uint64_t offset;
	bool has_entry;
};

struct sources {
	struct source *list;
	size_t n;
	bool merged;	     /* many: lines begin with names */
	struct source *last; /* whose printer may hold what was not written yet */
};

static const struct option rows[] = {
    OPTION(struct logs, follow, "follow", 'f', FLAG, NULL, "go on with what comes, until the instance ends"),
    OPTION(struct logs, since, "since", 0, STRING, "TIME", "not what is older: 10m, 2026-11-21T08:20:13, @1795251049"),
    OPTION(struct logs, until, "until", 0, STRING, "TIME", "not what is newer"),
    OPTION(struct logs, tail, "tail", 'n', NUMBER, "LINES", "the last LINES only"),
    OPTION(struct logs, timestamps, "timestamps", 't', FLAG, NULL, "each line with its time and stream"),
    OPTION(struct logs, out, "stdout", 0, FLAG, NULL, "what it wrote to standard output only"),
    OPTION(struct logs, err, "stderr", 0, FLAG, NULL, "what it wrote to standard error only"),
    OPTION(struct logs, each.all, "all", 'a', FLAG, NULL, "all instances"),
    EACH_LABEL(struct logs),
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int parse_point(const char *option, const char *text, uint64_t *ret, struct error *e)
{
	if (!text || !log_time_parse(text, now(), ret))
		return 0;
	return error_refuse(e, ERROR_USAGE,
			    "--%s '%s': not a time such as 10m (ago), 2026-11-21, 2026-11-21T08:20:13Z or @1795251049",
			    option, text);
}

static int make_printer(const struct logs *asked, struct log_printer *ret, struct error *e)
{
	int r;

	*ret = (struct log_printer){
	    .streams = 1 << LOG_OUT | 1 << LOG_ERR | 1 << LOG_HOLM,
	    .times = asked->timestamps,
	    .fds = {[LOG_OUT] = STDOUT_FILENO, [LOG_ERR] = STDERR_FILENO, [LOG_HOLM] = STDERR_FILENO},
	};
	if (asked->out != asked->err)
		ret->streams = asked->out ? 1 << LOG_OUT : 1 << LOG_ERR;
	r = parse_point("since", asked->since, &ret->since, e);
	return r ?: parse_point("until", asked->until, &ret->until, e);
}

/* ---- many at once ---- */

static int fill(struct source *s, struct error *e)
{
	int r = s->has_entry || s->folder < 0 ? 0 : log_reader_next(&s->reader, &s->entry, &s->offset, e);

	if (r <= 0)
		return r;
	s->has_entry = true;
	if (s->reader.gap)
		log_warning("the log of '%s' was written faster than it was read: files are missing", s->instance.name);
	s->reader.gap = false;
	return 0;
}

static int flush(struct sources *all, struct source *next, struct error *e)
{
	int r = all->last && all->last != next ? log_printer_flush(&all->last->printer, e) : 0;

	all->last = next;
	return r;
}

/* Everything that is there now, the oldest first. */
static int print_rest(struct sources *all, struct error *e)
{
	int r = 0;

	while (!r) {
		struct source *next = NULL;

		for (size_t i = 0; i < all->n && !r; i++) {
			struct source *s = &all->list[i];

			r = fill(s, e);
			if (s->has_entry && (!next || s->entry.time < next->entry.time))
				next = s;
		}
		if (r || !next)
			break;
		r = flush(all, next, e);
		if (!r)
			r = log_printer_put(&next->printer, &next->reader, &next->entry, next->offset, e);
		next->has_entry = false;
	}
	return r ?: flush(all, NULL, e);
}

static bool any_runs(const struct sources *all)
{
	struct monitor_state state;

	for (size_t i = 0; i < all->n; i++) {
		monitor_look(&all->list[i].instance, &state);
		if (state.phase != MONITOR_NONE)
			return true;
	}
	return false;
}

static int watch(const struct sources *all, int *ret_fd, struct error *e)
{
	auto_fd fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	for (size_t i = 0; fd >= 0 && i < all->n; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", all->list[i].folder);
		if (all->list[i].folder >= 0 && inotify_add_watch(fd, path, IN_MODIFY | IN_CREATE) < 0)
			return error_system(e, errno, "watch the log of '%s'", all->list[i].instance.name);
	}
	if (fd < 0)
		return error_system(e, errno, "make an inotify descriptor");
	*ret_fd = take_fd(&fd);
	return 0;
}

static int follow(struct sources *all, uint64_t until, struct error *e)
{
	auto_fd changes = -1;
	int r = watch(all, &changes, e);
	struct pollfd fds[] = {{.fd = changes, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	char events[4096];
	bool runs = true;

	while (!r && runs) {
		runs = any_runs(all); /* looked at before the logs are: what was written last is in there */
		r = print_rest(all, e);
		if (r || !runs || (until && now() > until))
			break;
		if (poll(fds, ARRAY_SIZE(fds), LOOK_MS) < 0 && errno != EINTR)
			return error_system(e, errno, "poll");
		while (read(changes, events, sizeof(events)) > 0)
			;
		if (fds[1].revents & (POLLERR | POLLHUP))
			return -EPIPE;
	}
	return r;
}

/* ---- all of it ---- */

static int open_source(struct source *s, const struct logs *asked, const char *name, const struct runtime *runtime,
		       struct error *e)
{
	struct log_position from = {0};
	int r = make_printer(asked, &s->printer, e) ?: instance_open(runtime, name, &s->instance, e);

	if (r)
		return r;
	s->folder = openat(s->instance.folder, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->folder < 0 && errno == ENOENT) /* it never ran */
		return 0;
	if (s->folder < 0)
		return error_system(e, errno, "open '%s/log'", s->instance.path);
	if (asked->tail.present && asked->tail.value >= 0)
		r = log_find_tail(s->folder, s->printer.streams, (uint64_t)asked->tail.value, &from, &s->printer.skip,
				  e);
	return r ?: log_reader_open(&s->reader, s->folder, &from, e);
}

static void close_source(struct source *s)
{
	log_printer_release(&s->printer);
	log_reader_release(&s->reader);
	s->folder = fd_close(s->folder);
	instance_release(&s->instance);
}

static int select_names(struct invocation *call, const struct logs *asked, char **operands, size_t n,
			struct selection *ret, struct error *e)
{
	const struct select_request request = {
	    .patterns = (const char *const *)operands,
	    .n_patterns = n,
	    .labels = asked->each.labels,
	    .n_labels = asked->each.n_labels,
	    .all = asked->each.all,
	};

	if (!n && !asked->each.all && !asked->each.n_labels)
		return verb_refuse_none(&verb_logs, "a minimum of", e);
	return select_instances(&call->runtime, &request, call->arena, ret, e);
}

static int print(struct sources *all, const struct logs *asked, struct error *e)
{
	uint64_t until = all->n ? all->list[0].printer.until : 0;
	int r = asked->follow ? follow(all, until, e) : print_rest(all, e);

	for (size_t i = 0; i < all->n && !r; i++)
		r = log_printer_finish(&all->list[i].printer, e);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct logs *asked = options;
	struct selection names = {0};
	struct sources all = {.merged = n != 1 || select_is_pattern(operands[0])};
	size_t width = 0;
	int r = select_names(call, asked, operands, n, &names, e);

	if (r)
		return r;
	signal(SIGPIPE, SIG_IGN);
	all.list = arena_array(call->arena, struct source, names.n + 1);
	for (size_t i = 0; i < names.n; i++)
		width = strlen(names.names[i]) > width ? strlen(names.names[i]) : width;
	for (; !r && all.n < names.n; all.n++) {
		struct source *s = &all.list[all.n];

		*s = (struct source){.instance = INSTANCE_INIT, .folder = -1, .reader = LOG_READER_INIT};
		r = open_source(s, asked, names.names[all.n], &call->runtime, e);
		if (all.merged)
			s->printer.head = arena_format(call->arena, "%-*s | ", (int)width, names.names[all.n]);
	}
	if (!r)
		r = print(&all, asked, e);
	for (size_t i = 0; i < all.n; i++)
		close_source(&all.list[i]);
	return r == -EPIPE ? 0 : r;
}

const struct verb verb_logs = {
    .name = "logs",
    .summary = "print what an instance wrote",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct logs, rows),
    .text = "What it wrote to standard error, and what holm has to say, go to standard error.  The log itself is\n"
	    "plain text: DATA/instances/NAME/log/*.log, the highest number being the latest.\n"
	    "NAME may be a pattern.  Of many, lines come in the order of their times and begin with the name.",
    .run = run,
};
