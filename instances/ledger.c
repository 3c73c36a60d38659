/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "netns/client.h"
#include "storage/root.h"

enum { MEASURE_TICKS = 60 }; /* walking a tree costs: the disk is looked at once in so many intervals */

const char *const ledger_keys[_LEDGER_N] = {
    [LEDGER_RUN] = "runSeconds",	[LEDGER_CPU] = "cpuSeconds",	      [LEDGER_MEMORY] = "memoryByteSeconds",
    [LEDGER_DISK] = "diskByteSeconds",	[LEDGER_READ] = "readBytes",	      [LEDGER_WRITTEN] = "writtenBytes",
    [LEDGER_NET_IN] = "networkInBytes", [LEDGER_NET_OUT] = "networkOutBytes", [LEDGER_LAN_IN] = "lanInBytes",
    [LEDGER_LAN_OUT] = "lanOutBytes",	[LEDGER_WAN_IN] = "wanInBytes",	      [LEDGER_WAN_OUT] = "wanOutBytes",
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- what is used now ---- */

static void add_counters(const struct net_counters *c, void *data)
{
	uint64_t *n = data;
	uint64_t in = c->lan.received_bytes + c->wan.received_bytes, out = c->lan.sent_bytes + c->wan.sent_bytes;

	n[LEDGER_NET_IN] += c->total.received_bytes > in ? c->total.received_bytes - in : 0;
	n[LEDGER_NET_OUT] += c->total.sent_bytes > out ? c->total.sent_bytes - out : 0;
	n[LEDGER_LAN_IN] += c->lan.received_bytes;
	n[LEDGER_LAN_OUT] += c->lan.sent_bytes;
	n[LEDGER_WAN_IN] += c->wan.received_bytes;
	n[LEDGER_WAN_OUT] += c->wan.sent_bytes;
}

/* What can't be read has not moved: an account is better short than not there. */
static void read_network(const struct instance *instance, uint64_t *counters)
{
	struct error e;
	struct spec spec;
	bool joins;

	if (instance_load_spec(instance, &spec, &e))
		return;
	joins = spec.holm && spec.holm->n_networks;
	spec_release(&spec);
	if (joins && net_each_counters(NULL, instance->name, add_counters, counters, &e))
		log_warning("%s", e.text);
}

static void read_cgroup(const struct runtime *runtime, const struct instance *instance, uint64_t *counters,
			uint64_t *ret_memory)
{
	static const unsigned what = CGROUP_STATS_CPU | CGROUP_STATS_MEMORY | CGROUP_STATS_IO;
	auto_arena arena = ARENA_INIT;
	struct cgroup_stats stats;
	struct error e;

	if (container_stats(runtime, instance->name, what, &arena, &stats, &e))
		return;
	counters[LEDGER_CPU] = stats.cpu.total;
	counters[LEDGER_READ] = stats.io.read_bytes;
	counters[LEDGER_WRITTEN] = stats.io.write_bytes;
	*ret_memory = stats.memory.usage.usage;
}

static void measure_disk(const struct runtime *runtime, const struct instance *instance, struct ledger_place *place)
{
	auto_store store = STORE_INIT;
	struct root_use use;
	struct error e;

	if (place->measured && place->ticks % MEASURE_TICKS)
		return;
	place->measured = 1;
	if (!root_exists(instance->folder) || store_open(runtime->data, false, &store, &e))
		return;
	store.rootless = runtime->rootless;
	if (!root_measure(&store, instance->folder, &use, &e))
		place->disk = use.bytes;
}

/* ---- adding ---- */

static int append(const struct instance *instance, const struct ledger_use *use, struct error *e)
{
	auto_str line = STR_INIT;
	auto_fd fd = -1;
	char last = '\n';
	struct stat st;
	int r;

	fd = openat(instance->folder, LEDGER_FILE, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_system(e, errno, "open '%s/" LEDGER_FILE "'", instance->path);
	/* A line that a crash cut off is closed, so that it spoils no other. */
	if (!fstat(fd, &st) && st.st_size && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		str_add(&line, "\n");
	str_addf(&line, "%" PRId64 " %" PRId64, use->begin, use->end);
	for (int i = 0; i < _LEDGER_N; i++)
		str_addf(&line, " %.0f", use->values[i]);
	str_add(&line, "\n");
	r = fd_write_all(fd, line.data, line.size);
	if (!r && fdatasync(fd)) /* at most one interval is lost with the host */
		r = -errno;
	return r ? error_system(e, -r, "write '%s/" LEDGER_FILE "'", instance->path) : 0;
}

void ledger_look(const struct runtime *runtime, const struct instance *instance, uint64_t since,
		 const struct cgroup_end *ended, struct ledger_place *place, struct ledger_use *ret)
{
	uint64_t now = clock_ns(CLOCK_BOOTTIME), before = place->time ? place->time : since, memory = 0;
	uint64_t counters[_LEDGER_N] = {0};
	double seconds;

	*ret = (struct ledger_use){.end = (int64_t)clock_ns(CLOCK_REALTIME)};
	memcpy(counters, place->counters, sizeof(counters));
	memset(counters + LEDGER_NET_IN, 0, sizeof(counters) - LEDGER_NET_IN * sizeof(*counters));
	read_network(instance, counters);
	if (ended) {
		counters[LEDGER_CPU] = ended->cpu_total;
		counters[LEDGER_READ] = ended->read_bytes;
		counters[LEDGER_WRITTEN] = ended->write_bytes;
		/* It is gone: what it had when it was looked at last, or, looked at never, at its most. */
		memory = place->time ? place->memory : ended->memory_peak;
	} else {
		read_cgroup(runtime, instance, counters, &memory);
	}
	measure_disk(runtime, instance, place);
	if (before > now)
		before = now;
	seconds = (double)(now - before) / 1e9;
	ret->begin = ret->end - (int64_t)(now - before);
	ret->values[LEDGER_RUN] = (double)(now - before);
	ret->values[LEDGER_MEMORY] = ((double)(place->time ? place->memory : memory) + (double)memory) / 2 * seconds;
	ret->values[LEDGER_DISK] = (double)place->disk * seconds;
	for (int i = 0; i < _LEDGER_N; i++) {
		if (counters[i] <= place->counters[i])
			continue;
		if (i != LEDGER_RUN && i != LEDGER_MEMORY && i != LEDGER_DISK)
			ret->values[i] = (double)(counters[i] - place->counters[i]);
		place->counters[i] = counters[i];
	}
	place->time = now;
	place->memory = memory;
	place->ticks++;
}

int ledger_add(const struct runtime *runtime, const struct instance *instance, uint64_t since,
	       const struct cgroup_end *ended, struct ledger_place *place, struct error *e)
{
	struct ledger_place next = *place;
	struct ledger_use use;
	int r;

	ledger_look(runtime, instance, since, ended, &next, &use);
	r = append(instance, &use, e);
	if (!r)
		*place = next;
	return r;
}

/* ---- reading ---- */

static bool parse_line(const char *line, const char *end, struct ledger_use *ret)
{
	char text[512], *p = text, *next;
	double values[_LEDGER_N + 2];

	if ((size_t)(end - line) >= sizeof(text))
		return false;
	memcpy(text, line, (size_t)(end - line));
	text[end - line] = 0;
	for (int i = 0; i < _LEDGER_N + 2; i++, p = next) {
		values[i] = i < 2 ? 0 : strtod(p, &next);
		if (i < 2)
			*(i ? &ret->end : &ret->begin) = strtoll(p, &next, 10);
		if (next == p)
			return false;
	}
	memcpy(ret->values, values + 2, sizeof(ret->values));
	return !*p;
}

void ledger_add_use(struct ledger_use *sum, const struct ledger_use *use)
{
	if (!sum->begin || use->begin < sum->begin)
		sum->begin = use->begin;
	if (use->end > sum->end)
		sum->end = use->end;
	for (int i = 0; i < _LEDGER_N; i++)
		sum->values[i] += use->values[i];
}

static void sum_text(const char *text, size_t size, int64_t from, int64_t to, struct ledger_use *ret)
{
	for (const char *line = text, *all = text + size, *end; line < all && (end = memchr(line, '\n', all - line));
	     line = end + 1) {
		struct ledger_use use;

		if (!parse_line(line, end, &use) || use.end <= from || (to && use.end > to))
			continue;
		ledger_add_use(ret, &use);
	}
}

int ledger_sum(const struct instance *instance, int64_t from, int64_t to, struct ledger_use *ret, struct error *e)
{
	auto_fd fd = openat(instance->folder, LEDGER_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *map;

	*ret = (struct ledger_use){0};
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return error_system(e, errno, "read '%s/" LEDGER_FILE "'", instance->path);
	if (!st.st_size)
		return 0;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return error_system(e, errno, "map '%s/" LEDGER_FILE "'", instance->path);
	sum_text(map, (size_t)st.st_size, from, to, ret);
	munmap(map, (size_t)st.st_size);
	return 0;
}

double ledger_value(const struct ledger_use *use, enum ledger_column column)
{
	return column == LEDGER_RUN || column == LEDGER_CPU ? use->values[column] / 1e9 : use->values[column];
}
