/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holm and holm-net say to each other over one SOCK_SEQPACKET, descriptor NET_SOCKET in holm-net.
 *
 *   holm                                holm-net
 *   ----                                --------
 *   net_request, arrays, descriptors ->
 *                                       does it
 *                                    <- any number of items (net_reply and one struct each)
 *                                    <- the end: net_reply with type NET_REPLY_END and the error, if any
 *
 * One request per process: holm-net exits after the end.  The two programs are built together, so the structs are
 * flat, of fixed size, and go over as they are; everything is checked again by holm-net (lengths, names, ranges).
 * Strings are NUL-terminated inside their arrays.
 */
#ifndef HOLM_NETNS_REQUEST_H
#define HOLM_NETNS_REQUEST_H

#include <stdint.h>

#include "base/error.h"

enum { NET_SOCKET = 3 };

enum { NET_NAME_SIZE = 16 }; /* IFNAMSIZ */

enum net_operation {
	NET_OPERATION_MOVE_DEVICES, /* descriptor: the namespace; array: net_device_request */
	_NET_OPERATION_N
};

struct net_request {
	uint32_t operation; /* enum net_operation */
	uint32_t n;	    /* elements of the array that follows */
};

/* linux.netDevices: one host interface goes into the namespace. */
struct net_device_request {
	char host_name[NET_NAME_SIZE];
	char name[NET_NAME_SIZE]; /* may hold one %d */
};

enum net_reply_type { NET_REPLY_END, _NET_REPLY_N };

struct net_reply {
	uint32_t type; /* enum net_reply_type */
	uint32_t size; /* of what follows in this datagram */
};

/* NET_REPLY_END */
struct net_reply_end {
	struct net_reply reply;
	struct error error; /* ERROR_NONE: done */
};

enum { NET_MESSAGE_MAX = 128 * 1024 };

#endif
