/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/container.h"

#include "runtime/internal.h"

int container_stats(const struct runtime *runtime, const char *id, unsigned what, struct arena *arena,
		    struct cgroup_stats *ret, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (h.status == CONTAINER_STOPPED)
		return error_refuse(e, ERROR_STATE, "container '%s' is not running", id);
	return cgroup_stats_read(&h.record.cgroup, what, arena, ret, e);
}
