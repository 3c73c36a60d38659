/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs commands and measures each from spawn to the end of its wait.  Small and static, so that the measuring process
 * weighs little: a fork of an interpreter would cost more than what is measured.
 *
 *   timer rounds N <CELLS     every cell once per round, in an order that rotates
 *   timer storm N <CELLS      N copies of the first cell's first command at once
 *
 * CELLS: "cell NAME" lines, each followed by "before COMMAND" (not measured), "run COMMAND" (measured) and
 * "after COMMAND" lines; words are separated by tabs, and %i in a word becomes a number that is new each time.
 * Output, one line per measurement: cell wall-microseconds cpu-microseconds peak-KiB status
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CELLS = 64, MAX_COMMANDS = 16, MAX_WORDS = 64 };

struct command {
	char phase; /* b, r or a */
	char *words[MAX_WORDS + 1];
};

struct cell {
	char name[128];
	struct command commands[MAX_COMMANDS];
	int n_commands;
};

struct measurement {
	long wall, cpu, peak;
	int status;
};

static struct cell cells[MAX_CELLS];
static int n_cells;
static unsigned long number;
static posix_spawn_file_actions_t streams;

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static void read_cells(void)
{
	char line[8192];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "cell ", 5)) {
			if (n_cells == MAX_CELLS)
				errx(2, "too many cells");
			snprintf(cells[n_cells++].name, sizeof(cells[0].name), "%.127s", line + 5);
			continue;
		}
		char *rest = strchr(line, ' ');
		if (!n_cells || !rest || !strchr("bra", *line) || cells[n_cells - 1].n_commands == MAX_COMMANDS)
			errx(2, "not understood: %s", line);
		struct command *c = &cells[n_cells - 1].commands[cells[n_cells - 1].n_commands++];
		c->phase = *line;
		int n = 0;
		for (char *w = strtok(rest + 1, "\t"); w && n < MAX_WORDS; w = strtok(NULL, "\t"))
			c->words[n++] = strdup(w);
	}
}

/* The words with %i filled in; the caller frees them with release(). */
static void fill(char *const *words, char **ret)
{
	int i;
	for (i = 0; words[i]; i++) {
		char *at = strstr(words[i], "%i");
		if (!at)
			ret[i] = strdup(words[i]);
		else if (asprintf(&ret[i], "%.*s%lu%s", (int)(at - words[i]), words[i], number, at + 2) < 0)
			err(1, "memory");
	}
	ret[i] = NULL;
}

static void release(char **words)
{
	for (; *words; words++)
		free(*words);
}

static pid_t spawn(char *const *words)
{
	extern char **environ;
	char *filled[MAX_WORDS + 1];
	pid_t pid;
	fill(words, filled);
	int r = posix_spawnp(&pid, filled[0], &streams, NULL, filled, environ);
	if (r) {
		errno = r;
		err(1, "%s", filled[0]);
	}
	release(filled);
	return pid;
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void wait_for(pid_t pid, struct measurement *m)
{
	struct rusage usage;
	int status;
	if (wait4(pid, &status, 0, &usage) != pid)
		err(1, "wait4");
	m->cpu += (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec +
		  usage.ru_stime.tv_usec;
	if (usage.ru_maxrss > m->peak)
		m->peak = usage.ru_maxrss;
	if (status)
		m->status = status_of(status);
}

static void print(const struct cell *cell, const struct measurement *m)
{
	printf("%s %ld %ld %ld %d\n", cell->name, m->wall, m->cpu, m->peak, m->status);
}

static void measure(const struct cell *cell)
{
	struct measurement m = {0};
	number++;
	for (int i = 0; i < cell->n_commands; i++) {
		struct measurement aside = {0};
		bool counts = cell->commands[i].phase == 'r';
		long start = now();
		wait_for(spawn(cell->commands[i].words), counts ? &m : &aside);
		if (counts)
			m.wall += now() - start;
	}
	print(cell, &m);
}

static void storm(const struct cell *cell, int n)
{
	pid_t *pids = calloc(n, sizeof(*pids));
	long *starts = calloc(n, sizeof(*starts));
	struct rusage usage;
	int status, i;
	pid_t pid;

	for (i = 0; i < n; i++) {
		number++;
		starts[i] = now();
		pids[i] = spawn(cell->commands[0].words);
	}
	while ((pid = wait4(-1, &status, 0, &usage)) > 0) {
		struct measurement m = {.peak = usage.ru_maxrss, .status = status_of(status)};
		for (i = 0; i < n && pids[i] != pid; i++)
			;
		m.wall = now() - starts[i];
		print(cell, &m);
	}
	free(pids);
	free(starts);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: timer rounds|storm N <CELLS");
	int n = atoi(argv[2]);
	number = (unsigned long)getpid() * 100000;
	posix_spawn_file_actions_init(&streams);
	posix_spawn_file_actions_addopen(&streams, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&streams, 1, "/dev/null", O_WRONLY, 0);
	read_cells();
	if (!strcmp(argv[1], "storm")) {
		storm(&cells[0], n);
		return 0;
	}
	for (int round = 0; round < n; round++)
		for (int i = 0; i < n_cells; i++)
			measure(&cells[(i + round) % n_cells]);
	return 0;
}
