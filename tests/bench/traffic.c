/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP between two network namespaces, for the benchmark of networks.
 *
 *   traffic serve PORT                            takes connections until killed: says "ready" first
 *   traffic turns KIND SIZE TIMES CONNECTIONS ROUNDS (PID ADDRESS PORT)...
 *                                                 compares servers that are reached from the network namespaces of these
 *                                                 processes: a line for each round, the number of its connections and
 *                                                 each one's nanoseconds
 *
 * turns is one process with a connection to each server at once: what changes the speed of the machine or of the process
 * changes that of all.  It enters a namespace outside of the clock.  KIND is 'bulk' (SIZE bytes there, one back), 'pong' (SIZE
 * bytes there and back, as MPI's ping-pong does) or 'connect' (a new connection, SIZE bytes back).  In a round each server has one turn, of TIMES times;
 * from round to round the order changes, so that every server comes at every place and after every other.  After ROUNDS rounds
 * the connections are new ones, CONNECTIONS times; a first round, in which TCP finds its pace, is not shown.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, SIZE_MAX_ = 4 * 1024 * 1024, SIDES_MAX = 8 };

/* What a connection begins with: what it is for, and the size of a message. */
struct head {
	uint32_t letter;
	uint32_t size;
};

enum { BULK = 'b', PONG = 'p', CONNECT = 'c' };

/* A server, the namespace that it is reached from, and the connection to it. */
struct side {
	const char *address;
	int port;
	int netns;
	int fd;
};

static char buffer[SIZE_MAX_];

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* size bytes, each piece over the one before: whether they came before the end. */
static bool receive(int fd, size_t size, size_t piece)
{
	for (size_t got = 0; got < size;) {
		ssize_t n = recv(fd, buffer, size - got < piece ? size - got : piece, 0);

		if (n <= 0)
			return false;
		got += n;
	}
	return true;
}

static void take(int fd, size_t size)
{
	if (!receive(fd, size, sizeof(buffer)))
		err(1, "receive");
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

static void answer_bulk(int fd, uint32_t size)
{
	while (receive(fd, size, CHUNK))
		give(fd, 1);
}

static void answer_pong(int fd, uint32_t size)
{
	while (recv(fd, buffer, size, MSG_WAITALL) == (ssize_t)size)
		give(fd, size);
}

/* Waits for the client's end, which is outside of its clock. */
static void answer_connect(int fd, uint32_t size)
{
	give(fd, size);
	receive(fd, 1, 1);
}

/* In a child of its own, but for a connection that is only to be made: the fork would take longer than that. */
static void answer(int fd)
{
	struct head head;

	set_nodelay(fd);
	if (!receive(fd, sizeof(head), sizeof(head)))
		return;
	memcpy(&head, buffer, sizeof(head));
	if (head.letter == CONNECT) {
		answer_connect(fd, head.size);
		return;
	}
	if (fork() != 0)
		return;
	if (head.letter == BULK)
		answer_bulk(fd, head.size);
	else
		answer_pong(fd, head.size);
	_exit(0);
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
		answer(fd);
		close(fd);
	}
}

static void open_side(struct side *side, uint32_t letter, uint32_t size)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(side->port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(side->port)};
	int is_six = inet_pton(AF_INET6, side->address, &six.sin6_addr) == 1;
	struct head head = {.letter = letter, .size = size};

	side->fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!is_six && inet_pton(AF_INET, side->address, &four.sin_addr) != 1)
		errx(2, "'%s' is not an address", side->address);
	if (connect(side->fd, is_six ? (void *)&six : (void *)&four, is_six ? sizeof(six) : sizeof(four)) < 0)
		err(1, "connect to %s port %d", side->address, side->port);
	set_nodelay(side->fd);
	memcpy(buffer, &head, sizeof(head));
	give(side->fd, sizeof(head));
}

static int64_t time_bulk(struct side *side, uint32_t size)
{
	int64_t begin = now();

	for (uint32_t sent = 0, n; sent < size; sent += n) {
		n = size - sent < CHUNK ? size - sent : CHUNK;
		give(side->fd, n);
	}
	take(side->fd, 1);
	return now() - begin;
}

static int64_t time_pong(struct side *side, uint32_t size)
{
	int64_t begin = now();

	give(side->fd, size);
	take(side->fd, size);
	return now() - begin;
}

/* Ends with a reset, which leaves no port that waits: of these there are less than measurements. */
static int64_t time_connect(struct side *side, uint32_t size)
{
	static const struct linger reset = {.l_onoff = 1};
	int64_t begin = now(), end;

	open_side(side, CONNECT, size);
	take(side->fd, size);
	end = now();
	setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(side->fd);
	return end - begin;
}

static const struct kind {
	const char *name;
	uint32_t letter;
	bool lasts; /* its connection, from one time to the next */
	int64_t (*measure)(struct side *side, uint32_t size);
} kinds[] = {
    {"bulk", BULK, true, time_bulk},
    {"pong", PONG, true, time_pong},
    {"connect", CONNECT, false, time_connect},
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	errx(2, "'%s' is not a kind", name);
}

static int open_netns(const char *pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "open %s", path);
	return fd;
}

static void enter(const struct side *side)
{
	if (setns(side->netns, CLONE_NEWNET) < 0)
		err(1, "enter the namespace that reaches %s port %d", side->address, side->port);
}

/* The i-th of n in this round: forwards and backwards, beginning with each. */
static int find_turn(int round, int i, int n)
{
	return (round + (round / n % 2 ? n - i : i)) % n;
}

struct plan {
	const struct kind *kind;
	int size, times, connections, rounds;
};

static void take_round(const struct plan *plan, struct side *sides, int n, int round, int64_t *times)
{
	for (int i = 0; i < n; i++) {
		int turn = find_turn(round, i, n);

		enter(&sides[turn]);
		times[turn] = 0;
		for (int t = 0; t < plan->times; t++)
			times[turn] += plan->kind->measure(&sides[turn], plan->size);
	}
}

static int take_turns(const struct plan *plan, struct side *sides, int n)
{
	int64_t times[SIDES_MAX];

	for (int c = 0; c < plan->connections; c++) {
		for (int i = 0; plan->kind->lasts && i < n; i++) {
			struct side *side = &sides[find_turn(c, i, n)];

			enter(side);
			open_side(side, plan->kind->letter, plan->size);
		}
		for (int round = 0; round <= plan->rounds; round++) {
			take_round(plan, sides, n, c + round, times);
			if (round == 0)
				continue;
			printf("%d", c);
			for (int i = 0; i < n; i++)
				printf(" %" PRId64, times[i] / plan->times);
			putchar('\n');
		}
		for (int i = 0; plan->kind->lasts && i < n; i++)
			close(sides[i].fd);
	}
	return 0;
}

static int turns(char **words, int n)
{
	struct plan plan = {find_kind(words[0]), atoi(words[1]), atoi(words[2]), atoi(words[3]), atoi(words[4])};
	struct side sides[SIDES_MAX];

	if (plan.size <= 0 || (plan.size > SIZE_MAX_ && plan.kind->letter != BULK) || plan.times <= 0)
		errx(2, "not so many bytes or times: %s %s", words[1], words[2]);
	words += 5;
	for (int i = 0; i < n; i++, words += 3)
		sides[i] = (struct side){.netns = open_netns(words[0]), .address = words[1], .port = atoi(words[2])};
	return take_turns(&plan, sides, n);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(mode, "serve"))
		return serve(atoi(argv[2]));
	if (argc >= 10 && argc <= 7 + 3 * SIDES_MAX && (argc - 7) % 3 == 0 && !strcmp(mode, "turns"))
		return turns(argv + 2, (argc - 7) / 3);
	errx(2, "usage: see the head of tests/bench/traffic.c");
}
