/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting init: one clone3(2) with CLONE_VM | CLONE_VFORK and an execveat(2) of the program that holm carries inside.
 *
 * The child shares holm's memory for the few instructions up to execveat, so no page table is copied: 70 us where fork and
 * exit alone take 75.  The program runs from a memfd sealed against writing, so what /proc/PID/exe of init leads to is
 * neither holm's file nor writable.
 */
#ifndef HOLM_RUNTIME_SPAWN_H
#define HOLM_RUNTIME_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * flags: CLONE_NEWPID or nothing.  cgroup_fd: the v2 folder to be born in, -1: the caller's.  socket_fd and plan_fd must
 * not be close-on-exec.  The pidfd is the caller's.
 */
int spawn_init(uint64_t flags, int cgroup_fd, int socket_fd, int plan_fd, pid_t *ret_pid, int *ret_pidfd,
	       struct error *e) must_check;

#endif
