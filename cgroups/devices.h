/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which devices a container may open and make: linux.resources.devices, in order, then holm's own.
 *
 * Meaning: every bit asked for (mknod, read, write) is decided by the last rule that matches the device and names the
 * bit; what no rule decides is denied.  Type 'a' stands for both kinds of device.  After the spec's rules come those of
 * the devices that every container has: null, zero, full, random, urandom, tty, console, ptmx, pts/N and tun, and mknod
 * (not opening) of all.
 *
 * v1 can only say "all but these" or "none but these", so a rule that takes a part out of a wider one of the other kind
 * can't be said there and is refused.  v2 runs the rules as a BPF program, so nothing is refused.
 */
#ifndef HOLM_CGROUPS_DEVICES_H
#define HOLM_CGROUPS_DEVICES_H

#include <linux/bpf.h>

#include "base/arena.h"
#include "cgroups/limits.h"
#include "spec/resources.h"

struct device_rules {
	struct spec_device_rule *rules; /* types 'b' and 'c' only; the last match wins */
	size_t n;
	bool allows_all; /* no rule takes anything away: nothing to enforce */
};

/* The spec's rules (resources may be NULL) and holm's, checked and normalised. */
int device_rules_compile(const struct spec_resources *resources, struct arena *arena, struct device_rules *ret,
			 struct error *e) must_check;

/* Is it one of holm's own (which a parent that lacks the device may refuse)? */
bool device_rule_is_own(const struct spec_device_rule *rule);

/* The fewest writes to devices.deny and devices.allow that leave just these rules, appended to l. */
int devices_v1_compile(const struct device_rules *rules, struct limits *l, struct error *e) must_check;

/* The BPF program (type cgroup device): array in arena. */
void devices_v2_generate(const struct device_rules *rules, struct arena *arena, struct bpf_insn **ret, size_t *ret_n);

/*
 * Loads the program and attaches it to the folder.  replace: a program of ours that is attached there goes in the same
 * step, so that there is never none and never two; false for a folder just made.
 */
int devices_v2_attach(const char *folder, const struct device_rules *rules, bool replace, struct arena *arena,
		      struct error *e) must_check;

/* How many programs of the kind are attached to the folder itself (tests, check). */
int devices_v2_count(const char *folder, size_t *ret_n) must_check;

#endif
