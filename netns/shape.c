/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/shape.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>

#include "base/str.h"
#include "netns/classifier.h"
#include "netns/link.h"

enum { QUEUE_MS = 50, REDIRECT_PRIORITY = 2 };

void shape_ifb_name(const char *link, char ret[NET_INTERFACE_SIZE])
{
	snprintf(ret, NET_INTERFACE_SIZE, "hf%s", link + 2);
}

static struct nlmsghdr *add_qdisc(struct netlink *netlink, uint16_t type, uint16_t flags, int index, const char *what)
{
	struct tcmsg *header;
	struct nlmsghdr *message = netlink_add(netlink, type, flags, sizeof(*header), (void **)&header, "%s", what);

	header->tcm_family = AF_UNSPEC;
	header->tcm_ifindex = index;
	header->tcm_parent = TC_H_ROOT;
	return message;
}

/* In the kernel's time of token buckets: 64 ns a tick, whatever the clock. */
static uint32_t time_of(uint64_t bytes, uint64_t rate)
{
	uint64_t ticks = bytes * 15625000ULL / rate;

	return ticks > UINT32_MAX ? UINT32_MAX : ticks;
}

static void set_bucket(struct netlink *netlink, int index, const struct net_rate *rate)
{
	uint64_t limit = rate->rate * QUEUE_MS / 1000 + rate->burst;
	struct tc_tbf_qopt bucket = {
	    .rate = {.rate = rate->rate > UINT32_MAX ? UINT32_MAX : rate->rate, .linklayer = TC_LINKLAYER_ETHERNET},
	    .limit = limit > UINT32_MAX ? UINT32_MAX : limit,
	    .buffer = time_of(rate->burst, rate->rate),
	};
	struct nlmsghdr *message;
	struct nlattr *options;

	message = add_qdisc(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index, "limit the rate of a link");
	mnl_attr_put_strz(message, TCA_KIND, "tbf");
	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put(message, TCA_TBF_PARMS, sizeof(bucket), &bucket);
	mnl_attr_put_u32(message, TCA_TBF_BURST, rate->burst);
	if (rate->rate > UINT32_MAX)
		mnl_attr_put_u64(message, TCA_TBF_RATE64, rate->rate);
	mnl_attr_nest_end(message, options);
}

static void clear_bucket(struct netlink *netlink, int index)
{
	add_qdisc(netlink, RTM_DELQDISC, 0, index, "take the rate limit off a link");
	netlink_may_miss(netlink);
}

/* Every frame that the guard let pass goes to the ifb and comes back from it as if it had just arrived. */
static void add_redirect(struct netlink *netlink, int index, int ifb)
{
	const struct sock_filter all = {.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	struct tc_mirred mirred = {.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = ifb};
	struct nlattr *options, *actions, *first, *action;
	struct nlmsghdr *message;

	message = classifier_filter(netlink, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index, TC_H_MIN_INGRESS,
				    REDIRECT_PRIORITY, "lead what the instance sends to its queue");
	netlink_may_exist(netlink);
	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u16(message, TCA_BPF_OPS_LEN, 1);
	mnl_attr_put(message, TCA_BPF_OPS, sizeof(all), &all);
	actions = mnl_attr_nest_start(message, TCA_BPF_ACT);
	first = mnl_attr_nest_start(message, 1);
	mnl_attr_put_strz(message, TCA_ACT_KIND, "mirred");
	action = mnl_attr_nest_start(message, TCA_ACT_OPTIONS);
	mnl_attr_put(message, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	mnl_attr_nest_end(message, action);
	mnl_attr_nest_end(message, first);
	mnl_attr_nest_end(message, actions);
	mnl_attr_nest_end(message, options);
}

static int shape_egress(struct netlink *netlink, int index, const char *link, const struct net_rate *rate,
			struct error *e)
{
	char name[NET_INTERFACE_SIZE];
	struct link_facts ifb;
	int r;

	shape_ifb_name(link, name);
	if (!rate->rate) {
		classifier_filter(netlink, RTM_DELTFILTER, 0, index, TC_H_MIN_INGRESS, REDIRECT_PRIORITY,
				  "release what the instance sends");
		netlink_may_miss(netlink);
		link_delete(netlink, name);
		return netlink_commit(netlink, e);
	}
	link_create_ifb(netlink, name);
	netlink_may_exist(netlink);
	r = netlink_commit(netlink, e);
	if (r == -EOPNOTSUPP)
		return error_refuse(e, ERROR_UNSUPPORTED, "this kernel has no ifb links, which limiting egress needs");
	if (!r)
		r = link_find(netlink, name, &ifb, e);
	if (r)
		return r;
	set_bucket(netlink, ifb.index, rate);
	link_configure_port(netlink, ifb.index, name, link, false);
	add_redirect(netlink, index, ifb.index);
	return netlink_commit(netlink, e);
}

int shape_apply(struct netlink *netlink, int index, const char *link, const struct net_rate *egress,
		const struct net_rate *ingress, struct error *e)
{
	int r;

	if (ingress->rate)
		set_bucket(netlink, index, ingress);
	else
		clear_bucket(netlink, index);
	r = netlink_commit(netlink, e);
	if (r == -ENOENT && ingress->rate)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "this kernel has no token bucket filter (tbf), which rates need");
	return r ?: shape_egress(netlink, index, link, egress, e);
}
