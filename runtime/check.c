/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/container.h"

#include "cgroups/host.h"

int container_check(const struct runtime *runtime, struct arena *arena, struct cgroup_check **ret, size_t *ret_n,
		    struct error *e)
{
	struct cgroup_host *host;
	int r = cgroup_host_find(arena, &host, e);

	return r ? r : cgroup_check_read(host, runtime->rootless, arena, ret, ret_n, e);
}
