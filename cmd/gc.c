/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/ids.h"
#include "instances/instance.h"
#include "instances/monitor.h"
#include "netns/client.h"
#include "storage/push.h"
#include "storage/quota.h"
#include "storage/store.h"

struct gc_options {
	bool pretend;
};

static const struct option rows[] = {
    OPTION(struct gc_options, pretend, "dry-run", 0, FLAG, NULL, "only say which containers would be removed"),
};

struct gc {
	struct invocation *call;
	bool pretend;
	const char *ids[4096];
	size_t n;
	struct str out;
};

static void tell(const char *what, void *data)
{
	str_addf(&((struct gc *)data)->out, "%s\n", what);
}

static void tell_member(const struct net_member *member, void *data)
{
	str_addf(&((struct gc *)data)->out, "network %s: %s of %s\n", member->network, member->name, member->id);
}

/* A container that nothing can start again: it has stopped and its bundle is gone, or nobody understands its record. */
static void look(const struct container_state *state, const char *id, const struct error *broken, void *data)
{
	struct gc *gc = data;
	struct stat st;

	if (gc->n == ARRAY_SIZE(gc->ids))
		return;
	if (broken ? broken->kind == ERROR_INVALID : state->status == CONTAINER_STOPPED && stat(state->bundle, &st))
		gc->ids[gc->n++] = arena_strdup(gc->call->arena, id);
}

static int collect_containers(struct gc *gc, struct error *e)
{
	const struct runtime *runtime = &gc->call->runtime;
	int r = container_each(runtime, gc->call->arena, look, gc, e);

	for (size_t k = 0; !r && k < gc->n; k++) {
		if (!gc->pretend)
			r = container_delete(runtime, gc->ids[k], true, e);
		if (!r)
			str_addf(&gc->out, "container %s\n", gc->ids[k]);
	}
	return r;
}

/* Instances whose monitor was killed get another one. */
static int mend(struct instance *instance, const struct error *broken, void *data)
{
	struct gc *gc = data;
	const char *what = NULL;
	struct error e;

	if (broken)
		return 0;
	if (monitor_mend(&gc->call->runtime, instance, &what, &e))
		log_warning("instance '%s': %s", instance->name, e.text);
	else if (what)
		str_addf(&gc->out, "instance %s: %s\n", instance->name, what);
	return 0;
}

static int collect_storage(struct gc *gc, struct error *e)
{
	const struct runtime *runtime = &gc->call->runtime;
	auto_store store = STORE_INIT;
	size_t n = 0;
	int r = runtime->data ? store_open(runtime->data, false, &store, e) : 0;

	if (r || store.fd < 0)
		return r;
	store.rootless = runtime->rootless;
	r = store_sweep(&store, &n, e);
	if (!r && n)
		str_addf(&gc->out, "%zu half-made things\n", n);
	if (!r)
		r = push_sweep(&store, &n, e);
	if (!r && n)
		str_addf(&gc->out, "%zu states that nothing needs any more\n", n);
	if (!r)
		r = quota_sweep(&store, &n, e);
	if (!r && n)
		str_addf(&gc->out, "%zu project ids\n", n);
	return r;
}

static int collect(struct gc *gc, struct error *e)
{
	const struct runtime *runtime = &gc->call->runtime;
	int r = collect_containers(gc, e);

	if (r || gc->pretend)
		return r;
	r = instances_each(runtime, mend, gc, e);
	if (!r)
		r = instances_sweep(runtime, tell, gc, e);
	if (!r)
		r = ids_collect(runtime, tell, gc, e);
	if (!r)
		r = collect_storage(gc, e);
	if (!r && !runtime->rootless)
		r = net_collect(NULL, tell_member, gc, e);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct gc_options *o = options;
	struct gc *gc = arena_new(call->arena, struct gc);
	int r, printed;

	(void)operands, (void)n;
	gc->call = call;
	gc->pretend = o->pretend;
	r = collect(gc, e);
	printed = output_write(str_peek(&gc->out), r ? NULL : e);
	str_release(&gc->out);
	return r ? r : printed;
}

const struct verb verb_gc = {
    .name = "gc",
    .summary = "remove what was left behind by what was killed",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct gc_options, rows),
    .text =
	"Containers whose bundle is gone, half-made and half-removed instances and layers, id ranges, interfaces and\n"
	"ports of nobody.  Prints what it removed.  Instances, images and volumes stay.",
    .run = run,
};
