/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"

enum { PROC_MAX = 64 * 1024 * 1024, TCP_LISTEN_STATE = 0x0a };

/* The inode of a socket bound to that port: a line of /proc/net/tcp and the like. */
static uint64_t find_inode(const struct net_port *port, uint16_t number)
{
	static const char *const files[2][2] = {{"/proc/net/tcp", "/proc/net/tcp6"},
						{"/proc/net/udp", "/proc/net/udp6"}};
	bool udp = port->protocol == IPPROTO_UDP;

	for (int i = 0; i < 2; i++) {
		auto_free char *text = NULL;

		if (file_read(AT_FDCWD, files[udp][i], PROC_MAX, &text, NULL))
			continue;
		for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
			unsigned local, state;
			uint64_t inode;

			if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64,
				   &local, &state, &inode) == 3 &&
			    local == number && (udp || state == TCP_LISTEN_STATE))
				return inode;
		}
	}
	return 0;
}

static bool has_socket(const char *pid, const char *wanted)
{
	char path[300], target[64];
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	for (const struct dirent *entry; !found && (entry = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = 0;
		found = str_equal(target, wanted);
	}
	closedir(dir);
	return found;
}

/* Only looked for when a refusal has to be worded. */
static bool find_process(const struct net_port *port, uint16_t number, char pid[32], char name[64])
{
	uint64_t inode = find_inode(port, number);
	DIR *dir = inode ? opendir("/proc") : NULL;
	char wanted[64], path[64];
	bool found = false;

	snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	while (dir && !found) {
		const struct dirent *entry = readdir(dir);
		auto_free char *text = NULL;

		if (!entry)
			break;
		if (*entry->d_name < '0' || *entry->d_name > '9' || !has_socket(entry->d_name, wanted))
			continue;
		found = true;
		snprintf(pid, 32, "%.31s", entry->d_name);
		snprintf(path, sizeof(path), "/proc/%.31s/comm", pid);
		*name = 0;
		if (!file_read(AT_FDCWD, path, 64, &text, NULL))
			snprintf(name, 64, "%.*s", (int)strcspn(text, "\n"), text);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int bind_port(const struct net_port *port, uint16_t number)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(number)};
	bool is_four = port->address.family == AF_INET;
	auto_fd fd =
	    socket(port->address.family, (port->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int one = 1, r;

	if (fd < 0)
		return -errno;
	/* For TCP: connections that are just ending do not count.  For UDP it would let both bind. */
	if (port->protocol == IPPROTO_TCP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!is_four)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	memcpy(&four.sin_addr, port->address.bytes, sizeof(four.sin_addr));
	memcpy(&six.sin6_addr, port->address.bytes, sizeof(six.sin6_addr));
	r = is_four ? bind(fd, (struct sockaddr *)&four, sizeof(four)) : bind(fd, (struct sockaddr *)&six, sizeof(six));
	return r < 0 ? -errno : 0;
}

int sockets_check_free(const struct net_port *port, bool *ret_is_missing, struct error *e)
{
	*ret_is_missing = false;
	for (unsigned number = port->first; number <= port->last; number++) {
		char address[ADDRESS_TEXT_SIZE], pid[32], name[64];
		const char *protocol = port->protocol == IPPROTO_UDP ? "udp" : "tcp";

		int r = bind_port(port, number);

		*ret_is_missing = r == -EADDRNOTAVAIL;
		if (r != -EADDRINUSE)
			continue;
		address_print(&port->address, false, address);
		if (find_process(port, number, pid, name))
			return error_refuse(e, ERROR_EXISTS,
					    "port %u/%s of %s is in use by process %s ('%s') of the host", number,
					    protocol, address, pid, name);
		return error_refuse(e, ERROR_EXISTS, "port %u/%s of %s is in use by a process of the host", number,
				    protocol, address);
	}
	return 0;
}
