/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls the functions of netns/client.h from a shell script: one verb per function.  Must lie beside holm-net.
 *
 *   net move NETNS-FILE HOST-NAME[=NAME]...
 *   net create NAME [KEY=VALUE]...       type subnet gateway uplink vlan vrf mtu isolated no-subnet
 *   net remove NAME | list [NAME] | members [ID] | ports [ID] | counters [ID] | repair | collect
 *   net join ID NETNS-FILE [KEY=VALUE]...   instance hostname; network begins the next interface, then: name address
 * mac gateway route egress ingress publish net leave ID [network=NAME] [name=NAME] [netns=FILE] net publish ID PORT...
 * | unpublish ID PORT... | limit ID NAME [egress=RATE] [ingress=RATE]
 *
 * NET_STATE and NET_CONFIG in the environment are the folders.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/client.h"
#include "netns/parse.h"
#include "spec/spec.h"

static struct net_paths paths;

static int usage(struct error *e, const char *what)
{
	return error_refuse(e, ERROR_USAGE, "%s", what);
}

static int move(char **args, int n, struct error *e)
{
	struct spec_net_device devices[32] = {0};
	auto_fd netns = open(args[0], O_RDONLY | O_CLOEXEC);

	for (int i = 1; i < n && i <= 32; i++) {
		devices[i - 1].host_name = strtok(args[i], "=");
		devices[i - 1].name = strtok(NULL, "=");
	}
	return net_move_devices(devices, n - 1, netns, e);
}

static void print_address(const char *key, const struct net_address *address, bool prefix)
{
	char text[ADDRESS_TEXT_SIZE];

	if (address->family)
		printf(" %s=%s", key, address_print(address, prefix, text));
}

static void print_network(const struct net_network *network, void *data)
{
	(void)data;
	printf("%s type=%s", network->name, net_type_name(network->type));
	print_address("subnet4", &network->subnet4, true);
	print_address("subnet6", &network->subnet6, true);
	print_address("gateway4", &network->gateway4, false);
	print_address("gateway6", &network->gateway6, false);
	printf(" bridge=%s uplink=%s vlan=%u vrf=%s mtu=%u isolated=%u\n", network->bridge, network->uplink,
	       network->vlan, network->vrf, network->mtu, network->is_isolated);
}

static void print_member(const struct net_member *member, void *data)
{
	(void)data;
	printf("%s network=%s name=%s link=%s", member->id, member->network, member->name, member->link);
	print_address("address4", &member->address4, true);
	print_address("address6", &member->address6, true);
	print_address("gateway4", &member->gateway4, false);
	print_address("gateway6", &member->gateway6, false);
	printf(" mac=%02x:%02x:%02x:%02x:%02x:%02x\n", member->mac[0], member->mac[1], member->mac[2], member->mac[3],
	       member->mac[4], member->mac[5]);
}

static void print_published(const struct net_published *published, void *data)
{
	char text[NET_PORT_TEXT_SIZE];

	(void)data;
	printf("%s %s %s\n", published->id, published->port.interface, net_print_port(&published->port, text));
}

static void print_traffic(const char *name, const struct net_traffic *traffic)
{
	printf(" %s=%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64, name, traffic->sent_bytes, traffic->sent_packets,
	       traffic->received_bytes, traffic->received_packets);
}

static void print_counters(const struct net_counters *counters, void *data)
{
	(void)data;
	printf("%s %s", counters->member.id, counters->member.name);
	print_traffic("total", &counters->total);
	print_traffic("lan", &counters->lan);
	print_traffic("wan", &counters->wan);
	printf("\n");
}

static int create(char **args, int n, struct error *e)
{
	struct net_network network = {0};
	int r = 0;

	snprintf(network.name, sizeof(network.name), "%s", args[0]);
	for (int i = 1; !r && i < n; i++) {
		char *value = strchrnul(args[i], '=');
		struct net_address address;
		uint64_t number = 0;

		if (*value)
			*value++ = 0;
		if (str_equal(args[i], "type"))
			r = net_parse_type(value, &network.type, e);
		else if (str_equal(args[i], "subnet")) {
			r = address_parse_subnet(value, &address) ? usage(e, value) : 0;
			*(address.family == AF_INET ? &network.subnet4 : &network.subnet6) = address;
		} else if (str_equal(args[i], "gateway")) {
			r = address_parse(value, &address) ? usage(e, value) : 0;
			*(address.family == AF_INET ? &network.gateway4 : &network.gateway6) = address;
		} else if (str_equal(args[i], "uplink"))
			snprintf(network.uplink, sizeof(network.uplink), "%s", value);
		else if (str_equal(args[i], "vrf"))
			snprintf(network.vrf, sizeof(network.vrf), "%s", value);
		else if (str_equal(args[i], "vlan") || str_equal(args[i], "mtu")) {
			r = parse_u64(value, 0, UINT32_MAX, &number) ? usage(e, value) : 0;
			*(*args[i] == 'v' ? &network.vlan : &network.mtu) = number;
		} else if (str_equal(args[i], "isolated"))
			network.is_isolated = 1;
		else if (str_equal(args[i], "no-subnet"))
			network.no_subnet = 1;
		else
			r = usage(e, args[i]);
	}
	if (!r)
		r = net_create(&paths, &network, &network, e);
	if (!r)
		print_network(&network, NULL);
	return r;
}

static int remove_network(char **args, int n, struct error *e)
{
	(void)n;
	return net_remove(&paths, args[0], e);
}

static int list(char **args, int n, struct error *e)
{
	return net_each(&paths, n ? args[0] : NULL, print_network, NULL, e);
}

static int members(char **args, int n, struct error *e)
{
	return net_each_member(&paths, n ? args[0] : NULL, NULL, print_member, NULL, e);
}

static int list_ports(char **args, int n, struct error *e)
{
	return net_each_port(&paths, n ? args[0] : NULL, print_published, NULL, e);
}

static int count(char **args, int n, struct error *e)
{
	return net_each_counters(&paths, n ? args[0] : NULL, print_counters, NULL, e);
}

static int repair(char **args, int n, struct error *e)
{
	(void)args;
	(void)n;
	return net_repair(&paths, e);
}

static int collect(char **args, int n, struct error *e)
{
	(void)args;
	(void)n;
	return net_collect(&paths, print_member, NULL, e);
}

static int set_interface(struct net_interface *interface, const char *key, const char *value, struct error *e)
{
	struct net_address address;

	if (str_equal(key, "name"))
		snprintf(interface->name, sizeof(interface->name), "%s", value);
	else if (str_equal(key, "address") || (str_equal(key, "gateway") && *value)) {
		bool gateway = *key == 'g';

		if (address_parse(value, &address))
			return usage(e, value);
		if (address.family == AF_INET)
			*(gateway ? &interface->gateway4 : &interface->address4) = address;
		else
			*(gateway ? &interface->gateway6 : &interface->address6) = address;
	} else if (str_equal(key, "gateway")) {
		interface->no_gateway = 1;
	} else if (str_equal(key, "mac")) {
		interface->has_mac = 1;
		return net_parse_mac(value, interface->mac, e);
	} else if (str_equal(key, "route")) {
		return net_parse_route(value, &interface->routes[interface->n_routes++], e);
	} else if (str_equal(key, "egress")) {
		return net_parse_rate(value, &interface->egress, e);
	} else if (str_equal(key, "ingress")) {
		return net_parse_rate(value, &interface->ingress, e);
	} else {
		return usage(e, key);
	}
	return 0;
}

static int join(char **args, int n, struct error *e)
{
	struct net_interface interfaces[8] = {0};
	struct net_member got[8];
	struct net_port ports[64];
	struct net_join wanted = {.id = args[0], .interfaces = interfaces, .ports = ports};
	auto_fd netns = open(args[1], O_RDONLY | O_CLOEXEC);
	int r = 0;

	wanted.netns_fd = netns;
	for (int i = 2; !r && i < n; i++) {
		char *value = strchrnul(args[i], '=');

		if (*value)
			*value++ = 0;
		if (str_equal(args[i], "instance"))
			wanted.instance = value;
		else if (str_equal(args[i], "hostname"))
			wanted.hostname = value;
		else if (str_equal(args[i], "network"))
			snprintf(interfaces[wanted.n++].network, sizeof(interfaces[0].network), "%s", value);
		else if (str_equal(args[i], "publish"))
			r = net_parse_port(value, &ports[wanted.n_ports++], e);
		else
			r = wanted.n ? set_interface(&interfaces[wanted.n - 1], args[i], value, e) : usage(e, args[i]);
	}
	if (!r)
		r = net_join(&paths, &wanted, got, e);
	for (size_t i = 0; !r && i < wanted.n; i++)
		print_member(&got[i], NULL);
	return r;
}

static int leave(char **args, int n, struct error *e)
{
	const char *network = NULL, *name = NULL;
	auto_fd netns = -1;

	for (int i = 1; i < n; i++)
		if (str_after(args[i], "network="))
			network = str_after(args[i], "network=");
		else if (str_after(args[i], "name="))
			name = str_after(args[i], "name=");
		else if (str_after(args[i], "netns="))
			netns = open(str_after(args[i], "netns="), O_RDONLY | O_CLOEXEC);
	return net_leave(&paths, args[0], network, name, netns, e);
}

static int change_ports(int (*change)(const struct net_paths *, const char *, const struct net_port *, size_t,
				      struct error *),
			char **args, int n, struct error *e)
{
	struct net_port *ports = calloc(n, sizeof(*ports));
	int r = 0;

	for (int i = 1; !r && i < n; i++)
		r = net_parse_port(args[i], &ports[i - 1], e);
	if (!r)
		r = change(&paths, args[0], ports, n - 1, e);
	free(ports);
	return r;
}

static int publish(char **args, int n, struct error *e)
{
	return change_ports(net_publish, args, n, e);
}

static int unpublish(char **args, int n, struct error *e)
{
	return change_ports(net_unpublish, args, n, e);
}

static int limit(char **args, int n, struct error *e)
{
	struct net_rate rates[2] = {0};
	bool has[2] = {false, false};
	int r = 0;

	for (int i = 2; !r && i < n; i++) {
		bool in = *args[i] == 'i';
		const char *value = str_after(args[i], in ? "ingress=" : "egress=");

		has[in] = true;
		if (value && *value)
			r = net_parse_rate(value, &rates[in], e);
	}
	return r ?: net_limit(&paths, args[0], args[1], has[0] ? &rates[0] : NULL, has[1] ? &rates[1] : NULL, e);
}

static const struct {
	const char *name;
	int (*run)(char **args, int n, struct error *e);
	int least;
} verbs[] = {
    {"move", move, 1},		 {"create", create, 1},	   {"remove", remove_network, 1}, {"list", list, 0},
    {"members", members, 0},	 {"ports", list_ports, 0}, {"counters", count, 0},	  {"repair", repair, 0},
    {"collect", collect, 0},	 {"join", join, 2},	   {"leave", leave, 1},		  {"publish", publish, 2},
    {"unpublish", unpublish, 2}, {"limit", limit, 3},
};

int main(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	char text[2048];

	paths = (struct net_paths){getenv("NET_STATE"), getenv("NET_CONFIG")};
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) || argc - 2 < verbs[i].least)
			continue;
		if (!verbs[i].run(argv + 2, argc - 2, &e))
			return 0;
		fprintf(stderr, "%s: %s\n", error_kind_name(&e), error_format(&e, text, sizeof(text)));
		return 1;
	}
	fprintf(stderr, "usage: net VERB ARGUMENT...\n");
	return 2;
}
