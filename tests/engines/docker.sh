#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Docker: dockerd with its own containerd.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(dockerd containerd ip iptables)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

docker() {
	timeout -k 1 40 /usr/bin/docker "$@"
}
run() {
	docker run --rm "$@" </dev/null
}
differs runc 'run --privileged' 'asks for a capability that root may lack; runc gives up'
differs runc 'exec --privileged' 'asks for a capability that root may lack; runc gives up'

mkdir /run/engine/bin
ln -s "$runtime" /run/engine/bin/runc
PATH=/run/engine/bin:$PATH dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --storage-driver overlay2 \
	--oom-score-adjust 0 --ip6tables=false >/run/engine/dockerd.log 2>&1 &
check 'dockerd starts' wait_for 20 docker version || cat /run/engine/dockerd.log
echo "# $(docker version --format 'Docker {{.Server.Version}}'), $("$runtime" --version | head -n 1)"
is 'info names the runtime' "$(docker info --format '{{.DefaultRuntime}}' 2>&1)" under-test
check 'import an image' eval 'tar -C "$image_root" -c . | docker import -c "CMD [\"/bin/sh\"]" -c "ENV PATH=/bin" - isle'

# --- run -----------------------------------------------------------------------------------------------------------------

exits 'run: output and status 0' 0 '^hello$' run isle echo hello
exits 'run: status of the payload' 9 '' run isle sh -c 'exit 9'
exits 'run: a signal is 128 and its number' 143 '' run isle sh -c 'sh -c "kill -TERM \$\$"; exit $?'
exits 'run: command not found is 127' 127 'executable file not found' run isle nosuch
exits 'run: a path not found is 127' 127 'no such file' run isle /no/such
exits 'run: not executable is 126' 126 'permission denied' run isle /etc/text
exits 'run: a folder is 126' 126 'permission denied|is a directory' run isle /bin
is 'run -i: input' "$(echo text | docker run --rm -i isle cat)" text
is 'run -t: a terminal' "$(on_terminal docker run --rm -t isle tty)" /dev/pts/0
exits 'run: environment, working folder, user, host name' 0 '^v /tmp 1000 reef$' \
	run -e K=v -w /tmp -u user --hostname reef isle sh -c 'echo $K $PWD $(id -u) $(hostname)'
exits 'run --init' 0 'docker-init|tini' run --init isle cat /proc/1/comm
exits 'run --read-only' 0 'Read-only.*written' run --read-only --tmpfs /scratch isle \
	sh -c 'touch /file; touch /scratch/file && echo written'
exits 'run --tmpfs: size and mode' 0 'size=1024k' run --tmpfs /scratch:size=1m,mode=1777 isle grep scratch /proc/mounts
mkdir folder && echo outside >folder/file
exits 'run -v: a folder' 0 '^outside$' run -v "$PWD/folder:/mnt" isle cat /mnt/file
exits 'run -v: read-only' 1 'Read-only' run -v "$PWD/folder:/mnt:ro" isle touch /mnt/file
exits 'run -v: a file' 0 '^outside$' run -v "$PWD/folder/file:/a/b/file" isle cat /a/b/file
check 'volume create' docker volume create v1
exits 'a volume gets what the image has there' 0 '^of the image$' run -v v1:/data isle cat /data/file
exits 'a volume is written' 0 '' run -v v1:/data isle sh -c 'echo new >/data/file'
exits 'a volume keeps it' 0 '^new$' run -v v1:/data isle cat /data/file
check 'volume rm' docker volume rm v1
exits 'run --cap-drop all' 0 '^CapEff:.0000000000000000$' run --cap-drop all isle grep CapEff /proc/self/status
exits 'run --cap-add' 0 '^CapEff:.0000000000001000$' run --cap-drop all --cap-add net_admin isle grep CapEff /proc/self/status
exits 'the default seccomp profile is on' 0 'Seccomp:.2' run isle grep Seccomp: /proc/self/status
exits 'the default seccomp profile refuses kcmp(2)' 0 'EPERM' run isle probe call 312
exits 'which the kernel knows' 0 'ESRCH' run --security-opt seccomp=unconfined isle probe call 312
exits 'seccomp=unconfined' 0 'Seccomp:.0' run --security-opt seccomp=unconfined isle grep Seccomp: /proc/self/status
exits 'no-new-privileges' 0 'NoNewPrivs:.1' run --security-opt no-new-privileges isle grep NoNewPrivs /proc/self/status
exits 'masked paths' 0 '^0$' run isle sh -c 'cat /proc/keys /proc/timer_list 2>/dev/null | wc -c'
exits 'run --privileged' 0 'sysfs rw' run --privileged isle grep ' /sys ' /proc/mounts
exits 'run --device' 0 '10, *229' run --device /dev/fuse isle ls -l /dev/fuse
exits 'devices are refused' 1 'not permitted' run isle sh -c 'mknod /tmp/d b 7 0 && cat /tmp/d'
exits 'run --device-cgroup-rule' 0 '' run --device-cgroup-rule 'c 10:229 rwm' isle true
exits 'run --ulimit' 0 '^100$' run --ulimit nofile=100:200 isle sh -c 'ulimit -n'
exits 'run --sysctl' 0 '^17$' run --sysctl net.ipv4.ip_default_ttl=17 isle cat /proc/sys/net/ipv4/ip_default_ttl
exits 'run --memory' 0 '^20971520$' run -m 20m isle cat /sys/fs/cgroup/memory/memory.limit_in_bytes
exits 'run --cpus' 0 '^50000$' run --cpus 0.5 isle cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
exits 'run --cpuset-cpus' 0 '^0$' run --cpuset-cpus 0 isle cat /sys/fs/cgroup/cpuset/cpuset.cpus
exits 'run --pids-limit' 0 '^50$' run --pids-limit 50 isle cat /sys/fs/cgroup/pids/pids.max
exits 'run --cgroup-parent' 0 '^yes$' run --cgroup-parent /own/parent isle echo yes
exits 'run --pid host' 0 "^$(cat /proc/1/comm)$" run --pid host isle cat /proc/1/comm
exits 'run --ipc, --uts host' 0 '^engine$' run --ipc host --uts host isle hostname
exits 'run --cgroupns private' 0 '1:cpu:/$' run --cgroupns private isle grep cpu:/ /proc/self/cgroup
exits 'run --network none' 0 '^lo$' run --network none isle ls /sys/class/net
exits 'run --network host' 0 'lo' run --network host isle ls /sys/class/net
exits 'run --shm-size' 0 'size=1024k' run --shm-size 1m isle grep /dev/shm /proc/mounts
exits 'run --group-add' 0 '1000' run --group-add 1000 isle id -G
exits 'run --gpus is refused' 125 'device driver' run --gpus all isle true
exits 'a working folder that is not there is made' 0 '^/new/folder$' run -w /new/folder isle pwd

# --- a life ----------------------------------------------------------------------------------------------------------------

check 'run -d' docker run -d --name c1 -p 127.0.0.1:8080:80 --memory 64m isle httpd -f -p 80 -h /www
like 'ps' "$(docker ps --format '{{.Names}} {{.Status}}')" 'c1 Up'
check 'a published port answers' wait_for 5 curl -sf http://127.0.0.1:8080/index.html
is 'exec' "$(docker exec c1 cat /www/index.html)" 'a page'
is 'exec -i' "$(echo text | docker exec -i c1 cat)" text
is 'exec -t' "$(on_terminal docker exec -t c1 tty)" /dev/pts/0
exits 'exec: status' 5 '' docker exec c1 sh -c 'exit 5'
exits 'exec: user, environment, folder' 0 '^1000 v /tmp$' docker exec -u user -e K=v -w /tmp c1 sh -c 'echo $(id -u) $K $PWD'
# 127 from Docker 23 on
exits 'exec: not found' '12[67]' 'executable file not found' docker exec c1 nosuch
exits 'exec: not executable is 126' 126 'permission denied' docker exec c1 /etc/text
exits 'exec --privileged' 0 'CapEff:.0000.*[1-9a-f]' docker exec --privileged c1 grep CapEff /proc/self/status
exits 'exec -d' 0 '' docker exec -d c1 touch /made
check 'exec -d: done' wait_for 5 docker exec c1 test -e /made
like 'top' "$(docker top c1)" 'httpd -f'
like 'stats' "$(docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c1)" '^c1 1 .*iB / 64MiB'
check 'update' docker update --memory 32m --memory-swap 64m --cpus 0.5 c1
is 'update: the limits hold' "$(docker exec c1 cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us | paste -sd ' ')" '33554432 50000'
check 'pause' docker pause c1
is 'pause: state' "$(docker inspect -f '{{.State.Status}}' c1)" paused
exits 'exec in a paused container is refused' 1 'is paused' docker exec c1 true
check 'unpause' docker unpause c1
check 'cp into it' docker cp folder/file c1:/copied
is 'cp from it' "$(docker cp c1:/copied - | tar -xO)" outside
check 'diff, commit' eval '[[ $(docker diff c1) == *" /copied"* ]] && docker commit c1 isle2'
exits 'the committed image' 0 '^outside$' run isle2 cat /copied
check 'kill -s WINCH' docker kill -s WINCH c1
check 'stop' docker stop -t 1 c1
is 'stop: state' "$(docker inspect -f '{{.State.Status}} {{.State.Running}}' c1)" 'exited false'
check 'start again' docker start c1
check 'restart' docker restart -t 1 c1
check 'kill' docker kill c1
is 'kill: wait gives 137' "$(docker wait c1)" 137
check 'rm' docker rm c1
check 'create' docker create --name c2 isle sh -c 'echo out; echo err >&2; exit 3'
is 'created' "$(docker inspect -f '{{.State.Status}}' c2)" created
exits 'start --attach: output and status' 3 'out.*err|err.*out' docker start --attach c2
is 'logs' "$(docker logs c2 2>/dev/null) $(docker logs c2 2>&1 >/dev/null)" 'out err'
check 'rm -f of one that has stopped' docker rm -f c2
docker run -d --name c3 isle sh -c 'until [ -e /go ]; do sleep 0.1; done; echo attached; sleep 0.2' >/dev/null
timeout 20 docker attach c3 >attached </dev/null &
attacher=$!
sleep 0.3
docker exec c3 touch /go
wait $attacher
is 'attach' "$(cat attached)" attached
docker run -d --name c4 --restart on-failure:2 isle sh -c 'echo again; exit 1' >/dev/null
check 'restart policy' wait_for 10 eval '[ "$(docker logs c4 | wc -l)" -eq 3 ]'
is 'restart policy: count' "$(docker inspect -f '{{.RestartCount}}' c4)" 2
exits 'OOM: killed' 137 '' docker run --name c5 --memory 16m --memory-swap 16m isle probe eat 64
check 'OOM: said' wait_for 5 eval '[ "$(docker inspect -f "{{.State.OOMKilled}}" c5)" = true ]'
docker run -d --name c6 --health-cmd 'test -e /healthy' --health-interval=0.3s --health-retries=1 isle sleep 100 >/dev/null
check 'health check: unhealthy' wait_for 8 eval '[ "$(docker inspect -f "{{.State.Health.Status}}" c6)" = unhealthy ]'
docker exec c6 touch /healthy
check 'health check: healthy' wait_for 8 eval '[ "$(docker inspect -f "{{.State.Health.Status}}" c6)" = healthy ]'
like 'events' "$(docker events --since 1h --until "$(date +%s)" --format '{{.Action}}' | cut -d : -f 1 | sort -u | tr '\n' ' ')" \
	'.*create.*destroy.*die.*exec_start.*kill.*oom.*pause.*start.*stop.*unpause'
is 'a neighbour shares its network and processes' \
	"$(docker run --rm --network container:c6 --pid container:c6 isle cat /proc/1/comm)" sleep
check 'rm -f of one that runs' docker rm -f c6

# --- build, networks, many -------------------------------------------------------------------------------------------------

mkdir build
printf 'FROM isle\nRUN echo built >/built && test "$(id -u)" = 0\nUSER user\nRUN id -u >/tmp/who\nCMD cat /built /tmp/who\n' >build/Dockerfile
check 'build with RUN' docker build -q -t isle3 build
exits 'what was built' 0 '^built.1000$' run isle3
check 'build with BuildKit' env DOCKER_BUILDKIT=1 timeout 60 /usr/bin/docker build -q --no-cache -t isle4 build
exits 'what BuildKit built' 0 '^built.1000$' run isle4
check 'network create' docker network create --subnet 10.98.0.0/24 n1
exits 'a fixed address in it' 0 '10\.98\.0\.7' run --network n1 --ip 10.98.0.7 isle ip addr show eth0
docker run -d --name server --network n1 isle httpd -f -p 80 -h /www >/dev/null
exits 'a neighbour is found by its name' 0 '^a page$' run --network n1 isle wget -qO - http://server/index.html
docker rm -f server >/dev/null
check 'network rm' docker network rm n1
docker rm -f c3 c4 c5 >/dev/null
started=$(seq 10 | xargs -P 5 -I{} /usr/bin/docker run --rm --network none isle echo {} 2>&1 | sort -n | paste -sd ' ')
is 'ten at once' "$started" '1 2 3 4 5 6 7 8 9 10'
is 'no container is left' "$(docker ps -aq)" ''
check 'the runtime has no record left' wait_for 5 eval \
	'[ -z "$(find /run/docker/runtime-* -mindepth 2 ! -path "*/.seccomp*" 2>/dev/null)" ]'
