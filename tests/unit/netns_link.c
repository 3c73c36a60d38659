/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the messages hold that make and move links, before any kernel sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>

#include "netns/link.h"

static const uint8_t mac[6] = {0x0a, 0x68, 1, 2, 3, 4};

/* The attribute of that type behind a header of size bytes in [data, data + length), or NULL. */
static const struct nlattr *find(const void *data, size_t length, size_t size, uint16_t type)
{
	const char *begin = (const char *)data + MNL_ALIGN(size);
	const struct nlattr *attr;

	mnl_attr_for_each_payload((const struct nlattr *)begin,
				  length - MNL_ALIGN(size)) if (mnl_attr_get_type(attr) == type) return attr;
	return NULL;
}

static const struct nlattr *find_top(const struct nlmsghdr *message, size_t header, uint16_t type)
{
	return find(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message), header, type);
}

static const struct nlattr *find_in(const struct nlattr *nest, size_t header, uint16_t type)
{
	assert_non_null(nest);
	return find(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), header, type);
}

/* The i'th message of a batch, which must have n. */
static const struct nlmsghdr *message_of(const struct netlink *netlink, unsigned n, unsigned i)
{
	const char *p = netlink->buffer;

	assert_int_equal(netlink->n, n);
	while (i--)
		p += MNL_ALIGN(((const struct nlmsghdr *)p)->nlmsg_len);
	return (const struct nlmsghdr *)p;
}

static void test_veth(void **state)
{
	const struct link_inside inside = {7, "eth0", mac, 1400};
	auto_netlink netlink = NETLINK_INIT;
	const struct nlmsghdr *message;
	const struct nlattr *info, *peer;

	(void)state;
	link_create_veth(&netlink, "hv0", mac, 42, &inside);
	message = message_of(&netlink, 1, 0);
	assert_int_equal(message->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	assert_string_equal(mnl_attr_get_str(find_top(message, sizeof(struct ifinfomsg), IFLA_IFNAME)), "hv0");
	assert_int_equal(mnl_attr_get_u32(find_top(message, sizeof(struct ifinfomsg), IFLA_MASTER)), 42);
	assert_int_equal(mnl_attr_get_u32(find_top(message, sizeof(struct ifinfomsg), IFLA_MTU)), 1400);
	info = find_top(message, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	assert_string_equal(mnl_attr_get_str(find_in(info, 0, IFLA_INFO_KIND)), "veth");
	/* The peer is born where it belongs, with all that it is. */
	peer = find_in(find_in(info, 0, IFLA_INFO_DATA), 0, VETH_INFO_PEER);
	assert_string_equal(mnl_attr_get_str(find_in(peer, sizeof(struct ifinfomsg), IFLA_IFNAME)), "eth0");
	assert_int_equal(mnl_attr_get_u32(find_in(peer, sizeof(struct ifinfomsg), IFLA_NET_NS_FD)), 7);
	assert_int_equal(mnl_attr_get_u32(find_in(peer, sizeof(struct ifinfomsg), IFLA_MTU)), 1400);
	assert_memory_equal(mnl_attr_get_payload(find_in(peer, sizeof(struct ifinfomsg), IFLA_ADDRESS)), mac, 6);
	assert_string_equal(netlink.messages[0].what, "create the veth 'hv0'");
}

static void test_move(void **state)
{
	auto_netlink netlink = NETLINK_INIT;
	const struct nlmsghdr *message;

	(void)state;
	link_move(&netlink, 5, "eth1", 9, "net%d", 6);
	message = message_of(&netlink, 1, 0);
	assert_int_equal(((struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_index, 5);
	assert_int_equal(mnl_attr_get_u32(find_top(message, sizeof(struct ifinfomsg), IFLA_NET_NS_FD)), 9);
	assert_int_equal(mnl_attr_get_u32(find_top(message, sizeof(struct ifinfomsg), IFLA_NEW_IFINDEX)), 6);
	assert_string_equal(mnl_attr_get_str(find_top(message, sizeof(struct ifinfomsg), IFLA_IFNAME)), "net%d");
}

static void test_address(void **state)
{
	struct link_address address = {
	    .family = AF_INET, .prefix = 22, .bytes = {10, 66, 0, 5}, .broadcast = {10, 66, 3, 255}};
	auto_netlink netlink = NETLINK_INIT;
	const struct nlmsghdr *message;
	const struct ifaddrmsg *header;

	(void)state;
	address.has_broadcast = true;
	link_set_up(&netlink, 3, "eth0");
	link_add_address(&netlink, 3, &address, "eth0");
	message = message_of(&netlink, 2, 1);
	header = mnl_nlmsg_get_payload(message);
	assert_int_equal(message->nlmsg_type, RTM_NEWADDR);
	assert_int_equal(header->ifa_index, 3);
	assert_int_equal(header->ifa_prefixlen, 22);
	assert_int_equal(mnl_attr_get_payload_len(find_top(message, sizeof(*header), IFA_LOCAL)), 4);
	assert_memory_equal(mnl_attr_get_payload(find_top(message, sizeof(*header), IFA_BROADCAST)), "\x0a\x42\x03\xff",
			    4);
	assert_string_equal(netlink.messages[1].what, "give the address 10.66.0.5/22 to 'eth0'");
	/* The second follows on the first, with the next number. */
	assert_int_equal(message->nlmsg_seq, message_of(&netlink, 2, 0)->nlmsg_seq + 1);
}

static void test_many(void **state)
{
	auto_netlink netlink = NETLINK_INIT;
	unsigned n = 0;

	(void)state;
	while (!netlink_is_full(&netlink)) {
		link_set_up(&netlink, ++n, "a");
		assert_int_equal(((struct ifinfomsg *)mnl_nlmsg_get_payload(message_of(&netlink, n, n - 1)))->ifi_index,
				 n);
	}
	assert_in_range(n, 500, NETLINK_BATCH_MAX);
	assert_int_equal(((struct ifinfomsg *)mnl_nlmsg_get_payload(message_of(&netlink, n, 0)))->ifi_index, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_veth),
	    cmocka_unit_test(test_move),
	    cmocka_unit_test(test_address),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
