/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/classifier.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static struct nlmsghdr *add(struct netlink *netlink, uint16_t type, uint16_t flags, int index, uint32_t parent,
			    struct tcmsg **ret, const char *what)
{
	struct nlmsghdr *message = netlink_add(netlink, type, flags, sizeof(**ret), (void **)ret, "%s", what);

	(*ret)->tcm_family = AF_UNSPEC;
	(*ret)->tcm_ifindex = index;
	(*ret)->tcm_parent = parent;
	return message;
}

struct nlmsghdr *classifier_message(struct netlink *netlink, uint16_t type, uint16_t flags, int index, const char *what)
{
	struct tcmsg *header;
	struct nlmsghdr *message = add(netlink, type, flags, index, TC_H_CLSACT, &header, what);

	header->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	return message;
}

struct nlmsghdr *classifier_filter(struct netlink *netlink, uint16_t type, uint16_t flags, int index,
				   uint32_t direction, uint16_t priority, const char *what)
{
	struct tcmsg *header;
	struct nlmsghdr *message = add(netlink, type, flags, index, TC_H_MAKE(TC_H_CLSACT, direction), &header, what);

	header->tcm_handle = 1;
	header->tcm_info = TC_H_MAKE((uint32_t)priority << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(message, TCA_KIND, "bpf");
	return message;
}
