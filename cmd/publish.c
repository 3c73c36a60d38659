/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish and unpublish: ports of a running instance.
 */
#include "cmd/verbs.h"

#include "netns/client.h"

static int change(int (*apply)(const struct net_paths *paths, const char *id, const struct net_port *ports, size_t n,
			       struct error *e),
		  const struct invocation *call, char **operands, size_t n, struct error *e)
{
	struct net_port *ports = arena_array(call->arena, struct net_port, n);

	for (size_t i = 1; i < n; i++) {
		int r = net_parse_port(operands[i], &ports[i - 1], e);

		if (r)
			return r;
	}
	return apply(NULL, operands[0], ports, n - 1, e);
}

static int run_publish(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)options;
	return change(net_publish, call, operands, n, e);
}

static int run_unpublish(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)options;
	return change(net_unpublish, call, operands, n, e);
}

const struct verb verb_publish = {
    .name = "publish",
    .summary = "lead ports of the host to a container on a network",
    .operands = "ID PORT...",
    .min = 2,
    .max = VERB_ANY_OPERANDS,
    .text = "PORT is [ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]: ports of the host, then the container's.  Without an\n"
	    "address it is 127.0.0.1; 0.0.0.0 and [::] are all of the host's.  See holm-network(8).",
    .run = run_publish,
};

const struct verb verb_unpublish = {
    .name = "unpublish",
    .summary = "take back what publish did",
    .operands = "ID PORT...",
    .min = 2,
    .max = VERB_ANY_OPERANDS,
    .text = "PORT is written as it was for publish, or in the configuration.",
    .run = run_unpublish,
};
