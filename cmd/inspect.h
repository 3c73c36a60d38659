/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instance's state as JSON: what inspect prints, and list one of for each.
 */
#ifndef HOLM_CMD_INSPECT_H
#define HOLM_CMD_INSPECT_H

#include "instances/status.h"
#include "spec/json.h"

enum { INSPECT_TIME_SIZE = 32 };

/* The members, into an open object. */
void inspect_put(struct json_writer *w, const struct instance *instance, const struct instance_state *state);

/* RFC 3339, UTC, seconds; "" for 0.  Returns buffer. */
const char *inspect_time(int64_t ns, char buffer[INSPECT_TIME_SIZE]);

#endif
