/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that create, run and explain share: rows over struct container_create.
 */
#ifndef HOLM_CMD_CREATE_H
#define HOLM_CMD_CREATE_H

#include "cmd/option.h"
#include "runtime/container.h"

#define CREATE_BUNDLE_OPTIONS                                                                                          \
	OPTION(struct container_create, bundle, "bundle", 'b', STRING, "DIR", "the bundle (the current folder)"),      \
	    OPTION(struct container_create, config, "config", 'f', STRING, "FILE", "read FILE instead of config.json")

#define CREATE_OPTIONS                                                                                                 \
	CREATE_BUNDLE_OPTIONS,                                                                                         \
	    OPTION(struct container_create, console_socket, "console-socket", 0, STRING, "SOCKET",                     \
		   "send the terminal's master end to SOCKET"),                                                        \
	    OPTION(struct container_create, pidfd_socket, "pidfd-socket", 0, STRING, "SOCKET",                         \
		   "send init's pidfd to SOCKET"),                                                                     \
	    OPTION(struct container_create, pid_file, "pid-file", 0, STRING, "FILE", "write init's pid to FILE"),      \
	    OPTION(struct container_create, no_pivot, "no-pivot", 0, FLAG, NULL,                                       \
		   "move the root instead of pivot_root(2), for a root on a ramdisk"),                                 \
	    OPTION(struct container_create, no_new_keyring, "no-new-keyring", 0, FLAG, NULL,                           \
		   "keep the caller's session keyring"),                                                               \
	    OPTION(struct container_create, preserve_fds, "preserve-fds", 0, COUNT, "N",                               \
		   "hand on N descriptors after stdio and LISTEN_FDS")

#endif
