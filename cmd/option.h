/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the command line: one table per verb, from which everything follows: the parser, --help, the bash
 * completion and the dump that tests/lint compares with the man pages.
 *
 * The conventions are those of Go's flag package, which callers of runc rely on:
 *   - one or two dashes, before long names and letters alike: "-bundle x", "--b x";
 *   - "=value" or the next argument, whatever that looks like; a flag takes a value only as "=true" or "=false";
 *   - no bundling of letters ("-qf" is the option "qf") and no abbreviation of names;
 *   - an empty value of a string is the same as no option; lists grow by repetition;
 *   - "--" ends the options; "-" alone is an operand.
 *
 * What is parsed is written into the caller's struct at the row's offset; what is absent stays untouched.  Strings
 * point into argv.  Lists live in the arena given and are only allocated when there is something in them.
 */
#ifndef HOLM_CMD_OPTION_H
#define HOLM_CMD_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

/* The member that each type writes. */
enum option_type {
	OPTION_FLAG,	 /* bool */
	OPTION_STRING,	 /* const char * */
	OPTION_COUNT,	 /* unsigned, at most INT_MAX */
	OPTION_NUMBER,	 /* struct spec_number */
	OPTION_UNSIGNED, /* struct spec_unsigned */
	OPTION_SIZE,	 /* struct spec_number: bytes, with a unit or -1 */
	OPTION_DURATION, /* int64_t: ns */
	OPTION_CHOICE,	 /* int: the index in choices */
	OPTION_LIST,	 /* const char ** and, at count, size_t */
	OPTION_ENV,	 /* the same; each is "KEY=value" */
	OPTION_IDS,	 /* uint32_t * and, at count, size_t */
	_OPTION_TYPE_N
};

struct option {
	const char *name;
	char letter; /* 0: none */
	enum option_type type;
	size_t offset, count;
	const char *metavar; /* what help and man page call the value; for choices NULL */
	const char *help;    /* one line, lower case; NULL: hidden (accepted, not shown) */
	const char *const *choices;
	size_t n_choices;
};

/* An option table, with its length. */
struct option_table {
	const struct option *options;
	size_t n;
};

#define OPTION_TABLE(a)                                                                                                \
	{                                                                                                              \
		(a), ARRAY_SIZE(a)                                                                                     \
	}

/* Rows: OPTION(struct, member, "name", 'letter', TYPE, "METAVAR", "help"). */
#define OPTION(s, member, name_, letter_, type_, metavar_, help_)                                                      \
	{                                                                                                              \
		.name = (name_), .letter = (letter_), .type = OPTION_##type_, .offset = offsetof(s, member),           \
		.metavar = (metavar_), .help = (help_)                                                                 \
	}
#define OPTION_LISTED(s, member, name_, letter_, type_, metavar_, help_)                                               \
	{                                                                                                              \
		.name = (name_), .letter = (letter_), .type = OPTION_##type_, .offset = offsetof(s, member),           \
		.count = offsetof(s, n_##member), .metavar = (metavar_), .help = (help_)                               \
	}
#define OPTION_CHOSEN(s, member, name_, letter_, choices_, help_)                                                      \
	{                                                                                                              \
		.name = (name_), .letter = (letter_), .type = OPTION_CHOICE, .offset = offsetof(s, member),            \
		.help = (help_), .choices = (choices_), .n_choices = ARRAY_SIZE(choices_)                              \
	}

enum option_order {
	OPTION_ORDER_ANY,  /* options may follow operands */
	OPTION_ORDER_FIRST /* the first operand ends the options (exec, ps, the global ones) */
};

struct option_result {
	char **operands; /* the front of the argv given, which is reordered */
	size_t n_operands;
	bool help; /* -h or --help was there: nothing else counts */
};

/*
 * Parses argv[0..n) by the table into *target.  "-it" is "-i -t" where no option is called "it".  Every failure is of kind ERROR_USAGE: "flag provided but not defined:
 * -x", "flag needs an argument: -x", "invalid value 'v' for --x: ...".
 */
int option_parse(const struct option_table *table, enum option_order order, char **argv, size_t n, void *target,
		 struct arena *arena, struct option_result *ret, struct error *e) must_check;

/* Whether it takes a value, and what help calls that ("json|text" for choices). */
bool option_has_value(const struct option *option);
void option_print_value(const struct option *option, struct str *out);

/* The rows of a help text, aligned: "  -b, --bundle DIR    the bundle ...", and that of --help.  Hidden ones are left
 * out. */
void option_print_help(const struct option_table *table, struct str *out);

#endif
