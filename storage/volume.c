/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/tree.h"
#include "spec/mount_options.h"
#include "storage/jsonfile.h"

#define VOLUMES "volumes"
#define INSTANCES "instances"
#define RECORD "volume.json"
#define DATA "data"
#define REMOVED ".removed-" /* its name while it is being removed */

static int check_name(const char *name, struct error *e)
{
	if (str_is_id(name) && *name != '.' && strlen(name) < 200)
		return 0;
	return error_refuse(e, ERROR_USAGE,
			    "invalid volume name '%s' (letters, digits, '_', '+', '-' and '.', not at the start)",
			    name);
}

/* ---- volume.json ---- */

struct labels {
	struct arena *arena;
	struct volume *volume;
};

static void count_label(const char *key, const struct json *value, void *data)
{
	(void)key, (void)value;
	++*(size_t *)data;
}

static void read_label(const char *key, const struct json *value, void *data)
{
	struct labels *labels = data;
	const char *text = json_string_peek(value);

	if (text)
		labels->volume->labels[labels->volume->n_labels++] =
		    (struct spec_pair){arena_strdup(labels->arena, key), arena_strdup(labels->arena, text)};
}

static int load(const struct store *store, int folder, const char *name, struct arena *arena, struct volume *ret,
		struct error *e)
{
	auto_json *json = NULL;
	struct labels labels = {arena, ret};
	size_t n = 0;
	int r = jsonfile_read(folder, RECORD, &json, e);

	if (r) {
		error_context(e, "volume '%s'", name);
		return r;
	}
	*ret = (struct volume){
	    .name = arena_strdup(arena, name),
	    .path = arena_format(arena, "%s/" VOLUMES "/%s/" DATA, store->path, name),
	    .created = jsonfile_string(arena, json, "created"),
	    .size = json_find_int(json, "size", 0),
	    .inodes = json_find_uint(json, "inodes", 0),
	    .project = (uint32_t)json_find_uint(json, "project", 0),
	};
	json_each(json_find(json, "labels"), count_label, &n);
	ret->labels = arena_array(arena, struct spec_pair, n + 1);
	json_each(json_find(json, "labels"), read_label, &labels);
	return 0;
}

static const char *now_text(char buffer[32])
{
	time_t now = time(NULL);
	struct tm t;

	strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &t));
	return buffer;
}

static int save(int folder, const struct volume_request *request, uint32_t project, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	char now[32];

	json_open_object(&w, NULL);
	json_put_string(&w, "created", now_text(now));
	if (request->size)
		json_put_int(&w, "size", request->size);
	if (request->inodes)
		json_put_uint(&w, "inodes", request->inodes);
	if (project)
		json_put_uint(&w, "project", project);
	json_open_object(&w, "labels");
	for (size_t i = 0; i < request->n_labels; i++)
		json_put_string(&w, request->labels[i].key, request->labels[i].value);
	json_close(&w);
	json_close(&w);
	return jsonfile_write(folder, RECORD, &w, e);
}

/* ---- all of them ---- */

/* The names, sorted, in arena. */
static int list_names(const struct store *store, const char *place, struct arena *arena, const char ***ret,
		      size_t *ret_n, struct error *e)
{
	auto_fd fd = -1;
	struct dirent **entries;
	int n, r = store_open_folder(store, place, false, &fd, e);

	*ret = NULL;
	*ret_n = 0;
	if (r)
		return e->kind == ERROR_NOT_FOUND ? 0 : r;
	n = scandirat(fd, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_system(e, errno, "list '%s/%s'", store->path, place);
	*ret = arena_array(arena, const char *, (size_t)n + 1);
	for (int i = 0; i < n; i++) {
		if (*entries[i]->d_name != '.')
			(*ret)[(*ret_n)++] = arena_strdup(arena, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static int open_volume(const struct store *store, const char *name, struct arena *arena, int *ret_fd, struct error *e)
{
	const char **names, *close = NULL;
	auto_fd volumes = -1;
	size_t n;
	int r = check_name(name, e);

	if (r)
		return r;
	if (!store_open_folder(store, VOLUMES, false, &volumes, e)) {
		*ret_fd = openat(volumes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (*ret_fd >= 0)
			return 0;
		if (errno != ENOENT)
			return error_system(e, errno, "open the volume '%s'", name);
		r = list_names(store, VOLUMES, arena, &names, &n, e);
		if (r)
			return r;
		close = str_closest(name, names, n);
	}
	return error_refuse(e, ERROR_NOT_FOUND, "there is no volume '%s'%s%s%s", name, close ? "; did you mean '" : "",
			    close ? close : "", close ? "'?" : "");
}

int volume_load(const struct store *store, const char *name, struct arena *arena, struct volume *ret, struct error *e)
{
	auto_fd folder = -1;
	int r = open_volume(store, name, arena, &folder, e);

	return r ? r : load(store, folder, name, arena, ret, e);
}

int volume_each(const struct store *store, struct arena *arena,
		int (*each)(const struct volume *volume, const struct error *broken, void *data, struct error *e),
		void *data, struct error *e)
{
	const char **names;
	size_t n;
	int r = list_names(store, VOLUMES, arena, &names, &n, e);

	for (size_t i = 0; i < n && !r; i++) {
		struct volume volume;
		struct error broken;
		int failed = volume_load(store, names[i], arena, &volume, &broken);

		if (failed && broken.kind == ERROR_NOT_FOUND) /* removed meanwhile */
			continue;
		if (failed)
			volume = (struct volume){.name = names[i]};
		r = each(&volume, failed ? &broken : NULL, data, e);
	}
	return r;
}

/* ---- create ---- */

static int limit(const struct store *store, int data, const struct volume_request *request, int *ret_claim,
		 uint32_t *ret_project, struct error *e)
{
	char why[256];
	int r;

	if (store->rootless || !quota_counts(data)) {
		if (!request->size && !request->inodes)
			return 0;
		quota_find(data, store->rootless, why, sizeof(why));
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "volume '%s': a limit needs project quotas of the file system, here: %s",
				    request->name, why);
	}
	if ((request->size || request->inodes) && quota_find(data, false, why, sizeof(why)) != QUOTA_PROJECT)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "volume '%s': a limit needs project quotas of the file system, here: %s",
				    request->name, why);
	r = quota_claim(store, ret_claim, ret_project, e);
	if (!r)
		r = quota_assign(data, *ret_project, e);
	if (!r && (request->size || request->inodes))
		r = quota_set(data, *ret_project, (uint64_t)request->size, request->inodes, e);
	return r;
}

static int fill(const struct store *store, int folder, const struct volume_request *request, uint32_t *ret_project,
		struct error *e)
{
	auto_fd data = -1, claim = -1;
	int r;

	if (mkdirat(folder, DATA, 0755) < 0)
		return error_system(e, errno, "make the volume's folder");
	r = fd_open(folder, DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &data, e);
	if (!r && fchmod(data, 0755) < 0)
		r = error_system(e, errno, "set the mode of the volume's folder");
	if (!r)
		r = limit(store, data, request, &claim, ret_project, e);
	if (!r)
		r = save(folder, request, *ret_project, e);
	if (!r && syncfs(folder) < 0)
		r = error_system(e, errno, "flush the volume to the disk");
	return r;
}

int volume_create(const struct store *store, const struct volume_request *request, struct error *e)
{
	struct store_tmp tmp = STORE_TMP_INIT;
	auto_fd volumes = -1;
	uint32_t project = 0;
	int r = check_name(request->name, e);

	if (!r)
		r = store_open_folder(store, VOLUMES, true, &volumes, e);
	if (!r && !faccessat(volumes, request->name, F_OK, AT_SYMLINK_NOFOLLOW))
		r = error_refuse(e, ERROR_EXISTS, "volume '%s' exists", request->name);
	if (!r)
		r = store_tmp_make(store, "volume", &tmp, e);
	if (!r)
		r = fill(store, tmp.fd, request, &project, e);
	if (!r) {
		r = store_tmp_publish(store, &tmp, volumes, request->name, e);
		if (r == -EEXIST)
			r = error_refuse(e, ERROR_EXISTS, "volume '%s' exists", request->name);
	}
	if (r)
		quota_release(store, project);
	store_tmp_drop(store, &tmp);
	return r;
}

/* ---- who uses it ---- */

const char *volume_of_path(const struct store *store, const char *path, struct arena *arena)
{
	const char *rest = path ? str_after(path, store->path) : NULL, *end;

	rest = rest ? str_after(rest, "/" VOLUMES "/") : NULL;
	end = rest ? strchr(rest, '/') : NULL;
	if (!end || !str_after(end, "/" DATA))
		return NULL;
	return arena_format(arena, "%.*s", (int)(end - rest), rest);
}

static bool mounts(const struct store *store, int instances, const char *instance, const char *volume,
		   struct arena *arena)
{
	auto_fd folder = openat(instances, instance, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_json *json = NULL;
	const struct json *list;
	struct error ignored;

	if (folder < 0 || jsonfile_read(folder, "config.json", &json, &ignored))
		return false;
	list = json_find(json, "mounts");
	for (size_t i = 0; i < json_count(list); i++)
		if (str_equal(volume_of_path(store, json_find_string(json_at(list, i), "source"), arena), volume))
			return true;
	return false;
}

int volume_users(const struct store *store, const char *name, struct arena *arena, const char *const **ret,
		 size_t *ret_n, struct error *e)
{
	const char **names, **users;
	auto_fd instances = -1;
	size_t n;
	int r = list_names(store, INSTANCES, arena, &names, &n, e);

	*ret_n = 0;
	if (r || !n)
		return r;
	r = store_open_folder(store, INSTANCES, false, &instances, e);
	users = arena_array(arena, const char *, n);
	for (size_t i = 0; i < n && !r; i++)
		if (mounts(store, instances, names[i], name, arena))
			users[(*ret_n)++] = names[i];
	*ret = users;
	return r;
}

/* ---- remove ---- */

static int refuse_users(const char *name, const char *const *users, size_t n, struct error *e)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < n; i++)
		str_addf(&text, "%s'%s'", i ? ", " : "", users[i]);
	return error_refuse(e, ERROR_STATE, "volume '%s' is used by %s", name, str_peek(&text));
}

int volume_remove(const struct store *store, const char *name, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	const char *const *users;
	struct volume volume;
	auto_fd volumes = -1;
	const char *hidden;
	size_t n;
	int r = volume_load(store, name, &arena, &volume, e);

	if (!r)
		r = volume_users(store, name, &arena, &users, &n, e);
	if (!r && n)
		r = refuse_users(name, users, n, e);
	if (!r)
		r = store_open_folder(store, VOLUMES, false, &volumes, e);
	if (r)
		return r;
	/* Under another name first: whoever is killed here leaves no volume with half its content. */
	hidden = arena_format(&arena, REMOVED "%s", name);
	r = tree_remove(volumes, hidden, e);
	if (!r && renameat(volumes, name, volumes, hidden) < 0)
		r = error_system(e, errno, "remove the volume '%s'", name);
	if (!r)
		r = tree_remove(volumes, hidden, e);
	if (!r)
		quota_release(store, volume.project);
	return r;
}

int volume_measure(const struct store *store, const char *name, uint64_t *ret_bytes, uint64_t *ret_files,
		   struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct volume volume;
	auto_fd folder = -1;
	int r = open_volume(store, name, &arena, &folder, e);

	if (!r)
		r = load(store, folder, name, &arena, &volume, e);
	if (r)
		return r;
	if (volume.project)
		return quota_get(folder, volume.project, ret_bytes, ret_files, e);
	r = store_measure_tree(folder, DATA, ret_bytes, ret_files);
	return r ? error_system(e, -r, "measure the volume '%s'", name) : 0;
}

/* ---- SOURCE:TARGET[:OPTIONS] ---- */

static bool is_path(const char *source)
{
	return *source == '/' || str_equal(source, ".") || str_equal(source, "..") || str_after(source, "./") ||
	       str_after(source, "../");
}

static int find_source(const struct store *store, const char *source, unsigned flags, struct arena *arena,
		       const char **ret, struct error *e)
{
	struct volume volume;
	char real[4096];
	int r;

	if (is_path(source)) {
		auto_fd fd = -1;
		char link[64];
		ssize_t n;

		r = fd_open(AT_FDCWD, source, O_PATH, NULL, &fd, e);
		if (r)
			return r;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlinkat(AT_FDCWD, link, real, sizeof(real) - 1);
		if (n < 0)
			return error_system(e, errno, "find the path of '%s'", source);
		real[n] = 0;
		*ret = arena_strdup(arena, real);
		return 0;
	}
	r = volume_load(store, source, arena, &volume, e);
	if (r && e->kind == ERROR_NOT_FOUND && flags & VOLUME_MAKE) {
		const struct volume_request request = {.name = source};

		r = volume_create(store, &request, e);
		if (r && e->kind == ERROR_EXISTS) /* somebody else was faster */
			r = 0;
		if (!r)
			r = volume_load(store, source, arena, &volume, e);
	}
	if (!r)
		*ret = volume.path;
	return r;
}

static bool has_option(const struct spec_mount *m, const char *a, const char *b)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (str_equal(m->options[i], a) || str_equal(m->options[i], b))
			return true;
	return false;
}

static bool maps_ids(const struct spec_mount *m)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (str_after(m->options[i], "idmap") || str_after(m->options[i], "ridmap"))
			return true;
	return false;
}

static void split_options(struct spec_mount *m, char *text, bool mapped, struct arena *arena)
{
	size_t room = 4;

	for (const char *p = text; p && *p; p++)
		room += *p == ',';
	m->options = arena_array(arena, const char *, room);
	for (char *one; text && (one = strsep(&text, ","));)
		if (*one)
			m->options[m->n_options++] = one;
	if (!has_option(m, "bind", "rbind"))
		m->options[m->n_options++] = "rbind";
	if (mapped && !maps_ids(m))
		m->options[m->n_options++] = "idmap";
}

int volume_mount(const struct store *store, const char *text, unsigned flags, struct arena *arena,
		 struct spec_mount *ret, struct error *e)
{
	char *copy = arena_strdup(arena, text), *source = strsep(&copy, ":"), *target = strsep(&copy, ":");
	struct spec_mount m = {.type = "bind"};
	const char *reason = NULL;
	size_t index;
	int r;

	if (!*source || !target || *target != '/')
		return error_refuse(e, ERROR_USAGE,
				    "'%s' is not SOURCE:TARGET[:OPTION,...] with an absolute TARGET inside", text);
	m.destination = target;
	split_options(&m, copy, flags & VOLUME_MAPPED && !is_path(source), arena);
	if (mount_options_read(&m, arena, &reason, &index))
		return error_refuse(e, ERROR_USAGE, "'%s': option '%s': %s", text, m.options[index], reason);
	if (m.n_data)
		return error_refuse(e, ERROR_USAGE, "'%s': there is no option '%s'", text, m.data[0]);
	if (m.remount)
		return error_refuse(e, ERROR_USAGE, "'%s': a volume can't be a remount", text);
	r = find_source(store, source, flags, arena, &m.source, e);
	if (r)
		return r;
	*ret = m;
	return 0;
}
