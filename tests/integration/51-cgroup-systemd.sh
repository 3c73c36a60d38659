#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --systemd-cgroup: a container is a scope; its limits and devices are there, change, and survive a reload; nothing stays.
# where: systemd user
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"

root=$([ "$(id -u)" -ne 0 ] || echo yes)
manager() {
	if [ "$root" ]; then systemctl "$@"; else systemctl --user "$@"; fi
}
scoped() { # VERB ...
	local verb=$1
	shift
	case $verb in
	create | run) "$HOLM" --root "$state" --systemd-cgroup "$verb" --bundle "$bundle" "$@" ;;
	*) "$HOLM" --root "$state" --systemd-cgroup "$verb" "$@" ;;
	esac
}

bundle '.linux.resources = {memory: {limit: 67108864, swap: 67108864}, pids: {limit: 50}, cpu: {shares: 512, quota: 50000, period: 100000}}' \
	'.linux.resources.devices = [{allow: false, access: "rwm"}]' -- sleep 600
config '.linux.cgroupsPath = $p' --arg p ":$prefix:$id"
scoped run --detach "$id" </dev/null >"$work/out" 2>&1 || not_ok 'run' "$(cat "$work/out")"
unit=$prefix-$id.scope
is 'the scope runs' "$(manager is-active "$unit")" active
is 'with the properties of the spec' "$(manager show "$unit" -p MemoryMax -p TasksMax -p CPUQuotaPerSecUSec -p CPUWeight -p CollectMode --value | sort | xargs)" \
	"$(printf '%s\n' 67108864 50 500ms 59 inactive-or-failed | sort | xargs)"
is 'and the kernel has them' "$(limit memory.max) $(limit pids.max) $(limit cpu.max) $(limit cpu.weight)" '67108864 50 50000 100000 59'
check 'update' scoped update --memory 48M --pids-limit 40 "$id"
if [ "$root" ]; then
	kmsg() { bash -c 'echo $$ >"$0" && : >>/dev/kmsg' "$(cgroup_file cgroup.procs)"; }
	refuses 'a device that is not allowed' 'not permitted' kmsg
	check 'is added while running' scoped update --device-allow /dev/kmsg "$id"
	check 'and can be opened' kmsg
fi
check 'systemd reloads' manager daemon-reload
check 'and is told something else' manager set-property --runtime "$unit" IOWeight=50
is 'the limits are as they were updated' "$(limit memory.max) $(limit pids.max) $(limit cpu.max) $(limit cpu.weight)" '50331648 40 50000 100000 59'
[ -z "$root" ] || check 'the device can still be opened' kmsg
check 'exec' scoped exec "$id" true
check 'pause' scoped pause "$id"
is 'paused' "$(status_of)" paused
check 'resume' scoped resume "$id"
second=$id
bundle -- true
config '.linux.cgroupsPath = $p' --arg p ":$prefix:$second"
refuses 'a unit of the same name is refused' 'has a unit' scoped run "$id"
is 'the first goes on' "$(status_of "$second")" running
bundle '.linux.resources.cpu.cpus = "4000"'
config '.linux.cgroupsPath = $p' --arg p ":$prefix:$id"
refuses 'a limit that cannot be had' 'cpu' scoped run "$id"
bundle -- true
config '.linux.cgroupsPath = $p' --arg p "/no/slice"
refuses 'a path is no unit' 'SLICE:PREFIX:NAME' scoped run "$id"
id=$second
check 'delete' scoped delete --force "$id"
no_units() { ! manager list-units --all --plain --no-legend | grep -q "$prefix"; }
check 'no unit is left' wait_for 10 no_units
bundle -- true
config '.linux.cgroupsPath = $p' --arg p ":$prefix:$id"
check 'one that ends by itself' scoped run "$id"
check 'leaves no unit either' wait_for 10 no_units

# --- the direct driver beside systemd: one slice that is no unit's ---

if [ "$root" ]; then
	bundle '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 50}, devices: [{allow: false, access: "rwm"}]}' -- sleep 600
	run_detached
	is 'it lies in holm.slice' "$(sed -n 's/^0:://p' "/proc/$(pid_of)/cgroup")" "/holm.slice/$id"
	check 'a device more' holm update --device-allow /dev/kmsg "$id"
	check 'systemd reloads' systemctl daemon-reload
	check 'and realizes its units anew' systemctl set-property --runtime system.slice MemoryHigh=1G
	is 'the limits stay' "$(limit memory.max) $(limit pids.max)" '67108864 50'
	check 'and the device' kmsg
	holm delete --force "$id"
	is 'nothing of it stays' "$(find /sys/fs/cgroup -name "$id")" ''
fi
