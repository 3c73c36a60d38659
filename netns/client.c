/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/proc.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/names.h"
#include "netns/request.h"
#include "spec/spec.h"

/*
 * Once it has answered nothing is left to it but to exit, which takes it a grace period of RCU at times: not waited for.
 * Whoever started us, or our own subreaper loop, reaps it then.
 */
void net_close(struct net_call *call)
{
	call->socket = fd_close(call->socket);
	if (call->pid > 0)
		while (waitpid(call->pid, NULL, call->has_ended ? WNOHANG : 0) < 0 && errno == EINTR)
			;
	call->pid = 0;
}

#define auto_call __attribute__((cleanup(net_close))) struct net_call

int net_make_pair(int *ret_ours, int *ret_programs, struct error *e)
{
	auto_fd ours = -1, theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_system(e, errno, "make a socket for holm-net");
	ours = pair[0];
	theirs = pair[1];
	if (theirs == NET_SOCKET) { /* dup2 onto itself would leave it close-on-exec */
		theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, NET_SOCKET + 1);
		fd_close(pair[1]);
		if (theirs < 0)
			return error_system(e, errno, "make a socket for holm-net");
	}
	*ret_ours = take_fd(&ours);
	*ret_programs = take_fd(&theirs);
	return 0;
}

int net_run_program(int socket, int *ret_pid, struct error *e)
{
	static char *const environment[] = {NULL};
	char path[4096];
	char *const arguments[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t blocked;
	int r = proc_program("holm-net", path, sizeof(path), e);

	if (r)
		return r;
	/* What a terminal sends goes to holm, which decides; a joining that was cut short would only have to be undone. */
	sigfillset(&blocked);
	sigdelset(&blocked, SIGTERM);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = posix_spawn_file_actions_adddup2(&actions, socket, NET_SOCKET);
	if (!r) {
		posix_spawnattr_setsigmask(&attributes, &blocked);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
		r = posix_spawn(ret_pid, path, &actions, &attributes, arguments, environment);
	}
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r ? error_system(e, r, "run '%s', the program that does holm's networking", path) : 0;
}

int net_open(struct net_call *call, struct error *e)
{
	auto_fd ours = -1, theirs = -1;
	int r = net_make_pair(&ours, &theirs, e);

	if (!r)
		r = net_run_program(theirs, &call->pid, e);
	if (r) {
		call->pid = 0;
		return r;
	}
	call->socket = take_fd(&ours);
	return 0;
}

/* Where the items of an answer go. */
struct sink {
	enum net_reply_type type;
	size_t size;
	void (*put)(const void *item, void *data);
	void *data;
};

static int explain_death(struct net_call *call, struct error *e)
{
	int status = 0;

	if (call->pid <= 0)
		return error_bug(e, "holm-net ended without an answer");
	while (waitpid(call->pid, &status, 0) < 0 && errno == EINTR)
		;
	call->pid = 0;
	if (WIFSIGNALED(status))
		return error_bug(e, "holm-net was killed by signal %d (SIG%s)", WTERMSIG(status),
				 sigabbrev_np(WTERMSIG(status)));
	return error_bug(e, "holm-net exited with status %d without an answer", WEXITSTATUS(status));
}

/* Reads replies until the last: NET_REPLY_END, or one before it. */
static int call_read(struct net_call *call, enum net_reply_type last, const struct sink *sink, struct error *e)
{
	for (;;) {
		struct net_reply reply;
		size_t size;
		int r = fd_receive(call->socket, &reply, sizeof(reply), &size, NULL, 0, NULL);

		if (r == -ECONNRESET) /* it did not read all we sent before it ended; what it said is still to come */
			continue;
		if (r)
			return error_system(e, -r, "receive the reply of holm-net");
		if (!size)
			return explain_death(call, e);
		if (size < NET_REPLY_HEAD || size != NET_REPLY_HEAD + reply.size)
			return error_bug(e, "holm-net sent a reply of %zu bytes", size);
		if (reply.type == NET_REPLY_END && reply.size == sizeof(reply.error)) {
			call->has_ended = true;
			if (reply.error.kind == ERROR_NONE)
				return 0;
			reply.error.text[sizeof(reply.error.text) - 1] = 0;
			if (e)
				*e = reply.error;
			return error_return(&reply.error);
		}
		if (reply.type == NET_REPLY_WARNING && reply.size == sizeof(reply.warning)) {
			reply.warning[sizeof(reply.warning) - 1] = 0;
			log_warning("%s", reply.warning);
			continue;
		}
		if (reply.type == NET_REPLY_PREPARED && !reply.size) {
			if (last == NET_REPLY_PREPARED)
				return 0;
			continue;
		}
		if (!sink || reply.type != sink->type || reply.size != sink->size)
			return error_bug(e, "holm-net sent a reply of type %u with %u bytes", reply.type, reply.size);
		if (sink->put)
			sink->put(&reply.error, sink->data);
	}
}

static int call_finish(struct net_call *call, const struct sink *sink, struct error *e)
{
	return call_read(call, NET_REPLY_END, sink, e);
}

static int call_start(struct net_call *call, const void *request, size_t size, int netns_fd,
		      const struct net_inside *inside, struct error *e)
{
	const int fds[] = {netns_fd, inside ? inside->mount_fd : -1, inside ? inside->root_fd : -1};
	int r;

	if (size > NET_MESSAGE_MAX)
		return error_refuse(e, ERROR_LIMIT, "a request of %zu bytes is more than holm-net takes", size);
	r = call->socket < 0 ? net_open(call, e) : 0;
	if (r)
		return r;
	r = fd_send(call->socket, request, size, fds, inside ? 3 : netns_fd >= 0);
	return r && r != -EPIPE ? error_system(e, -r, "send a request to holm-net") : 0;
}

static int call(const void *request, size_t size, int netns_fd, const struct sink *sink, struct error *e)
{
	auto_call call = NET_CALL_INIT;
	int r = call_start(&call, request, size, netns_fd, NULL, e);

	return r ?: call_finish(&call, sink, e);
}

/* Copies a name that was checked; both buffers are NET_NAME_SIZE. */
static void copy_name(char *to, const char *name)
{
	snprintf(to, NET_NAME_SIZE, "%s", name);
}

int net_move_devices(const struct spec_net_device *devices, size_t n, int netns_fd, struct error *e)
{
	struct net_request request = {.operation = NET_OPERATION_MOVE_DEVICES, .n = n};
	auto_str message = STR_INIT;

	if (!n)
		return 0;
	str_add_bytes(&message, &request, sizeof(request));
	for (size_t i = 0; i < n; i++) {
		const char *name = devices[i].name ? devices[i].name : devices[i].host_name;
		const char *flaw = net_interface_name_flaw(devices[i].host_name, false);
		struct net_device_request device = {0};

		if (flaw)
			return error_refuse(e, ERROR_INVALID, "linux.netDevices: the interface name '%s' %s",
					    devices[i].host_name, flaw);
		flaw = net_interface_name_flaw(name, true);
		if (flaw)
			return error_refuse(e, ERROR_INVALID, "linux.netDevices.%s.name: the interface name '%s' %s",
					    devices[i].host_name, name, flaw);
		copy_name(device.host_name, devices[i].host_name);
		copy_name(device.name, name);
		str_add_bytes(&message, &device, sizeof(device));
	}
	return call(message.data, message.size, netns_fd, NULL, e);
}

/* ---- requests about networks ---- */

static int copy_text(char *to, size_t size, const char *text, const char *what, struct error *e)
{
	if (!text)
		text = "";
	if (strlen(text) >= size)
		return error_refuse(e, ERROR_INVALID, "%s '%.64s...' is longer than %zu bytes", what, text, size - 1);
	strcpy(to, text);
	return 0;
}

static const char *state_path(const struct net_paths *paths)
{
	return paths && paths->state ? paths->state : NET_STATE_PATH;
}

static int begin(struct net_request *request, enum net_operation operation, const struct net_paths *paths,
		 const char *id, const char *network, const char *interface, struct error *e)
{
	const char *config = paths && paths->config ? paths->config : NET_CONFIG_PATH;

	*request = (struct net_request){.operation = operation};
	return copy_text(request->state, sizeof(request->state), state_path(paths), "the path", e)
		       ?: copy_text(request->config, sizeof(request->config), config, "the path", e)
		       ?: copy_text(request->id, sizeof(request->id), id, "the id", e)
		       ?: copy_text(request->network, sizeof(request->network), network, "the network's name", e)
		       ?: copy_text(request->interface, sizeof(request->interface), interface, "the interface name", e);
}

static void store_network(const void *item, void *data)
{
	*(struct net_network *)data = *(const struct net_network *)item;
}

int net_create(const struct net_paths *paths, const struct net_network *wanted, struct net_network *ret,
	       struct error *e)
{
	struct net_network ignored;
	struct sink sink = {NET_REPLY_NETWORK, sizeof(*ret), store_network, ret ? ret : &ignored};
	struct net_request request;
	int r = begin(&request, NET_OPERATION_CREATE, paths, NULL, NULL, NULL, e);

	request.wanted = *wanted;
	return r ?: call(&request, sizeof(request), -1, &sink, e);
}

int net_remove(const struct net_paths *paths, const char *network, struct error *e)
{
	struct net_request request;
	int r = begin(&request, NET_OPERATION_REMOVE, paths, NULL, network, NULL, e);

	return r ?: call(&request, sizeof(request), -1, NULL, e);
}

/* A caller's typed function, called through a sink. */
struct visit {
	union {
		void (*network)(const struct net_network *network, void *data);
		void (*member)(const struct net_member *member, void *data);
		void (*port)(const struct net_published *published, void *data);
		void (*counters)(const struct net_counters *counters, void *data);
	};
	void *data;
};

static void visit_network(const void *item, void *data)
{
	((struct visit *)data)->network(item, ((struct visit *)data)->data);
}

static void visit_member(const void *item, void *data)
{
	((struct visit *)data)->member(item, ((struct visit *)data)->data);
}

static void visit_port(const void *item, void *data)
{
	((struct visit *)data)->port(item, ((struct visit *)data)->data);
}

static void visit_counters(const void *item, void *data)
{
	((struct visit *)data)->counters(item, ((struct visit *)data)->data);
}

int net_each(const struct net_paths *paths, const char *network,
	     void (*each)(const struct net_network *network, void *data), void *data, struct error *e)
{
	struct visit visit = {.network = each, .data = data};
	struct sink sink = {NET_REPLY_NETWORK, sizeof(struct net_network), visit_network, &visit};
	struct net_request request;
	int r = begin(&request, NET_OPERATION_LIST, paths, NULL, network, NULL, e);

	return r ?: call(&request, sizeof(request), -1, &sink, e);
}

int net_each_member(const struct net_paths *paths, const char *id, const char *network,
		    void (*each)(const struct net_member *member, void *data), void *data, struct error *e)
{
	struct visit visit = {.member = each, .data = data};
	struct sink sink = {NET_REPLY_MEMBER, sizeof(struct net_member), visit_member, &visit};
	struct net_request request;
	int r = begin(&request, NET_OPERATION_MEMBERS, paths, id, network, NULL, e);

	return r ?: call(&request, sizeof(request), -1, &sink, e);
}

int net_each_port(const struct net_paths *paths, const char *id,
		  void (*each)(const struct net_published *published, void *data), void *data, struct error *e)
{
	struct visit visit = {.port = each, .data = data};
	struct sink sink = {NET_REPLY_PORT, sizeof(struct net_published), visit_port, &visit};
	struct net_request request;
	int r = begin(&request, NET_OPERATION_PORTS, paths, id, NULL, NULL, e);

	return r ?: call(&request, sizeof(request), -1, &sink, e);
}

int net_each_counters(const struct net_paths *paths, const char *id,
		      void (*each)(const struct net_counters *counters, void *data), void *data, struct error *e)
{
	struct visit visit = {.counters = each, .data = data};
	struct sink sink = {NET_REPLY_COUNTERS, sizeof(struct net_counters), visit_counters, &visit};
	struct net_request request;
	int r = begin(&request, NET_OPERATION_COUNTERS, paths, id, NULL, NULL, e);

	return r ?: call(&request, sizeof(request), -1, &sink, e);
}

/* ---- joining and leaving ---- */

struct members {
	struct net_member *members; /* NULL: not wanted */
	size_t n, room;
};

static void store_member(const void *item, void *data)
{
	struct members *list = data;

	if (list->members && list->n < list->room)
		list->members[list->n++] = *(const struct net_member *)item;
}

int net_start(const struct net_paths *paths, const struct net_join *join, struct net_call *call, struct error *e)
{
	struct net_request request;
	auto_str message = STR_INIT;
	int r = begin(&request, NET_OPERATION_JOIN, paths, join->id, NULL, NULL, e)
			?: copy_text(request.instance, sizeof(request.instance), join->instance, "the path", e)
			?: copy_text(request.hostname, sizeof(request.hostname), join->hostname, "the host name", e);

	if (!r) {
		request.netns_follows = join->netns_fd < 0;
		request.has_inside = join->inside != NULL;
		request.n = join->n;
		request.n_ports = join->n_ports;
		str_add_bytes(&message, &request, sizeof(request));
		if (join->n)
			str_add_bytes(&message, join->interfaces, join->n * sizeof(*join->interfaces));
		if (join->n_ports)
			str_add_bytes(&message, join->ports, join->n_ports * sizeof(*join->ports));
		r = call_start(call, message.data, message.size, join->netns_fd, join->inside, e);
	}
	if (r)
		net_close(call);
	return r;
}

int net_wait_prepared(struct net_call *call, struct error *e)
{
	int r = call_read(call, NET_REPLY_PREPARED, NULL, e);

	if (r)
		net_close(call);
	return r;
}

/* If it has given up already, net_wait() hears why. */
int net_enter(struct net_call *call, int netns_fd, struct error *e)
{
	int r = fd_send(call->socket, "", 1, &netns_fd, 1);

	return r && r != -EPIPE && r != -ECONNRESET ? error_system(e, -r, "send the namespace to holm-net") : 0;
}

int net_wait(struct net_call *call, struct net_member *ret, size_t n, struct error *e)
{
	struct members list = {ret, 0, n};
	struct sink sink = {NET_REPLY_MEMBER, sizeof(*ret), store_member, &list};
	int r = call_finish(call, &sink, e);

	net_close(call);
	return r;
}

void net_abandon(const struct net_paths *paths, struct net_call *call, const char *id)
{
	struct error ignored;

	shutdown(call->socket, SHUT_WR); /* no namespace will follow */
	if (!net_wait(call, NULL, 0, &ignored))
		(void)!net_leave(paths, id, NULL, NULL, -1, &ignored);
}

int net_join(const struct net_paths *paths, const struct net_join *join, struct net_member *ret, struct error *e)
{
	struct net_call call = NET_CALL_INIT;
	int r;

	if (!join->n)
		return 0;
	r = net_start(paths, join, &call, e);
	return r ?: net_wait(&call, ret, join->n, e);
}

int net_leave(const struct net_paths *paths, const char *id, const char *network, const char *interface, int netns_fd,
	      struct error *e)
{
	struct net_request request;
	char folder[NET_PATH_SIZE + NET_ID_SIZE + 16];
	int r = begin(&request, NET_OPERATION_LEAVE, paths, id, network, interface, e);

	if (r)
		return r;
	/* Most instances are on no network of ours: that is seen from here. */
	snprintf(folder, sizeof(folder), "%s/members/%s", state_path(paths), id);
	if (access(folder, F_OK) < 0 && errno == ENOENT)
		return 0;
	/* Leaving what has been left is no error; and who leaves may not come back: one more try before that is said. */
	r = call(&request, sizeof(request), netns_fd, NULL, e);
	return r ? call(&request, sizeof(request), netns_fd, NULL, e) : 0;
}

int net_leave_connected(const struct net_paths *paths, const char *id, int folder, struct error *e)
{
	char path[NET_PATH_SIZE + NET_ID_SIZE + 32];
	auto_free char *text = NULL;
	struct stat own, recorded;

	snprintf(path, sizeof(path), "%s/members/%s/instance", state_path(paths), id);
	if (file_read(AT_FDCWD, path, NET_PATH_SIZE, &text, NULL))
		return 0; /* it is on none; or we are not who puts instances on networks */
	if (stat(text, &recorded) < 0 || fstat(folder, &own) < 0 || recorded.st_dev != own.st_dev ||
	    recorded.st_ino != own.st_ino)
		return 0;
	return net_leave(paths, id, NULL, NULL, -1, e);
}

const char *net_hosts_path(const struct net_paths *paths, const char *network, char buffer[NET_PATH_SIZE])
{
	snprintf(buffer, NET_PATH_SIZE, "%s/networks/%s/hosts", state_path(paths), network);
	return buffer;
}

const char *net_own_hosts_path(const struct net_paths *paths, const char *id, char buffer[NET_PATH_SIZE])
{
	snprintf(buffer, NET_PATH_SIZE, "%s/members/%s/hosts", state_path(paths), id);
	return buffer;
}

const char *net_resolv_path(const struct net_paths *paths, char buffer[NET_PATH_SIZE])
{
	snprintf(buffer, NET_PATH_SIZE, "%s/resolv.conf", state_path(paths));
	return buffer;
}

/* ---- while running ---- */

static int change_ports(enum net_operation operation, const struct net_paths *paths, const char *id,
			const struct net_port *ports, size_t n, struct error *e)
{
	struct net_request request;
	auto_str message = STR_INIT;
	int r = begin(&request, operation, paths, id, NULL, NULL, e);

	if (r || !n)
		return r;
	request.n_ports = n;
	str_add_bytes(&message, &request, sizeof(request));
	str_add_bytes(&message, ports, n * sizeof(*ports));
	return call(message.data, message.size, -1, NULL, e);
}

int net_publish(const struct net_paths *paths, const char *id, const struct net_port *ports, size_t n, struct error *e)
{
	return change_ports(NET_OPERATION_PUBLISH, paths, id, ports, n, e);
}

int net_unpublish(const struct net_paths *paths, const char *id, const struct net_port *ports, size_t n,
		  struct error *e)
{
	return change_ports(NET_OPERATION_UNPUBLISH, paths, id, ports, n, e);
}

int net_limit(const struct net_paths *paths, const char *id, const char *interface, const struct net_rate *egress,
	      const struct net_rate *ingress, struct error *e)
{
	struct net_request request;
	int r = begin(&request, NET_OPERATION_LIMIT, paths, id, NULL, interface, e);

	if (r)
		return r;
	request.has_egress = egress != NULL;
	request.has_ingress = ingress != NULL;
	if (egress)
		request.egress = *egress;
	if (ingress)
		request.ingress = *ingress;
	return call(&request, sizeof(request), -1, NULL, e);
}

/* ---- the host ---- */

int net_repair(const struct net_paths *paths, struct error *e)
{
	struct net_request request;
	int r = begin(&request, NET_OPERATION_REPAIR, paths, NULL, NULL, NULL, e);

	return r ?: call(&request, sizeof(request), -1, NULL, e);
}

int net_collect(const struct net_paths *paths, void (*each)(const struct net_member *member, void *data), void *data,
		struct error *e)
{
	struct visit visit = {.member = each, .data = data};
	struct sink sink = {NET_REPLY_MEMBER, sizeof(struct net_member), each ? visit_member : NULL, &visit};
	struct net_request request;
	int r = begin(&request, NET_OPERATION_COLLECT, paths, NULL, NULL, NULL, e);

	return r ?: call(&request, sizeof(request), -1, &sink, e);
}

/* ---- from the configuration ---- */

/* "ADDRESS", or one of each family with a comma between. */
static int read_addresses(const char *text, struct net_address *four, struct net_address *six, struct error *e)
{
	char copy[2 * 64], *rest = copy;

	if (strlen(text) >= sizeof(copy))
		return error_refuse(e, ERROR_INVALID, "'%.64s...' is not an address", text);
	strcpy(copy, text);
	for (char *one; (one = strsep(&rest, ","));) {
		struct net_address address, *to;

		if (address_parse(one, &address))
			return error_refuse(e, ERROR_INVALID,
					    "'%s' is not an address, or an IPv4 and an IPv6 one with a comma", text);
		to = address.family == AF_INET ? four : six;
		if (to->family)
			return error_refuse(e, ERROR_INVALID, "'%s' holds two addresses of one family", text);
		*to = address;
	}
	return 0;
}

static int read_routes(const struct spec_holm_network *network, struct net_interface *ret, struct error *e)
{
	int r = 0;

	if (network->n_routes > NET_ROUTES_MAX)
		return error_refuse(e, ERROR_INVALID, "there are %zu routes, and %d is the most", network->n_routes,
				    NET_ROUTES_MAX);
	for (; !r && ret->n_routes < network->n_routes; ret->n_routes++)
		r = net_parse_route(network->routes[ret->n_routes], &ret->routes[ret->n_routes], e);
	return r;
}

static int read_interface(const struct spec_holm_network *network, struct net_interface *ret, struct error *e)
{
	const char *gateway = network->gateway;
	int r;

	*ret = (struct net_interface){.has_mac = network->mac != NULL, .no_gateway = str_equal(gateway, "none")};
	r = copy_text(ret->network, sizeof(ret->network), network->network, "the network's name", e)
		?: copy_text(ret->name, sizeof(ret->name), network->interface, "the interface name", e);
	if (!r && network->address)
		r = read_addresses(network->address, &ret->address4, &ret->address6, e);
	if (!r && gateway && !ret->no_gateway)
		r = read_addresses(gateway, &ret->gateway4, &ret->gateway6, e);
	if (!r && network->mac)
		r = net_parse_mac(network->mac, ret->mac, e);
	if (!r && network->rate_egress)
		r = net_parse_rate(network->rate_egress, &ret->egress, e);
	if (!r && network->rate_ingress)
		r = net_parse_rate(network->rate_ingress, &ret->ingress, e);
	return r ?: read_routes(network, ret, e);
}

int net_interfaces_of(const struct spec_holm_network *networks, size_t n, struct net_interface **ret,
		      struct net_port **ret_ports, size_t *ret_n_ports, struct error *e)
{
	auto_free struct net_interface *interfaces = calloc(n ? n : 1, sizeof(*interfaces));
	auto_str ports = STR_INIT;

	if (!interfaces)
		return error_system(e, ENOMEM, "read holm.networks");
	for (size_t i = 0; i < n; i++) {
		int r = read_interface(&networks[i], &interfaces[i], e);

		if (!r && !*interfaces[i].name)
			snprintf(interfaces[i].name, sizeof(interfaces[i].name), "eth%zu", i);
		for (size_t j = 0; !r && j < networks[i].n_publish; j++) {
			struct net_port port;

			r = net_parse_port(networks[i].publish[j], &port, e);
			memcpy(port.interface, interfaces[i].name, sizeof(port.interface));
			str_add_bytes(&ports, &port, sizeof(port));
		}
		if (r) {
			error_context(e, "holm.networks[%zu]", i);
			return r;
		}
	}
	*ret = take_ptr(&interfaces);
	*ret_n_ports = ports.size / sizeof(**ret_ports);
	*ret_ports = *ret_n_ports ? (struct net_port *)str_steal(&ports) : NULL;
	return 0;
}
