/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec/: what is refused, and in which words.  One line per rule of the OCI (tests/oci-checklist.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "spec/resources.h"
#include "tests/unit/spec_case.h"

struct refusal {
	enum place place;
	const char *members, *text; /* the error behind "config.json: " */
};

#define NS(TYPES) "\"namespaces\": [" TYPES "]"
#define MAPPED                                                                                                         \
	"\"linux\": {\"namespaces\": [{\"type\": \"user\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 7, "   \
	"\"size\": 5}],"                                                                                               \
	"\"gidMappings\": [{\"containerID\": 0, \"hostID\": 7, \"size\": 5}]}"
#define SIXTY_FIVE "a234567890123456789012345678901234567890123456789012345678901234z"
#define N(TYPE) "{\"type\": \"" TYPE "\"}"

/* clang-format off */
static const struct refusal refusals[] = {
	/* the document */
	{TOP, "\"ociVersion\": \"\"", "ociVersion: must not be empty"},
	{TOP, "\"ociVersion\": null", "ociVersion: is missing"},
	{TOP, "\"ociVersion\": 1", "ociVersion: must be a string, not a number"},
	{TOP, "\"ociVersion\": \"1.0\"", "ociVersion: must be a version like '1.3.0', not '1.0'"},
	{TOP, "\"ociVersion\": \"1.03.0\"", "ociVersion: must be a version like '1.3.0', not '1.03.0'"},
	{TOP, "\"ociVersion\": \"1.0.0-\"", "ociVersion: must be a version like '1.3.0', not '1.0.0-'"},
	{TOP, "\"ociVersion\": \"1.0.0 \"", "ociVersion: must be a version like '1.3.0', not '1.0.0 '"},
	{TOP, "\"ociVersion\": \"1.0.0\\n\"", "ociVersion: must be a version like '1.3.0', not '1.0.0?'"},
	{TOP, "\"ociVersion\": \"v1.0.0\"", "ociVersion: must be a version like '1.3.0', not 'v1.0.0'"},
	{TOP, "\"ociVersion\": \"2.0.0\"", "ociVersion: version 2.0.0 is not supported: must be 1.x.x"},
	{TOP, "\"root\": null, \"root\": {}", "root.path: is missing"},
	{TOP, "\"root\": {\"path\": \"\"}", "root.path: is missing"},
	{TOP, "\"root\": {\"path\": \"r\", \"readonly\": 1}", "root.readonly: must be a boolean, not a number"},
	{TOP, "\"root\": []", "root: must be an object, not an array"},
	{TOP, "\"hostname\": \"a\"", "hostname: can't be set without a uts namespace in linux.namespaces"},
	{TOP, "\"domainname\": \"a\"", "domainname: can't be set without a uts namespace in linux.namespaces"},
	{TOP, "\"annotations\": {\"a.b\": 1}", "annotations['a.b']: must be a string, not a number"},
	{TOP, "\"annotations\": {\"\": \"x\"}", "annotations['']: the key must not be empty"},
	{TOP, "\"annotations\": [\"x\"]", "annotations: must be an object, not an array"},

	/* process */
	{TOP, "\"process\": {\"args\": [\"a\"]}", "process.cwd: is missing"},
	{TOP, "\"process\": {\"cwd\": \"/\"}", "process.args: is missing"},
	{PROCESS, "\"cwd\": \"\"", "process.cwd: must not be empty"},
	{PROCESS, "\"cwd\": \"a/b\"", "process.cwd: must be an absolute path, not 'a/b'"},
	{PROCESS, "\"args\": []", "process.args: must not be empty"},
	{PROCESS, "\"args\": [\"a\", 1]", "process.args[1]: must be a string, not a number"},
	{PROCESS, "\"args\": \"a\"", "process.args: must be an array, not a string"},
	{PROCESS, "\"terminal\": \"yes\"", "process.terminal: must be a boolean, not a string"},
	{PROCESS, "\"env\": [\"A=1\", \"B\"]", "process.env[1]: 'B' is not of the form NAME=value"},
	{PROCESS, "\"env\": [\"=1\"]", "process.env[0]: '=1' is not of the form NAME=value"},
	{PROCESS, "\"consoleSize\": {\"height\": 1}", "process.consoleSize.width: is missing"},
	{PROCESS, "\"consoleSize\": {\"height\": 1, \"width\": 65536}",
		"process.consoleSize.width: must be 0 to 65535, not 65536"},
	{PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_FOO\", \"soft\": 1, \"hard\": 1}]",
		"process.rlimits[0].type: unknown resource limit 'RLIMIT_FOO' (did you mean 'RLIMIT_AS'?)"},
	{PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 2, \"hard\": 1}]",
		"process.rlimits[0].soft: 2 is above the hard limit, 1"},
	{PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1}]", "process.rlimits[0].soft: is missing"},
	{PROCESS, "\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}, {\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}]",
		"process.rlimits[1].type: RLIMIT_CPU is listed twice"},
	{PROCESS, "\"capabilities\": []", "process.capabilities: must be an object, not an array"},
	{PROCESS, "\"oomScoreAdj\": 1001", "process.oomScoreAdj: must be -1000 to 1000, not 1001"},
	{PROCESS, "\"oomScoreAdj\": -1001", "process.oomScoreAdj: must be -1000 to 1000, not -1001"},
	{PROCESS, "\"scheduler\": {}", "process.scheduler.policy: is missing"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_FOO\"}",
		"process.scheduler.policy: unknown scheduling policy 'SCHED_FOO' (did you mean 'SCHED_FIFO'?)"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}",
		"process.scheduler.nice: must be -20 to 19, not 20"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"priority\": 1}",
		"process.scheduler.priority: is for SCHED_FIFO and SCHED_RR only, not for SCHED_OTHER"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_FIFO\"}",
		"process.scheduler.priority: must be 1 to 99 with SCHED_FIFO"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_RR\", \"priority\": 100}",
		"process.scheduler.priority: must be 0 to 99, not 100"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_BATCH\", \"runtime\": 1}",
		"process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only, not for SCHED_BATCH"},
	{PROCESS, "\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"flags\": [\"SCHED_FLAG_X\"]}",
		"process.scheduler.flags[0]: unknown scheduling flag 'SCHED_FLAG_X' (known: SCHED_FLAG_RESET_ON_FORK, "
		"SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS, "
		"SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX)"},
	{PROCESS, "\"ioPriority\": {\"priority\": 1}", "process.ioPriority.class: is missing"},
	{PROCESS, "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_NONE\"}",
		"process.ioPriority.class: unknown I/O priority class 'IOPRIO_CLASS_NONE' (did you mean 'IOPRIO_CLASS_BE'?)"},
	{PROCESS, "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}",
		"process.ioPriority.priority: must be 0 to 7, not 8"},
	{PROCESS, "\"execCPUAffinity\": {\"initial\": \"0-\"}",
		"process.execCPUAffinity.initial: must be a list of CPUs like '0-3,7', not '0-'"},
	{PROCESS, "\"execCPUAffinity\": {\"final\": \"a\"}",
		"process.execCPUAffinity.final: must be a list of CPUs like '0-3,7', not 'a'"},
	{USER, "\"uid\": -1", "process.user.uid: must be 0 to 4294967294, not -1"},
	{USER, "\"uid\": 4294967295", "process.user.uid: must be 0 to 4294967294, not 4294967295"},
	{USER, "\"uid\": 4294967296", "process.user.uid: must be 0 to 4294967294, not 4294967296"},
	{USER, "\"uid\": 18446744073709551616", "process.user.uid: must be 0 to 4294967294, not 18446744073709551616"},
	{USER, "\"uid\": 1.0", "process.user.uid: must be a whole number, not 1.0"},
	{USER, "\"uid\": 1e3", "process.user.uid: must be a whole number, not 1000.0"},
	{USER, "\"uid\": \"1\"", "process.user.uid: must be a number, not a string"},
	{USER, "\"additionalGids\": [1, -1]", "process.user.additionalGids[1]: must be 0 to 4294967294, not -1"},
	{USER, "\"umask\": 512", "process.user.umask: must be 0 to 511, not 512"},

	/* hooks */
	{TOP, "\"hooks\": {\"poststop\": [{}]}", "hooks.poststop[0].path: is missing"},
	{TOP, "\"hooks\": {\"prestart\": [{\"path\": \"a\"}]}",
		"hooks.prestart[0].path: must be an absolute path, not 'a'"},
	{TOP, "\"hooks\": {\"poststart\": [{\"path\": \"/a\", \"timeout\": 0}]}",
		"hooks.poststart[0].timeout: must be 1 to 4294967295, not 0"},
	{TOP, "\"hooks\": {\"poststart\": [{\"path\": \"/a\", \"timeout\": -1}]}",
		"hooks.poststart[0].timeout: must be 1 to 4294967295, not -1"},

	/* mounts */
	{MOUNTS, "{\"type\": \"proc\"}", "mounts[0].destination: is missing"},
	{MOUNTS, "{\"destination\": \"\"}", "mounts[0].destination: must not be empty"},
	{MOUNTS, "{\"destination\": \"/a\", \"options\": [\"bind\"]}",
		"mounts[0].source: is missing: a bind mount needs one"},
	{MOUNTS, "{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\", \"ro\", \"size=1\"]}",
		"mounts[0].options: a bind mount takes no option of a file system: 'size=1'"},
	{MOUNTS, "{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\"], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]}",
		"mounts[0]: has uidMappings but no gidMappings"},
	{MOUNTS, "{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\"], \"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]}",
		"mounts[0]: has gidMappings but no uidMappings"},
	{MOUNTS, "{\"destination\": \"/a\", \"type\": \"tmpfs\", \"options\": [\"idmap\"]}",
		"mounts[0]: only a bind mount can have its ids mapped"},
	{MOUNTS, "{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\", \"idmap\"]}",
		"mounts[0]: ids can't be mapped: neither the mount nor the container has mappings"},
	{MOUNTS, "{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\", \"idmap=uids=0-1\"]}",
		"mounts[0].options[1]: 'idmap=uids=0-1': must be idmap=uids=FROM-TO-LENGTH[#...];gids=FROM-TO-LENGTH[#...]"},

	/* namespaces and what needs them */
	{LINUX, NS(N("pids")), "linux.namespaces[0].type: unknown namespace type 'pids' (did you mean 'pid'?)"},
	{LINUX, NS("{}"), "linux.namespaces[0].type: is missing"},
	{LINUX, NS("{\"type\": \"pid\", \"path\": \"a\"}"), "linux.namespaces[0].path: must be an absolute path, not 'a'"},
	{LINUX, NS(N("pid") "," N("ipc") "," N("pid")), "linux.namespaces[2].type: namespace 'pid' is listed twice"},
	{LINUX, "\"namespaces\": {}", "linux.namespaces: must be an array, not an object"},
	{LINUX, "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]",
		"linux.uidMappings: needs a user namespace in linux.namespaces"},
	{LINUX, NS(N("user")), "linux.uidMappings: is missing: a new user namespace needs it"},
	{LINUX, NS(N("user")) ", \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]",
		"linux.gidMappings: is missing: a new user namespace needs it"},
	{LINUX, "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 0}]",
		"linux.uidMappings[0].size: must be 1 to 4294967295, not 0"},
	{LINUX, "\"uidMappings\": [{\"containerID\": 2, \"hostID\": 0, \"size\": 4294967295}]",
		"linux.uidMappings[0].size: 4294967295 ids reach beyond the last id, 4294967295"},
	{LINUX, NS(N("user")) ", \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 5}, {\"containerID\": 4, \"hostID\": 9, \"size\": 1}],"
		"\"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 5}]", "linux.uidMappings[1]: overlaps with mapping 0"},
	{LINUX, "\"timeOffsets\": {\"monotonic\": {\"secs\": 1}}",
		"linux.timeOffsets: needs a time namespace in linux.namespaces"},
	{LINUX, NS("{\"type\": \"time\", \"path\": \"/t\"}") ", \"timeOffsets\": {\"monotonic\": {\"secs\": 1}}",
		"linux.timeOffsets: can't be changed in the joined time namespace '/t'"},
	{LINUX, "\"timeOffsets\": {\"realtime\": {\"secs\": 1}}",
		"linux.timeOffsets.realtime: unknown clock 'realtime'"},
	{LINUX, "\"timeOffsets\": {\"boottime\": {\"nanosecs\": 1000000000}}",
		"linux.timeOffsets.boottime.nanosecs: must be 0 to 999999999, not 1000000000"},
	{LINUX, "\"maskedPaths\": [\"proc\"]", "linux.maskedPaths[0]: must be an absolute path, not 'proc'"},
	{LINUX, "\"readonlyPaths\": [\"/a\", \"\"]", "linux.readonlyPaths[1]: must be an absolute path, not ''"},
	{LINUX, "\"maskedPaths\": [\"/proc\"]", "linux.maskedPaths: needs a mount namespace in linux.namespaces"},
	{LINUX, "\"netDevices\": {\"eth0\": {}}", "linux.netDevices: needs a network namespace in linux.namespaces"},
	{LINUX, "\"netDevices\": {\"eth/0\": {}}", "linux.netDevices.eth/0: 'eth/0' is no name of a network device"},
	{LINUX, "\"netDevices\": {\"sixteen-letters-\": {}}",
		"linux.netDevices.sixteen-letters-: 'sixteen-letters-' is no name of a network device"},
	{LINUX, "\"netDevices\": {\"eth0\": {\"name\": \"a b\"}}",
		"linux.netDevices.eth0.name: 'a b' is no name of a network device"},
	{LINUX, "\"netDevices\": {\"eth0\": {\"name\": \"a%d%d\"}}",
		"linux.netDevices.eth0.name: 'a%d%d' is no name of a network device"},
	{LINUX, "\"netDevices\": {\"eth0\": {\"name\": \"a%s\"}}",
		"linux.netDevices.eth0.name: 'a%s' is no name of a network device"},
	{LINUX, NS(N("network")) ", \"netDevices\": {\"eth0\": {}, \"eth1\": {\"name\": \"eth0\"}}",
		"linux.netDevices.eth1.name: 'eth0' is the name of 'eth0' too"},

	/* sysctls */
	{LINUX, "\"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}",
		"linux.sysctl['net.ipv4.ip_forward']: needs the container's own network namespace in linux.namespaces"},
	{LINUX, NS(N("network")) ", \"sysctl\": {\"kernel.shmmax\": \"1\"}",
		"linux.sysctl['kernel.shmmax']: needs the container's own ipc namespace in linux.namespaces"},
	{LINUX, NS(N("uts")) ", \"sysctl\": {\"kernel.hostname\": \"a\"}",
		"linux.sysctl['kernel.hostname']: is set by the key hostname"},
	{LINUX, NS(N("ipc")) ", \"sysctl\": {\"vm.swappiness\": \"1\"}",
		"linux.sysctl['vm.swappiness']: is not kept apart by any namespace: it would change the host"},
	{LINUX, NS(N("ipc")) ", \"sysctl\": {\"kernel.core_pattern\": \"|/x\"}",
		"linux.sysctl['kernel.core_pattern']: is not kept apart by any namespace: it would change the host"},
	{LINUX, NS(N("ipc")) ", \"sysctl\": {\"kernel.shmmaxx\": \"1\"}",
		"linux.sysctl['kernel.shmmaxx']: is not kept apart by any namespace: it would change the host"},
	{LINUX, NS(N("network")) ", \"sysctl\": {\"net.\": \"1\"}", "linux.sysctl['net.']: is no name of a sysctl"},
	{LINUX, NS(N("network")) ", \"sysctl\": {\"net..a\": \"1\"}", "linux.sysctl['net..a']: is no name of a sysctl"},
	{LINUX, NS(N("network")) ", \"sysctl\": {\"net.//.//.kernel.core_pattern\": \"1\"}",
		"linux.sysctl['net.//.//.kernel.core_pattern']: is no name of a sysctl"},
	{LINUX, NS(N("network")) ", \"sysctl\": {\"net/../kernel/core_pattern\": \"1\"}",
		"linux.sysctl['net/../kernel/core_pattern']: is no name of a sysctl"},
	{LINUX, NS(N("ipc")) ", \"sysctl\": {\"kernel.shmmax+kernel.core_pattern\": \"1\"}",
		"linux.sysctl['kernel.shmmax+kernel.core_pattern']: is no name of a sysctl"},
	{LINUX, NS(N("ipc")) ", \"sysctl\": {\"kernel.shmmax\": 1}",
		"linux.sysctl['kernel.shmmax']: must be a string, not a number"},
	{LINUX, NS(N("ipc")) ", \"sysctl\": {\"kernel.shmmax\": \"1\", \"kernel/shmmax\": \"2\"}",
		"linux.sysctl['kernel.shmmax']: is listed twice"},

	/* devices */
	{LINUX, "\"devices\": [{\"type\": \"c\", \"major\": 1, \"minor\": 3}]", "linux.devices[0].path: is missing"},
	{LINUX, "\"devices\": [{\"path\": \"a\", \"type\": \"c\", \"major\": 1, \"minor\": 3}]",
		"linux.devices[0].path: must be an absolute path, not 'a'"},
	{LINUX, "\"devices\": [{\"path\": \"/a\", \"type\": \"x\", \"major\": 1, \"minor\": 3}]",
		"linux.devices[0].type: unknown device type 'x' (known: c, u, b, p)"},
	{LINUX, "\"devices\": [{\"path\": \"/a\", \"type\": \"c\", \"minor\": 3}]",
		"linux.devices[0].major: is missing"},
	{LINUX, "\"devices\": [{\"path\": \"/a\", \"type\": \"b\", \"major\": 3}]",
		"linux.devices[0].minor: is missing"},
	{LINUX, "\"devices\": [{\"path\": \"/a\", \"type\": \"b\", \"major\": -1, \"minor\": 1}]",
		"linux.devices[0].major: must be 0 to 4294967295, not -1"},
	{RESOURCES, "\"devices\": [{\"access\": \"rwm\"}]", "linux.resources.devices[0].allow: is missing"},
	{RESOURCES, "\"devices\": [{\"allow\": true}]", "linux.resources.devices[0].access: is missing"},
	{RESOURCES, "\"devices\": [{\"allow\": true, \"access\": \"\"}]",
		"linux.resources.devices[0].access: must not be empty"},
	{RESOURCES, "\"devices\": [{\"allow\": true, \"access\": \"rwx\"}]",
		"linux.resources.devices[0].access: must be letters of 'rwm', not 'rwx'"},
	{RESOURCES, "\"devices\": [{\"allow\": true, \"access\": \"r\", \"type\": \"p\"}]",
		"linux.resources.devices[0].type: unknown device type 'p' (known: a, c, b)"},

	/* resources */
	{MEMORY, "\"limit\": -2", "linux.resources.memory.limit: must be -1 to 9223372036854775807, not -2"},
	{MEMORY, "\"limit\": 9223372036854775808",
		"linux.resources.memory.limit: must be -1 to 9223372036854775807, not 9223372036854775808"},
	{MEMORY, "\"limit\": \"1G\"", "linux.resources.memory.limit: must be a number, not a string"},
	{MEMORY, "\"limit\": 1000, \"swap\": 999",
		"linux.resources.memory.swap: 999 is below memory.limit, 1000: it is memory and swap together"},
	{MEMORY, "\"swappiness\": 101", "linux.resources.memory.swappiness: must be 0 to 100, not 101"},
	{CPU, "\"quota\": 1000, \"burst\": 1001", "linux.resources.cpu.burst: 1001 is above the quota, 1000"},
	{CPU, "\"cpus\": \"0-3,\"", "linux.resources.cpu.cpus: must be a list of CPUs like '0-3,7', not '0-3,'"},
	{CPU, "\"cpus\": \"1\\n\"", "linux.resources.cpu.cpus: must be a list of CPUs like '0-3,7', not '1?'"},
	{CPU, "\"mems\": \"3-1\"", "linux.resources.cpu.mems: must be a list of memory nodes like '0-1', not '3-1'"},
	{CPU, "\"idle\": 2", "linux.resources.cpu.idle: must be 0 to 1, not 2"},
	{CPU, "\"shares\": -1", "linux.resources.cpu.shares: must be 0 to 18446744073709551615, not -1"},
	{RESOURCES, "\"pids\": {\"limit\": -2}",
		"linux.resources.pids.limit: must be -1 to 9223372036854775807, not -2"},
	{RESOURCES, "\"blockIO\": {\"weight\": 9}", "linux.resources.blockIO.weight: must be 10 to 1000, not 9"},
	{RESOURCES, "\"blockIO\": {\"weight\": 1001}", "linux.resources.blockIO.weight: must be 0 to 1000, not 1001"},
	{RESOURCES, "\"blockIO\": {\"weightDevice\": [{\"major\": 1, \"minor\": 1}]}",
		"linux.resources.blockIO.weightDevice[0]: needs weight or leafWeight"},
	{RESOURCES, "\"blockIO\": {\"weightDevice\": [{\"major\": 1, \"minor\": 1, \"weight\": 9}]}",
		"linux.resources.blockIO.weightDevice[0].weight: must be 10 to 1000, not 9"},
	{RESOURCES, "\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 1, \"minor\": 1}]}",
		"linux.resources.blockIO.throttleReadBpsDevice[0].rate: is missing"},
	{RESOURCES, "\"hugepageLimits\": [{\"limit\": 1}]", "linux.resources.hugepageLimits[0].pageSize: is missing"},
	{RESOURCES, "\"network\": {\"priorities\": [{\"name\": \"a\"}]}",
		"linux.resources.network.priorities[0].priority: is missing"},
	{RESOURCES, "\"rdma\": {\"mlx5\": {}}", "linux.resources.rdma.mlx5: needs hcaHandles or hcaObjects"},
	{RESOURCES, "\"unified\": {\"../a\": \"1\"}",
		"linux.resources.unified['../a']: '../a' is no name of a cgroup file"},
	{RESOURCES, "\"unified\": {\"..\": \"1\"}", "linux.resources.unified['..']: '..' is no name of a cgroup file"},
	{RESOURCES, "\"unified\": {\"\": \"1\"}", "linux.resources.unified['']: '' is no name of a cgroup file"},
	{RESOURCES, "\"unified\": {\"memory.max\": 1}",
		"linux.resources.unified['memory.max']: must be a string, not a number"},

	/* the rest of linux */
	{LINUX, "\"rootfsPropagation\": \"foo\"", "linux.rootfsPropagation: unknown propagation 'foo' (known: shared, slave, private, unbindable, "
		"rshared, rslave, rprivate, runbindable)"},
	{LINUX, "\"personality\": {\"domain\": \"BSD\"}",
		"linux.personality.domain: unknown personality domain 'BSD' (known: LINUX, LINUX32)"},
	{LINUX, "\"personality\": {}", "linux.personality.domain: is missing"},
	{LINUX, "\"memoryPolicy\": {\"mode\": \"MPOL_FOO\"}",
		"linux.memoryPolicy.mode: unknown memory policy 'MPOL_FOO' (known: MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, "
		"MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE)"},
	{LINUX, "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\"}",
		"linux.memoryPolicy.nodes: is missing: MPOL_BIND needs it"},
	{LINUX, "\"memoryPolicy\": {\"mode\": \"MPOL_LOCAL\", \"nodes\": \"0\"}",
		"linux.memoryPolicy.nodes: must be absent with MPOL_LOCAL"},
	{LINUX, "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"x\"}",
		"linux.memoryPolicy.nodes: must be a list of memory nodes like '0-1', not 'x'"},
	{LINUX, "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", \"flags\": [\"MPOL_F_STATIC_NODES\", \"MPOL_F_RELATIVE_NODES\"]}",
		"linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other"},
	{LINUX, "\"memoryPolicy\": {\"mode\": \"MPOL_PREFERRED\", \"flags\": [\"MPOL_F_STATIC_NODES\"]}",
		"linux.memoryPolicy.nodes: is missing: the flags need it"},
	{LINUX, "\"intelRdt\": {\"closID\": \"a/b\"}", "linux.intelRdt.closID: 'a/b' is no name of a resctrl group"},
	{LINUX, "\"intelRdt\": {\"closID\": \"..\"}", "linux.intelRdt.closID: '..' is no name of a resctrl group"},
	{LINUX, "\"intelRdt\": {\"l3CacheSchema\": \"MB:0=1\"}",
		"linux.intelRdt.l3CacheSchema: must begin with 'L3', not 'MB:0=1'"},
	{LINUX, "\"intelRdt\": {\"memBwSchema\": \"L3:0=1\"}",
		"linux.intelRdt.memBwSchema: must begin with 'MB:', not 'L3:0=1'"},
	{LINUX, "\"intelRdt\": {\"memBwSchema\": \"MB:0=1\\nL3:0=1\"}",
		"linux.intelRdt.memBwSchema: must not have a newline"},
	{LINUX, "\"intelRdt\": {\"schemata\": [\"L2:0=1\", \"a\\nb\"]}",
		"linux.intelRdt.schemata[1]: must not have a newline"},

	/* seccomp */
	{LINUX, "\"seccomp\": {}", "linux.seccomp.defaultAction: is missing"},
	{SECCOMP, "\"defaultAction\": \"ERRNO\"", "linux.seccomp.defaultAction: unknown seccomp action 'ERRNO' (known: SCMP_ACT_ALLOW, "
		"SCMP_ACT_ERRNO, SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_LOG, "
		"SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_TRAP)"},
	{SECCOMP, "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"defaultErrnoRet\": 1",
		"linux.seccomp.defaultErrnoRet: is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE only, not for SCMP_ACT_ALLOW"},
	{SECCOMP, "\"defaultErrnoRet\": 4096", "linux.seccomp.defaultErrnoRet: must be 0 to 4095, not 4096"},
	{SECCOMP, "\"defaultAction\": \"SCMP_ACT_NOTIFY\"",
		"linux.seccomp.defaultAction: SCMP_ACT_NOTIFY can't be the default action"},
	{SECCOMP, "\"architectures\": [\"SCMP_ARCH_FOO\"]",
		"linux.seccomp.architectures[0]: unknown architecture 'SCMP_ARCH_FOO' (did you mean 'SCMP_ARCH_X86'?)"},
	{SECCOMP, "\"flags\": [\"SECCOMP_FILTER_FLAG_X\"]",
		"linux.seccomp.flags[0]: unknown seccomp flag 'SECCOMP_FILTER_FLAG_X' (did you mean 'SECCOMP_FILTER_FLAG_LOG'?)"},
	{SECCOMP, "\"listenerMetadata\": \"x\"", "linux.seccomp.listenerMetadata: needs listenerPath"},
	{SECCOMP, "\"syscalls\": [{\"names\": [\"read\"], \"action\": \"SCMP_ACT_NOTIFY\"}]",
		"linux.seccomp.listenerPath: is missing: SCMP_ACT_NOTIFY needs it"},
	{SECCOMP, "\"listenerPath\": \"/s\", \"syscalls\": [{\"names\": [\"read\", \"write\"], \"action\": \"SCMP_ACT_NOTIFY\"}]",
		"linux.seccomp.syscalls[0].names[1]: SCMP_ACT_NOTIFY can't be used for 'write'"},
	{SECCOMP, "\"syscalls\": [{\"names\": [], \"action\": \"SCMP_ACT_ALLOW\"}]",
		"linux.seccomp.syscalls[0].names: must not be empty"},
	{SECCOMP, "\"syscalls\": [{\"names\": [\"read\"]}]", "linux.seccomp.syscalls[0].action: is missing"},
	{SECCOMP, "\"syscalls\": [{\"names\": [\"read\"], \"action\": \"SCMP_ACT_KILL\", \"errnoRet\": 1}]",
		"linux.seccomp.syscalls[0].errnoRet: is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE only, not for SCMP_ACT_KILL"},
	{SECCOMP, "\"syscalls\": [{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 6, \"value\": 0, \"op\": \"SCMP_CMP_EQ\"}]}]",
		"linux.seccomp.syscalls[0].args[0].index: must be 0 to 5, not 6"},
	{SECCOMP, "\"syscalls\": [{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, \"value\": 0, \"op\": \"==\"}]}]",
		"linux.seccomp.syscalls[0].args[0].op: unknown seccomp operator '==' (known: SCMP_CMP_NE, SCMP_CMP_LT, "
		"SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ)"},

	/* ids that the user namespace does not have */
	{TOP, "\"process\": {\"cwd\": \"/\", \"args\": [\"a\"], \"user\": {\"uid\": 5}}, \"linux\": {\"namespaces\": [{\"type\": \"user\"}],"
		"\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 5}], \"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 5}]}",
		"process.user.uid: 5 is not in linux.uidMappings"},
	{TOP, "\"process\": {\"cwd\": \"/\", \"args\": [\"a\"], \"user\": {\"gid\": 5}}, " MAPPED,
		"process.user.gid: 5 is not in linux.gidMappings"},
	{TOP, "\"process\": {\"cwd\": \"/\", \"args\": [\"a\"], \"user\": {\"additionalGids\": [0, 9]}}, " MAPPED,
		"process.user.additionalGids[1]: 9 is not in linux.gidMappings"},
	{TOP, "\"mounts\": [{\"destination\": \"/a\", \"source\": \"/b\", \"options\": [\"bind\", \"idmap=uids=@0-5-1;gids=@0-0-1\"]}], " MAPPED,
		"mounts[0].options: 'idmap=uids=@0-5-1;gids=@0-0-1' names ids that the container's mappings do not have"},
	{TOP, "\"hostname\": \"" SIXTY_FIVE "\", \"linux\": {\"namespaces\": [{\"type\": \"uts\"}]}",
		"hostname: must be at most 64 bytes long"},

	/* "holm" */
	{HOLM, "\"storage\": {\"size\": \"2X\"}",
		"holm.storage.size: must be a size like '64k', '1.5G' or a number of bytes, not '2X'"},
	{HOLM, "\"stop\": {\"signal\": \"TERMINATE\"}", "holm.stop.signal: unknown signal 'TERMINATE'"},
	{HOLM, "\"stop\": {\"timeout\": 5}", "holm.stop.timeout: must be a string, not a number"},
	{HOLM, "\"stop\": {\"timeout\": \"5 s\"}",
		"holm.stop.timeout: must be a duration like '500ms', '1.5s' or '2h', not '5 s'"},
	{HOLM, "\"restart\": {\"policy\": \"maybe\"}",
		"holm.restart.policy: must be 'no', 'on-failure', 'always' or 'unless-stopped', not 'maybe'"},
	{HOLM, "\"health\": {\"action\": \"pray\"}",
		"holm.health.action: must be 'none', 'restart', 'stop' or 'kill', not 'pray'"},
	{HOLM, "\"networks\": [{}]", "holm.networks[0].network: is missing"},
	{HOLM, "\"after\": [\"a/b\"]", "holm.after[0]: 'a/b' is no name of an instance"},
};
/* clang-format on */

static void test_refusals(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *c = &refusals[i];
		struct error e = ERROR_INIT;
		char expected[1024];
		struct spec spec;

		snprintf(expected, sizeof(expected), "config.json: %s", c->text);
		if (!case_parse(c->place, c->members, &spec, &e)) {
			print_error("accepted: %s\n", c->members);
			spec_release(&spec);
			wrong++;
		} else if (!str_equal(e.text, expected) || e.kind != ERROR_INVALID) {
			print_error("expected: %s\n     got: %s\n", expected, e.text);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Whatever a number is written like, only whole decimal JSON numbers in range are one. */
static void test_numbers(void **state)
{
	static const char *const wrong[] = {"\"1\"",	  "\"1:\"", "-1",   "0x1",  "\"0x1\"", "\"1\\n\"",
					    "4294967296", "1.5",    "1e0",  "01",   "+1",      "true",
					    "[]",	  "{}",	    "\"\"", " - 1", "1 1",     "NaN"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct error e = ERROR_INIT;
		char members[64];
		struct spec spec;

		snprintf(members, sizeof(members), "\"uid\": %s", wrong[i]);
		assert_int_not_equal(case_parse(USER, members, &spec, &e), 0);
		assert_int_equal(e.kind, ERROR_INVALID);
	}
}

static void test_syntax(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
	    {"", "c: line 1, column 0: unexpected token near end of file"},
	    {"{\n  \"a\": 1,\n}", "c: line 3, column 1: string or '}' expected near '}'"},
	    {"{\"a\": \"\\u0000\"}", "c: line 1, column 14: a string has a NUL character"},
	    {"{\"\\u0000\": 1}", "c: line 1, column 9: a string has a NUL character"},
	    {"{\"n\": 99999999999999999999, \"a\": \"\\u0000\"}", "c: a string has a NUL character"},
	    {"{\"a\": \"\xff\"}", "c: line 1, column 7: unable to decode byte 0xff near '\"'"},
	    {"{} x", "c: line 1, column 4: end of file expected near 'x'"},
	    {"[]", "c: must be an object, not an array"},
	    {"99999999999999999999", "c: must be an object, not a number"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = ERROR_INIT;
		struct spec spec;

		assert_int_not_equal(spec_parse(cases[i].text, strlen(cases[i].text), "c", &spec, &e), 0);
		assert_string_equal(e.text, cases[i].error);
	}
}

/* The other entrances refuse through the same tables; paths begin at their own root. */
static void test_parts(void **state)
{
	auto_arena arena = ARENA_INIT;
	struct spec_resources *resources;
	struct error e = ERROR_INIT;
	struct spec_process *process;
	struct spec_hooks hooks;

	(void)state;
	assert_int_not_equal(spec_parse_process("{\"cwd\": \"/\"}", 12, "/tmp/p.json", &arena, &process, &e), 0);
	assert_string_equal(e.text, "/tmp/p.json: args: is missing");
	assert_int_not_equal(spec_parse_resources("{\"cpu\": {\"idle\": 3}}", 20, "-", &arena, &resources, &e), 0);
	assert_string_equal(e.text, "-: cpu.idle: must be 0 to 1, not 3");
	assert_int_not_equal(spec_parse_hooks("{\"poststop\": {}}", 16, "h", &arena, &hooks, &e), 0);
	assert_string_equal(e.text, "h: poststop: must be an array, not an object");
}

/* The kernel takes 340 extents. */
static void test_many_mappings(void **state)
{
	auto_str members = STR_INIT;
	struct error e = ERROR_INIT;
	struct spec spec;

	(void)state;
	str_add(
	    &members,
	    NS(N("user")) ", \"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}], \"uidMappings\": [");
	for (int i = 0; i <= 340; i++)
		str_addf(&members, "%s{\"containerID\": %d, \"hostID\": %d, \"size\": 1}", i ? "," : "", i, i);
	str_add(&members, "]");
	assert_int_not_equal(case_parse(LINUX, str_peek(&members), &spec, &e), 0);
	assert_string_equal(e.text,
			    "config.json: linux.uidMappings: 341 mappings are more than the 340 that the kernel takes");
}

static void test_missing_file(void **state)
{
	struct error e = ERROR_INIT;
	struct spec spec;

	(void)state;
	assert_int_equal(spec_load(-100, "/nonexistent/config.json", &spec, &e), -2);
	assert_string_equal(e.text, "read '/nonexistent/config.json'");
	assert_int_equal(e.kind, ERROR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refusals), cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_syntax),
	    cmocka_unit_test(test_parts),    cmocka_unit_test(test_missing_file), cmocka_unit_test(test_many_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
