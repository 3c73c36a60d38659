/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/select.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

bool select_is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

static bool has_label(const struct instance *i, const char *wanted)
{
	const char *equals = strchr(wanted, '='), *value;
	auto_arena arena = ARENA_INIT;
	bool negated = equals && equals > wanted && equals[-1] == '!';

	if (!equals)
		return instance_label_peek(i, wanted) != NULL;
	value = instance_label_peek(i, arena_format(&arena, "%.*s", (int)(equals - wanted - negated), wanted));
	return (value && str_equal(value, equals + 1)) != negated;
}

bool select_has_labels(const struct instance *i, const char *const *labels, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!has_label(i, labels[k]))
			return false;
	return true;
}

/* ---- names ---- */

static bool is_matched(const char *name, const struct select_request *request, bool *used)
{
	bool matched = !request->n_patterns;

	for (size_t k = 0; k < request->n_patterns; k++)
		if (!fnmatch(request->patterns[k], name, 0)) {
			used[k] = true;
			matched = true;
		}
	return matched;
}

static int keeps(const struct runtime *runtime, const struct select_request *request, const char *name, bool *ret,
		 struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	int r;

	*ret = true;
	if (!request->n_labels)
		return 0;
	r = instance_find(runtime, name, &i, e);
	*ret = !r && select_has_labels(&i, request->labels, request->n_labels);
	return r < 0 ? r : 0;
}

/* Says what is wrong with a name that nothing matched. */
static int refuse_unused(const struct runtime *runtime, const char *pattern, struct error *e)
{
	auto_instance i = INSTANCE_INIT;

	if (select_is_pattern(pattern))
		return error_refuse(e, ERROR_NOT_FOUND, "no instance matches '%s'", pattern);
	return instance_open(runtime, pattern, &i, e);
}

static bool are_names(const struct select_request *request)
{
	for (size_t k = 0; k < request->n_patterns; k++)
		if (select_is_pattern(request->patterns[k]))
			return false;
	return request->n_patterns;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Only names: nobody has to look at all the others. */
static int select_named(const struct runtime *runtime, const struct select_request *request, struct arena *arena,
			struct selection *ret, struct error *e)
{
	const char **names = arena_array(arena, const char *, request->n_patterns);
	size_t n = 0;

	memcpy(names, request->patterns, request->n_patterns * sizeof(*names));
	qsort(names, request->n_patterns, sizeof(*names), by_name);
	for (size_t k = 0; k < request->n_patterns; k++) {
		auto_instance i = INSTANCE_INIT;
		int r;

		if (k && str_equal(names[k], names[k - 1]))
			continue;
		r = instance_open(runtime, names[k], &i, e);
		if (r)
			return r;
		if (select_has_labels(&i, request->labels, request->n_labels))
			names[n++] = names[k];
	}
	*ret = (struct selection){.names = names, .n = n};
	return 0;
}

int select_instances(const struct runtime *runtime, const struct select_request *request, struct arena *arena,
		     struct selection *ret, struct error *e)
{
	bool *used = arena_array(arena, bool, request->n_patterns + 1);
	struct selection selection = {0};
	const char *const *names;
	size_t n;
	int r;

	if (!request->n_patterns && !request->n_labels && !request->all)
		return error_refuse(e, ERROR_USAGE, "no instance: give names, patterns, --label or --all");
	if (are_names(request))
		return select_named(runtime, request, arena, ret, e);
	r = instances_names(runtime, arena, &names, &n, e);
	if (r)
		return r;
	selection.names = arena_array(arena, const char *, n + 1);
	for (size_t k = 0; k < n; k++) {
		bool wanted = is_matched(names[k], request, used);

		if (wanted) {
			r = keeps(runtime, request, names[k], &wanted, e);
			if (r)
				return r;
		}
		if (wanted)
			selection.names[selection.n++] = names[k];
	}
	for (size_t k = 0; k < request->n_patterns; k++)
		if (!used[k]) {
			r = refuse_unused(runtime, request->patterns[k], e);
			if (r)
				return r;
		}
	*ret = selection;
	return 0;
}

/* ---- order ---- */

static size_t find(const struct selection *selection, const char *name)
{
	for (size_t i = 0; i < selection->n; i++)
		if (str_equal(selection->names[i], name))
			return i;
	return selection->n;
}

static int load_order(const struct runtime *runtime, const struct selection *selection, size_t index,
		      struct arena *arena, struct select_order *ret, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	struct spec spec;
	int r = instance_find(runtime, selection->names[index], &i, e);

	if (r)
		return r < 0 ? r : 0; /* removed meanwhile: whoever works on it says so */
	ret->delay = i.record.delay;
	r = instance_load_spec(&i, &spec, e);
	if (r)
		return r;
	ret->after = arena_array(arena, size_t, spec.holm ? spec.holm->n_after : 0);
	for (size_t k = 0; spec.holm && k < spec.holm->n_after; k++) {
		size_t other = find(selection, spec.holm->after[k]);

		if (other < selection->n)
			ret->after[ret->n_after++] = other;
	}
	spec_release(&spec);
	return 0;
}

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

/* Depth first; who is met again on the way to itself closes a circle. */
static int visit(const struct selection *selection, const struct select_order *order, size_t index, enum mark *marks,
		 struct error *e)
{
	marks[index] = MARK_OPEN;
	for (size_t k = 0; k < order[index].n_after; k++) {
		size_t other = order[index].after[k];
		int r = 0;

		if (marks[other] == MARK_OPEN)
			return error_refuse(e, ERROR_INVALID,
					    "'%s' is to come after '%s', and that after '%s': a circle",
					    selection->names[index], selection->names[other], selection->names[index]);
		if (marks[other] == MARK_NEW)
			r = visit(selection, order, other, marks, e);
		if (r)
			return r;
	}
	marks[index] = MARK_DONE;
	return 0;
}

int select_sort(const struct runtime *runtime, const struct selection *selection, struct arena *arena,
		struct select_order **ret, struct error *e)
{
	struct select_order *order = arena_array(arena, struct select_order, selection->n + 1);
	enum mark *marks = arena_array(arena, enum mark, selection->n + 1);
	int r = 0;

	for (size_t i = 0; !r && selection->n > 1 && i < selection->n; i++)
		r = load_order(runtime, selection, i, arena, &order[i], e);
	for (size_t i = 0; !r && i < selection->n; i++)
		if (marks[i] == MARK_NEW)
			r = visit(selection, order, i, marks, e);
	if (!r)
		*ret = order;
	return r;
}
