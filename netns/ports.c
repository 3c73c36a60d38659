/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/flows.h"
#include "netns/guard.h"
#include "netns/link.h"
#include "netns/network.h"
#include "netns/parse.h"
#include "netns/shape.h"
#include "netns/sockets.h"

static bool port_equal(const struct net_port *a, const struct net_port *b)
{
	return a->protocol == b->protocol && a->first == b->first && a->last == b->last && a->port == b->port &&
	       address_equal(&a->address, &b->address);
}

static int check_port(const struct net_network *network, const struct net_member *member, const struct net_port *port,
		      struct error *e)
{
	bool four = port->address.family == AF_INET;
	char text[NET_PORT_TEXT_SIZE];

	if (!four && address_is_loopback(&port->address))
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "port %s can't be published: Linux takes no answers to ::1 from other links; use "
				    "127.0.0.1, or another IPv6 address of the host",
				    net_print_port(port, text));
	if (*network->vrf && address_is_loopback(&port->address))
		return error_refuse(
		    e, ERROR_UNSUPPORTED,
		    "port %s can't be published: network '%s' is in the VRF '%s', which the host's loopback "
		    "has no way into; give an address of an interface in the VRF",
		    net_print_port(port, text), network->name, network->vrf);
	if (four ? member->address4.family : member->address6.family)
		return 0;
	return error_refuse(e, ERROR_INVALID, "port %s can't be published: '%s' has no %s address on network '%s'",
			    net_print_port(port, text), member->id, four ? "IPv4" : "IPv6", member->network);
}

/* Floating addresses come and go, so it is not refused; but what is on its way to another machine is led here, too. */
static int check_host(const struct net_network *network, const struct net_port *port, struct error *e)
{
	char text[NET_PORT_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
	bool is_missing;
	int r = sockets_check_free(port, &is_missing, e);

	if (!r && is_missing && !*network->vrf)
		log_warning("port %s is published although the host has no address %s", net_print_port(port, text),
			    address_print(&port->address, false, address));
	return r;
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

/* Under the table's lock.  new: the ports that are not there yet. */
static int add_elements(struct host *host, const struct net_member *member, const struct net_port *new, size_t n,
			struct error *e)
{
	int r;

	nft_begin(&host->nft);
	nft_add_ports(&host->nft, member, new, n);
	r = nft_commit(&host->nft, e);
	if (r == -EEXIST || r == -EBUSY)
		r = name_holder(&host->nft, member, new, n, e);
	if (!r)
		flows_forget_past(member, new, n);
	return r;
}

bool ports_need_hairpin(void)
{
	static const char *const switches[] = {"/proc/sys/net/bridge/bridge-nf-call-iptables",
					       "/proc/sys/net/bridge/bridge-nf-call-ip6tables"};

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		auto_free char *text = NULL;

		if (!file_read(AT_FDCWD, switches[i], 64, &text, NULL) && *text != '0')
			return true;
	}
	return false;
}

int ports_prepare(struct host *host, const struct net_network *network, const struct net_member *member,
		  const struct net_port *ports, size_t n, struct error *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = check_port(network, member, &ports[i], e) ?: check_host(network, &ports[i], e);
	return r || !n ? r : store_save_ports(&host->store, member->id, member->name, ports, n, e);
}

int ports_lead(struct host *host, const struct net_member *member, const struct net_port *ports, size_t n,
	       struct error *e)
{
	int r = nft_ready(&host->nft, e) ?: add_elements(host, member, ports, n, e);

	nft_release(&host->nft);
	return r;
}

void ports_remove(struct host *host, const struct net_member *member)
{
	auto_free struct net_port *ports = NULL;
	size_t n = 0;

	if (store_load_ports(&host->store, member->id, member->name, &ports, &n, NULL))
		n = 0;
	nft_remove_ports(&host->nft, member, ports, n);
	flows_forget_to(member, ports, n);
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

/* For one that joined without.  While its guard is changed the link is down: not a frame goes by unguarded. */
static int allow_hairpin(struct host *host, const struct net_member *member, struct error *e)
{
	bool has = false;
	int index, r;

	if (!ports_need_hairpin())
		return 0;
	r = link_index(&host->netlink, member->link, &index, e) ?: guard_has_hairpin(&host->netlink, index, &has, e);
	if (r)
		return r;
	if (!has) {
		link_set_down(&host->netlink, index, member->link);
		r = netlink_commit(&host->netlink, e);
		if (r)
			return r;
		guard_detach(&host->netlink, index);
		guard_attach(&host->netlink, index, member, true, true);
		link_set_hairpin(&host->netlink, index, member->link);
		r = netlink_commit(&host->netlink, e);
		if (!r && (member->egress.rate || member->ingress.rate))
			r = shape_apply(&host->netlink, index, member->link, &member->egress, &member->ingress, e);
		if (r)
			return r;
	}
	link_set_up(&host->netlink, index, member->link); /* also where a change was cut short */
	return netlink_commit(&host->netlink, e);
}

static int allow_hairpin_of(const struct net_member *member, void *data, struct error *e)
{
	auto_free struct net_port *ports = NULL;
	struct host *host = data;
	size_t n;
	int r = store_load_ports(&host->store, member->id, member->name, &ports, &n, e);

	if (!r && n && *member->link)
		r = allow_hairpin(host, member, e);
	return r == -ENODEV ? 0 : r; /* its namespace has just ended */
}

int ports_repair(struct host *host, struct error *e)
{
	return store_each_member(&host->store, NULL, allow_hairpin_of, host, e);
}

static int publish_one(struct host *host, const char *id, const struct net_port *port, bool *ret_added, struct error *e)
{
	auto_free struct net_port *old = NULL;
	auto_free struct net_port *all = NULL;
	struct net_network network;
	struct net_member member;
	size_t n;
	int r =
	    find_publisher(host, id, port, &member, e) ?: store_load_ports(&host->store, id, member.name, &old, &n, e);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		if (port_equal(&old[i], port))
			return 0;
	r = store_load_network(&host->store, member.network, &network, e) ?: check_port(&network, &member, port, e)
			?: check_host(&network, port, e);
	if (r)
		return r;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return error_system(e, ENOMEM, "publish a port");
	if (n)
		memcpy(all, old, n * sizeof(*all));
	all[n] = *port;
	r = store_save_ports(&host->store, id, member.name, all, n + 1, e) ?: allow_hairpin(host, &member, e)
			?: add_elements(host, &member, port, 1, e);
	*ret_added = !r;
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
	nft_remove_ports(&host->nft, &member, port, 1);
	flows_forget_to(&member, port, 1);
	return store_save_ports(&host->store, id, member.name, ports, left, e);
}

int ports_publish(struct host *host, const char *id, const struct net_port *ports, size_t n, struct error *e)
{
	auto_free bool *added = calloc(n + 1, sizeof(*added)); /* not those that were published before */
	int r = added ? nft_ready(&host->nft, e) : error_system(e, ENOMEM, "publish ports");

	for (size_t i = 0; !r && i < n; i++) {
		r = publish_one(host, id, &ports[i], &added[i], e);
		for (size_t j = 0; r && j < i; j++)
			if (added[j])
				(void)!unpublish_one(host, id, &ports[j], NULL);
	}
	nft_release(&host->nft);
	return r;
}

int ports_unpublish(struct host *host, const char *id, const struct net_port *ports, size_t n, struct error *e)
{
	int r = nft_ready(&host->nft, e);

	for (size_t i = 0; !r && i < n; i++)
		r = unpublish_one(host, id, &ports[i], e);
	nft_release(&host->nft);
	return r;
}
