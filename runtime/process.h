/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process of `exec`: a process.json, or the container's own process with the flags laid over it, as runc does.
 */
#ifndef HOLM_RUNTIME_PROCESS_H
#define HOLM_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "runtime/container.h"
#include "spec/spec.h"

/* "UID" or "UID:GID", numbers below 2^32-1, the whole string.  *ret_has_gid says which. */
int process_parse_user(const char *text, uint32_t *ret_uid, uint32_t *ret_gid, bool *ret_has_gid,
		       struct error *e) must_check;

/*
 * container: the container's own process, NULL when it has none (then: no environment, no capabilities, "/").  It is
 * not changed; the result shares its strings and lives as long as both arena and container do.
 * - arguments, cwd, labels: those of the request where given; the terminal only with --tty;
 * - environment: the container's, then --env; the last one of a name wins;
 * - --cap: added to bounding, effective and permitted, and to ambient where inheritable has it;
 * - --additional-gids are added to the container's.
 */
int process_resolve(const struct spec_process *container, const struct container_exec *request, struct arena *arena,
		    struct spec_process **ret, struct error *e) must_check;

#endif
