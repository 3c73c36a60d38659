/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.seccomp: from the profile to the BPF program that init loads, compiled or from the cache.  The only user of
 * libseccomp.
 *
 * Beyond the letter of the profile, as runc has taught engines to expect:
 * - a rule whose action equals the default action is skipped, as is a name that libseccomp does not know;
 * - two conditions on one argument of a rule are alternatives (separate rules), otherwise all must hold;
 * - where the default action denies, a system call newer than the newest that the profile names (per architecture)
 *   answers ENOSYS, so that programs fall back instead of giving up on EPERM;
 * - clone3, whose flags no filter can see, answers ENOSYS where the profile rules on clone and does not name clone3: if
 *   the default action denies, or if a rule on clone looks at its arguments (which clone3 would walk around);
 * - no "flags" at all means SECCOMP_FILTER_FLAG_SPEC_ALLOW.
 *
 * The cache is a folder ":seccomp" (0700) in the state folder.  A file there is named by a 64-bit hash and holds the
 * whole key (everything that goes into a compilation: format, libseccomp's version, native architecture, every field of
 * the profile), the program, and a checksum.  The key is compared in full, so a collision costs a compilation and never
 * a wrong filter. A folder or file that is not ours alone is not read.  Files appear complete (O_TMPFILE, linkat) and
 * at most 64 stay. Whatever goes wrong with the cache, the profile is compiled.
 */
#ifndef HOLM_RUNTIME_SECCOMP_H
#define HOLM_RUNTIME_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/spec.h"

struct seccomp_program {
	const struct sock_filter *filter; /* in the arena */
	unsigned short n;		  /* instructions */
	unsigned flags;			  /* SECCOMP_FILTER_FLAG_... for seccomp(2), with NEW_LISTENER where needed */
	bool listener;			  /* seccomp(2) returns a listener's descriptor */
	bool cached;			  /* it came from the cache */
};

/* root_fd: the state folder (any flags, also O_PATH), -1: no cache. */
int seccomp_prepare(const struct spec_seccomp *seccomp, int root_fd, struct arena *arena, struct seccomp_program *ret,
		    struct error *e) must_check;

/*
 * Puts a few instructions before the program (none at all, n 0: one that allows everything else): nobody gives files another
 * project id, nor takes its inheritance from folders, by which they would leave the file system's project quota.
 * ioctl(2) FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS answer EOPNOTSUPP, whatever is in the upper half of the argument, which the kernel
 * ignores; file_setattr(2) answers ENOSYS.
 *
 * The kernel itself refuses in user namespaces (fileattr_set_prepare()), but overlayfs walks around that: what is still in a lower layer
 * has no project id, "stays" without one, is copied up, and gets its attributes by the rights of whoever mounted the overlay.
 */
int seccomp_guard_projects(struct seccomp_program *program, struct arena *arena, struct error *e) must_check;

#endif
