/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"
#include "netns/parse.h"

enum { FILE_MAX = 8 * 1024 * 1024 };

/* ---- text and structs: one table per struct ---- */

enum field_type { FIELD_STRING, FIELD_NUMBER, FIELD_FLAG, FIELD_TYPE, FIELD_ADDRESS, FIELD_MAC, FIELD_RATE };

struct field {
	const char *key;
	enum field_type type;
	size_t offset, size;
};

#define FIELD(s, k, t, member)                                                                                         \
	{                                                                                                              \
		k, t, offsetof(struct s, member), sizeof(((struct s *)0)->member)                                      \
	}

static const struct field network_fields[] = {
    FIELD(net_network, "name", FIELD_STRING, name),
    FIELD(net_network, "type", FIELD_TYPE, type),
    FIELD(net_network, "subnet4", FIELD_ADDRESS, subnet4),
    FIELD(net_network, "subnet6", FIELD_ADDRESS, subnet6),
    FIELD(net_network, "gateway4", FIELD_ADDRESS, gateway4),
    FIELD(net_network, "gateway6", FIELD_ADDRESS, gateway6),
    FIELD(net_network, "bridge", FIELD_STRING, bridge),
    FIELD(net_network, "uplink", FIELD_STRING, uplink),
    FIELD(net_network, "vrf", FIELD_STRING, vrf),
    FIELD(net_network, "vlan", FIELD_NUMBER, vlan),
    FIELD(net_network, "mtu", FIELD_NUMBER, mtu),
    FIELD(net_network, "isolated", FIELD_FLAG, is_isolated),
};

static const struct field member_fields[] = {
    FIELD(net_member, "id", FIELD_STRING, id),
    FIELD(net_member, "network", FIELD_STRING, network),
    FIELD(net_member, "name", FIELD_STRING, name),
    FIELD(net_member, "link", FIELD_STRING, link),
    FIELD(net_member, "address4", FIELD_ADDRESS, address4),
    FIELD(net_member, "address6", FIELD_ADDRESS, address6),
    FIELD(net_member, "gateway4", FIELD_ADDRESS, gateway4),
    FIELD(net_member, "gateway6", FIELD_ADDRESS, gateway6),
    FIELD(net_member, "mac", FIELD_MAC, mac),
    FIELD(net_member, "egress", FIELD_RATE, egress),
    FIELD(net_member, "ingress", FIELD_RATE, ingress),
};

static void print_field(struct str *text, const struct field *field, const void *object)
{
	const void *p = (const char *)object + field->offset;
	char buffer[ADDRESS_TEXT_SIZE];
	const struct net_rate *rate;
	const uint8_t *mac;

	switch (field->type) {
	case FIELD_STRING:
		if (*(const char *)p)
			str_addf(text, "%s %s\n", field->key, (const char *)p);
		break;
	case FIELD_NUMBER:
		if (*(const uint32_t *)p)
			str_addf(text, "%s %" PRIu32 "\n", field->key, *(const uint32_t *)p);
		break;
	case FIELD_FLAG:
		if (*(const uint8_t *)p)
			str_addf(text, "%s 1\n", field->key);
		break;
	case FIELD_TYPE:
		str_addf(text, "%s %s\n", field->key, net_type_name(*(const uint32_t *)p));
		break;
	case FIELD_ADDRESS:
		if (((const struct net_address *)p)->family)
			str_addf(text, "%s %s\n", field->key, address_print(p, true, buffer));
		break;
	case FIELD_MAC:
		mac = p;
		if (!memcmp(mac, (uint8_t[6]){0}, 6)) /* not chosen yet */
			break;
		str_addf(text, "%s %02x:%02x:%02x:%02x:%02x:%02x\n", field->key, mac[0], mac[1], mac[2], mac[3], mac[4],
			 mac[5]);
		break;
	case FIELD_RATE:
		rate = p;
		if (rate->rate)
			str_addf(text, "%s %" PRIu64 " %" PRIu64 "\n", field->key, rate->rate, rate->burst);
		break;
	}
}

/* An address with its prefix; host bits are allowed here. */
static int read_address(char *value, struct net_address *ret)
{
	char *slash = strchr(value, '/');
	struct net_address address;
	uint64_t prefix;

	if (!slash)
		return -EINVAL;
	*slash = 0;
	if (address_parse(value, &address) || parse_u64(slash + 1, 0, address_bits(address.family), &prefix))
		return -EINVAL;
	address.prefix = prefix;
	*ret = address;
	return 0;
}

static int read_rate(char *value, struct net_rate *ret)
{
	char *space = strchr(value, ' ');

	if (!space)
		return -EINVAL;
	*space = 0;
	return parse_u64(value, 0, UINT64_MAX, &ret->rate) ?: parse_u64(space + 1, 0, UINT64_MAX, &ret->burst);
}

static int read_field(const struct field *field, char *value, void *object)
{
	void *p = (char *)object + field->offset;
	uint64_t number;
	int r = 0;

	switch (field->type) {
	case FIELD_STRING:
		if (strlen(value) >= field->size)
			return -EINVAL;
		strcpy(p, value);
		break;
	case FIELD_NUMBER:
		r = parse_u64(value, 0, UINT32_MAX, &number);
		if (!r)
			*(uint32_t *)p = number;
		break;
	case FIELD_FLAG:
		*(uint8_t *)p = str_equal(value, "1");
		break;
	case FIELD_TYPE:
		r = net_parse_type(value, p, NULL);
		break;
	case FIELD_ADDRESS:
		r = read_address(value, p);
		break;
	case FIELD_MAC:
		r = net_parse_mac(value, p, NULL);
		break;
	case FIELD_RATE:
		r = read_rate(value, p);
		break;
	}
	return r;
}

static int read_fields(char *text, const struct field *fields, size_t n, void *object)
{
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		char *value = strchr(line, ' ');

		if (!*line)
			continue;
		if (!value)
			return -EINVAL;
		*value++ = 0;
		for (size_t i = 0; i < n; i++)
			if (str_equal(line, fields[i].key) && read_field(&fields[i], value, object))
				return -EINVAL;
	}
	return 0;
}

/* ---- files ---- */

/*
 * At every moment there is the old file or the new one: a record that vanished for an instant would be lost with its
 * writer.  A draft that a killed writer left is overwritten by the next, or goes with its folder (remove_drafts()).
 */
int store_write(int dirfd, const char *path, mode_t mode, const void *data, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char draft[NET_ID_SIZE + 128];
	auto_fd fd = -1;
	int r;

	if ((size_t)snprintf(draft, sizeof(draft), "%.*s.%s", (int)(name - path), path, name) >= sizeof(draft))
		return -ENAMETOOLONG;
	fd = openat(dirfd, draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	if (!r && renameat(dirfd, draft, dirfd, path) < 0)
		r = -errno;
	if (r)
		unlinkat(dirfd, draft, 0);
	return r;
}

/* ---- folders ---- */

static int make_folders(const char *path, struct error *e)
{
	char copy[NET_PATH_SIZE];

	if (*path != '/' || strlen(path) >= sizeof(copy))
		return error_refuse(e, ERROR_INVALID, "'%s' is not an absolute path", path);
	strcpy(copy, path);
	for (char *p = copy + 1;; p++) {
		bool last = !*p;

		if (*p && *p != '/')
			continue;
		*p = 0;
		if (mkdir(copy, last ? 0700 : 0755) < 0 && errno != EEXIST)
			return error_system(e, errno, "make the folder '%s'", copy);
		if (last)
			return 0;
		*p = '/';
	}
}

static int open_folder(const char *path, int *ret_fd, struct error *e)
{
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT) {
		int r = make_folders(path, e);

		if (r)
			return r;
		*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return *ret_fd < 0 ? error_system(e, errno, "open the folder '%s'", path) : 0;
}

int net_store_open(struct store *store, const char *state, const char *config, struct error *e)
{
	int r = open_folder(state, &store->state, e) ?: open_folder(config, &store->config, e);

	if (r)
		return r;
	snprintf(store->state_path, sizeof(store->state_path), "%s", state);
	snprintf(store->config_path, sizeof(store->config_path), "%s", config);
	if ((mkdirat(store->state, "networks", 0700) < 0 || mkdirat(store->state, "members", 0700) < 0) &&
	    errno != EEXIST)
		return error_system(e, errno, "make folders in '%s'", state);
	return 0;
}

void net_store_close(struct store *store)
{
	store->state = fd_close(store->state);
	store->config = fd_close(store->config);
}

/* Calls each for the names in a folder that do not begin with a dot.  A missing folder is empty. */
static int each_name(int dirfd, const char *path, const char *what,
		     int (*each)(const char *name, void *data, struct error *e), void *data, struct error *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir) {
		fd_close(fd);
		return errno == ENOENT ? 0 : error_system(e, errno, "list '%s/%s'", what, path);
	}
	for (const struct dirent *entry; !r && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			r = each(entry->d_name, data, e);
	closedir(dir);
	return r;
}

/* ---- networks ---- */

enum { NAMES_MAX = 256 };

struct names {
	char texts[NAMES_MAX][NET_NETWORK_SIZE];
	const char *pointers[NAMES_MAX];
	size_t n;
};

static int add_name(const char *name, void *data, struct error *e)
{
	struct names *names = data;

	(void)e;
	if (names->n < NAMES_MAX && strlen(name) < NET_NETWORK_SIZE) {
		names->pointers[names->n] = strcpy(names->texts[names->n], name);
		names->n++;
	}
	return 0;
}

static int refuse_unknown(const struct store *store, const char *name, struct error *e)
{
	struct names names = {.n = 0};
	const char *close = NULL;

	if (e && !each_name(store->config, ".", store->config_path, add_name, &names, NULL))
		close = str_closest(name, names.pointers, names.n);
	if (close)
		return error_refuse(e, ERROR_NOT_FOUND, "network '%s' does not exist; did you mean '%s'?", name, close);
	return error_refuse(e, ERROR_NOT_FOUND, "network '%s' does not exist", name);
}

int store_load_network(const struct store *store, const char *name, struct net_network *ret, struct error *e)
{
	auto_free char *text = NULL;
	int r;

	if (!str_is_id(name) || *name == '.' || strlen(name) >= NET_NETWORK_SIZE)
		return error_refuse(e, ERROR_INVALID, "'%s' is not a name of a network", name);
	r = file_read(store->config, name, FILE_MAX, &text, NULL);
	if (r == -ENOENT)
		return refuse_unknown(store, name, e);
	if (r)
		return error_system(e, -r, "read '%s/%s'", store->config_path, name);
	*ret = (struct net_network){0};
	if (read_fields(text, network_fields, ARRAY_SIZE(network_fields), ret) || !str_equal(ret->name, name))
		return error_refuse(e, ERROR_INVALID, "'%s/%s' does not describe a network of that name",
				    store->config_path, name);
	return 0;
}

int store_save_network(const struct store *store, const struct net_network *network, bool create, struct error *e)
{
	auto_str text = STR_INIT;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(network_fields); i++)
		print_field(&text, &network_fields[i], network);
	if (create && !faccessat(store->config, network->name, F_OK, 0))
		return error_refuse(e, ERROR_EXISTS, "network '%s' exists already", network->name);
	r = store_write(store->config, network->name, 0600, text.data, text.size);
	return r ? error_system(e, -r, "write '%s/%s'", store->config_path, network->name) : 0;
}

int store_remove_network(const struct store *store, const char *name, struct error *e)
{
	char path[NET_NETWORK_SIZE + 32];

	for (const char *const *p = (const char *const[]){"leases", "mirrors", NULL}; *p; p++) {
		snprintf(path, sizeof(path), "networks/%s/%s", name, *p);
		unlinkat(store->state, path, AT_REMOVEDIR);
	}
	for (const char *const *p = (const char *const[]){"hosts", "ready", NULL}; *p; p++) {
		snprintf(path, sizeof(path), "networks/%s/%s", name, *p);
		unlinkat(store->state, path, 0);
	}
	snprintf(path, sizeof(path), "networks/%s", name);
	unlinkat(store->state, path, AT_REMOVEDIR);
	if (unlinkat(store->config, name, 0) < 0 && errno != ENOENT)
		return error_system(e, errno, "remove '%s/%s'", store->config_path, name);
	return 0;
}

struct network_walk {
	const struct store *store;
	int (*each)(const struct net_network *network, void *data, struct error *e);
	void *data;
};

static int visit_network(const char *name, void *data, struct error *e)
{
	const struct network_walk *walk = data;
	struct net_network network;
	int r = store_load_network(walk->store, name, &network, e);

	if (r)
		return r == -ENOENT ? 0 : r; /* removed meanwhile */
	return walk->each(&network, walk->data, e);
}

int store_each_network(const struct store *store,
		       int (*each)(const struct net_network *network, void *data, struct error *e), void *data,
		       struct error *e)
{
	struct network_walk walk = {store, each, data};

	return each_name(store->config, ".", store->config_path, visit_network, &walk, e);
}

int store_open_network(const struct store *store, const char *name, int *ret_fd, struct error *e)
{
	char path[NET_NETWORK_SIZE + 32];
	auto_fd fd = -1;

	snprintf(path, sizeof(path), "networks/%s", name);
	fd = openat(store->state, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		if (mkdirat(store->state, path, 0700) < 0 && errno != EEXIST)
			return error_system(e, errno, "make the folder '%s/%s'", store->state_path, path);
		fd = openat(store->state, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || (mkdirat(fd, "leases", 0700) < 0 && errno != EEXIST))
		return error_system(e, errno, "open the folder '%s/%s'", store->state_path, path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_lock_networks(const struct store *store, int *ret_fd, struct error *e)
{
	auto_fd fd = openat(store->state, "networks.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return error_system(e, errno, "lock '%s/networks.lock'", store->state_path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* ---- members ---- */

static void member_path(char path[NET_ID_SIZE + 64], const char *id, const char *kind, const char *name)
{
	snprintf(path, NET_ID_SIZE + 64, "members/%s%s%s%s", id, *kind ? "/" : "", kind, name);
}

/* The folder that is locked may have been removed by the one who had the lock, and another be there. */
int store_lock_instance(const struct store *store, const char *id, bool make, int *ret_fd, struct error *e)
{
	char path[NET_ID_SIZE + 64];

	if (!str_is_id(id) || *id == '.')
		return error_refuse(e, ERROR_INVALID, "'%s' is not an instance's id", id);
	member_path(path, id, "", "");
	for (;;) {
		struct stat locked, there;
		auto_fd fd = -1;

		if (make && mkdirat(store->state, path, 0700) < 0 && errno != EEXIST)
			return error_system(e, errno, "make the folder '%s/%s'", store->state_path, path);
		fd = openat(store->state, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && make)
			continue;
		if (fd < 0 && errno == ENOENT)
			return error_refuse(e, ERROR_NOT_FOUND, "instance '%s' is on no network", id);
		if (fd < 0 || flock(fd, LOCK_EX) < 0) {
			int code = errno;

			if (make)
				unlinkat(store->state, path, AT_REMOVEDIR);
			return error_system(e, code, "lock the folder '%s/%s'", store->state_path, path);
		}
		if (fstat(fd, &locked) < 0 || fstatat(store->state, path, &there, 0) < 0 ||
		    locked.st_ino != there.st_ino)
			continue;
		*ret_fd = take_fd(&fd);
		return 0;
	}
}

int store_add_instance(const struct store *store, const char *id, const char *instance, struct error *e)
{
	char path[NET_ID_SIZE + 64], known[NET_PATH_SIZE];
	int r;

	member_path(path, id, "", "");
	if (mkdirat(store->state, path, 0700) < 0 && errno != EEXIST)
		return error_system(e, errno, "make the folder '%s/%s'", store->state_path, path);
	store_instance_path(store, id, known);
	if (str_equal(known, instance))
		return 0;
	if (*known && !access(known, F_OK))
		return error_refuse(e, ERROR_EXISTS, "the instance of '%s' already has the name '%s' on the networks",
				    known, id);
	member_path(path, id, "instance", "");
	r = store_write(store->state, path, 0600, instance, strlen(instance));
	return r ? error_system(e, -r, "write '%s/%s'", store->state_path, path) : 0;
}

void store_instance_path(const struct store *store, const char *id, char ret[NET_PATH_SIZE])
{
	auto_free char *text = NULL;
	char path[NET_ID_SIZE + 64];

	member_path(path, id, "instance", "");
	*ret = 0;
	if (!file_read(store->state, path, NET_PATH_SIZE - 1, &text, NULL))
		strcpy(ret, text);
}

static int has_interface(const char *name, void *data, struct error *e)
{
	(void)e;
	if (str_after(name, "if-"))
		*(bool *)data = true;
	return 0;
}

/* What a writer left that was killed: store_write()'s ".NAME". */
static void remove_drafts(const struct store *store, const char *path)
{
	int fd = openat(store->state, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] == '.' && !str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			unlinkat(fd, entry->d_name, 0);
	closedir(dir);
}

void store_drop_instance(const struct store *store, const char *id)
{
	char path[NET_ID_SIZE + 64];
	bool used = false;

	member_path(path, id, "", "");
	if (each_name(store->state, path, store->state_path, has_interface, &used, NULL) || used)
		return;
	for (const char *const *p = (const char *const[]){"instance", "hosts", NULL}; *p; p++) {
		member_path(path, id, *p, "");
		unlinkat(store->state, path, 0);
	}
	member_path(path, id, "", "");
	if (unlinkat(store->state, path, AT_REMOVEDIR) < 0 && errno == ENOTEMPTY) {
		remove_drafts(store, path);
		unlinkat(store->state, path, AT_REMOVEDIR);
	}
}

int store_load_member(const struct store *store, const char *id, const char *name, struct net_member *ret,
		      struct error *e)
{
	auto_free char *text = NULL;
	char path[NET_ID_SIZE + 64];
	int r;

	member_path(path, id, "if-", name);
	r = file_read(store->state, path, FILE_MAX, &text, NULL);
	if (r == -ENOENT)
		return error_refuse(e, ERROR_NOT_FOUND, "instance '%s' has no interface '%s' of a network", id, name);
	if (r)
		return error_system(e, -r, "read '%s/%s'", store->state_path, path);
	*ret = (struct net_member){0};
	if (read_fields(text, member_fields, ARRAY_SIZE(member_fields), ret))
		return error_refuse(e, ERROR_INVALID, "'%s/%s' is not a record of an interface", store->state_path,
				    path);
	return 0;
}

int store_save_member(const struct store *store, const struct net_member *member, struct error *e)
{
	auto_str text = STR_INIT;
	char path[NET_ID_SIZE + 64];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(member_fields); i++)
		print_field(&text, &member_fields[i], member);
	member_path(path, member->id, "if-", member->name);
	r = store_write(store->state, path, 0600, text.data, text.size);
	return r ? error_system(e, -r, "write '%s/%s'", store->state_path, path) : 0;
}

int store_remove_member(const struct store *store, const struct net_member *member, struct error *e)
{
	char path[NET_ID_SIZE + 64];

	member_path(path, member->id, "ports-", member->name);
	unlinkat(store->state, path, 0);
	member_path(path, member->id, "if-", member->name);
	if (unlinkat(store->state, path, 0) < 0 && errno != ENOENT)
		return error_system(e, errno, "remove '%s/%s'", store->state_path, path);
	return 0;
}

struct member_walk {
	const struct store *store;
	const char *id;
	int (*each)(const struct net_member *member, void *data, struct error *e);
	void *data;
};

static int visit_interface(const char *name, void *data, struct error *e)
{
	const struct member_walk *walk = data;
	const char *interface = str_after(name, "if-");
	struct net_member member;
	int r;

	if (!interface)
		return 0;
	r = store_load_member(walk->store, walk->id, interface, &member, e);
	if (r)
		return r == -ENOENT ? 0 : r;
	return walk->each(&member, walk->data, e);
}

static int visit_instance(const char *id, void *data, struct error *e)
{
	struct member_walk *walk = data;
	char path[NET_ID_SIZE + 64];

	walk->id = id;
	member_path(path, id, "", "");
	return each_name(walk->store->state, path, walk->store->state_path, visit_interface, walk, e);
}

int store_each_member(const struct store *store, const char *id,
		      int (*each)(const struct net_member *member, void *data, struct error *e), void *data,
		      struct error *e)
{
	struct member_walk walk = {store, id, each, data};

	if (id)
		return visit_instance(id, &walk, e);
	return each_name(store->state, "members", store->state_path, visit_instance, &walk, e);
}

int store_load_ports(const struct store *store, const char *id, const char *name, struct net_port **ret, size_t *ret_n,
		     struct error *e)
{
	auto_free char *text = NULL;
	auto_str list = STR_INIT;
	char path[NET_ID_SIZE + 64];
	int r;

	*ret = NULL;
	*ret_n = 0;
	member_path(path, id, "ports-", name);
	r = file_read(store->state, path, FILE_MAX, &text, NULL);
	if (r == -ENOENT)
		return 0;
	if (r)
		return error_system(e, -r, "read '%s/%s'", store->state_path, path);
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		struct net_port port;

		if (!*line)
			continue;
		r = net_parse_port(line, &port, e);
		if (r) {
			error_context(e, "'%s/%s'", store->state_path, path);
			return r;
		}
		snprintf(port.interface, sizeof(port.interface), "%s", name);
		str_add_bytes(&list, &port, sizeof(port));
	}
	*ret_n = list.size / sizeof(**ret);
	*ret = *ret_n ? (struct net_port *)str_steal(&list) : NULL;
	return 0;
}

int store_save_ports(const struct store *store, const char *id, const char *name, const struct net_port *ports,
		     size_t n, struct error *e)
{
	auto_str text = STR_INIT;
	char path[NET_ID_SIZE + 64], buffer[NET_PORT_TEXT_SIZE];
	int r;

	member_path(path, id, "ports-", name);
	if (!n) {
		unlinkat(store->state, path, 0);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		str_addf(&text, "%s\n", net_print_port(&ports[i], buffer));
	r = store_write(store->state, path, 0600, text.data, text.size);
	return r ? error_system(e, -r, "write '%s/%s'", store->state_path, path) : 0;
}
