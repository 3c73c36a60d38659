/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `holm metrics`: what containers and instances use, as OpenMetrics 1.0 text.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/usage.h"
#include "cmd/verbs.h"
#include "instances/status.h"
#include "runtime/socket.h"

enum { REQUEST_MS = 2000, REQUEST_MAX = 8192 };

struct metrics_options {
	const char *listen;
};

static const struct option rows[] = {
    OPTION(struct metrics_options, listen, "listen", 0, STRING, "SOCKET",
	   "answer HTTP requests on this path, until a signal comes"),
};

/* One family per row; a container's value of it, NAN-free: what is not known is left out (false). */
struct family {
	const char *name, *type, *unit, *help;
	bool (*value)(const struct usage *usage, double *ret);
};

#define COUNTER(function, expression, condition)                                                                       \
	static bool function(const struct usage *u, double *ret)                                                       \
	{                                                                                                              \
		const struct cgroup_stats *s = &u->stats;                                                              \
                                                                                                                       \
		(void)s;                                                                                               \
		*ret = (double)(expression);                                                                           \
		return (condition);                                                                                    \
	}

COUNTER(get_cpu, (double)s->cpu.total / 1e9, u->has_cgroup)
COUNTER(get_throttled, (double)s->cpu.throttled_time / 1e9, u->has_cgroup)
COUNTER(get_memory, s->memory.usage.usage, u->has_cgroup && s->memory.usage.present)
COUNTER(get_memory_limit, s->memory.usage.limit,
	u->has_cgroup && s->memory.usage.present && s->memory.usage.limit != CGROUP_UNLIMITED)
COUNTER(get_oom, s->memory.oom_kills, u->has_cgroup)
COUNTER(get_pids, s->pids.current, u->has_cgroup)
COUNTER(get_read, s->io.read_bytes, u->has_cgroup)
COUNTER(get_written, s->io.write_bytes, u->has_cgroup)
COUNTER(get_received, u->received, u->has_network)
COUNTER(get_sent, u->sent, u->has_network)
COUNTER(get_cpu_wait, (double)s->cpu.pressure.some.total / 1e6, s->cpu.pressure.present)
COUNTER(get_memory_wait, (double)s->memory.pressure.some.total / 1e6, s->memory.pressure.present)
COUNTER(get_io_wait, (double)s->io.pressure.some.total / 1e6, s->io.pressure.present)

static const struct family families[] = {
    {"holm_cpu_seconds", "counter", "seconds", "CPU time used", get_cpu},
    {"holm_cpu_throttled_seconds", "counter", "seconds", "time held up by the CPU limit", get_throttled},
    {"holm_memory_bytes", "gauge", "bytes", "memory in use", get_memory},
    {"holm_memory_limit_bytes", "gauge", "bytes", "memory that it can have at most", get_memory_limit},
    {"holm_oom_kills", "counter", NULL, "processes killed for want of memory", get_oom},
    {"holm_processes", "gauge", NULL, "processes and threads", get_pids},
    {"holm_read_bytes", "counter", "bytes", "read from disks", get_read},
    {"holm_written_bytes", "counter", "bytes", "written to disks", get_written},
    {"holm_network_received_bytes", "counter", "bytes", "received in its own network namespace", get_received},
    {"holm_network_sent_bytes", "counter", "bytes", "sent from its own network namespace", get_sent},
    {"holm_cpu_waiting_seconds", "counter", "seconds", "time in which some process waited for a CPU", get_cpu_wait},
    {"holm_memory_waiting_seconds", "counter", "seconds", "time in which some process waited for memory",
     get_memory_wait},
    {"holm_io_waiting_seconds", "counter", "seconds", "time in which some process waited for a disk", get_io_wait},
};

static void put_head(struct str *out, const char *name, const char *type, const char *unit, const char *help)
{
	str_addf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		str_addf(out, "# UNIT %s %s\n", name, unit);
	str_addf(out, "# HELP %s %s\n", name, help);
}

/* Names have no character that would have to be escaped (str_is_id()). */
static void put_value(struct str *out, const char *name, const char *type, const char *id, double value)
{
	str_addf(out, "%s%s{name=\"%s\"} %.15g\n", name, str_equal(type, "counter") ? "_total" : "", id, value);
}

static void put_containers(const struct usage_look *look, struct str *out)
{
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		const struct family *family = &families[f];

		put_head(out, family->name, family->type, family->unit, family->help);
		for (size_t i = 0; i < look->n; i++) {
			double value;

			if (family->value(&look->rows[i], &value))
				put_value(out, family->name, family->type, look->rows[i].id, value);
		}
	}
}

struct instances {
	const struct runtime *runtime;
	struct arena arena;
	struct str up, health, restarts;
};

static int put_instance(struct instance *i, const struct error *broken, void *data)
{
	struct instances *all = data;
	struct instance_state state;
	struct error e;

	if (broken || instance_look(all->runtime, i, &all->arena, &state, &e))
		return 0;
	put_value(&all->up, "holm_instance_up", "gauge", i->name, state.status == INSTANCE_RUNNING);
	put_value(&all->restarts, "holm_instance_restarts", "gauge", i->name, state.monitor.restarts);
	if (state.monitor.health != MONITOR_HEALTH_NONE)
		put_value(&all->health, "holm_instance_healthy", "gauge", i->name,
			  state.monitor.health == MONITOR_HEALTH_GOOD);
	return 0;
}

static int print(const struct runtime *runtime, struct str *out, struct error *e)
{
	struct usage_look look = USAGE_LOOK_INIT;
	struct instances all = {.runtime = runtime};
	int r = usage_read(runtime, NULL, 0, false, &look, e);

	if (!r) {
		put_containers(&look, out);
		r = instances_each(runtime, put_instance, &all, e);
	}
	if (!r) {
		put_head(out, "holm_instance_up", "gauge", NULL, "1 if the instance runs and is ready");
		str_add(out, str_peek(&all.up));
		put_head(out, "holm_instance_healthy", "gauge", NULL, "1 if its last health check was good");
		str_add(out, str_peek(&all.health));
		put_head(out, "holm_instance_restarts", "gauge", NULL, "restarts by the policy since it was started");
		str_add(out, str_peek(&all.restarts));
		str_add(out, "# EOF\n");
	}
	str_release(&all.up);
	str_release(&all.health);
	str_release(&all.restarts);
	arena_release(&all.arena);
	usage_release(&look);
	return r;
}

/* ---- over a socket ---- */

/* Up to the empty line, for a while: whatever is asked for, the answer is the same. */
static void read_request(int client)
{
	char buffer[REQUEST_MAX];
	size_t n = 0;

	while (n < sizeof(buffer)) {
		struct pollfd p = {.fd = client, .events = POLLIN};
		ssize_t got = poll(&p, 1, REQUEST_MS) > 0 ? recv(client, buffer + n, sizeof(buffer) - n, 0) : 0;

		if (got <= 0)
			return;
		n += (size_t)got;
		if (memmem(buffer, n, "\r\n\r\n", 4) || memmem(buffer, n, "\n\n", 2))
			return;
	}
}

static void answer(const struct runtime *runtime, int client)
{
	const struct timeval patience = {.tv_sec = REQUEST_MS / 1000};
	auto_str text = STR_INIT, head = STR_INIT;
	struct error e;

	read_request(client);
	if (print(runtime, &text, &e)) {
		log_warning("%s", e.text);
		str_add(&head, "HTTP/1.0 500 Internal Server Error\r\n\r\n");
	} else {
		str_addf(&head,
			 "HTTP/1.0 200 OK\r\n"
			 "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 text.size, str_peek(&text));
	}
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (fd_write_all(client, head.data, head.size))
		log_debug("a client went away");
}

/* A socket that an earlier one left is taken away; anything else of that name is not. */
static int bind_socket(const char *path, int *ret, struct error *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	auto_free char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	auto_fd folder = -1;
	struct stat st;
	int r = fd_open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, NULL, &folder, e);

	if (r)
		return r;
	if (!fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
		unlinkat(folder, name, 0);
	return socket_bind(folder, name, SOCK_STREAM, 0600, ret, e);
}

static int serve(const struct runtime *runtime, const char *path, struct error *e)
{
	auto_fd listener = -1;
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = bind_socket(path, &listener, e);
	if (!r && listen(listener, 16))
		r = error_system(e, errno, "listen on '%s'", path);
	while (!r) {
		auto_fd client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			answer(runtime, client);
		else if (errno != EINTR && errno != ECONNABORTED)
			r = error_system(e, errno, "accept on '%s'", path);
	}
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct metrics_options *asked = options;
	auto_str text = STR_INIT;
	int r;

	(void)operands, (void)n;
	if (asked->listen)
		return serve(&call->runtime, asked->listen, e);
	r = print(&call->runtime, &text, e);
	return r ?: output_write(str_peek(&text), e);
}

const struct verb verb_metrics = {
    .name = "metrics",
    .summary = "print what containers use as OpenMetrics",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct metrics_options, rows),
    .text = "For a textfile collector: holm metrics >/var/lib/node_exporter/holm.prom.new && mv ...\n"
	    "With --listen it answers HTTP on a socket that only its owner may connect to (0600).",
    .run = run,
};
