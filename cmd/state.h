/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's state as JSON, in runc's order of keys: what state prints, and list one of for each.
 */
#ifndef HOLM_CMD_STATE_H
#define HOLM_CMD_STATE_H

#include "runtime/container.h"
#include "spec/json.h"

void state_print(struct json_writer *json, const struct container_state *state, const char *owner);

#endif
