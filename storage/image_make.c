/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/image_make.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/str.h"
#include "spec/json.h"

const char *image_machine(const char **ret_variant)
{
	static const struct {
		const char *machine, *name, *variant;
	} machines[] = {
	    {"x86_64", "amd64", NULL},	  {"aarch64", "arm64", "v8"},	{"i686", "386", NULL},
	    {"i386", "386", NULL},	  {"armv7l", "arm", "v7"},	{"armv6l", "arm", "v6"},
	    {"ppc64le", "ppc64le", NULL}, {"riscv64", "riscv64", NULL}, {"s390x", "s390x", NULL},
	};
	struct utsname host;

	*ret_variant = NULL;
	if (uname(&host) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_equal(machines[i].machine, host.machine)) {
			*ret_variant = machines[i].variant;
			return machines[i].name;
		}
	return "unknown";
}

/* ---- configurations ---- */

static void put_strings(struct json_writer *w, const char *key, const char *const *list, size_t n)
{
	if (!n)
		return;
	json_open_array(w, key);
	for (size_t i = 0; i < n; i++)
		json_put_string(w, NULL, list[i]);
	json_close(w);
}

static void put_keys(struct json_writer *w, const char *key, const char *const *list, size_t n)
{
	if (!n)
		return;
	json_open_object(w, key);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, list[i]);
		json_close(w);
	}
	json_close(w);
}

static void put_text(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_put_string(w, key, value);
}

static void put_image_config(struct json_writer *w, const struct image_config *config)
{
	json_open_object(w, "config");
	put_text(w, "User", config->user);
	put_keys(w, "ExposedPorts", config->exposed_ports, config->n_exposed_ports);
	put_strings(w, "Env", config->env, config->n_env);
	put_strings(w, "Entrypoint", config->entrypoint, config->n_entrypoint);
	put_strings(w, "Cmd", config->cmd, config->n_cmd);
	put_keys(w, "Volumes", config->volumes, config->n_volumes);
	put_text(w, "WorkingDir", config->working_dir);
	if (config->n_labels) {
		json_open_object(w, "Labels");
		for (size_t i = 0; i < config->n_labels; i++)
			json_put_string(w, config->labels[2 * i], config->labels[2 * i + 1]);
		json_close(w);
	}
	put_text(w, "StopSignal", config->stop_signal);
	json_close(w);
}

static void put_history(struct json_writer *w, const struct image_new *image, const struct json *parent,
			const char *created)
{
	const struct json *old = json_find(parent, "history");

	json_open_array(w, "history");
	for (size_t i = 0; i < json_count(old); i++) {
		auto_free char *entry = json_dump(json_at(old, i), JSON_INDENT_NONE);

		json_put_raw(w, NULL, entry);
	}
	/* A parent with a history that is not there has one entry per layer missing: an image without any is as good. */
	for (size_t i = 0; i < image->n_new; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "created", created);
		put_text(w, "created_by", image->created_by);
		put_text(w, "author", image->author);
		put_text(w, "comment", image->comment);
		json_close(w);
	}
	json_close(w);
}

static void put_layers(struct json_writer *w, const struct image_new *image)
{
	json_open_object(w, "rootfs");
	json_put_string(w, "type", "layers");
	json_open_array(w, "diff_ids");
	for (size_t i = 0; i < image->n_layers; i++) {
		char digest[sizeof("sha256:") + STORE_HEX_SIZE];

		snprintf(digest, sizeof(digest), "sha256:%s", image->layers[i]);
		json_put_string(w, NULL, digest);
	}
	json_close(w);
	json_close(w);
}

/* What a new configuration says in its own words is not copied from the parent. */
static void put_rest(const char *key, const struct json *value, void *data)
{
	static const char *const own[] = {"created", "author", "architecture", "os",
					  "variant", "config", "rootfs",       "history",
					  "id",	     "parent", "container",    "container_config"};
	struct json_writer *w = data;
	auto_free char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_equal(key, own[i]))
			return;
	text = json_dump(value, JSON_INDENT_NONE);
	json_put_raw(w, key, text);
}

int image_make_config(const struct image_new *image, char **ret, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_json *parent = NULL;
	time_t now = time(NULL);
	char created[32];
	struct tm tm;
	int r = image->parent ? json_read(image->parent, image->parent_size, "image configuration", &parent, e) : 0;

	if (r)
		return r;
	strftime(created, sizeof(created), "%FT%TZ", gmtime_r(&now, &tm));
	json_open_object(&w, NULL);
	json_put_string(&w, "created", created);
	put_text(&w, "author", image->author ?: json_find_string(parent, "author"));
	put_text(&w, "architecture", json_find_string(parent, "architecture") ?: image->architecture);
	put_text(&w, "os", json_find_string(parent, "os") ?: image->os);
	put_text(&w, "variant", parent ? json_find_string(parent, "variant") : image->variant);
	if (image->config) {
		put_image_config(&w, image->config);
	} else if (json_find(parent, "config")) {
		auto_free char *text = json_dump(json_find(parent, "config"), JSON_INDENT_NONE);

		json_put_raw(&w, "config", text);
	} else {
		json_open_object(&w, "config");
		json_close(&w);
	}
	put_layers(&w, image);
	put_history(&w, image, parent, created);
	json_each(parent, put_rest, &w);
	json_close(&w);
	*ret = json_finish(&w);
	return 0;
}

/* ---- manifests ---- */

static void put_descriptor(struct json_writer *w, const char *key, const char *type, const char *hex, uint64_t size)
{
	char digest[sizeof("sha256:") + STORE_HEX_SIZE];

	snprintf(digest, sizeof(digest), "sha256:%s", hex);
	json_open_object(w, key);
	json_put_string(w, "mediaType", type);
	json_put_string(w, "digest", digest);
	json_put_uint(w, "size", size);
	json_close(w);
}

int image_make_manifest(const struct store *store, const char *config_hex, size_t config_size,
			const char *const *layers, size_t n_layers, char **ret, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	int r = 0;

	json_open_object(&w, NULL);
	json_put_uint(&w, "schemaVersion", 2);
	json_put_string(&w, "mediaType", "application/vnd.oci.image.manifest.v1+json");
	put_descriptor(&w, "config", "application/vnd.oci.image.config.v1+json", config_hex, config_size);
	json_open_array(&w, "layers");
	for (size_t i = 0; !r && i < n_layers; i++) {
		struct layer_info info = {0};

		r = layer_load(store, layers[i], &info, e);
		if (!r)
			put_descriptor(&w, NULL, "application/vnd.oci.image.layer.v1.tar", layers[i], info.size);
	}
	json_close(&w);
	json_close(&w);
	*ret = json_finish(&w);
	if (r)
		free_p(ret);
	return r;
}
