/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tree.h"
#include "storage/jsonfile.h"
#include "storage/root_parts.h"

enum { CONFIG_MAX = 64 << 20, NAME_MAX_SIZE = 63 };

/* ---- snapshots.json ---- */

int snapshot_load(int folder, struct arena *arena, struct snapshot_list *ret, struct error *e)
{
	auto_json *json = NULL;
	const struct json *items;
	int r = jsonfile_read(folder, SNAPSHOT_RECORD, &json, e);

	*ret = (struct snapshot_list){0};
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	items = json_find(json, "snapshots");
	ret->head = jsonfile_string(arena, json, "head");
	ret->items = arena_array(arena, struct snapshot, json_count(items) + 1);
	for (size_t i = 0; i < json_count(items); i++) {
		const struct json *item = json_at(items, i);
		struct snapshot *s = &ret->items[ret->n++];

		*s = (struct snapshot){
		    .name = jsonfile_string(arena, item, "name"),
		    .parent = jsonfile_string(arena, item, "parent"),
		    .comment = jsonfile_string(arena, item, "comment"),
		    .config = jsonfile_string(arena, item, "config"),
		    .created = json_find_int(item, "created", 0),
		    .live = json_find_bool(item, "live", false),
		};
		s->pushes = jsonfile_strings(arena, item, "pushes", &s->n_pushes);
		if (!s->name)
			return error_refuse(e, ERROR_INVALID, "'" SNAPSHOT_RECORD "' has a snapshot without a name");
	}
	return 0;
}

static void put_optional(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_put_string(w, key, value);
}

int snapshot_save(int folder, const struct snapshot_list *list, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);

	json_open_object(&w, NULL);
	put_optional(&w, "head", list->head);
	json_open_array(&w, "snapshots");
	for (size_t i = 0; i < list->n; i++) {
		const struct snapshot *s = &list->items[i];

		json_open_object(&w, NULL);
		json_put_string(&w, "name", s->name);
		put_optional(&w, "parent", s->parent);
		put_optional(&w, "comment", s->comment);
		json_put_int(&w, "created", s->created);
		json_put_bool(&w, "live", s->live);
		json_open_array(&w, "pushes");
		for (size_t k = 0; k < s->n_pushes; k++)
			json_put_string(&w, NULL, s->pushes[k]);
		json_close(&w);
		put_optional(&w, "config", s->config);
		json_close(&w);
	}
	json_close(&w);
	json_close(&w);
	return jsonfile_write(folder, SNAPSHOT_RECORD, &w, e);
}

static struct snapshot *find(const struct snapshot_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_equal(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

int snapshot_find(const struct snapshot_list *list, const char *name, const struct snapshot **ret, struct error *e)
{
	auto_str names = STR_INIT;

	*ret = find(list, name);
	if (*ret)
		return 0;
	for (size_t i = 0; i < list->n && i < 20; i++)
		str_addf(&names, "%s%s", i ? ", " : "", list->items[i].name);
	return error_refuse(e, ERROR_NOT_FOUND, "there is no snapshot '%s' (%s%s)", name,
			    list->n ? "there are: " : "it has none", str_peek(&names));
}

/* ---- create ---- */

static int choose_name(const struct snapshot_list *list, const char *asked, struct arena *arena, const char **ret,
		       struct error *e)
{
	if (asked) {
		if (!str_is_id(asked) || strlen(asked) > NAME_MAX_SIZE || strchr("-.+", *asked))
			return error_refuse(e, ERROR_USAGE,
					    "invalid snapshot name '%s' (letters, digits, '_', '+', '-' and '.', not "
					    "at its beginning, at most %d)",
					    asked, NAME_MAX_SIZE);
		if (find(list, asked))
			return error_refuse(e, ERROR_EXISTS, "there is a snapshot '%s' already", asked);
		*ret = asked;
		return 0;
	}
	for (size_t i = list->n + 1;; i++) {
		*ret = arena_format(arena, "snap%zu", i);
		if (!find(list, *ret))
			return 0;
	}
}

static int add(const struct snapshot_list *list, const struct snapshot *s, struct arena *arena, int folder,
	       struct error *e)
{
	struct snapshot_list longer = {.items = arena_array(arena, struct snapshot, list->n + 1), .head = s->name};

	if (list->n)
		memcpy(longer.items, list->items, list->n * sizeof(*list->items));
	longer.items[list->n] = *s;
	longer.n = list->n + 1;
	return snapshot_save(folder, &longer, e);
}

static int read_config(int folder, struct arena *arena, const char **ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;
	int r = file_read(folder, "config.json", CONFIG_MAX, &text, &size);

	if (r)
		return r == -ENOENT ? 0 : error_system(e, -r, "read 'config.json'");
	*ret = arena_strdup(arena, text);
	return 0;
}

/* What was copied is above what the instance lies on; it goes on writing to what was copied. */
static int push_live(const struct store *store, const struct root *root, const struct snapshot_request *request,
		     struct arena *arena, struct snapshot *s, struct push *push, struct error *e)
{
	const struct copy_pause *pause = request->pause;
	int r = push_check_room(root, true, e) ?: push_copy(store, request->upper, pause, push, e);
	struct error ignored;

	if (pause && pause->go(pause->data, r ? &ignored : e) && !r)
		r = error_return(e);
	if (!r)
		r = push_flush(push, e);
	if (r)
		return r;
	s->pushes = arena_array(arena, const char *, root->n_pushes + 1);
	if (root->n_pushes)
		memcpy(s->pushes, root->pushes, root->n_pushes * sizeof(*s->pushes));
	s->pushes[root->n_pushes] = arena_strdup(arena, push->id);
	s->n_pushes = root->n_pushes + 1;
	s->live = true;
	return 0;
}

static int push_stopped(const struct store *store, int folder, struct root *root, struct arena *arena,
			struct snapshot *s, struct push *push, struct error *e)
{
	bool needed = false;
	int r = push_is_needed(store, folder, root, &needed, e);

	if (!r && needed)
		r = push_check_room(root, false, e) ?: push_make(store, folder, root, arena, push, e);
	s->pushes = root->pushes;
	s->n_pushes = root->n_pushes;
	return r;
}

int snapshot_create(const struct store *store, int folder, const struct snapshot_request *request, struct arena *arena,
		    struct snapshot *ret, struct error *e)
{
	struct snapshot s = {.comment = request->comment, .created = push_now()};
	struct snapshot_list list;
	struct root root;
	auto_push push = PUSH_INIT;
	const char *id = push.id;
	struct error ignored;
	int r = root_load(folder, arena, &root, e);

	if (!r)
		r = snapshot_load(folder, arena, &list, e);
	if (!r)
		r = choose_name(&list, request->name, arena, &s.name, e);
	if (!r)
		r = read_config(folder, arena, &s.config, e);
	if (r)
		return r;
	s.parent = list.head;
	r = request->upper >= 0 ? push_live(store, &root, request, arena, &s, &push, e)
				: push_stopped(store, folder, &root, arena, &s, &push, e);
	if (!r)
		r = add(&list, &s, arena, folder, e);
	if (!r && fsync(folder) < 0)
		r = error_system(e, errno, "write the snapshot to the disk");
	if (r && push.lock >= 0) {
		push_release(&push);
		if (push_drop(store, &id, 1, &ignored))
			log_warning("%s", ignored.text);
	}
	if (!r)
		*ret = s;
	return r;
}

/* ---- restore ---- */

static int drop_named(const struct store *store, const char *const *ids, size_t n)
{
	struct error e;
	int r = push_drop(store, ids, n, &e);

	if (r)
		log_warning("%s", e.text); /* the next sweep finds them */
	return 0;
}

static int take_first(int *fd, const char *name, void *data, struct error *e)
{
	int *first = data;

	(void)name, (void)e;
	if (*first < 0)
		*first = take_fd(fd);
	return 0;
}

/* The root's own owner and mode are those of upper. */
static int show_lower(const struct store *store, int folder, const struct root *root, struct error *e)
{
	struct copy copy = {.flags = COPY_OWNERS | COPY_SET_IDS | COPY_XATTRS};
	auto_fd upper = -1, lower = -1, opened = -1;
	int r = root_open_upper(store, folder, root, &upper, e);

	if (!r)
		r = root_each_lower(store, root, take_first, &lower, e);
	if (!r)
		r = fd_open(lower, ".", O_RDONLY | O_DIRECTORY, NULL, &opened, e);
	return r ? r : copy_attributes(opened, upper, &copy, e);
}

/*
 * First what it wrote is pushed, so that from then on nothing but root.json says which state it has, and that changes at once.  Then
 * the push goes, if nobody needs it.
 */
int snapshot_restore(const struct store *store, int folder, const char *name, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct snapshot_list list;
	const struct snapshot *s = NULL;
	struct root root, before;
	auto_push push = PUSH_INIT;
	bool needed = false;
	int r = root_load(folder, &arena, &root, e);

	if (!r)
		r = snapshot_load(folder, &arena, &list, e);
	if (!r)
		r = snapshot_find(&list, name, &s, e);
	for (size_t i = 0; !r && i < s->n_pushes; i++)
		r = push_confirm(store, s->pushes[i], e);
	if (r)
		return r;
	root.boot = NULL; /* what may be lost is thrown away anyhow */
	r = push_is_needed(store, folder, &root, &needed, e);
	if (!r && needed)
		r = push_make(store, folder, &root, &arena, &push, e);
	if (r)
		return r;
	before = root;
	root.pushes = s->pushes;
	root.n_pushes = s->n_pushes;
	r = root_save(folder, &root, e);
	if (r)
		return r;
	list.head = s->name;
	r = show_lower(store, folder, &root, e);
	if (!r)
		r = snapshot_save(folder, &list, e);
	push_release(&push);
	if (!r)
		r = drop_named(store, before.pushes, before.n_pushes);
	return r;
}

/* ---- remove ---- */

/* From the list alone. */
static void take_out(struct snapshot_list *list, const struct snapshot *gone)
{
	const char *name = gone->name, *parent = gone->parent;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (&list->items[i] == gone)
			continue;
		if (str_equal(list->items[i].parent, name))
			list->items[i].parent = parent;
		list->items[n++] = list->items[i];
	}
	list->n = n;
	if (str_equal(list->head, name))
		list->head = parent;
}

int snapshot_remove(const struct store *store, int folder, char *const *names, size_t n, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct snapshot_list list;
	const struct snapshot *s = NULL;
	struct snapshot *gone;
	int r = snapshot_load(folder, &arena, &list, e);

	gone = arena_array(&arena, struct snapshot, n + 1);
	for (size_t i = 0; i < n && !r; i++) {
		r = snapshot_find(&list, names[i], &s, e);
		if (r)
			break;
		gone[i] = *s;
		take_out(&list, s);
	}
	r = r ? r : snapshot_save(folder, &list, e);
	for (size_t i = 0; i < n && !r; i++)
		r = drop_named(store, gone[i].pushes, gone[i].n_pushes);
	return r;
}
