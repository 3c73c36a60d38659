/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a port that is to be published is in use by a process of the host itself.
 */
#ifndef HOLM_NETNS_SOCKETS_H
#define HOLM_NETNS_SOCKETS_H

#include <stdbool.h>

#include "base/error.h"
#include "netns/types.h"

/*
 * ERROR_EXISTS names the process, where it can be found.  An address that the host does not have is free; ret_is_missing
 * says so.
 */
int sockets_check_free(const struct net_port *port, bool *ret_is_missing, struct error *e) must_check;

#endif
