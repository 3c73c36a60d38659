/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroups/devices: the rules' meaning, the writes of v1, and the program of v2 run by an interpreter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cgroups/devices.h"

#define RULES(...)                                                                                                     \
	(struct spec_device_rule[]){__VA_ARGS__},                                                                      \
	    sizeof((struct spec_device_rule[]){__VA_ARGS__}) / sizeof(struct spec_device_rule)

enum { M = SPEC_DEVICE_MKNOD, R = SPEC_DEVICE_READ, W = SPEC_DEVICE_WRITE, RWM = M | R | W };

/* ---- an interpreter of the few instructions the generator uses; anything else fails the test ---- */

static int run(const struct bpf_insn *insns, size_t n, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t r[11] = {0};
	size_t pc = 0;

	r[1] = (uintptr_t)ctx;
	for (size_t steps = 0; pc < n; steps++) {
		const struct bpf_insn *i = &insns[pc++];
		uint64_t imm = (uint64_t)(int64_t)i->imm;

		assert_true(steps < n); /* no loops: every instruction at most once */
		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(r[i->src_reg], (uintptr_t)ctx);
			assert_true(i->off >= 0 && i->off + 4 <= (int)sizeof(*ctx));
			r[i->dst_reg] = *(const uint32_t *)((const char *)ctx + i->off);
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = imm;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			r[i->dst_reg] &= imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= imm;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			pc += (uint32_t)r[i->dst_reg] != (uint32_t)imm ? i->off : 0;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += r[i->dst_reg] != imm ? i->off : 0;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += r[i->dst_reg] & imm ? i->off : 0;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->off;
			break;
		case BPF_JMP | BPF_EXIT:
			return r[0];
		default:
			fail_msg("instruction %#x", i->code);
		}
	}
	fail_msg("the program runs off its end");
	return -1;
}

/* ---- the meaning, bit by bit ---- */

static bool allows(const struct device_rules *rules, char type, int64_t major, int64_t minor, unsigned access)
{
	for (unsigned bit = 1; bit <= W; bit <<= 1) {
		bool allowed = false;

		for (size_t i = 0; i < rules->n; i++) {
			const struct spec_device_rule *r = &rules->rules[i];

			if (r->type == type && (r->major < 0 || r->major == major) &&
			    (r->minor < 0 || r->minor == minor) && r->access & bit)
				allowed = r->allow;
		}
		if (access & bit && !allowed)
			return false;
	}
	return true;
}

static void compile(struct spec_device_rule *list, size_t n, struct arena *arena, struct device_rules *ret)
{
	struct spec_resources r = {.devices = list, .n_devices = n};
	struct error e = ERROR_INIT;

	assert_int_equal(device_rules_compile(&r, arena, ret, &e), 0);
}

/* The program says for many devices what the rules say. */
static void check_program(struct spec_device_rule *list, size_t n)
{
	static const int64_t majors[] = {0, 1, 5, 7, 10, 136, 137, 226, 4095, 0x80000000, UINT32_MAX};
	static const int64_t minors[] = {0, 1, 2, 3, 5, 8, 9, 200, 1048575, UINT32_MAX};
	auto_arena arena = ARENA_INIT;
	struct device_rules rules;
	struct bpf_insn *insns;
	size_t size;

	compile(list, n, &arena, &rules);
	devices_v2_generate(&rules, &arena, &insns, &size);
	for (const char *type = "bc"; *type; type++)
		for (size_t i = 0; i < ARRAY_SIZE(majors); i++)
			for (size_t k = 0; k < ARRAY_SIZE(minors); k++)
				for (unsigned access = 1; access <= RWM; access++) {
					struct bpf_cgroup_dev_ctx ctx = {
					    .access_type = access << 16 |
							   (*type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
					    .major = majors[i],
					    .minor = minors[k],
					};
					int wanted = allows(&rules, *type, majors[i], minors[k], access);

					if (run(insns, size, &ctx) != wanted)
						fail_msg("%c %lld:%lld access %u: not %d", *type, (long long)majors[i],
							 (long long)minors[k], access, wanted);
				}
}

static void test_program(void **state)
{
	(void)state;
	check_program(NULL, 0);
	check_program(RULES({false, 'a', -1, -1, RWM}));
	check_program(RULES({false, 'a', -1, -1, RWM}, {true, 'c', 226, -1, RWM}, {false, 'c', 226, 1, W}));
	check_program(RULES({true, 'a', -1, -1, RWM}, {false, 'b', -1, -1, W}));
	check_program(RULES({true, 'a', 7, -1, R | W}, {false, 'c', 7, 3, R}, {true, 'c', 7, 3, R}));
	check_program(RULES({true, 'c', UINT32_MAX, UINT32_MAX, R}, {true, 'b', 0x80000000, 0, RWM}));
	check_program(RULES({true, 'c', 226, 0, R}, {true, 'c', 226, 0, W}));
}

static void test_random_programs(void **state)
{
	static const int64_t numbers[] = {-1, 1, 5, 7, 226};

	(void)state;
	srand(7);
	for (int round = 0; round < 300; round++) {
		struct spec_device_rule list[12];
		size_t n = rand() % ARRAY_SIZE(list);

		for (size_t i = 0; i < n; i++)
			list[i] = (struct spec_device_rule){
			    .allow = rand() & 1,
			    .type = "abc"[rand() % 3],
			    .major = numbers[rand() % ARRAY_SIZE(numbers)],
			    .minor = numbers[rand() % ARRAY_SIZE(numbers)],
			    .access = 1 + rand() % RWM,
			};
		check_program(list, n);
	}
}

static void test_defaults(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct device_rules rules;

	(void)state;
	compile(NULL, 0, &arena, &rules);
	assert_false(rules.allows_all);
	assert_true(allows(&rules, 'c', 1, 3, RWM));
	assert_true(allows(&rules, 'c', 136, 77, R | W));
	assert_true(allows(&rules, 'c', 10, 200, R | W));
	assert_true(allows(&rules, 'b', 8, 0, M));
	assert_false(allows(&rules, 'b', 8, 0, R));
	assert_false(allows(&rules, 'c', 1, 1, R)); /* mem */
	assert_false(allows(&rules, 'c', 1, 1, R | M));
	/* Even where the spec takes one of them away: every container has them. */
	compile(RULES({false, 'c', 1, 3, RWM}), &arena, &rules);
	assert_true(allows(&rules, 'c', 1, 3, RWM));
	compile(RULES({true, 'a', -1, -1, RWM}), &arena, &rules);
	assert_true(rules.allows_all);
	compile(RULES({true, 'a', -1, -1, RWM}, {false, 'b', 8, 0, W}), &arena, &rules);
	assert_false(rules.allows_all);
}

static void test_refusals(void **state)
{
	static struct spec_device_rule bad[] = {{true, 'x', 1, 1, R},
						{true, 'c', 1, 1, 0},
						{true, 'c', -2, 1, R},
						{true, 'c', 1, 1L << 32, R},
						{true, 'c', 1, 1, 8}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct spec_resources r = {.devices = &bad[i], .n_devices = 1};
		auto_arena arena = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct device_rules rules;

		assert_true(device_rules_compile(&r, &arena, &rules, &e) < 0);
		assert_int_equal(e.kind, ERROR_INVALID);
		assert_non_null(strstr(e.text, "linux.resources.devices[0]"));
	}
}

/* ---- v1 ---- */

#define OWN                                                                                                            \
	"devices.allow=c *:* m;devices.allow=b *:* m;devices.allow=c 1:3 rw;devices.allow=c 1:5 rw;"                   \
	"devices.allow=c 1:7 rw;devices.allow=c 1:8 rw;devices.allow=c 1:9 rw;devices.allow=c 5:0 rw;"                 \
	"devices.allow=c 5:1 rw;devices.allow=c 5:2 rw;devices.allow=c 136:* rw;devices.allow=c 10:200 rw"

static void check_v1(struct spec_device_rule *list, size_t n, const char *expected)
{
	auto_arena arena = ARENA_INIT;
	auto_str got = STR_INIT;
	struct error e = ERROR_INIT;
	struct limits l = {.arena = &arena};
	struct device_rules rules;

	compile(list, n, &arena, &rules);
	if (*expected == '!') {
		assert_true(devices_v1_compile(&rules, &l, &e) < 0);
		assert_int_equal(e.kind, ERROR_UNSUPPORTED);
		assert_non_null(strstr(e.text, expected + 1));
		return;
	}
	assert_int_equal(devices_v1_compile(&rules, &l, &e), 0);
	for (size_t i = 0; i < l.n_writes; i++)
		str_addf(&got, "%s%s%s=%s", i ? ";" : "", l.writes[i].initial ? "~" : "", l.writes[i].file,
			 l.writes[i].value);
	assert_string_equal(str_peek(&got), expected);
}

static void test_v1(void **state)
{
	(void)state;
	check_v1(NULL, 0, "devices.deny=a;" OWN);
	check_v1(RULES({false, 'a', -1, -1, RWM}), "devices.deny=a;" OWN);
	check_v1(RULES({true, 'a', -1, -1, RWM}), "~devices.allow=a");
	check_v1(RULES({false, 'a', -1, -1, RWM}, {true, 'c', 226, -1, R | W}),
		 "devices.deny=a;devices.allow=c 226:* rw;" OWN);
	/* Two rules for one device become one line. */
	check_v1(RULES({true, 'c', 226, 0, R}, {true, 'c', 226, 0, W}), "devices.deny=a;devices.allow=c 226:0 rw;" OWN);
	/* What is taken away again leaves no trace, nor does what was before a rule for all. */
	check_v1(RULES({true, 'b', 8, 0, RWM}, {false, 'b', 8, -1, RWM}), "devices.deny=a;" OWN);
	check_v1(RULES({true, 'b', 8, 0, RWM}, {false, 'a', -1, -1, RWM}), "devices.deny=a;" OWN);
	check_v1(RULES({true, 'a', -1, -1, RWM}, {false, 'b', 8, 0, W}), "~devices.allow=a;devices.deny=b 8:0 w");
	check_v1(RULES({true, 'b', 8, -1, RWM}, {false, 'b', 8, 1, W}), "!can't take 'b 8:1 w' out of 'b 8:* rwm'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_program),  cmocka_unit_test(test_random_programs),
	    cmocka_unit_test(test_defaults), cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_v1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
