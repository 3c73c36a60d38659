/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/flows.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "netns/address.h"
#include "netns/netlink.h"

/* The flows to be forgotten: their original tuples, attribute after attribute, each as the kernel wrote it. */
struct search {
	const struct net_address *address; /* the instance's */
	const struct net_port *ports; /* NULL: those led to the instance; else those that come for these and are not */
	size_t n;
	struct str tuples;
};

static const struct nlattr *find(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attribute;

	if (nest)
		mnl_attr_for_each_nested(attribute, nest) if (mnl_attr_get_type(attribute) == type) return attribute;
	return NULL;
}

static bool is_udp(const struct nlattr *tuple)
{
	const struct nlattr *protocol = find(find(tuple, CTA_TUPLE_PROTO), CTA_PROTO_NUM);

	return protocol && mnl_attr_get_payload_len(protocol) == 1 && mnl_attr_get_u8(protocol) == IPPROTO_UDP;
}

static bool has_address(const struct nlattr *tuple, uint16_t type, const struct net_address *address)
{
	const struct nlattr *found = find(find(tuple, CTA_TUPLE_IP), type);
	size_t size = address_bits(address->family) / 8;

	return found && mnl_attr_get_payload_len(found) == size &&
	       !memcmp(mnl_attr_get_payload(found), address->bytes, size);
}

static bool comes_for(const struct nlattr *tuple, const struct net_port *port)
{
	uint16_t type = port->address.family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST;
	const struct nlattr *number = find(find(tuple, CTA_TUPLE_PROTO), CTA_PROTO_DST_PORT);
	uint16_t value = number && mnl_attr_get_payload_len(number) == 2 ? ntohs(mnl_attr_get_u16(number)) : 0;

	return port->protocol == IPPROTO_UDP && value >= port->first && value <= port->last &&
	       (address_is_any(&port->address) || has_address(tuple, type, &port->address));
}

/* The one who answers is where the flow was led. */
static bool is_meant(const struct search *search, const struct nlattr *original, const struct nlattr *reply)
{
	uint16_t type = search->address->family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
	bool led_there = has_address(reply, type, search->address);

	if (!is_udp(original) || !search->ports || led_there)
		return is_udp(original) && !search->ports && led_there;
	for (size_t i = 0; i < search->n; i++)
		if (search->ports[i].address.family == search->address->family &&
		    comes_for(original, &search->ports[i]))
			return true;
	return false;
}

static int collect(const struct nlmsghdr *message, void *data, struct error *e)
{
	const struct nlattr *attribute, *original = NULL, *reply = NULL;
	struct search *search = data;

	(void)e;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) == CTA_TUPLE_ORIG)
			original = attribute;
		if (mnl_attr_get_type(attribute) == CTA_TUPLE_REPLY)
			reply = attribute;
	}
	if (original && reply && is_meant(search, original, reply))
		str_add_bytes(&search->tuples, original, MNL_ALIGN(original->nla_len));
	return 0;
}

static struct nlmsghdr *add_message(struct netlink *netlink, uint16_t type, uint16_t flags, uint8_t family,
				    const char *what)
{
	struct nfgenmsg *header;
	struct nlmsghdr *message = netlink_add(netlink, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, sizeof(*header),
					       (void **)&header, "%s", what);

	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return message;
}

static void forget(struct netlink *netlink, struct search *search)
{
	size_t at = 0;

	add_message(netlink, IPCTNL_MSG_CT_GET, NLM_F_DUMP, search->address->family, "list flows");
	if (netlink_query(netlink, collect, search, NULL))
		return;
	while (at < search->tuples.size) {
		const struct nlattr *tuple = (void *)(search->tuples.data + at);
		struct nlmsghdr *message =
		    add_message(netlink, IPCTNL_MSG_CT_DELETE, 0, search->address->family, "forget a flow");

		mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(tuple),
			     mnl_attr_get_payload(tuple));
		at += MNL_ALIGN(tuple->nla_len);
		if (netlink_commit(netlink, NULL)) /* it ended meanwhile */
			continue;
	}
}

static void forget_all(const struct net_member *member, const struct net_port *ports, size_t n, bool past)
{
	const struct net_address *addresses[] = {&member->address4, &member->address6};
	auto_netlink netlink = NETLINK_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct search search = {addresses[i], past ? ports : NULL, n, STR_INIT};
		bool wanted = false;

		for (size_t j = 0; j < n; j++)
			wanted |= ports[j].protocol == IPPROTO_UDP && ports[j].address.family == addresses[i]->family;
		if (!wanted || (netlink.fd < 0 && netlink_open(&netlink, NETLINK_NETFILTER, -1, NULL)))
			continue;
		forget(&netlink, &search);
		str_release(&search.tuples);
	}
}

void flows_forget_to(const struct net_member *member, const struct net_port *ports, size_t n)
{
	forget_all(member, ports, n, false);
}

void flows_forget_past(const struct net_member *member, const struct net_port *ports, size_t n)
{
	forget_all(member, ports, n, true);
}
