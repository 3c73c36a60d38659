/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/each.h"
#include "cmd/launch.h"
#include "cmd/output.h"
#include "instances/change.h"
#include "instances/launch.h"
#include "instances/status.h"
#include "spec/json.h"

enum { MANIFEST_MAX = 16 << 20 };

/* ---- reading ---- */

/* One instance's keys on their way to being launch's arguments. */
struct reader {
	const struct runtime *runtime;
	struct arena *arena;
	const char *path, *name;
	char **argv;
	size_t n, room;
	char **operands; /* image or rootfs, command */
	size_t n_operands;
	const char *image;
	const char *key; /* of the list or object that is walked */
	struct manifest *manifest;
	struct error *e;
	int r;
};

static void refuse(struct reader *r, const char *why)
{
	if (r->r)
		return;
	r->r = error_refuse(r->e, ERROR_INVALID, "%s: instances.%s.%s: %s", r->path, r->name, r->key, why);
}

static void add(struct reader *r, char *text)
{
	r->argv = arena_grow(r->arena, r->argv, r->n, &r->room, sizeof(*r->argv));
	r->argv[r->n++] = text;
}

/* A text, number or truth as an option takes it; NULL: something else. */
static const char *read_value(struct reader *r, const struct json *value)
{
	const char *text = json_string_peek(value);
	auto_free char *dumped = text ? NULL : json_dump(value, JSON_INDENT_NONE);

	if (text)
		return text;
	if (!dumped || *dumped == '{' || *dumped == '[' || str_equal(dumped, "null"))
		return NULL;
	return arena_strdup(r->arena, dumped);
}

static void add_option(struct reader *r, const char *value)
{
	if (!value)
		refuse(r, "must be a text, a number, true or false");
	else
		add(r, arena_format(r->arena, "--%s=%s", r->key, value));
}

static void add_pair(const char *key, const struct json *value, void *data)
{
	struct reader *r = data;
	const char *text = read_value(r, value);

	if (!text)
		refuse(r, "its members must be texts or numbers");
	else
		add(r, arena_format(r->arena, "--%s=%s=%s", r->key, key, text));
}

static void read_command(struct reader *r, const struct json *value)
{
	const char *text = json_string_peek(value);
	size_t n = json_count(value);

	if (text) { /* a line for a shell */
		r->operands = arena_array(r->arena, char *, 3);
		r->operands[0] = arena_strdup(r->arena, "/bin/sh");
		r->operands[1] = arena_strdup(r->arena, "-c");
		r->operands[2] = arena_strdup(r->arena, text);
		r->n_operands = 3;
		return;
	}
	if (!n)
		refuse(r, "must be a list of texts, or a line for /bin/sh");
	r->operands = arena_array(r->arena, char *, n);
	for (size_t i = 0; i < n; i++) {
		text = read_value(r, json_at(value, i));
		if (!text)
			refuse(r, "must be a list of texts");
		else
			r->operands[r->n_operands++] = arena_strdup(r->arena, text);
	}
}

static void read_key(const char *key, const struct json *value, void *data)
{
	static const char *const others[] = {"name", "dry-run", "detach"};
	struct reader *r = data;
	auto_free char *dumped = json_dump(value, JSON_INDENT_NONE);

	r->key = key;
	if (str_equal(key, "image")) {
		r->image = read_value(r, value);
		if (!r->image)
			refuse(r, "must be a text");
		return;
	}
	if (str_equal(key, "command")) {
		read_command(r, value);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (str_equal(key, others[i])) {
			if (i) /* the name was read already */
				refuse(r, "has no place in a file");
			return;
		}
	if (dumped && *dumped == '{') {
		json_each(value, add_pair, r);
	} else if (dumped && *dumped == '[') {
		for (size_t i = 0; i < json_count(value); i++)
			add_option(r, read_value(r, json_at(value, i)));
	} else {
		add_option(r, read_value(r, value));
	}
}

static void read_instance(const char *name, const struct json *value, void *data)
{
	struct reader *outer = data;
	struct reader r = {.runtime = outer->runtime,
			   .arena = outer->arena,
			   .path = outer->path,
			   .name = arena_strdup(outer->arena, name),
			   .e = outer->e};
	struct config_options *o = &outer->manifest->instances[outer->manifest->n];
	bool help = false;

	if (outer->r)
		return;
	json_each(value, read_key, &r);
	if (r.image)
		add(&r, arena_strdup(r.arena, r.image));
	else
		add(&r, arena_strdup(r.arena, "--"));
	for (size_t i = 0; i < r.n_operands; i++)
		add(&r, r.operands[i]);
	if (!r.r) {
		r.r = launch_parse(r.runtime, r.argv, r.n, r.arena, o, &help, r.e);
		if (!r.r && help)
			r.r = error_refuse(r.e, ERROR_INVALID, "'help' is no key");
		if (r.r)
			error_context(r.e, "%s: instances.%s", r.path, r.name);
	}
	o->name = r.name;
	outer->r = r.r;
	outer->manifest->n++;
}

static void count(const char *key, const struct json *value, void *data)
{
	(void)key, (void)value;
	++*(size_t *)data;
}

int manifest_load(const struct runtime *runtime, const char *path, struct arena *arena, struct manifest *ret,
		  struct error *e)
{
	bool standard = str_equal(path, "-");
	struct manifest manifest = {0};
	struct reader reader = {.runtime = runtime, .arena = arena, .path = path, .manifest = &manifest, .e = e};
	auto_free char *text = NULL;
	const struct json *instances;
	auto_json *json = NULL;
	size_t size = 0, n = 0;
	int r = standard ? fd_read_all(STDIN_FILENO, MANIFEST_MAX, &text, &size)
			 : file_read(AT_FDCWD, path, MANIFEST_MAX, &text, &size);

	if (r)
		return error_system(e, -r, "read '%s'", path);
	r = json_read(text, size, path, &json, e);
	if (r)
		return r;
	instances = json_find(json, "instances");
	if (!instances) {
		const char *name = json_find_string(json, "name");

		if (!name)
			return error_refuse(
			    e, ERROR_INVALID,
			    "%s: has neither \"instances\": {NAME: {...}} nor the \"name\" of a single one", path);
		manifest.instances = arena_array(arena, struct config_options, 1);
		read_instance(name, json, &reader);
	} else {
		json_each(instances, count, &n);
		manifest.instances = arena_array(arena, struct config_options, n);
		json_each(instances, read_instance, &reader);
	}
	if (!reader.r)
		*ret = manifest;
	return reader.r;
}

/* ---- applying ---- */

struct applying {
	struct invocation *call;
	const struct manifest_apply *how;
	struct str out;
	char **start; /* names of what is to be started, and restarted */
	size_t n_start;
	char **restart;
	size_t n_restart;
	bool made;
};

static const char *shorten(struct arena *arena, const char *json)
{
	enum { SHOWN = 60 };

	if (!*json)
		return "-";
	return strlen(json) <= SHOWN ? json : arena_format(arena, "%.*s...", SHOWN, json);
}

static int make(struct applying *a, const struct config_options *o, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	auto_spec spec = {0};
	int r;

	str_addf(&a->out, "%s: %s\n", o->name, a->how->pretend ? "would be made" : "made");
	if (a->how->pretend) {
		struct config_options pretended = *o;

		pretended.dry_run = true;
		r = launch_make(&a->call->runtime, &pretended, &i, &spec, e);
		if (!r)
			launch_discard(&a->call->runtime, &i);
		return r;
	}
	r = launch_make(&a->call->runtime, o, &i, &spec, e);
	if (r)
		return r;
	r = instance_publish(&a->call->runtime, &i, e);
	if (r) {
		launch_discard(&a->call->runtime, &i);
		return r;
	}
	a->made = true;
	a->start[a->n_start++] = arena_strdup(a->call->arena, o->name);
	return 0;
}

static int remake(struct applying *a, const struct config_options *o, struct instance *i, struct error *e)
{
	const struct instance_stop stop = {.timeout = -1};
	int r;

	if (a->how->pretend) {
		str_addf(&a->out, "%s: would be made anew\n", o->name);
		return 0;
	}
	r = instance_stop(&a->call->runtime, i, &stop, e);
	if (!r)
		r = instance_lock(i, e);
	if (!r)
		r = launch_remove(&a->call->runtime, i, e);
	return r ? r : make(a, o, e);
}

/* Labels are not in config.json. */
static bool change_labels(struct applying *a, const struct config_options *o, struct instance *i, struct error *e)
{
	struct spec_pair *wanted = arena_array(a->call->arena, struct spec_pair, o->n_labels + 1);
	bool changed = false;

	for (size_t k = 0; k < o->n_labels; k++) {
		if (config_parse_label(o->labels[k], a->call->arena, &wanted[k], e))
			return false;
		if (!str_equal(instance_label_peek(i, wanted[k].key), wanted[k].value))
			changed = true;
	}
	if (!changed && i->record.n_labels == o->n_labels)
		return false;
	str_addf(&a->out, "%s: labels (now)\n", o->name);
	i->record.labels = NULL;
	i->record.n_labels = 0;
	for (size_t k = 0; k < o->n_labels; k++)
		instance_set_label(i, wanted[k].key, wanted[k].value);
	return true;
}

static void tell_change(struct applying *a, const char *name, const struct change *change, bool active)
{
	str_addf(&a->out, "%s: %s: %s -> %s (%s)\n", name, change->path, shorten(a->call->arena, change->from),
		 shorten(a->call->arena, change->to),
		 change->kind == CHANGE_RESTART && !active ? "at its start" : change_kind_name(change->kind));
}

/* What config.json has had since an earlier change, and the run has not: it was not restarted. */
static int find_pending(struct applying *a, const char *name, const struct instance *i, const char *text, bool *ret,
			struct error *e)
{
	auto_free char *started = NULL;
	struct change *changes = NULL;
	size_t n = 0, size = 0;
	int r = file_read(i->folder, INSTANCE_STARTED, 64 << 20, &started, &size);

	*ret = false;
	if (r == -ENOENT)
		return 0;
	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_STARTED "'", i->path);
	r = change_compare(started, text, a->call->arena, &changes, &n, e);
	for (size_t k = 0; !r && k < n; k++)
		if (changes[k].kind == CHANGE_RESTART) {
			tell_change(a, name, &changes[k], true);
			*ret = true;
		}
	return r;
}

static int change(struct applying *a, const struct config_options *o, struct instance *i, struct error *e)
{
	struct config_options options = *o;
	auto_free char *text = NULL, *old = NULL;
	struct change *changes = NULL;
	struct instance_state state;
	enum change_kind highest;
	size_t n = 0, size = 0;
	bool active, labels, pending = false;
	int r;

	options.dry_run = a->how->pretend;
	r = instance_look(&a->call->runtime, i, a->call->arena, &state, e);
	if (!r)
		r = launch_rebuild(&a->call->runtime, &options, i, &text, e);
	if (r)
		return r;
	r = file_read(i->folder, INSTANCE_CONFIG, 64 << 20, &old, &size);
	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", i->path);
	r = change_compare(old, text, a->call->arena, &changes, &n, e);
	if (r)
		return r;
	active = instance_is_active(&state);
	highest = change_highest(changes, n);
	for (size_t k = 0; k < n; k++)
		tell_change(a, o->name, &changes[k], active);
	if (active && highest < CHANGE_RESTART) {
		r = find_pending(a, o->name, i, text, &pending, e);
		if (r)
			return r;
	}
	if (highest == CHANGE_REMAKE && a->how->recreate)
		return remake(a, o, i, e);
	if (highest == CHANGE_REMAKE)
		return error_refuse(
		    e, ERROR_STATE,
		    "instance '%s': the root of an instance can't become another: --recreate removes it with what "
		    "it wrote and makes it anew",
		    o->name);
	labels = change_labels(a, o, i, e);
	if (!n && !labels && !pending)
		str_addf(&a->out, "%s: unchanged\n", o->name);
	if (!a->how->pretend && (labels || i->record.delay != o->delay)) {
		i->record.delay = o->delay;
		r = instance_save(i, e);
	}
	if (!r && n && !a->how->pretend)
		r = change_apply(&a->call->runtime, i, text, changes, n, active, e);
	if (r)
		return r;
	if (!active && a->how->start)
		a->start[a->n_start++] = arena_strdup(a->call->arena, o->name);
	else if (active && a->how->restart && (pending || highest == CHANGE_RESTART))
		a->restart[a->n_restart++] = arena_strdup(a->call->arena, o->name);
	return 0;
}

static int apply_one(struct applying *a, const struct config_options *o, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	int r = instance_find(&a->call->runtime, o->name, &i, e);

	if (r == 1)
		return make(a, o, e);
	if (!r)
		r = instance_lock(&i, e);
	return r ? r : change(a, o, &i, e);
}

static int start(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	(void)data;
	return instance_start(&call->runtime, i, e);
}

static int restart(struct invocation *call, struct instance *i, const void *data, struct error *e)
{
	const struct instance_stop stop = {.timeout = -1};
	int r = instance_stop(&call->runtime, i, &stop, e);

	return r ? r : start(call, i, data, e);
}

/* In their order: what is new first, as others may come after it. */
static int run_all(struct applying *a, struct error *e)
{
	const struct each_options many = {0}, one = {.parallel = 1};
	int r = 0;

	if (a->how->pretend)
		return 0;
	if (a->n_start)
		r = each_instance(a->call, &many, a->start, a->n_start, EACH_FORWARD, start, NULL, e);
	if (!r && a->n_restart)
		r = each_instance(a->call, &one, a->restart, a->n_restart, EACH_FORWARD, restart, NULL, e);
	return r;
}

/* ---- circles ---- */

static size_t find_named(const struct manifest *manifest, const char *name)
{
	size_t k = 0;

	while (k < manifest->n && !str_equal(manifest->instances[k].name, name))
		k++;
	return k;
}

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

static int visit(const struct manifest *manifest, size_t index, enum mark *marks, struct error *e)
{
	const struct config_options *o = &manifest->instances[index];

	marks[index] = MARK_OPEN;
	for (size_t k = 0; k < o->n_after; k++) {
		size_t other = find_named(manifest, o->after[k]);
		int r = 0;

		if (other == manifest->n)
			continue;
		if (marks[other] == MARK_OPEN)
			return error_refuse(e, ERROR_INVALID,
					    "instances.%s.after: '%s' comes after '%s' itself: a circle", o->name,
					    o->after[k], o->name);
		if (marks[other] == MARK_NEW)
			r = visit(manifest, other, marks, e);
		if (r)
			return r;
	}
	marks[index] = MARK_DONE;
	return 0;
}

/* Before anything is made: who waits for each other could never be started. */
static int check_circles(const struct manifest *manifest, struct arena *arena, struct error *e)
{
	enum mark *marks = arena_array(arena, enum mark, manifest->n + 1);
	int r = 0;

	for (size_t k = 0; !r && k < manifest->n; k++)
		if (marks[k] == MARK_NEW)
			r = visit(manifest, k, marks, e);
	return r;
}

int manifest_apply(struct invocation *call, const struct manifest *manifest, const struct manifest_apply *how,
		   struct error *e)
{
	struct applying a = {.call = call, .how = how};
	struct error ignored;
	int r = check_circles(manifest, call->arena, e);

	a.start = arena_array(call->arena, char *, manifest->n + 1);
	a.restart = arena_array(call->arena, char *, manifest->n + 1);
	for (size_t k = 0; !r && k < manifest->n; k++)
		r = apply_one(&a, &manifest->instances[k], e);
	/* What was done is told, also when the next thing failed. */
	if (output_write(str_peek(&a.out), r ? &ignored : e) && !r)
		r = error_return(e);
	str_release(&a.out);
	if (!r)
		r = run_all(&a, e);
	return r || !a.made ? r : instances_sync(&call->runtime, e);
}
