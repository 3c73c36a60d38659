/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be said about a config.json beyond "it runs": unknown keys, refusals (all of them, not only the first), what
 * has no effect, what is deprecated, what is dangerous.  The decoder's own tables and checks speak here; only advice is
 * added.
 *
 * An error is what create would refuse.  A warning is a thing that most people don't want.  A note informs.
 */
#ifndef HOLM_SPEC_LINT_H
#define HOLM_SPEC_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct spec;

enum lint_severity { LINT_ERROR, LINT_WARNING, LINT_NOTE, _LINT_SEVERITY_N };

struct lint_finding {
	enum lint_severity severity;
	const char *path;	/* "process.capabilities.bounding[3]"; "" for the document */
	const char *reason;	/* one line */
	const char *suggestion; /* what to do, NULL: none */
};

/* Findings in the order in which they were made; everything lives in arena. */
struct lint {
	struct arena *arena;
	struct lint_finding *findings;
	size_t n, room;
};

/* What the host says to a spec that decodes (runtime's): adds findings by lint_add(). */
struct lint_host {
	void (*check)(const struct spec *spec, struct lint *lint, void *data);
	void *data;
};

/* name: what the document is called in a syntax error.  host may be NULL.  Returns true if no finding is an error. */
bool spec_lint(const char *text, size_t size, const char *name, const struct lint_host *host, struct arena *arena,
	       struct lint *ret);

/* Copies all strings.  suggestion may be NULL. */
void lint_add(struct lint *lint, enum lint_severity severity, const char *path, const char *reason,
	      const char *suggestion);

const char *lint_severity_name(enum lint_severity severity); /* "error", "warning", "note" */

#endif
