/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/processes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/owner.h"

enum { FILE_MAX = 2 << 20, TTY_UNIX98 = 136, TTY_UNIX98_LAST = 143, TTY_CONSOLE = 4 };

/* What a row shows, as proc(5) has it. */
struct row {
	pid_t pid, ppid;
	uid_t uid;
	unsigned tty;
	unsigned long ticks;	  /* of CPU */
	unsigned long long start; /* ticks since boot */
	char name[32];
};

struct host {
	time_t boot, now;
	long ticks; /* per second */
};

static char *read_file(pid_t pid, const char *name, size_t *ret_size)
{
	char path[64], *data;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_read(AT_FDCWD, path, FILE_MAX, &data, ret_size) ? NULL : data;
}

/* The command's name stands in brackets and may hold anything, brackets too. */
static bool read_stat(struct row *row)
{
	auto_free char *data = read_file(row->pid, "stat", NULL);
	unsigned long user, system;
	char *open, *close;

	if (!data)
		return false;
	open = strchr(data, '(');
	close = strrchr(data, ')');
	if (!open || !close || close < open)
		return false;
	*close = 0;
	snprintf(row->name, sizeof(row->name), "%s", open + 1);
	if (sscanf(close + 1, " %*c %d %*d %*d %u %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu",
		   &row->ppid, &row->tty, &user, &system, &row->start) != 5)
		return false;
	row->ticks = user + system;
	return true;
}

static bool read_uid(struct row *row)
{
	auto_free char *data = read_file(row->pid, "status", NULL);
	const char *line = data ? strstr(data, "\nUid:") : NULL;

	return line && sscanf(line, "\nUid: %*u %u", &row->uid) == 1;
}

static void print_tty(unsigned device, char *out, size_t size)
{
	if (major(device) >= TTY_UNIX98 && major(device) <= TTY_UNIX98_LAST)
		snprintf(out, size, "pts/%u", (major(device) - TTY_UNIX98) * 256 + minor(device));
	else if (major(device) == TTY_CONSOLE)
		snprintf(out, size, "tty%u", minor(device));
	else
		snprintf(out, size, "?");
}

/* The time of day for what started in the last 24 hours, else the day. */
static void print_start(const struct host *host, time_t start, char *out, size_t size)
{
	struct tm parts;

	if (!localtime_r(&start, &parts) || !strftime(out, size, host->now - start < 86400 ? "%H:%M" : "%b%d", &parts))
		snprintf(out, size, "?");
}

/* Arguments with blanks between; whoever wrote them does not get to send anything to our terminal. */
static void print_command(const struct row *row, struct str *out)
{
	size_t size = 0;
	auto_free char *data = read_file(row->pid, "cmdline", &size);
	size_t start = out->size;

	while (size && !data[size - 1])
		size--;
	if (size)
		str_add_bytes(out, data, size);
	else
		str_addf(out, "[%s]", row->name);
	for (char *p = out->data + start; p < out->data + out->size; p++)
		if (!*p)
			*p = ' ';
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	str_add(out, "\n");
}

static void print_row(const struct host *host, const struct row *row, struct arena *arena, struct str *out)
{
	time_t start = host->boot + (time_t)(row->start / host->ticks);
	unsigned long seconds = row->ticks / host->ticks;
	long long age = host->now > start ? host->now - start : 1;
	char tty[16], day[16];

	print_tty(row->tty, tty, sizeof(tty));
	print_start(host, start, day, sizeof(day));
	str_addf(out, "%-8s %7d %7d %2lld %5s %-8s %02lu:%02lu:%02lu ", owner_find(row->uid, arena), (int)row->pid,
		 (int)row->ppid, (long long)seconds * 100 / age, day, tty, seconds / 3600, seconds / 60 % 60,
		 seconds % 60);
	print_command(row, out);
}

static time_t find_boot(void)
{
	struct timespec real = {0}, since = {0};

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &since);
	return real.tv_sec - since.tv_sec;
}

void processes_print(const pid_t *pids, size_t n, struct arena *arena, struct str *out)
{
	const struct host host = {.boot = find_boot(), .now = time(NULL), .ticks = sysconf(_SC_CLK_TCK)};

	str_addf(out, "%-8s %7s %7s %2s %5s %-8s %8s %s\n", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD");
	for (size_t i = 0; i < n; i++) {
		struct row row = {.pid = pids[i]};

		if (read_stat(&row) && read_uid(&row))
			print_row(&host, &row, arena, out);
	}
}
