/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/link.h"

/* ---- switches of the host ---- */

/* Writes a per-interface switch: "ipv4", "eth0", "forwarding".  -ENOENT: this kernel has none. */
static int write_switch(const char *family, const char *interface, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	return file_write(AT_FDCWD, path, value, strlen(value));
}

static bool read_switch(const char *family, const char *interface, const char *name)
{
	auto_free char *text = NULL;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	return !file_read(AT_FDCWD, path, 64, &text, NULL) && *text != '0';
}

static const struct {
	const char *family, *name, *value;
	bool optional; /* kernels differ */
} bridge_switches[] = {
    {"ipv4", "forwarding", "1", false},
    {"ipv4", "route_localnet", "1", false}, /* ports on 127.0.0.1; the guards keep members from it */
    {"ipv4", "send_redirects", "0", false},
    {"ipv4", "accept_redirects", "0", false},
    {"ipv6", "accept_ra", "0", true},
    {"ipv6", "accept_redirects", "0", true},
    {"ipv6", "autoconf", "0", true},
    {"ipv6", "force_forwarding", "1", true},
};

int forward_set_bridge(const char *bridge, struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(bridge_switches); i++) {
		int r =
		    write_switch(bridge_switches[i].family, bridge, bridge_switches[i].name, bridge_switches[i].value);

		if (r && !(bridge_switches[i].optional && r == -ENOENT))
			return error_system(e, -r, "write '/proc/sys/net/%s/conf/%s/%s'", bridge_switches[i].family,
					    bridge, bridge_switches[i].name);
	}
	return 0;
}

int forward_close_link(const char *link, struct error *e)
{
	int r = write_switch("ipv6", link, "disable_ipv6", "1");

	return r && r != -ENOENT ? error_system(e, -r, "write '/proc/sys/net/ipv6/conf/%s/disable_ipv6'", link) : 0;
}

/* ---- uplinks ---- */

struct uplinks {
	int indices[64];
	bool is_default[64];
	size_t n;
};

static void add_uplink(struct uplinks *uplinks, int index, bool is_default)
{
	size_t i = 0;

	while (i < uplinks->n && uplinks->indices[i] != index)
		i++;
	if (i == ARRAY_SIZE(uplinks->indices))
		return;
	if (i == uplinks->n) {
		uplinks->indices[uplinks->n++] = index;
		uplinks->is_default[i] = false;
	}
	uplinks->is_default[i] |= is_default;
}

static int uplink_of_route(const struct link_route *route, void *data, struct error *e)
{
	(void)e;
	if (!route->to.prefix && route->index)
		add_uplink(data, route->index, true);
	return 0;
}

static int uplink_of_address(int index, const struct link_address *address, void *data, struct error *e)
{
	(void)e;
	if (address->scope == RT_SCOPE_UNIVERSE)
		add_uplink(data, index, false);
	return 0;
}

/* The links by which the host reaches others: with a default route, or with an address and not somebody's bridge. */
static int find_uplinks(struct netlink *netlink, struct uplinks *ret, struct error *e)
{
	*ret = (struct uplinks){0};
	return link_each_route(netlink, uplink_of_route, ret, e)
		   ?: link_each_address(netlink, uplink_of_address, ret, e);
}

static bool is_listed(const char *text, const char *line)
{
	const char *found = text;

	while ((found = strstr(found, line))) {
		size_t n = strlen(line);

		if ((found == text || found[-1] == '\n') && (!found[n] || found[n] == '\n'))
			return true;
		found += n;
	}
	return false;
}

/* Notes it before it is done: a crash between leaves a rule too many, not an open host. */
static int note_opened(const struct store *store, struct nft *nft, uint8_t family, const char *interface,
		       struct error *e)
{
	auto_free char *old = NULL;
	auto_str text = STR_INIT;
	char line[64];
	int r;

	snprintf(line, sizeof(line), "%c %s", family == AF_INET ? '4' : '6', interface);
	if (!file_read(store->state, "opened", 65536, &old, NULL))
		str_add(&text, old);
	if (!is_listed(str_peek(&text), line)) {
		str_addf(&text, "%s\n", line);
		r = store_write(store->state, "opened", 0600, text.data, text.size);
		if (r)
			return error_system(e, -r, "write '%s/opened'", store->state_path);
	}
	nft_begin(nft);
	if (str_equal(interface, "*"))
		nft_add_opened_family(nft, family);
	else
		nft_add_opened(nft, family, interface);
	return nft_commit(nft, e);
}

/* Interfaces that take router advertisements stop doing so when the host forwards, unless told (2). */
static int keep_advertisements(const struct uplinks *uplinks)
{
	for (size_t i = 0; i < uplinks->n; i++) {
		char name[IF_NAMESIZE], path[128];
		auto_free char *text = NULL;

		if (!if_indextoname(uplinks->indices[i], name))
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
		if (!file_read(AT_FDCWD, path, 64, &text, NULL) && *text == '1')
			(void)!write_switch("ipv6", name, "accept_ra", "2");
	}
	return 0;
}

static int open_all_ip6(const struct store *store, struct nft *nft, const struct uplinks *uplinks, struct error *e)
{
	int r;

	if (read_switch("ipv6", "all", "forwarding"))
		return 0;
	r = note_opened(store, nft, AF_INET6, "*", e) ?: keep_advertisements(uplinks);
	if (r)
		return r;
	r = write_switch("ipv6", "all", "forwarding", "1");
	return r ? error_system(e, -r, "write '/proc/sys/net/ipv6/conf/all/forwarding'") : 0;
}

static int open_uplink(const struct store *store, struct nft *nft, const char *name, uint8_t family, struct error *e)
{
	const char *folder = family == AF_INET ? "ipv4" : "ipv6";
	const char *which = family == AF_INET ? "forwarding" : "force_forwarding";
	int r;

	if (read_switch(folder, name, which))
		return 0;
	if (family == AF_INET6 && read_switch(folder, "all", "forwarding"))
		return 0;
	r = note_opened(store, nft, family, name, e);
	if (r)
		return r;
	r = write_switch(folder, name, which, "1");
	return r && r != -ENOENT ? error_system(e, -r, "write '/proc/sys/net/%s/conf/%s/%s'", folder, name, which) : 0;
}

int forward_open_uplinks(const struct store *store, struct netlink *netlink, struct nft *nft,
			 const struct net_network *network, struct error *e)
{
	bool has_force = !access("/proc/sys/net/ipv6/conf/all/force_forwarding", F_OK);
	struct uplinks uplinks;
	int r = find_uplinks(netlink, &uplinks, e);

	if (!r && network->subnet6.family && !has_force)
		r = open_all_ip6(store, nft, &uplinks, e);
	for (size_t i = 0; !r && i < uplinks.n; i++) {
		char name[IF_NAMESIZE];
		struct link_facts link;

		if (!if_indextoname(uplinks.indices[i], name) || link_find(netlink, name, &link, NULL))
			continue;
		if (link.flags & IFF_LOOPBACK || (str_equal(link.kind, "bridge") && !uplinks.is_default[i]) ||
		    str_after(name, "holm-"))
			continue;
		if (network->subnet4.family)
			r = open_uplink(store, nft, name, AF_INET, e);
		if (!r && network->subnet6.family && has_force)
			r = open_uplink(store, nft, name, AF_INET6, e);
	}
	return r;
}

int forward_close_uplinks(const struct store *store, bool *ret_closed, struct error *e)
{
	auto_free char *text = NULL;

	*ret_closed = !file_read(store->state, "opened", 65536, &text, NULL);
	if (!*ret_closed)
		return 0;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		bool four = *line == '4';
		const char *name, *which;
		int r;

		if (!*line || line[1] != ' ' || (four && read_switch("ipv4", "all", "forwarding")))
			continue;
		name = str_equal(line + 2, "*") ? "all" : line + 2;
		which = four || str_equal(name, "all") ? "forwarding" : "force_forwarding";
		r = write_switch(four ? "ipv4" : "ipv6", name, which, "0");
		if (r && r != -ENOENT) /* the interface may be gone */
			return error_system(e, -r, "switch forwarding of '%s' off", name);
	}
	unlinkat(store->state, "opened", 0);
	return 0;
}

void forward_forget(const struct store *store)
{
	auto_free char *old = NULL;
	auto_str text = STR_INIT;

	if (!read_switch("ipv4", "all", "forwarding") || file_read(store->state, "opened", 65536, &old, NULL))
		return;
	for (char *line, *rest = old; (line = strsep(&rest, "\n"));)
		if (*line && *line != '4')
			str_addf(&text, "%s\n", line);
	(void)!store_write(store->state, "opened", 0600, str_peek(&text), text.size);
}
