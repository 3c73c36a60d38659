/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instances/instance.h"
#include "netns/client.h"
#include "spec/json.h"

/* An instance whose config.json is being changed. */
struct kept {
	struct instance instance;
	struct spec spec;
	bool is_instance, has_spec;
};

static int open_kept(const struct runtime *runtime, const char *id, struct kept *kept, struct error *e)
{
	int r = instance_find(runtime, id, &kept->instance, e);

	kept->is_instance = !r;
	if (r)
		return r < 0 ? r : 0;
	r = instance_lock(&kept->instance, e);
	if (!r)
		r = instance_load_spec(&kept->instance, &kept->spec, e);
	kept->has_spec = !r;
	return r;
}

static int save(struct kept *kept, int r, struct error *e)
{
	if (!r && kept->has_spec) {
		char *text = spec_encode(&kept->spec, JSON_INDENT_TAB);

		r = instance_save_config(&kept->instance, text, e);
		free(text);
	}
	if (r)
		error_context(e, "it is done, but not kept in config.json");
	if (kept->has_spec)
		spec_release(&kept->spec);
	instance_release(&kept->instance);
	return r;
}

#define KEPT_INIT ((struct kept){.instance = INSTANCE_INIT})

static struct spec_holm *make_holm(struct kept *kept)
{
	if (!kept->spec.holm)
		kept->spec.holm = arena_array(&kept->spec.arena, struct spec_holm, 1);
	return kept->spec.holm;
}

/* Two ways to write one port are one port. */
static bool is_same_port(const char *a, const char *b)
{
	char one[NET_PORT_TEXT_SIZE], other[NET_PORT_TEXT_SIZE];
	struct net_port port;
	struct error ignored;

	if (net_parse_port(a, &port, &ignored))
		return false;
	net_print_port(&port, one);
	if (net_parse_port(b, &port, &ignored))
		return false;
	net_print_port(&port, other);
	return str_equal(one, other);
}

static void forget_port(struct spec_holm *holm, const char *port)
{
	for (size_t i = 0; i < holm->n_networks; i++) {
		struct spec_holm_network *network = &holm->networks[i];
		size_t left = 0;

		for (size_t k = 0; k < network->n_publish; k++)
			if (!is_same_port(network->publish[k], port))
				network->publish[left++] = network->publish[k];
		network->n_publish = left;
	}
}

static int keep_ports(struct kept *kept, char **ports, size_t n, struct error *e)
{
	struct spec_holm *holm = make_holm(kept);
	struct spec_holm_network *network = holm->networks;
	const char **list;

	if (!holm->n_networks)
		return error_refuse(e, ERROR_STATE, "instance '%s' has no network there", kept->instance.name);
	for (size_t i = 0; i < n; i++)
		forget_port(holm, ports[i]);
	list = arena_array(&kept->spec.arena, const char *, network->n_publish + n);
	if (network->n_publish)
		memcpy(list, network->publish, network->n_publish * sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[network->n_publish++] = ports[i];
	network->publish = list;
	return 0;
}

int networks_keep_ports(const struct runtime *runtime, const char *id, char **ports, size_t n, struct error *e)
{
	struct kept kept = KEPT_INIT;
	int r = open_kept(runtime, id, &kept, e);

	return save(&kept, r || !kept.is_instance ? r : keep_ports(&kept, ports, n, e), e);
}

int networks_forget_ports(const struct runtime *runtime, const char *id, char **ports, size_t n, struct error *e)
{
	struct kept kept = KEPT_INIT;
	int r = open_kept(runtime, id, &kept, e);

	for (size_t i = 0; !r && kept.is_instance && kept.spec.holm && i < n; i++)
		forget_port(kept.spec.holm, ports[i]);
	return save(&kept, r, e);
}

static void forget(struct spec_holm *holm, const char *network)
{
	size_t left = 0;

	for (size_t i = 0; i < holm->n_networks; i++)
		if (!str_equal(holm->networks[i].network, network))
			holm->networks[left++] = holm->networks[i];
	holm->n_networks = left;
}

static void keep(struct kept *kept, const struct spec_holm_network *network)
{
	struct spec_holm *holm = make_holm(kept);
	struct spec_holm_network *list;

	forget(holm, network->network);
	list = arena_array(&kept->spec.arena, struct spec_holm_network, holm->n_networks + 1);
	if (holm->n_networks)
		memcpy(list, holm->networks, holm->n_networks * sizeof(*list));
	list[holm->n_networks++] = *network;
	holm->networks = list;
}

int networks_keep(const struct runtime *runtime, const char *id, const struct spec_holm_network *network,
		  struct error *e)
{
	struct kept kept = KEPT_INIT;
	int r = open_kept(runtime, id, &kept, e);

	if (!r && kept.is_instance)
		keep(&kept, network);
	return save(&kept, r, e);
}

int networks_forget(const struct runtime *runtime, const char *id, const char *network, bool *ret_had, struct error *e)
{
	struct kept kept = KEPT_INIT;
	int r = open_kept(runtime, id, &kept, e);

	*ret_had = false;
	if (!r && kept.is_instance && kept.spec.holm) {
		size_t before = kept.spec.holm->n_networks;

		forget(kept.spec.holm, network);
		*ret_had = kept.spec.holm->n_networks != before;
	}
	return save(&kept, r, e);
}

int networks_keep_rates(const struct runtime *runtime, const char *id, const char *interface, const char *egress,
			const char *ingress, struct error *e)
{
	struct kept kept = KEPT_INIT;
	int r = open_kept(runtime, id, &kept, e);

	for (size_t i = 0; !r && kept.is_instance && kept.spec.holm && i < kept.spec.holm->n_networks; i++) {
		struct spec_holm_network *network = &kept.spec.holm->networks[i];
		char name[32];

		snprintf(name, sizeof(name), "eth%zu", i);
		if (!str_equal(network->interface ? network->interface : name, interface))
			continue;
		if (egress)
			network->rate_egress = str_equal(egress, "0") ? NULL : egress;
		if (ingress)
			network->rate_ingress = str_equal(ingress, "0") ? NULL : ingress;
	}
	return save(&kept, r, e);
}
