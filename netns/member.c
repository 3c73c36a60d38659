/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/member.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/counters.h"
#include "netns/forward.h"
#include "netns/guard.h"
#include "netns/hosts.h"
#include "netns/lease.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/parse.h"
#include "netns/ports.h"
#include "netns/shape.h"

enum { DEFAULT_METRIC = 100 };

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

struct mac_search {
	const struct store *store;
	const struct net_member *own;
	char holder[NET_ID_SIZE];
};

static int find_mac(const struct net_member *member, void *data, struct error *e)
{
	struct mac_search *search = data;
	char path[NET_PATH_SIZE];

	(void)e;
	if (!str_equal(member->network, search->own->network) ||
	    (str_equal(member->id, search->own->id) && str_equal(member->name, search->own->name)) ||
	    memcmp(member->mac, search->own->mac, sizeof(member->mac)))
		return 0;
	store_instance_path(search->store, member->id, path);
	if (!*path || !access(path, F_OK) || errno != ENOENT) /* else it is gone, and what it had is free */
		memcpy(search->holder, member->id, sizeof(search->holder));
	return 0;
}

/* A fixed one is nobody else's: not the gateway's, not a member's, and not what make_mac() will give to another. */
static int check_mac(struct host *host, const struct member_joining *joining, struct error *e)
{
	const struct net_member *member = &joining->member;
	struct net_member derived = *member;
	struct mac_search search = {.store = &host->store, .own = member};
	const uint8_t *mac = member->mac;
	char text[24];
	int r;

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	if (!memcmp(mac, joining->links.bridge_mac, sizeof(member->mac)))
		return error_refuse(e, ERROR_EXISTS, "the hardware address %s is that of the gateway", text);
	derived.mac[1] = 0x68;
	make_mac(&derived);
	if (mac[0] == 0x0a && mac[1] == 0x68 && memcmp(mac, derived.mac, sizeof(derived.mac)))
		return error_refuse(e, ERROR_INVALID, "the hardware address %s is kept for the member with %u.%u.%u.%u",
				    text, mac[2], mac[3], mac[4], mac[5]);
	r = store_each_member(&host->store, NULL, find_mac, &search, e);
	if (!r && *search.holder)
		r = error_refuse(e, ERROR_EXISTS, "the hardware address %s is that of '%s'", text, search.holder);
	return r;
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

static void make_member(const struct member_instance *instance, const struct member_joining *joining,
			struct net_member *member)
{
	const struct net_interface *wanted = joining->wanted;

	*member = (struct net_member){.egress = wanted->egress, .ingress = wanted->ingress};
	snprintf(member->id, sizeof(member->id), "%s", instance->id);
	memcpy(member->network, joining->network.name, sizeof(member->network));
	memcpy(member->name, wanted->name, sizeof(member->name));
	if (*joining->network.bridge)
		make_link_name(member->id, member->name, member->link);
}

/* The record, first without and then with its addresses: whatever dies between, leaving finds the lease. */
static int make_record(struct host *host, const struct member_instance *instance, struct member_joining *joining,
		       struct error *e)
{
	const struct net_network *network = &joining->network;
	const struct net_interface *wanted = joining->wanted;
	struct net_member *member = &joining->member;
	auto_fd folder = -1;
	int r = store_open_network(&host->store, network->name, &folder, e);

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
	r = store_save_member(&host->store, member, e);
	if (!r && wanted->has_mac) /* recorded first: of two who ask at once, one at least sees the other */
		r = check_mac(host, joining, e);
	if (r) {
		lease_drop(folder, member);
		(void)!store_remove_member(&host->store, member, NULL);
	}
	return r;
}

/* ---- links ---- */

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

/* So that its first packet need not ask all others where the gateway is. */
static void note_gateway(struct netlink *inside, int index, const struct member_joining *joining,
			 const struct net_address *gateway, const struct net_address *bridge)
{
	if (gateway->family && network_is_routed(&joining->network) && address_equal(gateway, bridge))
		link_set_neighbour(inside, index, gateway, joining->links.bridge_mac);
}

/* The instance's side of it: loopback, addresses, up, neighbours, routes. */
static int configure_inside(const struct member_joining *joining, struct netlink *inside, struct error *e)
{
	static const struct net_address anywhere;
	const struct net_interface *wanted = joining->wanted;
	const struct net_member *member = &joining->member;
	int index, r = link_index(inside, member->name, &index, e);
	uint32_t metric;

	if (r)
		return r;
	metric = joining->is_first ? 0 : DEFAULT_METRIC + index; /* one each: two routes can't have the same */
	link_set_up(inside, 1, "lo");
	add_member_address(inside, index, &member->address4, member->name);
	add_member_address(inside, index, &member->address6, member->name);
	link_set_up(inside, index, member->name);
	note_gateway(inside, index, joining, &member->gateway4, &joining->network.gateway4);
	note_gateway(inside, index, joining, &member->gateway6, &joining->network.gateway6);
	if (member->gateway4.family)
		link_add_route(inside, index, &anywhere, &member->gateway4, metric);
	if (member->gateway6.family)
		link_add_route(inside, index, &anywhere, &member->gateway6, metric);
	for (uint32_t i = 0; i < wanted->n_routes && i < NET_ROUTES_MAX; i++)
		link_add_route(inside, index, &wanted->routes[i].to, &wanted->routes[i].via, 0);
	return netlink_commit(inside, e);
}

/*
 * The host's end: the guard, the hardware address that it holds the instance to, alias, no addresses, up; the neighbours that the
 * host need not ask for.  For hairpin see ports.h.
 */
static int configure_port(struct host *host, const struct member_joining *joining, struct error *e)
{
	const struct net_network *network = &joining->network;
	const struct net_member *member = &joining->member;
	char alias[NET_ID_SIZE + NET_INTERFACE_SIZE];
	bool hairpin = joining->needs_hairpin;
	unsigned flags = LINK_FIXED | (network->is_isolated ? LINK_ISOLATED : 0) | (hairpin ? LINK_HAIRPIN : 0);
	int index, r = link_index(&host->netlink, member->link, &index, e) ?: forward_close_link(member->link, e);

	if (r)
		return r;
	guard_attach(&host->netlink, index, member, network_is_routed(network), hairpin);
	snprintf(alias, sizeof(alias), "%s %s", member->id, member->name);
	link_fix_address(&host->netlink, index, member->mac, *network->uplink);
	link_configure_port(&host->netlink, index, member->link, alias, flags);
	if (network_is_routed(network)) {
		if (member->address4.family)
			link_set_neighbour(&host->netlink, joining->links.bridge, &member->address4, member->mac);
		if (member->address6.family)
			link_set_neighbour(&host->netlink, joining->links.bridge, &member->address6, member->mac);
	}
	r = netlink_commit(&host->netlink, e);
	if (!r && (member->egress.rate || member->ingress.rate))
		r = shape_apply(&host->netlink, index, member->link, &member->egress, &member->ingress, e);
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

static int create_link(struct host *host, const struct member_joining *joining, const struct link_inside *there,
		       struct error *e)
{
	const struct net_network *network = &joining->network;

	if (*network->bridge)
		link_create_veth(&host->netlink, joining->member.link, joining->links.bridge_mac, joining->links.bridge,
				 there);
	else
		link_create_child(&host->netlink, network->type == NET_TYPE_MACVLAN, network->is_isolated,
				  joining->links.parent, there);
	return netlink_commit(&host->netlink, e);
}

/* ret_made: there is something to take away, and it is ours. */
static int make_links(struct host *host, const struct member_instance *instance, const struct member_joining *joining,
		      bool *ret_made, struct error *e)
{
	const struct net_network *network = &joining->network;
	const struct net_member *member = &joining->member;
	struct link_inside there = {instance->netns_fd, member->name, member->mac, joining->links.mtu};
	auto_netlink inside = NETLINK_INIT;
	int index, r;

	if (network->type == NET_TYPE_IPVLAN)
		there.mac = NULL;
	r = create_link(host, joining, &there, e);
	if (r == -EEXIST && *member->link && !link_index(&host->netlink, member->link, &index, NULL)) {
		/* Of an instance of this id that has just ended: the kernel takes its namespace apart in its own time. */
		link_delete(&host->netlink, member->link);
		r = netlink_commit(&host->netlink, e) ?: create_link(host, joining, &there, e);
	}
	if (r)
		return explain_link(r, network, member, e);
	*ret_made = true;
	if (*network->bridge)
		r = configure_port(host, joining, e);
	return r ?: netlink_open(&inside, NETLINK_ROUTE, instance->netns_fd, e)
			?: configure_inside(joining, &inside, e);
}

/* ---- joining and leaving ---- */

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
	auto_fd map = -1;
	int r;

	if (*member->link)
		ports_remove(host, member);
	r = remove_links(host, member, netns_fd, e);
	if (r)
		return r;
	if (!store_open_network(&host->store, member->network, &folder, NULL)) {
		hosts_remove(folder, member);
		hosts_unshare(&host->store, member);
		map = network_open_counters(folder);
		if (map >= 0)
			counters_remove(map, member);
		lease_drop(folder, member);
	}
	return store_remove_member(&host->store, member, e);
}

/* Before there is traffic. */
static int begin_to_count(const struct member_joining *joining, struct error *e)
{
	auto_fd map = counters_open(joining->links.counters, joining->links.bridge);

	if (!joining->links.counters)
		return 0;
	if (map < 0)
		return error_refuse(e, ERROR_STATE, "somebody took the counters off the bridge '%s'",
				    joining->network.bridge);
	return counters_add(map, &joining->member, e);
}

/*
 * Everything that needs the address alone, and no link that has it.  Whoever comes for a port or a name in the moment before
 * there is one waits for an answer as from a host that is starting.
 */
static int announce(struct host *host, const struct member_instance *instance, struct member_joining *joining,
		    struct error *e)
{
	const struct net_network *network = &joining->network;
	const struct net_member *member = &joining->member;
	auto_fd folder = -1;
	int r = 0;

	if (network_is_routed(network))
		r = ports_prepare(host, network, member, joining->ports, joining->n_ports, e)
			?: begin_to_count(joining, e) ?: ports_lead(host, member, joining->ports, joining->n_ports, e);
	joining->needs_hairpin = joining->n_ports && ports_need_hairpin();
	return r ?: store_open_network(&host->store, network->name, &folder, e)
			?: hosts_add(folder, member, instance->hostname, e);
}

int member_prepare(struct host *host, const struct member_instance *instance, struct member_joining *joining,
		   struct error *e)
{
	const struct net_network *network = &joining->network;
	const struct net_interface *wanted = joining->wanted;
	struct net_member *member = &joining->member;
	int r;

	if (!str_is_id(instance->id) || *instance->id == '.')
		return error_refuse(e, ERROR_INVALID, "'%s' is not an instance's id", instance->id);
	if (net_interface_name_flaw(wanted->name, false))
		return error_refuse(e, ERROR_INVALID, "the interface name '%s' %s", wanted->name,
				    net_interface_name_flaw(wanted->name, false));
	r = check_wanted(network, wanted, joining->n_ports, e)
		?: network_ensure(&host->store, &host->netlink, &host->nft, network, &joining->links, e)
		?: store_add_instance(&host->store, instance->id, instance->path, e);
	if (!r) {
		make_member(instance, joining, member);
		r = make_record(host, instance, joining, e);
		if (!r) {
			r = announce(host, instance, joining, e);
			if (r)
				(void)!leave(host, member, -1, NULL);
		}
		if (r)
			store_drop_instance(&host->store, instance->id);
	}
	joining->is_prepared = !r;
	if (r)
		error_context(e, "join network '%s'", network->name);
	return r;
}

int member_enter(struct host *host, const struct member_instance *instance, const struct member_joining *joining,
		 struct error *e)
{
	const struct net_network *network = &joining->network;
	const struct net_member *member = &joining->member;
	auto_fd folder = -1;
	bool made = false;
	int r = make_links(host, instance, joining, &made, e) ?: store_open_network(&host->store, network->name, &folder, e)
			?: hosts_share(&host->store, folder, member, e);

	if (r) {
		(void)!leave(host, member, made ? instance->netns_fd : -1, NULL);
		store_drop_instance(&host->store, instance->id);
		error_context(e, "join network '%s'", network->name);
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
	auto_fd folder = -1;
	auto_fd map = -1;
	int r;

	*ret = (struct net_counters){.member = *member};
	if (!*member->link)
		return 0;
	r = link_find(&host->netlink, member->link, &link, e);
	if (r)
		return r;
	ret->total = (struct net_traffic){link.rx_bytes, link.rx_packets, link.tx_bytes, link.tx_packets};
	r = store_open_network(&host->store, member->network, &folder, e);
	if (r)
		return r;
	map = network_open_counters(folder);
	if (map >= 0)
		counters_read(map, member, ret);
	return 0;
}

/* ---- what somebody took away ---- */

static int fix_address_again(const struct net_member *member, void *data, struct error *e)
{
	static const uint8_t none[sizeof(member->mac)];
	struct host *host = data;
	struct net_network network;
	int index, r;

	if (!*member->link || !memcmp(member->mac, none, sizeof(none)) ||
	    link_index(&host->netlink, member->link, &index, NULL))
		return 0; /* it has no port, not yet or no longer */
	r = store_load_network(&host->store, member->network, &network, e);
	if (r)
		return r;
	link_fix_address(&host->netlink, index, member->mac, *network.uplink);
	r = netlink_commit(&host->netlink, e);
	return r == -ENODEV ? 0 : r;
}

int member_repair(struct host *host, struct error *e)
{
	return store_each_member(&host->store, NULL, fix_address_again, host, e);
}
