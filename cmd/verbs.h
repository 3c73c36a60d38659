/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs, each defined in the file of its name, in the one table that main, help and completion walk; and the options
 * that hold for all of them.
 */
#ifndef HOLM_CMD_VERBS_H
#define HOLM_CMD_VERBS_H

#include "cmd/verb.h"

/* One a line, so that two who add some do not meet. */
/* clang-format off */
extern const struct verb
    verb_apply,
    verb_attach,
    verb_boot,
    verb_check,
    verb_checkpoint,
    verb_clone,
    verb_commit,
    verb_completion,
    verb_cp,
    verb_create,
    verb_delete,
    verb_diff,
    verb_down,
    verb_edit,
    verb_events,
    verb_exec,
    verb_explain,
    verb_export,
    verb_features,
    verb_gc,
    verb_h,
    verb_help,
    verb_image,
    verb_import,
    verb_inspect,
    verb_kill,
    verb_launch,
    verb_lint,
    verb_list,
    verb_logs,
    verb_metrics,
    verb_network,
    verb_overcommit,
    verb_pause,
    verb_ps,
    verb_publish,
    verb_remove,
    verb_rename,
    verb_restart,
    verb_restore,
    verb_resume,
    verb_run,
    verb_shell,
    verb_snapshot,
    verb_spec,
    verb_start,
    verb_state,
    verb_stats,
    verb_stop,
    verb_storage,
    verb_supervise,
    verb_top,
    verb_unpublish,
    verb_up,
    verb_update,
    verb_usage,
    verb_version,
    verb_volume,
    verb_wait,
    verb_whois,
    verb_why;
/* clang-format on */

/* Every verb, in the order of help. */
extern const struct verb *const verbs[];
extern const size_t n_verbs;

/* NULL: no such verb. */
const struct verb *verbs_find(const char *name);

/* -EINVAL and ERROR_USAGE: there is no verb of that name, but perhaps one like it. */
int verbs_refuse_unknown(const char *name, struct error *e) must_check;

/* The help text of the program. */
void verbs_print_help(struct str *out);

/* ---- options that hold for every verb ---- */

enum global_log_format { GLOBAL_LOG_TEXT, GLOBAL_LOG_JSON };
enum global_rootless { GLOBAL_ROOTLESS_AUTO, GLOBAL_ROOTLESS_TRUE, GLOBAL_ROOTLESS_FALSE };

struct global_options {
	bool debug, version, systemd_cgroup;
	const char *log, *root, *data, *criu;
	int log_format;	    /* enum global_log_format */
	int rootless;	    /* enum global_rootless */
	int cgroup_manager; /* enum cgroup_driver */
};

extern const struct option_table global_options;

#endif
