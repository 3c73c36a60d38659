/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel alone takes to put a new network namespace on a bridge with one published port: the same veth pair,
 * address, route and nftables element as holm makes, written by hand, without names, records, guard or counters.
 *
 *   net-floor ROUNDS BRIDGE GATEWAY    in the namespace of the bridge; the map `inet floor ports` (proto . port :
 *                                      address . port) must be there
 *
 * Output, one line per round: microseconds for the link, the port, the inside, the element.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct batch {
	_Alignas(8) char data[8192];
	size_t size, start; /* start: of the last message */
	unsigned n, quiet;  /* messages that are answered, and not */
};

static struct nlmsghdr *message(struct batch *b, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	struct nlmsghdr *m = (void *)(b->data + b->size);

	b->start = b->size;
	*m = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags, .nlmsg_seq = b->n};
	memcpy(m + 1, header, size);
	m->nlmsg_len = sizeof(*m) + size;
	b->size += NLMSG_ALIGN(m->nlmsg_len);
	b->n++;
	return m;
}

static void *put(struct batch *b, uint16_t type, const void *data, size_t size)
{
	struct nlmsghdr *m = (void *)(b->data + b->start);
	struct nlattr *a = (void *)(b->data + b->size);

	*a = (struct nlattr){.nla_type = type, .nla_len = sizeof(*a) + size};
	memset(a + 1, 0, NLMSG_ALIGN(size));
	if (data)
		memcpy(a + 1, data, size);
	b->size += NLMSG_ALIGN(a->nla_len);
	m->nlmsg_len = b->size - b->start;
	return a;
}

static void put_text(struct batch *b, uint16_t type, const char *text)
{
	put(b, type, text, strlen(text) + 1);
}

static void end(struct batch *b, struct nlattr *nest)
{
	nest->nla_len = b->data + b->size - (char *)nest;
	nest->nla_type |= NLA_F_NESTED;
}

static void commit(int fd, struct batch *b, const char *what)
{
	char buffer[8192];

	if (send(fd, b->data, b->size, 0) < 0)
		err(1, "%s", what);
	for (unsigned left = b->n - b->quiet; left;) {
		int n = recv(fd, buffer, sizeof(buffer), 0);

		if (n < 0)
			err(1, "%s", what);
		for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, (unsigned)n); m = NLMSG_NEXT(m, n)) {
			const struct nlmsgerr *e = NLMSG_DATA(m);

			if (e->error)
				errx(1, "%s: %s", what, strerror(-e->error));
			left--;
		}
	}
	*b = (struct batch){0};
}

static void add_link(struct batch *b, const char *name, int bridge, int netns)
{
	struct ifinfomsg header = {0};
	struct nlattr *info, *data, *peer;

	message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	put_text(b, IFLA_IFNAME, name);
	put(b, IFLA_MASTER, &bridge, sizeof(bridge));
	info = put(b, IFLA_LINKINFO, NULL, 0);
	put_text(b, IFLA_INFO_KIND, "veth");
	data = put(b, IFLA_INFO_DATA, NULL, 0);
	peer = put(b, VETH_INFO_PEER, &header, sizeof(header));
	put_text(b, IFLA_IFNAME, "eth0");
	put(b, IFLA_NET_NS_FD, &netns, sizeof(netns));
	end(b, peer);
	end(b, data);
	end(b, info);
}

static void set_up(struct batch *b, int index)
{
	struct ifinfomsg header = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	message(b, RTM_NEWLINK, 0, &header, sizeof(header));
}

static void configure(struct batch *b, int index, uint32_t address, uint32_t gateway)
{
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = index};
	struct rtmsg route = {
	    .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};

	message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	put(b, IFA_LOCAL, &address, 4);
	put(b, IFA_ADDRESS, &address, 4);
	set_up(b, index);
	message(b, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof(route));
	put(b, RTA_GATEWAY, &gateway, 4);
}

static void add_element(struct batch *b, uint32_t address, uint16_t port)
{
	struct nfgenmsg frame = {.res_id = htons(NFNL_SUBSYS_NFTABLES)};
	struct nfgenmsg header = {.nfgen_family = 1 /* inet */};
	uint8_t key[8] = {IPPROTO_TCP}, data[8];
	struct nlattr *list, *element, *part;
	uint16_t number = htons(port);

	memcpy(key + 4, &number, 2);
	memcpy(data, &address, 4);
	number = htons(80);
	memset(data + 4, 0, 4);
	memcpy(data + 4, &number, 2);
	message(b, NFNL_MSG_BATCH_BEGIN, 0, &frame, sizeof(frame))->nlmsg_flags = NLM_F_REQUEST;
	message(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, NLM_F_CREATE, &header, sizeof(header));
	put_text(b, NFTA_SET_ELEM_LIST_TABLE, "floor");
	put_text(b, NFTA_SET_ELEM_LIST_SET, "ports");
	list = put(b, NFTA_SET_ELEM_LIST_ELEMENTS, NULL, 0);
	element = put(b, NFTA_LIST_ELEM, NULL, 0);
	part = put(b, NFTA_SET_ELEM_KEY, NULL, 0);
	put(b, NFTA_DATA_VALUE, key, sizeof(key));
	end(b, part);
	part = put(b, NFTA_SET_ELEM_DATA, NULL, 0);
	put(b, NFTA_DATA_VALUE, data, sizeof(data));
	end(b, part);
	end(b, element);
	end(b, list);
	message(b, NFNL_MSG_BATCH_END, 0, &frame, sizeof(frame))->nlmsg_flags = NLM_F_REQUEST;
	b->quiet = 2;
}

static int enter_new(int home, int *ret_netns)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		err(1, "unshare");
	*ret_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (*ret_netns < 0 || fd < 0 || setns(home, CLONE_NEWNET) < 0)
		err(1, "namespace");
	return fd;
}

static long lap(long *before)
{
	struct timespec t;
	long now, took;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = t.tv_sec * 1000000000 + t.tv_nsec;
	took = (now - *before) / 1000;
	*before = now;
	return took;
}

int main(int argc, char **argv)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int netfilter = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int rounds = argc == 4 ? atoi(argv[1]) : 0, bridge = argc == 4 ? (int)if_nametoindex(argv[2]) : 0;
	struct batch batch = {0};
	uint32_t gateway;

	if (!rounds || !bridge)
		errx(2, "usage: net-floor ROUNDS BRIDGE GATEWAY");
	gateway = inet_addr(argv[3]);
	for (int i = 0; i < rounds; i++) {
		int netns, inside = enter_new(home, &netns);
		uint32_t address = htonl(ntohl(gateway) + 1 + i);
		struct ifreq request = {.ifr_name = "eth0"};
		long t = 0, link, port, in;
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "hf%d", i);
		lap(&t);
		add_link(&batch, name, bridge, netns);
		commit(route, &batch, "link");
		link = lap(&t);
		set_up(&batch, if_nametoindex(name));
		commit(route, &batch, "port");
		port = lap(&t);
		if (ioctl(inside, SIOCGIFINDEX, &request) < 0)
			err(1, "eth0");
		set_up(&batch, 1);
		configure(&batch, request.ifr_ifindex, address, gateway);
		commit(inside, &batch, "inside");
		in = lap(&t);
		add_element(&batch, address, 10000 + i);
		commit(netfilter, &batch, "element");
		printf("%ld %ld %ld %ld\n", link, port, in, lap(&t));
		close(inside);
		close(netns);
	}
	return 0;
}
