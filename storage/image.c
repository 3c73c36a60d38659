/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "spec/json.h"

enum { RECORD_MAX = 4096, PREFIX_MIN = 6, TAG_MAX = 128 };

/* ---- references ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* n bytes of letters and digits, in which ". _ -" may stand, but not at an end. */
static bool is_component(const char *s, size_t n)
{
	if (!n || !is_letter(s[0]) || !is_letter(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_letter(s[i]) && !strchr("._-", s[i]))
			return false;
	return true;
}

static bool is_port(const char *s, size_t n)
{
	return n && n <= 5 && strspn(s, "0123456789") >= n;
}

static bool is_tag(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > TAG_MAX || (!is_letter(*s) && *s != '_'))
		return false;
	for (; *s; s++)
		if (!is_letter(*s) && !strchr("._-", *s))
			return false;
	return true;
}

static bool is_name(const char *s, size_t n)
{
	for (bool first = true;; first = false) {
		size_t part = strcspn(s, "/") < n ? strcspn(s, "/") : n;
		const char *colon = memchr(s, ':', part);
		bool last = part == n;

		if (colon && first && !last ? !is_component(s, colon - s) || !is_port(colon + 1, s + part - colon - 1)
					    : !is_component(s, part))
			return false;
		if (last)
			return true;
		s += part + 1;
		n -= part + 1;
	}
}

int image_normalize(const char *name, struct arena *arena, const char **ret, struct error *e)
{
	const char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');
	size_t n = colon ? (size_t)(colon - name) : strlen(name);

	if (!is_name(name, n) || (colon && !is_tag(colon + 1)) || strlen(name) + sizeof(":latest") > IMAGE_FILE_SIZE)
		return error_refuse(
		    e, ERROR_USAGE,
		    "'%.256s' is not a name of an image: NAME[:TAG] of letters, digits and '.', '_', '-' "
		    "(and '/' in NAME), at most %zu bytes",
		    name, IMAGE_FILE_SIZE - sizeof(":latest"));
	*ret = arena_format(arena, "%s%s", name, colon ? "" : ":latest");
	return 0;
}

void image_print_file(const char *reference, char file[IMAGE_FILE_SIZE])
{
	snprintf(file, IMAGE_FILE_SIZE, "%s", reference);
	for (char *p = file; *p; p++)
		if (*p == '/')
			*p = '%';
}

void image_read_file(const char *file, char reference[IMAGE_FILE_SIZE])
{
	snprintf(reference, IMAGE_FILE_SIZE, "%s", file);
	for (char *p = reference; *p; p++)
		if (*p == '%')
			*p = '/';
}

int image_write_reference(const struct store *store, const char *reference, const char *digest, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	struct store_tmp tmp = STORE_TMP_INIT;
	auto_free char *text = NULL;
	auto_fd images = -1;
	auto_fd fd = -1;
	char file[IMAGE_FILE_SIZE], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int r;

	strftime(when, sizeof(when), "%FT%TZ", gmtime_r(&now, &tm));
	json_open_object(&w, NULL);
	json_put_string(&w, "digest", digest);
	json_put_string(&w, "tagged", when);
	json_close(&w);
	text = json_finish(&w);
	image_print_file(reference, file);
	r = store_open_folder(store, "images", true, &images, e) ?: store_tmp_make(store, "name", &tmp, e);
	if (r)
		return r;
	fd = openat(tmp.fd, "reference", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
	if (!r && (fsync(fd) < 0 || renameat(tmp.fd, "reference", images, file) < 0 || fsync(images) < 0))
		r = -errno;
	store_tmp_drop(store, &tmp);
	return r ? error_system(e, -r, "write '%s/images/%s'", store->path, file) : 0;
}

/* Which manifest a reference stands for; -ENOENT without a text: no such one. */
static int read_reference(const struct store *store, const char *reference, struct arena *arena,
			  const char **ret_digest, struct error *e)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	auto_fd images = -1;
	char file[IMAGE_FILE_SIZE];
	size_t size;
	int r = store->fd < 0 ? -ENOENT : store_open_folder(store, "images", false, &images, NULL);

	if (r)
		return r;
	image_print_file(reference, file);
	r = file_read(images, file, RECORD_MAX, &text, &size);
	if (r == -ENOENT)
		return r;
	if (r)
		return error_system(e, -r, "read '%s/images/%s'", store->path, file);
	r = json_read(text, size, file, &json, e);
	if (r)
		return r;
	if (!store_digest_hex(json_find_string(json, "digest")))
		return error_refuse(e, ERROR_INVALID, "'%s/images/%s' names no manifest", store->path, file);
	*ret_digest = arena_strdup(arena, json_find_string(json, "digest"));
	return 0;
}

/* The names in images/, in order, in arena. */
static int list_references(const struct store *store, struct arena *arena, const char ***ret, size_t *ret_n,
			   struct error *e)
{
	struct dirent **entries;
	auto_fd images = -1;
	size_t count = 0;
	int n, r = store->fd < 0 ? -ENOENT : store_open_folder(store, "images", false, &images, e);

	*ret_n = 0;
	*ret = NULL;
	if (r)
		return r == -ENOENT ? 0 : r;
	n = scandirat(images, ".", &entries, NULL, alphasort);
	if (n < 0)
		return error_system(e, errno, "list '%s/images'", store->path);
	*ret = arena_array(arena, const char *, n + 1);
	for (int i = 0; i < n; i++) {
		char reference[IMAGE_FILE_SIZE];

		image_read_file(entries[i]->d_name, reference);
		if (*entries[i]->d_name != '.')
			(*ret)[count++] = arena_strdup(arena, reference);
		free(entries[i]);
	}
	free(entries);
	*ret_n = count;
	return 0;
}

/* ---- manifests and configurations ---- */

/* A list of strings; what is no string in it is left out. */
static const char **copy_strings(const struct json *array, struct arena *arena, size_t *ret_n)
{
	size_t n = json_count(array), count = 0;
	const char **list = arena_array(arena, const char *, n + 1);

	for (size_t i = 0; i < n; i++)
		if (json_string_peek(json_at(array, i)))
			list[count++] = arena_strdup(arena, json_string_peek(json_at(array, i)));
	*ret_n = count;
	return list;
}

static const char *copy_string(const struct json *object, const char *key, struct arena *arena)
{
	const char *value = json_find_string(object, key);

	return value && *value ? arena_strdup(arena, value) : NULL;
}

struct keys {
	struct arena *arena;
	const char **list;
	size_t n;
	bool values;
};

static void count_key(const char *key, const struct json *value, void *data)
{
	(void)key, (void)value;
	++*(size_t *)data;
}

static void copy_key(const char *key, const struct json *value, void *data)
{
	struct keys *keys = data;

	if (keys->values && !json_string_peek(value))
		return;
	keys->list[keys->n++] = arena_strdup(keys->arena, key);
	if (keys->values)
		keys->list[keys->n++] = arena_strdup(keys->arena, json_string_peek(value));
}

/* The keys of an object, or keys and values in turn; ret_n counts members. */
static const char **copy_keys(const struct json *object, bool values, struct arena *arena, size_t *ret_n)
{
	struct keys keys = {.arena = arena, .values = values};
	size_t n = 0;

	json_each(object, count_key, &n);
	keys.list = arena_array(arena, const char *, 2 * n + 1);
	json_each(object, copy_key, &keys);
	*ret_n = values ? keys.n / 2 : keys.n;
	return keys.list;
}

static int copy_layers(const struct json *diff_ids, struct arena *arena, struct image *ret, struct error *e)
{
	size_t n = json_count(diff_ids);

	if (n > IMAGE_LAYERS_MAX)
		return error_refuse(e, ERROR_LIMIT, "the image has %zu layers, and %d is the most", n,
				    IMAGE_LAYERS_MAX);
	ret->layers = arena_array(arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++) {
		const char *hex = store_digest_hex(json_string_peek(json_at(diff_ids, i)));

		if (!hex)
			return error_refuse(e, ERROR_INVALID,
					    "rootfs.diff_ids[%zu] of the image's configuration is not a SHA-256", i);
		ret->layers[i] = arena_strdup(arena, hex);
	}
	ret->n_layers = n;
	return 0;
}

int image_parse_config(const char *text, size_t size, struct arena *arena, struct image *ret, struct error *e)
{
	struct image_config *config = &ret->config;
	const struct json *object;
	auto_json *json = NULL;
	int r = json_read(text, size, "image configuration", &json, e);

	if (r)
		return r;
	ret->os = copy_string(json, "os", arena) ?: "linux";
	ret->architecture = copy_string(json, "architecture", arena) ?: "unknown";
	ret->variant = copy_string(json, "variant", arena);
	ret->created = copy_string(json, "created", arena);
	ret->author = copy_string(json, "author", arena);
	object = json_find(json, "config");
	config->entrypoint = copy_strings(json_find(object, "Entrypoint"), arena, &config->n_entrypoint);
	config->cmd = copy_strings(json_find(object, "Cmd"), arena, &config->n_cmd);
	config->env = copy_strings(json_find(object, "Env"), arena, &config->n_env);
	config->user = copy_string(object, "User", arena);
	config->working_dir = copy_string(object, "WorkingDir", arena);
	config->exposed_ports = copy_keys(json_find(object, "ExposedPorts"), false, arena, &config->n_exposed_ports);
	config->volumes = copy_keys(json_find(object, "Volumes"), false, arena, &config->n_volumes);
	config->stop_signal = copy_string(object, "StopSignal", arena);
	config->labels = copy_keys(json_find(object, "Labels"), true, arena, &config->n_labels);
	return copy_layers(json_find(json_find(json, "rootfs"), "diff_ids"), arena, ret, e);
}

const char *image_config_digest(const struct json *manifest)
{
	const char *digest = json_find_string(json_find(manifest, "config"), "digest");

	return store_digest_hex(digest) ? digest : NULL;
}

static int load_manifest(const struct store *store, const char *digest, struct arena *arena, struct image *ret,
			 struct error *e)
{
	auto_free char *manifest_text = NULL, *config_text = NULL;
	auto_json *manifest = NULL;
	size_t size;
	int r = store_read_blob(store, store_digest_hex(digest), &manifest_text, &size, e)
		    ?: json_read(manifest_text, size, "manifest", &manifest, e);

	if (r)
		return r;
	if (!image_config_digest(manifest))
		return error_refuse(e, ERROR_INVALID, "manifest %s names no configuration", digest);
	ret->digest = arena_strdup(arena, digest);
	ret->id = arena_strdup(arena, image_config_digest(manifest));
	r = store_read_blob(store, store_digest_hex(ret->id), &config_text, &size, e);
	return r ?: image_parse_config(config_text, size, arena, ret, e);
}

/* ---- looking up ---- */

/* "web" for "web:latest". */
static const char *shorten(const char *reference, struct arena *arena)
{
	const char *colon = strrchr(reference, ':');

	if (!colon || strcmp(colon, ":latest"))
		return reference;
	return arena_format(arena, "%.*s", (int)(colon - reference), reference);
}

static int refuse_unknown(const struct store *store, const char *name, struct arena *arena, struct error *e)
{
	const char **references, *close;
	size_t n = 0;

	if (list_references(store, arena, &references, &n, NULL))
		n = 0;
	for (size_t i = 0; i < n; i++)
		references[i] = shorten(references[i], arena);
	close = str_closest(shorten(name, arena), references, n);
	/* The same name with another tag is closer than edits can tell. */
	for (size_t i = 0; !close && i < n; i++) {
		size_t length = strcspn(references[i], ":");

		if (length == strcspn(name, ":") && !memcmp(references[i], name, length))
			close = references[i];
	}
	if (close)
		error_refuse(e, ERROR_NOT_FOUND, "there is no image '%s'; did you mean '%s'?", name, close);
	else
		error_refuse(e, ERROR_NOT_FOUND, "there is no image '%s'%s", name,
			     n ? "; 'holm image list' shows those that are"
			       : "; 'holm image pull' or 'holm image import' brings one");
	return -ENOENT;
}

static bool is_prefix(const char *name)
{
	size_t n = strlen(name);

	return n >= PREFIX_MIN && n < STORE_HEX_SIZE && strspn(name, "0123456789abcdef") == n;
}

/* By the first digits of its id or of its manifest's digest. */
static int load_by_prefix(const struct store *store, const char *prefix, struct arena *arena, struct image *ret,
			  struct error *e)
{
	const char **references;
	size_t n;
	int r = list_references(store, arena, &references, &n, e);

	for (size_t i = 0; !r && i < n; i++) {
		struct image image = {.reference = references[i]};
		const char *digest;

		if (read_reference(store, references[i], arena, &digest, NULL) ||
		    load_manifest(store, digest, arena, &image, NULL))
			continue; /* what can't be read is not what is looked for */
		if (!str_after(store_digest_hex(image.id), prefix) && !str_after(store_digest_hex(digest), prefix))
			continue;
		if (ret->digest && !str_equal(ret->digest, image.digest))
			return error_refuse(e, ERROR_USAGE, "'%s' may be '%s' or '%s': more digits are needed", prefix,
					    ret->reference, image.reference);
		if (!ret->digest)
			*ret = image;
	}
	if (!r && !ret->digest)
		r = refuse_unknown(store, prefix, arena, e);
	return r;
}

/* "alpine:3" for "registry.example/base/alpine:3", when no other ends so; -ENOENT without a text: none does. */
static int find_by_end(const struct store *store, const char *normal, struct arena *arena, const char **ret,
		       struct error *e)
{
	const char **references, *found = NULL;
	size_t n, length = strlen(normal);
	int r = list_references(store, arena, &references, &n, e);

	for (size_t i = 0; !r && i < n; i++) {
		size_t size = strlen(references[i]);

		if (size <= length || references[i][size - length - 1] != '/' ||
		    strcmp(references[i] + size - length, normal))
			continue;
		if (found)
			return error_refuse(e, ERROR_USAGE, "'%s' may be '%s' or '%s'", normal, found, references[i]);
		found = references[i];
	}
	*ret = found;
	return r ?: found ? 0 : -ENOENT;
}

int image_load(const struct store *store, const char *reference, struct arena *arena, struct image *ret,
	       struct error *e)
{
	const char *digest, *normal = NULL, *hex = store_digest_hex(reference);
	int r;

	*ret = (struct image){0};
	if (hex) {
		r = load_manifest(store, reference, arena, ret, NULL);
		if (!r)
			return 0;
		*ret = (struct image){0};
		return load_by_prefix(store, hex, arena, ret, e);
	}
	r = image_normalize(reference, arena, &normal, e);
	if (r)
		return r;
	r = read_reference(store, normal, arena, &digest, e);
	if (r == -ENOENT) {
		r = find_by_end(store, normal, arena, &normal, e);
		if (!r)
			r = read_reference(store, normal, arena, &digest, e);
	}
	if (r == -ENOENT)
		return is_prefix(reference) ? load_by_prefix(store, reference, arena, ret, e)
					    : refuse_unknown(store, reference, arena, e);
	if (r)
		return r;
	ret->reference = normal;
	r = load_manifest(store, digest, arena, ret, e);
	if (r)
		error_context(e, "image '%s'", reference);
	return r;
}

int image_each(const struct store *store, struct arena *arena,
	       int (*each)(const struct image *image, const char *reference, const struct error *broken, void *data,
			   struct error *e),
	       void *data, struct error *e)
{
	const char **references;
	size_t n;
	int r = list_references(store, arena, &references, &n, e);

	for (size_t i = 0; !r && i < n; i++) {
		struct image image = {.reference = references[i]};
		struct error broken = ERROR_INIT;
		const char *digest;
		int b = read_reference(store, references[i], arena, &digest, &broken);

		if (b == -ENOENT)
			continue; /* gone since */
		b = b ?: load_manifest(store, digest, arena, &image, &broken);
		r = each(b ? NULL : &image, references[i], b ? &broken : NULL, data, e);
	}
	return r;
}

int image_tag(const struct store *store, const char *source, const char *target, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	const char *normal = NULL;
	struct image image;
	int r = image_normalize(target, &arena, &normal, e) ?: image_load(store, source, &arena, &image, e);

	return r ?: image_write_reference(store, normal, image.digest, e);
}
