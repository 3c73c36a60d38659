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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/devices.h"
#include "netns/hosts.h"
#include "netns/inside.h"
#include "netns/member.h"
#include "netns/network.h"
#include "netns/ports.h"
#include "netns/request.h"

struct call {
	const struct net_request *request;
	void *array; /* of request->n elements, their size checked */
	const struct net_port *ports;
	int netns_fd; /* -1: none came; likewise the next two */
	int mount_fd, root_fd;
	int lock; /* on the instance */
	struct host host;
};

/* ---- answers ---- */

static int send_reply(enum net_reply_type type, const void *item, size_t size)
{
	struct net_reply reply = {.type = type, .size = size};

	if (size)
		memcpy(&reply.error, item, size);
	return fd_send(NET_SOCKET, &reply, NET_REPLY_HEAD + size, NULL, 0);
}

static int answer(enum net_reply_type type, const void *item, size_t size, struct error *e)
{
	int r = send_reply(type, item, size);

	return r ? error_system(e, -r, "answer holm") : 0;
}

static const char *wanted_or_null(const char *text)
{
	return *text ? text : NULL;
}

/* ---- operations ---- */

static int move_devices(struct call *call, struct error *e)
{
	return devices_move(call->array, call->request->n, call->netns_fd, e);
}

static int create(struct call *call, struct error *e)
{
	struct net_network network;
	int r = network_create(&call->host.store, &call->host.netlink, &call->request->wanted, &network, e);

	return r ?: answer(NET_REPLY_NETWORK, &network, sizeof(network), e);
}

static int answer_network(const struct net_network *network, void *data, struct error *e)
{
	(void)data;
	return answer(NET_REPLY_NETWORK, network, sizeof(*network), e);
}

static int list(struct call *call, struct error *e)
{
	struct net_network network;
	int r;

	if (!*call->request->network)
		return store_each_network(&call->host.store, answer_network, NULL, e);
	r = network_load(&call->host.store, &call->host.netlink, call->request->network, &network, e);
	return r ?: answer_network(&network, NULL, e);
}

static int remove_network(struct call *call, struct error *e)
{
	return network_remove(&call->host.store, &call->host.netlink, &call->host.nft, call->request->network, e);
}

/* Without a name: the first eth that the instance has not. */
static void choose_name(struct call *call, struct net_interface *interfaces, uint32_t i)
{
	struct net_member member;

	for (unsigned number = i; !*interfaces[i].name; number++) {
		bool taken = false;

		snprintf(interfaces[i].name, sizeof(interfaces[i].name), "eth%u", number);
		for (uint32_t j = 0; j < call->request->n && !taken; j++)
			taken = j != i && str_equal(interfaces[j].name, interfaces[i].name);
		if (taken ||
		    !store_load_member(&call->host.store, call->request->id, interfaces[i].name, &member, NULL))
			*interfaces[i].name = 0;
	}
}

/* The ports of one interface, out of those of the instance; unnamed ones go to the first whose network can publish. */
static struct net_port *select_ports(struct call *call, const char *name, bool takes_unnamed, size_t *ret_n)
{
	struct net_port *ports = calloc(call->request->n_ports + 1, sizeof(*ports));

	*ret_n = 0;
	for (uint32_t i = 0; ports && i < call->request->n_ports; i++)
		if (str_equal(call->ports[i].interface, name) || (!*call->ports[i].interface && takes_unnamed))
			ports[(*ret_n)++] = call->ports[i];
	return ports;
}

struct joinings {
	struct member_joining *all;
	uint32_t n;
};

static void joinings_release(struct joinings *joinings)
{
	for (uint32_t i = 0; joinings->all && i < joinings->n; i++)
		free((void *)joinings->all[i].ports);
	free(joinings->all);
}

static int count_member(const struct net_member *member, void *data, struct error *e)
{
	(void)member;
	(void)e;
	++*(unsigned *)data;
	return 0;
}

static int prepare_each(struct call *call, const struct member_instance *instance, struct joinings *joinings,
			struct error *e)
{
	struct net_interface *interfaces = call->array;
	bool unnamed_left = call->request->n_ports;
	unsigned before = 0;
	int r = store_each_member(&call->host.store, call->request->id, count_member, &before, e);

	for (uint32_t i = 0; !r && i < joinings->n; i++) {
		struct member_joining *joining = &joinings->all[i];
		bool takes;

		choose_name(call, interfaces, i);
		joining->wanted = &interfaces[i];
		joining->is_first = !before && !i;
		r = network_load(&call->host.store, &call->host.netlink, interfaces[i].network, &joining->network, e);
		if (r)
			break;
		takes = unnamed_left && (network_is_routed(&joining->network) || i + 1 == joinings->n);
		joining->ports = select_ports(call, interfaces[i].name, takes, &joining->n_ports);
		unnamed_left = unnamed_left && !takes;
		r = joining->ports ? member_prepare(&call->host, instance, joining, e)
				   : error_system(e, ENOMEM, "join a network");
	}
	return r;
}

/* The namespace, once holm has it; the end of the file when it does not come to that. */
static int receive_namespace(struct call *call, struct error *e)
{
	size_t size = 0, n_fds = 0;
	char byte;
	int r = fd_receive(NET_SOCKET, &byte, sizeof(byte), &size, &call->netns_fd, 1, &n_fds);

	if (r)
		return error_system(e, -r, "receive the instance's namespace");
	if (!size || !n_fds)
		return error_refuse(e, ERROR_STATE, "the instance came to an end before it had a network namespace");
	return 0;
}

/* "The host's stack" is no namespace to put interfaces into: they would be the host's. */
static int check_namespace(const struct call *call, struct error *e)
{
	struct stat own, its;

	if (fstat(call->netns_fd, &its) < 0 || stat("/proc/self/ns/net", &own) < 0)
		return error_system(e, errno, "look at the instance's network namespace");
	if (own.st_dev == its.st_dev && own.st_ino == its.st_ino)
		return error_refuse(e, ERROR_STATE,
				    "instance '%s' has the host's own network, and no network namespace of its own",
				    call->request->id);
	return 0;
}

static int enter_each(struct call *call, const struct member_instance *instance, const struct joinings *joinings,
		      struct error *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < joinings->n; i++)
		r = member_enter(&call->host, instance, &joinings->all[i], e)
			?: answer(NET_REPLY_MEMBER, &joinings->all[i].member, sizeof(joinings->all[i].member), e);
	return r;
}

/* The last thing that is done: it takes us into the instance's mount namespace.  Without names it is joined all the same. */
static void show_names(struct call *call)
{
	struct error e = ERROR_INIT;

	if (inside_show_names(&call->host.store, call->request->id, call->mount_fd, call->root_fd, &e))
		log_warning("'%s' does not see the names of its new neighbours: %s", call->request->id, e.text);
}

static int join(struct call *call, struct error *e)
{
	const struct net_request *request = call->request;
	struct member_instance instance = {request->id, request->instance, request->hostname, -1};
	struct joinings joinings = {calloc(request->n + 1, sizeof(*joinings.all)), request->n};
	int r = joinings.all ? 0 : error_system(e, ENOMEM, "join networks");

	if (!r && !request->netns_follows)
		r = check_namespace(call, e);
	if (!r)
		r = hosts_write_resolv(&call->host.store, e);
	if (!r)
		r = prepare_each(call, &instance, &joinings, e);
	if (!r && request->has_inside)
		r = hosts_ensure_own(&call->host.store, request->id, e);
	else if (!r && request->n > 1)
		r = hosts_make_own(&call->host.store, request->id, e);
	if (!r && request->netns_follows)
		r = answer(NET_REPLY_PREPARED, NULL, 0, e) ?: receive_namespace(call, e);
	instance.netns_fd = call->netns_fd;
	if (!r && request->netns_follows)
		r = check_namespace(call, e);
	if (!r)
		r = enter_each(call, &instance, &joinings, e);
	/*
	 * All or none of these; an instance that runs and connects to one more keeps what it had.  To a holm that was killed
	 * the members can't be answered: what it never hears of is undone too.
	 */
	for (uint32_t i = 0; r && joinings.all && i < joinings.n; i++)
		if (joinings.all[i].is_prepared)
			(void)!member_leave(&call->host, request->id, NULL, joinings.all[i].member.name, call->netns_fd,
					    NULL);
	if (r)
		store_drop_instance(&call->host.store, request->id);
	else if (request->has_inside)
		show_names(call);
	joinings_release(&joinings);
	return r;
}

static int leave(struct call *call, struct error *e)
{
	const struct net_request *request = call->request;

	return member_leave(&call->host, request->id, wanted_or_null(request->network),
			    wanted_or_null(request->interface), call->netns_fd, e);
}

static int answer_member(const struct net_member *member, void *data, struct error *e)
{
	const struct call *call = data;

	if (*call->request->network && !str_equal(call->request->network, member->network))
		return 0;
	return answer(NET_REPLY_MEMBER, member, sizeof(*member), e);
}

static int members(struct call *call, struct error *e)
{
	return store_each_member(&call->host.store, wanted_or_null(call->request->id), answer_member, call, e);
}

static int answer_ports(const struct net_member *member, void *data, struct error *e)
{
	struct call *call = data;
	auto_free struct net_port *ports = NULL;
	struct net_published published = {0};
	size_t n;
	int r = store_load_ports(&call->host.store, member->id, member->name, &ports, &n, e);

	memcpy(published.id, member->id, sizeof(published.id));
	for (size_t i = 0; !r && i < n; i++) {
		published.port = ports[i];
		r = answer(NET_REPLY_PORT, &published, sizeof(published), e);
	}
	return r;
}

static int list_ports(struct call *call, struct error *e)
{
	return store_each_member(&call->host.store, wanted_or_null(call->request->id), answer_ports, call, e);
}

static int publish(struct call *call, struct error *e)
{
	return ports_publish(&call->host, call->request->id, call->ports, call->request->n_ports, e);
}

static int unpublish(struct call *call, struct error *e)
{
	return ports_unpublish(&call->host, call->request->id, call->ports, call->request->n_ports, e);
}

static int limit(struct call *call, struct error *e)
{
	const struct net_request *request = call->request;

	return member_limit(&call->host, request->id, request->interface, request->has_egress ? &request->egress : NULL,
			    request->has_ingress ? &request->ingress : NULL, e);
}

static int answer_counters(const struct net_member *member, void *data, struct error *e)
{
	struct call *call = data;
	struct net_counters counters;
	int r = member_count(&call->host, member, &counters, e);

	if (r == -ENODEV) /* its namespace has just ended */
		r = 0;
	return r ?: answer(NET_REPLY_COUNTERS, &counters, sizeof(counters), e);
}

static int count(struct call *call, struct error *e)
{
	return store_each_member(&call->host.store, wanted_or_null(call->request->id), answer_counters, call, e);
}

static int repair(struct call *call, struct error *e)
{
	return network_repair(&call->host.store, &call->host.netlink, &call->host.nft, e)
		   ?: member_repair(&call->host, e) ?: ports_repair(&call->host, e);
}

static int collect_member(const struct net_member *member, void *data, struct error *e)
{
	struct call *call = data;
	char path[NET_PATH_SIZE];
	auto_fd lock = -1;
	int r = store_lock_instance(&call->host.store, member->id, false, &lock, e);

	if (r)
		return r == -ENOENT ? 0 : r;
	store_instance_path(&call->host.store, member->id, path);
	if (!*path || !access(path, F_OK) || errno != ENOENT)
		return 0;
	r = member_leave(&call->host, member->id, NULL, member->name, -1, e);
	return r ?: answer(NET_REPLY_MEMBER, member, sizeof(*member), e);
}

static int collect(struct call *call, struct error *e)
{
	return store_each_member(&call->host.store, NULL, collect_member, call, e);
}

enum netns_use { NO_NETNS, NEEDS_NETNS, MAY_HAVE_NETNS };

/*
 * What changes an instance has a lock on it, so that leaving waits for the end of a joining whose holm was killed, and
 * two who publish do not overwrite each other's record.
 */
enum lock_use { NO_LOCK, LOCKS, LOCKS_NEW };

static const struct {
	int (*apply)(struct call *call, struct error *e);
	size_t element; /* size of one element of the array */
	enum netns_use netns;
	enum lock_use lock;
	bool has_ports, has_host;
} operations[_NET_OPERATION_N] = {
    [NET_OPERATION_MOVE_DEVICES] = {move_devices, sizeof(struct net_device_request), NEEDS_NETNS},
    [NET_OPERATION_CREATE] = {create, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_LIST] = {list, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_REMOVE] = {remove_network, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_JOIN] = {join, sizeof(struct net_interface), NEEDS_NETNS, LOCKS_NEW, true, true},
    [NET_OPERATION_LEAVE] = {leave, 0, MAY_HAVE_NETNS, LOCKS, false, true},
    [NET_OPERATION_MEMBERS] = {members, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_PORTS] = {list_ports, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_PUBLISH] = {publish, 0, NO_NETNS, LOCKS, true, true},
    [NET_OPERATION_UNPUBLISH] = {unpublish, 0, NO_NETNS, LOCKS, true, true},
    [NET_OPERATION_LIMIT] = {limit, 0, NO_NETNS, LOCKS, false, true},
    [NET_OPERATION_COUNTERS] = {count, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_REPAIR] = {repair, 0, NO_NETNS, NO_LOCK, false, true},
    [NET_OPERATION_COLLECT] = {collect, 0, NO_NETNS, NO_LOCK, false, true},
};

/* Strings end inside their arrays, whatever came. */
static void terminate(struct net_request *request, char *array, char *ports)
{
	request->state[NET_PATH_SIZE - 1] = request->config[NET_PATH_SIZE - 1] = request->instance[NET_PATH_SIZE - 1] =
	    0;
	request->id[NET_ID_SIZE - 1] = request->hostname[NET_ID_SIZE - 1] = 0;
	request->network[NET_NETWORK_SIZE - 1] = request->wanted.name[NET_NETWORK_SIZE - 1] = 0;
	request->interface[NET_INTERFACE_SIZE - 1] = request->wanted.bridge[NET_INTERFACE_SIZE - 1] = 0;
	request->wanted.uplink[NET_INTERFACE_SIZE - 1] = request->wanted.vrf[NET_INTERFACE_SIZE - 1] = 0;
	for (uint32_t i = 0; i < request->n; i++)
		if (request->operation == NET_OPERATION_JOIN) {
			struct net_interface *interface = (struct net_interface *)array + i;

			interface->network[NET_NETWORK_SIZE - 1] = interface->name[NET_INTERFACE_SIZE - 1] = 0;
		} else {
			struct net_device_request *device = (struct net_device_request *)array + i;

			device->host_name[NET_NAME_SIZE - 1] = device->name[NET_NAME_SIZE - 1] = 0;
		}
	for (uint32_t i = 0; i < request->n_ports; i++)
		((struct net_port *)ports + i)->interface[NET_INTERFACE_SIZE - 1] = 0;
}

static int receive_request(char *buffer, size_t room, struct call *call, struct error *e)
{
	struct net_request *request = (void *)buffer;
	size_t size = 0, n_fds = 0, array_size, ports_size;
	size_t expected_fds;
	int fds[3] = {-1, -1, -1};
	int r = fd_receive(NET_SOCKET, buffer, room, &size, fds, ARRAY_SIZE(fds), &n_fds);

	if (r)
		return error_system(e, -r, "receive holm's request");
	if (size < sizeof(*request) || request->operation >= _NET_OPERATION_N)
		return error_bug(e, "holm-net received a request of %zu bytes that it does not know", size);
	array_size = request->n * operations[request->operation].element;
	ports_size = request->n_ports * sizeof(struct net_port);
	expected_fds = operations[request->operation].netns == NEEDS_NETNS && !request->netns_follows;
	if (expected_fds && request->has_inside)
		expected_fds = ARRAY_SIZE(fds);
	if (size != sizeof(*request) + array_size + ports_size || (!array_size && request->n) ||
	    (request->n_ports && !operations[request->operation].has_ports) ||
	    (request->netns_follows && request->operation != NET_OPERATION_JOIN) ||
	    (request->has_inside && (request->operation != NET_OPERATION_JOIN || request->netns_follows)) ||
	    (n_fds != expected_fds && (operations[request->operation].netns != MAY_HAVE_NETNS || n_fds > 1)))
		return error_bug(e, "holm-net received request %u with %zu bytes and %zu descriptors",
				 request->operation, size, n_fds);
	terminate(request, buffer + sizeof(*request), buffer + sizeof(*request) + array_size);
	call->request = request;
	call->array = buffer + sizeof(*request);
	call->ports = (void *)(buffer + sizeof(*request) + array_size);
	call->netns_fd = fds[0];
	call->mount_fd = fds[1];
	call->root_fd = fds[2];
	return 0;
}

static int serve(struct call *call, char *buffer, size_t room, struct error *e)
{
	int r = receive_request(buffer, room, call, e);
	enum net_operation operation;

	if (r)
		return r;
	operation = call->request->operation;
	if (operations[operation].has_host)
		r = host_open(&call->host, call->request->state, call->request->config, e);
	if (!r && operations[operation].lock)
		r = store_lock_instance(&call->host.store, call->request->id, operations[operation].lock == LOCKS_NEW,
					&call->lock, e);
	if (r == -ENOENT && operation == NET_OPERATION_LEAVE)
		return 0; /* nothing to leave */
	r = r ?: operations[operation].apply(call, e);
	call->lock = fd_close(call->lock);
	return r;
}

static void send_warning(enum log_level level, const char *text, void *data)
{
	char warning[ERROR_TEXT_SIZE];

	(void)data;
	snprintf(warning, sizeof(warning), "%s", text);
	if (level == LOG_LEVEL_WARNING && send_reply(NET_REPLY_WARNING, warning, sizeof(warning)))
		return; /* nobody listens any more */
}

int main(void)
{
	static _Alignas(16) char buffer[NET_MESSAGE_MAX];
	struct call call = {.host = HOST_INIT, .lock = -1};
	struct error e = ERROR_INIT;
	socklen_t length = sizeof(int);
	int type = 0, r;

	if (getsockopt(NET_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET) {
		fputs("holm-net: this program is started by holm\n", stderr);
		return 2;
	}
	/* Whatever the caller's caller left open is not ours. */
	close_range(NET_SOCKET + 1, ~0U, 0);
	fcntl(NET_SOCKET, F_SETFD, FD_CLOEXEC);
	log_set_sink(send_warning, NULL);
	r = serve(&call, buffer, sizeof(buffer), &e);
	if (!r)
		e = ERROR_INIT;
	else if (e.kind == ERROR_NONE)
		error_system(&e, -r, "holm-net");
	r = send_reply(NET_REPLY_END, &e, sizeof(e));
	/* After the answer: where nftables elements were removed, closing the socket waits for a grace period of RCU. */
	host_close(&call.host);
	return r ? 1 : 0;
}
