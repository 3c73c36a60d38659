/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP between two network namespaces, for the benchmark of networks.
 *
 *   traffic serve PORT                            takes connections, one child each, until killed: says "ready" first.
 *                                                 A connection's first byte says what it is: 'f' flow, 'p' ping-pong
 *   traffic flow ADDRESS PORT MILLISECONDS        sends as fast as it can: bytes per second that arrived
 *   traffic rtt ADDRESS PORT ROUNDS SIZE          SIZE bytes there and back, as MPI's ping-pong does: median microseconds
 *                                                 of a round trip, with two decimals
 *   traffic connect ADDRESS PORT ROUNDS           a new connection, a byte there and back: median microseconds
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, SIZE_MAX_ = 4 * 1024 * 1024 };

static char buffer[SIZE_MAX_];

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void take(int fd, size_t size)
{
	for (size_t got = 0; got < size;) {
		ssize_t n = recv(fd, buffer, size - got < sizeof(buffer) ? size - got : sizeof(buffer), 0);

		if (n <= 0)
			err(1, "receive");
		got += n;
	}
}

static void give(int fd, size_t size)
{
	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(fd, buffer, size - sent, MSG_NOSIGNAL);

		if (n < 0)
			err(1, "send");
		sent += n;
	}
}

static void set_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* After 'f': everything until the end, then the number of bytes back.  After 'p' and a size: each message back. */
static void answer(int fd)
{
	uint32_t size;
	char kind;

	set_nodelay(fd);
	take(fd, 1);
	kind = buffer[0];
	if (kind == 'f') {
		uint64_t got = 0;
		ssize_t n;

		while ((n = recv(fd, buffer, CHUNK, 0)) > 0)
			got += n;
		memcpy(buffer, &got, sizeof(got));
		give(fd, sizeof(got));
		return;
	}
	take(fd, sizeof(size));
	memcpy(&size, buffer, sizeof(size));
	for (;;) {
		ssize_t n = recv(fd, buffer, size, MSG_WAITALL);

		if (n != (ssize_t)size)
			return;
		give(fd, size);
	}
}

static int serve(int port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int server = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	signal(SIGCHLD, SIG_IGN);
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(server, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(server, 128) < 0)
		err(1, "listen on port %d", port);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(server, NULL, NULL);

		if (fd < 0)
			continue;
		if (fork() == 0) {
			answer(fd);
			_exit(0);
		}
		close(fd);
	}
}

static int connect_to(const char *address, int port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	int is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1)
		errx(2, "'%s' is not an address", address);
	if (connect(fd, is_six ? (void *)&six : (void *)&four, is_six ? sizeof(six) : sizeof(four)) < 0)
		err(1, "connect to %s port %d", address, port);
	set_nodelay(fd);
	return fd;
}

static int flow(int fd, int64_t milliseconds)
{
	int64_t begin = now(), end = begin + milliseconds * 1000000;
	uint64_t got;

	buffer[0] = 'f';
	give(fd, 1);
	while (now() < end)
		give(fd, CHUNK);
	shutdown(fd, SHUT_WR);
	take(fd, sizeof(got));
	memcpy(&got, buffer, sizeof(got));
	printf("%.0f\n", (double)got * 1e9 / (double)(now() - begin));
	return 0;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print_median(int64_t *times, int n)
{
	qsort(times, n, sizeof(*times), compare);
	printf("%.2f\n", (double)times[n / 2] / 1000);
}

static void begin_pong(int fd, uint32_t size)
{
	buffer[0] = 'p';
	memcpy(buffer + 1, &size, sizeof(size));
	give(fd, 1 + sizeof(size));
}

static int rtt(int fd, int rounds, uint32_t size)
{
	int64_t *times = calloc(rounds, sizeof(*times));

	begin_pong(fd, size);
	for (int i = 0; i < rounds; i++) {
		int64_t begin = now();

		give(fd, size);
		take(fd, size);
		times[i] = now() - begin;
	}
	print_median(times, rounds);
	return 0;
}

static int connect_often(const char *address, int port, int rounds)
{
	int64_t *times = calloc(rounds, sizeof(*times));

	for (int i = 0; i < rounds; i++) {
		int64_t begin = now();
		int fd = connect_to(address, port);

		begin_pong(fd, 1);
		give(fd, 1);
		take(fd, 1);
		times[i] = now() - begin;
		close(fd);
	}
	print_median(times, rounds);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(mode, "serve"))
		return serve(atoi(argv[2]));
	if (argc == 5 && !strcmp(mode, "flow"))
		return flow(connect_to(argv[2], atoi(argv[3])), atoi(argv[4]));
	if (argc == 6 && !strcmp(mode, "rtt") && atoi(argv[4]) > 0 && atoi(argv[5]) > 0 && atoi(argv[5]) <= SIZE_MAX_)
		return rtt(connect_to(argv[2], atoi(argv[3])), atoi(argv[4]), atoi(argv[5]));
	if (argc == 5 && !strcmp(mode, "connect") && atoi(argv[4]) > 0)
		return connect_often(argv[2], atoi(argv[3]), atoi(argv[4]));
	errx(2, "usage: see the head of tests/bench/traffic.c");
}
