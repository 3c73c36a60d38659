/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of interfaces, and what net_move_devices() refuses before it starts anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "netns/client.h"
#include "netns/names.h"
#include "spec/spec.h"

static const struct {
	const char *name;
	bool good, good_template;
} names[] = {
    {"eth0", true, true},      {"a", true, true},	{"abcdefghijklmno", true, true},
    {"br-0.1_x", true, true},  {"eth%d", false, true},	{"%d", false, true},
    {"a%db", false, true},     {"", false, false},	{"abcdefghijklmnop", false, false},
    {".", false, false},       {"..", false, false},	{"a/b", false, false},
    {"a:b", false, false},     {"a b", false, false},	{"a\n", false, false},
    {"a\t", false, false},     {"eth%s", false, false}, {"eth%", false, false},
    {"eth%d%d", false, false}, {"%%d", false, false},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(!net_interface_name_flaw(names[i].name, false), names[i].good);
		assert_int_equal(!net_interface_name_flaw(names[i].name, true), names[i].good_template);
	}
}

static void test_nothing_to_do(void **state)
{
	(void)state;
	assert_int_equal(net_move_devices(NULL, 0, -1, NULL), 0);
}

static void test_refusals(void **state)
{
	struct spec_net_device devices[] = {{.host_name = "eth0"}, {.host_name = "x/y"}};
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(net_move_devices(devices, 2, -1, &e), -EINVAL);
	assert_int_equal(e.kind, ERROR_INVALID);
	assert_string_equal(e.text, "linux.netDevices: the interface name 'x/y' holds '/', ':' or white space");
	devices[1] = (struct spec_net_device){.host_name = "eth1", .name = "a name too long for it"};
	assert_int_equal(net_move_devices(devices, 2, -1, &e), -EINVAL);
	assert_string_equal(e.text, "linux.netDevices.eth1.name: the interface name 'a name too long for it' is longer "
				    "than 15 bytes");
	devices[1] = (struct spec_net_device){.host_name = "eth%d"};
	assert_int_equal(net_move_devices(devices, 2, -1, &e), -EINVAL);
}

/* The test program has no holm-net beside it. */
static void test_no_program(void **state)
{
	struct spec_net_device device = {.host_name = "eth0"};
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(net_move_devices(&device, 1, -1, &e), -ENOENT);
	assert_int_equal(e.kind, ERROR_SYSTEM);
	assert_non_null(strstr(e.text, "/holm-net'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_nothing_to_do),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
