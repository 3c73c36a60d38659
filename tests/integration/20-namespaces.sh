#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# linux.namespaces, mappings, time offsets, host name, sysctl.
# where: host bare
. "$(dirname "$0")/lib.sh"

own() { # TYPE of /proc/self/ns, as the probe names it
	readlink "/proc/self/ns/$1"
}
refuse_run() {
	refuses "$1" "$2" holm run "$id"
}

bundle
text=$(probe_run namespaces ids names)
for type in pid net ipc uts mnt; do
	fact "new: $type" "$text" ".namespaces.$type != \"$(own $type)\""
done
for type in user cgroup time; do
	fact "inherited: $type" "$text" .namespaces.$type "$(own $type)"
done
fact 'it is process 1' "$text" .ids.pid 1
fact 'the host name' "$text" .names.hostname test

bundle '.domainname = "reef"' '.linux.namespaces += [{"type": "cgroup"}]'
text=$(probe_run namespaces cgroups names)
fact 'new: cgroup' "$text" ".namespaces.cgroup != \"$(own cgroup)\""
fact 'its own cgroup is the root of its view' "$text" '[.cgroups[] | split(":")[2] | select(. != "/")]' '[]'
fact 'the domain name' "$text" .names.domainname reef

bundle '.linux.namespaces += [{"type": "time"}]' '.linux.timeOffsets = {
	"monotonic": {"secs": 172800, "nanosecs": 5}, "boottime": {"secs": 86400}}'
text=$(probe_run clocks namespaces)
here=$("$probe" clocks)
fact 'new: time' "$text" ".namespaces.time != \"$(own time)\""
fact 'the monotonic clock is two days ahead' "$text" ".clocks.monotonic - $(jq .clocks.monotonic <<<"$here") - 172800 | fabs < 30"
fact 'the boot clock is a day ahead' "$text" ".clocks.boottime - $(jq .clocks.boottime <<<"$here") - 86400 | fabs < 30"

mapped='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [
	{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 200000, "size": 10}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
bundle "$mapped"
own_root
chown -R 100000:100000 "$root"
text=$(probe_run idmaps namespaces ids devices)
fact 'new: user' "$text" ".namespaces.user != \"$(own user)\""
fact 'several extents of user ids' "$text" '[.idmaps.uid[] | [splits(" +")][1:]]' '[["0","100000","1000"],["1000","200000","10"]]'
fact 'group ids' "$text" '[.idmaps.gid[] | [splits(" +")][1:]]' '[["0","100000","65536"]]'
fact 'user 0 inside' "$text" .ids.uid '[0,0,0]'
fact 'devices are there' "$text" '.devices["/dev/null"] | [.type, .major, .minor]' '["c",1,3]'

bundle '.linux.namespaces |= map(select(.type != "network"))'
fact 'absent means inherited' "$(probe_run namespaces)" .namespaces.net "$(own net)"

bundle -- cat /sys/class/net/lo/flags
is 'the loopback interface is up' "$(holm run "$id")" 0x9

# Joining
bundle -- sleep 1000
run_detached
pid=$(pid_of)
for type in pid:pid network:net ipc:ipc uts:uts; do
	bundle "(.linux.namespaces[] | select(.type == \"${type%:*}\")).path = \"/proc/$pid/ns/${type#*:}\"" 'del(.hostname)'
	fact "joined by path: ${type%:*}" "$(probe_run namespaces)" ".namespaces.${type#*:}" "$(readlink "/proc/$pid/ns/${type#*:}")"
done
bundle '(.linux.namespaces[] | select(.type == "network")).path = "/proc/'"$pid"'/ns/uts"'
refuse_run 'a path of another type' 'network|net|type'
bundle '(.linux.namespaces[] | select(.type == "network")).path = "/nowhere"'
refuse_run 'a path that is not there' '/nowhere'
bundle '(.linux.namespaces[] | select(.type == "network")).path = "relative"'
refuse_run 'a relative path' relative

# Refusals
bundle '.linux.namespaces += [{"type": "network"}]'
refuse_run 'a type given twice' network
bundle '.linux.namespaces += [{"type": "water"}]'
refuse_run 'an unknown type' water
bundle '.linux.namespaces |= map(select(.type != "uts"))'
refuse_run 'a host name without a UTS namespace' hostname
bundle '.linux.timeOffsets = {"monotonic": {"secs": 1}}'
refuse_run 'time offsets without a time namespace' '[Tt]ime'
bundle '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"realtime": {"secs": 1}}'
refuse_run 'an unknown clock' realtime
bundle '.linux.namespaces += [{"type": "user"}]'
refuse_run 'a user namespace without mappings' '[Mm]apping|user'
bundle '.linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 1}]'
refuse_run 'mappings without a user namespace' 'uidMappings|user namespace'
bundle "$mapped" '.process.user.uid = 5000'
refuse_run 'a user that is not mapped' '5000|uid|user'

# sysctl
bundle '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096", "fs.mqueue.queues_max": "7"}' -- \
	cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/queues_max
is 'sysctls of its own namespaces' "$(holm run "$id" | xargs)" '1 4096 7'
bundle '.linux.sysctl = {"net/ipv4/ip_forward": "1"}' -- cat /proc/sys/net/ipv4/ip_forward
is 'a sysctl spelled with slashes' "$(holm run "$id")" 1
for bad in kernel.pid_max vm.swappiness kernel.hostname net.ipv4../../../kernel/core_pattern fs.file-max; do
	bundle ".linux.sysctl = {\"$bad\": \"1\"}"
	refuse_run "sysctl $bad" 'sysctl'
done
bundle '.linux.namespaces |= map(select(.type != "network"))' '.linux.sysctl = {"net.ipv4.ip_forward": "1"}'
refuse_run "a sysctl of the host's network" 'sysctl'

# A container without a mount namespace is a chroot; exec must end up in it too, not in the host's root.
bundle 'del(.mounts, .linux.maskedPaths, .linux.readonlyPaths, .hostname) | .root.readonly = false' '.linux.namespaces = [{"type": "pid"}]' -- sleep 1000
if is_holm; then
	run_detached
	is 'exec into a chroot sees its root' "$(holm exec "$id" ls /)" "$(ls "$rootfs")"
	holm delete --force "$id"
fi
