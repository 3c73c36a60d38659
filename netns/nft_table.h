/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of nft.h: nft_batch.c has transactions, nft_table.c what is laid once (tables of sets, chains and rules),
 * nft_elements.c what comes and goes, nft.c whether all of it is there.
 */
#ifndef HOLM_NETNS_NFT_TABLE_H
#define HOLM_NETNS_NFT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netns/nft_batch.h"
#include "netns/types.h"

#define NFT_TABLE "holm"
#define NFT_FORWARD "forward"

/* Sizes in keys and values; a field of a concatenation is padded to four bytes. */
enum { L_NAME = 16, L_IP4 = 4, L_IP6 = 16, L_FIELD = 4 };

enum nft_set {
	BRIDGES,
	OUTWARD,
	PAIRS,
	LOCAL4,
	LOCAL6,
	NAT4,
	NAT6,
	OPENED4,
	OPENED6,
	OPENED_FAMILIES,
	PORTS4,
	PORTS6,
	PORTS4_ANY,
	PORTS6_ANY,
	_SET_N
};

const char *nft_set_name(enum nft_set set);

/* Everything that does not depend on records: sets, chains, rules. */
void nft_lay_structure(struct nft *nft);

/* How many rules the chain NFT_FORWARD has when nobody took some. */
uint32_t nft_forward_rules(void);

#endif
