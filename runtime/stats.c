/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/container.h"

#include "runtime/internal.h"

static int open_running(struct handle *h, const struct runtime *runtime, const char *id, struct error *e)
{
	int r = handle_open(h, runtime, id, e);

	if (r)
		return r;
	if (h->status == CONTAINER_STOPPED)
		return error_refuse(e, ERROR_STATE, "container '%s' is not running", id);
	return 0;
}

int container_stats(const struct runtime *runtime, const char *id, unsigned what, struct arena *arena,
		    struct cgroup_stats *ret, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = open_running(&h, runtime, id, e);

	return r ? r : cgroup_stats_read(&h.record.cgroup, what, arena, ret, e);
}

int container_watch(const struct runtime *runtime, const char *id, unsigned kinds, unsigned pressure_us,
		    struct cgroup_watch **ret, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = open_running(&h, runtime, id, e);

	return r ? r : cgroup_watch_open(&h.record.cgroup, kinds, pressure_us, ret, e);
}

int container_pids(const struct runtime *runtime, const char *id, pid_t **ret_pids, size_t *ret_n, struct error *e)
{
	auto_handle h = HANDLE_INIT;
	int r = handle_open(&h, runtime, id, e);

	if (r)
		return r;
	if (!h.record.cgroup.n_paths)
		return error_refuse(e, ERROR_UNSUPPORTED, "container '%s': it has no cgroup to list processes of", id);
	return cgroup_pids(&h.record.cgroup, ret_pids, ret_n, e);
}
