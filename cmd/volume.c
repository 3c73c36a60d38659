/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * volume: folders that outlive instances; and mounts of containers that run.
 */
#include <string.h>

#include "base/log.h"
#include "cmd/amount.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/instance.h"
#include "spec/json.h"
#include "spec/resources.h"
#include "storage/volume.h"

static int open_store(const struct invocation *call, bool make, struct store *ret, struct error *e)
{
	int r;

	if (!call->runtime.data)
		return error_refuse(e, ERROR_STATE,
				    "there is no data folder: give --data DIR, or set HOME or XDG_DATA_HOME");
	r = store_open(call->runtime.data, make, ret, e);
	if (!r)
		ret->rootless = call->runtime.rootless;
	return r;
}

/* ---- create ---- */

struct create_options {
	struct spec_number size;
	struct spec_unsigned inodes;
	const char **labels;
	size_t n_labels;
};

static const struct option create_rows[] = {
    OPTION(struct create_options, size, "size", 0, SIZE, "SIZE", "most that may be written to it (project quotas)"),
    OPTION(struct create_options, inodes, "inodes", 0, UNSIGNED, "N", "most files it may hold (project quotas)"),
    OPTION_LISTED(struct create_options, labels, "label", 'l', ENV, "KEY=VALUE", "a label"),
};

static int run_create(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct create_options *o = options;
	auto_store store = STORE_INIT;
	struct volume_request request = {.name = operands[0],
					 .size = o->size.value > 0 ? o->size.value : 0,
					 .inodes = o->inodes.value,
					 .labels = arena_array(call->arena, struct spec_pair, o->n_labels + 1)};
	int r = open_store(call, true, &store, e);

	(void)n;
	for (size_t i = 0; i < o->n_labels; i++) {
		char *key = arena_strdup(call->arena, o->labels[i]), *value = strchr(key, '=');

		*value = 0;
		request.labels[request.n_labels++] = (struct spec_pair){key, value + 1};
	}
	return r ? r : volume_create(&store, &request, e);
}

/* ---- who uses it ---- */

struct users {
	const struct invocation *call;
	const struct store *store;
	const char *volume;
	const char **names;
	size_t n;
};

/* What a running container got beside its config.json is in its updates. */
static void add_container(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	struct users *users = data;
	struct container_state full;
	struct error ignored;
	const char *path =
	    arena_format(users->call->arena, "\"%s/volumes/%s/data\"", users->store->path, users->volume);

	if (broken || state->status == CONTAINER_STOPPED ||
	    container_state(&users->call->runtime, id, users->call->arena, &full, &ignored) || !full.updates ||
	    !strstr(full.updates, path))
		return;
	for (size_t i = 0; i < users->n; i++)
		if (str_equal(users->names[i], id))
			return;
	users->names = arena_memdup(users->call->arena, users->names, (users->n + 1) * sizeof(*users->names));
	users->names[users->n++] = arena_strdup(users->call->arena, id);
}

static int find_users(struct users *users, struct error *e)
{
	const char *const *names = NULL;
	int r = volume_users(users->store, users->volume, users->call->arena, &names, &users->n, e);

	users->names = arena_array(users->call->arena, const char *, users->n + 1);
	for (size_t i = 0; i < users->n && !r; i++)
		users->names[i] = names[i];
	return r ? r : container_each(&users->call->runtime, users->call->arena, add_container, users, e);
}

/* ---- list, inspect ---- */

enum list_format { LIST_TABLE, LIST_JSON };

struct list_options {
	int format;
	bool quiet;
};

static const char *const formats[] = {[LIST_TABLE] = "table", [LIST_JSON] = "json"};

static const struct option list_rows[] = {
    OPTION_CHOSEN(struct list_options, format, "format", 'f', formats, "form of the list (table)"),
    OPTION(struct list_options, quiet, "quiet", 'q', FLAG, NULL, "print names only"),
};

struct listing {
	struct invocation *call;
	const struct store *store;
	const struct list_options *options;
	struct json_writer json;
	struct str text;
};

static void put_volume(struct json_writer *json, const struct volume *v, const struct users *users, uint64_t bytes,
		       uint64_t files)
{
	json_open_object(json, NULL);
	json_put_string(json, "name", v->name);
	json_put_string(json, "path", v->path);
	json_put_string(json, "created", v->created);
	json_put_uint(json, "bytes", bytes);
	json_put_uint(json, "files", files);
	if (v->size)
		json_put_int(json, "size", v->size);
	if (v->inodes)
		json_put_uint(json, "inodes", v->inodes);
	json_open_object(json, "labels");
	for (size_t i = 0; i < v->n_labels; i++)
		json_put_string(json, v->labels[i].key, v->labels[i].value);
	json_close(json);
	json_open_array(json, "users");
	for (size_t i = 0; i < users->n; i++)
		json_put_string(json, NULL, users->names[i]);
	json_close(json);
	json_close(json);
}

static int list_one(const struct volume *v, const struct error *broken, void *data, struct error *e)
{
	struct listing *listing = data;
	struct users users = {.call = listing->call, .store = listing->store, .volume = v->name};
	uint64_t bytes = 0, files = 0;
	char used[AMOUNT_SIZE], size[AMOUNT_SIZE];
	auto_str names = STR_INIT;
	int r = 0;

	if (listing->options->quiet) {
		str_addf(&listing->text, "%s\n", v->name);
		return 0;
	}
	if (broken) {
		log_warning("%s", broken->text);
		return 0;
	}
	r = find_users(&users, e);
	if (!r)
		r = volume_measure(listing->store, v->name, &bytes, &files, e);
	if (r)
		return r;
	if (listing->options->format == LIST_JSON) {
		put_volume(&listing->json, v, &users, bytes, files);
		return 0;
	}
	for (size_t i = 0; i < users.n; i++)
		str_addf(&names, "%s%s", i ? "," : "", users.names[i]);
	str_addf(&listing->text, "%-24s %10s %10s  %-20s  %s\n", v->name, amount_format(bytes, used),
		 v->size ? amount_format((uint64_t)v->size, size) : "-", v->created ? v->created : "-",
		 users.n ? str_peek(&names) : "-");
	return 0;
}

static int print_listing(struct listing *listing, struct error *e)
{
	auto_free char *json = NULL;
	auto_str text = listing->text;

	json_close(&listing->json);
	str_add(&listing->json.text, "\n");
	json = json_finish(&listing->json);
	return output_write(listing->options->format == LIST_JSON && !listing->options->quiet ? json : str_peek(&text),
			    e);
}

static int run_list(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_store store = STORE_INIT;
	struct listing listing = {.call = call, .store = &store, .options = options, .json = json_writer_init(2)};
	int r = open_store(call, false, &store, e);

	(void)operands, (void)n;
	if (r)
		return r;
	json_open_array(&listing.json, NULL);
	if (!listing.options->quiet)
		str_addf(&listing.text, "%-24s %10s %10s  %-20s  %s\n", "NAME", "USED", "LIMIT", "CREATED", "USED BY");
	r = volume_each(&store, call->arena, list_one, &listing, e);
	return r ? r : print_listing(&listing, e);
}

static int run_inspect(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const struct list_options json = {.format = LIST_JSON};
	auto_store store = STORE_INIT;
	struct listing listing = {.call = call, .store = &store, .options = &json, .json = json_writer_init(2)};
	int r = open_store(call, false, &store, e);

	(void)options;
	json_open_array(&listing.json, NULL);
	for (size_t i = 0; i < n && !r; i++) {
		struct volume volume;

		r = volume_load(&store, operands[i], call->arena, &volume, e);
		if (!r)
			r = list_one(&volume, NULL, &listing, e);
	}
	return r ? r : print_listing(&listing, e);
}

/* ---- remove, prune ---- */

static int remove_one(const struct invocation *call, const struct store *store, const char *name, struct error *e)
{
	struct users users = {.call = call, .store = store, .volume = name};
	auto_str names = STR_INIT;
	int r = find_users(&users, e);

	if (r)
		return r;
	for (size_t i = 0; i < users.n; i++)
		str_addf(&names, "%s'%s'", i ? ", " : "", users.names[i]);
	if (users.n)
		return error_refuse(e, ERROR_STATE, "volume '%s' is used by %s", name, str_peek(&names));
	return volume_remove(store, name, e);
}

static int run_remove(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_store store = STORE_INIT;
	int r = open_store(call, false, &store, e);

	(void)options;
	for (size_t i = 0; i < n && !r; i++)
		r = remove_one(call, &store, operands[i], e);
	return r;
}

struct prune_options {
	bool pretend;
};

static const struct option prune_rows[] = {
    OPTION(struct prune_options, pretend, "dry-run", 'n', FLAG, NULL, "only say what would go"),
};

struct pruning {
	const struct invocation *call;
	const struct store *store;
	bool pretend;
	uint64_t freed;
	struct str text;
};

static int prune_one(const struct volume *v, const struct error *broken, void *data, struct error *e)
{
	struct pruning *pruning = data;
	struct users users = {.call = pruning->call, .store = pruning->store, .volume = v->name};
	uint64_t bytes, files;
	char amount[AMOUNT_SIZE];
	int r;

	if (broken)
		return 0;
	r = find_users(&users, e);
	if (r || users.n)
		return r;
	r = volume_measure(pruning->store, v->name, &bytes, &files, e);
	if (!r && !pruning->pretend)
		r = volume_remove(pruning->store, v->name, e);
	if (r && e->kind == ERROR_STATE) /* taken meanwhile */
		return 0;
	if (r)
		return r;
	pruning->freed += bytes;
	str_addf(&pruning->text, "%s  %s\n", v->name, amount_format(bytes, amount));
	return 0;
}

static int run_prune(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct prune_options *o = options;
	auto_store store = STORE_INIT;
	struct pruning pruning = {.call = call, .store = &store, .pretend = o->pretend};
	char amount[AMOUNT_SIZE];
	int r = open_store(call, false, &store, e);

	(void)operands, (void)n;
	if (!r)
		r = volume_each(&store, call->arena, prune_one, &pruning, e);
	str_addf(&pruning.text, "%s: %s\n", o->pretend ? "would be freed" : "freed",
		 amount_format(pruning.freed, amount));
	if (!r)
		r = output_write(str_peek(&pruning.text), e);
	str_release(&pruning.text);
	return r;
}

/* ---- attach, detach ---- */

struct mount_options_given {
	bool temporary;
};

static const struct option mount_rows[] = {
    OPTION(struct mount_options_given, temporary, "temporary", 0, FLAG, NULL,
	   "only the running container: an instance's config.json stays as it is"),
};

/* The instance of that name, locked; *ret_is: there is one. */
static int lock_instance(const struct invocation *call, const char *id, struct instance *instance, bool *ret_is,
			 struct error *e)
{
	int r = instance_find(&call->runtime, id, instance, e);

	*ret_is = !r;
	if (r == 1)
		return 0;
	return r ? r : instance_lock(instance, e);
}

/* Its configuration with the mount on target gone, and this one, unless it is NULL, at the end.  *ret_found: there was one. */
static int configure(struct instance *instance, const char *target, const struct spec_mount *mount, bool *ret_found,
		     struct error *e)
{
	auto_free char *text = NULL;
	struct spec spec;
	struct spec_mount *list;
	size_t n = 0;
	int r = instance_load_spec(instance, &spec, e);

	if (r)
		return r;
	*ret_found = false;
	list = arena_array(&spec.arena, struct spec_mount, spec.n_mounts + 1);
	for (size_t i = 0; i < spec.n_mounts; i++)
		if (str_equal(spec.mounts[i].destination, target))
			*ret_found = true;
		else
			list[n++] = spec.mounts[i];
	if (*ret_found == (mount != NULL)) { /* taken, or not there */
		spec_release(&spec);
		return mount ? error_refuse(e, ERROR_EXISTS, "'%s' already has a mount on '%s'", instance->name, target)
			     : 0;
	}
	if (mount)
		list[n++] = *mount;
	spec.mounts = list;
	spec.n_mounts = n;
	text = spec_encode(&spec, 2);
	r = instance_save_config(instance, text, e);
	spec_release(&spec);
	return r;
}

static bool is_running(const struct invocation *call, const char *id)
{
	struct container_state state;
	struct error ignored;

	return !container_state(&call->runtime, id, call->arena, &state, &ignored) &&
	       (state.status == CONTAINER_RUNNING || state.status == CONTAINER_PAUSED);
}

static bool has_user_namespace(const struct instance *instance)
{
	struct spec spec;
	struct error ignored;
	bool has;

	if (instance_load_spec(instance, &spec, &ignored))
		return false;
	has = spec.linux_.namespaces[SPEC_NS_USER].present;
	spec_release(&spec);
	return has;
}

static int run_attach(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct mount_options_given *o = options;
	auto_instance instance = INSTANCE_INIT;
	auto_store store = STORE_INIT;
	struct spec_mount mount;
	bool is_instance, found;
	int r = lock_instance(call, operands[0], &instance, &is_instance, e);

	(void)n;
	if (!r)
		r = open_store(call, true, &store, e);
	if (!r)
		r = volume_mount(&store, operands[1],
				 VOLUME_MAKE | (is_instance && has_user_namespace(&instance) ? VOLUME_MAPPED : 0),
				 call->arena, &mount, e);
	if (r)
		return r;
	is_instance &= !o->temporary;
	if (is_instance)
		r = configure(&instance, mount.destination, &mount, &found, e);
	if (r || (is_instance && !is_running(call, operands[0])))
		return r;
	r = container_mount(&call->runtime, operands[0], &mount, e);
	if (r && is_instance) {
		struct error ignored;

		if (configure(&instance, mount.destination, NULL, &found, &ignored))
			log_warning("%s", ignored.text);
	}
	return r;
}

static int run_detach(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct mount_options_given *o = options;
	auto_instance instance = INSTANCE_INIT;
	bool is_instance, found = false;
	int r;

	(void)n;
	if (*operands[1] != '/')
		return error_refuse(e, ERROR_USAGE, "'%s' is not an absolute path inside", operands[1]);
	r = lock_instance(call, operands[0], &instance, &is_instance, e);
	if (!r && (!is_instance || is_running(call, operands[0])))
		r = container_unmount(&call->runtime, operands[0], operands[1], e);
	if (!r && is_instance && !o->temporary)
		r = configure(&instance, operands[1], NULL, &found, e);
	return r;
}

/* ---- the verb ---- */

static const struct verb commands[] = {
    {.name = "volume create",
     .summary = "make a volume",
     .operands = "NAME",
     .min = 1,
     .max = 1,
     VERB_OPTIONS(struct create_options, create_rows),
     .run = run_create},
    {.name = "volume list",
     .summary = "list volumes, what they hold and who uses them",
     .operands = "",
     .max = 0,
     VERB_OPTIONS(struct list_options, list_rows),
     .run = run_list},
    {.name = "volume inspect",
     .summary = "print volumes as JSON",
     .operands = "NAME...",
     .min = 1,
     .max = VERB_ANY_OPERANDS,
     .run = run_inspect},
    {.name = "volume remove",
     .summary = "remove volumes that nobody uses, with all that is in them",
     .operands = "NAME...",
     .min = 1,
     .max = VERB_ANY_OPERANDS,
     .run = run_remove},
    {.name = "volume prune",
     .summary = "remove every volume that nobody uses",
     .operands = "",
     .max = 0,
     VERB_OPTIONS(struct prune_options, prune_rows),
     .run = run_prune},
    {.name = "volume attach",
     .summary = "mount a volume or a folder of the host in a container that runs",
     .operands = "ID SOURCE:TARGET[:OPTION,...]",
     .min = 2,
     .max = 2,
     VERB_OPTIONS(struct mount_options_given, mount_rows),
     .text = "SOURCE is a volume, made when it is missing, or a path that begins with '/', './' or '../'.  OPTION is\n"
	     "one of config.json's for mounts: ro, nosuid, nodev, noexec, idmap, ....  An instance keeps the mount.",
     .run = run_attach},
    {.name = "volume detach",
     .summary = "take a mount out of a container that runs",
     .operands = "ID TARGET",
     .min = 2,
     .max = 2,
     VERB_OPTIONS(struct mount_options_given, mount_rows),
     .run = run_detach},
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const struct commands table = {commands, ARRAY_SIZE(commands), "holm-storage(7)"};

	return commands_run(&table, call, options, operands, n, e);
}

const struct verb verb_volume = {
    .name = "volume",
    .summary = "volumes: create, list, inspect, remove, prune, attach, detach",
    .operands = "COMMAND [OPERANDS]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    .raw = true,
    .run = run,
};
