/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What init has instead of a libc, its state, and how it fails.
 *
 * Init is one straight road: every failure is told to the other end of the socket as a struct error and ends the process.
 * So fail() does not return and nothing here needs an error path.  Nothing is allocated on a heap.
 */
#ifndef HOLM_INIT_LIB_H
#define HOLM_INIT_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/message.h"
#include "init/plan.h"

struct init {
	char *base; /* the plan's block, mapped privately */
	struct plan *plan;
	const struct plan_op *op; /* the one being done */
	plan_ref cause;		  /* what errors blame in place of its cause; 0: nothing else */
	int socket;		  /* to the host side; after PLAN_START with a start socket: to `holm start` */
	int root;		  /* the container's root folder */
	int proc;		  /* a procfs of our own */
	int mounted_proc;	  /* what was mounted on /proc and on /sys: where covered paths are looked up */
	int mounted_sys;
	int devpts; /* the container's devpts, if we mounted it */
	int held;   /* a tmpfs (/dev, cgroups) that is filled while it is detached */
	const char *held_path;
	int null;			  /* the host's null device, checked */
	int clocks;			  /* /proc/self/timens_offsets */
	int empty;			  /* an empty read-only tmpfs that masks folders */
	bool no_new_privileges, filtered; /* the seccomp filter is loaded */
	const char *program;		  /* what PLAN_FIND_PROGRAM found */
	char **args, **env;
	size_t n_env;
};

extern struct init init;

/* The string or array behind a reference; NULL for none. */
static inline void *at(plan_ref ref)
{
	return ref ? init.base + ref : NULL;
}

static inline const char *text(plan_ref ref)
{
	return ref ? init.base + ref : "";
}

/*
 * Ends init.  code: an errno, or 0.  Knows %s, %d, %u, %lu, %x, %% and nothing else.  The operation's cause comes first.
 */
_Noreturn void fail(long code, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fail_kind(enum error_kind kind, long code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void quit(int status);

/* As snprintf with fail()'s formats. */
size_t print(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* r if it is not an error; else fail(). */
#define check(r, ...)                                                                                                  \
	({                                                                                                             \
		long _r = (r);                                                                                         \
		if (_r < 0)                                                                                            \
			fail(-_r, __VA_ARGS__);                                                                        \
		_r;                                                                                                    \
	})

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
bool equal(const char *a, const char *b);
bool starts(const char *s, const char *prefix);
const char *find(const char *s, char c);
bool parse_number(const char *s, const char *end, uint32_t *ret);

/* close(2), and -1 for the variable. */
int shut(int fd);
void write_all(int fd, const void *data, size_t n, const char *what);

/* Messages: see init/message.h.  tell() ends init if nobody listens; try_tell() returns 0 or more, or -errno. */
long try_tell(enum message_type type, const void *data, const int *fds, size_t n_fds);
void tell(enum message_type type, const void *data, const int *fds, size_t n_fds);
size_t receive(enum message_type type, int *fds, size_t max_fds);
int receive_fd(enum message_type type);

#endif
