/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, ports, rates, MACs: the whole string or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "netns/address.h"
#include "netns/client.h"
#include "netns/hosts.h"
#include "netns/parse.h"
#include "spec/spec.h"

static const struct {
	const char *text, *print; /* NULL: refused */
} ports[] = {
    {"8080:80", "127.0.0.1:8080:80/tcp"},
    {"8080:80/udp", "127.0.0.1:8080:80/udp"},
    {"0.0.0.0:1:65535", "0.0.0.0:1:65535/tcp"},
    {"192.0.2.1:8000-8010:80", "192.0.2.1:8000-8010:80/tcp"},
    {"[::1]:8080:80", "[::1]:8080:80/tcp"},
    {"[::]:53:53/udp", "[::]:53:53/udp"},
    {"8080-8080:80", "127.0.0.1:8080:80/tcp"},
    {"", NULL},
    {"80", NULL},
    {":80", NULL},
    {":80:80", NULL},
    {"80:", NULL},
    {"80:80:", NULL},
    {"0:80", NULL},
    {"80:0", NULL},
    {"65536:80", NULL},
    {"80:65536", NULL},
    {"80-79:80", NULL},
    {"80-:80", NULL},
    {"-80:80", NULL},
    {"80-90:65530", NULL},
    {"80:80/sctp", NULL},
    {"80:80/", NULL},
    {"80:80/tcp ", NULL},
    {" 80:80", NULL},
    {"80:80\n", NULL},
    {"+80:80", NULL},
    {"0x50:80", NULL},
    {"::1:80:80", NULL},
    {"[127.0.0.1]:80:80", NULL},
    {"[::1:80:80", NULL},
    {"[]:80:80", NULL},
    {"127.1:80:80", NULL},
    {"0127.0.0.1:80:80", NULL},
    {"localhost:80:80", NULL},
    {"1.2.3.4:80:80:80", NULL},
};

static void test_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		char text[NET_PORT_TEXT_SIZE];
		struct error e = ERROR_INIT;
		struct net_port port;
		int r = net_parse_port(ports[i].text, &port, &e);

		assert_int_equal(!r, ports[i].print != NULL);
		if (r)
			assert_int_equal(e.kind, ERROR_INVALID);
		else
			assert_string_equal(net_print_port(&port, text), ports[i].print);
	}
}

static const struct {
	const char *text;
	uint64_t rate, burst; /* 0: refused */
} rates[] = {
    {"100M", 12500000, 125000},
    {"100m", 0, 0},
    {"1G", 125000000, 1250000},
    {"8k", 1000, 16384},
    {"8K", 1000, 16384},
    {"1.5M", 187500, 16384},
    {"16M/64k", 2000000, 65536},
    {"8000", 1000, 16384},
    {"7999", 0, 0},
    {"9T", 0, 0},
    {"", 0, 0},
    {"M", 0, 0},
    {"-1M", 0, 0},
    {"100M/", 0, 0},
    {"100M/1", 0, 0},
    {"100M/fast", 0, 0},
    {"100MB", 0, 0},
    {"100 M", 0, 0},
    {"18446744073709551616", 0, 0},
    {"18446744073709551615T", 0, 0},
};

static void test_rates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct net_rate rate = {0};
		struct error e = ERROR_INIT;
		int r = net_parse_rate(rates[i].text, &rate, &e);

		assert_int_equal(!r, rates[i].rate != 0);
		assert_int_equal(rate.rate, rates[i].rate);
		assert_int_equal(rate.burst, rates[i].burst);
	}
}

static void test_macs(void **state)
{
	static const char *const bad[] = {"",
					  "02:00:00:00:00",
					  "02:00:00:00:00:01:",
					  "02:00:00:00:00:0g",
					  "01:00:00:00:00:01",
					  "00:00:00:00:00:00",
					  "02-00-00-00-00-01",
					  "2:0:0:0:0:1",
					  "ff:ff:ff:ff:ff:ff"};
	uint8_t mac[6];

	(void)state;
	assert_int_equal(net_parse_mac("02:aB:00:00:00:1f", mac, NULL), 0);
	assert_memory_equal(mac, "\x02\xab\0\0\0\x1f", 6);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_not_equal(net_parse_mac(bad[i], mac, NULL), 0);
}

static void test_subnets(void **state)
{
	static const char *const bad[] = {"10.0.0.0",	 "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/",	 "/24",
					  "10.0.0.0/-1", "fd00::1/64",	"fd00::/129",  "10.0.0.0/24/24", "10.0.0.0/ 24",
					  "10.0/16"};
	struct net_address four, six, address;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(address_parse_subnet(bad[i], &four), -EINVAL);
	assert_int_equal(address_parse_subnet("10.66.4.0/22", &four), 0);
	assert_int_equal(address_parse_subnet("fd00:1::/64", &six), 0);
	assert_int_equal(address_capacity(&four), 1022);
	assert_int_equal(address_capacity(&six), ((uint64_t)1 << 32) - 1);
	address = address_at(&four, 1022);
	assert_string_equal(address_print(&address, true, text), "10.66.7.254/22");
	address = address_at(&six, 0x12345);
	assert_string_equal(address_print(&address, false, text), "fd00:1::1:2345");
	address = address_last(&four);
	assert_string_equal(address_print(&address, false, text), "10.66.7.255");
	assert_true(address_is_in(&address, &four));
	assert_false(address_is_in(&address, &six));
	address = address_at(&address, 1);
	assert_string_equal(address_print(&address, false, text), "10.66.8.0");
	assert_false(address_is_in(&address, &four));
	assert_int_equal(address_parse_subnet("10.0.0.0/8", &address), 0);
	assert_true(address_overlaps(&four, &address));
	assert_true(address_overlaps(&address, &four));
	assert_int_equal(address_parse_subnet("10.66.8.0/22", &address), 0);
	assert_false(address_overlaps(&four, &address));
	assert_int_equal(address_parse("127.3.4.5", &address), 0);
	assert_true(address_is_loopback(&address));
	assert_int_equal(address_parse("::1", &address), 0);
	assert_true(address_is_loopback(&address));
	assert_int_equal(address_parse("::", &address), 0);
	assert_true(address_is_any(&address) && !address_is_loopback(&address));
}

static void test_configuration(void **state)
{
	const char *publish[] = {"8080:80", "[::]:53:53/udp"};
	const char *routes[] = {"192.168.7.0/24 via 10.0.0.9", "fd07::/64 via fd00::9"};
	struct spec_holm_network networks[] = {
	    {.network = "default", .publish = publish, .n_publish = 2, .rate_egress = "8M"},
	    {.network = "lan",
	     .interface = "lan0",
	     .address = "10.0.0.5,fd00::5",
	     .mac = "02:00:00:00:00:05",
	     .gateway = "none",
	     .routes = routes,
	     .n_routes = 2},
	};
	struct net_interface *interfaces;
	struct net_port *list;
	struct error e = ERROR_INIT;
	size_t n;

	(void)state;
	assert_int_equal(net_interfaces_of(networks, 2, &interfaces, &list, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[1].interface, "eth0");
	assert_string_equal(interfaces[0].network, "default");
	assert_int_equal(interfaces[0].egress.rate, 1000000);
	assert_string_equal(interfaces[1].name, "lan0");
	assert_int_equal(interfaces[1].address4.bytes[3], 5);
	assert_int_equal(interfaces[1].address6.bytes[15], 5);
	assert_int_equal(interfaces[1].mac[5], 5);
	assert_true(interfaces[1].no_gateway && !interfaces[0].no_gateway);
	assert_int_equal(interfaces[1].n_routes, 2);
	assert_int_equal(interfaces[1].routes[1].via.bytes[15], 9);
	free(interfaces);
	free(list);
	publish[1] = "x";
	assert_int_equal(net_interfaces_of(networks, 2, &interfaces, &list, &n, &e), -EINVAL);
	assert_string_equal(e.text, "holm.networks[0]: 'x' is not [ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]");
	publish[1] = "1:1";
	routes[0] = "192.168.7.1/24 via 10.0.0.9";
	assert_int_equal(net_interfaces_of(networks, 2, &interfaces, &list, &n, &e), -EINVAL);
	assert_string_equal(e.text, "holm.networks[1]: '192.168.7.1/24 via 10.0.0.9' is not 'SUBNET via ADDRESS'");
	networks[1].address = "10.0.0.5,10.0.0.6";
	assert_int_equal(net_interfaces_of(networks, 2, &interfaces, &list, &n, &e), -EINVAL);
	assert_string_equal(e.text, "holm.networks[1]: '10.0.0.5,10.0.0.6' holds two addresses of one family");
}

static void test_resolv(void **state)
{
	unsigned servers;
	char *text = hosts_filter_resolv(
	    "# c\nnameserver 127.0.0.53\nnameserver\t::1\nnameserver 10.0.0.1\nnameserverx 127.0.0.1\n"
	    "nameserver fe80::1%eth0\nsearch a\n",
	    &servers);

	(void)state;
	assert_string_equal(text,
			    "# c\nnameserver 10.0.0.1\nnameserverx 127.0.0.1\nnameserver fe80::1%eth0\nsearch a\n");
	assert_int_equal(servers, 2);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ports),   cmocka_unit_test(test_rates),	  cmocka_unit_test(test_macs),
	    cmocka_unit_test(test_subnets), cmocka_unit_test(test_configuration), cmocka_unit_test(test_resolv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
