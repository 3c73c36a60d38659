/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records and leases in a folder of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/lease.h"
#include "netns/parse.h"
#include "netns/store.h"

static char folder[] = "/tmp/holm-store.XXXXXX";

static int make(void **state)
{
	static struct store store;
	char paths[2][64];

	(void)!mkdtemp(folder);
	snprintf(paths[0], sizeof(paths[0]), "%s/state", folder);
	snprintf(paths[1], sizeof(paths[1]), "%s/config/networks", folder);
	store = STORE_INIT;
	*state = &store;
	return net_store_open(&store, paths[0], paths[1], NULL);
}

static int clear(void **state)
{
	char command[128];

	net_store_close(*state);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct net_network make_network(const char *name, const char *subnet4, const char *subnet6)
{
	struct net_network network = {0};

	snprintf(network.name, sizeof(network.name), "%s", name);
	assert_int_equal(address_parse_subnet(subnet4, &network.subnet4), 0);
	assert_int_equal(address_parse_subnet(subnet6, &network.subnet6), 0);
	network.gateway4 = address_at(&network.subnet4, 1);
	network.gateway6 = address_at(&network.subnet6, 1);
	return network;
}

static void test_network(void **state)
{
	struct net_network network = make_network("net", "10.0.0.0/24", "fd00::/64"), read;
	struct error e = ERROR_INIT;

	network.type = NET_TYPE_MACVLAN;
	network.vlan = 7;
	network.mtu = 9000;
	network.is_isolated = 1;
	strcpy(network.uplink, "eth0");
	strcpy(network.vrf, "red");
	strcpy(network.bridge, "holm-net");
	assert_int_equal(store_load_network(*state, "net", &read, &e), -ENOENT);
	assert_int_equal(e.kind, ERROR_NOT_FOUND);
	assert_int_equal(store_save_network(*state, &network, true, &e), 0);
	assert_int_equal(store_save_network(*state, &network, true, &e), -EEXIST);
	assert_int_equal(store_load_network(*state, "net", &read, &e), 0);
	assert_memory_equal(&read, &network, sizeof(network));
	assert_int_equal(store_load_network(*state, "../net", &read, &e), -EINVAL);
	assert_int_equal(store_remove_network(*state, "net", &e), 0);
	assert_int_equal(store_load_network(*state, "net", &read, &e), -ENOENT);
}

static void test_broken_network(void **state)
{
	static const char *const texts[] = {"name other\n",
					    "name bad\nmtu x\n",
					    "name bad\nsubnet4 10.0.0.0\n",
					    "nonsense\n",
					    "name bad\ntype what\n",
					    "name bad\nuplink a-name-that-is-too-long\n",
					    ""};
	struct store *store = *state;
	struct net_network read;
	struct error e = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(file_replace(store->config, "bad", 0600, texts[i], strlen(texts[i])), 0);
		assert_int_equal(store_load_network(store, "bad", &read, &e), -EINVAL);
		assert_non_null(strstr(e.text, "config/networks/bad'"));
	}
	assert_int_equal(file_replace(store->config, "bad", 0600, "name bad\nfuture 1\n", 18), 0);
	assert_int_equal(store_load_network(store, "bad", &read, &e), 0);
	unlinkat(store->config, "bad", 0);
}

static int count(const struct net_member *member, void *data, struct error *e)
{
	(void)member;
	(void)e;
	++*(int *)data;
	return 0;
}

static void test_member(void **state)
{
	struct net_member member = {.id = "a",
				    .network = "net",
				    .name = "eth0",
				    .link = "hv0",
				    .mac = {2, 0, 0, 0, 0, 1},
				    .egress = {1000, 2000}},
			  read;
	struct net_port *ports, port;
	struct error e = ERROR_INIT;
	char path[NET_PATH_SIZE];
	size_t n;
	int members = 0;

	assert_int_equal(address_parse("10.0.0.5", &member.address4), 0);
	member.address4.prefix = 24;
	assert_int_equal(store_add_instance(*state, "a", "/nowhere/a", &e), 0);
	assert_int_equal(store_save_member(*state, &member, &e), 0);
	assert_int_equal(store_load_member(*state, "a", "eth0", &read, &e), 0);
	assert_memory_equal(&read, &member, sizeof(member));
	memset(member.mac, 0, 6);
	assert_int_equal(store_save_member(*state, &member, &e), 0);
	assert_int_equal(store_load_member(*state, "a", "eth0", &read, &e), 0);
	assert_int_equal(net_parse_port("80:80", &port, &e), 0);
	assert_int_equal(store_save_ports(*state, "a", "eth0", &port, 1, &e), 0);
	assert_int_equal(store_load_ports(*state, "a", "eth0", &ports, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(ports[0].interface, "eth0");
	free(ports);
	store_instance_path(*state, "a", path);
	assert_string_equal(path, "/nowhere/a");
	/* Gone, so its name is free; alive, and it is not. */
	assert_int_equal(store_add_instance(*state, "a", "/tmp", &e), 0);
	assert_int_equal(store_add_instance(*state, "a", "/usr", &e), -EEXIST);
	store_drop_instance(*state, "a");
	assert_int_equal(store_each_member(*state, NULL, count, &members, &e), 0);
	assert_int_equal(members, 1);
	assert_int_equal(store_remove_member(*state, &member, &e), 0);
	store_drop_instance(*state, "a");
	store_instance_path(*state, "a", path);
	assert_string_equal(path, "");
}

static struct net_member take(struct store *store, const struct net_network *network, const char *id, const char *four,
			      const char *six, int expected)
{
	struct net_member member = {.name = "eth0"};
	auto_fd fd = -1;

	snprintf(member.id, sizeof(member.id), "%s", id);
	if (four)
		assert_int_equal(address_parse(four, &member.address4), 0);
	if (six)
		assert_int_equal(address_parse(six, &member.address6), 0);
	assert_int_equal(store_open_network(store, network->name, &fd, NULL), 0);
	assert_int_equal(lease_take(fd, network, &member, "", NULL), expected);
	return member;
}

static void test_leases(void **state)
{
	struct net_network network = make_network("leases", "10.1.0.0/29", "fd01::/64");
	struct net_member a = take(*state, &network, "a", NULL, NULL, 0), b, members[8];
	auto_fd fd = -1;

	assert_int_equal(a.address4.prefix, 29);
	assert_int_equal(a.address4.bytes[3], a.address6.bytes[15]);
	b = take(*state, &network, "a", NULL, NULL, 0); /* again: the same */
	assert_true(address_equal(&a.address4, &b.address4));
	assert_int_equal(store_open_network(*state, "leases", &fd, NULL), 0);
	lease_drop(fd, &a);
	/* IPv6 of the number taken by a fixed address: another number is found for both. */
	for (unsigned number = 2; number < 6; number++) {
		char six[32];

		snprintf(six, sizeof(six), "fd01::%u", number);
		members[number] =
		    take(*state, &network, (char[]){'s', '0' + number, 0}, number == 2 ? "10.1.0.2" : NULL, six, 0);
		lease_drop(fd, &members[number]);
		members[number].address4 = (struct net_address){0};
		members[number] = take(*state, &network, (char[]){'s', '0' + number, 0}, "10.1.0.6", six, 0);
		members[number].address6 = (struct net_address){0};
		lease_drop(fd, &members[number]); /* its IPv6 address stays taken */
	}
	b = take(*state, &network, "b", NULL, NULL, 0);
	assert_int_equal(b.address4.bytes[3], 6);
	assert_int_equal(b.address6.bytes[15], 6);
	take(*state, &network, "c", NULL, NULL, -ENOSPC);
	take(*state, &network, "c", "10.1.0.6", NULL, -EEXIST);
	take(*state, &network, "c", "10.1.0.7", NULL, -EINVAL);
	take(*state, &network, "c", "10.1.0.1", NULL, -EINVAL);
	take(*state, &network, "c", "10.2.0.1", NULL, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_network),
	    cmocka_unit_test(test_broken_network),
	    cmocka_unit_test(test_member),
	    cmocka_unit_test(test_leases),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
