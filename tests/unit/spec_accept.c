/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/: what the structs hold after decoding, and that encoding gives back every key.
 */
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "spec/json.h"
#include "spec/resources.h"
#include "tests/unit/spec_case.h"

static struct spec parse(enum place place, const char *members)
{
	struct error e = ERROR_INIT;
	struct spec spec;

	if (case_parse(place, members, &spec, &e))
		fail_msg("%s", e.text);
	return spec;
}

static void test_process(void **state)
{
	struct spec spec =
	    parse(PROCESS,
		  "\"terminal\": true, \"consoleSize\": {\"height\": 25, \"width\": 80},"
		  "\"user\": {\"uid\": 1, \"gid\": 2, \"umask\": 18, \"additionalGids\": [3, 3]},"
		  "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1, \"hard\": 18446744073709551615}],"
		  "\"capabilities\": {\"bounding\": [\"CAP_KILL\"], \"ambient\": []},"
		  "\"noNewPrivileges\": true, \"oomScoreAdj\": 0, \"apparmorProfile\": \"a\", \"selinuxLabel\": \"\","
		  "\"scheduler\": {\"policy\": \"SCHED_DEADLINE\", \"flags\": [\"SCHED_FLAG_RECLAIM\", "
		  "\"SCHED_FLAG_DL_OVERRUN\"], \"runtime\": 1, \"deadline\": 2, \"period\": 18446744073709551615},"
		  "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\", \"priority\": 3},"
		  "\"execCPUAffinity\": {\"initial\": \"0-31:1/2\", \"final\": \"1,3\"}");
	const struct spec_process *p = spec.process;

	(void)state;
	assert_true(p->terminal && p->has_console_size && p->console_height == 25 && p->console_width == 80);
	assert_true(p->user.uid == 1 && p->user.gid == 2 && p->user.has_umask && p->user.umask == 022);
	assert_int_equal(p->user.n_additional_gids, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_true(p->rlimits[0].soft == 1 && p->rlimits[0].hard == UINT64_MAX);
	assert_non_null(p->capabilities);
	assert_string_equal(p->capabilities->sets[SPEC_CAP_BOUNDING].names[0], "CAP_KILL");
	assert_int_equal(p->capabilities->sets[SPEC_CAP_AMBIENT].n, 0);
	assert_true(p->no_new_privileges && p->has_oom_score_adj && p->oom_score_adj == 0);
	assert_string_equal(p->apparmor_profile, "a");
	assert_null(p->selinux_label);
	assert_int_equal(p->scheduler->policy, SCHED_DEADLINE);
	assert_int_equal(p->scheduler->flags, SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN);
	assert_true(p->scheduler->runtime == 1 && p->scheduler->deadline == 2 && p->scheduler->period == UINT64_MAX);
	assert_true(p->has_io_priority && p->io_priority == IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 3));
	assert_string_equal(p->exec_cpu_affinity->initial, "0-31:1/2");
	assert_string_equal(p->exec_cpu_affinity->final, "1,3");
	spec_release(&spec);
}

static void test_absent(void **state)
{
	struct spec spec = parse(
	    PROCESS, "\"env\": null, \"oomScoreAdj\": null, \"capabilities\": null, \"unheard-of\": {\"a\": [1e400]}");
	const struct spec_process *p = spec.process;

	(void)state;
	assert_false(p->terminal || p->has_console_size || p->user.has_umask || p->has_oom_score_adj ||
		     p->has_io_priority);
	assert_null(p->capabilities);
	assert_null(p->scheduler);
	assert_null(p->exec_cpu_affinity);
	assert_null(spec.hostname);
	assert_null(spec.linux_.resources);
	assert_null(spec.linux_.seccomp);
	assert_null(spec.holm);
	assert_int_equal(p->n_env, 0);
	assert_false(spec.linux_.namespaces[SPEC_NS_PID].present);
	spec_release(&spec);

	spec = parse(TOP, "\"process\": null");
	assert_null(spec.process);
	spec_release(&spec);
}

/* Of equal names the last stays, where it stands. */
static void test_env(void **state)
{
	struct spec spec = parse(PROCESS, "\"env\": [\"A=1\", \"B=1\", \"AA=1\", \"A=2\", \"C=\", \"B=a=b\", \"A=3\"]");
	static const char *const expected[] = {"AA=1", "C=", "B=a=b", "A=3"};

	(void)state;
	assert_int_equal(spec.process->n_env, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(spec.process->env[i], expected[i]);
	spec_release(&spec);
}

static void test_many_variables(void **state)
{
	enum { MANY = 20000 };
	auto_str members = STR_INIT;
	struct spec spec;

	(void)state;
	str_add(&members, "\"env\": [");
	for (int i = 0; i < MANY; i++)
		str_addf(&members, "\"V%d=%d\",", i / 2, i);
	str_add(&members, "\"LAST=\"]");
	spec = parse(PROCESS, str_peek(&members));
	assert_int_equal(spec.process->n_env, MANY / 2 + 1);
	assert_string_equal(spec.process->env[0], "V0=1");
	spec_release(&spec);
}

static void test_versions(void **state)
{
	static const char *const good[] = {"1.0.0",	"1.0.2-dev",	      "1.3.0",	  "1.99.0",
					   "1.0.0-rc5", "1.0.0-rc.1+build.5", "1.2.3+a-b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char members[64];
		struct spec spec;

		snprintf(members, sizeof(members), "\"ociVersion\": \"%s\"", good[i]);
		spec = parse(TOP, members);
		assert_string_equal(spec.version, good[i]);
		spec_release(&spec);
	}
}

static void test_hooks(void **state)
{
	struct spec spec = parse(
	    TOP, "\"hooks\": {\"createRuntime\": [{\"path\": \"/a\"}, {\"path\": \"/b\", \"args\": [\"x\", \"y\"],"
		 "\"env\": [\"A=1\", \"A=2\"], \"timeout\": 5}]}");

	(void)state;
	assert_int_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].n, 2);
	assert_string_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].hooks[0].args[0], "/a");
	assert_int_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].hooks[0].n_args, 1);
	assert_int_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].hooks[0].timeout, 0);
	assert_string_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].hooks[1].args[1], "y");
	assert_int_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].hooks[1].n_env, 2);
	assert_int_equal(spec.hooks.kinds[SPEC_HOOK_CREATE_RUNTIME].hooks[1].timeout, 5);
	spec_release(&spec);
}

static void test_linux(void **state)
{
	struct spec spec =
	    parse(LINUX, "\"namespaces\": [{\"type\": \"network\", \"path\": \"/n\"}, {\"type\": \"time\"}, {\"type\": "
			 "\"ipc\", \"path\": \"\"},"
			 "{\"type\": \"mount\"}, {\"type\": \"user\"}],"
			 "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 1000, \"size\": 4294966296}],"
			 "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 1}, {\"containerID\": 1, "
			 "\"hostID\": 5, \"size\": 2}],"
			 "\"timeOffsets\": {\"monotonic\": {\"secs\": -5}, \"boottime\": {\"secs\": "
			 "9223372036854775807, \"nanosecs\": 999999999}},"
			 "\"sysctl\": {\"net/ipv4/conf/eth0.100/forwarding\": \"1\", \"fs.mqueue.msg_max\": \"2\", "
			 "\"user.max_user_namespaces\": \"0\"},"
			 "\"netDevices\": {\"eth0\": {}, \"eth1\": {\"name\": \"c%d\"}, \"eth2\": {\"name\": \"c%d\"}},"
			 "\"devices\": [{\"path\": \"/dev/a\", \"type\": \"u\", \"major\": 1, \"minor\": 2, "
			 "\"fileMode\": 8630, \"uid\": 0},"
			 "{\"path\": \"/p\", \"type\": \"p\", \"major\": 9, \"minor\": 9}],"
			 "\"rootfsPropagation\": \"rslave\", \"personality\": {\"domain\": \"LINUX32\", \"flags\": []},"
			 "\"memoryPolicy\": {\"mode\": \"MPOL_WEIGHTED_INTERLEAVE\", \"nodes\": \"0-3\", \"flags\": "
			 "[\"MPOL_F_STATIC_NODES\"]},"
			 "\"intelRdt\": {\"closID\": \"/\", \"l3CacheSchema\": \"L3:0=f\", \"memBwSchema\": "
			 "\"MB:0=20\", \"schemata\": [\"L2:0=f\"],"
			 "\"enableMonitoring\": true}, \"maskedPaths\": [\"/a\"], \"cgroupsPath\": \"a:b:c\", "
			 "\"mountLabel\": \"l\"");
	const struct spec_linux *l = &spec.linux_;

	(void)state;
	assert_string_equal(l->namespaces[SPEC_NS_NETWORK].path, "/n");
	assert_true(l->namespaces[SPEC_NS_IPC].present && !l->namespaces[SPEC_NS_IPC].path);
	assert_false(l->namespaces[SPEC_NS_PID].present);
	assert_true(l->uid_mappings[0].host == 1000 && l->uid_mappings[0].size == 4294966296);
	assert_true(l->n_gid_mappings == 2 && l->gid_mappings[1].host == 5);
	assert_true(l->time_offsets.monotonic.present && l->time_offsets.monotonic.secs == -5);
	assert_true(l->time_offsets.boottime.secs == INT64_MAX && l->time_offsets.boottime.nanosecs == 999999999);
	assert_string_equal(l->sysctl[0].key, "net.ipv4.conf.eth0/100.forwarding");
	assert_string_equal(l->net_devices[1].name, "c%d");
	assert_null(l->net_devices[0].name);
	assert_true(l->devices[0].type == 'c' && l->devices[0].file_mode == 0666 && l->devices[0].has_uid &&
		    !l->devices[0].has_gid);
	assert_true(l->devices[1].type == 'p' && l->devices[1].major == 0 && l->devices[1].minor == 0);
	assert_int_equal(l->rootfs_propagation, MS_SLAVE | MS_REC);
	assert_int_equal(l->personality, SPEC_PERSONALITY_LINUX32);
	assert_int_equal(l->memory_policy->mode, 6);
	assert_int_equal(l->memory_policy->flags, MPOL_F_STATIC_NODES);
	assert_string_equal(l->intel_rdt->clos_id, "/");
	assert_true(l->intel_rdt->n_schemata == 1 && l->intel_rdt->enable_monitoring);
	assert_string_equal(l->cgroups_path, "a:b:c");
	assert_string_equal(l->mount_label, "l");
	spec_release(&spec);
}

static void test_resources(void **state)
{
	struct spec spec = parse(
	    RESOURCES,
	    "\"devices\": [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": true, \"type\": \"c\", \"major\": 1, "
	    "\"access\": \"mr\"}],"
	    "\"memory\": {\"limit\": 0, \"swap\": -1, \"disableOOMKiller\": false, \"checkBeforeUpdate\": true},"
	    "\"cpu\": {\"shares\": 18446744073709551615, \"quota\": -1, \"burst\": 5, \"cpus\": \"0\", \"mems\": \"\"},"
	    "\"pids\": {\"limit\": 0}, \"blockIO\": {\"weight\": 0, \"weightDevice\": [{\"major\": 8, \"minor\": 0, "
	    "\"weight\": 10}],"
	    "\"throttleWriteIOPSDevice\": [{\"major\": 8, \"minor\": 16, \"rate\": 18446744073709551615}]},"
	    "\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 9223372036854775808}],"
	    "\"network\": {\"classID\": 4294967295, \"priorities\": [{\"name\": \"a\", \"priority\": 3}]},"
	    "\"rdma\": {\"mlx5_1\": {\"hcaObjects\": 7}}, \"unified\": {\"memory.high\": \"5\", \"x\": \"\"}");
	const struct spec_resources *r = spec.linux_.resources;

	(void)state;
	assert_int_equal(r->n_devices, 2);
	assert_true(!r->devices[0].allow && r->devices[0].type == 'a' && r->devices[0].major == -1 &&
		    r->devices[0].minor == -1);
	assert_int_equal(r->devices[0].access, SPEC_DEVICE_READ | SPEC_DEVICE_WRITE | SPEC_DEVICE_MKNOD);
	assert_true(r->devices[1].major == 1 && r->devices[1].minor == -1);
	assert_int_equal(r->devices[1].access, SPEC_DEVICE_READ | SPEC_DEVICE_MKNOD);
	assert_true(r->memory.limit.present && r->memory.limit.value == 0 && r->memory.swap.value == -1);
	assert_false(r->memory.reservation.present);
	assert_true(r->memory.disable_oom_killer.present && !r->memory.disable_oom_killer.value);
	assert_true(r->memory.check_before_update.value);
	assert_true(r->cpu.shares.value == UINT64_MAX && r->cpu.quota.value == -1);
	assert_string_equal(r->cpu.cpus, "0");
	assert_null(r->cpu.mems);
	assert_true(r->pids.limit.present && r->pids.limit.value == 0);
	assert_true(r->block_io.weight.present && r->block_io.weight_devices[0].weight.value == 10);
	assert_true(r->block_io.throttles[SPEC_THROTTLE_WRITE_IOPS].n == 1);
	assert_true(r->block_io.throttles[SPEC_THROTTLE_WRITE_IOPS].devices[0].rate == UINT64_MAX);
	assert_true(r->hugepage_limits[0].limit == UINT64_C(9223372036854775808));
	assert_true(r->network.class_id.value == UINT32_MAX && r->network.priorities[0].priority == 3);
	assert_string_equal(r->rdma[0].device, "mlx5_1");
	assert_true(r->rdma[0].hca_objects.present && !r->rdma[0].hca_handles.present);
	assert_string_equal(r->unified[1].value, "");
	spec_release(&spec);
}

static void test_seccomp(void **state)
{
	struct spec spec = parse(
	    SECCOMP,
	    "\"defaultErrnoRet\": 38, \"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_SHEB\"], \"flags\": [],"
	    "\"listenerPath\": \"/s\", \"listenerMetadata\": \"m\","
	    "\"syscalls\": [{\"names\": [\"read\", \"no_such_call\"], \"action\": \"SCMP_ACT_NOTIFY\"},"
	    "{\"names\": [\"a\"], \"action\": \"SCMP_ACT_TRACE\", \"errnoRet\": 0, \"args\": [{\"index\": 5,"
	    "\"value\": 18446744073709551615, \"valueTwo\": 9223372036854775808, \"op\": \"SCMP_CMP_MASKED_EQ\"}]}]");
	const struct spec_seccomp *s = spec.linux_.seccomp;

	(void)state;
	assert_int_equal(s->default_action, SECCOMP_RET_ERRNO);
	assert_true(s->has_default_errno && s->default_errno == 38);
	assert_true(s->n_architectures == 2 && s->has_flags && s->n_flags == 0);
	assert_int_equal(s->rules[0].action, SECCOMP_RET_USER_NOTIF);
	assert_true(s->rules[1].has_errno && s->rules[1].errno_ret == 0);
	assert_true(s->rules[1].args[0].value == UINT64_MAX &&
		    s->rules[1].args[0].value_two == UINT64_C(9223372036854775808));
	assert_int_equal(s->rules[1].args[0].op, 7);
	spec_release(&spec);

	spec = parse(SECCOMP, "\"defaultAction\": \"SCMP_ACT_KILL\"");
	assert_int_equal(spec.linux_.seccomp->default_action, SECCOMP_RET_KILL_THREAD);
	assert_false(spec.linux_.seccomp->has_flags || spec.linux_.seccomp->has_default_errno);
	spec_release(&spec);
}

static void test_holm(void **state)
{
	struct spec spec = parse(
	    TOP, "\"root\": null, \"holm\": {\"image\": \"web:1\", \"storage\": {\"size\": \"2G\", \"inodes\": 100000, "
		 "\"volatile\": true},"
		 "\"networks\": [{\"network\": \"default\", \"address\": \"10.66.0.5\", \"publish\": [\"80:80/tcp\"],"
		 "\"rate\": {\"egress\": \"100M\"}}], \"restart\": {\"policy\": \"on-failure\", \"max\": 5, \"delay\": "
		 "\"1.5s\"},"
		 "\"stop\": {\"signal\": \"term\", \"timeout\": \"10s\"}, \"log\": {\"size\": 1024, \"files\": 3}, "
		 "\"init\": true,"
		 "\"after\": [\"db\"]}");
	const struct spec_holm *h = spec.holm;

	(void)state;
	assert_null(spec.root_path);
	assert_string_equal(h->image, "web:1");
	assert_true(h->storage.size == INT64_C(2) << 30 && h->storage.inodes == 100000 && h->storage.is_volatile);
	assert_string_equal(h->networks[0].rate_egress, "100M");
	assert_null(h->networks[0].rate_ingress);
	assert_true(h->restart.max == 5 && h->restart.delay == 1500000000 && h->stop.signal == SIGTERM);
	assert_true(h->stop.timeout == 10000000000 && h->log.size == 1024 && h->log.files == 3 && h->init);
	assert_string_equal(h->after[0], "db");
	spec_release(&spec);
}

/* Go's habit: of equal keys the last one counts. */
static void test_duplicate_keys(void **state)
{
	struct spec spec = parse(PROCESS, "\"cwd\": \"/a\", \"cwd\": \"/b\"");

	(void)state;
	assert_string_equal(spec.process->cwd, "/b");
	spec_release(&spec);
}

/* Everything above at once, encoded and decoded again: the text must not change, and no number lose a bit. */
static void test_encode(void **state)
{
	static const char *const kept[] = {
	    "\"hard\":18446744073709551615",
	    "\"fileMode\":438",
	    "\"limit\":9223372036854775808",
	    "\"oomScoreAdj\":0",
	    "\"capabilities\":{}",
	    "\"secs\":-5",
	    "{\"allow\":false,\"access\":\"rwm\"}",
	    "{\"type\":\"network\",\"path\":\"/n\"}",
	    "\"flags\":[]",
	    ("\"holm\":{\"storage\":{\"size\":2147483648},\"stop\":{\"signal\":\"SIGKILL\",\"timeout\":"
	     "\"1500000000ns\"}}"),
	    "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":0}",
	    "\"annotations\":{\"a\\\"\\n\":\"\\u0001\xc3\xa9\"}",
	};
	struct spec spec = parse(
	    TOP, "\"process\": {\"cwd\": \"/\", \"args\": [\"a\"], \"oomScoreAdj\": 0, \"capabilities\": {},"
		 "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_RT\", \"priority\": 0},"
		 "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1, \"hard\": 18446744073709551615}]},"
		 "\"annotations\": {\"a\\\"\\n\": \"\\u0001\\u00e9\"},"
		 "\"linux\": {\"namespaces\": [{\"type\": \"network\", \"path\": \"/n\"}, {\"type\": \"time\"}],"
		 "\"timeOffsets\": {\"monotonic\": {\"secs\": -5}},"
		 "\"devices\": [{\"path\": \"/a\", \"type\": \"c\", \"major\": 1, \"minor\": 2, \"fileMode\": 438}],"
		 "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": []},"
		 "\"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}],"
		 "\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 9223372036854775808}]}},"
		 "\"holm\": {\"storage\": {\"size\": \"2G\"}, \"stop\": {\"signal\": \"9\", \"timeout\": \"1.5s\"}}");
	auto_free char *text = spec_encode(&spec, JSON_INDENT_NONE), *again = NULL;
	struct error e = ERROR_INIT;
	struct spec other;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (!strstr(text, kept[i]))
			fail_msg("no %s in %s", kept[i], text);
	if (spec_parse(text, strlen(text), "again", &other, &e))
		fail_msg("%s", e.text);
	again = spec_encode(&other, JSON_INDENT_NONE);
	assert_string_equal(text, again);
	spec_release(&spec);
	spec_release(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_process),
	    cmocka_unit_test(test_absent),
	    cmocka_unit_test(test_env),
	    cmocka_unit_test(test_many_variables),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_hooks),
	    cmocka_unit_test(test_linux),
	    cmocka_unit_test(test_resources),
	    cmocka_unit_test(test_seccomp),
	    cmocka_unit_test(test_holm),
	    cmocka_unit_test(test_duplicate_keys),
	    cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
