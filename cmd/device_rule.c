/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/device_rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/str.h"

static bool parse_access(const char *text, unsigned *ret)
{
	static const struct {
		char letter;
		unsigned bit;
	} letters[] = {{'r', SPEC_DEVICE_READ}, {'w', SPEC_DEVICE_WRITE}, {'m', SPEC_DEVICE_MKNOD}};

	*ret = 0;
	for (; *text; text++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(letters) && letters[i].letter != *text)
			i++;
		if (i == ARRAY_SIZE(letters) || *ret & letters[i].bit)
			return false;
		*ret |= letters[i].bit;
	}
	return *ret;
}

static bool parse_number(const char *text, int64_t *ret)
{
	*ret = -1;
	return str_equal(text, "*") || parse_i64(text, 0, UINT32_MAX, ret) >= 0;
}

static bool parse_words(const char *text, struct spec_device_rule *ret)
{
	char type, major[12], minor[12], access[4] = "rwm";
	int number = 0, end = 0;

	sscanf(text, "%c %11[0-9*]:%11[0-9*]%n %3[rwm]%n", &type, major, minor, &number, access, &end);
	end = end ? end : number;
	if (!number || text[end] || (end > number && text[number] != ' ') || !strchr("abc", type) ||
	    !parse_number(major, &ret->major) || !parse_number(minor, &ret->minor))
		return false;
	ret->type = type;
	return parse_access(access, &ret->access);
}

int device_rule_parse(const char *text, bool allow, const char *option, struct arena *arena,
		      struct spec_device_rule *ret, struct error *e)
{
	const char *colon = strrchr(text, ':'), *path;
	struct stat st;

	*ret = (struct spec_device_rule){.allow = allow};
	if (*text != '/')
		return parse_words(text, ret)
			   ? 0
			   : error_refuse(e, ERROR_USAGE,
					  "invalid value '%s' for --%s: neither a path nor 'TYPE MAJOR:MINOR "
					  "ACCESS', such as 'c 195:* rw'",
					  text, option);
	if (!colon || !parse_access(colon + 1, &ret->access)) {
		ret->access = SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE;
		path = text;
	} else {
		path = arena_format(arena, "%.*s", (int)(colon - text), text);
	}
	if (stat(path, &st) < 0)
		return error_system(e, errno, "--%s: look at '%s'", option, path);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_refuse(e, ERROR_USAGE, "invalid value '%s' for --%s: '%s' is no device", text, option,
				    path);
	ret->type = S_ISCHR(st.st_mode) ? 'c' : 'b';
	ret->major = major(st.st_rdev);
	ret->minor = minor(st.st_rdev);
	return 0;
}
