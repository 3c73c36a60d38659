/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of `holm launch`, which are also the keys of what `holm apply` and `holm up` read: one table.
 */
#ifndef HOLM_CMD_LAUNCH_H
#define HOLM_CMD_LAUNCH_H

#include "cmd/verb.h"
#include "instances/config.h"

extern const struct option_table launch_table;

/*
 * Options and operands as launch takes them: IMAGE [COMMAND...], or only the command with --rootfs; those of --profile come
 * first.  Strings point into argv or live in arena.  *ret_help: --help was there, nothing else counts.
 */
int launch_parse(const struct runtime *runtime, char **argv, size_t n, struct arena *arena, struct config_options *ret,
		 bool *ret_help, struct error *e) must_check;

/*
 * The options of a profile: DATA/profiles/NAME, else /etc/holm/profiles/NAME; one per line: the name, blanks, the value; '#' begins a
 * comment.
 */
int launch_load_profile(const struct runtime *runtime, const char *name, struct arena *arena, char ***ret,
			size_t *ret_n, struct error *e) must_check;

#endif
