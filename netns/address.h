/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 and IPv6 addresses and subnets: parsing (the whole string or nothing), printing, arithmetic.
 */
#ifndef HOLM_NETNS_ADDRESS_H
#define HOLM_NETNS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "netns/types.h"

enum { ADDRESS_TEXT_SIZE = 64 };

/* "10.66.0.5", "fd00::5", without a prefix (it becomes the whole length).  -EINVAL. */
int address_parse(const char *text, struct net_address *ret) must_check;

/* "10.66.0.0/22", "fd00::/64": an address and a prefix; host bits must be zero.  -EINVAL. */
int address_parse_subnet(const char *text, struct net_address *ret) must_check;

/* Writes "10.66.0.5" or, with_prefix, "10.66.0.5/22"; "" for none.  Returns buffer. */
const char *address_print(const struct net_address *address, bool with_prefix, char buffer[ADDRESS_TEXT_SIZE]);

unsigned address_bits(uint8_t family);					      /* 32, 128 */
bool address_equal(const struct net_address *a, const struct net_address *b); /* prefix not looked at */
bool address_is_any(const struct net_address *address);			      /* all bytes zero */
bool address_is_loopback(const struct net_address *address);
bool address_is_in(const struct net_address *address, const struct net_address *subnet);
bool address_overlaps(const struct net_address *a, const struct net_address *b); /* of two subnets */

/* The number'th address of subnet (0: the subnet's own), with the subnet's prefix. */
struct net_address address_at(const struct net_address *subnet, uint64_t number);

/* How many numbers can be given to hosts: 1 to the result (without IPv4's broadcast), at most 2^32. */
uint64_t address_capacity(const struct net_address *subnet);

/* The highest address: IPv4's broadcast, the end of an interval. */
struct net_address address_last(const struct net_address *subnet);

#endif
