/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/member.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/flows.h"
#include "netns/guard.h"
#include "netns/hosts.h"
#include "netns/lease.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/network.h"
#include "netns/parse.h"
#include "netns/shape.h"
#include "netns/sockets.h"

enum { DEFAULT_METRIC = 100 };

int host_open(struct host *host, const char *state, const char *config, struct error *e)
{
	return store_open(&host->store, state, config, e) ?: netlink_open(&host->netlink, NETLINK_ROUTE, -1, e)
		       ?: nft_open(&host->nft, &host->store, e);
}

void host_close(struct host *host)
{
	nft_close(&host->nft);
	netlink_close(&host->netlink);
	store_close(&host->store);
}

/* ---- what an interface will be ---- */

static void make_link_name(const char *id, const char *name, char ret[NET_INTERFACE_SIZE])
{
	char text[NET_ID_SIZE + NET_INTERFACE_SIZE];

	snprintf(text, sizeof(text), "%s %s", id, name);
	snprintf(ret, NET_INTERFACE_SIZE, "hv%012llx", (unsigned long long)lease_hash(text, 0) >> 16);
}

/* From the address, which no other member of the network has; without one, from the names. */
static void make_mac(struct net_member *member)
{
	char text[NET_ID_SIZE + NET_INTERFACE_SIZE];
	uint64_t hash;

	member->mac[0] = 0x0a;
	member->mac[1] = 0x68;
	if (member->address4.family) {
		memcpy(member->mac + 2, member->address4.bytes, 4);
		return;
	}
	snprintf(text, sizeof(text), "%s %s", member->id, member->name);
	hash = lease_hash(text, 2);
	memcpy(member->mac + 2, &hash, 4);
	member->mac[1] = 0x69;
}

static int check_wanted(const struct net_network *network, const struct net_interface *wanted, size_t n_ports,
			struct error *e)
{
	bool routed = network_is_routed(network);
	const char *type = net_type_name(network->type);

	if (n_ports && !routed)
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "ports can't be published on network '%s': its members are on the uplink '%s' themselves",
		    network->name, network->uplink);
	if ((wanted->egress.rate || wanted->ingress.rate) && !*network->bridge)
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "rates can't be limited on network '%s' of type %s: it has no link on the host's side",
		    network->name, type);
	if (wanted->has_mac && network->type == NET_TYPE_IPVLAN)
		return error_refuse(e, ERROR_INVALID,
				    "on network '%s' of type ipvlan all have the uplink's hardware address",
				    network->name);
	return 0;
}

static void choose_gateways(const struct net_network *network, const struct net_interface *wanted,
			    struct net_member *member)
{
	if (wanted->no_gateway)
		return;
	if (network->type != NET_TYPE_HOST_ONLY && member->address4.family)
		member->gateway4 = network->gateway4;
	if (network->type != NET_TYPE_HOST_ONLY && member->address6.family)
		member->gateway6 = network->gateway6;
	if (wanted->gateway4.family)
		member->gateway4 = wanted->gateway4;
	if (wanted->gateway6.family)
		member->gateway6 = wanted->gateway6;
}

/* The record, first without and then with its addresses: whatever dies between, leaving finds the lease. */
static int prepare(struct host *host, const struct member_instance *instance, const struct net_network *network,
		   const struct net_interface *wanted, unsigned position, struct net_member *member, struct error *e)
{
	auto_fd folder = -1;
	int r;

	*member = (struct net_member){.egress = wanted->egress, .ingress = wanted->ingress};
	snprintf(member->id, sizeof(member->id), "%s", instance->id);
	memcpy(member->network, network->name, sizeof(member->network));
	if (*wanted->name)
		memcpy(member->name, wanted->name, sizeof(member->name));
	else
		snprintf(member->name, sizeof(member->name), "eth%u", position);
	if (*network->bridge)
		make_link_name(member->id, member->name, member->link);
	r = store_open_network(&host->store, network->name, &folder, e);
	if (r)
		return r;
	if (!store_load_member(&host->store, member->id, member->name, &(struct net_member){0}, NULL))
		return error_refuse(e, ERROR_EXISTS, "instance '%s' already has an interface '%s' of a network",
				    member->id, member->name);
	r = store_save_member(&host->store, member, e);
	if (r)
		return r;
	member->address4 = wanted->address4;
	member->address6 = wanted->address6;
	r = lease_take(folder, network, member, instance->path, e);
	if (r) {
		(void)!store_remove_member(&host->store, member, NULL);
		return r;
	}
	if (wanted->has_mac)
		memcpy(member->mac, wanted->mac, sizeof(member->mac));
	else
		make_mac(member);
	choose_gateways(network, wanted, member);
	return store_save_member(&host->store, member, e);
}

/* ---- links ---- */

static int find_inside(struct netlink *inside, const char *name, int *ret_index, struct error *e)
{
	struct link_facts link;
	int r = link_find(inside, name, &link, e);

	*ret_index = link.index;
	return r;
}

static void add_member_address(struct netlink *inside, int index, const struct net_address *address, const char *name)
{
	struct link_address link_address = {.family = address->family, .prefix = address->prefix};

	if (!address->family)
		return;
	memcpy(link_address.bytes, address->bytes, sizeof(address->bytes));
	if (address->family == AF_INET) {
		struct net_address last = address_last(address);

		memcpy(link_address.broadcast, last.bytes, sizeof(last.bytes));
		link_address.has_broadcast = address->prefix < 31;
	} else {
		link_address.flags = IFA_F_NODAD; /* the lease says that nobody else has it */
	}
	link_add_address(inside, index, &link_address, name);
}

/* The instance's side of it: loopback, addresses, up, routes. */
static int configure_inside(const struct net_member *member, const struct net_interface *wanted, unsigned position,
			    struct netlink *inside, struct error *e)
{
	static const struct net_address anywhere;
	uint32_t metric = position ? DEFAULT_METRIC + position : 0;
	int index;
	int r = find_inside(inside, member->name, &index, e);

	if (r)
		return r;
	link_set_up(inside, 1, "lo");
	add_member_address(inside, index, &member->address4, member->name);
	add_member_address(inside, index, &member->address6, member->name);
	link_set_up(inside, index, member->name);
	if (member->gateway4.family)
		link_add_route(inside, index, &anywhere, &member->gateway4, metric);
	if (member->gateway6.family)
		link_add_route(inside, index, &anywhere, &member->gateway6, metric);
	for (uint32_t i = 0; i < wanted->n_routes && i < NET_ROUTES_MAX; i++)
		link_add_route(inside, index, &wanted->routes[i].to, &wanted->routes[i].via, 0);
	return netlink_commit(inside, e);
}

/* The host's end: its alias, no addresses, the guard, the neighbours that the host need not ask for. */
static int configure_port(struct host *host, const struct net_network *network, const struct net_member *member,
			  int bridge, struct error *e)
{
	struct sock_filter code[GUARD_SIZE];
	char alias[NET_ID_SIZE + NET_INTERFACE_SIZE];
	struct link_facts link;
	bool shaped = member->egress.rate || member->ingress.rate;
	int r = link_find(&host->netlink, member->link, &link, e);

	if (r)
		return r;
	snprintf(alias, sizeof(alias), "%s %s", member->id, member->name);
	link_configure_port(&host->netlink, link.index, member->link, alias, network->is_isolated);
	/* Where others give the addresses (no subnet), the guard can't know them: then the hardware address alone is
	 * fixed. */
	if (member->address4.family || member->address6.family)
		guard_attach(&host->netlink, link.index, code,
			     guard_build(code, member->mac, &member->address4, &member->address6));
	else
		guard_attach(&host->netlink, link.index, code, guard_build_mac(code, member->mac));
	if (network_is_routed(network)) {
		if (member->address4.family)
			link_set_neighbour(&host->netlink, bridge, &member->address4, member->mac);
		if (member->address6.family)
			link_set_neighbour(&host->netlink, bridge, &member->address6, member->mac);
	}
	r = netlink_commit(&host->netlink, e);
	if (!r && shaped)
		r = shape_apply(&host->netlink, link.index, member->link, &member->egress, &member->ingress, e);
	return r;
}

static int explain_link(int r, const struct net_network *network, const struct net_member *member, struct error *e)
{
	const char *kind = *network->bridge ? "veth" : net_type_name(network->type);

	if (r == -EOPNOTSUPP)
		return error_refuse(e, ERROR_UNSUPPORTED, "this kernel has no %s links", kind);
	if (r == -EEXIST)
		return error_refuse(e, ERROR_EXISTS, "the instance '%s' already has an interface '%s'", member->id,
				    member->name);
	if (r == -EXFULL)
		return error_refuse(e, ERROR_LIMIT,
				    "the bridge '%s' of network '%s' has no free port (the kernel allows 1023)",
				    network->bridge, network->name);
	return r;
}

/* ret_made: there is something to take away, and it is ours. */
static int make_links(struct host *host, const struct member_instance *instance, const struct net_network *network,
		      const struct net_interface *wanted, unsigned position, const struct net_member *member,
		      bool *ret_made, struct error *e)
{
	struct link_inside there = {instance->netns_fd, member->name, member->mac, 0};
	struct network_links links;
	auto_netlink inside = NETLINK_INIT;
	int r = network_ensure(&host->store, &host->netlink, &host->nft, network, &links, e);

	if (r)
		return r;
	there.mtu = links.mtu;
	if (network->type == NET_TYPE_IPVLAN)
		there.mac = NULL;
	if (*network->bridge)
		link_create_veth(&host->netlink, member->link, links.bridge, &there);
	else
		link_create_child(&host->netlink, network->type == NET_TYPE_MACVLAN, network->is_isolated, links.parent,
				  &there);
	r = netlink_commit(&host->netlink, e);
	if (r)
		return explain_link(r, network, member, e);
	*ret_made = true;
	if (*network->bridge)
		r = configure_port(host, network, member, links.bridge, e);
	return r ?: netlink_open(&inside, NETLINK_ROUTE, instance->netns_fd, e)
			?: configure_inside(member, wanted, position, &inside, e);
}

/* ---- ports ---- */

static bool port_equal(const struct net_port *a, const struct net_port *b)
{
	return a->protocol == b->protocol && a->first == b->first && a->last == b->last && a->port == b->port &&
	       address_equal(&a->address, &b->address);
}

static int check_port(const struct net_member *member, const struct net_port *port, struct error *e)
{
	bool four = port->address.family == AF_INET;
	char text[NET_PORT_TEXT_SIZE];

	if (!four && address_is_loopback(&port->address))
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "port %s can't be published: Linux takes no answers to ::1 from other links; use 127.0.0.1",
		    net_print_port(port, text));
	if (four ? member->address4.family : member->address6.family)
		return 0;
	return error_refuse(e, ERROR_INVALID, "port %s can't be published: '%s' has no %s address on network '%s'",
			    net_print_port(port, text), member->id, four ? "IPv4" : "IPv6", member->network);
}

/* The transaction failed because a key is there with another value: name whose it is. */
static int name_holder(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n,
		       struct error *e)
{
	char holder[NET_ID_SIZE], text[ADDRESS_TEXT_SIZE];
	struct error ignored;
	uint16_t number;

	for (size_t i = 0; i < n; i++) {
		if (nft_find_holder(nft, member, &ports[i], holder, &number, &ignored) || !*holder)
			continue;
		return error_refuse(e, ERROR_EXISTS, "port %u/%s of %s is published by '%s'", number,
				    ports[i].protocol == IPPROTO_TCP ? "tcp" : "udp",
				    address_print(&ports[i].address, false, text), holder);
	}
	return -EEXIST;
}

/*
 * An instance that calls itself by a published port: where the host filters bridged packets (br_netfilter), the bridge
 * itself must send the frame back by the port it came from.
 */
static int allow_hairpin(struct host *host, const struct net_member *member, struct error *e)
{
	struct link_facts link;
	int r = link_find(&host->netlink, member->link, &link, e);

	if (r)
		return r;
	guard_attach_echo(&host->netlink, link.index, member->mac);
	link_set_hairpin(&host->netlink, link.index, member->link);
	return netlink_commit(&host->netlink, e);
}

/* Between nft_ready() and nft_release().  all: the list as it will be; new: the part that is not there yet. */
static int write_ports(struct host *host, const struct net_member *member, const struct net_port *all, size_t n_all,
		       const struct net_port *new, size_t n_new, struct error *e)
{
	int r = n_new ? store_save_ports(&host->store, member->id, member->name, all, n_all, e) : 0;

	if (!r && n_new)
		r = allow_hairpin(host, member, e);
	if (r)
		return r;
	nft_begin(&host->nft);
	nft_add_counters(&host->nft, member);
	nft_add_ports(&host->nft, member, new, n_new);
	r = nft_commit(&host->nft, e);
	if (r == -EEXIST || r == -EBUSY)
		r = name_holder(&host->nft, member, new, n_new, e);
	if (!r)
		flows_forget_past(member, new, n_new);
	return r;
}

static int publish_first(struct host *host, const struct net_network *network, const struct net_member *member,
			 const struct net_port *ports, size_t n, struct error *e)
{
	int r = 0;

	if (!network_is_routed(network))
		return 0;
	for (size_t i = 0; !r && i < n; i++)
		r = check_port(member, &ports[i], e) ?: sockets_check_free(&ports[i], e);
	if (!r)
		r = nft_ready(&host->nft, e);
	if (!r)
		r = write_ports(host, member, ports, n, ports, n, e);
	nft_release(&host->nft);
	return r;
}

/* ---- joining and leaving ---- */

static void remove_elements(struct host *host, const struct net_member *member)
{
	auto_free struct net_port *ports = NULL;
	size_t n = 0;

	if (store_load_ports(&host->store, member->id, member->name, &ports, &n, NULL))
		n = 0;
	nft_begin(&host->nft);
	nft_remove_counters(&host->nft, member);
	nft_remove_ports(&host->nft, member, ports, n);
	if (nft_commit(&host->nft, NULL))
		nft_remove_each(&host->nft, member, ports, n);
	flows_forget_to(member, ports, n);
}

static int remove_links(struct host *host, const struct net_member *member, int netns_fd, struct error *e)
{
	char ifb[NET_INTERFACE_SIZE];
	auto_netlink inside = NETLINK_INIT;
	struct net_network network;
	struct link_facts bridge;
	int r;

	if (!*member->link) {
		if (netns_fd < 0)
			return 0; /* it ends with its namespace */
		r = netlink_open(&inside, NETLINK_ROUTE, netns_fd, e);
		if (r)
			return r;
		link_delete(&inside, member->name);
		return netlink_commit(&inside, e);
	}
	link_delete(&host->netlink, member->link);
	if (member->egress.rate) {
		shape_ifb_name(member->link, ifb);
		link_delete(&host->netlink, ifb);
	}
	r = netlink_commit(&host->netlink, e);
	if (r || store_load_network(&host->store, member->network, &network, NULL) ||
	    link_find(&host->netlink, network.bridge, &bridge, NULL))
		return r;
	if (member->address4.family)
		link_delete_neighbour(&host->netlink, bridge.index, &member->address4);
	if (member->address6.family)
		link_delete_neighbour(&host->netlink, bridge.index, &member->address6);
	return netlink_commit(&host->netlink, e);
}

static int leave(struct host *host, const struct net_member *member, int netns_fd, struct error *e)
{
	auto_fd folder = -1;
	int r;

	if (*member->link)
		remove_elements(host, member);
	r = remove_links(host, member, netns_fd, e);
	if (r)
		return r;
	if (!store_open_network(&host->store, member->network, &folder, NULL)) {
		hosts_remove(folder, member);
		lease_drop(folder, member);
	}
	return store_remove_member(&host->store, member, e);
}

static int join(struct host *host, const struct member_instance *instance, const struct net_network *network,
		const struct net_interface *wanted, unsigned position, const struct net_port *ports, size_t n,
		struct net_member *member, struct error *e)
{
	auto_fd folder = -1;
	bool made = false;
	int r = prepare(host, instance, network, wanted, position, member, e);

	if (r)
		return r;
	r = make_links(host, instance, network, wanted, position, member, &made, e)
		    ?: publish_first(host, network, member, ports, n, e)
		    ?: store_open_network(&host->store, network->name, &folder, e)
		    ?: hosts_add(folder, member, instance->hostname, e);
	if (r)
		(void)!leave(host, member, made ? instance->netns_fd : -1, NULL);
	return r;
}

int member_join(struct host *host, const struct member_instance *instance, const struct net_interface *wanted,
		unsigned position, const struct net_port *ports, size_t n, struct net_member *ret, struct error *e)
{
	struct net_network network;
	int r;

	if (!str_is_id(instance->id) || *instance->id == '.')
		return error_refuse(e, ERROR_INVALID, "'%s' is not an instance's id", instance->id);
	if (*wanted->name && net_interface_name_flaw(wanted->name, false))
		return error_refuse(e, ERROR_INVALID, "the interface name '%s' %s", wanted->name,
				    net_interface_name_flaw(wanted->name, false));
	r = network_load(&host->store, &host->netlink, wanted->network, &network, e) ?: check_wanted(&network, wanted, n, e)
			?: store_add_instance(&host->store, instance->id, instance->path, e);
	if (r)
		return r;
	r = join(host, instance, &network, wanted, position, ports, n, ret, e);
	if (r) {
		store_drop_instance(&host->store, instance->id);
		error_context(e, "join network '%s'", network.name);
	}
	return r;
}

struct leaving {
	struct host *host;
	const char *network, *name;
	int netns_fd;
};

static int leave_if_meant(const struct net_member *member, void *data, struct error *e)
{
	const struct leaving *leaving = data;

	if ((leaving->network && !str_equal(leaving->network, member->network)) ||
	    (leaving->name && !str_equal(leaving->name, member->name)))
		return 0;
	return leave(leaving->host, member, leaving->netns_fd, e);
}

int member_leave(struct host *host, const char *id, const char *network, const char *name, int netns_fd,
		 struct error *e)
{
	struct leaving leaving = {host, network, name, netns_fd};
	int r;

	if (!str_is_id(id) || *id == '.')
		return error_refuse(e, ERROR_INVALID, "'%s' is not an instance's id", id);
	r = store_each_member(&host->store, id, leave_if_meant, &leaving, e);
	if (!r)
		store_drop_instance(&host->store, id);
	return r;
}

/* ---- changes while running ---- */

struct choice {
	struct host *host;
	const struct net_port *port;
	struct net_member *member;
	bool found;
};

static int choose_member(const struct net_member *member, void *data, struct error *e)
{
	struct choice *choice = data;
	struct net_network network;
	bool four = choice->port->address.family == AF_INET;
	int order;

	if (*choice->port->interface && !str_equal(choice->port->interface, member->name))
		return 0;
	if (store_load_network(&choice->host->store, member->network, &network, e) || !network_is_routed(&network) ||
	    !(four ? member->address4.family : member->address6.family))
		return 0;
	order = choice->found ? strverscmp(member->name, choice->member->name) : -1;
	if (order < 0)
		*choice->member = *member;
	choice->found = true;
	return 0;
}

static int find_publisher(struct host *host, const char *id, const struct net_port *port, struct net_member *ret,
			  struct error *e)
{
	struct choice choice = {host, port, ret, false};
	char text[NET_PORT_TEXT_SIZE];
	int r = store_each_member(&host->store, id, choose_member, &choice, e);

	if (r || choice.found)
		return r;
	return error_refuse(e, ERROR_NOT_FOUND, "instance '%s' has no interface that can publish %s", id,
			    net_print_port(port, text));
}

static int publish_one(struct host *host, const char *id, const struct net_port *port, struct error *e)
{
	auto_free struct net_port *old = NULL;
	auto_free struct net_port *all = NULL;
	struct net_member member;
	size_t n;
	int r =
	    find_publisher(host, id, port, &member, e) ?: store_load_ports(&host->store, id, member.name, &old, &n, e);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		if (port_equal(&old[i], port))
			return 0;
	r = check_port(&member, port, e) ?: sockets_check_free(port, e);
	if (r)
		return r;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return error_system(e, ENOMEM, "publish a port");
	if (n)
		memcpy(all, old, n * sizeof(*all));
	all[n] = *port;
	r = write_ports(host, &member, all, n + 1, port, 1, e);
	if (r)
		(void)!store_save_ports(&host->store, id, member.name, old, n, NULL);
	return r;
}

static int unpublish_one(struct host *host, const char *id, const struct net_port *port, struct error *e)
{
	auto_free struct net_port *ports = NULL;
	char text[NET_PORT_TEXT_SIZE];
	struct net_member member;
	size_t n, left = 0;
	int r = find_publisher(host, id, port, &member, e)
		    ?: store_load_ports(&host->store, id, member.name, &ports, &n, e);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		if (!port_equal(&ports[i], port))
			ports[left++] = ports[i];
	if (left == n)
		return error_refuse(e, ERROR_NOT_FOUND, "instance '%s' does not publish %s", id,
				    net_print_port(port, text));
	nft_begin(&host->nft);
	nft_remove_ports(&host->nft, &member, port, 1);
	if (nft_commit(&host->nft, NULL)) {
		nft_remove_each(&host->nft, &member, port, 1);
		nft_begin(&host->nft);
		nft_add_counters(&host->nft, &member);
		r = nft_commit(&host->nft, e);
	}
	flows_forget_to(&member, port, 1);
	return r ?: store_save_ports(&host->store, id, member.name, ports, left, e);
}

int member_publish(struct host *host, const char *id, const struct net_port *ports, size_t n, struct error *e)
{
	int r = nft_ready(&host->nft, e);

	for (size_t i = 0; !r && i < n; i++) {
		r = publish_one(host, id, &ports[i], e);
		for (size_t j = 0; r && j < i; j++) /* all or none */
			(void)!unpublish_one(host, id, &ports[j], NULL);
	}
	nft_release(&host->nft);
	return r;
}

int member_unpublish(struct host *host, const char *id, const struct net_port *ports, size_t n, struct error *e)
{
	int r = nft_ready(&host->nft, e);

	for (size_t i = 0; !r && i < n; i++)
		r = unpublish_one(host, id, &ports[i], e);
	nft_release(&host->nft);
	return r;
}

int member_limit(struct host *host, const char *id, const char *name, const struct net_rate *egress,
		 const struct net_rate *ingress, struct error *e)
{
	struct net_member member, old;
	struct link_facts link;
	int r = store_load_member(&host->store, id, name, &member, e);

	if (r)
		return r;
	if (!*member.link)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "rates can't be limited on network '%s': it has no link on the host's side",
				    member.network);
	old = member;
	if (egress)
		member.egress = *egress;
	if (ingress)
		member.ingress = *ingress;
	r = link_find(&host->netlink, member.link, &link, e);
	if (r)
		return r;
	/* While the ifb may be there, the record says so. */
	if (!member.egress.rate && old.egress.rate) {
		r = shape_apply(&host->netlink, link.index, member.link, &member.egress, &member.ingress, e);
		return r ?: store_save_member(&host->store, &member, e);
	}
	return store_save_member(&host->store, &member, e)
		   ?: shape_apply(&host->netlink, link.index, member.link, &member.egress, &member.ingress, e);
}

int member_count(struct host *host, const struct net_member *member, struct net_counters *ret, struct error *e)
{
	struct link_facts link;
	int r;

	*ret = (struct net_counters){.member = *member};
	if (!*member->link)
		return 0;
	r = link_find(&host->netlink, member->link, &link, e);
	if (r)
		return r;
	ret->total = (struct net_traffic){link.rx_bytes, link.rx_packets, link.tx_bytes, link.tx_packets};
	return nft_read_counters(&host->nft, member, ret, e);
}
