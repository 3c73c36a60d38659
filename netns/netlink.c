/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"

enum { MESSAGE_ROOM = 20 * 1024, REPLY_ROOM = 32 * 1024, NOTES_STEP = 32 };

/* A socket is of the namespace that its maker was in; so go there, make it, come back. */
static int make_socket(int protocol, int netns_fd, struct error *e)
{
	auto_fd home = -1;
	auto_fd fd = -1;
	int code;

	if (netns_fd >= 0) {
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (home < 0)
			return error_system(e, errno, "open '/proc/self/ns/net'");
		if (setns(netns_fd, CLONE_NEWNET) < 0)
			return error_system(e, errno, "enter the container's network namespace");
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	code = errno;
	if (netns_fd >= 0 && setns(home, CLONE_NEWNET) < 0)
		return error_system(e, errno, "return to the host's network namespace");
	if (fd < 0)
		return error_system(e, code, "open a netlink socket");
	return take_fd(&fd);
}

int netlink_open(struct netlink *netlink, int protocol, int netns_fd, struct error *e)
{
	int fd = make_socket(protocol, netns_fd, e), one = 1, bytes = 4 * 1024 * 1024;
	struct timeval patience = {.tv_sec =
				       20}; /* the kernel answers at once; an answer that got lost must not hang us */

	if (fd < 0)
		return fd;
	*netlink = NETLINK_INIT;
	netlink->fd = fd;
	netlink->sequence = 1;
	/* The kernel's own words about a refusal; without our message sent back. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	netlink->fd = fd_close(netlink->fd);
	free(take_ptr(&netlink->buffer));
	free(take_ptr(&netlink->messages));
	netlink->size = netlink->room = netlink->n = 0;
}

static void *grow(void *data, size_t size)
{
	data = realloc(data, size);
	if (!data) {
		fprintf(stderr, "holm-net: out of memory\n");
		abort();
	}
	return data;
}

struct nlmsghdr *netlink_add(struct netlink *netlink, uint16_t type, uint16_t flags, size_t header_size,
			     void **ret_header, const char *what, ...)
{
	struct netlink_note *note;
	struct nlmsghdr *message;
	va_list args;

	/* The size of the message before is known only now. */
	if (netlink->n) {
		message = (struct nlmsghdr *)(netlink->buffer + netlink->size);
		netlink->size += MNL_ALIGN(message->nlmsg_len);
	}
	if (netlink->room - netlink->size < MESSAGE_ROOM) {
		netlink->room = (netlink->room ? netlink->room : MESSAGE_ROOM) * 2;
		netlink->buffer = grow(netlink->buffer, netlink->room);
	}
	if (netlink->n % NOTES_STEP == 0)
		netlink->messages = grow(netlink->messages, (netlink->n + NOTES_STEP) * sizeof(*netlink->messages));
	message = mnl_nlmsg_put_header(netlink->buffer + netlink->size);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	message->nlmsg_seq = netlink->sequence + netlink->n;
	if (header_size) {
		void *header = mnl_nlmsg_put_extra_header(message, header_size);
		if (ret_header)
			*ret_header = header;
	}
	note = &netlink->messages[netlink->n++];
	*note = (struct netlink_note){0};
	va_start(args, what);
	vsnprintf(note->what, sizeof(note->what), what, args);
	va_end(args);
	return message;
}

void netlink_may_exist(struct netlink *netlink)
{
	netlink->messages[netlink->n - 1].may_exist = true;
}

void netlink_may_miss(struct netlink *netlink)
{
	netlink->messages[netlink->n - 1].may_miss = true;
}

void netlink_no_answer(struct netlink *netlink, struct nlmsghdr *message)
{
	netlink->messages[netlink->n - 1].no_answer = true;
	message->nlmsg_flags &= ~NLM_F_ACK;
}

/* The kernel's remark, if the error message carries one. */
static int find_remark(const struct nlattr *attribute, void *data)
{
	const char **remark = data;

	if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		*remark = mnl_attr_get_str(attribute);
	return MNL_CB_OK;
}

int netlink_error(const struct nlmsghdr *message, const char *what, struct error *e)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	const char *remark = NULL;

	/* NETLINK_CAP_ACK: the payload is the struct alone, the attributes follow. */
	if (message->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(message,
			       sizeof(*error) +
				   (message->nlmsg_flags & NLM_F_CAPPED ? 0 : error->msg.nlmsg_len - NLMSG_HDRLEN),
			       find_remark, &remark);
	if (remark)
		return error_system(e, -error->error, "%s (%s)", what, remark);
	return error_system(e, -error->error, "%s", what);
}

static bool is_ignored(bool exists, bool missing, int code)
{
	return (exists && code == EEXIST) ||
	       (missing && (code == ENOENT || code == ENODEV || code == ESRCH || code == EADDRNOTAVAIL));
}

/* Finishes the last message's size, sends the batch, empties it; *ret_n messages wait for answers. */
static int send_batch(struct netlink *netlink, unsigned *ret_n, struct error *e)
{
	struct nlmsghdr *last = (struct nlmsghdr *)(netlink->buffer + netlink->size);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	size_t size = netlink->size + MNL_ALIGN(last->nlmsg_len);
	ssize_t n;

	*ret_n = netlink->n;
	netlink->n = 0;
	netlink->size = 0;
	do
		n = sendto(netlink->fd, netlink->buffer, size, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_system(e, errno, "send %zu bytes over netlink", size);
	return 0;
}

static int receive(struct netlink *netlink, char *buffer, size_t room, size_t *ret_size, struct error *e)
{
	ssize_t n;

	do
		n = recv(netlink->fd, buffer, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_system(e, errno, "receive over netlink");
	*ret_size = n;
	return 0;
}

/*
 * The kernel takes the messages in order and answers every one that fails.  So only the last that may be answered asks
 * for it: when that answer is here, those of all before it have been.
 */
static unsigned ask_last(struct netlink *netlink)
{
	struct nlmsghdr *asked = NULL;
	unsigned last = UINT_MAX;
	size_t at = 0;

	for (unsigned i = 0; i < netlink->n; i++) {
		struct nlmsghdr *message = (struct nlmsghdr *)(netlink->buffer + at);

		at += MNL_ALIGN(message->nlmsg_len);
		if (netlink->messages[i].no_answer)
			continue;
		message->nlmsg_flags &= ~NLM_F_ACK;
		asked = message;
		last = i;
	}
	if (asked)
		asked->nlmsg_flags |= NLM_F_ACK;
	return last;
}

int netlink_commit(struct netlink *netlink, struct error *e)
{
	_Alignas(NLMSG_ALIGNTO) char buffer[REPLY_ROOM];
	uint32_t first = netlink->sequence;
	unsigned sent, last, worst = UINT_MAX;
	int r, result = 0;

	if (!netlink->n)
		return 0;
	last = ask_last(netlink);
	r = send_batch(netlink, &sent, e);
	if (r)
		return r;
	netlink->sequence += sent;
	for (bool waiting = last != UINT_MAX; waiting;) {
		size_t left;
		int rest;

		r = receive(netlink, buffer, sizeof(buffer), &left, e);
		if (r)
			return r;
		rest = left;
		for (const struct nlmsghdr *m = (void *)buffer; mnl_nlmsg_ok(m, rest); m = mnl_nlmsg_next(m, &rest)) {
			const struct nlmsgerr *error = mnl_nlmsg_get_payload(m);
			unsigned i = m->nlmsg_seq - first;

			if (m->nlmsg_type != NLMSG_ERROR || i >= sent)
				continue;
			if (netlink->messages[i].no_answer) { /* a transaction's frame: answered only when all failed */
				if (error->error)
					return netlink_error(m, netlink->messages[i].what, e);
				continue;
			}
			waiting &= i != last;
			if (error->error && i < worst &&
			    !is_ignored(netlink->messages[i].may_exist, netlink->messages[i].may_miss, -error->error)) {
				worst = i;
				result = netlink_error(m, netlink->messages[i].what, e);
			}
		}
	}
	return result;
}

int netlink_query(struct netlink *netlink, int (*each)(const struct nlmsghdr *message, void *data, struct error *e),
		  void *data, struct error *e)
{
	_Alignas(NLMSG_ALIGNTO) char buffer[REPLY_ROOM];
	uint32_t sequence = netlink->sequence;
	unsigned sent;
	int result = 0;
	int r = send_batch(netlink, &sent, e);

	if (r)
		return r;
	netlink->sequence += sent;
	for (;;) {
		size_t left;
		int rest;

		r = receive(netlink, buffer, sizeof(buffer), &left, e);
		if (r)
			return r;
		rest = left;
		for (const struct nlmsghdr *m = (void *)buffer; mnl_nlmsg_ok(m, rest); m = mnl_nlmsg_next(m, &rest)) {
			const struct nlmsgerr *error = mnl_nlmsg_get_payload(m);

			if (m->nlmsg_seq != sequence)
				continue;
			if (m->nlmsg_type == NLMSG_DONE)
				return result;
			if (m->nlmsg_type != NLMSG_ERROR) {
				if (!result)
					result = each(m, data, e);
			} else if (error->error) {
				return netlink_error(m, netlink->messages[0].what, e);
			} else {
				return result; /* the acknowledgement after a single answer */
			}
		}
	}
}
