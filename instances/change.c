/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/client.h"
#include "spec/json.h"
#include "spec/resources.h"
#include "storage/root.h"
#include "storage/store.h"

static const char *const kind_names[_CHANGE_KIND_N] = {
    [CHANGE_LIVE] = "now",
    [CHANGE_NOTED] = "now",
    [CHANGE_RESTART] = "needs a restart",
    [CHANGE_REMAKE] = "needs a new root",
};

const char *change_kind_name(enum change_kind kind)
{
	return kind_names[kind];
}

/* By the beginning of the path; the first that fits. */
static const struct {
	const char *path;
	enum change_kind kind;
} kinds[] = {
    {"linux.resources.devices", CHANGE_RESTART},
    {"linux.resources.unified", CHANGE_LIVE},
    {"linux.resources", CHANGE_LIVE},
    {"holm.storage.size", CHANGE_LIVE},
    {"holm.storage.inodes", CHANGE_LIVE},
    {"holm.publish", CHANGE_LIVE},
    {"holm.rate", CHANGE_LIVE},
    {"holm.restart", CHANGE_NOTED},
    {"holm.stop", CHANGE_NOTED},
    {"holm.after", CHANGE_NOTED},
    {"annotations", CHANGE_NOTED},
    {"holm.image", CHANGE_REMAKE},
    {"root.path", CHANGE_REMAKE},
};

static enum change_kind find_kind(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *rest = str_after(path, kinds[i].path);

		if (rest && (!*rest || *rest == '.'))
			return kinds[i].kind;
	}
	/* One network's ports and rates, of however many. */
	if (str_after(path, "holm.networks[") && strchr(path, ']')) {
		const char *rest = strchr(path, ']') + 1;

		if (str_after(rest, ".publish") || str_after(rest, ".rate"))
			return CHANGE_LIVE;
	}
	return CHANGE_RESTART;
}

/* ---- comparing ---- */

struct comparison {
	struct arena *arena;
	struct change *changes;
	size_t n, room;
	/* of the object that is walked */
	const struct json *other;
	const char *path;
	bool backward; /* other is the new one: only what is missing there is told */
};

static void compare_values(struct comparison *c, const char *path, const struct json *from, const struct json *to);

static void add_change(struct comparison *c, const char *path, const char *from, const char *to)
{
	c->changes = arena_grow(c->arena, c->changes, c->n, &c->room, sizeof(*c->changes));
	c->changes[c->n++] = (struct change){.kind = find_kind(path),
					     .path = arena_strdup(c->arena, path),
					     .from = arena_strdup(c->arena, from),
					     .to = arena_strdup(c->arena, to)};
}

static void compare_member(const char *key, const struct json *value, void *data)
{
	struct comparison *c = data;
	const struct json *other = json_find(c->other, key);
	const char *path = *c->path ? arena_format(c->arena, "%s.%s", c->path, key) : key;
	struct comparison outer = *c;

	if (!c->backward) {
		compare_values(c, path, value, other);
	} else if (!other) {
		compare_values(c, path, NULL, value);
	}
	c->other = outer.other;
	c->path = outer.path;
	c->backward = outer.backward;
}

static bool is_object(const char *text)
{
	return *text == '{';
}

static void compare_values(struct comparison *c, const char *path, const struct json *from, const struct json *to)
{
	auto_free char *old = from ? json_dump(from, JSON_INDENT_NONE) : NULL;
	auto_free char *new_ = to ? json_dump(to, JSON_INDENT_NONE) : NULL;
	bool list = old && new_ && *old == '[' && *new_ == '[' && json_count(from) == json_count(to);

	if (str_equal(old, new_))
		return;
	if (list) {
		for (size_t i = 0; i < json_count(from); i++)
			compare_values(c, arena_format(c->arena, "%s[%zu]", path, i), json_at(from, i), json_at(to, i));
		return;
	}
	/* Into objects, also into one that is new or gone: its members are what is told. */
	if ((!old || is_object(old)) && (!new_ || is_object(new_))) {
		c->path = path;
		if (from) {
			c->other = to;
			c->backward = false;
			json_each(from, compare_member, c);
		}
		c->path = path;
		if (to) {
			c->other = from;
			c->backward = true;
			json_each(to, compare_member, c);
		}
		return;
	}
	add_change(c, path, old ? old : "", new_ ? new_ : "");
}

int change_compare(const char *from, const char *to, struct arena *arena, struct change **ret, size_t *ret_n,
		   struct error *e)
{
	struct comparison c = {.arena = arena};
	auto_json *old = NULL, *new_ = NULL;
	int r = json_read(from, strlen(from), INSTANCE_CONFIG, &old, e);

	if (!r)
		r = json_read(to, strlen(to), INSTANCE_CONFIG, &new_, e);
	if (r)
		return r;
	compare_values(&c, "", old, new_);
	*ret = c.changes;
	*ret_n = c.n;
	return 0;
}

enum change_kind change_highest(const struct change *changes, size_t n)
{
	enum change_kind highest = CHANGE_LIVE;

	for (size_t i = 0; i < n; i++)
		if (changes[i].kind > highest)
			highest = changes[i].kind;
	return highest;
}

/* ---- what is done at once ---- */

static void set_back(struct spec_number *value, const struct spec_number *old, int64_t usual)
{
	if (!value->present && old->present)
		*value = (struct spec_number){true, usual};
}

static void set_back_unsigned(struct spec_unsigned *value, const struct spec_unsigned *old, uint64_t usual)
{
	if (!value->present && old->present)
		*value = (struct spec_unsigned){true, usual};
}

struct spec_resources change_resources(const struct spec_resources *old, const struct spec_resources *new_)
{
	static const struct spec_resources none;
	struct spec_resources patch = new_ ? *new_ : none;

	if (!old)
		old = &none;
	patch.devices = NULL; /* the filter stays as it is until the next start */
	patch.n_devices = 0;
	set_back(&patch.memory.limit, &old->memory.limit, -1);
	set_back(&patch.memory.swap, &old->memory.swap, -1);
	set_back(&patch.memory.reservation, &old->memory.reservation, 0);
	set_back(&patch.cpu.quota, &old->cpu.quota, -1);
	set_back_unsigned(&patch.cpu.shares, &old->cpu.shares, 1024);
	set_back(&patch.pids.limit, &old->pids.limit, -1);
	set_back_unsigned(&patch.block_io.weight, &old->block_io.weight, 100);
	return patch;
}

static bool has_change(const struct change *changes, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (str_after(changes[i].path, prefix) && changes[i].kind == CHANGE_LIVE)
			return true;
	return false;
}

static bool has_text(const char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(list[i], text))
			return true;
	return false;
}

/* Ports of from that to has not: taken away, or opened. */
static int change_ports(const char *id, const struct spec_holm_network *from, const struct spec_holm_network *to,
			int (*act)(const struct net_paths *, const char *, const struct net_port *, size_t,
				   struct error *),
			struct error *e)
{
	for (size_t i = 0; i < from->n_publish; i++) {
		struct net_port port;
		int r;

		if (has_text(to->publish, to->n_publish, from->publish[i]))
			continue;
		r = net_parse_port(from->publish[i], &port, e);
		if (!r && from->interface)
			strncpy(port.interface, from->interface, sizeof(port.interface) - 1);
		if (!r)
			r = act(NULL, id, &port, 1, e);
		if (r)
			return r;
	}
	return 0;
}

static int change_rate(const char *id, const struct spec_holm_network *network, size_t index, struct error *e)
{
	struct net_rate egress = {0}, ingress = {0};
	char name[NET_INTERFACE_SIZE];
	int r = 0;

	snprintf(name, sizeof(name), "eth%zu", index);
	if (network->rate_egress)
		r = net_parse_rate(network->rate_egress, &egress, e);
	if (!r && network->rate_ingress)
		r = net_parse_rate(network->rate_ingress, &ingress, e);
	return r ? r : net_limit(NULL, id, network->interface ? network->interface : name, &egress, &ingress, e);
}

static int change_networks(const char *id, const struct spec *old, const struct spec *new_,
			   const struct change *changes, size_t n, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	int r = 0;

	for (size_t i = 0; !r && old->holm && new_->holm && i < new_->holm->n_networks && i < old->holm->n_networks;
	     i++) {
		const struct spec_holm_network *from = &old->holm->networks[i], *to = &new_->holm->networks[i];

		if (has_change(changes, n, arena_format(&arena, "holm.networks[%zu].publish", i))) {
			r = change_ports(id, from, to, net_unpublish, e);
			if (!r)
				r = change_ports(id, to, from, net_publish, e);
		}
		if (!r && has_change(changes, n, arena_format(&arena, "holm.networks[%zu].rate", i)))
			r = change_rate(id, to, i, e);
	}
	return r;
}

static int change_size(const struct runtime *runtime, const struct instance *i, const struct spec *new_,
		       struct error *e)
{
	auto_store store = STORE_INIT;
	int r = store_open(runtime->data, false, &store, e);

	store.rootless = runtime->rootless;
	if (r || !root_exists(i->folder))
		return r;
	return root_resize(&store, i->folder, new_->holm ? new_->holm->storage.size : 0,
			   new_->holm ? new_->holm->storage.inodes : 0, e);
}

static int act(const struct runtime *runtime, struct instance *i, const struct spec *old, const struct spec *new_,
	       const struct change *changes, size_t n, bool running, struct error *e)
{
	int r = 0;

	if (running && has_change(changes, n, "linux.resources")) {
		const struct spec_resources patch = change_resources(old->linux_.resources, new_->linux_.resources);
		const struct container_update update = {.resources = &patch};

		r = container_update(runtime, i->name, &update, e);
	}
	if (!r && running)
		r = change_networks(i->name, old, new_, changes, n, e);
	if (!r && has_change(changes, n, "holm.storage"))
		r = change_size(runtime, i, new_, e);
	return r;
}

int change_apply(const struct runtime *runtime, struct instance *i, const char *text, const struct change *changes,
		 size_t n, bool running, struct error *e)
{
	struct spec old, new_;
	int r = instance_load_spec(i, &old, e);

	if (r)
		return r;
	r = spec_parse(text, strlen(text), INSTANCE_CONFIG, &new_, e);
	if (!r) {
		r = act(runtime, i, &old, &new_, changes, n, running, e);
		spec_release(&new_);
	}
	spec_release(&old);
	return r ? r : instance_save_config(i, text, e);
}
