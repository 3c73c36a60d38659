/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The talk between the host side (runtime/launch.c) and init, over one SOCK_SEQPACKET pair: a datagram a message, its type
 * first.  The table below is the whole protocol; both sides check what they receive against it.
 *
 *   host side                                init
 *   ---------                                ----
 *   MESSAGE_NAMESPACE (fd)  -------------->  PLAN_JOIN
 *                           <--------------  MESSAGE_PID           PLAN_FORK: the pid that goes on
 *   MESSAGE_CGROUPS (fds)   -------------->  PLAN_CGROUPS
 *                           <--------------  MESSAGE_NAMESPACES    they exist (only where the host side has work in them)
 *   MESSAGE_GO              -------------->  PLAN_WAIT             (for id maps at once; for the network once it is joined)
 *   MESSAGE_TREE (fd)       -------------->  PLAN_ROOT, PLAN_MOUNT, PLAN_DEVICE: one each, in the plan's order
 *                           <--------------  MESSAGE_CONSOLE (fd)  the pty's master
 *                           <--------------  MESSAGE_MOUNTED       before the root changes: time for the host's hooks
 *   MESSAGE_GO              -------------->  PLAN_WAIT
 *   MESSAGE_START (fd)      -------------->  PLAN_START            create: the listening socket in the state folder
 *                           <--------------  MESSAGE_READY
 *                           <--------------  MESSAGE_LISTENER (fd) seccomp's notifications
 *   MESSAGE_GO              -------------->                        the listener was handed on
 *                           <--------------  MESSAGE_ERROR         struct error; then init exits
 *   end of file: execve(2) happened, or init died: a process that still has INIT_NAME has not made it
 *
 * With create, what follows PLAN_START is said to whoever connects to the socket in the state folder (holm start).
 */
#ifndef HOLM_INIT_MESSAGE_H
#define HOLM_INIT_MESSAGE_H

#include <stdint.h>

#include "base/error.h"

/* init's name (PR_SET_NAME) up to execve(2): with a slash, so that no file's name is the same. */
#define INIT_NAME "holm/init"

enum message_type {
	MESSAGE_NONE,
	MESSAGE_NAMESPACE,
	MESSAGE_CGROUPS,
	MESSAGE_TREE,
	MESSAGE_START,
	MESSAGE_GO,
	MESSAGE_PID,
	MESSAGE_NAMESPACES,
	MESSAGE_MOUNTED,
	MESSAGE_CONSOLE,
	MESSAGE_READY,
	MESSAGE_LISTENER,
	MESSAGE_ERROR,
	_MESSAGE_N
};

enum { MESSAGE_MAX_FDS = 16 };

struct message_rule {
	const char *name;
	uint8_t from_init, min_fds, max_fds;
	uint32_t size; /* of what follows the type */
};

#define MESSAGE_RULES                                                                                                  \
	{                                                                                                              \
		[MESSAGE_NONE] = {"nothing", 0, 0, 0, 0}, [MESSAGE_NAMESPACE] = {"a namespace", 0, 1, 1, 0},           \
		[MESSAGE_CGROUPS] = {"cgroups", 0, 0, MESSAGE_MAX_FDS, 0}, [MESSAGE_TREE] = {"a mount", 0, 1, 1, 0},   \
		[MESSAGE_START] = {"the start socket", 0, 1, 1, 0}, [MESSAGE_GO] = {"go on", 0, 0, 0, 0},              \
		[MESSAGE_PID] = {"a pid", 1, 0, 0, sizeof(int32_t)},                                                   \
		[MESSAGE_NAMESPACES] = {"namespaces made", 1, 0, 0, 0},                                                \
		[MESSAGE_MOUNTED] = {"root mounted", 1, 0, 0, 0}, [MESSAGE_CONSOLE] = {"the console", 1, 1, 1, 0},     \
		[MESSAGE_READY] = {"ready", 1, 0, 0, 0}, [MESSAGE_LISTENER] = {"a seccomp listener", 1, 1, 1, 0},      \
		[MESSAGE_ERROR] = {"an error", 1, 0, 0, sizeof(struct error)},                                         \
	}

struct message {
	uint32_t type; /* enum message_type */
	union {
		int32_t pid;
		struct error error;
	};
};

/* The bytes of a message of this rule on the wire. */
#define MESSAGE_SIZE(rule) (sizeof(uint32_t) + (rule).size)

#endif
