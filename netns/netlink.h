/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink socket and batches of messages on it.
 *
 * A batch is built with netlink_add() (and libmnl's mnl_attr_put functions on what it returns) and goes to the kernel
 * in one sendmsg by netlink_commit(), which reads every acknowledgement.  rtnetlink executes all messages of a batch,
 * also those after one that failed; nftables executes all or none.  Each message carries words
 * for people, and the error of a batch is that of its first message that failed: "create link 'eth0': File exists",
 * with the kernel's own remark (extended ack) where it made one.
 */
#ifndef HOLM_NETNS_NETLINK_H
#define HOLM_NETNS_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { NETLINK_BATCH_MAX = 1024 }; /* acknowledgements that surely fit into the socket's buffer */

struct netlink_note {
	bool may_exist, may_miss, no_answer;
	char what[116];
};

struct netlink {
	int fd;
	uint32_t sequence; /* of the batch's first message */
	char *buffer;	   /* of the batch under construction */
	size_t size, room;
	unsigned n; /* messages in it */
	struct netlink_note *messages;
};

/*
 * A socket of protocol NETLINK_ROUTE or NETLINK_NETFILTER in the namespace netns_fd (-1: the caller's).  The caller's
 * namespace is the same afterwards.
 */
int netlink_open(struct netlink *netlink, int protocol, int netns_fd, struct error *e) must_check;
void netlink_close(struct netlink *netlink);

#define auto_netlink __attribute__((cleanup(netlink_close))) struct netlink
#define NETLINK_INIT ((struct netlink){.fd = -1})

/*
 * Begins the next message: type, NLM_F_... beyond REQUEST and ACK, room for a family header of header_size (zeroed,
 * returned in *ret_header).  The pointers hold until the next netlink_add().  At least 16 KiB of attributes fit.
 */
struct nlmsghdr *netlink_add(struct netlink *netlink, uint16_t type, uint16_t flags, size_t header_size,
			     void **ret_header, const char *what, ...) printf_like(6, 7);

/* For the message added last: EEXIST, or ENOENT/ENODEV/ESRCH/EADDRNOTAVAIL, count as done. */
void netlink_may_exist(struct netlink *netlink);
void netlink_may_miss(struct netlink *netlink);

/* The message added last is part of a transaction's frame: no acknowledgement is asked for. */
void netlink_no_answer(struct netlink *netlink, struct nlmsghdr *message);

/* Room for netlink_add()'s next message is what a batch has; a caller with many messages commits when this says so. */
static inline bool netlink_is_full(const struct netlink *netlink)
{
	return netlink->n + 8 >= NETLINK_BATCH_MAX || netlink->size > 512 * 1024;
}

/* Sends the batch; it is empty afterwards, whatever happened.  An empty batch is done. */
int netlink_commit(struct netlink *netlink, struct error *e) must_check;

/*
 * Sends one request (the batch must hold exactly it; NLM_F_DUMP for lists) and hands every message of the answer to
 * each(), which returns 0 or -errno with e filled.
 */
int netlink_query(struct netlink *netlink, int (*each)(const struct nlmsghdr *message, void *data, struct error *e),
		  void *data, struct error *e) must_check;

/* The text of the error: what, and the kernel's remark when there is one.  For callers that read answers on their own.
 */
int netlink_error(const struct nlmsghdr *message, const char *what, struct error *e);

#endif
