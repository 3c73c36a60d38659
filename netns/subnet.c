/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/subnet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/link.h"

/* ---- what is taken ---- */

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

/* ---- choosing ---- */

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

/* ---- checking ---- */

/* This host, multicast, reserved, IPv4 in IPv6: no address of a member. */
static const char *const specials[] = {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"};

static const char *find_special(const struct net_address *subnet)
{
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		struct net_address special;

		if (!address_parse_subnet(specials[i], &special) && address_overlaps(&special, subnet))
			return specials[i];
	}
	return NULL;
}

static int check_subnet(const struct taken *taken, const struct net_address *subnet, uint8_t family, struct error *e)
{
	const struct net_address *clash = find_clash(taken, subnet);
	char text[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];

	if (!subnet->family)
		return 0;
	address_print(subnet, true, text);
	if (subnet->family != family || subnet->prefix < 8 || address_capacity(subnet) < 2)
		return error_refuse(e, ERROR_INVALID, "the subnet %s is too small or too large for a network", text);
	if (find_special(subnet))
		return error_refuse(e, ERROR_INVALID, "the subnet %s overlaps with %s, which is not for hosts", text,
				    find_special(subnet));
	if (clash)
		return error_refuse(e, ERROR_EXISTS, "the subnet %s overlaps with %s, which the host uses", text,
				    address_print(clash, true, other));
	return 0;
}

static int check_gateway(const struct net_address *gateway, const struct net_address *subnet, struct error *e)
{
	struct net_address last = address_last(subnet);
	char text[ADDRESS_TEXT_SIZE];

	if (!gateway->family)
		return 0;
	address_print(gateway, false, text);
	if (!address_is_in(gateway, subnet))
		return error_refuse(e, ERROR_INVALID, "the gateway %s is not in the network's subnet", text);
	if (subnet->prefix < address_bits(subnet->family) - 1 &&
	    (address_equal(gateway, subnet) || (subnet->family == AF_INET && address_equal(gateway, &last))))
		return error_refuse(e, ERROR_INVALID, "the gateway %s is the network's own or its broadcast address",
				    text);
	return 0;
}

int subnet_choose(const struct store *store, struct netlink *netlink, struct net_network *network, bool own,
		  struct error *e)
{
	struct taken taken = {0};
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
