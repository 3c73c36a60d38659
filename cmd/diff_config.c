/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff --config: what config.json says, what the run was started with and told since, and what the kernel and the network have: side by side.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/diff.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/change.h"
#include "instances/status.h"
#include "netns/client.h"
#include "spec/json.h"
#include "spec/resources.h"

enum { CONFIG_MAX = 64 << 20 };

struct row {
	const char *setting, *file, *record, *kernel; /* NULL: it has no say; "-": nothing */
};

struct diff {
	struct arena *arena;
	struct row *rows;
	size_t n, room;
	const char *ports; /* as the network has them */
};

static void add(struct diff *d, struct row row)
{
	d->rows = arena_grow(d->arena, d->rows, d->n, &d->room, sizeof(*d->rows));
	d->rows[d->n++] = row;
}

/* ---- limits ---- */

static const char *print_number(struct diff *d, bool present, int64_t value)
{
	return present && value >= 0 ? arena_format(d->arena, "%" PRId64, value) : "-";
}

static const char *print_unsigned(struct diff *d, uint64_t value)
{
	return value == CGROUP_UNLIMITED ? "-" : arena_format(d->arena, "%" PRIu64, value);
}

static const char *print_quota(struct diff *d, const struct spec_resources *r)
{
	if (!r || !r->cpu.quota.present || r->cpu.quota.value < 0)
		return "-";
	return arena_format(d->arena, "%" PRId64 "/%" PRIu64, r->cpu.quota.value,
			    r->cpu.period.present ? r->cpu.period.value : 100000);
}

/* kernel NULL: it does not run. */
static void compare_limits(struct diff *d, const struct spec_resources *file, const struct spec_resources *record,
			   const struct cgroup_stats *kernel)
{
	static const struct spec_resources none;
	const struct spec_resources *f = file ? file : &none, *r = record ? record : &none;

	add(d, (struct row){"memory.limit", print_number(d, f->memory.limit.present, f->memory.limit.value),
			    record ? print_number(d, r->memory.limit.present, r->memory.limit.value) : NULL,
			    kernel ? print_unsigned(d, kernel->memory.usage.limit) : NULL});
	add(d,
	    (struct row){"cpu.quota", print_quota(d, f), record ? print_quota(d, r) : NULL,
			 !kernel ? NULL
			 : kernel->cpu.quota == CGROUP_UNLIMITED
			     ? "-"
			     : arena_format(d->arena, "%" PRIu64 "/%" PRIu64, kernel->cpu.quota, kernel->cpu.period)});
	add(d, (struct row){"pids.limit", print_number(d, f->pids.limit.present, f->pids.limit.value),
			    record ? print_number(d, r->pids.limit.present, r->pids.limit.value) : NULL,
			    kernel ? print_unsigned(d, kernel->pids.limit) : NULL});
	if (f->cpu.cpus || r->cpu.cpus)
		add(d, (struct row){"cpuset.cpus", f->cpu.cpus ? f->cpu.cpus : "-",
				    record ? r->cpu.cpus ? r->cpu.cpus : "-" : NULL,
				    kernel && kernel->cpuset.cpus ? kernel->cpuset.cpus : NULL});
}

/* ---- ports ---- */

static const char *list_ports(struct diff *d, const struct spec *spec)
{
	const char *text = "";

	for (size_t i = 0; spec->holm && i < spec->holm->n_networks; i++)
		for (size_t k = 0; k < spec->holm->networks[i].n_publish; k++) {
			char buffer[NET_PORT_TEXT_SIZE];
			struct net_port port;
			struct error ignored;

			/* As the network writes them, so that the same looks the same. */
			if (!net_parse_port(spec->holm->networks[i].publish[k], &port, &ignored))
				text = arena_format(d->arena, "%s%s%s", text, *text ? "," : "",
						    net_print_port(&port, buffer));
		}
	return *text ? text : "-";
}

static void add_port(const struct net_published *published, void *data)
{
	struct diff *d = data;
	char buffer[NET_PORT_TEXT_SIZE];

	d->ports =
	    arena_format(d->arena, "%s%s%s", d->ports, *d->ports ? "," : "", net_print_port(&published->port, buffer));
}

static void compare_ports(struct diff *d, const char *name, const struct spec *file, const struct spec *record,
			  bool runs)
{
	struct error ignored;
	bool asked = false;

	d->ports = "";
	if (runs && file->holm && file->holm->n_networks)
		asked = !net_each_port(NULL, name, add_port, d, &ignored);
	if (str_equal(list_ports(d, file), "-") && !*d->ports && (!record || str_equal(list_ports(d, record), "-")))
		return;
	add(d, (struct row){"ports", list_ports(d, file), record ? list_ports(d, record) : NULL,
			    asked ? *d->ports ? d->ports : "-" : NULL});
}

/* ---- all ---- */

static const char *shorten(struct diff *d, const char *json)
{
	enum { SHOWN = 40 };

	return !*json ? "-" : strlen(json) <= SHOWN ? json : arena_format(d->arena, "%.*s...", SHOWN, json);
}

/* What differs between the file and the start beside limits and ports, which have rows of their own. */
static int compare_rest(struct diff *d, const char *file, const char *record, struct error *e)
{
	struct change *changes;
	size_t n;
	int r = change_compare(record, file, d->arena, &changes, &n, e);

	for (size_t i = 0; !r && i < n; i++)
		if (!str_after(changes[i].path, "linux.resources.memory.limit") &&
		    !str_after(changes[i].path, "linux.resources.cpu.quota") &&
		    !str_after(changes[i].path, "linux.resources.cpu.period") &&
		    !str_after(changes[i].path, "linux.resources.cpu.cpus") &&
		    !str_after(changes[i].path, "linux.resources.pids") && !strstr(changes[i].path, ".publish"))
			add(d, (struct row){changes[i].path, shorten(d, changes[i].to), shorten(d, changes[i].from),
					    NULL});
	return r;
}

/* What the run was started with, and the updates since laid over it: the text of a config.json. */
static int read_record(const struct instance *i, const char *updates, char **ret, struct error *e)
{
	auto_free char *started = NULL, *resources = NULL;
	auto_json *base = NULL, *patch = NULL;
	auto_str wrapped = STR_INIT;
	size_t size = 0;
	int r = file_read(i->folder, INSTANCE_STARTED, CONFIG_MAX, &started, &size);

	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_STARTED "'", i->path);
	if (!updates) {
		*ret = take_ptr(&started);
		return 0;
	}
	r = json_read(started, size, INSTANCE_STARTED, &base, e);
	if (!r)
		r = json_read(updates, strlen(updates), "updates", &patch, e);
	if (r)
		return r;
	resources = json_find(patch, "resources") ? json_dump(json_find(patch, "resources"), JSON_INDENT_NONE) : NULL;
	json_free(patch);
	patch = NULL;
	str_addf(&wrapped, "{\"linux\":{\"resources\":%s}}", resources ? resources : "{}");
	r = json_read(str_peek(&wrapped), wrapped.size, "updates", &patch, e);
	if (r)
		return r;
	*ret = json_merge(base, patch, JSON_INDENT_NONE);
	return 0;
}

static bool is_same(const struct row *row)
{
	return (!row->record || str_equal(row->file, row->record)) &&
	       (!row->kernel || str_equal(row->file, row->kernel));
}

static int print(const struct diff *d, bool all, struct error *e)
{
	const struct row title = {"SETTING", "FILE", "RECORD", "KERNEL"};
	size_t widths[3] = {7, 4, 6};
	auto_str out = STR_INIT;
	size_t shown = 0;

	for (size_t i = 0; i < d->n; i++) {
		const char *cells[] = {d->rows[i].setting, d->rows[i].file, d->rows[i].record ? d->rows[i].record : ""};

		for (size_t c = 0; c < ARRAY_SIZE(cells) && (all || !is_same(&d->rows[i])); c++)
			if (strlen(cells[c]) > widths[c])
				widths[c] = strlen(cells[c]);
	}
	for (size_t i = 0; i <= d->n; i++) {
		const struct row *row = i ? &d->rows[i - 1] : &title;

		if (i && !all && is_same(row))
			continue;
		shown += i > 0;
		str_addf(&out, "%-*s  %-*s  %-*s  %s\n", (int)widths[0], row->setting, (int)widths[1], row->file,
			 (int)widths[2], row->record ? row->record : "", row->kernel ? row->kernel : "");
	}
	return shown ? output_write(str_peek(&out), e) : 0;
}

static int compare(struct invocation *call, const struct instance *i, struct diff *d,
		   const struct instance_state *state, const char *file_text, const char *record_text, struct error *e)
{
	struct cgroup_stats stats, *kernel = NULL;
	struct spec file, record;
	int r = spec_parse(file_text, strlen(file_text), INSTANCE_CONFIG, &file, e);

	if (r)
		return r;
	if (record_text)
		r = spec_parse(record_text, strlen(record_text), INSTANCE_STARTED, &record, e);
	if (!r && record_text) {
		r = container_stats(&call->runtime, i->name,
				    CGROUP_STATS_CPU | CGROUP_STATS_MEMORY | CGROUP_STATS_PIDS | CGROUP_STATS_DETAILS,
				    call->arena, &stats, e);
		kernel = &stats;
	}
	if (!r) {
		compare_limits(d, file.linux_.resources, record_text ? record.linux_.resources : NULL, kernel);
		compare_ports(d, i->name, &file, record_text ? &record : NULL, state->has_container);
	}
	if (!r && record_text)
		r = compare_rest(d, file_text, record_text, e);
	if (record_text)
		spec_release(&record);
	spec_release(&file);
	return r;
}

int diff_config(struct invocation *call, const char *name, bool all, struct error *e)
{
	auto_free char *file = NULL, *record = NULL;
	auto_instance i = INSTANCE_INIT;
	struct container_state container;
	struct instance_state state;
	struct diff d = {.arena = call->arena};
	size_t size = 0;
	bool runs;
	int r;

	r = instance_open(&call->runtime, name, &i, e);
	if (!r)
		r = instance_look(&call->runtime, &i, call->arena, &state, e);
	if (r)
		return r;
	r = file_read(i.folder, INSTANCE_CONFIG, CONFIG_MAX, &file, &size);
	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i.path);
	runs = state.has_container && instance_is_active(&state);
	if (runs)
		r = container_state(&call->runtime, i.name, call->arena, &container, e);
	if (!r && runs)
		r = read_record(&i, container.updates, &record, e);
	if (!r)
		r = compare(call, &i, &d, &state, file, record, e);
	return r ? r : print(&d, all, e);
}
