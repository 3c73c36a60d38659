/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/match.h"
#include "cmd/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/output.h"
#include "cmd/processes.h"
#include "spec/json.h"

enum ps_format { PS_TABLE, PS_JSON };

struct ps_options {
	int format; /* enum ps_format */
	struct each_options each;
};

static const char *const formats[] = {[PS_TABLE] = "table", [PS_JSON] = "json"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct ps_options, format, "format", 'f', formats, "form of the list (table)"),
    OPTION(struct ps_options, each.all, "all", 'a', FLAG, NULL, "all that run; there is no ID then"),
    EACH_LABEL(struct ps_options),
};

enum { PS_OUTPUT_MAX = 64 << 20 };

/* One container and its processes. */
struct group {
	const char *id;
	pid_t *pids;
	size_t n;
};

static void put_pids(struct json_writer *json, const char *key, const struct group *group)
{
	if (!group->n) {
		json_put_null(json, key);
		return;
	}
	json_open_array(json, key);
	for (size_t i = 0; i < group->n; i++)
		json_put_int(json, NULL, group->pids[i]);
	json_close(json);
}

/* Of many an object, its keys being their ids. */
static char *print_json(const struct group *groups, size_t n, bool many)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);

	if (many)
		json_open_object(&json, NULL);
	for (size_t i = 0; i < n; i++)
		put_pids(&json, many ? groups[i].id : NULL, &groups[i]);
	if (many)
		json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

/* The host's own ps, never one that a caller's PATH or a container could put in its place. */
static const char *const programs[] = {"/usr/bin/ps", "/bin/ps"};

/* Starts ps with its standard output in a pipe, of which *ret_fd is the other end. */
static int start_ps(char **argv, pid_t *ret_pid, int *ret_fd, struct error *e)
{
	static char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8",
					    NULL};
	posix_spawn_file_actions_t actions;
	auto_fd read_end = -1;
	auto_fd write_end = -1;
	int ends[2], r = ENOENT;

	if (pipe2(ends, O_CLOEXEC))
		return error_system(e, errno, "make a pipe for ps");
	read_end = ends[0];
	write_end = ends[1];
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return error_system(e, r, "prepare ps");
	r = posix_spawn_file_actions_adddup2(&actions, write_end, STDOUT_FILENO);
	if (!r)
		r = ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(programs) && r == ENOENT; i++)
		r = posix_spawn(ret_pid, programs[i], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return error_system(e, r, "run '%s'", programs[0]);
	*ret_fd = take_fd(&read_end);
	return 0;
}

/* What ps prints, whole.  The caller frees it. */
static int read_ps(char **argv, char **ret_text, struct error *e)
{
	auto_free char *text = NULL;
	auto_fd fd = -1;
	int r, status;
	pid_t pid;

	r = start_ps(argv, &pid, &fd, e);
	if (r)
		return r;
	r = fd_read_all(fd, PS_OUTPUT_MAX, &text, NULL);
	fd = fd_close(fd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_system(e, errno, "wait for ps");
	if (r)
		return error_system(e, -r, "read what ps prints");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_refuse(e, ERROR_INVALID, "ps failed: are its arguments right?");
	*ret_text = take_ptr(&text);
	return 0;
}

/* Which word of the title line is "PID"; -1: none. */
static int find_pid_column(const char *title)
{
	auto_free char *copy = strdup(title);
	char *rest = NULL;
	int column = 0;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest), column++)
		if (str_equal(word, "PID"))
			return column;
	return -1;
}

/* The number in a line's column; 0: none. */
static pid_t find_pid(const char *line, int column)
{
	uint64_t pid;
	char word[16];
	size_t n;

	for (line += strspn(line, " "); column > 0; column--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	n = strcspn(line, " ");
	if (!n || n >= sizeof(word))
		return 0;
	memcpy(word, line, n);
	word[n] = 0;
	return parse_u64(word, 1, INT32_MAX, &pid) ? 0 : (pid_t)pid;
}

static const char *find_owner(const struct group *groups, size_t n, pid_t pid)
{
	for (size_t k = 0; pid && k < n; k++)
		for (size_t i = 0; i < groups[k].n; i++)
			if (groups[k].pids[i] == pid)
				return groups[k].id;
	return NULL;
}

/* The title and the lines of our processes; of many with the id before each. */
static int print_table(char *text, const struct group *groups, size_t n, bool many, struct str *out, struct error *e)
{
	char *rest = text, *line = strsep(&rest, "\n");
	int column = find_pid_column(line), width = 2;

	if (column < 0)
		return error_refuse(e, ERROR_INVALID, "ps prints no column PID: choose arguments with which it does");
	for (size_t i = 0; many && i < n; i++)
		if ((int)strlen(groups[i].id) > width)
			width = (int)strlen(groups[i].id);
	if (many)
		str_addf(out, "%-*s ", width, "ID");
	str_addf(out, "%s\n", line);
	while ((line = strsep(&rest, "\n"))) {
		const char *owner = find_owner(groups, n, find_pid(line, column));

		if (owner && many)
			str_addf(out, "%-*s ", width, owner);
		if (owner)
			str_addf(out, "%s\n", line);
	}
	return 0;
}

static int print_small(const struct group *groups, size_t n, bool many, struct arena *arena, struct str *out)
{
	for (size_t i = 0; i < n; i++) {
		if (many)
			str_addf(out, "%s%s:\n", i ? "\n" : "", groups[i].id);
		processes_print(groups[i].pids, groups[i].n, arena, out);
	}
	return 0;
}

static int print(struct invocation *call, const struct group *groups, size_t n_groups, bool many, char **arguments,
		 size_t n, struct str *out, struct error *e)
{
	char **argv = arena_array(call->arena, char *, n + 3);
	auto_free char *table = NULL;
	int r;

	argv[0] = (char *)"ps";
	argv[1] = (char *)"-ef";
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = arguments[i];
	r = read_ps(argv, &table, e);
	if (r == -ENOENT && !n) /* a small host: no ps, and nothing asked that only it could answer */
		return print_small(groups, n_groups, many, call->arena, out);
	return r ?: print_table(table, groups, n_groups, many, out, e);
}

static int read_groups(struct invocation *call, char **ids, size_t n, bool many, struct group **ret, size_t *ret_n,
		       struct error *e)
{
	struct group *groups = arena_array(call->arena, struct group, n + 1);

	*ret = groups;
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		auto_free pid_t *pids = NULL;
		struct group *group = &groups[*ret_n];
		int r = container_pids(&call->runtime, ids[i], &pids, &group->n, e);

		if (r && many) /* it has ended meanwhile */
			continue;
		if (r)
			return r;
		group->id = ids[i];
		group->pids = arena_array(call->arena, pid_t, group->n + 1);
		if (group->n)
			memcpy(group->pids, pids, group->n * sizeof(*pids));
		(*ret_n)++;
	}
	return 0;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct ps_options *o = options;
	size_t n_names = !o->each.all && !o->each.n_labels, n_ids, n_groups = 0;
	bool many = match_is_asked(&o->each, operands, n && n_names);
	struct group *groups = NULL;
	auto_free char *json = NULL;
	auto_str text = STR_INIT;
	char **ids;
	int r;

	if (n < n_names)
		return verb_refuse_none(call->verb, "a minimum of", e);
	r = match_running(call, &o->each, operands, n_names, &ids, &n_ids, e);
	if (!r)
		r = read_groups(call, ids, n_ids, many, &groups, &n_groups, e);
	if (r)
		return n_names ? each_explain(call, operands[0], r, e) : r;
	if (o->format == PS_JSON) {
		json = print_json(groups, n_groups, many);
		return output_write(json, e);
	}
	r = print(call, groups, n_groups, many, operands + n_names, n - n_names, &text, e);
	return r ?: output_write(str_peek(&text), e);
}

const struct verb verb_ps = {
    .name = "ps",
    .summary = "list the processes of a container, as the host sees them",
    .operands = "ID|PATTERN [PS-ARGUMENT...]",
    .min = 0,
    .max = VERB_ANY_OPERANDS,
    .order = OPTION_ORDER_FIRST,
    VERB_OPTIONS(struct ps_options, rows),
    .text = "The table is that of the host's ps(1), called with the arguments given (-ef), less what is not in the\n"
	    "container.  As JSON it is an array of pids.  A pattern, --label or --all stands for all of them that run: "
	    "then\n"
	    "each line begins with the id, and JSON is an object of arrays.",
    .run = run,
};
