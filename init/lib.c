/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "init/lib.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "init/sys.h"

struct init init = {
    .socket = -1,
    .root = -1,
    .proc = -1,
    .mounted_proc = -1,
    .mounted_sys = -1,
    .devpts = -1,
    .held = -1,
    .null = -1,
    .empty = -1,
    .clocks = -1,
};

/* The compiler calls the next four by name, whatever it is told. */
void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

void *memset(void *p, int c, size_t n)
{
	char *t = p;

	while (n--)
		*t++ = (char)c;
	return p;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

bool equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

const char *find(const char *s, char c)
{
	for (; *s; s++)
		if (*s == c)
			return s;
	return NULL;
}

bool parse_number(const char *s, const char *end, uint32_t *ret)
{
	uint64_t value = 0;

	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s < '0' || *s > '9')
			return false;
		value = value * 10 + (uint64_t)(*s - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)value;
	return true;
}

static char *put_number(char *p, const char *end, uint64_t value, unsigned base)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (n && p < end)
		*p++ = digits[--n];
	return p;
}

static size_t print_args(char *buffer, size_t size, const char *format, va_list args)
{
	char *p = buffer, *end = buffer + size - 1;

	for (const char *f = format; *f && p < end; f++) {
		bool is_long = false;

		if (*f != '%') {
			*p++ = *f;
			continue;
		}
		if (*++f == 'l') {
			is_long = true;
			f++;
		}
		if (*f == 's') {
			for (const char *s = va_arg(args, const char *); s && *s && p < end; s++)
				*p++ = *s;
		} else if (*f == 'd') {
			long value = is_long ? va_arg(args, long) : va_arg(args, int);

			if (value < 0)
				*p++ = '-';
			p = put_number(p, end, (uint64_t)(value < 0 ? -value : value), 10);
		} else if (*f == 'u' || *f == 'x') {
			uint64_t value = is_long ? va_arg(args, unsigned long) : va_arg(args, unsigned);

			p = put_number(p, end, value, *f == 'x' ? 16 : 10);
		} else {
			*p++ = *f;
		}
	}
	*p = 0;
	return (size_t)(p - buffer);
}

size_t print(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = print_args(buffer, size, format, args);
	va_end(args);
	return n;
}

_Noreturn void quit(int status)
{
	for (;;)
		sys(exit_group, status);
}

static _Noreturn void send_error(enum error_kind kind, long code, const char *format, va_list args)
{
	struct error error = {.kind = kind, .code = (int32_t)code};
	size_t n = 0;

	if (init.cause || (init.op && init.op->cause))
		n = print(error.text, sizeof(error.text), "%s: ", text(init.cause ? init.cause : init.op->cause));
	print_args(error.text + n, sizeof(error.text) - n, format, args);
	tell(MESSAGE_ERROR, &error, NULL, 0);
	quit(1);
}

_Noreturn void fail(long code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_error(ERROR_SYSTEM, code, format, args);
	va_end(args);
}

_Noreturn void fail_kind(enum error_kind kind, long code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_error(kind, code, format, args);
	va_end(args);
}

int shut(int fd)
{
	if (fd >= 0)
		sys(close, fd);
	return -1;
}

void write_all(int fd, const void *data, size_t n, const char *what)
{
	const char *p = data;

	while (n) {
		long done = sys(write, fd, p, n);

		if (done == -EINTR)
			continue;
		check(done, "write %s", what);
		p += done;
		n -= (size_t)done;
	}
}

static const struct message_rule rules[_MESSAGE_N] = MESSAGE_RULES;

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int) * MESSAGE_MAX_FDS)];
};

long try_tell(enum message_type type, const void *data, const int *fds, size_t n_fds)
{
	uint32_t wire_type = type;
	struct iovec iov[2] = {{&wire_type, sizeof(wire_type)}, {(void *)data, rules[type].size}};
	union control control;
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = data ? 2 : 1};
	long r;

	if (n_fds) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
	}
	do
		r = sys(sendmsg, init.socket, &message, MSG_NOSIGNAL);
	while (r == -EINTR);
	return r;
}

void tell(enum message_type type, const void *data, const int *fds, size_t n_fds)
{
	if (try_tell(type, data, fds, n_fds) <
	    0) /* nobody listens any more: the host side was killed, and what it recorded is cleaned up by the id */
		quit(1);
}

size_t receive(enum message_type type, int *fds, size_t max_fds)
{
	struct message got;
	struct iovec iov = {&got, sizeof(got)};
	union control control;
	struct msghdr message = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	size_t n_fds = 0;
	long r;

	do
		r = sys(recvmsg, init.socket, &message, MSG_CMSG_CLOEXEC);
	while (r == -EINTR);
	if (r <= 0) /* the host side is gone */
		quit(1);
	if (message.msg_controllen >= sizeof(struct cmsghdr) && control.header.cmsg_level == SOL_SOCKET &&
	    control.header.cmsg_type == SCM_RIGHTS) {
		n_fds = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n_fds <= max_fds)
			memcpy(fds, CMSG_DATA(&control.header), n_fds * sizeof(int));
	}
	if (got.type != (uint32_t)type || r != (long)MESSAGE_SIZE(rules[type]) || n_fds < rules[type].min_fds ||
	    n_fds > max_fds)
		fail_kind(ERROR_BUG, 0, "expected %s, got %s with %lu descriptors", rules[type].name,
			  got.type < _MESSAGE_N ? rules[got.type].name : "an unknown message", n_fds);
	return n_fds;
}

int receive_fd(enum message_type type)
{
	int fd = -1;

	receive(type, &fd, 1);
	return fd;
}
