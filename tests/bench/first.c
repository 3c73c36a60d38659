/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * first PORT AFTER COMMAND [ARGUMENT]...: how long from the start of a command to the first byte that a service answers with on
 * 127.0.0.1:PORT.  Prints two numbers, milliseconds: to the first byte, and to the command's end.
 *
 * The client first asks after AFTER milliseconds: asking takes half a processor, which what is measured shall have as long as there
 * can't be an answer.  Then it tries again as soon as it is refused, in this process; the command runs in a child.  A service that is
 * asked may not be there before the ports are, so a connection that is reset is tried again, too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 30000, ANSWER_MS = 200, CONNECT_MS = 1, PAUSE_US = 100 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* 1: it answered. */
static int ask(int port)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), answered = 0, error = 0;
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(error);
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return 0;
	/* A SYN that came too early is lost, and the next would be sent after a second. */
	if ((!connect(fd, (struct sockaddr *)&address, sizeof(address)) || errno == EINPROGRESS) &&
	    poll(&poll_fd, 1, CONNECT_MS) == 1 && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) && !error &&
	    write(fd, request, sizeof(request) - 1) == sizeof(request) - 1) {
		poll_fd.events = POLLIN;
		answered = poll(&poll_fd, 1, ANSWER_MS) == 1 && read(fd, &byte, 1) == 1;
	}
	close(fd);
	return answered;
}

int main(int argc, char **argv)
{
	double start, first;
	int status = 0;
	pid_t pid;

	if (argc < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	start = now();
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	usleep((useconds_t)(atof(argv[2]) * 1e3));
	while (!ask(atoi(argv[1]))) {
		if (now() - start > LIMIT_MS || (waitpid(pid, &status, WNOHANG) == pid && status)) {
			fprintf(stderr, "first: no answer\n");
			return 1;
		}
		usleep(PAUSE_US);
	}
	first = now() - start;
	if (waitpid(pid, &status, 0) == pid && status)
		return 1;
	printf("%.2f %.2f\n", first, now() - start);
	return 0;
}
