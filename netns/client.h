/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm's side of the network: what runtime and the verbs call.
 *
 * Nothing here speaks netlink.  The work is done by holm-net, a program beside holm's own executable, which is started
 * for the call and gone after it (netns/request.h).  Networking costs nothing where none is asked for: the program is
 * started only when there is something to do.
 */
#ifndef HOLM_NETNS_CLIENT_H
#define HOLM_NETNS_CLIENT_H

#include <stddef.h>

#include "base/error.h"

struct spec_net_device;

/*
 * linux.netDevices: moves interfaces of the caller's network namespace into the one that netns_fd (/proc/PID/ns/net)
 * stands for, all or none: names and clashes are checked before the first one moves.  Keeps permanent global addresses,
 * MTU and hardware address, renames (a name with %d gets the first free number), and sets them up.  Routes are not
 * kept. Nothing is ever moved back; the kernel returns physical interfaces when the namespace ends.
 *
 * ERROR_NOT_FOUND: no such interface; ERROR_EXISTS: the name is taken inside; ERROR_INVALID: not a name;
 * ERROR_STATE: netns_fd is the caller's own namespace.
 */
int net_move_devices(const struct spec_net_device *devices, size_t n, int netns_fd, struct error *e) must_check;

#endif
