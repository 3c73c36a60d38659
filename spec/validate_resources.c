/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.resources */
#include <inttypes.h>
#include <string.h>

#include "spec/resources.h"
#include "spec/validate.h"

enum { WEIGHT_MIN = 10 }; /* to 1000, as the tables have it; 0 asks for nothing */

int check_weight_device(struct walker *w, const struct step *step, void *base)
{
	const struct spec_blkio_device *device = base;

	if (!device->weight.present && !device->leaf_weight.present)
		return walk_refuse(w, step, "needs weight or leafWeight");
	if (device->weight.value && device->weight.value < WEIGHT_MIN)
		return walk_refuse(w, STEP_KEY(step, "weight"), "must be 10 to 1000, not %" PRIu64,
				   device->weight.value);
	return 0;
}

int check_rdma(struct walker *w, const struct step *step, void *base)
{
	const struct spec_rdma *rdma = base;

	if (!rdma->hca_handles.present && !rdma->hca_objects.present)
		return walk_refuse(w, step, "needs hcaHandles or hcaObjects");
	return 0;
}

/* A file of the container's cgroup, never a way out of it. */
int check_unified(struct walker *w, const struct step *step, void *base)
{
	const struct spec_unified *unified = base;

	if (!*unified->file || strchr(unified->file, '/') || !strcmp(unified->file, ".") ||
	    !strcmp(unified->file, ".."))
		return walk_refuse(w, step, "'%s' is no name of a cgroup file", unified->file);
	return 0;
}

static int check_cpu(struct walker *w, const struct step *step, const struct spec_resources *r)
{
	if (r->cpu.burst.present && r->cpu.quota.present && r->cpu.quota.value > 0 &&
	    r->cpu.burst.value > (uint64_t)r->cpu.quota.value)
		return walk_refuse(w, STEP_KEY(step, "burst"), "%" PRIu64 " is above the quota, %" PRId64,
				   r->cpu.burst.value, r->cpu.quota.value);
	if (r->cpu.cpus && !is_list(r->cpu.cpus))
		return walk_refuse(w, STEP_KEY(step, "cpus"), "must be a list of CPUs like '0-3,7', not '%s'",
				   r->cpu.cpus);
	if (r->cpu.mems && !is_list(r->cpu.mems))
		return walk_refuse(w, STEP_KEY(step, "mems"), "must be a list of memory nodes like '0-1', not '%s'",
				   r->cpu.mems);
	return 0;
}

static int check_memory(struct walker *w, const struct step *step, const struct spec_resources *r)
{
	if (r->memory.limit.value > 0 && r->memory.swap.value > 0 && r->memory.swap.value < r->memory.limit.value)
		return walk_refuse(w, STEP_KEY(step, "swap"),
				   "%" PRId64 " is below memory.limit, %" PRId64 ": it is memory and swap together",
				   r->memory.swap.value, r->memory.limit.value);
	return 0;
}

int check_resources(struct walker *w, const struct step *step, void *base)
{
	const struct spec_resources *resources = base;
	int r = check_cpu(w, STEP_KEY(step, "cpu"), resources);

	if (!r)
		r = check_memory(w, STEP_KEY(step, "memory"), resources);
	if (!r && resources->block_io.weight.value && resources->block_io.weight.value < WEIGHT_MIN)
		r = walk_refuse(w, STEP_KEY(STEP_KEY(step, "blockIO"), "weight"), "must be 10 to 1000, not %" PRIu64,
				resources->block_io.weight.value);
	return r;
}
