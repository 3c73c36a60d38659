/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/limits.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

static bool can_raise(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[0].effective & 1U << CAP_SYS_RESOURCE;
}

int limits_fit(struct spec_process *process, struct rlimit ret_own[RLIM_NLIMITS], struct error *e)
{
	int raise = -1; /* asked for only when needed */

	for (size_t i = 0; i < process->n_rlimits; i++) {
		struct spec_rlimit *l = &process->rlimits[i];
		rlim_t max;

		if (getrlimit(l->resource, &ret_own[l->resource]) < 0)
			return error_system(e, errno, "process.rlimits[%zu]: read the limit that holm itself has", i);
		max = ret_own[l->resource].rlim_max;
		if (l->hard <= max)
			continue;
		if (raise < 0)
			raise = can_raise();
		if (raise)
			continue;
		log_warning("process.rlimits[%zu]: the hard limit can't be raised to %llu without CAP_SYS_RESOURCE: it "
			    "stays at %llu",
			    i, (unsigned long long)l->hard, (unsigned long long)max);
		l->hard = max;
		if (l->soft > max)
			l->soft = max;
	}
	return 0;
}
