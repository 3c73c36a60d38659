/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors handed to the caller over path sockets (console, pidfd, seccomp listener), and taken from it (LISTEN_FDS,
 * --preserve-fds).  All on the host side: paths here are the host's.
 */
#ifndef HOLM_RUNTIME_SOCKET_H
#define HOLM_RUNTIME_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"
#include "runtime/hooks.h"

/*
 * Connects to the AF_UNIX socket at path; longer than sun_path is fine.  type: SOCK_STREAM, ...; what names it in
 * errors: "console socket".  A relative path begins at dirfd (AT_FDCWD: here).
 */
int socket_connect(int dirfd, const char *path, int type, const char *what, int *ret_fd, struct error *e) must_check;

/* Binds a socket of type at dirfd/name (which must not exist) and gives it mode.  The same for any length. */
int socket_bind(int dirfd, const char *name, int type, mode_t mode, int *ret_fd, struct error *e) must_check;

/*
 * One connection, one message holding payload and fd, closed: --console-socket (payload: a name, 1 to 4095 bytes;
 * runc's is the path of the pty's master) and --pidfd-socket ("standard" for init, "setns" for exec).
 */
int socket_send_console(int dirfd, const char *path, const char *payload, int master, struct error *e) must_check;
int socket_send_pidfd(int dirfd, const char *path, const char *payload, int pidfd, struct error *e) must_check;

/*
 * linux.seccomp.listenerPath: the OCI's container process state and the listener's descriptor ("seccompFd").
 * pid: the process with the filter, as the receiver sees it (for exec it is not state->pid); metadata may be NULL.
 */
int socket_send_listener(const char *path, const char *metadata, pid_t pid, const struct hooks_state *state,
			 int listener, struct error *e) must_check;

/*
 * The descriptors beyond stdio that the payload is to inherit, from 3 on: those of LISTEN_FDS (only where LISTEN_PID is
 * this process: ret_listen) and after them the preserved ones.  All must be open.  *ret_n: how many together.
 */
int socket_inherited(unsigned preserve, unsigned *ret_listen, unsigned *ret_n, struct error *e) must_check;

#endif
