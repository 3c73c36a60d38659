/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process */
#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "spec/spec.h"
#include "spec/validate.h"

int check_rlimit(struct walker *w, const struct step *step, void *base)
{
	const struct spec_rlimit *limit = base;

	if (limit->soft > limit->hard)
		return walk_refuse(w, STEP_KEY(step, "soft"), "%" PRIu64 " is above the hard limit, %" PRIu64,
				   limit->soft, limit->hard);
	return 0;
}

int check_scheduler(struct walker *w, const struct step *step, void *base)
{
	const struct spec_scheduler *s = base;
	const char *policy = names_peek(&names_sched_policies, s->policy);
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	if (s->priority && !realtime)
		return walk_refuse(w, STEP_KEY(step, "priority"), "is for SCHED_FIFO and SCHED_RR only, not for %s",
				   policy);
	if (realtime && !s->priority)
		return walk_refuse(w, STEP_KEY(step, "priority"), "must be 1 to 99 with %s", policy);
	if (s->policy == SCHED_DEADLINE && !s->runtime)
		return walk_refuse(w, STEP_KEY(step, "runtime"), "is missing: SCHED_DEADLINE needs it");
	if ((s->runtime || s->deadline || s->period) && s->policy != SCHED_DEADLINE)
		return walk_refuse(w, step, "runtime, deadline and period are for SCHED_DEADLINE only, not for %s",
				   policy);
	return 0;
}

/* A number of digits only, as the kernel's list parser wants it. */
static const char *skip_number(const char *p, unsigned long *ret)
{
	const char *start = p;

	for (*ret = 0; *p >= '0' && *p <= '9'; p++)
		*ret = *ret * 10 + (*p - '0');
	return p > start && p - start <= 9 ? p : NULL;
}

/* "3", "0-7" or "0-31:1/2" */
static const char *skip_range(const char *p)
{
	unsigned long first, last, used, group;

	p = skip_number(p, &first);
	if (!p || *p != '-')
		return p;
	p = skip_number(p + 1, &last);
	if (!p || last < first || *p != ':')
		return p && last >= first ? p : NULL;
	p = skip_number(p + 1, &used);
	if (!p || *p != '/')
		return NULL;
	p = skip_number(p + 1, &group);
	return p && used && group && used <= group ? p : NULL;
}

bool is_list(const char *s)
{
	for (;; s++) {
		s = skip_range(s);
		if (!s || *s != ',')
			return s && !*s;
	}
}

int check_affinity(struct walker *w, const struct step *step, void *base)
{
	const struct spec_cpu_affinity *a = base;

	if (a->initial && !is_list(a->initial))
		return walk_refuse(w, STEP_KEY(step, "initial"), "must be a list of CPUs like '0-3,7', not '%s'",
				   a->initial);
	if (a->final && !is_list(a->final))
		return walk_refuse(w, STEP_KEY(step, "final"), "must be a list of CPUs like '0-3,7', not '%s'",
				   a->final);
	return 0;
}

static int check_rlimits(struct walker *w, const struct step *step, const struct spec_process *process)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < process->n_rlimits; i++) {
		uint64_t bit = UINT64_C(1) << process->rlimits[i].resource;

		if (seen & bit)
			return walk_refuse(w, STEP_KEY(STEP_INDEX(STEP_KEY(step, "rlimits"), i), "type"),
					   "%s is listed twice",
					   names_peek(&names_rlimits, process->rlimits[i].resource));
		seen |= bit;
	}
	return 0;
}

static int check_env(struct walker *w, const struct step *step, const struct spec_process *process)
{
	for (size_t i = 0; i < process->n_env; i++) {
		const char *entry = process->env[i], *equals = strchr(entry, '=');

		if (!equals || equals == entry)
			return walk_refuse(w, STEP_INDEX(STEP_KEY(step, "env"), i),
					   "'%s' is not of the form NAME=value", entry);
	}
	return 0;
}

static uint32_t hash_name(const char *entry, size_t *ret_size)
{
	uint32_t hash = 2166136261; /* FNV-1a */
	size_t n;

	for (n = 0; entry[n] != '='; n++)
		hash = (hash ^ (unsigned char)entry[n]) * 16777619;
	*ret_size = n;
	return hash;
}

/* Of entries with one name the last stays, at its place.  Backwards through a hash table: linear in the number. */
static void drop_duplicates(struct walker *w, const struct step *step, struct spec_process *process)
{
	size_t room = 16, kept = process->n_env;
	auto_free const char **table = NULL;

	if (!process->n_env)
		return;
	while (room < process->n_env * 2)
		room *= 2;
	table = calloc(room, sizeof(*table));
	if (!table)
		abort();
	for (size_t i = process->n_env; i-- > 0;) {
		const char *entry = process->env[i];
		size_t size, slot = hash_name(entry, &size) & (room - 1);

		while (table[slot] && strncmp(table[slot], entry, size + 1))
			slot = (slot + 1) & (room - 1);
		if (table[slot]) {
			walk_note(w, STEP_INDEX(STEP_KEY(step, "env"), i), "is overridden by a later entry");
			continue;
		}
		table[slot] = entry;
		process->env[--kept] = entry;
	}
	process->n_env -= kept;
	process->env += kept;
}

int check_process(struct walker *w, const struct step *step, void *base)
{
	struct spec_process *process = base;
	int r = check_rlimits(w, step, process);

	if (!r)
		r = check_env(w, step, process);
	if (r)
		return r;
	drop_duplicates(w, step, process);
	return 0;
}
