/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "spec/json.h"

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_DEBUG] = "debug"};

/* RFC 3339 in UTC. */
static void print_time(char *buffer, size_t size)
{
	time_t now = time(NULL);
	struct tm parts;

	if (!gmtime_r(&now, &parts) || !strftime(buffer, size, "%Y-%m-%dT%H:%M:%SZ", &parts))
		*buffer = 0;
}

static char *print_json(enum log_level level, const char *kind, const char *text)
{
	struct json_writer json = json_writer_init(JSON_INDENT_NONE);
	char now[32];

	print_time(now, sizeof(now));
	json_open_object(&json, NULL);
	if (kind)
		json_put_string(&json, "kind", kind);
	json_put_string(&json, "level", level_names[level]);
	json_put_string(&json, "msg", text);
	json_put_string(&json, "time", now);
	json_close(&json);
	str_add(&json.text, "\n");
	return json_finish(&json);
}

/* logfmt; the quoting is JSON's, which agrees with Go's for everything but control characters. */
static char *print_text(enum log_level level, const char *text)
{
	struct json_writer quoted = json_writer_init(JSON_INDENT_NONE);
	auto_free char *value = NULL;
	struct str line = STR_INIT;
	char now[32];

	print_time(now, sizeof(now));
	json_put_string(&quoted, NULL, text);
	value = json_finish(&quoted);
	str_addf(&line, "time=\"%s\" level=%s msg=%s\n", now, level_names[level], value);
	return str_steal(&line);
}

/* One line, as it is.  It may quote what a container said or is called, which must not move the reader's terminal. */
static char *print_bare(const char *text)
{
	struct str line = STR_INIT;

	str_add(&line, text);
	str_make_printable(line.data);
	str_add(&line, "\n");
	return str_steal(&line);
}

/* For people: "holm: warning: ...". */
static char *print_words(enum log_level level, const char *text)
{
	auto_str line = STR_INIT;

	if (!str_after(text, "holm: ")) /* runc's words for a wrong number of operands begin with the program */
		str_add(&line, "holm: ");
	if (level == LOG_LEVEL_WARNING)
		str_add(&line, "warning: ");
	str_add(&line, text);
	return print_bare(str_peek(&line));
}

/* There is nowhere to report that a message could not be written. */
static void write_line(int fd, const char *line)
{
	if (fd_write_all(fd, line, strlen(line)))
		return;
}

static int open_log(struct sink *sink)
{
	char words[512];
	auto_str line = STR_INIT;

	if (sink->fd < 0)
		sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (sink->fd < 0) {
		str_addf(&line, "holm: open log '%s': %s\n", sink->path, strerror_r(errno, words, sizeof(words)));
		write_line(STDERR_FILENO, str_peek(&line));
	}
	return sink->fd;
}

void sink_write(struct sink *sink, enum log_level level, const char *kind, const char *text)
{
	int fd = sink->path ? open_log(sink) : STDERR_FILENO;
	auto_free char *line = NULL;

	if (sink->path && (level == LOG_LEVEL_ERROR || fd < 0)) {
		auto_free char *bare = print_bare(text);

		write_line(STDERR_FILENO, bare);
	}
	if (fd < 0)
		return;
	if (sink->json)
		line = print_json(level, kind, text);
	else if (fd == STDERR_FILENO && isatty(fd))
		line = print_words(level, text);
	else
		line = print_text(level, text);
	write_line(fd, line);
}
