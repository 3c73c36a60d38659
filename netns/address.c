/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

unsigned address_bits(uint8_t family)
{
	return family == AF_INET ? 32 : 128;
}

int address_parse(const char *text, struct net_address *ret)
{
	struct net_address address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	/* inet_pton takes dotted quads without leading zeroes only, so nothing is octal here. */
	if (inet_pton(address.family, text, address.bytes) != 1)
		return -EINVAL;
	address.prefix = address_bits(address.family);
	*ret = address;
	return 0;
}

int address_parse_subnet(const char *text, struct net_address *ret)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	struct net_address subnet;
	uint64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, slash - text);
	host[slash - text] = 0;
	if (address_parse(host, &subnet) || parse_u64(slash + 1, 0, address_bits(subnet.family), &prefix))
		return -EINVAL;
	for (unsigned bit = prefix; bit < address_bits(subnet.family); bit++)
		if (subnet.bytes[bit / 8] & 0x80 >> bit % 8)
			return -EINVAL;
	subnet.prefix = prefix;
	*ret = subnet;
	return 0;
}

const char *address_print(const struct net_address *address, bool with_prefix, char buffer[ADDRESS_TEXT_SIZE])
{
	size_t n;

	*buffer = 0;
	if (!address->family)
		return buffer;
	inet_ntop(address->family, address->bytes, buffer, INET6_ADDRSTRLEN);
	n = strlen(buffer);
	if (with_prefix)
		snprintf(buffer + n, ADDRESS_TEXT_SIZE - n, "/%u", address->prefix);
	return buffer;
}

bool address_equal(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool address_is_any(const struct net_address *address)
{
	static const uint8_t zero[16];

	return address->family && !memcmp(address->bytes, zero, sizeof(zero));
}

bool address_is_loopback(const struct net_address *address)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	return address->family == AF_INET ? address->bytes[0] == 127
					  : address->family && !memcmp(address->bytes, loopback6, sizeof(loopback6));
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	uint8_t mask = 0xff << (8 - bits % 8);

	return !memcmp(a, b, bits / 8) && (bits % 8 == 0 || !((a[bits / 8] ^ b[bits / 8]) & mask));
}

bool address_is_in(const struct net_address *address, const struct net_address *subnet)
{
	return address->family && address->family == subnet->family &&
	       prefix_equal(address->bytes, subnet->bytes, subnet->prefix);
}

bool address_overlaps(const struct net_address *a, const struct net_address *b)
{
	return a->family && a->family == b->family &&
	       prefix_equal(a->bytes, b->bytes, a->prefix < b->prefix ? a->prefix : b->prefix);
}

struct net_address address_at(const struct net_address *subnet, uint64_t number)
{
	struct net_address address = *subnet;

	for (int i = address_bits(subnet->family) / 8 - 1; number && i >= 0; i--) {
		number += address.bytes[i];
		address.bytes[i] = number;
		number >>= 8;
	}
	return address;
}

uint64_t address_capacity(const struct net_address *subnet)
{
	unsigned bits = address_bits(subnet->family) - subnet->prefix;
	uint64_t all = bits >= 32 ? (uint64_t)1 << 32 : (uint64_t)1 << bits;
	uint64_t lost = subnet->family == AF_INET ? 2 : 1; /* the subnet's own address, the broadcast address */

	return all > lost ? all - lost : 0;
}

struct net_address address_last(const struct net_address *subnet)
{
	struct net_address last = *subnet;

	for (unsigned bit = subnet->prefix; bit < address_bits(subnet->family); bit++)
		last.bytes[bit / 8] |= 0x80 >> bit % 8;
	return last;
}
