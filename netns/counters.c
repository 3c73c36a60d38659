/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/counters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/bpf.h"
#include "netns/classifier.h"
#include "netns/lease.h"

/* A bridge has up to 1023 ports, each with two addresses; and of members that died some stay until they are collected. */
enum { ELEMENTS_MAX = 4096 };

/* An IPv4 address as IPv6 has it: ::ffff:10.66.0.5. */
struct key {
	uint8_t bytes[16];
};

struct value {
	uint64_t owner; /* hash of instance and interface */
	struct net_traffic lan, wan;
};

#define PROGRAM_NAME "holm_count"

static const char *const lan_subnets[] = {
    "10.0.0.0/8",  "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/3", "fc00::/7",	    "fe80::/10",      "ff00::/8",
};

/* ---- the programs ---- */

/* Jumps go forward: one that names a label is resolved when the label is placed. */
enum label { NEXT, IP6, GOT4, GOT6, OWN4, OWN6, COUNT, OUT, _LABEL_N };

struct program {
	struct bpf_insn *code;
	size_t n;
	uint8_t labels[COUNTERS_PROGRAM_SIZE];
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t offset, int32_t k, enum label label)
{
	if (p->n == COUNTERS_PROGRAM_SIZE) {
		fprintf(stderr, "holm-net: the counters' program is too long\n");
		abort();
	}
	p->labels[p->n] = label;
	p->code[p->n++] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = offset, .imm = k};
}

static void place(struct program *p, enum label label)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->labels[i] != label)
			continue;
		p->code[i].off = p->n - i - 1;
		p->labels[i] = NEXT;
	}
}

static void move(struct program *p, uint8_t dst, int32_t k)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, k, NEXT);
}

static void copy(struct program *p, uint8_t dst, uint8_t src)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0, NEXT);
}

/* Register to = four bytes of the frame, as they are; get_frame() has looked that they are there. */
static void load(struct program *p, uint8_t to, uint32_t at)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_9, at, 0, NEXT);
}

/* r9 = the frame; goes to label if its first size bytes are (BPF_JLE) or are not (BPF_JGT) in one piece. */
static void compare_size(struct program *p, int size, uint8_t jump, enum label label)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_9, BPF_REG_6, offsetof(struct __sk_buff, data), 0, NEXT);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct __sk_buff, data_end), 0, NEXT);
	copy(p, BPF_REG_1, BPF_REG_9);
	emit(p, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, size, NEXT);
	emit(p, BPF_JMP | jump | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0, label);
}

/*
 * r9 = the frame, of which size bytes can be read; a shorter one is not counted.  Nearly all have their headers in one piece; one
 * that does not, as an instance can send it, is made to.  Not BPF_ABS: each is a call, and together they cost more than all else.
 */
static void get_frame(struct program *p, int size, enum label got)
{
	compare_size(p, size, BPF_JLE, got);
	copy(p, BPF_REG_1, BPF_REG_6);
	move(p, BPF_REG_2, size);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_pull_data, NEXT);
	compare_size(p, size, BPF_JGT, OUT);
	place(p, got);
}

static void jump(struct program *p, enum label label)
{
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0, label);
}

/* r7 = where in the value to count for the other end's address. */
static void build_class(struct program *p, uint8_t family, uint32_t at, bool sends, enum label done)
{
	size_t direction =
	    sends ? offsetof(struct net_traffic, sent_bytes) : offsetof(struct net_traffic, received_bytes);

	load(p, BPF_REG_0, at);
	move(p, BPF_REG_7, offsetof(struct value, lan) + direction);
	for (size_t i = 0; i < ARRAY_SIZE(lan_subnets); i++) {
		struct net_address subnet;
		uint32_t first;

		if (address_parse_subnet(lan_subnets[i], &subnet) || subnet.family != family)
			continue;
		memcpy(&first, subnet.bytes, sizeof(first));
		copy(p, BPF_REG_1, BPF_REG_0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, htonl(~0U << (32 - subnet.prefix)), NEXT);
		emit(p, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0, first, done);
	}
	move(p, BPF_REG_7, offsetof(struct value, wan) + direction);
	place(p, done);
}

/* size bytes of the frame, the member's own address, to the end of the key on the stack. */
static void build_key(struct program *p, uint32_t at, int size)
{
	for (int i = 0; i < size; i += 4) {
		load(p, BPF_REG_0, at + i);
		emit(p, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, BPF_REG_0, i - size, 0, NEXT);
	}
}

static void build_count(struct program *p, int map)
{
	place(p, COUNT);
	emit(p, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map, NEXT);
	emit(p, 0, 0, 0, 0, 0, NEXT); /* the other half of it */
	copy(p, BPF_REG_2, BPF_REG_10);
	emit(p, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -(int)sizeof(struct key), NEXT);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem, NEXT);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0, OUT);
	emit(p, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, BPF_REG_7, 0, 0, NEXT);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_6, offsetof(struct __sk_buff, len), 0, NEXT);
	emit(p, BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_1, 0, 0, ETH_HLEN, NEXT);
	emit(p, BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD, NEXT);
	move(p, BPF_REG_1, 1);
	emit(p, BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, sizeof(uint64_t), BPF_ADD, NEXT);
	place(p, OUT);
	move(p, BPF_REG_0, TC_ACT_UNSPEC); /* on to the next filter, if there is one */
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0, NEXT);
}

size_t counters_build(struct bpf_insn code[COUNTERS_PROGRAM_SIZE], int map, bool sends)
{
	enum {
		SOURCE4 = ETH_HLEN + 12,
		DESTINATION4 = ETH_HLEN + 16,
		SOURCE6 = ETH_HLEN + 8,
		DESTINATION6 = ETH_HLEN + 24
	};
	struct program program = {.code = code}, *p = &program;

	copy(p, BPF_REG_6, BPF_REG_1);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct __sk_buff, protocol), 0, NEXT);
	emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_8, 0, 0, htons(ETH_P_IP), IP6);
	get_frame(p, DESTINATION4 + 4, GOT4);
	build_class(p, AF_INET, sends ? DESTINATION4 : SOURCE4, sends, OWN4);
	emit(p, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -16, 0, NEXT);
	emit(p, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -8, htonl(0xffff), NEXT);
	build_key(p, sends ? SOURCE4 : DESTINATION4, 4);
	jump(p, COUNT);

	place(p, IP6);
	emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_8, 0, 0, htons(ETH_P_IPV6), OUT);
	get_frame(p, DESTINATION6 + 16, GOT6);
	build_class(p, AF_INET6, sends ? DESTINATION6 : SOURCE6, sends, OWN6);
	build_key(p, sends ? SOURCE6 : DESTINATION6, 16);
	build_count(p, map);
	return p->n;
}

/* ---- making them ---- */

/* By its name a map is known again: numbers are given anew after 2^31 others. */
static void make_name(int bridge, char name[BPF_OBJ_NAME_LEN])
{
	snprintf(name, BPF_OBJ_NAME_LEN, "holm_%d", bridge);
}

static int make_map(int bridge, int *ret, struct error *e)
{
	union bpf_attr attr = {
	    .map_type = BPF_MAP_TYPE_HASH,
	    .key_size = sizeof(struct key),
	    .value_size = sizeof(struct value),
	    .max_entries = ELEMENTS_MAX,
	    .map_flags = BPF_F_NO_PREALLOC,
	};
	int r;

	make_name(bridge, attr.map_name);
	r = bpf_call(BPF_MAP_CREATE, &attr);
	if (r < 0)
		return error_system(e, -r, "make a BPF map for the bridge's counters");
	*ret = r;
	return 0;
}

static int read_info(int map, struct bpf_map_info *ret)
{
	union bpf_attr attr = {.info = {.bpf_fd = map, .info_len = sizeof(*ret), .info = (uintptr_t)ret}};

	*ret = (struct bpf_map_info){0};
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int load_program(int map, bool sends, int *ret, struct error *e)
{
	struct bpf_insn code[COUNTERS_PROGRAM_SIZE];
	union bpf_attr attr = {
	    .prog_type = BPF_PROG_TYPE_SCHED_CLS,
	    .insn_cnt = counters_build(code, map, sends),
	    .insns = (uintptr_t)code,
	    .license = (uintptr_t) "GPL",
	    .prog_name = PROGRAM_NAME,
	};
	int r = bpf_call(BPF_PROG_LOAD, &attr);

	if (r < 0)
		return error_system(e, -r, "load the BPF program of the bridge's counters");
	*ret = r;
	return 0;
}

static void add_filter(struct netlink *netlink, int bridge, uint32_t direction, int program)
{
	/* Without NLM_F_EXCL: takes the place of an earlier one. */
	struct nlmsghdr *message = classifier_filter(netlink, RTM_NEWTFILTER, NLM_F_CREATE, bridge, direction, 1,
						     "put the counters on the bridge");
	struct nlattr *options;

	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u32(message, TCA_BPF_FD, program);
	mnl_attr_put_strz(message, TCA_BPF_NAME, PROGRAM_NAME);
	mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(message, options);
}

/* Linux before 6.6. */
static int attach_by_classifier(struct netlink *netlink, int bridge, int sends, int receives, struct error *e)
{
	mnl_attr_put_strz(classifier_message(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, bridge,
					     "make a classifier on the bridge"),
			  TCA_KIND, "clsact");
	netlink_may_exist(netlink);
	add_filter(netlink, bridge, TC_H_MIN_INGRESS, sends);
	add_filter(netlink, bridge, TC_H_MIN_EGRESS, receives);
	return netlink_commit(netlink, e);
}

static int attach(struct netlink *netlink, int bridge, int sends, int receives, struct error *e)
{
	int r = bpf_tcx_attach(bridge, true, PROGRAM_NAME, sends);

	if (r == -EINVAL)
		return attach_by_classifier(netlink, bridge, sends, receives, e);
	r = r ?: bpf_tcx_attach(bridge, false, PROGRAM_NAME, receives);
	return r ? error_system(e, -r, "put the counters on the bridge") : 0;
}

int counters_attach(struct netlink *netlink, int bridge, uint32_t *ret_id, struct error *e)
{
	auto_fd map = -1;
	auto_fd sends = -1;
	auto_fd receives = -1;
	struct bpf_map_info info;
	int r = make_map(bridge, &map, e) ?: load_program(map, true, &sends, e) ?: load_program(map, false, &receives, e);

	if (r)
		return r;
	r = read_info(map, &info);
	if (r)
		return error_system(e, -r, "read the number of a BPF map");
	r = attach(netlink, bridge, sends, receives, e);
	if (!r)
		*ret_id = info.id;
	return r;
}

static int note_filter(const struct nlmsghdr *message, void *data, struct error *e)
{
	(void)message;
	(void)e;
	*(bool *)data = true;
	return 0;
}

static int find_filter(struct netlink *netlink, int bridge, bool sends, bool *ret, struct error *e)
{
	int r;

	classifier_filter(netlink, RTM_GETTFILTER, 0, bridge, sends ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS, 1,
			  "look for the bridge's counters");
	r = netlink_query(netlink, note_filter, ret, e);
	return r == -ENOENT || r == -EINVAL ? 0 : r; /* without a classifier, without the filter */
}

static int find_program(struct netlink *netlink, int bridge, bool sends, bool *ret, struct error *e)
{
	auto_fd program = -1;
	int r = bpf_tcx_find(bridge, sends, PROGRAM_NAME, &program);

	*ret = program >= 0;
	if (r == -EINVAL)
		return find_filter(netlink, bridge, sends, ret, e);
	return r ? error_system(e, -r, "look for the bridge's counters") : 0;
}

int counters_are_attached(struct netlink *netlink, int bridge, bool *ret, struct error *e)
{
	bool sends, receives;
	int r = find_program(netlink, bridge, true, &sends, e) ?: find_program(netlink, bridge, false, &receives, e);

	if (!r)
		*ret = sends && receives;
	return r;
}

int counters_open(uint32_t id, int bridge)
{
	union bpf_attr attr = {.map_id = id};
	struct bpf_map_info info;
	char name[BPF_OBJ_NAME_LEN];
	auto_fd map = id ? bpf_call(BPF_MAP_GET_FD_BY_ID, &attr) : -1;

	make_name(bridge, name);
	if (map < 0 || read_info(map, &info) || !str_equal(info.name, name) || info.key_size != sizeof(struct key) ||
	    info.value_size != sizeof(struct value))
		return -1;
	return take_fd(&map);
}

/* ---- elements ---- */

static uint64_t hash_owner(const struct net_member *member)
{
	char text[NET_ID_SIZE + NET_INTERFACE_SIZE];

	snprintf(text, sizeof(text), "%s %s", member->id, member->name);
	return lease_hash(text, 3);
}

static struct key make_key(const struct net_address *address)
{
	struct key key = {0};

	if (address->family == AF_INET) {
		key.bytes[10] = key.bytes[11] = 0xff;
		memcpy(key.bytes + 12, address->bytes, 4);
	} else {
		memcpy(key.bytes, address->bytes, 16);
	}
	return key;
}

static int call_element(int command, int map, struct key *key, struct value *value)
{
	union bpf_attr attr = {.map_fd = map, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return bpf_call(command, &attr);
}

int counters_add(int map, const struct net_member *member, struct error *e)
{
	const struct net_address *addresses[] = {&member->address4, &member->address6};
	struct value value = {.owner = hash_owner(member)};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct key key = make_key(addresses[i]);
		int r = addresses[i]->family ? call_element(BPF_MAP_UPDATE_ELEM, map, &key, &value) : 0;

		if (r)
			return error_system(e, -r, "add the counters of '%s' on network '%s'", member->id,
					    member->network);
	}
	return 0;
}

static bool read_own(int map, const struct net_member *member, struct key *key, struct value *ret)
{
	return !call_element(BPF_MAP_LOOKUP_ELEM, map, key, ret) && ret->owner == hash_owner(member);
}

void counters_remove(int map, const struct net_member *member)
{
	const struct net_address *addresses[] = {&member->address4, &member->address6};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct key key = make_key(addresses[i]);
		struct value value;

		if (addresses[i]->family && read_own(map, member, &key, &value))
			(void)!call_element(BPF_MAP_DELETE_ELEM, map, &key, NULL);
	}
}

static void add_traffic(struct net_traffic *to, const struct net_traffic *more)
{
	to->sent_bytes += more->sent_bytes;
	to->sent_packets += more->sent_packets;
	to->received_bytes += more->received_bytes;
	to->received_packets += more->received_packets;
}

void counters_read(int map, const struct net_member *member, struct net_counters *ret)
{
	const struct net_address *addresses[] = {&member->address4, &member->address6};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct key key = make_key(addresses[i]);
		struct value value;

		if (!addresses[i]->family || !read_own(map, member, &key, &value))
			continue;
		add_traffic(&ret->lan, &value.lan);
		add_traffic(&ret->wan, &value.wan);
	}
}
