/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs: their tables, what they hand to runtime/ and what they print of its answers.  runtime/ is played by the
 * functions below: each notes what it was asked and answers as the test wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/sink.h"
#include "cmd/verbs.h"
#include "cmd/version.h"
#include "spec/json.h"
#include "spec/resources.h"

/* ---- runtime/ as the tests want it ---- */

static struct {
	char called[512]; /* "kill box 9 all" */
	const struct container_state *states;
	size_t n_states;
	const pid_t *pids;
	size_t n_pids;
	int status;
	struct spec_number memory;
	struct spec_unsigned shares;
	struct spec_number pids_limit;
	const struct cgroup_stats *stats;
	int n_reads; /* of statistics, until the container has stopped */
	const struct cgroup_event *events;
	size_t n_events;
} fake;

#define note(...) snprintf(fake.called, sizeof(fake.called), __VA_ARGS__)

const char *container_status_name(enum container_status status)
{
	return status == CONTAINER_STOPPED ? "stopped" : "running";
}

int container_create(const struct runtime *runtime, const struct container_create *r, struct error *e)
{
	(void)runtime, (void)e;
	note("create %s bundle=%s pid=%s fds=%u pivot=%d", r->id, r->bundle, r->pid_file, r->preserve_fds,
	     !r->no_pivot);
	return 0;
}

int container_run(const struct runtime *runtime, const struct container_create *r, int *ret_status, struct error *e)
{
	(void)runtime, (void)e;
	note("run %s detach=%d keep=%d subreaper=%d", r->id, r->detach, r->keep, !r->no_subreaper);
	*ret_status = fake.status;
	return 0;
}

int container_start(const struct runtime *runtime, const char *id, struct error *e)
{
	(void)runtime, (void)id;
	return error_refuse(e, ERROR_NOT_FOUND, "container does not exist");
}

int container_kill(const struct runtime *runtime, const char *id, int signal, bool all, struct error *e)
{
	(void)runtime, (void)e;
	note("kill %s %d%s", id, signal, all ? " all" : "");
	return 0;
}

int container_delete(const struct runtime *runtime, const char *id, bool force, struct error *e)
{
	(void)runtime, (void)e;
	note("delete %s%s", id, force ? " force" : "");
	return 0;
}

int container_state(const struct runtime *runtime, const char *id, struct arena *arena, struct container_state *ret,
		    struct error *e)
{
	(void)runtime, (void)id, (void)arena, (void)e;
	*ret = fake.states[0];
	return 0;
}

int container_end(const struct runtime *runtime, const char *id, struct cgroup_end *ret, struct error *e)
{
	(void)runtime, (void)id, (void)e;
	*ret =
	    (struct cgroup_end){.oom_kills = 1, .oom_own_limit = true, .memory_limit = 64 << 20, .memory_peak = 4096};
	return 0;
}

int container_each(const struct runtime *runtime, struct arena *arena,
		   void (*each)(const struct container_state *state, const char *id, const struct error *broken,
				void *data),
		   void *data, struct error *e)
{
	(void)runtime, (void)arena, (void)e;
	for (size_t i = 0; i < fake.n_states; i++)
		each(&fake.states[i], fake.states[i].id, NULL, data);
	return 0;
}

int container_exec(const struct runtime *runtime, const struct container_exec *r, int *ret_status, struct error *e)
{
	(void)runtime, (void)e;
	note("exec %s %s/%zu env=%zu gids=%zu caps=%zu file=%s user=%s tty=%d", r->id, r->n_args ? r->args[0] : "-",
	     r->n_args, r->n_env, r->n_additional_gids, r->n_capabilities, r->process_file, r->user, r->tty);
	*ret_status = fake.status;
	return 0;
}

int container_pids(const struct runtime *runtime, const char *id, pid_t **ret_pids, size_t *ret_n, struct error *e)
{
	(void)runtime, (void)id, (void)e;
	*ret_pids = malloc(fake.n_pids * sizeof(pid_t) + 1);
	if (fake.n_pids)
		memcpy(*ret_pids, fake.pids, fake.n_pids * sizeof(pid_t));
	*ret_n = fake.n_pids;
	return 0;
}

int container_pause(const struct runtime *runtime, const char *id, struct error *e)
{
	(void)runtime, (void)e;
	note("pause %s", id);
	return 0;
}

int container_resume(const struct runtime *runtime, const char *id, struct error *e)
{
	(void)runtime, (void)e;
	note("resume %s", id);
	return 0;
}

int container_mount(const struct runtime *runtime, const char *id, const struct spec_mount *mount, struct error *e)
{
	(void)runtime, (void)e;
	note("mount %s %s on %s", id, mount->source, mount->destination);
	return 0;
}

int container_unmount(const struct runtime *runtime, const char *id, const char *target, struct error *e)
{
	(void)runtime, (void)e;
	note("unmount %s %s", id, target);
	return 0;
}

int container_update(const struct runtime *runtime, const char *id, const struct container_update *update,
		     struct error *e)
{
	const struct spec_resources *resources = update->resources;

	(void)runtime, (void)e;
	note("update %s l3=%s mb=%s unified=%s:%s", id, update->l3_cache_schema, update->mem_bw_schema,
	     resources->n_unified ? resources->unified[resources->n_unified - 1].file : "-",
	     resources->n_unified ? resources->unified[resources->n_unified - 1].value : "-");
	fake.memory = resources->memory.limit;
	fake.shares = resources->cpu.shares;
	fake.pids_limit = resources->pids.limit;
	return 0;
}

int container_stats(const struct runtime *runtime, const char *id, unsigned what, struct arena *arena,
		    struct cgroup_stats *ret, struct error *e)
{
	(void)runtime, (void)what, (void)arena;
	if (!fake.n_reads)
		return error_refuse(e, ERROR_STATE, "container '%s' is not running", id);
	fake.n_reads--;
	*ret = *fake.stats;
	return 0;
}

int container_watch(const struct runtime *runtime, const char *id, unsigned kinds, unsigned pressure_us,
		    struct cgroup_watch **ret, struct error *e)
{
	(void)runtime, (void)id, (void)kinds, (void)pressure_us, (void)e;
	*ret = (struct cgroup_watch *)&fake;
	return 0;
}

int cgroup_watch_timeout(const struct cgroup_watch *watch)
{
	(void)watch;
	return -1;
}

const char *cgroup_event_name(enum cgroup_event_kind kind)
{
	(void)kind;
	return "event";
}

int cgroup_watch_fd(const struct cgroup_watch *watch)
{
	(void)watch;
	return -1; /* poll(2) ignores it: only time passes */
}

/* One event per round of statistics. */
int cgroup_watch_read(struct cgroup_watch *watch, struct cgroup_event *ret, bool *ret_some, struct error *e)
{
	(void)watch, (void)e;
	*ret_some = fake.n_events && fake.events->count;
	if (*ret_some)
		*ret = *fake.events;
	if (fake.n_events) {
		fake.events++;
		fake.n_events--;
	}
	return 0;
}

struct cgroup_watch *cgroup_watch_close(struct cgroup_watch *watch)
{
	(void)watch;
	return NULL;
}

int container_check(const struct runtime *runtime, struct arena *arena, struct cgroup_check **ret, size_t *ret_n,
		    struct error *e)
{
	(void)runtime, (void)e;
	*ret = arena_array(arena, struct cgroup_check, 2);
	(*ret)[0] = (struct cgroup_check){"memory.limit", true, "memory.max (v2)"};
	(*ret)[1] = (struct cgroup_check){"rdma", false, "no such controller"};
	*ret_n = 2;
	return 0;
}

int container_explain(const struct runtime *runtime, const struct container_create *request, struct arena *arena,
		      struct container_operation **ret, size_t *ret_n, struct error *e)
{
	(void)runtime, (void)e;
	note("explain %s bundle=%s", request->id, request->bundle);
	*ret = arena_array(arena, struct container_operation, 2);
	(*ret)[0] = (struct container_operation){"host", "make the cgroup", NULL};
	(*ret)[1] = (struct container_operation){"init", "mount proc on /proc", "mounts[0]"};
	*ret_n = 2;
	return 0;
}

/* ---- one call of a verb, its standard output caught ---- */

struct call {
	int r, status;
	struct error e;
	char *output;
};

static void release(struct call *call)
{
	free(call->output);
	*call = (struct call){0};
}

#define auto_call __attribute__((cleanup(release))) struct call

static struct call call_verb(const struct verb *verb, const char *const *words)
{
	_Alignas(16) char options[VERB_OPTIONS_SIZE] = {0};
	auto_arena arena = ARENA_INIT;
	struct invocation invocation = {.verb = verb, .arena = &arena, .runtime.root = "/nowhere"};
	struct option_result parsed;
	struct call call = {0};
	char *argv[32] = {0};
	size_t n = 0;
	int out = memfd_create("out", MFD_CLOEXEC), saved = dup(STDOUT_FILENO);

	for (; words[n]; n++)
		argv[n] = (char *)words[n];
	fake.called[0] = 0;
	fflush(stdout);
	assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	call.r = option_parse(&verb->options, verb->order, argv, n, options, &arena, &parsed, &call.e);
	if (!call.r)
		call.r = verb_check_operands(verb, parsed.n_operands, &call.e);
	if (!call.r)
		call.r = verb->run(&invocation, options, parsed.operands, parsed.n_operands, &call.e);
	call.status = invocation.status;
	assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
	close(saved);
	lseek(out, 0, SEEK_SET);
	assert_int_equal(fd_read_all(out, 1 << 20, &call.output, NULL), 0);
	close(out);
	return call;
}

#define CALL(verb, ...) call_verb(&(verb), (const char *const[]){__VA_ARGS__, NULL})
#define CALL_ALONE(verb) call_verb(&(verb), (const char *const[]){NULL})

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	return 0;
}

/* ---- tables ---- */

static void test_tables_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_verbs; i++) {
		const struct verb *verb = verbs[i];

		assert_ptr_equal(verbs_find(verb->name), verb);
		assert_non_null(verb->run);
		assert_true(verb->max == VERB_ANY_OPERANDS || verb->min <= verb->max);
		for (size_t j = 0; j < verb->options.n; j++) {
			const struct option *option = &verb->options.options[j];

			assert_true(option->offset < VERB_OPTIONS_SIZE);
			assert_true(option->type == OPTION_FLAG || option->type == OPTION_CHOICE || option->metavar);
			assert_true(!option->help || (*option->help && option->help[strlen(option->help) - 1] != '.'));
			assert_string_not_equal(option->name, "help");
			for (size_t k = 0; k < j; k++) {
				assert_string_not_equal(option->name, verb->options.options[k].name);
				assert_true(!option->letter || option->letter != verb->options.options[k].letter);
			}
		}
	}
}

static void test_unknown_verbs(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_null(verbs_find("lst"));
	assert_int_not_equal(verbs_refuse_unknown("lst", &e), 0);
	assert_string_equal(e.text, "No help topic for 'lst'; did you mean 'list'?");
	assert_int_not_equal(verbs_refuse_unknown("frobnicate", &e), 0);
	assert_string_equal(e.text, "No help topic for 'frobnicate'");
}

static void test_numbers_of_operands(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(verb_check_operands(&verb_state, 1, &e), 0);
	assert_int_equal(verb_check_operands(&verb_exec, 99, &e), 0);
	assert_int_not_equal(verb_check_operands(&verb_state, 2, &e), 0);
	assert_string_equal(e.text, "holm: \"state\" requires exactly 1 argument(s)");
	assert_int_not_equal(verb_check_operands(&verb_exec, 0, &e), 0);
	assert_string_equal(e.text, "holm: \"exec\" requires a minimum of 1 argument(s)");
	assert_int_not_equal(verb_check_operands(&verb_kill, 3, &e), 0);
	assert_string_equal(e.text, "holm: \"kill\" requires a maximum of 2 argument(s)");
}

static void test_help_of_every_verb(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_verbs; i++) {
		auto_str text = STR_INIT;

		if (!verbs[i]->summary)
			continue;
		verb_print_help(verbs[i], &text);
		assert_non_null(strstr(str_peek(&text), verbs[i]->summary));
		assert_non_null(strstr(str_peek(&text), "\nUsage: holm [GLOBAL OPTIONS] "));
		assert_non_null(strstr(str_peek(&text), "  -h, --help"));
		for (const char *line = str_peek(&text); line; line = strchr(line + 1, '\n'))
			assert_true(strcspn(line + 1, "\n") <= 120);
	}
}

static void test_completion_knows_everything(void **state)
{
	auto_call bash = CALL(verb_completion, "bash");
	auto_call dump = CALL(verb_completion, "dump");
	auto_call other = CALL(verb_completion, "csh");

	(void)state;
	assert_int_not_equal(other.r, 0);
	for (size_t i = 0; i < n_verbs; i++) {
		char line[128];

		snprintf(line, sizeof(line), "\n%s\t", verbs[i]->name);
		assert_int_equal(!strstr(dump.output, line), !verbs[i]->summary);
		snprintf(line, sizeof(line), "\t%s) options=\"", verbs[i]->name);
		assert_int_equal(!strstr(bash.output, line), !verbs[i]->summary);
	}
	assert_non_null(strstr(dump.output, "create\t--bundle\t-b\tDIR\n"));
	assert_non_null(strstr(dump.output, "-\t--log-format\t-\ttext|json\n"));
	assert_null(strstr(dump.output, "--criu"));
	assert_non_null(
	    strstr(bash.output, "\tlist:--format | list:-f) mapfile -t COMPREPLY < <(compgen -W \"table json\""));
}

static void test_version_lines(void **state)
{
	auto_str text = STR_INIT;

	(void)state;
	version_print(&text);
	assert_non_null(str_after(str_peek(&text), "holm version "));
	assert_null(strstr(str_peek(&text) + 5 + 8, "version")); /* see version.h */
	assert_non_null(strstr(str_peek(&text), "\ncommit: "));
	assert_non_null(strstr(str_peek(&text), "\nspec: 1.3.0\n"));
}

/* ---- what is asked of runtime/ ---- */

static void test_requests(void **state)
{
	static const struct {
		const struct verb *verb;
		const char *words[12], *called;
	} cases[] = {
	    {&verb_create,
	     {"-b", "B", "--pid-file=P", "--preserve-fds", "2", "box"},
	     "create box bundle=B pid=P fds=2 pivot=1"},
	    {&verb_create, {"box", "-no-pivot"}, "create box bundle=(null) pid=(null) fds=0 pivot=0"},
	    {&verb_run, {"box"}, "run box detach=0 keep=0 subreaper=1"},
	    {&verb_run, {"-no-subreaper", "-d", "--keep", "box"}, "run box detach=1 keep=1 subreaper=0"},
	    {&verb_kill, {"box"}, "kill box 15"},
	    {&verb_kill, {"--all", "box", "9"}, "kill box 9 all"},
	    {&verb_kill, {"box", "0"}, "kill box 0"},
	    {&verb_kill, {"box", "37"}, "kill box 37"},
	    {&verb_kill, {"box", "SIGHUP"}, "kill box 1"},
	    {&verb_kill, {"box", "usr1"}, "kill box 10"},
	    {&verb_kill, {"box", "sigwinch"}, "kill box 28"},
	    {&verb_delete, {"box"}, "delete box"},
	    {&verb_delete, {"box", "--force"}, "delete box force"},
	    {&verb_pause, {"box"}, "pause box"},
	    {&verb_resume, {"box"}, "resume box"},
	    {&verb_exec,
	     {"-t", "-e", "A=1", "-e", "B=2", "-u", "1:2", "box", "ls", "-t"},
	     "exec box ls/2 env=2 gids=0 caps=0 file=(null) user=1:2 tty=1"},
	    {&verb_exec,
	     {"-g", "5", "-c", "CAP_KILL", "box", "ls"},
	     "exec box ls/1 env=0 gids=1 caps=1 file=(null) user=(null) tty=0"},
	    {&verb_exec, {"-p", "F", "box", "ignored"}, "exec box -/0 env=0 gids=0 caps=0 file=F user=(null) tty=0"},
	    {&verb_explain, {"-b", "B"}, "explain ID bundle=B"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_call call = call_verb(cases[i].verb, cases[i].words);

		assert_int_equal(call.r, 0);
		assert_string_equal(fake.called, cases[i].called);
	}
}

static void test_exit_status_is_passed_on(void **state)
{
	(void)state;
	fake.status = 137;
	auto_call run = CALL(verb_run, "box");
	assert_int_equal(run.status, 137);
	auto_call exec = CALL(verb_exec, "box", "x");
	assert_int_equal(exec.status, 137);
}

static void test_signals_by_name_of_realtime(void **state)
{
	char expected[32];

	(void)state;
	auto_call first = CALL(verb_kill, "box", "RTMIN+3");
	assert_int_equal(first.status, 0);
	snprintf(expected, sizeof(expected), "kill box %d", SIGRTMIN + 3);
	assert_string_equal(fake.called, expected);
	auto_call last = CALL(verb_kill, "box", "sigrtmax");
	assert_int_equal(last.status, 0);
	snprintf(expected, sizeof(expected), "kill box %d", SIGRTMAX);
	assert_string_equal(fake.called, expected);
}

static void test_refused_signals(void **state)
{
	static const char *const words[] = {"FOO",     "65",	  "-1",	      "1:",  "0x1", "9\n",
					    "RTMIN-1", "RTMAX+1", "RTMIN+99", "SIG", "RT"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		auto_call call = CALL(verb_kill, "box", words[i]);

		assert_int_not_equal(call.r, 0);
		assert_int_equal(call.e.kind, ERROR_USAGE);
		assert_string_equal(fake.called, "");
	}
}

static void test_exec_needs_a_command(void **state)
{
	auto_call call = CALL(verb_exec, "box");

	(void)state;
	assert_int_not_equal(call.r, 0);
	assert_non_null(str_after(call.e.text, "process args cannot be empty"));
}

static void test_update(void **state)
{
	char name[] = "/tmp/holm-update-XXXXXX";
	static const char text[] = "{\"memory\": {\"limit\": 4096}}";
	int fd = mkstemp(name);

	(void)state;
	auto_call options = CALL(verb_update, "--memory", "64M", "--cpu-share=512", "box");
	assert_int_equal(options.r, 0);
	assert_int_equal(fake.memory.value, 64 << 20);
	assert_true(fake.memory.present && fake.shares.present);
	assert_int_equal(fake.shares.value, 512);
	auto_call none = CALL(verb_update, "--pids-limit=0", "box");
	assert_false(none.r || fake.pids_limit.present);
	auto_call some = CALL(verb_update, "--pids-limit=7", "box");
	assert_true(!some.r && fake.pids_limit.present && fake.pids_limit.value == 7);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	auto_call file = CALL(verb_update, "--memory=1", "-r", name, "box");
	assert_int_equal(file.r, 0);
	assert_int_equal(fake.memory.value, 4096);
	assert_false(fake.shares.present);
	unlink(name);
	auto_call missing = CALL(verb_update, "-r", name, "box");
	assert_int_equal(missing.e.code, ENOENT);
	auto_call rdt = CALL(verb_update, "--l3-cache-schema", "L3:0=f", "box");
	assert_string_equal(fake.called, "update box l3=L3:0=f mb=(null) unified=-:-");
	assert_int_equal(rdt.r, 0);
	auto_call unified = CALL(verb_update, "-u", "memory.high=1G", "--unified=io.max=8:0 wbps=max", "box");
	assert_int_equal(unified.r, 0);
	assert_string_equal(fake.called, "update box l3=(null) mb=(null) unified=io.max:8:0 wbps=max");
}

/* ---- what is printed ---- */

static const struct spec_pair annotations[] = {{"a", "1"}};
static const struct container_state two[] = {
    {.id = "box",
     .bundle = "/b",
     .rootfs = "/b/rootfs",
     .status = CONTAINER_RUNNING,
     .pid = 7,
     .created = "T",
     .owner_uid = 0,
     .annotations = (struct spec_pair *)annotations,
     .n_annotations = 1},
    {.id = "a-longer-name",
     .bundle = "/c",
     .rootfs = "/c/rootfs",
     .status = CONTAINER_STOPPED,
     .created = "T",
     .owner_uid = 4294967290u,
     .exit = 7},
};

static void test_state(void **state)
{
	(void)state;
	fake.states = two;
	auto_call call = CALL(verb_state, "box");
	assert_string_equal(call.output, "{\n"
					 "  \"ociVersion\": \"1.3.0\",\n"
					 "  \"id\": \"box\",\n"
					 "  \"pid\": 7,\n"
					 "  \"status\": \"running\",\n"
					 "  \"bundle\": \"/b\",\n"
					 "  \"rootfs\": \"/b/rootfs\",\n"
					 "  \"created\": \"T\",\n"
					 "  \"annotations\": {\n"
					 "    \"a\": \"1\"\n"
					 "  },\n"
					 "  \"owner\": \"\"\n"
					 "}");
}

static void test_state_of_a_stopped_one(void **state)
{
	(void)state;
	fake.states = two + 1;
	auto_call call = CALL(verb_state, "box");
	assert_non_null(strstr(call.output, "\"pid\": 0,"));
	assert_non_null(strstr(call.output, "\"end\": {\n    \"exitStatus\": 7,\n    \"why\": \""));
	assert_non_null(strstr(call.output, "\"memoryPeak\": 4096,"));
}

static void test_list(void **state)
{
	(void)state;
	auto_call nothing = CALL(verb_list, "-f", "json");
	assert_string_equal(nothing.output, "null\n");
	auto_call titles = CALL_ALONE(verb_list);
	assert_string_equal(titles.output, "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
	fake.states = two;
	fake.n_states = 2;
	auto_call table = CALL_ALONE(verb_list);
	assert_string_equal(table.output,
			    "ID              PID         STATUS      BUNDLE      CREATED     OWNER\n"
			    "box             7           running     /b          T           root\n"
			    "a-longer-name   0           stopped     /c          T           #4294967290\n");
	auto_call quiet = CALL(verb_list, "-q");
	assert_string_equal(quiet.output, "box\na-longer-name\n");
	auto_call json = CALL(verb_list, "--format=json");
	assert_string_equal(
	    json.output, "[{\"ociVersion\":\"1.3.0\",\"id\":\"box\",\"pid\":7,\"status\":\"running\",\"bundle\":\"/b\","
			 "\"rootfs\":\"/b/rootfs\",\"created\":\"T\",\"annotations\":{\"a\":\"1\"},\"owner\":\"root\"},"
			 "{\"ociVersion\":\"1.3.0\",\"id\":\"a-longer-name\",\"pid\":0,\"status\":\"stopped\","
			 "\"bundle\":\"/c\",\"rootfs\":\"/c/rootfs\",\"created\":\"T\",\"owner\":\"#4294967290\"}]\n");
}

static void test_ps(void **state)
{
	const pid_t self[] = {getpid()};
	char number[16];

	(void)state;
	auto_call nothing = CALL(verb_ps, "-f", "json", "box");
	assert_string_equal(nothing.output, "null\n");
	fake.pids = self;
	fake.n_pids = 1;
	snprintf(number, sizeof(number), "[%d]\n", (int)self[0]);
	auto_call json = CALL(verb_ps, "-f", "json", "box");
	assert_string_equal(json.output, number);
	auto_call table = CALL(verb_ps, "box");
	assert_int_equal(table.r, 0);
	assert_non_null(str_after(table.output, "UID "));
	assert_non_null(strstr(table.output, "\n"));
	assert_ptr_equal(strrchr(table.output, '\n'), strchr(strchr(table.output, '\n') + 1, '\n'));
}

static void test_explain(void **state)
{
	(void)state;
	auto_call table = CALL_ALONE(verb_explain);
	assert_string_equal(table.output, "SIDE  CAUSE      OPERATION\n"
					  "host  -          make the cgroup\n"
					  "init  mounts[0]  mount proc on /proc\n");
	auto_call json = CALL(verb_explain, "--json");
	assert_non_null(strstr(json.output, "\"cause\": \"mounts[0]\""));
}

static void test_spec_refuses_to_overwrite(void **state)
{
	char folder[] = "/tmp/holm-spec-XXXXXX", file[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/config.json", folder);
	auto_call first = CALL(verb_spec, "-b", folder);
	assert_int_equal(first.r, 0);
	auto_call second = CALL(verb_spec, "-b", folder);
	assert_int_equal(second.e.kind, ERROR_EXISTS);
	assert_string_equal(second.e.text, "File config.json exists. Remove it first");
	unlink(file);
	rmdir(folder);
	auto_call nowhere = CALL(verb_spec, "-b", folder);
	assert_int_equal(nowhere.e.code, ENOENT);
}

static void test_lint(void **state)
{
	char name[] = "/tmp/holm-lint-XXXXXX";
	static const char text[] = "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"r\"}, \"surprise\": 1}";
	int fd = mkstemp(name);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	auto_call good = CALL(verb_lint, name);
	assert_int_equal(good.r, 0);
	assert_int_equal(good.status, 0);
	assert_non_null(strstr(good.output, "warning: surprise: "));
	assert_int_equal(ftruncate(fd, 3), 0);
	auto_call bad = CALL(verb_lint, "--json", name);
	assert_int_equal(bad.status, 1);
	assert_non_null(strstr(bad.output, "\"severity\": \"error\""));
	close(fd);
	unlink(name);
	auto_call missing = CALL(verb_lint, name);
	assert_int_not_equal(missing.r, 0);
}

static void test_events(void **state)
{
	static uint64_t percpu[] = {1, 2};
	static struct cgroup_value raw[] = {{"cache", 0}, {"rss", 4096}};
	static struct cgroup_io_entry io[] = {{8, 0, "Read", 512}};
	static struct cgroup_hugetlb huge[] = {{"2MB", {.failures = 1}}};
	static const struct cgroup_stats stats = {
	    .cpu = {.total = 3,
		    .percpu = percpu,
		    .n_percpu = 2,
		    .user = 5,
		    .throttled_time = 9,
		    .pressure = {.present = true}},
	    .cpuset = {.cpus = "0-2,7", .mems = "0", .sched_load_balance = 1, .sched_relax_domain_level = -1},
	    .memory = {.usage = {.limit = CGROUP_UNLIMITED, .usage = 8}, .raw = raw, .n_raw = 2},
	    .pids = {.current = 1, .limit = CGROUP_UNLIMITED},
	    .io = {.bytes = {io, 1}},
	    .hugetlb = huge,
	    .n_hugetlb = 1,
	};
	const char *line;

	(void)state;
	fake.stats = &stats;
	fake.n_reads = 1;
	auto_call once = CALL(verb_events, "--stats", "box");
	assert_int_equal(once.r, 0);
	assert_string_equal(
	    once.output,
	    "{\"type\":\"stats\",\"id\":\"box\",\"data\":{\"cpu\":{\"usage\":{\"total\":3,\"percpu\":[1,2],\"kernel\":"
	    "0,"
	    "\"user\":5},\"throttling\":{\"throttledTime\":9},\"psi\":{\"some\":{\"avg10\":0,\"avg60\":0,\"avg300\":0,"
	    "\"total\":0},"
	    "\"full\":{\"avg10\":0,\"avg60\":0,\"avg300\":0,\"total\":0}}},\"cpuset\":{\"cpus\":[0,1,2,7],\"cpu_"
	    "exclusive\":0,"
	    "\"mems\":[0],\"mem_hardwall\":0,\"mem_exclusive\":0,\"memory_migrate\":0,\"memory_spread_page\":0,"
	    "\"memory_spread_slab\":0,\"memory_pressure\":0,\"sched_load_balance\":1,\"sched_relax_domain_level\":-1},"
	    "\"memory\":{\"usage\":{\"limit\":18446744073709551615,\"usage\":8,\"failcnt\":0},\"swap\":{\"limit\":0,"
	    "\"failcnt\":0},"
	    "\"kernel\":{\"limit\":0,\"failcnt\":0},\"kernelTCP\":{\"limit\":0,\"failcnt\":0},\"raw\":{\"cache\":0,"
	    "\"rss\":4096}},"
	    "\"pids\":{\"current\":1},\"blkio\":{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":"
	    "512}]},"
	    "\"hugetlb\":{\"2MB\":{\"failcnt\":1}},\"intel_rdt\":{},\"network_interfaces\":null}}\n");
	auto_call stopped = CALL(verb_events, "--stats", "box");
	assert_int_equal(stopped.e.kind, ERROR_STATE);

	static const struct cgroup_event events[] = {
	    {CGROUP_EVENT_OOM_KILL, 0},
	    {CGROUP_EVENT_OOM_KILL, 2},
	    {CGROUP_EVENT_EMPTY, 0},
	    {CGROUP_EVENT_EMPTY, 1},
	};

	fake.n_reads = 9;
	fake.events = events;
	fake.n_events = ARRAY_SIZE(events);
	auto_call stream = CALL(verb_events, "--interval=1ms", "box");
	assert_int_equal(stream.r, 0);
	line = strstr(stream.output, "{\"type\":\"oom\",\"id\":\"box\"}\n{\"type\":\"oom\",\"id\":\"box\"}\n");
	assert_non_null(line);
	assert_true(line > stream.output);
	assert_int_equal(fake.n_events, 0);

	fake.n_reads = 1;
	auto_call gone = CALL(verb_events, "--interval=1ms", "box");
	assert_int_equal(gone.r, 0);
}

static void test_check(void **state)
{
	(void)state;
	auto_call table = CALL_ALONE(verb_check);
	assert_non_null(strstr(table.output, "LIMIT              CAN  HOW, OR WHY NOT\n"
					     "memory.limit       yes  memory.max (v2)\n"
					     "rdma               no   no such controller\n"
					     "holm.storage.size  no   there is no data folder\n"));
	assert_non_null(strstr(table.output, "\nto have rdma:\n    a kernel with CONFIG_CGROUP_RDMA\n"));
	auto_call json = CALL(verb_check, "--json");
	assert_non_null(strstr(json.output, "\"can\": false"));
}

static void test_checkpoint_is_refused(void **state)
{
	(void)state;
	auto_call call = CALL_ALONE(verb_checkpoint);
	assert_int_equal(call.e.kind, ERROR_UNSUPPORTED);
	assert_string_equal(call.e.text, "checkpoint is not supported: holm does not work with CRIU");
}

/* ---- the log ---- */

static void check_line(bool json, enum log_level level, const char *kind, const char *text, const char *start,
		       const char *end)
{
	char name[] = "/tmp/holm-log-XXXXXX";
	struct sink sink = {.path = name, .json = json, .fd = -1};
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	auto_free char *data = NULL;
	const char *rest;

	close(mkstemp(name));
	dup2(null, STDERR_FILENO);
	sink_write(&sink, level, kind, text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	close(sink.fd);
	assert_int_equal(file_read(AT_FDCWD, name, 4096, &data, NULL), 0);
	unlink(name);
	rest = str_after(data, start);
	assert_non_null(rest);
	assert_string_equal(data + strlen(data) - strlen(end), end);
}

/* What a container may have said is nothing for the reader's terminal; beside a log it is a plain line. */
static void test_log_is_printable(void **state)
{
	char name[] = "/tmp/holm-err-XXXXXX";
	struct sink sink = {.path = "/dev/null", .fd = -1};
	int saved = dup(STDERR_FILENO), fd = mkstemp(name);
	auto_free char *data = NULL;

	(void)state;
	dup2(fd, STDERR_FILENO);
	sink_write(&sink, LOG_LEVEL_ERROR, "system", "exec '\033]0;x\a\303\251\302\233m\177'\nno");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd);
	close(sink.fd);
	assert_int_equal(file_read(AT_FDCWD, name, 4096, &data, NULL), 0);
	unlink(name);
	assert_string_equal(data, "exec '?]0;x?\303\251??m?'?no\n");
}

static void test_log(void **state)
{
	(void)state;
	check_line(true, LOG_LEVEL_ERROR, "not-found", "a \"b\"\n",
		   "{\"kind\":\"not-found\",\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\n\",\"time\":\"20", "Z\"}\n");
	check_line(true, LOG_LEVEL_WARNING, NULL, "w", "{\"level\":\"warning\",\"msg\":\"w\",\"time\":\"20", "Z\"}\n");
	check_line(false, LOG_LEVEL_ERROR, "system", "a \"b\"", "time=\"20", "Z\" level=error msg=\"a \\\"b\\\"\"\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_tables_are_sound, setup),
	    cmocka_unit_test_setup(test_unknown_verbs, setup),
	    cmocka_unit_test_setup(test_numbers_of_operands, setup),
	    cmocka_unit_test_setup(test_help_of_every_verb, setup),
	    cmocka_unit_test_setup(test_completion_knows_everything, setup),
	    cmocka_unit_test_setup(test_version_lines, setup),
	    cmocka_unit_test_setup(test_requests, setup),
	    cmocka_unit_test_setup(test_exit_status_is_passed_on, setup),
	    cmocka_unit_test_setup(test_signals_by_name_of_realtime, setup),
	    cmocka_unit_test_setup(test_refused_signals, setup),
	    cmocka_unit_test_setup(test_exec_needs_a_command, setup),
	    cmocka_unit_test_setup(test_update, setup),
	    cmocka_unit_test_setup(test_state, setup),
	    cmocka_unit_test_setup(test_state_of_a_stopped_one, setup),
	    cmocka_unit_test_setup(test_list, setup),
	    cmocka_unit_test_setup(test_ps, setup),
	    cmocka_unit_test_setup(test_explain, setup),
	    cmocka_unit_test_setup(test_spec_refuses_to_overwrite, setup),
	    cmocka_unit_test_setup(test_lint, setup),
	    cmocka_unit_test_setup(test_events, setup),
	    cmocka_unit_test_setup(test_check, setup),
	    cmocka_unit_test_setup(test_checkpoint_is_refused, setup),
	    cmocka_unit_test_setup(test_log, setup),
	    cmocka_unit_test_setup(test_log_is_printable, setup),
	};

	return cmocka_run_group_tests_name("cmd_verb", tests, NULL, NULL);
}
