/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroups/stats and cgroups/file: folders made of plain files, in both dialects, with what kernels write, and with less. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/file.h"
#include "cgroups/stats.h"

static char folder[] = "/tmp/holm-stats.XXXXXX";
static const char *files[64];
static size_t n_files;

static void put(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	assert_int_equal(file_create(AT_FDCWD, path, 0600, text, strlen(text)), 0);
	files[n_files++] = name;
}

static int clean(void **state)
{
	char path[200];

	(void)state;
	while (n_files) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[--n_files]);
		unlink(path);
	}
	return 0;
}

static void read_all(const char *controllers, struct arena *arena, struct cgroup_stats *ret, struct cgroup_end *ret_end)
{
	struct cgroup_path path = {.controllers = controllers, .path = folder};
	struct cgroup cgroup = {.paths = &path, .n_paths = 1};
	struct error e = ERROR_INIT;

	assert_int_equal(cgroup_stats_read(&cgroup, CGROUP_STATS_ALL, arena, ret, &e), 0);
	cgroup_end_read(&cgroup, ret_end);
}

static void test_v2(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_stats s;
	struct cgroup_end end;
	char text[200];

	(void)state;
	put("cpu.stat",
	    "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 77\n");
	put("cpu.max", "50000 100000\n");
	put("cpu.pressure",
	    "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=56\n");
	put("memory.current", "1048576\n");
	put("memory.max", "2097152\n");
	put("memory.peak", "2000000\n");
	put("memory.swap.current", "4096\n");
	put("memory.swap.max", "max\n");
	put("memory.events", "low 0\nhigh 3\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n");
	put("memory.stat", "anon 100\nfile 200\nkernel 300\nsock 50\n");
	put("pids.current", "7\n");
	put("pids.max", "max\n");
	put("pids.events", "max 9\n");
	put("io.stat",
	    "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n7:3 rbytes=1 wbytes=0 rios=1 wios=0 "
	    "dbytes=0 dios=0\n");
	put("hugetlb.2MB.current", "2097152\n");
	put("hugetlb.2MB.max", "max\n");
	put("hugetlb.2MB.events", "max 5\n");
	put("rdma.current", "mlx5_1 hca_handle=2 hca_object=2000\n");
	put("rdma.max", "mlx5_1 hca_handle=3 hca_object=max\n");
	read_all("", &arena, &s, &end);

	assert_int_equal(s.cpu.total, 5000000);
	assert_int_equal(s.cpu.user, 3000000);
	assert_int_equal(s.cpu.kernel, 2000000);
	assert_int_equal(s.cpu.throttled_periods, 4);
	assert_int_equal(s.cpu.throttled_time, 77000);
	assert_int_equal(s.cpu.quota, 50000);
	assert_int_equal(s.cpu.period, 100000);
	assert_true(s.cpu.pressure.present && s.cpu.pressure.some.avg10 == 1.5 && s.cpu.pressure.some.total == 1234);
	assert_int_equal(s.cpu.pressure.full.total, 56);
	assert_int_equal(s.memory.usage.usage, 1048576);
	assert_int_equal(s.memory.usage.limit, 2097152);
	assert_int_equal(s.memory.usage.max, 2000000);
	assert_int_equal(s.memory.usage.failures, 12);
	assert_int_equal(s.memory.swap.usage, 1048576 + 4096);
	assert_true(s.memory.swap.limit == CGROUP_UNLIMITED);
	assert_int_equal(s.memory.cache, 200);
	assert_int_equal(s.memory.n_raw, 4);
	assert_string_equal(s.memory.raw[3].name, "sock");
	assert_int_equal(s.pids.current, 7);
	assert_true(s.pids.limit == CGROUP_UNLIMITED);
	assert_int_equal(s.io.read_bytes, 4097);
	assert_int_equal(s.io.write_bytes, 8192);
	assert_int_equal(s.io.reads, 2);
	assert_int_equal(s.n_hugetlb, 1);
	assert_string_equal(s.hugetlb[0].page_size, "2MB");
	assert_int_equal(s.hugetlb[0].usage.failures, 5);
	assert_int_equal(s.n_rdma, 1);
	assert_int_equal(s.rdma[0].handles_limit, 3);
	assert_true(s.rdma[0].objects_limit == CGROUP_UNLIMITED);

	assert_int_equal(end.oom_kills, 1);
	assert_true(end.oom_own_limit);
	assert_int_equal(end.pids_refused, 9);
	assert_int_equal(end.cpu_pressure, 1234);
	assert_string_equal(cgroup_end_format(&end, text, sizeof(text)),
			    "1 process was killed at the memory limit of 2097152 bytes");

	/* Killed for the sake of somebody above: its own limit was never the reason. */
	put("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 3\noom_group_kill 0\n");
	read_all("", &arena, &s, &end);
	assert_int_equal(end.oom_kills, 3);
	assert_false(end.oom_own_limit);
	assert_non_null(strstr(cgroup_end_format(&end, text, sizeof(text)), "above the container"));
}

static void test_v1(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_stats s;
	struct cgroup_end end;

	(void)state;
	put("cpuacct.usage", "123456789\n");
	put("cpuacct.stat", "user 12\nsystem 3\n");
	put("cpuacct.usage_percpu", "100 200 \n");
	put("cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 77\n");
	put("cpu.cfs_quota_us", "-1\n");
	put("cpu.cfs_period_us", "100000\n");
	put("memory.usage_in_bytes", "4096\n");
	put("memory.max_usage_in_bytes", "1048576\n");
	put("memory.limit_in_bytes", "1048576\n");
	put("memory.failcnt", "0\n");
	put("memory.memsw.usage_in_bytes", "8192\n");
	put("memory.memsw.limit_in_bytes", "9223372036854771712\n");
	put("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	put("memory.stat", "cache 10\ntotal_cache 20\n");
	put("blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 100\n8:0 Total 4196\nTotal 4196\n");
	put("pids.current", "3\n");
	put("pids.max", "20\n");
	read_all("cpu,cpuacct,memory,blkio,pids", &arena, &s, &end);

	assert_int_equal(s.cpu.total, 123456789);
	assert_int_equal(s.cpu.user, 120000000);
	assert_int_equal(s.cpu.n_percpu, 2);
	assert_int_equal(s.cpu.percpu[1], 200);
	assert_true(s.cpu.quota == CGROUP_UNLIMITED);
	assert_int_equal(s.cpu.throttled_time, 77);
	assert_int_equal(s.memory.usage.limit, 1048576);
	assert_true(s.memory.swap.limit == CGROUP_UNLIMITED);
	assert_int_equal(s.memory.swap_only, 4096);
	assert_int_equal(s.memory.cache, 20);
	assert_int_equal(s.io.read_bytes, 4096);
	assert_int_equal(s.io.write_bytes, 100);
	assert_int_equal(s.pids.limit, 20);
	/* Full is as good as a failure counted: only one of the two counters has one. */
	assert_true(end.oom_kills == 2 && end.oom_own_limit);
}

static void test_nothing(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct cgroup_stats s;
	struct cgroup_end end;
	char text[10];

	(void)state;
	read_all("", &arena, &s, &end);
	assert_int_equal(s.cpu.total, 0);
	assert_false(s.memory.usage.present);
	assert_int_equal(end.oom_kills, 0);
	assert_string_equal(cgroup_end_format(&end, text, sizeof(text)), "");
	put("cpu.stat", "");
	put("memory.current", "rubbish");
	put("memory.stat", "no number\n\n \nkey\n");
	put("io.stat", "8:0\nrubbish\n");
	put("cpu.pressure", "some of it\n");
	put("rdma.max", "\n \n");
	read_all("", &arena, &s, &end);
	assert_int_equal(s.cpu.total, 0);
	assert_false(s.cpu.pressure.present);
}

static void test_keys(void **state)
{
	static const char text[] = "oom_group_kill 5\noom 1\nhca_handle=7 x -3\noom_kill 18446744073709551615\n";
	uint64_t n = 0;

	(void)state;
	assert_true(cgroup_text_find(text, "oom", &n) && n == 1);
	assert_true(cgroup_text_find(text, "oom_kill", &n) && n == UINT64_MAX);
	assert_true(cgroup_text_find(text, "hca_handle", &n) && n == 7);
	assert_false(cgroup_text_find(text, "handle", &n));
	assert_false(cgroup_text_find(text, "x", &n));
	assert_false(cgroup_text_find(text, "kill", &n));
	assert_false(cgroup_text_find("", "oom", &n));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_v2, clean),
	    cmocka_unit_test_teardown(test_v1, clean),
	    cmocka_unit_test_teardown(test_nothing, clean),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
