/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs with commands of their own ("volume create"): each command is a struct verb, named with the verb before it.
 *
 * Such a verb is raw and hands all of it to commands_run(): --help of the verb lists the commands, --help of a command tells what it
 * takes, an unknown command is refused with the name that is like it.
 */
#ifndef HOLM_CMD_COMMANDS_H
#define HOLM_CMD_COMMANDS_H

#include "cmd/verb.h"

struct commands {
	const struct verb *verbs;
	size_t n;
	const char *page; /* the man page that tells more: "holm-network(8)" */
};

int commands_run(const struct commands *commands, struct invocation *call, void *options, char **operands, size_t n,
		 struct error *e) must_check;

#endif
