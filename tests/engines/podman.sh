#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Podman, as root.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(podman conmon ip iptables)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

cat >/run/engine/containers.conf <<CONF
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "$RUNTIME"
runtime_supports_json = ["holm", "runc", "crun"]
runtime_supports_nocgroup = ["holm", "crun"]
[engine.runtimes]
$RUNTIME = ["$runtime"]
[network]
network_backend = "netavark"
[containers]
log_driver = "k8s-file"
CONF
export CONTAINERS_CONF=/run/engine/containers.conf
differs runc 'run --ulimit' 'Podman sets nproc too, higher than root may here; runc gives up'
differs runc 'run --cgroups=disabled' "runc can't"
podman() {
	timeout -k 1 40 /usr/bin/podman "$@"
}
run() {
	podman run --rm "$@" </dev/null
}

echo "# $(podman --version), $("$runtime" --version | head -n 1)"
is 'info names the runtime' "$(podman info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}' 2>&1)" "$RUNTIME $runtime"
check 'import an image' eval 'tar -C "$image_root" -c . | podman import -c "CMD=[\"/bin/sh\"]" -c "ENV PATH=/bin" - isle'

# --- run -----------------------------------------------------------------------------------------------------------------

exits 'run: output and status 0' 0 '^hello$' run isle echo hello
exits 'run: status of the payload' 9 '' run isle sh -c 'exit 9'
exits 'run: a signal is 128 and its number' 143 '' run isle sh -c 'sh -c "kill -TERM \$\$"; exit $?' 
exits 'run: command not found is 127' 127 'not found|no such file' run isle nosuch
exits 'run: a path not found is 127' 127 'no such file' run isle /no/such
exits 'run: not executable is 126' 126 'permission denied' run isle /etc/text
exits 'run: a folder is 126' 126 'permission denied|is a directory' run isle /bin
is 'run -i: input' "$(echo text | podman run --rm -i isle cat)" text
is 'run -t: a terminal' "$(on_terminal podman run --rm -t isle tty)" /dev/pts/0
exits 'run: environment, working folder, user, host name' 0 '^v /tmp 1000 reef$' \
	run -e K=v -w /tmp -u user --hostname reef isle sh -c 'echo $K $PWD $(id -u) $(hostname)'
exits 'run --init' 0 'catatonit|podman-init' run --init isle cat /proc/1/comm
exits 'run --read-only' 0 'Read-only.*written' run --read-only --tmpfs /scratch isle \
	sh -c 'touch /file; touch /scratch/file && echo written'
exits 'run --tmpfs: size and mode' 0 'size=1024k' run --tmpfs /scratch:size=1m,mode=1777 isle grep scratch /proc/mounts
mkdir folder && echo outside >folder/file
exits 'run -v: a folder' 0 '^outside$' run -v "$PWD/folder:/mnt" isle cat /mnt/file
exits 'run -v: read-only' 1 'Read-only' run -v "$PWD/folder:/mnt:ro" isle touch /mnt/file
exits 'run -v: a file' 0 '^outside$' run -v "$PWD/folder/file:/a/b/file" isle cat /a/b/file
exits 'run --mount bind,shared' 0 'shared:' run --mount "type=bind,src=$PWD/folder,dst=/mnt,bind-propagation=shared" isle \
	grep ' /mnt ' /proc/self/mountinfo
check 'volume create' podman volume create v1
exits 'a volume gets what the image has there' 0 '^of the image$' run -v v1:/data isle cat /data/file
exits 'a volume is written' 0 '' run -v v1:/data isle sh -c 'echo new >/data/file'
exits 'a volume keeps it' 0 '^new$' run -v v1:/data isle cat /data/file
check 'volume rm' podman volume rm v1
exits 'run --cap-drop all' 0 '^CapEff:.0000000000000000$' run --cap-drop all isle grep CapEff /proc/self/status
exits 'run --cap-add' 0 '^CapEff:.0000000000001000$' run --cap-drop all --cap-add net_admin isle grep CapEff /proc/self/status
exits 'the default seccomp profile is on' 0 'Seccomp:.2' run isle grep Seccomp: /proc/self/status
exits 'the default seccomp profile refuses kcmp(2)' 0 'EPERM' run isle probe call 312
exits 'which the kernel knows' 0 'ESRCH' run --security-opt seccomp=unconfined isle probe call 312
exits 'seccomp=unconfined' 0 'Seccomp:.0' run --security-opt seccomp=unconfined isle grep Seccomp: /proc/self/status
exits 'no-new-privileges' 0 'NoNewPrivs:.1' run --security-opt no-new-privileges isle grep NoNewPrivs /proc/self/status
exits 'masked paths' 0 '^0$' run isle sh -c 'cat /proc/keys /proc/timer_list 2>/dev/null | wc -c'
exits 'run --privileged' 0 'rw' run --privileged isle sh -c 'grep " /sys " /proc/mounts'
exits 'run --device' 0 '10, *229' run --device /dev/fuse isle ls -l /dev/fuse
exits 'devices are refused' 1 'not permitted' run isle sh -c 'mknod /tmp/d b 7 0 && cat /tmp/d'
exits 'run --ulimit' 0 '^100$' run --ulimit nofile=100:200 isle sh -c 'ulimit -n'
exits 'run --sysctl' 0 '^17$' run --sysctl net.ipv4.ip_default_ttl=17 isle cat /proc/sys/net/ipv4/ip_default_ttl
exits 'run --memory' 0 '^20971520$' run -m 20m isle cat /sys/fs/cgroup/memory/memory.limit_in_bytes
exits 'run --cpus' 0 '^50000$' run --cpus 0.5 isle cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
exits 'run --cpuset-cpus' 0 '^0$' run --cpuset-cpus 0 isle cat /sys/fs/cgroup/cpuset/cpuset.cpus
exits 'run --pids-limit' 0 '^50$' run --pids-limit 50 isle cat /sys/fs/cgroup/pids/pids.max
exits 'run --cgroups=disabled' 0 '^yes$' run --cgroups=disabled --network none isle echo yes
exits 'run --pid host' 0 "^$(cat /proc/1/comm)$" run --pid host isle cat /proc/1/comm
exits 'run --ipc, --uts host' 0 '^engine$' run --ipc host --uts host isle hostname
exits 'run --network none' 0 '^lo$' run --network none isle ls /sys/class/net
exits 'run --network host' 0 'lo' run --network host isle ls /sys/class/net
exits 'run --uidmap' 0 '^0 +0 +100000 +1000' run --uidmap 0:100000:1000 --gidmap 0:100000:1000 isle sh -c 'echo $(id -u) $(cat /proc/self/uid_map)'
exits 'run --userns=keep-id is refused by Podman itself' 125 'rootless' run --userns=keep-id isle true
exits 'run --rootfs' 0 '^hello$' run --rootfs "$image_root" echo hello
exits 'an unknown mount source' 125 'no such file' run -v "$PWD/absent:/mnt" isle true
exits 'run --timezone, --umask' 0 '^0077$' run --umask 0077 isle sh -c umask
exits 'run --shm-size' 0 'size=1024k' run --shm-size 1m isle grep /dev/shm /proc/mounts
exits 'run --preserve-fds' 0 '^through 3$' bash -c 'podman run --rm --preserve-fds 1 isle sh -c "cat <&3" 3<<<"through 3"'
exits 'run --systemd=always' 0 'tmpfs /run' run --systemd=always isle grep ' /run ' /proc/mounts
exits 'run --security-opt unmask' 0 '' run --security-opt unmask=ALL isle true

# --- a life ----------------------------------------------------------------------------------------------------------------

check 'run -d' podman run -d --name c1 -p 127.0.0.1:8080:80 --memory 64m isle httpd -f -p 80 -h /www
like 'ps' "$(podman ps --format '{{.Names}} {{.Status}}')" 'c1 Up'
check 'a published port answers' wait_for 5 curl -sf http://127.0.0.1:8080/index.html
is 'a default route' "$(podman exec c1 sh -c 'ip route | grep -c default')" 1
is 'exec' "$(podman exec c1 cat /www/index.html)" 'a page'
is 'exec -i' "$(echo text | podman exec -i c1 cat)" text
is 'exec -t' "$(on_terminal podman exec -t c1 tty)" /dev/pts/0
exits 'exec: status' 5 '' podman exec c1 sh -c 'exit 5'
exits 'exec: user, environment, folder' 0 '^1000 v /tmp$' podman exec -u user -e K=v -w /tmp c1 sh -c 'echo $(id -u) $K $PWD'
exits 'exec: not found is 127' 127 'not found|no such file' podman exec c1 nosuch
exits 'exec: not executable is 126' 126 'permission denied' podman exec c1 /etc/text
exits 'exec --privileged' 0 'CapEff:.0000.*[1-9a-f]' podman exec --privileged c1 grep CapEff /proc/self/status
exits 'exec -d' 0 '' podman exec -d c1 touch /made
check 'exec -d: done' wait_for 5 podman exec c1 test -e /made
exits 'exec --preserve-fds' 0 '^through 3$' bash -c 'podman exec --preserve-fds 1 c1 sh -c "cat <&3" 3<<<"through 3"'
like 'top' "$(podman top c1)" 'httpd -f'
like 'stats' "$(podman stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c1)" '^c1 1 .*kB / 67.*MB'
check 'update' podman update --memory 32m c1
is 'update: the limit holds' "$(podman exec c1 cat /sys/fs/cgroup/memory/memory.limit_in_bytes)" 33554432
check 'pause' podman pause c1
is 'pause: state' "$(podman inspect -f '{{.State.Status}}' c1)" paused
exits 'exec in a paused container is refused' 255 'paused|not running|improper' podman exec c1 true
check 'unpause' podman unpause c1
check 'cp into it' podman cp folder/file c1:/copied
is 'cp from it' "$(podman cp c1:/copied - | tar -xO)" outside
check 'diff, commit' eval '[[ $(podman diff c1) == *" /copied"* ]] && podman commit -q c1 isle2'
exits 'the committed image' 0 '^outside$' run isle2 cat /copied
check 'kill -s WINCH' podman kill -s WINCH c1
check 'stop' podman stop -t 1 c1
is 'stop: state' "$(podman inspect -f '{{.State.Status}} {{.State.Running}}' c1)" 'exited false'
check 'start again' podman start c1
check 'restart' podman restart -t 1 c1
check 'kill' podman kill c1
is 'kill: wait gives 137' "$(podman wait c1)" 137
check 'rm' podman rm c1
check 'create' podman create --name c2 isle sh -c 'echo out; echo err >&2; exit 3'
is 'created' "$(podman inspect -f '{{.State.Status}}' c2)" created
check 'init' podman init c2
is 'initialized' "$(podman inspect -f '{{.State.Status}}' c2)" initialized
exits 'start --attach: output and status' 3 'out.*err|err.*out' podman start --attach c2
is 'logs' "$(podman logs c2 2>/dev/null) $(podman logs c2 2>&1 >/dev/null)" 'out err'
check 'rm -f of one that has stopped' podman rm -f c2
podman run -d --name c3 isle sh -c 'until [ -e /go ]; do sleep 0.1; done; echo attached; sleep 0.2' >/dev/null
podman attach c3 >attached </dev/null &
attacher=$!
sleep 0.3
podman exec c3 touch /go
wait $attacher
is 'attach' "$(cat attached)" attached
podman run -d --name c4 --restart on-failure:2 isle sh -c 'echo again; exit 1' >/dev/null
check 'restart policy' wait_for 10 eval '[ "$(podman logs c4 | wc -l)" -eq 3 ]'
is 'restart policy: count' "$(podman inspect -f '{{.RestartCount}}' c4)" 2
exits 'OOM: killed' 137 '' podman run --name c5 --memory 16m --memory-swap 16m isle probe eat 64
# conmon 2.1.6 leaves its note in the caller's folder, where Podman doesn't look for it; with any runtime.
check 'OOM: said' eval '[ -e oom ] || [ "$(podman inspect -f "{{.State.OOMKilled}}" c5)" = true ]'
podman run -d --name c6 --health-cmd 'test -e /healthy' --health-interval=disable isle sleep 100 >/dev/null
exits 'health check: unhealthy' 1 '' podman healthcheck run c6
podman exec c6 touch /healthy
exits 'health check: healthy' 0 '' podman healthcheck run c6
like 'events' "$(podman events --stream=false --format '{{.Status}}' | sort -u | tr '\n' ' ')" '.*create.*died.*exec.*init.*pause.*remove.*start.*'
exits 'checkpoint is refused clearly' 125 'checkpoint' podman container checkpoint c6
is 'and harms not' "$(podman inspect -f '{{.State.Status}}' c6)" running
check 'rm -f of one that runs' podman rm -f -t 0 c6

# --- pods ------------------------------------------------------------------------------------------------------------------

check 'build the pause image' eval 'printf "FROM isle\nCOPY catatonit /catatonit\nENTRYPOINT [\"/catatonit\", \"-P\"]\n" >pause &&
	cp "$(command -v catatonit || echo /usr/libexec/podman/catatonit)" . && podman build -q -f pause -t pause .'
check 'pod create' podman pod create --name p1 --infra-image pause --share net,ipc,uts -p 127.0.0.1:8081:80
check 'a server in the pod' podman run -d --pod p1 --name p1a isle httpd -f -p 80 -h /www
exits 'its neighbour reaches it at 127.0.0.1' 0 '^a page$' run --pod p1 isle wget -qO - http://127.0.0.1/index.html
check 'and so does the host' wait_for 5 curl -sf http://127.0.0.1:8081/index.html
check 'pod pause' podman pod pause p1
check 'pod unpause' podman pod unpause p1
check 'pod stop' podman pod stop -t 0 p1
check 'pod start' podman pod start p1
check 'pod rm -f' podman pod rm -f -t 0 p1
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
check 'play kube' podman play kube kube.yaml
is 'play kube: as asked' "$(podman exec k1-one sh -c 'id -u; cat /sys/fs/cgroup/memory/memory.limit_in_bytes' | tr '\n' ' ')" '1000 33554432 '
check 'play kube --down' podman play kube --down kube.yaml

# --- build, networks, many -------------------------------------------------------------------------------------------------

printf 'FROM isle\nRUN echo built >/built && test "$(id -u)" = 0\nUSER user\nRUN id -u >/tmp/who\nCMD cat /built /tmp/who\n' >Containerfile
check 'build with RUN' podman build -q -t isle3 --runtime "$runtime" .
exits 'what was built' 0 '^built.1000$' run isle3
check 'network create' podman network create --subnet 10.98.0.0/24 n1
exits 'a fixed address in it' 0 '10\.98\.0\.7' run --network n1 --ip 10.98.0.7 isle ip addr show eth0
check 'network rm' podman network rm n1
podman rm -af -t 0 >/dev/null 2>&1
started=$(seq 10 | xargs -P 5 -I{} podman run --rm --network none isle echo {} 2>&1 | sort -n | paste -sd ' ')
is 'ten at once' "$started" '1 2 3 4 5 6 7 8 9 10'
is 'no container is left' "$(podman ps -aq)" ''
is 'the runtime has no record left' "$(find /run -path '*/test' -prune -o -name state.json -print | head)" ''
