/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * root DATA IMAGE ROUNDS [USER_NAMESPACE]: makes a root of an image and opens it ROUNDS times, as starts do.  Prints microseconds:
 * how long making took, then the fastest, the median and the slowest opening.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tree.h"
#include "storage/root.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int measure(const struct store *store, int folder, const char *image, int rounds, int user, struct error *e)
{
	const struct root_request request = {.image = image};
	const struct root_view view = {.user_namespace = user};
	double *times = calloc((size_t)rounds, sizeof(*times)), start = now(), made;
	int r = root_create(store, folder, "bench", &request, e);

	made = now() - start;
	for (int i = 0; i < rounds && !r; i++) {
		int tree = -1;

		start = now();
		r = root_open(store, folder, &view, &tree, e);
		times[i] = now() - start;
		fd_close(tree);
	}
	if (!r) {
		qsort(times, (size_t)rounds, sizeof(*times), compare);
		printf("%.0f %.0f %.0f %.0f\n", made, times[0], times[rounds / 2], times[rounds - 1]);
		r = root_remove(store, folder, e);
	}
	free(times);
	return r;
}

int main(int argc, char **argv)
{
	struct store store = STORE_INIT;
	struct error e = ERROR_INIT;
	int instances = -1, folder = -1, user = -1, r;
	char text[ERROR_TEXT_SIZE + 128];

	if (argc < 4)
		return EXIT_FAILURE;
	r = store_open(argv[1], true, &store, &e);
	if (!r)
		r = store_open_folder(&store, "instances", true, &instances, &e);
	if (!r && (mkdirat(instances, "bench", 0700) < 0 ||
		   (folder = openat(instances, "bench", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0))
		r = error_refuse(&e, ERROR_SYSTEM, "make the instance's folder");
	if (!r && argc > 4)
		r = fd_open(AT_FDCWD, argv[4], O_RDONLY, NULL, &user, &e);
	if (!r)
		r = measure(&store, folder, argv[2], atoi(argv[3]), user, &e);
	if (r)
		fprintf(stderr, "%s\n", error_format(&e, text, sizeof(text)));
	if (folder >= 0 && tree_remove(instances, "bench", &e))
		return EXIT_FAILURE;
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
