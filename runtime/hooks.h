/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks that run in the host's namespaces: prestart, createRuntime, poststart, poststop.  (createContainer and
 * startContainer run in the container's: init does them.)
 *
 * A hook runs in the bundle, with the state as compact JSON on stdin and exactly its own environment.  Its failure
 * reads "hook createRuntime[1] '/bin/x': exit status 3: last lines of its stderr".
 */
#ifndef HOLM_RUNTIME_HOOKS_H
#define HOLM_RUNTIME_HOOKS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "spec/spec.h"

/* The OCI's state, as hooks and the seccomp agent get it. */
struct hooks_state {
	const char *id, *status, *bundle;
	pid_t pid; /* as the reader sees it; 0: left out (there is no process any more) */
	const struct spec_pair *annotations;
	size_t n_annotations;
};

/* {"ociVersion":...,"id":...,"status":...,"pid":...,"bundle":...,"annotations":{...}} in one line, in the arena. */
const char *hooks_state_json(const struct hooks_state *state, struct arena *arena);

/* Adds the state object, or a JSON string (quotes and escapes; bytes that are no UTF-8 become U+FFFD), to s. */
void hooks_add_state(struct str *s, const struct hooks_state *state);
void hooks_add_string(struct str *s, const char *text);

/* Runs all hooks of one kind in order, up to the first that fails.  bundle_fd: where they run, -1: here. */
int hooks_run(const struct spec_hooks *hooks, enum spec_hook_kind kind, const char *state_json, int bundle_fd,
	      struct error *e) must_check;

/* The same for poststop: a failure is a warning and the next one runs. */
void hooks_run_all(const struct spec_hooks *hooks, enum spec_hook_kind kind, const char *state_json, int bundle_fd);

#endif
