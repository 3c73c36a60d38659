/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device rule on the command line: "c 195:* rw" as cgroup v1 writes it, or the path of a device on the host, "/dev/fuse" or
 * "/dev/fuse:rw".  Without an access it is "rwm".
 */
#ifndef HOLM_CMD_DEVICE_RULE_H
#define HOLM_CMD_DEVICE_RULE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/resources.h"

/* option is the name for the error's text. */
int device_rule_parse(const char *text, bool allow, const char *option, struct arena *arena,
		      struct spec_device_rule *ret, struct error *e) must_check;

#endif
