/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: one hosts file per network, which is bound over /etc/hosts of its members and changed in place, so that they
 * see each other come and go; and a copy of the host's resolv.conf that makes sense inside.
 *
 * An instance that starts with several networks, or connects to one while it runs, gets a file of its own,
 * members/ID/hosts, with the lines of all of them; a hard link in networks/NAME/mirrors/ makes each network's changes go
 * there too.
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

#define HOSTS_OWN "hosts"

/* The file of an instance on several networks; before it joins the first of them. */
int hosts_make_own(const struct store *store, const char *id, struct error *e) must_check;
/* The same for one that runs and is to join one more: with the names of those that it is on.  What is there stays. */
int hosts_ensure_own(const struct store *store, const char *id, struct error *e) must_check;
/* The member's own file, if it has one, takes part in its network from now on; no more. */
int hosts_share(const struct store *store, int network_fd, const struct net_member *member, struct error *e) must_check;
void hosts_unshare(const struct store *store, const struct net_member *member);

/*
 * Writes STATE/resolv.conf: the host's without servers on loopback addresses, which mean the instance itself inside;
 * where a resolver of systemd hides the real servers, from its list of them.  Unchanged if it is that already.
 */
int hosts_write_resolv(const struct store *store, struct error *e) must_check;

/* The text of such a resolv.conf made from text; the caller frees it.  *ret_servers: how many remained. */
char *hosts_filter_resolv(const char *text, unsigned *ret_servers);

#endif
