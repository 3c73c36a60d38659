/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/diff.h"
#include "cmd/each.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/instance.h"
#include "spec/json.h"
#include "storage/changes.h"
#include "storage/snapshot.h"

enum diff_format { DIFF_TEXT, DIFF_JSON };

struct diff_options {
	int format;
	const char *since;
	bool config, all;
};

static const char *const formats[] = {[DIFF_TEXT] = "text", [DIFF_JSON] = "json"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct diff_options, format, "format", 'f', formats, "form of the list (text)"),
    OPTION(struct diff_options, since, "since", 0, STRING, "SNAPSHOT", "against a snapshot instead of the image"),
    OPTION(struct diff_options, config, "config", 'c', FLAG, NULL,
	   "compare config.json, what was asked of the run, and what the kernel has"),
    OPTION(struct diff_options, all, "all", 'a', FLAG, NULL, "with --config: also what is the same everywhere"),
};

struct report {
	int format;
	struct str text;
	struct json_writer json;
};

/* Names are the instance's: what would speak to a terminal is shown as \ooo. */
static void put_path(struct str *out, const char *path)
{
	for (const unsigned char *p = (const unsigned char *)path; *p; p++)
		if (*p < ' ' || *p == 0x7f || *p == '\\')
			str_addf(out, "\\%03o", *p);
		else
			str_add_bytes(out, p, 1);
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "folder";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "device";
	}
}

static int put(enum change_what what, const char *path, mode_t mode, void *data, struct error *e)
{
	struct report *report = data;
	int r = 0;

	if (report->format == DIFF_JSON) {
		json_open_object(&report->json, NULL);
		json_put_string(&report->json, "path", path);
		json_put_string(&report->json, "change",
				what == CHANGE_ADDED	 ? "added"
				: what == CHANGE_CHANGED ? "changed"
							 : "removed");
		json_put_string(&report->json, "type", type_name(mode));
		json_close(&report->json);
		return 0;
	}
	str_addf(&report->text, "%c ", what);
	put_path(&report->text, path);
	str_add(&report->text, "\n");
	if (report->text.size > 1 << 20) {
		r = output_write(str_peek(&report->text), e);
		str_release(&report->text);
		report->text = STR_INIT;
	}
	return r;
}

/* How many of the pushes a snapshot shares with the present state; it must be one that the present state lies on. */
static int find_since(const struct instance *i, const char *name, const struct root *root, struct arena *arena,
		      size_t *ret, struct error *e)
{
	const struct snapshot *s = NULL;
	struct snapshot_list list;
	bool below;
	int r = snapshot_load(i->folder, arena, &list, e);

	if (!r)
		r = snapshot_find(&list, name, &s, e);
	if (r)
		return r;
	below = s->n_pushes <= root->n_pushes;
	for (size_t k = 0; k < s->n_pushes && below; k++)
		below = str_equal(s->pushes[k], root->pushes[k]);
	if (!below)
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "the present state does not lie on snapshot '%s' (it was taken while the instance ran, "
		    "or another one was restored since)",
		    name);
	*ret = s->n_pushes;
	return 0;
}

static int diff_paths(struct invocation *call, const char *name, const struct diff_options *o, struct error *e)
{
	struct report report = {.format = o->format, .json = json_writer_init(2)};
	auto_instance i = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	auto_free char *json = NULL;
	struct root root;
	size_t since = 0;
	int r = instance_open(&call->runtime, name, &i, e);

	if (!r)
		r = store_open(call->runtime.data, false, &store, e);
	store.rootless = call->runtime.rootless;
	if (!r)
		r = root_load(i.folder, call->arena, &root, e);
	if (!r && o->since)
		r = find_since(&i, o->since, &root, call->arena, &since, e);
	json_open_array(&report.json, NULL);
	if (!r)
		r = changes_walk(&store, i.folder, &root, since, put, &report, e);
	json_close(&report.json);
	json = json_finish(&report.json);
	if (r)
		error_context(e, "changes of '%s'", name);
	else if (o->format == DIFF_JSON)
		str_addf(&report.text, "%s\n", json);
	if (!r)
		r = output_write(str_peek(&report.text), e);
	str_release(&report.text);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct diff_options *o = options;
	const char *name;
	int r = each_one(call, operands[0], &name, e);

	(void)n;
	if (r)
		return r;
	return o->config ? diff_config(call, name, o->all, e) : diff_paths(call, name, o, e);
}

const struct verb verb_diff = {
    .name = "diff",
    .summary = "list what an instance changed in its root; or compare its config.json with what runs",
    .operands = "NAME",
    .min = 1,
    .max = 1,
    VERB_OPTIONS(struct diff_options, rows),
    .text = "A: added, C: changed, D: removed.  With --config, a line for each setting that is not the same\n"
	    "everywhere: FILE is config.json, RECORD what the run was started with and told since, KERNEL what\n"
	    "is in force.\n"
	    "NAME may be a pattern that stands for one.",
    .run = run,
};
