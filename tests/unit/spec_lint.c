/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/lint: each piece of advice, all refusals in one run, unknown keys with where they belong, and the host's part.
 */
#include "spec/lint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/spec_case.h"

static bool has_finding(const struct lint *lint, enum lint_severity severity, const char *path, const char *reason,
			const char *suggestion)
{
	for (size_t i = 0; i < lint->n; i++) {
		const struct lint_finding *f = &lint->findings[i];

		if (f->severity == severity && str_equal(f->path, path) && strstr(f->reason, reason) &&
		    (!suggestion || (f->suggestion && strstr(f->suggestion, suggestion))))
			return true;
	}
	return false;
}

static void print_findings(const struct lint *lint)
{
	for (size_t i = 0; i < lint->n; i++)
		print_error("%s: %s: %s\n", lint_severity_name(lint->findings[i].severity), lint->findings[i].path,
			    lint->findings[i].reason);
}

static const struct {
	enum place place;
	const char *members;
	enum lint_severity severity;
	const char *path, *reason, *suggestion; /* suggestion NULL: any */
} cases[] = {
    /* keys */
    {TOP, "\"hostnam\": \"a\"", LINT_WARNING, "hostnam", "unknown key", "did you mean 'hostname'?"},
    {TOP, "\"capabilities\": {}", LINT_WARNING, "capabilities", "unknown key", "did you mean 'process.capabilities'?"},
    {TOP, "\"syscalls\": []", LINT_WARNING, "syscalls", "unknown key", "did you mean 'linux.seccomp.syscalls'?"},
    {PROCESS, "\"Terminal\": true", LINT_WARNING, "process.Terminal", "unknown key", "did you mean 'terminal'?"},
    {LINUX, "\"zzzzzzzzzzzz\": 1", LINT_WARNING, "linux.zzzzzzzzzzzz", "unknown key", NULL},
    {TOP, "\"windows\": {}", LINT_NOTE, "windows", "another platform", NULL},
    {TOP, "\"root\": {\"path\": \"a\"}", LINT_WARNING, "", "a key is there twice", NULL},

    /* refusals */
    {PROCESS, "\"cwd\": \"a\"", LINT_ERROR, "process.cwd", "must be an absolute path", NULL},
    {LINUX, "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALOW\"}", LINT_ERROR, "linux.seccomp.defaultAction",
     "did you mean", NULL},

    /* namespaces */
    {TOP, "\"process\": null", LINT_WARNING, "linux.namespaces", "no mount namespace", "add {\"type\": \"mount\"}"},
    {TOP, "\"process\": null", LINT_WARNING, "linux.namespaces", "no pid namespace", NULL},
    {TOP, "\"process\": null", LINT_WARNING, "linux.namespaces", "no network namespace", NULL},
    {TOP, "\"process\": null", LINT_WARNING, "linux.namespaces", "no ipc namespace", NULL},
    {TOP, "\"process\": null", LINT_WARNING, "linux.namespaces", "no cgroup namespace", NULL},
    {TOP, "\"process\": null", LINT_NOTE, "linux.namespaces", "no uts namespace", NULL},
    {TOP, "\"process\": null", LINT_NOTE, "linux.namespaces", "no user namespace", NULL},
    {TOP, "\"process\": null", LINT_NOTE, "process", "not started", NULL},
    {LINUX,
     "\"namespaces\": [{\"type\": \"user\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}],"
     "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]",
     LINT_WARNING, "linux.uidMappings[0].hostID", "root of the host", NULL},

    /* process */
    {PROCESS, "\"terminal\": false", LINT_WARNING, "process.noNewPrivileges", "setuid", "true"},
    {PROCESS, "\"terminal\": false", LINT_NOTE, "process.user.uid", "host's root", NULL},
    {PROCESS, "\"terminal\": false", LINT_WARNING, "process.args[0]", "no PATH", NULL},
    {PROCESS, "\"terminal\": false", LINT_WARNING, "process.capabilities", "is missing", NULL},
    {PROCESS, "\"consoleSize\": {\"height\": 1, \"width\": 1}", LINT_NOTE, "process.consoleSize", "without terminal",
     NULL},
    {PROCESS, "\"env\": [\"A=1\", \"A=2\"]", LINT_NOTE, "process.env[0]", "overridden", NULL},
    {PROCESS, "\"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_SYS_ADMIN\"]}", LINT_WARNING,
     "process.capabilities.bounding[1]", "close to root", NULL},
    {PROCESS, "\"capabilities\": {\"bounding\": [\"CAP_SYS_ADMN\"]}", LINT_WARNING, "process.capabilities.bounding[0]",
     "unknown capability", "CAP_SYS_ADMIN"},
    {PROCESS, "\"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_KILL\"]}", LINT_NOTE,
     "process.capabilities.bounding[1]", "twice", NULL},
    {PROCESS, "\"capabilities\": {\"permitted\": [\"CAP_KILL\"], \"ambient\": [\"CAP_KILL\"]}", LINT_WARNING,
     "process.capabilities.ambient[0]", "not in inheritable", NULL},
    {PROCESS, "\"capabilities\": {\"effective\": [\"CAP_KILL\"]}", LINT_WARNING, "process.capabilities.effective[0]",
     "not in permitted", NULL},

    /* mounts */
    {MOUNTS, "{\"destination\": \"a\", \"type\": \"tmpfs\"}", LINT_NOTE, "mounts[0].destination", "deprecates", NULL},
    {MOUNTS, "{\"destination\": \"/sys\", \"type\": \"sysfs\"}", LINT_WARNING, "mounts[0].options", "writable",
     "add 'ro'"},
    {MOUNTS, "{\"destination\": \"/c\", \"type\": \"cgroup\"}", LINT_WARNING, "mounts[0].options", "writable", NULL},
    {MOUNTS, "{\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"/b\"}", LINT_WARNING, "mounts[0].options",
     "no bind mount", "'bind'"},
    {MOUNTS, "{\"destination\": \"/a\", \"source\": \"/\", \"options\": [\"rbind\"]}", LINT_WARNING, "mounts[0].source",
     "whole file system", NULL},
    {MOUNTS, "{\"destination\": \"/a\", \"source\": \"/proc/sys\", \"options\": [\"rbind\", \"ro\"]}", LINT_NOTE,
     "mounts[0].source", "the host's /proc", NULL},
    {MOUNTS, "{\"destination\": \"/s\", \"source\": \"/var/run/docker.sock\", \"options\": [\"bind\"]}", LINT_WARNING,
     "mounts[0].source", "root on the host", NULL},
    {MOUNTS, "{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\", \"rshared\"]}", LINT_WARNING,
     "mounts[0].options", "appear on the host", NULL},
    {MOUNTS, "{\"destination\": \"/a\", \"type\": \"proc\", \"options\": [\"tmpcopyup\"]}", LINT_WARNING,
     "mounts[0].options", "for tmpfs", NULL},
    {MOUNTS, "{\"destination\": \"/a\", \"type\": \"tmpfs\"}, {\"destination\": \"/a\", \"type\": \"tmpfs\"}",
     LINT_NOTE, "mounts[1].destination", "hides", NULL},
    {MOUNTS, "{\"destination\": \"/a\", \"type\": \"tmpfs\", \"options\": [\"mand\"]}", LINT_NOTE, "mounts[0].options",
     "5.15", NULL},

    /* linux */
    {LINUX, "\"cgroupsPath\": \"a\"", LINT_WARNING, "linux.maskedPaths", "leaves open", "/proc/kcore"},
    {LINUX, "\"cgroupsPath\": \"a\"", LINT_WARNING, "linux.readonlyPaths", "leaves open", "/proc/sys"},
    {LINUX, "\"cgroupsPath\": \"a\"", LINT_WARNING, "linux.seccomp", "is missing", NULL},
    {LINUX, "\"cgroupsPath\": \"a\"", LINT_NOTE, "linux.resources.pids.limit", "fork bomb", NULL},
    {LINUX, "\"cgroupsPath\": \"a\"", LINT_NOTE, "linux.resources.memory.limit", "all of the memory", NULL},
    {LINUX, "\"rootfsPropagation\": \"rshared\"", LINT_WARNING, "linux.rootfsPropagation", "appear on the host", NULL},
    {LINUX, "\"personality\": {\"domain\": \"LINUX\", \"flags\": [\"X\"]}", LINT_NOTE, "linux.personality.flags",
     "no effect", NULL},
    {LINUX, "\"intelRdt\": {\"enableCMT\": true}", LINT_NOTE, "linux.intelRdt.enableCMT", "removed", NULL},
    {SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\"", LINT_WARNING, "linux.seccomp.defaultAction", "not listed", NULL},
    {SECCOMP, "\"listenerPath\": \"/a\"", LINT_NOTE, "linux.seccomp.listenerPath", "no effect", NULL},
    {RESOURCES, "\"devices\": [{\"allow\": true, \"access\": \"rwm\"}]", LINT_WARNING, "linux.resources.devices[0]",
     "all of the host", NULL},
    {MEMORY, "\"kernel\": 1", LINT_WARNING, "linux.resources.memory.kernel", "no effect", NULL},
    {MEMORY, "\"kernelTCP\": 1", LINT_WARNING, "linux.resources.memory.kernelTCP", "no effect", NULL},
    {MEMORY, "\"swappiness\": 1", LINT_NOTE, "linux.resources.memory.swappiness", "cgroup v1", NULL},
    {MEMORY, "\"disableOOMKiller\": true", LINT_WARNING, "linux.resources.memory.disableOOMKiller", "stall", NULL},
    {RESOURCES, "\"blockIO\": {\"leafWeight\": 10}", LINT_WARNING, "linux.resources.blockIO.leafWeight", "no effect",
     NULL},
    {LINUX,
     "\"devices\": [{\"path\": \"/a\", \"type\": \"c\", \"major\": 1, \"minor\": 1}, {\"path\": \"/a\", \"type\": "
     "\"p\"}]",
     LINT_WARNING, "linux.devices[1].path", "twice", NULL},
    {LINUX,
     "\"devices\": [{\"path\": \"/a\", \"type\": \"c\", \"major\": 1, \"minor\": 1}, {\"path\": \"/b\", \"type\": "
     "\"c\", \"major\": 1, "
     "\"minor\": 1}]",
     LINT_NOTE, "linux.devices[1]", "same device", NULL},
    {TOP, "\"hooks\": {\"prestart\": [{\"path\": \"/a\"}]}", LINT_NOTE, "hooks.prestart", "deprecated",
     "createRuntime"},
};

static void test_findings(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = case_text(cases[i].place, cases[i].members);
		auto_arena arena = ARENA_INIT;
		struct lint lint;
		bool good = spec_lint(text, strlen(text), "config.json", NULL, &arena, &lint);

		assert_int_equal(good, cases[i].severity != LINT_ERROR);
		if (!has_finding(&lint, cases[i].severity, cases[i].path, cases[i].reason, cases[i].suggestion)) {
			print_error("%s: no '%s' at '%s', only:\n", cases[i].members, cases[i].reason, cases[i].path);
			print_findings(&lint);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* One run names every refusal, and goes on behind each. */
static void test_all_refusals(void **state)
{
	static const char text[] = "{\"ociVersion\": 1, \"process\": {\"cwd\": \"/\", \"args\": [], \"env\": [1, "
				   "\"A=1\", 2], \"rlimits\": [{}, {\"type\": 1}]},"
				   "\"mounts\": [{}, {\"destination\": \"/a\", \"options\": [\"bind\"]}], \"linux\": "
				   "{\"namespaces\": [{\"type\": \"x\"}, 1],"
				   "\"timeOffsets\": {\"x\": {}}, \"maskedPaths\": [\"a\", \"b\"]}}";
	static const char *const paths[] = {
	    "ociVersion",
	    "process.args",
	    "process.env[0]",
	    "process.env[2]",
	    "process.rlimits[0].type",
	    "process.rlimits[0].hard",
	    "process.rlimits[1].type",
	    "mounts[0].destination",
	    "mounts[1].source",
	    "linux.namespaces[0].type",
	    "linux.namespaces[1]",
	    "linux.timeOffsets.x",
	    "linux.maskedPaths[0]",
	    "linux.maskedPaths[1]",
	};
	auto_arena arena = ARENA_INIT;
	struct lint lint;

	(void)state;
	assert_false(spec_lint(text, strlen(text), "c", NULL, &arena, &lint));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!has_finding(&lint, LINT_ERROR, paths[i], "", NULL)) {
			print_findings(&lint);
			fail_msg("nothing at %s", paths[i]);
		}
}

static void test_syntax(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct lint lint;

	(void)state;
	assert_false(spec_lint("{", 1, "c.json", NULL, &arena, &lint));
	assert_int_equal(lint.n, 1);
	assert_memory_equal(lint.findings[0].reason, "c.json: line 1", 14);
}

static void add_host(const struct spec *spec, struct lint *lint, void *data)
{
	*(int *)data += 1;
	lint_add(lint, LINT_ERROR, "linux.resources", spec->root_path, "another host");
}

static void test_host(void **state)
{
	auto_free char *text = case_text(TOP, "\"hostnam\": 1"), *broken = case_text(TOP, "\"mounts\": 1");
	auto_arena arena = ARENA_INIT;
	int calls = 0;
	const struct lint_host host = {add_host, &calls};
	struct lint lint;

	(void)state;
	assert_false(spec_lint(text, strlen(text), "c", &host, &arena, &lint));
	assert_true(has_finding(&lint, LINT_ERROR, "linux.resources", "r", "another host"));
	assert_int_equal(calls, 1);
	assert_false(spec_lint(broken, strlen(broken), "c", &host, &arena, &lint));
	assert_int_equal(calls, 1); /* what does not decode is not shown to the host's part */
}

/* Our own default deserves no error, and of warnings only the missing seccomp profile. */
static void test_default(void **state)
{
	auto_free char *text = spec_default(false, 0, 0);
	auto_arena arena = ARENA_INIT;
	struct lint lint;

	(void)state;
	assert_true(spec_lint(text, strlen(text), "default", NULL, &arena, &lint));
	for (size_t i = 0; i < lint.n; i++)
		if (lint.findings[i].severity == LINT_WARNING && !str_equal(lint.findings[i].path, "linux.seccomp"))
			fail_msg("%s: %s", lint.findings[i].path, lint.findings[i].reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_findings), cmocka_unit_test(test_all_refusals), cmocka_unit_test(test_syntax),
	    cmocka_unit_test(test_host),     cmocka_unit_test(test_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
