/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a verb is: something that holm can be asked to do.  One struct per verb, each in a file of its own; verbs.c lists
 * them.
 *
 * A handler gets its options parsed and its operands counted.  It returns 0 or -errno with *e filled and prints no
 * errors; what it prints to standard output goes through output.h.
 */
#ifndef HOLM_CMD_VERB_H
#define HOLM_CMD_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "cmd/option.h"
#include "runtime/container.h"

struct verb;

/* One run of holm, as a handler sees it. */
struct invocation {
	const struct verb *verb;
	struct runtime runtime;
	bool root_given, data_given; /* --root and --data were */
	struct arena *arena;
	int status; /* the exit status on success; the handler may set it (default 0) */
};

enum { VERB_ANY_OPERANDS = -1, VERB_OPTIONS_SIZE = 1024, VERB_UNKNOWN = 3 /* exit status */ };

/*
 * Does this call speak of instances beside containers?  Who names a state folder and no data folder is an engine with containers of
 * its own: what instances there are is none of its business.
 */
static inline bool invocation_has_instances(const struct invocation *call)
{
	return call->data_given || !call->root_given;
}

/* The options of a verb: rows, the struct they are offsets into, which has to fit into VERB_OPTIONS_SIZE. */
#define VERB_OPTIONS(type, rows) .options = {(rows), ARRAY_SIZE(rows) / (sizeof(type) <= VERB_OPTIONS_SIZE)}

struct verb {
	const char *name;
	const char *summary;  /* NULL: private, not shown anywhere */
	const char *operands; /* synopsis: "ID [SIGNAL]"; "" for none */
	int min, max;	      /* operands; VERB_ANY_OPERANDS */
	enum option_order order;
	struct option_table options;
	bool raw;	    /* options are not parsed: everything is an operand */
	bool makes_root;    /* the state folder of an ordinary user is made when missing */
	const char *prefix; /* put before errors ("create failed"); NULL: none */
	int failure;	    /* exit status of failures, when not by kind; 0: by kind */
	const char *text;   /* paragraphs for help, after the synopsis; NULL: none */
	int (*run)(struct invocation *call, void *options, char **operands, size_t n, struct error *e) must_check;
};

/* -EINVAL and ERROR_OPERANDS in runc's words when n operands are not what verb takes. */
int verb_check_operands(const struct verb *verb, size_t n, struct error *e) must_check;

/* The same, always: for verbs whose options can stand for the operand.  bound: "exactly" or "a minimum of". */
int verb_refuse_none(const struct verb *verb, const char *bound, struct error *e) must_check;

void verb_print_help(const struct verb *verb, struct str *out);

#endif
