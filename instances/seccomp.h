/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seccomp profile that an instance gets when it asks for nothing else: holm's own, an allow-list.
 *
 * It allows nothing that Docker's profile does not (a test compares), and less: no 32-bit numbering of x86-64 (x32), only
 * the socket families that services use (the rest is where the kernel loads drivers nobody has looked at for years), no
 * asynchronous rings, no old calls with newer forms.  What a capability stands for is allowed with the capability.
 */
#ifndef HOLM_INSTANCES_SECCOMP_H
#define HOLM_INSTANCES_SECCOMP_H

#include "base/arena.h"
#include "spec/spec.h"

/* capabilities: names ("CAP_SYS_ADMIN") of the bounding set.  In arena. */
struct spec_seccomp *seccomp_default(const char *const *capabilities, size_t n, struct arena *arena);

#endif
