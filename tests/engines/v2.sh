#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman, as root and as a user, Docker, and containerd's CRI plugin where cgroup v2 and systemd are: in the virtual machine, what an engine
# can't do, or does in another way, on a hybrid host.  With RUNTIME=runc or crun it is theirs, for comparison.
# shellcheck disable=SC2034 # say.sh reads it
RUNTIME=${RUNTIME:-holm}
client=$(readlink -f "$(dirname "$0")/cri.py")
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
case $RUNTIME in holm) runtime=$HOLM ;; *) runtime=$(command -v "$RUNTIME") ;; esac
# shellcheck source=tests/engines/say.sh
. tests/engines/say.sh
# shellcheck source=tests/engines/life.sh
. tests/engines/life.sh
cd "$work" || exit 1

[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || skip_all 'no cgroup v2'
tar -C "$image_root" -cf image.tar .

# Of a container that ends by it; one of which a child was killed is still there, and asked.
differs any 'docker: OOM: said' 'systemd may remove the empty scope, and its memory.events, before containerd 1.6 has read them'
differs any 'podman: OOM: said' 'systemd may remove the empty scope, and its memory.events, before conmon 2.1.6 has read them'
differs any 'podman: OOM of a child: said' 'conmon 2.1.6 looks again at the end, and systemd may have removed the scope by then'

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
	is "$engine: pause: it is frozen" "$(sed -n 's/^frozen //p' "$(cgroup_of "$(engine inspect -f '{{.State.Pid}}' c1)")/cgroup.events")" 1
	check "$engine: unpause" engine unpause c1
	check "$engine: kill" engine kill c1
	is "$engine: kill: wait gives 137" "$(engine wait c1)" 137
	check "$engine: rm" engine rm -f c1
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
[ "$(id -u)" -eq 0 ] || { # root's: as Docker's below, and oom.sh's
	limits_checks podman
	oom_checks 'podman: '
}
exits 'podman: --uidmap' 0 '^0 0 1000 1000$' podman run --rm --network none --uidmap 0:1000:1000 --gidmap 0:1000:1000 isle \
	sh -c 'echo $(id -u) $(cat /proc/self/uid_map)'
is 'podman: no container is left' "$(podman ps -aq)" ''
if [ "$(id -u)" -eq 0 ]; then
	umount "$work/storage/overlay"
else
	podman unshare rm -rf "$work/storage"
	podman system migrate # ends the process that keeps the user's namespaces
fi

# --- containerd: CRI and ctr -------------------------------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || exit 0
oci_image isle.tar localhost/isle:1 '["sh"]'
oci_image pause.tar localhost/pause:1 '["sleep", "1000000"]'
cat >config.toml <<CONF
version = 2
root = "$work/containerd"
state = "$work/containerd-run"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "$work/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "$RUNTIME"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.$RUNTIME]
    runtime_type = "io.containerd.runc.v2"
    options = { BinaryName = "$runtime", SystemdCgroup = true }
CONF
containerd --config config.toml >containerd.log 2>&1 &
containerd=$!
ctr() {
	timeout -k 1 100 /usr/bin/ctr --address "$work/containerd.sock" "$@" </dev/null
}
cri() {
	timeout -k 1 100 python3 "$client" "$work/containerd.sock" "$@"
}
echo "# $(containerd --version | cut -d ' ' -f 1,3)"
check 'containerd starts' wait_for 30 ctr version || tail -n 20 containerd.log
timeout 600 /usr/bin/ctr --address "$work/containerd.sock" events >events 2>&1 &
events=$!
check 'ctr: import an image' ctr images import isle.tar
check 'cri: import images' eval 'ctr --namespace k8s.io images import isle.tar && ctr --namespace k8s.io images import pause.tar'
check 'ctr: run -d' ctr run -d --runc-binary "$runtime" --memory-limit 20971520 --cpus 0.5 localhost/isle:1 c1 sleep 100000
is 'ctr: the limits hold' "$(cat /sys/fs/cgroup/default/c1/{memory,cpu}.max | xargs)" '20971520 50000 100000'
like 'ctr: metrics' "$(ctr tasks metrics --format json c1)" '"usage_usec"'
check 'ctr: pause' ctr tasks pause c1
is 'ctr: it is frozen' "$(sed -n 's/^frozen //p' /sys/fs/cgroup/default/c1/cgroup.events)" 1
check 'ctr: resume' ctr tasks resume c1
check 'ctr: rm' eval 'ctr tasks delete --force c1; ctr containers rm c1'
exits 'ctr: OOM: killed' 137 '' ctr run --rm --runc-binary "$runtime" --memory-limit 16777216 localhost/isle:1 c2 sh -c 'sleep 1; exec probe eat 64'
check 'ctr: OOM: said' wait_for 5 grep -q '/tasks/oom' events

config=$(jq -nc '{metadata: {name: "one", uid: "u", namespace: "n"}, linux: {cgroup_parent: "kubepods-one.slice",
	security_context: {namespace_options: {network: "NODE", pid: "CONTAINER"}}}}')
pod=$(cri RunPodSandbox "$(jq -nc --argjson config "$config" --arg handler "$RUNTIME" '{$config, runtime_handler: $handler}')" | jq -r .pod_sandbox_id)
like 'cri: a pod' "$pod" '^[0-9a-f]{64}$'
# new_container NAME COMMAND...: 16 MiB
new_container() {
	container=$(cri CreateContainer "$(jq -nc --arg pod "$pod" --argjson sandbox_config "$config" --arg name "$1" --args '{pod_sandbox_id: $pod,
		$sandbox_config, config: {metadata: {name: $name}, image: {image: "localhost/isle:1"}, command: $ARGS.positional,
		linux: {resources: {memory_limit_in_bytes: 16777216}, security_context: {namespace_options: {network: "NODE", pid: "CONTAINER"}}}}}' \
		-- "${@:2}")" | jq -r .container_id)
	cri StartContainer "{\"container_id\": \"$container\"}" >/dev/null
}
check 'cri: a container' new_container sleeper sleep 100000
exec_sync() {
	cri ExecSync "$(jq -nc --arg id "$container" --args '{container_id: $id, cmd: $ARGS.positional}' -- "$@")" | jq -rj .stdout
}
like 'cri: a scope of systemd in the slice of the pod' "$(cgroup_of "$(pgrep -xf 'sleep 100000' | tail -n 1)")" \
	'kubepods.slice/kubepods-one.slice/cri-containerd-[0-9a-f]*.scope$'
check 'cri: UpdateContainerResources' cri UpdateContainerResources "{\"container_id\": \"$container\", \"linux\": {\"memory_limit_in_bytes\": 33554432}}"
is 'cri: ExecSync: the limit holds' "$(exec_sync cat /sys/fs/cgroup/memory.max)" 33554432
fact 'cri: ContainerStats' "$(cri ContainerStats "{\"container_id\": \"$container\"}")" '.stats | .cpu.usage_core_nano_seconds.value > 0'
check 'cri: one that passes its limit' new_container hungry sh -c 'probe eat 64; exec sleep 100000'
# The scope is there while the container is, so nobody can be too late.
check 'cri: OOM: told' wait_for 5 grep -q "/tasks/oom.*$container" events
reason=$(cri StopContainer "{\"container_id\": \"$container\"}" >/dev/null; cri ContainerStatus "{\"container_id\": \"$container\"}" | jq -r .status.reason)
is 'cri: OOM: the reason' "$reason" OOMKilled
check 'cri: the pod stops' cri StopPodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
check 'cri: and is gone' cri RemovePodSandbox "{\"pod_sandbox_id\": \"$pod\"}"

# --- Docker, with that containerd ----------------------------------------------------------------------------------------------

dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --data-root "$work/docker" --exec-root "$work/docker-run" \
	--pidfile "$work/docker.pid" --host "unix://$work/docker.sock" --containerd "$work/containerd.sock" --bridge none --iptables=false \
	>dockerd.log 2>&1 &
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
oom_checks 'docker: '
exits 'docker: --privileged' 0 'sysfs rw' engine run --rm --privileged isle grep ' /sys ' /proc/mounts
is 'docker: no container is left' "$(engine ps -aq)" ''
kill $dockerd $events
wait $dockerd $events
kill $containerd
wait $containerd
