/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* ---- reading ---- */

static void copy_string(char *to, size_t size, const struct nlattr *attribute)
{
	snprintf(to, size, "%.*s", (int)mnl_attr_get_payload_len(attribute), mnl_attr_get_str(attribute));
}

static int read_link(const struct nlmsghdr *message, void *data, struct error *e)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute, *nested;
	struct link_facts *link = data;

	(void)e;
	*link = (struct link_facts){.index = header->ifi_index, .flags = header->ifi_flags};
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			copy_string(link->name, sizeof(link->name), attribute);
			break;
		case IFLA_IFALIAS:
			copy_string(link->alias, sizeof(link->alias), attribute);
			break;
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attribute);
			break;
		case IFLA_MASTER:
			link->master = mnl_attr_get_u32(attribute);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attribute) == sizeof(link->mac))
				memcpy(link->mac, mnl_attr_get_payload(attribute), sizeof(link->mac));
			break;
		case IFLA_LINKINFO:
			mnl_attr_for_each_nested(nested, attribute) if (mnl_attr_get_type(nested) == IFLA_INFO_KIND)
			    copy_string(link->kind, sizeof(link->kind), nested);
			break;
		}
	}
	return 0;
}

int link_find(struct netlink *netlink, const char *name, struct link_facts *ret, struct error *e)
{
	struct nlmsghdr *message =
	    netlink_add(netlink, RTM_GETLINK, 0, sizeof(struct ifinfomsg), NULL, "look for the interface '%s'", name);
	int r;

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	r = netlink_query(netlink, read_link, ret, e);
	if (r == -ENODEV) {
		error_refuse(e, ERROR_NOT_FOUND, "interface '%s' does not exist", name);
		return -ENODEV;
	}
	return r;
}

int link_exists(struct netlink *netlink, const char *name, bool *ret, struct error *e)
{
	struct link_facts link;
	int r = link_find(netlink, name, &link, e);

	*ret = !r;
	return r == -ENODEV ? 0 : r;
}

struct address_list {
	int index;
	struct link_address *addresses;
	size_t n;
};

static void copy_address(uint8_t to[16], const struct nlattr *attribute)
{
	size_t size = mnl_attr_get_payload_len(attribute);

	memcpy(to, mnl_attr_get_payload(attribute), size < 16 ? size : 16);
}

static int read_address(const struct nlmsghdr *message, void *data, struct error *e)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct address_list *list = data;
	const struct nlattr *attribute;
	struct link_address *more, *address;
	bool has_local = false;

	if (message->nlmsg_type != RTM_NEWADDR || (int)header->ifa_index != list->index ||
	    (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return 0;
	more = realloc(list->addresses, (list->n + 1) * sizeof(*more));
	if (!more)
		return error_system(e, ENOMEM, "list addresses");
	list->addresses = more;
	address = &more[list->n++];
	*address = (struct link_address){
	    .family = header->ifa_family,
	    .prefix = header->ifa_prefixlen,
	    .scope = header->ifa_scope,
	    .flags = header->ifa_flags,
	};
	/* IFA_ADDRESS is the peer's on a point-to-point link, else the same as IFA_LOCAL; IPv6 may have only it. */
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFA_FLAGS:
			address->flags = mnl_attr_get_u32(attribute);
			break;
		case IFA_LOCAL:
			has_local = true;
			copy_address(address->bytes, attribute);
			break;
		case IFA_ADDRESS:
			copy_address(address->peer, attribute);
			break;
		case IFA_BROADCAST:
			address->has_broadcast = true;
			copy_address(address->broadcast, attribute);
			break;
		}
	}
	if (!has_local)
		memcpy(address->bytes, address->peer, sizeof(address->bytes));
	address->has_peer = memcmp(address->bytes, address->peer, sizeof(address->bytes)) != 0;
	return 0;
}

int link_addresses(struct netlink *netlink, int index, struct link_address **ret, size_t *ret_n, struct error *e)
{
	struct address_list list = {.index = index};
	struct ifaddrmsg *header;
	int r;

	netlink_add(netlink, RTM_GETADDR, NLM_F_DUMP, sizeof(*header), (void **)&header,
		    "list the addresses of link %d", index);
	header->ifa_index = index;
	r = netlink_query(netlink, read_address, &list, e);
	if (r) {
		free(list.addresses);
		return r;
	}
	*ret = list.addresses;
	*ret_n = list.n;
	return 0;
}

/* ---- changing ---- */

void link_add_address(struct netlink *netlink, int index, const struct link_address *address, const char *link_name)
{
	size_t size = address_size(address->family);
	char text[INET6_ADDRSTRLEN] = "";
	struct ifaddrmsg *header;
	struct nlmsghdr *message;

	inet_ntop(address->family, address->bytes, text, sizeof(text));
	message = netlink_add(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*header), (void **)&header,
			      "give the address %s/%u to '%s'", text, address->prefix, link_name);
	header->ifa_family = address->family;
	header->ifa_prefixlen = address->prefix;
	header->ifa_scope = address->scope;
	header->ifa_index = index;
	mnl_attr_put(message, IFA_LOCAL, size, address->bytes);
	mnl_attr_put(message, IFA_ADDRESS, size, address->has_peer ? address->peer : address->bytes);
	if (address->has_broadcast)
		mnl_attr_put(message, IFA_BROADCAST, size, address->broadcast);
	mnl_attr_put_u32(message, IFA_FLAGS, address->flags);
}

void link_set_up(struct netlink *netlink, int index, const char *name)
{
	struct ifinfomsg *header;

	netlink_add(netlink, RTM_NEWLINK, 0, sizeof(*header), (void **)&header, "set up the interface '%s'", name);
	header->ifi_index = index;
	header->ifi_flags = header->ifi_change = IFF_UP;
}

void link_move(struct netlink *netlink, int index, const char *name, int netns_fd, const char *new_name, int new_index)
{
	struct ifinfomsg *header;
	struct nlmsghdr *message = netlink_add(netlink, RTM_NEWLINK, 0, sizeof(*header), (void **)&header,
					       "move the interface '%s' into the container as '%s'", name, new_name);

	header->ifi_index = index;
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, netns_fd);
	mnl_attr_put_u32(message, IFLA_NEW_IFINDEX, new_index);
	mnl_attr_put_strz(message, IFLA_IFNAME, new_name);
}
