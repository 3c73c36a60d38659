/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/hosts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/address.h"

enum { HOSTS_MAX = 4 * 1024 * 1024, GARBAGE_MAX = 16 * 1024 };

static const char head[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/* Our lines end in "# ID INTERFACE", by which they are found again. */
static void add_line(struct str *text, const struct net_address *address, const struct net_member *member,
		     const char *hostname)
{
	char buffer[ADDRESS_TEXT_SIZE];

	if (!address->family)
		return;
	str_addf(text, "%s\t%s", address_print(address, false, buffer), member->id);
	if (*hostname && !str_equal(hostname, member->id))
		str_addf(text, " %s", hostname);
	str_addf(text, "\t# %s %s\n", member->id, member->name);
}

/* Appears with its head or not at all: link(2) of a finished file. */
static int create_hosts(int network_fd)
{
	auto_fd fd = openat(network_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
	char path[32];
	int r = fd < 0 ? -errno : fd_write_all(fd, head, sizeof(head) - 1);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!r && linkat(AT_FDCWD, path, network_fd, "hosts", AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		r = -errno;
	return r;
}

static int open_hosts(int network_fd)
{
	int fd = openat(network_fd, "hosts", O_RDWR | O_APPEND | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		int r = create_hosts(network_fd);

		if (r)
			return r;
		fd = openat(network_fd, "hosts", O_RDWR | O_APPEND | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* A host name is letters, digits, '-' and '.': what goes into a file that others parse is checked. */
static bool is_host_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_");

	return n && !name[n] && n < 254;
}

/* ---- files of instances on several networks ---- */

#define MIRRORS "mirrors"

/* Calls each() with an open descriptor of every instance's own file that mirrors this network's. */
static void each_mirror(int network_fd, void (*each)(int fd, const void *data), const void *data)
{
	int folder = openat(network_fd, MIRRORS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = folder < 0 ? NULL : fdopendir(folder);

	if (!dir) {
		fd_close(folder);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));) {
		auto_fd fd = *entry->d_name == '.'
				 ? -1
				 : openat(folder, entry->d_name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			each(fd, data);
	}
	closedir(dir);
}

static void append_text(int fd, const void *data)
{
	const struct str *text = data;

	if (flock(fd, LOCK_SH) == 0)
		(void)!write(fd, text->data, text->size);
}

static void own_path(const char *id, char path[NET_ID_SIZE + 32])
{
	snprintf(path, NET_ID_SIZE + 32, "members/%s/" HOSTS_OWN, id);
}

int hosts_make_own(const struct store *store, const char *id, struct error *e)
{
	char path[NET_ID_SIZE + 32];
	int r;

	own_path(id, path);
	r = store_write(store->state, path, 0644, head, sizeof(head) - 1);
	return r ? error_system(e, -r, "write '%s/%s'", store->state_path, path) : 0;
}

static bool is_same_file(int fd, int dirfd, const char *path)
{
	struct stat one, other;

	return !fstat(fd, &one) && !fstatat(dirfd, path, &other, AT_SYMLINK_NOFOLLOW) && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* Under the network's exclusive lock nobody adds or removes a line between the copy and the link. */
int hosts_share(const struct store *store, int network_fd, const struct net_member *member, struct error *e)
{
	char path[NET_ID_SIZE + 32], link[NET_ID_SIZE + 16];
	auto_fd network = -1;
	auto_fd own = -1;
	auto_free char *text = NULL;
	struct str lines;
	int r;

	own_path(member->id, path);
	own = openat(store->state, path, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0)
		return errno == ENOENT ? 0 : error_system(e, errno, "open '%s/%s'", store->state_path, path);
	network = open_hosts(network_fd);
	if (network < 0 || flock(network, LOCK_EX) < 0)
		return error_system(e, network < 0 ? -network : errno, "lock the hosts file of network '%s'",
				    member->network);
	snprintf(link, sizeof(link), MIRRORS "/%s", member->id);
	if (is_same_file(own, network_fd, link)) /* by another interface on this network */
		return 0;
	unlinkat(network_fd, link, 0); /* of an instance of this id that is gone */
	if ((mkdirat(network_fd, MIRRORS, 0700) < 0 && errno != EEXIST) ||
	    linkat(store->state, path, network_fd, link, 0) < 0)
		return error_system(e, errno, "link '%s/%s'", store->state_path, path);
	r = fd_read_all(network, HOSTS_MAX, &text, NULL);
	if (r)
		return error_system(e, -r, "read the hosts file of network '%s'", member->network);
	lines = (struct str){.data = text, .size = strlen(text)};
	if (str_after(text, head)) {
		lines.data += sizeof(head) - 1;
		lines.size -= sizeof(head) - 1;
	}
	append_text(own, &lines);
	return 0;
}

static int share_one(const struct net_member *member, void *data, struct error *e)
{
	const struct store *store = data;
	auto_fd network = -1;
	int r = store_open_network(store, member->network, &network, e);

	return r ?: hosts_share(store, network, member, e);
}

int hosts_ensure_own(const struct store *store, const char *id, struct error *e)
{
	char path[NET_ID_SIZE + 32];
	int r = 0;

	own_path(id, path);
	if (faccessat(store->state, path, F_OK, 0) < 0)
		r = hosts_make_own(store, id, e);
	return r ?: store_each_member(store, id, share_one, (void *)store, e);
}

struct unsharing {
	const struct store *store;
	const struct net_member *leaving;
	bool again; /* the second of two walks */
};

static int unshare_one(const struct net_member *member, void *data, struct error *e)
{
	const struct unsharing *unsharing = data;
	char link[NET_ID_SIZE + 16];
	auto_fd network = -1;
	int r = store_open_network(unsharing->store, member->network, &network, e);

	if (r)
		return r;
	snprintf(link, sizeof(link), MIRRORS "/%s", member->id);
	if (!unsharing->again)
		unlinkat(network, link, 0);
	else if (!str_equal(member->name, unsharing->leaving->name) && faccessat(network, link, F_OK, 0) < 0)
		return hosts_share(unsharing->store, network, member, e);
	return 0;
}

void hosts_unshare(const struct store *store, const struct net_member *member)
{
	struct unsharing unsharing = {store, member, false};
	char path[NET_ID_SIZE + 32];
	auto_fd own = -1;

	own_path(member->id, path);
	own = openat(store->state, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0)
		return;
	(void)!store_each_member(store, member->id, unshare_one, &unsharing, NULL);
	if (flock(own, LOCK_EX) == 0)
		(void)!ftruncate(own, sizeof(head) - 1);
	own = fd_close(own);
	unsharing.again = true;
	(void)!store_each_member(store, member->id, unshare_one, &unsharing, NULL);
}

/* ---- lines ---- */

int hosts_add(int network_fd, const struct net_member *member, const char *hostname, struct error *e)
{
	auto_fd fd = open_hosts(network_fd);
	auto_str text = STR_INIT;
	ssize_t n;

	if (fd < 0)
		return error_system(e, -fd, "open the hosts file of network '%s'", member->network);
	if (*hostname && !is_host_name(hostname))
		hostname = "";
	add_line(&text, &member->address4, member, hostname);
	add_line(&text, &member->address6, member, hostname);
	if (!text.size)
		return 0;
	if (flock(fd, LOCK_SH) < 0)
		return error_system(e, errno, "lock the hosts file of network '%s'", member->network);
	n = write(fd, text.data, text.size);
	if (n != (ssize_t)text.size)
		return error_system(e, n < 0 ? errno : ENOSPC, "write the hosts file of network '%s'", member->network);
	each_mirror(network_fd, append_text, &text);
	return 0;
}

/* Writes what is left of text, without blank lines, over the file; readers may see a part of it for a moment. */
static void compact(int fd, const char *text)
{
	auto_str out = STR_INIT;

	for (const char *line = text, *next; *line; line = next) {
		next = strchrnul(line, '\n');
		next += *next == '\n';
		if (*line != ' ' && *line != '\n')
			str_add_bytes(&out, line, next - line);
	}
	if (pwrite(fd, out.data, out.size, 0) == (ssize_t)out.size)
		(void)!ftruncate(fd, out.size);
}

static void blank_lines(int fd, char *text, const char *tail)
{
	for (char *line = text, *end; *line; line = end + 1) {
		size_t n = strlen(tail);

		end = strchr(line, '\n');
		if (!end)
			return;
		if ((size_t)(end - line) > n && !memcmp(end - n, tail, n)) {
			memset(line, ' ', end - line);
			(void)!pwrite(fd, line, end - line, line - text);
		}
	}
}

static size_t count_garbage(const char *text)
{
	size_t n = 0;

	for (const char *line = text, *next; *line; line = next) {
		next = strchrnul(line, '\n');
		next += *next == '\n';
		if (*line == ' ')
			n += next - line;
	}
	return n;
}

/* tail: how the lines end. */
static void remove_lines(int fd, const void *tail)
{
	auto_free char *text = NULL;

	fcntl(fd, F_SETFL, 0); /* without O_APPEND a write goes where it says */
	if (flock(fd, LOCK_SH) < 0 || fd_read_all(fd, HOSTS_MAX, &text, NULL))
		return;
	blank_lines(fd, text, tail);
	if (count_garbage(text) < GARBAGE_MAX || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	free(take_ptr(&text));
	if (lseek(fd, 0, SEEK_SET) == 0 && !fd_read_all(fd, HOSTS_MAX, &text, NULL))
		compact(fd, text);
}

void hosts_remove(int network_fd, const struct net_member *member)
{
	auto_fd fd = openat(network_fd, "hosts", O_RDWR | O_CLOEXEC);
	char tail[NET_ID_SIZE + NET_INTERFACE_SIZE + 8];

	snprintf(tail, sizeof(tail), "\t# %s %s", member->id, member->name);
	if (fd < 0)
		return;
	remove_lines(fd, tail);
	each_mirror(network_fd, remove_lines, tail);
}

/* ---- resolv.conf ---- */

static bool is_server(const char *line, size_t n, struct net_address *ret)
{
	static const char key[] = "nameserver";
	char copy[128], *value, *end;

	if (n >= sizeof(copy) || n < sizeof(key) || memcmp(line, key, sizeof(key) - 1) ||
	    !strchr(" \t", line[sizeof(key) - 1]))
		return false;
	memcpy(copy, line, n);
	copy[n] = 0;
	value = copy + sizeof(key) - 1;
	value += strspn(value, " \t");
	end = value + strcspn(value, " \t\r#;%");
	*end = 0;
	return !address_parse(value, ret);
}

char *hosts_filter_resolv(const char *text, unsigned *ret_servers)
{
	auto_str out = STR_INIT;

	*ret_servers = 0;
	str_add(&out, "");
	for (const char *line = text, *next; *line; line = next) {
		struct net_address server;
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		if (is_server(line, n, &server)) {
			if (address_is_loopback(&server) || address_is_any(&server))
				continue;
			++*ret_servers;
		}
		str_add_bytes(&out, line, n);
		str_add(&out, "\n");
	}
	return str_steal(&out);
}

int hosts_write_resolv(const struct store *store, struct error *e)
{
	/* The second is what systemd-resolved knows when the first names only its stub. */
	static const char *const sources[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
	auto_free char *text = NULL;
	auto_free char *old = NULL;
	auto_fd lock = -1;
	unsigned servers = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(sources) && !servers; i++) {
		auto_free char *source = NULL;

		if (file_read(AT_FDCWD, sources[i], HOSTS_MAX, &source, NULL))
			continue;
		free(text);
		text = hosts_filter_resolv(source, &servers);
	}
	if (!text)
		text = strdup("");
	if (!file_read(store->state, "resolv.conf", HOSTS_MAX, &old, NULL) && str_equal(old, text))
		return 0;
	r = store_lock_networks(store, &lock, e);
	if (r)
		return r;
	r = store_write(store->state, "resolv.conf", 0644, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/resolv.conf'", store->state_path) : 0;
}
