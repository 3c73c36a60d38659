/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list: containers that are there, as runc lists them, and instances that are not running beside them.  What runc has no column
 * for is added by --wide; filters and order hold for all forms.
 */
#include "cmd/verbs.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "cmd/each.h"
#include "cmd/inspect.h"
#include "cmd/output.h"
#include "cmd/owner.h"
#include "cmd/state.h"
#include "instances/select.h"
#include "instances/status.h"
#include "netns/address.h"
#include "netns/client.h"
#include "netns/parse.h"

enum list_format { LIST_TABLE, LIST_JSON };
enum list_sort { SORT_NAME, SORT_CREATED, SORT_STATUS, SORT_PID };

struct list_options {
	int format; /* enum list_format */
	int sort;   /* enum list_sort */
	bool quiet, wide, running;
	const char **filters, **labels;
	size_t n_filters, n_labels;
};

static const char *const formats[] = {[LIST_TABLE] = "table", [LIST_JSON] = "json"};
static const char *const sorts[] = {
    [SORT_NAME] = "name", [SORT_CREATED] = "created", [SORT_STATUS] = "status", [SORT_PID] = "pid"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct list_options, format, "format", 'f', formats, "form of the list (table)"),
    OPTION(struct list_options, quiet, "quiet", 'q', FLAG, NULL, "print ids only"),
    OPTION(struct list_options, wide, "wide", 'w', FLAG, NULL,
	   "for people: image, addresses, ports, since when, labels"),
    OPTION(struct list_options, running, "running", 'r', FLAG, NULL, "without what is stopped"),
    OPTION_LISTED(struct list_options, labels, "label", 'l', LIST, "NAME[=VALUE]",
		  "those with this label (NAME!=VALUE: without); repeatable"),
    OPTION_LISTED(struct list_options, filters, "filter", 0, LIST, "KEY=VALUE",
		  "by status, image, network or health; VALUE may be a pattern; repeatable"),
    OPTION_CHOSEN(struct list_options, sort, "sort", 's', sorts, "order of the list (name)"),
};

/* One line.  An instance that does not run has no container, a container that is no instance's has no instance. */
struct entry {
	struct container_state container;
	const char *owner;
	bool is_instance;
	struct instance instance;
	struct instance_state state;
	struct spec spec;
	const char *addresses, *ports; /* "": none */
};

struct listing {
	struct invocation *call;
	const struct list_options *options;
	char **patterns;
	size_t n_patterns;
	bool *used; /* by pattern */
	struct entry *entries;
	size_t n, room;
};

/* ---- gathering ---- */

static const char *find_owner(struct listing *listing, uid_t uid)
{
	for (size_t i = listing->n; i--;)
		if (listing->entries[i].container.owner_uid == uid && listing->entries[i].owner)
			return listing->entries[i].owner;
	return owner_find(uid, listing->call->arena);
}

static struct entry *add_entry(struct listing *listing, const struct container_state *state)
{
	const char *owner = find_owner(listing, state->owner_uid);

	listing->entries =
	    arena_grow(listing->call->arena, listing->entries, listing->n, &listing->room, sizeof(*listing->entries));
	listing->entries[listing->n] = (struct entry){
	    .container = *state, .owner = owner, .instance = INSTANCE_INIT, .addresses = "", .ports = ""};
	return &listing->entries[listing->n++];
}

static void add_container(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	char text[ERROR_TEXT_SIZE + 128];

	if (broken)
		fprintf(stderr, "load container %s: %s\n", id, error_format(broken, text, sizeof(text)));
	else
		add_entry(data, state);
}

static struct entry *find_entry(struct listing *listing, const char *name, const char *path)
{
	for (size_t i = 0; i < listing->n; i++)
		if (str_equal(listing->entries[i].container.id, name) &&
		    str_equal(listing->entries[i].container.bundle, path))
			return &listing->entries[i];
	return NULL;
}

/* Takes the instance; what of it is broken is said and left out. */
static int add_instance(struct instance *i, const struct error *broken, void *data)
{
	struct listing *listing = data;
	struct invocation *call = listing->call;
	char text[ERROR_TEXT_SIZE + 128], created[INSPECT_TIME_SIZE];
	struct instance_state state = {0};
	struct error e = ERROR_INIT;
	struct entry *entry;
	struct stat st;

	if (!broken && instance_look(&call->runtime, i, call->arena, &state, &e))
		broken = &e;
	if (broken) {
		fprintf(stderr, "load instance %s: %s\n", i->name, error_format(broken, text, sizeof(text)));
		return 0;
	}
	entry = find_entry(listing, i->name, i->path);
	if (!entry) {
		const struct container_state none = {
		    .id = arena_strdup(call->arena, i->name),
		    .bundle = arena_strdup(call->arena, i->path),
		    .rootfs = "",
		    .status = CONTAINER_STOPPED,
		    .created = arena_strdup(call->arena, inspect_time(i->record.created, created)),
		    .owner_uid = fstat(i->folder, &st) ? 0 : st.st_uid,
		    .exit = -1,
		};

		entry = add_entry(listing, &none);
	}
	entry->is_instance = true;
	entry->state = state;
	entry->instance = *i;
	*i = INSTANCE_INIT;
	/* Many of them: no descriptors are kept. */
	instance_release(&(struct instance){.parent = entry->instance.parent, .folder = entry->instance.folder});
	entry->instance.parent = entry->instance.folder = -1;
	return 0;
}

/* A filter on the image or a column that shows it wants config.json, which is the dearest part of it. */
static int load_specs(struct listing *listing, struct error *e)
{
	for (size_t i = 0; i < listing->n; i++) {
		struct entry *entry = &listing->entries[i];
		auto_instance opened = INSTANCE_INIT;
		struct error ignored;

		if (!entry->is_instance ||
		    instance_find(&listing->call->runtime, entry->instance.name, &opened, &ignored))
			continue;
		if (instance_load_spec(&opened, &entry->spec, e))
			log_warning("%s", e->text);
	}
	return 0;
}

static void add_text(struct listing *listing, const char *id, bool port, const char *text)
{
	for (size_t i = 0; i < listing->n; i++) {
		struct entry *entry = &listing->entries[i];
		const char **to = port ? &entry->ports : &entry->addresses;

		if (str_equal(entry->container.id, id))
			*to = arena_format(listing->call->arena, "%s%s%s", *to, **to ? "," : "", text);
	}
}

static void add_member(const struct net_member *member, void *data)
{
	char text[ADDRESS_TEXT_SIZE];

	add_text(data, member->id, false,
		 address_print(member->address4.family ? &member->address4 : &member->address6, false, text));
}

static void add_port(const struct net_published *published, void *data)
{
	char text[NET_PORT_TEXT_SIZE];

	add_text(data, published->id, true, net_print_port(&published->port, text));
}

static void load_networks(struct listing *listing)
{
	struct error ignored;

	if (listing->call->runtime.rootless)
		return;
	if (net_each_member(NULL, NULL, NULL, add_member, listing, &ignored) ||
	    net_each_port(NULL, NULL, add_port, listing, &ignored))
		log_debug("the networks can't be asked: %s", ignored.text);
}

/* ---- columns ---- */

static const char *find_status(const struct entry *entry)
{
	return entry->is_instance ? instance_status_name(entry->state.status)
				  : container_status_name(entry->container.status);
}

static const char *find_health(const struct entry *entry)
{
	const char *name = entry->is_instance ? monitor_health_name(entry->state.monitor.health) : NULL;

	return name ? name : "";
}

static const char *find_image(const struct entry *entry)
{
	if (!entry->spec.holm || !entry->spec.holm->image)
		return entry->spec.root_path ? entry->spec.root_path : "";
	return entry->spec.holm->image;
}

static const char *list_labels(const struct entry *entry, struct arena *arena)
{
	const struct instance_record *record = &entry->instance.record;
	const char *text = "";

	for (size_t i = 0; i < record->n_labels; i++)
		text = arena_format(arena, "%s%s%s%s%s", text, *text ? "," : "", record->labels[i].key,
				    *record->labels[i].value ? "=" : "", record->labels[i].value);
	return text;
}

/* "up 5 min", "exit 3, 2 h ago" */
static const char *tell_time(const struct entry *entry, int64_t now, struct arena *arena)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	bool active = entry->is_instance && instance_is_active(&entry->state);
	int64_t since = active ? entry->state.monitor.started : entry->state.has_end ? entry->state.end.ended : 0;
	int64_t seconds = since && since < now ? (now - since) / 1000000000 : 0;
	const char *text = "0 s";

	if (!entry->is_instance || !since)
		return "";
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (seconds >= units[i].seconds) {
			text = arena_format(arena, "%lld %s", (long long)(seconds / units[i].seconds), units[i].unit);
			break;
		}
	if (active)
		return text;
	return arena_format(arena, "exit %d, %s ago", entry->state.end.status, text);
}

enum column {
	COLUMN_ID,
	COLUMN_PID,
	COLUMN_STATUS,
	COLUMN_BUNDLE,
	COLUMN_CREATED,
	COLUMN_OWNER,
	COLUMN_HEALTH,
	COLUMN_SINCE,
	COLUMN_IMAGE,
	COLUMN_ADDRESS,
	COLUMN_PORTS,
	COLUMN_LABELS,
	_COLUMN_N
};

static const char *const titles[_COLUMN_N] = {
    [COLUMN_ID] = "ID",		  [COLUMN_PID] = "PID",		[COLUMN_STATUS] = "STATUS", [COLUMN_BUNDLE] = "BUNDLE",
    [COLUMN_CREATED] = "CREATED", [COLUMN_OWNER] = "OWNER",	[COLUMN_HEALTH] = "HEALTH", [COLUMN_SINCE] = "SINCE",
    [COLUMN_IMAGE] = "IMAGE",	  [COLUMN_ADDRESS] = "ADDRESS", [COLUMN_PORTS] = "PORTS",   [COLUMN_LABELS] = "LABELS"};

static const enum column usual[] = {COLUMN_ID, COLUMN_PID, COLUMN_STATUS, COLUMN_BUNDLE, COLUMN_CREATED, COLUMN_OWNER};
static const enum column wide[] = {COLUMN_ID,	 COLUMN_STATUS,	 COLUMN_SINCE, COLUMN_HEALTH, COLUMN_PID,
				   COLUMN_IMAGE, COLUMN_ADDRESS, COLUMN_PORTS, COLUMN_LABELS};

static const char *find_cell(const struct entry *entry, enum column column, int64_t now, struct arena *arena)
{
	switch (column) {
	case COLUMN_ID:
		return entry->container.id;
	case COLUMN_PID:
		return arena_format(arena, "%d", (int)entry->container.pid);
	case COLUMN_STATUS:
		return find_status(entry);
	case COLUMN_BUNDLE:
		return entry->container.bundle;
	case COLUMN_CREATED:
		return entry->container.created;
	case COLUMN_OWNER:
		return entry->owner;
	case COLUMN_HEALTH:
		return find_health(entry);
	case COLUMN_SINCE:
		return tell_time(entry, now, arena);
	case COLUMN_IMAGE:
		return find_image(entry);
	case COLUMN_ADDRESS:
		return entry->addresses;
	case COLUMN_PORTS:
		return entry->ports;
	case COLUMN_LABELS:
		return list_labels(entry, arena);
	default:
		return "";
	}
}

/* ---- filters and order ---- */

static const char *const filter_keys[] = {"status", "image", "network", "health", "name"};

static int split_filter(const char *text, const char **ret_value, size_t *ret_key, struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(filter_keys); i++) {
		const char *rest = str_after(text, filter_keys[i]);

		if (rest && *rest == '=') {
			*ret_key = i;
			*ret_value = rest + 1;
			return 0;
		}
	}
	return error_refuse(e, ERROR_USAGE,
			    "--filter '%s': it takes status=, image=, network=, health= or name=", text);
}

static bool is_in_network(const struct entry *entry, const char *pattern)
{
	for (size_t i = 0; entry->spec.holm && i < entry->spec.holm->n_networks; i++)
		if (!fnmatch(pattern, entry->spec.holm->networks[i].network, 0))
			return true;
	return false;
}

static bool is_kept(struct listing *listing, const struct entry *entry)
{
	const struct list_options *o = listing->options;
	bool named = !listing->n_patterns;

	for (size_t i = 0; i < listing->n_patterns; i++)
		if (!fnmatch(listing->patterns[i], entry->container.id, 0))
			named = listing->used[i] = true;
	if (!named ||
	    (o->n_labels && !(entry->is_instance && select_has_labels(&entry->instance, o->labels, o->n_labels))))
		return false;
	if (o->running &&
	    (entry->is_instance ? !instance_is_active(&entry->state) : entry->container.status == CONTAINER_STOPPED))
		return false;
	for (size_t i = 0; i < o->n_filters; i++) {
		const char *value = NULL, *is;
		struct error ignored;
		size_t key = 0;

		if (split_filter(o->filters[i], &value, &key, &ignored))
			return false;
		if (key == 2) {
			if (!is_in_network(entry, value))
				return false;
			continue;
		}
		is = key == 0	? find_status(entry)
		     : key == 1 ? find_image(entry)
		     : key == 3 ? find_health(entry)
				: entry->container.id;
		if (fnmatch(value, is, 0))
			return false;
	}
	return true;
}

static int filter(struct listing *listing, struct error *e)
{
	const struct list_options *o = listing->options;
	size_t n = 0;

	for (size_t i = 0; i < o->n_filters; i++) {
		const char *value;
		size_t key;
		int r = split_filter(o->filters[i], &value, &key, e);

		if (r)
			return r;
	}
	for (size_t i = 0; i < listing->n; i++)
		if (is_kept(listing, &listing->entries[i]))
			listing->entries[n++] = listing->entries[i];
	listing->n = n;
	for (size_t i = 0; i < listing->n_patterns; i++)
		if (!listing->used[i])
			return error_refuse(e, ERROR_NOT_FOUND, "nothing is called '%s'", listing->patterns[i]);
	return 0;
}

/* Containers alone stay in the order in which they are found, as ever. */
static bool is_mixed(const struct listing *listing)
{
	for (size_t i = 0; i < listing->n; i++)
		if (listing->entries[i].is_instance)
			return true;
	return listing->options->sort != SORT_NAME;
}

static int compare(const void *a, const void *b, void *data)
{
	const struct entry *x = a, *y = b;
	int r = 0;

	switch (*(const int *)data) {
	case SORT_CREATED:
		r = strcmp(x->container.created, y->container.created);
		break;
	case SORT_STATUS:
		r = strcmp(find_status(x), find_status(y));
		break;
	case SORT_PID:
		r = (x->container.pid > y->container.pid) - (x->container.pid < y->container.pid);
		break;
	}
	return r ? r : strcmp(x->container.id, y->container.id);
}

/* ---- forms ---- */

static char *print_ids(const struct listing *listing)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < listing->n; i++)
		str_addf(&out, "%s\n", listing->entries[i].container.id);
	return str_steal(&out);
}

/* runc's keys first; an instance has more. */
static char *print_json(const struct listing *listing)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);

	if (listing->n) {
		json_open_array(&json, NULL);
		for (size_t i = 0; i < listing->n; i++) {
			const struct entry *entry = &listing->entries[i];

			if (!entry->is_instance) {
				state_print(&json, &entry->container, entry->owner, NULL);
				continue;
			}
			json_open_object(&json, NULL);
			json_put_string(&json, "ociVersion", SPEC_VERSION);
			json_put_string(&json, "id", entry->container.id);
			json_put_string(&json, "rootfs", entry->container.rootfs);
			json_put_string(&json, "owner", entry->owner);
			if (*find_image(entry))
				json_put_string(&json, "image", find_image(entry));
			if (*entry->addresses)
				json_put_string(&json, "addresses", entry->addresses);
			if (*entry->ports)
				json_put_string(&json, "ports", entry->ports);
			inspect_put(&json, &entry->instance, &entry->state);
			json_close(&json);
		}
		json_close(&json);
	} else {
		json_put_null(&json, NULL);
	}
	str_add(&json.text, "\n");
	return json_finish(&json);
}

enum { COLUMN_WIDTH = 12, COLUMN_GAP = 3 }; /* runc's: at least 12 wide, with at least 3 blanks between */

static char *print_table(const struct listing *listing, const enum column *columns, size_t n_columns, size_t least,
			 int64_t now)
{
	struct arena *arena = listing->call->arena;
	const char **cells = arena_array(arena, const char *, (listing->n + 1) * n_columns);
	size_t widths[_COLUMN_N] = {0};
	struct str out = STR_INIT;

	for (size_t row = 0; row <= listing->n; row++)
		for (size_t c = 0; c < n_columns; c++) {
			const char *cell =
			    row ? find_cell(&listing->entries[row - 1], columns[c], now, arena) : titles[columns[c]];
			size_t width = strlen(cell) + COLUMN_GAP;

			cells[row * n_columns + c] = cell;
			if (width < least)
				width = least;
			if (widths[c] < width)
				widths[c] = width;
		}
	for (size_t row = 0; row <= listing->n; row++) {
		for (size_t c = 0; c + 1 < n_columns; c++)
			str_addf(&out, "%-*s", (int)widths[c], cells[row * n_columns + c]);
		str_addf(&out, "%s\n", cells[row * n_columns + n_columns - 1]);
	}
	return str_steal(&out);
}

static char *print(const struct listing *listing)
{
	struct timespec now;

	if (listing->options->quiet)
		return print_ids(listing);
	if (listing->options->format == LIST_JSON)
		return print_json(listing);
	if (!listing->options->wide)
		return print_table(listing, usual, ARRAY_SIZE(usual), COLUMN_WIDTH, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	return print_table(listing, wide, ARRAY_SIZE(wide), 0, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct list_options *o = options;
	struct listing listing = {.call = call, .options = o, .patterns = operands, .n_patterns = n};
	auto_free char *text = NULL;
	struct stat st;
	int r;

	if (call->root_given && stat(call->runtime.root, &st) && !call->data_given)
		return error_system(e, errno, "look into '%s'", call->runtime.root);
	listing.used = arena_array(call->arena, bool, n + 1);
	r = container_each(&call->runtime, call->arena, add_container, &listing, e);
	if (!r && invocation_has_instances(call))
		r = instances_each(&call->runtime, add_instance, &listing, e);
	if (!r && (o->wide || o->n_filters))
		r = load_specs(&listing, e);
	if (r)
		return r;
	if (o->wide)
		load_networks(&listing);
	r = filter(&listing, e);
	if (r)
		return r;
	if (listing.n && is_mixed(&listing))
		qsort_r(listing.entries, listing.n, sizeof(*listing.entries), compare, (void *)&o->sort);
	text = print(&listing);
	for (size_t i = 0; i < listing.n; i++) {
		spec_release(&listing.entries[i].spec);
		instance_release(&listing.entries[i].instance);
	}
	return output_write(text, e);
}

const struct verb verb_list = {
    .name = "list",
    .summary = "list containers and instances",
    .operands = "[NAME...]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct list_options, rows),
    .text =
	"NAME may be a pattern.  Instances are listed whether they run or not, unless --root is given without --data.",
    .run = run,
};
