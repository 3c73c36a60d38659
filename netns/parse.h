/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people write about the network: ports to publish, rates, hardware addresses, types.
 */
#ifndef HOLM_NETNS_PARSE_H
#define HOLM_NETNS_PARSE_H

#include "base/error.h"
#include "netns/types.h"

/*
 * "[ADDRESS:]PORT[-PORT]:PORT[/tcp|udp]", an IPv6 address in brackets.  Without an address: 127.0.0.1.  Ports of a
 * range lead to consecutive ones.  Errors name text.
 */
int net_parse_port(const char *text, struct net_port *ret, struct error *e) must_check;

enum { NET_PORT_TEXT_SIZE = 128 };

/* The same syntax back. */
const char *net_print_port(const struct net_port *port, char buffer[NET_PORT_TEXT_SIZE]);

/* "100M" or "100M/256k": bits per second (powers of 1000) and the burst in bytes (powers of 1024; default: 10 ms). */
int net_parse_rate(const char *text, struct net_rate *ret, struct error *e) must_check;

/* "02:00:00:00:00:01": a unicast address. */
int net_parse_mac(const char *text, uint8_t ret[6], struct error *e) must_check;

/* "SUBNET via ADDRESS" */
int net_parse_route(const char *text, struct net_route *ret, struct error *e) must_check;

const char *net_type_name(uint32_t type); /* "bridge", "host-only", "macvlan", "ipvlan" */
int net_parse_type(const char *text, uint32_t *ret, struct error *e) must_check;

#endif
