/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/cgroup2.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/str.h"

struct adding {
	struct arena *arena;
	struct spec_unified *list;
	size_t n;
};

/* One file is one member, with a line for each device. */
static void add(struct adding *a, const char *file, const char *value)
{
	for (size_t i = 0; i < a->n; i++)
		if (str_equal(a->list[i].file, file)) {
			a->list[i].value = arena_format(a->arena, "%s\n%s", a->list[i].value, value);
			return;
		}
	a->list[a->n++] = (struct spec_unified){.file = file, .value = value};
}

static void add_bytes(struct adding *a, const char *file, const struct spec_number *n)
{
	if (n->present)
		add(a, file, n->value < 0 ? "max" : arena_format(a->arena, "%" PRId64, n->value));
}

/* "/dev/sda" or "8:0" -> "8:0" */
static int find_device(struct adding *a, const char *option, const char *text, size_t length, const char **ret,
		       struct error *e)
{
	const char *name = arena_format(a->arena, "%.*s", (int)length, text);
	struct stat st;

	*ret = name;
	if (*name != '/')
		return name[strspn(name, "0123456789:")] || !strchr(name, ':')
			   ? error_refuse(e, ERROR_USAGE,
					  "invalid value '%s' for --%s: '%s' is neither MAJOR:MINOR nor a path", text,
					  option, name)
			   : 0;
	if (stat(name, &st) < 0)
		return error_system(e, errno, "--%s: look at '%s'", option, name);
	if (!S_ISBLK(st.st_mode))
		return error_refuse(e, ERROR_USAGE, "invalid value '%s' for --%s: '%s' is no block device", text,
				    option, name);
	*ret = arena_format(a->arena, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

static int add_latency(struct adding *a, const char *text, struct error *e)
{
	const char *equals = strchr(text, '='), *device;
	int64_t ns;
	int r = find_device(a, "io-latency", text, equals - text, &device, e);

	if (r < 0)
		return r;
	if (parse_duration(equals + 1, &ns) < 0)
		return error_refuse(e, ERROR_USAGE, "invalid value '%s' for --io-latency: '%s' is no time such as 5ms",
				    text, equals + 1);
	add(a, "io.latency", arena_format(a->arena, "%s target=%" PRId64, device, (ns + 999) / 1000));
	return 0;
}

static int add_weight(struct adding *a, const char *text, struct error *e)
{
	const char *equals = strchr(text, '='), *value = equals ? equals + 1 : text, *device = "default";
	uint64_t weight;
	int r = equals ? find_device(a, "io-weight", text, equals - text, &device, e) : 0;

	if (r < 0)
		return r;
	if (parse_u64(value, 1, 10000, &weight) < 0)
		return error_refuse(e, ERROR_USAGE, "invalid value '%s' for --io-weight: '%s' is not in 1 to 10000",
				    text, value);
	add(a, "io.weight", arena_format(a->arena, "%s %" PRIu64, device, weight));
	return 0;
}

int cgroup2_add(const struct cgroup2_options *o, struct arena *arena, struct spec_resources *resources, struct error *e)
{
	enum { SINGLE = 5 };
	struct adding a = {
	    .arena = arena,
	    .list = arena_array(arena, struct spec_unified,
				SINGLE + resources->n_unified + o->n_latencies + o->n_weights + o->n_unified),
	};
	int r = 0;

	for (size_t i = 0; i < resources->n_unified; i++)
		a.list[a.n++] = resources->unified[i];
	add_bytes(&a, "memory.high", &o->high);
	add_bytes(&a, "memory.min", &o->min);
	add_bytes(&a, "memory.low", &o->low);
	if (o->oom_group.present)
		add(&a, "memory.oom.group", arena_format(arena, "%" PRId64, o->oom_group.value));
	for (size_t i = 0; !r && i < o->n_latencies; i++)
		r = add_latency(&a, o->latencies[i], e);
	for (size_t i = 0; !r && i < o->n_weights; i++)
		r = add_weight(&a, o->weights[i], e);
	if (o->partition)
		add(&a, "cpuset.cpus.partition", o->partition);
	for (size_t i = 0; i < o->n_unified; i++) { /* what the value may be is the kernel's business */
		const char *equals = strchr(o->unified[i], '=');

		add(&a, arena_format(arena, "%.*s", (int)(equals - o->unified[i]), o->unified[i]), equals + 1);
	}
	resources->unified = a.list;
	resources->n_unified = a.n;
	return r;
}
