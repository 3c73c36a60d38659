/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of users.  /etc/passwd of the host is read here and not by getpwuid(3): a static program can't load the modules
 * that its name service wants.
 */
#ifndef HOLM_CMD_OWNER_H
#define HOLM_CMD_OWNER_H

#include <sys/types.h>

#include "base/arena.h"

/* The user's name, or "#UID" when /etc/passwd has none.  Lives in arena. */
const char *owner_find(uid_t uid, struct arena *arena);

#endif
