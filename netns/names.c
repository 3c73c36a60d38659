/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/names.h"

#include <string.h>

#include "base/str.h"
#include "netns/request.h"

const char *net_interface_name_flaw(const char *name, bool template)
{
	const char *percent = strchr(name, '%');

	if (!*name)
		return "is empty";
	if (strlen(name) >= NET_NAME_SIZE)
		return "is longer than 15 bytes";
	if (str_equal(name, ".") || str_equal(name, ".."))
		return "is not a name";
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return "holds '/', ':' or white space";
	if (percent && (!template || percent[1] != 'd' || strchr(percent + 1, '%')))
		return template ? "holds a '%' that is not one '%d'" : "holds a '%'";
	return NULL;
}
