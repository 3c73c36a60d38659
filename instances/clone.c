/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "instances/config.h"
#include "instances/ids.h"
#include "instances/launch.h"
#include "instances/quiet.h"
#include "spec/json.h"
#include "storage/snapshot.h"

/* ---- config.json ---- */

static void rename_host(struct spec *spec, const char *from, const char *to)
{
	if (!str_equal(spec->hostname, from))
		return;
	spec->hostname = to;
	for (size_t i = 0; spec->process && i < spec->process->n_env; i++)
		if (str_equal(str_after(spec->process->env[i], "HOSTNAME="), from))
			spec->process->env[i] = arena_format(&spec->arena, "HOSTNAME=%s", to);
}

static void free_networks(struct spec *spec, bool no_ports, bool is_move)
{
	for (size_t i = 0; spec->holm && i < spec->holm->n_networks; i++) {
		struct spec_holm_network *n = &spec->holm->networks[i];

		if (!is_move)
			n->address = n->mac = NULL;
		if (no_ports)
			n->n_publish = 0;
	}
}

static void set_first_id(struct spec *spec, uint32_t first)
{
	spec->linux_.uid_mappings[0].host = first;
	if (spec->linux_.n_gid_mappings == 1)
		spec->linux_.gid_mappings[0].host = first;
}

int clone_config(const struct runtime *runtime, const char *from_text, const char *from_name, const char *name,
		 bool no_ports, bool is_move, char **ret_text, uint32_t *ret_first, struct error *e)
{
	struct spec spec;
	uint32_t first = 0;
	int r = spec_parse(from_text, strlen(from_text), INSTANCE_CONFIG, &spec, e);

	if (r)
		return r;
	if (config_first_id(&spec)) {
		r = ids_take(runtime, name, &first, e);
		if (!r)
			set_first_id(&spec, first);
	}
	rename_host(&spec, from_name, name);
	free_networks(&spec, no_ports, is_move);
	if (!r) {
		*ret_text = spec_encode(&spec, JSON_INDENT_TAB);
		*ret_first = first;
	}
	spec_release(&spec);
	return r;
}

int clone_old_config(const char *from_text, const char *from_name, const char *name, bool is_move, uint32_t first,
		     char **ret_text, struct error *e)
{
	struct spec spec;
	int r = spec_parse(from_text, strlen(from_text), INSTANCE_CONFIG, &spec, e);

	if (r)
		return r;
	if (config_first_id(&spec) && !first) {
		spec_release(&spec);
		return 1;
	}
	if (config_first_id(&spec))
		set_first_id(&spec, first);
	rename_host(&spec, from_name, name);
	free_networks(&spec, false, is_move);
	*ret_text = spec_encode(&spec, JSON_INDENT_TAB);
	spec_release(&spec);
	return 0;
}

/* ---- the root ---- */

static int use_snapshot(const struct instance *source, const char *name, struct arena *arena, struct root *root,
			const char **ret_config, struct error *e)
{
	const struct snapshot *s = NULL;
	struct snapshot_list list;
	int r = snapshot_load(source->folder, arena, &list, e);

	if (!r)
		r = snapshot_find(&list, name, &s, e);
	if (r)
		return r;
	root->pushes = s->pushes;
	root->n_pushes = s->n_pushes;
	*ret_config = s->config;
	return 0;
}

static int confirm(const struct store *store, const struct root *root, struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < root->n_pushes && !r; i++)
		r = push_confirm(store, root->pushes[i], e);
	return r;
}

static int copy_upper(const struct runtime *runtime, const struct instance *source, const struct store *store,
		      const struct root *root, const struct instance *clone, struct error *e)
{
	struct copy copy = {.flags = COPY_LAYER};
	struct quiet quiet = QUIET_INIT;
	struct copy_pause pause = quiet_pause(&quiet);
	auto_arena arena = ARENA_INIT;
	auto_fd from = -1, to = -1;
	struct error ignored;
	struct root own;
	int r = root_load(clone->folder, &arena, &own, e);

	if (!r)
		r = root_open_upper(store, source->folder, root, &from, e);
	if (!r)
		r = root_open_upper(store, clone->folder, &own, &to, e);
	if (!r)
		r = quiet_look(runtime, source, &quiet, e);
	if (!r)
		r = quiet.runs ? copy_moving(from, to, &pause, &copy, e) : copy_folder(from, to, true, &copy, e);
	if (quiet_end(&quiet, r ? &ignored : e) && !r)
		r = error_return(e);
	return r;
}

static int fill(const struct runtime *runtime, struct instance *source, const struct store *store,
		const struct clone_request *request, struct instance *clone, struct arena *arena, uint32_t *first,
		struct error *e)
{
	auto_free char *text = NULL, *own = NULL;
	struct quiet quiet = QUIET_INIT;
	auto_push push = PUSH_INIT;
	const char *config = NULL;
	bool needed = false;
	struct root root;
	int r = root_load(source->folder, arena, &root, e);

	if (!r)
		r = quiet_look(runtime, source, &quiet, e);
	if (!r && request->snapshot)
		r = use_snapshot(source, request->snapshot, arena, &root, &config, e);
	else if (!r && !quiet.runs)
		r = push_is_needed(store, source->folder, &root, &needed, e);
	if (!r && needed)
		r = push_check_room(&root, false, e) ?: push_make(store, source->folder, &root, arena, &push, e);
	if (!r)
		r = root_create_like(store, clone->folder, clone->name, &root, e);
	push_release(&push); /* named by now; confirming takes its lock */
	if (!r)
		r = confirm(store, &root, e);
	if (!r && quiet.runs && !request->snapshot)
		r = copy_upper(runtime, source, store, &root, clone, e);
	if (r)
		return r;
	if (!config) {
		r = file_read(source->folder, INSTANCE_CONFIG, 64 << 20, &text, NULL);
		if (r)
			return error_system(e, -r, "read '%s/" INSTANCE_CONFIG "'", source->path);
		config = text;
	}
	r = clone_config(runtime, config, source->name, clone->name, request->no_ports, false, &own, first, e);
	if (r)
		return r;
	r = file_create(clone->folder, INSTANCE_CONFIG, 0600, own, strlen(own));
	return r ? error_system(e, -r, "write '%s/" INSTANCE_CONFIG "'", clone->path) : 0;
}

int clone_make(const struct runtime *runtime, struct instance *source, const struct store *store,
	       const struct clone_request *request, struct instance *ret, struct error *e)
{
	auto_instance clone = INSTANCE_INIT;
	auto_arena arena = ARENA_INIT;
	uint32_t first = 0;
	int r = instance_begin(runtime, request->name, &clone, e);

	if (r)
		return r;
	for (size_t i = 0; i < source->record.n_labels; i++)
		instance_set_label(&clone, source->record.labels[i].key, source->record.labels[i].value);
	clone.record.delay = source->record.delay;
	clone.record.generation = 1;
	r = fill(runtime, source, store, request, &clone, &arena, &first, e);
	if (!r)
		r = instance_publish(runtime, &clone, e);
	if (r) {
		if (first)
			ids_release(runtime, request->name, first);
		launch_discard(runtime, &clone);
		return r;
	}
	*ret = clone;
	clone = INSTANCE_INIT;
	return 0;
}
