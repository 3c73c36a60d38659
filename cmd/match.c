/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/match.h"

#include <fnmatch.h>
#include <string.h>

#include "instances/select.h"

/* Those that run, as container_each() finds them. */
struct found {
	struct arena *arena;
	char **ids;
	size_t n, room;
};

static void add(struct found *found, const char *id)
{
	found->ids = arena_grow(found->arena, found->ids, found->n, &found->room, sizeof(*found->ids));
	found->ids[found->n++] = arena_strdup(found->arena, id);
}

static void add_running(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	if (!broken && state->status != CONTAINER_STOPPED)
		add(data, id);
}

static bool has(const struct found *found, const char *id)
{
	for (size_t i = 0; i < found->n; i++)
		if (str_equal(found->ids[i], id))
			return true;
	return false;
}

bool match_is_asked(const struct each_options *options, char **operands, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (select_is_pattern(operands[i]))
			return true;
	return options->all || options->n_labels;
}

static int has_labels(struct invocation *call, const struct each_options *options, const char *id, bool *ret,
		      struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	int r;

	*ret = !options->n_labels;
	if (*ret || !invocation_has_instances(call))
		return 0;
	r = instance_find(&call->runtime, id, &i, e);
	*ret = !r && select_has_labels(&i, options->labels, options->n_labels);
	return r < 0 ? r : 0;
}

int match_running(struct invocation *call, const struct each_options *options, char **operands, size_t n, char ***ret,
		  size_t *ret_n, struct error *e)
{
	struct found running = {.arena = call->arena}, wanted = {.arena = call->arena};
	bool *used = arena_array(call->arena, bool, n + 1);
	int r = 0;

	if (match_is_asked(options, operands, n))
		r = container_each(&call->runtime, call->arena, add_running, &running, e);
	for (size_t k = 0; !r && k < running.n; k++) {
		bool matched = !n, labelled;

		for (size_t i = 0; i < n; i++)
			if (!fnmatch(operands[i], running.ids[k], 0))
				matched = used[i] = true;
		r = matched ? has_labels(call, options, running.ids[k], &labelled, e) : 0;
		if (!r && matched && labelled)
			add(&wanted, running.ids[k]);
	}
	for (size_t i = 0; !r && i < n; i++) {
		if (used[i])
			continue;
		if (select_is_pattern(operands[i]))
			return error_refuse(e, ERROR_NOT_FOUND, "no container that runs matches '%s'", operands[i]);
		if (!has(&wanted, operands[i]))
			add(&wanted, operands[i]);
	}
	if (!r && !wanted.n && options->n_labels)
		return options->n_labels > 1
			   ? error_refuse(e, ERROR_NOT_FOUND, "no instance that runs has all of these labels")
			   : error_refuse(e, ERROR_NOT_FOUND, "no instance that runs has the label '%s'",
					  options->labels[0]);
	*ret = wanted.ids;
	*ret_n = wanted.n;
	return r;
}

int match_one(struct invocation *call, const char *operand, const char **ret, struct error *e)
{
	char *pattern = (char *)operand, **ids;
	size_t n;
	int r;

	*ret = operand;
	if (!select_is_pattern(operand))
		return 0;
	r = match_running(call, &(const struct each_options){0}, &pattern, 1, &ids, &n, e);
	if (r)
		return r;
	*ret = ids[0];
	return n == 1 ? 0 : each_refuse_many(operand, (const char *const *)ids, n, e);
}
