/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/nft_batch.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>

struct nlmsghdr *nft_add_message(struct nft *nft, uint16_t type, uint16_t flags, const char *what)
{
	struct nfgenmsg *header;
	struct nlmsghdr *message = netlink_add(&nft->netlink, NFNL_SUBSYS_NFTABLES << 8 | type, flags, sizeof(*header),
					       (void **)&header, "%s", what);

	header->nfgen_family = NFPROTO_INET;
	header->version = NFNETLINK_V0;
	return message;
}

static void add_frame(struct nft *nft, uint16_t type, const char *what)
{
	struct nfgenmsg *header;
	struct nlmsghdr *message = netlink_add(&nft->netlink, type, 0, sizeof(*header), (void **)&header, "%s", what);

	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	netlink_no_answer(&nft->netlink, message);
}

void nft_begin(struct nft *nft)
{
	add_frame(nft, NFNL_MSG_BATCH_BEGIN, "begin an nftables transaction");
}

int nft_commit(struct nft *nft, struct error *e)
{
	if (nft->netlink.n < 2) { /* nothing between: no transaction */
		nft->netlink.n = 0;
		nft->netlink.size = 0;
		return 0;
	}
	add_frame(nft, NFNL_MSG_BATCH_END, "commit an nftables transaction");
	return netlink_commit(&nft->netlink, e);
}

/* libnftnl allocates small objects and returns NULL without memory, which overcommit does not let happen. */
void *nft_checked(void *object)
{
	if (!object) {
		fprintf(stderr, "holm-net: out of memory\n");
		abort();
	}
	return object;
}
