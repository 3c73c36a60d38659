/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroups/limits: every resource in both dialects, as the list of writes it becomes or the refusal it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/apply.h"
#include "cgroups/limits.h"

#define N(v)                                                                                                           \
	{                                                                                                              \
		true, (v)                                                                                              \
	}

enum where { V1 = 1, V2 = 2, BOTH = 3, HYBRID = 4, NOTHING = 8 };

struct limit_case {
	const char *name;
	enum where where;
	struct spec_resources r;
	const char *expected; /* "file=value;..." ('~' before it: initial), or "!part of the error" */
};

static struct spec_blkio_device disk_weight = {.major = 8, .minor = 16, .weight = N(500)};
static struct spec_blkio_device disk_nothing = {.major = 8, .minor = 16};
static struct spec_blkio_device disk_leaf = {.major = 8, .minor = 16, .leaf_weight = N(500)};
static struct spec_blkio_device disk_rate = {.major = 8, .minor = 16, .rate = 1048576};
static struct spec_blkio_device disk_lifted = {.major = 8, .minor = 16, .rate = 0};
static struct spec_blkio_device disk_bad = {.major = -1, .minor = 16, .rate = 1};
static struct spec_hugepage_limit huge = {"2MB", 4194304}, huge_all = {"1GB", UINT64_MAX}, huge_bad = {"2M", 1},
				  huge_path = {"../2MB", 1};
static struct spec_rdma rdma = {"mlx5_1", N(3), N(10000)}, rdma_one = {"mlx5_1", .hca_objects = N(5)},
			rdma_none = {.device = "mlx5_1"};
static struct spec_priority priority = {"eth0", 5}, priority_bad = {"eth0 1\neth1", 5};
static struct spec_unified unified_high = {"memory.high", "1G"},
			   unified_lines = {"io.max", "8:0 rbps=1\n8:16 wbps=2\n"},
			   unified_path = {"../cgroup.procs", "1"}, unified_procs = {"cgroup.procs", "1"},
			   unified_kill = {"cgroup.kill", "1"}, unified_new = {"zswap.max", "1"},
			   unified_max = {"memory.max", "5"}, unified_huge = {"hugetlb.2MB.max", "0"};

static const struct limit_case cases[] = {
    {"nothing", BOTH, {0}, ""},
    {"memory", V1, {.memory.limit = N(1048576)}, "memory.limit_in_bytes=1048576"},
    {"memory", V2, {.memory.limit = N(1048576)}, "memory.max=1048576"},
    {"memory 0 is not set", BOTH, {.memory = {.limit = N(0), .swap = N(0), .reservation = N(0)}}, ""},
    {"memory -1", V1, {.memory.limit = N(-1)}, "~memory.limit_in_bytes=-1;~memory.memsw.limit_in_bytes=-1"},
    {"memory -1", V2, {.memory.limit = N(-1)}, "~memory.max=max;~memory.swap.max=max"},
    {"memory -2", BOTH, {.memory.limit = N(-2)}, "!linux.resources.memory.limit: -2 is not in -1 to"},
    {"swap",
     V1,
     {.memory = {.limit = N(100), .swap = N(300)}},
     "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=300"},
    {"swap", V2, {.memory = {.limit = N(100), .swap = N(300)}}, "memory.max=100;memory.swap.max=200"},
    {"swap as memory", V2, {.memory = {.limit = N(100), .swap = N(100)}}, "memory.max=100;memory.swap.max=0"},
    {"swap -1",
     V1,
     {.memory = {.limit = N(100), .swap = N(-1)}},
     "memory.limit_in_bytes=100;~memory.memsw.limit_in_bytes=-1"},
    {"swap -1", V2, {.memory = {.limit = N(100), .swap = N(-1)}}, "memory.max=100;~memory.swap.max=max"},
    {"swap beside -1", V2, {.memory = {.limit = N(-1), .swap = N(50)}}, "~memory.max=max;memory.swap.max=50"},
    {"swap < memory", BOTH, {.memory = {.limit = N(100), .swap = N(50)}}, "!50 is less than the memory limit 100"},
    {"swap alone", BOTH, {.memory.swap = N(50)}, "!memory.swap: needs memory.limit"},
    {"reservation", V1, {.memory.reservation = N(7)}, "memory.soft_limit_in_bytes=7"},
    {"reservation", V2, {.memory.reservation = N(7)}, "memory.low=7"},
    {"reservation -1", V2, {.memory.reservation = N(-1)}, "~memory.low=0"},
    {"swappiness", V1, {.memory.swappiness = N(0)}, "memory.swappiness=0"},
    {"swappiness", V2, {.memory.swappiness = N(60)}, "!swappiness: cgroup v2 has no swappiness"},
    {"swappiness 101", BOTH, {.memory.swappiness = N(101)}, "!101 is not in 0 to 100"},
    {"oom off", V1, {.memory.disable_oom_killer = {true, true}}, "memory.oom_control=1"},
    {"oom off", V2, {.memory.disable_oom_killer = {true, true}}, "!disableOOMKiller: cgroup v2 can't"},
    {"oom on", V1, {.memory.disable_oom_killer = {true, false}}, "~memory.oom_control=0"},
    {"oom on", V2, {.memory.disable_oom_killer = {true, false}}, ""},
    {"kernel memory", BOTH, {.memory = {.kernel = N(5), .kernel_tcp = N(5)}}, ""},
    {"use hierarchy", BOTH, {.memory.use_hierarchy = {true, true}}, ""},

    {"shares", V1, {.cpu.shares = N(512)}, "cpu.shares=512"},
    {"shares", V2, {.cpu.shares = N(512)}, "cpu.weight=59"},
    {"shares default", V1, {.cpu.shares = N(1024)}, "~cpu.shares=1024"},
    {"shares default", V2, {.cpu.shares = N(1024)}, "~cpu.weight=100"},
    {"shares 0 is not set", BOTH, {.cpu.shares = N(0)}, ""},
    {"shares clamped", V1, {.cpu.shares = N(1)}, "cpu.shares=2"},
    {"shares clamped", V2, {.cpu.shares = N(1000000)}, "cpu.weight=10000"},
    {"idle wins", BOTH, {.cpu = {.idle = N(1), .shares = N(512)}}, "cpu.idle=1"},
    {"idle off", V1, {.cpu = {.idle = N(0), .shares = N(512)}}, "~cpu.idle=0;cpu.shares=512"},
    {"idle 2", BOTH, {.cpu.idle = N(2)}, "!cpu.idle: 2 is not in 0 to 1"},
    {"quota", V1, {.cpu = {.quota = N(50000), .period = N(200000)}}, "cpu.cfs_period_us=200000;cpu.cfs_quota_us=50000"},
    {"quota", V2, {.cpu = {.quota = N(50000), .period = N(200000)}}, "cpu.max=50000 200000"},
    {"quota alone", V1, {.cpu.quota = N(50000)}, "cpu.cfs_quota_us=50000"},
    {"quota alone", V2, {.cpu.quota = N(50000)}, "cpu.max=50000"},
    {"quota -1", V1, {.cpu.quota = N(-1)}, "~cpu.cfs_quota_us=-1"},
    {"quota -1", V2, {.cpu.quota = N(-1)}, "~cpu.max=max"},
    {"quota -1 and period", V2, {.cpu = {.quota = N(-1), .period = N(200000)}}, "cpu.max=max 200000"},
    {"period alone", V1, {.cpu.period = N(200000)}, "cpu.cfs_period_us=200000"},
    {"period alone", V2, {.cpu.period = N(200000)}, "cpu.max=max 200000"},
    {"period default", V1, {.cpu = {.period = N(100000), .quota = N(0)}}, "~cpu.cfs_period_us=100000"},
    {"burst", V1, {.cpu = {.quota = N(50000), .burst = N(50000)}}, "cpu.cfs_quota_us=50000;cpu.cfs_burst_us=50000"},
    {"burst", V2, {.cpu = {.quota = N(50000), .burst = N(20000)}}, "cpu.max=50000;cpu.max.burst=20000"},
    {"burst > quota", BOTH, {.cpu = {.quota = N(50000), .burst = N(50001)}}, "!50001 is more than the quota 50000"},
    {"realtime",
     V1,
     {.cpu = {.realtime_period = N(1000), .realtime_runtime = N(500)}},
     "cpu.rt_period_us=1000;cpu.rt_runtime_us=500"},
    {"realtime", V2, {.cpu.realtime_runtime = N(500)}, "!realtimeRuntime: cgroup v2 has no realtime"},
    {"realtime 0", V2, {.cpu.realtime_runtime = N(0)}, ""},
    {"cpuset", BOTH, {.cpu = {.cpus = "0-1", .mems = "0"}}, "cpuset.cpus=0-1;cpuset.mems=0"},
    {"cpuset empty", BOTH, {.cpu = {.cpus = "", .mems = ""}}, ""},

    {"pids", BOTH, {.pids.limit = N(20)}, "pids.max=20"},
    {"pids -1", BOTH, {.pids.limit = N(-1)}, "~pids.max=max"},
    {"pids 0", BOTH, {.pids.limit = N(0)}, "pids.max=1"},

    {"weight", V1, {.block_io.weight = N(100)}, "blkio.weight=100|blkio.bfq.weight=100"},
    {"weight", V2, {.block_io.weight = N(100)}, "io.bfq.weight=100|io.weight=default 910"},
    {"weight ends", V2, {.block_io.weight = N(10)}, "io.bfq.weight=10|io.weight=default 1"},
    {"weight ends", V2, {.block_io.weight = N(1000)}, "io.bfq.weight=1000|io.weight=default 10000"},
    {"weight 0 is not set", BOTH, {.block_io.weight = N(0)}, ""},
    {"weight 9", BOTH, {.block_io.weight = N(9)}, "!blockIO.weight: 9 is not in 10 to 1000"},
    {"leaf weight", V1, {.block_io.leaf_weight = N(100)}, "blkio.leaf_weight=100"},
    {"leaf weight", V2, {.block_io.leaf_weight = N(100)}, "!leafWeight: cgroup v2 has no leaf"},
    {"device weight",
     V1,
     {.block_io = {.weight_devices = &disk_weight, .n_weight_devices = 1}},
     "blkio.weight_device=8:16 500|blkio.bfq.weight_device=8:16 500"},
    {"device weight",
     V2,
     {.block_io = {.weight_devices = &disk_weight, .n_weight_devices = 1}},
     "io.bfq.weight=8:16 500|io.weight=8:16 4950"},
    {"device leaf",
     V1,
     {.block_io = {.weight_devices = &disk_leaf, .n_weight_devices = 1}},
     "blkio.leaf_weight_device=8:16 500"},
    {"device leaf", V2, {.block_io = {.weight_devices = &disk_leaf, .n_weight_devices = 1}}, "!no leaf weights"},
    {"device no weight",
     BOTH,
     {.block_io = {.weight_devices = &disk_nothing, .n_weight_devices = 1}},
     "!weightDevice[0]: needs weight or leafWeight"},
    {"throttle",
     V1,
     {.block_io.throttles = {[SPEC_THROTTLE_WRITE_BPS] = {&disk_rate, 1}}},
     "blkio.throttle.write_bps_device=8:16 1048576"},
    {"throttle",
     V2,
     {.block_io.throttles = {[SPEC_THROTTLE_READ_IOPS] = {&disk_rate, 1}}},
     "io.max=8:16 riops=1048576"},
    {"throttle lifted",
     V1,
     {.block_io.throttles = {[SPEC_THROTTLE_READ_BPS] = {&disk_lifted, 1}}},
     "blkio.throttle.read_bps_device=8:16 0"},
    {"throttle lifted",
     V2,
     {.block_io.throttles = {[SPEC_THROTTLE_WRITE_IOPS] = {&disk_lifted, 1}}},
     "io.max=8:16 wiops=max"},
    {"throttle bad",
     BOTH,
     {.block_io.throttles = {[SPEC_THROTTLE_READ_BPS] = {&disk_bad, 1}}},
     "!throttleReadBpsDevice[0]: -1:16 is no device number"},

    {"huge",
     V1,
     {.hugepage_limits = &huge, .n_hugepage_limits = 1},
     "hugetlb.2MB.limit_in_bytes=4194304;hugetlb.2MB.rsvd.limit_in_bytes=4194304"},
    {"huge",
     V2,
     {.hugepage_limits = &huge, .n_hugepage_limits = 1},
     "hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304"},
    {"huge all",
     V2,
     {.hugepage_limits = &huge_all, .n_hugepage_limits = 1},
     "hugetlb.1GB.max=max;hugetlb.1GB.rsvd.max=max"},
    {"huge bad", BOTH, {.hugepage_limits = &huge_bad, .n_hugepage_limits = 1}, "!hugepageLimits[0].pageSize: '2M'"},
    {"huge path", BOTH, {.hugepage_limits = &huge_path, .n_hugepage_limits = 1}, "!pageSize"},

    {"class", V1, {.network.class_id = N(1048577)}, "net_cls.classid=1048577"},
    {"class", V2, {.network.class_id = N(1)}, "!network.classID: needs the cgroup v1 controller 'net_cls'"},
    {"priority", V1, {.network = {.priorities = &priority, .n_priorities = 1}}, "net_prio.ifpriomap=eth0 5"},
    {"priority", V2, {.network = {.priorities = &priority, .n_priorities = 1}}, "!priorities[0]: needs the cgroup v1"},
    {"priority bad", V1, {.network = {.priorities = &priority_bad, .n_priorities = 1}}, "!is no interface's name"},

    {"rdma", BOTH, {.rdma = &rdma, .n_rdma = 1}, "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"},
    {"rdma one", BOTH, {.rdma = &rdma_one, .n_rdma = 1}, "rdma.max=mlx5_1 hca_object=5"},
    {"rdma none", BOTH, {.rdma = &rdma_none, .n_rdma = 1}, "!rdma['mlx5_1']: needs hcaHandles or hcaObjects"},
    {"rdma nowhere", NOTHING, {.rdma = &rdma, .n_rdma = 1}, "!rdma['mlx5_1']: controller 'rdma' is not available"},

    {"unified", V2, {.unified = &unified_high, .n_unified = 1}, "memory.high=1G"},
    {"unified", V1, {.unified = &unified_high, .n_unified = 1}, "!this host has no cgroup v2"},
    {"unified", HYBRID, {.unified = &unified_high, .n_unified = 1}, "!controller 'memory' is bound to cgroup v1"},
    {"unified huge", HYBRID, {.unified = &unified_huge, .n_unified = 1}, "hugetlb.2MB.max=0"},
    {"unified lines", V2, {.unified = &unified_lines, .n_unified = 1}, "io.max=8:0 rbps=1;io.max=8:16 wbps=2"},
    {"unified path", V2, {.unified = &unified_path, .n_unified = 1}, "!no name of a control file"},
    {"unified procs", V2, {.unified = &unified_procs, .n_unified = 1}, "!['cgroup.procs']: no limit"},
    {"unified kill", V2, {.unified = &unified_kill, .n_unified = 1}, "!['cgroup.kill']: no limit"},
    {"unified unknown", V2, {.unified = &unified_new, .n_unified = 1}, "zswap.max=1"},
    {"unified wins", V2, {.memory.limit = N(9), .unified = &unified_max, .n_unified = 1}, "memory.max=9;memory.max=5"},
    {"no controller", NOTHING, {.memory.limit = N(9)}, "!memory.limit: controller 'memory' is not available"},
    {"no controller, no limit", NOTHING, {.memory.limit = N(-1), .cpu.quota = N(-1), .pids.limit = N(-1)}, ""},
    {"hybrid",
     HYBRID,
     {.memory.limit = N(9), .hugepage_limits = &huge, .n_hugepage_limits = 1},
     "memory.limit_in_bytes=9;hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304"},
};

static const char v1_text[] = "13:rdma:/\n12:net_prio:/\n11:net_cls:/\n10:hugetlb:/\n8:pids:/\n7:blkio:/\n4:memory:/\n"
			      "3:cpuset:/\n1:cpu,cpuacct:/\n";
static const char hybrid_text[] = "8:pids:/\n7:blkio:/\n4:memory:/\n3:cpuset:/\n1:cpu:/\n0::/\n";

static const struct {
	enum where where;
	const char *text, *v2, *controllers;
} hosts[] = {
    {V1, v1_text, NULL, ""},
    {V2, "0::/\n", "/sys/fs/cgroup", "cpuset cpu io memory hugetlb pids rdma misc"},
    {HYBRID, hybrid_text, "/sys/fs/cgroup/unified", "hugetlb"},
    {NOTHING, "0::/\n", "/sys/fs/cgroup", ""},
};

static void swallow(enum log_level level, const char *text, void *data)
{
	(void)level, (void)text, (void)data;
}

static void check_case(const struct limit_case *c, size_t host_index)
{
	auto_arena arena = ARENA_INIT;
	auto_str got = STR_INIT;
	struct error e = ERROR_INIT;
	struct cgroup_host *host;
	struct limits l;
	int r;

	assert_int_equal(cgroup_host_parse(&arena, hosts[host_index].text, hosts[host_index].v2, &host, &e), 0);
	l = (struct limits){
	    .host = host,
	    .arena = &arena,
	    .v2_controllers = cgroup_controllers_parse(hosts[host_index].controllers, CGROUP_V2),
	};
	r = limits_compile(&l, &c->r, &e);
	if (*c->expected == '!') {
		if (r >= 0 || !strstr(e.text, c->expected + 1))
			fail_msg("%s (host %zu): '%s' instead of '%s'", c->name, host_index,
				 r < 0 ? e.text : "no error", c->expected);
		assert_non_null(strstr(e.text, "linux.resources."));
		return;
	}
	if (r < 0)
		fail_msg("%s (host %zu): %s", c->name, host_index, e.text);
	for (size_t i = 0; i < l.n_writes; i++) {
		const struct limit_write *w = &l.writes[i];

		str_addf(&got, "%s%s%s=%s", i ? ";" : "", w->initial ? "~" : "", w->file, w->value);
		if (w->other_file)
			str_addf(&got, "|%s=%s", w->other_file, w->other_value);
		assert_non_null(w->cause);
	}
	if (!str_equal(str_peek(&got), c->expected))
		fail_msg("%s (host %zu): '%s' instead of '%s'", c->name, host_index, str_peek(&got), c->expected);
}

static void test_table(void **state)
{
	(void)state;
	log_set_sink(swallow, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < ARRAY_SIZE(hosts); k++)
			if (cases[i].where & hosts[k].where)
				check_case(&cases[i], k);
}

/* A default of holm's for instances: where the host has it, and what the spec says comes after it. */
static void test_oom_group(void **state)
{
	static struct spec_unified no = {"memory.oom.group", "0"};
	struct spec_resources some = {.unified = &no, .n_unified = 1};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(hosts); k++) {
		auto_arena arena = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct cgroup_host *host;
		bool v2 = hosts[k].where == V2;
		struct limits l;

		assert_int_equal(cgroup_host_parse(&arena, hosts[k].text, hosts[k].v2, &host, &e), 0);
		l = (struct limits){
		    .host = host,
		    .arena = &arena,
		    .oom_group = true,
		    .v2_controllers = cgroup_controllers_parse(hosts[k].controllers, CGROUP_V2),
		};
		assert_int_equal(limits_compile(&l, NULL, &e), 0);
		assert_int_equal(l.n_writes, v2);
		if (!v2)
			continue;
		assert_string_equal(l.writes[0].file, "memory.oom.group");
		assert_string_equal(l.writes[0].value, "1");
		assert_int_equal(limits_compile(&l, &some, &e), 0);
		assert_int_equal(l.n_writes, 2);
		assert_string_equal(l.writes[1].value, "0");
	}
}

/* The points through which the curve goes, and values that other runtimes publish. */
static void test_weight(void **state)
{
	static const uint64_t points[][2] = {{0, 1}, {1, 1},	{2, 1},	     {1024, 100},     {262144, 10000},
					     {3, 2}, {512, 59}, {2048, 174}, {1000000, 10000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		assert_int_equal(limits_weight_of_shares(points[i][0]), points[i][1]);
	for (uint64_t shares = 2; shares < 262144; shares += 7)
		assert_true(limits_weight_of_shares(shares) <= limits_weight_of_shares(shares + 7));
}

static void test_reading_back(void **state)
{
	static const struct {
		const char *wanted, *got;
		bool same;
	} pairs[] = {
	    {"1G", "1073741824", true},
	    {"1G", "1000000000", false},
	    {"100", "100", true},
	    {"100", "101", false},
	    {"-1", "9223372036854771712", true},
	    {"max", "max", true},
	    {"-1", "1048576", false},
	    {"1000000", "999424", true},
	    {"50000", "50000 100000", true},
	    {"50000 100000", "50000 100000", true},
	    {"50000 100000", "50000 50000", false},
	    {"max 100000", "max 100000", true},
	    {"0-1", "0,1", true},
	    {"8:0 rbps=1", "8:0 rbps=1 wbps=max", true},
	    {"1000000", "100000", false},
	    {"member", "root", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (cgroup_apply_same(pairs[i].wanted, pairs[i].got) != pairs[i].same)
			fail_msg("'%s' and '%s'", pairs[i].wanted, pairs[i].got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_oom_group),
	    cmocka_unit_test(test_weight),
	    cmocka_unit_test(test_reading_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
