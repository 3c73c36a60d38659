/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of network interfaces, as the kernel takes them (dev_valid_name(): 1 to 15 bytes, no '/', ':' or white space,
 * not "." or "..").
 */
#ifndef HOLM_NETNS_NAMES_H
#define HOLM_NETNS_NAMES_H

#include <stdbool.h>

#include "base/error.h"

/* NULL if name is good, else why it is not ("is longer than 15 bytes").  template: one %d may stand in it. */
const char *net_interface_name_flaw(const char *name, bool template);

#endif
