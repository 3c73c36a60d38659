/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/output.h"
#include "cmd/owner.h"
#include "cmd/state.h"

enum list_format { LIST_TABLE, LIST_JSON };

struct list_options {
	int format; /* enum list_format */
	bool quiet;
};

static const char *const formats[] = {[LIST_TABLE] = "table", [LIST_JSON] = "json"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct list_options, format, "format", 'f', formats, "form of the list (table)"),
    OPTION(struct list_options, quiet, "quiet", 'q', FLAG, NULL, "print ids only"),
};

/* The columns of the table; the last one is not padded. */
enum { COLUMN_ID, COLUMN_PID, COLUMN_STATUS, COLUMN_BUNDLE, COLUMN_CREATED, COLUMN_OWNER, _COLUMN_N };
enum { COLUMN_WIDTH = 12, COLUMN_GAP = 3 }; /* runc's: at least 12 wide, with at least 3 blanks between */

static const char *const titles[_COLUMN_N] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};

struct listing {
	const struct invocation *call;
	struct container_state *states;
	const char **owners;
	size_t n, room;
};

static void add(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	struct listing *listing = data;
	struct arena *arena = listing->call->arena;
	char text[ERROR_TEXT_SIZE + 128];

	if (broken) {
		fprintf(stderr, "load container %s: %s\n", id, error_format(broken, text, sizeof(text)));
		return;
	}
	if (listing->n == listing->room) {
		size_t room = listing->room ? listing->room * 2 : 16;
		struct container_state *states = arena_array(arena, struct container_state, room);
		const char **owners = arena_array(arena, const char *, room);

		if (listing->n) {
			memcpy(states, listing->states, listing->n * sizeof(*states));
			memcpy(owners, listing->owners, listing->n * sizeof(*owners));
		}
		listing->states = states;
		listing->owners = owners;
		listing->room = room;
	}
	listing->states[listing->n] = *state;
	if (listing->n && listing->states[listing->n - 1].owner_uid == state->owner_uid)
		listing->owners[listing->n] = listing->owners[listing->n - 1];
	else
		listing->owners[listing->n] = owner_find(state->owner_uid, arena);
	listing->n++;
}

static char *print_ids(const struct listing *listing)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < listing->n; i++)
		str_addf(&out, "%s\n", listing->states[i].id);
	return str_steal(&out);
}

static char *print_json(const struct listing *listing)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);

	if (listing->n) {
		json_open_array(&json, NULL);
		for (size_t i = 0; i < listing->n; i++)
			state_print(&json, &listing->states[i], listing->owners[i], NULL);
		json_close(&json);
	} else {
		json_put_null(&json, NULL);
	}
	str_add(&json.text, "\n");
	return json_finish(&json);
}

static const char *find_cell(const struct listing *listing, size_t i, int column, struct arena *arena)
{
	const struct container_state *state = &listing->states[i];

	switch (column) {
	case COLUMN_ID:
		return state->id;
	case COLUMN_PID:
		return arena_format(arena, "%d", (int)state->pid);
	case COLUMN_STATUS:
		return container_status_name(state->status);
	case COLUMN_BUNDLE:
		return state->bundle;
	case COLUMN_CREATED:
		return state->created;
	default:
		return listing->owners[i];
	}
}

static char *print_table(const struct listing *listing)
{
	struct arena *arena = listing->call->arena;
	const char **cells = arena_array(arena, const char *, (listing->n + 1) * _COLUMN_N);
	size_t widths[_COLUMN_N] = {0};
	struct str out = STR_INIT;

	for (size_t row = 0; row <= listing->n; row++)
		for (int column = 0; column < _COLUMN_N; column++) {
			const char *cell = row ? find_cell(listing, row - 1, column, arena) : titles[column];
			size_t width = strlen(cell) + COLUMN_GAP;

			cells[row * _COLUMN_N + column] = cell;
			if (width < COLUMN_WIDTH)
				width = COLUMN_WIDTH;
			if (widths[column] < width)
				widths[column] = width;
		}
	for (size_t row = 0; row <= listing->n; row++) {
		for (int column = 0; column < COLUMN_OWNER; column++)
			str_addf(&out, "%-*s", (int)widths[column], cells[row * _COLUMN_N + column]);
		str_addf(&out, "%s\n", cells[row * _COLUMN_N + COLUMN_OWNER]);
	}
	return str_steal(&out);
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct list_options *o = options;
	struct listing listing = {.call = call};
	auto_free char *text = NULL;
	struct stat st;
	int r;

	(void)operands, (void)n;
	if (call->root_given && stat(call->runtime.root, &st))
		return error_system(e, errno, "look into '%s'", call->runtime.root);
	r = container_each(&call->runtime, call->arena, add, &listing, e);
	if (r)
		return r;
	if (o->quiet)
		text = print_ids(&listing);
	else if (o->format == LIST_JSON)
		text = print_json(&listing);
	else
		text = print_table(&listing);
	return output_write(text, e);
}

const struct verb verb_list = {
    .name = "list",
    .summary = "list the containers under the state folder",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct list_options, rows),
    .run = run,
};
