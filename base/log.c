/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void to_stderr(enum log_level level, const char *text, void *data)
{
	(void)data;
	fprintf(stderr, "holm: %s%s\n", level == LOG_LEVEL_WARNING ? "warning: " : "", text);
}

static void (*sink)(enum log_level level, const char *text, void *data) = to_stderr;
static void *sink_data;
static int debug;

void log_set_sink(void (*new_sink)(enum log_level level, const char *text, void *data), void *data)
{
	sink = new_sink;
	sink_data = data;
}

void log_set_debug(int on)
{
	debug = on;
}

static void emit(enum log_level level, const char *format, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), format, args);
	sink(level, text, sink_data);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	if (!debug)
		return;
	va_start(args, format);
	emit(LOG_LEVEL_DEBUG, format, args);
	va_end(args);
}
