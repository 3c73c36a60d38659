/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/classifier.h"

/* Offsets in a frame. */
enum {
	AT_SOURCE = 6,
	AT_TYPE = 12,
	AT_IP = 14,
	ARP_HARDWARE = AT_IP,
	ARP_PROTOCOL = AT_IP + 2,
	ARP_SIZES = AT_IP + 4,
	ARP_SENDER = AT_IP + 8,
	ARP_SENDER_IP = AT_IP + 14,
	IP4_FRAGMENT = AT_IP + 6,
	IP4_PROTOCOL = AT_IP + 9,
	IP4_SOURCE = AT_IP + 12,
	IP4_DESTINATION = AT_IP + 16,
	IP6_NEXT = AT_IP + 6,
	IP6_SOURCE = AT_IP + 8,
	IP6_PAYLOAD = AT_IP + 40,
	ND_TARGET = IP6_PAYLOAD + 8,
	EXTENSION_PAYLOAD = IP6_PAYLOAD + 8, /* behind an extension header of the least size */
};

enum { NEXT_HOP_BY_HOP = 0, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_ICMP6 = 58, NEXT_DESTINATION = 60 };
enum {
	ICMP4_REDIRECT = 5,
	ND_ROUTER_SOLICITATION = 133,
	ND_ROUTER_ADVERTISEMENT = 134,
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_REDIRECT = 137
};
enum { DHCP4_SERVER = 67, DHCP6_SERVER = 547 };
enum { MLD_QUERY = 130, MLD_REPORT = 131, MLD_DONE = 132, MLD2_REPORT = 143 };

/*
 * Jumps go forward and count instructions.  While building, a branch that does not fall through names a label; it is
 * resolved when the label is placed.
 */
enum label {
	NEXT,
	DROP,
	PASS,
	ARP,
	IP4,
	IP4_ICMP,
	IP4_UDP,
	IP6,
	IP6_OWN,
	IP6_LOCAL,
	IP6_KNOWN,
	IP6_UNSPECIFIED,
	IP6_UNSPECIFIED_ICMP,
	ICMP6,
	IP6_UDP,
	ADVERTISEMENT,
	ADVERTISEMENT_LOCAL,
	HOP_BY_HOP,
	FRAGMENT,
	FRAGMENT_ICMP6,
	FRAGMENT_UDP,
	_LABEL_N
};

struct program {
	struct sock_filter *code;
	size_t n;
	struct {
		uint8_t yes, no;
	} labels[GUARD_SIZE];
};

static void emit(struct program *p, uint16_t code, uint32_t k, enum label yes, enum label no)
{
	if (p->n == GUARD_SIZE) {
		fprintf(stderr, "holm-net: the guard's program is too long\n");
		abort();
	}
	p->labels[p->n].yes = yes;
	p->labels[p->n].no = no;
	p->code[p->n++] = (struct sock_filter){.code = code, .k = k};
}

static void place(struct program *p, enum label label)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->labels[i].yes == label)
			p->code[i].jt = p->n - i - 1;
		if (p->labels[i].no == label)
			p->code[i].jf = p->n - i - 1;
		if (p->labels[i].yes == label)
			p->labels[i].yes = NEXT;
		if (p->labels[i].no == label)
			p->labels[i].no = NEXT;
	}
}

static void load(struct program *p, uint16_t size, uint32_t at)
{
	emit(p, BPF_LD | BPF_ABS | size, at, NEXT, NEXT);
}

static void is(struct program *p, uint32_t value, enum label yes, enum label no)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}

static void must_be(struct program *p, uint16_t size, uint32_t at, uint32_t value)
{
	load(p, size, at);
	is(p, value, NEXT, DROP);
}

static void jump(struct program *p, enum label to)
{
	is(p, 0, to, to);
}

static uint32_t word(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return ntohl(value);
}

static void must_be_mac(struct program *p, uint32_t at, const uint8_t mac[6])
{
	must_be(p, BPF_W, at, word(mac));
	must_be(p, BPF_H, at + 4, mac[4] << 8 | mac[5]);
}

/* Sixteen bytes: the last comparison decides for yes, each other one for no. */
static void compare_address6(struct program *p, uint32_t at, const uint8_t bytes[16], enum label yes, enum label no)
{
	for (int i = 0; i < 16; i += 4) {
		load(p, BPF_W, at + i);
		is(p, word(bytes + i), i == 12 ? yes : NEXT, no);
	}
}

static void build_arp(struct program *p, const uint8_t mac[6], const struct net_address *address4)
{
	place(p, ARP);
	must_be(p, BPF_H, ARP_HARDWARE, 1);
	must_be(p, BPF_H, ARP_PROTOCOL, ETH_P_IP);
	must_be(p, BPF_H, ARP_SIZES, 6 << 8 | 4);
	must_be_mac(p, ARP_SENDER, mac);
	load(p, BPF_W, ARP_SENDER_IP);
	is(p, 0, PASS, NEXT); /* a probe for duplicates */
	is(p, address4->family ? word(address4->bytes) : 0, PASS, DROP);
}

static void build_ip4(struct program *p, const struct net_address *address4, bool is_routed)
{
	place(p, IP4);
	if (!address4->family) {
		jump(p, DROP);
		return;
	}
	must_be(p, BPF_W, IP4_SOURCE, word(address4->bytes));
	load(p, BPF_B, IP4_DESTINATION);
	is(p, 127, DROP, NEXT);
	load(p, BPF_B, IP4_PROTOCOL);
	is(p, IPPROTO_ICMP, IP4_ICMP, is_routed ? NEXT : PASS);
	if (is_routed) {
		is(p, IPPROTO_UDP, IP4_UDP, PASS);
		place(p, IP4_UDP);
		load(p, BPF_H, IP4_FRAGMENT);
		emit(p, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, PASS, NEXT);
		emit(p, BPF_LDX | BPF_B | BPF_MSH, AT_IP, NEXT, NEXT);
		emit(p, BPF_LD | BPF_H | BPF_IND, AT_IP, NEXT, NEXT);
		is(p, DHCP4_SERVER, DROP, PASS);
	}
	place(p, IP4_ICMP);
	load(p, BPF_H, IP4_FRAGMENT);
	emit(p, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, PASS, NEXT); /* the offset: types are in the first one */
	emit(p, BPF_LDX | BPF_B | BPF_MSH, AT_IP, NEXT, NEXT);	 /* X: the header's length */
	emit(p, BPF_LD | BPF_B | BPF_IND, AT_IP, NEXT, NEXT);
	is(p, ICMP4_REDIRECT, DROP, PASS);
}

static void build_ip6_source(struct program *p, const uint8_t local[16], const struct net_address *address6,
			     bool is_routed)
{
	static const uint8_t unspecified[16];

	place(p, IP6);
	if (address6->family)
		compare_address6(p, IP6_SOURCE, address6->bytes, IP6_KNOWN, IP6_LOCAL);
	place(p, IP6_LOCAL);
	compare_address6(p, IP6_SOURCE, local, IP6_KNOWN, is_routed ? DROP : IP6_UNSPECIFIED);
	if (is_routed)
		return;
	place(p, IP6_UNSPECIFIED);
	compare_address6(p, IP6_SOURCE, unspecified, IP6_UNSPECIFIED_ICMP, DROP);
	/* Without an address yet: looking for duplicates, and saying which groups it listens to. */
	place(p, IP6_UNSPECIFIED_ICMP);
	load(p, BPF_B, IP6_NEXT);
	is(p, NEXT_HOP_BY_HOP, HOP_BY_HOP, NEXT);
	is(p, NEXT_ICMP6, NEXT, DROP);
	must_be(p, BPF_B, IP6_PAYLOAD, ND_SOLICITATION);
	jump(p, PASS);
}

static void build_ip6_content(struct program *p, const uint8_t local[16], const struct net_address *address6,
			      bool is_routed)
{
	place(p, IP6_KNOWN);
	load(p, BPF_B, IP6_NEXT);
	is(p, NEXT_ICMP6, ICMP6, NEXT);
	if (is_routed)
		is(p, IPPROTO_UDP, IP6_UDP, NEXT);
	is(p, NEXT_HOP_BY_HOP, is_routed ? DROP : HOP_BY_HOP, NEXT);
	is(p, NEXT_FRAGMENT, FRAGMENT, NEXT);
	is(p, NEXT_ROUTING, DROP, NEXT);
	is(p, NEXT_DESTINATION, DROP, PASS);

	if (is_routed) {
		place(p, IP6_UDP);
		load(p, BPF_H, IP6_PAYLOAD);
		is(p, DHCP6_SERVER, DROP, PASS);
	}

	place(p, ICMP6);
	load(p, BPF_B, IP6_PAYLOAD);
	if (is_routed)
		is(p, ND_ROUTER_SOLICITATION, DROP, NEXT);
	is(p, ND_ROUTER_ADVERTISEMENT, DROP, NEXT);
	is(p, ND_REDIRECT, DROP, NEXT);
	is(p, ND_ADVERTISEMENT, ADVERTISEMENT, PASS);

	place(p, ADVERTISEMENT);
	if (address6->family)
		compare_address6(p, ND_TARGET, address6->bytes, PASS, ADVERTISEMENT_LOCAL);
	place(p, ADVERTISEMENT_LOCAL);
	compare_address6(p, ND_TARGET, local, PASS, DROP);

	/* Only what multicast needs: a router alert of 8 bytes and a listener's message. */
	if (!is_routed) {
		place(p, HOP_BY_HOP);
		must_be(p, BPF_H, IP6_PAYLOAD, NEXT_ICMP6 << 8);
		load(p, BPF_B, EXTENSION_PAYLOAD);
		is(p, MLD2_REPORT, PASS, NEXT);
		is(p, MLD_REPORT, PASS, NEXT);
		is(p, MLD_QUERY, PASS, NEXT);
		is(p, MLD_DONE, PASS, DROP);
	}

	/* Pings may be long; neighbour discovery never is (RFC 6980), and nothing else hides behind a fragment header.
	 */
	place(p, FRAGMENT);
	load(p, BPF_B, IP6_PAYLOAD);
	is(p, NEXT_HOP_BY_HOP, DROP, NEXT);
	is(p, NEXT_ROUTING, DROP, NEXT);
	is(p, NEXT_DESTINATION, DROP, NEXT);
	if (is_routed)
		is(p, IPPROTO_UDP, FRAGMENT_UDP, NEXT);
	is(p, NEXT_ICMP6, FRAGMENT_ICMP6, PASS);
	if (is_routed) {
		place(p, FRAGMENT_UDP);
		load(p, BPF_H, IP6_PAYLOAD + 2);
		emit(p, BPF_JMP | BPF_JSET | BPF_K, 0xfff8, PASS, NEXT);
		load(p, BPF_H, EXTENSION_PAYLOAD);
		is(p, DHCP6_SERVER, DROP, PASS);
	}
	place(p, FRAGMENT_ICMP6);
	load(p, BPF_H, IP6_PAYLOAD + 2);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0xfff8, NEXT, NEXT); /* the offset: types are in the first one */
	is(p, 0, NEXT, PASS);
	load(p, BPF_B, EXTENSION_PAYLOAD);
	emit(p, BPF_JMP | BPF_JGT | BPF_K, ND_REDIRECT, PASS, NEXT);
	emit(p, BPF_JMP | BPF_JGE | BPF_K, ND_ROUTER_ADVERTISEMENT, DROP, PASS);
}

size_t guard_build(struct sock_filter code[GUARD_SIZE], const uint8_t mac[6], const struct net_address *address4,
		   const struct net_address *address6, bool is_routed)
{
	const uint8_t local[16] = {0xfe,       0x80,   0,      0,    0,	   0,	   0,	   0,
				   mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
	struct program program = {.code = code}, *p = &program;

	emit(p, BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT, NEXT, NEXT);
	is(p, 0, NEXT, DROP);
	must_be_mac(p, AT_SOURCE, mac);
	load(p, BPF_H, AT_TYPE);
	is(p, ETH_P_IP, IP4, NEXT);
	is(p, ETH_P_IPV6, IP6, NEXT);
	is(p, ETH_P_ARP, ARP, DROP);
	build_arp(p, mac, address4);
	build_ip4(p, address4, is_routed);
	build_ip6_source(p, local, address6, is_routed);
	build_ip6_content(p, local, address6, is_routed);
	place(p, DROP);
	emit(p, BPF_RET | BPF_K, TC_ACT_SHOT, NEXT, NEXT);
	place(p, PASS);
	emit(p, BPF_RET | BPF_K, (uint32_t)TC_ACT_UNSPEC, NEXT, NEXT); /* on to the next filter, if there is one */
	return p->n;
}

size_t guard_build_mac(struct sock_filter code[GUARD_SIZE], const uint8_t mac[6])
{
	struct program program = {.code = code}, *p = &program;

	emit(p, BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT, NEXT, NEXT);
	is(p, 0, NEXT, DROP);
	must_be_mac(p, AT_SOURCE, mac);
	load(p, BPF_H, AT_TYPE);
	is(p, ETH_P_IP, IP4, NEXT);
	is(p, ETH_P_ARP, ARP, PASS);
	place(p, IP4);
	load(p, BPF_B, IP4_DESTINATION);
	is(p, 127, DROP, PASS);
	place(p, ARP);
	must_be_mac(p, ARP_SENDER, mac);
	jump(p, PASS);
	place(p, DROP);
	emit(p, BPF_RET | BPF_K, TC_ACT_SHOT, NEXT, NEXT);
	place(p, PASS);
	emit(p, BPF_RET | BPF_K, (uint32_t)TC_ACT_UNSPEC, NEXT, NEXT);
	return p->n;
}

static void add_filter(struct netlink *netlink, int index, uint32_t direction, const struct sock_filter *code, size_t n)
{
	struct nlmsghdr *message = classifier_filter(netlink, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index,
						     direction, 1, "put the guard on the link");
	struct nlattr *options;

	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u16(message, TCA_BPF_OPS_LEN, n);
	mnl_attr_put(message, TCA_BPF_OPS, n * sizeof(*code), code);
	mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(message, options);
}

/* Not to a group, or not from the instance itself: on.  Else it is an echo. */
static void add_echo_filter(struct netlink *netlink, int index, const uint8_t mac[6])
{
	const struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 5),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_SOURCE),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word(mac), 0, 3),
	    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_SOURCE + 4),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac[4] << 8 | mac[5], 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
	    BPF_STMT(BPF_RET | BPF_K, (uint32_t)TC_ACT_UNSPEC),
	};

	add_filter(netlink, index, TC_H_MIN_EGRESS, code, sizeof(code) / sizeof(*code));
}

void guard_attach(struct netlink *netlink, int index, const struct net_member *member, bool is_routed, bool has_hairpin)
{
	struct nlmsghdr *message = classifier_message(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index,
						      "make a classifier on the instance's link");
	struct sock_filter code[GUARD_SIZE];
	size_t n;

	mnl_attr_put_strz(message, TCA_KIND, has_hairpin ? "clsact" : "ingress");
	/* Where others give the addresses (no subnet), the guard can't know them: then the hardware address alone is
	 * fixed. */
	if (member->address4.family || member->address6.family)
		n = guard_build(code, member->mac, &member->address4, &member->address6, is_routed);
	else
		n = guard_build_mac(code, member->mac);
	add_filter(netlink, index, TC_H_MIN_INGRESS, code, n);
	if (has_hairpin)
		add_echo_filter(netlink, index, member->mac);
}

void guard_close_bridge(struct netlink *netlink, int index)
{
	const struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT);
	struct nlmsghdr *message = classifier_message(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index,
						      "make a classifier on the bridge");

	mnl_attr_put_strz(message, TCA_KIND, "ingress");
	netlink_may_exist(netlink);
	add_filter(netlink, index, TC_H_MIN_INGRESS, &drop, 1);
	netlink_may_exist(netlink);
}

void guard_detach(struct netlink *netlink, int index)
{
	classifier_message(netlink, RTM_DELQDISC, 0, index, "take the classifier off the instance's link");
	netlink_may_miss(netlink);
}

static int read_kind(const struct nlmsghdr *message, void *data, struct error *e)
{
	const struct nlattr *attribute;

	(void)e;
	mnl_attr_for_each(attribute, message, sizeof(struct tcmsg))
	{
		if (mnl_attr_get_type(attribute) == TCA_KIND)
			*(bool *)data = !strcmp(mnl_attr_get_str(attribute), "clsact");
	}
	return 0;
}

int guard_has_hairpin(struct netlink *netlink, int index, bool *ret, struct error *e)
{
	int r;

	*ret = false;
	classifier_message(netlink, RTM_GETQDISC, 0, index, "look at the classifier of the instance's link");
	r = netlink_query(netlink, read_kind, ret, e);
	return r == -ENOENT || r == -EINVAL ? 0 : r; /* it has none */
}
