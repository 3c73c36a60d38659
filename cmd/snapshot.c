/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot: states of an instance's root, to go back to.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/quiet.h"
#include "instances/select.h"
#include "instances/status.h"
#include "spec/json.h"
#include "storage/root.h"
#include "storage/snapshot.h"

static void print_time(int64_t ns, char text[32])
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
}

/* ---- create ---- */

/* Is it one that is meant, by its name?  Then what is printed does not say whose it is. */
static bool is_one(const struct each_options *each, const char *name)
{
	return !each->n_labels && !select_is_pattern(name);
}

struct create_options {
	struct each_options each;
	const char *comment;
};

static const struct option create_rows[] = {
    EACH_LABEL(struct create_options),
    OPTION(struct create_options, comment, "comment", 'm', STRING, "TEXT", "what it is for"),
};

static int create(struct invocation *call, struct instance *i, const struct store *store,
		  struct snapshot_request *request, struct snapshot *ret, struct error *e)
{
	struct quiet quiet = QUIET_INIT;
	struct copy_pause pause = quiet_pause(&quiet);
	struct error ignored;
	auto_fd upper = -1;
	struct root root;
	int r = root_load(i->folder, call->arena, &root, e);

	if (!r)
		r = quiet_look(&call->runtime, i, &quiet, e);
	if (!r && quiet.runs)
		r = root_open_upper(store, i->folder, &root, &upper, e);
	request->upper = upper;
	request->pause = &pause;
	if (!r)
		r = snapshot_create(store, i->folder, request, call->arena, ret, e);
	if (quiet_end(&quiet, r ? &ignored : e) && !r)
		r = error_return(e);
	return r;
}

struct create_work {
	const struct create_options *options;
	const char *name; /* NULL: one is made up */
	bool one;
};

static int create_one(struct invocation *call, struct instance *which, const void *data, struct error *e)
{
	const struct create_work *work = data;
	struct snapshot_request request = {.name = work->name, .comment = work->options->comment};
	auto_instance i = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	struct snapshot made;
	auto_str out = STR_INIT;
	int r = quiet_open(&call->runtime, which->name, &i, &store, e);

	if (r)
		return r;
	r = create(call, &i, &store, &request, &made, e);
	if (r) {
		error_context(e, "snapshot of '%s'", i.name);
		return r;
	}
	if (!work->one)
		str_addf(&out, "%s ", i.name);
	str_addf(&out, "%s\n", made.name);
	return output_write(str_peek(&out), e);
}

static int run_create(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct create_options *o = options;
	const struct create_work work = {o, n > 1 ? operands[1] : NULL, is_one(&o->each, operands[0])};

	return each_instance(call, &o->each, operands, 1, EACH_ALONE, create_one, &work, e);
}

/* ---- list, tree ---- */

enum list_format { LIST_TABLE, LIST_JSON };

struct list_options {
	struct each_options each;
	int format;
};

static const char *const formats[] = {[LIST_TABLE] = "table", [LIST_JSON] = "json"};

static const struct option list_rows[] = {
    EACH_LABEL(struct list_options),
    OPTION_CHOSEN(struct list_options, format, "format", 'f', formats, "form of the list (table)"),
};

static int load(struct invocation *call, const char *name, struct instance *i, struct snapshot_list *ret,
		struct error *e)
{
	int r = instance_open(&call->runtime, name, i, e);

	if (!r)
		r = snapshot_load(i->folder, call->arena, ret, e);
	if (r)
		error_context(e, "snapshots of '%s'", name);
	return r;
}

struct listing {
	bool one, any;
	struct str table;
	struct json_writer json;
};

static void list_table(const struct snapshot_list *list, const char *instance, struct str *out)
{
	char created[32];

	for (size_t i = 0; i < list->n; i++) {
		const struct snapshot *s = &list->items[i];

		print_time(s->created, created);
		if (instance)
			str_addf(out, "%-20s ", instance);
		str_addf(out, "%-20s %-21s %-20s %-8s %s\n", s->name, created, s->parent ? s->parent : "-",
			 s->live ? "running" : "stopped", s->comment ? s->comment : "");
	}
}

static void list_json(const struct snapshot_list *list, const char *instance, struct json_writer *w)
{
	char created[32];

	json_open_array(w, instance);
	for (size_t i = 0; i < list->n; i++) {
		const struct snapshot *s = &list->items[i];

		print_time(s->created, created);
		json_open_object(w, NULL);
		json_put_string(w, "name", s->name);
		json_put_string(w, "created", created);
		if (s->parent)
			json_put_string(w, "parent", s->parent);
		json_put_bool(w, "running", s->live);
		json_put_bool(w, "current", str_equal(s->name, list->head));
		json_put_uint(w, "layers", s->n_pushes);
		if (s->comment)
			json_put_string(w, "comment", s->comment);
		json_close(w);
	}
	json_close(w);
}

static int list_one(struct invocation *call, struct instance *which, const void *data, struct error *e)
{
	struct listing *listing = *(struct listing *const *)data;
	const char *name = listing->one ? NULL : which->name;
	auto_instance i = INSTANCE_INIT;
	struct snapshot_list list;
	int r = load(call, which->name, &i, &list, e);

	if (r)
		return r;
	listing->any = true;
	list_table(&list, name, &listing->table);
	list_json(&list, name, &listing->json);
	return 0;
}

static int run_list(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct list_options *o = options;
	struct listing listing = {
	    .one = is_one(&o->each, operands[0]) && n == 1, .table = STR_INIT, .json = json_writer_init(2)};
	struct listing *const data = &listing;
	auto_free char *json = NULL;
	int r, printed;

	str_addf(&listing.table, "%s%-20s %-21s %-20s %-8s %s\n", listing.one ? "" : "INSTANCE             ", "NAME",
		 "CREATED", "PARENT", "TAKEN", "COMMENT");
	if (!listing.one)
		json_open_object(&listing.json, NULL);
	r = each_instance(call, &o->each, operands, n, EACH_ALONE, list_one, &data, e);
	if (!listing.one)
		json_close(&listing.json);
	str_add(&listing.json.text, "\n");
	json = json_finish(&listing.json);
	printed = r && !listing.any
		      ? r
		      : output_write(o->format == LIST_JSON ? json : str_peek(&listing.table), r ? NULL : e);
	str_release(&listing.table);
	return r ?: printed;
}

static bool is_last_child(const struct snapshot_list *list, size_t index)
{
	for (size_t i = index + 1; i < list->n; i++)
		if (str_equal(list->items[i].parent, list->items[index].parent))
			return false;
	return true;
}

/* What came from one state, each with what came from it; lines: what leads to them. */
static void draw(const struct snapshot_list *list, const char *parent, struct str *lines, struct str *out)
{
	size_t length = lines->size;

	for (size_t i = 0; i < list->n; i++) {
		const struct snapshot *s = &list->items[i];
		bool last;
		char created[32];

		if (!str_equal(s->parent, parent))
			continue;
		last = is_last_child(list, i);
		print_time(s->created, created);
		str_addf(out, "%s%s%s  %s%s%s%s\n", str_peek(lines), last ? "└── " : "├── ", s->name, created,
			 s->comment ? "  " : "", s->comment ? s->comment : "",
			 str_equal(s->name, list->head) ? "  (now)" : "");
		str_add(lines, last ? "    " : "│   ");
		draw(list, s->name, lines, out);
		lines->size = length;
		lines->data[length] = 0;
	}
}

static int run_tree(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	struct snapshot_list list;
	auto_str out = STR_INIT, lines = STR_INIT;
	struct root root;
	int r = load(call, operands[0], &i, &list, e);

	(void)options, (void)n;
	if (!r)
		r = root_load(i.folder, call->arena, &root, e);
	if (r)
		return r;
	str_addf(&out, "%s%s\n",
		 root.image    ? root.image
		 : root.file   ? root.file
		 : root.folder ? root.folder
			       : "image",
		 list.head ? "" : "  (now)");
	str_add(&lines, "");
	draw(&list, NULL, &lines, &out);
	return output_write(str_peek(&out), e);
}

/* ---- restore ---- */

struct restore_options {
	bool restart, config;
};

static const struct option restore_rows[] = {
    OPTION(struct restore_options, restart, "restart", 'r', FLAG, NULL,
	   "stop it first if it runs, and start it again afterwards"),
    OPTION(struct restore_options, config, "config", 'c', FLAG, NULL, "config.json as well, as it was then"),
};

static int restore_config(struct instance *i, const char *name, struct arena *arena, struct error *e)
{
	const struct snapshot *s = NULL;
	struct snapshot_list list;
	int r = snapshot_load(i->folder, arena, &list, e);

	if (!r)
		r = snapshot_find(&list, name, &s, e);
	if (!r && !s->config)
		r = error_refuse(e, ERROR_NOT_FOUND, "snapshot '%s' has no config.json", name);
	return r ? r : instance_save_config(i, s->config, e);
}

static int restore(struct invocation *call, struct instance *i, const struct store *store, const char *name,
		   const struct restore_options *o, struct error *e)
{
	struct quiet quiet = QUIET_INIT;
	int r = quiet_look(&call->runtime, i, &quiet, e);

	if (!r && quiet.runs)
		r = error_refuse(e, ERROR_STATE, "it runs: stop it first, or --restart");
	if (!r)
		r = snapshot_restore(store, i->folder, name, e);
	if (!r && o->config)
		r = restore_config(i, name, call->arena, e);
	return r;
}

static int stop_first(struct invocation *call, struct instance *i, const char *name, bool *ret_ran, struct error *e)
{
	const struct instance_stop stop = {.timeout = -1};
	const struct snapshot *s = NULL;
	struct snapshot_list list;
	struct instance_state state;
	int r = snapshot_load(i->folder, call->arena, &list, e);

	if (!r)
		r = snapshot_find(&list, name, &s, e); /* before it is stopped for nothing */
	if (!r)
		r = instance_look(&call->runtime, i, call->arena, &state, e);
	if (r || !instance_is_active(&state))
		return r;
	*ret_ran = true;
	instance_unlock(i);
	r = instance_stop(&call->runtime, i, &stop, e);
	return r ? r : instance_lock(i, e);
}

static int run_restore(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct restore_options *o = options;
	auto_instance i = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	bool ran = false;
	int r = quiet_open(&call->runtime, operands[0], &i, &store, e);

	(void)n;
	if (!r && o->restart)
		r = stop_first(call, &i, operands[1], &ran, e);
	if (!r)
		r = restore(call, &i, &store, operands[1], o, e);
	if (r) {
		error_context(e, "restore '%s'", operands[0]);
		return r;
	}
	instance_unlock(&i);
	return ran ? instance_start(&call->runtime, &i, e) : 0;
}

/* ---- remove ---- */

struct remove_options {
	struct each_options each;
};

static const struct option remove_rows[] = {
    EACH_LABEL(struct remove_options),
};

struct remove_work {
	char **snapshots;
	size_t n;
};

static int remove_one(struct invocation *call, struct instance *which, const void *data, struct error *e)
{
	const struct remove_work *work = data;
	auto_instance i = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	int r = quiet_open(&call->runtime, which->name, &i, &store, e);

	if (!r)
		r = snapshot_remove(&store, i.folder, work->snapshots, work->n, e);
	if (r)
		error_context(e, "snapshots of '%s'", which->name);
	return r;
}

static int run_remove(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct remove_options *o = options;
	const struct remove_work work = {operands + 1, n - 1};

	return each_instance(call, &o->each, operands, 1, EACH_ALONE, remove_one, &work, e);
}

/* ---- the table ---- */

static const struct verb commands[] = {
    {.name = "snapshot create",
     .summary = "keep the present state of an instance's root, also while it runs",
     .operands = "NAME [SNAPSHOT]",
     .min = 1,
     .max = 2,
     VERB_OPTIONS(struct create_options, create_rows),
     .text = "A stopped instance: at once, whatever it wrote.  Of a running one what it wrote is copied (or shared,\n"
	     "where the file system can); it is frozen for moments.  Prints the snapshot's name.",
     .run = run_create},
    {.name = "snapshot list",
     .summary = "list the snapshots of instances",
     .operands = "NAME...",
     .min = 1,
     .max = VERB_ANY_OPERANDS,
     VERB_OPTIONS(struct list_options, list_rows),
     .run = run_list},
    {.name = "snapshot tree",
     .summary = "draw which snapshot came from which, and where the instance is now",
     .operands = "NAME",
     .min = 1,
     .max = 1,
     .run = run_tree},
    {.name = "snapshot restore",
     .summary = "give an instance back the root that it had",
     .operands = "NAME SNAPSHOT",
     .min = 2,
     .max = 2,
     VERB_OPTIONS(struct restore_options, restore_rows),
     .text = "What it wrote since is gone, unless another snapshot has it.  The snapshot stays.",
     .run = run_restore},
    {.name = "snapshot remove",
     .summary = "remove snapshots; the instance, clones and other snapshots stay as they are",
     .operands = "NAME SNAPSHOT...",
     .min = 2,
     .max = VERB_ANY_OPERANDS,
     VERB_OPTIONS(struct remove_options, remove_rows),
     .text = "NAME may be a pattern.",
     .run = run_remove},
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const struct commands table = {commands, ARRAY_SIZE(commands), "holm-snapshot(8)"};

	return commands_run(&table, call, options, operands, n, e);
}

const struct verb verb_snapshot = {
    .name = "snapshot",
    .summary = "states of an instance to go back to: create, list, tree, restore, remove",
    .operands = "COMMAND [OPERANDS]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    .raw = true,
    .run = run,
};
