/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf(2), and BPF programs on links without a classifier (tcx, Linux 6.6): what is attached there costs a frame less than by
 * clsact, belongs to the link and ends with it.
 */
#ifndef HOLM_NETNS_BPF_H
#define HOLM_NETNS_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>

#include "base/error.h"

/* A result of 0 or more, or -errno. */
int bpf_call(int command, union bpf_attr *attr) must_check;

/*
 * Puts program on link, for what arrives there or for what leaves, instead of the one of the same name, if there is one.
 * -EINVAL: the kernel is older.
 */
int bpf_tcx_attach(int link, bool arriving, const char *name, int program) must_check;

/* The program of that name as a descriptor, which the caller closes; -1 in it: none.  -EINVAL: the kernel is older. */
int bpf_tcx_find(int link, bool arriving, const char *name, int *ret) must_check;

#endif
