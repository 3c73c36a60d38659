#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman, as root.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(podman conmon ip iptables)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/engines/life.sh
. "$OLDPWD/tests/engines/life.sh"

podman_conf >/run/engine/containers.conf
export CONTAINERS_CONF=/run/engine/containers.conf
differs runc 'run --ulimit' 'Podman sets nproc too, higher than root may here; runc gives up'
differs runc 'run --cgroups=disabled' "runc can't"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	for name in 'a server in the pod' 'its neighbour reaches it at 127.0.0.1' 'and so does the host' 'pod start' 'play kube' 'play kube: as asked'; do
		differs any "$name" "Podman 4.3 without systemd gives a pod's cgroup a device program that denies everything, /dev/null too"
	done
fi
words=(timeout -k 1 $((40 * HOLM_TIMESCALE)) /usr/bin/podman)
engine() {
	"${words[@]}" "$@"
}
run() {
	engine run --rm "$@" </dev/null
}

echo "# $(engine --version), $("$runtime" --version | head -n 1)"
is 'info names the runtime' "$(engine info --format '{{.Host.OCIRuntime.Path}}' 2>&1)" "$runtime"
import_image

run_checks
root_checks
exits 'run --mount bind,shared' 0 'shared:' run --mount "type=bind,src=$PWD/folder,dst=/mnt,bind-propagation=shared" isle \
	grep ' /mnt ' /proc/self/mountinfo
exits 'run --cgroups=disabled' 0 '^yes$' run --cgroups=disabled --network none isle echo yes
exits 'run --uidmap' 0 '^0 +0 +100000 +1000' run --uidmap 0:100000:1000 --gidmap 0:100000:1000 isle sh -c 'echo $(id -u) $(cat /proc/self/uid_map)'
exits 'run --userns=keep-id is refused by Podman itself' 125 'rootless' run --userns=keep-id isle true
exits 'run --rootfs' 0 '^hello$' run --rootfs "$image_root" echo hello
exits 'an unknown mount source' 125 'no such file' run -v "$PWD/absent:/mnt" isle true
exits 'run --umask' 0 '^0077$' run --umask 0077 isle sh -c umask
exits 'run --preserve-fds' 0 '^through 3$' bash -c 'podman run --rm --preserve-fds 1 isle sh -c "cat <&3" 3<<<"through 3"'
exits 'run --systemd=always' 0 'tmpfs /run' run --systemd=always isle grep ' /run ' /proc/mounts
exits 'run --security-opt unmask' 0 '' run --security-opt unmask=ALL isle true

server_checks --memory 64m
exits 'exec --preserve-fds' 0 '^through 3$' bash -c 'podman exec --preserve-fds 1 c1 sh -c "cat <&3" 3<<<"through 3"'
like 'stats' "$(engine stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c1)" '^c1 1 .*kB / 67.*MB'
check 'update' engine update --memory 32m c1
is 'update: the limit holds' "$(engine exec c1 limit memory)" 33554432
pause_checks 255 'paused|not running|improper'
end_checks
oom_checks ''
check 'create for init' engine create --name c7 isle sh -c 'exit 3'
check 'init' engine init c7
is 'initialized' "$(engine inspect -f '{{.State.Status}}' c7)" initialized
exits 'start of what is initialized' 3 '' engine start --attach c7
engine run -d --name c6 --health-cmd 'test -e /healthy' --health-interval=disable isle sleep 1000 >/dev/null
exits 'health check: unhealthy' 1 '' engine healthcheck run c6
engine exec c6 touch /healthy
exits 'health check: healthy' 0 '' engine healthcheck run c6
like 'events' "$(engine events --stream=false --format '{{.Status}}' | sort -u | tr '\n' ' ')" '.*create.*died.*exec.*init.*pause.*remove.*start.*'
exits 'checkpoint is refused clearly' 125 'checkpoint' engine container checkpoint c6
is 'and harms not' "$(engine inspect -f '{{.State.Status}}' c6)" running
check 'rm -f of one that runs' engine rm -f -t 0 c6

# --- pods ------------------------------------------------------------------------------------------------------------------

check 'build the pause image' eval 'printf "FROM isle\nCOPY catatonit /catatonit\nENTRYPOINT [\"/catatonit\", \"-P\"]\n" >pause &&
	cp "$(command -v catatonit || echo /usr/libexec/podman/catatonit)" . && engine build -q -f pause -t pause .'
check 'pod create' engine pod create --name p1 --infra-image pause --share net,ipc,uts -p 127.0.0.1:8081:80
check 'a server in the pod' engine run -d --pod p1 --name p1a isle httpd -f -p 80 -h /www
exits 'its neighbour reaches it at 127.0.0.1' 0 '^a page$' run --pod p1 isle wget -qO - http://127.0.0.1/index.html
check 'and so does the host' wait_for 5 curl -sf http://127.0.0.1:8081/index.html
check 'pod pause' engine pod pause p1
check 'pod unpause' engine pod unpause p1
check 'pod stop' engine pod stop -t 0 p1
check 'pod start' engine pod start p1
check 'pod rm -f' engine pod rm -f -t 0 p1
cat >kube.yaml <<'KUBE'
apiVersion: v1
kind: Pod
metadata: {name: k1}
spec:
  containers:
  - name: one
    image: localhost/isle
    command: [sleep, "100"]
    resources: {limits: {memory: 32Mi, cpu: 500m}}
    securityContext: {readOnlyRootFilesystem: true, runAsUser: 1000, capabilities: {drop: [ALL]}}
KUBE
check 'play kube' engine play kube kube.yaml
is 'play kube: as asked' "$(engine exec k1-one sh -c 'echo $(id -u) $(limit memory)')" '1000 33554432'
check 'play kube --down' engine play kube --down kube.yaml

# --- build, networks, many -------------------------------------------------------------------------------------------------

build_checks --runtime "$runtime"
network_checks
many_checks
is 'the runtime has no record left' "$(find /run -path '*/test' -prune -o -name state.json -print | head)" ''
