/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resource limits that this caller can't give: raising a hard limit needs CAP_SYS_RESOURCE.
 */
#ifndef HOLM_RUNTIME_LIMITS_H
#define HOLM_RUNTIME_LIMITS_H

#include <sys/resource.h>

#include "base/error.h"
#include "spec/spec.h"

/*
 * Lowers those of process->rlimits that are above the caller's own hard limit to it, with a warning each, if the caller
 * can't raise it.  ret_own: by resource, the caller's own limits; only those that process names are filled.
 */
int limits_fit(struct spec_process *process, struct rlimit ret_own[RLIM_NLIMITS], struct error *e) must_check;

#endif
