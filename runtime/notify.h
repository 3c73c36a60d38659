/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NOTIFY_SOCKET: a service manager's readiness protocol (sd_notify) carried into the container.
 *
 * The container sees /run/notify/notify.sock: the folder "notify" of its state folder, bound read-only.  create makes
 * the folder (notify_create); start binds the socket in it, starts the payload and waits (notify_wait): only a READY=
 * line is passed on to the manager's socket, then MAINPID with the container's init as the host sees it, then a
 * BARRIER, so that the manager has read them before holm goes away.  Nothing else of what the container sends reaches
 * the host.
 */
#ifndef HOLM_RUNTIME_NOTIFY_H
#define HOLM_RUNTIME_NOTIFY_H

#include <sys/types.h>

#include "base/error.h"

#define NOTIFY_DIRECTORY "notify"			   /* in the container's state folder */
#define NOTIFY_TARGET "/run/notify"			   /* in the container */
#define NOTIFY_ENV "NOTIFY_SOCKET=/run/notify/notify.sock" /* what the payload gets */

/* The manager's socket from our environment, NULL when there is none. */
const char *notify_host(void);

/* Makes the folder in state_fd; an existing one is fine. */
int notify_create(int state_fd, struct error *e) must_check;

/* Binds the socket; before the payload runs. */
int notify_open(int state_fd, int *ret_fd, struct error *e) must_check;

/* Waits until the container is ready (forwarded) or gone (pidfd).  host: the manager's socket. */
int notify_wait(int fd, const char *host, int pidfd, pid_t pid, struct error *e) must_check;

/* Tells the manager that we are ready and that pid is what it is to watch; notify_host() is there. */
int notify_tell_ready(pid_t pid, struct error *e) must_check;

#endif
