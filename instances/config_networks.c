/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The networks that it joins, and its ports. */
#include "instances/config_builder.h"

#include <string.h>

#include "instances/instance.h"
#include "netns/address.h"
#include "netns/client.h"

static int refuse_network(struct config_builder *b, const char *text, const char *why)
{
	return error_refuse(b->e, ERROR_USAGE, "--network '%s': %s", text, why);
}

static int check_address(struct config_builder *b, const char *option, const char *text)
{
	char *copy = arena_strdup(b->arena, text), *one;
	struct net_address address;

	while ((one = strsep(&copy, ",")))
		if (address_parse(one, &address))
			return error_refuse(b->e, ERROR_USAGE, "%s '%s': is not an IPv4 or IPv6 address", option, one);
	return 0;
}

/* "NAME[,KEY=VALUE...]" */
static int add_network(struct config_builder *b, const char *text)
{
	struct spec_holm_network network = {0};
	char *rest = arena_strdup(b->arena, text), *part;

	network.network = strsep(&rest, ",");
	if (!*network.network)
		return refuse_network(b, text, "it takes the name of a network, none, host or instance:NAME");
	while ((part = strsep(&rest, ","))) {
		char *value = strchr(part, '=');
		struct net_rate rate;
		int r = 0;

		if (!value || !value[1])
			return refuse_network(b, text, "after the name come address=, interface=, mac= and rate=");
		*value++ = 0;
		if (str_equal(part, "address")) {
			/* The next one of the other family follows after a comma of its own: address=A,address=B. */
			network.address =
			    network.address ? arena_format(b->arena, "%s,%s", network.address, value) : value;
			r = check_address(b, "--network: address", value);
		} else if (str_equal(part, "interface")) {
			network.interface = value;
		} else if (str_equal(part, "mac")) {
			network.mac = value;
		} else if (str_equal(part, "rate")) {
			network.rate_egress = network.rate_ingress = value;
			r = net_parse_rate(value, &rate, b->e);
		} else {
			return refuse_network(b, text, "after the name come address=, interface=, mac= and rate=");
		}
		if (r)
			return r;
	}
	CONFIG_ADD(b, b->holm.networks, b->holm.n_networks) = network;
	return 0;
}

/* "100M", "100M/256k", or two of them: egress,ingress */
static int set_rate(struct config_builder *b, struct spec_holm_network *network)
{
	char *egress = arena_strdup(b->arena, b->o->rate), *ingress = strchr(egress, ',');
	struct net_rate rate;
	int r;

	if (ingress)
		*ingress++ = 0;
	else
		ingress = egress;
	r = net_parse_rate(egress, &rate, b->e);
	if (!r)
		r = net_parse_rate(ingress, &rate, b->e);
	if (r) {
		error_context(b->e, "--rate");
		return r;
	}
	network->rate_egress = egress;
	network->rate_ingress = ingress;
	return 0;
}

static int build_ports(struct config_builder *b, struct spec_holm_network *network)
{
	for (size_t i = 0; i < b->o->n_publish; i++) {
		struct net_port port;
		int r = net_parse_port(b->o->publish[i], &port, b->e);

		if (r) {
			error_context(b->e, "--publish");
			return r;
		}
		CONFIG_ADD(b, network->publish, network->n_publish) = b->o->publish[i];
	}
	return 0;
}

/* The network namespace of another instance goes with its user namespace: nobody else has rights over it. */
static int share_network(struct config_builder *b, const char *text)
{
	auto_instance other = INSTANCE_INIT;
	struct spec spec;
	int r = instance_open(b->runtime, str_after(text, "instance:"), &other, b->e);

	if (!r)
		r = instance_load_spec(&other, &spec, b->e);
	if (r) {
		error_context(b->e, "--network '%s'", text);
		return r;
	}
	b->shared_ids = true;
	b->first_shared = config_first_id(&spec);
	spec_release(&spec);
	return add_network(b, text);
}

int config_build_networks(struct config_builder *b)
{
	const char *const fallback = b->runtime->rootless ? "none" : "default";
	const struct config_options *o = b->o;
	const char *const *list = o->n_networks ? o->networks : &fallback;
	size_t n = o->n_networks ? o->n_networks : 1;
	bool none = str_equal(list[0], "none"), host = str_equal(list[0], "host");
	bool joined = str_after(list[0], "instance:") != NULL;
	int r = 0;

	b->own_network = !host && !joined;
	b->spec.linux_.namespaces[SPEC_NS_NETWORK].present = !host;
	for (size_t i = 0; i < n; i++)
		if (n > 1 &&
		    (str_equal(list[i], "none") || str_equal(list[i], "host") || str_after(list[i], "instance:")))
			return refuse_network(b, list[i], "stands alone");
	if (none || host || joined) {
		if (o->n_publish || o->address || o->rate || o->mac)
			return refuse_network(
			    b, list[0],
			    joined ? "ports, addresses and rates are the other instance's"
			    : b->runtime->rootless
				? "ports, addresses and rates need a network, and joining one needs root; "
				  "with --network host it listens on the host's own"
				: "ports, addresses and rates need a network");
		return joined ? share_network(b, list[0]) : 0;
	}
	if (b->runtime->rootless)
		return refuse_network(b, list[0], "joining networks needs root: use --network none or host");
	for (size_t i = 0; !r && i < n; i++)
		r = add_network(b, list[i]);
	if (r)
		return r;
	if (o->address) {
		r = check_address(b, "--address", o->address);
		b->holm.networks[0].address = o->address;
	}
	if (!r && o->mac)
		b->holm.networks[0].mac = o->mac;
	if (!r && o->rate)
		r = set_rate(b, &b->holm.networks[0]);
	return r ? r : build_ports(b, &b->holm.networks[0]);
}
