/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/block.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cgroups/file.h"

static bool uses_bfq(const char *folder)
{
	char text[256];

	return cgroup_file_read(folder, "scheduler", text, sizeof(text)) >= 0 && strstr(text, "[bfq]");
}

bool block_has_bfq(void)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *d;
	bool found = false;

	while (dir && !found && (d = readdir(dir))) {
		char folder[512];

		snprintf(folder, sizeof(folder), "/sys/block/%s/queue", d->d_name);
		found = d->d_name[0] != '.' && uses_bfq(folder);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The line of a disk ("8:0"), or any, says "enable=1". */
static bool is_enabled(const struct cgroup_host *host, const char *device)
{
	char text[CGROUP_FILE_SIZE], type[128];
	int r = host->v2 ? cgroup_file_read(host->v2->mount, "io.cost.qos", text, sizeof(text)) : -1;

	if (r < 0) /* only the real root has no type */
		return host->v2 && cgroup_file_read(host->v2->mount, "cgroup.type", type, sizeof(type)) >= 0;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *on = strstr(line, "enable=1");

		if (on && on < strchrnul(line, '\n') &&
		    (!device || (!strncmp(line, device, strlen(device)) && line[strlen(device)] == ' ')))
			return true;
	}
	return false;
}

bool block_has_cost(const struct cgroup_host *host)
{
	return is_enabled(host, NULL);
}

static int refuse(const struct cgroup_host *host, const char *cause, const char *disk, struct error *e)
{
	return error_refuse(
	    e, ERROR_UNSUPPORTED, "%s: controller '%s': nothing would act on it: %s the I/O scheduler 'bfq'%s", cause,
	    host->v1_of[CGROUP_IO] ? "blkio" : "io", disk, host->v1_of[CGROUP_IO] ? "" : " or io.cost switched on");
}

int block_check_weights(const struct cgroup_host *host, const struct spec_resources *r, struct error *e)
{
	bool v1 = host->v1_of[CGROUP_IO] != NULL;

	if (!r)
		return 0;
	for (size_t i = 0; i < r->block_io.n_weight_devices; i++) {
		const struct spec_blkio_device *d = &r->block_io.weight_devices[i];
		char device[48], folder[96], cause[80], disk[64];

		snprintf(device, sizeof(device), "%" PRId64 ":%" PRId64, d->major, d->minor);
		snprintf(folder, sizeof(folder), "/sys/dev/block/%s/queue", device);
		if (!d->weight.present || !d->weight.value || uses_bfq(folder) || (!v1 && is_enabled(host, device)))
			continue;
		snprintf(cause, sizeof(cause), "linux.resources.blockIO.weightDevice[%zu]", i);
		snprintf(disk, sizeof(disk), "device %s does not have", device);
		return refuse(host, cause, disk, e);
	}
	if (r->block_io.weight.present && r->block_io.weight.value && !block_has_bfq() && (v1 || !block_has_cost(host)))
		return refuse(host, "linux.resources.blockIO.weight", "no disk here has", e);
	for (size_t i = 0; i < r->n_unified; i++) {
		const char *file = r->unified[i].file;
		bool bfq = str_equal(file, "io.bfq.weight"), cost = str_equal(file, "io.weight");

		if (!v1 && ((bfq && !block_has_bfq()) || (cost && !block_has_cost(host))))
			return error_refuse(
			    e, ERROR_UNSUPPORTED,
			    "linux.resources.unified['%s']: nothing would act on it: no disk here has %s", file,
			    bfq ? "the I/O scheduler 'bfq'" : "io.cost switched on");
	}
	return 0;
}
