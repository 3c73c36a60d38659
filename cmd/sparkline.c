/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/sparkline.h"

#include <math.h>
#include <string.h>

void sparkline_add(struct sparkline *line, double value)
{
	line->values[line->n++ % SPARKLINE_WIDTH] = value;
}

static double find_highest(const struct sparkline *line)
{
	double highest = 0;

	for (size_t i = 0; i < SPARKLINE_WIDTH && i < line->n; i++)
		if (line->values[i] > highest)
			highest = line->values[i];
	return highest;
}

void sparkline_print(const struct sparkline *line, double full, bool blocks, struct str *out)
{
	static const char *const bars[][8] = {
	    {"_", ".", ":", "-", "=", "+", "*", "#"},
	    {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	};
	double highest = find_highest(line);

	if (!(full > 0) || isinf(full))
		full = highest;
	for (size_t i = 0; i < SPARKLINE_WIDTH; i++) {
		double value = NAN;
		int level;

		if (i + line->n >= SPARKLINE_WIDTH)
			value = line->values[(line->n + i) % SPARKLINE_WIDTH];
		if (isnan(value)) {
			str_add(out, " ");
			continue;
		}
		level = full > 0 ? (int)(value / full * 8) : 0;
		str_add(out, bars[blocks][level > 7 ? 7 : level < 0 ? 0 : level]);
	}
}

bool sparkline_has_blocks(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) { /* the first that is set counts */
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}
