/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network: a verb with commands of its own, each a struct verb in the table at the end.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/networks.h"
#include "netns/address.h"
#include "netns/client.h"
#include "spec/json.h"
#include "spec/resources.h"

/* ---- create, remove ---- */

struct create_options {
	const char **subnets, **gateways;
	size_t n_subnets, n_gateways;
	int type; /* enum net_type */
	const char *uplink, *vrf;
	struct spec_unsigned vlan, mtu;
	bool isolated, no_subnet;
};

static const char *const types[] = {[NET_TYPE_BRIDGE] = "bridge",
				    [NET_TYPE_HOST_ONLY] = "host-only",
				    [NET_TYPE_MACVLAN] = "macvlan",
				    [NET_TYPE_IPVLAN] = "ipvlan"};

static const struct option create_rows[] = {
    OPTION_LISTED(struct create_options, subnets, "subnet", 0, LIST, "SUBNET",
		  "addresses of the members, IPv4, IPv6 or one of each; chosen free of clashes when not given"),
    OPTION_LISTED(struct create_options, gateways, "gateway", 0, LIST, "ADDRESS",
		  "where members send what is not for the network (the bridge)"),
    OPTION_CHOSEN(struct create_options, type, "type", 0, types, "what members share (bridge)"),
    OPTION(struct create_options, uplink, "uplink", 0, STRING, "INTERFACE", "interface of the host it is part of"),
    OPTION(struct create_options, vlan, "vlan", 0, UNSIGNED, "ID", "802.1Q tag on the uplink"),
    OPTION(struct create_options, vrf, "vrf", 0, STRING, "INTERFACE", "VRF that the bridge is in"),
    OPTION(struct create_options, mtu, "mtu", 0, UNSIGNED, "BYTES", "largest packet (as the uplink)"),
    OPTION(struct create_options, isolated, "isolated", 0, FLAG, NULL, "no traffic between members"),
    OPTION(struct create_options, no_subnet, "no-subnet", 0, FLAG, NULL, "members get no addresses from holm"),
};

static int copy(char *to, size_t size, const char *text, const char *what, struct error *e)
{
	if (text && strlen(text) >= size)
		return error_refuse(e, ERROR_USAGE, "%s '%s' is longer than %zu bytes", what, text, size - 1);
	snprintf(to, size, "%s", text ? text : "");
	return 0;
}

/* Of one family each: the first goes to four or six. */
static int put_address(const char *text, const struct net_address *address, struct net_address *four,
		       struct net_address *six, struct error *e)
{
	struct net_address *to = address->prefix <= 32 && !strchr(text, ':') ? four : six;

	if (to->family)
		return error_refuse(e, ERROR_USAGE, "'%s' is the second of its family", text);
	*to = *address;
	return 0;
}

static int read_addresses(const struct create_options *o, struct net_network *ret, struct error *e)
{
	struct net_address address;
	int r = 0;

	for (size_t i = 0; !r && i < o->n_subnets; i++)
		r = address_parse_subnet(o->subnets[i], &address)
			? error_refuse(e, ERROR_USAGE, "'%s' is not a subnet like 10.5.0.0/24, its host bits zero",
				       o->subnets[i])
			: put_address(o->subnets[i], &address, &ret->subnet4, &ret->subnet6, e);
	for (size_t i = 0; !r && i < o->n_gateways; i++)
		r = address_parse(o->gateways[i], &address)
			? error_refuse(e, ERROR_USAGE, "'%s' is not an address", o->gateways[i])
			: put_address(o->gateways[i], &address, &ret->gateway4, &ret->gateway6, e);
	return r;
}

/* 0 stands for "not given" in a network's facts, so who gives it is told here what others are told there. */
static int read_number(const struct spec_unsigned *given, uint64_t least, uint64_t most, const char *what,
		       uint32_t *ret, struct error *e)
{
	if (given->present && (given->value < least || given->value > most))
		return error_refuse(e, ERROR_USAGE, "%s is a number from %" PRIu64 " to %" PRIu64 ", not %" PRIu64,
				    what, least, most, given->value);
	*ret = given->value;
	return 0;
}

static int run_create(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct create_options *o = options;
	struct net_network network = {.type = o->type, .is_isolated = o->isolated, .no_subnet = o->no_subnet};
	int r = copy(network.name, sizeof(network.name), operands[0], "the name", e)
		    ?: copy(network.uplink, sizeof(network.uplink), o->uplink, "the interface name", e)
		    ?: copy(network.vrf, sizeof(network.vrf), o->vrf, "the interface name", e)
		    ?: read_number(&o->vlan, 1, 4094, "a VLAN", &network.vlan, e)
		    ?: read_number(&o->mtu, 68, 65535, "an MTU", &network.mtu, e) ?: read_addresses(o, &network, e);

	(void)call, (void)n;
	r = r ?: net_create(NULL, &network, NULL, e);
	if (r)
		error_context(e, "create network '%s'", operands[0]);
	return r;
}

static int run_remove(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)call, (void)options;
	for (size_t i = 0; i < n; i++) {
		int r = net_remove(NULL, operands[i], e);

		if (r)
			return r;
	}
	return 0;
}

/* ---- list, inspect ---- */

enum list_format { LIST_TABLE, LIST_JSON };

struct list_options {
	int format;
	bool quiet;
};

static const char *const formats[] = {[LIST_TABLE] = "table", [LIST_JSON] = "json"};

static const struct option list_rows[] = {
    OPTION_CHOSEN(struct list_options, format, "format", 'f', formats, "form of the list (table)"),
    OPTION(struct list_options, quiet, "quiet", 'q', FLAG, NULL, "print names only"),
};

static void put_address_key(struct json_writer *json, const char *key, const struct net_address *address, bool prefix)
{
	char text[ADDRESS_TEXT_SIZE];

	if (address->family)
		json_put_string(json, key, address_print(address, prefix, text));
}

static void put_text(struct json_writer *json, const char *key, const char *text)
{
	if (*text)
		json_put_string(json, key, text);
}

/* The members of an open object. */
static void put_network(struct json_writer *json, const struct net_network *network)
{
	json_put_string(json, "name", network->name);
	json_put_string(json, "type", net_type_name(network->type));
	put_address_key(json, "subnet4", &network->subnet4, true);
	put_address_key(json, "subnet6", &network->subnet6, true);
	put_address_key(json, "gateway4", &network->gateway4, false);
	put_address_key(json, "gateway6", &network->gateway6, false);
	put_text(json, "bridge", network->bridge);
	put_text(json, "uplink", network->uplink);
	put_text(json, "vrf", network->vrf);
	if (network->vlan)
		json_put_uint(json, "vlan", network->vlan);
	if (network->mtu)
		json_put_uint(json, "mtu", network->mtu);
	json_put_bool(json, "isolated", network->is_isolated);
}

static void list_json(const struct net_network *network, void *data)
{
	json_open_object(data, NULL);
	put_network(data, network);
	json_close(data);
}

static void list_name(const struct net_network *network, void *data)
{
	str_addf(data, "%s\n", network->name);
}

static void list_line(const struct net_network *network, void *data)
{
	char four[ADDRESS_TEXT_SIZE], six[ADDRESS_TEXT_SIZE];

	char vlan[16] = "";

	if (network->vlan)
		snprintf(vlan, sizeof(vlan), " vlan %u", network->vlan);
	str_addf(data, "%-20s %-10s %-18s %-26s %s%s%s\n", network->name, net_type_name(network->type),
		 network->subnet4.family ? address_print(&network->subnet4, true, four) : "-",
		 network->subnet6.family ? address_print(&network->subnet6, true, six) : "-",
		 *network->uplink ? network->uplink : "-", network->is_isolated ? " isolated" : "", vlan);
}

static int run_list(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct list_options *o = options;
	struct json_writer json = json_writer_init(2);
	auto_str out = STR_INIT;
	int r;

	(void)call, (void)operands, (void)n;
	if (o->quiet || o->format == LIST_TABLE) {
		if (!o->quiet)
			str_addf(&out, "%-20s %-10s %-18s %-26s %s\n", "NAME", "TYPE", "IPV4", "IPV6", "UPLINK");
		r = net_each(NULL, NULL, o->quiet ? list_name : list_line, &out, e);
	} else {
		auto_free char *text = NULL;

		json_open_array(&json, NULL);
		r = net_each(NULL, NULL, list_json, &json, e);
		json_close(&json);
		text = json_finish(&json);
		str_addf(&out, "%s\n", text);
	}
	return r ?: output_write(str_peek(&out), e);
}

static void put_traffic(struct json_writer *json, const char *key, const struct net_traffic *traffic)
{
	json_open_object(json, key);
	json_put_uint(json, "sentBytes", traffic->sent_bytes);
	json_put_uint(json, "sentPackets", traffic->sent_packets);
	json_put_uint(json, "receivedBytes", traffic->received_bytes);
	json_put_uint(json, "receivedPackets", traffic->received_packets);
	json_close(json);
}

struct inspection {
	struct json_writer json;
	const char *network, *id, *interface;
};

static void put_port(const struct net_published *published, void *data)
{
	struct inspection *inspection = data;
	char text[NET_PORT_TEXT_SIZE];

	if (str_equal(published->id, inspection->id) && str_equal(published->port.interface, inspection->interface))
		json_put_string(&inspection->json, NULL, net_print_port(&published->port, text));
}

static void put_rate(struct json_writer *json, const char *key, const struct net_rate *rate)
{
	if (!rate->rate)
		return;
	json_open_object(json, key);
	json_put_uint(json, "bitsPerSecond", rate->rate * 8);
	json_put_uint(json, "burstBytes", rate->burst);
	json_close(json);
}

static void put_member(const struct net_counters *counters, void *data)
{
	const struct net_member *member = &counters->member;
	struct inspection *inspection = data;
	struct json_writer *json = &inspection->json;
	char mac[24];

	if (!str_equal(member->network, inspection->network))
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", member->mac[0], member->mac[1], member->mac[2],
		 member->mac[3], member->mac[4], member->mac[5]);
	json_open_object(json, NULL);
	json_put_string(json, "id", member->id);
	json_put_string(json, "interface", member->name);
	put_address_key(json, "address4", &member->address4, true);
	put_address_key(json, "address6", &member->address6, true);
	json_put_string(json, "mac", mac);
	put_text(json, "hostInterface", member->link);
	put_rate(json, "egress", &member->egress);
	put_rate(json, "ingress", &member->ingress);
	inspection->id = member->id;
	inspection->interface = member->name;
	json_open_array(json, "ports");
	if (net_each_port(NULL, member->id, put_port, inspection, NULL))
		json_put_null(json, NULL);
	json_close(json);
	put_traffic(json, "traffic", &counters->total);
	put_traffic(json, "lan", &counters->lan);
	put_traffic(json, "wan", &counters->wan);
	json_close(json);
}

static void put_inspected(const struct net_network *network, void *data)
{
	put_network(&((struct inspection *)data)->json, network);
}

static int run_inspect(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	struct inspection inspection = {.json = json_writer_init(2), .network = operands[0]};
	auto_free char *text = NULL;
	auto_str out = STR_INIT;
	int r;

	(void)call, (void)options, (void)n;
	json_open_object(&inspection.json, NULL);
	r = net_each(NULL, operands[0], put_inspected, &inspection, e);
	json_open_array(&inspection.json, "members");
	if (!r)
		r = net_each_counters(NULL, NULL, put_member, &inspection, e);
	json_close(&inspection.json);
	json_close(&inspection.json);
	text = json_finish(&inspection.json);
	str_addf(&out, "%s\n", text);
	return r ?: output_write(str_peek(&out), e);
}

/* ---- connect, disconnect, limit ---- */

struct connect_options {
	const char *interface, *mac, *egress, *ingress;
	const char **addresses, **publish, **routes;
	size_t n_addresses, n_publish, n_routes;
	bool no_gateway, this_run;
};

#define THIS_RUN(s) OPTION(s, this_run, "this-run", 0, FLAG, NULL, "an instance's next start does not know of it")

/* What config.json of an instance is told, too. */
static bool is_kept(const struct invocation *call, bool this_run)
{
	return !this_run && invocation_has_instances(call);
}

static const struct option connect_rows[] = {
    OPTION(struct connect_options, interface, "interface", 0, STRING, "NAME", "its name inside (the next free eth)"),
    OPTION_LISTED(struct connect_options, addresses, "address", 0, LIST, "ADDRESS",
		  "a fixed address, IPv4, IPv6 or one of each"),
    OPTION(struct connect_options, mac, "mac", 0, STRING, "MAC", "a fixed hardware address"),
    OPTION(struct connect_options, no_gateway, "no-gateway", 0, FLAG, NULL, "no default route by this network"),
    OPTION_LISTED(struct connect_options, routes, "route", 0, LIST, "ROUTE", "'SUBNET via ADDRESS'"),
    OPTION_LISTED(struct connect_options, publish, "publish", 'p', LIST, "PORT",
		  "[ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]: ports of the host, then the container's"),
    OPTION(struct connect_options, egress, "egress", 0, STRING, "RATE", "most it may send, like 100M or 100M/256k"),
    OPTION(struct connect_options, ingress, "ingress", 0, STRING, "RATE", "most it may receive"),
    THIS_RUN(struct connect_options),
};

/* Of a container that runs: its network namespace, and for connecting what names need. */
static int open_running(const struct invocation *call, const char *id, int *ret_netns, struct net_inside *ret_inside,
			struct error *e)
{
	struct container_state state;
	auto_fd process = -1;
	auto_fd netns = -1;
	auto_fd mounts = -1;
	int r = container_state(&call->runtime, id, call->arena, &state, e);

	if (r)
		return r;
	if (!state.pid)
		return error_refuse(e, ERROR_STATE, "container '%s' is not running", id);
	r = fd_open(AT_FDCWD, arena_format(call->arena, "/proc/%d", (int)state.pid), O_RDONLY | O_DIRECTORY, NULL,
		    &process, e)
		?: fd_open(process, "ns/net", O_RDONLY, NULL, &netns, e);
	if (!r && ret_inside)
		r = fd_open(process, "ns/mnt", O_RDONLY, NULL, &mounts, e)
			?: fd_open(process, "root", O_PATH | O_DIRECTORY, NULL, &ret_inside->root_fd, e);
	if (r)
		return r;
	*ret_netns = take_fd(&netns);
	if (ret_inside)
		ret_inside->mount_fd = take_fd(&mounts);
	return 0;
}

static void count_interface(const struct net_member *member, void *data)
{
	unsigned *next = data, number;

	if (sscanf(member->name, "eth%u", &number) == 1 && number >= *next)
		*next = number + 1;
}

static int read_interface(const struct connect_options *o, const char *network, const char *id,
			  struct net_interface *ret, struct error *e)
{
	unsigned next = 0;
	int r = copy(ret->network, sizeof(ret->network), network, "the network's name", e)
		    ?: copy(ret->name, sizeof(ret->name), o->interface, "the interface name", e);

	if (!r && !o->interface) {
		r = net_each_member(NULL, id, NULL, count_interface, &next, e);
		snprintf(ret->name, sizeof(ret->name), "eth%u", next);
	}
	for (size_t i = 0; !r && i < o->n_addresses; i++) {
		struct net_address address;

		r = address_parse(o->addresses[i], &address)
			? error_refuse(e, ERROR_USAGE, "'%s' is not an address", o->addresses[i])
			: put_address(o->addresses[i], &address, &ret->address4, &ret->address6, e);
	}
	if (!r && o->n_routes > NET_ROUTES_MAX)
		r = error_refuse(e, ERROR_USAGE, "more than %d routes", NET_ROUTES_MAX);
	for (size_t i = 0; !r && i < o->n_routes; i++)
		r = net_parse_route(o->routes[i], &ret->routes[ret->n_routes++], e);
	ret->has_mac = o->mac != NULL;
	ret->no_gateway = o->no_gateway;
	if (!r && o->mac)
		r = net_parse_mac(o->mac, ret->mac, e);
	if (!r && o->egress)
		r = net_parse_rate(o->egress, &ret->egress, e);
	if (!r && o->ingress)
		r = net_parse_rate(o->ingress, &ret->ingress, e);
	return r;
}

static int keep(const struct invocation *call, const struct connect_options *o, char **operands, struct error *e)
{
	auto_str addresses = STR_INIT;
	struct spec_holm_network network = {
	    .network = operands[0],
	    .interface = o->interface,
	    .mac = o->mac,
	    .gateway = o->no_gateway ? "none" : NULL,
	    .routes = o->routes,
	    .n_routes = o->n_routes,
	    .publish = o->publish,
	    .n_publish = o->n_publish,
	    .rate_egress = o->egress,
	    .rate_ingress = o->ingress,
	};

	for (size_t i = 0; i < o->n_addresses; i++)
		str_addf(&addresses, "%s%s", i ? "," : "", o->addresses[i]);
	if (o->n_addresses)
		network.address = str_peek(&addresses);
	return networks_keep(&call->runtime, operands[1], &network, e);
}

static int run_connect(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct connect_options *o = options;
	struct net_port *ports = arena_array(call->arena, struct net_port, o->n_publish + 1);
	struct net_interface interface = {0};
	struct net_inside inside = {-1, -1};
	struct net_join join = {.id = operands[1], .interfaces = &interface, .n = 1, .ports = ports, .inside = &inside};
	auto_fd netns = -1;
	int r = open_running(call, operands[1], &netns, &inside, e)
		    ?: read_interface(o, operands[0], operands[1], &interface, e);

	(void)n;
	for (; !r && join.n_ports < o->n_publish; join.n_ports++) {
		struct net_port *port = &ports[join.n_ports];

		r = net_parse_port(o->publish[join.n_ports], port, e);
		memcpy(port->interface, interface.name, sizeof(port->interface));
	}
	if (r)
		error_context(e, "connect '%s' to network '%s'", operands[1], operands[0]);
	join.netns_fd = netns;
	join.instance = arena_format(call->arena, "%s/%s", call->runtime.root, operands[1]);
	r = r ?: net_join(NULL, &join, NULL, e);
	fd_close(inside.mount_fd);
	fd_close(inside.root_fd);
	return r || !is_kept(call, o->this_run) ? r : keep(call, o, operands, e);
}

struct disconnect_options {
	bool this_run;
};

static const struct option disconnect_rows[] = {THIS_RUN(struct disconnect_options)};

static void note_member(const struct net_member *member, void *data)
{
	(void)member;
	*(bool *)data = true;
}

static int run_disconnect(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct disconnect_options *o = options;
	bool is_on = false, had = false;
	auto_fd netns = -1;
	int r = open_running(call, operands[1], &netns, NULL, e)
		    ?: net_each_member(NULL, operands[1], operands[0], note_member, &is_on, e);

	(void)n;
	if (!r && is_on)
		r = net_leave(NULL, operands[1], operands[0], NULL, netns, e);
	if (!r && is_kept(call, o->this_run))
		r = networks_forget(&call->runtime, operands[1], operands[0], &had, e);
	if (!r && !is_on && !had)
		r = error_refuse(e, ERROR_NOT_FOUND, "instance '%s' is not on network '%s'", operands[1], operands[0]);
	return r;
}

struct limit_options {
	const char *egress, *ingress;
	bool this_run;
};

static const struct option limit_rows[] = {
    OPTION(struct limit_options, egress, "egress", 0, STRING, "RATE", "most it may send; 0: no limit"),
    OPTION(struct limit_options, ingress, "ingress", 0, STRING, "RATE", "most it may receive; 0: no limit"),
    THIS_RUN(struct limit_options),
};

static int read_rate(const char *text, struct net_rate *ret, struct error *e)
{
	return !text || str_equal(text, "0") ? 0 : net_parse_rate(text, ret, e);
}

static int run_limit(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct limit_options *o = options;
	struct net_rate egress = {0}, ingress = {0};
	int r = read_rate(o->egress, &egress, e) ?: read_rate(o->ingress, &ingress, e);

	(void)n;
	if (!r && !o->egress && !o->ingress)
		r = error_refuse(e, ERROR_USAGE, "neither --egress nor --ingress says to what");
	if (!r)
		r = net_limit(NULL, operands[0], operands[1], o->egress ? &egress : NULL, o->ingress ? &ingress : NULL,
			      e);
	if (r)
		error_context(e, "limit interface '%s' of '%s'", operands[1], operands[0]);
	return r || !is_kept(call, o->this_run)
		   ? r
		   : networks_keep_rates(&call->runtime, operands[0], operands[1], o->egress, o->ingress, e);
}

/* ---- repair, collect ---- */

static int run_repair(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	(void)call, (void)options, (void)operands, (void)n;
	return net_collect(NULL, NULL, NULL, e) ?: net_repair(NULL, e);
}

/* ---- the verb ---- */

static const struct verb commands[] = {
    {.name = "network create",
     .summary = "make a network",
     .operands = "NAME",
     .min = 1,
     .max = 1,
     VERB_OPTIONS(struct create_options, create_rows),
     .run = run_create},
    {.name = "network list",
     .summary = "list networks",
     .operands = "",
     .max = 0,
     VERB_OPTIONS(struct list_options, list_rows),
     .run = run_list},
    {.name = "network inspect",
     .summary = "print a network, its members, their ports and counters, as JSON",
     .operands = "NAME",
     .min = 1,
     .max = 1,
     .run = run_inspect},
    {.name = "network remove",
     .summary = "remove networks that nobody is a member of",
     .operands = "NAME...",
     .min = 1,
     .max = VERB_ANY_OPERANDS,
     .run = run_remove},
    {.name = "network connect",
     .summary = "let a running container join a network",
     .operands = "NAME ID",
     .min = 2,
     .max = 2,
     VERB_OPTIONS(struct connect_options, connect_rows),
     .run = run_connect},
    {.name = "network disconnect",
     .summary = "let a running container leave a network",
     .operands = "NAME ID",
     .min = 2,
     .max = 2,
     VERB_OPTIONS(struct disconnect_options, disconnect_rows),
     .run = run_disconnect},
    {.name = "network limit",
     .summary = "change the rates of a container's interface",
     .operands = "ID INTERFACE",
     .min = 2,
     .max = 2,
     VERB_OPTIONS(struct limit_options, limit_rows),
     .run = run_limit},
    {.name = "network repair",
     .summary = "lay the firewall table again, and free what dead containers held",
     .operands = "",
     .max = 0,
     .run = run_repair},
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	static const struct commands table = {commands, ARRAY_SIZE(commands), "holm-network(8)"};

	return commands_run(&table, call, options, operands, n, e);
}

const struct verb verb_network = {
    .name = "network",
    .summary = "networks: create, list, inspect, remove, connect, disconnect, limit, repair",
    .operands = "COMMAND [OPERANDS]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    .raw = true,
    .run = run,
};
