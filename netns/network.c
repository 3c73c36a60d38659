/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/counters.h"
#include "netns/forward.h"
#include "netns/guard.h"
#include "netns/lease.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/parse.h"
#include "netns/subnet.h"

void network_link_name(const char *prefix, const char *name, char ret[NET_INTERFACE_SIZE])
{
	size_t n = strlen(prefix);

	if (n + strlen(name) < NET_INTERFACE_SIZE && !net_interface_name_flaw(name, false))
		snprintf(ret, NET_INTERFACE_SIZE, "%s%s", prefix, name);
	else
		snprintf(ret, NET_INTERFACE_SIZE, "%s%0*llx", prefix, (int)(NET_INTERFACE_SIZE - 1 - n),
			 (unsigned long long)lease_hash(name, 0) >> (64 - 4 * (NET_INTERFACE_SIZE - 1 - n)));
}

/* ---- creating ---- */

static bool is_bridged(const struct net_network *network)
{
	return network->type == NET_TYPE_BRIDGE || network->type == NET_TYPE_HOST_ONLY;
}

/* What can't be together, whatever the host. */
static int check_facts(const struct net_network *network, struct error *e)
{
	const char *type = net_type_name(network->type);

	if (!str_is_id(network->name) || strchr(".-", *network->name) || strlen(network->name) > 63)
		return error_refuse(
		    e, ERROR_INVALID,
		    "'%s' is not a name of a network: letters, digits, '_', and not first '.' and '-', at most 63",
		    network->name);
	if (network->type >= _NET_TYPE_N)
		return error_bug(e, "network type %u", network->type);
	if (*network->uplink && net_interface_name_flaw(network->uplink, false))
		return error_refuse(e, ERROR_INVALID, "the interface name '%s' %s", network->uplink,
				    net_interface_name_flaw(network->uplink, false));
	if (*network->vrf && net_interface_name_flaw(network->vrf, false))
		return error_refuse(e, ERROR_INVALID, "the interface name '%s' %s", network->vrf,
				    net_interface_name_flaw(network->vrf, false));
	if (!is_bridged(network) && !*network->uplink)
		return error_refuse(e, ERROR_INVALID, "a network of type %s needs an uplink", type);
	if (network->type == NET_TYPE_HOST_ONLY && *network->uplink)
		return error_refuse(e, ERROR_INVALID, "a network of type host-only has no uplink");
	if (network->vlan && (!*network->uplink || network->vlan > 4094))
		return error_refuse(e, ERROR_INVALID,
				    network->vlan > 4094 ? "a VLAN is a number from 1 to 4094"
							 : "a VLAN needs an uplink");
	if (*network->vrf && !is_bridged(network))
		return error_refuse(e, ERROR_INVALID, "a network of type %s can't be in a VRF", type);
	if (network->mtu && (network->mtu < 68 || network->mtu > 65535))
		return error_refuse(e, ERROR_INVALID, "an MTU is a number from 68 to 65535");
	if (network->mtu && network->mtu < 1280 && network->subnet6.family)
		return error_refuse(e, ERROR_INVALID, "IPv6 needs an MTU of at least 1280");
	return 0;
}

/* A network namespace that ends with its descriptor. */
static int open_namespace(int *ret, struct error *e)
{
	auto_fd own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_fd made = -1;

	if (own < 0 || unshare(CLONE_NEWNET) < 0)
		return error_system(e, errno, "make a network namespace to try a link in");
	made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (setns(own, CLONE_NEWNET) < 0)
		return error_system(e, errno, "return to the host's network namespace");
	if (made < 0)
		return error_system(e, errno, "open '/proc/self/ns/net'");
	*ret = take_fd(&made);
	return 0;
}

/* Asks the kernel for a link of a kind that nobody needs, in a namespace that nobody has: it is gone with us, however we end. */
static int probe_kind(struct netlink *netlink, const struct net_network *network, int parent, struct error *e)
{
	const char *kind = network->vlan ? "vlan" : net_type_name(network->type);
	auto_fd namespace = -1;
	struct error error = ERROR_INIT;
	int r = open_namespace(&namespace, e);

	if (r)
		return r;
	if (network->vlan)
		link_create_vlan(netlink, "probe", parent, network->vlan, namespace);
	else
		link_create_child(netlink, network->type == NET_TYPE_MACVLAN, false, parent,
				  &(struct link_inside){.netns_fd = namespace, .name = "probe"});
	if (netlink_commit(netlink, &error) == -EOPNOTSUPP)
		return error_refuse(e, ERROR_UNSUPPORTED, "this kernel has no %s links", kind);
	return 0; /* busy, taken: joining will tell */
}

/* The links it names are there, and the kernel knows its kind. */
static int check_host(struct netlink *netlink, const struct net_network *network, struct error *e)
{
	struct link_facts link = {0};
	int r;

	if (*network->uplink) {
		r = link_find(netlink, network->uplink, &link, e);
		if (r) {
			error_context(e, "uplink");
			return r;
		}
	}
	if (network->vlan || !is_bridged(network)) {
		r = probe_kind(netlink, network, link.index, e);
		if (r)
			return r;
	}
	if (*network->vrf) {
		r = link_find(netlink, network->vrf, &link, e);
		if (r) {
			error_context(e, "VRF");
			return r;
		}
		if (!str_equal(link.kind, "vrf"))
			return error_refuse(e, ERROR_INVALID, "interface '%s' is not a VRF", network->vrf);
	}
	return 0;
}

static int create_locked(const struct store *store, struct netlink *netlink, const struct net_network *wanted,
			 struct net_network *ret, struct error *e)
{
	struct net_network network = *wanted;
	struct net_network old;
	int r;

	if (!store_load_network(store, network.name, &old, NULL))
		return error_refuse(e, ERROR_EXISTS, "network '%s' exists already", network.name);
	r = check_host(netlink, &network, e);
	if (!r && !network.no_subnet)
		r = subnet_choose(store, netlink, &network, is_bridged(&network) && !*network.uplink, e);
	if (r)
		return r;
	if (is_bridged(&network))
		network_link_name("holm-", network.name, network.bridge);
	r = store_save_network(store, &network, true, e);
	if (!r)
		*ret = network;
	return r;
}

int network_create(const struct store *store, struct netlink *netlink, const struct net_network *wanted,
		   struct net_network *ret, struct error *e)
{
	auto_fd lock = -1;
	int r = check_facts(wanted, e) ?: store_lock_networks(store, &lock, e);

	return r ?: create_locked(store, netlink, wanted, ret, e);
}

int network_load(const struct store *store, struct netlink *netlink, const char *name, struct net_network *ret,
		 struct error *e)
{
	struct net_network wanted = {.name = NETWORK_DEFAULT};
	int r = store_load_network(store, name, ret, e);

	if (r != -ENOENT || !str_equal(name, NETWORK_DEFAULT))
		return r;
	r = network_create(store, netlink, &wanted, ret, e);
	return r == -EEXIST ? store_load_network(store, name, ret, e) : r; /* another start was faster */
}

/* ---- links ---- */

struct mtu_search {
	struct netlink *netlink;
	int index;
};

static int find_default_route(const struct link_route *route, void *data, struct error *e)
{
	struct mtu_search *search = data;

	(void)e;
	if (!route->to.prefix && route->index && !search->index)
		search->index = route->index;
	return 0;
}

/* The network's own, its uplink's, or that of the host's way out: then what leaves need not be cut. */
static int find_mtu(struct netlink *netlink, const struct net_network *network, uint32_t *ret, struct error *e)
{
	struct mtu_search search = {.netlink = netlink};
	char name[IF_NAMESIZE] = "";
	struct link_facts link;
	int r;

	*ret = network->mtu ?: 1500;
	if (network->mtu || network->type == NET_TYPE_HOST_ONLY)
		return 0;
	if (*network->uplink) {
		snprintf(name, sizeof(name), "%s", network->uplink);
	} else {
		r = link_each_route(netlink, find_default_route, &search, e);
		if (r)
			return r;
		if (!search.index || !if_indextoname(search.index, name))
			return 0;
	}
	if (!link_find(netlink, name, &link, NULL) && link.mtu >= 68 && link.mtu <= 65535)
		*ret = link.mtu;
	return 0;
}

/* The VLAN's own link on the uplink, or the uplink itself. */
static int ensure_uplink(struct netlink *netlink, const struct net_network *network, struct link_facts *ret,
			 struct error *e)
{
	char name[NET_INTERFACE_SIZE], text[NET_NETWORK_SIZE];
	int r = link_find(netlink, network->uplink, ret, e);

	if (r || !network->vlan)
		return r;
	snprintf(text, sizeof(text), "%s.%u", network->uplink, network->vlan);
	network_link_name("hl", text, name);
	if (!link_find(netlink, name, ret, NULL))
		return 0;
	link_create_vlan(netlink, name, ret->index, network->vlan, -1);
	netlink_may_exist(netlink);
	r = netlink_commit(netlink, e);
	if (r == -EOPNOTSUPP)
		return error_refuse(e, ERROR_UNSUPPORTED, "this kernel has no vlan links");
	if (!r)
		r = link_find(netlink, name, ret, e);
	if (!r)
		r = forward_close_link(name, e);
	if (r)
		return r;
	link_set_up(netlink, ret->index, name);
	return netlink_commit(netlink, e);
}

static void add_bridge_address(struct netlink *netlink, int index, const struct net_address *gateway,
			       const char *bridge)
{
	struct link_address address = {.family = gateway->family, .prefix = gateway->prefix};

	if (!gateway->family)
		return;
	memcpy(address.bytes, gateway->bytes, sizeof(address.bytes));
	if (gateway->family == AF_INET6)
		address.flags = IFA_F_NODAD;
	link_add_address(netlink, index, &address, bridge);
	netlink_may_exist(netlink);
}

static void make_bridge_mac(const struct net_network *network, uint8_t mac[6])
{
	uint64_t hash = lease_hash(network->name, 1);

	mac[0] = 0x0a;
	mac[1] = 0x67;
	memcpy(mac + 2, &hash, 4);
}

/* The host with addresses on an interface loses them as soon as that is a bridge's port. */
static int check_port(struct netlink *netlink, const struct link_facts *uplink, struct error *e)
{
	struct link_address *addresses;
	size_t n, global = 0;
	int r = link_addresses(netlink, uplink->index, &addresses, &n, e);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		global += addresses[i].scope == RT_SCOPE_UNIVERSE;
	free(addresses);
	if (global)
		return error_refuse(
		    e, ERROR_STATE,
		    "the uplink '%s' has addresses of the host's, which would be cut off as a port of a bridge",
		    uplink->name);
	return 0;
}

static int attach_uplink(struct netlink *netlink, const struct net_network *network, int bridge, struct error *e)
{
	struct link_facts uplink;
	int r = ensure_uplink(netlink, network, &uplink, e);

	if (!r && uplink.master != bridge)
		r = check_port(netlink, &uplink, e);
	if (r)
		return r;
	link_set_master(netlink, uplink.index, uplink.name, bridge);
	link_set_up(netlink, uplink.index, uplink.name);
	return netlink_commit(netlink, e);
}

static void warn_of_dropper(const char *family, const char *table, const char *chain, void *data)
{
	const struct net_network *network = data;

	log_warning(
	    "the firewall chain '%s' of table '%s %s' drops forwarded packets: unless it accepts those of '%s', "
	    "members of network '%s' reach no further than the host, and are reached from nowhere else",
	    chain, family, table, network->bridge, network->name);
}

struct recount {
	const struct net_network *network;
	int map;
};

static int count_again(const struct net_member *member, void *data, struct error *e)
{
	const struct recount *recount = data;

	return str_equal(member->network, recount->network->name) ? counters_add(recount->map, member, e) : 0;
}

/* New ones, also for who is a member already: they are made with the bridge, or somebody took them off it. */
static int make_counters(const struct store *store, struct netlink *netlink, const struct net_network *network,
			 struct network_links *links, struct error *e)
{
	struct recount recount = {network, -1};
	int r = counters_attach(netlink, links->bridge, &links->counters, e);

	if (r == -EPERM) { /* root of a user namespace: BPF is the whole machine's */
		log_warning(
		    "the traffic of network '%s' is not counted by class: only the machine's own root may use BPF",
		    network->name);
		links->counters = 0;
		return 0;
	}
	if (r)
		return r;
	recount.map = counters_open(links->counters, links->bridge);
	r = store_each_member(store, NULL, count_again, &recount, e);
	fd_close(recount.map);
	return r;
}

static int make_bridge(const struct store *store, struct netlink *netlink, struct nft *nft,
		       const struct net_network *network, struct network_links *ret, struct error *e)
{
	struct link_facts link, vrf;
	uint8_t mac[6];
	int r;

	make_bridge_mac(network, mac);
	link_create_bridge(netlink, network->bridge, mac, ret->mtu);
	netlink_may_exist(netlink);
	r = netlink_commit(netlink, e) ?: link_find(netlink, network->bridge, &link, e);
	if (r)
		return r;
	if (!str_equal(link.kind, "bridge"))
		return error_refuse(e, ERROR_EXISTS, "interface '%s' is there and is not a bridge", network->bridge);
	ret->bridge = link.index;
	memcpy(ret->bridge_mac, link.mac, sizeof(link.mac));
	link_set_mtu(netlink, link.index, network->bridge, ret->mtu);
	r = netlink_commit(netlink, e);
	if (r)
		return r;
	if (*network->vrf) {
		r = link_find(netlink, network->vrf, &vrf, e);
		if (r)
			return r;
		link_set_master(netlink, link.index, network->bridge, vrf.index);
	}
	if (network_is_routed(network)) {
		r = forward_set_bridge(network->bridge, e) ?: make_counters(store, netlink, network, ret, e);
		if (r)
			return r;
		add_bridge_address(netlink, link.index, &network->gateway4, network->bridge);
		add_bridge_address(netlink, link.index, &network->gateway6, network->bridge);
		link_set_up(netlink, link.index, network->bridge);
		r = netlink_commit(netlink, e) ?: nft_ready(nft, e);
		if (r)
			return r;
		nft_begin(nft);
		nft_add_network(nft, network);
		r = nft_commit(nft, e);
		if (r || network->type != NET_TYPE_BRIDGE)
			return r;
		if (nft_each_dropper(nft, warn_of_dropper, (void *)network, NULL))
			log_warning("the host's firewall chains can't be listed");
		return forward_open_uplinks(store, netlink, nft, network, e);
	}
	guard_close_bridge(netlink, link.index);
	link_configure_port(netlink, link.index, network->bridge, network->name, false);
	r = netlink_commit(netlink, e);
	return r ?: attach_uplink(netlink, network, link.index, e);
}

/* "INDEX COUNTERS": what was set up.  Both are 0 where nothing was. */
static void read_ready(int folder, int *ret_index, uint32_t *ret_counters)
{
	auto_free char *text = NULL;
	uint64_t index, counters;
	char *rest;

	*ret_index = 0;
	*ret_counters = 0;
	if (file_read(folder, "ready", 64, &text, NULL))
		return;
	rest = text;
	if (parse_u64(strsep(&rest, " "), 0, INT32_MAX, &index) || !rest || parse_u64(rest, 0, UINT32_MAX, &counters))
		return;
	*ret_index = index;
	*ret_counters = counters;
}

int network_open_counters(int folder)
{
	uint32_t counters;
	int index;

	read_ready(folder, &index, &counters);
	return counters_open(counters, index);
}

/* Whether the bridge is there and was set up by us: then these are its facts. */
static bool find_bridge(struct netlink *netlink, const struct net_network *network, int folder,
			struct network_links *ret)
{
	struct link_facts link;
	auto_fd map = -1;
	int index;

	read_ready(folder, &index, &ret->counters);
	if (!index || link_find(netlink, network->bridge, &link, NULL) || index != link.index)
		return false;
	if (ret->counters) {
		map = counters_open(ret->counters, index);
		if (map < 0)
			return false;
	}
	ret->bridge = link.index;
	ret->mtu = link.mtu;
	memcpy(ret->bridge_mac, link.mac, sizeof(link.mac));
	return true;
}

static int save_ready(const struct store *store, const struct net_network *network, int folder,
		      const struct network_links *links, struct error *e)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%d %u", links->bridge, links->counters);
	r = store_write(folder, "ready", 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/networks/%s/ready'", store->state_path, network->name) : 0;
}

static int ensure_bridge(const struct store *store, struct netlink *netlink, struct nft *nft,
			 const struct net_network *network, struct network_links *ret, struct error *e)
{
	auto_fd folder = -1;
	auto_fd lock = -1;
	int r = store_open_network(store, network->name, &folder, e);

	if (r || find_bridge(netlink, network, folder, ret))
		return r;
	nft_release(nft); /* always the networks' lock first, then the table's */
	r = store_lock_networks(store, &lock, e);
	if (r || find_bridge(netlink, network, folder, ret))
		return r;
	return find_mtu(netlink, network, &ret->mtu, e) ?: make_bridge(store, netlink, nft, network, ret, e)
		       ?: save_ready(store, network, folder, ret, e);
}

int network_ensure(const struct store *store, struct netlink *netlink, struct nft *nft,
		   const struct net_network *network, struct network_links *ret, struct error *e)
{
	struct link_facts uplink;
	int r;

	*ret = (struct network_links){0};
	if (is_bridged(network)) {
		r = ensure_bridge(store, netlink, nft, network, ret, e);
	} else {
		r = ensure_uplink(netlink, network, &uplink, e);
		ret->parent = uplink.index;
		ret->mtu = network->mtu; /* 0: the kernel takes the uplink's */
	}
	if (r)
		error_context(e, "network '%s'", network->name);
	return r;
}

/* ---- removing, repairing ---- */

struct user_search {
	const char *network;
	struct str names;
	unsigned n;
};

static int find_user(const struct net_member *member, void *data, struct error *e)
{
	struct user_search *search = data;

	(void)e;
	if (str_equal(member->network, search->network) && search->n++ < 8)
		str_addf(&search->names, "%s'%s'", search->n > 1 ? ", " : "", member->id);
	return 0;
}

static void remove_links(struct netlink *netlink, const struct net_network *network)
{
	char name[NET_INTERFACE_SIZE], text[NET_NETWORK_SIZE];

	if (*network->bridge)
		link_delete(netlink, network->bridge);
	if (network->vlan) {
		snprintf(text, sizeof(text), "%s.%u", network->uplink, network->vlan);
		network_link_name("hl", text, name);
		link_delete(netlink, name);
	}
}

static int find_router(const struct net_network *network, void *data, struct error *e)
{
	(void)e;
	if (network_is_routed(network) && network->type == NET_TYPE_BRIDGE && if_nametoindex(network->bridge))
		*(bool *)data = true;
	return 0;
}

/* The last network that needed it is gone: what was opened for our sake is closed again. */
static int close_uplinks(const struct store *store, struct nft *nft, struct error *e)
{
	bool needed = false, closed = false;
	int r = store_each_network(store, find_router, &needed, e);

	if (!r && !needed)
		r = forward_close_uplinks(store, &closed, e);
	return r || !closed ? r : nft_lay(nft, e);
}

int network_remove(const struct store *store, struct netlink *netlink, struct nft *nft, const char *name,
		   struct error *e)
{
	struct user_search search = {.network = name};
	struct net_network network;
	auto_fd lock = -1;
	int r = store_lock_networks(store, &lock, e) ?: store_load_network(store, name, &network, e)
			?: store_each_member(store, NULL, find_user, &search, e);

	if (!r && search.n)
		r = error_refuse(e, ERROR_STATE, "network '%s' is in use by %s%s", name, str_peek(&search.names),
				 search.n > 8 ? " and others" : "");
	str_release(&search.names);
	if (r)
		return r;
	nft_begin(nft);
	nft_remove_network(nft, &network);
	(void)!nft_commit(nft, NULL); /* without a table there is nothing to remove */
	remove_links(netlink, &network);
	return netlink_commit(netlink, e) ?: store_remove_network(store, name, e) ?: close_uplinks(store, nft, e);
}

struct repair {
	const struct store *store;
	struct netlink *netlink;
	struct nft *nft;
};

/* Where somebody took them off a bridge that was set up. */
static int repair_counters(const struct repair *repair, const struct net_network *network, int bridge, struct error *e)
{
	struct network_links links = {0};
	bool attached;
	auto_fd folder = -1;
	int r = store_open_network(repair->store, network->name, &folder, e);

	if (r)
		return r;
	read_ready(folder, &links.bridge, &links.counters);
	if (links.bridge != bridge || !links.counters) /* not set up, or where nothing can be counted */
		return 0;
	r = counters_are_attached(repair->netlink, bridge, &attached, e);
	if (r || attached)
		return r;
	return make_counters(repair->store, repair->netlink, network, &links, e)
		   ?: save_ready(repair->store, network, folder, &links, e);
}

static int repair_network(const struct net_network *network, void *data, struct error *e)
{
	struct repair *repair = data;
	int bridge = if_nametoindex(network->bridge);
	int r = 0;

	if (bridge && network_is_routed(network)) {
		r = repair_counters(repair, network, bridge, e);
	} else if (bridge) {
		guard_close_bridge(repair->netlink, bridge);
		r = netlink_commit(repair->netlink, e);
	}
	if (r || !network_is_routed(network) || network->type != NET_TYPE_BRIDGE || !bridge)
		return r;
	if (nft_each_dropper(repair->nft, warn_of_dropper, (void *)network, NULL))
		log_warning("the host's firewall chains can't be listed");
	return forward_open_uplinks(repair->store, repair->netlink, repair->nft, network, e);
}

int network_repair(const struct store *store, struct netlink *netlink, struct nft *nft, struct error *e)
{
	struct repair repair = {store, netlink, nft};
	auto_fd lock = -1;
	int r = store_lock_networks(store, &lock, e);

	if (r)
		return r;
	forward_forget(store);
	return nft_lay(nft, e) ?: nft_ready(nft, e) ?: store_each_network(store, repair_network, &repair, e);
}
