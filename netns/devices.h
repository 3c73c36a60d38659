/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.netDevices: host interfaces become the container's.  See net_move_devices() in netns/client.h.
 */
#ifndef HOLM_NETNS_DEVICES_H
#define HOLM_NETNS_DEVICES_H

#include <stddef.h>

#include "base/error.h"

struct net_device_request;

int devices_move(const struct net_device_request *devices, size_t n, int netns_fd, struct error *e) must_check;

#endif
