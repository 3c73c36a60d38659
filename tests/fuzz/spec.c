/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the decoder: any text through every entrance of spec/.  What is accepted has to survive encoding and decoding
 * again, unchanged, and lint has to agree with the decoder about what is an error.  The corpus is plain config.json
 * files.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "spec/json.h"
#include "spec/lint.h"
#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_unless(int condition)
{
	if (!condition)
		abort();
}

static int try_document(const char *text, size_t size)
{
	auto_free char *first = NULL, *second = NULL;
	struct error e = ERROR_INIT;
	struct spec spec, again;

	if (spec_parse(text, size, "config.json", &spec, &e)) {
		fail_unless(e.kind == ERROR_INVALID && *e.text);
		return 0;
	}
	first = spec_encode(&spec, JSON_INDENT_NONE);
	fail_unless(!spec_parse(first, strlen(first), "again", &again, &e));
	second = spec_encode(&again, JSON_INDENT_NONE);
	fail_unless(!strcmp(first, second));
	spec_release(&spec);
	spec_release(&again);
	return 1;
}

static void try_parts(const char *text, size_t size)
{
	auto_arena arena = ARENA_INIT;
	struct spec_resources *resources;
	struct error e = ERROR_INIT;
	struct spec_process *process;
	struct spec_hooks hooks;

	if (!spec_parse_process(text, size, "p", &arena, &process, &e)) {
		auto_free char *encoded = spec_encode_process(process, 2);

		fail_unless(!spec_parse_process(encoded, strlen(encoded), "p", &arena, &process, &e));
	}
	if (!spec_parse_resources(text, size, "r", &arena, &resources, &e))
		fail_unless(resources != NULL);
	if (!spec_parse_hooks(text, size, "h", &arena, &hooks, &e)) {
		auto_free char *encoded = spec_encode_hooks(&hooks, JSON_INDENT_NONE);

		fail_unless(!spec_parse_hooks(encoded, strlen(encoded), "h", &arena, &hooks, &e));
	}
}

static void try_json(const char *text, size_t size)
{
	auto_free char *first = NULL, *second = NULL;
	auto_json *json = NULL, *again = NULL;
	struct error e = ERROR_INIT;

	if (json_read(text, size, "j", &json, &e))
		return;
	first = json_dump(json, JSON_INDENT_NONE);
	fail_unless(!json_read(first, strlen(first), "j", &again, &e));
	second = json_dump(again, JSON_INDENT_NONE);
	fail_unless(!strcmp(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena arena = ARENA_INIT;
	struct lint lint;
	int valid = try_document((const char *)data, size);

	fail_unless(spec_lint((const char *)data, size, "config.json", NULL, &arena, &lint) == valid);
	try_parts((const char *)data, size);
	try_json((const char *)data, size);
	return 0;
}
