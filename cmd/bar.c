/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/bar.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum { WIDTH = 24, STEP_MS = 100 };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

const char *bar_print_size(uint64_t bytes, char buffer[BAR_SIZE_SIZE])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	snprintf(buffer, BAR_SIZE_SIZE, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buffer;
}

void bar_open(struct bar *bar, bool quiet)
{
	*bar = (struct bar){.quiet = quiet, .terminal = isatty(STDERR_FILENO), .started = now_ms()};
}

static void draw_line(struct bar *bar, const char *what, unsigned step, unsigned steps, uint64_t bytes, uint64_t total)
{
	char size[BAR_SIZE_SIZE], of[BAR_SIZE_SIZE], rate[BAR_SIZE_SIZE], line[WIDTH + 1] = "";
	int64_t now = now_ms(), passed = now - bar->started;
	unsigned filled = !total ? 0 : bytes >= total ? WIDTH : bytes * WIDTH / total;

	if (bar->drawn && now - bar->last < STEP_MS && step != steps)
		return;
	bar->last = now;
	bar->drawn = true;
	for (unsigned i = 0; i < WIDTH; i++)
		line[i] = total ? (i < filled ? '#' : '.') : i == (unsigned)(now / STEP_MS) % WIDTH ? '#' : '.';
	fprintf(stderr, "\r[%s] %u of %u %s, %s%s%s, %s/s\033[K", line, step, steps, what, bar_print_size(bytes, size),
		total ? " of " : "", total ? bar_print_size(total, of) : "",
		bar_print_size(passed > 0 ? bytes * 1000 / passed : 0, rate));
	fflush(stderr);
}

void bar_draw(struct bar *bar, const char *what, unsigned step, unsigned steps, uint64_t bytes, uint64_t total)
{
	char size[BAR_SIZE_SIZE], rate[BAR_SIZE_SIZE];
	int64_t passed = now_ms() - bar->started;

	if (bar->quiet)
		return;
	if (bar->terminal) {
		draw_line(bar, what, step, steps, bytes, total);
		return;
	}
	if (step == bar->steps_told)
		return;
	bar->steps_told = step;
	fprintf(stderr, "%u of %u %s: %s, %s/s\n", step, steps, what, bar_print_size(bytes, size),
		bar_print_size(passed > 0 ? bytes * 1000 / passed : 0, rate));
}

void bar_close(struct bar *bar)
{
	if (bar->drawn)
		fputs("\r\033[K", stderr);
	bar->drawn = false;
}
