/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "netns/address.h"
#include "netns/client.h"
#include "netns/parse.h"

struct inspect_options {
	struct each_options each;
};

static const struct option rows[] = {
    OPTION(struct inspect_options, each.all, "all", 'a', FLAG, NULL, "all instances"),
    EACH_LABEL(struct inspect_options),
};

const char *inspect_time(int64_t ns, char buffer[INSPECT_TIME_SIZE])
{
	time_t seconds = ns / 1000000000;
	struct tm parts;

	*buffer = 0;
	if (ns && gmtime_r(&seconds, &parts))
		strftime(buffer, INSPECT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
	return buffer;
}

static void put_time(struct json_writer *w, const char *key, int64_t ns)
{
	char text[INSPECT_TIME_SIZE];

	if (ns)
		json_put_string(w, key, inspect_time(ns, text));
}

void inspect_put(struct json_writer *w, const struct instance *i, const struct instance_state *state)
{
	const char *health = monitor_health_name(state->monitor.health);

	json_put_string(w, "name", i->name);
	json_put_string(w, "status", instance_status_name(state->status));
	json_put_int(w, "pid", state->has_container ? state->container.pid : 0);
	json_put_string(w, "bundle", i->path);
	put_time(w, "created", i->record.created);
	json_put_bool(w, "up", i->record.up);
	if (i->record.remove)
		json_put_bool(w, "remove", true);
	json_put_uint(w, "generation", i->record.generation);
	json_open_object(w, "labels");
	for (size_t n = 0; n < i->record.n_labels; n++)
		json_put_string(w, i->record.labels[n].key, i->record.labels[n].value);
	json_close(w);
	if (state->monitor.phase != MONITOR_NONE) {
		put_time(w, "started", state->monitor.started);
		json_put_uint(w, "restarts", state->monitor.restarts);
		json_put_bool(w, "ready", state->monitor.ready);
		if (health)
			json_put_string(w, "health", health);
		put_time(w, "nextRestart", state->monitor.next_restart);
	}
	if (state->has_end) {
		json_open_object(w, "end");
		json_put_int(w, "exitStatus", state->end.status);
		put_time(w, "started", state->end.started);
		put_time(w, "ended", state->end.ended);
		json_put_bool(w, "asked", state->end.asked);
		if (state->end.why)
			json_put_string(w, "why", state->end.why);
		json_close(w);
	}
}

static void put_member(const struct net_member *member, void *data)
{
	struct json_writer *w = data;
	char text[ADDRESS_TEXT_SIZE];

	json_open_object(w, NULL);
	json_put_string(w, "network", member->network);
	json_put_string(w, "interface", member->name);
	if (member->address4.family)
		json_put_string(w, "address4", address_print(&member->address4, true, text));
	if (member->address6.family)
		json_put_string(w, "address6", address_print(&member->address6, true, text));
	json_close(w);
}

static void put_port(const struct net_published *published, void *data)
{
	char text[NET_PORT_TEXT_SIZE];

	json_put_string(data, NULL, net_print_port(&published->port, text));
}

/* What the networks say; where they can't be asked, the instance is shown without. */
static void put_networks(struct json_writer *w, const struct instance *i)
{
	struct error ignored;
	struct json_mark mark = json_mark(w);

	json_open_array(w, "networks");
	if (net_each_member(NULL, i->name, NULL, put_member, w, &ignored))
		log_debug("instance '%s': %s", i->name, ignored.text);
	json_close_or_drop(w, mark);
	mark = json_mark(w);
	json_open_array(w, "ports");
	if (net_each_port(NULL, i->name, put_port, w, &ignored))
		log_debug("instance '%s': %s", i->name, ignored.text);
	json_close_or_drop(w, mark);
}

static int inspect(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	struct json_writer *w = *(struct json_writer *const *)data;
	auto_free char *text = NULL;
	struct instance_state state;
	size_t size = 0;
	int r = instance_look(&call->runtime, i, call->arena, &state, e);

	if (!r) {
		r = file_read(i->folder, INSTANCE_CONFIG, 64 << 20, &text, &size);
		if (r)
			return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i->path);
	}
	if (r)
		return r;
	json_open_object(w, NULL);
	inspect_put(w, i, &state);
	if (state.has_container && !call->runtime.rootless)
		put_networks(w, i);
	json_put_raw(w, "config", text);
	json_close(w);
	return 0;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct inspect_options *o = options;
	struct json_writer w = json_writer_init(JSON_INDENT_TAB), *pointer = &w;
	auto_free char *text = NULL;
	int r, printed;

	json_open_array(&w, NULL);
	r = each_instance(call, &o->each, operands, n, EACH_ALONE, inspect, &pointer, e);
	json_close(&w);
	str_add(&w.text, "\n");
	text = json_finish(&w);
	if (r && n == 1)
		return r;
	printed = output_write(text, r ? NULL : e);
	return r ? r : printed;
}

const struct verb verb_inspect = {
    .name = "inspect",
    .summary = "print everything about instances as JSON",
    .operands = "NAME...",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct inspect_options, rows),
    .text = "NAME may be a pattern.  An array with an object for each; \"config\" is its config.json.",
    .run = run,
};
