/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small configs for the tests of spec/: a valid document into which a case puts its own members.  They come last in
 * their object, so that they win over the valid ones.
 */
#ifndef HOLM_TESTS_UNIT_SPEC_CASE_H
#define HOLM_TESTS_UNIT_SPEC_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "spec/spec.h"

enum place { TOP, PROCESS, USER, LINUX, MEMORY, CPU, RESOURCES, SECCOMP, MOUNTS, HOLM };

/* The document's text; the caller frees it. */
static inline char *case_text(enum place place, const char *members)
{
	static const char *const templates[] = {
	    [TOP] = "%s",
	    [PROCESS] = "\"process\": {\"cwd\": \"/\", \"args\": [\"a\"], %s}",
	    [USER] = "\"process\": {\"cwd\": \"/\", \"args\": [\"a\"], \"user\": {%s}}",
	    [LINUX] = "\"linux\": {%s}",
	    [MEMORY] = "\"linux\": {\"resources\": {\"memory\": {%s}}}",
	    [CPU] = "\"linux\": {\"resources\": {\"cpu\": {%s}}}",
	    [RESOURCES] = "\"linux\": {\"resources\": {%s}}",
	    [SECCOMP] = "\"linux\": {\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ERRNO\", %s}}",
	    [MOUNTS] = "\"mounts\": [%s]",
	    [HOLM] = "\"holm\": {%s}",
	};
	auto_str part = STR_INIT;
	struct str text = STR_INIT;
	const char *gap = strstr(templates[place], "%s");

	str_add_bytes(&part, templates[place], gap - templates[place]);
	str_add(&part, members);
	str_add(&part, gap + 2);
	str_addf(&text, "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"r\"}, %s}", str_peek(&part));
	return str_steal(&text);
}

static inline int case_parse(enum place place, const char *members, struct spec *ret, struct error *e)
{
	auto_free char *text = case_text(place, members);

	return spec_parse(text, strlen(text), "config.json", ret, e);
}

#endif
