/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one nftables table of holm, `inet holm`: its chains and rules are laid once and never change; networks, members
 * and ports are elements of its sets and maps.  docs/network.md draws a packet's way through it.
 *
 * A change is one transaction: nft_begin(), any number of nft_add_... and nft_remove_..., nft_commit().  Nothing
 * outside of the table is read or written.
 *
 * Someone may flush the host's rules at any time.  nft_ready() notices and lays the table again with all that the
 * records (store.h) know.  Whoever changes records and elements does it between nft_ready() and nft_release(), under a
 * lock that is shared; laying takes it exclusively, so that nothing is lost between its look at the records and its
 * transaction.
 */
#ifndef HOLM_NETNS_NFT_H
#define HOLM_NETNS_NFT_H

#include <stddef.h>

#include "base/error.h"
#include "netns/nft_batch.h"
#include "netns/store.h"
#include "netns/types.h"

int nft_open(struct nft *nft, const struct store *store, struct error *e) must_check;
void nft_close(struct nft *nft);
#define auto_nft __attribute__((cleanup(nft_close))) struct nft

/* Sees that the table is there, whole, and holds the shared lock until nft_release() or nft_close(). */
int nft_ready(struct nft *nft, struct error *e) must_check;
void nft_release(struct nft *nft);

/* Lays the table anew from the records, whatever is there. */
int nft_lay(struct nft *nft, struct error *e) must_check;

/* Networks whose bridge is the members' gateway have elements; others have none. */
void nft_add_network(struct nft *nft, const struct net_network *network);
void nft_remove_network(struct nft *nft, const struct net_network *network);
void nft_add_ports(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n);

/* A host interface that was opened to forwarding for our sake; an address family likewise. */
void nft_add_opened(struct nft *nft, uint8_t family, const char *interface);
void nft_add_opened_family(struct nft *nft, uint8_t family);

/* Transactions of its own: a record may name ports that are gone, or that somebody else has; those that are not member's stay. */
void nft_remove_ports(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n);

/*
 * The instance that publishes one of the ports, "" if nobody does or only member itself does: ret_port is the number on
 * the host.
 */
int nft_find_holder(struct nft *nft, const struct net_member *member, const struct net_port *port,
		    char ret_id[NET_ID_SIZE], uint16_t *ret_port, struct error *e) must_check;

/*
 * Calls each() for every chain of others that drops forwarded packets unless a rule of its own accepts them: what
 * our table accepts is dropped there all the same.
 */
int nft_each_dropper(struct nft *nft,
		     void (*each)(const char *family, const char *table, const char *chain, void *data), void *data,
		     struct error *e) must_check;

#endif
