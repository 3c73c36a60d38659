/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs, each defined in the file of its name.  verb.c orders them.
 */
#ifndef HOLM_CMD_VERBS_H
#define HOLM_CMD_VERBS_H

#include "cmd/verb.h"

extern const struct verb verb_checkpoint, verb_completion, verb_create, verb_delete, verb_exec, verb_explain,
    verb_features, verb_help, verb_kill, verb_lint, verb_list, verb_pause, verb_ps, verb_restore, verb_resume, verb_run,
    verb_spec, verb_start, verb_state, verb_update, verb_version;

#endif
