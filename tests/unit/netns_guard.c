/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard's program, run by an interpreter of classic BPF over frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "netns/address.h"
#include "netns/guard.h"

struct frame {
	uint8_t bytes[128];
	bool vlan;
};

static uint32_t load(const struct frame *frame, uint32_t at, unsigned size)
{
	uint32_t value = 0;

	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT))
		return frame->vlan;
	assert_true(at + size <= sizeof(frame->bytes));
	for (unsigned i = 0; i < size; i++)
		value = value << 8 | frame->bytes[at + i];
	return value;
}

static uint32_t run(const struct sock_filter *code, size_t n, const struct frame *frame)
{
	uint32_t a = 0, x = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *s = &code[pc];
		unsigned size = BPF_SIZE(s->code) == BPF_W ? 4 : BPF_SIZE(s->code) == BPF_H ? 2 : 1;
		bool taken = false;

		switch (BPF_CLASS(s->code)) {
		case BPF_RET:
			return s->k;
		case BPF_LD:
			a = load(frame, BPF_MODE(s->code) == BPF_IND ? x + s->k : s->k, size);
			break;
		case BPF_LDX:
			x = (load(frame, s->k, 1) & 15) * 4;
			break;
		case BPF_ALU:
			a &= s->k;
			break;
		case BPF_JMP:
			switch (BPF_OP(s->code)) {
			case BPF_JEQ:
				taken = a == s->k;
				break;
			case BPF_JGT:
				taken = a > s->k;
				break;
			case BPF_JSET:
				taken = a & s->k;
				break;
			case BPF_JGE:
				taken = a >= s->k;
				break;
			default:
				fail();
			}
			pc += taken ? s->jt : s->jf;
			break;
		default:
			fail();
		}
	}
	fail();
	return 0;
}

static const uint8_t mac[6] = {0x0a, 0x68, 1, 2, 3, 4};

static struct frame make(uint16_t type)
{
	struct frame frame = {0};

	memcpy(frame.bytes + 6, mac, 6);
	frame.bytes[12] = type >> 8;
	frame.bytes[13] = type;
	return frame;
}

static struct frame make4(const char *source, const char *destination, uint8_t protocol)
{
	struct frame frame = make(0x800);

	frame.bytes[14] = 0x45;
	frame.bytes[23] = protocol;
	inet_pton(AF_INET, source, frame.bytes + 26);
	inet_pton(AF_INET, destination, frame.bytes + 30);
	return frame;
}

static struct frame make6(const char *source, uint8_t next)
{
	struct frame frame = make(0x86dd);

	frame.bytes[20] = next;
	inet_pton(AF_INET6, source, frame.bytes + 22);
	inet_pton(AF_INET6, "ff02::1", frame.bytes + 38);
	return frame;
}

static struct frame make_nd(const char *source, uint8_t type, const char *target)
{
	struct frame frame = make6(source, 58);

	frame.bytes[54] = type;
	inet_pton(AF_INET6, target, frame.bytes + 62);
	return frame;
}

static struct frame make_arp(const uint8_t sender[6], const char *address)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0, 2};
	struct frame frame = make(0x806);

	memcpy(frame.bytes + 14, head, sizeof(head));
	memcpy(frame.bytes + 22, sender, 6);
	inet_pton(AF_INET, address, frame.bytes + 28);
	return frame;
}

static struct frame with(struct frame frame, unsigned at, uint8_t value)
{
	frame.bytes[at] = value;
	return frame;
}

#define LOCAL "fe80::868:1ff:fe02:304"

static void check(bool expected4, bool expected6, const char *four, const char *six, bool routed)
{
	struct net_address address4 = {0}, address6 = {0};
	struct sock_filter code[GUARD_SIZE];
	size_t n;

	if (four)
		assert_int_equal(address_parse(four, &address4), 0);
	if (six)
		assert_int_equal(address_parse(six, &address6), 0);
	n = guard_build(code, mac, &address4, &address6, routed);
	assert_in_range(n, 1, GUARD_SIZE);
	const struct {
		struct frame frame;
		bool pass;
	} cases[] = {
	    {make4("10.66.0.5", "10.66.0.6", 6), expected4},
	    {make4("10.66.0.6", "10.66.0.5", 6), false},
	    {make4("0.0.0.0", "255.255.255.255", 17), false},
	    {make4("10.66.0.5", "127.0.0.1", 6), false},
	    {with(make4("10.66.0.5", "10.66.0.6", 1), 34, 8), expected4},
	    {with(make4("10.66.0.5", "10.66.0.6", 1), 34, 5), false},
	    {with(with(make4("10.66.0.5", "10.66.0.6", 1), 14, 0x46), 38, 5), false},
	    {with(with(make4("10.66.0.5", "10.66.0.6", 1), 34, 5), 21, 9), expected4}, /* not the first fragment */
	    {with(with(make4("10.66.0.5", "10.66.0.6", 1), 34, 5), 20, 0x20), false},  /* the first */
	    {with(make4("10.66.0.5", "10.66.0.6", 6), 6, 0x0c), false},
	    {with(make4("10.66.0.5", "10.66.0.6", 6), 11, 5), false},
	    {with(make4("10.66.0.5", "10.66.0.6", 17), 35, 67), expected4 && !routed}, /* a DHCP server */
	    {with(make4("10.66.0.5", "10.66.0.6", 17), 35, 68), expected4},
	    {with(make4("10.66.0.5", "10.66.0.6", 17), 37, 67), expected4},
	    {with(with(make4("10.66.0.5", "10.66.0.6", 17), 14, 0x46), 39, 67), expected4 && !routed},
	    {with(with(make4("10.66.0.5", "10.66.0.6", 17), 35, 67), 21, 9), expected4}, /* not the first fragment */
	    {with(with(make6(LOCAL, 17), 54, 2), 55, 0x23), !routed},
	    {with(with(make6(LOCAL, 17), 54, 2), 55, 0x22), true},
	    {with(with(with(make6(LOCAL, 44), 54, 17), 62, 2), 63, 0x23), !routed},
	    {make_arp(mac, "10.66.0.5"), expected4},
	    {make_arp(mac, "0.0.0.0"), true},
	    {make_arp(mac, "10.66.0.1"), false},
	    {make_arp((const uint8_t[]){0x0a, 0x68, 1, 2, 3, 5}, "10.66.0.5"), false},
	    {with(make_arp(mac, "10.66.0.5"), 18, 5), false},
	    {make6("fd00::5", 6), expected6},
	    {make6(LOCAL, 6), true},
	    {make6("fd00::6", 6), false},
	    {make6("fe80::1", 6), false},
	    {make6("::", 6), false},
	    {make_nd("::", 135, "fd00::5"), !routed},
	    {make_nd("::", 136, "fd00::5"), false},
	    {make_nd(LOCAL, 136, LOCAL), true},
	    {make_nd(LOCAL, 136, "fd00::5"), expected6},
	    {make_nd(LOCAL, 136, "fd00::1"), false},
	    {make_nd("fd00::5", 136, "fd00::6"), false},
	    {make_nd(LOCAL, 134, "::"), false},
	    {make_nd(LOCAL, 133, "::"), !routed},
	    {make_nd(LOCAL, 135, "fd00::6"), true},
	    {make_nd(LOCAL, 137, "::"), false},
	    {make_nd(LOCAL, 128, "::"), true},
	    {with(with(make6(LOCAL, 0), 54, 58), 62, 143), !routed},
	    {with(with(make6("::", 0), 54, 58), 62, 143), !routed},
	    {with(with(make6(LOCAL, 0), 54, 58), 62, 136), false},
	    {with(with(with(make6(LOCAL, 0), 54, 58), 55, 1), 62, 143), false},
	    {with(with(make6(LOCAL, 0), 54, 17), 62, 143), false},
	    {make6(LOCAL, 60), false},
	    {make6(LOCAL, 43), false},
	    {with(make6(LOCAL, 44), 54, 17), true},
	    {with(make6(LOCAL, 44), 54, 60), false},
	    {with(with(make6(LOCAL, 44), 54, 58), 62, 128), true},
	    {with(with(make6(LOCAL, 44), 54, 58), 62, 136), false},
	    {with(with(make6(LOCAL, 44), 54, 58), 62, 134), false},
	    {with(with(with(make6(LOCAL, 44), 54, 58), 62, 136), 57, 8),
	     true}, /* not the first fragment: no type there */
	    {make(0x8100), false},
	    {make(0x88b5), false},
	    {{.vlan = true}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if ((run(code, n, &cases[i].frame) != TC_ACT_SHOT) != cases[i].pass)
			fail_msg("frame %zu with %s and %s%s", i, four ? four : "-", six ? six : "-",
				 routed ? ", routed" : "");
}

static void test_both(void **state)
{
	(void)state;
	check(true, true, "10.66.0.5", "fd00::5", false);
	check(true, true, "10.66.0.5", "fd00::5", true);
}

static void test_one(void **state)
{
	(void)state;
	check(true, false, "10.66.0.5", NULL, true);
	check(false, true, NULL, "fd00::5", true);
	check(false, true, NULL, "fd00::5", false);
}

static void test_mac_alone(void **state)
{
	struct sock_filter code[GUARD_SIZE];
	size_t n = guard_build_mac(code, mac);
	struct frame frame = make4("1.2.3.4", "5.6.7.8", 6);

	(void)state;
	assert_int_not_equal(run(code, n, &frame), TC_ACT_SHOT);
	frame.bytes[8] ^= 1;
	assert_int_equal(run(code, n, &frame), TC_ACT_SHOT);
	frame = make4("1.2.3.4", "127.0.0.1", 6);
	assert_int_equal(run(code, n, &frame), TC_ACT_SHOT);
	frame = make_arp((const uint8_t[]){2, 0, 0, 0, 0, 1}, "1.2.3.4");
	assert_int_equal(run(code, n, &frame), TC_ACT_SHOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both),
	    cmocka_unit_test(test_one),
	    cmocka_unit_test(test_mac_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
