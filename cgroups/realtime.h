/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.rt_runtime_us on v1.  The kernel admits a share only if the folder above has it to give, over all of its children, and
 * a new folder has none: so the folders above, up to the one that has enough, get as much more as is missing.
 */
#ifndef HOLM_CGROUPS_REALTIME_H
#define HOLM_CGROUPS_REALTIME_H

/* Lets the folders above give this runtime (microseconds per the folder's own period).  0 or -errno; nothing to do is 0. */
int realtime_prepare(const char *folder, long long runtime);

#endif
