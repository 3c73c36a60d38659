/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storm: many containers one after another, many at once, and many commands at once on one id.
 *
 *   storm cycles N    run and delete N times; then nothing has grown: cgroups (those too that the kernel has not let go of
 *                     yet), mounts, state folder, processes, descriptors of the caller
 *   storm many N      N runs of one bundle at once, each with an id of its own: all succeed
 *   storm same N      N creates at once with one id: exactly one succeeds, and its container works
 *   storm mixed N     N seconds of create, run, start, kill, delete and others at random, at once, on two ids
 *     --holm FILE --state FOLDER --work FOLDER --id ID
 *     --probe BUNDLE   its payload ends at once;  --service BUNDLE: its payload stays
 *
 * Whatever happened, nobody dies of a signal or hangs, every failure is one line of error, and in the end the host is as it
 * was.  The last line on standard output sums up, the findings come before it; exit status 1 if there are any.
 */
#include "tests/crash/host.h"

#include <getopt.h>

enum { MAX_JOBS = 1024, TIME_OUT = 60 };

struct driver {
	struct host host;
	const char *probe, *service, *before;
	unsigned findings;
};

static void found(struct driver *d, const char *format, ...)
{
	va_list args;

	d->findings++;
	printf("  ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void compare(struct driver *d, const char *when)
{
	char *got = picture_wait(&d->host, d->before);

	if (!got)
		return;
	found(d, "%s:", when);
	print_difference(stdout, "    left: ", got, d->before);
	print_difference(stdout, "    lost: ", d->before, got);
	free(got);
}

/* ---- commands side by side ---- */

struct job {
	pid_t pid;
	int err, status;
	bool running;
	long long since;
	char what[64];
};

static void job_start(struct driver *d, struct job *j, const char *const *argv)
{
	const char *full[16] = {d->host.holm, "--root", d->host.state};
	struct host h = d->host;
	size_t n = 3;

	*j = (struct job){.running = true, .since = now_ms()};
	for (size_t i = 0; argv[i]; i++) {
		full[n++] = argv[i];
		if (strlen(j->what) + strlen(argv[i]) + 2 < sizeof(j->what) && argv[i][0] != '/')
			sprintf(j->what + strlen(j->what), "%s%s", i ? " " : "", argv[i]);
	}
	j->err = open(d->host.work, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (j->err < 0)
		die("temporary file");
	h.err = j->err;
	j->pid = fork();
	if (j->pid < 0)
		die("fork");
	if (!j->pid)
		command_exec(&h, full);
}

static char *job_error(struct job *j)
{
	char *text = read_fd(j->err);

	close(j->err);
	return text;
}

/* Reaps whoever has ended, orphans too; a job that does not end is killed. */
static void jobs_reap(struct driver *d, struct job *jobs, size_t n)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < n; i++)
			if (jobs[i].running && jobs[i].pid == pid) {
				jobs[i].running = false;
				jobs[i].status = status;
			}
	for (size_t i = 0; i < n; i++)
		if (jobs[i].running && now_ms() - jobs[i].since > TIME_OUT * 1000LL * d->host.scale) {
			char path[64], *call;

			snprintf(path, sizeof(path), "/proc/%d/syscall", jobs[i].pid);
			call = read_file(path);
			found(d, "'%s' hangs in %s", jobs[i].what, call ? call : "?");
			free(call);
			kill(jobs[i].pid, SIGKILL);
			jobs[i].since = now_ms();
		}
}

static bool jobs_run(const struct job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (jobs[i].running)
			return true;
	return false;
}

static void jobs_wait(struct driver *d, struct job *jobs, size_t n)
{
	while (jobs_run(jobs, n)) {
		jobs_reap(d, jobs, n);
		usleep(500);
	}
}

/* ---- cycles ---- */

static unsigned count_folders(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	while (dir && (e = readdir(dir))) {
		char below[4096];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		n += 1 + count_folders(below);
	}
	if (dir)
		closedir(dir);
	return n;
}

/*
 * Cgroups that the kernel still has although their folders are gone: /proc/cgroups counts both.  For v2 the kernel says it
 * itself (nr_dying_descendants).
 */
static long count_dying(void)
{
	static const char *const controllers[] = {"memory", "pids",    "devices", "blkio",
						  "cpu",    "cpuacct", "freezer", "cpuset"};
	static const char *const stats[] = {"/sys/fs/cgroup/cgroup.stat", "/sys/fs/cgroup/unified/cgroup.stat"};
	char *all = read_file("/proc/cgroups");
	long sum = 0;

	for (size_t i = 0; i < COUNT(controllers); i++) {
		char path[64], line[64], *at;
		long number;

		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", controllers[i]);
		snprintf(line, sizeof(line), "\n%s\t", controllers[i]);
		at = all ? strstr(all, line) : NULL;
		if (access(path, F_OK) == 0 && at && sscanf(at + strlen(line), "%*d %ld", &number) == 1) {
			number -= 1 + count_folders(path);
			sum += number > 0 ? number : 0; /* less: others remove theirs while we count */
		}
	}
	free(all);
	for (size_t i = 0; i < COUNT(stats); i++) {
		char *text = read_file(stats[i]), *at = text ? strstr(text, "nr_dying_descendants ") : NULL;

		sum += at ? atol(at + 21) : 0;
		free(text);
	}
	return sum;
}

static unsigned count_own_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* The kernel lets go of dead cgroups in its own time: the smallest count within some seconds. */
static long settle_dying(const struct driver *d, long enough)
{
	long long end = now_ms() + 20000LL * d->host.scale;
	long least = count_dying();

	while (least > enough && now_ms() < end) {
		long n;

		usleep(200000);
		n = count_dying();
		least = n < least ? n : least;
	}
	return least;
}

static void do_cycles(struct driver *d, unsigned n)
{
	long before = settle_dying(d, 0), after, allowed = 50 + n / 10;
	unsigned fds = count_own_fds(), failures = 0;
	long long start = now_ms();

	for (unsigned i = 0; i < n && failures < 5; i++) {
		int status = i % 2 ? holm_run(&d->host, "run", "--bundle", d->probe, d->host.id, NULL)
				   : holm_run(&d->host, "run", "--detach", "--bundle", d->service, d->host.id, NULL);
		char *text;

		if (!status && !(i % 2))
			status = holm_run(&d->host, "delete", "--force", d->host.id, NULL);
		if (!status)
			continue;
		text = read_fd(d->host.err);
		found(d, "cycle %u: %s", i, text);
		free(text);
		failures++;
	}
	after = settle_dying(d, before + allowed);
	if (after > before + allowed)
		found(d, "%ld cgroups are dying, %ld before", after, before);
	if (count_own_fds() != fds)
		found(d, "%u descriptors are open, %u before", count_own_fds(), fds);
	printf("%u cycles, %lld us each, %ld dying cgroups before and %ld after", n,
	       (now_ms() - start) * 1000 / (n ? n : 1), before, after);
}

/* ---- many, and many of the same ---- */

static struct job jobs[MAX_JOBS];
static char ids[MAX_JOBS][128];

/* The last line of a failing command, which has to be its only one. */
static void check_error(struct driver *d, const struct job *j, const char *text)
{
	if (WIFSIGNALED(j->status))
		found(d, "'%s' died of signal %d", j->what, WTERMSIG(j->status));
	else if (j->status && (count_lines(text) != 1 || !strstr(text, "level=error")))
		found(d, "'%s' exits with %d and says: %s", j->what, WEXITSTATUS(j->status), *text ? text : "nothing");
	else if (strstr(text, "bug:"))
		found(d, "'%s' thinks of a bug: %s", j->what, text);
}

static void do_many(struct driver *d, unsigned n)
{
	long long start = now_ms();
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%s.%u", d->host.id, i);
		job_start(d, &jobs[i], (const char *const[]){"run", "--bundle", d->probe, ids[i], NULL});
	}
	jobs_wait(d, jobs, n);
	for (unsigned i = 0; i < n; i++) {
		char *text = job_error(&jobs[i]);

		check_error(d, &jobs[i], text);
		if (jobs[i].status && failed++ < 5)
			found(d, "'%s' fails: %s", jobs[i].what, text);
		free(text);
	}
	printf("%u at once in %lld ms, %u failed", n, now_ms() - start, failed);
}

static void do_same(struct driver *d, unsigned n)
{
	unsigned won = 0;

	for (unsigned i = 0; i < n; i++)
		job_start(d, &jobs[i], (const char *const[]){"create", "--bundle", d->service, d->host.id, NULL});
	jobs_wait(d, jobs, n);
	for (unsigned i = 0; i < n; i++) {
		char *text = job_error(&jobs[i]);

		won += !jobs[i].status;
		check_error(d, &jobs[i], text);
		if (jobs[i].status && !strstr(text, "exists already"))
			found(d, "'%s' says: %s", jobs[i].what, text);
		free(text);
	}
	if (won != 1)
		found(d, "%u of %u creates with one id succeed", won, n);
	/* All at once again: one start, then one delete. */
	for (int step = 0; step < 2; step++) {
		static const char *const verbs[][2] = {{"start", NULL}, {"delete", "--force"}};

		won = 0;
		for (unsigned i = 0; i < n; i++)
			job_start(d, &jobs[i],
				  (const char *const[]){verbs[step][0], step ? verbs[step][1] : d->host.id,
							step ? d->host.id : NULL, NULL});
		jobs_wait(d, jobs, n);
		for (unsigned i = 0; i < n; i++) {
			char *text = job_error(&jobs[i]);

			won += !jobs[i].status;
			check_error(d, &jobs[i], text);
			if (jobs[i].status && !strstr(text, "already running"))
				found(d, "'%s' says: %s", jobs[i].what, text);
			free(text);
		}
		if (won != (step ? n : 1))
			found(d, "%u of %u times '%s' succeeds", won, n, verbs[step][0]);
	}
	printf("%u at once on one id", n);
}

/* ---- everything at once ---- */

/* What may be wrong when others are at work on the same id: these words and no others. */
static const char *const expected_errors[] = {
    "exists already",	"does not exist",    "not running",	   "already running",
    "is not stopped",	"has stopped",	     "being created",	   "another holm is at work",
    "already finished", "stopped container", "init was killed by", "init ended without",
    "paused",		"not paused",	     "broken record",	   "was deleted while",
};

static void check_mixed(struct driver *d, struct job *j, unsigned *ret_good)
{
	char *text = job_error(j);
	bool known = false;

	/* 128 and more: what a payload was killed by. */
	if (!WIFEXITED(j->status) || WEXITSTATUS(j->status) < 128)
		check_error(d, j, text);
	*ret_good += !j->status;
	for (size_t i = 0; i < COUNT(expected_errors); i++)
		known |= strstr(text, expected_errors[i]) != NULL;
	if (WIFEXITED(j->status) && WEXITSTATUS(j->status) == 1 && !known && count_lines(text) == 1)
		found(d, "'%s' says: %s", j->what, text);
	free(text);
}

static void do_mixed(struct driver *d, unsigned seconds)
{
	enum { AT_ONCE = 12 };
	const char *verbs[][6] = {
	    {"create", "--bundle", d->service},
	    {"create", "--bundle", d->service},
	    {"run", "--detach", "--bundle", d->service},
	    {"run", "--bundle", d->probe},
	    {"start"},
	    {"start"},
	    {"kill", "I", "KILL"},
	    {"delete"},
	    {"delete", "--force"},
	    {"delete", "--force"},
	    {"state"},
	    {"list"},
	    {"exec", "I", "true"},
	    {"pause"},
	    {"resume"},
	};
	long long end = now_ms() + seconds * 1000LL;
	unsigned long long random = 88172645463325252ULL;
	unsigned done = 0, good = 0;

	for (int i = 0; i < 2; i++)
		snprintf(ids[i], sizeof(ids[i]), "%s.%d", d->host.id, i);
	while (now_ms() < end && d->findings < 20) {
		for (size_t i = 0; i < AT_ONCE; i++) {
			const char *argv[8] = {NULL};
			const char **verb;
			bool has_id = false;
			size_t n = 0;

			if (jobs[i].running)
				continue;
			if (jobs[i].pid)
				check_mixed(d, &jobs[i], &good);
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			verb = verbs[random % COUNT(verbs)];
			for (; verb[n]; n++) {
				bool is_id = !strcmp(verb[n], "I");

				argv[n] = is_id ? ids[random >> 40 & 1] : verb[n];
				has_id |= is_id;
			}
			if (!has_id && strcmp(verb[0], "list"))
				argv[n] = ids[random >> 40 & 1];
			job_start(d, &jobs[i], argv);
			done++;
		}
		jobs_reap(d, jobs, AT_ONCE);
		usleep(200);
	}
	/* A run in the foreground ends when its container does, so these go first. */
	for (size_t i = 0; i < 2; i++)
		job_start(d, &jobs[AT_ONCE + i], (const char *const[]){"delete", "--force", ids[i], NULL});
	jobs_wait(d, jobs, AT_ONCE + 2);
	for (size_t i = 0; i < AT_ONCE + 2; i++)
		check_mixed(d, &jobs[i], &good);
	for (int i = 0; i < 2; i++)
		if (holm_run(&d->host, "delete", "--force", ids[i], NULL)) {
			char *text = read_fd(d->host.err);

			found(d, "delete --force fails: %s", text);
			free(text);
		}
	printf("%u commands, %u succeeded", done, good);
}

/* ---- all of it ---- */

static const struct {
	const char *name;
	void (*run)(struct driver *d, unsigned n);
} modes[] = {{"cycles", do_cycles}, {"many", do_many}, {"same", do_same}, {"mixed", do_mixed}};

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    HOST_OPTIONS,
	    {"probe", 1, NULL, 'p'},
	    {"service", 1, NULL, 'S'},
	    {0},
	};
	struct driver d = {0};
	unsigned n;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'p':
			d.probe = optarg;
			break;
		case 'S':
			d.service = optarg;
			break;
		default:
			if (host_take_option(&d.host, c, optarg))
				break;
			return 2;
		}
	n = argc - optind == 2 ? (unsigned)atoi(argv[optind + 1]) : 0;
	if (!n || !d.host.holm || !d.host.state || !d.host.work || !d.host.id || !d.probe || !d.service) {
		fprintf(stderr,
			"usage: storm cycles|many|same|mixed N --holm FILE --state FOLDER --work FOLDER --id ID "
			"--probe BUNDLE --service BUNDLE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	host_init(&d.host);
	holm_run(&d.host, "run", "--bundle", d.probe, d.host.id, NULL); /* folders and caches that stay */
	for (int i = 0; i < 250; i++) {
		free((char *)d.before);
		d.before = picture_take(&d.host);
		if (!strstr(d.before, "key: "))
			break;
		usleep(20000);
	}
	for (size_t i = 0; i < COUNT(modes); i++)
		if (!strcmp(modes[i].name, argv[optind])) {
			if (!strcmp(argv[optind], "many") || !strcmp(argv[optind], "same"))
				n = n < MAX_JOBS ? n : MAX_JOBS;
			modes[i].run(&d, n);
			printf(", %u findings\n", d.findings);
			compare(&d, "left behind");
			return d.findings ? 1 : 0;
		}
	fprintf(stderr, "storm: no '%s'\n", argv[optind]);
	return 2;
}
