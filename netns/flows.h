/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows of UDP that the kernel remembers.  A TCP connection to an instance that is gone ends by itself; a peer that goes on
 * sending datagrams keeps its entry alive, and with it the old way: to an instance that is gone, or to the host itself
 * in the moments when nobody published the port.  Whoever publishes it next would never hear from that peer.
 */
#ifndef HOLM_NETNS_FLOWS_H
#define HOLM_NETNS_FLOWS_H

#include <stddef.h>

#include "netns/types.h"

/*
 * Forgets the flows of UDP that are led to member (when it leaves, or takes ports back), or that come for ports of member
 * and are led elsewhere (when it publishes them).  Looks at the table of flows; costs nothing when no port is one of UDP.
 * What can't be forgotten ages.
 */
void flows_forget_to(const struct net_member *member, const struct net_port *ports, size_t n);
void flows_forget_past(const struct net_member *member, const struct net_port *ports, size_t n);

#endif
