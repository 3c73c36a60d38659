/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters by class of the other end's address: two BPF programs on a bridge whose members the host routes for, one for
 * each direction, which see what passes between members and the host, and a map of theirs with one element per address
 * of a member.
 *
 * Not nftables: every look of a rule into a set costs a packet more than all of this, and a flush takes counters with
 * the rules.  They are attached by tcx, by clsact where Linux is older than 6.6.  Programs and map are part of the bridge and end with it; elements belong to an instance's interface.
 */
#ifndef HOLM_NETNS_COUNTERS_H
#define HOLM_NETNS_COUNTERS_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/types.h"

enum { COUNTERS_PROGRAM_SIZE = 112 };

/*
 * Writes the program for what members send, or receive; returns its length.  map: a descriptor.  Private, link-local,
 * carrier-grade and group addresses at the other end are lan, all else is wan; bytes are counted from the IP header on.
 */
size_t counters_build(struct bpf_insn code[COUNTERS_PROGRAM_SIZE], int map, bool sends);

/* Makes map and programs and puts them on link bridge, instead of those of an earlier time; ret_id is the map's number. */
int counters_attach(struct netlink *netlink, int bridge, uint32_t *ret_id, struct error *e) must_check;

/* Whether both programs are on link bridge: the kernel keeps a map for a while after they went. */
int counters_are_attached(struct netlink *netlink, int bridge, bool *ret, struct error *e) must_check;

/* The map of that number as a descriptor, which the caller closes; -1 if there is none, or not for that bridge. */
int counters_open(uint32_t id, int bridge);

/* The member's addresses count from zero. */
int counters_add(int map, const struct net_member *member, struct error *e) must_check;

/* As far as they count for member: who took over an address of one that died keeps its own. */
void counters_remove(int map, const struct net_member *member);

/* Fills lan and wan of ret; zero where member has none. */
void counters_read(int map, const struct net_member *member, struct net_counters *ret);

#endif
