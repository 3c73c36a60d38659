/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's state as JSON, in runc's order of keys: what state prints, and list one of for each.
 */
#ifndef HOLM_CMD_STATE_H
#define HOLM_CMD_STATE_H

#include "runtime/container.h"
#include "spec/json.h"

/* end: of a stopped container, NULL: left out. */
void state_print(struct json_writer *json, const struct container_state *state, const char *owner,
		 const struct cgroup_end *end);

#endif
