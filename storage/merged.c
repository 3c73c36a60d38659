/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layers of a run are put on each other from the lowest to the highest, as overlayfs would show them, but so that the result is a
 * layer itself: a whiteout stays, and what replaces one, or a file, by a folder makes that opaque.  They are as hostile as the image, but
 * nobody changes them: nothing is looked up but single names on descriptors, and no link is followed.
 */
#include "storage/merged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tree.h"
#include "storage/copy.h"
#include "storage/copy_parts.h"
#include "storage/digest.h"
#include "storage/jsonfile.h"
#include "storage/layer.h"
#include "storage/whiteout.h"

#define RECORD "merged.json"
#define LINKS "links" /* one more name for every file with several, as long as its layer is read */

enum {
	DEPTH_MAX = 300,       /* folders in folders: three descriptors for each are open */
	ATTRIBUTES_MAX = 65536 /* names of a folder's: the kernel's limit */
};

static const struct store_kind kind = {"merged", "merged layer"};

bool merged_print_id(const char *const *layers, size_t n, char ret[STORE_HEX_SIZE])
{
	struct digest digest;

	if (n < MERGED_LAYERS_MIN)
		return false;
	digest_init(&digest);
	for (size_t i = 0; i < n; i++) {
		digest_add(&digest, layers[i], strlen(layers[i]));
		digest_add(&digest, "\n", 1);
	}
	digest_finish_hex(&digest, ret);
	return true;
}

/* ---- making ---- */

struct merging {
	const char *opaque; /* the mark's name */
	int links;
	bool is_lowest; /* the run: it has nothing to hide */
	struct copy copy;
};

static int make_room(int dir, const char *name, struct error *e)
{
	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	return errno == EISDIR ? tree_remove(dir, name, e) : error_system(e, errno, "replace '%s'", name);
}

static int remove_entry(const char *name, void *data, struct error *e)
{
	return make_room(*(int *)data, name, e);
}

static int add_file(struct merging *merging, int from_dir, int to_dir, const char *name, const struct stat *st,
		    struct error *e)
{
	char key[32];
	int r;

	snprintf(key, sizeof(key), "%ju", (uintmax_t)st->st_ino);
	if (st->st_nlink > 1 && !linkat(merging->links, key, to_dir, name, 0))
		return 0;
	r = copy_one(from_dir, name, to_dir, name, &merging->copy, e);
	if (!r && st->st_nlink > 1 && linkat(to_dir, name, merging->links, key, 0) < 0)
		log_debug("'%s' becomes a file of its own: %s", name, strerror(errno));
	return r;
}

struct entries {
	struct merging *merging;
	int from, to;
	unsigned depth;
};

static int add_entry(const char *name, void *data, struct error *e);

static int remove_attributes(int folder, struct error *e)
{
	char names[ATTRIBUTES_MAX];
	ssize_t size = flistxattr(folder, names, sizeof(names));

	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1)
		if (fremovexattr(folder, name) < 0 && errno != ENODATA)
			return error_system(e, errno, "remove the extended attribute '%s'", name);
	return size < 0 && errno != EOPNOTSUPP ? error_system(e, errno, "list extended attributes") : 0;
}

/* What lies in the folder, and its attributes in the place of those that it had before. */
static int add_content(struct merging *merging, int from, int to, bool is_opaque, unsigned depth, struct error *e)
{
	struct entries in = {merging, from, to, depth};
	int r;

	if (depth > DEPTH_MAX)
		return error_system(e, EOPNOTSUPP, "merge more than %d folders that lie in each other", DEPTH_MAX);
	r = copy_each_name(from, add_entry, &in, e) ?: remove_attributes(to, e) ?:
	    copy_attributes(from, to, &merging->copy, e);
	if (!r && is_opaque && fsetxattr(to, merging->opaque, "y", 1, 0) < 0)
		r = error_system(e, errno, "make it opaque");
	return r;
}

/* *ret_opaque: what lower layers than this run's have in it is hidden. */
static int open_merged(int from, int to_dir, const char *name, int *ret_fd, bool *ret_opaque, struct error *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	int r = 0;

	*ret_opaque = layer_is_opaque(from);
	if (mkdirat(to_dir, name, 0700) < 0) {
		if (errno != EEXIST || fstatat(to_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_system(e, errno, "make it");
		*ret_opaque = *ret_opaque || !S_ISDIR(st.st_mode);
		if (*ret_opaque)
			r = make_room(to_dir, name, e);
		if (!r && *ret_opaque && mkdirat(to_dir, name, 0700) < 0)
			r = error_system(e, errno, "make it anew");
	}
	r = r ?: fd_open(to_dir, name, flags, NULL, ret_fd, e);
	if (!r)
		*ret_opaque = *ret_opaque || layer_is_opaque(*ret_fd);
	return r;
}

static int add_folder(struct merging *merging, int from_dir, int to_dir, const char *name, unsigned depth,
		      struct error *e)
{
	auto_fd from = -1, to = -1;
	bool is_opaque = false;
	int r = fd_open(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &from, e)
		    ?: open_merged(from, to_dir, name, &to, &is_opaque, e);

	return r ?: add_content(merging, from, to, is_opaque && !merging->is_lowest, depth + 1, e);
}

static int add_entry(const char *name, void *data, struct error *e)
{
	const struct entries *in = data;
	struct stat st;
	int r;

	if (fstatat(in->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_system(e, errno, "look at '%s'", name);
	if (S_ISDIR(st.st_mode)) {
		r = add_folder(in->merging, in->from, in->to, name, in->depth, e);
	} else {
		r = make_room(in->to, name, e);
		if (!r && S_ISREG(st.st_mode))
			r = add_file(in->merging, in->from, in->to, name, &st, e);
		else if (!r && !(is_whiteout(&st) && in->merging->is_lowest))
			r = copy_one(in->from, name, in->to, name, &in->merging->copy, e);
	}
	if (r)
		error_context(e, "%s", name);
	return r;
}

static int add_layer(struct merging *merging, const struct store *store, const char *id, int tmp, int tree,
		     struct error *e)
{
	auto_fd path = -1, from = -1, links = -1;
	int r = layer_open_tree(store, id, &path, e) ?: fd_open(path, ".", O_RDONLY | O_DIRECTORY, id, &from, e);

	if (!r && layer_is_opaque(from))
		r = copy_each_name(tree, remove_entry, &tree, e);
	if (!r && mkdirat(tmp, LINKS, 0700) < 0)
		r = error_system(e, errno, "make '" LINKS "'");
	r = r ?: fd_open(tmp, LINKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &links, e);
	if (r)
		return r;
	merging->links = links;
	r = add_content(merging, from, tree, false, 0, e) ?: tree_remove(tmp, LINKS, e);
	if (r)
		error_context(e, "layer %s", id);
	return r;
}

static int write_record(int tmp, const char *const *layers, size_t n, const struct merged *merged, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	uint64_t bytes = 0, files = 0;
	int r = store_measure_tree(tmp, ".", &bytes, &files);

	if (r)
		return error_system(e, -r, "measure the merged layers");
	json_open_object(&w, NULL);
	json_open_array(&w, "layers");
	for (size_t i = 0; i < n; i++)
		json_put_string(&w, NULL, layers[i]);
	json_close(&w);
	json_open_array(&w, "runs");
	for (size_t i = 0; i < merged->n_runs; i++) {
		json_put_uint(&w, NULL, merged->runs[i].first);
		json_put_uint(&w, NULL, merged->runs[i].n);
	}
	json_close(&w);
	json_put_uint(&w, "disk", bytes);
	json_close(&w);
	return jsonfile_write(tmp, RECORD, &w, e);
}

struct candidate {
	size_t layer;
	uint64_t bytes;
};

static int compare_sizes(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes) ?: (x->layer > y->layer) - (x->layer < y->layer);
}

static int compare_layers(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->layer > y->layer) - (x->layer < y->layer);
}

/* How many of all, largest first, stay: what all the others have is little. */
static size_t count_kept(const struct candidate *all, size_t n)
{
	uint64_t bytes = 0;

	while (n > MERGED_KEPT_MIN && bytes + all[n - 1].bytes <= MERGED_BYTES_MAX)
		bytes += all[--n].bytes;
	return n;
}

/* Whatever lies between the layers that stay. */
static int find_runs(const struct store *store, const char *const *layers, size_t n, struct merged *ret,
		     struct error *e)
{
	auto_free struct candidate *all = calloc(n, sizeof(*all));
	size_t next = 0, kept;

	ret->runs = calloc(n, sizeof(*ret->runs));
	if (!all || !ret->runs)
		return error_system(e, ENOMEM, "look at %zu layers", n);
	for (size_t i = 0; i < n; i++) {
		struct layer_info info;
		int r = layer_load(store, layers[i], &info, e);

		if (r)
			return r;
		all[i] = (struct candidate){i, info.disk};
	}
	qsort(all, n, sizeof(*all), compare_sizes);
	kept = count_kept(all, n);
	qsort(all, kept, sizeof(*all), compare_layers);
	for (size_t i = 0; i <= kept; i++) {
		size_t end = i < kept ? all[i].layer : n;

		if (end > next + 1) {
			ret->runs[ret->n_runs++] = (struct merged_run){next, end - next};
			ret->n_saved += end - next - 1;
		}
		next = end + 1;
	}
	return 2 * ret->n_saved < n ? error_system(e, EOPNOTSUPP, "merge layers of which too many are large") : 0;
}

static int add_run(const struct store *store, const char *const *layers, const struct merged_run *run, int tmp,
		   struct error *e)
{
	struct merging merging = {.copy = {.flags = COPY_ARCHIVE},
				  .opaque = store->rootless ? "user.overlay.opaque" : "trusted.overlay.opaque",
				  .is_lowest = !run->first};
	auto_fd tree = -1;
	char name[24];
	int r;

	snprintf(name, sizeof(name), "%zu", run->first);
	r = mkdirat(tmp, name, 0755) < 0 ? error_system(e, errno, "make '%s'", name)
					 : fd_open(tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &tree, e);
	for (size_t i = 0; i < run->n && !r; i++)
		r = add_layer(&merging, store, layers[run->first + i], tmp, tree, e);
	return r;
}

static int fill(const struct store *store, const char *const *layers, size_t n, int tmp, struct error *e)
{
	auto_merged merged = MERGED_INIT;
	int r = find_runs(store, layers, n, &merged, e);

	for (size_t i = 0; i < merged.n_runs && !r; i++)
		r = add_run(store, layers, &merged.runs[i], tmp, e);
	r = r ?: write_record(tmp, layers, n, &merged, e);
	return !r && syncfs(tmp) < 0 ? error_system(e, errno, "write the merged layers to the disk") : r;
}

static bool exists(const struct store *store, const char *id)
{
	auto_fd fd = -1;

	return !store_open_in(store, &kind, id, "", O_PATH | O_DIRECTORY, &fd, NULL);
}

int merged_make(const struct store *store, const char *const *layers, size_t n, struct error *e)
{
	struct store_tmp tmp = STORE_TMP_INIT;
	char id[STORE_HEX_SIZE], name[STORE_HEX_SIZE + 8];
	struct error why = ERROR_INIT;
	auto_fd folder = -1;
	int r;

	if (!merged_print_id(layers, n, id) || exists(store, id))
		return 0;
	snprintf(name, sizeof(name), "merged-%s", id);
	r = store_tmp_claim(store, name, &tmp, &why);
	if (r == -EAGAIN)
		return 0; /* somebody makes it */
	r = r ?: fill(store, layers, n, tmp.fd, &why) ?: store_open_folder(store, kind.folder, true, &folder, &why) ?:
	    store_tmp_publish(store, &tmp, folder, id, &why);
	store_tmp_drop(store, &tmp);
	if (!r || r == -EEXIST)
		return 0;
	if (r == -EOPNOTSUPP || r == -EPERM || r == -EACCES) {
		log_debug("the layers are not merged: %s", why.text);
		return 0;
	}
	if (e)
		*e = why;
	error_context(e, "merge %zu layers", n);
	return r;
}

/* ---- using ---- */

void merged_confirm(const struct store *store, const char *const *layers, size_t n)
{
	char id[STORE_HEX_SIZE];

	if (merged_print_id(layers, n, id) && store_confirm(store, &kind, id, NULL))
		log_debug("nothing is merged as %s", id);
}

/* What merged.json says, if that can be. */
static int load(const struct store *store, const char *id, struct merged *ret, uint64_t *ret_bytes, struct arena *arena,
		const char ***ret_layers, size_t *ret_n, struct error *e)
{
	auto_json *json = NULL;
	const struct json *runs;
	char is[STORE_HEX_SIZE];
	size_t next = 0;
	int r = store_open_in(store, &kind, id, "", O_PATH | O_DIRECTORY, &ret->folder, e)
		    ?: jsonfile_read_digests(ret->folder, RECORD, "layers", arena, ret_layers, ret_n, &json, e);

	if (r)
		return r;
	if (!merged_print_id(*ret_layers, *ret_n, is) || !str_equal(is, id))
		return error_refuse(e, ERROR_INVALID, "its layers are not those that its id stands for");
	runs = json_find(json, "runs");
	ret->n_runs = json_count(runs) / 2;
	ret->runs = calloc(ret->n_runs + 1, sizeof(*ret->runs));
	if (!ret->runs)
		return error_system(e, ENOMEM, "read '" RECORD "'");
	for (size_t i = 0; i < ret->n_runs; i++) {
		int64_t first = json_int_peek(json_at(runs, 2 * i), -1),
			n = json_int_peek(json_at(runs, 2 * i + 1), -1);

		if (first < (int64_t)next || first > (int64_t)*ret_n || n < 2 || n > (int64_t)*ret_n - first)
			return error_refuse(e, ERROR_INVALID, "its runs can't be");
		ret->runs[i] = (struct merged_run){(size_t)first, (size_t)n};
		ret->n_saved += (size_t)n - 1;
		next = (size_t)(first + n);
	}
	*ret_bytes = json_find_uint(json, "disk", 0);
	return 0;
}

int merged_open(const struct store *store, const char *const *layers, size_t n, struct merged *ret)
{
	auto_arena arena = ARENA_INIT;
	auto_merged merged = MERGED_INIT;
	char id[STORE_HEX_SIZE];
	const char **its;
	uint64_t bytes;
	size_t n_its;

	if (!merged_print_id(layers, n, id) || load(store, id, &merged, &bytes, &arena, &its, &n_its, NULL))
		return -ENOENT;
	*ret = merged;
	merged = MERGED_INIT;
	return 0;
}

void merged_close(struct merged *merged)
{
	merged->folder = fd_close(merged->folder);
	free(merged->runs);
	*merged = MERGED_INIT;
}

const struct merged_run *merged_find_run(const struct merged *merged, size_t layer)
{
	for (size_t i = 0; i < merged->n_runs; i++)
		if (merged->runs[i].first + merged->runs[i].n - 1 == layer)
			return &merged->runs[i];
	return NULL;
}

int merged_open_tree(const struct merged *merged, const struct merged_run *run, int *ret_fd, struct error *e)
{
	char name[24];

	snprintf(name, sizeof(name), "%zu", run->first);
	return fd_open(merged->folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL, ret_fd, e);
}

/* ---- looking after it ---- */

static uint64_t measure(const struct store *store, const char *id)
{
	auto_arena arena = ARENA_INIT;
	auto_merged merged = MERGED_INIT;
	const char **layers;
	uint64_t bytes = 0;
	size_t n;

	return load(store, id, &merged, &bytes, &arena, &layers, &n, NULL) ? 0 : bytes;
}

uint64_t merged_measure(const struct store *store, const char *const *layers, size_t n)
{
	char id[STORE_HEX_SIZE];

	return merged_print_id(layers, n, id) ? measure(store, id) : 0;
}

int merged_check(const struct store *store, const char *id, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	auto_merged merged = MERGED_INIT;
	const char **layers;
	uint64_t bytes;
	size_t n;
	int r = load(store, id, &merged, &bytes, &arena, &layers, &n, e);

	for (size_t i = 0; !r && i < merged.n_runs; i++) {
		auto_fd fd = -1;

		r = merged_open_tree(&merged, &merged.runs[i], &fd, e);
	}
	for (size_t i = 0; !r && i < n; i++) {
		auto_fd fd = -1;

		r = layer_open_tree(store, layers[i], &fd, e);
	}
	return r;
}

int merged_remove(const struct store *store, const char *id, bool pretend,
		  int (*is_needed)(const char *id, bool *ret, void *data, struct error *e), void *data,
		  uint64_t *ret_bytes, struct error *e)
{
	*ret_bytes = measure(store, id);
	return pretend ? 0 : store_remove(store, &kind, id, is_needed, data, e);
}
