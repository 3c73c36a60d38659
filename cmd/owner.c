/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/owner.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

enum { PASSWD_MAX = 16 << 20 };

/* "name:x:uid:...": whether line is uid's; the colon after the name is cut. */
static bool is_of(char *line, uid_t uid)
{
	char *rest = line, *field[3];
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&rest, ":");
		if (!field[i])
			return false;
	}
	return *field[0] && !parse_u64(field[2], 0, UINT32_MAX, &number) && number == uid;
}

const char *owner_find(uid_t uid, struct arena *arena)
{
	auto_free char *data = NULL;
	char *rest, *line;

	if (!file_read(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &data, NULL)) {
		rest = data;
		while ((line = strsep(&rest, "\n")))
			if (is_of(line, uid))
				return arena_strdup(arena, line);
	}
	return arena_format(arena, "#%u", uid);
}
