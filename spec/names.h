/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI's closed sets: name in config.json <-> the kernel's constant.  One table each; the decoder, the encoder, lint
 * and the features document all read the same one.  Where two names have one value, the first is the one written.
 */
#ifndef HOLM_SPEC_NAMES_H
#define HOLM_SPEC_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct name {
	const char *name;
	uint64_t value;
};

struct names {
	const char *what; /* for errors: "resource limit" */
	const struct name *list;
	size_t n;
};

extern const struct names names_rlimits;	       /* RLIMIT_... */
extern const struct names names_namespaces;	       /* enum spec_namespace_type */
extern const struct names names_capabilities;	       /* CAP_... numbers */
extern const struct names names_sched_policies;	       /* SCHED_... */
extern const struct names names_sched_flags;	       /* SCHED_FLAG_... */
extern const struct names names_io_classes;	       /* IOPRIO_CLASS_... */
extern const struct names names_memory_policies;       /* MPOL_... */
extern const struct names names_memory_policy_flags;   /* MPOL_F_... */
extern const struct names names_personalities;	       /* enum spec_personality */
extern const struct names names_propagations;	       /* MS_SHARED ... with MS_REC */
extern const struct names names_device_types;	       /* 'c', 'b', 'p' */
extern const struct names names_device_rule_types;     /* 'a', 'c', 'b' */
extern const struct names names_seccomp_actions;       /* SECCOMP_RET_... */
extern const struct names names_seccomp_operators;     /* enum scmp_compare's numbers */
extern const struct names names_seccomp_architectures; /* no value */
extern const struct names names_seccomp_flags;	       /* SECCOMP_FILTER_FLAG_... */
extern const struct names names_hooks;		       /* enum spec_hook_kind */
extern const struct names names_restart_policies;      /* no value */
extern const struct names names_health_actions;	       /* no value */
extern const struct names names_signals;	       /* "SIGTERM" */

/* The value of name, or -ENOENT. */
int names_find(const struct names *names, const char *name, uint64_t *ret) must_check;

/* The first name that has the value, NULL when none has. */
const char *names_peek(const struct names *names, uint64_t value);

/* The name that word probably means, NULL when none is close. */
const char *names_closest(const struct names *names, const char *word);

/* "15", "TERM", "sigterm", "RTMIN+3": the signal's number.  Numbers pass through from 0 to 64; -EINVAL for all else. */
int signal_parse(const char *s, int *ret) must_check;

/* A signal with a name like that, "SIGTERM"; NULL: none. */
const char *signal_closest(const char *s);

#endif
