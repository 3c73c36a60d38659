/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/host.h"

#include <linux/netlink.h>
#include <stddef.h>

int host_open(struct host *host, const char *state, const char *config, struct error *e)
{
	return net_store_open(&host->store, state, config, e) ?: netlink_open(&host->netlink, NETLINK_ROUTE, -1, e)
		       ?: nft_open(&host->nft, &host->store, e);
}

void host_close(struct host *host)
{
	nft_close(&host->nft);
	netlink_close(&host->netlink);
	net_store_close(&host->store);
}
