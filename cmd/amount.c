/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/amount.h"

#include <stdio.h>

#include "base/str.h"

const char *amount_format(uint64_t bytes, char buffer[AMOUNT_SIZE])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double amount = (double)bytes;
	size_t unit = 0;

	while (amount >= 1023.5 && unit + 1 < ARRAY_SIZE(units)) {
		amount /= 1024;
		unit++;
	}
	snprintf(buffer, AMOUNT_SIZE, unit && amount < 9.95 ? "%.1f %s" : "%.0f %s", amount, units[unit]);
	return buffer;
}
