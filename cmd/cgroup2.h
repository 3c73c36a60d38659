/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options for limits that only cgroup v2 has and for which the OCI has no words.  They become members of
 * linux.resources.unified, so what a host can't do is refused by the same rules.
 *
 * A verb puts CGROUP2_OPTIONS(its struct, the member) among its rows.
 */
#ifndef HOLM_CMD_CGROUP2_H
#define HOLM_CMD_CGROUP2_H

#include "base/arena.h"
#include "base/error.h"
#include "cmd/option.h"
#include "spec/resources.h"

struct cgroup2_options {
	struct spec_number high, min, low; /* bytes; -1: max */
	struct spec_number oom_group;
	const char *partition;		   /* NULL: absent */
	const char **latencies, **weights; /* "DEVICE=TIME", "[DEVICE=]N" */
	size_t n_latencies, n_weights;
	const char **unified; /* "FILE=VALUE" */
	size_t n_unified;
};

#define CGROUP2_LIST(s, member, list, name_, letter_, type_, metavar_, help_)                                          \
	{                                                                                                              \
		.name = (name_), .letter = (letter_), .type = OPTION_##type_, .offset = offsetof(s, member.list),      \
		.count = offsetof(s, member.n_##list), .metavar = (metavar_), .help = (help_)                          \
	}
/* clang-format off */
#define CGROUP2_OPTIONS(s, member)                                                                                     \
	OPTION(s, member.high, "memory-high", 0, SIZE, "BYTES",                                                        \
	       "above it processes are slowed down and memory is reclaimed; -1: no limit"),                           \
	OPTION(s, member.min, "memory-min", 0, SIZE, "BYTES", "memory that is never reclaimed"),                       \
	OPTION(s, member.low, "memory-low", 0, SIZE, "BYTES", "memory that is reclaimed last"),                        \
	OPTION(s, member.oom_group, "memory-oom-group", 0, NUMBER, "0|1",                                              \
	       "1: where memory runs out, all of it is killed or nothing"),                                            \
	CGROUP2_LIST(s, member, latencies, "io-latency", 0, ENV, "DEVICE=TIME",                                        \
		     "hold others back when its requests take longer; 0s: no goal; repeatable"),                       \
	CGROUP2_LIST(s, member, weights, "io-weight", 0, LIST, "[DEVICE=]N", "io.cost weight, 1 to 10000; repeatable"), \
	OPTION(s, member.partition, "cpuset-partition", 0, STRING, "KIND", "member, root or isolated"),                \
	CGROUP2_LIST(s, member, unified, "unified", 'u', ENV, "FILE=VALUE",                                            \
		     "write VALUE to this control file of cgroup v2, such as memory.high=1G; repeatable")
/* clang-format on */

/* Adds what was given to resources->unified, "-u" last, so that it wins.  Devices are "8:0" or a path on the host. */
int cgroup2_add(const struct cgroup2_options *options, struct arena *arena, struct spec_resources *resources,
		struct error *e) must_check;

#endif
