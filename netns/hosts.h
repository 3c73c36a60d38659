/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: one hosts file per network, which is bound over /etc/hosts of its members and changed in place, so that they
 * see each other come and go; and a copy of the host's resolv.conf that makes sense inside.
 *
 * A member is one line.  Joining appends it with one write(2) and leaving overwrites it with one, both under a shared
 * lock, so no start waits for another; only cleaning up what leavers left blank needs the file alone.
 */
#ifndef HOLM_NETNS_HOSTS_H
#define HOLM_NETNS_HOSTS_H

#include "base/error.h"
#include "netns/store.h"
#include "netns/types.h"

/* Adds the member under its id, and under hostname where that differs ("": none). */
int hosts_add(int network_fd, const struct net_member *member, const char *hostname, struct error *e) must_check;
void hosts_remove(int network_fd, const struct net_member *member);

/*
 * Writes STATE/resolv.conf: the host's without servers on loopback addresses, which mean the instance itself inside;
 * where a resolver of systemd hides the real servers, from its list of them.  Unchanged if it is that already.
 */
int hosts_write_resolv(const struct store *store, struct error *e) must_check;

/* The text of such a resolv.conf made from text; the caller frees it.  *ret_servers: how many remained. */
char *hosts_filter_resolv(const char *text, unsigned *ret_servers);

#endif
