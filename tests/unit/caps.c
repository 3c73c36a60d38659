/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/caps: names, and what is left out with a warning where.  wrap: syscall prctl
 */
#include "runtime/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"
#include "spec/names.h"

#define BIT(n) (UINT64_C(1) << (n))

static uint64_t permitted, bounding;
static int fail_capget;
static struct str warnings;

long __wrap_syscall(long number, ...);
int __wrap_prctl(int option, ...);

long __wrap_syscall(long number, ...)
{
	struct __user_cap_data_struct *data;
	va_list args;

	assert_int_equal(number, SYS_capget);
	va_start(args, number);
	va_arg(args, void *);
	data = va_arg(args, struct __user_cap_data_struct *);
	va_end(args);
	if (fail_capget) {
		errno = EPERM;
		return -1;
	}
	data[0].permitted = permitted;
	data[1].permitted = permitted >> 32;
	return 0;
}

int __wrap_prctl(int option, ...)
{
	va_list args;
	unsigned long n;

	assert_int_equal(option, PR_CAPBSET_READ);
	va_start(args, option);
	n = va_arg(args, unsigned);
	va_end(args);
	return !!(bounding & BIT(n));
}

static void sink(enum log_level level, const char *text, void *data)
{
	(void)level;
	(void)data;
	str_addf(&warnings, "%s\n", text);
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(sink, NULL);
	str_release(&warnings);
	permitted = bounding = ~UINT64_C(0);
	fail_capget = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	str_release(&warnings);
	return 0;
}

#define NAMES(...)                                                                                                     \
	{                                                                                                              \
		.names = (const char *[]){__VA_ARGS__}, .n = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)    \
	}

static void test_names_are_libcaps(void **state)
{
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < names_capabilities.n; i++) {
		char *theirs = cap_to_name(i), upper[64];
		size_t k;

		for (k = 0; theirs[k]; k++)
			upper[k] = theirs[k] >= 'a' ? theirs[k] - 32 : theirs[k];
		upper[k] = 0;
		assert_string_equal(names_capabilities.list[i].name, upper);
		assert_int_equal(names_find(&names_capabilities, upper, &n), 0);
		assert_int_equal(n, i);
		cap_free(theirs);
	}
	assert_true(names_capabilities.n > CAP_CHECKPOINT_RESTORE);
	assert_int_equal(names_find(&names_capabilities, "cap_chown", &n), -ENOENT);
	assert_int_equal(names_find(&names_capabilities, "0", &n), -ENOENT);
}

static void test_absent_is_none(void **state)
{
	struct caps_sets sets = {.bounding = 1};

	(void)state;
	assert_int_equal(caps_resolve(NULL, false, &sets, NULL), 0);
	assert_int_equal(sets.bounding | sets.effective | sets.permitted | sets.inheritable | sets.ambient, 0);
}

static void test_all_five(void **state)
{
	struct spec_capabilities c = {.sets = {
					  [SPEC_CAP_BOUNDING] = NAMES("CAP_CHOWN", "CAP_KILL", "CAP_BPF"),
					  [SPEC_CAP_EFFECTIVE] = NAMES("CAP_CHOWN"),
					  [SPEC_CAP_PERMITTED] = NAMES("CAP_CHOWN", "CAP_KILL"),
					  [SPEC_CAP_INHERITABLE] = NAMES("CAP_KILL"),
					  [SPEC_CAP_AMBIENT] = NAMES("CAP_KILL"),
				      }};
	struct caps_sets sets;

	(void)state;
	assert_int_equal(caps_resolve(&c, false, &sets, NULL), 0);
	assert_int_equal(sets.bounding, BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_BPF));
	assert_int_equal(sets.effective, BIT(CAP_CHOWN));
	assert_int_equal(sets.permitted, BIT(CAP_CHOWN) | BIT(CAP_KILL));
	assert_int_equal(sets.inheritable, BIT(CAP_KILL));
	assert_int_equal(sets.ambient, BIT(CAP_KILL));
	assert_string_equal(str_peek(&warnings), "");
}

static void test_unknown_is_a_warning(void **state)
{
	struct spec_capabilities c = {.sets = {[SPEC_CAP_PERMITTED] = NAMES("CAP_FLY", "CAP_KILL")}};
	struct caps_sets sets;

	(void)state;
	assert_int_equal(caps_resolve(&c, true, &sets, NULL), 0);
	assert_int_equal(sets.permitted, BIT(CAP_KILL));
	assert_string_equal(str_peek(&warnings),
			    "process.capabilities.permitted[0]: unknown capability 'CAP_FLY' is left out\n");
}

static void test_not_grantable(void **state)
{
	struct spec_capabilities c = {.sets = {
					  [SPEC_CAP_BOUNDING] = NAMES("CAP_SYS_RESOURCE", "CAP_BPF", "CAP_KILL"),
					  [SPEC_CAP_EFFECTIVE] = NAMES("CAP_SYS_RESOURCE", "CAP_KILL"),
					  [SPEC_CAP_PERMITTED] = NAMES("CAP_SYS_RESOURCE", "CAP_KILL"),
					  [SPEC_CAP_INHERITABLE] = NAMES("CAP_SYS_RESOURCE", "CAP_BPF", "CAP_KILL"),
				      }};
	struct caps_sets sets;

	(void)state;
	permitted &= ~(BIT(CAP_SYS_RESOURCE) | BIT(CAP_BPF));
	bounding &= ~BIT(CAP_SYS_RESOURCE);
	assert_int_equal(caps_resolve(&c, false, &sets, NULL), 0);
	assert_int_equal(sets.bounding, BIT(CAP_BPF) | BIT(CAP_KILL));
	assert_int_equal(sets.effective, BIT(CAP_KILL));
	assert_int_equal(sets.permitted, BIT(CAP_KILL));
	assert_int_equal(sets.inheritable, BIT(CAP_BPF) | BIT(CAP_KILL));
	/* once per capability, not once per set */
	assert_string_equal(str_peek(&warnings),
			    "process.capabilities.bounding: CAP_SYS_RESOURCE can't be granted here and is left out\n");

	str_release(&warnings);
	assert_int_equal(caps_resolve(&c, true, &sets, NULL), 0);
	assert_int_equal(sets.permitted, BIT(CAP_SYS_RESOURCE) | BIT(CAP_KILL));
	assert_string_equal(str_peek(&warnings), "");
}

static void test_subsets(void **state)
{
	struct spec_capabilities c = {.sets = {
					  [SPEC_CAP_EFFECTIVE] = NAMES("CAP_KILL", "CAP_CHOWN"),
					  [SPEC_CAP_PERMITTED] = NAMES("CAP_KILL"),
					  [SPEC_CAP_AMBIENT] = NAMES("CAP_KILL"),
				      }};
	struct caps_sets sets;

	(void)state;
	assert_int_equal(caps_resolve(&c, true, &sets, NULL), 0);
	assert_int_equal(sets.effective, BIT(CAP_KILL));
	assert_int_equal(sets.ambient, 0);
	assert_string_equal(str_peek(&warnings),
			    "process.capabilities.effective: CAP_CHOWN is not in permitted and is left out\n");
}

static void test_capget_fails(void **state)
{
	struct spec_capabilities c = {0};
	struct caps_sets sets;
	struct error e = ERROR_INIT;

	(void)state;
	fail_capget = 1;
	assert_int_equal(caps_resolve(&c, false, &sets, &e), -EPERM);
	assert_string_equal(e.text, "capget");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_names_are_libcaps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_absent_is_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_all_five, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unknown_is_a_warning, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_not_grantable, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_subsets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_capget_fails, setup, teardown),
	};

	return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
