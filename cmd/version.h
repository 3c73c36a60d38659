/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What --version says.  docker info and containerd look for lines "NAME version X", "commit: X" and "spec: X"; the
 * first one names holm, so no line but it may contain the word "version".
 */
#ifndef HOLM_CMD_VERSION_H
#define HOLM_CMD_VERSION_H

#include "base/str.h"

void version_print(struct str *out);

#endif
