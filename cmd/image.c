/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image: what images there are, and what becomes of them; moving them is in image_move.c.
 */
#include "cmd/image.h"

#include <stdio.h>
#include <string.h>

#include "cmd/bar.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "spec/json.h"
#include "storage/image.h"

static int open_store(struct invocation *call, struct store *store, struct error *e)
{
	return store_open(call->runtime.data, false, store, e);
}

static int write_json(struct json_writer *json, struct error *e)
{
	auto_free char *text = json_finish(json);
	auto_str out = STR_INIT;

	str_addf(&out, "%s\n", text);
	return output_write(str_peek(&out), e);
}

/* ---- list ---- */

enum list_format { LIST_TABLE, LIST_JSON };

struct list_options {
	int format;
	bool quiet;
};

static const char *const list_formats[] = {[LIST_TABLE] = "table", [LIST_JSON] = "json"};

static const struct option list_rows[] = {
    OPTION_CHOSEN(struct list_options, format, "format", 'f', list_formats, "form of the list"),
    OPTION(struct list_options, quiet, "quiet", 'q', FLAG, NULL, "only the names"),
};

enum { COLUMNS = 7 };

struct listing {
	const struct store *store;
	struct arena *arena;
	const struct list_options *options;
	struct json_writer json;
	const char *(*rows)[COLUMNS];
	size_t n, room;
};

static void add_row(struct listing *listing, const char *const row[COLUMNS])
{
	listing->rows = arena_grow(listing->arena, listing->rows, listing->n, &listing->room, sizeof(*listing->rows));
	memcpy(listing->rows[listing->n++], row, sizeof(*listing->rows));
}

static const char *tag_of(const char *reference)
{
	return strrchr(reference, ':') + 1;
}

static const char *name_of(const char *reference, struct arena *arena)
{
	return arena_format(arena, "%.*s", (int)(strrchr(reference, ':') - reference), reference);
}

static void list_json(struct listing *listing, const struct image *image, const char *reference, const char *broken,
		      uint64_t disk, uint64_t shared)
{
	struct json_writer *json = &listing->json;

	json_open_object(json, NULL);
	json_put_string(json, "reference", reference);
	json_put_string(json, "name", name_of(reference, listing->arena));
	json_put_string(json, "tag", tag_of(reference));
	if (image) {
		json_put_string(json, "id", image->id);
		json_put_string(json, "digest", image->digest);
		json_put_string(json, "os", image->os);
		json_put_string(json, "architecture", image->architecture);
		json_put_uint(json, "layers", image->n_layers);
		json_put_uint(json, "size", disk);
		json_put_uint(json, "shared", shared);
		if (image->created)
			json_put_string(json, "created", image->created);
	} else {
		json_put_string(json, "error", broken);
	}
	json_close(json);
}

/* RFC 3339 as people read it: to the second, without T and zone, which is UTC nearly always. */
static const char *shorten_time(const char *created, struct arena *arena)
{
	char *text;

	if (!created || strlen(created) < 19)
		return "-";
	text = arena_format(arena, "%.16s", created);
	text[10] = ' ';
	return text;
}

static int list_image(const struct image *image, const char *reference, const struct error *broken, void *data,
		      struct error *e)
{
	struct listing *listing = data;
	struct arena *arena = listing->arena;
	char size[BAR_SIZE_SIZE], common[BAR_SIZE_SIZE], text[ERROR_TEXT_SIZE + 64] = "";
	uint64_t disk = 0, shared = 0;
	int r = image ? image_measure(listing->store, image, &disk, &shared, e) : 0;

	if (r)
		return r;
	if (broken)
		error_format(broken, text, sizeof(text));
	if (listing->options->format == LIST_JSON) {
		list_json(listing, image, reference, text, disk, shared);
	} else if (image) {
		add_row(listing,
			(const char *[COLUMNS]){name_of(reference, arena), tag_of(reference),
						arena_format(arena, "%.12s", store_digest_hex(image->id)),
						arena_format(arena, "%zu", image->n_layers),
						arena_strdup(arena, bar_print_size(disk, size)),
						shared ? arena_strdup(arena, bar_print_size(shared, common)) : "-",
						shorten_time(image->created, arena)});
	} else {
		add_row(listing, (const char *[COLUMNS]){name_of(reference, arena), tag_of(reference), "damaged", "-",
							 "-", "-", "- ('holm image check' says more)"});
	}
	return 0;
}

static void print_table(const struct listing *listing, struct str *out)
{
	size_t widths[COLUMNS] = {0};

	for (size_t i = 0; i < listing->n; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			if (strlen(listing->rows[i][c]) > widths[c])
				widths[c] = strlen(listing->rows[i][c]);
	for (size_t i = 0; i < listing->n; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			str_addf(out, "%-*s%s", c + 1 < COLUMNS ? (int)widths[c] + 2 : 0, listing->rows[i][c],
				 c + 1 < COLUMNS ? "" : "\n");
}

static int run_list(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const char *const head[COLUMNS] = {"NAME", "TAG", "ID", "LAYERS", "SIZE", "SHARED", "CREATED"};
	const struct list_options *o = options;
	auto_store store = STORE_INIT;
	auto_str out = STR_INIT;
	struct listing listing = {.store = &store, .arena = call->arena, .options = o, .json = json_writer_init(2)};
	int r = open_store(call, &store, e);

	(void)operands, (void)n;
	if (r)
		return r;
	json_open_array(&listing.json, NULL);
	if (!o->quiet)
		add_row(&listing, head);
	r = image_each(&store, call->arena, list_image, &listing, e);
	json_close(&listing.json);
	if (r || o->format != LIST_JSON)
		json_discard(&listing.json);
	if (r)
		return r;
	if (o->format == LIST_JSON)
		return write_json(&listing.json, e);
	for (size_t i = 0; o->quiet && i < listing.n; i++)
		str_addf(&out, "%s:%s\n", listing.rows[i][0], listing.rows[i][1]);
	if (!o->quiet)
		print_table(&listing, &out);
	return output_write(str_peek(&out), e);
}

/* ---- inspect ---- */

static void put_strings(struct json_writer *json, const char *key, const char *const *list, size_t n)
{
	json_open_array(json, key);
	for (size_t i = 0; i < n; i++)
		json_put_string(json, NULL, list[i]);
	json_close(json);
}

static void put_text(struct json_writer *json, const char *key, const char *text)
{
	if (text)
		json_put_string(json, key, text);
}

static void put_config(struct json_writer *json, const struct image_config *config)
{
	json_open_object(json, "config");
	put_strings(json, "entrypoint", config->entrypoint, config->n_entrypoint);
	put_strings(json, "cmd", config->cmd, config->n_cmd);
	put_strings(json, "env", config->env, config->n_env);
	put_text(json, "user", config->user);
	put_text(json, "workingDir", config->working_dir);
	put_strings(json, "exposedPorts", config->exposed_ports, config->n_exposed_ports);
	put_strings(json, "volumes", config->volumes, config->n_volumes);
	put_text(json, "stopSignal", config->stop_signal);
	json_open_object(json, "labels");
	for (size_t i = 0; i < config->n_labels; i++)
		json_put_string(json, config->labels[2 * i], config->labels[2 * i + 1]);
	json_close(json);
	json_close(json);
}

static void put_layers(struct json_writer *json, const struct store *store, const struct image *image)
{
	json_open_array(json, "layers");
	for (size_t i = 0; i < image->n_layers; i++) {
		struct layer_info info;

		json_open_object(json, NULL);
		json_put_string(json, "id", image->layers[i]);
		if (layer_load(store, image->layers[i], &info, NULL)) {
			json_put_bool(json, "missing", true);
		} else {
			json_put_uint(json, "size", info.disk);
			json_put_uint(json, "tarSize", info.size);
			json_put_uint(json, "entries", info.entries);
		}
		json_close(json);
	}
	json_close(json);
}

struct users {
	struct json_writer *json;
	const struct image *image;
};

static int put_user(const struct image_user *user, void *data, struct error *e)
{
	struct users *users = data;

	(void)e;
	if (user->instance && str_equal(user->digest, users->image->digest))
		json_put_string(users->json, NULL, user->instance);
	return 0;
}

static int put_image(struct json_writer *json, const struct store *store, const struct image *image, struct error *e)
{
	struct users users = {json, image};
	uint64_t disk, shared;
	int r = image_measure(store, image, &disk, &shared, e);

	json_open_object(json, NULL);
	put_text(json, "reference", image->reference);
	json_put_string(json, "id", image->id);
	json_put_string(json, "digest", image->digest);
	json_put_string(json, "os", image->os);
	json_put_string(json, "architecture", image->architecture);
	put_text(json, "variant", image->variant);
	put_text(json, "created", image->created);
	put_text(json, "author", image->author);
	json_put_uint(json, "size", disk);
	json_put_uint(json, "shared", shared);
	put_config(json, &image->config);
	put_layers(json, store, image);
	json_open_array(json, "usedBy");
	r = r ?: image_each_user(store, put_user, &users, e);
	json_close(json);
	json_close(json);
	return r;
}

static int run_inspect(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_json_writer json = json_writer_init(2);
	auto_store store = STORE_INIT;
	int r = open_store(call, &store, e);

	(void)options;
	json_open_array(&json, NULL);
	for (size_t i = 0; !r && i < n; i++) {
		struct image image;

		r = image_load(&store, operands[i], call->arena, &image, e) ?: put_image(&json, &store, &image, e);
	}
	json_close(&json);
	return r ?: write_json(&json, e);
}

/* ---- tag, remove, prune, check ---- */

static int run_tag(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_store store = STORE_INIT;
	int r = open_store(call, &store, e);

	(void)options;
	for (size_t i = 1; !r && i < n; i++)
		r = image_tag(&store, operands[0], operands[i], e);
	return r;
}

static void print_freed(const struct image_freed *freed, bool pretend, struct str *out)
{
	char size[BAR_SIZE_SIZE];

	str_addf(out, "%s %s: %zu name%s, %zu layer%s, %zu blob%s", pretend ? "would free" : "freed",
		 bar_print_size(freed->bytes, size), freed->references, freed->references == 1 ? "" : "s",
		 freed->layers, freed->layers == 1 ? "" : "s", freed->blobs, freed->blobs == 1 ? "" : "s");
	if (freed->leftovers)
		str_addf(out, ", %zu leftover%s", freed->leftovers, freed->leftovers == 1 ? "" : "s");
	str_add(out, "\n");
}

static int run_remove(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct image_freed all = {0};
	auto_store store = STORE_INIT;
	auto_str out = STR_INIT;
	int r = open_store(call, &store, e);

	(void)options;
	for (size_t i = 0; !r && i < n; i++) {
		struct image_freed freed;

		r = image_remove(&store, operands[i], &freed, e);
		all.bytes += freed.bytes;
		all.references += freed.references;
		all.layers += freed.layers;
		all.blobs += freed.blobs;
	}
	if (all.references) {
		print_freed(&all, false, &out);
		(void)!output_write(str_peek(&out), NULL);
	}
	return r;
}

struct prune_options {
	bool all, dry_run;
	int format;
};

static const struct option prune_rows[] = {
    OPTION(struct prune_options, all, "all", 'a', FLAG, NULL,
	   "also images that have a name, but no instance uses them"),
    OPTION(struct prune_options, dry_run, "dry-run", 'n', FLAG, NULL, "only say what would go"),
    OPTION_CHOSEN(struct prune_options, format, "format", 'f', list_formats, "form of what is said"),
};

struct pruning {
	struct str out;
	struct json_writer json;
};

static void say_pruned(const char *what, const char *name, uint64_t bytes, void *data)
{
	struct pruning *pruning = data;
	char size[BAR_SIZE_SIZE];

	json_open_object(&pruning->json, NULL);
	json_put_string(&pruning->json, what, name);
	json_put_uint(&pruning->json, "bytes", bytes);
	json_close(&pruning->json);
	if (bytes)
		str_addf(&pruning->out, "%s %s  %s\n", what, name, bar_print_size(bytes, size));
	else
		str_addf(&pruning->out, "%s %s\n", what, name);
}

static int run_prune(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct prune_options *o = options;
	struct pruning pruning = {.out = STR_INIT, .json = json_writer_init(2)};
	struct image_freed freed;
	auto_store store = STORE_INIT;
	auto_str out = STR_INIT;
	int r = open_store(call, &store, e);

	(void)operands, (void)n;
	if (r)
		return r;
	json_open_object(&pruning.json, NULL);
	json_open_array(&pruning.json, "removed");
	r = image_prune(&store, o->all, o->dry_run, say_pruned, &pruning, &freed, e);
	json_close(&pruning.json);
	json_put_uint(&pruning.json, "bytes", freed.bytes);
	json_close(&pruning.json);
	out = pruning.out;
	if (r || o->format != LIST_JSON)
		json_discard(&pruning.json);
	if (o->format == LIST_JSON)
		return r ?: write_json(&pruning.json, e);
	print_freed(&freed, o->dry_run, &out);
	return r ?: output_write(str_peek(&out), e);
}

struct check_options {
	bool repair, content;
	int format;
};

static const struct option check_rows[] = {
    OPTION(struct check_options, content, "content", 'c', FLAG, NULL,
	   "also read every layer and compare it with its id"),
    OPTION(struct check_options, repair, "repair", 0, FLAG, NULL, "remove what is damaged or was left behind"),
    OPTION_CHOSEN(struct check_options, format, "format", 'f', list_formats, "form of what is said"),
};

static void say_finding(const char *finding, bool repaired, void *data)
{
	struct pruning *check = data;

	json_open_object(&check->json, NULL);
	json_put_string(&check->json, "finding", finding);
	json_put_bool(&check->json, "repaired", repaired);
	json_close(&check->json);
	str_addf(&check->out, "%s%s\n", finding, repaired ? ": removed" : "");
}

static int run_check(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct check_options *o = options;
	struct pruning check = {.out = STR_INIT, .json = json_writer_init(2)};
	auto_store store = STORE_INIT;
	auto_str out = STR_INIT;
	size_t left = 0;
	int r = open_store(call, &store, e);

	(void)operands, (void)n;
	if (r)
		return r;
	json_open_object(&check.json, NULL);
	json_open_array(&check.json, "findings");
	r = image_check(&store, o->content, o->repair, say_finding, &check, &left, e);
	json_close(&check.json);
	json_put_bool(&check.json, "sound", !left);
	json_close(&check.json);
	out = check.out;
	if (r || o->format != LIST_JSON)
		json_discard(&check.json);
	if (r)
		return r;
	call->status = left ? 1 : 0;
	if (o->format == LIST_JSON)
		return write_json(&check.json, e);
	str_addf(&out, "%s\n", left ? "the store is not sound" : "the store is sound");
	return output_write(str_peek(&out), e);
}

/* ---- the verb ---- */

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct verb list[] = {
	    command_image_import,
	    command_image_pull,
	    {.name = "image list",
	     .summary = "names, sizes, and what is shared",
	     .operands = "",
	     VERB_OPTIONS(struct list_options, list_rows),
	     .run = run_list},
	    {.name = "image inspect",
	     .summary = "everything about images, as JSON",
	     .operands = "IMAGE...",
	     .min = 1,
	     .max = VERB_ANY_OPERANDS,
	     .run = run_inspect},
	    {.name = "image tag",
	     .summary = "give an image further names",
	     .operands = "IMAGE NAME...",
	     .min = 2,
	     .max = VERB_ANY_OPERANDS,
	     .run = run_tag},
	    {.name = "image remove",
	     .summary = "remove names, and images with their last one",
	     .operands = "IMAGE...",
	     .min = 1,
	     .max = VERB_ANY_OPERANDS,
	     .run = run_remove},
	    {.name = "image prune",
	     .summary = "remove what nothing needs",
	     .operands = "",
	     VERB_OPTIONS(struct prune_options, prune_rows),
	     .run = run_prune},
	    command_image_export,
	    {.name = "image check",
	     .summary = "whether everything is sound; --repair",
	     .operands = "",
	     VERB_OPTIONS(struct check_options, check_rows),
	     .run = run_check},
	};
	struct commands table = {list, ARRAY_SIZE(list), "holm-image(8)"};

	return commands_run(&table, call, options, operands, n, e);
}

const struct verb verb_image = {
    .name = "image",
    .summary = "images: import, pull, list, inspect, tag, remove, prune, export, check",
    .operands = "COMMAND [OPERANDS]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    .raw = true,
    .run = run,
};
