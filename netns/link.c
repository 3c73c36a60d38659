/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/str.h"

/* ---- reading ---- */

static void copy_string(char *to, size_t size, const struct nlattr *attribute)
{
	snprintf(to, size, "%.*s", (int)mnl_attr_get_payload_len(attribute), mnl_attr_get_str(attribute));
}

static void read_statistics(struct link_facts *link, const struct nlattr *attribute)
{
	struct rtnl_link_stats64 statistics = {0};
	size_t size = mnl_attr_get_payload_len(attribute);

	memcpy(&statistics, mnl_attr_get_payload(attribute), size < sizeof(statistics) ? size : sizeof(statistics));
	link->rx_bytes = statistics.rx_bytes;
	link->rx_packets = statistics.rx_packets;
	link->tx_bytes = statistics.tx_bytes;
	link->tx_packets = statistics.tx_packets;
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
		case IFLA_STATS64:
			read_statistics(link, attribute);
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

/* The ioctl(2)s of network devices are served by sockets of every family. */
int link_index(struct netlink *netlink, const char *name, int *ret, struct error *e)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(netlink->fd, SIOCGIFINDEX, &request) < 0) {
		if (errno != ENODEV)
			return error_system(e, errno, "look for the interface '%s'", name);
		error_refuse(e, ERROR_NOT_FOUND, "interface '%s' does not exist", name);
		return -ENODEV;
	}
	*ret = request.ifr_ifindex;
	return 0;
}

int link_exists(struct netlink *netlink, const char *name, bool *ret, struct error *e)
{
	int index;
	int r = link_index(netlink, name, &index, e);

	*ret = !r;
	return r == -ENODEV ? 0 : r;
}

static void copy_address(uint8_t to[16], const struct nlattr *attribute)
{
	size_t size = mnl_attr_get_payload_len(attribute);

	memcpy(to, mnl_attr_get_payload(attribute), size < 16 ? size : 16);
}

static void parse_address(const struct nlmsghdr *message, const struct ifaddrmsg *header, struct link_address *ret)
{
	const struct nlattr *attribute;
	bool has_local = false;

	*ret = (struct link_address){
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
			ret->flags = mnl_attr_get_u32(attribute);
			break;
		case IFA_LOCAL:
			has_local = true;
			copy_address(ret->bytes, attribute);
			break;
		case IFA_ADDRESS:
			copy_address(ret->peer, attribute);
			break;
		case IFA_BROADCAST:
			ret->has_broadcast = true;
			copy_address(ret->broadcast, attribute);
			break;
		}
	}
	if (!has_local)
		memcpy(ret->bytes, ret->peer, sizeof(ret->bytes));
	ret->has_peer = memcmp(ret->bytes, ret->peer, sizeof(ret->bytes)) != 0;
}

struct address_walk {
	int (*each)(int index, const struct link_address *address, void *data, struct error *e);
	void *data;
};

static int read_address(const struct nlmsghdr *message, void *data, struct error *e)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct address_walk *walk = data;
	struct link_address address;

	if (message->nlmsg_type != RTM_NEWADDR || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return 0;
	parse_address(message, header, &address);
	return walk->each(header->ifa_index, &address, walk->data, e);
}

static int dump_addresses(struct netlink *netlink, int index, struct address_walk *walk, struct error *e)
{
	struct ifaddrmsg *header;

	netlink_add(netlink, RTM_GETADDR, NLM_F_DUMP, sizeof(*header), (void **)&header, "list the addresses of links");
	header->ifa_index = index;
	return netlink_query(netlink, read_address, walk, e);
}

int link_each_address(struct netlink *netlink,
		      int (*each)(int index, const struct link_address *address, void *data, struct error *e),
		      void *data, struct error *e)
{
	struct address_walk walk = {each, data};

	return dump_addresses(netlink, 0, &walk, e);
}

struct address_list {
	int index;
	struct link_address *addresses;
	size_t n;
};

static int collect_address(int index, const struct link_address *address, void *data, struct error *e)
{
	struct address_list *list = data;
	struct link_address *more;

	if (index != list->index)
		return 0;
	more = realloc(list->addresses, (list->n + 1) * sizeof(*more));
	if (!more)
		return error_system(e, ENOMEM, "list addresses");
	list->addresses = more;
	more[list->n++] = *address;
	return 0;
}

int link_addresses(struct netlink *netlink, int index, struct link_address **ret, size_t *ret_n, struct error *e)
{
	struct address_list list = {.index = index};
	struct address_walk walk = {collect_address, &list};
	int r = dump_addresses(netlink, index, &walk, e);

	if (r) {
		free(list.addresses);
		return r;
	}
	*ret = list.addresses;
	*ret_n = list.n;
	return 0;
}

struct route_walk {
	int (*each)(const struct link_route *route, void *data, struct error *e);
	void *data;
};

static int read_route(const struct nlmsghdr *message, void *data, struct error *e)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct link_route route = {.to = {.family = header->rtm_family, .prefix = header->rtm_dst_len}};
	const struct route_walk *walk = data;
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_type != RTN_UNICAST)
		return 0;
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST:
			copy_address(route.to.bytes, attribute);
			break;
		case RTA_OIF:
			route.index = mnl_attr_get_u32(attribute);
			break;
		}
	}
	return walk->each(&route, walk->data, e);
}

int link_each_route(struct netlink *netlink, int (*each)(const struct link_route *route, void *data, struct error *e),
		    void *data, struct error *e)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct route_walk walk = {each, data};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++) {
		struct rtmsg *header;

		netlink_add(netlink, RTM_GETROUTE, NLM_F_DUMP, sizeof(*header), (void **)&header, "list routes");
		header->rtm_family = families[i];
		r = netlink_query(netlink, read_route, &walk, e);
		if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) /* a host without IPv6 */
			r = 0;
	}
	return r;
}

/* ---- making ---- */

static struct nlmsghdr *add_link(struct netlink *netlink, const char *kind, const char *name)
{
	struct nlmsghdr *message = netlink_add(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
					       sizeof(struct ifinfomsg), NULL, "create the %s '%s'", kind, name);

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return message;
}

void link_create_bridge(struct netlink *netlink, const char *name, const uint8_t mac[6], uint32_t mtu)
{
	struct nlmsghdr *message = add_link(netlink, "bridge", name);
	struct nlattr *info, *data;

	mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(message, IFLA_MTU, mtu ^ 1); /* another one: see link_set_mtu() */
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	mnl_attr_put_u32(message, IFLA_BR_FORWARD_DELAY, 0); /* ports forward at once */
	mnl_attr_put_u32(message, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
	/* It filters no VLANs: else each port is put in one, and each address gets an entry in it. */
	mnl_attr_put_u16(message, IFLA_BR_VLAN_DEFAULT_PVID, 0);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

/*
 * Else a veth has as many queues as the machine may have processors, each with files in sysfs: on two processors they are a
 * third of the time that making the pair takes.  Frames do not wait in them, and no lock is taken per queue.
 */
static void put_one_queue(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
}

void link_create_veth(struct netlink *netlink, const char *name, const uint8_t mac[6], int master,
		      const struct link_inside *inside)
{
	struct nlmsghdr *message = add_link(netlink, "veth", name);
	struct nlattr *info, *data, *peer;

	mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(message, IFLA_MTU, inside->mtu);
	put_one_queue(message);
	if (master)
		mnl_attr_put_u32(message, IFLA_MASTER, master);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, inside->name);
	mnl_attr_put(message, IFLA_ADDRESS, 6, inside->mac);
	mnl_attr_put_u32(message, IFLA_MTU, inside->mtu);
	put_one_queue(message);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, inside->netns_fd);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

void link_create_child(struct netlink *netlink, bool macvlan, bool isolated, int parent,
		       const struct link_inside *inside)
{
	const char *kind = macvlan ? "macvlan" : "ipvlan";
	struct nlmsghdr *message = add_link(netlink, kind, inside->name);
	struct nlattr *info, *data;

	mnl_attr_put_u32(message, IFLA_LINK, parent);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, inside->netns_fd);
	if (inside->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, inside->mtu);
	if (inside->mac)
		mnl_attr_put(message, IFLA_ADDRESS, 6, inside->mac);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	if (macvlan) {
		mnl_attr_put_u32(message, IFLA_MACVLAN_MODE, isolated ? MACVLAN_MODE_PRIVATE : MACVLAN_MODE_BRIDGE);
	} else {
		mnl_attr_put_u16(message, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2);
		mnl_attr_put_u16(message, IFLA_IPVLAN_FLAGS, isolated ? IPVLAN_F_PRIVATE : 0);
	}
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

void link_create_vlan(struct netlink *netlink, const char *name, int parent, uint16_t id, int netns_fd)
{
	struct nlmsghdr *message = add_link(netlink, "vlan", name);
	struct nlattr *info, *data;

	mnl_attr_put_u32(message, IFLA_LINK, parent);
	if (netns_fd >= 0)
		mnl_attr_put_u32(message, IFLA_NET_NS_FD, netns_fd);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	mnl_attr_put_u16(message, IFLA_VLAN_ID, id);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

void link_create_ifb(struct netlink *netlink, const char *name)
{
	struct nlmsghdr *message = add_link(netlink, "ifb", name);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);

	mnl_attr_put_strz(message, IFLA_INFO_KIND, "ifb");
	mnl_attr_nest_end(message, info);
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

static void set_flag_up(struct netlink *netlink, int index, const char *name, bool up)
{
	struct ifinfomsg *header;

	netlink_add(netlink, RTM_NEWLINK, 0, sizeof(*header), (void **)&header, "set %s the interface '%s'",
		    up ? "up" : "down", name);
	header->ifi_index = index;
	header->ifi_change = IFF_UP;
	header->ifi_flags = up ? IFF_UP : 0;
}

void link_set_up(struct netlink *netlink, int index, const char *name)
{
	set_flag_up(netlink, index, name, true);
}

void link_set_down(struct netlink *netlink, int index, const char *name)
{
	set_flag_up(netlink, index, name, false);
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

static struct nlmsghdr *change_link(struct netlink *netlink, int index, const char *name, const char *what)
{
	struct ifinfomsg *header;
	struct nlmsghdr *message = netlink_add(netlink, RTM_NEWLINK, 0, sizeof(*header), (void **)&header,
					       "%s the interface '%s'", what, name);

	header->ifi_index = index;
	return message;
}

static void put_port_flags(struct nlmsghdr *message, unsigned flags)
{
	struct nlattr *info, *data;

	if (!flags)
		return;
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
	if (flags & LINK_ISOLATED)
		mnl_attr_put_u8(message, IFLA_BRPORT_ISOLATED, 1);
	if (flags & LINK_HAIRPIN)
		mnl_attr_put_u8(message, IFLA_BRPORT_MODE, 1);
	if (flags & LINK_FIXED) {
		mnl_attr_put_u8(message, IFLA_BRPORT_LEARNING, 0);
		mnl_attr_put_u8(message, IFLA_BRPORT_UNICAST_FLOOD, 0);
	}
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

void link_configure_port(struct netlink *netlink, int index, const char *name, const char *alias, unsigned port_flags)
{
	struct nlmsghdr *message = change_link(netlink, index, name, "configure");
	struct nlattr *nest, *inner;

	mnl_attr_put_strz(message, IFLA_IFALIAS, alias);
	nest = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	inner = mnl_attr_nest_start(message, AF_INET6);
	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(message, inner);
	mnl_attr_nest_end(message, nest);
	put_port_flags(message, port_flags);
	/*
	 * In a message of its own: what changes on a link that is up is told to all of the kernel, and IPv6 then goes through the
	 * routes of every link of the host.
	 */
	link_set_up(netlink, index, name);
}

void link_fix_address(struct netlink *netlink, int index, const uint8_t mac[6], bool is_sticky)
{
	struct ndmsg *header;
	struct nlmsghdr *message = netlink_add(netlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*header),
					       (void **)&header, "fix the hardware address at the bridge's port");

	header->ndm_family = AF_BRIDGE;
	header->ndm_ifindex = index;
	header->ndm_state = NUD_NOARP;
	header->ndm_flags = NTF_MASTER | (is_sticky ? NTF_STICKY : NTF_EXT_LEARNED);
	mnl_attr_put(message, NDA_LLADDR, 6, mac);
}

void link_set_hairpin(struct netlink *netlink, int index, const char *name)
{
	struct nlmsghdr *message = change_link(netlink, index, name, "configure");

	put_port_flags(message, LINK_HAIRPIN);
}

void link_set_master(struct netlink *netlink, int index, const char *name, int master)
{
	struct nlmsghdr *message = change_link(netlink, index, name, "set the master of");

	mnl_attr_put_u32(message, IFLA_MASTER, master);
}

void link_set_mtu(struct netlink *netlink, int index, const char *name, uint32_t mtu)
{
	struct nlmsghdr *message = change_link(netlink, index, name, "set the MTU of");

	mnl_attr_put_u32(message, IFLA_MTU, mtu);
}

void link_delete(struct netlink *netlink, const char *name)
{
	struct nlmsghdr *message =
	    netlink_add(netlink, RTM_DELLINK, 0, sizeof(struct ifinfomsg), NULL, "delete the interface '%s'", name);

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	netlink_may_miss(netlink);
}

void link_add_route(struct netlink *netlink, int index, const struct net_address *to, const struct net_address *via,
		    uint32_t metric)
{
	size_t size = address_size(via->family);
	char text[INET6_ADDRSTRLEN] = "";
	struct nlmsghdr *message;
	struct rtmsg *header;

	inet_ntop(via->family, via->bytes, text, sizeof(text));
	message = netlink_add(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*header), (void **)&header,
			      "add a route by way of %s", text);
	header->rtm_family = via->family;
	header->rtm_dst_len = to->family ? to->prefix : 0;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = RTPROT_STATIC;
	header->rtm_scope = RT_SCOPE_UNIVERSE;
	header->rtm_type = RTN_UNICAST;
	if (to->family && to->prefix)
		mnl_attr_put(message, RTA_DST, size, to->bytes);
	mnl_attr_put(message, RTA_GATEWAY, size, via->bytes);
	mnl_attr_put_u32(message, RTA_OIF, index);
	if (metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, metric);
}

static struct nlmsghdr *add_neighbour(struct netlink *netlink, uint16_t type, uint16_t flags, int index,
				      const struct net_address *address, struct ndmsg **ret_header)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct nlmsghdr *message;

	inet_ntop(address->family, address->bytes, text, sizeof(text));
	message =
	    netlink_add(netlink, type, flags, sizeof(**ret_header), (void **)ret_header, "note the neighbour %s", text);
	(*ret_header)->ndm_family = address->family;
	(*ret_header)->ndm_ifindex = index;
	mnl_attr_put(message, NDA_DST, address_size(address->family), address->bytes);
	return message;
}

void link_set_neighbour(struct netlink *netlink, int index, const struct net_address *address, const uint8_t mac[6])
{
	struct ndmsg *header;
	struct nlmsghdr *message =
	    add_neighbour(netlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, address, &header);

	header->ndm_state = NUD_PERMANENT;
	mnl_attr_put(message, NDA_LLADDR, 6, mac);
}

void link_delete_neighbour(struct netlink *netlink, int index, const struct net_address *address)
{
	struct ndmsg *header;

	add_neighbour(netlink, RTM_DELNEIGH, 0, index, address, &header);
	netlink_may_miss(netlink);
}
