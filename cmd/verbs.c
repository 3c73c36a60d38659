/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verbs.h"

/* One a line, so that two who add some do not meet. */
/* clang-format off */
const struct verb *const verbs[] = {
    /* instances */
    &verb_launch,
    &verb_list,
    &verb_start,
    &verb_stop,
    &verb_restart,
    &verb_remove,
    &verb_rename,
    &verb_exec,
    &verb_shell,
    &verb_attach,
    &verb_logs,
    &verb_wait,
    &verb_inspect,
    &verb_edit,
    &verb_update,
    &verb_apply,
    &verb_up,
    &verb_down,
    &verb_snapshot,
    &verb_clone,
    &verb_commit,
    &verb_cp,
    &verb_export,
    &verb_import,
    &verb_diff,
    &verb_gc,
    /* what they are made of */
    &verb_image,
    &verb_storage,
    &verb_volume,
    /* networks */
    &verb_network,
    &verb_publish,
    &verb_unpublish,
    /* what they use */
    &verb_ps,
    &verb_stats,
    &verb_top,
    &verb_usage,
    &verb_metrics,
    &verb_overcommit,
    &verb_why,
    &verb_boot,
    &verb_events,
    &verb_whois,
    /* containers by the OCI's words */
    &verb_create,
    &verb_run,
    &verb_state,
    &verb_kill,
    &verb_delete,
    &verb_pause,
    &verb_resume,
    &verb_checkpoint,
    &verb_restore,
    /* this program and this host */
    &verb_spec,
    &verb_lint,
    &verb_explain,
    &verb_features,
    &verb_check,
    &verb_completion,
    &verb_help,
    &verb_version,
    /* private */
    &verb_h,
    &verb_supervise,
};
/* clang-format on */
const size_t n_verbs = ARRAY_SIZE(verbs);

static const char *const log_formats[] = {[GLOBAL_LOG_TEXT] = "text", [GLOBAL_LOG_JSON] = "json"};
static const char *const rootless_words[] = {
    [GLOBAL_ROOTLESS_AUTO] = "auto", [GLOBAL_ROOTLESS_TRUE] = "true", [GLOBAL_ROOTLESS_FALSE] = "false"};
static const char *const managers[] = {
    [CGROUP_DIRECT] = "cgroupfs", [CGROUP_SYSTEMD] = "systemd", [CGROUP_DISABLED] = "disabled"};

static const struct option global_rows[] = {
    OPTION(struct global_options, root, "root", 0, STRING, "DIR", "folder of the containers' state (/run/holm)"),
    OPTION(struct global_options, data, "data", 0, STRING, "DIR",
	   "folder of images, instances and volumes (/var/lib/holm)"),
    OPTION(struct global_options, log, "log", 0, STRING, "FILE", "append messages to FILE"),
    OPTION_CHOSEN(struct global_options, log_format, "log-format", 0, log_formats, "form of messages"),
    OPTION(struct global_options, debug, "debug", 0, FLAG, NULL, "say what is being done"),
    OPTION(struct global_options, systemd_cgroup, "systemd-cgroup", 0, FLAG, NULL,
	   "cgroups are made by systemd; cgroupsPath is 'slice:prefix:name'"),
    OPTION_CHOSEN(struct global_options, cgroup_manager, "cgroup-manager", 0, managers, "who makes cgroups"),
    OPTION_CHOSEN(struct global_options, rootless, "rootless", 0, rootless_words,
		  "whether to act as an ordinary user does"),
    OPTION(struct global_options, version, "version", 'v', FLAG, NULL, "print the version"),
    OPTION(struct global_options, criu, "criu", 0, STRING, "FILE", NULL),
};

const struct option_table global_options = OPTION_TABLE(global_rows);

const struct verb *verbs_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (str_equal(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

int verbs_refuse_unknown(const char *name, struct error *e)
{
	const char *names[ARRAY_SIZE(verbs)], *close;
	size_t n = 0;

	for (size_t i = 0; i < n_verbs; i++)
		if (verbs[i]->summary)
			names[n++] = verbs[i]->name;
	close = str_closest(name, names, n);
	if (!close)
		return error_refuse(e, ERROR_USAGE, "No help topic for '%s'", name);
	return error_refuse(e, ERROR_USAGE, "No help topic for '%s'; did you mean '%s'?", name, close);
}

void verbs_print_help(struct str *out)
{
	str_add(out, "holm - runs isolated instances of user space on one Linux kernel\n\n"
		     "Usage: holm [GLOBAL OPTIONS] VERB [OPTIONS] [OPERANDS]\n\nVerbs:\n");
	for (size_t i = 0; i < n_verbs; i++)
		if (verbs[i]->summary)
			str_addf(out, "  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	str_add(out, "\nGlobal options, before the verb:\n");
	option_print_help(&global_options, out);
	str_add(out, "\n'holm help VERB' or 'holm VERB --help' tells more, and so does holm(8).\n");
}
