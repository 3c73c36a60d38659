/* SPDX-License-Identifier: GPL-2.0-or-later */
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
};

static const char *const formats[] = {[PS_TABLE] = "table", [PS_JSON] = "json"};

static const struct option rows[] = {
    OPTION_CHOSEN(struct ps_options, format, "format", 'f', formats, "form of the list (table)"),
};

enum { PS_OUTPUT_MAX = 64 << 20 };

static char *print_json(const pid_t *pids, size_t n)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);

	if (n) {
		json_open_array(&json, NULL);
		for (size_t i = 0; i < n; i++)
			json_put_int(&json, NULL, pids[i]);
		json_close(&json);
	} else {
		json_put_null(&json, NULL);
	}
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

/* The title and the lines of our processes. */
static int print_table(char *text, const pid_t *pids, size_t n, struct str *out, struct error *e)
{
	char *rest = text, *line = strsep(&rest, "\n");
	int column = find_pid_column(line);

	if (column < 0)
		return error_refuse(e, ERROR_INVALID, "ps prints no column PID: choose arguments with which it does");
	str_addf(out, "%s\n", line);
	while ((line = strsep(&rest, "\n"))) {
		pid_t pid = find_pid(line, column);

		for (size_t i = 0; pid && i < n; i++)
			if (pids[i] == pid) {
				str_addf(out, "%s\n", line);
				break;
			}
	}
	return 0;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct ps_options *o = options;
	auto_free pid_t *pids = NULL;
	auto_free char *table = NULL;
	auto_free char *json = NULL;
	auto_str text = STR_INIT;
	size_t n_pids = 0;
	char **argv;
	int r;

	r = container_pids(&call->runtime, operands[0], &pids, &n_pids, e);
	if (r)
		return r;
	if (o->format == PS_JSON) {
		json = print_json(pids, n_pids);
		return output_write(json, e);
	}
	argv = arena_array(call->arena, char *, n + 2);
	argv[0] = (char *)"ps";
	argv[1] = (char *)"-ef";
	for (size_t i = 1; i < n; i++)
		argv[i] = operands[i];
	r = read_ps(argv, &table, e);
	if (r == -ENOENT && n == 1) { /* a small host: no ps, and nothing asked that only it could answer */
		processes_print(pids, n_pids, call->arena, &text);
		return output_write(str_peek(&text), e);
	}
	if (r)
		return r;
	r = print_table(table, pids, n_pids, &text, e);
	if (r)
		return r;
	return output_write(str_peek(&text), e);
}

const struct verb verb_ps = {
    .name = "ps",
    .summary = "list the processes of a container, as the host sees them",
    .operands = "ID [PS-ARGUMENT...]",
    .min = 1,
    .max = VERB_ANY_OPERANDS,
    .order = OPTION_ORDER_FIRST,
    VERB_OPTIONS(struct ps_options, rows),
    .text = "The table is that of the host's ps(1), called with the arguments given (-ef), less what is not in the\n"
	    "container.  As JSON it is an array of pids.",
    .run = run,
};
