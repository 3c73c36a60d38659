/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/verbs.h"
#include "instances/log_read.h"
#include "instances/monitor.h"
#include "spec/resources.h"

enum { LOOK_MS = 500 }; /* how often to look whether it still runs, while its log is silent */

struct logs {
	bool follow, timestamps, out, err;
	const char *since, *until;
	struct spec_number tail;
};

static const struct option rows[] = {
    OPTION(struct logs, follow, "follow", 'f', FLAG, NULL, "go on with what comes, until the instance ends"),
    OPTION(struct logs, since, "since", 0, STRING, "TIME", "not what is older: 10m, 2026-11-21T08:20:13, @1795251049"),
    OPTION(struct logs, until, "until", 0, STRING, "TIME", "not what is newer"),
    OPTION(struct logs, tail, "tail", 'n', NUMBER, "LINES", "the last LINES only"),
    OPTION(struct logs, timestamps, "timestamps", 't', FLAG, NULL, "each line with its time and stream"),
    OPTION(struct logs, out, "stdout", 0, FLAG, NULL, "what it wrote to standard output only"),
    OPTION(struct logs, err, "stderr", 0, FLAG, NULL, "what it wrote to standard error only"),
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

/* Everything that is there now. */
static int print_rest(struct log_reader *reader, struct log_printer *printer, struct error *e)
{
	struct log_entry entry;
	uint64_t offset;
	int r;

	while ((r = log_reader_next(reader, &entry, &offset, e)) > 0) {
		if (reader->gap)
			log_warning("the log was written faster than it was read: files are missing");
		reader->gap = false;
		r = log_printer_put(printer, reader, &entry, offset, e);
		if (r)
			return r;
	}
	return r ?: log_printer_flush(printer, e);
}

static bool is_running(const struct instance *instance)
{
	struct monitor_state state;

	monitor_look(instance, &state);
	return state.phase != MONITOR_NONE;
}

static int follow(const struct instance *instance, int folder, struct log_reader *reader, struct log_printer *printer,
		  struct error *e)
{
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fds[] = {{.fd = watch, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	char path[64], events[4096];
	bool runs = true;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", folder);
	if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE) < 0)
		return error_system(e, errno, "watch the log of '%s'", instance->name);
	while (!r && runs) {
		runs = is_running(instance); /* looked at before the log is: what it wrote last is in there */
		r = print_rest(reader, printer, e);
		if (r || !runs || (printer->until && now() > printer->until))
			break;
		if (poll(fds, ARRAY_SIZE(fds), LOOK_MS) < 0 && errno != EINTR)
			return error_system(e, errno, "poll");
		while (read(watch, events, sizeof(events)) > 0)
			;
		if (fds[1].revents & (POLLERR | POLLHUP))
			return -EPIPE;
	}
	return r;
}

static int print(const struct instance *instance, const struct logs *asked, struct log_printer *printer,
		 struct error *e)
{
	auto_log_reader reader = LOG_READER_INIT;
	struct log_position from = {0};
	auto_fd folder = -1;
	int r = 0;

	folder = openat(instance->folder, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0 && errno == ENOENT) /* it never ran */
		return 0;
	if (folder < 0)
		return error_system(e, errno, "open '%s/log'", instance->path);
	if (asked->tail.present && asked->tail.value >= 0)
		r = log_find_tail(folder, printer->streams, (uint64_t)asked->tail.value, &from, &printer->skip, e);
	if (!r)
		r = log_reader_open(&reader, folder, &from, e);
	if (!r)
		r = asked->follow ? follow(instance, folder, &reader, printer, e) : print_rest(&reader, printer, e);
	return r ?: log_printer_finish(printer, e);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_instance instance = INSTANCE_INIT;
	auto_log_printer printer = {0};
	int r;

	(void)n;
	r = make_printer(options, &printer, e);
	if (!r)
		r = instance_open(&call->runtime, operands[0], &instance, e);
	if (r)
		return r;
	signal(SIGPIPE, SIG_IGN);
	r = print(&instance, options, &printer, e);
	return r == -EPIPE ? 0 : r;
}

const struct verb verb_logs = {
    .name = "logs",
    .summary = "print what an instance wrote",
    .operands = "NAME",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct logs, rows),
    .text = "What it wrote to standard error, and what holm has to say, go to standard error.  The log itself is\n"
	    "plain text: DATA/instances/NAME/log/*.log, the highest number being the latest.",
    .run = run,
};
