/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What networks, members and ports are in the table: elements of its sets and maps, added, removed and read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h> /* before libnftnl, whose headers use FILE */
#include <string.h>

#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/str.h"
#include "netns/address.h"
#include "netns/nft.h"
#include "netns/nft_table.h"
#include "netns/parse.h"

/* ---- elements ---- */

/* Elements of one set on their way into one message: element_begin(), element_add()..., element_end(). */
struct elements {
	struct nft *nft;
	struct nftnl_set *set;
	enum nft_set which;
	uint16_t type;
	unsigned n;
	const char *what;
};

enum { ELEMENTS_PER_MESSAGE = 100 };

static void elements_begin(struct elements *elements, struct nft *nft, bool add, enum nft_set which, const char *what)
{
	*elements = (struct elements){.nft = nft, .which = which, .what = what};
	elements->type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
}

static void elements_end(struct elements *elements)
{
	struct nlmsghdr *message;

	if (!elements->set)
		return;
	message = nft_add_message(elements->nft, elements->type,
				  elements->type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, elements->what);
	nftnl_set_elems_nlmsg_build_payload(message, elements->set);
	nftnl_set_free(elements->set);
	elements->set = NULL;
	elements->n = 0;
}

static struct nftnl_set_elem *elements_add(struct elements *elements, const void *key, size_t size)
{
	struct nftnl_set_elem *element = nft_checked(nftnl_set_elem_alloc());

	if (elements->n == ELEMENTS_PER_MESSAGE)
		elements_end(elements);
	if (!elements->set) {
		elements->set = nft_checked(nftnl_set_alloc());
		nftnl_set_set_str(elements->set, NFTNL_SET_TABLE, NFT_TABLE);
		nftnl_set_set_str(elements->set, NFTNL_SET_NAME, nft_set_name(elements->which));
		nftnl_set_set_u32(elements->set, NFTNL_SET_ID, elements->which + 1);
	}
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, size);
	nftnl_set_elem_add(elements->set, element);
	elements->n++;
	return element;
}

static void change_one(struct nft *nft, bool add, enum nft_set which, const void *key, size_t size, const char *what)
{
	struct elements elements;

	elements_begin(&elements, nft, add, which, what);
	elements_add(&elements, key, size);
	elements_end(&elements);
}

/* An interval: its first address, and the one after its last as the end. */
static void change_subnet(struct nft *nft, bool add, enum nft_set which, const struct net_address *subnet,
			  const char *what)
{
	struct net_address last = address_last(subnet), end = address_at(&last, 1);
	size_t size = address_bits(subnet->family) / 8;
	struct elements elements;

	elements_begin(&elements, nft, add, which, what);
	elements_add(&elements, subnet->bytes, size);
	if (!address_is_any(&end)) /* beyond the last address of all there is none */
		nftnl_set_elem_set_u32(elements_add(&elements, end.bytes, size), NFTNL_SET_ELEM_FLAGS,
				       NFT_SET_ELEM_INTERVAL_END);
	elements_end(&elements);
}

static void change_local(struct nft *nft, bool add, const struct net_address *subnet, const char *bridge,
			 const char *what)
{
	enum nft_set which = subnet->family == AF_INET ? LOCAL4 : LOCAL6;
	size_t size = address_bits(subnet->family) / 8;
	struct net_address last = address_last(subnet);
	uint8_t first_key[32] = {0}, last_key[32] = {0};
	struct elements elements;

	memcpy(first_key, subnet->bytes, size);
	memcpy(last_key, last.bytes, size);
	memcpy(first_key + size, bridge, strlen(bridge));
	memcpy(last_key + size, bridge, strlen(bridge));
	elements_begin(&elements, nft, add, which, what);
	nftnl_set_elem_set(elements_add(&elements, first_key, size + L_NAME), NFTNL_SET_ELEM_KEY_END, last_key,
			   size + L_NAME);
	elements_end(&elements);
}

static void change_network(struct nft *nft, bool add, const struct net_network *network)
{
	const struct net_address *subnets[] = {&network->subnet4, &network->subnet6};
	char pair[2 * L_NAME] = "", what[128];

	if (!*network->bridge || *network->uplink)
		return;
	snprintf(what, sizeof(what), "%s nftables elements of network '%s'", add ? "add the" : "remove the",
		 network->name);
	memcpy(pair, network->bridge, NET_INTERFACE_SIZE);
	memcpy(pair + L_NAME, network->bridge, NET_INTERFACE_SIZE);
	change_one(nft, add, BRIDGES, pair, L_NAME, what);
	if (network->type == NET_TYPE_BRIDGE)
		change_one(nft, add, OUTWARD, pair, L_NAME, what);
	if (!network->is_isolated)
		change_one(nft, add, PAIRS, pair, sizeof(pair), what);
	for (size_t i = 0; i < ARRAY_SIZE(subnets); i++) {
		if (!subnets[i]->family)
			continue;
		change_local(nft, add, subnets[i], network->bridge, what);
		if (network->type == NET_TYPE_BRIDGE)
			change_subnet(nft, add, i ? NAT6 : NAT4, subnets[i], what);
	}
}

void nft_add_network(struct nft *nft, const struct net_network *network)
{
	change_network(nft, true, network);
}

void nft_remove_network(struct nft *nft, const struct net_network *network)
{
	change_network(nft, false, network);
}

/* The key of one published port; returns its size. */
static size_t make_key(const struct net_port *port, uint16_t number, uint8_t key[32], enum nft_set *ret_which)
{
	bool four = port->address.family == AF_INET, any = address_is_any(&port->address);
	size_t size = any ? 0 : address_bits(port->address.family) / 8;
	uint16_t net = htons(number);

	memset(key, 0, 32);
	memcpy(key, port->address.bytes, size);
	key[size] = port->protocol;
	memcpy(key + size + L_FIELD, &net, sizeof(net));
	*ret_which = four ? (any ? PORTS4_ANY : PORTS4) : (any ? PORTS6_ANY : PORTS6);
	return size + 2 * L_FIELD;
}

static size_t make_target(const struct net_member *member, const struct net_port *port, uint16_t number,
			  uint8_t data[20])
{
	const struct net_address *address = port->address.family == AF_INET ? &member->address4 : &member->address6;
	size_t size = address_bits(port->address.family) / 8;
	uint16_t net = htons(port->port + (number - port->first));

	memset(data, 0, 20);
	memcpy(data, address->bytes, size);
	memcpy(data + size, &net, sizeof(net));
	return size + L_FIELD;
}

/* The holder's id, as a comment that nft(8) shows. */
static size_t make_comment(const char *id, uint8_t comment[256])
{
	size_t n = strlen(id) + 1;

	if (n > 254)
		n = 254;
	comment[0] = 0;
	comment[1] = n;
	memcpy(comment + 2, id, n);
	comment[2 + n - 1] = 0;
	return n + 2;
}

static void add_port(struct nft *nft, const struct net_member *member, const struct net_port *port)
{
	uint8_t key[32], data[20], comment[256];
	char what[128], text[NET_PORT_TEXT_SIZE];
	struct elements elements;
	enum nft_set which;

	make_key(port, port->first, key, &which);
	snprintf(what, sizeof(what), "publish port %s", net_print_port(port, text));
	elements_begin(&elements, nft, true, which, what);
	for (unsigned number = port->first; number <= port->last; number++) {
		struct nftnl_set_elem *element = elements_add(&elements, key, make_key(port, number, key, &which));

		nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, data, make_target(member, port, number, data));
		nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, comment, make_comment(member->id, comment));
	}
	elements_end(&elements);
}

void nft_add_ports(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_port(nft, member, &ports[i]);
}

void nft_add_opened(struct nft *nft, uint8_t family, const char *interface)
{
	char name[L_NAME] = "";

	snprintf(name, sizeof(name), "%s", interface);
	change_one(nft, true, family == AF_INET ? OPENED4 : OPENED6, name, L_NAME,
		   "note an uplink in the nftables table 'inet holm'");
}

void nft_add_opened_family(struct nft *nft, uint8_t family)
{
	uint8_t number = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	change_one(nft, true, OPENED_FAMILIES, &number, 1, "note a family in the nftables table 'inet holm'");
}

/* ---- reading elements ---- */

struct element {
	bool found;
	uint8_t data[32];
	uint32_t data_size;
	char comment[NET_ID_SIZE];
};

static void read_element(struct nftnl_set_elem *element, struct element *ret)
{
	uint32_t size = 0;
	const uint8_t *p;

	ret->found = true;
	p = nftnl_set_elem_get(element, NFTNL_SET_ELEM_DATA, &size);
	if (p && size <= sizeof(ret->data)) {
		memcpy(ret->data, p, size);
		ret->data_size = size;
	}
	p = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &size);
	if (p && size >= 3 && p[0] == 0 && p[1] + 2U <= size && p[1] > 0)
		snprintf(ret->comment, sizeof(ret->comment), "%.*s", p[1] - 1, (const char *)p + 2);
}

static int parse_element(const struct nlmsghdr *message, void *data, struct error *e)
{
	struct nftnl_set *set = nft_checked(nftnl_set_alloc());
	struct nftnl_set_elems_iter *walk;
	struct nftnl_set_elem *element;

	(void)e;
	if (nftnl_set_elems_nlmsg_parse(message, set) == 0 && (walk = nftnl_set_elems_iter_create(set))) {
		element = nftnl_set_elems_iter_next(walk);
		if (element)
			read_element(element, data);
		nftnl_set_elems_iter_destroy(walk);
	}
	nftnl_set_free(set);
	return 0;
}

static int find_element(struct nft *nft, enum nft_set which, const void *key, size_t size, struct element *ret,
			struct error *e)
{
	struct elements elements;
	int r;

	*ret = (struct element){0};
	elements_begin(&elements, nft, true, which, "read an nftables element");
	elements.type = NFT_MSG_GETSETELEM;
	elements_add(&elements, key, size);
	elements_end(&elements);
	r = netlink_query(&nft->netlink, parse_element, ret, e);
	return r == -ENOENT ? 0 : r;
}

/* Whether somebody publishes it (ret->found), and whether that leads to member. */
static int find_port(struct nft *nft, const struct net_member *member, const struct net_port *port, uint16_t number,
		     struct element *ret, bool *ret_own, struct error *e)
{
	uint8_t key[32], data[20];
	enum nft_set which;
	size_t size = make_key(port, number, key, &which);
	size_t data_size = make_target(member, port, number, data);
	int r = find_element(nft, which, key, size, ret, e);

	*ret_own = !r && ret->found && ret->data_size == data_size && !memcmp(ret->data, data, data_size);
	return r;
}

int nft_find_holder(struct nft *nft, const struct net_member *member, const struct net_port *port,
		    char ret_id[NET_ID_SIZE], uint16_t *ret_port, struct error *e)
{
	*ret_id = 0;
	for (unsigned number = port->first; number <= port->last; number++) {
		struct element element;
		bool own;
		int r = find_port(nft, member, port, number, &element, &own, e);

		if (r)
			return r;
		if (element.found && !own) {
			snprintf(ret_id, NET_ID_SIZE, "%s", element.comment);
			*ret_port = number;
			return 0;
		}
	}
	return 0;
}

static int remove_numbers(struct nft *nft, const struct net_port *port, const uint16_t *numbers, size_t n)
{
	struct elements elements;
	uint8_t key[32];
	enum nft_set which;

	make_key(port, port->first, key, &which);
	nft_begin(nft);
	elements_begin(&elements, nft, false, which, "unpublish a port");
	for (size_t i = 0; i < n; i++)
		elements_add(&elements, key, make_key(port, numbers[i], key, &which));
	elements_end(&elements);
	return nft_commit(nft, NULL);
}

void nft_remove_ports(struct nft *nft, const struct net_member *member, const struct net_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t numbers[ELEMENTS_PER_MESSAGE];
		size_t found = 0;

		for (unsigned number = ports[i].first; number <= ports[i].last; number++) {
			struct element element;
			bool own;

			if (!find_port(nft, member, &ports[i], number, &element, &own, NULL) && own)
				numbers[found++] = number;
			if (!found || (found < ARRAY_SIZE(numbers) && number < ports[i].last))
				continue;
			/* One that went meanwhile fails the transaction. */
			if (remove_numbers(nft, &ports[i], numbers, found))
				for (size_t j = 0; j < found; j++)
					(void)!remove_numbers(nft, &ports[i], &numbers[j], 1);
			found = 0;
		}
	}
}
