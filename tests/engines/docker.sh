#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Docker: dockerd with its own containerd.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(dockerd containerd ip iptables)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/engines/life.sh
. "$OLDPWD/tests/engines/life.sh"

words=(timeout -k 1 $((40 * HOLM_TIMESCALE)) /usr/bin/docker)
engine() {
	"${words[@]}" "$@"
}
run() {
	engine run --rm "$@" </dev/null
}
differs runc 'run --privileged' 'asks for a capability that root may lack; runc gives up'
differs runc 'exec --privileged' 'asks for a capability that root may lack; runc gives up'

mkdir /run/engine/bin
ln -s "$runtime" /run/engine/bin/runc
start_dockerd() { # [OPTION]...
	PATH=/run/engine/bin:$PATH dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --storage-driver overlay2 \
		--oom-score-adjust 0 --ip6tables=false --experimental "$@" >>/run/engine/dockerd.log 2>&1 &
	dockerd=$!
	wait_for 20 engine version
}
check 'dockerd starts' start_dockerd --live-restore || cat /run/engine/dockerd.log
echo "# $(engine version --format 'Docker {{.Server.Version}}'), $("$runtime" --version | head -n 1)"
is 'info names the runtime' "$(engine info --format '{{.DefaultRuntime}}' 2>&1)" under-test
import_image

run_checks
root_checks
exits 'run --device-cgroup-rule' 0 '' run --device-cgroup-rule 'c 10:229 rwm' isle true
exits 'run --cgroup-parent' 0 '^yes$' run --cgroup-parent /own/parent isle echo yes
exits 'run --cgroupns private' 0 '(1:cpu|0:):/$' run --cgroupns private isle grep -e cpu:/ -e 0::/ /proc/self/cgroup
exits 'run --group-add' 0 '1000' run --group-add 1000 isle id -G
exits 'run --gpus is refused' 125 'device driver' run --gpus all isle true
exits 'a working folder that is not there is made' 0 '^/new/folder$' run -w /new/folder isle pwd

server_checks --memory 64m
like 'stats' "$(engine stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c1)" '^c1 1 .*iB / 64MiB'
check 'update' engine update --memory 32m --memory-swap 64m --cpus 0.5 c1
is 'update: the limits hold' "$(engine exec c1 limit memory quota)" '33554432 50000'
pause_checks 1 'is paused'
end_checks
oom_checks ''
engine run -d --name c6 --health-cmd 'test -e /healthy' --health-interval=0.3s --health-retries=1 isle sleep 1000 >/dev/null
is_health() {
	[ "$(engine inspect -f '{{.State.Health.Status}}' c6)" = "$1" ]
}
check 'health check: unhealthy' wait_for 8 is_health unhealthy
engine exec c6 touch /healthy
check 'health check: healthy' wait_for 8 is_health healthy
like 'events' "$(engine events --since 1h --until "$(date +%s)" --format '{{.Action}}' | cut -d : -f 1 | sort -u | tr '\n' ' ')" \
	'.*create.*destroy.*die.*exec_start.*kill.*oom.*pause.*start.*stop.*unpause'
is 'a neighbour shares its network and processes' \
	"$(engine run --rm --network container:c6 --pid container:c6 isle cat /proc/1/comm)" sleep
exits 'checkpoint is refused clearly' 1 'checkpoint' engine checkpoint create c6 first
is 'and harms not' "$(engine inspect -f '{{.State.Status}}' c6)" running
kill $dockerd
wait $dockerd
check 'dockerd starts anew' start_dockerd --live-restore
is 'the container went on' "$(engine inspect -f '{{.State.Status}} {{.RestartCount}}' c6) $(engine exec c6 cat /data/file)" 'running 0 of the image'
check 'rm -f of one that runs' engine rm -f c6

# Images that holm exports, of one and of two layers.
if [ "$RUNTIME" = holm ]; then
	store=("$BUILD/holm" --data /run/engine/store)
	check 'an image of holm'"'"'s' "${store[@]}" image import -q --cmd /bin/sh --env PATH=/bin --cwd /data image.tar own:1
	like 'docker load' "$("${store[@]}" image export -q own:1 | engine load 2>&1)" 'Loaded image: (docker.io/library/)?own:1'
	is 'it has the same id' "$(engine image inspect -f '{{.Id}}' own:1)" "$("${store[@]}" image inspect own:1 | jq -r '.[0].id')"
	exits 'and runs as it says' 0 '^/data of the image$' run own:1 sh -c 'echo $(pwd) $(cat file)'
	check 'docker save of it' engine save -o back.tar own:1
	is 'comes back as the same' "$("${store[@]}" image import -q back.tar back:1)" "$("${store[@]}" image inspect own:1 | jq -r '.[0].id')"
fi

build_checks
check 'build with BuildKit' env DOCKER_BUILDKIT=1 "${words[@]}" build -q --no-cache -t isle4 build
exits 'what BuildKit built' 0 '^built.1000$' run isle4
network_checks
many_checks
check 'the runtime has no record left' wait_for 5 eval \
	'[ -z "$(find /run/docker/runtime-* -mindepth 2 ! -path "*/:seccomp*" 2>/dev/null)" ]'

# A dockerd whose containers all have a user namespace.
kill $dockerd
wait $dockerd
echo 'remap:x:4712:4712::/:/bin/false' >>/etc/passwd
echo 'remap:x:4712:' >>/etc/group
echo 'remap:400000:65536' | tee -a /etc/subuid >>/etc/subgid
check 'dockerd --userns-remap starts' start_dockerd --userns-remap=remap
import_image
exits 'its containers have ids of their own' 0 '^0 0 400000 65536$' run isle sh -c 'echo $(id -u) $(cat /proc/self/uid_map)'
exits 'with a volume, a limit and a device' 0 '^of the image 20971520 .* 10, *229 ' run -v v2:/data -m 20m --device /dev/fuse isle \
	sh -c 'echo $(cat /data/file) $(limit memory) $(ls -l /dev/fuse)'
exits '--userns=host leaves it out' 0 '^0 0 4294967295$' run --userns=host isle sh -c 'echo $(cat /proc/self/uid_map)'
