/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/overcommit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fd.h"
#include "spec/json.h"
#include "spec/resources.h"

#define POLICY_FILE "overcommit.json"

enum { POLICY_MAX = 4096, PERCENT_MAX = 100000 };

const char *const overcommit_names[_OVERCOMMIT_N] = {
    [OVERCOMMIT_MEMORY] = "memory", [OVERCOMMIT_CPUS] = "cpus", [OVERCOMMIT_DISK] = "disk"};

static void read_host(const struct runtime *runtime, struct overcommit *o)
{
	struct sysinfo info;
	struct statvfs fs;

	if (!sysinfo(&info))
		o->host[OVERCOMMIT_MEMORY] = (double)info.totalram * info.mem_unit;
	o->host[OVERCOMMIT_CPUS] = (double)sysconf(_SC_NPROCESSORS_ONLN);
	if (!statvfs(runtime->data, &fs))
		o->host[OVERCOMMIT_DISK] = (double)fs.f_blocks * (double)fs.f_frsize;
}

/* What an instance was promised of each; 0: has no limit. */
static void read_promises(const struct spec *spec, double ret[_OVERCOMMIT_N])
{
	const struct spec_resources *r = spec->linux_.resources;

	memset(ret, 0, sizeof(*ret) * _OVERCOMMIT_N);
	if (r && r->memory.limit.present && r->memory.limit.value > 0)
		ret[OVERCOMMIT_MEMORY] = (double)r->memory.limit.value;
	if (r && r->cpu.quota.present && r->cpu.quota.value > 0)
		ret[OVERCOMMIT_CPUS] =
		    (double)r->cpu.quota.value /
		    (r->cpu.period.present && r->cpu.period.value ? (double)r->cpu.period.value : 100000.0);
	if (spec->holm)
		ret[OVERCOMMIT_DISK] = (double)spec->holm->storage.size;
}

struct summing {
	const struct instance *starting;
	struct overcommit *sum;
};

static int add_instance(struct instance *i, const struct error *broken, void *data)
{
	const struct summing *s = data;
	double promises[_OVERCOMMIT_N];
	struct spec spec;
	struct error e;
	bool wanted;

	if (broken || instance_load_spec(i, &spec, &e))
		return 0;
	wanted = instance_is_wanted(i) || (s->starting && str_equal(s->starting->name, i->name));
	read_promises(&spec, promises);
	spec_release(&spec);
	for (int k = 0; k < _OVERCOMMIT_N; k++) {
		if (!wanted && k != OVERCOMMIT_DISK)
			continue;
		s->sum->promised[k] += promises[k];
		++*(promises[k] > 0 ? &s->sum->limited[k] : &s->sum->unlimited[k]);
	}
	return 0;
}

static int open_data(const struct runtime *runtime, int *ret, struct error *e)
{
	if (!runtime->data)
		return error_refuse(e, ERROR_STATE,
				    "there is no data folder: give --data DIR, or set HOME or XDG_DATA_HOME");
	*ret = open(runtime->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0 && errno != ENOENT)
		return error_system(e, errno, "open '%s'", runtime->data);
	return *ret < 0 ? -ENOENT : 0;
}

/* *ret_any: something may be refused. */
static int load_policy(const struct runtime *runtime, struct overcommit *o, bool *ret_any, struct error *e)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	auto_fd data = -1;
	size_t size = 0;
	int r = open_data(runtime, &data, e);

	*ret_any = false;
	if (!r)
		r = file_read(data, POLICY_FILE, POLICY_MAX, &text, &size);
	if (r == -ENOENT)
		return 0;
	if (r)
		return e->kind != ERROR_NONE ? r : error_system(e, -r, "read '%s/" POLICY_FILE "'", runtime->data);
	r = json_read(text, size, POLICY_FILE, &json, e);
	for (int k = 0; !r && k < _OVERCOMMIT_N; k++) {
		o->percent[k] = (unsigned)json_find_uint(json, overcommit_names[k], 0);
		*ret_any = *ret_any || o->percent[k];
	}
	return r;
}

int overcommit_read(const struct runtime *runtime, const struct instance *starting, struct overcommit *ret,
		    struct error *e)
{
	struct summing summing = {.starting = starting, .sum = ret};
	bool any;
	int r;

	*ret = (struct overcommit){0};
	r = load_policy(runtime, ret, &any, e);
	if (r)
		return r;
	read_host(runtime, ret);
	return instances_each(runtime, add_instance, &summing, e);
}

int overcommit_check(const struct runtime *runtime, const struct instance *starting, struct error *e)
{
	struct overcommit o = {0};
	bool any;
	int r = load_policy(runtime, &o, &any, e);

	if (r || !any)
		return r;
	r = overcommit_read(runtime, starting, &o, e);
	for (int k = 0; !r && k < _OVERCOMMIT_N; k++) {
		double percent = o.host[k] > 0 ? 100 * o.promised[k] / o.host[k] : 0;

		if (o.percent[k] && percent > o.percent[k])
			r = error_refuse(
			    e, ERROR_LIMIT,
			    "instance '%s': with it %.0f%% of the host's %s would be promised, and %u%% may be "
			    "('holm overcommit' shows to whom, --allow changes that)",
			    starting->name, percent, overcommit_names[k], o.percent[k]);
	}
	return r;
}

int overcommit_save(const struct runtime *runtime, const unsigned percent[_OVERCOMMIT_N], struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	auto_free char *text = NULL;
	auto_fd data = -1;
	bool any = false;
	int r = open_data(runtime, &data, e);

	if (r == -ENOENT && !mkdir(runtime->data, 0700))
		r = open_data(runtime, &data, e);
	if (r)
		return r == -ENOENT ? error_system(e, errno, "make the folder '%s'", runtime->data) : r;
	json_open_object(&w, NULL);
	for (int k = 0; k < _OVERCOMMIT_N; k++)
		if (percent[k]) {
			json_put_uint(&w, overcommit_names[k], percent[k]);
			any = true;
		}
	json_close(&w);
	str_add(&w.text, "\n");
	text = json_finish(&w);
	if (!any)
		r = unlinkat(data, POLICY_FILE, 0) && errno != ENOENT ? -errno : 0;
	else
		r = file_replace(data, POLICY_FILE, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/" POLICY_FILE "'", runtime->data) : 0;
}
