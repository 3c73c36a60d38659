#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who is limited tries to be it no longer: from inside, with the cgroup file system writable and a namespace of its own; and many who
# want the same cgroup at once.
# where: host bare
# timeout: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
is_holm || skip_all 'runc has no such promises'

# What the container does: tries every limit that it sees, groups of its own, the groups above, other mounts; then eats.
# It prints nothing but what it got through with.
cat >"$work/escape" <<'SH'
top=/sys/fs/cgroup
for f in memory.max memory.high memory.swap.max memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory.oom.group; do
	{ [ -e $top/$f ] && echo -1 >$top/$f && echo "wrote -1 to $f"; } 2>/dev/null
	{ [ -e $top/$f ] && [ $f != memory.oom.group ] && echo max >$top/$f && echo "wrote max to $f"; } 2>/dev/null
done
for f in pids.max pids/pids.max cpu.max; do { [ -e $top/$f ] && echo max >$top/$f && echo "wrote $f"; } 2>/dev/null; done
for f in cpu/cpu.cfs_quota_us devices/devices.allow; do { [ -e $top/$f ] && echo ${f%%/*} | sed 's/cpu/-1/; s/devices/a/' >$top/$f && echo "wrote $f"; } 2>/dev/null; done
for f in $top/../cgroup.procs $top/memory/../../cgroup.procs $top/pids/../cgroup.procs; do { [ -e $f ] && ! [ $f -ef $top/cgroup.procs ] && echo 0 >$f && echo "left by $f"; } 2>/dev/null; done
for d in $top $top/memory $top/pids; do
	{ mkdir $d/below && echo $$ >$d/below/cgroup.procs; } 2>/dev/null
	for f in memory.max pids.max memory.limit_in_bytes; do { [ -e $d/below/$f ] && echo max >$d/below/$f; } 2>/dev/null; done
done
mkdir -p /tmp/m
for t in "-t cgroup2 none" "-t cgroup -o memory none" "-o remount,rw,bind $top"; do
	mount $t /tmp/m 2>/dev/null || continue
	for f in memory.max memory.limit_in_bytes pids.max; do { [ -e /tmp/m/$f ] && echo -1 >/tmp/m/$f && echo "wrote $f by another mount"; } 2>/dev/null; done
	umount /tmp/m 2>/dev/null
done
probe eat 64 2>/dev/null
SH
limited='.linux.resources = {memory: {limit: 33554432, swap: 33554432}, pids: {limit: 20}, cpu: {quota: 50000, period: 100000}}
	| .linux.namespaces += [{"type": "cgroup"}]'
writable='.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw", "nosuid", "nodev", "noexec"]}]'
every='.process.capabilities = ("CAP_SYS_ADMIN CAP_DAC_OVERRIDE CAP_FOWNER CAP_CHOWN CAP_SYS_CHROOT CAP_SETUID" | split(" ") |
	{bounding: ., effective: ., permitted: .})'
user='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings
	| (.mounts[] | select(.destination == "/dev/pts") | .options) -= ["gid=5"]'

# escape NAME [FILTER]...
escape() {
	local name=$1
	shift
	bundle "$limited" "$@" -- sh -c "$(cat "$work/escape")"
	own_root
	chown -R 100000:100000 "$root"
	is "$name: nothing is got through with, and what eats is killed" "$(timeout 60 "$HOLM" --root "$state" run --bundle "$bundle" "$id" 2>/dev/null; echo $?)" 137
}
escape 'read-only, as by default'
escape 'a user namespace, all capabilities in it, writable' "$user" "$every" "$writable"
escape 'a user namespace, all capabilities in it, nothing mounted' "$user" "$every"
if [ "$(speaks memory)" = v2 ]; then
	escape 'without a user namespace, writable, but no capability' "$writable"
	if grep -q ' cgroup2 .*nsdelegate' /proc/mounts; then
		escape 'without a user namespace, writable, all capabilities: the kernel has nsdelegate' "$writable" "$every"
	fi
fi

# --- a group of one's own below is no way around the group above ---

if [ "$(speaks memory)" = v2 ]; then
	bundle "$limited" "$user" "$every" "$writable" -- sh -c 'cd /sys/fs/cgroup && mkdir a b && echo 1 >a/cgroup.procs && echo $$ >a/cgroup.procs &&
		echo "+memory +pids" >cgroup.subtree_control && cat b/memory.max && probe eat 64'
	own_root
	chown -R 100000:100000 "$root"
	is 'a container that delegates to groups of its own has no more than its limit' "$(holm run "$id" 2>/dev/null | xargs)" max
fi

# --- many at once ---

ids=() bundles=() pids=()
for n in 1 2 3 4 5 6; do
	bundle "$n as \$n | .linux.resources.pids.limit = 20 + \$n" -- sleep 600
	config '.linux.cgroupsPath = $p' --arg p "/$prefix-wanted"
	ids[n]=$id bundles[n]=$bundle
done
for n in 1 2 3 4 5 6; do
	"$HOLM" --root "$state" run --detach --bundle "${bundles[n]}" "${ids[n]}" </dev/null >"$work/said$n" 2>&1 &
	pids[n]=$!
done
won=()
for n in 1 2 3 4 5 6; do ! wait "${pids[n]}" || won+=("$n"); done
is 'of six that want one cgroup at once one gets it' "${#won[@]}" 1
is 'the others say why not' "$(grep -l 'is in use: ' "$work"/said? | wc -l)" 5
folder=$(find /sys/fs/cgroup -type d -name "$prefix-wanted" -exec test -e {}/pids.max \; -print)
is 'it holds what the winner asked for, and the winner alone' "$(cat "$folder/pids.max" "$folder/cgroup.procs" | xargs)" \
	"$((20 + won[0])) $(pid_of "${ids[won[0]]}")"
for n in 1 2 3 4 5 6; do holm delete --force "${ids[n]}" >/dev/null 2>&1; done
is 'losers that are deleted take nothing with them, the winner all' "$(find /sys/fs/cgroup -type d -name "$prefix-wanted")" ''

# --- processes of somebody else ---

for top in /sys/fs/cgroup /sys/fs/cgroup/pids; do [ -e $top/cgroup.procs ] && break; done
mkdir "$top/$prefix-foreign" "$top/$prefix-foreign/deep"
sleep 600 &
echo $! >"$top/$prefix-foreign/deep/cgroup.procs"
bundle '.linux.resources.pids.limit = 9' -- true
config '.linux.cgroupsPath = $p' --arg p "/$prefix-foreign"
refuses 'a cgroup below which a process is, is in use' 'in use' holm run "$id"
is 'its process goes on, and no limit was written' "$(kill -0 $! && cat "$top/$prefix-foreign/pids.max")" max
kill $!
wait $! 2>/dev/null
rmdir "$top/$prefix-foreign/deep" "$top/$prefix-foreign"
