/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish and unpublish: ports of a running instance.
 */
#include "cmd/verbs.h"

#include "instances/networks.h"
#include "netns/client.h"

struct publish_options {
	bool this_run;
};

static const struct option rows[] = {
    OPTION(struct publish_options, this_run, "this-run", 0, FLAG, NULL, "an instance's next start does not know of it"),
};

typedef int keep_fn(const struct runtime *runtime, const char *id, char **ports, size_t n, struct error *e);

static int change(int (*apply)(const struct net_paths *paths, const char *id, const struct net_port *ports, size_t n,
			       struct error *e),
		  keep_fn *keep, const struct invocation *call, const struct publish_options *o, char **operands,
		  size_t n, struct error *e)
{
	struct net_port *ports = arena_array(call->arena, struct net_port, n);
	int r;

	for (size_t i = 1; i < n; i++) {
		r = net_parse_port(operands[i], &ports[i - 1], e);
		if (r)
			return r;
	}
	r = apply(NULL, operands[0], ports, n - 1, e);
	return r || o->this_run || !invocation_has_instances(call)
		   ? r
		   : keep(&call->runtime, operands[0], operands + 1, n - 1, e);
}

static int run_publish(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	return change(net_publish, networks_keep_ports, call, options, operands, n, e);
}

static int run_unpublish(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	return change(net_unpublish, networks_forget_ports, call, options, operands, n, e);
}

const struct verb verb_publish = {
    .name = "publish",
    .summary = "lead ports of the host to a container on a network",
    .operands = "ID PORT...",
    .min = 2,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct publish_options, rows),
    .text = "PORT is [ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]: ports of the host, then the container's.  Without an\n"
	    "address it is 127.0.0.1; 0.0.0.0 and [::] are all of the host's.  An instance\n"
	    "keeps it in its config.json, unless --this-run is given.  See holm-network(8).",
    .run = run_publish,
};

const struct verb verb_unpublish = {
    .name = "unpublish",
    .summary = "take back what publish did",
    .operands = "ID PORT...",
    .min = 2,
    .max = VERB_ANY_OPERANDS,
    VERB_OPTIONS(struct publish_options, rows),
    .text = "PORT is written as it was for publish, or in the configuration.",
    .run = run_unpublish,
};
