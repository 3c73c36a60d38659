/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities: from the names in config.json to the five masks that init sets.  The names are spec/names.h's and not libcap's,
 * whose constructor would probe the kernel in every start of holm; a unit test compares the two.
 *
 * What comes out can be set here, in any order that capset(2) allows: names that nobody knows, capabilities that the
 * caller does not have, and members of a set that its rules forbid are left out with a warning, as the OCI asks.
 *
 * Decided where the OCI is silent: process.capabilities absent means none at all (runc: all, crun: none).  Who wants
 * the caller's privileges in a container has to write them down.
 */
#ifndef HOLM_RUNTIME_CAPS_H
#define HOLM_RUNTIME_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "spec/spec.h"

struct caps_sets { /* bit n: capability n of capabilities(7) */
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

/*
 * capabilities may be NULL (see above).  all_grantable: the process will be in a user namespace that is new, where
 * every capability can be had; otherwise the caller's own permitted and bounding sets are the limit.
 */
int caps_resolve(const struct spec_capabilities *capabilities, bool all_grantable, struct caps_sets *ret,
		 struct error *e) must_check;

#endif
