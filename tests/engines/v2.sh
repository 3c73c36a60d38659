#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman, as root and as a user, and Docker where cgroup v2 and systemd are: in the virtual machine, what an engine can't do, or does
# in another way, on a hybrid host.
# shellcheck disable=SC2034 # say.sh reads it
RUNTIME=${RUNTIME:-holm}
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
case $RUNTIME in holm) runtime=$HOLM ;; *) runtime=$(command -v "$RUNTIME") ;; esac
# shellcheck source=tests/engines/say.sh
. tests/engines/say.sh
cd "$work" || exit 1

[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || skip_all 'no cgroup v2'
tar -C "$image_root" -cf image.tar .

differs any 'podman: OOM: said' "conmon 2.1.6 leaves its note in its caller's folder, where Podman doesn't look"
differs any 'docker: OOM: said' 'systemd may remove the empty scope, and its memory.events, before containerd 1.6 has read them'

# limits_checks ENGINE: limits, and what looks at them
limits_checks() {
	local engine=$1
	exits "$engine: limits" 0 '^20971520 50000 100000 50 0$' engine run --rm --network none -m 20m --cpus 0.5 --pids-limit 50 \
		--cpuset-cpus 0 isle sh -c 'cd /sys/fs/cgroup; echo $(cat memory.max cpu.max pids.max cpuset.cpus)'
	check "$engine: run -d" engine run -d --name c1 --network none -m 64m isle sleep 100000
	like "$engine: stats" "$(engine stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c1)" '^c1 1 .*[kKM]i?B / 6[47].*M'
	check "$engine: update" engine update --memory 32m --memory-swap 64m c1
	exits "$engine: exec: the limit holds" 0 '^33554432$' engine exec c1 cat /sys/fs/cgroup/memory.max
	check "$engine: pause" engine pause c1
	is "$engine: pause: it is frozen" "$(cat "$(cgroup_of c1)/cgroup.events" | sed -n 's/^frozen //p')" 1
	check "$engine: unpause" engine unpause c1
	check "$engine: kill" engine kill c1
	is "$engine: kill: wait gives 137" "$(engine wait c1)" 137
	check "$engine: rm" engine rm -f c1
	exits "$engine: OOM: killed" 137 '' engine run --name c2 --network none -m 16m --memory-swap 16m isle sh -c 'sleep 1; exec probe eat 64'
	check "$engine: OOM: said" wait_for 5 eval '[ "$(engine inspect -f "{{.State.OOMKilled}}" c2)" = true ]'
	engine rm -f c2 >/dev/null
}

cgroup_of() {
	echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(engine inspect -f '{{.State.Pid}}' "$1")/cgroup")"
}

# --- Podman, as root or as the user of a session ---------------------------------------------------------------------------

podman_conf systemd >containers.conf
export CONTAINERS_CONF=$PWD/containers.conf
podman() {
	timeout -k 1 100 /usr/bin/podman --root "$work/storage" --runroot "$work/run" --tmpdir "$work/tmp" "$@" </dev/null
}
engine() {
	podman "$@"
}
echo "# $(podman --version), $("$runtime" --version | head -n 1), systemd's cgroups"
check 'podman: import an image' podman import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' image.tar isle
exits 'podman: a scope of systemd' 0 '/libpod-[0-9a-f]*\.scope' podman run --rm --network none --cgroupns host isle cat /proc/self/cgroup
[ "$(id -u)" -eq 0 ] || limits_checks podman # root's: as Docker's below
exits 'podman: --uidmap' 0 '^0 0 1000 1000$' podman run --rm --network none --uidmap 0:1000:1000 --gidmap 0:1000:1000 isle \
	sh -c 'echo $(id -u) $(cat /proc/self/uid_map)'
is 'podman: no container is left' "$(podman ps -aq)" ''
if [ "$(id -u)" -eq 0 ]; then
	umount "$work/storage/overlay"
else
	podman unshare rm -rf "$work/storage"
	podman system migrate # ends the process that keeps the user's namespaces
fi

# --- Docker ------------------------------------------------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || exit 0
dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --data-root "$work/docker" --exec-root "$work/docker-run" \
	--pidfile "$work/docker.pid" --host "unix://$work/docker.sock" --bridge none --iptables=false >dockerd.log 2>&1 &
dockerd=$!
engine() {
	timeout -k 1 100 /usr/bin/docker --host "unix://$work/docker.sock" "$@" </dev/null
}
check 'docker: dockerd starts' wait_for 30 engine version || tail -n 20 dockerd.log
echo "# $(engine version --format 'Docker {{.Server.Version}}')"
is 'docker: cgroups' "$(engine info --format '{{.CgroupVersion}} {{.CgroupDriver}} {{.DefaultRuntime}}' 2>/dev/null)" '2 systemd under-test'
check 'docker: import an image' engine import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' image.tar isle
exits 'docker: a scope of systemd' 0 '/docker-[0-9a-f]*\.scope' engine run --rm --cgroupns host isle cat /proc/self/cgroup
limits_checks docker
exits 'docker: --privileged' 0 'sysfs rw' engine run --rm --privileged isle grep ' /sys ' /proc/mounts
is 'docker: no container is left' "$(engine ps -aq)" ''
kill $dockerd
wait $dockerd
