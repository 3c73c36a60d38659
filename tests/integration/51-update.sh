#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# update: every flag arrives, all or nothing, what is not named keeps its value, and what was asked is recorded.
# where: host bare
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

bundle '.linux.resources = {memory: {limit: 67108864}, cpu: {shares: 1024, quota: 50000, period: 100000}, pids: {limit: 50}}' \
	-- sleep 600
run_detached

# --- single flags ---

check 'memory' holm update --memory 48M "$id"
is 'memory arrived' "$(limit memory.limit_in_bytes memory.max)" $((48 << 20))
check 'memory as bytes' holm update --memory $((40 << 20)) "$id"
is 'memory arrived again' "$(limit memory.limit_in_bytes memory.max)" $((40 << 20))
check 'pids' holm update --pids-limit 33 "$id"
is 'pids arrived' "$(limit pids.max)" 33
check 'pids 0 changes nothing, as callers of runc write it' holm update --pids-limit 0 "$id"
is 'pids is as it was' "$(limit pids.max)" 33
check 'pids without a limit' holm update --pids-limit -1 "$id"
is 'pids is max' "$(limit pids.max)" max
check 'cpu quota alone' holm update --cpu-quota 20000 "$id"
if [ "$(speaks cpu)" = v1 ]; then
	is 'quota arrived' "$(limit cpu.cfs_quota_us)" 20000
	is 'the period stayed' "$(limit cpu.cfs_period_us)" 100000
	check 'shares' holm update --cpu-share 512 "$id"
	is 'shares arrived' "$(limit cpu.shares)" 512
else
	is 'quota arrived, the period stayed' "$(limit cpu.max)" '20000 100000'
	check 'shares' holm update --cpu-share 512 "$id"
	like 'shares arrived as a weight' "$(limit cpu.weight)" '^[1-9][0-9]$'
fi
check 'quota and period' holm update --cpu-quota 30000 --cpu-period 60000 "$id"
like 'both arrived' "$(limit cpu.cfs_quota_us cpu.max) $(limit cpu.cfs_period_us cpu.max)" '^30000.* (30000 )?60000$'
check 'burst' holm update --cpu-burst 10000 "$id"
is 'burst arrived' "$(limit cpu.cfs_burst_us cpu.max.burst)" 10000
check 'no quota' holm update --cpu-burst 0 --cpu-quota -1 "$id"
like 'quota is gone' "$(limit cpu.cfs_quota_us cpu.max)" '^(-1$|max )'
check 'idle' holm update --cpu-idle 1 "$id"
is 'idle arrived' "$(limit cpu.idle)" 1
check 'not idle' holm update --cpu-idle 0 "$id"
check 'cpuset, which the container had no limit of' holm update --cpuset-cpus 0 --cpuset-mems 0 "$id"
is 'cpus arrived' "$(limit cpuset.cpus)" 0
like 'and hold for the process' "$(cat "/proc/$(pid_of)/status")" $'Cpus_allowed_list:\t0\n'
check 'memory and swap grow together' holm update --memory 100M --memory-swap 200M "$id"
check 'and shrink together' holm update --memory 30M --memory-swap 60M "$id"
is 'memory has shrunk' "$(limit memory.limit_in_bytes memory.max)" $((30 << 20))
check 'reservation' holm update --memory-reservation 20M "$id"
is 'reservation arrived' "$(limit memory.soft_limit_in_bytes memory.low)" $((20 << 20))

# --- by a file ---

check 'resources from standard input' holm update -r - "$id" <<<'{"memory": {"limit": 52428800}, "pids": {"limit": 44}}'
is 'memory by a file' "$(limit memory.limit_in_bytes memory.max)" 52428800
is 'pids by a file' "$(limit pids.max)" 44
echo '{"pids": {"limit": 45}}' >"$work/resources.json"
check 'resources from a file' holm update --resources "$work/resources.json" "$id"
is 'pids again' "$(limit pids.max)" 45
is 'memory stayed' "$(limit memory.limit_in_bytes memory.max)" 52428800
refuses 'text that is no JSON' 'standard input' holm update -r - "$id" <<<'{'
refuses 'a value of the wrong type, by its path' 'pids.limit' holm update -r - "$id" <<<'{"pids": {"limit": "many"}}'
like 'a key that means nothing is told' "$(holm update -r - "$id" <<<'{"memory": {"limmit": 1}}' 2>&1)" 'warning.*standard input: memory.limmit: unknown key'

# --- all or nothing ---

if is_holm; then
	refuses 'a CPU that is not there' 'cpu' holm update --memory 20M --pids-limit 20 --cpuset-cpus 4000 "$id"
	is 'pids is as before' "$(limit pids.max)" 45
	is 'memory is as before' "$(limit memory.limit_in_bytes memory.max)" 52428800
	refuses 'a burst over the quota' 'burst' holm update --pids-limit 21 --cpu-quota 10000 --cpu-burst 9999999 "$id"
	is 'pids is still as before' "$(limit pids.max)" 45
	like 'and so is the quota' "$(limit cpu.cfs_quota_us cpu.max)" '^(-1$|max )'
	is 'the process goes on' "$(status_of)" running

	# --- cgroup v2 by name ---

	check 'any file of cgroup v2' holm update -u cgroup.max.depth=3 --unified cgroup.max.descendants=7 "$id"
	is 'it arrived' "$(limit cgroup.max.depth) $(limit cgroup.max.descendants)" '3 7'
	refuses 'one that is not there' 'cgroup\.nothing' holm update -u cgroup.nothing=1 "$id"
	refuses 'one that is no limit' 'no limit' holm update -u cgroup.freeze=1 "$id"
	refuses 'a path' 'control file' holm update -u ../x.y=1 "$id"
	refuses 'a value that the kernel refuses takes the others back' 'cgroup\.max\.descendants.*foo' \
		holm update -u cgroup.max.depth=4 -u cgroup.max.descendants=foo "$id"
	is 'depth is as before' "$(limit cgroup.max.depth)" 3
	if [ "$(speaks memory)" = v2 ]; then
		check 'memory.high with a unit' holm update -u memory.high=64M "$id"
		is 'it is there' "$(limit memory.high)" $((64 << 20))
		check 'memory.min and low' holm update -u memory.min=1M -u memory.low=2M "$id"
		is 'they are there' "$(limit memory.min) $(limit memory.low)" "$((1 << 20)) $((2 << 20))"
		check 'memory.oom.group' holm update -u memory.oom.group=1 "$id"
		refuses 'CPUs that are not there' 'cpuset\.cpus.*4000' holm update -u cpuset.cpus=4000 "$id"

		# --- and by flags of their own ---

		check 'memory by flags' holm update --memory-high 48M --memory-min 2M --memory-low 3M --memory-oom-group 0 "$id"
		is 'they are there' "$(limit memory.high) $(limit memory.min) $(limit memory.low) $(limit memory.oom.group)" \
			"$((48 << 20)) $((2 << 20)) $((3 << 20)) 0"
		check 'memory.high without a limit' holm update --memory-high -1 "$id"
		is 'it is max' "$(limit memory.high)" max
		if cgroup_file io.latency >/dev/null; then
			disk=$(lsblk -dnro MAJ:MIN /dev/vda)
			check 'io.latency' holm update --io-latency /dev/vda=25ms "$id"
			is 'it is there, in microseconds' "$(limit io.latency)" "$disk target=25000"
			refuses 'what fails later takes it back' 'cpus.partition' holm update --io-latency /dev/vda=9ms --cpuset-partition none "$id"
			is 'it is as before' "$(limit io.latency)" "$disk target=25000"
		else
			refuses 'a kernel without io.latency' 'io\.latency' holm update --io-latency /dev/vda=25ms "$id"
		fi
		refuses 'weights on which nothing acts' 'unified\[.io.weight.\]: nothing would act on it' holm update --io-weight 200 "$id"
		disk=$(lsblk -dnro MAJ:MIN /dev/vda 2>/dev/null)
		if [ "$HOLM_WHERE" = bare ] && { echo "$disk enable=1" >/sys/fs/cgroup/io.cost.qos; } 2>/dev/null; then
			check 'weights where io.cost is on' holm update --io-weight 200 "$id"
			is 'it is there' "$(limit io.weight)" 'default 200'
			check 'one for a disk' holm update --unified io.weight="$disk 300" "$id"
			is 'it is there beside the other' "$(limit io.weight | xargs)" "default 200 $disk 300"
			check 'the weight of the OCI, converted' holm update --blkio-weight 500 "$id"
			like 'it is there' "$(limit io.weight | head -n 1)" '^default [1-9]'
			refuses 'what fails later takes it back' 'cpus' holm update --io-weight 77 --cpuset-cpus 4000 "$id"
			unlike 'it is as before' "$(limit io.weight | head -n 1)" 77
			echo "$disk enable=0" >/sys/fs/cgroup/io.cost.qos
		elif [ "$HOLM_WHERE" = bare ]; then
			not_ok 'the kernel of the virtual machine has io.cost'
		fi
		check 'a partition of the root'"'"'s' holm update --cpuset-cpus 0 --cpuset-partition root "$id"
		is 'it is one' "$(limit cpuset.cpus.partition)" root
		check 'and no more' holm update --cpuset-partition member "$id"
		first=$id
		bundle -- sleep 600
		config '.linux.cgroupsPath = $p' --arg p "/$prefix-above/$id"
		run_detached
		refuses 'a partition that is not possible, with the kernel'"'"'s reason' 'partition.*the kernel (keeps|made).*invalid \(.*arent' \
			holm update --pids-limit 9 --cpuset-cpus 0 --cpuset-partition isolated "$id"
		is 'nothing is left of the attempt' "$(limit cpuset.cpus.partition) $(limit cpuset.cpus.effective) $(limit pids.max)" \
			"member $(cat /sys/fs/cgroup/cpuset.cpus.effective) max"
		holm delete --force "$id"
		rmdir "/sys/fs/cgroup/$prefix-above"
		id=$first
	else
		refuses 'a file of a controller that is bound to v1' "memory.high.*controller 'memory' is bound to cgroup v1" \
			holm update -u memory.high=64M "$id"
		refuses 'and by its flag' "memory.high.*controller 'memory' is bound to cgroup v1" holm update --memory-high 64M "$id"
	fi
	refuses 'a weight on which nothing acts' 'blockIO\.weight: controller .*(nothing would act|has no)' holm update --blkio-weight 300 "$id"
	refuses 'a latency of what is no disk' 'no block device' holm update --io-latency /dev/null=5ms "$id"
	refuses 'an impossible weight' '1 to 10000' holm update --io-weight 0 "$id"

	# --- Intel RDT ---

	if ! grep -qs ' resctrl ' /proc/mounts; then
		refuses 'schemata need resctrl' 'resctrl is not mounted' holm update --pids-limit 12 --l3-cache-schema L3:0=f "$id"
	else
		refuses 'schemata need a group' 'has no resctrl group' holm update --pids-limit 12 --l3-cache-schema L3:0=f "$id"
	fi
	is 'and nothing else was changed' "$(limit pids.max)" 45

	# --- recorded ---

	updates=$(holm state "$id" | jq -c .updates.resources)
	fact 'the last value of each is recorded' "$updates" '[.memory.limit, .pids.limit, .cpu.quota, .cpu.cpus]' '[52428800,45,-1,"0"]'
	fact 'by name, too' "$updates" '.unified["cgroup.max.depth"]' 3
	fact 'what failed is not' "$updates" '[.unified["cgroup.nothing"], .cpu.burst]' '[null,0]'
	pids=()
	for n in 61 62 63 64 65 66; do
		holm update --pids-limit $n -u cgroup.max.depth=$n "$id" &
		pids+=($!)
	done
	check 'updates at once' wait "${pids[@]}"
	is 'record and kernel agree after them' "$(holm state "$id" | jq -r '.updates.resources.pids.limit')" "$(limit pids.max)"
fi

# --- killed in the middle: all or nothing, and the record says which ---

killed_at() { # SYSTEM-CALL N
	strace -qq -o "$work/trace" -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
		"$HOLM" --root "$state" update --pids-limit "$((100 + $2))" --memory "$((80 + $2))M" -u cgroup.max.depth="$((10 + $2))" "$id" \
		>"$work/said" 2>&1
	[ $? -ne 0 ]
}
if is_holm && [ "$HOLM_WHERE" = host ]; then # with strace, and a processor that is not emulated
	holm update --pids-limit 100 --memory 80M --memory-swap -1 -u cgroup.max.depth=10 "$id" || not_ok 'before the kills'
	before='100 83886080 10' torn=''
	for call in write renameat unlinkat flock; do
		for n in 1 2 3 4 5 6 7 8 9 10; do
			killed_at $call $n || break
			record=$(holm state "$id" | jq -r '.updates.resources | "\(.pids.limit) \(.memory.limit) \(.unified["cgroup.max.depth"])"')
			now="$(limit pids.max) $(limit memory.limit_in_bytes memory.max) $(limit cgroup.max.depth)"
			[ "$now" = "$record" ] && { [ "$now" = "$before" ] || [ "$now" = "$((100 + n)) $(((80 + n) << 20)) $((10 + n))" ]; } ||
				torn+="$call $n: $now, recorded $record, before $before"$'\n'
			before=$now
		done
		before="$(limit pids.max) $(limit memory.limit_in_bytes memory.max) $(limit cgroup.max.depth)"
	done
	is 'an update that is killed is whole or nothing' "$torn" ''
	pids=()
	for n in $(seq 100); do
		holm update --pids-limit $((200 + n)) --memory $((64 + n))M "$id" &
		pids+=($!)
	done
	failed=0
	for n in "${pids[@]}"; do wait "$n" || failed=$((failed + 1)); done
	is 'a hundred updates at once' $failed 0
	record=$(holm state "$id" | jq -r '.updates.resources | "\(.pids.limit) \(.memory.limit)"')
	is 'end with what one of them asked for, and record and kernel agree' "$record" "$(limit pids.max) $(limit memory.limit_in_bytes memory.max)"
	is 'both limits are the same update'"'"'s' "$((($(limit memory.limit_in_bytes memory.max) >> 20) - 64))" "$(($(limit pids.max) - 200))"
	holm update --pids-limit 45 --memory 50M "$id"
fi

# --- devices ---

if is_holm; then
	holm delete --force "$id"
	bundle '.linux.resources.devices = [{allow: false, access: "rwm"}]' \
		'(.process.capabilities[]) += ["CAP_MKNOD"]' '.linux.resources.pids.limit = 45' -- \
		sh -c 'mknod /tmp/kmsg c 1 11; exec sleep 600'
	own_root
	run_detached
	wait_for 5 test -e "$root/tmp/kmsg"
	opens() { holm exec "$id" sh -c ': >>/tmp/kmsg'; }
	refuses 'a device that is not allowed' 'not permitted' opens
	check 'is added while running' holm update --device-allow 'c 1:11 rw' "$id"
	check 'and can be opened' opens
	check 'holm'"'"'s own stay' holm exec "$id" sh -c 'echo >/dev/null'
	check 'another, by its path' holm update --device-allow /dev/kmsg:r --device-allow /dev/full "$id"
	check 'the first stays' opens
	check 'an engine that sends its rules along' holm update -r - "$id" \
		<<<'{"devices": [{"allow": false, "access": "rwm"}], "pids": {"limit": 46}}'
	check 'takes nothing away' opens
	refuses 'what fails in the end' 'cpu' holm update --device-deny 'c 1:11' --cpuset-cpus 4000 "$id"
	check 'changes no device' opens
	fact 'the rules are recorded' "$(holm state "$id" | jq -c .updates.resources.devices)" \
		'[.[] | "\(.allow) \(.type // "a") \(.major):\(.minor) \(.access)"] | .[1:]' \
		'["true c 1:11 rw","true c 1:11 r","true c 1:7 rwm"]'
	check 'and taken away' holm update --device-deny 'c 1:11' "$id"
	refuses 'it is' 'not permitted' opens
	for bad in 'c 1:11rw' 'c 1:11 rw ' 'c 1: r' 'x 1:1' 'c 1:1 rr' '/dev/none-such' "$work" 'c 4294967296:1'; do
		refuses "no rule: '$bad'" 'device-allow' holm update --device-allow "$bad" "$id"
	done
fi

# --- states ---

holm pause "$id"
check 'a paused container' holm update --pids-limit 77 "$id"
is 'it arrived there' "$(limit pids.max)" 77
holm resume "$id"
holm kill "$id" KILL
wait_status stopped
refuses 'a stopped container' 'not running' holm update --pids-limit 78 "$id"
refuses 'one that does not exist' 'does not exist' holm update --pids-limit 78 "$prefix-none"
