/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/realtime.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cgroups/file.h"
#include "cgroups/host.h"

enum { PATH_SIZE = 4096, DEFAULT_PERIOD = 1000000 };

struct share {
	int64_t runtime, period; /* microseconds; runtime -1: no limit */
};

static int read_share(const char *folder, struct share *ret)
{
	char text[32];
	uint64_t period;
	int r = cgroup_file_read(folder, "cpu.rt_runtime_us", text, sizeof(text));

	if (!r)
		r = parse_i64(text, -1, INT64_MAX, &ret->runtime);
	if (!r)
		r = cgroup_file_read_number(folder, "cpu.rt_period_us", &period);
	if (!r)
		ret->period = period ? (int64_t)period : DEFAULT_PERIOD;
	return r;
}

/* In microseconds of another period, rounded up. */
static int64_t scale(int64_t runtime, int64_t period, int64_t to)
{
	return (runtime * to + period - 1) / period;
}

/* What the children have together, in the folder's own period. */
static int64_t sum_children(const char *folder, int64_t period)
{
	DIR *dir = opendir(folder);
	struct dirent *d;
	int64_t sum = 0;

	while (dir && (d = readdir(dir))) {
		char path[PATH_SIZE];
		struct share s;

		if (d->d_type != DT_DIR || d->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", folder, d->d_name) >= (int)sizeof(path))
			continue;
		if (read_share(path, &s) >= 0 && s.runtime > 0)
			sum += scale(s.runtime, s.period, period);
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* The root of the hierarchy has the host's own share, which is not ours to change: it is the only folder with a release_agent. */
static bool is_root(const char *folder)
{
	char text[PATH_SIZE];

	return strlen(folder) <= strlen(CGROUP_MOUNT) ||
	       cgroup_file_read(folder, "release_agent", text, sizeof(text)) >= 0;
}

/* The folder gets enough to give runtime/period more to its children than they have. */
static int raise_share(const char *folder, int64_t runtime, int64_t period)
{
	char parent[PATH_SIZE], text[32];
	struct share s;
	int64_t wanted;
	int r;

	if (is_root(folder))
		return 0;
	r = read_share(folder, &s);
	if (r < 0 || s.runtime < 0)
		return r;
	wanted = sum_children(folder, s.period) + scale(runtime, period, s.period);
	if (wanted <= s.runtime)
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(folder, '/') - folder), folder);
	r = raise_share(parent, wanted - s.runtime, s.period);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%lld", (long long)wanted);
	return cgroup_file_write(folder, "cpu.rt_runtime_us", text);
}

int realtime_prepare(const char *folder, long long runtime)
{
	char parent[PATH_SIZE];
	struct share s;
	int r = read_share(folder, &s);

	if (r < 0 || runtime <= s.runtime)
		return r;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(folder, '/') - folder), folder);
	return raise_share(parent, runtime - s.runtime, s.period);
}
