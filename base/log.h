/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where warnings and traces go.  Errors are never logged below cmd/: they return.  A warning is data ("limit ignored:
 * ..."): it goes to the sink that main set up (stderr, or --log FILE as text or JSON) and the work goes on.
 */
#ifndef HOLM_BASE_LOG_H
#define HOLM_BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_DEBUG };

/* The sink: set once by main before anything else.  text has no newline.  Without one, warnings go to stderr. */
void log_set_sink(void (*sink)(enum log_level level, const char *text, void *data), void *data);
void log_set_debug(int on);

void log_warning(const char *format, ...) printf_like(1, 2);
void log_debug(const char *format, ...) printf_like(1, 2); /* nothing is formatted unless --debug */

#endif
