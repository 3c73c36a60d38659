/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/tree.h"

#define INSTANCES "instances"

static bool asks(const struct spec_holm *holm)
{
	return holm && (holm->image || holm->storage.size || holm->storage.inodes || holm->storage.is_volatile);
}

/* Is the bundle DATA/instances/ID?  Without a data folder it is not. */
static bool is_instance(const struct store *store, const char *id, int bundle)
{
	auto_fd instances = -1;
	struct error ignored;
	struct stat a, b;

	return !store_open_folder(store, INSTANCES, false, &instances, &ignored) &&
	       !fstatat(instances, id, &a, AT_SYMLINK_NOFOLLOW) && !fstat(bundle, &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int rootfs_plan(struct rootfs *f, const struct runtime *runtime, const struct spec *spec, const char *id, int bundle,
		const char *path, struct error *e)
{
	const struct spec_holm *holm = spec->holm;
	bool made = root_exists(bundle);
	int r;

	if (!made && !asks(holm))
		return 0;
	if (!runtime->data)
		return error_refuse(e, ERROR_STATE,
				    "there is no data folder: give --data DIR, or set HOME or "
				    "XDG_DATA_HOME");
	if (!spec->linux_.namespaces[SPEC_NS_MOUNT].present)
		return error_refuse(e, ERROR_INVALID, "holm.%s: needs a mount namespace in linux.namespaces",
				    holm && holm->image ? "image" : "storage");
	r = store_open(runtime->data, false, &f->store, e);
	if (r)
		return r;
	f->store.rootless = runtime->rootless;
	f->owned = !is_instance(&f->store, id, bundle);
	if (f->owned && !asks(holm)) /* a root.json of somebody else's */
		return 0;
	if (*id == '.') /* what lies in the store is found by names that do not */
		return error_refuse(e, ERROR_INVALID, "holm.%s: the id '%s' of a container begins with a dot",
				    holm && holm->image ? "image" : "storage", id);
	f->used = true;
	if (!f->owned) {
		f->folder = fcntl(bundle, F_DUPFD_CLOEXEC, 3);
		if (f->folder < 0)
			return error_system(e, errno, "use the instance's folder");
	}
	if (holm) {
		f->request = (struct root_request){
		    .image = holm->image, .size = holm->storage.size, .inodes = holm->storage.inodes};
		f->limits = (struct root_limits){holm->storage.size, holm->storage.inodes};
		f->view.limits = &f->limits;
		/* A root that goes with its container never has to outlive the host, and to unmount it would flush all of the disk. */
		f->view.is_volatile = f->owned || holm->storage.is_volatile;
		f->request.is_volatile = f->view.is_volatile;
	}
	/* A data folder that is not there yet can be on any file system. */
	f->counted = !runtime->rootless && (f->store.fd < 0 || quota_counts(f->store.fd));
	f->view.read_only = spec->root_readonly;
	if (!f->request.image)
		f->request.folder = path;
	return 0;
}

static int make_folder(struct rootfs *f, const char *data, const char *id, struct error *e)
{
	auto_fd instances = -1;
	int r = f->store.fd < 0 ? store_open(data, true, &f->store, e) : 0;

	if (!r)
		r = store_open_folder(&f->store, INSTANCES, true, &instances, e);
	if (r)
		return r;
	if (mkdirat(instances, id, 0700) < 0) {
		if (errno == EEXIST)
			return error_refuse(e, ERROR_EXISTS, "'%s' is the name of an instance in '%s'", id, data);
		return error_system(e, errno, "make '%s/" INSTANCES "/%s'", data, id);
	}
	r = fd_open(instances, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &f->folder, e);
	if (r)
		unlinkat(instances, id, AT_REMOVEDIR);
	return r;
}

int rootfs_make(struct rootfs *f, const char *data, const char *id, struct error *e)
{
	struct error ignored;
	bool rootless = f->store.rootless;
	int r = f->owned ? make_folder(f, data, id, e) : 0;

	f->store.rootless = rootless;
	if (r || root_exists(f->folder))
		return r;
	r = root_create(&f->store, f->folder, id, &f->request, e);
	if (r && f->owned && rootfs_remove(data, rootless, id, &ignored))
		log_warning("%s", ignored.text);
	return r;
}

int rootfs_open(struct rootfs *f, int user_namespace, int *ret_tree, struct error *e)
{
	f->view.user_namespace = user_namespace;
	return root_open(&f->store, f->folder, &f->view, ret_tree, e);
}

void rootfs_release(struct rootfs *f)
{
	store_close(&f->store);
	f->folder = fd_close(f->folder);
}

static int remove_once(const char *data, bool rootless, const char *id, struct error *e)
{
	auto_store store = STORE_INIT;
	auto_fd instances = -1, folder = -1;
	int r = store_open(data, false, &store, e);

	if (r)
		return r;
	store.rootless = rootless;
	r = store_open_folder(&store, INSTANCES, false, &instances, e);
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	folder = openat(instances, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return errno == ENOENT ? 0 : error_system(e, errno, "open '%s/" INSTANCES "/%s'", data, id);
	/* An instance of that name is not the container's: it was found when the folder was to be made, or came since. */
	if (!faccessat(folder, "config.json", F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	r = root_remove(&store, folder, e);
	return r ? r : tree_remove(instances, id, e);
}

/* What fails in passing, for want of memory say, must not leave a whole root behind. */
int rootfs_remove(const char *data, bool rootless, const char *id, struct error *e)
{
	return remove_once(data, rootless, id, e) ? remove_once(data, rootless, id, e) : 0;
}
