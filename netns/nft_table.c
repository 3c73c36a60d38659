/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/nft_table.h"

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/str.h"
#include "netns/address.h"

/* ---- sets and maps ---- */

/* nft(8)'s numbers for types, which it needs to print sets; a concatenation is six bits each. */
enum { T_FAMILY = 2, T_IP4 = 7, T_IP6 = 8, T_PROTOCOL = 12, T_PORT = 13, T_NAME = 41 };
#define T2(a, b) ((a) << 6 | (b))
#define T3(a, b, c) (T2(a, b) << 6 | (c))

static const struct {
	const char *name;
	uint32_t key_type, key_size, data_type, data_size, flags;
	uint8_t fields[2]; /* of a concatenation of intervals: the fields' sizes */
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
    [PORTS4] = {"ports4", T3(T_IP4, T_PROTOCOL, T_PORT), L_IP4 + 2 * L_FIELD, T2(T_IP4, T_PORT), L_IP4 + L_FIELD,
		NFT_SET_MAP},
    [PORTS6] = {"ports6", T3(T_IP6, T_PROTOCOL, T_PORT), L_IP6 + 2 * L_FIELD, T2(T_IP6, T_PORT), L_IP6 + L_FIELD,
		NFT_SET_MAP},
    [PORTS4_ANY] = {"ports4_any", T2(T_PROTOCOL, T_PORT), 2 * L_FIELD, T2(T_IP4, T_PORT), L_IP4 + L_FIELD, NFT_SET_MAP},
    [PORTS6_ANY] = {"ports6_any", T2(T_PROTOCOL, T_PORT), 2 * L_FIELD, T2(T_IP6, T_PORT), L_IP6 + L_FIELD, NFT_SET_MAP},
};

/* ---- chains and rules ---- */

enum chain {
	CHAIN_PORTS,
	CHAIN_NEW,
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
    [CHAIN_NEW] = {"new"},
    [CHAIN_INSIDE] = {"inside"},
    [CHAIN_OUTSIDE] = {"outside"},
    [CHAIN_GUARD] = {"guard", "filter", NF_INET_LOCAL_IN, -300},
    [CHAIN_PREROUTING] = {"prerouting", "nat", NF_INET_PRE_ROUTING, -100},
    [CHAIN_OUTPUT] = {"output", "nat", NF_INET_LOCAL_OUT, -100},
    [CHAIN_POSTROUTING] = {"postrouting", "nat", NF_INET_POST_ROUTING, 100},
    [CHAIN_FORWARD] = {NFT_FORWARD, "filter", NF_INET_FORWARD, 0},
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
		STEP_JUMP, /* chain a */
		STEP_GOTO,
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
#define CT_STATE_ISNT(bits)                                                                                            \
	{STEP_CT, NFT_CT_STATE, 0, 0}, {STEP_MASK, bits, 0, 0},                                                        \
	{                                                                                                              \
		STEP_IS, 0, 4, 0                                                                                       \
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
#define GOTO(chain)                                                                                                    \
	{                                                                                                              \
		STEP_GOTO, chain, 0, 0                                                                                 \
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
	struct step steps[12];
} rules[] = {
    /* A published port: the destination becomes the instance's. */
    {CHAIN_PORTS, {FAMILY4, DADDR4(0), META(L4PROTO, 1), DPORT(2), MAP(0, PORTS4), {STEP_DNAT, NFPROTO_IPV4, 1, 0}}},
    {CHAIN_PORTS, {FAMILY6, DADDR6(0), META(L4PROTO, 4), DPORT(5), MAP(0, PORTS6), {STEP_DNAT, NFPROTO_IPV6, 4, 0}}},
    {CHAIN_PORTS, {FAMILY4, TO_LOCAL, META(L4PROTO, 0), DPORT(1), MAP(0, PORTS4_ANY), {STEP_DNAT, NFPROTO_IPV4, 1, 0}}},
    {CHAIN_PORTS, {FAMILY6, TO_LOCAL, META(L4PROTO, 0), DPORT(1), MAP(0, PORTS6_ANY), {STEP_DNAT, NFPROTO_IPV6, 4, 0}}},

    /* From members. */
    {CHAIN_INSIDE, {CT_STATUS_HAS(IPS_DST_NAT), ACCEPT}},
    {CHAIN_INSIDE, {META(IIFNAME, 0), IN(0, OUTWARD), META(OIFNAME, 0), NOT_IN(0, BRIDGES), ACCEPT}},
    {CHAIN_INSIDE, {META(IIFNAME, 0), META(OIFNAME, 4), IN(0, PAIRS), ACCEPT}},
    {CHAIN_INSIDE, {DROP}},
    /* To members, from elsewhere. */
    {CHAIN_OUTSIDE, {CT_STATUS_HAS(IPS_DST_NAT), ACCEPT}},
    {CHAIN_OUTSIDE, {DROP}},

    /*
     * route_localnet is on for our bridges (localhost publishing), so members must not reach 127.0.0.0/8: neither the host's
     * own, nor ports that are published there.  Answers to the host's loopback have that destination by then.
     */
    {CHAIN_GUARD,
     {FAMILY4, DADDR4(0), LOOPBACK4(0), META(IIFNAME, 0), IN(0, BRIDGES), CT_STATE_ISNT(STATE_KNOWN), DROP}},
    {CHAIN_PREROUTING, {FAMILY4, DADDR4(0), LOOPBACK4(0), META(IIFNAME, 0), IN(0, BRIDGES), DROP}},

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

    {CHAIN_FORWARD, {CT_STATE_ISNT(STATE_KNOWN), GOTO(CHAIN_NEW)}},

    {CHAIN_NEW, {META(IIFNAME, 0), IN(0, BRIDGES), GOTO(CHAIN_INSIDE)}},
    {CHAIN_NEW, {META(OIFNAME, 0), IN(0, BRIDGES), GOTO(CHAIN_OUTSIDE)}},
    {CHAIN_NEW, {CT_STATUS_HAS(IPS_DST_NAT), ACCEPT}},
    /* What would not be forwarded if we had not switched it on for ours. */
    {CHAIN_NEW, {FAMILY4, META(IIFNAME, 0), IN(0, OPENED4), CT_STATE_IS(STATE_NEW), DROP}},
    {CHAIN_NEW, {FAMILY6, META(IIFNAME, 0), IN(0, OPENED6), CT_STATE_IS(STATE_NEW), DROP}},
    {CHAIN_NEW, {META(NFPROTO, 0), IN(0, OPENED_FAMILIES), CT_STATE_IS(STATE_NEW), DROP}},
};

/* ---- messages ---- */

static uint32_t reg(uint32_t number)
{
	return NFT_REG32_00 + number;
}

static struct nftnl_expr *new_expr(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = nft_checked(nftnl_expr_alloc(name));

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
	case STEP_GOTO:
		add_verdict(rule, NFT_GOTO, chains[step->a].name);
		break;
	case STEP_VERDICT:
		add_verdict(rule, step->a, NULL);
		break;
	}
}

static void add_table(struct nft *nft, uint16_t type, uint16_t flags)
{
	struct nftnl_table *table = nft_checked(nftnl_table_alloc());

	nftnl_table_set_str(table, NFTNL_TABLE_NAME, NFT_TABLE);
	nftnl_table_nlmsg_build_payload(nft_add_message(nft, type, flags, "lay the nftables table 'inet holm'"), table);
	nftnl_table_free(table);
}

static void add_set(struct nft *nft, enum nft_set i)
{
	/* For nft(8), which prints names of interfaces as "" otherwise: attribute 0, four bytes, host byte order. */
	static const uint8_t host_order[] = {0, 4, 1, 0, 0, 0};
	struct nftnl_set *set = nft_checked(nftnl_set_alloc());
	char what[64];

	snprintf(what, sizeof(what), "lay the nftables set '%s'", sets[i].name);
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, sets[i].name);
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(set, NFTNL_SET_ID, i + 1);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, sets[i].flags);
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
	nftnl_set_nlmsg_build_payload(nft_add_message(nft, NFT_MSG_NEWSET, NLM_F_CREATE, what), set);
	nftnl_set_free(set);
}

static void add_chain(struct nft *nft, enum chain i)
{
	struct nftnl_chain *chain = nft_checked(nftnl_chain_alloc());
	char what[64];

	snprintf(what, sizeof(what), "lay the nftables chain '%s'", chains[i].name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, chains[i].name);
	if (chains[i].type) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, chains[i].type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, chains[i].hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, chains[i].priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(nft_add_message(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE, what), chain);
	nftnl_chain_free(chain);
}

static void add_rule(struct nft *nft, size_t i)
{
	struct nftnl_rule *rule = nft_checked(nftnl_rule_alloc());
	char what[80];

	snprintf(what, sizeof(what), "lay rule %zu of the nftables table 'inet holm', in '%s'", i,
		 chains[rules[i].chain].name);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chains[rules[i].chain].name);
	for (size_t j = 0; j < ARRAY_SIZE(rules[i].steps); j++)
		add_step(rule, &rules[i].steps[j]);
	nftnl_rule_nlmsg_build_payload(nft_add_message(nft, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, what), rule);
	nftnl_rule_free(rule);
}

void nft_lay_structure(struct nft *nft)
{
	/* Made if missing, so that it can be removed with all it held, and made: `nft -f` scripts do the same. */
	add_table(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	add_table(nft, NFT_MSG_DELTABLE, 0);
	add_table(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	for (enum nft_set i = 0; i < _SET_N; i++)
		add_set(nft, i);
	for (enum chain i = 0; i < _CHAIN_N; i++)
		add_chain(nft, i);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		add_rule(nft, i);
}

const char *nft_set_name(enum nft_set set)
{
	return sets[set].name;
}

uint32_t nft_forward_rules(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		n += rules[i].chain == CHAIN_FORWARD;
	return n;
}
