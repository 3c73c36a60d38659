/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/parse.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "netns/address.h"

static const char *const type_names[_NET_TYPE_N] = {
    [NET_TYPE_BRIDGE] = "bridge",
    [NET_TYPE_HOST_ONLY] = "host-only",
    [NET_TYPE_MACVLAN] = "macvlan",
    [NET_TYPE_IPVLAN] = "ipvlan",
};

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}};

const char *net_type_name(uint32_t type)
{
	return type < _NET_TYPE_N ? type_names[type] : "?";
}

int net_parse_type(const char *text, uint32_t *ret, struct error *e)
{
	for (uint32_t i = 0; i < _NET_TYPE_N; i++)
		if (str_equal(text, type_names[i])) {
			*ret = i;
			return 0;
		}
	return error_refuse(e, ERROR_INVALID,
			    "'%s' is not a type of network: 'bridge', 'host-only', 'macvlan' or 'ipvlan'", text);
}

/* Cuts text (a copy) at the last occurrence of c; returns what follows it, or NULL. */
static char *cut_last(char *text, char c)
{
	char *p = strrchr(text, c);

	if (!p)
		return NULL;
	*p = 0;
	return p + 1;
}

static bool read_port(const char *text, uint16_t *ret)
{
	uint64_t value;

	if (parse_u64(text, 1, 65535, &value))
		return false;
	*ret = value;
	return true;
}

static bool read_protocol(const char *text, uint8_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (str_equal(text, protocols[i].name)) {
			*ret = protocols[i].number;
			return true;
		}
	return false;
}

static bool read_host(char *text, struct net_address *ret)
{
	size_t n = strlen(text);
	bool bracket = *text == '[';

	if (bracket) {
		if (text[n - 1] != ']')
			return false;
		text[n - 1] = 0;
		text++;
	}
	return !address_parse(text, ret) && bracket == (ret->family == AF_INET6);
}

int net_parse_port(const char *text, struct net_port *ret, struct error *e)
{
	struct net_port port = {.protocol = IPPROTO_TCP, .address = {AF_INET, 32, {127, 0, 0, 1}}};
	char copy[NET_PORT_TEXT_SIZE], *protocol, *target, *host_ports, *last;

	if (strlen(text) >= sizeof(copy))
		return error_refuse(e, ERROR_INVALID, "'%.100s...' is not [ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]", text);
	strcpy(copy, text);
	protocol = cut_last(copy, '/');
	target = cut_last(copy, ':');
	if ((protocol && !read_protocol(protocol, &port.protocol)) || !target || !read_port(target, &port.port))
		return error_refuse(e, ERROR_INVALID, "'%s' is not [ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]", text);
	host_ports = cut_last(copy, ':');
	if (!host_ports)
		host_ports = copy;
	else if (!read_host(copy, &port.address))
		return error_refuse(e, ERROR_INVALID, "'%s': '%s' is not an address (IPv6 ones are put in brackets)",
				    text, copy);
	last = cut_last(host_ports, '-');
	if (!read_port(host_ports, &port.first) || (last && !read_port(last, &port.last)))
		return error_refuse(e, ERROR_INVALID, "'%s': ports are numbers from 1 to 65535", text);
	if (!last)
		port.last = port.first;
	if (port.last < port.first || port.port + (port.last - port.first) > 65535)
		return error_refuse(e, ERROR_INVALID, "'%s': the range of ports is empty or ends beyond 65535", text);
	*ret = port;
	return 0;
}

const char *net_print_port(const struct net_port *port, char buffer[NET_PORT_TEXT_SIZE])
{
	char address[ADDRESS_TEXT_SIZE], range[16] = "";
	bool six = port->address.family == AF_INET6;
	const char *protocol = "?";

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == port->protocol)
			protocol = protocols[i].name;
	if (port->last != port->first)
		snprintf(range, sizeof(range), "-%u", port->last);
	snprintf(buffer, NET_PORT_TEXT_SIZE, "%s%s%s:%u%s:%u/%s", six ? "[" : "",
		 address_print(&port->address, false, address), six ? "]" : "", port->first, range, port->port,
		 protocol);
	return buffer;
}

/* "100M", "2.5G", "64k": powers of 1000. */
static int parse_bits(const char *text, uint64_t *ret)
{
	static const char units[] = "kMGT";
	uint64_t whole = 0, fraction = 0, unit = 1, scale = 1;
	const char *p = text;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *p - '0', &whole))
			return -ERANGE;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && scale < 1000000; p++, scale *= 10)
			fraction = fraction * 10 + *p - '0';
	if (*p) {
		const char *found = strchr(units, *p == 'K' ? 'k' : *p);

		if (!found || p[1])
			return -EINVAL;
		for (const char *u = units; u <= found; u++)
			unit *= 1000;
	}
	if (__builtin_mul_overflow(whole, unit, &whole))
		return -ERANGE;
	*ret = whole + fraction * unit / scale;
	return 0;
}

enum { RATE_MIN = 8000, BURST_MIN = 16 * 1024 };
#define RATE_MAX ((uint64_t)8000000000000)

int net_parse_rate(const char *text, struct net_rate *ret, struct error *e)
{
	const char *slash = strchr(text, '/');
	char rate[32];
	uint64_t bits;
	int64_t burst;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(rate))
		n = 0;
	memcpy(rate, text, n);
	rate[n] = 0;
	if (parse_bits(rate, &bits) || bits < RATE_MIN || bits > RATE_MAX)
		return error_refuse(
		    e, ERROR_INVALID,
		    "'%s' is not a rate: bits per second from 8k to 8T, like '100M', or '100M/256k' with a burst",
		    text);
	burst = bits / 8 / 100;
	if (burst < BURST_MIN)
		burst = BURST_MIN;
	if (slash && (parse_size(slash + 1, false, &burst) || burst < 2048 || burst > UINT32_MAX))
		return error_refuse(e, ERROR_INVALID, "'%s': the burst is not a size from 2k to 4G", text);
	*ret = (struct net_rate){.rate = bits / 8, .burst = burst};
	return 0;
}

static int read_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int net_parse_mac(const char *text, uint8_t ret[6], struct error *e)
{
	static const uint8_t zero[6];
	bool good = strlen(text) == 17;
	uint8_t mac[6];

	for (int i = 0; good && i < 6; i++) {
		int high = read_hex(text[i * 3]), low = read_hex(text[i * 3 + 1]);

		good = high >= 0 && low >= 0 && text[i * 3 + 2] == (i < 5 ? ':' : 0);
		mac[i] = high << 4 | low;
	}
	if (!good || mac[0] & 1 || !memcmp(mac, zero, sizeof(mac)))
		return error_refuse(e, ERROR_INVALID,
				    "'%s' is not a hardware address: six bytes like '02:00:00:00:00:01', not a group's",
				    text);
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

int net_parse_route(const char *text, struct net_route *ret, struct error *e)
{
	const char *via = strstr(text, " via ");
	struct net_route route;
	char to[ADDRESS_TEXT_SIZE];

	if (!via || (size_t)(via - text) >= sizeof(to))
		return error_refuse(e, ERROR_INVALID, "'%s' is not 'SUBNET via ADDRESS'", text);
	memcpy(to, text, via - text);
	to[via - text] = 0;
	if (address_parse_subnet(to, &route.to) || address_parse(via + 5, &route.via) ||
	    route.to.family != route.via.family)
		return error_refuse(e, ERROR_INVALID, "'%s' is not 'SUBNET via ADDRESS'", text);
	*ret = route;
	return 0;
}
