/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update: limits, device rules and resctrl schemata of a container that runs, all or nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "cgroups/host.h"
#include "runtime/internal.h"
#include "runtime/rdt.h"
#include "spec/json.h"
#include "spec/resources.h"

/* A limit may need a v1 hierarchy without a cgroup of this container: recorded before it is made, so that delete finds it. */
static int extend_cgroup(struct handle *h, const struct cgroup_host *host, const struct spec_resources *resources,
			 struct error *e)
{
	struct cgroup more;
	int r = cgroup_extend(host, &h->record.cgroup, resources, &h->arena, &more, e);

	if (r || more.n_paths == h->record.cgroup.n_paths)
		return r;
	h->record.cgroup = more;
	return record_replace(h->folder, &h->record, e);
}

/* {"resources": ..., "intelRdt": ...}, as config.json's linux has them; devices: all that are in force, NULL: as before. */
static char *encode_update(const struct container_update *update, const struct spec_resources *devices)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	struct spec_resources named = *update->resources;
	auto_free char *resources = NULL;

	named.devices = devices ? devices->devices : NULL;
	named.n_devices = devices ? devices->n_devices : 0;
	resources = spec_encode_resources(&named, JSON_INDENT_NONE);
	json_open_object(&w, NULL);
	json_put_raw(&w, "resources", resources);
	if (update->l3_cache_schema || update->mem_bw_schema) {
		json_open_object(&w, "intelRdt");
		if (update->l3_cache_schema)
			json_put_string(&w, "l3CacheSchema", update->l3_cache_schema);
		if (update->mem_bw_schema)
			json_put_string(&w, "memBwSchema", update->mem_bw_schema);
		json_close(&w);
	}
	json_close(&w);
	return json_finish(&w);
}

/* *ret_old: the way back, NULL where nothing was changed. */
static int update_rdt(struct handle *h, const struct container_update *update, char **ret_old, struct error *e)
{
	int r;

	if (!update->l3_cache_schema && !update->mem_bw_schema)
		return 0;
	r = rdt_check_host(e);
	if (r)
		return r;
	/* A group made now would not get all that runs already: resctrl takes threads one by one. */
	if (!h->record.rdt.group)
		return error_refuse(e, ERROR_STATE,
				    "container '%s' has no resctrl group: its config.json has no linux.intelRdt",
				    h->record.id);
	return rdt_update(&h->record.rdt, update->l3_cache_schema, update->mem_bw_schema, ret_old, e);
}

/* The rules of the record, and the same with those of the update after them. */
static int append_devices(struct handle *h, const struct container_update *update, struct spec_resources **ret_old,
			  struct spec_resources **ret_new, struct error *e)
{
	struct spec_resources *old = arena_new(&h->arena, struct spec_resources), *new;
	int r = 0;

	if (h->record.devices)
		r = spec_parse_resources(h->record.devices, strlen(h->record.devices), "record.json", &h->arena, &old,
					 e);
	if (r)
		return r;
	new = arena_new(&h->arena, struct spec_resources);
	new->devices = arena_array(&h->arena, struct spec_device_rule, old->n_devices + update->n_devices);
	for (size_t i = 0; i < old->n_devices; i++)
		new->devices[new->n_devices++] = old->devices[i];
	for (size_t i = 0; i < update->n_devices; i++)
		new->devices[new->n_devices++] = update->devices[i];
	*ret_old = old;
	*ret_new = new;
	return 0;
}

/* The record comes first: whatever interrupts this, the next update starts from what it says. */
static int set_devices(struct handle *h, const struct cgroup_host *host, const struct spec_resources *rules,
		       struct error *e)
{
	auto_free char *text = spec_encode_resources(rules, JSON_INDENT_NONE);
	int r;

	h->record.devices = arena_strdup(&h->arena, text);
	r = record_replace(h->folder, &h->record, e);
	return r ? r : cgroup_update_devices(host, &h->record.cgroup, rules, e);
}

/*
 * What an update replaces, for whoever comes after one that was killed: two lines with what is not the kernel's, then the
 * control files (cgroup_revert).
 */
struct undo {
	struct handle *handle;
	const char *updates; /* NULL: there were none */
	const char *devices; /* NULL: they do not change */
	const char *text;    /* all of it, once it is saved */
};

static int save_undo(void *data, const char *control_files, struct error *e)
{
	struct undo *undo = data;
	struct handle *h = undo->handle;

	undo->text = arena_format(&h->arena, "%s\n%s\n%s", undo->updates ? undo->updates : "",
				  undo->devices ? undo->devices : "", control_files);
	return record_save_undo(h->folder, undo->text, e);
}

static int set_rules(struct handle *h, const struct cgroup_host *host, const char *json, struct error *e)
{
	struct spec_resources *rules;
	int r = spec_parse_resources(json, strlen(json), "undo", &h->arena, &rules, e);

	return r ? r : set_devices(h, host, rules, e);
}

/* Puts back what text, of save_undo(), says. */
static int revert(struct handle *h, const struct cgroup_host *host, const char *text, struct error *e)
{
	const char *devices = strchr(text, '\n'), *files = devices ? strchr(devices + 1, '\n') : NULL;
	const char *updates;
	int r = 0;

	if (!files) /* half written it never is: the file appears whole */
		return error_bug(e, "container '%s': broken record of what an update replaces", h->record.id);
	updates = arena_format(&h->arena, "%.*s", (int)(devices - text), text);
	cgroup_revert(files + 1);
	if (files > devices + 1)
		r = set_rules(h, host, arena_format(&h->arena, "%.*s", (int)(files - devices - 1), devices + 1), e);
	if (!r)
		r = record_restore_updates(h->folder, *updates ? updates : NULL, e);
	if (!r)
		record_drop_undo(h->folder);
	return r;
}

/* An update that was killed in the middle did nothing. */
static int recover(struct handle *h, const struct cgroup_host *host, struct error *e)
{
	const char *text = record_load_undo(h->folder, &h->arena);

	return text ? revert(h, host, text, e) : 0;
}

void handle_recover_update(struct handle *h)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_host *host;
	auto_fd lock = -1;
	struct error e;
	int r = record_lock_updates(h->folder, h->record.id, false, &lock, &e);

	if (!r && lock < 0)
		return;
	if (!r)
		r = cgroup_host_find(&arena, &host, &e);
	if (!r)
		r = recover(h, host, &e);
	if (r)
		log_warning("%s", e.text);
}

static int update_locked(struct handle *h, const struct container_update *update, struct error *e)
{
	struct undo undo = {.handle = h};
	const struct cgroup_journal journal = {save_undo, &undo};
	struct spec_resources *old_devices = NULL, *devices = NULL;
	auto_free char *old_schemata = NULL, *patch = NULL, *old_rules = NULL;
	auto_arena arena = ARENA_INIT;
	struct cgroup_host *host;
	struct error ignored;
	int r = cgroup_host_find(&arena, &host, e);

	if (!r)
		r = recover(h, host, e);
	if (!r)
		r = extend_cgroup(h, host, update->resources, e);
	if (!r && update->n_devices)
		r = append_devices(h, update, &old_devices, &devices, e);
	if (!r)
		r = update_rdt(h, update, &old_schemata, e);
	if (r)
		return r;
	undo.updates = record_load_updates(h->folder, &h->arena);
	undo.devices = old_rules = devices ? spec_encode_resources(old_devices, 0) : NULL;
	patch = encode_update(update, devices);
	r = cgroup_update(host, &h->record.cgroup, update->resources, &journal, e);
	if (!r && devices)
		r = set_devices(h, host, devices, e);
	if (!r)
		r = record_add_update(h->folder, h->record.id, patch, e);
	if (!r) {
		record_drop_undo(h->folder);
		return 0;
	}
	if (undo.text && revert(h, host, undo.text, &ignored))
		log_warning("%s", ignored.text);
	if (old_schemata)
		rdt_restore(&h->record.rdt, old_schemata);
	return r;
}

int container_update(const struct runtime *runtime, const char *id, const struct container_update *update,
		     struct error *e)
{
	auto_handle h = HANDLE_INIT;
	auto_fd lock = -1;
	int r = handle_open_alive(&h, runtime, id, e);

	if (!r)
		r = record_lock_updates(h.folder, id, true, &lock, e);
	if (!r) /* another update may have changed it */
		r = record_load(h.folder, id, &h.arena, &h.record, e);
	return r ? r : update_locked(&h, update, e);
}
