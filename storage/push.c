/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/push.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/tree.h"
#include "storage/jsonfile.h"
#include "storage/overlay.h"
#include "storage/root_parts.h"

#define RECORD "push.json"

void push_release(struct push *push)
{
	push->lock = fd_close(push->lock);
}

/* ---- making ---- */

int64_t push_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int write_record(int folder, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);

	json_open_object(&w, NULL);
	json_put_int(&w, "created", push_now());
	json_close(&w);
	return jsonfile_write(folder, RECORD, &w, e);
}

/*
 * tmp/X becomes pushes/ID.  Its lock stays: it is the folder's.  No fsync(2): file systems with a journal keep renames in order, so that
 * a record that names the push is never on the disk before it.
 */
static int publish(const struct store *store, struct store_tmp *tmp, struct push *ret, struct error *e)
{
	auto_fd pushes = -1, folder = -1;
	uint64_t number;
	int r = store_open_folder(store, ROOT_PUSHES, true, &pushes, e);

	if (!r)
		r = store_open_folder(store, "tmp", false, &folder, e);
	if (!r)
		r = write_record(tmp->fd, e);
	if (r)
		return r;
	do {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return error_system(e, errno, "getrandom");
		snprintf(ret->id, sizeof(ret->id), "%016" PRIx64, number);
	} while (renameat2(folder, tmp->name, pushes, ret->id, RENAME_NOREPLACE) < 0 && errno == EEXIST);
	if (!faccessat(folder, tmp->name, F_OK, AT_SYMLINK_NOFOLLOW))
		return error_system(e, errno, "name a push");
	*tmp->name = 0;
	ret->lock = take_fd(&tmp->fd);
	return 0;
}

/* A fresh upper with the attributes of the old one, as tmp/X/tree. */
static int make_successor(const struct store *store, int folder, const struct root *root, int tmp, struct error *e)
{
	struct copy copy = {.flags = COPY_OWNERS | COPY_SET_IDS | COPY_XATTRS};
	auto_fd old = -1, fresh = -1;
	int r = root_open_upper(store, folder, root, &old, e);

	if (!r)
		r = root_renew_upper(store, tmp, root, e);
	if (!r)
		r = fd_open(tmp, ROOT_UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &fresh, e);
	if (!r)
		r = copy_attributes(old, fresh, &copy, e);
	if (!r && renameat(tmp, ROOT_UPPER, tmp, ROOT_TREE) < 0)
		r = error_system(e, errno, "rename '" ROOT_UPPER "'");
	if (!r && unlinkat(tmp, ROOT_WORK, AT_REMOVEDIR) < 0)
		r = error_system(e, errno, "remove '" ROOT_WORK "'");
	return r;
}

static void append(struct root *root, struct arena *arena, const char *id)
{
	const char **pushes = arena_array(arena, const char *, root->n_pushes + 1);

	if (root->n_pushes)
		memcpy(pushes, root->pushes, root->n_pushes * sizeof(*pushes));
	pushes[root->n_pushes++] = arena_strdup(arena, id);
	root->pushes = pushes;
}

int push_settle(int folder, struct root *root, struct error *e)
{
	char boot[BOOT_ID_SIZE];
	int r;

	if (!root->boot)
		return 0;
	r = proc_boot_id(boot);
	if (r)
		return error_system(e, -r, "read the boot id");
	if (!str_equal(boot, root->boot))
		return error_refuse(
		    e, ERROR_STATE,
		    "its storage is volatile, and the host was restarted since: nothing it wrote counts");
	if (syncfs(folder) < 0)
		return error_system(e, errno, "flush what was written");
	root->boot = NULL;
	return 0;
}

/* top/upper becomes an empty folder with the same attributes, at once. */
static int empty_upper(int top, int upper, struct error *e)
{
	struct copy copy = {.flags = COPY_OWNERS | COPY_SET_IDS | COPY_XATTRS};
	auto_fd fresh = -1;
	int r = tree_remove(top, "fresh", e);

	if (!r && mkdirat(top, "fresh", 0700) < 0)
		r = error_system(e, errno, "make a new '" ROOT_UPPER "'");
	if (!r)
		r = fd_open(top, "fresh", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &fresh, e);
	if (!r)
		r = copy_attributes(upper, fresh, &copy, e);
	if (!r && renameat2(top, ROOT_UPPER, top, "fresh", RENAME_EXCHANGE) < 0)
		r = error_system(e, errno, "exchange '" ROOT_UPPER "' for an empty one");
	return r ? r : tree_remove(top, "fresh", e);
}

/* The upper in a disk image: its content goes into a push, and then out of the image. */
static int move_out(const struct store *store, int folder, struct root *root, struct arena *arena, struct push *push,
		    struct error *e)
{
	struct root pushed = *root;
	auto_fd top = -1, upper = -1;
	int r = root_open_top(folder, root, &top, e);

	if (!r)
		r = fd_open(top, ROOT_UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &upper, e);
	if (!r)
		r = push_copy(store, upper, NULL, push, e);
	if (!r)
		r = push_flush(push, e);
	if (r)
		return r;
	append(&pushed, arena, push->id);
	r = root_save(folder, &pushed, e);
	if (r)
		return r;
	*root = pushed;
	/* From here on what is still in upper is only there twice. */
	return empty_upper(top, upper, e);
}

static int exchange(const struct store *store, int folder, struct root *root, struct arena *arena, struct push *push,
		    struct store_tmp *tmp, struct error *e)
{
	struct root pushed = *root;
	const char *id = push->id;
	struct error ignored;
	int r = store_tmp_make(store, "push", tmp, e);

	if (!r)
		r = make_successor(store, folder, root, tmp->fd, e);
	if (!r)
		r = publish(store, tmp, push, e);
	if (r)
		return r;
	append(&pushed, arena, push->id);
	r = root_save(folder, &pushed, e);
	if (!r && renameat2(folder, ROOT_UPPER, push->lock, ROOT_TREE, RENAME_EXCHANGE) < 0) {
		r = error_system(e, errno, "exchange '" ROOT_UPPER "' for an empty one");
		if (root_save(folder, root, &ignored))
			log_warning("%s", ignored.text);
	}
	if (r) {
		push_release(push);
		if (push_drop(store, &id, 1, &ignored))
			log_warning("%s", ignored.text);
		return r;
	}
	*root = pushed;
	return 0;
}

int push_check_room(const struct root *root, bool runs, struct error *e)
{
	size_t n = root_count_lowers(root);

	if (n + 1 < OVERLAY_MAX_LOWERS || (runs && n + 1 == OVERLAY_MAX_LOWERS))
		return 0;
	return error_refuse(e, ERROR_LIMIT, "its root has %zu layers, and overlayfs takes at most %d%s", n,
			    OVERLAY_MAX_LOWERS,
			    n < OVERLAY_MAX_LOWERS ? "; while it runs it can still be copied, which adds none" : "");
}

int push_make(const struct store *store, int folder, struct root *root, struct arena *arena, struct push *ret,
	      struct error *e)
{
	struct store_tmp tmp = STORE_TMP_INIT;
	int r = push_settle(folder, root, e);

	if (r)
		return r;
	r = root->quota == QUOTA_DISK ? move_out(store, folder, root, arena, ret, e)
				      : exchange(store, folder, root, arena, ret, &tmp, e);
	store_tmp_drop(store, &tmp);
	return r;
}

int push_begin(const struct store *store, struct push *ret, int *ret_tree, struct error *e)
{
	struct store_tmp tmp = STORE_TMP_INIT;
	int r = store_tmp_make(store, "push", &tmp, e);

	if (!r && mkdirat(tmp.fd, ROOT_TREE, 0755) < 0)
		r = error_system(e, errno, "make a folder for a push");
	if (!r)
		r = fd_open(tmp.fd, ROOT_TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, ret_tree, e);
	if (!r)
		r = publish(store, &tmp, ret, e);
	store_tmp_drop(store, &tmp);
	return r;
}

int push_copy(const struct store *store, int upper, const struct copy_pause *pause, struct push *ret, struct error *e)
{
	struct copy copy = {.flags = COPY_LAYER};
	const char *id = ret->id;
	struct error ignored;
	auto_fd tree = -1;
	int r = push_begin(store, ret, &tree, e);

	if (r)
		return r;
	r = pause ? copy_moving(upper, tree, pause, &copy, e) : copy_folder(upper, tree, true, &copy, e);
	if (!r)
		return 0;
	push_release(ret);
	if (push_drop(store, &id, 1, &ignored))
		log_warning("%s", ignored.text);
	return r;
}

int push_flush(const struct push *push, struct error *e)
{
	return syncfs(push->lock) < 0 ? error_system(e, errno, "write the push to the disk") : 0;
}

/* ---- looking ---- */

struct lowest {
	int fd;
};

static int take_first(int *fd, const char *name, void *data, struct error *e)
{
	struct lowest *found = data;

	(void)name, (void)e;
	if (found->fd < 0)
		found->fd = take_fd(fd);
	return 0;
}

static int is_empty(int folder, bool *ret, struct error *e)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return error_system(e, errno, "list what was written");
	}
	*ret = true;
	while (*ret && (entry = readdir(dir)))
		*ret = str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..");
	closedir(dir);
	return 0;
}

int push_is_needed(const struct store *store, int folder, const struct root *root, bool *ret, struct error *e)
{
	struct lowest found = {.fd = -1};
	struct stat above, below;
	auto_fd upper = -1;
	bool empty = false;
	int r = root_open_upper(store, folder, root, &upper, e);

	if (!r)
		r = is_empty(upper, &empty, e);
	if (!r)
		r = root_each_lower(store, root, take_first, &found, e);
	if (!r && (fstat(upper, &above) < 0 || fstat(found.fd, &below) < 0))
		r = error_system(e, errno, "stat the root");
	fd_close(found.fd);
	if (!r)
		*ret = !empty || above.st_mode != below.st_mode || above.st_uid != below.st_uid ||
		       above.st_gid != below.st_gid;
	return r;
}

int push_open(const struct store *store, const char *id, int *ret_fd, struct error *e)
{
	char path[300];

	if (!str_is_id(id))
		return error_refuse(e, ERROR_INVALID, "'%s' is no push's id", id);
	snprintf(path, sizeof(path), ROOT_PUSHES "/%s/" ROOT_TREE, id);
	return store_open_folder(store, path, false, ret_fd, e);
}

static int open_folder(const struct store *store, const char *id, int *ret_fd, struct error *e)
{
	char path[300];

	if (!str_is_id(id))
		return error_refuse(e, ERROR_INVALID, "'%s' is no push's id", id);
	snprintf(path, sizeof(path), ROOT_PUSHES "/%s", id);
	return store_open_folder(store, path, false, ret_fd, e);
}

int push_confirm(const struct store *store, const char *id, struct error *e)
{
	auto_fd fd = -1, now = -1;
	int r = open_folder(store, id, &fd, e);

	if (r)
		return r;
	while (flock(fd, LOCK_SH) < 0)
		if (errno != EINTR)
			return error_system(e, errno, "lock the push %s", id);
	return open_folder(store, id, &now, e);
}

/* ---- who needs it ---- */

static void add_strings(const struct json *list, struct arena *arena, const char ***ids, size_t *n, size_t *room)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const char *id = json_string_peek(json_at(list, i));
		/* States that came from each other begin with the same pushes. */
		bool known = !id || (i < *n && str_equal((*ids)[i], id));

		for (size_t k = 0; k < *n && !known; k++)
			known = str_equal((*ids)[k], id);
		if (known)
			continue;
		*ids = arena_grow(arena, *ids, *n, room, sizeof(**ids));
		(*ids)[(*n)++] = arena_strdup(arena, id);
	}
}

int push_list_named(int folder, struct arena *arena, const char ***ret, size_t *ret_n, struct error *e)
{
	auto_json *root = NULL, *snapshots = NULL;
	const struct json *list;
	size_t n = 0, room = 0;
	int r = jsonfile_read(folder, ROOT_RECORD, &root, e);

	*ret = NULL;
	if (r && e->kind != ERROR_NOT_FOUND)
		return r;
	r = jsonfile_read(folder, SNAPSHOT_RECORD, &snapshots, e);
	if (r && e->kind != ERROR_NOT_FOUND)
		return r;
	add_strings(json_find(root, "pushes"), arena, ret, &n, &room);
	list = json_find(snapshots, "snapshots");
	for (size_t i = 0; i < json_count(list); i++)
		add_strings(json_find(json_at(list, i), "pushes"), arena, ret, &n, &room);
	*ret_n = n;
	return 0;
}

/* Of these, which are named by somebody. */
struct need {
	const char *const *ids;
	bool *found;
	size_t n;
};

static int look_in(int parent, const char *name, struct need *need, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	auto_fd folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char **ids;
	size_t n;
	int r;

	if (folder < 0) /* gone, or no folder */
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? 0
			   : error_system(e, errno, "open '%s'", name);
	r = push_list_named(folder, &arena, &ids, &n, e);
	if (r) {
		error_context(e, "'%s'", name);
		return r;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < need->n; k++)
			need->found[k] = need->found[k] || str_equal(ids[i], need->ids[k]);
	return 0;
}

static int look_for(int folder, const char *name, void *data, struct error *e)
{
	return look_in(folder, name, data, e);
}

/* In this order: what gets its name meanwhile goes from tmp/ to instances/ and is seen in one of them. */
static int look(const struct store *store, struct need *need, struct error *e)
{
	int r = store_each_entry(store, "tmp", look_for, need, e);

	return r ? r : store_each_entry(store, "instances", look_for, need, e);
}

static int drop(const struct store *store, int pushes, const char *id, bool *ret_gone, struct error *e)
{
	auto_fd fd = openat(pushes, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool needed = false;
	struct need need = {&id, &needed, 1};
	int r;

	*ret_gone = false;
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	r = look(store, &need, e);
	if (r || needed)
		return r;
	*ret_gone = true;
	return tree_remove(pushes, id, e);
}

/* Who names what is looked up once for all of them, and again, under its lock, for each that seems to be nobody's. */
static int drop_all(const struct store *store, const char *const *ids, size_t n, size_t *ret_n, struct error *e)
{
	auto_free bool *found = calloc(n + 1, sizeof(*found));
	struct need need = {ids, found, n};
	auto_fd pushes = -1;
	int r;

	*ret_n = 0;
	if (!n)
		return 0;
	if (!found)
		return error_system(e, ENOMEM, "look which pushes are needed");
	r = store_open_folder(store, ROOT_PUSHES, false, &pushes, e);
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	r = look(store, &need, e);
	for (size_t i = 0; i < n && !r; i++) {
		bool gone = false;

		if (!found[i] && str_is_id(ids[i]))
			r = drop(store, pushes, ids[i], &gone, e);
		*ret_n += gone;
	}
	return r;
}

int push_drop(const struct store *store, const char *const *ids, size_t n, struct error *e)
{
	size_t gone;

	return drop_all(store, ids, n, &gone, e);
}

struct sweep {
	struct arena *arena;
	const char **ids;
	size_t n, room;
};

static int gather(int folder, const char *name, void *data, struct error *e)
{
	struct sweep *sweep = data;

	(void)folder, (void)e;
	if (sweep->n == sweep->room) {
		const char **grown = arena_array(sweep->arena, const char *, sweep->room = 2 * sweep->room + 32);

		if (sweep->n)
			memcpy(grown, sweep->ids, sweep->n * sizeof(*grown));
		sweep->ids = grown;
	}
	sweep->ids[sweep->n++] = arena_strdup(sweep->arena, name);
	return 0;
}

int push_sweep(const struct store *store, size_t *ret_n, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct sweep sweep = {.arena = &arena};
	size_t gone = 0;
	int r = store_each_entry(store, ROOT_PUSHES, gather, &sweep, e);

	r = r ? r : drop_all(store, sweep.ids, sweep.n, &gone, e);
	if (ret_n)
		*ret_n = gone;
	return r;
}
