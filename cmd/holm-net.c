/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm-net: the program that speaks netlink for holm.  Not for people: holm starts it with a socket, it does one
 * request and exits (netns/request.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/devices.h"
#include "netns/request.h"

struct call {
	const struct net_request *request;
	const void *array; /* of request->n elements, their size checked */
	int netns_fd;	   /* -1: none came */
};

static int move_devices(const struct call *call, struct error *e)
{
	return devices_move(call->array, call->request->n, call->netns_fd, e);
}

static const struct {
	int (*apply)(const struct call *call, struct error *e);
	size_t element; /* size of one element of the array */
	bool has_netns;
} operations[_NET_OPERATION_N] = {
    [NET_OPERATION_MOVE_DEVICES] = {move_devices, sizeof(struct net_device_request), true},
};

static int serve(char *buffer, size_t room, struct error *e)
{
	const struct net_request *request = (void *)buffer;
	struct call call = {.request = request, .array = request + 1, .netns_fd = -1};
	size_t size = 0, n_fds = 0;
	int fd = -1;
	int r = fd_receive(NET_SOCKET, buffer, room, &size, &fd, 1, &n_fds);

	if (r)
		return error_system(e, -r, "receive holm's request");
	if (size < sizeof(*request) || request->operation >= _NET_OPERATION_N)
		return error_bug(e, "holm-net received a request of %zu bytes that it does not know", size);
	if (size != sizeof(*request) + request->n * operations[request->operation].element ||
	    n_fds != operations[request->operation].has_netns)
		return error_bug(e, "holm-net received request %u with %zu bytes and %zu descriptors",
				 request->operation, size, n_fds);
	if (n_fds)
		call.netns_fd = fd;
	return operations[request->operation].apply(&call, e);
}

int main(void)
{
	static _Alignas(16) char buffer[NET_MESSAGE_MAX + sizeof(struct net_request)];
	struct net_reply_end end = {.reply = {.type = NET_REPLY_END, .size = sizeof(end.error)}};
	int type = 0, r;
	socklen_t length = sizeof(type);

	if (getsockopt(NET_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET) {
		fputs("holm-net: this program is started by holm\n", stderr);
		return 2;
	}
	/* Whatever the caller's caller left open is not ours. */
	close_range(NET_SOCKET + 1, ~0U, 0);
	fcntl(NET_SOCKET, F_SETFD, FD_CLOEXEC);
	r = serve(buffer, sizeof(buffer), &end.error);
	if (!r)
		end.error = ERROR_INIT;
	r = fd_send(NET_SOCKET, &end, sizeof(end), NULL, 0);
	return r ? 1 : 0;
}
