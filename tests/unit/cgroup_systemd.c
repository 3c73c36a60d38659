/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroups/systemd and cgroups/dbus: names of units, and a conversation with a manager that is ours and misbehaves. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/dbus.h"
#include "cgroups/file.h"
#include "cgroups/systemd.h"

static void test_units(void **state)
{
	static const struct {
		const char *given, *name, *slice, *path; /* name NULL: refused */
	} cases[] = {
	    {NULL, "holm-web.scope", "system.slice", "/system.slice/holm-web.scope"},
	    {"", "holm-web.scope", "system.slice", "/system.slice/holm-web.scope"},
	    {"a.slice:p:n", "p-n.scope", "a.slice", "/a.slice/p-n.scope"},
	    {":p:n", "p-n.scope", "system.slice", "/system.slice/p-n.scope"},
	    {"a-b-c.slice::n", "n.scope", "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice/n.scope"},
	    {"-.slice:p:n", "p-n.scope", "-.slice", "/p-n.scope"},
	    {"a.slice:p:x-y.slice", "x-y.slice", "a.slice", "/x.slice/x-y.slice"},
	    {"/a/b", NULL},
	    {"a.slice:n", NULL},
	    {"a.slice:p:n:x", NULL},
	    {"a:p:n", NULL},
	    {"a--b.slice:p:n", NULL},
	    {"-a.slice:p:n", NULL},
	    {"a-.slice:p:n", NULL},
	    {"../a.slice:p:n", NULL},
	    {".slice:p:n", NULL},
	    {"a.slice:p:", NULL},
	    {"a.slice:p:n/m", NULL},
	    {"a.slice:p:n\nm", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_arena arena = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct systemd_unit unit;
		int r = systemd_unit_parse(cases[i].given, "web", false, &arena, &unit, &e);

		if ((r < 0) != !cases[i].name)
			fail_msg("'%s': %s", cases[i].given, r < 0 ? e.text : "taken");
		if (r < 0)
			continue;
		assert_string_equal(unit.name, cases[i].name);
		assert_string_equal(unit.slice, cases[i].slice);
		assert_string_equal(unit.path, cases[i].path);
	}
}

/* ---- a manager of ours ---- */

static char folder[] = "/tmp/holm-systemd.XXXXXX";

/* Reads until it has seen end, or size bytes. */
static size_t hear(int fd, char *buffer, size_t size, const char *end)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buffer + n, 1);

		if (got != 1)
			_exit(1);
		n++;
		if (end && n >= strlen(end) && !memcmp(buffer + n - strlen(end), end, strlen(end)))
			break;
	}
	return n;
}

static void hear_message(int fd)
{
	char start[16], rest[65536];
	uint32_t body, fields;

	hear(fd, start, sizeof(start), NULL);
	memcpy(&body, start + 4, 4);
	memcpy(&fields, start + 12, 4);
	hear(fd, rest, (fields + 7) / 8 * 8 + body, NULL);
}

static void add_field(struct str *m, char code, const char *signature, const char *text, uint32_t number)
{
	dbus_align(m, 8);
	str_add_bytes(m, &code, 1);
	dbus_add_signature(m, signature);
	if (*signature == 'u')
		dbus_add_u32(m, number);
	else if (*signature == 'g')
		dbus_add_signature(m, text);
	else
		dbus_add_string(m, text);
}

/* member: a signal; else a reply to serial, of type 2 or, with the name of an error, 3 */
static void say(int fd, const char *member, uint32_t serial, const char *error, const char *signature,
		const struct str *body)
{
	const char start[4] = {'l', member ? 4 : error ? 3 : 2, 0, 1};
	auto_str m = STR_INIT;
	size_t fields;

	str_add_bytes(&m, start, 4);
	dbus_add_u32(&m, body->size);
	dbus_add_u32(&m, 77);
	fields = dbus_begin_array(&m, 8);
	if (member)
		add_field(&m, 3, "s", member, 0);
	else
		add_field(&m, 5, "u", NULL, serial);
	if (error)
		add_field(&m, 4, "s", error, 0);
	add_field(&m, 8, "g", signature, 0);
	dbus_end_array(&m, fields, 8);
	dbus_align(&m, 8);
	if (body->size)
		str_add_bytes(&m, body->data, body->size);
	if (write(fd, m.data, m.size) != (ssize_t)m.size)
		_exit(1);
}

static void say_removed(int fd, const char *job, const char *result)
{
	auto_str body = STR_INIT;

	dbus_add_u32(&body, 1);
	dbus_add_string(&body, job);
	dbus_add_string(&body, "x.scope");
	dbus_add_string(&body, result);
	say(fd, "JobRemoved", 0, NULL, "uoss", &body);
}

enum manner { GOOD, EARLY_SIGNAL, FAILED_JOB, NO_UNIT, EXISTS, SILENT, GARBAGE, HUGE, CUT, LYING_LENGTH, NO_AUTH };

static _Noreturn void serve(int listener, enum manner manner)
{
	int fd = accept(listener, NULL, NULL);
	auto_str body = STR_INIT;
	char line[256];

	hear(fd, line, sizeof(line), "BEGIN\r\n");
	if (manner == NO_AUTH) {
		if (write(fd, "REJECTED EXTERNAL\r\n", 19) != 19)
			_exit(1);
		pause();
	}
	if (write(fd, "OK 0123\r\n", 9) != 9)
		_exit(1);
	hear_message(fd);
	switch (manner) {
	case GARBAGE:
		for (int i = 0; i < 64; i++)
			(void)!write(fd, "garbage!", 8);
		break;
	case HUGE:
		(void)!write(fd, "l\2\0\1\xff\xff\xff\x7f\1\0\0\0\xff\xff\xff\x7f", 16);
		break;
	case CUT:
		(void)!write(fd, "l\2\0\1\4\0\0", 7);
		_exit(0);
	case LYING_LENGTH: /* a string that is longer than the body */
		dbus_add_u32(&body, 5000);
		str_add_bytes(&body, "abc", 4);
		say(fd, NULL, 1, NULL, "s", &body);
		break;
	case SILENT:
		break;
	case NO_UNIT:
	case EXISTS:
		dbus_add_string(&body, "no such thing");
		say(fd, NULL, 1,
		    manner == EXISTS ? "org.freedesktop.systemd1.UnitExists" : "org.freedesktop.systemd1.NoSuchUnit",
		    "s", &body);
		break;
	default:
		if (manner == EARLY_SIGNAL)
			say_removed(fd, "/job/7", "done");
		say_removed(fd, "/job/77", "failed"); /* somebody else's */
		dbus_add_string(&body, "/job/7");
		say(fd, NULL, 1, NULL, "o", &body);
		if (manner != EARLY_SIGNAL)
			say_removed(fd, "/job/7", manner == GOOD ? "done" : "failed");
	}
	pause();
	_exit(0);
}

/* Starts the manager in this manner, calls StopUnit as systemd_unit_stop() does, and ends it. */
static int talk(enum manner manner, int64_t timeout, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_dbus d = DBUS_INIT;
	auto_str body = STR_INIT, job = STR_INIT, result = STR_INIT;
	char name[128] = "";
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	pid_t pid;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/systemd/private", folder);
	unlink(address.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	if (!pid)
		serve(listener, manner);
	close(listener);
	r = dbus_open(&d, true, cgroup_clock() + timeout, e);
	dbus_add_string(&body, "x.scope");
	dbus_add_string(&body, "replace");
	if (!r)
		r = dbus_call(&d, "x", "/x", "x.Manager", "StopUnit", "ss", &body, &job, name, e);
	if (!r)
		r = dbus_wait_job(&d, str_peek(&job), &result, e);
	if (!r && !str_equal(str_peek(&result), "done"))
		r = -EIO;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

static void test_conversation(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(talk(GOOD, 10000, &e), 0);
	assert_int_equal(talk(EARLY_SIGNAL, 10000, &e), 0);
	assert_int_equal(talk(FAILED_JOB, 10000, &e), -EIO);
	assert_true(talk(NO_UNIT, 10000, &e) < 0);
	assert_non_null(strstr(e.text, "no such thing"));
	assert_true(talk(EXISTS, 10000, &e) < 0);
}

static void test_misbehaviour(void **state)
{
	static const enum manner bad[] = {GARBAGE, HUGE, CUT, LYING_LENGTH, NO_AUTH};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error e = ERROR_INIT;

		assert_true(talk(bad[i], 300, &e) < 0);
		assert_int_equal(strncmp(e.text, "systemd: ", 9), 0);
	}
}

static void test_deadline(void **state)
{
	struct error e = ERROR_INIT;
	int64_t start = cgroup_clock();

	(void)state;
	assert_true(talk(SILENT, 300, &e) < 0);
	assert_in_range(cgroup_clock() - start, 250, 5000);
	assert_non_null(strstr(e.text, "no answer in time"));
}

static void test_nobody(void **state)
{
	auto_dbus d = DBUS_INIT;
	struct error e = ERROR_INIT;
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/systemd/private", folder);
	unlink(path);
	assert_true(dbus_open(&d, true, cgroup_clock() + 100, &e) < 0);
	assert_int_equal(e.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(e.text, path));
}

static int make_folder(void **state)
{
	char path[100];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/systemd", folder);
	return mkdir(path, 0700) || setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int remove_folder(void **state)
{
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/systemd/private", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/systemd", folder);
	return rmdir(path) || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_units),    cmocka_unit_test(test_conversation), cmocka_unit_test(test_misbehaviour),
	    cmocka_unit_test(test_deadline), cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
