/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/run_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/socket.h"

enum { PIPE_SIZE = 256 << 10 }; /* of stdout and stderr: what may wait while the worker is being replaced */

void run_stdio_release(struct run_stdio *stdio)
{
	for (int i = 0; i < 3; i++)
		stdio->fds[i] = fd_close(stdio->fds[i]);
}

int run_open_pipe(struct run *run, const char *name, int flags, int *ret, struct error *e)
{
	struct stat st;

	*ret = openat(run->folder, name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (*ret < 0)
		return error_system(e, errno, "open '%s/" RUN_FOLDER "/%s'", run->instance->path, name);
	if (fstat(*ret, &st) || !S_ISFIFO(st.st_mode))
		return error_refuse(e, ERROR_INVALID, "'%s/" RUN_FOLDER "/%s' is not a named pipe", run->instance->path,
				    name);
	return 0;
}

static int make_pipe(struct run *run, const char *name, struct error *e)
{
	/* Whoever has the pipe may open it again as /dev/stdout, whatever user it is; the folder keeps others out. */
	if ((mkfifoat(run->folder, name, 0666) && errno != EEXIST) || fchmodat(run->folder, name, 0666, 0))
		return error_system(e, errno, "make the named pipe '%s/" RUN_FOLDER "/%s'", run->instance->path, name);
	return 0;
}

/*
 * The payload's end is open for reading too: whatever dies, it neither gets SIGPIPE nor does what it wrote get lost as long as
 * it lives.  The monitor's end is found again by its name.
 */
static int make_output(struct run *run, const char *name, enum shared_fd which, int *ret_payload, struct error *e)
{
	int r = make_pipe(run, name, e);

	if (!r)
		r = run_open_pipe(run, name, O_RDONLY | O_NONBLOCK, &run->shared->fds[which], e);
	if (!r)
		r = run_open_pipe(run, name, O_RDWR, ret_payload, e);
	if (!r && fcntl(*ret_payload, F_SETPIPE_SZ, PIPE_SIZE) < 0)
		log_debug("a pipe of %d bytes can't be had: %s", PIPE_SIZE, strerror(errno));
	return r;
}

static int open_null(int *ret, struct error *e)
{
	return fd_open(AT_FDCWD, "/dev/null", O_RDWR, NULL, ret, e);
}

static int make_input(struct run *run, int *ret_payload, struct error *e)
{
	auto_fd both = -1;
	int r;

	if (!run->shared->input)
		return open_null(ret_payload, e);
	r = make_pipe(run, "in", e);
	if (!r)
		r = run_open_pipe(run, "in", O_RDWR, &both,
				  e); /* so that neither of the next two waits for the other */
	if (!r)
		r = run_open_pipe(run, "in", O_RDONLY, ret_payload, e);
	if (!r)
		r = run_open_pipe(run, "in", O_WRONLY | O_NONBLOCK, &run->shared->fds[SHARED_IN], e);
	return r;
}

int run_make_stdio(struct run *run, struct run_stdio *stdio, struct error *e)
{
	int r;

	if (run->shared->terminal) {
		r = open_null(&stdio->fds[0], e);
		if (!r)
			r = open_null(&stdio->fds[1], e);
		if (!r)
			r = open_null(&stdio->fds[2], e);
		if (!r)
			r = make_pipe(run, "out", e);
		return r ? r : run_open_pipe(run, "out", O_RDWR | O_NONBLOCK, &run->shared->fds[SHARED_OUT], e);
	}
	r = make_input(run, &stdio->fds[0], e);
	if (!r)
		r = make_output(run, "out", SHARED_OUT, &stdio->fds[1], e);
	if (!r)
		r = make_output(run, "err", SHARED_ERR, &stdio->fds[2], e);
	return r;
}

int run_make_socket(struct run *run, struct error *e)
{
	int r;

	unlinkat(run->folder, SHARED_ATTACH, 0);
	r = socket_bind(run->folder, SHARED_ATTACH, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600,
			&run->shared->fds[SHARED_LISTEN], e);
	if (!r && listen(run->shared->fds[SHARED_LISTEN], 16))
		r = error_system(e, errno, "listen on '%s/" RUN_FOLDER "/" SHARED_ATTACH "'", run->instance->path);
	return r;
}

int run_enter_stdio(struct run_stdio *stdio, struct error *e)
{
	for (int i = 0; i < 3; i++)
		if (dup2(stdio->fds[i], i) < 0)
			return error_system(e, errno, "set up standard streams");
	run_stdio_release(stdio);
	return 0;
}

int run_drop_stdio(struct error *e)
{
	auto_fd null = -1;
	int r = open_null(&null, e);

	for (int i = 0; i < 3 && !r; i++)
		if (dup2(null, i) < 0)
			r = error_system(e, errno, "set up standard streams");
	return r;
}
