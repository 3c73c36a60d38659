/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/unpack_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/sys.h"
#include "storage/store.h"
#include "storage/whiteout.h"

enum { HOLE = 4096 }; /* zeros are looked for in pieces of this size, and not written */

static const char whiteout[] = ".wh.", opaque[] = ".wh..wh..opq", aufs[] = ".wh..wh.";

/*
 * What a folder gets at the end: its times, which change with its content, and what it would hand down to its content, the set-group-id
 * bit and a default ACL.
 */
struct folder {
	struct timespec mtime;
	mode_t mode;
	size_t path, acl; /* their sizes; both follow */
};

static const char default_acl[] = "system.posix_acl_default";

void tree_init(struct tree *tree, int fd, uint32_t flags, const struct unpack_limits *limits, struct tar_reader *tar,
	       struct frame_writer *frame, struct unpack_result *result)
{
	*tree = (struct tree){
	    .fd = fd, .flags = flags, .limits = *limits, .tar = tar, .frame = frame, .result = result, .parent = -1};
}

void tree_release(struct tree *tree)
{
	tree->parent = fd_close(tree->parent);
	str_release(&tree->folders);
}

/* ---- names ---- */

int tree_clean_name(const char *name, uint64_t depth, char ret[UNPACK_NAME_SIZE], struct error *e)
{
	size_t size = 0;
	uint64_t parts = 0;

	if (*name == '/')
		return error_refuse(e, ERROR_INVALID, "its name '%.512s' is absolute", name);
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && name[0] == '.' && name[1] == '.')
			return error_refuse(e, ERROR_INVALID, "'..' in its name '%.512s' would lead out of the root",
					    name);
		if (n && !(n == 1 && *name == '.')) {
			if (size + n + 2 > UNPACK_NAME_SIZE)
				return error_refuse(e, ERROR_LIMIT, "its name is longer than %d bytes",
						    UNPACK_NAME_SIZE - 1);
			if (size)
				ret[size++] = '/';
			memcpy(ret + size, name, n);
			size += n;
			if (depth && ++parts > depth)
				return error_refuse(e, ERROR_LIMIT, "it lies deeper than %llu folders",
						    (unsigned long long)depth);
		}
		name += n + (name[n] == '/');
	}
	ret[size] = 0;
	return 0;
}

bool tree_is_image_archive(const char *name)
{
	static const char *const names[] = {"oci-layout", "index.json", "manifest.json", "repositories", "blobs"};
	char hex[STORE_HEX_SIZE];
	size_t n;

	while (name[0] == '.' && name[1] == '/')
		name += 2;
	n = strcspn(name, "/");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (n == strlen(names[i]) && !memcmp(name, names[i], n))
			return true;
	if (n != STORE_HEX_SIZE - 1 && !(n == STORE_HEX_SIZE + 3 && !memcmp(name + n - 4, ".tar", 4)) &&
	    !(n == STORE_HEX_SIZE + 4 && !memcmp(name + n - 5, ".json", 5)))
		return false;
	memcpy(hex, name, STORE_HEX_SIZE - 1);
	hex[STORE_HEX_SIZE - 1] = 0;
	return store_is_hex(hex);
}

static int explain(int code, const char *doing, struct error *e)
{
	switch (code) {
	case EXDEV:
		return error_refuse(e, ERROR_INVALID, "a symbolic link on its way leads out of the root");
	case ELOOP:
		return error_refuse(e, ERROR_INVALID, "symbolic links on its way lead round in a circle");
	case ENOTDIR:
		return error_refuse(e, ERROR_INVALID, "something on its way is not a folder");
	}
	return error_system(e, code, "%s", doing);
}

static int open_beneath(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd = sys_openat2(root, *path ? path : ".", &how);

	return fd < 0 ? -errno : fd;
}

/* Opens a folder, which and what leads to it are made where missing. */
static int open_folder(struct tree *tree, const char *path, int *ret_fd, struct error *e)
{
	/* As a folder on the way, a link is followed (within the root), also when it is the last on the way. */
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	char above[UNPACK_NAME_SIZE];
	const char *slash = strrchr(path, '/');
	auto_fd above_fd = -1;
	int fd = sys_openat2(tree->fd, *path ? path : ".", &how), r;

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno != ENOENT || !*path)
		return explain(errno, "open the folder it is in", e);
	memcpy(above, path, slash ? (size_t)(slash - path) : 0);
	above[slash ? slash - path : 0] = 0;
	r = open_folder(tree, above, &above_fd, e);
	if (r)
		return r;
	if (mkdirat(above_fd, slash ? slash + 1 : path, 0755) < 0)
		return error_system(e, errno, "make the folder it is in");
	fd = sys_openat2(tree->fd, path, &how);
	if (fd < 0)
		return explain(errno, "open the folder it is in", e);
	tree->result->disk += HOLE;
	*ret_fd = fd;
	return 0;
}

/* The folder that holds path, and the name within.  The descriptor is the tree's: most members follow their siblings. */
static int open_parent(struct tree *tree, const char *path, int *ret_fd, const char **ret_name, struct error *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? slash - path : 0;
	int r;

	*ret_name = slash ? slash + 1 : path;
	if (tree->parent >= 0 && strlen(tree->parent_path) == n && !memcmp(tree->parent_path, path, n)) {
		*ret_fd = tree->parent;
		return 0;
	}
	tree->parent = fd_close(tree->parent);
	memcpy(tree->parent_path, path, n);
	tree->parent_path[n] = 0;
	r = open_folder(tree, tree->parent_path, &tree->parent, e);
	*ret_fd = tree->parent;
	return r;
}

/* ---- marks of overlayfs ---- */

static const char *opaque_name(const struct tree *tree)
{
	return tree->flags & UNPACK_ROOTLESS ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

static int make_opaque(struct tree *tree, int fd, struct error *e)
{
	if (fsetxattr(fd, opaque_name(tree), "y", 1, 0) < 0)
		return error_system(e, errno, "set '%s'", opaque_name(tree));
	return 0;
}

static int add_whiteout(struct tree *tree, int parent, const char *name, struct error *e)
{
	struct stat st;

	if (!*name || str_equal(name, ".") || str_equal(name, ".."))
		return error_refuse(e, ERROR_INVALID, "a whiteout of nothing");
	if (mknodat(parent, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return error_system(e, errno, "make the whiteout");
	/* It hides what the layers below have of that name; what this one has stays, and shows nothing of them. */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_system(e, errno, "look at it");
	if (S_ISDIR(st.st_mode)) {
		auto_fd fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		return fd < 0 ? error_system(e, errno, "open it") : make_opaque(tree, fd, e);
	}
	return 0;
}

/* ---- what every kind has ---- */

static int set_owner(struct tree *tree, int parent, const char *name, const struct tar_member *member, struct error *e)
{
	if (member->uid >= UINT32_MAX || member->gid >= UINT32_MAX)
		return error_refuse(e, ERROR_INVALID, "its owner %llu:%llu can't be", (unsigned long long)member->uid,
				    (unsigned long long)member->gid);
	if (!member->uid && !member->gid)
		return 0;
	if (!fchownat(parent, name, member->uid, member->gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return 0;
	if (tree->flags & UNPACK_ROOTLESS && (errno == EINVAL || errno == EPERM)) {
		tree->result->owners++;
		return 0;
	}
	return error_system(e, errno, "give it to %llu:%llu", (unsigned long long)member->uid,
			    (unsigned long long)member->gid);
}

static bool is_overlay_attribute(const char *name)
{
	return str_after(name, "trusted.overlay.") || str_after(name, "user.overlay.");
}

static bool is_kept_attribute(const char *name)
{
	return str_after(name, "user.") || str_equal(name, "security.capability") ||
	       str_equal(name, "system.posix_acl_access") || str_equal(name, default_acl);
}

static int check_attributes(const struct tar_member *member, struct error *e)
{
	for (size_t i = 0; i < member->n_xattrs; i++) {
		const char *name = member->texts + member->xattrs[i].name;

		if (is_overlay_attribute(name))
			return error_refuse(e, ERROR_INVALID,
					    "it has the extended attribute '%.128s', by which overlayfs would be led",
					    name);
	}
	return 0;
}

static int set_attribute(struct tree *tree, int fd, const char *name, const char *value, size_t size, struct error *e)
{
	if (!fsetxattr(fd, name, value, size, 0))
		return 0;
	if (errno != ENOTSUP && !(tree->flags & UNPACK_ROOTLESS && (errno == EPERM || errno == EINVAL)))
		return error_system(e, errno, "set its extended attribute '%.128s'", name);
	tree->result->attributes++;
	return 0;
}

/* fd -1: of what can't have any.  A default ACL, which only folders have, waits for tree_finish(). */
static int set_attributes(struct tree *tree, int fd, const struct tar_member *member, struct error *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < member->n_xattrs; i++) {
		const struct tar_xattr *xattr = &member->xattrs[i];
		const char *name = member->texts + xattr->name;

		if (fd < 0 || !is_kept_attribute(name))
			tree->result->attributes++;
		else if (member->type != TAR_FOLDER || !str_equal(name, default_acl))
			r = set_attribute(tree, fd, name, member->texts + xattr->value, xattr->size, e);
	}
	return r;
}

static struct timespec time_of(const struct tar_member *member)
{
	return (struct timespec){.tv_sec = member->mtime, .tv_nsec = member->mtime_ns};
}

static int set_time(int parent, const char *name, struct timespec mtime, struct error *e)
{
	struct timespec times[2] = {mtime, mtime};

	if ((name ? utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) : futimens(parent, times)) < 0)
		return error_system(e, errno, "set its time");
	return 0;
}

/* Takes away what has the name, so that nothing is written through it.  ret_was_whiteout may be NULL. */
static int make_room(struct tree *tree, int parent, const char *name, bool *ret_was_whiteout, struct error *e)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_system(e, errno, "look at what is there");
	if (ret_was_whiteout)
		*ret_was_whiteout = is_whiteout(&st);
	if (S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size)
		frame_break(tree->frame); /* its content is in the archive, but no longer in the tree */
	if (unlinkat(parent, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return error_system(e, errno, "replace what an earlier member made");
	return 0;
}

/* ---- kinds ---- */

static int write_piece(int fd, const unsigned char *data, size_t size, uint64_t at, uint64_t *ret_disk,
		       uint64_t *ret_end)
{
	static const unsigned char zeros[HOLE];

	/* Up to the next multiple of a piece, then whole ones. */
	while (size) {
		size_t n = HOLE - at % HOLE;

		if (n > size)
			n = size;
		if (!memcmp(data, zeros, n)) { /* the file is new: what is not written reads as zeros */
			at += n;
		} else {
			/* Everything up to the next hole in one call. */
			size_t whole = n;
			ssize_t done;

			while (size - whole >= HOLE && memcmp(data + whole, zeros, HOLE))
				whole += HOLE;
			if (size - whole < HOLE)
				whole = size;
			done = pwrite(fd, data, whole, at);
			if (done < 0 && errno == EINTR)
				continue;
			if (done < 0)
				return -errno;
			n = done;
			at += n;
			*ret_disk += n;
			*ret_end = at;
		}
		data += n;
		size -= n;
	}
	return 0;
}

static int write_content(struct tree *tree, int fd, const char *path, const struct tar_member *member, struct error *e)
{
	uint64_t disk = 0, written = 0;

	for (size_t i = 0; i < member->n_parts; i++) {
		uint64_t at = member->parts[i].offset, end = at + member->parts[i].size;

		while (at < end) {
			const unsigned char *data;
			size_t n, done = 0;
			int r = tar_read(tree->tar, true, &data, &n, e);

			if (r)
				return r;
			/* A piece of the stream may reach into the next parts. */
			while (done < n) {
				size_t here = n - done < end - at ? n - done : end - at;

				r = write_piece(fd, data + done, here, at, &disk, &written);
				if (r)
					return error_system(e, -r, "write");
				done += here;
				at += here;
				while (at == end && done < n && i + 1 < member->n_parts) {
					i++;
					at = member->parts[i].offset;
					end = at + member->parts[i].size;
				}
			}
		}
	}
	if (written != member->size && ftruncate(fd, member->size) < 0)
		return error_system(e, errno, "write");
	tree->result->disk += (disk + HOLE - 1) / HOLE * HOLE;
	if (member->stored) {
		int r = frame_add_file(tree->frame, path, member->size, member->parts, member->n_parts);

		if (r)
			return error_system(e, -r, "write the frame");
	}
	return 0;
}

static int add_file(struct tree *tree, int parent, const char *name, const char *path, const struct tar_member *member,
		    struct error *e)
{
	mode_t mode = member->mode & 0777; /* there is no umask; the other bits go when the owner changes */
	auto_fd fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0 && errno == EEXIST) {
		r = make_room(tree, parent, name, NULL, e);
		if (r)
			return r;
		fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	}
	if (fd < 0)
		return error_system(e, errno, "make the file");
	r = write_content(tree, fd, path, member, e) ?: set_owner(tree, fd, "", member, e);
	if (!r && mode != member->mode && fchmod(fd, member->mode) < 0)
		r = error_system(e, errno, "set its mode");
	return r ?: set_attributes(tree, fd, member, e) ?: set_time(fd, NULL, time_of(member), e);
}

static int remember_folder(struct tree *tree, const char *path, const struct tar_member *member)
{
	struct folder folder = {.mtime = time_of(member), .mode = member->mode, .path = strlen(path)};
	const char *acl = NULL;

	for (size_t i = 0; i < member->n_xattrs; i++)
		if (str_equal(member->texts + member->xattrs[i].name, default_acl)) {
			acl = member->texts + member->xattrs[i].value;
			folder.acl = member->xattrs[i].size;
		}
	str_add_bytes(&tree->folders, &folder, sizeof(folder));
	str_add_bytes(&tree->folders, path, folder.path);
	if (folder.acl)
		str_add_bytes(&tree->folders, acl, folder.acl);
	return 0;
}

static int furnish_folder(struct tree *tree, int fd, const char *path, const struct tar_member *member, struct error *e)
{
	int r = set_owner(tree, fd, "", member, e);

	return r ?: set_attributes(tree, fd, member, e) ?: remember_folder(tree, path, member);
}

static int add_folder(struct tree *tree, int parent, const char *name, const char *path,
		      const struct tar_member *member, struct error *e)
{
	bool was_whiteout = false;
	auto_fd fd = -1;
	int r = 0;

	if (mkdirat(parent, name, 0700) < 0) {
		if (errno != EEXIST)
			return error_system(e, errno, "make the folder");
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			r = make_room(tree, parent, name, &was_whiteout, e);
			if (r)
				return r;
			if (mkdirat(parent, name, 0700) < 0)
				return error_system(e, errno, "make the folder");
		}
	} else {
		tree->result->disk += HOLE;
	}
	if (fd < 0)
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_system(e, errno, "open the folder");
	if (was_whiteout)
		r = make_opaque(tree, fd, e);
	return r ?: furnish_folder(tree, fd, path, member, e);
}

static int add_hard_link(struct tree *tree, int parent, const char *name, const struct tar_member *member,
			 struct error *e)
{
	char path[UNPACK_NAME_SIZE], above[UNPACK_NAME_SIZE];
	struct stat ours, theirs;
	const char *slash;
	auto_fd folder = -1;
	int r = tree_clean_name(member->link, tree->limits.depth, path, e);

	if (r) {
		error_context(e, "its link's target");
		return r;
	}
	slash = strrchr(path, '/');
	memcpy(above, path, slash ? (size_t)(slash - path) : 0);
	above[slash ? slash - path : 0] = 0;
	folder = open_beneath(tree->fd, above, O_PATH | O_DIRECTORY);
	if (folder < 0 && folder != -ENOENT)
		return explain(-folder, "look its link's target up", e);
	slash = slash ? slash + 1 : path;
	if (folder < 0 || !*slash || fstatat(folder, slash, &theirs, AT_SYMLINK_NOFOLLOW) < 0)
		return error_refuse(e, ERROR_INVALID, "it is a hard link to '%.512s', which is not in this archive",
				    member->link);
	if (!fstatat(parent, name, &ours, AT_SYMLINK_NOFOLLOW)) {
		if (ours.st_ino == theirs.st_ino)
			return 0;
		r = make_room(tree, parent, name, NULL, e);
		if (r)
			return r;
	}
	if (linkat(folder, slash, parent, name, 0) < 0)
		return error_system(e, errno, "link it to '%.512s'", member->link);
	return 0;
}

static int add_symlink(struct tree *tree, int parent, const char *name, const struct tar_member *member,
		       struct error *e)
{
	int r;

	if (symlinkat(member->link, parent, name) < 0) {
		if (errno != EEXIST)
			return error_system(e, errno, "make the symbolic link");
		r = make_room(tree, parent, name, NULL, e);
		if (r)
			return r;
		if (symlinkat(member->link, parent, name) < 0)
			return error_system(e, errno, "make the symbolic link");
	}
	return set_owner(tree, parent, name, member, e) ?:
	       set_attributes(tree, -1, member, e) ?: set_time(parent, name, time_of(member), e);
}

static int add_node(struct tree *tree, int parent, const char *name, const char *path, const struct tar_member *member,
		    struct error *e)
{
	mode_t type = member->type == TAR_FIFO ? S_IFIFO : member->type == TAR_BLOCK ? S_IFBLK : S_IFCHR;
	dev_t number = makedev(member->major, member->minor);
	int r;

	if (member->type != TAR_FIFO) {
		if (member->major >= 1 << 12 || member->minor >= 1 << 20)
			return error_refuse(e, ERROR_INVALID, "its device number %llu:%llu can't be",
					    (unsigned long long)member->major, (unsigned long long)member->minor);
		if (!number && type == S_IFCHR)
			return error_refuse(e, ERROR_INVALID,
					    "it is the character device 0:0, which overlayfs takes for a whiteout");
		if (tree->flags & UNPACK_NO_DEVICES) {
			if (!str_after(path, "dev/"))
				return error_refuse(e, ERROR_PERMISSION,
						    "it is a device node, which is not allowed here");
			tree->result->devices++;
			return 0;
		}
	}
	r = make_room(tree, parent, name, NULL, e);
	if (r)
		return r;
	if (mknodat(parent, name, type | member->mode, number) < 0)
		return error_system(e, errno, "make the node");
	return set_owner(tree, parent, name, member, e) ?:
	       set_attributes(tree, -1, member, e) ?: set_time(parent, name, time_of(member), e);
}

/* ---- members ---- */

static int add_root(struct tree *tree, const struct tar_member *member, struct error *e)
{
	auto_fd fd = -1;

	if (member->type != TAR_FOLDER)
		return error_refuse(e, ERROR_INVALID, "it would be the root, but is not a folder");
	fd = open_beneath(tree->fd, ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return error_system(e, -fd, "open the root");
	return furnish_folder(tree, fd, "", member, e);
}

static int add_by_type(struct tree *tree, int parent, const char *name, const char *path,
		       const struct tar_member *member, struct error *e)
{
	switch (member->type) {
	case TAR_FOLDER:
		return add_folder(tree, parent, name, path, member, e);
	case TAR_HARD_LINK:
		return add_hard_link(tree, parent, name, member, e);
	case TAR_SYMLINK:
		return add_symlink(tree, parent, name, member, e);
	case TAR_FILE:
		return add_file(tree, parent, name, path, member, e);
	}
	return add_node(tree, parent, name, path, member, e);
}

static int add(struct tree *tree, const struct tar_member *member, struct error *e)
{
	char path[UNPACK_NAME_SIZE];
	const char *name;
	int parent, r = tree_clean_name(member->name, tree->limits.depth, path, e) ?: check_attributes(member, e);

	if (r)
		return r;
	if (!*path)
		return add_root(tree, member, e);
	tree->apparent += member->type == TAR_FILE ? member->size : 0;
	if (tree->limits.size && (member->size > tree->limits.size || tree->apparent > tree->limits.size))
		return error_refuse(e, ERROR_LIMIT, "with it the files are more than %llu bytes (--max-size)",
				    (unsigned long long)tree->limits.size);
	r = open_parent(tree, path, &parent, &name, e);
	if (r)
		return r;
	if (str_equal(name, opaque))
		return make_opaque(tree, parent, e);
	if (str_after(name, aufs))
		return 0; /* what aufs kept for itself */
	if (str_after(name, whiteout))
		return add_whiteout(tree, parent, name + sizeof(whiteout) - 1, e);
	return add_by_type(tree, parent, name, path, member, e);
}

int tree_add(struct tree *tree, const struct tar_member *member, struct error *e)
{
	int r = tree->limits.entries && tree->tar->entries > tree->limits.entries
		    ? error_refuse(e, ERROR_LIMIT, "there are more than %llu members (--max-entries)",
				   (unsigned long long)tree->limits.entries)
		    : add(tree, member, e);

	/* What reads on in the archive names the member itself. */
	if (r && e && !strstr(e->text, "member '"))
		error_context(e, "member '%.512s'", member->name);
	return r;
}

static int finish_folder(struct tree *tree, int fd, const struct folder *folder, const char *acl, struct error *e)
{
	int r = 0;

	if (fchmod(fd, folder->mode) < 0)
		return error_system(e, errno, "set its mode");
	if (folder->acl)
		r = set_attribute(tree, fd, default_acl, acl, folder->acl, e);
	return r ?: set_time(fd, NULL, folder->mtime, e);
}

int tree_finish(struct tree *tree, struct error *e)
{
	size_t at = 0;

	while (at < tree->folders.size) {
		char path[UNPACK_NAME_SIZE];
		const char *acl;
		struct folder folder;
		auto_fd fd = -1;
		int r;

		memcpy(&folder, tree->folders.data + at, sizeof(folder));
		at += sizeof(folder);
		memcpy(path, tree->folders.data + at, folder.path);
		path[folder.path] = 0;
		acl = tree->folders.data + at + folder.path;
		at += folder.path + folder.acl;
		fd = open_beneath(tree->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fd < 0)
			continue; /* a later member took its place */
		r = finish_folder(tree, fd, &folder, acl, e);
		if (r) {
			error_context(e, "member '%.512s'", path);
			return r;
		}
	}
	return 0;
}
