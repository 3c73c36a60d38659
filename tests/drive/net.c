/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls the functions of netns/client.h from a shell script: one verb per function.  Must lie beside holm-net.
 *
 *   net move NETNS-FILE HOST-NAME[=NAME]...
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "netns/client.h"
#include "spec/spec.h"

static int move(char **args, int n, struct error *e)
{
	struct spec_net_device devices[32] = {0};
	auto_fd netns = open(args[0], O_RDONLY | O_CLOEXEC);

	for (int i = 1; i < n && i <= 32; i++) {
		devices[i - 1].host_name = strtok(args[i], "=");
		devices[i - 1].name = strtok(NULL, "=");
	}
	return net_move_devices(devices, n - 1, netns, e);
}

static const struct {
	const char *name;
	int (*run)(char **args, int n, struct error *e);
	int least;
} verbs[] = {
    {"move", move, 1},
};

int main(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	char text[2048];

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) || argc - 2 < verbs[i].least)
			continue;
		if (!verbs[i].run(argv + 2, argc - 2, &e))
			return 0;
		fprintf(stderr, "%s: %s\n", error_kind_name(e.kind), error_format(&e, text, sizeof(text)));
		return 1;
	}
	fprintf(stderr, "usage: net VERB ARGUMENT...\n");
	return 2;
}
