/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime/socket and runtime/notify, with the test as the peer.  wrap: socket connect sendmsg fchmodat
 */
#include "runtime/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "runtime/notify.h"

static const char *failing;

#define WRAP(type, name, parameters, arguments)                                                                        \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		if (failing && !strcmp(failing, #name)) {                                                              \
			errno = ENOBUFS;                                                                               \
			return -1;                                                                                     \
		}                                                                                                      \
		return __real_##name arguments;                                                                        \
	}

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, connect, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags))

static char folder[] = "/tmp/holm-sockets-XXXXXX";
static int folder_fd;

static int setup(void **state)
{
	(void)state;
	folder_fd = mkdtemp(folder) ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	return folder_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(folder_fd);
	return rmdir(folder);
}

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* A name that no sockaddr_un holds. */
static const char *long_name(void)
{
	static char name[201];

	memset(name, 'n', 200);
	return name;
}

/* A listening socket at folder/name; long names are bound under a short one and renamed. */
static int listen_at(const char *name)
{
	struct error e = ERROR_INIT;
	int fd = -1;

	assert_int_equal(socket_bind(folder_fd, "s", SOCK_STREAM, 0700, &fd, &e), 0);
	assert_int_equal(renameat(folder_fd, "s", folder_fd, name), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* What one connection brings: one message, at most one descriptor, then the end. */
static int accept_one(int listener, struct str *text)
{
	char buffer[65536];
	int connection = accept(listener, NULL, NULL), fd = -1;
	size_t size, n_fds;

	assert_true(connection >= 0);
	assert_int_equal(fd_receive(connection, buffer, sizeof(buffer), &size, &fd, 1, &n_fds), 0);
	str_add_bytes(text, buffer, size);
	assert_int_equal(read(connection, buffer, 1), 0);
	close(connection);
	return n_fds ? fd : -1;
}

static void assert_same_file(int a, int b)
{
	struct stat sa, sb;

	assert_int_equal(fstat(a, &sa), 0);
	assert_int_equal(fstat(b, &sb), 0);
	assert_true(sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev);
}

static void test_console_and_pidfd(void **state)
{
	const char *const names[] = {"short", long_name()};
	struct error e = ERROR_INIT;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (int relative = 0; relative < 2; relative++) {
			int listener = listen_at(names[i]), before = next_fd(), got;
			const char *path = relative ? names[i] : path_of(names[i]);
			auto_str text = STR_INIT, second = STR_INIT;

			assert_int_equal(socket_send_console(folder_fd, path, "/dev/ptmx", fds[0], &e), 0);
			got = accept_one(listener, &text);
			assert_string_equal(str_peek(&text), "/dev/ptmx");
			assert_same_file(got, fds[0]);
			close(got);
			assert_int_equal(socket_send_pidfd(folder_fd, path, "setns", fds[1], &e), 0);
			got = accept_one(listener, &second);
			assert_string_equal(str_peek(&second), "setns");
			close(got);
			assert_int_equal(next_fd(), before);
			close(listener);
			unlinkat(folder_fd, names[i], 0);
		}
	close(fds[0]);
	close(fds[1]);
}

static void test_errors_name_the_socket(void **state)
{
	static const char *const calls[] = {"socket", "connect", "sendmsg"};
	struct error e = ERROR_INIT;
	char text[512];
	int listener, before = next_fd();

	(void)state;
	assert_int_equal(socket_send_console(AT_FDCWD, "/nonexistent/c.sock", "x", 0, &e), -ENOENT);
	assert_string_equal(error_format(&e, text, sizeof(text)),
			    "connect to console socket '/nonexistent/c.sock': no such file or directory");
	assert_int_equal(socket_send_pidfd(AT_FDCWD, "/dev/null", "x", 0, &e), -ECONNREFUSED);
	assert_non_null(strstr(e.text, "pidfd socket '/dev/null'"));
	assert_int_equal(socket_send_console(AT_FDCWD, "/dev/null", "", 0, &e), -ENOTRECOVERABLE);
	listener = listen_at("l");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		failing = calls[i];
		assert_int_equal(socket_send_console(AT_FDCWD, path_of("l"), "x", 0, &e), -ENOBUFS);
		failing = NULL;
	}
	close(listener);
	unlinkat(folder_fd, "l", 0);
	failing = "fchmodat"; /* nothing of a socket stays */
	assert_int_equal(socket_bind(folder_fd, "b", SOCK_DGRAM, 0777, &listener, &e), -ENOBUFS);
	failing = NULL;
	assert_int_equal(faccessat(folder_fd, "b", F_OK, 0), -1);
	assert_int_equal(next_fd(), before);
}

static void test_listener(void **state)
{
	struct spec_pair annotation = {"k", "v"};
	struct hooks_state s = {
	    .id = "c", .status = "running", .bundle = "/b", .pid = 5, .annotations = &annotation, .n_annotations = 1};
	int listener = listen_at("agent"), got;
	struct error e = ERROR_INIT;
	auto_str text = STR_INIT, second = STR_INIT;

	(void)state;
	assert_int_equal(socket_send_listener(path_of("agent"), "meta \"data\"", 7, &s, folder_fd, &e), 0);
	got = accept_one(listener, &text);
	assert_same_file(got, folder_fd);
	close(got);
	assert_string_equal(str_peek(&text),
			    "{\"ociVersion\":\"" SPEC_VERSION
			    "\",\"fds\":[\"seccompFd\"],\"pid\":7,\"metadata\":\"meta "
			    "\\\"data\\\"\",\"state\":{\"ociVersion\":\"" SPEC_VERSION "\",\"id\":\"c\",\"status\":"
			    "\"running\",\"pid\":5,\"bundle\":\"/b\",\"annotations\":{\"k\":\"v\"}}}");
	assert_int_equal(socket_send_listener(path_of("agent"), NULL, 7, &s, folder_fd, &e), 0);
	close(accept_one(listener, &second));
	assert_null(strstr(str_peek(&second), "metadata"));
	close(listener);
	unlinkat(folder_fd, "agent", 0);
}

static void test_inherited(void **state)
{
	struct error e = ERROR_INIT;
	unsigned listen_n = 9, n = 9;
	char pid[16];
	int status;
	pid_t child = fork(); /* with descriptors of its own */

	(void)state;
	if (!child) {
		close_range(3, ~0u, 0);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		unsetenv("LISTEN_PID");
		setenv("LISTEN_FDS", "2", 1);
		if (socket_inherited(0, &listen_n, &n, &e) || listen_n || n) /* not for us: no LISTEN_PID */
			_exit(1);
		setenv("LISTEN_PID", "1", 1);
		if (socket_inherited(0, &listen_n, &n, &e) || listen_n || n)
			_exit(2);
		setenv("LISTEN_PID", pid, 1);
		if (socket_inherited(0, &listen_n, &n, &e) != -EBADF)
			_exit(3);
		dup2(0, 3);
		dup2(0, 4);
		if (socket_inherited(0, &listen_n, &n, &e) || listen_n != 2 || n != 2)
			_exit(4);
		if (socket_inherited(1, &listen_n, &n, &e) != -EBADF || strcmp(e.text, "unable to stat preserved-fd 5"))
			_exit(5);
		dup2(0, 5);
		if (socket_inherited(1, &listen_n, &n, &e) || listen_n != 2 || n != 3)
			_exit(6);
		setenv("LISTEN_FDS", "2x", 1);
		if (socket_inherited(0, &listen_n, &n, &e) || listen_n || n)
			_exit(7);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- notify ---- */

static void send_to(const char *path, const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, sizeof(address)), strlen(text));
	close(fd);
}

static pid_t start_container(int *ret_pidfd)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	*ret_pidfd = sys_pidfd_open(pid, 0);
	return pid;
}

static void end_container(pid_t pid, int pidfd)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
}

static void expect_datagram(int fd, const char *text, size_t n_fds)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int passed[4];
	char buffer[256];
	size_t size, n;

	assert_int_equal(poll(&poll_fd, 1, 10000), 1);
	assert_int_equal(fd_receive(fd, buffer, sizeof(buffer) - 1, &size, passed, 4, &n), 0);
	buffer[size] = 0;
	assert_string_equal(buffer, text);
	assert_int_equal(n, n_fds);
	for (size_t i = 0; i < n; i++)
		close(passed[i]);
}

static void test_notify(void **state)
{
	struct error e = ERROR_INIT;
	char expected[32], host_path[64];
	int fd, pidfd, host, status;
	pid_t pid, proxy;
	struct stat st;
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(notify_create(folder_fd, &e), 0);
	assert_int_equal(notify_create(folder_fd, &e), 0);
	assert_int_equal(notify_open(folder_fd, &fd, &e), 0);
	close(fd);
	assert_int_equal(notify_open(folder_fd, &fd, &e), 0); /* over what a killed start left */
	umask(mask);
	assert_int_equal(fstatat(folder_fd, "notify/notify.sock", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0777);
	assert_int_equal(fstatat(folder_fd, "notify", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(socket_bind(folder_fd, "host", SOCK_DGRAM, 0700, &host, &e), 0);
	snprintf(host_path, sizeof(host_path), "%s", path_of("host"));
	pid = start_container(&pidfd);
	send_to(path_of("notify/notify.sock"), "STATUS=starting\nMAINPID=1\nFDSTORE=1");
	send_to(path_of("notify/notify.sock"), "STATUS=up\nREADY=1\nMAINPID=1");
	proxy = fork();
	if (!proxy)
		_exit(-notify_wait(fd, host_path, pidfd, pid, &e));
	expect_datagram(host, "READY=1", 0);
	snprintf(expected, sizeof(expected), "MAINPID=%d", (int)pid);
	expect_datagram(host, expected, 0);
	expect_datagram(host, "BARRIER=1", 1);
	assert_int_equal(waitpid(proxy, &status, 0), proxy);
	assert_int_equal(status, 0);
	end_container(pid, pidfd);

	/* a container that ends first */
	pid = start_container(&pidfd);
	kill(pid, SIGKILL);
	assert_int_equal(notify_wait(fd, host_path, pidfd, pid, &e), 0);
	assert_int_equal(recv(host, expected, 1, MSG_DONTWAIT), -1);
	end_container(pid, pidfd);
	close(fd);
	close(host);
	unlinkat(folder_fd, "host", 0);
	assert_int_equal(unlinkat(folder_fd, "notify/notify.sock", 0), 0);
	assert_int_equal(unlinkat(folder_fd, "notify", AT_REMOVEDIR), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_console_and_pidfd),
	    cmocka_unit_test(test_errors_name_the_socket),
	    cmocka_unit_test(test_listener),
	    cmocka_unit_test(test_inherited),
	    cmocka_unit_test(test_notify),
	};

	return cmocka_run_group_tests_name("sockets", tests, setup, teardown);
}
