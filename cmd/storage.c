/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage: what instances take on the disk, of their own and together; and their limits.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/amount.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/instance.h"
#include "spec/json.h"
#include "spec/resources.h"
#include "storage/layer.h"
#include "storage/root.h"
#include "storage/volume.h"

enum storage_format { STORAGE_TABLE, STORAGE_JSON };

struct storage_options {
	int format;
	struct spec_number size;
	struct spec_unsigned inodes;
};

static const char *const formats[] = {[STORAGE_TABLE] = "table", [STORAGE_JSON] = "json"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct storage_options, format, "format", 'f', formats, "form of the list (table)"),
    OPTION(struct storage_options, size, "size", 0, SIZE, "SIZE",
	   "change how much the one instance named may write, also while it runs; 0: no limit"),
    OPTION(struct storage_options, inodes, "inodes", 0, UNSIGNED, "N", "likewise how many files"),
};

struct layer_use {
	const char *id;
	uint64_t bytes, users;
};

struct report {
	struct invocation *call;
	struct store store;
	char **names; /* only these; n_names 0: all */
	size_t n_names;
	struct json_writer json;
	struct str table;
	struct layer_use *layers;
	size_t n_layers, room;
	uint64_t own, seen;
};

/* ---- one instance ---- */

static bool is_asked(const struct report *report, const char *name)
{
	for (size_t i = 0; i < report->n_names; i++)
		if (str_equal(report->names[i], name))
			return true;
	return !report->n_names;
}

static void add_layer(struct report *report, const char *id)
{
	struct layer_info info = {0};
	struct error ignored;

	for (size_t i = 0; i < report->n_layers; i++)
		if (str_equal(report->layers[i].id, id)) {
			report->layers[i].users++;
			return;
		}
	report->layers =
	    arena_grow(report->call->arena, report->layers, report->n_layers, &report->room, sizeof(*report->layers));
	if (layer_load(&report->store, id, &info, &ignored))
		log_warning("%s", ignored.text);
	report->layers[report->n_layers++] = (struct layer_use){id, info.disk, 1};
}

static const char *source_of(const struct root *root)
{
	return root->image ? root->image : root->file ? root->file : root->folder;
}

static void put_row(struct report *report, const char *name, const struct root *root, const struct root_use *use)
{
	char own[AMOUNT_SIZE], shared[AMOUNT_SIZE], limit[AMOUNT_SIZE];

	str_addf(&report->table, "%-24s %10s %8llu %10s %10s  %s\n", name, amount_format(use->bytes, own),
		 (unsigned long long)use->inodes, root->size ? amount_format((uint64_t)root->size, limit) : "-",
		 amount_format(use->shared, shared), source_of(root));
}

static void put_object(struct json_writer *json, const char *name, const struct root *root, const struct root_use *use)
{
	json_open_object(json, NULL);
	json_put_string(json, "name", name);
	json_put_string(json, "from", source_of(root));
	json_put_uint(json, "ownBytes", use->bytes);
	json_put_uint(json, "ownFiles", use->inodes);
	json_put_bool(json, "counted", use->exact);
	json_put_uint(json, "sharedBytes", use->shared);
	json_put_string(json, "limitsBy", quota_way_name(root->quota));
	if (root->size)
		json_put_int(json, "size", root->size);
	if (root->inodes)
		json_put_uint(json, "inodes", root->inodes);
	json_close(json);
}

static int add_instance(const char *name, int folder, const struct root *root, const struct error *broken, void *data,
			struct error *e)
{
	struct report *report = data;
	struct root_use use;
	int r;

	if (!is_asked(report, name))
		return 0;
	if (broken) {
		log_warning("instance '%s': %s", name, broken->text);
		return 0;
	}
	for (size_t i = 0; i < root->n_layers; i++)
		add_layer(report, root->layers[i]);
	r = root_measure(&report->store, folder, &use, e);
	if (r && !root_exists(folder)) /* removed meanwhile */
		return 0;
	if (r) {
		error_context(e, "instance '%s'", name);
		return r;
	}
	report->own += use.bytes;
	report->seen += use.shared;
	put_row(report, name, root, &use);
	put_object(&report->json, name, root, &use);
	return 0;
}

/* ---- all of it ---- */

static int add_volume(const struct volume *volume, const struct error *broken, void *data, struct error *e)
{
	struct report *report = data;
	uint64_t bytes, files;
	char amount[AMOUNT_SIZE], limit[AMOUNT_SIZE];
	int r;

	if (broken) {
		log_warning("%s", broken->text);
		return 0;
	}
	r = volume_measure(&report->store, volume->name, &bytes, &files, e);
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	str_addf(&report->table, "%-24s %10s %8llu %10s %10s  volume\n", volume->name, amount_format(bytes, amount),
		 (unsigned long long)files, volume->size ? amount_format((uint64_t)volume->size, limit) : "-", "-");
	json_open_object(&report->json, NULL);
	json_put_string(&report->json, "name", volume->name);
	json_put_uint(&report->json, "bytes", bytes);
	json_put_uint(&report->json, "files", files);
	json_close(&report->json);
	return 0;
}

static void put_totals(struct report *report)
{
	char own[AMOUNT_SIZE], once[AMOUNT_SIZE], seen[AMOUNT_SIZE], saved[AMOUNT_SIZE];
	uint64_t bytes = 0, all = 0;

	for (size_t i = 0; i < report->n_layers; i++) {
		bytes += report->layers[i].bytes;
		all += report->layers[i].bytes * report->layers[i].users;
	}
	str_addf(&report->table, "\nown: %s   shared: %s in %zu layer%s, seen as %s   saved by sharing: %s\n",
		 amount_format(report->own, own), amount_format(bytes, once), report->n_layers,
		 report->n_layers == 1 ? "" : "s", amount_format(all, seen), amount_format(all - bytes, saved));
	json_put_uint(&report->json, "ownBytes", report->own);
	json_put_uint(&report->json, "sharedBytes", bytes);
	json_put_uint(&report->json, "sharedLayers", report->n_layers);
	json_put_uint(&report->json, "seenBytes", all);
	json_put_uint(&report->json, "savedBytes", all - bytes);
}

static int make_report(struct report *report, struct error *e)
{
	int r;

	json_open_object(&report->json, NULL);
	json_open_array(&report->json, "instances");
	str_addf(&report->table, "%-24s %10s %8s %10s %10s  %s\n", "NAME", "OWN", "FILES", "LIMIT", "SHARED", "FROM");
	r = root_each(&report->store, report->call->arena, add_instance, report, e);
	json_close(&report->json);
	json_open_array(&report->json, "volumes");
	if (!r && !report->n_names)
		r = volume_each(&report->store, report->call->arena, add_volume, report, e);
	json_close(&report->json);
	put_totals(report);
	json_close(&report->json);
	str_add(&report->json.text, "\n");
	return r;
}

/* ---- limits ---- */

/* The instance's config.json says the same as its root.json, or the next start would change it back. */
static int configure(struct instance *instance, const struct storage_options *o, struct error *e)
{
	auto_free char *text = NULL;
	struct spec spec;
	int r = instance_load_spec(instance, &spec, e);

	if (r)
		return r;
	if (!spec.holm)
		spec.holm = arena_new(&spec.arena, struct spec_holm);
	if (o->size.present)
		spec.holm->storage.size = o->size.value;
	if (o->inodes.present)
		spec.holm->storage.inodes = o->inodes.value;
	text = spec_encode(&spec, 2);
	r = instance_save_config(instance, text, e);
	spec_release(&spec);
	return r;
}

static int resize(const struct invocation *call, const struct store *store, const char *name,
		  const struct storage_options *o, struct error *e)
{
	auto_instance instance = INSTANCE_INIT;
	int r;

	if (o->size.value < 0)
		return error_refuse(e, ERROR_USAGE, "--size: a number of bytes, or 0 for no limit");
	r = instance_open(&call->runtime, name, &instance, e);
	if (!r)
		r = instance_lock(&instance, e);
	if (!r)
		r = root_resize(store, instance.folder, o->size.present ? o->size.value : -1,
				o->inodes.present ? o->inodes.value : UINT64_MAX, e);
	if (!r)
		r = configure(&instance, o, e);
	if (r)
		error_context(e, "instance '%s'", name);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct storage_options *o = options;
	struct report report = {
	    .call = call, .store = STORE_INIT, .names = operands, .n_names = n, .json = json_writer_init(2)};
	auto_free char *json = NULL;
	int r;

	if (!call->runtime.data)
		return error_refuse(e, ERROR_STATE,
				    "there is no data folder: give --data DIR, or set HOME or XDG_DATA_HOME");
	r = store_open(call->runtime.data, false, &report.store, e);
	if (r)
		return r;
	report.store.rootless = call->runtime.rootless;
	if (o->size.present || o->inodes.present)
		r = n == 1 ? resize(call, &report.store, operands[0], o, e)
			   : error_refuse(e, ERROR_USAGE, "--size and --inodes are for one instance");
	else
		r = make_report(&report, e);
	json = json_finish(&report.json);
	if (!r && !o->size.present && !o->inodes.present)
		r = output_write(o->format == STORAGE_JSON ? json : str_peek(&report.table), e);
	str_release(&report.table);
	store_close(&report.store);
	return r;
}

const struct verb verb_storage = {
    .name = "storage",
    .summary = "what instances take on the disk, what they share, and their limits",
    .operands = "[NAME...]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct storage_options, rows),
    .text = "OWN is what an instance has written, SHARED what lies below that and is on the disk once for all.",
    .run = run,
};
