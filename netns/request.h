/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holm and holm-net say to each other over one SOCK_SEQPACKET, descriptor NET_SOCKET in holm-net.
 *
 *   holm                                holm-net
 *   ----                                --------
 *   net_request, arrays, descriptors ->
 *                                       does it; when netns_follows, as far as it can without the namespace
 *                                    <- NET_REPLY_PREPARED, then
 *   one byte, the namespace ->          the rest; the end of the file instead: undoes it
 *                                    <- any number of items (one net_reply each)
 *                                    <- the end: NET_REPLY_END and the error, if any
 *
 * One request per process: holm-net exits after the end.  The two programs are built together, so the structs are
 * flat, of fixed size, and go over as they are; everything is checked again by holm-net (lengths, names, ranges).
 * Strings are NUL-terminated inside their arrays.
 */
#ifndef HOLM_NETNS_REQUEST_H
#define HOLM_NETNS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "netns/types.h"

enum { NET_SOCKET = 3 };

enum { NET_NAME_SIZE = NET_INTERFACE_SIZE };

/* What each takes: a namespace (descriptor), the array, the fields of net_request.  What it answers with before the
 * end. */
enum net_operation {
	NET_OPERATION_MOVE_DEVICES, /* namespace, net_device_request */
	NET_OPERATION_CREATE,	    /* wanted: NET_REPLY_NETWORK */
	NET_OPERATION_LIST,	    /* network or "": NET_REPLY_NETWORK each */
	NET_OPERATION_REMOVE,	    /* network */
	NET_OPERATION_JOIN, /* namespace (at once or later), perhaps two more descriptors, net_interface, ports, id, instance, hostname: NET_REPLY_MEMBER each */
	NET_OPERATION_LEAVE,	 /* perhaps the namespace; id; network, interface or "" */
	NET_OPERATION_MEMBERS,	 /* id or "", network or "": NET_REPLY_MEMBER each */
	NET_OPERATION_PORTS,	 /* id or "": NET_REPLY_PORT each */
	NET_OPERATION_PUBLISH,	 /* id, ports */
	NET_OPERATION_UNPUBLISH, /* id, ports */
	NET_OPERATION_LIMIT,	 /* id, interface, egress, ingress */
	NET_OPERATION_COUNTERS,	 /* id or "": NET_REPLY_COUNTERS each */
	NET_OPERATION_REPAIR,
	NET_OPERATION_COLLECT, /* members whose instance is gone leave: NET_REPLY_MEMBER each */
	_NET_OPERATION_N
};

struct net_request {
	uint32_t operation; /* enum net_operation */
	uint32_t n;	    /* elements of the array that follows */
	uint32_t n_ports;   /* struct net_port, after it */
	uint8_t has_egress, has_ingress;
	uint8_t netns_follows; /* to join: the namespace comes in a datagram of its own */
	uint8_t has_inside;    /* to join: it runs; after the namespace come its mount namespace and its root */
	char state[NET_PATH_SIZE], config[NET_PATH_SIZE];
	char id[NET_ID_SIZE], hostname[NET_ID_SIZE];
	char instance[NET_PATH_SIZE];
	char network[NET_NETWORK_SIZE];
	char interface[NET_INTERFACE_SIZE];
	struct net_network wanted;
	struct net_rate egress, ingress;
};

/* linux.netDevices: one host interface goes into the namespace. */
struct net_device_request {
	char host_name[NET_NAME_SIZE];
	char name[NET_NAME_SIZE]; /* may hold one %d */
};

enum net_reply_type {
	NET_REPLY_END,	    /* struct error; ERROR_NONE: done */
	NET_REPLY_PREPARED, /* nothing more: what needs no namespace is there */
	NET_REPLY_NETWORK,  /* struct net_network */
	NET_REPLY_MEMBER,   /* struct net_member */
	NET_REPLY_PORT,	    /* struct net_published */
	NET_REPLY_COUNTERS, /* struct net_counters */
	NET_REPLY_WARNING,  /* text: for holm's log */
	_NET_REPLY_N
};

/* One datagram. */
struct net_reply {
	uint32_t type; /* enum net_reply_type */
	uint32_t size; /* of the member of the union that it is */
	union {
		struct error error;
		struct net_network network;
		struct net_member member;
		struct net_published published;
		struct net_counters counters;
		char warning[ERROR_TEXT_SIZE];
	};
};

#define NET_REPLY_HEAD offsetof(struct net_reply, error)

enum { NET_MESSAGE_MAX = 128 * 1024 };

#endif
