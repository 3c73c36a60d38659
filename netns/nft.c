/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/parse.h"

static const char table_name[] = "holm";

/* ---- the table: sets and maps ---- */

/* nft(8)'s numbers for types, which it needs to print sets; a concatenation is six bits each. */
enum { T_FAMILY = 2, T_IP4 = 7, T_IP6 = 8, T_PROTOCOL = 12, T_PORT = 13, T_NAME = 41 };
#define T2(a, b) ((a) << 6 | (b))
#define T3(a, b, c) (T2(a, b) << 6 | (c))

enum { L_NAME = 16, L_IP4 = 4, L_IP6 = 16, L_FIELD = 4 };

enum set {
	BRIDGES,
	OUTWARD,
	PAIRS,
	LOCAL4,
	LOCAL6,
	NAT4,
	NAT6,
	OPENED4,
	OPENED6,
	OPENED_FAMILIES,
	LAN4,
	LAN6,
	PORTS4,
	PORTS6,
	PORTS4_ANY,
	PORTS6_ANY,
	SENT_LAN4,
	SENT_LAN6,
	SENT_WAN4,
	SENT_WAN6,
	RECEIVED_LAN4,
	RECEIVED_LAN6,
	RECEIVED_WAN4,
	RECEIVED_WAN6,
	_SET_N
};

static const struct {
	const char *name;
	uint32_t key_type, key_size, data_type, data_size, flags;
	uint8_t fields[2]; /* of a concatenation of intervals: the fields' sizes */
	bool counter;
} sets[_SET_N] = {
    [BRIDGES] = {"bridges", T_NAME, L_NAME},		 /* whose members we route for */
    [OUTWARD] = {"outward", T_NAME, L_NAME},		 /* of these: may leave the host */
    [PAIRS] = {"pairs", T2(T_NAME, T_NAME), 2 * L_NAME}, /* in . out: routed between */
    [LOCAL4] = {"local4", T2(T_IP4, T_NAME), L_IP4 + L_NAME, .flags = NFT_SET_INTERVAL | NFT_SET_CONCAT,
		.fields = {L_IP4, L_NAME}}, /* subnet . bridge */
    [LOCAL6] = {"local6", T2(T_IP6, T_NAME), L_IP6 + L_NAME, .flags = NFT_SET_INTERVAL | NFT_SET_CONCAT,
		.fields = {L_IP6, L_NAME}},
    [NAT4] = {"nat4", T_IP4, L_IP4, .flags = NFT_SET_INTERVAL}, /* subnets that leave the host as it */
    [NAT6] = {"nat6", T_IP6, L_IP6, .flags = NFT_SET_INTERVAL},
    [OPENED4] = {"opened4", T_NAME, L_NAME}, /* uplinks that forward only because of us */
    [OPENED6] = {"opened6", T_NAME, L_NAME},
    [OPENED_FAMILIES] = {"opened_families", T_FAMILY, 1},
    [LAN4] = {"lan4", T_IP4, L_IP4, .flags = NFT_SET_INTERVAL},
    [LAN6] = {"lan6", T_IP6, L_IP6, .flags = NFT_SET_INTERVAL},
    [PORTS4] = {"ports4", T3(T_IP4, T_PROTOCOL, T_PORT), L_IP4 + 2 * L_FIELD, T2(T_IP4, T_PORT), L_IP4 + L_FIELD,
		NFT_SET_MAP},
    [PORTS6] = {"ports6", T3(T_IP6, T_PROTOCOL, T_PORT), L_IP6 + 2 * L_FIELD, T2(T_IP6, T_PORT), L_IP6 + L_FIELD,
		NFT_SET_MAP},
    [PORTS4_ANY] = {"ports4_any", T2(T_PROTOCOL, T_PORT), 2 * L_FIELD, T2(T_IP4, T_PORT), L_IP4 + L_FIELD, NFT_SET_MAP},
    [PORTS6_ANY] = {"ports6_any", T2(T_PROTOCOL, T_PORT), 2 * L_FIELD, T2(T_IP6, T_PORT), L_IP6 + L_FIELD, NFT_SET_MAP},
    [SENT_LAN4] = {"sent_lan4", T_IP4, L_IP4, .counter = true},
    [SENT_LAN6] = {"sent_lan6", T_IP6, L_IP6, .counter = true},
    [SENT_WAN4] = {"sent_wan4", T_IP4, L_IP4, .counter = true},
    [SENT_WAN6] = {"sent_wan6", T_IP6, L_IP6, .counter = true},
    [RECEIVED_LAN4] = {"received_lan4", T_IP4, L_IP4, .counter = true},
    [RECEIVED_LAN6] = {"received_lan6", T_IP6, L_IP6, .counter = true},
    [RECEIVED_WAN4] = {"received_wan4", T_IP4, L_IP4, .counter = true},
    [RECEIVED_WAN6] = {"received_wan6", T_IP6, L_IP6, .counter = true},
};

/* What counts as lan: private, link-local and carrier-grade ranges.  All else is wan. */
static const char *const lan_subnets[] = {
    "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10",
};

/* ---- the table: chains and rules ---- */

enum chain {
	CHAIN_PORTS,
	CHAIN_SENT,
	CHAIN_RECEIVED,
	CHAIN_INSIDE,
	CHAIN_OUTSIDE,
	CHAIN_GUARD,
	CHAIN_PREROUTING,
	CHAIN_OUTPUT,
	CHAIN_POSTROUTING,
	CHAIN_FORWARD,
	_CHAIN_N
};

static const struct {
	const char *name, *type; /* no type: only jumped to */
	uint32_t hook;
	int32_t priority;
} chains[_CHAIN_N] = {
    [CHAIN_PORTS] = {"ports"},
    [CHAIN_SENT] = {"sent"},
    [CHAIN_RECEIVED] = {"received"},
    [CHAIN_INSIDE] = {"inside"},
    [CHAIN_OUTSIDE] = {"outside"},
    [CHAIN_GUARD] = {"guard", "filter", NF_INET_PRE_ROUTING, -300},
    [CHAIN_PREROUTING] = {"prerouting", "nat", NF_INET_PRE_ROUTING, -100},
    [CHAIN_OUTPUT] = {"output", "nat", NF_INET_LOCAL_OUT, -100},
    [CHAIN_POSTROUTING] = {"postrouting", "nat", NF_INET_POST_ROUTING, 100},
    [CHAIN_FORWARD] = {"forward", "filter", NF_INET_FORWARD, 0},
};

/* One expression of a rule.  Registers are numbers of 4-byte ones, from 0. */
struct step {
	enum {
		STEP_NONE,
		STEP_META,    /* key a into register r */
		STEP_NET,     /* network header, offset a, b bytes into r */
		STEP_DPORT,   /* destination port into r */
		STEP_CT,      /* conntrack key a into r */
		STEP_FIB,     /* type of the destination address into r */
		STEP_MASK,    /* r &= a (host order) */
		STEP_MASKNET, /* r &= a (network order) */
		STEP_IS,      /* r == a, b bytes (host order) */
		STEP_ISNT,
		STEP_ISNET, /* r == a, 4 bytes (network order) */
		STEP_IN,    /* r in set a */
		STEP_NOT_IN,
		STEP_MAP,  /* r = map a[r] */
		STEP_DNAT, /* family a, address in r, port in b */
		STEP_MASQUERADE,
		STEP_JUMP,    /* chain a */
		STEP_VERDICT, /* a */
	} kind;
	uint32_t a, b, r;
};

#define META(key, reg)                                                                                                 \
	{                                                                                                              \
		STEP_META, NFT_META_##key, 0, reg                                                                      \
	}
#define FAMILY4                                                                                                        \
	META(NFPROTO, 0),                                                                                              \
	{                                                                                                              \
		STEP_IS, NFPROTO_IPV4, 1, 0                                                                            \
	}
#define FAMILY6                                                                                                        \
	META(NFPROTO, 0),                                                                                              \
	{                                                                                                              \
		STEP_IS, NFPROTO_IPV6, 1, 0                                                                            \
	}
#define SADDR4(reg)                                                                                                    \
	{                                                                                                              \
		STEP_NET, 12, L_IP4, reg                                                                               \
	}
#define DADDR4(reg)                                                                                                    \
	{                                                                                                              \
		STEP_NET, 16, L_IP4, reg                                                                               \
	}
#define SADDR6(reg)                                                                                                    \
	{                                                                                                              \
		STEP_NET, 8, L_IP6, reg                                                                                \
	}
#define DADDR6(reg)                                                                                                    \
	{                                                                                                              \
		STEP_NET, 24, L_IP6, reg                                                                               \
	}
#define DPORT(reg)                                                                                                     \
	{                                                                                                              \
		STEP_DPORT, 0, 0, reg                                                                                  \
	}
#define IN(reg, set)                                                                                                   \
	{                                                                                                              \
		STEP_IN, set, 0, reg                                                                                   \
	}
#define NOT_IN(reg, set)                                                                                               \
	{                                                                                                              \
		STEP_NOT_IN, set, 0, reg                                                                               \
	}
#define MAP(reg, set)                                                                                                  \
	{                                                                                                              \
		STEP_MAP, set, 0, reg                                                                                  \
	}
#define CT_STATE_IS(bits)                                                                                              \
	{STEP_CT, NFT_CT_STATE, 0, 0}, {STEP_MASK, bits, 0, 0},                                                        \
	{                                                                                                              \
		STEP_ISNT, 0, 4, 0                                                                                     \
	}
#define CT_STATUS_HAS(bits)                                                                                            \
	{STEP_CT, NFT_CT_STATUS, 0, 0}, {STEP_MASK, bits, 0, 0},                                                       \
	{                                                                                                              \
		STEP_ISNT, 0, 4, 0                                                                                     \
	}
#define TO_LOCAL                                                                                                       \
	{STEP_FIB, 0, 0, 0},                                                                                           \
	{                                                                                                              \
		STEP_IS, RTN_LOCAL, 4, 0                                                                               \
	}
#define LOOPBACK4(reg)                                                                                                 \
	{STEP_MASKNET, 0xff000000, 0, reg},                                                                            \
	{                                                                                                              \
		STEP_ISNET, 0x7f000000, 0, reg                                                                         \
	}
#define JUMP(chain)                                                                                                    \
	{                                                                                                              \
		STEP_JUMP, chain, 0, 0                                                                                 \
	}
#define ACCEPT                                                                                                         \
	{                                                                                                              \
		STEP_VERDICT, NF_ACCEPT, 0, 0                                                                          \
	}
#define DROP                                                                                                           \
	{                                                                                                              \
		STEP_VERDICT, NF_DROP, 0, 0                                                                            \
	}

#define RETURN                                                                                                         \
	{                                                                                                              \
		STEP_VERDICT, (uint32_t)NFT_RETURN, 0, 0                                                               \
	}

#define STATE_KNOWN (NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED))
#define STATE_NEW NF_CT_STATE_BIT(IP_CT_NEW)

static const struct {
	enum chain chain;
	struct step steps[10];
} rules[] = {
    /* A published port: the destination becomes the instance's. */
    {CHAIN_PORTS, {FAMILY4, DADDR4(0), META(L4PROTO, 1), DPORT(2), MAP(0, PORTS4), {STEP_DNAT, NFPROTO_IPV4, 1, 0}}},
    {CHAIN_PORTS, {FAMILY6, DADDR6(0), META(L4PROTO, 4), DPORT(5), MAP(0, PORTS6), {STEP_DNAT, NFPROTO_IPV6, 4, 0}}},
    {CHAIN_PORTS, {FAMILY4, TO_LOCAL, META(L4PROTO, 0), DPORT(1), MAP(0, PORTS4_ANY), {STEP_DNAT, NFPROTO_IPV4, 1, 0}}},
    {CHAIN_PORTS, {FAMILY6, TO_LOCAL, META(L4PROTO, 0), DPORT(1), MAP(0, PORTS6_ANY), {STEP_DNAT, NFPROTO_IPV6, 4, 0}}},

    /* By destination; who is counted is whoever has elements: one for lan and one for wan. */
    {CHAIN_SENT, {FAMILY4, DADDR4(0), IN(0, LAN4), SADDR4(0), IN(0, SENT_LAN4), RETURN}},
    {CHAIN_SENT, {FAMILY4, SADDR4(0), IN(0, SENT_WAN4), RETURN}},
    {CHAIN_SENT, {FAMILY6, DADDR6(0), IN(0, LAN6), SADDR6(0), IN(0, SENT_LAN6), RETURN}},
    {CHAIN_SENT, {FAMILY6, SADDR6(0), IN(0, SENT_WAN6)}},
    {CHAIN_RECEIVED, {FAMILY4, SADDR4(0), IN(0, LAN4), DADDR4(0), IN(0, RECEIVED_LAN4), RETURN}},
    {CHAIN_RECEIVED, {FAMILY4, DADDR4(0), IN(0, RECEIVED_WAN4), RETURN}},
    {CHAIN_RECEIVED, {FAMILY6, SADDR6(0), IN(0, LAN6), DADDR6(0), IN(0, RECEIVED_LAN6), RETURN}},
    {CHAIN_RECEIVED, {FAMILY6, DADDR6(0), IN(0, RECEIVED_WAN6)}},

    /* From members. */
    {CHAIN_INSIDE, {META(OIFNAME, 0), NOT_IN(0, BRIDGES), JUMP(CHAIN_SENT)}},
    {CHAIN_INSIDE, {CT_STATE_IS(STATE_KNOWN), ACCEPT}},
    {CHAIN_INSIDE, {CT_STATUS_HAS(IPS_DST_NAT), ACCEPT}},
    {CHAIN_INSIDE, {META(IIFNAME, 0), IN(0, OUTWARD), META(OIFNAME, 0), NOT_IN(0, BRIDGES), ACCEPT}},
    {CHAIN_INSIDE, {META(IIFNAME, 0), META(OIFNAME, 4), IN(0, PAIRS), ACCEPT}},
    {CHAIN_INSIDE, {DROP}},
    /* To members, from elsewhere. */
    {CHAIN_OUTSIDE, {JUMP(CHAIN_RECEIVED)}},
    {CHAIN_OUTSIDE, {CT_STATE_IS(STATE_KNOWN), ACCEPT}},
    {CHAIN_OUTSIDE, {CT_STATUS_HAS(IPS_DST_NAT), ACCEPT}},
    {CHAIN_OUTSIDE, {DROP}},

    /*
     * route_localnet is on for our bridges (localhost publishing), so members must not reach 127.0.0.0/8.  Every packet of
     * the host comes by here: the cheap question first.
     */
    {CHAIN_GUARD, {FAMILY4, DADDR4(0), LOOPBACK4(0), META(IIFNAME, 0), IN(0, BRIDGES), DROP}},

    {CHAIN_PREROUTING, {JUMP(CHAIN_PORTS)}},
    {CHAIN_OUTPUT, {JUMP(CHAIN_PORTS)}},

    /* The host to itself by a loopback address: the answer must find back. */
    {CHAIN_POSTROUTING, {META(OIFNAME, 0), IN(0, BRIDGES), FAMILY4, SADDR4(0), LOOPBACK4(0), {STEP_MASQUERADE}}},
    /* Hairpin: from a network by a published port into the same network. */
    {CHAIN_POSTROUTING,
     {CT_STATUS_HAS(IPS_DST_NAT), FAMILY4, SADDR4(0), META(OIFNAME, 1), IN(0, LOCAL4), {STEP_MASQUERADE}}},
    {CHAIN_POSTROUTING,
     {CT_STATUS_HAS(IPS_DST_NAT), FAMILY6, SADDR6(0), META(OIFNAME, 4), IN(0, LOCAL6), {STEP_MASQUERADE}}},
    /* Away from the host. */
    {CHAIN_POSTROUTING, {META(OIFNAME, 0), NOT_IN(0, BRIDGES), FAMILY4, SADDR4(0), IN(0, NAT4), {STEP_MASQUERADE}}},
    {CHAIN_POSTROUTING, {META(OIFNAME, 0), NOT_IN(0, BRIDGES), FAMILY6, SADDR6(0), IN(0, NAT6), {STEP_MASQUERADE}}},

    {CHAIN_FORWARD, {META(IIFNAME, 0), IN(0, BRIDGES), JUMP(CHAIN_INSIDE)}},
    {CHAIN_FORWARD, {META(OIFNAME, 0), IN(0, BRIDGES), JUMP(CHAIN_OUTSIDE)}},
    {CHAIN_FORWARD, {CT_STATE_IS(STATE_KNOWN), ACCEPT}},
    {CHAIN_FORWARD, {CT_STATUS_HAS(IPS_DST_NAT), ACCEPT}},
    /* What would not be forwarded if we had not switched it on for ours. */
    {CHAIN_FORWARD, {FAMILY4, META(IIFNAME, 0), IN(0, OPENED4), CT_STATE_IS(STATE_NEW), DROP}},
    {CHAIN_FORWARD, {FAMILY6, META(IIFNAME, 0), IN(0, OPENED6), CT_STATE_IS(STATE_NEW), DROP}},
    {CHAIN_FORWARD, {META(NFPROTO, 0), IN(0, OPENED_FAMILIES), CT_STATE_IS(STATE_NEW), DROP}},
};

/* ---- building ---- */

static struct nlmsghdr *add_message(struct nft *nft, uint16_t type, uint16_t flags, const char *what)
{
	struct nfgenmsg *header;
	struct nlmsghdr *message = netlink_add(&nft->netlink, NFNL_SUBSYS_NFTABLES << 8 | type, flags, sizeof(*header),
					       (void **)&header, "%s", what);

	header->nfgen_family = NFPROTO_INET;
	header->version = NFNETLINK_V0;
	return message;
}

static void add_frame(struct nft *nft, uint16_t type, const char *what)
{
	struct nfgenmsg *header;
	struct nlmsghdr *message = netlink_add(&nft->netlink, type, 0, sizeof(*header), (void **)&header, "%s", what);

	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	netlink_no_answer(&nft->netlink, message);
}

void nft_begin(struct nft *nft)
{
	add_frame(nft, NFNL_MSG_BATCH_BEGIN, "begin an nftables transaction");
}

int nft_commit(struct nft *nft, struct error *e)
{
	if (nft->netlink.n < 2) { /* nothing between: no transaction */
		nft->netlink.n = 0;
		nft->netlink.size = 0;
		return 0;
	}
	add_frame(nft, NFNL_MSG_BATCH_END, "commit an nftables transaction");
	return netlink_commit(&nft->netlink, e);
}

/* libnftnl allocates small objects and returns NULL without memory, which overcommit does not let happen. */
static void *checked(void *object)
{
	if (!object) {
		fprintf(stderr, "holm-net: out of memory\n");
		abort();
	}
	return object;
}

static uint32_t reg(uint32_t number)
{
	return NFT_REG32_00 + number;
}

static struct nftnl_expr *new_expr(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = checked(nftnl_expr_alloc(name));

	nftnl_rule_add_expr(rule, expr);
	return expr;
}

static void add_compare(struct nftnl_rule *rule, uint32_t op, uint32_t r, const void *data, size_t size)
{
	struct nftnl_expr *expr = new_expr(rule, "cmp");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, reg(r));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, data, size);
}

static void add_load(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t size, uint32_t r)
{
	struct nftnl_expr *expr = new_expr(rule, "payload");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, size);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg(r));
}

static void add_mask(struct nftnl_rule *rule, uint32_t r, uint32_t mask)
{
	struct nftnl_expr *expr = new_expr(rule, "bitwise");
	uint32_t zero = 0;

	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, reg(r));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, reg(r));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
}

static void add_lookup(struct nftnl_rule *rule, const struct step *step)
{
	struct nftnl_expr *expr = new_expr(rule, "lookup");

	nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, sets[step->a].name);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SET_ID, step->a + 1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, reg(step->r));
	if (step->kind == STEP_NOT_IN)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	if (step->kind == STEP_MAP)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, reg(step->r));
}

static void add_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
	struct nftnl_expr *expr = new_expr(rule, "immediate");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, verdict);
	if (chain)
		nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void add_dnat(struct nftnl_rule *rule, const struct step *step)
{
	struct nftnl_expr *expr = new_expr(rule, "nat");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, step->a);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, reg(step->r));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, reg(step->b));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
}

static void add_step(struct nftnl_rule *rule, const struct step *step)
{
	uint32_t net = htonl(step->a);
	struct nftnl_expr *expr;
	uint8_t byte = step->a;

	switch (step->kind) {
	case STEP_NONE:
		break;
	case STEP_META:
		expr = new_expr(rule, "meta");
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, step->a);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, reg(step->r));
		break;
	case STEP_NET:
		add_load(rule, NFT_PAYLOAD_NETWORK_HEADER, step->a, step->b, step->r);
		break;
	case STEP_DPORT:
		add_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, step->r);
		break;
	case STEP_CT:
		expr = new_expr(rule, "ct");
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, step->a);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, reg(step->r));
		break;
	case STEP_FIB:
		expr = new_expr(rule, "fib");
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, reg(step->r));
		break;
	case STEP_MASK:
		add_mask(rule, step->r, step->a);
		break;
	case STEP_MASKNET:
		add_mask(rule, step->r, net);
		break;
	case STEP_IS:
	case STEP_ISNT:
		add_compare(rule, step->kind == STEP_IS ? NFT_CMP_EQ : NFT_CMP_NEQ, step->r,
			    step->b == 1 ? (const void *)&byte : &step->a, step->b);
		break;
	case STEP_ISNET:
		add_compare(rule, NFT_CMP_EQ, step->r, &net, sizeof(net));
		break;
	case STEP_IN:
	case STEP_NOT_IN:
	case STEP_MAP:
		add_lookup(rule, step);
		break;
	case STEP_DNAT:
		add_dnat(rule, step);
		break;
	case STEP_MASQUERADE:
		new_expr(rule, "masq");
		break;
	case STEP_JUMP:
		add_verdict(rule, NFT_JUMP, chains[step->a].name);
		break;
	case STEP_VERDICT:
		add_verdict(rule, step->a, NULL);
		break;
	}
}

static void add_table(struct nft *nft, uint16_t type, uint16_t flags)
{
	struct nftnl_table *table = checked(nftnl_table_alloc());

	nftnl_table_set_str(table, NFTNL_TABLE_NAME, table_name);
	nftnl_table_nlmsg_build_payload(add_message(nft, type, flags, "lay the nftables table 'inet holm'"), table);
	nftnl_table_free(table);
}

static void add_set(struct nft *nft, enum set i)
{
	/* For nft(8), which prints names of interfaces as "" otherwise: attribute 0, four bytes, host byte order. */
	static const uint8_t host_order[] = {0, 4, 1, 0, 0, 0};
	struct nftnl_set *set = checked(nftnl_set_alloc());
	char what[64];

	snprintf(what, sizeof(what), "lay the nftables set '%s'", sets[i].name);
	nftnl_set_set_str(set, NFTNL_SET_TABLE, table_name);
	nftnl_set_set_str(set, NFTNL_SET_NAME, sets[i].name);
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(set, NFTNL_SET_ID, i + 1);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, sets[i].flags | (sets[i].counter ? NFT_SET_EXPR : 0));
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, sets[i].key_type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, sets[i].key_size);
	if (sets[i].data_size) {
		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, sets[i].data_type);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, sets[i].data_size);
	}
	if (sets[i].key_type == T_NAME || sets[i].key_type == T_FAMILY)
		nftnl_set_set_data(set, NFTNL_SET_USERDATA, host_order, sizeof(host_order));
	if (sets[i].fields[0])
		nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, sets[i].fields, sizeof(sets[i].fields));
	if (sets[i].counter)
		nftnl_set_add_expr(set, checked(nftnl_expr_alloc("counter")));
	nftnl_set_nlmsg_build_payload(add_message(nft, NFT_MSG_NEWSET, NLM_F_CREATE, what), set);
	nftnl_set_free(set);
}

static void add_chain(struct nft *nft, enum chain i)
{
	struct nftnl_chain *chain = checked(nftnl_chain_alloc());
	char what[64];

	snprintf(what, sizeof(what), "lay the nftables chain '%s'", chains[i].name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table_name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, chains[i].name);
	if (chains[i].type) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, chains[i].type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, chains[i].hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, chains[i].priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(add_message(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE, what), chain);
	nftnl_chain_free(chain);
}

static void add_rule(struct nft *nft, size_t i)
{
	struct nftnl_rule *rule = checked(nftnl_rule_alloc());
	char what[80];

	snprintf(what, sizeof(what), "lay rule %zu of the nftables table 'inet holm', in '%s'", i,
		 chains[rules[i].chain].name);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table_name);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chains[rules[i].chain].name);
	for (size_t j = 0; j < ARRAY_SIZE(rules[i].steps); j++)
		add_step(rule, &rules[i].steps[j]);
	nftnl_rule_nlmsg_build_payload(add_message(nft, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, what), rule);
	nftnl_rule_free(rule);
}

/* ---- elements ---- */

/* Elements of one set on their way into one message: element_begin(), element_add()..., element_end(). */
struct elements {
	struct nft *nft;
	struct nftnl_set *set;
	enum set which;
	uint16_t type;
	unsigned n;
	const char *what;
};

enum { ELEMENTS_PER_MESSAGE = 100 };

static void elements_begin(struct elements *elements, struct nft *nft, bool add, enum set which, const char *what)
{
	*elements = (struct elements){.nft = nft, .which = which, .what = what};
	elements->type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
}

static void elements_end(struct elements *elements)
{
	struct nlmsghdr *message;

	if (!elements->set)
		return;
	message = add_message(elements->nft, elements->type, elements->type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
			      elements->what);
	nftnl_set_elems_nlmsg_build_payload(message, elements->set);
	nftnl_set_free(elements->set);
	elements->set = NULL;
	elements->n = 0;
}

static struct nftnl_set_elem *elements_add(struct elements *elements, const void *key, size_t size)
{
	struct nftnl_set_elem *element = checked(nftnl_set_elem_alloc());

	if (elements->n == ELEMENTS_PER_MESSAGE)
		elements_end(elements);
	if (!elements->set) {
		elements->set = checked(nftnl_set_alloc());
		nftnl_set_set_str(elements->set, NFTNL_SET_TABLE, table_name);
		nftnl_set_set_str(elements->set, NFTNL_SET_NAME, sets[elements->which].name);
		nftnl_set_set_u32(elements->set, NFTNL_SET_ID, elements->which + 1);
	}
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, size);
	nftnl_set_elem_add(elements->set, element);
	elements->n++;
	return element;
}

static void change_one(struct nft *nft, bool add, enum set which, const void *key, size_t size, const char *what)
{
	struct elements elements;

	elements_begin(&elements, nft, add, which, what);
	elements_add(&elements, key, size);
	elements_end(&elements);
}

/* An interval: its first address, and the one after its last as the end. */
static void change_subnet(struct nft *nft, bool add, enum set which, const struct net_address *subnet, const char *what)
{
	struct net_address last = address_last(subnet), end = address_at(&last, 1);
	size_t size = address_bits(subnet->family) / 8;
	struct elements elements;

	elements_begin(&elements, nft, add, which, what);
	elements_add(&elements, subnet->bytes, size);
	if (!address_is_any(&end)) /* beyond the last address of all there is none */
		nftnl_set_elem_set_u32(elements_add(&elements, end.bytes, size), NFTNL_SET_ELEM_FLAGS,
				       NFT_SET_ELEM_INTERVAL_END);
	elements_end(&elements);
}

static void change_local(struct nft *nft, bool add, const struct net_address *subnet, const char *bridge,
			 const char *what)
{
	enum set which = subnet->family == AF_INET ? LOCAL4 : LOCAL6;
	size_t size = address_bits(subnet->family) / 8;
	struct net_address last = address_last(subnet);
	uint8_t first_key[32] = {0}, last_key[32] = {0};
	struct elements elements;

	memcpy(first_key, subnet->bytes, size);
	memcpy(last_key, last.bytes, size);
	memcpy(first_key + size, bridge, strlen(bridge));
	memcpy(last_key + size, bridge, strlen(bridge));
	elements_begin(&elements, nft, add, which, what);
	nftnl_set_elem_set(elements_add(&elements, first_key, size + L_NAME), NFTNL_SET_ELEM_KEY_END, last_key,
			   size + L_NAME);
	elements_end(&elements);
}

static void change_network(struct nft *nft, bool add, const struct net_network *network)
{
	const struct net_address *subnets[] = {&network->subnet4, &network->subnet6};
	char pair[2 * L_NAME] = "", what[128];

	if (!*network->bridge || *network->uplink)
		return;
	snprintf(what, sizeof(what), "%s nftables elements of network '%s'", add ? "add the" : "remove the",
		 network->name);
	memcpy(pair, network->bridge, NET_INTERFACE_SIZE);
	memcpy(pair + L_NAME, network->bridge, NET_INTERFACE_SIZE);
	change_one(nft, add, BRIDGES, pair, L_NAME, what);
	if (network->type == NET_TYPE_BRIDGE)
		change_one(nft, add, OUTWARD, pair, L_NAME, what);
	if (!network->is_isolated)
		change_one(nft, add, PAIRS, pair, sizeof(pair), what);
	for (size_t i = 0; i < ARRAY_SIZE(subnets); i++) {
		if (!subnets[i]->family)
			continue;
		change_local(nft, add, subnets[i], network->bridge, what);
		if (network->type == NET_TYPE_BRIDGE)
			change_subnet(nft, add, i ? NAT6 : NAT4, subnets[i], what);
	}
}

void nft_add_network(struct nft *nft, const struct net_network *network)
{
	change_network(nft, true, network);
}

void nft_remove_network(struct nft *nft, const struct net_network *network)
{
	change_network(nft, false, network);
}

static void change_counters(struct nft *nft, bool add, const struct net_member *member)
{
	static const enum set sets4[] = {SENT_LAN4, SENT_WAN4, RECEIVED_LAN4, RECEIVED_WAN4};
	static const enum set sets6[] = {SENT_LAN6, SENT_WAN6, RECEIVED_LAN6, RECEIVED_WAN6};
	const char *what = add ? "add the instance's counters" : "remove the instance's counters";

	for (size_t i = 0; i < ARRAY_SIZE(sets4); i++) {
		if (member->address4.family)
			change_one(nft, add, sets4[i], member->address4.bytes, L_IP4, what);
		if (member->address6.family)
			change_one(nft, add, sets6[i], member->address6.bytes, L_IP6, what);
	}
}

void nft_add_counters(struct nft *nft, const struct net_member *member)
{
	change_counters(nft, true, member);
}

void nft_remove_counters(struct nft *nft, const struct net_member *member)
{
	change_counters(nft, false, member);
}

/* The key of one published port; returns its size. */
static size_t make_key(const struct net_port *port, uint16_t number, uint8_t key[32], enum set *ret_which)
{
	bool four = port->address.family == AF_INET, any = address_is_any(&port->address);
	size_t size = any ? 0 : address_bits(port->address.family) / 8;
	uint16_t net = htons(number);

	memset(key, 0, 32);
	memcpy(key, port->address.bytes, size);
	key[size] = port->protocol;
	memcpy(key + size + L_FIELD, &net, sizeof(net));
	*ret_which = four ? (any ? PORTS4_ANY : PORTS4) : (any ? PORTS6_ANY : PORTS6);
	return size + 2 * L_FIELD;
}

static size_t make_target(const struct net_member *member, const struct net_port *port, uint16_t number,
			  uint8_t data[20])
{
	const struct net_address *address = port->address.family == AF_INET ? &member->address4 : &member->address6;
	size_t size = address_bits(port->address.family) / 8;
	uint16_t net = htons(port->port + (number - port->first));

	memset(data, 0, 20);
	memcpy(data, address->bytes, size);
	memcpy(data + size, &net, sizeof(net));
	return size + L_FIELD;
}

/* The holder's id, as a comment that nft(8) shows. */
static size_t make_comment(const char *id, uint8_t comment[256])
{
	size_t n = strlen(id) + 1;

	if (n > 254)
		n = 254;
	comment[0] = 0;
	comment[1] = n;
	memcpy(comment + 2, id, n);
	comment[2 + n - 1] = 0;
	return n + 2;
}

static void add_port(struct nft *nft, const struct net_member *member, const struct net_port *port)
{
	uint8_t key[32], data[20], comment[256];
	char what[128], text[NET_PORT_TEXT_SIZE];
	struct elements elements;
	enum set which;

	make_key(port, port->first, key, &which);
	snprintf(what, sizeof(what), "publish port %s", net_print_port(port, text));
	elements_begin(&elements, nft, true, which, what);
	for (unsigned number = port->first; number <= port->last; number++) {
		struct nftnl_set_elem *element = elements_add(&elements, key, make_key(port, number, key, &which));

		nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, data, make_target(member, port, number, data));
		nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, comment, make_comment(member->id, comment));
	}
	elements_end(&elements);
}

void nft_add_ports(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_port(nft, member, &ports[i]);
}

void nft_add_opened(struct nft *nft, uint8_t family, const char *interface)
{
	char name[L_NAME] = "";

	snprintf(name, sizeof(name), "%s", interface);
	change_one(nft, true, family == AF_INET ? OPENED4 : OPENED6, name, L_NAME,
		   "note an uplink in the nftables table 'inet holm'");
}

void nft_add_opened_family(struct nft *nft, uint8_t family)
{
	uint8_t number = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	change_one(nft, true, OPENED_FAMILIES, &number, 1, "note a family in the nftables table 'inet holm'");
}

/* ---- reading elements ---- */

struct element {
	bool found;
	uint8_t data[32];
	uint32_t data_size;
	char comment[NET_ID_SIZE];
	uint64_t packets, bytes;
};

static void read_element(struct nftnl_set_elem *element, struct element *ret)
{
	const struct nftnl_expr *expr = NULL;
	uint32_t size = 0;
	const uint8_t *p;

	ret->found = true;
	p = nftnl_set_elem_get(element, NFTNL_SET_ELEM_DATA, &size);
	if (p && size <= sizeof(ret->data)) {
		memcpy(ret->data, p, size);
		ret->data_size = size;
	}
	p = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &size);
	if (p && size >= 3 && p[0] == 0 && p[1] + 2U <= size && p[1] > 0)
		snprintf(ret->comment, sizeof(ret->comment), "%.*s", p[1] - 1, (const char *)p + 2);
	if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPR))
		expr = nftnl_set_elem_get(element, NFTNL_SET_ELEM_EXPR, &size);
	if (expr) {
		ret->packets = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
		ret->bytes = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_BYTES);
	}
}

static int parse_element(const struct nlmsghdr *message, void *data, struct error *e)
{
	struct nftnl_set *set = checked(nftnl_set_alloc());
	struct nftnl_set_elems_iter *walk;
	struct nftnl_set_elem *element;

	(void)e;
	if (nftnl_set_elems_nlmsg_parse(message, set) == 0 && (walk = nftnl_set_elems_iter_create(set))) {
		element = nftnl_set_elems_iter_next(walk);
		if (element)
			read_element(element, data);
		nftnl_set_elems_iter_destroy(walk);
	}
	nftnl_set_free(set);
	return 0;
}

static int find_element(struct nft *nft, enum set which, const void *key, size_t size, struct element *ret,
			struct error *e)
{
	struct elements elements;
	int r;

	*ret = (struct element){0};
	elements_begin(&elements, nft, true, which, "read an nftables element");
	elements.type = NFT_MSG_GETSETELEM;
	elements_add(&elements, key, size);
	elements_end(&elements);
	r = netlink_query(&nft->netlink, parse_element, ret, e);
	return r == -ENOENT ? 0 : r;
}

/* Whether somebody publishes it (ret->found), and whether that leads to member. */
static int find_port(struct nft *nft, const struct net_member *member, const struct net_port *port, uint16_t number,
		     struct element *ret, bool *ret_own, struct error *e)
{
	uint8_t key[32], data[20];
	enum set which;
	size_t size = make_key(port, number, key, &which);
	size_t data_size = make_target(member, port, number, data);
	int r = find_element(nft, which, key, size, ret, e);

	*ret_own = !r && ret->found && ret->data_size == data_size && !memcmp(ret->data, data, data_size);
	return r;
}

int nft_find_holder(struct nft *nft, const struct net_member *member, const struct net_port *port,
		    char ret_id[NET_ID_SIZE], uint16_t *ret_port, struct error *e)
{
	*ret_id = 0;
	for (unsigned number = port->first; number <= port->last; number++) {
		struct element element;
		bool own;
		int r = find_port(nft, member, port, number, &element, &own, e);

		if (r)
			return r;
		if (element.found && !own) {
			snprintf(ret_id, NET_ID_SIZE, "%s", element.comment);
			*ret_port = number;
			return 0;
		}
	}
	return 0;
}

static int remove_numbers(struct nft *nft, const struct net_port *port, const uint16_t *numbers, size_t n)
{
	struct elements elements;
	uint8_t key[32];
	enum set which;

	make_key(port, port->first, key, &which);
	nft_begin(nft);
	elements_begin(&elements, nft, false, which, "unpublish a port");
	for (size_t i = 0; i < n; i++)
		elements_add(&elements, key, make_key(port, numbers[i], key, &which));
	elements_end(&elements);
	return nft_commit(nft, NULL);
}

void nft_remove_ports(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t numbers[ELEMENTS_PER_MESSAGE];
		size_t found = 0;

		for (unsigned number = ports[i].first; number <= ports[i].last; number++) {
			struct element element;
			bool own;

			if (!find_port(nft, member, &ports[i], number, &element, &own, NULL) && own)
				numbers[found++] = number;
			if (!found || (found < ARRAY_SIZE(numbers) && number < ports[i].last))
				continue;
			/* One that went meanwhile fails the transaction. */
			if (remove_numbers(nft, &ports[i], numbers, found))
				for (size_t j = 0; j < found; j++)
					(void)!remove_numbers(nft, &ports[i], &numbers[j], 1);
			found = 0;
		}
	}
}

static int read_counter(struct nft *nft, enum set which, const struct net_address *address, uint64_t *bytes,
			uint64_t *packets, struct error *e)
{
	struct element element;
	int r;

	if (!address->family)
		return 0;
	r = find_element(nft, which, address->bytes, address_bits(address->family) / 8, &element, e);
	*bytes += element.bytes;
	*packets += element.packets;
	return r;
}

int nft_read_counters(struct nft *nft, const struct net_member *member, struct net_counters *ret, struct error *e)
{
	const struct net_address *four = &member->address4, *six = &member->address6;
	struct net_traffic *lan = &ret->lan, *wan = &ret->wan;

	return read_counter(nft, SENT_LAN4, four, &lan->sent_bytes, &lan->sent_packets, e)
		       ?: read_counter(nft, SENT_LAN6, six, &lan->sent_bytes, &lan->sent_packets, e)
		       ?: read_counter(nft, SENT_WAN4, four, &wan->sent_bytes, &wan->sent_packets, e)
		       ?: read_counter(nft, SENT_WAN6, six, &wan->sent_bytes, &wan->sent_packets, e)
		       ?: read_counter(nft, RECEIVED_LAN4, four, &lan->received_bytes, &lan->received_packets, e)
		       ?: read_counter(nft, RECEIVED_LAN6, six, &lan->received_bytes, &lan->received_packets, e)
		       ?: read_counter(nft, RECEIVED_WAN4, four, &wan->received_bytes, &wan->received_packets, e)
		       ?: read_counter(nft, RECEIVED_WAN6, six, &wan->received_bytes, &wan->received_packets, e);
}

/* ---- chains of others ---- */

struct dropper_walk {
	void (*each)(const char *family, const char *table, const char *chain, void *data);
	void *data;
};

static int look_at_chain(const struct nlmsghdr *message, void *data, struct error *e)
{
	static const char *const families[] = {[NFPROTO_INET] = "inet", [NFPROTO_IPV4] = "ip", [NFPROTO_IPV6] = "ip6"};
	struct nftnl_chain *chain = checked(nftnl_chain_alloc());
	const struct dropper_walk *walk = data;

	(void)e;
	if (!nftnl_chain_nlmsg_parse(message, chain) && nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) &&
	    nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == NF_INET_FORWARD &&
	    nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP) {
		uint32_t family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY);

		if (family < ARRAY_SIZE(families) && families[family])
			walk->each(families[family], nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE),
				   nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME), walk->data);
	}
	nftnl_chain_free(chain);
	return 0;
}

int nft_each_dropper(struct nft *nft,
		     void (*each)(const char *family, const char *table, const char *chain, void *data), void *data,
		     struct error *e)
{
	struct dropper_walk walk = {each, data};
	struct nfgenmsg *header;

	netlink_add(&nft->netlink, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, sizeof(*header),
		    (void **)&header, "list the host's nftables chains");
	header->nfgen_family = NFPROTO_UNSPEC;
	header->version = NFNETLINK_V0;
	return netlink_query(&nft->netlink, look_at_chain, &walk, e);
}

/* ---- laying ---- */

static void lay_structure(struct nft *nft)
{
	/* Made if missing, so that it can be removed with all it held, and made: `nft -f` scripts do the same. */
	add_table(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	add_table(nft, NFT_MSG_DELTABLE, 0);
	add_table(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	for (enum set i = 0; i < _SET_N; i++)
		add_set(nft, i);
	for (enum chain i = 0; i < _CHAIN_N; i++)
		add_chain(nft, i);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		add_rule(nft, i);
	for (size_t i = 0; i < ARRAY_SIZE(lan_subnets); i++) {
		struct net_address subnet;

		if (!address_parse_subnet(lan_subnets[i], &subnet))
			change_subnet(nft, true, subnet.family == AF_INET ? LAN4 : LAN6, &subnet,
				      "lay the table of the lan");
	}
}

static int lay_network(const struct net_network *network, void *data, struct error *e)
{
	(void)e;
	nft_add_network(data, network);
	return 0;
}

static int lay_member(const struct net_member *member, void *data, struct error *e)
{
	auto_free struct net_port *ports = NULL;
	struct nft *nft = data;
	size_t n;
	int r;

	if (!member->address4.family && !member->address6.family)
		return 0; /* died while joining */
	r = store_load_ports(nft->store, member->id, member->name, &ports, &n, e);
	if (r)
		return r;
	if (*member->link)
		nft_add_counters(nft, member);
	nft_add_ports(nft, member, ports, n);
	return 0;
}

/* One line of STATE/opened: "4 eth0", "6 eth0", or "6 *" for the whole family. */
static void lay_opened(struct nft *nft)
{
	auto_free char *text = NULL;

	if (file_read(nft->store->state, "opened", 65536, &text, NULL))
		return;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		uint8_t family = *line == '4' ? AF_INET : AF_INET6;

		if (!*line || line[1] != ' ')
			continue;
		if (str_equal(line + 2, "*"))
			nft_add_opened_family(nft, family);
		else
			nft_add_opened(nft, family, line + 2);
	}
}

static int lay(struct nft *nft, struct error *e)
{
	int r;

	nft_begin(nft);
	lay_structure(nft);
	lay_opened(nft);
	r = store_each_network(nft->store, lay_network, nft, e);
	if (!r)
		r = store_each_member(nft->store, NULL, lay_member, nft, e);
	if (r) {
		nft->netlink.n = nft->netlink.size = 0;
		return r;
	}
	return nft_commit(nft, e);
}

static int read_use(const struct nlmsghdr *message, void *data, struct error *e)
{
	struct nftnl_chain *chain = checked(nftnl_chain_alloc());

	(void)e;
	if (!nftnl_chain_nlmsg_parse(message, chain))
		*(uint32_t *)data = nftnl_chain_get_u32(chain, NFTNL_CHAIN_USE);
	nftnl_chain_free(chain);
	return 0;
}

/* Flushing takes tables, or the rules out of them: the chain is there and has as many rules as it should. */
static int is_laid(struct nft *nft, bool *ret, struct error *e)
{
	struct nftnl_chain *chain = checked(nftnl_chain_alloc());
	uint32_t use = 0, expected = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		expected += rules[i].chain == CHAIN_FORWARD;
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table_name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, chains[CHAIN_FORWARD].name);
	nftnl_chain_nlmsg_build_payload(
	    add_message(nft, NFT_MSG_GETCHAIN, 0, "look for the nftables table 'inet holm'"), chain);
	nftnl_chain_free(chain);
	r = netlink_query(&nft->netlink, read_use, &use, e);
	*ret = !r && use == expected;
	return r == -ENOENT ? 0 : r;
}

int nft_open(struct nft *nft, const struct store *store, struct error *e)
{
	nft->store = store;
	nft->lock = openat(store->state, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (nft->lock < 0)
		return error_system(e, errno, "open '%s/lock'", store->state_path);
	return netlink_open(&nft->netlink, NETLINK_NETFILTER, -1, e);
}

void nft_close(struct nft *nft)
{
	netlink_close(&nft->netlink);
	nft->lock = fd_close(nft->lock);
}

int nft_lay(struct nft *nft, struct error *e)
{
	if (flock(nft->lock, LOCK_EX) < 0)
		return error_system(e, errno, "lock '%s/lock'", nft->store->state_path);
	return lay(nft, e);
}

void nft_release(struct nft *nft)
{
	flock(nft->lock, LOCK_UN);
}

int nft_ready(struct nft *nft, struct error *e)
{
	bool laid;

	for (int tries = 0; tries < 100; tries++) {
		int r = flock(nft->lock, LOCK_SH) < 0 ? -errno : 0;

		if (r)
			return error_system(e, -r, "lock '%s/lock'", nft->store->state_path);
		r = is_laid(nft, &laid, e);
		if (r || laid)
			return r;
		if (flock(nft->lock, LOCK_EX) < 0)
			return error_system(e, errno, "lock '%s/lock'", nft->store->state_path);
		r = is_laid(nft, &laid, e); /* somebody may have been faster */
		if (!r && !laid)
			r = lay(nft, e);
		if (r)
			return r;
	}
	return error_refuse(e, ERROR_STATE, "somebody keeps removing the nftables table 'inet holm'");
}
