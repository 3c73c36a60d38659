#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kubernetes' way in: containerd's CRI plugin, called as the kubelet calls it, with a runtime handler as a RuntimeClass names it.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(containerd ctr ip iptables)
client=$(readlink -f "$(dirname "$0")/cri.py")
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

cni=$(for folder in /usr/lib/cni /opt/cni/bin; do [ ! -x $folder/bridge ] || echo $folder; done | head -n 1)
[ -n "$cni" ] || skip_all 'no CNI plugins'
/usr/bin/python3 -c 'import grpc' 2>/dev/null || skip_all 'no python3-grpcio'

mkdir /run/engine/cni /run/engine/logs
cat >/run/engine/cni/10-pods.conflist <<CNI
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
	{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
		"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.97.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
	{"type": "portmap", "capabilities": {"portMappings": true}}]}
CNI
cat >/run/engine/config.toml <<CONF
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni"
    conf_dir = "/run/engine/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "$RUNTIME"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.$RUNTIME]
    runtime_type = "io.containerd.runc.v2"
    options = { BinaryName = "$runtime" }
CONF

start_containerd() {
	containerd --config /run/engine/config.toml >>/run/engine/containerd.log 2>&1 &
	containerd_pid=$!
	wait_for 20 eval 'cri Status | jq -e "[.status.conditions[] | select(.status == 1)] | length == 2"'
}

cri() {
	timeout -k 1 $((70 * HOLM_TIMESCALE)) "$client" /run/containerd/containerd.sock "$@"
}

# of METHOD ID [KEY VALUE-JSON]...: a call about one container or pod
of() {
	local method=$1 key=container_id request
	[[ $method != *Sandbox* ]] || key=pod_sandbox_id
	request=$(jq -nc --arg id "$2" "{$key: \$id}")
	shift 2
	while [ $# -gt 0 ]; do
		request=$(jq -c --argjson value "$2" ".$1 = \$value" <<<"$request")
		shift 2
	done
	cri "$method" "$request"
}

# new_pod NAME [JQ-FILTER]: starts a pod under the handler; $pod, $pod_config
new_pod() {
	pod_config=$(jq -nc --arg name "$1" '{metadata: {name: $name, uid: ("uid-" + $name), namespace: "default"}, hostname: $name,
		log_directory: ("/run/engine/logs/" + $name), dns_config: {servers: ["10.97.0.1"], searches: ["reef.test"]},
		linux: {cgroup_parent: ("/pods/" + $name), security_context: {namespace_options: {pid: "CONTAINER"}}}} | '"${2:-.}")
	pod=$(cri RunPodSandbox "$(jq -nc --arg handler "$RUNTIME" --argjson config "$pod_config" '{$config, runtime_handler: $handler}')" |
		jq -er .pod_sandbox_id)
}

# create_container NAME JQ-FILTER COMMAND...: in the pod made last; $container, $log
containers=0
create_container() {
	local name=$1 filter=$2 config
	shift 2
	containers=$((containers + 1))
	log=/run/engine/logs/$(jq -r .metadata.name <<<"$pod_config")/$name.$containers.log
	config=$(jq -nc --arg name "$name" --argjson n $containers --args '{metadata: {name: $name, attempt: $n},
		image: {image: "localhost/isle:1"}, command: $ARGS.positional, log_path: "\($name).\($n).log",
		linux: {security_context: {namespace_options: {pid: "CONTAINER"}}}} | '"$filter" -- "$@")
	container=$(cri CreateContainer "$(jq -nc --arg pod "$pod" --argjson config "$config" --argjson sandbox_config "$pod_config" \
		'{pod_sandbox_id: $pod, $config, $sandbox_config}')" | jq -er .container_id)
}

# start_container NAME JQ-FILTER COMMAND...
start_container() {
	create_container "$@" && of StartContainer "$container" >/dev/null
}

status_of_container() { # JQ-EXPRESSION
	of ContainerStatus "$container" | jq -r ".status | $1"
}

has_ended() {
	[ "$(status_of_container .state)" = EXITED ]
}

# What the container's log has of one stream, or both, without time and stream.
# shellcheck disable=SC2120 # eval passes it one
log_text() { # [stdout|stderr]
	sed -n "s/^[^ ]* ${1:-std[a-z]*} [FP] //p" "$log"
}

# run JQ-FILTER COMMAND...: to its end, with its output (some) and its status; removes it
run() {
	local status
	start_container run "$@" || return 125
	wait_for 20 has_ended
	wait_for 10 test -s "$log" # containerd may see the end first
	status=$(status_of_container '.exit_code // 0')
	log_text
	of RemoveContainer "$container" >/dev/null
	return "$status"
}

# exec_sync COMMAND...: in the container made last
exec_sync() {
	local answer
	answer=$(of ExecSync "$container" cmd "$(jq -nc --args '$ARGS.positional' -- "$@")" timeout 20) || return 125
	jq -rj '.stdout // ""' <<<"$answer"
	jq -rj '.stderr // ""' <<<"$answer" >&2
	return "$(jq '.exit_code // 0' <<<"$answer")"
}

check 'containerd starts, runtime and network are ready' start_containerd || cat /run/engine/containerd.log
echo "# $(containerd --version | cut -d ' ' -f 1,3), $("$runtime" --version | head -n 1)"
like 'Version' "$(cri Version)" '"runtime_name": "containerd".*"runtime_api_version": "v1"'
for image in 'pause:1 ["sleep", "1000000"]' 'isle:1 ["sh"]'; do
	oci_image image.tar "localhost/${image%% *}" "${image#* }"
	check "import ${image%% *}" ctr -n k8s.io images import image.tar
done
check 'ImageStatus' wait_for 5 eval 'cri ImageStatus "{\"image\": {\"image\": \"localhost/isle:1\"}}" | jq -e .image.id'

# --- a pod -----------------------------------------------------------------------------------------------------------------

check 'RunPodSandbox with the handler' new_pod one '.linux.sysctls = {"net.ipv4.ip_default_ttl": "17"}
	| .port_mappings = [{container_port: 80, host_port: 8080}]'
sandbox=$(of PodSandboxStatus "$pod" | jq .status)
fact 'PodSandboxStatus' "$sandbox" '.state // "READY"' READY
fact 'the handler is noted' "$sandbox" .runtime_handler "$RUNTIME"
address=$(jq -r .network.ip <<<"$sandbox")
like 'an address from CNI' "$address" '^10\.97\.0\.'
like "the runtime's record is where kubernetes.md says" "$("$runtime" --root /run/containerd/runc/k8s.io list -q)" "$pod"
refuses 'an unknown handler' 'no runtime for "nosuch" is configured' cri RunPodSandbox \
	"$(jq -nc --argjson config "$pod_config" '{config: ($config | .metadata.name = "other"), runtime_handler: "nosuch"}')"

check 'CreateContainer' create_container server . httpd -f -p 80 -h /www
is 'created' "$(status_of_container '.state // "CREATED"')" CREATED
check 'StartContainer' of StartContainer "$container"
server=$container
is 'running' "$(status_of_container .state)" RUNNING
check 'the pod answers at its address' wait_for 5 curl -sf "http://$address/index.html"
# Not by 127.0.0.1: that takes a mark that this kernel's iptables may lack
check "the host's port leads to it" wait_for 5 curl -sf http://10.97.0.1:8080/index.html
is 'ExecSync' "$(exec_sync cat /www/index.html)" 'a page'
exits 'ExecSync: status and both streams' 5 '^out.?err$' exec_sync sh -c 'echo out; echo err >&2; exit 5'
exits 'ExecSync: not found' 125 'executable file not found' exec_sync nosuch
exits 'ExecSync: not executable' 125 'permission denied' exec_sync /etc/text
refuses 'ExecSync: the time-out' 'DEADLINE_EXCEEDED|timeout' of ExecSync "$container" cmd '["sleep", "100"]' timeout 1
check 'ExecSync: what was late is gone' wait_for 5 eval '! exec_sync pgrep -f "sleep 100"'
is 'Exec' "$(of exec "$container" cmd '["cat", "/www/index.html"]' stdout true stderr true)" 'a page'
is 'Exec: input' "$(printf 'text\n' | of exec "$container" cmd '["head", "-n", "1"]' stdin true stdout true)" text
is 'Exec: a terminal' "$(of exec "$container" cmd '["tty"]' tty true stdin true stdout true </dev/null | tr -d '\r')" /dev/pts/0
of exec "$container" cmd '["sh", "-c", "exit 7"]' stdout true
is 'Exec: status' $? 7
check 'a second container in the pod' start_container neighbour . sleep 1000
is 'they share the network' "$(exec_sync wget -qO - http://127.0.0.1/index.html)" 'a page'
is 'and not the processes' "$(exec_sync cat /proc/1/comm)" sleep
is 'the name of the host' "$(exec_sync hostname)" one
is 'sysctls of the pod' "$(exec_sync cat /proc/sys/net/ipv4/ip_default_ttl)" 17
like 'DNS of the pod' "$(exec_sync cat /etc/resolv.conf)" 'reef.test'
like 'the cgroup parent of the pod' "$("$runtime" --root /run/containerd/runc/k8s.io state "$container" | jq .pid | xargs -I{} cat /proc/{}/cgroup)" \
	"(memory|0:):/pods/one/$container"

# --- stats, update, logs -----------------------------------------------------------------------------------------------------

usage=$(of ContainerStats "$server" | jq .stats)
fact 'ContainerStats' "$usage" '.cpu.usage_core_nano_seconds.value > 0 and .memory.working_set_bytes.value > 0'
usage=$(of PodSandboxStats "$pod" | jq .stats.linux)
fact 'PodSandboxStats' "$usage" '.cpu.usage_core_nano_seconds.value > 0 and (.containers | length) == 2'
check 'UpdateContainerResources' of UpdateContainerResources "$container" linux \
	'{"memory_limit_in_bytes": 33554432, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 512, "cpuset_cpus": "0"}'
is 'the limits hold' "$(exec_sync limit memory quota shares cpus)" '33554432 50000 512 0'
check 'a container that writes' start_container writer . sh -c 'echo out; echo err >&2; while [ ! -e /go ]; do sleep 0.05; done; echo later; exit 3'
check 'the log' wait_for 5 eval '[ "$(log_text stdout) $(log_text stderr)" = "out err" ]'
mv "$log" "$log.0"
check 'ReopenContainerLog' of ReopenContainerLog "$container"
exec_sync touch /go
check 'it ends' wait_for 5 has_ended
check 'the new log' wait_for 5 eval '[ "$(log_text)" = later ]'
is 'status and reason' "$(status_of_container '"\(.exit_code) \(.reason)"')" '3 Error'
check 'RemoveContainer' of RemoveContainer "$container"
check 'attach: a container with input' start_container reader '.stdin = true | .stdin_once = true' head -n 1
is 'attach: what is typed comes back' "$(echo typed | of attach "$container" stdin true stdout true)" typed
check 'attach: and it ended' wait_for 5 has_ended
check 'attach: a container with a terminal' start_container shell '.stdin = true | .tty = true' sh -c 'read line; echo "got $line from $(tty)"'
like 'attach: on the terminal' "$(echo line | of attach "$container" stdin true stdout true tty true)" 'got line from /dev/pts/0'

# --- ends ------------------------------------------------------------------------------------------------------------------

check 'one that handles TERM' start_container polite . sh -c 'trap "exit 4" TERM; echo up; while :; do sleep 0.05; done'
wait_for 5 eval '[ "$(log_text)" = up ]'
check 'StopContainer' of StopContainer "$container" timeout 10
is 'its status' "$(status_of_container .exit_code)" 4
check 'one that does not' start_container deaf . sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
wait_for 5 eval '[ "$(log_text)" = up ]'
check 'StopContainer after its time' of StopContainer "$container" timeout 1
is 'is killed' "$(status_of_container .exit_code)" 137
start_container fine . true
check 'one that succeeds' wait_for 5 has_ended
is 'Completed' "$(status_of_container '"\(.exit_code // 0) \(.reason)"')" '0 Completed'
create_container missing . nosuch
refuses 'not found: the message' 'nosuch.*executable file not found in \$PATH' of StartContainer "$container"
is 'not found: status and reason' "$(status_of_container '"\(.exit_code) \(.reason)"')" '128 StartError'
create_container text . /etc/text
refuses 'not executable: the message' 'permission denied' of StartContainer "$container"
check 'OOM' start_container hungry '.linux.resources.memory_limit_in_bytes = 16777216' sh -c 'sleep 1; exec probe eat 64'
check 'OOM: it ends' wait_for 10 has_ended
check 'OOM: reported as such' wait_for 5 eval '[ "$(status_of_container "\"\(.exit_code) \(.reason)\"")" = "137 OOMKilled" ]'
container=$server
refuses 'CheckpointContainer is refused' 'UNIMPLEMENTED' of CheckpointContainer "$container" location '"/run/engine/checkpoint.tar"'
is 'and harms not' "$(status_of_container .state)" RUNNING

# --- what a pod's fields become ----------------------------------------------------------------------------------------------

security() { # JQ-FILTER COMMAND...
	local filter=$1
	shift
	run ".linux.security_context |= ($filter)" "$@"
}
exits 'environment and folder' 0 '^v /tmp$' run '.envs = [{key: "K", value: "v"}] | .working_dir = "/tmp"' sh -c 'echo $K $PWD'
exits 'user and groups' 0 '^1000 1000 7' security '.run_as_user.value = 1000 | .run_as_group.value = 1000 | .supplemental_groups = [7]' \
	sh -c 'echo $(id -u) $(id -G)'
exits 'user by name' 0 '^1000$' security '.run_as_username = "user"' id -u
exits 'readOnlyRootFilesystem' 1 'Read-only' security '.readonly_rootfs = true' touch /file
exits 'capabilities dropped' 0 'CapEff:.0000000000000000$' security '.capabilities.drop_capabilities = ["ALL"]' grep CapEff /proc/self/status
exits 'a capability added' 0 'CapEff:.00000000a80435fb$' security '.capabilities.add_capabilities = ["NET_ADMIN"]' grep CapEff /proc/self/status
exits 'no new privileges' 0 'NoNewPrivs:.1' security '.no_new_privs = true' grep NoNewPrivs /proc/self/status
exits 'seccomp: RuntimeDefault' 0 'Seccomp:.2' security '.seccomp.profile_type = "RuntimeDefault"' grep Seccomp: /proc/self/status
exits 'seccomp: Unconfined' 0 'Seccomp:.0' security '.seccomp.profile_type = "Unconfined"' grep Seccomp: /proc/self/status
echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}' >profile.json
exits 'seccomp: Localhost' 1 'not permitted' security ".seccomp = {profile_type: \"Localhost\", localhost_ref: \"$PWD/profile.json\"}" mkdir /new
exits 'masked and read-only paths' 0 '^0$' security '.masked_paths = ["/www"] | .readonly_paths = ["/data"]' \
	sh -c 'ls /www | wc -l; ! touch /data/x 2>/dev/null'
mkdir folder && echo outside >folder/file
exits 'a volume' 0 '^outside$' run ".mounts = [{host_path: \"$PWD/folder\", container_path: \"/mnt\"}]" cat /mnt/file
exits 'a volume, read-only' 1 'Read-only' run ".mounts = [{host_path: \"$PWD/folder\", container_path: \"/mnt\", readonly: true}]" touch /mnt/x
mount --bind folder folder && mount --make-shared folder
exits 'a volume, Bidirectional' 0 'shared:' run \
	".mounts = [{host_path: \"$PWD/folder\", container_path: \"/mnt\", propagation: \"BIDIRECTIONAL\"}]" grep ' /mnt ' /proc/self/mountinfo
umount folder
exits 'a device' 0 '10, *229' run '.devices = [{host_path: "/dev/fuse", container_path: "/dev/fuse", permissions: "rw"}]' ls -l /dev/fuse
exits 'limits' 0 '^33554432 50000 512$' run '.linux.resources = {memory_limit_in_bytes: 33554432, cpu_quota: 50000, cpu_period: 100000, cpu_shares: 512}' \
	limit memory quota shares
exits 'the processes of a neighbour' 0 '^httpd$' security ".namespace_options = {pid: \"TARGET\", target_id: \"$server\"}" cat /proc/1/comm
exits 'the processes of the pod' 0 '^sleep$' security '.namespace_options.pid = "POD"' cat /proc/1/comm

# --- containerd anew, other pods, the end ------------------------------------------------------------------------------------

kill $containerd_pid
wait $containerd_pid
check 'containerd starts anew' start_containerd
container=$server
is 'the container went on' "$(status_of_container .state) $(exec_sync cat /data/file)" 'RUNNING of the image'
check 'StopPodSandbox' of StopPodSandbox "$pod"
is 'its containers ended' "$(status_of_container '"\(.state) \(.exit_code)"')" 'EXITED 137'
check 'RemovePodSandbox' of RemovePodSandbox "$pod"
differs runc 'a privileged container' 'asks for a capability that root may lack; runc gives up'
node='.namespace_options = {network: "NODE", pid: "NODE", ipc: "NODE"}'
check 'a pod in the namespaces of the node' new_pod two "del(.hostname) | .linux.security_context |= (.privileged = true | $node)"
exits 'its network' 0 'cni0' security "$node" ls /sys/class/net
exits 'its processes' 0 "^$(cat /proc/1/comm)$" security "$node" cat /proc/1/comm
exits 'a privileged container' 0 ' /sys sysfs rw' security "$node | .privileged = true" grep ' /sys ' /proc/mounts
for n in 1 2 3 4 5; do
	(new_pod "many$n" && start_container sleeper . sleep 1000 && of StopPodSandbox "$pod" && of RemovePodSandbox "$pod") >"many$n.out" 2>&1 &
	many[n]=$!
done
for n in 1 2 3 4 5; do wait "${many[n]}" || not_ok "pod $n of five at once" "$(cat "many$n.out")"; done
ok 'five pods at once'
of StopPodSandbox "$pod" >/dev/null
check 'RemovePodSandbox takes what has ended with it' of RemovePodSandbox "$pod"
is 'nothing is listed' "$(cri ListPodSandbox) $(cri ListContainers)" '{} {}'
is 'the runtime has no record left' "$(find /run/containerd/runc -mindepth 2 ! -name :seccomp ! -path '*/:seccomp/*')" ''
is 'no cgroup of a container is left' "$(find /sys/fs/cgroup -type d -path '*/pods/*/*')" ''
