/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/lease.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/parse.h"

void network_link_name(const char *prefix, const char *name, char ret[NET_INTERFACE_SIZE])
{
	size_t n = strlen(prefix);

	if (n + strlen(name) < NET_INTERFACE_SIZE && !net_interface_name_flaw(name, false))
		snprintf(ret, NET_INTERFACE_SIZE, "%s%s", prefix, name);
	else
		snprintf(ret, NET_INTERFACE_SIZE, "%s%0*llx", prefix, (int)(NET_INTERFACE_SIZE - 1 - n),
			 (unsigned long long)lease_hash(name, 0) >> (64 - 4 * (NET_INTERFACE_SIZE - 1 - n)));
}

/* ---- choosing subnets ---- */

/* What a new subnet must keep clear of. */
struct taken {
	struct net_address *subnets;
	size_t n;
	struct error *e;
};

static int add_taken(struct taken *taken, const struct net_address *subnet)
{
	struct net_address *more;

	if (!subnet->family || !subnet->prefix)
		return 0;
	more = realloc(taken->subnets, (taken->n + 1) * sizeof(*more));
	if (!more)
		return error_system(taken->e, ENOMEM, "list the host's subnets");
	taken->subnets = more;
	more[taken->n++] = *subnet;
	return 0;
}

static int add_network(const struct net_network *network, void *data, struct error *e)
{
	(void)e;
	return add_taken(data, &network->subnet4) ?: add_taken(data, &network->subnet6);
}

static int add_route(const struct link_route *route, void *data, struct error *e)
{
	(void)e;
	return add_taken(data, &route->to);
}

static int add_address(int index, const struct link_address *address, void *data, struct error *e)
{
	struct net_address subnet = {.family = address->family, .prefix = address->prefix};

	(void)index;
	(void)e;
	memcpy(subnet.bytes, address->bytes, sizeof(subnet.bytes));
	return add_taken(data, &subnet);
}

/* Name servers may lie behind a VPN whose routes come and go. */
static void add_servers(struct taken *taken)
{
	auto_free char *text = NULL;

	if (file_read(AT_FDCWD, "/etc/resolv.conf", 65536, &text, NULL))
		return;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		const char *value = str_after(line, "nameserver ");
		struct net_address server;

		if (value && !address_parse(value, &server))
			(void)!add_taken(taken, &server);
	}
}

static int collect_taken(const struct store *store, struct netlink *netlink, struct taken *taken, struct error *e)
{
	taken->e = e;
	add_servers(taken);
	return store_each_network(store, add_network, taken, e) ?: link_each_route(netlink, add_route, taken, e)
		       ?: link_each_address(netlink, add_address, taken, e);
}

static const struct net_address *find_clash(const struct taken *taken, const struct net_address *subnet)
{
	for (size_t i = 0; i < taken->n; i++)
		if (address_overlaps(&taken->subnets[i], subnet))
			return &taken->subnets[i];
	return NULL;
}

/* 10.66.0.0/22, 10.66.4.0/22, ... 10.127.252.0/22: a thousand members each, as many as a bridge has ports. */
static int choose_subnet4(const struct taken *taken, struct net_address *ret, struct error *e)
{
	enum { FIRST = 66, LAST = 127, PREFIX = 22 };

	for (unsigned second = FIRST; second <= LAST; second++)
		for (unsigned third = 0; third < 256; third += 1 << (24 - PREFIX)) {
			struct net_address subnet = {AF_INET, PREFIX, {10, second, third, 0}};

			if (!find_clash(taken, &subnet)) {
				*ret = subnet;
				return 0;
			}
		}
	return error_refuse(e, ERROR_LIMIT, "every subnet from 10.%d.0.0 to 10.%d.255.255 is in use; give one", FIRST,
			    LAST);
}

/* A unique local one: forty random bits, as RFC 4193 asks. */
static int choose_subnet6(const struct taken *taken, struct net_address *ret, struct error *e)
{
	for (int tries = 0; tries < 16; tries++) {
		struct net_address subnet = {AF_INET6, 64, {0xfd}};

		if (getrandom(subnet.bytes + 1, 5, 0) != 5)
			return error_system(e, errno, "get random bytes");
		if (!find_clash(taken, &subnet)) {
			*ret = subnet;
			return 0;
		}
	}
	return error_refuse(e, ERROR_LIMIT, "no free IPv6 subnet was found; give one");
}

static bool host_has_ip6(void)
{
	auto_free char *text = NULL;

	return !file_read(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/disable_ipv6", 64, &text, NULL) && *text == '0';
}

/* ---- creating ---- */

static int check_subnet(const struct taken *taken, const struct net_address *subnet, uint8_t family, struct error *e)
{
	const struct net_address *clash = find_clash(taken, subnet);
	char text[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];

	if (!subnet->family)
		return 0;
	address_print(subnet, true, text);
	if (subnet->family != family || subnet->prefix < 8 || address_capacity(subnet) < 2)
		return error_refuse(e, ERROR_INVALID, "the subnet %s is too small or too large for a network", text);
	if (clash)
		return error_refuse(e, ERROR_EXISTS, "the subnet %s overlaps with %s, which the host uses", text,
				    address_print(clash, true, other));
	return 0;
}

static int check_gateway(const struct net_address *gateway, const struct net_address *subnet, struct error *e)
{
	char text[ADDRESS_TEXT_SIZE];

	if (gateway->family && !address_is_in(gateway, subnet))
		return error_refuse(e, ERROR_INVALID, "the gateway %s is not in the network's subnet",
				    address_print(gateway, false, text));
	return 0;
}

static bool is_bridged(const struct net_network *network)
{
	return network->type == NET_TYPE_BRIDGE || network->type == NET_TYPE_HOST_ONLY;
}

/* What can't be together, whatever the host. */
static int check_facts(const struct net_network *network, struct error *e)
{
	const char *type = net_type_name(network->type);

	if (!str_is_id(network->name) || *network->name == '.' || strlen(network->name) > 63)
		return error_refuse(e, ERROR_INVALID,
				    "'%s' is not a name of a network: letters, digits, '_', '.', '-', at most 63",
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

static int choose_addresses(const struct store *store, struct netlink *netlink, struct net_network *network,
			    struct error *e)
{
	struct taken taken = {0};
	bool own = is_bridged(network) && !*network->uplink;
	bool choose = own && !network->subnet4.family && !network->subnet6.family;
	int r = collect_taken(store, netlink, &taken, e);

	/* A subnet of an uplink's network is one that the host has too. */
	if (!r && own)
		r = check_subnet(&taken, &network->subnet4, AF_INET, e)
			?: check_subnet(&taken, &network->subnet6, AF_INET6, e);
	if (!r && choose)
		r = choose_subnet4(&taken, &network->subnet4, e);
	if (!r && choose && host_has_ip6() && (!network->mtu || network->mtu >= 1280))
		r = choose_subnet6(&taken, &network->subnet6, e);
	free(taken.subnets);
	if (!r)
		r = check_gateway(&network->gateway4, &network->subnet4, e)
			?: check_gateway(&network->gateway6, &network->subnet6, e);
	if (r || !own)
		return r;
	if (network->subnet4.family && !network->gateway4.family)
		network->gateway4 = address_at(&network->subnet4, 1);
	if (network->subnet6.family && !network->gateway6.family)
		network->gateway6 = address_at(&network->subnet6, 1);
	network->gateway4.prefix = network->subnet4.prefix;
	network->gateway6.prefix = network->subnet6.prefix;
	return 0;
}

/* Asks the kernel for a link of a kind that nobody needs, under a name of ours, and takes it away again. */
static int probe_kind(struct netlink *netlink, const struct net_network *network, int parent, struct error *e)
{
	const char *kind = network->vlan ? "vlan" : net_type_name(network->type);
	struct link_inside inside = {.netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), .name = "hprobe"};
	struct error error = ERROR_INIT;
	int r;

	network_link_name("hp", network->name, (char[NET_INTERFACE_SIZE]){0});
	if (network->vlan)
		link_create_vlan(netlink, inside.name, parent, network->vlan);
	else
		link_create_child(netlink, network->type == NET_TYPE_MACVLAN, false, parent, &inside);
	r = netlink_commit(netlink, &error);
	fd_close(inside.netns_fd);
	if (!r) {
		link_delete(netlink, inside.name);
		return netlink_commit(netlink, e);
	}
	if (r == -EOPNOTSUPP)
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
		r = choose_addresses(store, netlink, &network, e);
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

/* ---- switches of the host ---- */

/* Writes a per-interface switch: "ipv4", "eth0", "forwarding".  -ENOENT: this kernel has none. */
static int write_switch(const char *family, const char *interface, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	return file_write(AT_FDCWD, path, value, strlen(value));
}

static bool read_switch(const char *family, const char *interface, const char *name)
{
	auto_free char *text = NULL;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	return !file_read(AT_FDCWD, path, 64, &text, NULL) && *text != '0';
}

static const struct {
	const char *family, *name, *value;
	bool optional; /* kernels differ */
} bridge_switches[] = {
    {"ipv4", "forwarding", "1", false},
    {"ipv4", "route_localnet", "1", false}, /* ports on 127.0.0.1; the guards keep members from it */
    {"ipv4", "send_redirects", "0", false},
    {"ipv4", "accept_redirects", "0", false},
    {"ipv6", "accept_ra", "0", true},
    {"ipv6", "accept_redirects", "0", true},
    {"ipv6", "autoconf", "0", true},
    {"ipv6", "force_forwarding", "1", true},
};

static int set_bridge_switches(const char *bridge, struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(bridge_switches); i++) {
		int r =
		    write_switch(bridge_switches[i].family, bridge, bridge_switches[i].name, bridge_switches[i].value);

		if (r && !(bridge_switches[i].optional && r == -ENOENT))
			return error_system(e, -r, "write '/proc/sys/net/%s/conf/%s/%s'", bridge_switches[i].family,
					    bridge, bridge_switches[i].name);
	}
	return 0;
}

/* ---- uplinks ---- */

struct uplinks {
	int indices[64];
	bool is_default[64];
	size_t n;
};

static void add_uplink(struct uplinks *uplinks, int index, bool is_default)
{
	size_t i = 0;

	while (i < uplinks->n && uplinks->indices[i] != index)
		i++;
	if (i == ARRAY_SIZE(uplinks->indices))
		return;
	if (i == uplinks->n) {
		uplinks->indices[uplinks->n++] = index;
		uplinks->is_default[i] = false;
	}
	uplinks->is_default[i] |= is_default;
}

static int uplink_of_route(const struct link_route *route, void *data, struct error *e)
{
	(void)e;
	if (!route->to.prefix && route->index)
		add_uplink(data, route->index, true);
	return 0;
}

static int uplink_of_address(int index, const struct link_address *address, void *data, struct error *e)
{
	(void)e;
	if (address->scope == RT_SCOPE_UNIVERSE)
		add_uplink(data, index, false);
	return 0;
}

/* The links by which the host reaches others: with a default route, or with an address and not somebody's bridge. */
static int find_uplinks(struct netlink *netlink, struct uplinks *ret, struct error *e)
{
	*ret = (struct uplinks){0};
	return link_each_route(netlink, uplink_of_route, ret, e)
		   ?: link_each_address(netlink, uplink_of_address, ret, e);
}

static bool is_listed(const char *text, const char *line)
{
	const char *found = text;

	while ((found = strstr(found, line))) {
		size_t n = strlen(line);

		if ((found == text || found[-1] == '\n') && (!found[n] || found[n] == '\n'))
			return true;
		found += n;
	}
	return false;
}

/* Notes it before it is done: a crash between leaves a rule too many, not an open host. */
static int note_opened(const struct store *store, struct nft *nft, uint8_t family, const char *interface,
		       struct error *e)
{
	auto_free char *old = NULL;
	auto_str text = STR_INIT;
	char line[64];
	int r;

	snprintf(line, sizeof(line), "%c %s", family == AF_INET ? '4' : '6', interface);
	if (!file_read(store->state, "opened", 65536, &old, NULL))
		str_add(&text, old);
	if (!is_listed(str_peek(&text), line)) {
		str_addf(&text, "%s\n", line);
		r = store_write(store->state, "opened", 0600, text.data, text.size);
		if (r)
			return error_system(e, -r, "write '%s/opened'", store->state_path);
	}
	nft_begin(nft);
	if (str_equal(interface, "*"))
		nft_add_opened_family(nft, family);
	else
		nft_add_opened(nft, family, interface);
	return nft_commit(nft, e);
}

/* Interfaces that take router advertisements stop doing so when the host forwards, unless told (2). */
static int keep_advertisements(const struct uplinks *uplinks)
{
	for (size_t i = 0; i < uplinks->n; i++) {
		char name[IF_NAMESIZE], path[128];
		auto_free char *text = NULL;

		if (!if_indextoname(uplinks->indices[i], name))
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
		if (!file_read(AT_FDCWD, path, 64, &text, NULL) && *text == '1')
			(void)!write_switch("ipv6", name, "accept_ra", "2");
	}
	return 0;
}

static int open_all_ip6(const struct store *store, struct nft *nft, const struct uplinks *uplinks, struct error *e)
{
	int r;

	if (read_switch("ipv6", "all", "forwarding"))
		return 0;
	r = note_opened(store, nft, AF_INET6, "*", e) ?: keep_advertisements(uplinks);
	if (r)
		return r;
	r = write_switch("ipv6", "all", "forwarding", "1");
	return r ? error_system(e, -r, "write '/proc/sys/net/ipv6/conf/all/forwarding'") : 0;
}

static int open_uplink(const struct store *store, struct nft *nft, const char *name, uint8_t family, struct error *e)
{
	const char *folder = family == AF_INET ? "ipv4" : "ipv6";
	const char *which = family == AF_INET ? "forwarding" : "force_forwarding";
	int r;

	if (read_switch(folder, name, which))
		return 0;
	if (family == AF_INET6 && read_switch(folder, "all", "forwarding"))
		return 0;
	r = note_opened(store, nft, family, name, e);
	if (r)
		return r;
	r = write_switch(folder, name, which, "1");
	return r && r != -ENOENT ? error_system(e, -r, "write '/proc/sys/net/%s/conf/%s/%s'", folder, name, which) : 0;
}

static int open_uplinks(const struct store *store, struct netlink *netlink, struct nft *nft,
			const struct net_network *network, struct error *e)
{
	bool has_force = !access("/proc/sys/net/ipv6/conf/all/force_forwarding", F_OK);
	struct uplinks uplinks;
	int r = find_uplinks(netlink, &uplinks, e);

	if (!r && network->subnet6.family && !has_force)
		r = open_all_ip6(store, nft, &uplinks, e);
	for (size_t i = 0; !r && i < uplinks.n; i++) {
		char name[IF_NAMESIZE];
		struct link_facts link;

		if (!if_indextoname(uplinks.indices[i], name) || link_find(netlink, name, &link, NULL))
			continue;
		if (link.flags & IFF_LOOPBACK || (str_equal(link.kind, "bridge") && !uplinks.is_default[i]) ||
		    str_after(name, "holm-"))
			continue;
		if (network->subnet4.family)
			r = open_uplink(store, nft, name, AF_INET, e);
		if (!r && network->subnet6.family && has_force)
			r = open_uplink(store, nft, name, AF_INET6, e);
	}
	return r;
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
	link_create_vlan(netlink, name, ret->index, network->vlan);
	netlink_may_exist(netlink);
	r = netlink_commit(netlink, e);
	if (r == -EOPNOTSUPP)
		return error_refuse(e, ERROR_UNSUPPORTED, "this kernel has no vlan links");
	if (!r)
		r = link_find(netlink, name, ret, e);
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

static int make_bridge(const struct store *store, struct netlink *netlink, struct nft *nft,
		       const struct net_network *network, struct network_links *ret, struct error *e)
{
	struct link_facts link, vrf;
	uint8_t mac[6];
	int r;

	make_bridge_mac(network, mac);
	link_create_bridge(netlink, network->bridge, mac, ret->mtu, network_is_routed(network) ? LINK_GROUP_ROUTED : 0);
	netlink_may_exist(netlink);
	r = netlink_commit(netlink, e) ?: link_find(netlink, network->bridge, &link, e);
	if (r)
		return r;
	if (!str_equal(link.kind, "bridge"))
		return error_refuse(e, ERROR_EXISTS, "interface '%s' is there and is not a bridge", network->bridge);
	ret->bridge = link.index;
	memcpy(ret->bridge_mac, link.mac, sizeof(link.mac));
	if (*network->vrf) {
		r = link_find(netlink, network->vrf, &vrf, e);
		if (r)
			return r;
		link_set_master(netlink, link.index, network->bridge, vrf.index);
	}
	if (network_is_routed(network)) {
		r = set_bridge_switches(network->bridge, e);
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
		return open_uplinks(store, netlink, nft, network, e);
	}
	link_configure_port(netlink, link.index, network->bridge, network->name, false);
	r = netlink_commit(netlink, e);
	return r ?: attach_uplink(netlink, network, link.index, e);
}

static bool is_ready(int folder, int index)
{
	auto_free char *text = NULL;
	uint64_t number;

	return !file_read(folder, "ready", 64, &text, NULL) && !parse_u64(text, 0, INT32_MAX, &number) &&
	       (int)number == index;
}

/* Whether the bridge is there and was set up by us: then these are its facts. */
static bool find_bridge(struct netlink *netlink, const struct net_network *network, int folder,
			struct network_links *ret)
{
	struct link_facts link;

	if (link_find(netlink, network->bridge, &link, NULL) || !is_ready(folder, link.index))
		return false;
	ret->bridge = link.index;
	ret->mtu = link.mtu;
	memcpy(ret->bridge_mac, link.mac, sizeof(link.mac));
	return true;
}

static int ensure_bridge(const struct store *store, struct netlink *netlink, struct nft *nft,
			 const struct net_network *network, struct network_links *ret, struct error *e)
{
	auto_fd folder = -1;
	auto_fd lock = -1;
	char text[16];
	int r = store_open_network(store, network->name, &folder, e);

	if (r || find_bridge(netlink, network, folder, ret))
		return r;
	nft_release(nft); /* always the networks' lock first, then the table's */
	r = store_lock_networks(store, &lock, e);
	if (r || find_bridge(netlink, network, folder, ret))
		return r;
	r = find_mtu(netlink, network, &ret->mtu, e) ?: make_bridge(store, netlink, nft, network, ret, e);
	if (r)
		return r;
	snprintf(text, sizeof(text), "%d", ret->bridge);
	r = store_write(folder, "ready", 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/networks/%s/ready'", store->state_path, network->name) : 0;
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
	auto_free char *text = NULL;
	bool needed = false;
	int r = store_each_network(store, find_router, &needed, e);

	if (r || needed || file_read(store->state, "opened", 65536, &text, NULL))
		return r;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		bool four = *line == '4';
		const char *name, *which;

		if (!*line || line[1] != ' ' || (four && read_switch("ipv4", "all", "forwarding")))
			continue;
		name = str_equal(line + 2, "*") ? "all" : line + 2;
		which = four || str_equal(name, "all") ? "forwarding" : "force_forwarding";
		r = write_switch(four ? "ipv4" : "ipv6", name, which, "0");
		if (r && r != -ENOENT) /* the interface may be gone */
			return error_system(e, -r, "switch forwarding of '%s' off", name);
	}
	unlinkat(store->state, "opened", 0);
	return nft_lay(nft, e);
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

static int repair_network(const struct net_network *network, void *data, struct error *e)
{
	struct repair *repair = data;

	if (!network_is_routed(network) || network->type != NET_TYPE_BRIDGE || !if_nametoindex(network->bridge))
		return 0;
	if (nft_each_dropper(repair->nft, warn_of_dropper, (void *)network, NULL))
		log_warning("the host's firewall chains can't be listed");
	return open_uplinks(repair->store, repair->netlink, repair->nft, network, e);
}

/* Somebody else may have made the host a router since: then nothing of IPv4 is ours to hold back. */
static void forget_opened(const struct store *store)
{
	auto_free char *old = NULL;
	auto_str text = STR_INIT;

	if (!read_switch("ipv4", "all", "forwarding") || file_read(store->state, "opened", 65536, &old, NULL))
		return;
	for (char *line, *rest = old; (line = strsep(&rest, "\n"));)
		if (*line && *line != '4')
			str_addf(&text, "%s\n", line);
	(void)!store_write(store->state, "opened", 0600, str_peek(&text), text.size);
}

int network_repair(const struct store *store, struct netlink *netlink, struct nft *nft, struct error *e)
{
	struct repair repair = {store, netlink, nft};
	auto_fd lock = -1;
	int r = store_lock_networks(store, &lock, e);

	if (r)
		return r;
	forget_opened(store);
	return nft_lay(nft, e) ?: nft_ready(nft, e) ?: store_each_network(store, repair_network, &repair, e);
}
