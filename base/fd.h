/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File descriptors: one owner each, close-on-exec from birth, -1 when there is none.
 *
 * auto_fd declares a descriptor that is closed at the end of its scope; take_fd() hands it on.  Functions named
 * ..._take own the descriptor on success, ..._consume always.
 */
#ifndef HOLM_BASE_FD_H
#define HOLM_BASE_FD_H

#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/error.h"

/* Closes fd if it is one, keeps errno, returns -1. */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

#define auto_fd __attribute__((cleanup(fd_closep))) int

static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

/* Opens below dirfd (AT_FDCWD for host paths) with O_CLOEXEC.  name is for people and may be NULL (then: path). */
int fd_open(int dirfd, const char *path, int flags, const char *name, int *ret_fd, struct error *e) must_check;

/*
 * Reads all of fd (at most max bytes, else a refusal) into a malloc'd, NUL-terminated buffer that the caller frees.
 * ret_size may be NULL.
 */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size) must_check;

/* Writes all of it; restarts after signals and short writes.  0 or -errno. */
int fd_write_all(int fd, const void *data, size_t size) must_check;

/* fd_read_all and fd_write_all by path: small files of the host's /proc, /sys and of ours. */
int file_read(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_size) must_check;
int file_write(int dirfd, const char *path, const void *data, size_t size) must_check; /* must exist; one write(2) */
int file_create(int dirfd, const char *path, mode_t mode, const void *data, size_t size) must_check; /* O_EXCL */

/* Writes a temporary file ".NAME" beside it (O_EXCL) and renames it over path: all or nothing for readers. */
int file_replace(int dirfd, const char *path, mode_t mode, const void *data, size_t size) must_check;

/*
 * For a folder that is not ours: whoever is killed on the way leaves no temporary file, as the file gets its name when it is
 * complete.  What had the name before goes just before that: for a moment there may be none.
 */
int file_publish(int dirfd, const char *path, mode_t mode, const void *data, size_t size) must_check;

/*
 * One datagram or message with up to n descriptors (SCM_RIGHTS), SIGPIPE never raised.  Received descriptors are
 * close-on-exec; more of them than max_fds is an error (-EPROTO) and all are closed.  fd_receive returns the size in
 * ret_size, 0 at the end of file.
 */
int fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds) must_check;
int fd_receive(int socket, void *data, size_t max, size_t *ret_size, int *fds, size_t max_fds,
	       size_t *ret_n_fds) must_check;

#endif
