/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/dbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "cgroups/file.h"

enum {
	MESSAGE_MAX = 1 << 20,
	TYPE_CALL = 1,
	TYPE_RETURN = 2,
	TYPE_ERROR = 3,
	TYPE_SIGNAL = 4,
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR_NAME = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8,
};

#define MANAGER "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE MANAGER ".Manager"

static const char byte_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B';

/* ---- writing ---- */

void dbus_align(struct str *body, size_t to)
{
	while (body->size % to)
		str_add_bytes(body, "", 1);
}

void dbus_add_u32(struct str *body, uint32_t value)
{
	dbus_align(body, 4);
	str_add_bytes(body, &value, sizeof(value));
}

void dbus_add_u64(struct str *body, uint64_t value)
{
	dbus_align(body, 8);
	str_add_bytes(body, &value, sizeof(value));
}

void dbus_add_bool(struct str *body, bool value)
{
	dbus_add_u32(body, value);
}

void dbus_add_string(struct str *body, const char *value)
{
	dbus_add_u32(body, strlen(value));
	str_add_bytes(body, value, strlen(value) + 1);
}

void dbus_add_signature(struct str *body, const char *value)
{
	unsigned char length = strlen(value);

	str_add_bytes(body, &length, 1);
	str_add_bytes(body, value, length + 1u);
}

void dbus_add_bytes(struct str *body, const void *data, size_t size)
{
	dbus_add_u32(body, size);
	if (size)
		str_add_bytes(body, data, size);
}

size_t dbus_begin_array(struct str *body, size_t alignment)
{
	size_t begin;

	dbus_add_u32(body, 0);
	begin = body->size; /* padding up to the first element is not counted in the length */
	dbus_align(body, alignment);
	return begin;
}

void dbus_end_array(struct str *body, size_t begin, size_t alignment)
{
	size_t first = (begin + alignment - 1) / alignment * alignment;
	uint32_t size = body->size - first;

	memcpy(body->data + begin - 4, &size, sizeof(size));
}

static void add_field(struct str *m, unsigned char code, const char *signature, const char *value)
{
	dbus_align(m, 8);
	str_add_bytes(m, &code, 1);
	dbus_add_signature(m, signature);
	if (*signature == 'g')
		dbus_add_signature(m, value);
	else
		dbus_add_string(m, value);
}

static int send_all(struct dbus *d, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = send(d->fd, p, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= n;
	}
	return 0;
}

static int send_call(struct dbus *d, const char *destination, const char *path, const char *interface,
		     const char *member, const char *signature, const struct str *body)
{
	const char start[4] = {byte_order, TYPE_CALL, 0, 1};
	auto_str m = STR_INIT;
	size_t fields;

	str_add_bytes(&m, start, sizeof(start));
	dbus_add_u32(&m, body ? body->size : 0);
	dbus_add_u32(&m, ++d->serial);
	fields = dbus_begin_array(&m, 8);
	add_field(&m, FIELD_PATH, "o", path);
	add_field(&m, FIELD_INTERFACE, "s", interface);
	add_field(&m, FIELD_MEMBER, "s", member);
	if (d->bus)
		add_field(&m, FIELD_DESTINATION, "s", destination);
	if (*signature)
		add_field(&m, FIELD_SIGNATURE, "g", signature);
	dbus_end_array(&m, fields, 8);
	dbus_align(&m, 8);
	if (body && body->size)
		str_add_bytes(&m, body->data, body->size);
	return send_all(d, m.data, m.size);
}

/* ---- reading ---- */

struct message {
	unsigned char type;
	uint32_t reply_to;
	char member[64], error[128], signature[64];
	char *body; /* malloc'd */
	size_t size;
};

static int receive_all(struct dbus *d, void *data, size_t size)
{
	char *p = data;

	while (size) {
		struct pollfd poll_fd = {.fd = d->fd, .events = POLLIN};
		int64_t left = d->deadline - cgroup_clock();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, left) <= 0)
			continue;
		n = read(d->fd, p, size);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ECONNRESET;
		p += n;
		size -= n;
	}
	return 0;
}

/* A position in received bytes; bad is set by the first thing that isn't as it must be, and stays. */
struct cursor {
	const char *data;
	size_t size, at;
	bool bad;
};

static const void *take(struct cursor *c, size_t size, size_t alignment)
{
	size_t at = (c->at + alignment - 1) / alignment * alignment;

	if (c->bad || at > c->size || size > c->size - at) {
		c->bad = true;
		return NULL;
	}
	c->at = at + size;
	return c->data + at;
}

static uint32_t take_u32(struct cursor *c)
{
	const void *p = take(c, 4, 4);
	uint32_t value = 0;

	if (p)
		memcpy(&value, p, 4);
	return value;
}

/* The text, which is followed by a NUL; "" when it isn't as it must be. */
static const char *take_text(struct cursor *c, bool signature)
{
	const unsigned char *short_length = signature ? take(c, 1, 1) : NULL;
	size_t length = signature ? (short_length ? *short_length : 0) : take_u32(c);
	const char *text = length < MESSAGE_MAX ? take(c, length + 1, 1) : (c->bad = true, NULL);

	if (text && (text[length] || strlen(text) != length)) {
		c->bad = true;
		text = NULL;
	}
	return text ? text : "";
}

static void parse_fields(struct cursor *c, struct message *m)
{
	while (c->at < c->size && !c->bad) {
		const unsigned char *code = take(c, 1, 8);
		const char *signature = take_text(c, true), *text = "";

		if (c->bad)
			return;
		if (str_equal(signature, "u")) {
			uint32_t value = take_u32(c);

			if (*code == FIELD_REPLY_SERIAL)
				m->reply_to = value;
			continue;
		}
		if (str_equal(signature, "s") || str_equal(signature, "o") || str_equal(signature, "g"))
			text = take_text(c, *signature == 'g');
		else
			c->bad = true;
		if (*code == FIELD_MEMBER)
			snprintf(m->member, sizeof(m->member), "%s", text);
		else if (*code == FIELD_ERROR_NAME)
			snprintf(m->error, sizeof(m->error), "%s", text);
		else if (*code == FIELD_SIGNATURE)
			snprintf(m->signature, sizeof(m->signature), "%s", text);
	}
}

static int receive(struct dbus *d, struct message *m)
{
	auto_free char *fields = NULL;
	uint32_t size, fields_size;
	struct cursor c;
	char start[16];
	int r = receive_all(d, start, sizeof(start));

	*m = (struct message){0};
	if (r < 0)
		return r;
	memcpy(&size, start + 4, 4);
	memcpy(&fields_size, start + 12, 4);
	if (start[0] != byte_order || start[3] != 1 || size > MESSAGE_MAX || fields_size > MESSAGE_MAX)
		return -EBADMSG;
	m->type = start[1];
	fields = malloc(fields_size + 8);
	m->body = malloc(size + 1);
	if (!fields || !m->body) {
		r = -ENOMEM;
	} else {
		r = receive_all(d, fields, (fields_size + 7) / 8 * 8); /* the header ends at a multiple of 8 */
		if (!r)
			r = receive_all(d, m->body, size);
	}
	if (!r) {
		m->size = size;
		c = (struct cursor){.data = fields, .size = fields_size};
		parse_fields(&c, m);
		if (c.bad)
			r = -EBADMSG;
	}
	if (r < 0) {
		free(m->body);
		m->body = NULL;
	}
	return r;
}

/* JobRemoved(u id, o job, s unit, s result) may come before the reply that names the job. */
static void note_signal(struct dbus *d, const struct message *m)
{
	struct cursor c = {.data = m->body, .size = m->size};
	const char *job, *result;

	if (m->type != TYPE_SIGNAL || !str_equal(m->member, "JobRemoved") || !str_equal(m->signature, "uoss"))
		return;
	take_u32(&c);
	job = take_text(&c, false);
	take_text(&c, false);
	result = take_text(&c, false);
	if (!c.bad && d->removed.size < MESSAGE_MAX)
		str_addf(&d->removed, "%s %s\n", job, result);
}

/* ---- the conversation ---- */

static int refuse(int r, const char *doing, struct error *e)
{
	if (r == -ETIMEDOUT)
		return error_refuse(e, ERROR_STATE, "systemd: %s: no answer in time", doing);
	return error_system(e, -r, "systemd: %s", doing);
}

static void read_reply(const struct message *m, struct str *ret)
{
	struct cursor c = {.data = m->body, .size = m->size};
	const char *signature = m->signature;

	if (*signature == 'v')
		signature = take_text(&c, true);
	if (*signature == 's' || *signature == 'o')
		str_add(ret, take_text(&c, false));
}

int dbus_call(struct dbus *d, const char *destination, const char *path, const char *interface, const char *member,
	      const char *signature, const struct str *body, struct str *ret, char *ret_name, struct error *e)
{
	int r = send_call(d, destination, path, interface, member, signature, body);
	uint32_t serial = d->serial;

	if (r < 0)
		return refuse(r, member, e);
	for (;;) {
		struct message m;
		auto_str text = STR_INIT;

		r = receive(d, &m);
		if (r < 0)
			return refuse(r, member, e);
		if (m.reply_to == serial && m.type == TYPE_RETURN && ret)
			read_reply(&m, ret);
		if (m.reply_to == serial && m.type == TYPE_ERROR)
			read_reply(&m, &text);
		note_signal(d, &m);
		free(m.body);
		if (m.reply_to != serial)
			continue;
		if (m.type == TYPE_RETURN)
			return 0;
		if (ret_name)
			snprintf(ret_name, 128, "%s", m.error);
		return error_refuse(e, ERROR_SYSTEM, "systemd: %s: %s", member, text.size ? str_peek(&text) : m.error);
	}
}

static bool find_removed(const struct dbus *d, const char *job, struct str *ret)
{
	size_t length = strlen(job);

	for (const char *line = str_peek(&d->removed); *line; line = strchrnul(line, '\n'), line += *line == '\n')
		if (!strncmp(line, job, length) && line[length] == ' ') {
			str_add_bytes(ret, line + length + 1, strcspn(line + length + 1, "\n"));
			return true;
		}
	return false;
}

int dbus_wait_job(struct dbus *d, const char *job, struct str *ret, struct error *e)
{
	while (!find_removed(d, job, ret)) {
		struct message m;
		int r = receive(d, &m);

		if (r < 0)
			return refuse(r, "wait for the job", e);
		note_signal(d, &m);
		free(m.body);
	}
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

/*
 * SASL, the mechanism EXTERNAL: who we are is what the socket says.  A user's manager is not told a number: in a user namespace
 * ours is not the one that it sees.  It asks for it, and is content with none.  BEGIN goes along with AUTH, and nothing else before the
 * answer: systemd does not look at a message that it has read together with BEGIN until more comes.
 */
static int authenticate(struct dbus *d)
{
	char uid[16], line[64] = {0}, text[64];
	int n = 1, r;

	n += snprintf(line + 1, sizeof(line) - 1, "AUTH EXTERNAL"); /* after one NUL */
	if (d->user) {
		n += snprintf(line + n, sizeof(line) - n, "\r\nDATA");
	} else {
		snprintf(uid, sizeof(uid), "%u", geteuid());
		line[n++] = ' ';
		for (const char *p = uid; *p; p++)
			n += snprintf(line + n, sizeof(line) - n, "%02x", *p);
	}
	n += snprintf(line + n, sizeof(line) - n, "\r\nBEGIN\r\n");
	r = send_all(d, line, n);
	do {
		for (n = 0; !r && (!n || text[n - 1] != '\n'); n++)
			r = n < (int)sizeof(text) ? receive_all(d, text + n, 1) : -EBADMSG;
	} while (!r && d->user && !strncmp(text, "DATA", 4));
	if (r < 0)
		return r;
	return strncmp(text, "OK ", 3) ? -EACCES : 0;
}

static int greet_bus(struct dbus *d, struct error *e)
{
	static const char match[] = "type='signal',interface='" MANAGER_INTERFACE "',member='JobRemoved'";
	static const char name[] = "org.freedesktop.DBus", path[] = "/org/freedesktop/DBus";
	auto_str body = STR_INIT;
	int r = dbus_call(d, name, path, name, "Hello", "", NULL, NULL, NULL, e);

	dbus_add_string(&body, match);
	if (!r)
		r = dbus_call(d, name, path, name, "AddMatch", "s", &body, NULL, NULL, e);
	return r < 0 ? r : dbus_call(d, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, "Subscribe", "", NULL, NULL, NULL, e);
}

int dbus_open(struct dbus *d, bool user, int64_t deadline, struct error *e)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char direct[128] = "/run/systemd/private", bus[128] = "/run/dbus/system_bus_socket";
	int r;

	if (user && !runtime)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "systemd: XDG_RUNTIME_DIR is not set: no manager of this user");
	if (user) {
		snprintf(direct, sizeof(direct), "%s/systemd/private", runtime);
		snprintf(bus, sizeof(bus), "%s/bus", runtime);
	}
	*d = (struct dbus){.fd = connect_to(direct), .user = user, .deadline = deadline};
	if (d->fd < 0) {
		d->bus = true;
		d->fd = connect_to(bus);
	}
	if (d->fd < 0)
		return error_refuse(e, ERROR_UNSUPPORTED, "systemd: can't be reached: '%s' and '%s': %s", direct, bus,
				    strerror(-d->fd));
	r = authenticate(d);
	if (r < 0)
		r = refuse(r, "authenticate", e);
	else if (d->bus)
		r = greet_bus(d, e);
	if (r < 0)
		dbus_close(d);
	return r;
}

void dbus_close(struct dbus *d)
{
	d->fd = fd_close(d->fd);
	str_release(&d->removed);
}
