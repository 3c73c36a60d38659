/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network's nouns, as flat structs of fixed size: they go over holm-net's socket as they are, and callers get them
 * as facts.  Strings are NUL-terminated inside their arrays; "" is absent.
 */
#ifndef HOLM_NETNS_TYPES_H
#define HOLM_NETNS_TYPES_H

#include <stdbool.h>
#include <stdint.h>

enum {
	NET_INTERFACE_SIZE = 16, /* IFNAMSIZ */
	NET_NETWORK_SIZE = 64,
	NET_ID_SIZE = 256,
	NET_PATH_SIZE = 1024,
	NET_ROUTES_MAX = 8,
};

/* An address, a subnet (host bits zero), or none (family 0). */
struct net_address {
	uint8_t family; /* 0, AF_INET, AF_INET6 */
	uint8_t prefix;
	uint8_t bytes[16];
};

enum net_type { NET_TYPE_BRIDGE, NET_TYPE_HOST_ONLY, NET_TYPE_MACVLAN, NET_TYPE_IPVLAN, _NET_TYPE_N };

/* A network's facts; to create one, whatever is absent is chosen. */
struct net_network {
	char name[NET_NETWORK_SIZE];
	uint32_t type; /* enum net_type */
	struct net_address subnet4, subnet6;
	struct net_address gateway4, gateway6; /* the bridge's own addresses, unless there is an uplink */
	char bridge[NET_INTERFACE_SIZE];       /* bridge, host-only */
	char uplink[NET_INTERFACE_SIZE]; /* a host interface the network is part of; macvlan and ipvlan need one */
	char vrf[NET_INTERFACE_SIZE];
	uint32_t vlan;	     /* 802.1Q tag on the uplink; 0: none */
	uint32_t mtu;	     /* 0: that of the uplink or of the default route */
	uint8_t is_isolated; /* no traffic between members */
	uint8_t no_subnet;   /* to create: members get no addresses */
};

/* Bytes per second and bytes; rate 0: no limit. */
struct net_rate {
	uint64_t rate, burst;
};

struct net_route {
	struct net_address to, via; /* to: a subnet */
};

/* What an instance wants of one network. */
struct net_interface {
	char network[NET_NETWORK_SIZE];
	char name[NET_INTERFACE_SIZE];	       /* "": eth0, eth1, ... */
	struct net_address address4, address6; /* absent: leased */
	struct net_address gateway4, gateway6; /* absent: the network's */
	uint8_t mac[6];
	uint8_t has_mac, no_gateway;
	struct net_rate egress, ingress; /* as the instance sees it */
	uint32_t n_routes;
	struct net_route routes[NET_ROUTES_MAX];
};

/* What it got: the record of one interface. */
struct net_member {
	char id[NET_ID_SIZE];
	char network[NET_NETWORK_SIZE];
	char name[NET_INTERFACE_SIZE]; /* inside */
	char link[NET_INTERFACE_SIZE]; /* the host's end; "" for macvlan and ipvlan */
	struct net_address address4, address6;
	struct net_address gateway4, gateway6;
	uint8_t mac[6];
	struct net_rate egress, ingress;
};

/* Ports first to last of an address of the host lead to port, port + 1, ... of an instance. */
struct net_port {
	struct net_address address; /* all zero bytes: any address of that family */
	uint8_t protocol;	    /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t first, last, port;
	char interface[NET_INTERFACE_SIZE]; /* whose; "" : the first that can */
};

struct net_published {
	char id[NET_ID_SIZE];
	struct net_port port;
};

/* Bytes and packets as the instance sees them: sent and received. */
struct net_traffic {
	uint64_t sent_bytes, sent_packets, received_bytes, received_packets;
};

struct net_counters {
	struct net_member member;
	struct net_traffic total;
	struct net_traffic lan, wan; /* routed by the host: to private addresses, to all others */
};

#endif
