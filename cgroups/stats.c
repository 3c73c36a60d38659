/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/path.h"

enum {
	TEXT_SIZE = 64 * 1024,	/* memory.stat and io.stat of a big host */
	NS_PER_TICK = 10000000, /* v1 counts in USER_HZ, 100 everywhere */
	NS_PER_US = 1000,
};

/* Where v1's largest memory limits begin: LONG_MAX rounded down to a page, of whatever size. */
#define V1_UNLIMITED (UINT64_C(0x7fffffffffff0000))

struct reader {
	const struct cgroup *cgroup;
	const char *v2; /* NULL: none */
	unsigned what;
	struct arena *arena;
	struct cgroup_stats *stats;
	char *text; /* TEXT_SIZE */
};

/* ---- small readers: what isn't there is zero ---- */

static uint64_t read_number(const char *folder, const char *file)
{
	uint64_t value = 0;

	return cgroup_file_read_number(folder, file, &value) < 0 ? 0 : value;
}

/* v1's unlimited looks like a number, -1 is what cfs_quota says. */
static uint64_t read_limit(const char *folder, const char *file)
{
	char text[64];
	uint64_t value;

	if (cgroup_file_read(folder, file, text, sizeof(text)) < 0 || str_equal(text, "max") || str_equal(text, "-1") ||
	    parse_u64(text, 0, UINT64_MAX, &value) < 0 || value >= V1_UNLIMITED)
		return CGROUP_UNLIMITED;
	return value;
}

static uint64_t find_number(const char *text, const char *key)
{
	uint64_t value = 0;

	return cgroup_text_find(text, key, &value) ? value : 0;
}

static const char *read_text(struct reader *r, const char *folder, const char *file)
{
	return cgroup_file_read(folder, file, r->text, TEXT_SIZE) < 0 ? NULL : r->text;
}

/* "/proc/pressure"'s format: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull ..." */
static void parse_pressure(const char *text, struct cgroup_pressure *ret)
{
	static const char *const names[] = {"some ", "full "};
	struct cgroup_pressure_line *lines[] = {&ret->some, &ret->full};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *line = strstr(text, names[i]);
		struct cgroup_pressure_line *l = lines[i];

		if (line && sscanf(line + 5, "avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64, &l->avg10, &l->avg60,
				   &l->avg300, &l->total) == 4)
			ret->present = true;
	}
}

/* Pressure is cgroup2's; on a hybrid host its folder has all three whoever has the controllers. */
static void read_pressure(struct reader *r, const char *file, struct cgroup_pressure *ret)
{
	char text[512];

	if (r->what & CGROUP_STATS_PRESSURE && r->v2 && cgroup_file_read(r->v2, file, text, sizeof(text)) >= 0)
		parse_pressure(text, ret);
}

/* ---- cpu ---- */

static uint64_t *read_numbers(struct reader *r, const char *folder, const char *file, size_t *ret_n)
{
	const char *text = read_text(r, folder, file);
	size_t n = 0, room = 0;
	uint64_t *list;

	if (!text)
		return NULL;
	for (const char *p = text; *p; p++)
		room += *p == ' ';
	list = arena_array(r->arena, uint64_t, room + 1);
	for (char *p = r->text, *end; *p; p = end) {
		uint64_t value = strtoull(p, &end, 10);

		if (end == p)
			break;
		list[n++] = value;
	}
	*ret_n = n;
	return list;
}

static void read_cpu_v1(struct reader *r, const char *acct)
{
	__auto_type cpu = &r->stats->cpu;
	char text[128];

	cpu->total = read_number(acct, "cpuacct.usage");
	if (cgroup_file_read(acct, "cpuacct.stat", text, sizeof(text)) >= 0) {
		cpu->user = find_number(text, "user") * NS_PER_TICK;
		cpu->kernel = find_number(text, "system") * NS_PER_TICK;
	}
	if (!(r->what & CGROUP_STATS_DETAILS))
		return;
	cpu->percpu = read_numbers(r, acct, "cpuacct.usage_percpu", &cpu->n_percpu);
	cpu->percpu_user = read_numbers(r, acct, "cpuacct.usage_percpu_user", &cpu->n_percpu_user);
	cpu->percpu_kernel = read_numbers(r, acct, "cpuacct.usage_percpu_sys", &cpu->n_percpu_user);
}

static void read_cpu(struct reader *r)
{
	const char *acct = cgroup_find_v1(r->cgroup, CGROUP_CPUACCT), *v1 = cgroup_find_v1(r->cgroup, CGROUP_CPU);
	__auto_type cpu = &r->stats->cpu;
	char text[1024];

	cpu->quota = CGROUP_UNLIMITED;
	if (acct)
		read_cpu_v1(r, acct);
	if (r->v2 && (!acct || !v1) && cgroup_file_read(r->v2, "cpu.stat", text, sizeof(text)) >= 0) {
		if (!acct) {
			cpu->total = find_number(text, "usage_usec") * NS_PER_US;
			cpu->user = find_number(text, "user_usec") * NS_PER_US;
			cpu->kernel = find_number(text, "system_usec") * NS_PER_US;
		}
		cpu->periods = find_number(text, "nr_periods");
		cpu->throttled_periods = find_number(text, "nr_throttled");
		cpu->throttled_time = find_number(text, "throttled_usec") * NS_PER_US;
	}
	if (v1) {
		cpu->quota = read_limit(v1, "cpu.cfs_quota_us");
		cpu->period = read_number(v1, "cpu.cfs_period_us");
		if (cgroup_file_read(v1, "cpu.stat", text, sizeof(text)) >= 0) {
			cpu->periods = find_number(text, "nr_periods");
			cpu->throttled_periods = find_number(text, "nr_throttled");
			cpu->throttled_time = find_number(text, "throttled_time");
		}
	} else if (r->v2 && cgroup_file_read(r->v2, "cpu.max", text, sizeof(text)) >= 0) {
		if (sscanf(text, "%" SCNu64 " %" SCNu64, &cpu->quota, &cpu->period) < 2)
			sscanf(text, "max %" SCNu64, &cpu->period);
	}
	read_pressure(r, "cpu.pressure", &cpu->pressure);
}

static void read_cpuset(struct reader *r)
{
	const char *v1 = cgroup_find_v1(r->cgroup, CGROUP_CPUSET), *folder = v1 ? v1 : r->v2;
	__auto_type set = &r->stats->cpuset;
	char text[CGROUP_FILE_SIZE];
	const struct {
		const char *file;
		uint64_t *value;
	} flags[] = {
	    {"cpuset.cpu_exclusive", &set->cpu_exclusive},
	    {"cpuset.mem_exclusive", &set->mem_exclusive},
	    {"cpuset.mem_hardwall", &set->mem_hardwall},
	    {"cpuset.memory_migrate", &set->memory_migrate},
	    {"cpuset.memory_spread_page", &set->memory_spread_page},
	    {"cpuset.memory_spread_slab", &set->memory_spread_slab},
	    {"cpuset.memory_pressure", &set->memory_pressure},
	    {"cpuset.sched_load_balance", &set->sched_load_balance},
	};

	if (!folder || cgroup_file_read(folder, v1 ? "cpuset.cpus" : "cpuset.cpus.effective", text, sizeof(text)) < 0)
		return;
	set->present = true;
	set->cpus = arena_strdup(r->arena, text);
	set->mems = "";
	if (cgroup_file_read(folder, v1 ? "cpuset.mems" : "cpuset.mems.effective", text, sizeof(text)) >= 0)
		set->mems = arena_strdup(r->arena, text);
	for (size_t i = 0; v1 && i < ARRAY_SIZE(flags); i++)
		*flags[i].value = read_number(v1, flags[i].file);
	if (v1 && cgroup_file_read(v1, "cpuset.sched_relax_domain_level", text, sizeof(text)) >= 0 &&
	    parse_i64(text, INT64_MIN, INT64_MAX, &set->sched_relax_domain_level) < 0)
		set->sched_relax_domain_level = -1;
}

/* ---- memory ---- */

static void read_usage_v1(const char *folder, const char *prefix, bool all, struct cgroup_usage *ret)
{
	char file[64];

	snprintf(file, sizeof(file), "%susage_in_bytes", prefix);
	if (cgroup_file_read_number(folder, file, &ret->usage) < 0)
		return;
	ret->present = true;
	if (!all)
		return;
	snprintf(file, sizeof(file), "%smax_usage_in_bytes", prefix);
	ret->max = read_number(folder, file);
	snprintf(file, sizeof(file), "%slimit_in_bytes", prefix);
	ret->limit = read_limit(folder, file);
	snprintf(file, sizeof(file), "%sfailcnt", prefix);
	ret->failures = read_number(folder, file);
}

static void parse_memory_stat(struct reader *r, const char *text)
{
	__auto_type memory = &r->stats->memory;
	size_t room = 1;

	for (const char *p = text; *p; p++)
		room += *p == '\n';
	memory->raw = arena_array(r->arena, struct cgroup_value, room);
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t length = strcspn(line, " \n");

		if (line[length] != ' ')
			continue;
		memory->raw[memory->n_raw++] = (struct cgroup_value){
		    .name = arena_format(r->arena, "%.*s", (int)length, line),
		    .value = strtoull(line + length + 1, NULL, 10),
		};
	}
}

static void read_memory_v1(struct reader *r, const char *folder)
{
	__auto_type memory = &r->stats->memory;
	bool hits = r->what & CGROUP_STATS_HITS;
	const char *text;
	char control[128];

	read_usage_v1(folder, "memory.", hits, &memory->usage);
	read_usage_v1(folder, "memory.memsw.", hits, &memory->swap);
	if (!hits) {
		memory->usage.max = read_number(folder, "memory.max_usage_in_bytes");
		memory->usage.limit = read_limit(folder, "memory.limit_in_bytes");
	}
	if (memory->swap.usage > memory->usage.usage)
		memory->swap_only = memory->swap.usage - memory->usage.usage;
	if (hits && cgroup_file_read(folder, "memory.oom_control", control, sizeof(control)) >= 0)
		memory->oom_kills = find_number(control, "oom_kill");
	if (!(r->what & CGROUP_STATS_DETAILS))
		return;
	read_usage_v1(folder, "memory.kmem.", true, &memory->kernel);
	read_usage_v1(folder, "memory.kmem.tcp.", true, &memory->kernel_tcp);
	memory->use_hierarchy = read_number(folder, "memory.use_hierarchy");
	text = read_text(r, folder, "memory.stat");
	if (text) {
		memory->cache = find_number(text, "total_cache");
		parse_memory_stat(r, text);
	}
}

static uint64_t add_limits(uint64_t a, uint64_t b)
{
	return a == CGROUP_UNLIMITED || b == CGROUP_UNLIMITED ? CGROUP_UNLIMITED : a + b;
}

static void read_memory_v2(struct reader *r, const char *folder)
{
	__auto_type memory = &r->stats->memory;
	char events[512];
	const char *text;

	if (cgroup_file_read_number(folder, "memory.current", &memory->usage.usage) < 0)
		return;
	memory->usage.present = true;
	memory->usage.limit = read_limit(folder, "memory.max");
	memory->usage.max = read_number(folder, "memory.peak"); /* 5.19 */
	if (r->what & CGROUP_STATS_HITS && cgroup_file_read(folder, "memory.events", events, sizeof(events)) >= 0) {
		memory->usage.failures = find_number(events, "max");
		memory->oom_kills = find_number(events, "oom_kill");
	}
	if (cgroup_file_read_number(folder, "memory.swap.current", &memory->swap_only) >= 0) {
		memory->swap.present = true;
		memory->swap.usage = memory->usage.usage + memory->swap_only;
		if (r->what & CGROUP_STATS_HITS)
			memory->swap.limit = add_limits(read_limit(folder, "memory.swap.max"), memory->usage.limit);
	}
	if (!(r->what & CGROUP_STATS_DETAILS))
		return;
	memory->use_hierarchy = true;
	text = read_text(r, folder, "memory.stat");
	if (text) {
		memory->cache = find_number(text, "file");
		memory->kernel.usage = find_number(text, "kernel");
		memory->kernel_tcp.usage = find_number(text, "sock");
		memory->kernel.limit = memory->kernel_tcp.limit = CGROUP_UNLIMITED;
		parse_memory_stat(r, text);
	}
}

static void read_memory(struct reader *r)
{
	const char *v1 = cgroup_find_v1(r->cgroup, CGROUP_MEMORY);

	r->stats->memory.usage.limit = r->stats->memory.swap.limit = CGROUP_UNLIMITED;
	if (v1)
		read_memory_v1(r, v1);
	else if (r->v2)
		read_memory_v2(r, r->v2);
	read_pressure(r, "memory.pressure", &r->stats->memory.pressure);
}

/* ---- pids ---- */

/* Without the controller: the threads that are listed, in "cgroup.threads" or v1's "tasks". */
static uint64_t count_threads(const char *folder, const char *list, int depth)
{
	auto_free char *text = NULL, *path = NULL;
	uint64_t n = 0;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	if (asprintf(&path, "%s/%s", folder, list) < 0)
		return 0;
	if (file_read(AT_FDCWD, path, 16 << 20, &text, NULL) >= 0)
		for (const char *p = text; *p; p++)
			n += *p == '\n';
	/* kernfs counts two links and one for each folder below: nearly always there is none. */
	dir = depth && !stat(folder, &st) && st.st_nlink > 2 ? opendir(folder) : NULL;
	while (dir && (d = readdir(dir))) {
		auto_free char *below = NULL;

		if (d->d_type == DT_DIR && !str_equal(d->d_name, ".") && !str_equal(d->d_name, "..") &&
		    asprintf(&below, "%s/%s", folder, d->d_name) >= 0)
			n += count_threads(below, list, depth - 1);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void read_pids(struct reader *r)
{
	const char *folder = cgroup_find_path(r->cgroup, CGROUP_PIDS);

	r->stats->pids.limit = CGROUP_UNLIMITED;
	if (folder && cgroup_file_read_number(folder, "pids.current", &r->stats->pids.current) >= 0)
		r->stats->pids.limit = read_limit(folder, "pids.max");
	else if (r->v2)
		r->stats->pids.current = count_threads(r->v2, "cgroup.threads", 32);
	else if (r->cgroup->n_paths)
		r->stats->pids.current = count_threads(r->cgroup->paths[0].path, "tasks", 32);
}

/* ---- io ---- */

static void add_io(struct reader *r, struct cgroup_io_list *list, struct cgroup_io_entry entry)
{
	if (!(list->n & (list->n - 1))) { /* room doubles at every power of two */
		struct cgroup_io_entry *more = arena_array(r->arena, struct cgroup_io_entry, list->n ? 2 * list->n : 1);

		if (list->n)
			memcpy(more, list->items, list->n * sizeof(*more));
		list->items = more;
	}
	list->items[list->n++] = entry;
}

/* "8:0 Read 4096\n8:0 Write 0\n...\nTotal 4096" or, for times and sectors, "8:0 17" */
static void read_io_list(struct reader *r, const char *folder, const char *file, struct cgroup_io_list *list)
{
	const char *text = read_text(r, folder, file);

	for (const char *line = text ? text : ""; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		struct cgroup_io_entry entry = {.operation = ""};
		char operation[16] = "";

		if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %15[A-Za-z] %" SCNu64, &entry.major, &entry.minor, operation,
			   &entry.value) == 4)
			entry.operation = arena_strdup(r->arena, operation);
		else if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %" SCNu64, &entry.major, &entry.minor, &entry.value) !=
			 3)
			continue;
		add_io(r, list, entry);
	}
}

static uint64_t sum_io(const struct cgroup_io_list *list, const char *operation)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < list->n; i++)
		if (str_equal(list->items[i].operation, operation))
			sum += list->items[i].value;
	return sum;
}

static void read_io_v1(struct reader *r, const char *folder)
{
	__auto_type io = &r->stats->io;
	const struct {
		const char *file;
		struct cgroup_io_list *list;
	} rare[] = {
	    {"blkio.bfq.io_queued_recursive", &io->queued},
	    {"blkio.bfq.io_service_time_recursive", &io->service_time},
	    {"blkio.bfq.io_wait_time_recursive", &io->wait_time},
	    {"blkio.bfq.io_merged_recursive", &io->merged},
	    {"blkio.bfq.time_recursive", &io->time},
	    {"blkio.bfq.sectors_recursive", &io->sectors},
	};

	/* The throttler sees every request, a scheduler only those of devices that use it. */
	read_io_list(r, folder, "blkio.throttle.io_service_bytes_recursive", &io->bytes);
	read_io_list(r, folder, "blkio.throttle.io_serviced_recursive", &io->operations);
	for (size_t i = 0; r->what & CGROUP_STATS_DETAILS && i < ARRAY_SIZE(rare); i++)
		read_io_list(r, folder, rare[i].file, rare[i].list);
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0" */
static void read_io_v2(struct reader *r, const char *folder)
{
	static const struct {
		const char *key, *operation;
		bool bytes;
	} keys[] = {
	    {"rbytes", "Read", true}, {"wbytes", "Write", true}, {"dbytes", "Discard", true},
	    {"rios", "Read", false},  {"wios", "Write", false},	 {"dios", "Discard", false},
	};
	__auto_type io = &r->stats->io;
	const char *text = read_text(r, folder, "io.stat");
	char *line, *next;

	for (line = text ? r->text : NULL; line && *line; line = next) {
		struct cgroup_io_entry entry;

		next = strchrnul(line, '\n');
		if (*next)
			*next++ = 0;
		if (sscanf(line, "%" SCNu64 ":%" SCNu64, &entry.major, &entry.minor) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			entry.operation = keys[i].operation;
			if (cgroup_text_find(line, keys[i].key, &entry.value))
				add_io(r, keys[i].bytes ? &io->bytes : &io->operations, entry);
		}
	}
}

static void read_io(struct reader *r)
{
	const char *v1 = cgroup_find_v1(r->cgroup, CGROUP_IO);
	__auto_type io = &r->stats->io;

	if (v1)
		read_io_v1(r, v1);
	else if (r->v2)
		read_io_v2(r, r->v2);
	io->read_bytes = sum_io(&io->bytes, "Read");
	io->write_bytes = sum_io(&io->bytes, "Write");
	io->reads = sum_io(&io->operations, "Read");
	io->writes = sum_io(&io->operations, "Write");
	read_pressure(r, "io.pressure", &io->pressure);
}

/* ---- hugetlb, rdma ---- */

/* "hugetlb.2MB.usage_in_bytes" or "hugetlb.2MB.current": the sizes there are. */
static void read_hugetlb(struct reader *r)
{
	const char *v1 = cgroup_find_v1(r->cgroup, CGROUP_HUGETLB), *folder = v1 ? v1 : r->v2;
	const char *end = v1 ? ".usage_in_bytes" : ".current";
	struct cgroup_stats *s = r->stats;
	DIR *dir = folder ? opendir(folder) : NULL;
	struct dirent *d;

	s->hugetlb = arena_array(r->arena, struct cgroup_hugetlb, 8);
	while (dir && (d = readdir(dir)) && s->n_hugetlb < 8) {
		const char *size = str_after(d->d_name, "hugetlb."), *dot = size ? strchr(size, '.') : NULL;
		struct cgroup_hugetlb *h = &s->hugetlb[s->n_hugetlb];
		char name[64];

		if (!dot || !str_equal(dot, end))
			continue;
		h->page_size = arena_format(r->arena, "%.*s", (int)(dot - size), size);
		s->n_hugetlb++;
		if (v1) {
			snprintf(name, sizeof(name), "hugetlb.%s.", h->page_size);
			read_usage_v1(v1, name, true, &h->usage);
			continue;
		}
		h->usage.present = true;
		h->usage.usage = read_number(folder, d->d_name);
		snprintf(name, sizeof(name), "hugetlb.%s.max", h->page_size);
		h->usage.limit = read_limit(folder, name);
		snprintf(name, sizeof(name), "hugetlb.%s.events", h->page_size);
		if (cgroup_file_read_key(folder, name, "max", &h->usage.failures) < 0)
			h->usage.failures = 0;
	}
	if (dir)
		closedir(dir);
}

static uint64_t find_rdma(const char *line, const char *key)
{
	uint64_t value;

	return cgroup_text_find(line, key, &value) ? value : CGROUP_UNLIMITED; /* "hca_handle=max" */
}

static struct cgroup_rdma *find_rdma_device(struct reader *r, const char *name, size_t length)
{
	struct cgroup_stats *s = r->stats;

	for (size_t i = 0; i < s->n_rdma; i++)
		if (strlen(s->rdma[i].device) == length && !memcmp(s->rdma[i].device, name, length))
			return &s->rdma[i];
	if (s->n_rdma == 16)
		return NULL;
	s->rdma[s->n_rdma].device = arena_format(r->arena, "%.*s", (int)length, name);
	return &s->rdma[s->n_rdma++];
}

static void read_rdma(struct reader *r)
{
	const char *folder = cgroup_find_path(r->cgroup, CGROUP_RDMA);

	r->stats->rdma = arena_array(r->arena, struct cgroup_rdma, 16);
	for (int limit = 0; folder && limit < 2; limit++) {
		char *line, *next;

		if (!read_text(r, folder, limit ? "rdma.max" : "rdma.current"))
			return;
		for (line = r->text; *line; line = next) {
			struct cgroup_rdma *d = find_rdma_device(r, line, strcspn(line, " \n"));

			next = strchrnul(line, '\n');
			if (*next)
				*next++ = 0;
			if (!d)
				continue;
			*(limit ? &d->handles_limit : &d->handles) = find_rdma(line, "hca_handle");
			*(limit ? &d->objects_limit : &d->objects) = find_rdma(line, "hca_object");
		}
	}
}

/* ---- all of it ---- */

int cgroup_stats_read(const struct cgroup *cgroup, unsigned what, struct arena *arena, struct cgroup_stats *ret,
		      struct error *e)
{
	struct cgroup_stats stats = {0};
	auto_free char *text = malloc(TEXT_SIZE);
	struct reader r = {
	    .cgroup = cgroup,
	    .v2 = cgroup_find_v2(cgroup),
	    .what = what,
	    .arena = arena,
	    .stats = &stats,
	    .text = text,
	};

	if (!text)
		return error_system(e, ENOMEM, "read statistics");
	if (what & CGROUP_STATS_CPU)
		read_cpu(&r);
	if (what & CGROUP_STATS_MEMORY)
		read_memory(&r);
	if (what & CGROUP_STATS_PIDS)
		read_pids(&r);
	if (what & CGROUP_STATS_IO)
		read_io(&r);
	if (what & CGROUP_STATS_DETAILS) {
		read_cpuset(&r);
		read_hugetlb(&r);
		read_rdma(&r);
	}
	*ret = stats;
	return 0;
}

/* ---- the end ---- */

/* v1 counts failures of one of the two counters only (6.18); the other shows it by having been full, but for a batch. */
static bool was_full(const struct cgroup_usage *u)
{
	return u->failures || (u->present && u->limit != CGROUP_UNLIMITED && u->max + 64 * 4096 >= u->limit);
}

static void read_end_memory(const struct cgroup *cgroup, const struct cgroup_stats *s, struct cgroup_end *ret)
{
	const char *v1 = cgroup_find_v1(cgroup, CGROUP_MEMORY), *v2 = cgroup_find_v2(cgroup);
	uint64_t hits = 0;

	ret->oom_kills = s->memory.oom_kills;
	ret->memory_hits = s->memory.usage.failures;
	ret->memory_peak = s->memory.usage.max;
	ret->memory_limit = s->memory.usage.limit;
	if (!ret->oom_kills)
		return;
	if (v1)
		ret->oom_own_limit = was_full(&s->memory.usage) || was_full(&s->memory.swap);
	else if (v2) /* .local counts only what this folder's own limit caused; what is below counts as its own, too */
		ret->oom_own_limit = (cgroup_file_read_key(v2, "memory.events.local", "oom", &hits) >= 0 && hits) ||
				     (cgroup_file_read_key(v2, "memory.events", "oom", &hits) >= 0 && hits);
}

const struct cgroup_end_name cgroup_end_fields[] = {
    {"oomKills", offsetof(struct cgroup_end, oom_kills)},
    {"memoryHits", offsetof(struct cgroup_end, memory_hits)},
    {"memoryPeak", offsetof(struct cgroup_end, memory_peak)},
    {"cpuTotal", offsetof(struct cgroup_end, cpu_total)},
    {"cpuUser", offsetof(struct cgroup_end, cpu_user)},
    {"cpuKernel", offsetof(struct cgroup_end, cpu_kernel)},
    {"periods", offsetof(struct cgroup_end, periods)},
    {"throttledPeriods", offsetof(struct cgroup_end, throttled_periods)},
    {"throttledTime", offsetof(struct cgroup_end, throttled_time)},
    {"readBytes", offsetof(struct cgroup_end, read_bytes)},
    {"writeBytes", offsetof(struct cgroup_end, write_bytes)},
    {"pidsRefused", offsetof(struct cgroup_end, pids_refused)},
    {"cpuPressure", offsetof(struct cgroup_end, cpu_pressure)},
    {"memoryPressure", offsetof(struct cgroup_end, memory_pressure)},
    {"ioPressure", offsetof(struct cgroup_end, io_pressure)},
    {"memoryFullPressure", offsetof(struct cgroup_end, memory_full_pressure)},
    {"ioFullPressure", offsetof(struct cgroup_end, io_full_pressure)},
};

const size_t cgroup_end_fields_count = ARRAY_SIZE(cgroup_end_fields);

void cgroup_end_read(const struct cgroup *cgroup, struct cgroup_end *ret)
{
	auto_arena arena = ARENA_INIT;
	struct error ignored = ERROR_INIT;
	const char *pids = cgroup_find_path(cgroup, CGROUP_PIDS);
	struct cgroup_stats s;

	*ret = (struct cgroup_end){.memory_limit = CGROUP_UNLIMITED};
	if (!cgroup->n_paths || cgroup_stats_read(cgroup, (CGROUP_STATS_TABLE | CGROUP_STATS_HITS) & ~CGROUP_STATS_PIDS,
						  &arena, &s, &ignored) < 0)
		return;
	read_end_memory(cgroup, &s, ret);
	ret->cpu_total = s.cpu.total;
	ret->cpu_user = s.cpu.user;
	ret->cpu_kernel = s.cpu.kernel;
	ret->periods = s.cpu.periods;
	ret->throttled_periods = s.cpu.throttled_periods;
	ret->throttled_time = s.cpu.throttled_time;
	ret->read_bytes = s.io.read_bytes;
	ret->write_bytes = s.io.write_bytes;
	ret->cpu_pressure = s.cpu.pressure.some.total;
	ret->memory_pressure = s.memory.pressure.some.total;
	ret->memory_full_pressure = s.memory.pressure.full.total;
	ret->io_pressure = s.io.pressure.some.total;
	ret->io_full_pressure = s.io.pressure.full.total;
	if (!pids || cgroup_file_read_key(pids, "pids.events", "max", &ret->pids_refused) < 0)
		ret->pids_refused = 0;
}

const char *cgroup_end_format(const struct cgroup_end *end, char *buffer, size_t size)
{
	const char *verb = end->oom_kills == 1 ? "process was" : "processes were";

	*buffer = 0;
	if (end->oom_kills && end->oom_own_limit && end->memory_limit != CGROUP_UNLIMITED)
		snprintf(buffer, size, "%" PRIu64 " %s killed at the memory limit of %" PRIu64 " bytes", end->oom_kills,
			 verb, end->memory_limit);
	else if (end->oom_kills)
		snprintf(buffer, size, "%" PRIu64 " %s killed because memory ran out above the container",
			 end->oom_kills, verb);
	else if (end->pids_refused)
		snprintf(buffer, size, "%" PRIu64 " forks were refused at the pids limit", end->pids_refused);
	return buffer;
}
