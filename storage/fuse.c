/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/overlay.h"

#define PROGRAM "/usr/bin/fuse-overlayfs"
#define DEVICE "/dev/fuse"

bool fuse_is_possible(void)
{
	return !faccessat(AT_FDCWD, PROGRAM, X_OK, 0) && !faccessat(AT_FDCWD, DEVICE, R_OK | W_OK, 0);
}

static int mount_fuse(int device, int *ret_tree, struct error *e)
{
	char number[16];
	const struct overlay_option options[] = {{"source", "fuse-overlayfs"},
						 {"fd", number},
						 {"rootmode", "40000"},
						 {"user_id", "0"},
						 {"group_id", "0"},
						 {"allow_other", NULL},
						 {"default_permissions", NULL}};

	snprintf(number, sizeof(number), "%d", device);
	return overlay_new_mount("fuse", options, ARRAY_SIZE(options), 0, ret_tree, e);
}

/* What goes to the program stays open in it, under its number. */
static void keep(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

_Noreturn static void serve(const struct overlay *o, int device)
{
	auto_str options = STR_INIT;
	char target[32];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < o->n_lowers; i++) {
		str_addf(&options, "%s/proc/self/fd/%d", i ? ":" : "lowerdir=", o->lowers[i]);
		keep(o->lowers[i]);
	}
	str_addf(&options, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", o->upper, o->work);
	keep(o->upper);
	keep(o->work);
	keep(device);
	snprintf(target, sizeof(target), "/dev/fd/%d", device);
	/* Nobody waits for it, and it holds nothing of the caller's. */
	setsid();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (!fork())
		execl(PROGRAM, "fuse-overlayfs", "-f", "-o", str_peek(&options), target, NULL);
	_exit(EXIT_SUCCESS);
}

int fuse_mount(const struct overlay *o, int *ret_tree, struct error *e)
{
	auto_fd device = open(DEVICE, O_RDWR | O_CLOEXEC), tree = -1;
	pid_t pid;
	int r;

	if (device < 0)
		return error_system(e, errno, "open '" DEVICE "'");
	r = mount_fuse(device, &tree, e);
	if (r)
		return r;
	pid = fork();
	if (!pid)
		serve(o, device);
	if (pid < 0)
		return error_system(e, errno, "fork for '" PROGRAM "'");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_tree = take_fd(&tree);
	return 0;
}
