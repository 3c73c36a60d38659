/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instance that runs already sees of a network it connects to: its own hosts file and the host's resolv.conf, mounted
 * over /etc/hosts and /etc/resolv.conf as they would have been at its start.
 *
 * What is mounted there already is somebody's wish and stays, but for a hosts file of ours.  Files that are not there are not
 * made.  The names are looked up beneath the instance's root (RESOLVE_IN_ROOT), and nothing else is: whatever links the
 * payload has put there, they lead to something of its own.
 */
#ifndef HOLM_NETNS_INSIDE_H
#define HOLM_NETNS_INSIDE_H

#include "base/error.h"
#include "netns/store.h"

/*
 * mount_fd: the instance's mount namespace; root_fd: its root (O_PATH).  The caller is in that mount namespace afterwards, and
 * must not look up a path of the host any more.
 */
int inside_show_names(const struct store *store, const char *id, int mount_fd, int root_fd, struct error *e) must_check;

#endif
