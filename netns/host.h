/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every change of members needs of the host: the records, rtnetlink, the nftables table.
 */
#ifndef HOLM_NETNS_HOST_H
#define HOLM_NETNS_HOST_H

#include "base/error.h"
#include "netns/netlink.h"
#include "netns/nft.h"
#include "netns/store.h"

struct host {
	struct store store;
	struct netlink netlink;
	struct nft nft;
};

#define HOST_INIT ((struct host){.store = STORE_INIT, .netlink = NETLINK_INIT, .nft = NFT_INIT})

int host_open(struct host *host, const char *state, const char *config, struct error *e) must_check;
void host_close(struct host *host);
#define auto_host __attribute__((cleanup(host_close))) struct host

#endif
