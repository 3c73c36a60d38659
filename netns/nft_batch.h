/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions of nftables: nft_begin(), messages, nft_commit().
 */
#ifndef HOLM_NETNS_NFT_BATCH_H
#define HOLM_NETNS_NFT_BATCH_H

#include <stdint.h>

#include "base/error.h"
#include "netns/netlink.h"

struct store;

struct nft {
	struct netlink netlink;
	const struct store *store;
	int lock;
};
#define NFT_INIT ((struct nft){.netlink = {.fd = -1}, .lock = -1})

void nft_begin(struct nft *nft);
int nft_commit(struct nft *nft, struct error *e) must_check;

/* The next message of the batch, about the table; what is for errors. */
struct nlmsghdr *nft_add_message(struct nft *nft, uint16_t type, uint16_t flags, const char *what);

/* An object of libnftnl's, which is not NULL: ends the program without memory. */
void *nft_checked(void *object);

#endif
