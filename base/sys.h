/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls that glibc has no function for.  As the kernel has them: -1 and errno.
 * Every struct handed to the kernel is full-size and zeroed by the caller.
 */
#ifndef HOLM_BASE_SYS_H
#define HOLM_BASE_SYS_H

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int sys_openat2(int dirfd, const char *path, struct open_how *how)
{
	return syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

static inline int sys_pidfd_send_signal(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static inline int sys_pidfd_open(pid_t pid, unsigned flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

#endif
