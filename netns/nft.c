/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libnftnl/chain.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/nft_table.h"

/* ---- chains of others ---- */

struct dropper_walk {
	void (*each)(const char *family, const char *table, const char *chain, void *data);
	void *data;
};

static int look_at_chain(const struct nlmsghdr *message, void *data, struct error *e)
{
	static const char *const families[] = {[NFPROTO_INET] = "inet", [NFPROTO_IPV4] = "ip", [NFPROTO_IPV6] = "ip6"};
	struct nftnl_chain *chain = nft_checked(nftnl_chain_alloc());
	const struct dropper_walk *walk = data;

	(void)e;
	if (!nftnl_chain_nlmsg_parse(message, chain) && nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) &&
	    nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == NF_INET_FORWARD &&
	    nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP) {
		uint32_t family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY);

		if (family < ARRAY_SIZE(families) && families[family])
			walk->each(families[family], nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE),
				   nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME), walk->data);
	}
	nftnl_chain_free(chain);
	return 0;
}

int nft_each_dropper(struct nft *nft,
		     void (*each)(const char *family, const char *table, const char *chain, void *data), void *data,
		     struct error *e)
{
	struct dropper_walk walk = {each, data};
	struct nfgenmsg *header;

	netlink_add(&nft->netlink, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, sizeof(*header),
		    (void **)&header, "list the host's nftables chains");
	header->nfgen_family = NFPROTO_UNSPEC;
	header->version = NFNETLINK_V0;
	return netlink_query(&nft->netlink, look_at_chain, &walk, e);
}

/* ---- laying ---- */

static int lay_network(const struct net_network *network, void *data, struct error *e)
{
	(void)e;
	nft_add_network(data, network);
	return 0;
}

static int lay_member(const struct net_member *member, void *data, struct error *e)
{
	auto_free struct net_port *ports = NULL;
	struct nft *nft = data;
	size_t n;
	int r;

	if (!member->address4.family && !member->address6.family)
		return 0; /* died while joining */
	r = store_load_ports(nft->store, member->id, member->name, &ports, &n, e);
	if (r)
		return r;
	nft_add_ports(nft, member, ports, n);
	return 0;
}

/* One line of STATE/opened: "4 eth0", "6 eth0", or "6 *" for the whole family. */
static void lay_opened(struct nft *nft)
{
	auto_free char *text = NULL;

	if (file_read(nft->store->state, "opened", 65536, &text, NULL))
		return;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		uint8_t family = *line == '4' ? AF_INET : AF_INET6;

		if (!*line || line[1] != ' ')
			continue;
		if (str_equal(line + 2, "*"))
			nft_add_opened_family(nft, family);
		else
			nft_add_opened(nft, family, line + 2);
	}
}

static int lay(struct nft *nft, struct error *e)
{
	int r;

	nft_begin(nft);
	nft_lay_structure(nft);
	lay_opened(nft);
	r = store_each_network(nft->store, lay_network, nft, e);
	if (!r)
		r = store_each_member(nft->store, NULL, lay_member, nft, e);
	if (r) {
		nft->netlink.n = nft->netlink.size = 0;
		return r;
	}
	return nft_commit(nft, e);
}

static int read_use(const struct nlmsghdr *message, void *data, struct error *e)
{
	struct nftnl_chain *chain = nft_checked(nftnl_chain_alloc());

	(void)e;
	if (!nftnl_chain_nlmsg_parse(message, chain))
		*(uint32_t *)data = nftnl_chain_get_u32(chain, NFTNL_CHAIN_USE);
	nftnl_chain_free(chain);
	return 0;
}

/* Flushing takes tables, or the rules out of them: the chain is there and has as many rules as it should. */
static int is_laid(struct nft *nft, bool *ret, struct error *e)
{
	struct nftnl_chain *chain = nft_checked(nftnl_chain_alloc());
	uint32_t use = 0;
	int r;

	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, NFT_FORWARD);
	nftnl_chain_nlmsg_build_payload(
	    nft_add_message(nft, NFT_MSG_GETCHAIN, 0, "look for the nftables table 'inet holm'"), chain);
	nftnl_chain_free(chain);
	r = netlink_query(&nft->netlink, read_use, &use, e);
	*ret = !r && use == nft_forward_rules();
	return r == -ENOENT ? 0 : r;
}

int nft_open(struct nft *nft, const struct store *store, struct error *e)
{
	nft->store = store;
	nft->lock = openat(store->state, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (nft->lock < 0)
		return error_system(e, errno, "open '%s/lock'", store->state_path);
	return netlink_open(&nft->netlink, NETLINK_NETFILTER, -1, e);
}

void nft_close(struct nft *nft)
{
	netlink_close(&nft->netlink);
	nft->lock = fd_close(nft->lock);
}

int nft_lay(struct nft *nft, struct error *e)
{
	if (flock(nft->lock, LOCK_EX) < 0)
		return error_system(e, errno, "lock '%s/lock'", nft->store->state_path);
	return lay(nft, e);
}

void nft_release(struct nft *nft)
{
	flock(nft->lock, LOCK_UN);
}

int nft_ready(struct nft *nft, struct error *e)
{
	bool laid;

	for (int tries = 0; tries < 100; tries++) {
		int r = flock(nft->lock, LOCK_SH) < 0 ? -errno : 0;

		if (r)
			return error_system(e, -r, "lock '%s/lock'", nft->store->state_path);
		r = is_laid(nft, &laid, e);
		if (r || laid)
			return r;
		if (flock(nft->lock, LOCK_EX) < 0)
			return error_system(e, errno, "lock '%s/lock'", nft->store->state_path);
		r = is_laid(nft, &laid, e); /* somebody may have been faster */
		if (!r && !laid)
			r = lay(nft, e);
		if (r)
			return r;
	}
	return error_refuse(e, ERROR_STATE, "somebody keeps removing the nftables table 'inet holm'");
}
