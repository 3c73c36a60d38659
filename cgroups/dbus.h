/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Just enough D-Bus to ask systemd for a unit: one blocking connection, method calls, and waiting for the end of a job.
 *
 * systemd is reached directly at its private socket, which needs no bus daemon and gives its signals to whoever is
 * connected; where that socket can't be had, over the system's or the user's bus.  By hand because libsystemd is large,
 * comes as a shared library only, and would be loaded at every start for the sake of the few that use systemd.
 *
 * The whole conversation has one deadline.  What the other side sends is bounded and checked before it is used.
 */
#ifndef HOLM_CGROUPS_DBUS_H
#define HOLM_CGROUPS_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct dbus {
	int fd;
	bool bus;  /* over a bus, not directly */
	bool user; /* the user's own systemd, perhaps seen out of a user namespace */
	uint32_t serial;
	int64_t deadline;   /* of cgroup_clock() */
	struct str removed; /* jobs that ended, as "PATH RESULT\n" */
};

#define DBUS_INIT ((struct dbus){.fd = -1})

/* user: the manager of the calling user, else of the system. */
int dbus_open(struct dbus *d, bool user, int64_t deadline, struct error *e) must_check;
void dbus_close(struct dbus *d);
#define auto_dbus __attribute__((cleanup(dbus_close))) struct dbus

/* ---- a message's body: values one after the other, each aligned as the format wants it ---- */

void dbus_add_u32(struct str *body, uint32_t value);
void dbus_add_u64(struct str *body, uint64_t value);
void dbus_add_bool(struct str *body, bool value);
void dbus_add_string(struct str *body, const char *value); /* also object paths */
void dbus_add_signature(struct str *body, const char *value);
void dbus_add_bytes(struct str *body, const void *data, size_t size); /* ay */
void dbus_align(struct str *body, size_t to);

/* An array: what begin returns is handed to end.  alignment: of its elements. */
size_t dbus_begin_array(struct str *body, size_t alignment);
void dbus_end_array(struct str *body, size_t begin, size_t alignment);

/*
 * Calls a method.  A reply that begins with a string or object path, plain or as a variant, is handed back in ret (may be
 * NULL; malloc'd by the caller's str).  An error of the other side is ERROR_SYSTEM with its name and text; ret_name
 * (may be NULL, 128 bytes) gets the name, so that callers can tell errors apart.
 */
int dbus_call(struct dbus *d, const char *destination, const char *path, const char *interface, const char *member,
	      const char *signature, const struct str *body, struct str *ret, char *ret_name,
	      struct error *e) must_check;

/* Waits until the job (an object path) is done; its result ("done", "failed", "canceled", ...) goes to ret. */
int dbus_wait_job(struct dbus *d, const char *job, struct str *ret, struct error *e) must_check;

#endif
