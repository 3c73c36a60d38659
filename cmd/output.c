/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/output.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"

int output_write(const char *text, struct error *e)
{
	int r = fd_write_all(STDOUT_FILENO, text, strlen(text));

	return r ? error_system(e, -r, "write to standard output") : 0;
}
