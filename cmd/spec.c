/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/verbs.h"

struct spec_options {
	const char *bundle;
	bool rootless;
};

static const struct option rows[] = {
    OPTION(struct spec_options, bundle, "bundle", 'b', STRING, "DIR", "write into DIR (the current folder)"),
    OPTION(struct spec_options, rootless, "rootless", 0, FLAG, NULL, "for an ordinary user: with a user namespace"),
};

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct spec_options *o = options;
	const char *bundle = o->bundle ? o->bundle : ".";
	auto_free char *text = NULL;
	auto_fd dir = -1;
	int r;

	(void)call, (void)operands, (void)n;
	r = fd_open(AT_FDCWD, bundle, O_PATH | O_DIRECTORY, NULL, &dir, e);
	if (r)
		return r;
	text = spec_default(o->rootless, geteuid(), getegid());
	r = file_create(dir, "config.json", 0666, text, strlen(text));
	if (r == -EEXIST)
		return error_refuse(e, ERROR_EXISTS, "File config.json exists. Remove it first");
	return r ? error_system(e, -r, "create '%s/config.json'", bundle) : 0;
}

const struct verb verb_spec = {
    .name = "spec",
    .summary = "write a config.json to start from",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct spec_options, rows),
    .text = "It runs sh in the folder rootfs beside it.  A config.json that exists is left alone.",
    .run = run,
};
