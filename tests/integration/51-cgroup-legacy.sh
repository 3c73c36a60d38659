#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A legacy host: every controller on cgroup v1, no cgroup v2, and controllers that hybrid hosts often lack.
# where: legacy
# tags: serial
# timeout: 180
if [ -z "${HOLM_LEGACY:-}" ]; then
	HOLM_LEGACY=1 exec unshare -m --propagation private "$0"
fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"

umount /sys/fs/cgroup && mount -t tmpfs -o mode=755 none /sys/fs/cgroup || skip_all 'no tmpfs of its own'
for list in cpu,cpuacct cpuset memory blkio pids devices freezer hugetlb net_cls,net_prio rdma; do
	mkdir "/sys/fs/cgroup/$list"
	bound() { mount -t cgroup -o "$list" none "/sys/fs/cgroup/$list"; }
	if wait_for 5 bound; then
		for name in ${list//,/ }; do [ "$name" = "$list" ] || ln -s "$list" "/sys/fs/cgroup/$name"; done
	else
		rmdir "/sys/fs/cgroup/$list"
		not_ok "the kernel has $list"
	fi
done

like 'check knows' "$(holm check)" 'cgroups +yes +legacy'
bundle '.linux.resources = {memory: {limit: 33554432, swap: 33554432, swappiness: 10}, pids: {limit: 9},
		cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0", mems: "0"}}' \
	'.linux.resources.network = {classID: 1048577, priorities: [{name: "lo", priority: 3}]}' \
	'.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]' -- sh -c 'exec sleep 600'
run_detached
is 'memory' "$(limit memory.limit_in_bytes) $(limit memory.swappiness)" '33554432 10'
is 'cpu' "$(limit cpu.shares) $(limit cpu.cfs_quota_us)" '512 50000'
is 'cpuset' "$(limit cpuset.cpus) $(limit cpuset.mems)" '0 0'
is 'pids' "$(limit pids.max)" 9
is 'network class' "$(limit net_cls.classid)" 1048577
like 'network priorities' "$(limit net_prio.ifpriomap)" 'lo 3'
is 'huge pages' "$(limit hugetlb.2MB.limit_in_bytes)" 4194304
is 'and their reservations' "$(limit hugetlb.2MB.rsvd.limit_in_bytes)" 4194304
is 'init is in all of them' "$(grep -c "$id\$" "/proc/$(pid_of)/cgroup")" "$(find /sys/fs/cgroup -type d -name "*$id" | wc -l)"
holm exec "$id" probe eat 64M >/dev/null 2>&1
isnt 'the memory limit holds' "$?" 0
is 'and only against who ate' "$(status_of)" running
check 'update' holm update --pids-limit 12 --memory 40M --memory-swap 40M "$id"
is 'arrives' "$(limit pids.max) $(limit memory.limit_in_bytes)" '12 41943040'
refuses 'what fails at the end' 'cpus' holm update --pids-limit 13 --cpuset-cpus 4000 "$id"
is 'changes nothing' "$(limit pids.max) $(limit cpuset.cpus)" '12 0'
refuses 'a file of cgroup v2' 'no cgroup v2' holm update --memory-high 5M "$id"
check 'pause' holm pause "$id"
is 'freezes' "$(limit freezer.state) $(status_of)" 'FROZEN paused'
refuses 'exec into it' 'paused' holm exec "$id" true
check 'resume' holm resume "$id"
check 'pause again' holm pause "$id"
check 'kill' holm kill "$id" KILL
check 'thaws' wait_status stopped
fact 'the end tells the kill' "$(holm state "$id")" '.end.oomKills == 1 and (.end.why | test("memory limit of"))'
check 'delete' holm delete "$id"
bundle '.linux.resources.rdma = {nonesuch: {hcaHandles: 3}}'
refuses 'rdma for a device that is not there' "rdma\['nonesuch'\]" holm run "$id"
bundle -- sleep 600
config '.linux.cgroupsPath = $p' --arg p "/$prefix-shared"
run_detached
first=$id
bundle
config '.linux.cgroupsPath = $p' --arg p "/$prefix-shared"
refuses 'a populated cgroup is refused' 'in use: processes are in it' holm run "$id"
is 'its owner goes on' "$(status_of "$first")" running
bundle -- sh -c 'head -c 1 /dev/mem; echo "mem $?"; echo x >/dev/null && echo null'
like 'devices' "$(holm run "$id" 2>&1)" 'mem [1-9].*null'
# counts N: so many processes are told
counts() {
	holm events --stats "$id" | jq -e ".data.pids.current == $1" >/dev/null
}

bundle -- sh -c 'sleep 600 & exec sleep 600'
run_detached
check 'no folder for pids without a limit' [ ! -e "/sys/fs/cgroup/pids/holm-$id" ]
check 'processes are counted all the same' wait_for 10 counts 2
