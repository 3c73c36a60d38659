/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The word for each kind, and the errno that a refusal of that kind returns. */
static const struct {
	const char *name;
	int code;
} kinds[_ERROR_KIND_N] = {
    [ERROR_SYSTEM] = {"system", EIO},		[ERROR_USAGE] = {"usage", EINVAL},
    [ERROR_OPERANDS] = {"usage", EINVAL},	[ERROR_INVALID] = {"invalid", EINVAL},
    [ERROR_NOT_FOUND] = {"not-found", ENOENT},	[ERROR_EXISTS] = {"exists", EEXIST},
    [ERROR_STATE] = {"state", EBUSY},		[ERROR_UNSUPPORTED] = {"unsupported", EOPNOTSUPP},
    [ERROR_PERMISSION] = {"permission", EPERM}, [ERROR_LIMIT] = {"limit", ENOSPC},
    [ERROR_BUG] = {"bug", ENOTRECOVERABLE},
};

static void fill(struct error *e, enum error_kind kind, int code, const char *format, va_list args)
{
	if (!e)
		return;
	e->kind = kind;
	e->code = code;
	vsnprintf(e->text, sizeof(e->text), format, args);
}

int error_system(struct error *e, int code, const char *format, ...)
{
	va_list args;

	if (code <= 0)
		code = EIO;
	va_start(args, format);
	fill(e, ERROR_SYSTEM, code, format, args);
	va_end(args);
	return -code;
}

int error_refuse(struct error *e, enum error_kind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(e, kind, 0, format, args);
	va_end(args);
	return -kinds[kind].code;
}

int error_bug(struct error *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(e, ERROR_BUG, 0, format, args);
	va_end(args);
	return -kinds[ERROR_BUG].code;
}

void error_context(struct error *e, const char *format, ...)
{
	char old[ERROR_TEXT_SIZE];
	va_list args;
	int n;

	if (!e)
		return;
	memcpy(old, e->text, sizeof(old));
	va_start(args, format);
	n = vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(e->text))
		snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
}

const char *error_format(const struct error *e, char *buffer, size_t size)
{
	const char *why = strerror(e->code);

	/* As other runtimes spell it: Docker looks for "no such file or directory", "permission denied" in these letters. */
	if (e->code)
		snprintf(buffer, size, "%s: %c%s", e->text, isupper(why[1]) ? why[0] : tolower(why[0]), why + 1);
	else
		snprintf(buffer, size, "%s", e->text);
	return buffer;
}

/* One that came over a socket may say anything, but not that it is none. */
static enum error_kind find_kind(const struct error *e)
{
	return e->kind <= ERROR_NONE || e->kind >= _ERROR_KIND_N ? ERROR_BUG : (enum error_kind)e->kind;
}

int error_return(const struct error *e)
{
	return e->code > 0 ? -e->code : -kinds[find_kind(e)].code;
}

const char *error_kind_name(const struct error *e)
{
	return kinds[find_kind(e)].name;
}
