/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The edge of holm: finds the verb, runs it, prints its error once and turns it into an exit status.
 *
 * Nothing is opened or looked up before the verb is known, and nothing that the verb does not need: a container's start
 * waits for all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/sink.h"
#include "cmd/verbs.h"
#include "cmd/version.h"

enum { STATUS_FAILURE = 1 };

static void log_to_sink(enum log_level level, const char *text, void *data)
{
	sink_write(data, level, NULL, text);
}

/* Prints e, once and for all, and returns the exit status for it. */
static int report(struct sink *sink, const struct error *e)
{
	char text[ERROR_TEXT_SIZE + 128];

	sink_write(sink, LOG_LEVEL_ERROR, error_kind_name(e), error_format(e, text, sizeof(text)));
	return STATUS_FAILURE;
}

/*
 * Wrong usage, as runc tells it: the help on standard output; on standard error and in the log what is wrong.  A person
 * at a terminal reads it once.
 */
static int report_usage(struct sink *sink, const struct verb *verb, const struct error *e)
{
	auto_str help = STR_INIT, line = STR_INIT;
	int r;

	if (e->kind == ERROR_OPERANDS)
		str_add(&help, "Incorrect Usage.\n\n");
	else if (!isatty(STDERR_FILENO))
		str_addf(&line, "Incorrect Usage: %s\n\n", e->text);
	if (verb)
		verb_print_help(verb, &help);
	else
		verbs_print_help(&help);
	r = output_write(str_peek(&help), NULL);
	if (!r)
		r = fd_write_all(STDERR_FILENO, str_peek(&line), line.size);
	if (r)
		log_debug("the help was not printed: %s", strerror(-r));
	return report(sink, e);
}

static int print(struct sink *sink, void (*print_text)(struct str *out))
{
	struct error e = ERROR_INIT;
	auto_str text = STR_INIT;

	print_text(&text);
	return output_write(str_peek(&text), &e) ? report(sink, &e) : 0;
}

static int print_verb_help(struct sink *sink, const struct verb *verb)
{
	struct error e = ERROR_INIT;
	auto_str text = STR_INIT;

	verb_print_help(verb, &text);
	return output_write(str_peek(&text), &e) ? report(sink, &e) : 0;
}

/*
 * Root of the host, or somebody else?  The first user namespace has had the same inode number since namespaces have
 * files (PROC_USER_INIT_INO); one stat(2) tells what reading /proc/self/uid_map would.
 */
static bool is_host_root(void)
{
	static const ino_t first_user_namespace = 0xeffffffd;
	struct stat st;

	return !geteuid() && (stat("/proc/self/ns/user", &st) || st.st_ino == first_user_namespace);
}

/* NULL and errno: the current folder has no path. */
static const char *make_absolute(const char *path, struct arena *arena)
{
	auto_free char *here = getcwd(NULL, 0);

	return here ? arena_format(arena, "%s/%s", str_equal(here, "/") ? "" : here, path) : NULL;
}

/* The data folder: nothing is looked at or made before somebody needs it. */
static const char *find_data(const struct global_options *global, bool ordinary, struct arena *arena)
{
	const char *folder = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (global->data)
		return *global->data == '/' ? global->data : make_absolute(global->data, arena);
	if (!ordinary)
		return "/var/lib/holm";
	if (folder && *folder == '/')
		return arena_format(arena, "%s/holm", folder);
	return home && *home == '/' ? arena_format(arena, "%s/.local/share/holm", home) : NULL;
}

/* The folders of state and data, and whether we act as an ordinary user. */
static int find_runtime(const struct global_options *global, const struct verb *verb, struct arena *arena,
			struct runtime *ret, struct error *e)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	bool ordinary = !is_host_root();
	struct runtime runtime = {.root = global->root, .cgroup_driver = global->cgroup_manager};

	runtime.data = find_data(global, ordinary, arena);

	runtime.rootless =
	    global->rootless == GLOBAL_ROOTLESS_AUTO ? ordinary : global->rootless == GLOBAL_ROOTLESS_TRUE;
	if (global->systemd_cgroup)
		runtime.cgroup_driver = CGROUP_SYSTEMD;
	if (str_equal(runtime.root, "/"))
		return error_refuse(e, ERROR_USAGE,
				    "--root '/': the state folder can't be the root of the file system");
	if (!runtime.root && (!ordinary || !folder || !*folder))
		runtime.root = "/run/holm";
	if (!runtime.root) {
		runtime.root = arena_format(arena, "%s/holm", folder);
		/* Sticky, so that systemd-tmpfiles and the like leave it alone (XDG base directory specification). */
		if (verb->makes_root && mkdir(runtime.root, 0700 | S_ISVTX) && errno != EEXIST)
			return error_system(e, errno, "make the state folder '%s'", runtime.root);
	}
	if (*runtime.root != '/') {
		runtime.root = make_absolute(runtime.root, arena);
		if (!runtime.root)
			return error_system(e, errno, "find the current folder, which --root '%s' is relative to",
					    global->root);
	}
	*ret = runtime;
	return 0;
}

static int run_verb(struct sink *sink, const struct global_options *global, const struct verb *verb, char **argv,
		    size_t n)
{
	_Alignas(16) char options[VERB_OPTIONS_SIZE] = {0};
	auto_arena arena = ARENA_INIT;
	struct invocation call = {
	    .verb = verb, .root_given = global->root, .data_given = global->data, .arena = &arena};
	struct option_result parsed = {.operands = argv, .n_operands = n};
	struct error e = ERROR_INIT;
	int status;

	if (!verb->raw && option_parse(&verb->options, verb->order, argv, n, options, &arena, &parsed, &e))
		return report_usage(sink, verb, &e);
	if (parsed.help)
		return print_verb_help(sink, verb);
	if (verb_check_operands(verb, parsed.n_operands, &e))
		return report_usage(sink, verb, &e);
	if (find_runtime(global, verb, &arena, &call.runtime, &e))
		return report(sink, &e);
	if (verb->run(&call, options, parsed.operands, parsed.n_operands, &e)) {
		if (e.kind == ERROR_OPERANDS)
			return report_usage(sink, verb, &e);
		if (verb->prefix)
			error_context(&e, "%s", verb->prefix);
		status = report(sink, &e);
		return verb->failure ? verb->failure : status;
	}
	return call.status;
}

/*
 * What a caller may have left in a state that no program expects: a missing standard stream (its number would go to a
 * descriptor of ours, and with it to the payload), children that nobody can wait for, a umask that locks us out of our
 * own files.
 */
static int reset_process(struct error *e)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return error_system(e, errno, "open '/dev/null' in place of a closed standard stream");
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		return error_system(e, errno, "reset SIGCHLD");
	umask(022);
	return 0;
}

int main(int argc, char **argv)
{
	struct global_options global = {0};
	struct sink sink = SINK_INIT;
	struct option_result parsed;
	struct error e = ERROR_INIT;
	const struct verb *verb;

	log_set_sink(log_to_sink, &sink);
	if (reset_process(&e))
		return report(&sink, &e);
	if (option_parse(&global_options, OPTION_ORDER_FIRST, argv + 1, argc ? argc - 1 : 0, &global, NULL, &parsed,
			 &e))
		return report_usage(&sink, NULL, &e);
	sink.path = global.log;
	sink.json = global.log_format == GLOBAL_LOG_JSON;
	log_set_debug(global.debug);
	if (parsed.help)
		return print(&sink, verbs_print_help);
	if (global.version)
		return print(&sink, version_print);
	if (!parsed.n_operands || !*parsed.operands[0])
		return print(&sink, verbs_print_help);
	verb = verbs_find(parsed.operands[0]);
	if (!verb) {
		if (verbs_refuse_unknown(parsed.operands[0], &e))
			report(&sink, &e);
		return VERB_UNKNOWN;
	}
	if (global.criu)
		log_warning("--criu is ignored");
	return run_verb(&sink, &global, verb, parsed.operands + 1, parsed.n_operands - 1);
}
