#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every limit holds, or is refused by name; freezing; whose cgroup it is.
# where: host bare
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# --- memory ---

bundle '.linux.resources.memory = {limit: 33554432, swap: 33554432}' \
	-- sh -c 'probe eat 16M && echo small; probe eat 64M; echo "eater $?"; echo alive'
sleep 600 &
neighbour=$!
text=$(holm run "$id" 2>&1)
like 'what fits is given' "$text" 'small'
like 'what does not is killed' "$text" 'eater 137'
like 'and only that' "$text" 'alive'
check 'nobody outside is' kill -0 $neighbour
kill $neighbour
bundle '.linux.resources.memory = {limit: 33554432}' -- sleep 600
run_detached
holm exec "$id" probe eat 64M >/dev/null 2>&1
isnt 'what exec runs is inside the limit' "$?" 0
is 'the container goes on' "$(status_of)" running
if [ "$(speaks memory)" = v1 ]; then
	bundle '.linux.resources.memory = {limit: 33554432, swappiness: 10, disableOOMKiller: true, reservation: 16777216}' -- sleep 600
	run_detached
	is 'swappiness' "$(limit memory.swappiness)" 10
	like 'no OOM killer' "$(limit memory.oom_control)" 'oom_kill_disable 1'
	is 'reservation' "$(limit memory.soft_limit_in_bytes)" 16777216
else
	bundle '.linux.resources.memory = {limit: 33554432, swap: 50331648, reservation: 16777216}' -- sleep 600
	run_detached
	is 'swap is the rest' "$(limit memory.swap.max)" 16777216
	is 'reservation' "$(limit memory.low)" 16777216
	bundle '.linux.resources.memory.swappiness = 10'
	! is_holm || refuses 'swappiness is not possible here' 'swappiness' holm run "$id"
	bundle '.linux.resources.memory.disableOOMKiller = true'
	! is_holm || refuses 'nor is life without the OOM killer' 'disableOOMKiller' holm run "$id"
fi
if is_holm; then
	bundle '.holm = {}' -- sleep 600
	run_detached
	is 'an instance is killed as a whole where the host has that' "$(limit memory.oom.group)" \
		"$([ "$(speaks memory)" = v2 ] && echo 1 || echo "no memory.oom.group")"
	holm delete --force "$id"
fi
bundle '.linux.resources.memory = {limit: 33554432, swap: 16777216}'
refuses 'swap below memory' 'swap' holm run "$id"

# --- processes ---

bundle '.linux.resources.pids.limit = 4' -- sh -c 'for i in 1 2 3 4 5 6; do sleep 5 & done; wait'
like 'no fork beyond the limit' "$(holm run "$id" 2>&1)" "can't fork|Resource temporarily unavailable"

# --- CPUs ---

if has_controller cpuset; then
	bundle '.linux.resources.cpu = {cpus: "0", mems: "0"}' -- grep -E 'Cpus_allowed_list|Mems_allowed_list' /proc/self/status
	is 'cpus and mems' "$(holm run "$id" | xargs)" 'Cpus_allowed_list: 0 Mems_allowed_list: 0'
	bundle '.linux.resources.cpu.cpus = "4000"'
	refuses 'a CPU that is not there' 'cpu' holm run "$id"
	bundle '.linux.resources.cpu.cpus = "zero"'
	refuses 'no list' 'cpu' holm run "$id"
else
	bundle '.linux.resources.cpu.cpus = "0"'
	refuses 'without the controller, by name' cpuset holm run "$id"
fi
bundle '.linux.resources.cpu = {shares: 2048, quota: 25000, period: 50000, burst: 5000}' -- sleep 600
run_detached
if [ "$(speaks cpu)" = v1 ]; then
	is 'shares, quota, period, burst' "$(limit cpu.shares) $(limit cpu.cfs_quota_us) $(limit cpu.cfs_period_us) $(limit cpu.cfs_burst_us)" \
		'2048 25000 50000 5000'
else
	like 'weight, quota, period, burst' "$(limit cpu.weight) $(limit cpu.max) $(limit cpu.max.burst)" '^[0-9]+ 25000 50000 5000$'
fi
bundle '.linux.resources.cpu = {quota: 10000, burst: 9999999}'
refuses 'a burst over the quota' 'burst' holm run "$id"
bundle '.linux.resources.cpu.idle = 1' -- sleep 600
run_detached
is 'idle' "$(limit cpu.idle)" 1

# --- huge pages ---

size=$(ls /sys/kernel/mm/hugepages 2>/dev/null | sed -n 's/^hugepages-2048kB$/2MB/p')
if [ -n "$size" ] && has_controller hugetlb; then
	bundle ".linux.resources.hugepageLimits = [{pageSize: \"$size\", limit: 4194304}]" -- sleep 600
	run_detached
	is 'huge pages' "$(limit "hugetlb.$size.limit_in_bytes" "hugetlb.$size.max")" 4194304
	is 'and reservations' "$(limit "hugetlb.$size.rsvd.limit_in_bytes" "hugetlb.$size.rsvd.max")" 4194304
	bundle '.linux.resources.hugepageLimits = [{pageSize: "3MB", limit: 4194304}]'
	refuses 'a size that is not there' '3MB' holm run "$id"
else
	skip 'huge pages' "no ${size:-pages of 2 MB}${size:+ hugetlb controller}"
fi

# --- block devices ---

device=$(stat -c %Hd:%Ld "$work")
if [ -e "/sys/dev/block/$device/queue" ] && { has_controller blkio || has_controller io; }; then
	bundle ".linux.resources.blockIO.throttleWriteBpsDevice = [{major: ${device%:*}, minor: ${device#*:}, rate: 2097152}]" \
		-- sh -c 'dd if=/dev/zero of=/tmp/file bs=1M count=4 oflag=direct 2>/dev/null && echo written'
	own_root
	begin=$(date +%s%N)
	is 'throttled writes' "$(holm run "$id" 2>&1)" written
	took=$((($(date +%s%N) - begin) / 1000000))
	check "take their time: 4 MiB at 2 MiB/s took $took ms" test $took -ge 900
	bundle ".linux.resources.blockIO.throttleReadIOPSDevice = [{major: ${device%:*}, minor: ${device#*:}, rate: 100}]" -- sleep 600
	run_detached
	like 'operations per second' "$(limit blkio.throttle.read_iops_device io.max)" "^$device (100|.*riops=100)"
else
	skip 'throttled writes' "no block device below ${HOLM_TEST_DIR:-/var/tmp}"
fi
bundle '.linux.resources.blockIO.throttleWriteBpsDevice = [{major: 4000, minor: 0, rate: 1000}]'
refuses 'a device that is not there' 'throttleWriteBpsDevice' holm run "$id"
bundle '.linux.resources.blockIO.weight = 200' -- sleep 600
if holm run --detach "$id" </dev/null >"$work/$id.out" 2>&1; then
	like 'a weight arrives' "$(limit blkio.weight blkio.bfq.weight io.weight io.bfq.weight)" '(^|default )(200|1[0-9]{3})'
else
	like 'a weight is refused by name where nothing can do it' "$(cat "$work/$id.out")" 'blockIO.weight'
fi

# --- nothing is skipped ---

if is_holm; then
	while read -r controller limit; do
		bundle ".linux.resources.$limit"
		if has_controller "$controller"; then
			continue
		fi
		refuses "$limit needs the controller $controller" "$controller" holm run "$id"
	done <<-'END'
		rdma rdma = {mlx4_0: {hcaHandles: 3}}
		net_cls network.classID = 1048577
		net_prio network.priorities = [{name: "lo", priority: 3}]
		hugetlb hugepageLimits = [{pageSize: "2MB", limit: 0}]
	END
	bundle '.linux.resources.unified = {"nothing.max": "1"}'
	refuses 'an unknown file' 'nothing' holm run "$id"
	bundle '.linux.resources.unified = {"../cgroup.procs": "1"}'
	refuses 'a path as a file' 'cgroup file' holm run "$id"
	bundle '.linux.resources.unified = {"cgroup.max.depth": "5"}' -- sleep 600
	run_detached
	is 'a file of cgroup2 itself' "$(limit cgroup.max.depth)" 5
	like 'check says what can be had' "$(holm check)" $'\nmemory.limit +yes +memory.[a-z_]+ .v[12].'
	fact 'and why not the rest' "$(holm check --json)" 'all(.can or (.detail | length > 0))'
	fact 'and how to get what can be had' "$(holm check --json)" 'all(.can or .how or (.detail | test("leaf_weight|has no")))'
	fact 'programs are there' "$(holm check --json)" 'map(select(.what | IN("networks", "monitor", "image import", "overlay")) | .can) | all and length == 4'
fi

# --- freezing ---

bundle -- sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.01; done'
own_root
run_detached
wait_for 5 test -s "$root/tmp/count"
check 'pause' holm pause "$id"
is 'paused' "$(status_of)" paused
count=$(cat "$root/tmp/count")
sleep 0.2
is 'nothing moves' "$(cat "$root/tmp/count")" "$count"
refuses 'pause again' 'paused' holm pause "$id"
refuses 'exec into a frozen container' 'paused' timeout 10 "$HOLM" --root "$state" exec "$id" true
if is_holm; then
	timeout 60 "$HOLM" --root "$state" exec --ignore-paused "$id" touch /tmp/executed &
	waiting=$!
	sleep 0.3
	check 'exec that ignores it waits' kill -0 $waiting
	is 'and has not begun' "$([ -e "$root/tmp/executed" ] && echo begun)" ''
fi
check 'resume' holm resume "$id"
moves() { [ "$(cat "$root/tmp/count")" != "$count" ]; }
check 'it moves' wait_for 5 moves
! is_holm || check 'what exec left begins' wait $waiting
! is_holm || check 'and does its work' test -e "$root/tmp/executed"
refuses 'resume again' 'not paused' holm resume "$id"
holm pause "$id"
check 'kill a frozen one' holm kill "$id" KILL
check 'it dies' wait_status stopped
bundle -- sleep 600
run_detached
holm pause "$id"
check 'delete a frozen one' timeout 20 "$HOLM" --root "$state" delete --force "$id"

# --- whose cgroup ---

bundle -- sleep 600
config '.linux.cgroupsPath = $p' --arg p "/$prefix-shared"
run_detached
first=$id
bundle -- true
config '.linux.cgroupsPath = $p' --arg p "/$prefix-shared"
refuses 'a populated cgroup is refused' 'cgroup' holm run "$id"
is 'its owner goes on' "$(status_of "$first")" running
holm delete --force "$first"
left() { find /sys/fs/cgroup -type d -name "$prefix-shared" 2>/dev/null | grep .; }
refuses 'nothing is left of it' '^$' left
check 'then it can be had' holm run "$id"
