/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library of cgroups/ on this host's real hierarchies: every case makes cgroups of its own, puts a process in as a start
 * does, and looks from outside what the kernel holds.  Prints TAP.  tests/integration/cgroups.sh runs it (root).
 *
 *   cgroups lib PREFIX       the direct driver
 *   cgroups bare PREFIX      the same where cgroup2 is mounted without any controller
 *   cgroups systemd PREFIX   the systemd driver
 *   cgroups cost             system calls' worth: microseconds of plan, create, enter and destroy, the best of many
 *   cgroups check            the rows of `holm check`
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "cgroups/cgroup.h"
#include "cgroups/check.h"
#include "cgroups/devices.h"
#include "cgroups/events.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/path.h"
#include "cgroups/stats.h"
#include "cgroups/systemd.h"

#define N(v)                                                                                                           \
	{                                                                                                              \
		true, (v)                                                                                              \
	}
#define MIB (INT64_C(1) << 20)
#define RWM (SPEC_DEVICE_MKNOD | SPEC_DEVICE_READ | SPEC_DEVICE_WRITE)

static const char *prefix;
static int n_results, n_failed;
static struct spec_device_rule deny_all = {false, 'a', -1, -1, RWM};

static void printf_like(2, 3) result(bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("%sok %d - ", good ? "" : "not ", ++n_results);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	n_failed += !good;
	fflush(stdout);
}

static void printf_like(1, 2) note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("#   ");
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

static void skip(const char *name, const char *reason)
{
	printf("ok %d - %s # SKIP %s\n", ++n_results, name, reason);
}

/* r of a function that must succeed. */
static bool went(int r, const struct error *e, const char *name)
{
	char text[ERROR_TEXT_SIZE + 100];

	if (r < 0) {
		result(false, "%s", name);
		note("%s", error_format(e, text, sizeof(text)));
	}
	return r >= 0;
}

static void refused(int r, const struct error *e, enum error_kind kind, const char *part, const char *name)
{
	char text[ERROR_TEXT_SIZE + 100];
	bool good = r < 0 && (int)e->kind == (int)kind && strstr(error_format(e, text, sizeof(text)), part);

	result(good, "%s", name);
	if (!good)
		note("%s", r < 0 ? error_format(e, text, sizeof(text)) : "no error");
}

/* ---- one container without the container ---- */

struct box {
	struct arena arena;
	struct cgroup_host *host;
	struct cgroup_request request;
	struct cgroup_plan plan;
	struct cgroup_entry entry;
	struct error e;
	pid_t pid;
	int control; /* the payload waits at the other end, and answers one byte */
};

static struct box make_box(const char *name, const struct spec_resources *resources)
{
	struct box b = {.control = -1, .entry = CGROUP_ENTRY_INIT};

	b.request.id = arena_format(&b.arena, "%s-%s", prefix, name);
	b.request.resources = resources;
	b.request.rootless = geteuid() != 0;
	return b;
}

static int create_box(struct box *b)
{
	int r = b->host ? 0 : cgroup_host_find(&b->arena, &b->host, &b->e);

	if (!r)
		r = cgroup_plan(b->host, &b->request, &b->arena, &b->plan, &b->e);
	return r < 0 ? r : cgroup_create(b->host, &b->plan, &b->entry, &b->e);
}

/* A payload does what a byte tells it and answers with one byte. */
static _Noreturn void burn(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

static char allocate(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 'n';
	memset(p, 1, size);
	return 'y';
}

static char fork_many(int n)
{
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 'n';
		if (!pid) {
			pause();
			_exit(0);
		}
	}
	return 'y';
}

/* Three who want the same CPU: two always wait. */
static char crowd(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return 'n';
	for (int i = 0; i < 3; i++)
		if (!fork())
			burn();
	return 'y';
}

static char open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK);
	char answer = fd >= 0 ? 'y' : errno == EPERM ? 'n' : '?';

	fd_close(fd);
	return answer;
}

static _Noreturn void payload(int control, const char *devices)
{
	char what, answer;

	while (read(control, &what, 1) == 1) {
		char path[200];

		switch (what) {
		case 'm':
			answer = allocate(256 * MIB);
			break;
		case 's':
			answer = allocate(4 * MIB);
			break;
		case 'f':
			answer = fork_many(1000);
			break;
		case '1':
			answer = fork_many(1);
			break;
		case 'b':
			burn();
			break;
		case 'p':
			answer = crowd();
			break;
		case 'N':
			answer = open_device("/dev/null");
			break;
		case 'K':
			snprintf(path, sizeof(path), "/var/tmp/%s-device", devices);
			answer = open_device(path);
			break;
		default:
			answer = 'y';
		}
		if (write(control, &answer, 1) != 1)
			break;
	}
	_exit(0);
}

/* As a start does: the v2 folder by clone3, the v1 ones by the process itself. */
static void start_in(struct box *b, const struct cgroup_entry *entry)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	if (entry->into_fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = entry->into_fd;
	}
	b->pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!b->pid) {
		for (size_t i = 0; i < entry->n_joins; i++)
			if (write(entry->join_fds[i], "0", 1) != 1)
				_exit(1);
		fd_close(pair[0]);
		payload(pair[1], prefix);
	}
	fd_close(pair[1]);
	b->control = pair[0];
}

static char tell(struct box *b, char what)
{
	char answer = 0;

	if (write(b->control, &what, 1) != 1 || read(b->control, &answer, 1) != 1)
		return 0; /* dead */
	return answer;
}

static bool start_box(struct box *b, const char *name)
{
	if (!went(create_box(b), &b->e, name))
		return false;
	start_in(b, &b->entry);
	if (b->pid < 0 || tell(b, 'x') != 'y') {
		result(false, "%s: the process gets in", name);
		return false;
	}
	return true;
}

/* Ends what runs and removes it; b stays usable for looking. */
static void stop_box(struct box *b, const char *name)
{
	struct error e = ERROR_INIT;

	went(cgroup_kill(&b->plan.cgroup, &e), &e, name);
	if (b->pid > 0 && !b->plan.cgroup.n_paths)
		kill(b->pid, SIGKILL);
	if (b->pid > 0)
		waitpid(b->pid, NULL, 0);
	fd_close(b->control);
	cgroup_entry_release(&b->entry);
	went(cgroup_destroy(&b->plan.cgroup, &e), &e, name);
	for (size_t i = 0; i < b->plan.cgroup.n_paths; i++)
		if (!access(b->plan.cgroup.paths[i].path, F_OK))
			result(false, "%s: '%s' is gone", name, b->plan.cgroup.paths[i].path);
}

static void end_box(struct box *b, const char *name)
{
	stop_box(b, name);
	arena_release(&b->arena);
}

/* The file of the dialect that the controller speaks here. */
static const char *value_of(struct box *b, enum cgroup_controller controller, const char *v1, const char *v2)
{
	const char *folder1 = cgroup_find_v1(&b->plan.cgroup, controller),
		   *folder = folder1 ? folder1 : cgroup_find_v2(&b->plan.cgroup);
	char text[CGROUP_FILE_SIZE];

	if (!folder || cgroup_file_read(folder, folder1 ? v1 : v2, text, sizeof(text)) < 0)
		return "(none)";
	return arena_strdup(&b->arena, text);
}

static void value_is(struct box *b, enum cgroup_controller controller, const char *v1, const char *v2,
		     const char *expected1, const char *expected2)
{
	bool is_v1 = cgroup_find_v1(&b->plan.cgroup, controller);
	const char *got = value_of(b, controller, v1, v2), *expected = is_v1 ? expected1 : expected2;

	result(str_equal(got, expected), "%s is %s", is_v1 ? v1 : v2, expected);
	if (!str_equal(got, expected))
		note("got: %s", got);
}

static bool has_controller(struct box *b, enum cgroup_controller controller)
{
	char text[CGROUP_FILE_SIZE];

	if (!b->host && cgroup_host_find(&b->arena, &b->host, &b->e) < 0)
		return false;
	if (b->host->v1_of[controller])
		return true;
	return b->host->v2 && cgroup_file_read(b->host->v2->mount, "cgroup.controllers", text, sizeof(text)) >= 0 &&
	       cgroup_controllers_parse(text, CGROUP_V2) & (1u << controller);
}

/* ---- cases ---- */

static void test_life(void)
{
	struct spec_resources r = {
	    .devices = &deny_all,
	    .n_devices = 1,
	    .memory = {.limit = N(64 * MIB)},
	    .cpu = {.shares = N(512), .quota = N(50000), .period = N(200000)},
	    .pids.limit = N(20),
	};
	struct box b = make_box("life", &r), again;
	pid_t *pids = NULL;
	bool answer = false;
	char path[64], *text = NULL;
	size_t n = 0;

	if (!start_box(&b, "life"))
		return;
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "67108864", "67108864");
	value_is(&b, CGROUP_CPU, "cpu.shares", "cpu.weight", "512", "59");
	value_is(&b, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max", "50000", "50000 200000");
	value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "20", "20");

	snprintf(path, sizeof(path), "/proc/%d/cgroup", b.pid);
	if (file_read(AT_FDCWD, path, 65536, &text, NULL) >= 0)
		for (size_t i = 0; i < b.plan.cgroup.n_paths; i++) {
			const struct cgroup_path *p = &b.plan.cgroup.paths[i];
			char line[4096];

			for (size_t k = 0; k <= b.host->n_v1; k++) {
				const struct cgroup_hierarchy *h = k < b.host->n_v1 ? &b.host->v1[k] : b.host->v2;

				if (!h || !str_equal(h->controllers, p->controllers))
					continue;
				snprintf(line, sizeof(line), ":%s:%s\n", p->controllers, p->path + strlen(h->mount));
				result(strstr(text, line) != NULL, "the process is in '%s'", p->path);
			}
		}
	free(text);
	result(!cgroup_is_populated(&b.plan.cgroup, &answer, &b.e) && answer, "it is populated");
	result(!cgroup_pids(&b.plan.cgroup, &pids, &n, &b.e) && n == 1 && pids[0] == b.pid, "its pids are known");
	free(pids);

	again = make_box("life", &r);
	refused(create_box(&again), &again.e, ERROR_EXISTS, "is in use: processes are in it",
		"a populated cgroup is refused");
	value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "20", "20");
	result(tell(&b, 'x') == 'y', "and left alone");
	arena_release(&again.arena);
	end_box(&b, "life");
}

static void test_freeze(void)
{
	struct spec_resources r = {0};
	struct box b = make_box("freeze", &r), again;
	struct pollfd p = {.events = POLLIN};
	struct timespec start, end;
	bool answer = false;
	int status;

	if (!start_box(&b, "freeze"))
		return;
	went(cgroup_freeze(&b.plan.cgroup, true, &b.e), &b.e, "freeze");
	result(!cgroup_is_frozen(&b.plan.cgroup, &answer, &b.e) && answer, "it is frozen");
	p.fd = b.control;
	if (write(b.control, "x", 1) != 1)
		abort();
	result(poll(&p, 1, 100) == 0, "a frozen process does nothing");
	went(cgroup_freeze(&b.plan.cgroup, false, &b.e), &b.e, "thaw");
	result(!cgroup_is_frozen(&b.plan.cgroup, &answer, &b.e) && !answer, "it is thawed");
	result(poll(&p, 1, 5000) == 1 && read(b.control, &status, 1) == 1, "a thawed one goes on");

	went(cgroup_freeze(&b.plan.cgroup, true, &b.e), &b.e, "freeze again");
	clock_gettime(CLOCK_MONOTONIC, &start);
	went(cgroup_kill(&b.plan.cgroup, &b.e), &b.e, "kill what is frozen");
	clock_gettime(CLOCK_MONOTONIC, &end);
	result(waitpid(b.pid, &status, 0) == b.pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	       "a frozen process dies of SIGKILL");
	b.pid = 0;

	/* Empty, but frozen: whoever came in would hang. */
	if (cgroup_find_v2(&b.plan.cgroup)) {
		if (cgroup_file_write(cgroup_find_v2(&b.plan.cgroup), "cgroup.freeze", "1") < 0)
			abort();
		again = make_box("freeze", &r);
		refused(create_box(&again), &again.e, ERROR_EXISTS, "it is frozen", "a frozen cgroup is refused");
		arena_release(&again.arena);
	}
	end_box(&b, "freeze");
}

static void test_signal(void)
{
	struct spec_resources r = {0};
	struct box b = make_box("signal", &r);
	int status = 0;

	if (!start_box(&b, "signal"))
		return;
	went(cgroup_signal(&b.plan.cgroup, SIGUSR1, &b.e), &b.e, "signal");
	result(waitpid(b.pid, &status, 0) == b.pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1,
	       "a signal reaches the process");
	b.pid = 0;
	end_box(&b, "signal");
}

/* What was there before and is empty is taken, and every limit that is named holds, defaults too. */
static void test_existing(void)
{
	struct spec_resources tight = {.memory.limit = N(64 * MIB), .pids.limit = N(20), .cpu.quota = N(50000)};
	struct spec_resources loose = {.memory.limit = N(-1), .pids.limit = N(-1), .cpu.quota = N(-1)};
	struct box a = make_box("existing", &tight), b = make_box("existing", &loose), c = make_box("existing", &loose);

	if (!went(create_box(&a), &a.e, "existing"))
		return;
	refused(create_box(&c), &c.e, ERROR_EXISTS, "another container is being started in it",
		"nobody gets in between making and entering");
	arena_release(&c.arena);
	value_is(&a, CGROUP_PIDS, "pids.max", "pids.max", "20", "20");
	cgroup_entry_release(&a.entry);
	if (!went(create_box(&b), &b.e, "an empty cgroup is taken"))
		return;
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "9223372036854771712", "max");
	if (cgroup_find_v1(&b.plan.cgroup, CGROUP_PIDS) || !b.host->n_v1)
		value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "max", "max");
	cgroup_entry_release(&b.entry);
	went(cgroup_destroy(&a.plan.cgroup, &a.e), &a.e, "existing");
	arena_release(&a.arena);
	arena_release(&b.arena);
}

/* The last of several limits fails: nothing stays. */
static void test_undo(void)
{
	struct spec_resources r = {.memory.limit = N(64 * MIB), .cpu.cpus = "4000-4001"};
	struct box b = make_box("undo", &r);
	bool left = false;

	if (!has_controller(&b, CGROUP_CPUSET)) {
		skip("undo", "no cpuset controller");
		return;
	}
	refused(create_box(&b), &b.e, ERROR_SYSTEM, "linux.resources.cpu.cpus: write '4000-4001'",
		"impossible CPUs are refused");
	for (size_t i = 0; i < b.plan.cgroup.n_paths; i++)
		left |= !access(b.plan.cgroup.paths[i].path, F_OK);
	result(b.plan.cgroup.n_paths && !left, "and nothing is left");
	arena_release(&b.arena);
}

static void test_cpuset(void)
{
	struct spec_resources r = {.cpu = {.cpus = "0", .mems = "0"}};
	struct box b = make_box("cpuset", &r);

	if (!has_controller(&b, CGROUP_CPUSET)) {
		skip("cpuset", "no cpuset controller");
		return;
	}
	if (!start_box(&b, "cpuset"))
		return;
	value_is(&b, CGROUP_CPUSET, "cpuset.cpus", "cpuset.cpus.effective", "0", "0");
	end_box(&b, "cpuset");
}

static bool wait_event(struct cgroup_watch *w, enum cgroup_event_kind kind, int ms)
{
	int64_t end = cgroup_clock() + ms;

	while (cgroup_clock() < end) {
		struct pollfd p = {.fd = cgroup_watch_fd(w), .events = POLLIN};
		struct cgroup_event event;
		struct error e = ERROR_INIT;
		bool some = true;

		while (!cgroup_watch_read(w, &event, &some, &e) && some)
			if (event.kind == kind && event.count)
				return true;
		poll(&p, 1, 100);
	}
	return false;
}

static void check_memory(const char *name, struct spec_resources r)
{
	struct box b = make_box(name, &r);
	struct cgroup_watch *w = NULL;
	struct cgroup_end end;
	char text[200];
	int status = 0;

	if (!start_box(&b, "memory"))
		return;
	if (!cgroup_find_v1(&b.plan.cgroup, CGROUP_MEMORY)) /* swap would only make it slow */
		(void)!cgroup_file_write(cgroup_find_v2(&b.plan.cgroup), "memory.swap.max", "0");
	if (!went(cgroup_watch_open(&b.plan.cgroup, CGROUP_WATCH_ALL, 0, &w, &b.e), &b.e, "watch"))
		return;
	result(tell(&b, 'm') == 0, "allocating beyond the limit ends the process");
	waitpid(b.pid, &status, 0);
	result(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "by SIGKILL");
	b.pid = 0;
	result(wait_event(w, CGROUP_EVENT_OOM, 5000), "the watch tells of it");
	cgroup_end_read(&b.plan.cgroup, &end);
	result(end.oom_kills == 1 && end.oom_own_limit, "the end record counts the kill and knows whose limit it was");
	result(end.memory_limit == 32 * MIB, "it has the limit");
	result(!end.memory_peak || (end.memory_peak > 30 * MIB && end.memory_peak <= 32 * MIB), "it has the peak");
	result(end.cpu_total > 0, "it has the CPU time");
	result(strstr(cgroup_end_format(&end, text, sizeof(text)), "memory limit of 33554432") != NULL,
	       "it says so in words");
	end_box(&b, "memory");
	result(wait_event(w, CGROUP_EVENT_GONE, 5000), "the watch tells of the end");
	cgroup_watch_close(w);
}

static void test_memory(void)
{
	check_memory("memory", (struct spec_resources){.memory = {.limit = N(32 * MIB)}});
	check_memory("memory-and-swap", (struct spec_resources){.memory = {.limit = N(32 * MIB), .swap = N(32 * MIB)}});
}

static void test_pids(void)
{
	struct spec_resources r = {.pids.limit = N(10)};
	struct box b = make_box("pids", &r);
	struct cgroup_watch *w = NULL;
	struct cgroup_stats s;
	struct cgroup_end end;

	if (!start_box(&b, "pids"))
		return;
	went(cgroup_watch_open(&b.plan.cgroup, 1 << CGROUP_EVENT_PIDS_MAX, 0, &w, &b.e), &b.e, "watch");
	result(tell(&b, 'f') == 'n', "forking beyond the limit fails inside");
	result(!cgroup_stats_read(&b.plan.cgroup, CGROUP_STATS_ALL, &b.arena, &s, &b.e) && s.pids.current == 10 &&
		   s.pids.limit == 10,
	       "the statistics count them");
	result(wait_event(w, CGROUP_EVENT_PIDS_MAX, 5000), "the watch tells of it");
	cgroup_end_read(&b.plan.cgroup, &end);
	result(end.pids_refused > 0, "the end record counts the refusals");
	cgroup_watch_close(w);
	end_box(&b, "pids");
}

static void test_cpu(void)
{
	struct spec_resources r = {.cpu = {.quota = N(20000), .period = N(100000)}};
	struct box b = make_box("cpu", &r);
	struct cgroup_stats s, later;
	struct timespec pause = {.tv_sec = 1};
	double share;

	if (!start_box(&b, "cpu"))
		return;
	if (write(b.control, "b", 1) != 1)
		abort();
	nanosleep(&pause, NULL);
	went(cgroup_stats_read(&b.plan.cgroup, CGROUP_STATS_TABLE, &b.arena, &s, &b.e), &b.e, "stats");
	nanosleep(&pause, NULL);
	went(cgroup_stats_read(&b.plan.cgroup, CGROUP_STATS_TABLE, &b.arena, &later, &b.e), &b.e, "stats");
	share = (double)(later.cpu.total - s.cpu.total) / 1e9;
	result(share > 0.05 && share < 0.35, "a fifth of a CPU is what it gets (%.2f)", share);
	result(later.cpu.throttled_periods > 0 && later.cpu.throttled_time > 0, "throttling is counted");
	result(later.cpu.quota == 20000 && later.cpu.period == 100000, "and the limit known");
	end_box(&b, "cpu");
}

static void test_devices(void)
{
	struct spec_device_rule with_kmsg[] = {deny_all, {true, 'c', 1, 11, RWM}};
	struct spec_resources r = {.devices = &deny_all, .n_devices = 1}, more = {.devices = with_kmsg, .n_devices = 2};
	struct box b = make_box("devices", &r);
	char path[200];
	size_t n = 0;
	bool v2;

	snprintf(path, sizeof(path), "/var/tmp/%s-device", prefix);
	unlink(path);
	if (mknod(path, S_IFCHR | 0600, makedev(1, 11)) < 0 || open_device(path) != 'y') {
		unlink(path);
		skip("devices", "device nodes can't be opened here");
		return;
	}
	if (!start_box(&b, "devices")) {
		unlink(path);
		return;
	}
	v2 = !b.host->v1_of[CGROUP_DEVICES_CONTROLLER];
	result(tell(&b, 'N') == 'y', "/dev/null is allowed");
	result(tell(&b, 'K') == 'n', "another device is not");
	went(cgroup_update_devices(b.host, &b.plan.cgroup, &more, &b.e), &b.e, "more devices");
	result(tell(&b, 'K') == 'y', "until it is added while running");
	result(tell(&b, 'N') == 'y', "/dev/null stays allowed");
	went(cgroup_update_devices(b.host, &b.plan.cgroup, &more, &b.e), &b.e, "the same again");
	went(cgroup_update_devices(b.host, &b.plan.cgroup, &r, &b.e), &b.e, "fewer devices");
	result(tell(&b, 'K') == 'n', "and taken away again");
	result(tell(&b, 'N') == 'y', "/dev/null stays allowed");
	if (v2)
		result(!devices_v2_count(cgroup_find_v2(&b.plan.cgroup), &n) && n == 1, "there is one program");
	end_box(&b, "devices");
	unlink(path);
}

static void test_update(void)
{
	struct spec_resources r = {
	    .memory = {.limit = N(64 * MIB), .swap = N(64 * MIB)}, .pids.limit = N(20), .cpu.quota = N(50000)};
	struct spec_resources grow = {.memory = {.limit = N(256 * MIB), .swap = N(256 * MIB)}};
	struct spec_resources shrink = {.memory = {.limit = N(48 * MIB), .swap = N(48 * MIB)}};
	struct spec_resources lift = {.memory = {.limit = N(-1)}};
	struct spec_resources period = {.cpu.period = N(50000)};
	struct spec_resources bad = {.pids.limit = N(33), .cpu = {.shares = N(333), .cpus = "4000"}};
	struct spec_resources below = {.memory = {.limit = N(MIB), .check_before_update = {true, true}}};
	struct box b = make_box("update", &r);
	bool swap = access("/proc/swaps", F_OK) == 0;
	struct cgroup more;

	if (!start_box(&b, "update"))
		return;
	went(cgroup_update(b.host, &b.plan.cgroup, &grow, NULL, &b.e), &b.e, "memory and swap grow together");
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "268435456", "268435456");
	if (swap)
		value_is(&b, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", "268435456", "0");
	value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "20", "20");
	went(cgroup_update(b.host, &b.plan.cgroup, &shrink, NULL, &b.e), &b.e, "and shrink together");
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "50331648", "50331648");
	went(cgroup_update(b.host, &b.plan.cgroup, &period, NULL, &b.e), &b.e, "the period alone");
	value_is(&b, CGROUP_CPU, "cpu.cfs_period_us", "cpu.max", "50000", "50000 50000");
	result(tell(&b, 's') == 'y', "memory in use");
	refused(cgroup_update(b.host, &b.plan.cgroup, &below, NULL, &b.e), &b.e, ERROR_LIMIT, "bytes in use",
		"checkBeforeUpdate refuses a limit below the usage");
	if (has_controller(&b, CGROUP_CPUSET)) {
		went(cgroup_extend(b.host, &b.plan.cgroup, &bad, &b.arena, &more, &b.e), &b.e, "extend");
		refused(cgroup_update(b.host, &more, &bad, NULL, &b.e), &b.e, ERROR_SYSTEM, "cpu.cpus",
			"an update that fails in the end");
		value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "20", "20");
		value_is(&b, CGROUP_CPU, "cpu.shares", "cpu.weight", "1024", "100");
		b.plan.cgroup = more; /* the folder for cpuset goes with the rest */
	}
	went(cgroup_update(b.host, &b.plan.cgroup, &lift, NULL, &b.e), &b.e, "the memory limit is lifted");
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "9223372036854771712", "max");
	end_box(&b, "update");
}

/* A limit of a controller that the container had no folder for. */
static void test_extend(void)
{
	struct spec_resources none = {0}, r = {.cpu = {.quota = N(20000)}, .pids.limit = N(7)};
	struct box b = make_box("extend", &none);
	char *text = NULL, path[64];
	struct cgroup more;

	if (!start_box(&b, "extend"))
		return;
	result(tell(&b, '1') == 'y', "a second process");
	went(cgroup_extend(b.host, &b.plan.cgroup, &r, &b.arena, &more, &b.e), &b.e, "extend");
	went(cgroup_update(b.host, &more, &r, NULL, &b.e), &b.e, "update with new hierarchies");
	b.plan.cgroup = more;
	value_is(&b, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max", "20000", "20000 100000");
	value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "7", "7");
	value_is(&b, CGROUP_PIDS, "pids.current", "pids.current", "2", "2");
	snprintf(path, sizeof(path), "/proc/%d/cgroup", b.pid);
	result(file_read(AT_FDCWD, path, 65536, &text, NULL) >= 0 && strstr(text, b.request.id),
	       "its process was moved");
	free(text);
	end_box(&b, "extend");
}

/* Folders above have nothing to give at first. */
static void test_realtime(void)
{
	struct spec_resources r = {.cpu = {.realtime_period = N(1000000), .realtime_runtime = N(20000)}},
			      more = {.cpu.realtime_runtime = N(30000)}, too_much = {.cpu.realtime_runtime = N(999000)};
	struct box a = make_box("realtime", &r), b = make_box("realtime2", &r);
	struct cgroup_host *host;

	a.request.cgroups_path = arena_format(&a.arena, "/%s/realtime", prefix);
	b.request.cgroups_path = arena_format(&b.arena, "/%s/realtime2", prefix);
	if (cgroup_host_find(&a.arena, &host, &a.e) < 0 || !host->v1_of[CGROUP_CPU] ||
	    access(arena_format(&a.arena, "%s/cpu.rt_runtime_us", host->v1_of[CGROUP_CPU]->mount), F_OK)) {
		refused(create_box(&a), &a.e, ERROR_UNSUPPORTED, "realtimePeriod", "realtime limits are refused on v2");
		arena_release(&a.arena);
		return;
	}
	if (!start_box(&a, "realtime") || !start_box(&b, "realtime, another"))
		return;
	value_is(&a, CGROUP_CPU, "cpu.rt_runtime_us", "", "20000", "");
	value_is(&b, CGROUP_CPU, "cpu.rt_runtime_us", "", "20000", "");
	went(cgroup_update(a.host, &a.plan.cgroup, &more, NULL, &a.e), &a.e, "more realtime");
	value_is(&a, CGROUP_CPU, "cpu.rt_runtime_us", "", "30000", "");
	refused(cgroup_update(a.host, &a.plan.cgroup, &too_much, NULL, &a.e), &a.e, ERROR_SYSTEM, "cpu.realtimeRuntime",
		"more than the host has is refused");
	end_box(&a, "realtime");
	end_box(&b, "realtime");
}

/* The payload's own folders go too, and what hides in them is killed. */
static void test_nested(void)
{
	struct spec_resources r = {0};
	struct box b = make_box("nested", &r);
	struct cgroup_entry sub = CGROUP_ENTRY_INIT;
	const char *bad[] = {"../other"}, *unknown[] = {"nonsense:x"}, *good[] = {"in/side"};
	const char *v2;
	char text[16];

	if (!start_box(&b, "nested"))
		return;
	v2 = cgroup_find_v2(&b.plan.cgroup);
	refused(cgroup_enter_subs(&b.plan.cgroup, bad, 1, &sub, &b.e), &b.e, ERROR_USAGE, "bad sub cgroup path",
		"no way out by a sub cgroup");
	refused(cgroup_enter_subs(&b.plan.cgroup, unknown, 1, &sub, &b.e), &b.e, ERROR_USAGE,
		"unknown controller 'nonsense'", "no unknown controller");
	if (v2) {
		const char *path = arena_format(&b.arena, "%s/in", v2),
			   *side = arena_format(&b.arena, "%s/in/side", v2);

		if (mkdir(path, 0755) < 0 || mkdir(side, 0755) < 0)
			abort();
		went(cgroup_enter_subs(&b.plan.cgroup, good, 1, &sub, &b.e), &b.e, "enter a sub cgroup");
		cgroup_entry_release(&sub);
		snprintf(text, sizeof(text), "%d", b.pid);
		if (cgroup_file_write(side, "cgroup.procs", text) < 0)
			abort();
	} else {
		if (mkdir(arena_format(&b.arena, "%s/in", b.plan.cgroup.paths[0].path), 0755) < 0)
			abort();
	}
	end_box(&b, "nested");
	result(true, "folders of the payload are removed");
}

static void test_stats(void)
{
	struct spec_resources r = {.memory.limit = N(64 * MIB)};
	struct box b = make_box("stats", &r);
	struct cgroup_stats s;

	if (!start_box(&b, "stats"))
		return;
	result(tell(&b, 's') == 'y', "memory in use");
	went(cgroup_stats_read(&b.plan.cgroup, CGROUP_STATS_ALL, &b.arena, &s, &b.e), &b.e, "stats");
	result(s.memory.usage.present && s.memory.usage.usage >= (uint64_t)(4 * MIB) &&
		   s.memory.usage.limit == (uint64_t)(64 * MIB),
	       "memory");
	result(s.memory.n_raw > 10, "memory.stat");
	result(s.cpu.total > 0 && s.cpu.quota == CGROUP_UNLIMITED, "cpu");
	result(s.pids.current == 1, "pids");
	if (!cgroup_find_v2(&b.plan.cgroup))
		skip("pressure", "no cgroup v2");
	else if (access("/proc/pressure/memory", F_OK))
		skip("pressure", "the kernel runs without PSI");
	else
		result(s.cpu.pressure.present && s.memory.pressure.present && s.io.pressure.present, "pressure");
	stop_box(&b, "stats");
	went(cgroup_stats_read(&b.plan.cgroup, CGROUP_STATS_ALL, &b.arena, &s, &b.e), &b.e, "stats of what is gone");
	result(s.cpu.total == 0 && s.memory.usage.usage == 0, "are zeros");
	arena_release(&b.arena);
}

static void test_unified(void)
{
	struct spec_unified high = {"memory.high", "16777216"}, group = {"memory.oom.group", "1"},
			    partition = {"cpuset.cpus.partition", "root"};
	struct spec_unified two[] = {high, group};
	struct spec_resources r = {.unified = two, .n_unified = 2},
			      invalid = {.cpu.cpus = "0", .unified = &partition, .n_unified = 1};
	struct box b = make_box("unified", &r), c = make_box("partition", &invalid);

	if (has_controller(&b, CGROUP_MEMORY) && b.host->v1_of[CGROUP_MEMORY]) {
		refused(create_box(&b), &b.e, ERROR_UNSUPPORTED,
			b.host->v2 ? "controller 'memory' is bound to cgroup v1" : "this host has no cgroup v2",
			"unified for a v1 controller is refused");
		arena_release(&b.arena);
		arena_release(&c.arena);
		return;
	}
	if (!start_box(&b, "unified"))
		return;
	value_is(&b, CGROUP_MEMORY, "", "memory.high", "", "16777216");
	value_is(&b, CGROUP_MEMORY, "", "memory.oom.group", "", "1");
	end_box(&b, "unified");
	/*
	 * Below a parent that is no partition root none can be one; the kernel takes the word and says so only when read.
	 * The path counts from the root, where an ordinary user may make nothing.
	 */
	c.request.cgroups_path = arena_format(&c.arena, "/%s/partition", prefix);
	if (!geteuid())
		refused(create_box(&c), &c.e, ERROR_UNSUPPORTED, "invalid",
			"an invalid partition is refused with the kernel's reason");
	arena_release(&c.arena);
}

static void test_delegation(void)
{
	struct spec_resources r = {0};
	struct box b = make_box("delegate", &r);
	struct stat s;
	const char *v2;

	if (geteuid()) {
		skip("delegation", "needs root");
		return;
	}
	b.request.delegate = true;
	b.request.delegate_uid = 12345;
	if (!start_box(&b, "delegate"))
		return;
	v2 = cgroup_find_v2(&b.plan.cgroup);
	if (v2) {
		result(!stat(v2, &s) && s.st_uid == 12345, "the folder is given away");
		result(!stat(arena_format(&b.arena, "%s/cgroup.procs", v2), &s) && s.st_uid == 12345,
		       "and its cgroup.procs");
		result(!stat(arena_format(&b.arena, "%s/cgroup.max.depth", v2), &s) && s.st_uid == 0,
		       "its limits are not");
	}
	end_box(&b, "delegate");
}

static void test_pressure(void)
{
	struct spec_resources r = {0};
	struct box b = make_box("pressure", &r);
	struct cgroup_watch *w = NULL;

	if (access("/proc/pressure/cpu", F_OK)) {
		skip("pressure events", "the kernel runs without PSI");
		return;
	}
	if (!start_box(&b, "pressure"))
		return;
	if (!cgroup_find_v2(&b.plan.cgroup)) {
		skip("pressure events", "no cgroup v2");
		end_box(&b, "pressure");
		return;
	}
	went(cgroup_watch_open(&b.plan.cgroup, 1 << CGROUP_EVENT_PRESSURE_CPU | 1 << CGROUP_EVENT_EMPTY, 100000, &w,
			       &b.e),
	     &b.e, "watch pressure");
	result(tell(&b, 'p') == 'y', "processes that want the same CPU");
	result(wait_event(w, CGROUP_EVENT_PRESSURE_CPU, 30000), "their pressure is told");
	went(cgroup_signal(&b.plan.cgroup, SIGKILL, &b.e), &b.e, "kill");
	result(wait_event(w, CGROUP_EVENT_EMPTY, 10000), "the last process' end is told");
	cgroup_watch_close(w);
	end_box(&b, "pressure");
}

static void test_all_hierarchies(void)
{
	struct spec_resources r = {0};
	struct box b = make_box("all", &r);

	b.request.all_hierarchies = true;
	b.request.cgroups_path = arena_format(&b.arena, "/%s/all", prefix);
	if (!start_box(&b, "all hierarchies"))
		return;
	if (geteuid())
		result(!b.plan.cgroup.n_paths, "what can't be made and no limit needs is left out");
	else
		result(b.plan.cgroup.n_paths == b.host->n_v1 + (b.host->v2 != NULL), "a folder in every hierarchy");
	end_box(&b, "all hierarchies");
}

/* Without the controller a limit is refused, naming both; what asks for nothing more than the default is not. */
static void test_refusals(void)
{
	struct spec_resources memory = {.memory.limit = N(64 * MIB)}, pids = {.pids.limit = N(5)},
			      defaults = {.memory.limit = N(-1), .pids.limit = N(-1), .cpu.shares = N(1024)};
	struct box a = make_box("refused", &memory), b = make_box("refused", &pids),
		   c = make_box("defaults", &defaults);

	refused(create_box(&a), &a.e, ERROR_UNSUPPORTED, "linux.resources.memory.limit: controller 'memory'",
		"a memory limit is refused");
	refused(create_box(&b), &b.e, ERROR_UNSUPPORTED, "linux.resources.pids.limit: controller 'pids'",
		"a pids limit is refused");
	arena_release(&a.arena);
	arena_release(&b.arena);
	if (start_box(&c, "defaults are no limits"))
		end_box(&c, "defaults are no limits");
}

/* ---- systemd ---- */

static void remove_parents(void)
{
	struct arena arena = ARENA_INIT;
	struct cgroup_host *host;
	struct error e = ERROR_INIT;

	if (cgroup_host_find(&arena, &host, &e) < 0)
		return;
	for (size_t i = 0; i <= host->n_v1; i++) {
		const struct cgroup_hierarchy *h = i < host->n_v1 ? &host->v1[i] : host->v2;

		if (h)
			rmdir(arena_format(&arena, "%s/%s", h->mount, prefix));
	}
	arena_release(&arena);
}

static void test_systemd(void)
{
	struct spec_resources r = {
	    .devices = &deny_all,
	    .n_devices = 1,
	    .memory.limit = N(64 * MIB),
	    .pids.limit = N(20),
	    .cpu = {.shares = N(512), .quota = N(50000)},
	};
	struct spec_resources more = {.memory.limit = N(128 * MIB), .pids.limit = N(40)};
	struct spec_device_rule with_kmsg[] = {deny_all, {true, 'c', 1, 11, RWM}};
	struct spec_resources device = {.devices = with_kmsg, .n_devices = 2};
	struct box b = make_box("unit", &r), again;
	size_t n = 0;
	struct cgroup_entry none = CGROUP_ENTRY_INIT;
	const char *unit;
	char command[300];

	b.request.driver = CGROUP_SYSTEMD;
	b.request.cgroups_path = arena_format(&b.arena, ":%s:unit", prefix);
	if (!went(create_box(&b), &b.e, "plan"))
		return;
	start_in(&b, &none);
	if (!went(cgroup_adopt(b.host, &b.plan, b.pid, &b.e), &b.e, "adopt"))
		return;
	result(true, "a scope is made");
	unit = b.plan.cgroup.scope;
	result(str_equal(unit, arena_format(&b.arena, "%s-unit.scope", prefix)), "its name is prefix-name.scope");
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "67108864", "67108864");
	value_is(&b, CGROUP_PIDS, "pids.max", "pids.max", "20", "20");
	value_is(&b, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max", "50000", "50000 100000");
	if (!b.request.rootless) {
		char path[200];

		snprintf(path, sizeof(path), "/var/tmp/%s-device", prefix);
		if (mknod(path, S_IFCHR | 0600, makedev(1, 11)) < 0)
			note("no device node");
		result(tell(&b, 'N') == 'y' && tell(&b, 'K') == 'n', "/dev/null is allowed, another device is not");
		snprintf(command, sizeof(command),
			 "systemctl daemon-reload && systemctl show %s -p MemoryMax -p TasksMax -p Delegate | sort | "
			 "tr '\\n' ' '",
			 unit);
		note("%s", command);
		went(cgroup_update_devices(b.host, &b.plan.cgroup, &device, &b.e), &b.e, "a device more");
		result(system(command) == 0, "systemd reloads");
		result(!devices_v2_count(cgroup_find_v2(&b.plan.cgroup), &n) && n >= 1 && tell(&b, 'K') == 'y',
		       "a device added while running stays");
		value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "67108864", "67108864");
		value_is(&b, CGROUP_CPU, "cpu.shares", "cpu.weight", "512", "59");
	}
	again = make_box("unit", &r);
	again.request = b.request;
	if (went(create_box(&again), &again.e, "plan again")) {
		start_in(&again, &none);
		refused(cgroup_adopt(again.host, &again.plan, again.pid, &again.e), &again.e, ERROR_EXISTS,
			"has a unit", "a unit of the same name is refused");
		kill(again.pid, SIGKILL);
		waitpid(again.pid, NULL, 0);
		fd_close(again.control);
	}
	result(tell(&b, 'x') == 'y', "and the first is left alone");
	went(cgroup_update(b.host, &b.plan.cgroup, &more, NULL, &b.e), &b.e, "update");
	value_is(&b, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "134217728", "134217728");
	end_box(&b, "systemd");
	snprintf(command, sizeof(command), "! systemctl %s list-units --all --plain --no-legend | grep -q %s-unit",
		 b.request.rootless ? "--user" : "", prefix);
	result(system(command) == 0, "no unit is left");
}

static void test_systemd_undo(void)
{
	struct spec_resources r = {.cpu.cpus = "4000"};
	struct box b = make_box("undo", &r);
	struct cgroup_entry none = CGROUP_ENTRY_INIT;
	char command[300];

	b.request.driver = CGROUP_SYSTEMD;
	b.request.cgroups_path = arena_format(&b.arena, ":%s:undo", prefix);
	if (!went(create_box(&b), &b.e, "plan"))
		return;
	start_in(&b, &none);
	result(cgroup_adopt(b.host, &b.plan, b.pid, &b.e) < 0, "a limit that can't be had fails");
	snprintf(command, sizeof(command), "! systemctl list-units --all --plain --no-legend | grep -q %s-undo",
		 prefix);
	result(system(command) == 0, "and leaves no unit");
	kill(b.pid, SIGKILL);
	waitpid(b.pid, NULL, 0);
	fd_close(b.control);
	arena_release(&b.arena);
}

/* ---- cost and check ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int measure(void)
{
	double best[4] = {1e9, 1e9, 1e9, 1e9};

	prefix = "cost";
	for (int i = 0; i < 50; i++) {
		struct spec_resources r = {.devices = &deny_all, .n_devices = 1};
		struct box b = make_box("run", &r);
		double t[5];
		int bad;

		t[0] = now();
		bad = cgroup_host_find(&b.arena, &b.host, &b.e);
		t[1] = now();
		bad = bad ? bad : cgroup_plan(b.host, &b.request, &b.arena, &b.plan, &b.e);
		t[2] = now();
		bad = bad ? bad : cgroup_create(b.host, &b.plan, &b.entry, &b.e);
		t[3] = now();
		bad = bad ? bad : cgroup_destroy(&b.plan.cgroup, &b.e);
		t[4] = now();
		if (bad) {
			fprintf(stderr, "%s\n", b.e.text);
			return 1;
		}
		cgroup_entry_release(&b.entry);
		for (int k = 0; k < 4; k++)
			if (t[k + 1] - t[k] < best[k])
				best[k] = t[k + 1] - t[k];
		arena_release(&b.arena);
	}
	printf("find %.0f us, plan %.0f us, create %.0f us, destroy %.0f us\n", best[0], best[1], best[2], best[3]);
	return 0;
}

static int print_check(void)
{
	struct arena arena = ARENA_INIT;
	struct cgroup_host *host;
	struct cgroup_check *rows;
	struct error e = ERROR_INIT;
	size_t n;
	int r = cgroup_host_find(&arena, &host, &e);

	if (!r)
		r = cgroup_check_read(host, geteuid() != 0, &arena, &rows, &n, &e);
	for (size_t i = 0; !r && i < n; i++)
		printf("%-3s %-28s %s\n", rows[i].can ? "yes" : "no", rows[i].what, rows[i].detail);
	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	arena_release(&arena);
	return r < 0;
}

int main(int argc, char **argv)
{
	static void (*const lib[])(void) = {
	    test_life,	  test_freeze,	   test_signal,	  test_existing,	test_undo,     test_cpuset, test_memory,
	    test_pids,	  test_cpu,	   test_devices,  test_update,		test_extend,   test_nested, test_stats,
	    test_unified, test_delegation, test_pressure, test_all_hierarchies, test_realtime,
	};
	static void (*const bare[])(void) = {
	    test_refusals, test_freeze, test_signal, test_devices, test_nested, test_delegation, test_pressure,
	};
	const char *only = argc > 3 ? argv[3] : NULL;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && str_equal(argv[1], "cost"))
		return measure();
	if (argc == 2 && str_equal(argv[1], "check"))
		return print_check();
	if (argc < 3)
		return 2;
	prefix = argv[2];
	if (str_equal(argv[1], "systemd")) {
		test_systemd();
		if (geteuid() == 0)
			test_systemd_undo();
	} else if (str_equal(argv[1], "bare")) {
		for (size_t i = 0; i < ARRAY_SIZE(bare); i++)
			bare[i]();
		remove_parents();
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(lib); i++)
			if (!only || i == (size_t)atoi(only))
				lib[i]();
		remove_parents();
	}
	printf("1..%d\n", n_results);
	return n_failed != 0;
}
