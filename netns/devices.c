/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/request.h"

struct device {
	const struct net_device_request *request;
	struct link_facts link;
	struct link_address *addresses;
	size_t n_addresses;
};

/* Moving within one namespace would be a rename on the host: surely not what was meant. */
static int check_namespace(int netns_fd, struct error *e)
{
	struct stat own, other;

	if (stat("/proc/self/ns/net", &own) < 0)
		return error_system(e, errno, "look at '/proc/self/ns/net'");
	if (fstat(netns_fd, &other) < 0)
		return error_system(e, errno, "look at the container's network namespace");
	if (own.st_dev == other.st_dev && own.st_ino == other.st_ino)
		return error_refuse(e, ERROR_STATE,
				    "linux.netDevices: the container has no network namespace of its own");
	return 0;
}

static int check_names(const struct net_device_request *devices, size_t n, struct netlink *inside, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = devices[i].name;
		bool taken;
		int r;

		if (net_interface_name_flaw(devices[i].host_name, false) || net_interface_name_flaw(name, true))
			return error_refuse(e, ERROR_INVALID, "linux.netDevices: not names of interfaces");
		if (strchr(name, '%'))
			continue;
		for (size_t j = 0; j < i; j++)
			if (str_equal(devices[j].name, name))
				return error_refuse(e, ERROR_EXISTS,
						    "linux.netDevices.%s: '%s' would also be the name of '%s'",
						    devices[i].host_name, name, devices[j].host_name);
		r = link_exists(inside, name, &taken, e);
		if (r)
			return r;
		if (taken)
			return error_refuse(e, ERROR_EXISTS,
					    "linux.netDevices.%s: the container already has an interface '%s'",
					    devices[i].host_name, name);
	}
	return 0;
}

static int read_device(struct netlink *host, struct device *device, struct error *e)
{
	const char *name = device->request->host_name;
	int r = link_find(host, name, &device->link, e);

	if (r == -ENODEV)
		return error_refuse(e, ERROR_NOT_FOUND, "linux.netDevices.%s: the host has no interface '%s'", name,
				    name);
	if (!r)
		r = link_addresses(host, device->link.index, &device->addresses, &device->n_addresses, e);
	if (r)
		error_context(e, "linux.netDevices.%s", name);
	return r;
}

enum { INDEX_TRIES = 64 };

/*
 * The namespace change takes addresses, routes and IFF_UP away; MTU and hardware address stay with the link.  We choose
 * its index inside, so that it is found there whatever name the kernel makes of a template: the index it had, or the
 * next that is free (EBUSY comes before anything was done).
 */
static int move_link(struct netlink *host, const struct device *device, int netns_fd, int *ret_index, struct error *e)
{
	for (int i = 0;; i++) {
		int index = device->link.index + i;
		int r;

		link_move(host, device->link.index, device->request->host_name, netns_fd, device->request->name, index);
		r = netlink_commit(host, e);
		if (!r)
			*ret_index = index;
		if (r != -EBUSY || i == INDEX_TRIES)
			return r;
	}
}

/* What runc calls permanent global addresses: not from DHCP or router advertisements, not link-local. */
static bool is_kept(const struct link_address *address)
{
	return address->scope == RT_SCOPE_UNIVERSE && address->flags & IFA_F_PERMANENT &&
	       !(address->flags & IFA_F_TEMPORARY);
}

static int move_device(struct netlink *host, struct netlink *inside, const struct device *device, int netns_fd,
		       struct error *e)
{
	const char *name = device->request->name;
	int index = 0;
	int r = move_link(host, device, netns_fd, &index, e);

	for (size_t i = 0; !r && i < device->n_addresses; i++) {
		struct link_address address = device->addresses[i];

		if (!is_kept(&address))
			continue;
		/* It was in use until now, so nobody else has it: no probing that would make the payload wait. */
		address.flags &= IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS;
		if (address.family == AF_INET6)
			address.flags |= IFA_F_NODAD;
		link_add_address(inside, index, &address, name);
		if (netlink_is_full(inside))
			r = netlink_commit(inside, e);
	}
	if (!r) {
		link_set_up(inside, index, name);
		r = netlink_commit(inside, e);
	}
	if (r)
		error_context(e, "linux.netDevices.%s", device->request->host_name);
	return r;
}

static int move_all(struct device *devices, size_t n, int netns_fd, struct netlink *host, struct netlink *inside,
		    struct error *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = read_device(host, &devices[i], e);
	for (size_t i = 0; !r && i < n; i++)
		r = move_device(host, inside, &devices[i], netns_fd, e);
	return r;
}

int devices_move(const struct net_device_request *requests, size_t n, int netns_fd, struct error *e)
{
	auto_netlink host = NETLINK_INIT;
	auto_netlink inside = NETLINK_INIT;
	auto_free struct device *devices = calloc(n, sizeof(*devices));
	int r = check_namespace(netns_fd, e);

	if (!devices)
		return error_system(e, ENOMEM, "linux.netDevices");
	if (!r)
		r = netlink_open(&host, NETLINK_ROUTE, -1, e);
	if (!r)
		r = netlink_open(&inside, NETLINK_ROUTE, netns_fd, e);
	if (!r)
		r = check_names(requests, n, &inside, e);
	for (size_t i = 0; i < n; i++)
		devices[i].request = &requests[i];
	if (!r)
		r = move_all(devices, n, netns_fd, &host, &inside, e);
	for (size_t i = 0; i < n; i++)
		free(devices[i].addresses);
	return r;
}
