/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"

/* A lease to be: an unnamed file with its content, which link(2) makes visible under an address. */
struct draft {
	int folder, fd;
	const char *owner; /* id and interface, the first line */
	const char *instance;
};

static int open_draft(struct draft *draft)
{
	auto_str text = STR_INIT;

	fd_close(draft->fd);
	draft->fd = openat(draft->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (draft->fd < 0)
		return -errno;
	str_addf(&text, "%s\n%s", draft->owner, draft->instance);
	return fd_write_all(draft->fd, text.data, text.size);
}

static void close_draft(struct draft *draft)
{
	draft->fd = fd_close(draft->fd);
}

uint64_t lease_hash(const char *text, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325 ^ seed;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash ^ hash >> 29;
}

static int open_leases(int network_fd, struct error *e)
{
	int fd = openat(network_fd, "leases", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_system(e, errno, "open the folder of leases") : fd;
}

/* The two lines of a lease: "ID INTERFACE" and the path of the instance's state. */
struct owner {
	char name[NET_ID_SIZE + NET_INTERFACE_SIZE + 1];
	char instance[NET_PATH_SIZE];
};

static int read_owner(int leases, const char *address, struct owner *ret)
{
	auto_free char *text = NULL;
	char *line;
	int r = file_read(leases, address, sizeof(*ret), &text, NULL);

	if (r)
		return r;
	line = strchr(text, '\n');
	if (!line)
		return -EIO;
	*line = 0;
	snprintf(ret->name, sizeof(ret->name), "%s", text);
	snprintf(ret->instance, sizeof(ret->instance), "%s", line + 1);
	return 0;
}

/* The instance is gone when the folder of its state is. */
static bool is_stale(const struct owner *owner)
{
	return *owner->instance && access(owner->instance, F_OK) < 0 && errno == ENOENT;
}

/* Only one may clear a stale lease at a time, and look again before: else it could remove its successor's. */
static void clear_stale(int leases, const char *address)
{
	auto_fd lock = openat(leases, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct owner owner;

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return;
	if (!read_owner(leases, address, &owner) && is_stale(&owner))
		unlinkat(leases, address, 0);
}

/* 0, -EEXIST, or another error. */
static int publish_draft(const struct draft *draft, const char *address)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", draft->fd);
	return linkat(AT_FDCWD, path, draft->folder, address, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* How closely an address that is taken is looked at. */
enum look { LOOK_AWAY, LOOK_FOR_OURS, LOOK_FOR_STALE };

static int try_address(const struct draft *draft, const struct net_address *address, enum look look)
{
	char name[ADDRESS_TEXT_SIZE];
	struct owner owner;
	int r;

	address_print(address, false, name);
	r = publish_draft(draft, name);
	if (r != -EEXIST || look == LOOK_AWAY || read_owner(draft->folder, name, &owner))
		return r;
	if (str_equal(owner.name, draft->owner))
		return 0; /* ours from before */
	if (look != LOOK_FOR_STALE || !is_stale(&owner))
		return -EEXIST;
	clear_stale(draft->folder, name);
	return publish_draft(draft, name);
}

static void drop_address(int leases, const struct net_address *address, const char *owner_name)
{
	char name[ADDRESS_TEXT_SIZE];
	struct owner owner;

	if (!address->family)
		return;
	address_print(address, false, name);
	if (!read_owner(leases, name, &owner) && str_equal(owner.name, owner_name))
		unlinkat(leases, name, 0);
}

/* Whether a number of the subnet may be given to a member. */
static bool is_usable(const struct net_network *network, const struct net_address *address)
{
	return !address_equal(address, &network->gateway4) && !address_equal(address, &network->gateway6);
}

static int take_fixed(const struct draft *draft, const struct net_network *network, const struct net_address *subnet,
		      struct net_address *address, struct error *e)
{
	char text[ADDRESS_TEXT_SIZE], in[ADDRESS_TEXT_SIZE];
	struct net_address last = subnet->family ? address_last(subnet) : (struct net_address){0};
	struct owner owner;
	int r;

	address_print(address, false, text);
	if (!address_is_in(address, subnet))
		return error_refuse(e, ERROR_INVALID, "the address %s is not in a subnet of network '%s' (%s)", text,
				    network->name, subnet->family ? address_print(subnet, true, in) : "it has none");
	if (!is_usable(network, address) || address_equal(address, subnet) ||
	    (address->family == 2 && address_equal(address, &last)))
		return error_refuse(e, ERROR_INVALID, "the address %s of network '%s' is not for members", text,
				    network->name);
	address->prefix = subnet->prefix;
	r = try_address(draft, address, LOOK_FOR_STALE);
	if (r == -EEXIST && !read_owner(draft->folder, text, &owner))
		return error_refuse(e, ERROR_EXISTS, "the address %s of network '%s' is leased to '%.*s'", text,
				    network->name, (int)strcspn(owner.name, " "), owner.name);
	return r ? error_system(e, -r, "lease the address %s of network '%s'", text, network->name) : 0;
}

/* One number for both families; the second can only be taken by a fixed address of somebody. */
static int take_number(struct draft *draft, const struct net_network *network, struct net_member *member,
		       uint64_t number, enum look look)
{
	struct net_address four = {0}, six = {0};
	int r = 0;

	if (network->subnet4.family && !member->address4.family) {
		four = address_at(&network->subnet4, number);
		if (!is_usable(network, &four))
			return -EEXIST;
		r = try_address(draft, &four, look);
		if (r)
			return r;
	}
	if (network->subnet6.family && !member->address6.family) {
		six = address_at(&network->subnet6, number);
		r = is_usable(network, &six) ? try_address(draft, &six, look) : -EEXIST;
	}
	if (r) {
		drop_address(draft->folder, &four, draft->owner);
		/* A file that had a name and lost its last one can't get another. */
		return four.family ? open_draft(draft) ?: r : r;
	}
	if (four.family)
		member->address4 = four;
	if (six.family)
		member->address6 = six;
	return 0;
}

/* A stride that comes by every number: without a common divisor.  From the id, so that ways that meet part again. */
static uint64_t choose_stride(const char *id, uint64_t capacity)
{
	uint64_t stride = capacity > 2 ? 1 + lease_hash(id, 3) % (capacity - 1) : 1;

	for (;; stride = stride % capacity + 1) {
		uint64_t a = stride, b = capacity;

		while (b) {
			uint64_t rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			return stride;
	}
}

/*
 * The same number as before if that is free, else others, until one is; only then those whose owner is gone.  In a subnet
 * that is nearly full many are tried: neighbouring ones would be taken together, so they are far from each other, and who has
 * them is not looked at.
 */
static int take_free(struct draft *draft, const struct net_network *network, struct net_member *member, struct error *e)
{
	bool want4 = network->subnet4.family && !member->address4.family;
	const struct net_address *subnet = want4 ? &network->subnet4 : &network->subnet6;
	uint64_t capacity = address_capacity(subnet);
	uint64_t tries = capacity < 65536 ? capacity : 65536;
	uint64_t start = lease_hash(member->id, 0) % (capacity ?: 1), stride = choose_stride(member->id, capacity ?: 1);
	char text[ADDRESS_TEXT_SIZE];

	for (int take_over = 0; take_over <= 1; take_over++)
		for (uint64_t i = 0; i < tries; i++) {
			enum look look = take_over ? LOOK_FOR_STALE : i ? LOOK_AWAY : LOOK_FOR_OURS;
			int r = take_number(draft, network, member, 1 + (start + i * stride) % capacity, look);

			if (r != -EEXIST)
				return r ? error_system(e, -r, "lease an address of network '%s'", network->name) : 0;
		}
	return error_refuse(e, ERROR_LIMIT, "network '%s' has no free address in %s", network->name,
			    address_print(subnet, true, text));
}

static void print_owner(char *buffer, size_t size, const struct net_member *member)
{
	snprintf(buffer, size, "%s %s", member->id, member->name);
}

int lease_take(int network_fd, const struct net_network *network, struct net_member *member, const char *instance,
	       struct error *e)
{
	char owner[NET_ID_SIZE + NET_INTERFACE_SIZE + 1];
	auto_fd leases = open_leases(network_fd, e);
	__attribute__((cleanup(close_draft))) struct draft draft = {leases, -1, owner, instance};
	int r;

	if (leases < 0)
		return leases;
	print_owner(owner, sizeof(owner), member);
	r = open_draft(&draft);
	if (r)
		return error_system(e, -r, "write a lease of network '%s'", network->name);
	if (member->address4.family)
		r = take_fixed(&draft, network, &network->subnet4, &member->address4, e);
	if (!r && member->address6.family)
		r = take_fixed(&draft, network, &network->subnet6, &member->address6, e);
	if (!r && ((network->subnet4.family && !member->address4.family) ||
		   (network->subnet6.family && !member->address6.family)))
		r = take_free(&draft, network, member, e);
	if (r)
		lease_drop(network_fd, member);
	return r;
}

void lease_drop(int network_fd, const struct net_member *member)
{
	char owner[NET_ID_SIZE + NET_INTERFACE_SIZE + 1];
	int fd = open_leases(network_fd, NULL);
	DIR *dir;

	if (fd < 0)
		return;
	print_owner(owner, sizeof(owner), member);
	flock(network_fd, LOCK_EX); /* see clear_stale() */
	if (member->address4.family || member->address6.family) {
		drop_address(fd, &member->address4, owner);
		drop_address(fd, &member->address6, owner);
		fd_close(fd);
	} else if ((dir = fdopendir(fd))) {
		for (const struct dirent *entry; (entry = readdir(dir));) {
			struct owner found;

			if (!read_owner(fd, entry->d_name, &found) && str_equal(found.name, owner))
				unlinkat(fd, entry->d_name, 0);
		}
		closedir(dir);
	}
	flock(network_fd, LOCK_UN);
}
