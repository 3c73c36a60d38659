/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * still: says for how long it stood still, in milliseconds, a line each time that it was longer than one of them.
 */
#include <stdio.h>
#include <time.h>

int main(void)
{
	const struct timespec pause = {.tv_nsec = 100000};
	double before = 0, now;
	struct timespec t;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		now = (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
		if (before && now - before > 1) {
			printf("%.1f\n", now - before);
			fflush(stdout);
		}
		before = now;
		nanosleep(&pause, NULL);
	}
}
