#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cgroupsPath and linux.resources, end to end: section H of tests/oci-checklist.md.  (Each file and format: tests/unit/cgroup_limits.c.)
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# cg CONTROLLER [PID]: its folder
cg() {
	local path
	if is_pure; then
		path=$(sed -n 's/^0:://p' "/proc/${2:-$(pid_of)}/cgroup")
		echo "/sys/fs/cgroup$path"
	elif [ "$1" = unified ]; then
		echo "/sys/fs/cgroup/unified$(sed -n 's/^0:://p' "/proc/${2:-$(pid_of)}/cgroup")"
	else
		path=$(sed -n "s/^[0-9]*:\([a-z,]*,\)\?$1\(,[a-z,]*\)\?:\(.*\)/\3/p" "/proc/${2:-$(pid_of)}/cgroup")
		echo "/sys/fs/cgroup/$1$path"
	fi
}
made() {
	create && return
	not_ok "create $id" "$(cat "$work/$id.out")"
	return 1
}
# value NAME FILTER V1-CONTROLLER V1-FILE V1-VALUE V2-FILE V2-VALUE: "-": not on this kind of host
value() {
	local name=$1 controller=$3 file=$4 expected=$5
	! is_pure || { file=$6 expected=$7; }
	[ "$file" != - ] || return 0
	bundle ".linux.resources = $2"
	made || return
	is "$name" "$(xargs <"$(cg "$controller")/$file")" "$expected"
	holm delete --force "$id"
}

# Items 139-142: where
bundle ".linux.cgroupsPath = \"/$prefix-here/deep/$prefix-1\"" '.linux.resources.memory.limit = 67108864'
made
like 'an absolute path' "$(cg memory)" "/sys/fs/cgroup.*/$prefix-here/deep/$prefix-1\$"
like 'the same path is the same place, refused while it is used' "$(holm run "$id-b" 2>&1)" "linux.cgroupsPath|cgroup.*$prefix-here/deep/$prefix-1"
is 'and leaves the first alone' "$(status_of)" created
holm delete --force "$id"
is 'its own folder is removed' "$(find /sys/fs/cgroup -type d -name "$prefix-1")" ''
find /sys/fs/cgroup -depth -type d \( -path "*/$prefix-here/deep" -o -name "$prefix-here" \) -exec rmdir {} \; 2>/dev/null
bundle ".linux.cgroupsPath = \"$prefix-rel/one\"" '.linux.resources.memory.limit = 67108864'
made
like 'a relative path: below a place of holm, or its own cgroup' "$(cg memory)" "/sys/fs/cgroup/.*$prefix-rel/one\$"
holm delete --force "$id"
find /sys/fs/cgroup -depth -type d -name "$prefix-rel" -exec rmdir {} \; 2>/dev/null
bundle 'del(.linux.cgroupsPath)' '.linux.resources.memory.limit = 67108864'
made
like 'no path: named after the container' "$(cg memory)" "$id\$"
holm delete --force "$id"
for bad in '/../../x' 'a/../../../x' '..' '/a/../../../../etc'; do
	bundle ".linux.cgroupsPath = \"$bad\"" -- true
	text=$(holm run "$id" 2>&1)
	like "path '$bad' is refused, or cleaned" "$text" '^$|cgroupsPath'
done
find /sys/fs/cgroup -maxdepth 3 -depth -type d \( -name x -o -path '*/cgroup/*/etc' \) -exec rmdir {} \; 2>/dev/null
# Item 145
bundle ".linux.cgroupsPath = \"/$prefix\\tx\"" -- true
refuses 'a path with a tab, which no list of paths would bear' 'linux.cgroupsPath' holm run "$id"
bundle ".linux.cgroupsPath = \"/$prefix-busy\"" '.linux.resources.memory.limit = 67108864'
folder=/sys/fs/cgroup/memory/$prefix-busy
! is_pure || folder=/sys/fs/cgroup/$prefix-busy
mkdir "$folder"
sleep 1000 &
sleeper=$!
echo $sleeper >"$folder/cgroup.procs"
one_line_refusal 'a cgroup where others are' "$prefix-busy" 1 holm create "$id"
check 'they live on, where they were' grep -qx $sleeper "$folder/cgroup.procs"
kill $sleeper
wait $sleeper 2>/dev/null
wait_for 5 rmdir "$folder"
# Item 146
if ! is_pure && [ -d /sys/fs/cgroup/unified ]; then
	bundle '.linux.resources.memory.limit = 67108864'
	made
	isnt 'hybrid: in the v2 hierarchy too' "$(cg unified)" /sys/fs/cgroup/unified/
	holm delete --force "$id"
fi

# Items 151-156: memory
value 'memory.limit' '{"memory": {"limit": 67108864}}' memory memory.limit_in_bytes 67108864 memory.max 67108864
value 'memory.reservation' '{"memory": {"reservation": 33554432}}' memory memory.soft_limit_in_bytes 33554432 memory.low 33554432
value 'memory.swap' '{"memory": {"limit": 67108864, "swap": 134217728}}' memory memory.memsw.limit_in_bytes 134217728 memory.swap.max 67108864
value 'memory.limit -1' '{"memory": {"limit": -1}}' memory memory.limit_in_bytes 9223372036854771712 memory.max max
value 'memory.swappiness' '{"memory": {"swappiness": 7}}' memory memory.swappiness 7 - -
value 'memory.disableOOMKiller' '{"memory": {"disableOOMKiller": true}}' memory memory.oom_control 'oom_kill_disable 1 under_oom 0 oom_kill 0' - -
value 'memory.kernel and kernelTCP are ignored' '{"memory": {"limit": 67108864, "kernel": 33554432, "kernelTCP": 33554432}}' memory memory.limit_in_bytes 67108864 memory.max 67108864
value 'memory.useHierarchy' '{"memory": {"limit": 67108864, "useHierarchy": true}}' memory memory.use_hierarchy 1 - -
value 'memory.checkBeforeUpdate' '{"memory": {"limit": 67108864, "checkBeforeUpdate": true}}' memory memory.limit_in_bytes 67108864 memory.max 67108864
refused 'swap below the limit' 'config.json: linux.resources.memory.swap: ' '.linux.resources.memory = {"limit": 67108864, "swap": 1048576}'
refused 'swappiness 101' 'config.json: linux.resources.memory.swappiness: ' '.linux.resources.memory.swappiness = 101'
refused 'too little memory to start says so' 'memory' '.linux.resources.memory.limit = 8192'
# Items 157-162: cpu
value 'cpu.shares' '{"cpu": {"shares": 512}}' cpu cpu.shares 512 cpu.weight "$(printf '%s' 59)"
value 'cpu.quota and period' '{"cpu": {"quota": 50000, "period": 200000}}' cpu cpu.cfs_quota_us 50000 cpu.max '50000 200000'
value 'cpu.period alone' '{"cpu": {"period": 200000}}' cpu cpu.cfs_period_us 200000 cpu.max 'max 200000'
value 'cpu.quota -1' '{"cpu": {"quota": -1}}' cpu cpu.cfs_quota_us -1 cpu.max 'max 100000'
value 'cpu.burst' '{"cpu": {"quota": 50000, "burst": 20000}}' cpu cpu.cfs_burst_us 20000 cpu.max.burst 20000
value 'cpu.idle' '{"cpu": {"idle": 1, "shares": 1024}}' cpu cpu.idle 1 cpu.idle 1
value 'cpu.cpus' '{"cpu": {"cpus": "0"}}' cpuset cpuset.cpus 0 cpuset.cpus 0
value 'cpu.mems' '{"cpu": {"cpus": "0", "mems": "0"}}' cpuset cpuset.mems 0 cpuset.mems 0
refused 'a burst above the quota' 'config.json: linux.resources.cpu.burst: ' '.linux.resources.cpu = {"quota": 10000, "burst": 20000}'
refused 'a CPU that is not there' 'linux.resources.cpu.cpus.*999' '.linux.resources.cpu.cpus = "999"'
refused 'bad CPUs' 'config.json: linux.resources.cpu.cpus: ' '.linux.resources.cpu.cpus = "a"'
if ! is_pure && [ ! -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]; then
	refused 'realtime where the kernel has none' 'linux.resources.cpu.realtimeRuntime' '.linux.resources.cpu = {"realtimeRuntime": 5000, "realtimePeriod": 1000000}'
fi
# Items 163-165: block I/O
disk=$(lsblk -dnr -o MAJ:MIN,TYPE 2>/dev/null | sed -n 's/ disk$//p' | head -n 1)
if [ -n "$disk" ]; then
	throttle="[{\"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"rate\": 1048576}]"
	value 'blockIO.throttleReadBpsDevice' "{\"blockIO\": {\"throttleReadBpsDevice\": $throttle}}" blkio blkio.throttle.read_bps_device "$disk 1048576" io.max "$disk rbps=1048576 wbps=max riops=max wiops=max"
	value 'blockIO.throttleWriteBpsDevice' "{\"blockIO\": {\"throttleWriteBpsDevice\": $throttle}}" blkio blkio.throttle.write_bps_device "$disk 1048576" io.max "$disk rbps=max wbps=1048576 riops=max wiops=max"
	value 'blockIO.throttleReadIOPSDevice' "{\"blockIO\": {\"throttleReadIOPSDevice\": $throttle}}" blkio blkio.throttle.read_iops_device "$disk 1048576" io.max "$disk rbps=max wbps=max riops=1048576 wiops=max"
	value 'blockIO.throttleWriteIOPSDevice' "{\"blockIO\": {\"throttleWriteIOPSDevice\": $throttle}}" blkio blkio.throttle.write_iops_device "$disk 1048576" io.max "$disk rbps=max wbps=max riops=max wiops=1048576"
fi
bundle '.linux.resources.blockIO.weight = 500'
if create; then
	folder=$(cg blkio)
	is 'blockIO.weight' "$(cat "$folder"/blkio.{weight,bfq.weight} "$folder"/io.{bfq.weight,weight} 2>/dev/null | head -n 1 | tr -dc 0-9)" 500
	holm delete --force "$id"
else
	like 'a weight where the kernel has none' "$(cat "$work/$id.out")" 'linux.resources.blockIO.weight'
fi
is_pure || refused 'a leaf weight, which no kernel has' 'linux.resources.blockIO.leafWeight' '.linux.resources.blockIO.leafWeight = 500'
refused 'weight 5' 'config.json: linux.resources.blockIO.weight: ' '.linux.resources.blockIO.weight = 5'
refused 'a weightDevice without a weight' 'config.json: linux.resources.blockIO.weightDevice\[0\]: ' '.linux.resources.blockIO.weightDevice = [{"major": 8, "minor": 0}]'
# Items 166, 167, 169: hugetlb, network, rdma
size=$(ls /sys/kernel/mm/hugepages 2>/dev/null | sed -n 's/hugepages-2048kB/2MB/p')
if [ -n "$size" ] && grep -qs hugetlb /sys/fs/cgroup/unified/cgroup.controllers /sys/fs/cgroup/cgroup.controllers; then
	bundle '.linux.resources.hugepageLimits = [{"pageSize": "2MB", "limit": 4194304}]'
	if made; then
		is 'hugepageLimits' "$(cat "$(cg unified)/hugetlb.2MB.max" "$(cg unified)/hugetlb.2MB.rsvd.max" 2>/dev/null | xargs)" '4194304 4194304'
		holm delete --force "$id"
	fi
fi
refused 'a page size that is not there' 'linux.resources.hugepageLimits\[0\].*3MB' '.linux.resources.hugepageLimits = [{"pageSize": "3MB", "limit": 4194304}]'
refused 'hugepages by no size' 'config.json: linux.resources.hugepageLimits\[0\].pageSize: ' '.linux.resources.hugepageLimits = [{"limit": 4194304}]'
if [ ! -d /sys/fs/cgroup/net_cls ]; then
	refused 'a class where there is no controller' 'linux.resources.network.classID.*net_cls' '.linux.resources.network.classID = 1048577'
	refused 'a priority where there is no controller' 'linux.resources.network.priorities.*net_prio' '.linux.resources.network.priorities = [{"name": "lo", "priority": 1}]'
fi
refused 'rdma with nothing in it' 'config.json: linux.resources.rdma' '.linux.resources.rdma = {"mlx5_0": {}}'
if ! grep -qs rdma /proc/cgroups; then
	refused 'rdma where there is no controller' 'linux.resources.rdma.*rdma' '.linux.resources.rdma = {"mlx5_0": {"hcaHandles": 3}}'
fi
# Item 168: pids
value 'pids.limit' '{"pids": {"limit": 33}}' pids pids.max 33 pids.max 33
value 'pids.limit -1' '{"pids": {"limit": -1}}' pids - - pids.max max
bundle '.linux.resources.pids.limit = 3' -- sh -c 'sleep 1 & sleep 1 & sleep 1 & wait'
like 'a limit of pids holds' "$(holm run "$id" 2>&1)" "can't fork"
# Items 170, 171: unified
for bad in ../cgroup.procs a/b '' . ..; do
	refused "unified '$bad'" 'config.json: linux.resources.unified' ".linux.resources.unified = {\"$bad\": \"1\"}"
done
if is_pure; then
	bundle '.linux.resources.unified = {"memory.high": "33554432", "pids.max": "44"} | .linux.resources.pids.limit = 33'
	made
	is 'unified, and it wins' "$(cat "$(cg x)/memory.high" "$(cg x)/pids.max" | xargs)" '33554432 44'
	holm delete --force "$id"
	refused 'a controller that is not there' 'linux.resources.unified.*nosuch' '.linux.resources.unified = {"nosuch.max": "1"}'
else
	refused 'unified of a controller that is bound to v1' 'linux.resources.unified.*memory' '.linux.resources.unified = {"memory.high": "33554432"}'
fi

# Item 172: limits are there before the first hook and the program
bundle ".hooks.createRuntime = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"cp /proc/\$(sed 's/.*\\\"pid\\\":\\\\([0-9]*\\\\).*/\\\\1/')/cgroup $work/in-hook\"]}] | .linux.resources.memory.limit = 67108864"
holm run "$id" >/dev/null 2>&1
like 'the cgroup is entered before the hooks' "$(cat "$work/in-hook")" "$id"
runs 'and memory is limited' 'killed' '.linux.resources.memory.limit = 33554432' -- sh -c 'probe eat 64 >/dev/null 2>&1 && echo eaten || echo killed'
bundle '.linux.resources = {"memory": {"limit": 67108864}, "pids": {"limit": 50}}' -- sleep 1000
run_detached
check 'update' holm update --pids-limit 60 "$id"
if is_pure; then
	is 'update changes that and nothing else' "$(cat "$(cg x)/pids.max" "$(cg x)/memory.max" | xargs)" '60 67108864'
else
	is 'update changes that and nothing else' "$(cat "$(cg pids)/pids.max" "$(cg memory)/memory.limit_in_bytes" | xargs)" '60 67108864'
fi
# Item 173: what the container made below its cgroup goes too
folder=$(cg memory)
mkdir -p "$folder/a/b" "$folder/c"
holm delete --force "$id"
is 'children are removed, parents kept' "$(ls -d "$folder" "${folder%/*}" 2>/dev/null)" "${folder%/*}"
# However deep it went, and whatever it called them
# shellcheck disable=SC2016 # for the payload's shell
bundle '.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]' -- sh -c 'cd /sys/fs/cgroup; [ ! -d unified ] || cd unified
	n=0; while [ $n -lt 300 ] && mkdir .deep && cd .deep; do n=$((n + 1)); done
	sleep 1000 & echo $! >cgroup.procs; echo $n; exec sleep 1000'
run_detached
check 'it makes many folders, one in the other' wait_for 30 eval 'grep -qx 300 "$work/$id.out"'
like 'ps sees who is in the last one' "$(holm ps "$id" | wc -l)" '^3$'
folder=$(holm state "$id" | jq -r .cgroup 2>/dev/null)
check 'delete --force' holm delete --force "$id"
is 'no folder stays' "$(find /sys/fs/cgroup -name "*$id*" 2>/dev/null)" ''
