/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/image_pin.h"

#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/json.h"

int pin_open(const struct store *store, struct image_pin *pin, struct error *e)
{
	pin->n_layers = pin->n_blobs = 0;
	pin->arena = ARENA_INIT;
	return store_tmp_make(store, "pin", &pin->tmp, e);
}

static int add(struct image_pin *pin, const char **list, size_t *n, size_t room, const char *hex, struct error *e)
{
	for (size_t i = 0; i < *n; i++)
		if (str_equal(list[i], hex))
			return 0;
	if (*n == room)
		return error_refuse(e, ERROR_LIMIT, "more than %zu at once are too many", room);
	list[(*n)++] = arena_strdup(&pin->arena, hex);
	return 0;
}

int pin_add_layers(struct image_pin *pin, const char *const *ids, size_t n, struct error *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = add(pin, pin->layers, &pin->n_layers, ARRAY_SIZE(pin->layers), ids[i], e);
	return r;
}

int pin_add_blob(struct image_pin *pin, const char *hex, struct error *e)
{
	return add(pin, pin->blobs, &pin->n_blobs, ARRAY_SIZE(pin->blobs), hex, e);
}

int pin_write(const struct store *store, struct image_pin *pin, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);
	auto_free char *text = NULL;
	int r;

	json_open_object(&w, NULL);
	json_open_array(&w, "layers");
	for (size_t i = 0; i < pin->n_layers; i++)
		json_put_string(&w, NULL, pin->layers[i]);
	json_close(&w);
	json_open_array(&w, "blobs");
	for (size_t i = 0; i < pin->n_blobs; i++)
		json_put_string(&w, NULL, pin->blobs[i]);
	json_close(&w);
	json_close(&w);
	text = json_finish(&w);
	r = file_replace(pin->tmp.fd, "root.json", 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/tmp/%s/root.json'", store->path, pin->tmp.name) : 0;
}

void pin_close(const struct store *store, struct image_pin *pin)
{
	store_tmp_drop(store, &pin->tmp);
	arena_release(&pin->arena);
}
