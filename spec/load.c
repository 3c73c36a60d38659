/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts and files <-> structs: the public entrances, all through the tables */
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/parse.h"
#include "spec/resources.h"
#include "spec/spec.h"
#include "spec/tables.h"

enum { CONFIG_MAX = 64 << 20 }; /* bytes: thousands of variables and rules are well below */

static int decode_text(const char *text, size_t size, const char *name, const struct object *object,
		       struct arena *arena, void *base, struct error *e)
{
	/* A whole document may say more than this build knows; a patch of limits is what somebody wants done. */
	struct walker w = {.name = name, .arena = arena, .e = e, .warns = object == &object_resources};
	json_auto_t *tree = NULL;
	int r = parse_tree(text, size, name, &tree, e);

	return r ? r : walk_decode(&w, NULL, tree, object, base);
}

int spec_parse(const char *text, size_t size, const char *name, struct spec *ret, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct spec spec = {0};
	int r = decode_text(text, size, name, &object_document, &arena, &spec, e);

	if (r)
		return r;
	spec.arena = arena;
	arena = ARENA_INIT;
	*ret = spec;
	return 0;
}

int spec_load(int dirfd, const char *path, struct spec *ret, struct error *e)
{
	auto_free char *text = NULL;
	size_t size = 0;
	int r = file_read(dirfd, path, CONFIG_MAX, &text, &size);

	if (r == -EFBIG)
		return error_refuse(e, ERROR_INVALID, "%s: is larger than %d MiB", path, CONFIG_MAX >> 20);
	if (r)
		return error_system(e, -r, "read '%s'", path);
	return spec_parse(text, size, path, ret, e);
}

int spec_parse_process(const char *text, size_t size, const char *name, struct arena *arena, struct spec_process **ret,
		       struct error *e)
{
	struct spec_process *process = arena_new(arena, struct spec_process);
	int r = decode_text(text, size, name, &object_process, arena, process, e);

	if (!r)
		*ret = process;
	return r;
}

int spec_parse_resources(const char *text, size_t size, const char *name, struct arena *arena,
			 struct spec_resources **ret, struct error *e)
{
	struct spec_resources *resources = arena_new(arena, struct spec_resources);
	int r = decode_text(text, size, name, &object_resources, arena, resources, e);

	if (!r)
		*ret = resources;
	return r;
}

int spec_parse_hooks(const char *text, size_t size, const char *name, struct arena *arena, struct spec_hooks *ret,
		     struct error *e)
{
	struct spec_hooks hooks = {0};
	int r = decode_text(text, size, name, &object_hooks, arena, &hooks, e);

	if (!r)
		*ret = hooks;
	return r;
}

void spec_release(struct spec *spec)
{
	arena_release(&spec->arena);
	*spec = (struct spec){0};
}

static char *encode_text(const struct object *object, const void *base, int indent)
{
	struct json_writer w = json_writer_init(indent);

	json_open_object(&w, NULL);
	walk_encode(&w, object, base);
	json_close(&w);
	return json_finish(&w);
}

char *spec_encode(const struct spec *spec, int indent)
{
	return encode_text(&object_document, spec, indent);
}

char *spec_encode_process(const struct spec_process *process, int indent)
{
	return encode_text(&object_process, process, indent);
}

char *spec_encode_resources(const struct spec_resources *resources, int indent)
{
	return encode_text(&object_resources, resources, indent);
}

char *spec_encode_hooks(const struct spec_hooks *hooks, int indent)
{
	return encode_text(&object_hooks, hooks, indent);
}
