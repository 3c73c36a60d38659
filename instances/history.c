/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "spec/json.h"

enum { LINE_MAX_SIZE = 64 << 10 };

static char *make_line(const struct instance_end *end, const struct cgroup_end *resources)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);

	json_open_object(&w, NULL);
	json_put_int(&w, "started", end->started);
	json_put_int(&w, "ended", end->ended);
	json_put_int(&w, "status", end->status);
	json_put_bool(&w, "asked", end->asked);
	json_put_uint(&w, "restarts", end->restarts);
	json_put_string(&w, "why", end->why);
	if (resources->oom_kills)
		json_put_bool(&w, "oomOwnLimit", resources->oom_own_limit);
	if (resources->memory_limit != CGROUP_UNLIMITED)
		json_put_uint(&w, "memoryLimit", resources->memory_limit);
	for (size_t i = 0; i < cgroup_end_fields_count; i++)
		json_put_uint(&w, cgroup_end_fields[i].key, cgroup_end_field(resources, i));
	json_close(&w);
	str_add(&w.text, "\n");
	return json_finish(&w);
}

/* All or nothing, with a copy of the newer half. */
static int shorten(const struct instance *instance)
{
	auto_free char *text = NULL;
	size_t size = 0;
	char *half;
	int r = file_read(instance->folder, HISTORY_FILE, HISTORY_SIZE + LINE_MAX_SIZE, &text, &size);

	half = r ? NULL : memchr(text + size / 2, '\n', size - size / 2);
	if (!half)
		return r;
	half++;
	return file_replace(instance->folder, HISTORY_FILE, 0600, half, size - (size_t)(half - text));
}

int history_add(const struct instance *instance, const struct instance_end *end, const struct cgroup_end *resources,
		struct error *e)
{
	auto_free char *line = make_line(end, resources);
	auto_fd fd = -1;
	struct stat st;
	int r;

	fd = openat(instance->folder, HISTORY_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, line, strlen(line));
	if (!r && !fstat(fd, &st) && st.st_size >= HISTORY_SIZE)
		r = shorten(instance);
	return r ? error_system(e, -r, "write '%s/" HISTORY_FILE "'", instance->path) : 0;
}

char *history_last(const struct instance *instance)
{
	auto_free char *text = NULL;
	size_t size = 0;
	char *line;

	if (file_read(instance->folder, HISTORY_FILE, HISTORY_SIZE + LINE_MAX_SIZE, &text, &size) || !size)
		return NULL;
	if (text[size - 1] == '\n')
		text[--size] = 0;
	line = memrchr(text, '\n', size);
	return strdup(line ? line + 1 : text);
}
