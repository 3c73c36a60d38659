/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of bytes for people.
 */
#ifndef HOLM_CMD_AMOUNT_H
#define HOLM_CMD_AMOUNT_H

#include <stdint.h>

enum { AMOUNT_SIZE = 16 };

/* "0 B", "1023 B", "1.5 KiB", "20 MiB", "3.2 TiB": at most three digits and the unit.  Returns buffer. */
const char *amount_format(uint64_t bytes, char buffer[AMOUNT_SIZE]);

#endif
